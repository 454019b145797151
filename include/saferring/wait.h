/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Wait: operations that end when something happens, or when time is up.
 *
 * Every function returns what saferring_ring_nop() returns, and what it says
 * itself. -EOPNOTSUPP says that the kernel does not have the operation, which
 * saferring_ring_supports() tells beforehand.
 */
#ifndef SAFERRING_WAIT_H
#define SAFERRING_WAIT_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

/**
 * saferring_ring_poll() - queue the wait for a file to be ready
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @events: EPOLL or POLL bits that are waited for
 * @user_data: comes back with the completion
 *
 * The result is the bits that are there.
 *
 * Return: as saferring_ring_nop(), or -EOPNOTSUPP.
 */
SAFERRING_API int saferring_ring_poll(struct saferring_ring *ring, int fd,
				      uint32_t events, uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_poll_multishot() - queue the wait for every time it is ready
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @events: EPOLL or POLL bits that are waited for
 * @user_data: comes back with every completion
 *
 * Each time is a completion with MORE. One without it ends the operation.
 *
 * Return: as saferring_ring_poll().
 */
SAFERRING_API int saferring_ring_poll_multishot(struct saferring_ring *ring,
						int fd, uint32_t events,
						uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/* Bits of flags of timeouts. */
#define SAFERRING_TIMEOUT_ABSOLUTE (1U << 0) /* of CLOCK_MONOTONIC */
#define SAFERRING_TIMEOUT_BOOT	   (1U << 1) /* CLOCK_BOOTTIME, Linux 5.15 */
#define SAFERRING_TIMEOUT_REAL	   (1U << 2) /* CLOCK_REALTIME, Linux 5.15 */

/**
 * saferring_ring_timeout() - queue a wait for a time, or for completions
 * @ring: the ring
 * @timeout_ns: nanoseconds from its start, or with ABSOLUTE of the clock
 * @count: it ends early when so many others have completed; 0 for never
 * @flags: SAFERRING_TIMEOUT bits
 * @user_data: comes back with the completion
 *
 * The result is -ETIME when time is up, and 0 if it ended early.
 *
 * Return: as saferring_ring_nop(), -EINVAL for unknown or contradicting flags, or
 * -EOPNOTSUPP.
 */
SAFERRING_API int saferring_ring_timeout(struct saferring_ring *ring,
					 uint64_t timeout_ns,
					 unsigned int count, unsigned int flags,
					 uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_link_timeout() - limit the time of what was queued last
 * @ring: the ring
 * @timeout_ns: nanoseconds from its start, or with ABSOLUTE of the clock
 * @flags: SAFERRING_TIMEOUT bits
 * @user_data: comes back with the completion of the timeout
 *
 * What was queued last is linked to it, and cancelled when time is up, which
 * gives -ECANCELED to it and -ETIME to the timeout. If it ends first, the
 * timeout has -ECANCELED.
 *
 * Return: as saferring_ring_timeout(), or -ENOENT if nothing is queued.
 */
SAFERRING_API int saferring_ring_link_timeout(struct saferring_ring *ring,
					      uint64_t timeout_ns,
					      unsigned int flags,
					      uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_WAIT_H */
