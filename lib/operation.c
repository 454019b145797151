// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Operation: the way of a read or write through a ring. It is queued with the
 * buffer going to the kernel, and it completes with the buffer coming back.
 *
 * A record is in use from queueing to reaping. As there are no more records
 * than entries in the submission queue, that queue is never full.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "internal.h"

static const char *name_of(int kind)
{
	return kind == SAFERRING_OPERATION_READ ? "ring_read" : "ring_write";
}

/* ---- refusals ---- */

static int fail_handle(struct saferring_ring *ring, struct saferring_pool *pool,
		       uint64_t word, int kind)
{
	/* In a child no tag matches, so this is where it is found out. */
	if (sr_forked(ring->epoch))
		return sr_fail_forked(name_of(kind), "ring", ring->name);
	return sr_misuse(pool, word, name_of(kind), ring);
}

static int fail_range(struct saferring_ring *ring,
		      const struct saferring_pool *pool, size_t start,
		      size_t length, int kind)
{
	struct sr_fault fault = {
		.code = length ? -ERANGE : -EINVAL,
		.reason = length ? SAFERRING_REASON_BOUNDS :
				   SAFERRING_REASON_ARGUMENT,
		.operation = name_of(kind),
		.kind = "pool",
		.name = pool->name,
		.needed = length > SIZE_MAX - start ? SIZE_MAX :
						      start + length,
		.limit = pool->buffer_size,
	};

	ring->stats.refused++;
	if (!length)
		return sr_fail(&fault, "length 0");
	return sr_fail(&fault,
		       "bytes %zu and %zu more do not lie in a buffer of %zu",
		       start, length, pool->buffer_size);
}

static int fail_depth(struct saferring_ring *ring, int kind)
{
	ring->stats.refused++;
	return sr_fail(&(struct sr_fault){
			       .code = -EBUSY,
			       .reason = SAFERRING_REASON_DEPTH,
			       .operation = name_of(kind),
			       .kind = "ring",
			       .name = ring->name,
			       .needed = ring->depth + 1,
			       .limit = ring->depth,
			       .cure = "reap completions, or create the ring deeper",
		       },
		       "all %u operations are taken: %u queued, %u in flight, %u to be reaped",
		       ring->depth, ring->queued, sr_ring_in_flight(ring),
		       ring->pending_count);
}

/* The buffer's last generation cannot be followed by a completion's. */
static int fail_last(struct saferring_ring *ring,
		     const struct saferring_pool *pool, uint64_t word, int kind)
{
	struct saferring_error *error = sr_error_begin(
		-ESTALE, SAFERRING_REASON_RETIRED, name_of(kind));

	ring->stats.refused++;
	error->handle = word;
	error->index = (uint32_t)sr_word_index(pool, word);
	error->owner = SAFERRING_OWNER_USER;
	snprintf(error->object, sizeof(error->object), "pool %s", pool->name);
	snprintf(error->what, sizeof(error->what),
		 "the buffer has used up its generations");
	snprintf(error->cure, sizeof(error->cure), "put it and get another");
	return error->code;
}

/* ---- queueing ---- */

/*
 * Index of the fixed buffer that holds a buffer, for pools of several. Out of
 * line, because its registers would be saved for the others as well.
 */
static __attribute__((noinline)) uint32_t
fixed_index(const struct sr_attachment *attachment, uint64_t word)
{
	const struct saferring_pool *pool = attachment->pool;
	const size_t index = sr_word_index(pool, word);
	size_t region = 0, inside = index;

	if (pool->region_count > 1) {
		region = index >> pool->region_bits;
		inside = index - (region << pool->region_bits);
	}
	return attachment->first[region] +
	       (uint32_t)((inside << pool->buffer_shift) / SR_FIXED_MAX);
}

static struct sr_operation *take_record(struct saferring_ring *ring)
{
	return &ring->operation[ring->free[--ring->free_count]];
}

/* The next use of the record has another key. */
static void release_record(struct saferring_ring *ring,
			   struct sr_operation *operation)
{
	__atomic_store_n(&operation->word, 0, __ATOMIC_RELAXED);
	operation->key += SR_KEY_STEP;
	ring->free[ring->free_count++] =
		(uint32_t)(operation - ring->operation);
}

