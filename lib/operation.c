// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Operation: a read or write from the moment it is queued to its completion, and
 * the buffer that changes hands with it.
 *
 * Queueing turns the buffer's tag from USER to KERNEL, which no handle equals. A
 * completion turns it to USER of the next generation, which is the fresh handle.
 * In between the buffer belongs to the record; a record is freed by the CQE that
 * carries its key, or when its SQE was taken back before the kernel read it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

/* ---- regions that go while operations are under way ---- */

static void look_at_regions(struct saferring_ring *ring)
{
	size_t number, region;

	for (number = 0; number < ring->attachment_count; number++) {
		struct saferring_pool *pool = ring->attachment[number].pool;

		for (region = 0; region < pool->region_count; region++) {
			if (sr_region_live(pool->region[region]))
				continue;
			sr_pool_region_gone(pool, region, false);
			ring->any_gone = true;
		}
	}
}

/* One load a device tells that no region has gone since the last time. */
static void watch_regions(struct saferring_ring *ring)
{
	bool changed = false;
	size_t number;
	uint64_t now;

	for (number = 0; number < ring->watch_count; number++) {
		now = __atomic_load_n(ring->watch[number].revocations,
				      __ATOMIC_ACQUIRE);
		changed |= now != ring->watch[number].seen;
		ring->watch[number].seen = now;
	}
	if (__builtin_expect(changed, 0))
		look_at_regions(ring);
}

static size_t region_of(const struct saferring_pool *pool, uint64_t word)
{
	return pool->region_count == 1 ?
		       0 : sr_word_index(pool, word) >> pool->region_bits;
}

static bool is_gone(const struct sr_operation *operation)
{
	const struct saferring_pool *pool = operation->pool;

	return pool->region_gone[region_of(pool, operation->word)];
}

static struct sr_operation *find(struct saferring_ring *ring, uint64_t key)
{
	const uint64_t index = key & SR_OPERATION_CANCEL;
	struct sr_operation *operation;

	if (index >= ring->depth)
		return NULL;
	operation = &ring->operation[index];
	return operation->key == key && operation->word ? operation : NULL;
}

/* What is queued on a region that is gone becomes a NOP that reports it. */
static void stop_queued_on_gone(struct saferring_ring *ring)
{
	struct sr_operation *operation;
	struct io_uring_sqe *sqe;
	unsigned int number;

	for (number = 0; number < ring->queued; number++) {
		sqe = sr_uring_queued(ring, number);
		operation = find(ring, sqe->user_data);
		if (!operation || !is_gone(operation))
			continue;
		io_uring_prep_nop(sqe);
		sqe->user_data = operation->key;
		operation->override = -ESTALE;
	}
}

/* ---- queueing ---- */

static int refuse(struct saferring_ring *ring, int code, int reason,
		  const char *operation, const char *cure, uint64_t needed,
		  uint64_t limit, const char *what)
{
	const struct sr_fault fault = {
		.code = code,
		.reason = reason,
		.operation = operation,
		.kind = "ring",
		.name = ring->name,
		.cure = cure,
		.needed = needed,
		.limit = limit,
	};

	ring->stats.refused++;
	return sr_fail(&fault, "%s", what);
}

static int refuse_range(struct saferring_ring *ring, const char *operation,
			const struct saferring_pool *pool, size_t start,
			size_t length)
{
	char what[128];

	if (!length || length > INT32_MAX) {
		snprintf(what, sizeof(what),
			 "%zu bytes, allowed are 1 to %d", length, INT32_MAX);
		return refuse(ring, -EINVAL, SAFERRING_REASON_ARGUMENT,
			      operation, NULL, length, INT32_MAX, what);
	}
	snprintf(what, sizeof(what),
		 "bytes %zu to %zu of a buffer of %zu bytes", start,
		 start + length, pool->buffer_size);
	return refuse(ring, -ERANGE, SAFERRING_REASON_BOUNDS, operation, NULL,
		      start + length, pool->buffer_size, what);
}

static int refuse_full(struct saferring_ring *ring, const char *operation)
{
	char what[64];

	snprintf(what, sizeof(what), "%u operations are queued or in flight",
		 ring->depth);
	return refuse(ring, -EBUSY, SAFERRING_REASON_DEPTH, operation,
		      "reap completions, or create the ring with more depth",
		      ring->depth + 1UL, ring->depth, what);
}

/* The index of the fixed buffer that an address in a region lies in. */
static uint16_t fixed_index(const struct sr_attachment *attachment,
			    uint64_t word, const unsigned char *address)
{
	const struct saferring_pool *pool = attachment->pool;
	const size_t region = region_of(pool, word);
	const size_t within = (size_t)(address - pool->region[region]->address);

	return (uint16_t)(attachment->first[region] + within / SR_FIXED_MAX);
}

