// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Completion: the way of an operation from the kernel back to the program, with
 * its buffer. What a read or write of one buffer needs is here, what other
 * operations need besides is in special.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "account.h"
#include "internal.h"
#include "probes.h"

static void report_foreign(struct saferring_ring *ring, uint64_t key)
{
	struct saferring_error *error = sr_error_begin(
		0, SAFERRING_REASON_FOREIGN_COMPLETION, "ring_reap");

	saferring_word_add(&ring->stats->foreign, 1);
	snprintf(error->object, sizeof(error->object), "ring %s", ring->name);
	snprintf(error->what, sizeof(error->what),
		 "a completion with user_data %#llx is of no operation",
		 (unsigned long long)key);
	sr_report(error);
}

/* ---- pending ---- */

void sr_pend(struct saferring_ring *ring, struct sr_operation *operation,
	     int32_t result, uint32_t flags)
{
	const uint32_t number = sr_record_number(operation);
	struct sr_state *state = &ring->state[number];

	state->result = result;
	state->flags = flags;
	ring->pending[(ring->pending_first + ring->pending_count) &
		      ring->pending_mask] = number;
	ring->pending_count++;
}

static struct sr_operation *next_pending(struct saferring_ring *ring)
{
	const uint32_t number =
		ring->pending[ring->pending_first & ring->pending_mask];

	ring->pending_first++;
	ring->pending_count--;
	return &ring->operation[number];
}

static unsigned int take_pending(struct saferring_ring *ring,
				 struct saferring_completion *completions,
				 unsigned int max)
{
	unsigned int count = 0;

	while (ring->pending_count && count < max)
		count += sr_complete_pending(ring, next_pending(ring),
					     &completions[count]);
	return count;
}

/* ---- reaping ---- */

/* Completions that are no operation's. */
static void odd_completion(struct saferring_ring *ring,
			   const struct io_uring_cqe *cqe)
{
	if (cqe->user_data != SR_KEY_CANCEL) {
		report_foreign(ring, cqe->user_data);
	} else if (cqe->res == -EINVAL) {
		ring->one_by_one = true;
		ring->cancel_again = true;
	} else if (cqe->res == -ENOENT && ring->batches) {
		sr_batches_chase(ring);
	}
}

/* The program's own, or another ring's message. */
static void hand_over(const struct io_uring_cqe *cqe,
		      struct saferring_completion *completion)
{
	*completion = (struct saferring_completion){
		.user_data = cqe->user_data,
		.result = cqe->res,
		.operation = SAFERRING_OPERATION_FOREIGN,
		.extra = cqe->flags,
	};
}

/* Whatever a CQE may be. Returns the end of the completions it made. */
static __attribute__((noinline)) struct saferring_completion *
take_other(struct saferring_ring *ring, const struct io_uring_cqe *cqe,
	   struct saferring_completion *to, struct saferring_completion *end)
{
	struct sr_operation *operation =
		sr_record_of_key(ring, cqe->user_data);

	if (ring->stamp && operation && !(cqe->flags & IORING_CQE_F_MORE))
		sr_account_latency(ring, operation->lot, 1);
	if (!operation && ring->foreign && !(cqe->user_data & SR_KEY_MARK)) {
		hand_over(cqe, to);
		return to + 1;
	}
	if (!operation) {
		odd_completion(ring, cqe);
		return to;
	}
	to += sr_complete_special(ring, operation, cqe, to);
	if (SAFERRING_LIKELY(!ring->pending_count))
		return to;
	return to + take_pending(ring, to, (unsigned int)(end - to));
}

unsigned int sr_take_one(struct saferring_ring *ring,
			 const struct io_uring_cqe *cqe,
			 struct saferring_completion *completions,
			 unsigned int max)
{
	return (unsigned int)(take_other(ring, cqe, completions,
					 completions + max) -
			      completions);
}

/* Entries of twice the size: not the way of many operations. */
static __attribute__((noinline)) unsigned int
take_wide(struct saferring_ring *ring, struct saferring_completion *completions,
	  unsigned int max)
{
	const struct io_uring_cq *cq = &ring->uring.cq;
	struct saferring_completion *to = completions;
	struct saferring_completion *const end = completions + max;

	while (*cq->khead != io_uring_smp_load_acquire(cq->ktail) && to != end) {
		const unsigned int position = *cq->khead & *cq->kring_mask;

		to = take_other(ring, &cq->cqes[position << 1], to, end);
		io_uring_cq_advance(&ring->uring, 1);
	}
	return (unsigned int)(to - completions);
}

