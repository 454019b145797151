/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What most rows stand on: a pool of the library's and a ring, and the same
 * memory as a program without the library has it.
 */
#ifndef BENCH_STAGE_H
#define BENCH_STAGE_H

#include <liburing.h>
#include <saferring.h>
#include "bench.h"

#define STAGE_NAME "bench"

/**
 * struct stage_plan - what to set up
 * @buffers: number of them
 * @buffer_size: bytes of each
 * @regions: number of regions they lie in, 0 for 1
 * @backend: enum saferring_backend, 0 for the best
 * @depth: of the two rings, 0 for none
 * @flags: of the library's ring
 * @cache: as in saferring_pool_options
 */
struct stage_plan {
	size_t buffers;
	size_t buffer_size;
	size_t regions;
	int backend;
	unsigned int depth;
	unsigned int flags;
	int cache;
};

#define STAGE_REGIONS_MAX SAFERRING_POOL_REGIONS_MAX

/**
 * struct stage - what was set up
 * @ring: the library's, on @pool
 * @raw: liburing's, with the same flags and on the same memory
 * @address: first byte of the first region
 * @fixed: the memory is registered with both rings
 */
struct stage {
	struct saferring_device *device;
	struct saferring_region *region[STAGE_REGIONS_MAX];
	size_t region_count;
	struct saferring_pool *pool;
	struct saferring_ring *ring;
	struct io_uring raw;
	bool raw_open;
	bool fixed;
	unsigned char *address;
	size_t length;
};

/* Returns false after row_skip() or row_fail(), with nothing left behind. */
bool stage_up(struct stage *stage, const struct stage_plan *plan);
void stage_down(struct stage *stage);

#endif /* BENCH_STAGE_H */
