/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Adopt: for programs that have a struct io_uring of their own, and for event
 * loops that wait for more than a ring.
 *
 * A program can give its ring over, or keep it and have the library queue
 * operations on it beside its own. user_data below 2^63 is the program's: an
 * address of its memory, or any number; the library's SQEs have others.
 *
 * The descriptor of a ring, which saferring_ring_info() tells, is readable to
 * poll(2) and epoll(7) when there are completions.
 */
#ifndef SAFERRING_ADOPT_H
#define SAFERRING_ADOPT_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

struct io_uring;
struct io_uring_cqe;

/**
 * saferring_ring_adopt() - make a ring of a program's struct io_uring
 * @uring: set up by the program
 * @options: as for saferring_ring_create(), except that the members and flags
 *	about setting up are 0, and a depth of 0 stands for as much as fits
 * @ring: out: the ring, to be destroyed by saferring_ring_destroy()
 *
 * Without SAFERRING_RING_BESIDE the ring is given over: the program does not use
 * @uring again, the library closes it. What the program has in flight is handed
 * out as SAFERRING_OPERATION_FOREIGN.
 *
 * With it the program keeps @uring, which must stay where it is, submits and
 * looks for completions by itself. The functions that queue an operation take an
 * SQE of @uring for it, and nothing else there is changed. Each CQE goes to
 * saferring_ring_complete(). saferring_ring_submit(), _wait() and _withdraw()
 * are refused, saferring_ring_destroy() is while operations are under way, and
 * has to come before io_uring_queue_exit(). Only regions that go before an
 * operation is queued are noticed before it starts.
 *
 * Either way the regions of the pools are registered as fixed buffers, unless
 * @uring has buffers already; then operations do without.
 *
 * Return: as saferring_ring_create(), or
 * -EINVAL: the depth is larger than the submission queue, @uring has large
 * entries but small completions or the reverse, or there are options about
 * setting up;
 * -EBUSY: it is given over with SQEs that are queued.
 */
SAFERRING_API int
saferring_ring_adopt(struct io_uring *uring,
		     const struct saferring_ring_options *options,
		     struct saferring_ring **ring)
	SAFERRING_NONNULL(1, 2, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_complete() - tell the library of a CQE
 * @ring: a ring that was adopted with SAFERRING_RING_BESIDE
 * @cqe: the CQE, which the caller marks as seen afterwards
 * @completions: out: what it completes
 * @max: room at @completions, at least 1. An operation on several buffers may
 *	make more; saferring_ring_reap() takes what found no room
 *
 * Return: number of completions, also 0; or
 * -ENOENT: the CQE is the program's own; nothing is recorded for
 * saferring_error_last();
 * -EINVAL: @max is 0, or the ring was not adopted that way;
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int
saferring_ring_complete(struct saferring_ring *ring,
			const struct io_uring_cqe *cqe,
			struct saferring_completion *completions,
			unsigned int max)
	SAFERRING_NONNULL(1, 2, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_eventfd() - have an eventfd count completions
 * @ring: the ring
 * @fd: descriptor of the eventfd, or -1 to end it
 *
 * Return: 0, or
 * -EBUSY: the ring has one;
 * -ENXIO: it has none that could be ended;
 * -EBADF, -EINVAL: @fd is no eventfd;
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int saferring_ring_eventfd(struct saferring_ring *ring, int fd)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_ADOPT_H */