/* What struct saferring_completion has, in larger pieces. */
struct outcome {
	uint64_t fresh;
	struct pool_and_user_data {
		struct saferring_pool *pool;
		uint64_t user_data;
	} given;
	sr_pair result; /* with flags of 0, and operation and length */
	uint64_t extra;
} __attribute__((may_alias));

#define SAME_PLACE(one, other)                                                 \
	_Static_assert(offsetof(struct outcome, one) ==                        \
			       offsetof(struct saferring_completion, other),   \
		       "an outcome is a completion")

_Static_assert(sizeof(struct outcome) == sizeof(struct saferring_completion),
	       "an outcome is a completion");
SAME_PLACE(fresh, buffer);
SAME_PLACE(given.pool, pool);
SAME_PLACE(given.user_data, user_data);
SAME_PLACE(result, result);
SAME_PLACE(extra, extra);

static inline void fill_outcome(struct saferring_completion *completion,
				const struct sr_operation *operation,
				uint64_t fresh, uint32_t length,
				unsigned int kind)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	struct outcome *outcome = (struct outcome *)(void *)completion;

	outcome->fresh = fresh;
	memcpy(&outcome->given, &operation->pool, sizeof(outcome->given));
	outcome->result = (sr_pair){ length, length | (uint64_t)kind << 32 };
	outcome->extra = 0;
#else
	*completion = (struct saferring_completion){
		.buffer.word = fresh,
		.pool = operation->pool,
		.user_data = operation->user_data,
		.result = (int32_t)length,
		.length = length,
		.operation = kind,
	};
#endif
}

static inline void account_run(struct saferring_ring *ring, uint64_t shape,
			       unsigned int count)
{
	const unsigned int kind = sr_shape_kind(shape);

	ring->free_count += count;
	saferring_word_add(&ring->words->done[kind], count);
	saferring_word_add(&ring->words->bytes[kind],
			   (uint64_t)count * sr_shape_length(shape));
	if (SAFERRING_UNLIKELY(ring->stamp != NULL) && count)
		sr_account_latency(ring, sr_shape_lot(shape), count);
}

/*
 * Operations of one shape that did all that was asked for and have nothing
 * special about them, one after the other: each buffer becomes the program's
 * again, under a new generation. Returns how many there were.
 */
static __always_inline unsigned int
take_run(struct saferring_ring *ring, const struct io_uring_cqe *cqe,
	 struct saferring_completion *to, unsigned int count)
{
	struct sr_operation *const records = ring->operation;
	const uint64_t mask = ring->record_mask;
	const struct io_uring_cqe *const first = cqe, *const end = cqe + count;
	struct sr_operation **free = &ring->free[ring->free_count];
	const uint64_t shape = records[cqe->user_data & mask].shape;
	const uint32_t length = sr_shape_length(shape);
	struct sr_operation *operation;
	uint64_t key, fresh;

	if (SAFERRING_UNLIKELY(sr_shape_special(shape)))
		return 0;
	do {
		key = cqe->user_data;
		operation = &records[key & mask];
		if (operation->key != key || operation->shape != shape ||
		    (uint32_t)cqe->res != length)
			break;
		fresh = operation->fresh;
		sr_tag_store(operation->tag, fresh);
		fill_outcome(to, operation, fresh, length,
			     sr_shape_kind(shape));
		operation->key = (key + SR_KEY_STEP) | SR_KEY_MARK;
		*free++ = operation;
		to++;
	} while (++cqe != end);
	count = (unsigned int)(cqe - first);
	account_run(ring, shape, count);
	return count;
}

/* Those that are there up to the end of the queue, and of the room for them. */
static inline unsigned int in_a_row(unsigned int ready, unsigned int head,
				    unsigned int mask, unsigned int max)
{
	const unsigned int most = SR_MIN(ready, max);

	return SR_MIN(most, mask + 1 - (head & mask));
}