static void fill_entry(struct io_uring_sqe *sqe, unsigned int opcode, int fd,
		       const void *address, size_t length, uint64_t offset)
{
	*sqe = (struct io_uring_sqe){
		.opcode = (uint8_t)opcode,
		.fd = fd,
		.off = offset,
		.addr = (uintptr_t)address,
		.len = (uint32_t)length,
	};
}

static inline bool in_buffer(const struct saferring_pool *pool, size_t start,
			     size_t length)
{
	return length && start <= pool->buffer_size &&
	       length <= pool->buffer_size - start;
}

/* From here on the buffer is the kernel's. */
static inline void give_away(struct sr_operation *operation,
			     struct saferring_pool *pool, uint64_t *tag,
			     int kind, size_t length, uint64_t user_data)
{
	const uint64_t word = sr_tag_load(tag) + SR_TO_KERNEL;

	sr_tag_store(tag, word);
	__atomic_store_n(&operation->kind, kind, __ATOMIC_RELAXED);
	__atomic_store_n(&operation->word, word, __ATOMIC_RELAXED);
	operation->user_data = user_data;
	operation->pool = pool;
	__atomic_store_n(&operation->length, (uint32_t)length,
			 __ATOMIC_RELAXED);
	operation->override = 0;
}

/* What a pool with a depth checks. */
static __attribute__((noinline, cold)) int
leave(struct saferring_pool *pool, const struct saferring_ring *ring, int kind,
	int fd, uint64_t word, size_t start, size_t length, uint64_t offset)
{
	const bool reads = kind == SAFERRING_OPERATION_WRITE;
	const struct sr_leaving leaving = {
		.handle = word,
		.kind = reads ? "in flight as WRITE" : "in flight as READ",
		.operation = name_of(kind),
		.reads = reads,
		.pinned = ring->fixed,
		.fd = fd,
		.start = start,
		.length = length,
		.offset = offset,
	};

	return sr_buffer_leave(pool, &leaving);
}

/* Inline, so that each of the two callers has its own with @kind known. */
static __always_inline int queue(struct saferring_ring *ring, int kind, int fd,
				 uint64_t word, size_t start, size_t length,
				 uint64_t offset, uint64_t user_data)
{
	const struct sr_attachment *attachment;
	struct saferring_pool *pool;
	struct sr_operation *operation;
	struct io_uring_sqe *sqe;
	uint64_t *tag;

	if (SAFERRING_UNLIKELY(!ring))
		return sr_fail_argument(name_of(kind), "no ring");
	attachment = ring->by_pool[word >> SR_ID_SHIFT];
	if (SAFERRING_UNLIKELY(!attachment))
		return fail_handle(ring, NULL, word, kind);
	pool = attachment->pool;
	tag = saferring_buffer_tag(&pool->fast, word);
	if (SAFERRING_UNLIKELY(sr_tag_load(tag) != word))
		return fail_handle(ring, pool, word, kind);
	if (SAFERRING_UNLIKELY(!in_buffer(pool, start, length)))
		return fail_range(ring, pool, start, length, kind);
	if (SAFERRING_UNLIKELY(!ring->free_count))
		return fail_depth(ring, kind);
	if (SAFERRING_UNLIKELY(sr_is_last(pool, word)))
		return fail_last(ring, pool, word, kind);
	if (SAFERRING_UNLIKELY(pool->depth != NULL)) {
		const int error = leave(pool, ring, kind, fd, word, start,
					length, offset);

		if (error)
			return error;
	}

	sqe = sr_uring_next(ring);
	fill_entry(sqe, ring->opcode[kind], fd,
		   sr_buffer_address(pool, word) + start, length, offset);
	sqe->buf_index = (uint16_t)(attachment->one_piece ?
					    attachment->first[0] :
					    fixed_index(attachment, word));
	operation = take_record(ring);
	sqe->user_data = operation->key;
	give_away(operation, pool, tag, kind, length, user_data);
	ring->queued++;
	return 0;
}

int saferring_ring_read(struct saferring_ring *ring, int fd,
			saferring_buffer buffer, size_t start, size_t length,
			uint64_t offset, uint64_t user_data)
{
	return queue(ring, SAFERRING_OPERATION_READ, fd, buffer.word, start,
		     length, offset, user_data);
}

