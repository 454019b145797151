// SPDX-License-Identifier: GPL-2.0
/*
 * Macro rows: whole operations, kernel included, by the library and by liburing
 * as its manual pages teach it: SQEs filled in a batch, one system call, CQEs
 * taken in a batch. Both rings have the same flags and the same registered
 * memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "special.h"
#include "stage.h"

/* A library that it is compared with may be older than that. */
#if __has_include(<saferring/control.h>)
#define HAVE_NOP 1
#else
#define HAVE_NOP 0
#endif

/* The same of those that queue many operations at once. */
#if __has_include(<saferring/many.h>)
#define HAVE_MANY 1
#else
#define HAVE_MANY 0
#endif

#define MACRO_DEPTH_MAX 128U
#define NULL_DISK	"/dev/nullb0"
/* Of the memory that rows on a backend of their own lie in. */
#define WHOLE_BYTES (64UL << 20)
/* Buffers of a pool that rows take them from. */
#define POOLED 1024U

/**
 * struct macro - state of a row
 * @fd: what is read or written
 * @plain: memory of the twin that registers nothing, or NULL
 */
struct macro {
	struct stage stage;
	int fd;
	unsigned int depth;
	unsigned int size;
	unsigned char *plain;
	saferring_buffer handle[MACRO_DEPTH_MAX];
	struct saferring_completion done[MACRO_DEPTH_MAX];
	uint32_t lifo[MACRO_DEPTH_MAX];
	uint32_t free;
};

/* ---- the library ---- */

static inline void take_done(struct macro *macro, bool keep)
{
	int count = saferring_ring_wait(macro->stage.ring, macro->done,
					macro->depth, macro->depth,
					SAFERRING_FOREVER);
	int i;

	if (SAFERRING_UNLIKELY(count != (int)macro->depth)) {
		row_error(count < 0 ? count : -EIO);
		return;
	}
	for (i = 0; i < count; i++) {
		const struct saferring_completion *done = &macro->done[i];

		if (SAFERRING_UNLIKELY(done->result != (int)macro->size))
			row_error(done->result < 0 ? done->result : -EIO);
		if (keep)
			macro->handle[done->user_data] = done->buffer;
		else if (saferring_buffer_put(macro->stage.pool, done->buffer))
			row_error(-ESTALE);
	}
}

/* A call for each operation. */
static __always_inline void
queue_each(struct macro *macro,
	   int (*queue)(struct saferring_ring *ring, int fd,
			saferring_buffer buffer, size_t start, size_t length,
			uint64_t offset, uint64_t user_data))
{
	unsigned int i;
	int error;

	for (i = 0; i < macro->depth; i++) {
		error = queue(macro->stage.ring, macro->fd, macro->handle[i], 0,
			      macro->size, i * (uint64_t)macro->size, i);
		if (SAFERRING_UNLIKELY(error))
			row_error(error);
	}
}

static void each_read_subject(void *state, uint64_t calls)
{
	struct macro *macro = state;

	while (calls--) {
		queue_each(macro, saferring_ring_read);
		take_done(macro, true);
	}
}

static void each_write_subject(void *state, uint64_t calls)
{
	struct macro *macro = state;

	while (calls--) {
		queue_each(macro, saferring_ring_write);
		take_done(macro, true);
	}
}

#if HAVE_MANY
/* A call for all of them. */
static __always_inline void
queue_many(struct macro *macro,
	   int (*queue)(struct saferring_ring *ring,
			const struct saferring_series *series,
			const saferring_buffer *buffers, unsigned int count))
{
	const struct saferring_series series = {
		.size = sizeof(series),
		.fd = macro->fd,
		.length = macro->size,
		.distance = macro->size,
	};
	const int count = queue(macro->stage.ring, &series, macro->handle,
				macro->depth);

	if (SAFERRING_UNLIKELY(count != (int)macro->depth))
		row_error(count < 0 ? count : -EIO);
}

static void read_subject(void *state, uint64_t calls)
{
	struct macro *macro = state;

	while (calls--) {
		queue_many(macro, saferring_ring_read_many);
		take_done(macro, true);
	}
}

static void write_subject(void *state, uint64_t calls)
{
	struct macro *macro = state;

	while (calls--) {
		queue_many(macro, saferring_ring_write_many);
		take_done(macro, true);
	}
}
#else
#define read_subject  each_read_subject
#define write_subject each_write_subject
#endif