/* All that are there, one run after the other, and what is in between. */
static __attribute__((noinline)) unsigned int
take_all(struct saferring_ring *ring, struct saferring_completion *to,
	 unsigned int max)
{
	const struct io_uring_cq *cq = &ring->uring.cq;
	const unsigned int mask = *cq->kring_mask;
	const unsigned int tail = io_uring_smp_load_acquire(cq->ktail);
	unsigned int head = *cq->khead, left = max, count, most;

	while (head != tail && left) {
		const struct io_uring_cqe *cqe = &cq->cqes[head & mask];

		most = in_a_row(tail - head, head, mask, left);
		count = ring->any_gone ? 0 : take_run(ring, cqe, to, most);
		if (count < most) {
			cqe += count;
			head += count + 1;
			to += count;
			left -= count;
			count = sr_take_one(ring, cqe, to, left);
		} else {
			head += count;
		}
		to += count;
		left -= count;
	}
	io_uring_smp_store_release(cq->khead, head);
	return max - left;
}

/* Mostly they are one run; if so, nothing is left for the other way. */
static __always_inline unsigned int
take_ready(struct saferring_ring *ring, struct saferring_completion *to,
	   unsigned int max)
{
	const struct io_uring_cq *cq = &ring->uring.cq;
	const unsigned int head = *cq->khead, mask = *cq->kring_mask;
	const unsigned int ready = io_uring_smp_load_acquire(cq->ktail) - head;
	unsigned int count = in_a_row(ready, head, mask, max);

	if (SAFERRING_UNLIKELY(!count || ring->any_gone))
		return take_all(ring, to, max);
	count = take_run(ring, &cq->cqes[head & mask], to, count);
	io_uring_smp_store_release(cq->khead, head + count);
	if (SAFERRING_LIKELY(count == ready || count == max))
		return count;
	return count + take_all(ring, to + count, max - count);
}

/*
 * The regions are looked at after the completions are seen to be there, so that
 * a region freed before its I/O ended is never missed.
 */
static unsigned int take(struct saferring_ring *ring,
			 struct saferring_completion *completions,
			 unsigned int max)
{
	unsigned int count = 0;

	ring->reaped_at = 0;
	if (sr_uring_ready(ring) || ring->pending_count)
		sr_look_at_regions(ring);
	if (SAFERRING_UNLIKELY(ring->pending_count))
		count = take_pending(ring, completions, max);
	if (SAFERRING_UNLIKELY(ring->wide))
		count += take_wide(ring, completions + count, max - count);
	else
		count += take_ready(ring, completions + count, max - count);
	sr_account_taken(ring);
	SR_PROBE2(complete, ring->name, count);
	return count;
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

	if (error)
		return error;
	if (SAFERRING_UNLIKELY(ring->beside != NULL))
		return (int)take_pending(ring, completions, max);
	return (int)take(ring, completions, max);
}

/* ---- waiting ---- */

static uint64_t deadline_of(uint64_t timeout_ns)
{
	const uint64_t now =
		timeout_ns && timeout_ns != SAFERRING_FOREVER ? sr_now_ns() : 0;

	if (timeout_ns >= UINT64_MAX - now)
		return SAFERRING_FOREVER;
	return now + timeout_ns;
}

static uint64_t left_until(uint64_t deadline)
{
	uint64_t now;

	if (!deadline || deadline == SAFERRING_FOREVER)
		return deadline;
	now = sr_now_ns();
	return now < deadline ? deadline - now : 0;
}

/* How long a thread of SQPOLL that is late is waited for at a time. */
#define NO_ROOM_NS 1000000ULL

/*
 * Submit, and wait for @min completions, pending ones counted. The kernel counts
 * those that are in the ring already, so with something to submit there is no
 * need to look at them before.
 */
static __always_inline int submit_and_wait(struct saferring_ring *ring,
					   unsigned int min, uint64_t deadline)
{
	unsigned int ready = 0;
	uint64_t left;
	int error;

	if (!sr_ring_has_work(ring))
		ready = sr_uring_ready(ring);
	for (;;) {
		const unsigned int there = ready + ring->pending_count;
		unsigned int wanted = 0;

		left = left_until(deadline);
		if (there < min && left)
			wanted = min - ring->pending_count;
		if (!wanted && !sr_ring_has_work(ring))
			return 0;
		if (sr_ring_has_work(ring))
			sr_ring_prepare(ring);
		/* Requests that found no room are to find it soon. */
		if (SAFERRING_UNLIKELY(ring->doomed_count))
			left = SR_MIN(left, NO_ROOM_NS);
		error = sr_uring_enter(ring, wanted, left);
		if (error < 0 && error != -ETIME)
			return error;
		if (!wanted)
			return 0;
		ready = sr_uring_ready(ring);
	}
}

