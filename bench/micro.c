// SPDX-License-Identifier: GPL-2.0
/*
 * Micro rows: one primitive of the library beside what a program without it
 * does in its place, both inline in this file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "place.h"
#include "special.h"
#include "stage.h"

/* Handles that a row goes through, a power of two: in the first level cache. */
#define NEAR 64U

/* What a program keeps of each buffer when it keeps it itself. */
struct descriptor {
	unsigned char *address;
	size_t length;
	uint64_t user_data;
	uint64_t flags;
};

/**
 * struct micro - state of a row
 * @handle: handles that are held, in the order in which they are used
 * @number: the same for the twin: indices of descriptors
 * @mask: their number less one
 * @at: where the next slice goes on
 * @lifo: free descriptors of the twin
 */
struct micro {
	struct stage stage;
	saferring_buffer *handle;
	uint64_t *number;
	struct descriptor *descriptor;
	uint64_t mask;
	uint64_t at;
	uint64_t *lifo;
	uint64_t free;
};

static void micro_down(void *state)
{
	struct micro *micro = state;
	uint64_t i;

	for (i = 0; micro->handle && i <= micro->mask; i++)
		if (micro->handle[i].word &&
		    saferring_buffer_put(micro->stage.pool, micro->handle[i]))
			row_error(-ESTALE);
	stage_down(&micro->stage);
	free(micro->handle);
	free(micro->number);
	free(micro->descriptor);
	free(micro->lifo);
	free(micro);
}

/* An order in which no prefetcher sees a pattern. */
static void scatter(struct micro *micro)
{
	struct random random;
	uint64_t i;

	random_seed(&random, 1);
	for (i = micro->mask; i > 0; i--) {
		const uint64_t other = random_below(&random, (uint32_t)i + 1);
		const saferring_buffer handle = micro->handle[i];
		const uint64_t number = micro->number[i];

		micro->handle[i] = micro->handle[other];
		micro->handle[other] = handle;
		micro->number[i] = micro->number[other];
		micro->number[other] = number;
	}
}

static bool hold_buffers(struct micro *micro, size_t size)
{
	uint64_t i;

	for (i = 0; i <= micro->mask; i++) {
		if (saferring_buffer_get(micro->stage.pool, &micro->handle[i]))
			return false;
		micro->number[i] = i;
		micro->descriptor[i].address = saferring_buffer_data(
			micro->stage.pool, micro->handle[i]);
		micro->descriptor[i].length = size;
	}
	return true;
}

/* row->depth is the number of buffers, of which @held are taken out. */
static struct micro *micro_make(const struct row *row, size_t held)
{
	const struct stage_plan plan = {
		.buffers = row->depth,
		.buffer_size = row->size,
		.regions = row->regions,
	};
	struct micro *micro = calloc(1, sizeof(*micro));

	if (!micro || !stage_up(&micro->stage, &plan)) {
		free(micro);
		return NULL;
	}
	micro->mask = held - 1;
	micro->handle = calloc(held, sizeof(*micro->handle));
	micro->number = calloc(held, sizeof(*micro->number));
	micro->descriptor = calloc(row->depth, sizeof(*micro->descriptor));
	micro->lifo = calloc(row->depth, sizeof(*micro->lifo));
	for (; micro->lifo && micro->free < row->depth; micro->free++)
		micro->lifo[micro->free] = micro->free;
	if (micro->handle && micro->number && micro->descriptor &&
	    micro->lifo && hold_buffers(micro, row->size))
		return micro;
	row_fail("no memory for the row, or no buffer");
	micro_down(micro);
	return NULL;
}

/* ---- handle to address ---- */

static void *near_up(const struct row *row)
{
	return micro_make(row, NEAR);
}

static void *far_up(const struct row *row)
{
	struct micro *micro = micro_make(row, row->depth);

	if (micro)
		scatter(micro);
	return micro;
}

static __always_inline void check_subject_loop(void *state, uint64_t calls)
{
	struct micro *micro = state;
	struct saferring_pool *pool = micro->stage.pool;
	const saferring_buffer *handle = micro->handle;
	const uint64_t mask = micro->mask;
	uint64_t at = micro->at;
	const uint64_t end = at + calls;

	for (; at < end; at++)
		KEEP(saferring_buffer_data(pool, handle[at & mask]));
	micro->at = at;
}

