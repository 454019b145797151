// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Adopt: rings that the program set up.
 *
 * Of a ring that the program keeps, the library has a copy to register things
 * with. Only the program's own has the right place in the queue.
 */
#include <errno.h>
#include <string.h>
#include "internal.h"

static int check_options(const struct saferring_ring_options *options,
			 unsigned int entries)
{
	const unsigned int setup =
		SAFERRING_RING_SQPOLL | SAFERRING_RING_IOPOLL |
		SAFERRING_RING_ONE_THREAD | SAFERRING_RING_COMMANDS |
		SAFERRING_RING_REQUIRE_MEMORY;

	if (options->flags & setup || options->preset || options->completions ||
	    options->poll_cpu || options->poll_ms || options->memory)
		return sr_fail_argument("ring_adopt",
					"options about setting up: the ring is set up already");
	if (options->depth > entries)
		return sr_fail_argument("ring_adopt",
					"depth %u, the queue has %u entries",
					options->depth, entries);
	return 0;
}

static int check_uring(const struct io_uring *uring,
		       const struct saferring_ring_options *options)
{
	const unsigned int large = IORING_SETUP_SQE128 | IORING_SETUP_CQE32;
	const unsigned int found = uring->flags & large;

	if (found && found != large)
		return sr_fail_argument("ring_adopt",
					"entries of 128 bytes or completions of 32 without the other");
	if (!(options->flags & SAFERRING_RING_BESIDE) &&
	    io_uring_sq_ready(uring))
		return sr_fail_ring(options->name, -EBUSY,
				    SAFERRING_REASON_BUSY, "ring_adopt",
				    "SQEs are queued", "submit them first");
	return 0;
}

void sr_adopt(struct saferring_ring *ring, struct io_uring *uring, bool beside)
{
	ring->uring = *uring;
	ring->beside = beside ? uring : NULL;
	ring->setup_flags = uring->flags;
	ring->flushes = uring->flags & IORING_SETUP_SQPOLL;
	ring->polled = uring->flags & IORING_SETUP_IOPOLL;
	ring->wide = uring->flags & IORING_SETUP_SQE128;
	ring->foreign = true;
	strcpy(ring->setup, beside ? "by the program, which keeps it" :
				     "by the program, which gave it over");
}

int saferring_ring_adopt(struct io_uring *uring,
			 const struct saferring_ring_options *options,
			 struct saferring_ring **ring)
{
	struct saferring_ring_options known;
	unsigned int entries;
	int error;

	if (!uring || !options || !ring)
		return sr_fail_argument("ring_adopt",
					"no struct io_uring, no options, or no place for a ring");
	error = sr_options_in("ring_adopt", &known, sizeof(known), options);
	if (error)
		return error;
	entries = SR_MIN(*uring->sq.kring_entries, SAFERRING_RING_DEPTH_MAX);
	error = check_options(&known, entries);
	if (!error)
		error = check_uring(uring, &known);
	if (error)
		return error;
	if (!known.depth)
		known.depth = entries;
	return sr_ring_create(&known, uring, ring);
}

/* ---- beside the program's own ---- */

int sr_fail_beside(const struct saferring_ring *ring, const char *function)
{
	return sr_fail_ring(ring->name, -EINVAL, SAFERRING_REASON_ARGUMENT,
			    function,
			    "the program keeps the ring, and does this itself",
			    "liburing, and saferring_ring_complete() for each CQE");
}

/* Nobody waits for it: see saferring_ring_drop(). */
int sr_cancel_beside(struct saferring_ring *ring, uint64_t key)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring->beside);

	if (!sqe)
		return sr_fail_ring(ring->name, -EAGAIN, SAFERRING_REASON_DEPTH,
				    "ring_drop", "the submission queue is full",
				    "submit it first");
	memset(sqe, 0, sizeof(*sqe) << ring->wide);
	io_uring_prep_cancel64(sqe, key, 0);
	sqe->user_data = SR_KEY_CANCEL;
	return 0;
}

int saferring_ring_complete(struct saferring_ring *ring,
			    const struct io_uring_cqe *cqe,
			    struct saferring_completion *completions,
			    unsigned int max)
{
	if (!ring || !cqe || !completions || !max)
		return sr_fail_argument("ring_complete",
					"no ring, no CQE, or no room for completions");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_complete", "ring", ring->name);
	if (!ring->beside)
		return sr_fail_ring(ring->name, -EINVAL,
				    SAFERRING_REASON_ARGUMENT, "ring_complete",
				    "the ring was not adopted with SAFERRING_RING_BESIDE",
				    "saferring_ring_reap()");
	if (!(cqe->user_data & SR_KEY_MARK))
		return -ENOENT;
	sr_look_at_regions(ring);
	return (int)sr_take_one(ring, cqe, completions, max);
}

/* ---- foreign event loops ---- */

int saferring_ring_eventfd(struct saferring_ring *ring, int fd)
{
	int error;

	if (!ring)
		return sr_fail_argument("ring_eventfd", "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_eventfd", "ring", ring->name);
	error = fd < 0 ? io_uring_unregister_eventfd(&ring->uring) :
			 io_uring_register_eventfd(&ring->uring, fd);
	if (!error)
		return 0;
	return sr_fail_ring(ring->name, error,
			    error == -EBUSY ? SAFERRING_REASON_BUSY :
					      SAFERRING_REASON_ARGUMENT,
			    "ring_eventfd", strerror(-error), NULL);
}