int sr_submit_and_wait(struct saferring_ring *ring, unsigned int min,
		       uint64_t deadline)
{
	return submit_and_wait(ring, min, deadline);
}

/* No more than can come; of a multishot operation any number can. */
static unsigned int most_to_wait_for(const struct saferring_ring *ring,
				     unsigned int min)
{
	const unsigned int busy = sr_ring_busy(ring) - ring->parked;

	return ring->multishots ? min : SR_MIN(min, busy);
}

/* What it mostly is: something to submit, and all the time in the world. */
static __always_inline int submit_all_and_wait(struct saferring_ring *ring,
					       unsigned int min)
{
	int error;

	sr_ring_prepare(ring);
	error = sr_uring_enter(ring, min, SAFERRING_FOREVER);
	return SR_MIN(error, 0);
}

static int result_of(const struct saferring_ring *ring, unsigned int count,
		     int error)
{
	if (SAFERRING_LIKELY(count || !error))
		return (int)count;
	return sr_fail_enter(ring, error, "ring_wait");
}

/*
 * What the kernel counts is not always what is handed out: nobody is told of
 * dropped operations. Then it is gone on waiting.
 */
static __always_inline int
wait_for(struct saferring_ring *ring, struct saferring_completion *completions,
	 unsigned int max, unsigned int min, uint64_t timeout_ns, bool adapts)
{
	unsigned int count = 0;
	uint64_t deadline;
	int error;

	min = most_to_wait_for(ring, SR_MIN(min, max));
	if (SAFERRING_LIKELY(!adapts && timeout_ns == SAFERRING_FOREVER &&
			     ring->queued && !ring->pending_count)) {
		error = submit_all_and_wait(ring, min);
		count = take(ring, completions, max);
		if (SAFERRING_LIKELY(count >= min) || error < 0)
			return result_of(ring, count, error);
		min = most_to_wait_for(ring, min - count) + count;
	}
	deadline = deadline_of(timeout_ns);
	do {
		error = adapts ? sr_adapt_wait(ring, max - count, min - count,
					       deadline) :
				 submit_and_wait(ring, min - count, deadline);
		count += take(ring, completions + count, max - count);
		if (SAFERRING_LIKELY(count >= min || error))
			break;
		min = most_to_wait_for(ring, min - count) + count;
	} while (count < min && left_until(deadline));
	return result_of(ring, count, error);
}

/* Apart, so that it takes no registers from the wait of other rings. */
static __attribute__((noinline)) int
wait_adapting(struct saferring_ring *ring,
	      struct saferring_completion *completions, unsigned int max,
	      unsigned int min, uint64_t timeout_ns)
{
	return wait_for(ring, completions, max, min, timeout_ns, true);
}

int saferring_ring_wait(struct saferring_ring *ring,
			struct saferring_completion *completions,
			unsigned int max, unsigned int min, uint64_t timeout_ns)
{
	const int error = check_reap(ring, completions, max, "ring_wait");

	if (error)
		return error;
	if (SAFERRING_UNLIKELY(ring->beside != NULL))
		return sr_fail_beside(ring, "ring_wait");
	if (SAFERRING_UNLIKELY(ring->adapt != NULL))
		return wait_adapting(ring, completions, max, min, timeout_ns);
	return wait_for(ring, completions, max, min, timeout_ns, false);
}

/* ---- the end of a ring ---- */

void sr_ring_return_completed(struct saferring_ring *ring)
{
	struct sr_operation *operation;
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;

	while (ring->pending_count)
		sr_return_record(ring, next_pending(ring));
	if (!sr_uring_ready(ring))
		return;
	sr_look_at_regions(ring);
	io_uring_for_each_cqe(&ring->uring, head, cqe) {
		seen++;
		operation = sr_record_of_key(ring, cqe->user_data);
		if (operation)
			sr_return_special(ring, operation, cqe);
		else
			odd_completion(ring, cqe);
	}
	io_uring_cq_advance(&ring->uring, seen);
}
