/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The corpus of misuse: small wrong programs. Each does one wrong thing, in a
 * process of its own, and must be caught at the depth that it is listed with,
 * for the reason listed, and where the depth promises it, with the line.
 */
#ifndef MISUSE_H
#define MISUSE_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <saferring.h>

#define SIZE   4096U		/* of a buffer; no gap behind it */
#define ODD    4000U		/* of one with a gap */
#define REGION (1UL << 20)

/* What the wrong program runs on. */
struct scene {
	struct saferring_device *device;
	struct saferring_region *region;
	struct saferring_pool *pool;
	struct saferring_ring *ring;
	struct saferring_region *other_region;
	struct saferring_pool *other_pool;
	int pipe[2];
	int zero, null;
	size_t size;
};

/* What the wrong program leaves for its judge. */
struct evidence {
	int wrong;		/* line of the mistake */
	int owner;		/* line where the buffer came to who has it */
	int reason;		/* of the last error */
	bool survived;		/* the end of the program was reached */
};

extern struct evidence *evidence;

/* How a case must be caught. */
#define QUIET  (1U << 0)	/* by the result alone: no report */
#define FAULTS (1U << 1)	/* the program must not get past the mistake */
#define LINE   (1U << 2)	/* the report has the line of the mistake */
#define OWNED  (1U << 3)	/* the report has the line of OWNER() */
#define GAP    (1U << 4)	/* with buffers of ODD bytes */

struct misuse {
	const char *name;
	void (*commit)(struct scene *scene);
	int depth;
	int reason;
	unsigned int flags;
	const char *text;	/* that must be in the report, or NULL */
};

/* Do it, and note where it stands. */
#define WRONG(statement)                                                       \
	do {                                                                   \
		evidence->wrong = __LINE__; statement;                         \
	} while (0)
#define OWNER(statement)                                                       \
	do {                                                                   \
		evidence->owner = __LINE__; statement;                         \
	} while (0)

#define DATA(buffer)  ANYHOW(saferring_buffer_data(s->pool, buffer))
#define RANGE(buffer) ANYHOW(saferring_buffer_range(s->pool, buffer, 0, 1))
#define PUT(buffer)   ANYHOW(saferring_buffer_put(s->pool, buffer))
#define READ(buffer)                                                           \
	ANYHOW(saferring_ring_read(s->ring, s->zero, buffer, 0, 16, 0, 0))
#define WRITE(buffer)                                                          \
	ANYHOW(saferring_ring_write(s->ring, s->null, buffer, 0, 16, 0, 0))

#define CASE(name) static void name(struct scene *s)
/* Entries of a list: reported at every depth; refused by the result alone. */
#define FAST(name, its_reason)                                                 \
	{ #name, name, SAFERRING_DEPTH_FAST, SAFERRING_REASON_##its_reason, 0, \
	  NULL }
#define SILENT(name, its_reason)                                               \
	{ #name, name, SAFERRING_DEPTH_FAST, SAFERRING_REASON_##its_reason,    \
	  QUIET, NULL }

/* Anything that is not the mistake must work. */
#define MUST(expression)                                                       \
	do {                                                                   \
		if ((expression) < 0) {                                        \
			fprintf(stderr, "line %d: %s failed: %s\n", __LINE__,  \
				#expression, saferring_error_last()->what);    \
			_exit(99);                                             \
		}                                                              \
	} while (0)
/* The result of a mistake is none of the program's business. */
#define ANYHOW(expression)                                                     \
	do {                                                                   \
		if ((intptr_t)(expression) == 12345)                           \
			puts("");                                              \
	} while (0)

/* Keep the compiler from leaving out what nobody looks at. */
extern volatile unsigned char sink;

saferring_buffer take(struct scene *scene);
unsigned char *data_of(struct scene *scene, saferring_buffer buffer);
void give(struct scene *scene, saferring_buffer buffer);
void send_off(struct scene *scene);
saferring_buffer wait_for(struct scene *scene);
/* A read that ends when something is written to the pipe. */
void stuck_read(struct scene *scene, saferring_buffer buffer);
/* A write that ends when the pipe is read. */
void stuck_write(struct scene *scene, saferring_buffer buffer);
void unstick_read(struct scene *scene);
void unstick_write(struct scene *scene);
/* A read that ends by itself, and the handle that it brings. */
saferring_buffer read_through(struct scene *scene, saferring_buffer buffer);
void in_thread(void *(*function)(void *), void *argument);
struct saferring_pool *make_other(struct scene *scene);
/* Exit status 4 is for what cannot be tried here, after a line that says why. */
void skip_unless(bool possible);

extern const struct misuse handle_misuses[], operation_misuses[],
	gone_misuses[], group_misuses[], batch_misuses[], adoption_misuses[],
	limit_misuses[], damage_misuses[], stray_misuses[];

#endif /* MISUSE_H */