/* get, data, submit, completion, put, each by a call of its own. */
static void each_life_subject(void *state, uint64_t calls)
{
	struct macro *macro = state;
	struct saferring_pool *pool = macro->stage.pool;
	unsigned int i;
	int error;

	while (calls--) {
		for (i = 0; i < macro->depth; i++) {
			saferring_buffer buffer;

			if (saferring_buffer_get(pool, &buffer))
				row_error(-ENOBUFS);
			KEEP(saferring_buffer_data(pool, buffer));
			error = saferring_ring_write(macro->stage.ring,
						     macro->fd, buffer, 0,
						     macro->size, 0, i);
			if (SAFERRING_UNLIKELY(error))
				row_error(error);
		}
		take_done(macro, false);
	}
}

#if HAVE_MANY
/* The same with a call for all of them where there is one. */
static void life_subject(void *state, uint64_t calls)
{
	struct macro *macro = state;
	struct saferring_pool *pool = macro->stage.pool;
	const int depth = (int)macro->depth;
	int i;

	while (calls--) {
		if (saferring_buffer_get_many(pool, macro->handle,
					      macro->depth) != depth)
			row_error(-ENOBUFS);
		for (i = 0; i < depth; i++)
			KEEP(saferring_buffer_data(pool, macro->handle[i]));
		queue_many(macro, saferring_ring_write_many);
		take_done(macro, true);
		if (saferring_buffer_put_many(pool, macro->handle,
					      macro->depth) != depth)
			row_error(-ESTALE);
	}
	memset(macro->handle, 0, sizeof(macro->handle));
}
#else
#define life_subject each_life_subject
#endif

#if HAVE_NOP
/* No buffer: what queueing and completing cost by themselves. */
static void queue_nops(struct macro *macro)
{
#if HAVE_MANY
	const int count = saferring_ring_nop_many(macro->stage.ring,
						  macro->depth, 0);

	if (SAFERRING_UNLIKELY(count != (int)macro->depth))
		row_error(count < 0 ? count : -EIO);
#else
	unsigned int i;
	int error;

	for (i = 0; i < macro->depth; i++) {
		error = saferring_ring_nop(macro->stage.ring, i);
		if (SAFERRING_UNLIKELY(error))
			row_error(error);
	}
#endif
}

static void nop_subject(void *state, uint64_t calls)
{
	struct macro *macro = state;
	const struct saferring_completion *done;
	int count;

	while (calls--) {
		queue_nops(macro);
		count = saferring_ring_wait(macro->stage.ring, macro->done,
					    macro->depth, macro->depth,
					    SAFERRING_FOREVER);
		if (SAFERRING_UNLIKELY(count != (int)macro->depth))
			row_error(count < 0 ? count : -EIO);
		for (done = macro->done; done != &macro->done[count]; done++)
			if (SAFERRING_UNLIKELY(done->result))
				row_error(done->result);
	}
}
#endif

/* ---- liburing ---- */

static inline void raw_done(struct macro *macro, bool put)
{
	struct io_uring *ring = &macro->stage.raw;
	struct io_uring_cqe *cqe;
	unsigned int head, count = 0;
	int error = io_uring_submit_and_wait(ring, macro->depth);

	if (SAFERRING_UNLIKELY(error != (int)macro->depth))
		row_error(error < 0 ? error : -EIO);
	io_uring_for_each_cqe(ring, head, cqe) {
		if (SAFERRING_UNLIKELY(cqe->res != (int)macro->size))
			row_error(cqe->res < 0 ? cqe->res : -EIO);
		if (put)
			macro->lifo[macro->free++] = (uint32_t)cqe->user_data;
		else
			KEEP(cqe->user_data);
		count++;
	}
	io_uring_cq_advance(ring, count);
	if (SAFERRING_UNLIKELY(count != macro->depth))
		row_error(-EIO);
}

static void read_twin(void *state, uint64_t calls)
{
	struct macro *macro = state;
	struct io_uring *ring = &macro->stage.raw;
	struct io_uring_sqe *sqe;
	unsigned int i;

	while (calls--) {
		for (i = 0; i < macro->depth; i++) {
			sqe = io_uring_get_sqe(ring);
			io_uring_prep_read_fixed(sqe, macro->fd,
				macro->stage.address + (size_t)i * macro->size,
				macro->size, i * (uint64_t)macro->size, 0);
			io_uring_sqe_set_data64(sqe, i);
		}
		raw_done(macro, false);
	}
}