PLACED(check_subject)

/* The table is reached through the state, as the pool's is. */
static __always_inline void check_twin_loop(void *state, uint64_t calls)
{
	struct micro *micro = state;
	const uint64_t *number = micro->number;
	const uint64_t mask = micro->mask;
	uint64_t at = micro->at;
	const uint64_t end = at + calls;

	for (; at < end; at++)
		KEEP(micro->descriptor[number[at & mask]].address);
	micro->at = at;
}

PLACED(check_twin)

/* The check alone: the word, without the address. */
static __always_inline void valid_subject_loop(void *state, uint64_t calls)
{
	struct micro *micro = state;
	struct saferring_pool *pool = micro->stage.pool;
	const saferring_buffer *handle = micro->handle;
	const uint64_t mask = micro->mask;
	uint64_t at = micro->at;
	const uint64_t end = at + calls;

	for (; at < end; at++) {
		if (!saferring_buffer_valid(pool, handle[at & mask]))
			row_error(-ESTALE);
		FORGET();
	}
	micro->at = at;
}

PLACED(valid_subject)

struct row micro_check_row(unsigned int buffers, unsigned int regions)
{
	return (struct row){
		.name = "check",
		.group = "scale",
		.setup = far_up,
		.teardown = micro_down,
		.run_subject = check_subject,
		.run_twin = check_twin,
		.per = 1,
		.size = 512,
		.depth = buffers,
		.regions = regions,
		/* A walk through all of it. */
		.slice_ns = buffers > 10000 ? buffers * 8 : 0,
	};
}

/* ---- get and put ---- */

static __always_inline void pool_subject_loop(void *state, uint64_t calls)
{
	struct saferring_pool *pool = ((struct micro *)state)->stage.pool;
	saferring_buffer buffer;

	while (calls--) {
		if (saferring_buffer_get(pool, &buffer))
			row_error(-ENOBUFS);
		KEEP(buffer.word);
		if (saferring_buffer_put(pool, buffer))
			row_error(-ESTALE);
	}
}

PLACED(pool_subject)

static __always_inline void pool_twin_loop(void *state, uint64_t calls)
{
	struct micro *micro = state;
	uint64_t number;

	while (calls--) {
		if (SAFERRING_UNLIKELY(!micro->free))
			row_error(-ENOBUFS);
		number = micro->lifo[--micro->free];
		KEEP(number);
		micro->lifo[micro->free++] = number;
		FORGET();
	}
}

PLACED(pool_twin)

/* ---- what a thread holds at a time, and gives back: no pair is hot ---- */

#define HELD 32

static __always_inline void batch_subject_loop(void *state, uint64_t calls)
{
	struct saferring_pool *pool = ((struct micro *)state)->stage.pool;
	saferring_buffer buffer[HELD];
	size_t i;

	while (calls--) {
		for (i = 0; i < HELD; i++)
			if (saferring_buffer_get(pool, &buffer[i]))
				row_error(-ENOBUFS);
		for (i = 0; i < HELD; i++)
			if (saferring_buffer_put(pool, buffer[i]))
				row_error(-ESTALE);
	}
}

PLACED(batch_subject)

static __always_inline void batch_twin_loop(void *state, uint64_t calls)
{
	struct micro *micro = state;
	uint64_t number[HELD];
	size_t i;

	while (calls--) {
		for (i = 0; i < HELD; i++) {
			if (SAFERRING_UNLIKELY(!micro->free))
				row_error(-ENOBUFS);
			number[i] = micro->lifo[--micro->free];
			FORGET();
		}
		for (i = 0; i < HELD; i++) {
			micro->lifo[micro->free++] = number[i];
			FORGET();
		}
	}
}

PLACED(batch_twin)

/* A library that it is compared with may be older than its calls for many. */
#ifdef SAFERRING_POOL_CLEAR_GET
static void bulk_subject(void *state, uint64_t calls)
{
	struct saferring_pool *pool = ((struct micro *)state)->stage.pool;
	saferring_buffer buffer[HELD];

	while (calls--) {
		if (saferring_buffer_get_many(pool, buffer, HELD) != HELD)
			row_error(-ENOBUFS);
		if (saferring_buffer_put_many(pool, buffer, HELD) != HELD)
			row_error(-ESTALE);
	}
}

