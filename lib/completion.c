// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Completion: the way of an operation from the kernel back to the program, with
 * its buffer. What a read or write of one buffer needs is here, what other
 * operations need besides is in special.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "account.h"
#include "internal.h"
#include "probes.h"

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
static __attribute__((noinline)) uint32_t
note_incomplete(struct saferring_ring *ring,
		const struct sr_operation *operation, int32_t result)
{
	sr_account_incomplete(ring->words, operation->kind, result);
	if (result >= 0) {
		sr_account_bytes(ring->words, operation->kind,
				 (uint32_t)result);
		ring->stats.short_results++;
		return SAFERRING_COMPLETION_SHORT;
	}
	ring->stats.errors++;
	return 0;
}

/*
 * The buffer becomes the program's again, under a new generation; unless its
 * region is gone, when nobody may use it any more.
 */
static __always_inline void complete(struct saferring_ring *ring,
				     struct sr_ring_words *words,
				     struct sr_operation *operation,
				     int32_t result,
				     struct saferring_completion *completion)
{
	struct saferring_pool *pool = operation->pool;
	const uint64_t word =
		operation->word - SR_TO_KERNEL + pool->fast.step;
	const unsigned int kind = operation->kind;
	uint32_t flags = 0;

	sr_account_done(words, kind);
	if (SAFERRING_UNLIKELY(result != (int32_t)operation->length))
		flags = note_incomplete(ring, operation, result);
	else
		sr_account_bytes(words, kind, (uint32_t)result);
	sr_tag_store(saferring_buffer_tag(&pool->fast, word), word);
	if (SAFERRING_UNLIKELY(ring->any_gone) && sr_record_gone(operation))
		flags |= sr_note_gone(ring, operation, word);
	completion->buffer.word = word;
	completion->pool = pool;
	completion->user_data = operation->user_data;
	completion->result = result;
	completion->flags = flags;
	completion->length = operation->length;
	completion->operation = kind;
	completion->extra = 0;
	sr_record_release(ring, operation);
}

/* The same without a buffer, for results of 0. */
static inline void complete_bare(struct saferring_ring *ring,
				 struct sr_ring_words *words,
				 struct sr_operation *operation,
				 struct saferring_completion *completion)
{
	const unsigned int kind = operation->kind;

	sr_account_done(words, kind);
	*completion = (struct saferring_completion){
		.user_data = operation->user_data,
		.operation = kind,
	};
	sr_record_release(ring, operation);
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

/* Whatever else a CQE may be. Returns the end of the completions it made. */
static __attribute__((noinline)) struct saferring_completion *
take_other(struct saferring_ring *ring, const struct io_uring_cqe *cqe,
	   struct saferring_completion *to, struct saferring_completion *end)
{
	struct sr_operation *operation =
		sr_record_of_key(ring, cqe->user_data);

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
		if (ring->latency)
			sr_account_latencies(ring, position, position + 1);
		io_uring_cq_advance(&ring->uring, 1);
	}
	return (unsigned int)(to - completions);
}

static unsigned int take_ready(struct saferring_ring *ring,
			       struct saferring_completion *completions,
			       unsigned int max)
{
	const struct io_uring_cq *cq = &ring->uring.cq;
	const struct io_uring_cqe *cqes = cq->cqes;
	const unsigned int mask = *cq->kring_mask;
	const unsigned int tail = io_uring_smp_load_acquire(cq->ktail);
	const unsigned int first = *cq->khead;
	struct sr_ring_words *const words = ring->words;
	struct saferring_completion *to = completions;
	struct saferring_completion *const end = completions + max;
	unsigned int head;

	for (head = first; head != tail && to != end; head++) {
		const struct io_uring_cqe *cqe = &cqes[head & mask];
		struct sr_operation *operation =
			sr_record_of_key(ring, cqe->user_data);

		if (SAFERRING_UNLIKELY(!operation || operation->special)) {
			if (operation &&
			    operation->special == SR_SPECIAL_BARE && !cqe->res)
				complete_bare(ring, words, operation, to++);
			else
				to = take_other(ring, cqe, to, end);
			continue;
		}
		complete(ring, words, operation, cqe->res, to++);
	}
	if (SAFERRING_UNLIKELY(ring->latency != NULL) && head != first)
		sr_account_latencies(ring, first, head);
	io_uring_cq_advance(&ring->uring, head - first);
	return (unsigned int)(to - completions);
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

/* How long a thread of SQPOLL that is late is waited for at a time. */
#define NO_ROOM_NS 1000000ULL

/*
 * Submit, and wait for @min completions, pending ones counted. The kernel counts
 * those that are in the ring already, so with something to submit there is no
 * need to look at them before.
 */
static int submit_and_wait(struct saferring_ring *ring, unsigned int min,
			   uint64_t deadline)
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

/* No more than can come; of a multishot operation any number can. */
static unsigned int most_to_wait_for(const struct saferring_ring *ring,
				     unsigned int min)
{
	const unsigned int busy = sr_ring_busy(ring) - ring->parked;

	return ring->multishots ? min : SR_MIN(min, busy);
}

/*
 * What the kernel counts is not always what is handed out: nobody is told of
 * dropped operations. Then it is gone on waiting.
 */
int saferring_ring_wait(struct saferring_ring *ring,
			struct saferring_completion *completions,
			unsigned int max, unsigned int min, uint64_t timeout_ns)
{
	int error = check_reap(ring, completions, max, "ring_wait");
	unsigned int count = 0;
	uint64_t deadline;

	if (error)
		return error;
	if (ring->beside)
		return sr_fail_beside(ring, "ring_wait");
	min = most_to_wait_for(ring, SR_MIN(min, max));
	deadline = deadline_of(timeout_ns);
	do {
		error = submit_and_wait(ring, min - count, deadline);
		count += take(ring, completions + count, max - count);
		if (SAFERRING_LIKELY(count >= min || error))
			break;
		min = most_to_wait_for(ring, min - count) + count;
	} while (count < min && left_until(deadline));
	if (count || !error)
		return (int)count;
	return sr_fail_enter(ring, error, "ring_wait");
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
