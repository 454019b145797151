/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the unit tests of the library share.
 *
 * The tests take whatever backend the machine has, or the one that
 * SAFERRING_BACKEND forces, and assume nothing about it.
 */
#ifndef UNIT_COMMON_H
#define UNIT_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <saferring.h>

#define BUFFER_SIZE  4096U
#define REGION_SIZE  (2UL << 20)
#define DESTROY_MS   5000U

/* One of each, made by stage_up() and taken down by stage_down(). */
struct stage {
	struct saferring_device *device;
	struct saferring_region *region;
	struct saferring_pool *pool;
	struct saferring_ring *ring;
	struct saferring_region *memory;
};

/* Bits for stage_up(). */
#define STAGE_RING    (1U << 0)
#define STAGE_UNFIXED (1U << 1)
#define STAGE_UNCACHED (1U << 2)
/* The ring's own memory lies in a region, where the kernel takes that. */
#define STAGE_PLACED (1U << 3)

struct stage *stage_up(size_t count, unsigned int depth, unsigned int flags);
void stage_down(struct stage *stage);

struct saferring_device *open_device(void);
struct saferring_region *make_region(struct saferring_device *device,
				     size_t length);
struct saferring_pool *make_pool(struct saferring_region *region, size_t count,
				 int cache, const char *name);
struct saferring_ring *make_ring(struct saferring_pool *pool,
				 unsigned int depth, unsigned int flags);
int depth_of(const struct saferring_pool *pool);
void drop_region(struct saferring_region *region);

saferring_buffer get(struct saferring_pool *pool);
void put(struct saferring_pool *pool, saferring_buffer buffer);

/* Whether rings are to do without io_uring. */
bool on_threads(void);

/* Wait for one completion. */
struct saferring_completion next_of(struct saferring_ring *ring);
/* Wait for one, look at its user_data and result, and put its buffer. */
void expect(struct saferring_ring *ring, uint64_t user_data, int32_t result);
/* All buffers are in their pool. */
void assert_all_back(struct saferring_pool *pool);
/* The bytes of a buffer. */
unsigned char *bytes_of(struct saferring_pool *pool, saferring_buffer buffer);

/* Reports made since, and the last of them. */
extern unsigned int reports;
extern struct saferring_error last_report;
void catch_reports(void);
void ignore_reports(void);

/* The last call failed with this code and reason, and said so. */
void assert_error(int code, int reason);
/* The same, and the misuse was reported once since @before. */
void assert_misuse(int result, int reason, unsigned int before);

/* A figure of what has label @object, over all its series or those with @label. */
uint64_t figure_of(const char *name, const char *object, const char *label);

/* An unlinked temporary file of that many bytes, byte n being pattern(n). */
int pattern_file(size_t length);
unsigned char pattern(size_t offset);
void assert_pattern(const void *data, size_t offset, size_t length);

/* Run in a child of fork(); its asserts and its exit status are checked. */
void in_child(void (*function)(void *), void *argument);
/* The same, but the exit status is handed on, 128 and more for a signal. */
int exit_status(void (*function)(void *), void *argument);

/* Say why, then skip. */
#define SKIP(...)                                                              \
	do {                                                                   \
		print_message("# skipped: " __VA_ARGS__);                      \
		print_message("\n");                                           \
		skip();                                                        \
	} while (0)

/* Queue, or skip if the kernel does not have the operation. */
#define QUEUE(call)                                                            \
	do {                                                                   \
		const int queue_result = (call);                               \
									       \
		if (queue_result == -EOPNOTSUPP)                               \
			SKIP("%s: %s", saferring_error_last()->what,           \
			     saferring_error_last()->cure);                    \
		assert_int_equal(queue_result, 0);                             \
	} while (0)

#endif /* UNIT_COMMON_H */