static void write_twin(void *state, uint64_t calls)
{
	struct macro *macro = state;
	struct io_uring *ring = &macro->stage.raw;
	struct io_uring_sqe *sqe;
	unsigned int i;

	while (calls--) {
		for (i = 0; i < macro->depth; i++) {
			sqe = io_uring_get_sqe(ring);
			io_uring_prep_write_fixed(sqe, macro->fd,
				macro->stage.address + (size_t)i * macro->size,
				macro->size, i * (uint64_t)macro->size, 0);
			io_uring_sqe_set_data64(sqe, i);
		}
		raw_done(macro, false);
	}
}

#if HAVE_NOP
static void nop_twin(void *state, uint64_t calls)
{
	struct macro *macro = state;
	struct io_uring *ring = &macro->stage.raw;
	struct io_uring_sqe *sqe;
	unsigned int i;

	while (calls--) {
		for (i = 0; i < macro->depth; i++) {
			sqe = io_uring_get_sqe(ring);
			io_uring_prep_nop(sqe);
			io_uring_sqe_set_data64(sqe, i);
		}
		raw_done(macro, false);
	}
}
#endif

/* With a stack of free buffers, which every such program has. */
static void life_twin(void *state, uint64_t calls)
{
	struct macro *macro = state;
	struct io_uring *ring = &macro->stage.raw;
	struct io_uring_sqe *sqe;
	unsigned char *address;
	uint32_t number;
	unsigned int i;

	while (calls--) {
		for (i = 0; i < macro->depth; i++) {
			if (SAFERRING_UNLIKELY(!macro->free))
				row_error(-ENOBUFS);
			number = macro->lifo[--macro->free];
			address = macro->stage.address +
				  (size_t)number * macro->size;
			KEEP(address);
			sqe = io_uring_get_sqe(ring);
			io_uring_prep_write_fixed(sqe, macro->fd, address,
						  macro->size, 0, 0);
			io_uring_sqe_set_data64(sqe, number);
		}
		raw_done(macro, true);
	}
}

/* What most programs do: memory of malloc's, nothing registered. */
static void plain_twin(void *state, uint64_t calls)
{
	struct macro *macro = state;
	struct io_uring *ring = &macro->stage.raw;
	struct io_uring_sqe *sqe;
	unsigned int i;

	while (calls--) {
		for (i = 0; i < macro->depth; i++) {
			sqe = io_uring_get_sqe(ring);
			io_uring_prep_read(sqe, macro->fd,
				macro->plain + (size_t)i * macro->size,
				macro->size, i * (uint64_t)macro->size);
			io_uring_sqe_set_data64(sqe, i);
		}
		raw_done(macro, false);
	}
}

/* ---- state ---- */

static void macro_down(void *state)
{
	struct macro *macro = state;
	unsigned int i;

	for (i = 0; i < macro->depth; i++)
		if (macro->handle[i].word &&
		    saferring_buffer_put(macro->stage.pool, macro->handle[i]))
			row_error(-ESTALE);
	stage_down(&macro->stage);
	if (macro->fd >= 0)
		close(macro->fd);
	free(macro->plain);
	free(macro);
}

static void *life_up(const struct row *row);

/* A region of huge pages wants to be large; the module's small ones are not. */
static size_t buffers_of(const struct row *row)
{
	if (row->setup == life_up)
		return POOLED;
	return row->backend ? WHOLE_BYTES / row->size : row->depth;
}

static struct macro *macro_make(const struct row *row, int fd)
{
	const struct stage_plan plan = {
		.buffers = buffers_of(row),
		.buffer_size = row->size,
		.depth = row->depth,
		.flags = row->flags,
		.backend = row->backend,
	};
	struct macro *macro = calloc(1, sizeof(*macro));

