// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Wait: operations that end when something happens, or when time is up.
 */
#include <errno.h>
#include "internal.h"

/* The kernel takes the two halves in the order that POLL always had. */
static uint32_t poll_mask(uint32_t events)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return events << 16 | events >> 16;
#else
	return events;
#endif
}

static int poll_file(struct saferring_ring *ring, unsigned int kind, int fd,
		     uint32_t events, unsigned int flags, uint64_t user_data)
{
	struct sr_draft draft;
	int error = sr_draft(ring, kind, NULL, 0, &draft);

	if (error)
		return error;
	sr_draft_file(&draft, fd);
	draft.sqe->poll32_events = poll_mask(events);
	draft.sqe->len = flags;
	return sr_queue(&draft, user_data);
}

int saferring_ring_poll(struct saferring_ring *ring, int fd, uint32_t events,
			uint64_t user_data)
{
	return poll_file(ring, SAFERRING_OPERATION_POLL, fd, events, 0,
			 user_data);
}

int saferring_ring_poll_multishot(struct saferring_ring *ring, int fd,
				  uint32_t events, uint64_t user_data)
{
	return poll_file(ring, SAFERRING_OPERATION_POLL_MULTISHOT, fd, events,
			 IORING_POLL_ADD_MULTI, user_data);
}

/* ---- timeouts ---- */

static int check_flags(struct saferring_ring *ring, unsigned int kind,
		       unsigned int flags)
{
	const unsigned int clocks =
		SAFERRING_TIMEOUT_BOOT | SAFERRING_TIMEOUT_REAL;

	if (!(flags & ~(SAFERRING_TIMEOUT_ABSOLUTE | clocks)) &&
	    (flags & clocks) != clocks)
		return 0;
	return sr_refuse(ring, kind, "flags %#x: unknown, or two clocks",
			 flags);
}

static uint32_t kernel_flags(unsigned int flags)
{
	uint32_t bits = 0;

	if (flags & SAFERRING_TIMEOUT_ABSOLUTE)
		bits |= IORING_TIMEOUT_ABS;
	if (flags & SAFERRING_TIMEOUT_BOOT)
		bits |= IORING_TIMEOUT_BOOTTIME;
	if (flags & SAFERRING_TIMEOUT_REAL)
		bits |= IORING_TIMEOUT_REALTIME;
	return bits;
}

static int queue_timeout(struct saferring_ring *ring, unsigned int kind,
			 uint64_t timeout_ns, unsigned int count,
			 unsigned int flags, uint64_t user_data)
{
	struct sr_draft draft;
	int error = sr_draft(ring, kind, NULL, 0, &draft);

	if (error)
		return error;
	draft.payload->time.tv_sec = (long long)(timeout_ns / 1000000000);
	draft.payload->time.tv_nsec = (long long)(timeout_ns % 1000000000);
	draft.sqe->addr = (uintptr_t)&draft.payload->time;
	draft.sqe->len = 1;
	draft.sqe->off = count;
	draft.sqe->timeout_flags = kernel_flags(flags);
	return sr_queue(&draft, user_data);
}

int saferring_ring_timeout(struct saferring_ring *ring, uint64_t timeout_ns,
			   unsigned int count, unsigned int flags,
			   uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_TIMEOUT;
	const int error = check_flags(ring, kind, flags);

	return error ? error :
		       queue_timeout(ring, kind, timeout_ns, count, flags,
				     user_data);
}

/* The link is set last: what is refused has changed nothing. */
int saferring_ring_link_timeout(struct saferring_ring *ring,
				uint64_t timeout_ns, unsigned int flags,
				uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_LINK_TIMEOUT;
	struct io_uring_sqe *last;
	int error = check_flags(ring, kind, flags);

	if (error)
		return error;
	error = saferring_ring_modify(ring, 0);
	if (error)
		return error;
	last = sr_last_queued(ring);
	error = queue_timeout(ring, kind, timeout_ns, 0, flags, user_data);
	if (!error)
		last->flags |= IOSQE_IO_LINK;
	return error;
}