int saferring_ring_write(struct saferring_ring *ring, int fd,
			 saferring_buffer buffer, size_t start, size_t length,
			 uint64_t offset, uint64_t user_data)
{
	return queue(ring, SAFERRING_OPERATION_WRITE, fd, buffer.word, start,
		     length, offset, user_data);
}

/* ---- regions that go away ---- */

static void look_at_pool(struct saferring_ring *ring,
			 struct saferring_pool *pool)
{
	size_t number;

	for (number = 0; number < pool->region_count; number++) {
		if (sr_region_live(pool->region[number]))
			continue;
		sr_pool_region_gone(pool, number, false);
		ring->any_gone = true;
	}
}

/* One load a device: the word stands still as long as no region goes. */
static void look_at_regions(struct saferring_ring *ring)
{
	bool changed = false;
	size_t number;

	for (number = 0; number < ring->watch_count; number++) {
		struct sr_watch *watch = &ring->watch[number];
		const uint64_t now = __atomic_load_n(watch->revocations,
						     __ATOMIC_ACQUIRE);

		changed |= now != watch->seen;
		watch->seen = now;
	}
	if (SAFERRING_LIKELY(!changed))
		return;
	for (number = 0; number < ring->attachment_count; number++)
		look_at_pool(ring, ring->attachment[number].pool);
}

static bool region_gone(const struct sr_operation *operation)
{
	const struct saferring_pool *pool = operation->pool;
	size_t region = 0;

	if (pool->region_count > 1)
		region = sr_word_index(pool, sr_tag_handle(operation->word)) >>
			 pool->region_bits;
	return pool->region_gone[region];
}

/*
 * The record of an operation under way: a free one has a key that no entry has
 * had yet.
 */
static struct sr_operation *operation_of_key(struct saferring_ring *ring,
					     uint64_t key)
{
	const size_t number = key & SR_KEY_INDEX_MASK;
	struct sr_operation *operation = &ring->operation[number];

	if (SAFERRING_UNLIKELY(number >= ring->depth || operation->key != key))
		return NULL;
	return operation;
}

/* What is queued on a region that is gone is not to reach the kernel. */
static void disarm_gone(struct saferring_ring *ring)
{
	struct sr_operation *operation;
	struct io_uring_sqe *sqe;
	unsigned int number;

	for (number = 0; number < ring->queued; number++) {
		sqe = sr_uring_queued(ring, number);
		operation = operation_of_key(ring, sqe->user_data);
		if (!operation || !region_gone(operation))
			continue;
		io_uring_prep_nop(sqe);
		sqe->user_data = operation->key;
		operation->override = -ESTALE;
	}
}

static void prepare_to_submit(struct saferring_ring *ring)
{
	look_at_regions(ring);
	if (SAFERRING_UNLIKELY(ring->any_gone))
		disarm_gone(ring);
}

/* ---- submitting ---- */

static int fail_enter(const struct saferring_ring *ring, int error,
		      const char *operation)
{
	return sr_fail(&(struct sr_fault){
			       .code = error,
			       .reason = error == -EOPNOTSUPP ?
						 SAFERRING_REASON_UNSUPPORTED :
						 SAFERRING_REASON_SYSTEM,
			       .operation = operation,
			       .kind = "ring",
			       .name = ring->name,
			       .cure = "what is queued stays queued: submit again, or withdraw",
		       },
		       "io_uring_enter failed: %s", strerror(-error));
}

int saferring_ring_submit(struct saferring_ring *ring)
{
	int taken;

	if (!ring)
		return sr_fail_argument("ring_submit", "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_submit", "ring", ring->name);
	if (!ring->queued)
		return 0;
	prepare_to_submit(ring);
	taken = sr_uring_enter(ring, 0, 0);
	return taken < 0 ? fail_enter(ring, taken, "ring_submit") : taken;
}

/* ---- completing ---- */

static void report_gone(const struct saferring_ring *ring,
			const struct sr_operation *operation)
{
	struct saferring_error *error = sr_error_begin(
		0, SAFERRING_REASON_GONE_COMPLETION, "ring_reap");

	snprintf(error->object, sizeof(error->object), "ring %s", ring->name);
	snprintf(error->what, sizeof(error->what),
		 "a %s of %u bytes ended after the region of pool %s was freed",
		 operation->kind == SAFERRING_OPERATION_READ ? "READ" : "WRITE",
		 operation->length, operation->pool->name);
	error->handle = sr_tag_handle(operation->word);
	error->index = (uint32_t)sr_word_index(operation->pool, error->handle);
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
		 "a completion with user_data %#llx is of no operation",
		 (unsigned long long)key);
	sr_report(error);
}