	if (!macro || !stage_up(&macro->stage, &plan)) {
		free(macro);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	macro->fd = fd;
	macro->size = (unsigned int)row->size;
	macro->depth = row->depth;
	for (macro->free = 0; macro->free < row->depth; macro->free++)
		macro->lifo[macro->free] = macro->free;
	if (macro->stage.fixed)
		return macro;
	row_skip("the memory could not be registered: ulimit -l");
	macro_down(macro);
	return NULL;
}

/* The rows whose subject keeps its buffers. */
static void *hold(struct macro *macro)
{
	unsigned int i;

	for (i = 0; macro && i < macro->depth; i++)
		if (saferring_buffer_get(macro->stage.pool, &macro->handle[i]))
			row_error(-ENOBUFS);
	return macro;
}

static void *null_up(const struct row *row)
{
	const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return row_skip("/dev/null: %s", strerror(errno));
	return hold(macro_make(row, fd));
}

static void *life_up(const struct row *row)
{
	const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return row_skip("/dev/null: %s", strerror(errno));
	return macro_make(row, fd);
}

#if HAVE_NOP
static void *nop_up(const struct row *row)
{
	struct macro *macro = macro_make(row, -1);

	/* What a NOP has for a result. */
	if (macro)
		macro->size = 0;
	return macro;
}
#endif

static void *zero_up(const struct row *row)
{
	const int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return row_skip("/dev/zero: %s", strerror(errno));
	return hold(macro_make(row, fd));
}

static void *cache_up(const struct row *row)
{
	const int fd = file_make(row->size * row->depth, 0);

	return fd < 0 ? NULL : hold(macro_make(row, fd));
}

/* With memory for the twin that registers nothing. */
static void *plain_up(const struct row *row, int fd)
{
	struct macro *macro = hold(macro_make(row, fd));

	if (!macro)
		return NULL;
	macro->plain = aligned_alloc(4096, row->size * row->depth);
	if (!macro->plain) {
		row_fail("no memory");
		macro_down(macro);
		return NULL;
	}
	memset(macro->plain, 1, row->size * row->depth);
	return macro;
}

static void *direct_up(const struct row *row)
{
	const int fd = file_make(row->size * row->depth, O_DIRECT);

	return fd < 0 ? NULL : plain_up(row, fd);
}

/* A block device that touches no data. */
static void *disk_up(const struct row *row)
{
	const int fd = open(NULL_DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		return row_skip("%s: %s (modprobe null_blk queue_mode=2 irqmode=0)",
				NULL_DISK, strerror(errno));
	return plain_up(row, fd);
}

#define MACRO(up, verb, bytes, many)                                           \
	.group = "macro", .setup = up, .teardown = macro_down,                 \
	.run_subject = verb##_subject, .run_twin = verb##_twin,                \
	.size = (bytes), .depth = (many), .per = (many),                       \
	.subject = "the library", .twin = "raw batched liburing"

/* The library's side queues each operation by a call of its own. */
#define EACH(up, verb, bytes, many)                                            \
	.group = "macro", .setup = up, .teardown = macro_down,                 \
	.run_subject = each_##verb##_subject, .run_twin = verb##_twin,         \
	.size = (bytes), .depth = (many), .per = (many),                       \
	.subject = "the library, a call for each operation",                   \
	.twin = "raw batched liburing"

const struct row macro_rows[] = {
#if HAVE_NOP
	{
		MACRO(nop_up, nop, 4096, 128),
		.name = "nop.b128",
		.about = "NOP, 128 in a batch",
		.goal = { { GOAL_RATIO, 1.00 }, { GOAL_IR_RATIO, 0.9 } },
		.instructions = true,
	},
#endif
	{
		MACRO(null_up, write, 4096, 128),
		.name = "write_null.qd128",
		.about = "WRITE_FIXED of 4 KiB to /dev/null, 128 in flight",
		.goal = { { GOAL_RATIO, 1.01 }, { GOAL_IR_RATIO, 0.9 } },
		.instructions = true,
	},
	{
		EACH(null_up, write, 4096, 128),
		.name = "write_null_each.qd128",
		.about = "the same, a call for each of them",
		.goal = { { GOAL_RATIO, 1.01 }, { GOAL_IR_RATIO, 0.9 } },
		.instructions = true,
	},
	{
		EACH(null_up, write, 4096, 1),
		.name = "write_null.qd1",
		.about = "WRITE_FIXED of 4 KiB to /dev/null, one at a time",
		.goal = { { GOAL_RATIO, 1.02 } },
		.instructions = true,
	},
	{
		MACRO(zero_up, read, 4096, 32),
		.name = "read_zero.qd32",
		.about = "READ_FIXED of 4 KiB from /dev/zero, 32 in flight",
		.goal = { { GOAL_RATIO, 1.02 }, { GOAL_IR_RATIO, 0.9 } },
		.instructions = true,
	},
	{
		EACH(zero_up, read, 4096, 32),
		.name = "read_zero_each.qd32",
		.about = "the same, a call for each of them",
		.goal = { { GOAL_RATIO, 1.02 }, { GOAL_IR_RATIO, 0.9 } },
		.instructions = true,
	},
	{
		EACH(zero_up, read, 4096, 1),
		.name = "read_zero.qd1",
		.about = "READ_FIXED of 4 KiB from /dev/zero, one at a time",
		.goal = { { GOAL_RATIO, 1.02 } },
		.instructions = true,
	},
	{
		MACRO(life_up, life, 4096, 32),
		.name = "life.qd32",
		.about = "get, address, WRITE_FIXED to /dev/null, completion, put",
		.goal = { { GOAL_NS_OVER, 1.5 }, { GOAL_IR_OVER, 32 } },
		.instructions = true,
	},
	{
		EACH(life_up, life, 4096, 32),
		.name = "life_each.qd32",
		.about = "the same, a call for each of them",
		.goal = { { GOAL_NS_OVER, 1.5 }, { GOAL_IR_OVER, 32 } },
		.instructions = true,
	},
	{
		MACRO(cache_up, read, 4096, 32),
		.name = "cache_4k.qd32",
		.about = "READ_FIXED of 4 KiB from the page cache, 32 in flight",
		.goal = { { GOAL_RATIO, 1.01 }, { GOAL_IR_RATIO, 0.9 } },
		.instructions = true,
	},
	{
		EACH(cache_up, read, 4096, 1),
		.name = "cache_4k.qd1",
		.about = "READ_FIXED of 4 KiB from the page cache, one at a time",
		.goal = { { GOAL_RATIO, 1.02 } },
	},
	{
		MACRO(cache_up, read, 16384, 32),
		.name = "cache_16k.qd32",
		.about = "READ_FIXED of 16 KiB from the page cache, 32 in flight",
	},
	{
		MACRO(cache_up, read, 65536, 32),
		.name = "cache_64k.qd32",
		.about = "READ_FIXED of 64 KiB from the page cache, 32 in flight",
	},
	{
		MACRO(cache_up, read, 262144, 8),
		.name = "cache_256k.qd8",
		.about = "READ_FIXED of 256 KiB from the page cache, 8 in flight",
		.full = true,
	},
	{
		MACRO(cache_up, read, 1048576, 8),
		.name = "cache_1m.qd8",
		.about = "READ_FIXED of 1 MiB from the page cache, 8 in flight",
	},
	{
		MACRO(direct_up, read, 4096, 32),
		.name = "direct_4k.qd32",
		.about = "READ_FIXED of 4 KiB with O_DIRECT, 32 in flight",
	},
	{
		MACRO(direct_up, read, 1048576, 32),
		.name = "direct_1m.qd32",
		.about = "READ_FIXED of 1 MiB with O_DIRECT, 32 in flight",
		.full = true,
	},
#ifdef SAFERRING_RING_LATENCY
	{
		MACRO(nop_up, nop, 4096, 128),
		.name = "nop_timed.b128",
		.about = "NOP, 128 in a batch, with a histogram of latencies",
		.flags = SAFERRING_RING_LATENCY,
		.goal = { { GOAL_RATIO, 1.01 } },
		.instructions = true,
	},
	{
		MACRO(null_up, write, 4096, 128),
		.name = "write_null_timed.qd128",
		.about = "WRITE_FIXED to /dev/null, with a histogram of latencies",
		.flags = SAFERRING_RING_LATENCY,
		.goal = { { GOAL_RATIO, 1.02 } },
		.instructions = true,
	},
	{
		MACRO(zero_up, read, 4096, 32),
		.name = "read_zero_timed.qd32",
		.about = "READ_FIXED from /dev/zero, with a histogram of latencies",
		.flags = SAFERRING_RING_LATENCY,
		.goal = { { GOAL_RATIO, 1.02 } },
		.instructions = true,
	},
#endif
	{
		.name = "direct_1m.plain",
		.group = "macro",
		.subject = "the library, READ_FIXED",
		.twin = "liburing, READ into memory of malloc's",
		.about = "1 MiB with O_DIRECT, 32 in flight: what fixed buffers save",
		.setup = direct_up,
		.teardown = macro_down,
		.run_subject = read_subject,
		.run_twin = plain_twin,
		.size = 1048576,
		.depth = 32,
		.per = 32,
		.goal = { { GOAL_RATIO, 1.0 / 3 } },
	},
	{ 0 },
};

struct row macro_life_row(void)
{
	const struct row *row = macro_rows;

	while (row->setup != life_up)
		row++;
	return *row;
}

struct row macro_disk_row(size_t size, unsigned int depth, int backend,
			  bool each)
{
	return (struct row){
		.name = "disk",
		.group = "whole",
		.setup = disk_up,
		.teardown = macro_down,
		.run_subject = each ? each_read_subject : read_subject,
		.run_twin = read_twin,
		.per = depth,
		.size = size,
		.depth = depth,
		.backend = backend,
	};
}

void macro_plain_twin(void *state, uint64_t calls)
{
	plain_twin(state, calls);
}