static void bulk_twin(void *state, uint64_t calls)
{
	struct micro *micro = state;
	uint64_t number[HELD];

	while (calls--) {
		if (SAFERRING_UNLIKELY(micro->free < HELD))
			row_error(-ENOBUFS);
		micro->free -= HELD;
		memcpy(number, &micro->lifo[micro->free], sizeof(number));
		FORGET();
		memcpy(&micro->lifo[micro->free], number, sizeof(number));
		micro->free += HELD;
		FORGET();
	}
}
#endif

void micro_pool_pairs(struct saferring_pool *pool, uint64_t calls)
{
	struct micro micro = { .stage.pool = pool };

	pool_subject(&micro, calls);
}

const struct row micro_rows[] = {
	{
		.name = "check.near",
		.group = "micro",
		.subject = "handle checked, address computed",
		.twin = "address loaded from a descriptor",
		.about = "saferring_buffer_data() on 64 buffers in turn",
		.setup = near_up,
		.teardown = micro_down,
		.run_subject = check_subject,
		.run_twin = check_twin,
		.per = 1,
		.size = 4096,
		.depth = 256,
		.goal = { { GOAL_NS_OVER, 0.1 }, { GOAL_IR_OVER, 5 } },
		.instructions = true,
	},
	{
		.name = "check.valid",
		.group = "micro",
		.subject = "handle checked",
		.twin = "address loaded from a descriptor",
		.about = "saferring_buffer_valid() on 64 buffers in turn",
		.setup = near_up,
		.teardown = micro_down,
		.run_subject = valid_subject,
		.run_twin = check_twin,
		.per = 1,
		.size = 4096,
		.depth = 256,
		.goal = { { GOAL_NS_OVER, 0.1 }, { GOAL_IR_OVER, 5 } },
		.instructions = true,
	},
	{
		.name = "check.million",
		.group = "micro",
		.subject = "handle checked, address computed",
		.twin = "address loaded from a descriptor of 32 bytes",
		.about = "saferring_buffer_data() on 1,048,576 buffers in random order",
		.setup = far_up,
		.teardown = micro_down,
		.run_subject = check_subject,
		.run_twin = check_twin,
		.per = 1,
		.size = 512,
		.depth = 1U << 20,
		.slice_ns = 8000000,
		.goal = { { GOAL_RATIO, 1.15 } },
	},
	{
		.name = "pool.pair",
		.group = "micro",
		.subject = "get, put",
		.twin = "pop and push of a stack of indices",
		.about = "a buffer taken from the pool and given back at once",
		.setup = near_up,
		.teardown = micro_down,
		.run_subject = pool_subject,
		.run_twin = pool_twin,
		.per = 1,
		.size = 4096,
		.depth = 1024,
		.goal = { { GOAL_NS, 1.2 }, { GOAL_IR, 25 } },
		.instructions = true,
	},
	{
		.name = "pool.batch",
		.group = "micro",
		.subject = "32 gets, 32 puts",
		.twin = "32 pops and 32 pushes of a stack of indices",
		.about = "32 buffers taken one by one, then given back; a buffer's share",
		.setup = near_up,
		.teardown = micro_down,
		.run_subject = batch_subject,
		.run_twin = batch_twin,
		.per = HELD,
		.size = 4096,
		.depth = 1024,
		.instructions = true,
	},
#ifdef SAFERRING_POOL_CLEAR_GET
	{
		.name = "pool.bulk",
		.group = "micro",
		.subject = "get_many, put_many of 32",
		.twin = "32 indices copied from a stack and back",
		.about = "32 buffers taken and given back at once; a buffer's share",
		.setup = near_up,
		.teardown = micro_down,
		.run_subject = bulk_subject,
		.run_twin = bulk_twin,
		.per = HELD,
		.size = 4096,
		.depth = 1024,
		.goal = { { GOAL_NS, 0.55 } },
		.instructions = true,
	},
#endif
	{ 0 },
};