/* An operation that did not do all that was asked for. Returns its flags. */
static uint32_t note_incomplete(struct saferring_ring *ring,
				const struct sr_operation *operation,
				int32_t result, uint32_t flags)
{
	ring->bytes[operation->kind] -= (uint64_t)(int64_t)result;
	if (result >= 0) {
		ring->bytes[operation->kind] += (uint32_t)result;
		ring->stats.short_results++;
		return flags | SAFERRING_COMPLETION_SHORT;
	}
	if (!(flags & SAFERRING_COMPLETION_WITHDRAWN))
		ring->stats.errors++;
	return flags;
}

static uint32_t note_gone(struct saferring_ring *ring,
			  const struct sr_operation *operation, uint64_t *tag)
{
	*tag = sr_handle_tag(*tag, SR_STATE_GONE);
	ring->stats.region_gone++;
	report_gone(ring, operation);
	return SAFERRING_COMPLETION_REGION_GONE;
}

/*
 * The buffer becomes the program's again, under a new generation; unless its
 * region is gone, when nobody may use it any more.
 */
static __always_inline void complete(struct saferring_ring *ring,
				     struct sr_operation *operation,
				     int32_t result, uint32_t flags,
				     struct saferring_completion *completion)
{
	struct saferring_pool *pool = operation->pool;
	const uint64_t word =
		operation->word - SR_TO_KERNEL + pool->fast.step;
	const unsigned int kind = operation->kind;
	uint64_t tag = word;

	if (SAFERRING_UNLIKELY(operation->override != 0))
		result = operation->override;
	ring->done[kind]++;
	ring->bytes[kind] += (uint64_t)(int64_t)result;
	if (SAFERRING_UNLIKELY(result != (int32_t)operation->length))
		flags = note_incomplete(ring, operation, result, flags);
	if (SAFERRING_UNLIKELY(ring->any_gone) && region_gone(operation))
		flags |= note_gone(ring, operation, &tag);
	sr_tag_store(saferring_buffer_tag(&pool->fast, word), tag);
	completion->buffer.word = word;
	completion->pool = pool;
	completion->user_data = operation->user_data;
	completion->result = result;
	completion->flags = flags;
	completion->length = operation->length;
	completion->operation = kind;
	if (SAFERRING_UNLIKELY(pool->depth != NULL) && tag == word)
		sr_buffer_return(pool, word);
	release_record(ring, operation);
}

static unsigned int take_pending(struct saferring_ring *ring,
				 struct saferring_completion *completions,
				 unsigned int max)
{
	unsigned int count = 0;

	while (ring->pending_count && count < max) {
		struct sr_operation *operation =
			&ring->operation[ring->pending[ring->pending_first]];

		ring->pending_first++;
		ring->pending_count--;
		complete(ring, operation, -ECANCELED,
			 SAFERRING_COMPLETION_WITHDRAWN, &completions[count++]);
	}
	return count;
}

/* Completions that are no operation's. */
static void odd_completion(struct saferring_ring *ring,
			   const struct io_uring_cqe *cqe)
{
	if (cqe->user_data == SR_KEY_CANCEL)
		ring->cancel_result = cqe->res;
	else
		report_foreign(ring, cqe->user_data);
}

static unsigned int take_ready(struct saferring_ring *ring,
			       struct saferring_completion *completions,
			       unsigned int max)
{
	const struct io_uring_cq *cq = &ring->uring.cq;
	const unsigned int mask = *cq->kring_mask;
	const unsigned int tail = io_uring_smp_load_acquire(cq->ktail);
	const unsigned int first = *cq->khead;
	unsigned int head, count = 0;

	for (head = first; head != tail && count < max; head++) {
		const struct io_uring_cqe *cqe = &cq->cqes[head & mask];
		struct sr_operation *operation =
			operation_of_key(ring, cqe->user_data);

		if (SAFERRING_UNLIKELY(!operation))
			odd_completion(ring, cqe);
		else
			complete(ring, operation, cqe->res, 0,
				 &completions[count++]);
	}
	io_uring_cq_advance(&ring->uring, head - first);
	return count;
}