static void prepare(struct saferring_ring *ring, struct sr_operation *operation,
		    const struct sr_attachment *attachment, int fd,
		    size_t start, uint64_t offset)
{
	unsigned char *buffer = sr_buffer_address(operation->pool,
						  operation->word);
	/* The queue has at least as many entries as there are records. */
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
	const bool read = operation->kind == SAFERRING_OPERATION_READ;
	int opcode = read ? IORING_OP_READ : IORING_OP_WRITE;

	if (ring->fixed)
		opcode = read ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
	io_uring_prep_rw(opcode, sqe, fd, buffer + start, operation->length,
			 offset);
	if (ring->fixed)
		sqe->buf_index = fixed_index(attachment, operation->word,
					     buffer);
	sqe->user_data = operation->key;
	ring->queued++;
	ring->stats.queued++;
}

/* A free record, whose key no CQE under way carries. */
static struct sr_operation *take_record(struct saferring_ring *ring)
{
	const uint32_t index = ring->free[--ring->free_count];
	struct sr_operation *operation = &ring->operation[index];
	const uint64_t generation =
		((operation->key >> SR_OPERATION_BITS) + 1) &
		SR_OPERATION_GENERATION_MASK;

	operation->key = SR_USER_DATA_MARK << SR_USER_DATA_SHIFT |
			 generation << SR_OPERATION_BITS | index;
	operation->override = 0;
	return operation;
}

static void free_record(struct saferring_ring *ring,
			struct sr_operation *operation)
{
	operation->word = 0;
	ring->free[ring->free_count++] =
		(uint32_t)(operation - ring->operation);
}

static inline int queue(struct saferring_ring *ring, int fd,
			saferring_buffer buffer, size_t start, size_t length,
			uint64_t offset, uint64_t user_data,
			enum saferring_operation kind, const char *name)
{
	const struct sr_attachment *attachment;
	struct sr_operation *operation;
	struct saferring_pool *pool;
	uint64_t *tag;

