/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Questions that are no pair of functions: each writes records of its own.
 */
#ifndef BENCH_SPECIAL_H
#define BENCH_SPECIAL_H

#include "bench.h"

void scale_buffers(void);	/* scale.c */
void scale_regions(void);
void scale_threads(void);	/* threads.c */
void scale_handover(void);
void memory_steady(void);	/* memory.c */
void memory_calls(void);
void registration(void);	/* registration.c */
void numa_placement(void);	/* numa.c */
void numa_speed(void);
void latency(void);		/* latency.c */
void adaptation_batch(void);	/* adaptation.c */
void adaptation_busy(void);
void adaptation_cache(void);
void whole_operations(void);	/* whole.c */

/* Rows of micro.c and macro.c with something varied. */
struct row micro_check_row(unsigned int buffers, unsigned int regions);
struct row macro_life_row(void);
/* READ_FIXED from null_blk; and READ into memory of malloc's, on its state. */
struct row macro_disk_row(size_t size, unsigned int depth, int backend,
			  bool each);
void macro_plain_twin(void *state, uint64_t calls);

struct saferring_pool;

/* Get a buffer and put it, so many times. */
void micro_pool_pairs(struct saferring_pool *pool, uint64_t calls);

/* One point of a curve: @series at @x, of subject and twin in @unit. */
void record_point(const char *group, const char *series, double x,
		  const char *unit, struct estimate subject,
		  struct estimate twin, enum verdict verdict);
/* The end of a question: a verdict with its reason, told and counted. */
void conclude_special(const char *group, const char *name, enum verdict verdict,
		      const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif /* BENCH_SPECIAL_H */