/*
 * The regions are looked at after the completions are seen to be there, so that
 * a region freed before its I/O ended is never missed.
 */
static unsigned int take(struct saferring_ring *ring,
			 struct saferring_completion *completions,
			 unsigned int max)
{
	unsigned int count;

	if (sr_uring_ready(ring) || ring->pending_count)
		look_at_regions(ring);
	count = take_pending(ring, completions, max);
	return count + take_ready(ring, completions + count, max - count);
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
	const int error = check_reap(ring, completions, max, "ring_reap");

	return error ? error : (int)take(ring, completions, max);
}

/* ---- waiting ---- */

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t deadline_of(uint64_t timeout_ns)
{
	const uint64_t now =
		timeout_ns && timeout_ns != SAFERRING_FOREVER ? now_ns() : 0;

	if (timeout_ns >= UINT64_MAX - now)
		return SAFERRING_FOREVER;
	return now + timeout_ns;
}

static uint64_t left_until(uint64_t deadline)
{
	uint64_t now;

	if (!deadline || deadline == SAFERRING_FOREVER)
		return deadline;
	now = now_ns();
	return now < deadline ? deadline - now : 0;
}

/* Submit, and wait for @min completions, pending ones counted. */
static int submit_and_wait(struct saferring_ring *ring, unsigned int min,
			   uint64_t timeout_ns)
{
	const uint64_t deadline = deadline_of(timeout_ns);
	uint64_t left;
	unsigned int wanted;
	int error;

	for (;;) {
		left = left_until(deadline);
		wanted = 0;
		if (sr_uring_ready(ring) + ring->pending_count < min && left)
			wanted = min - ring->pending_count;
		if (!wanted && !ring->queued)
			return 0;
		if (ring->queued)
			prepare_to_submit(ring);
		error = sr_uring_enter(ring, wanted, left);
		if (error < 0 && error != -ETIME)
			return error;
		if (!wanted)
			return 0;
	}
}

int saferring_ring_wait(struct saferring_ring *ring,
			struct saferring_completion *completions,
			unsigned int max, unsigned int min, uint64_t timeout_ns)
{
	int error = check_reap(ring, completions, max, "ring_wait");
	unsigned int count;

	if (error)
		return error;
	min = SR_MIN(SR_MIN(min, max), sr_ring_busy(ring));
	error = submit_and_wait(ring, min, timeout_ns);
	count = take(ring, completions, max);
	if (count || !error)
		return (int)count;
	return fail_enter(ring, error, "ring_wait");
}

/* ---- taking back ---- */

int sr_ring_withdraw_all(struct saferring_ring *ring)
{
	const unsigned int queued = ring->queued;
	unsigned int number;

	/* What is pending moves to the front, so that the rest has room. */
	memmove(ring->pending, ring->pending + ring->pending_first,
		ring->pending_count * sizeof(*ring->pending));
	ring->pending_first = 0;
	for (number = 0; number < queued; number++)
		ring->pending[ring->pending_count++] =
			(uint32_t)(sr_uring_queued(ring, number)->user_data &
				   SR_KEY_INDEX_MASK);
	sr_uring_withdraw(ring);
	ring->queued = 0;
	ring->stats.withdrawn += queued;
	return (int)queued;
}

int saferring_ring_withdraw(struct saferring_ring *ring)
{
	if (!ring)
		return sr_fail_argument("ring_withdraw", "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_withdraw", "ring", ring->name);
	return sr_ring_withdraw_all(ring);
}

static void return_buffer(struct saferring_ring *ring,
			  struct sr_operation *operation)
{
	struct saferring_pool *pool = operation->pool;

	sr_pool_take_back(pool, sr_tag_handle(operation->word));
	release_record(ring, operation);
}

void sr_ring_return_completed(struct saferring_ring *ring)
{
	struct sr_operation *operation;
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;

	for (; ring->pending_count; ring->pending_count--)
		return_buffer(ring, &ring->operation
				     [ring->pending[ring->pending_first++]]);
	if (!sr_uring_ready(ring))
		return;
	look_at_regions(ring);
	io_uring_for_each_cqe(&ring->uring, head, cqe) {
		seen++;
		operation = operation_of_key(ring, cqe->user_data);
		if (operation)
			return_buffer(ring, operation);
		else
			odd_completion(ring, cqe);
	}
	io_uring_cq_advance(&ring->uring, seen);
}