	if (!ring)
		return sr_fail_argument(name, "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked(name, "ring", ring->name);
	attachment = ring->by_pool[buffer.word >> SR_ID_SHIFT];
	if (__builtin_expect(!attachment, 0))
		return sr_misuse(NULL, buffer.word, name, ring);
	pool = attachment->pool;
	tag = saferring_buffer_tag(&pool->fast, buffer.word);
	if (__builtin_expect(sr_tag_load(tag) != buffer.word, 0))
		return sr_misuse(pool, buffer.word, name, ring);
	if (__builtin_expect(length - 1 >= INT32_MAX ||
			     start > pool->buffer_size ||
			     length > pool->buffer_size - start, 0))
		return refuse_range(ring, name, pool, start, length);
	if (__builtin_expect(!ring->free_count, 0))
		return refuse_full(ring, name);
	operation = take_record(ring);
	operation->word = buffer.word + SR_TO_KERNEL;
	operation->user_data = user_data;
	operation->pool = pool;
	operation->length = (uint32_t)length;
	operation->kind = (uint16_t)kind;
	sr_tag_store(tag, operation->word);
	prepare(ring, operation, attachment, fd, start, offset);
	return 0;
}

int saferring_ring_read(struct saferring_ring *ring, int fd,
			saferring_buffer buffer, size_t start, size_t length,
			uint64_t offset, uint64_t user_data)
{
	return queue(ring, fd, buffer, start, length, offset, user_data,
		     SAFERRING_OPERATION_READ, "ring_read");
}

int saferring_ring_write(struct saferring_ring *ring, int fd,
			 saferring_buffer buffer, size_t start, size_t length,
			 uint64_t offset, uint64_t user_data)
{
	return queue(ring, fd, buffer, start, length, offset, user_data,
		     SAFERRING_OPERATION_WRITE, "ring_write");
}

/* ---- starting ---- */

static int fail_enter(const struct saferring_ring *ring, const char *operation,
		      int error)
{
	const struct sr_fault fault = {
		.code = error,
		.reason = error == -EOPNOTSUPP ? SAFERRING_REASON_UNSUPPORTED :
						 SAFERRING_REASON_SYSTEM,
		.operation = operation,
		.kind = "ring",
		.name = ring->name,
	};

	return sr_fail(&fault, "io_uring_enter: %s", strerror(-error));
}

/* Start what is queued and wait for @min completions. 0 or -errno. */
static int enter(struct saferring_ring *ring, unsigned int min,
		 uint64_t timeout_ns)
{
	watch_regions(ring);
	if (__builtin_expect(ring->any_gone, 0))
		stop_queued_on_gone(ring);
	return sr_uring_enter(ring, min, timeout_ns);
}

int saferring_ring_submit(struct saferring_ring *ring)
{
	unsigned int before;
	int error;

	if (!ring)
		return sr_fail_argument("ring_submit", "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_submit", "ring", ring->name);
	before = ring->queued;
	error = enter(ring, 0, SAFERRING_FOREVER);
	if (error)
		return fail_enter(ring, "ring_submit", error);
	return (int)(before - ring->queued);
}

/* ---- completing ---- */

static void report_gone(struct saferring_ring *ring,
			const struct sr_operation *operation, int result)
{
	struct saferring_error *error = sr_error_begin(
		0, SAFERRING_REASON_GONE_COMPLETION, "ring_reap");
	struct saferring_pool *pool = operation->pool;

	ring->stats.region_gone++;
	snprintf(error->object, sizeof(error->object), "ring %s", ring->name);
	snprintf(error->what, sizeof(error->what),
		 "a %s of %u bytes ended with %d in region %s, which was freed "
		 "meanwhile",
		 operation->kind == SAFERRING_OPERATION_READ ? "READ" : "WRITE",
		 operation->length, result,
		 pool->region[region_of(pool, operation->word)]->name);
	error->handle = operation->word - SR_TO_KERNEL;
	error->index = (uint32_t)sr_word_index(pool, operation->word);
	error->owner = SAFERRING_OWNER_NOBODY;
	sr_report(error);
}

static void report_foreign(struct saferring_ring *ring, uint64_t key)
{
	struct saferring_error *error = sr_error_begin(
		0, SAFERRING_REASON_FOREIGN_COMPLETION, "ring_reap");

	ring->stats.foreign++;
	snprintf(error->object, sizeof(error->object), "ring %s", ring->name);
	snprintf(error->what, sizeof(error->what),
		 "user_data %#llx is no operation of this ring",
		 (unsigned long long)key);
	sr_report(error);
}

/* The buffer is the program's again: its fresh handle. */
static uint64_t hand_back(struct sr_operation *operation)
{
	struct saferring_pool *pool = operation->pool;
	const uint64_t word = operation->word - SR_TO_KERNEL + pool->fast.step;
	uint64_t *tag = sr_operation_tag(operation);

	if (__builtin_expect(word >= pool->fast.limit, 0)) {
		sr_pool_retire(tag);
		return 0;
	}
	sr_tag_store(tag, word);
	return word;
}

/* The region went: there is nothing to hand back, and no handle is good. */
static uint64_t hand_back_nothing(struct sr_operation *operation)
{
	uint64_t *tag = sr_operation_tag(operation);
	const uint64_t word = operation->word - SR_TO_KERNEL +
			      operation->pool->fast.step;

	sr_tag_store(tag, (word & ~SR_STATE_MASK) | SR_STATE_GONE);
	return word;
}

static void count(struct saferring_ring *ring,
		  const struct sr_operation *operation, int result,
		  uint32_t *flags)
{
	const bool read = operation->kind == SAFERRING_OPERATION_READ;

	ring->stats.completed++;
	if (read)
		ring->stats.reads++;
	else
		ring->stats.writes++;
	if (result < 0) {
		if (!(*flags & SAFERRING_COMPLETION_WITHDRAWN))
			ring->stats.errors++;
		return;
	}
	if (read)
		ring->stats.bytes_read += (uint64_t)result;
	else
		ring->stats.bytes_written += (uint64_t)result;
	if ((uint32_t)result < operation->length) {
		ring->stats.short_results++;
		*flags |= SAFERRING_COMPLETION_SHORT;
	}
}

static void complete(struct saferring_ring *ring,
		     struct sr_operation *operation, int result, uint32_t flags,
		     struct saferring_completion *completion)
{
	if (operation->override)
		result = operation->override;
	count(ring, operation, result, &flags);
	if (__builtin_expect(ring->any_gone, 0) && is_gone(operation)) {
		report_gone(ring, operation, result);
		flags |= SAFERRING_COMPLETION_REGION_GONE;
		completion->buffer.word = hand_back_nothing(operation);
	} else {
		completion->buffer.word = hand_back(operation);
	}
	completion->pool = operation->pool;
	completion->user_data = operation->user_data;
	completion->result = result;
	completion->flags = flags;
	completion->length = operation->length;
	completion->operation = operation->kind;
	free_record(ring, operation);
}

/* Withdrawn operations, in the order in which they were queued. */
static unsigned int reap_pending(struct saferring_ring *ring,
				 struct saferring_completion *completions,
				 unsigned int max)
{
	unsigned int done = 0;
	uint32_t index;

	while (done < max && ring->pending_count) {
		index = ring->pending[ring->pending_first];
		ring->pending_first = (ring->pending_first + 1) % ring->depth;
		ring->pending_count--;
		complete(ring, &ring->operation[index], -ECANCELED,
			 SAFERRING_COMPLETION_WITHDRAWN, &completions[done++]);
	}
	return done;
}

static bool is_own_request(uint64_t key)
{
	return key >> SR_USER_DATA_SHIFT == SR_USER_DATA_MARK &&
	       (key & SR_OPERATION_CANCEL) == SR_OPERATION_CANCEL;
}

static unsigned int reap_kernel(struct saferring_ring *ring,
				struct saferring_completion *completions,
				unsigned int max)
{
	struct sr_operation *operation;
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0, done = 0;

	io_uring_for_each_cqe(&ring->uring, head, cqe) {
		if (done == max)
			break;
		seen++;
		operation = find(ring, cqe->user_data);
		if (__builtin_expect(operation != NULL, 1))
			complete(ring, operation, cqe->res, 0,
				 &completions[done++]);
		else if (!is_own_request(cqe->user_data))
			report_foreign(ring, cqe->user_data);
	}
	io_uring_cq_advance(&ring->uring, seen);
	return done;
}

static unsigned int reap(struct saferring_ring *ring,
			 struct saferring_completion *completions,
			 unsigned int max)
{
	unsigned int done = 0;

	watch_regions(ring);
	if (__builtin_expect(ring->pending_count != 0, 0))
		done = reap_pending(ring, completions, max);
	if (done < max && sr_uring_ready(ring))
		done += reap_kernel(ring, completions + done, max - done);
	return done;
}

static int check_reap(const struct saferring_ring *ring,
		      const struct saferring_completion *completions,
		      unsigned int max, const char *operation)
{
	if (!ring || !completions || !max)
		return sr_fail_argument(operation,
					"no ring, or no room for completions");
	if (sr_forked(ring->epoch))
		return sr_fail_forked(operation, "ring", ring->name);
	return 0;
}

int saferring_ring_reap(struct saferring_ring *ring,
			struct saferring_completion *completions,
			unsigned int max)
{
	int error = check_reap(ring, completions, max, "ring_reap");

	return error ? error : (int)reap(ring, completions, max);
}

/* How many completions the kernel has to bring for @min to be there in all. */
static unsigned int still_needed(const struct saferring_ring *ring,
				 unsigned int max, unsigned int min)
{
	const unsigned int busy = sr_ring_busy(ring);

	min = SR_MIN(min, max);
	min = SR_MIN(min, busy);
	return min > ring->pending_count ? min - ring->pending_count : 0;
}

int saferring_ring_wait(struct saferring_ring *ring,
			struct saferring_completion *completions,
			unsigned int max, unsigned int min, uint64_t timeout_ns)
{
	int error = check_reap(ring, completions, max, "ring_wait");
	unsigned int needed, done;

	if (error)
		return error;
	needed = still_needed(ring, max, min);
	if (!ring->queued && needed <= sr_uring_ready(ring))
		needed = 0;
	error = enter(ring, needed, timeout_ns);
	done = reap(ring, completions, max);
	if (done || !error || error == -ETIME)
		return (int)done;
	return fail_enter(ring, "ring_wait", error);
}

/* ---- taking back ---- */

int sr_ring_withdraw_all(struct saferring_ring *ring)
{
	unsigned int count = ring->queued, left = ring->queued, at;
	struct sr_operation *operation;

	/* The newest comes first, and goes to the end of what is pending. */
	while (left) {
		operation = find(ring, sr_uring_withdraw(ring));
		at = (ring->pending_first + ring->pending_count + --left) %
		     ring->depth;
		ring->pending[at] = (uint32_t)(operation - ring->operation);
	}
	ring->pending_count += count;
	ring->stats.withdrawn += count;
	return (int)count;
}

int saferring_ring_withdraw(struct saferring_ring *ring)
{
	if (!ring)
		return sr_fail_argument("ring_withdraw", "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_withdraw", "ring", ring->name);
	return sr_ring_withdraw_all(ring);
}

void sr_ring_return_completed(struct saferring_ring *ring)
{
	struct saferring_completion completion;

	while (reap(ring, &completion, 1))
		if (saferring_buffer_valid(completion.pool, completion.buffer))
			sr_pool_take_back(completion.pool,
					  saferring_buffer_tag(
						  &completion.pool->fast,
						  completion.buffer.word));
}
