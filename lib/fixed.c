// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Fixed: the regions of a ring's pools as its fixed buffers, or why they are not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

static unsigned int pieces_of(const struct saferring_region *region)
{
	return (unsigned int)SR_ROUND_UP(region->length, SR_FIXED_MAX) /
	       SR_FIXED_MAX;
}

/*
 * A region longer than the kernel takes as one buffer is registered in pieces.
 * Buffers lie at multiples of their own power of two, which is no larger than a
 * piece, so none lies in two pieces.
 */
static void add_pieces(struct saferring_ring *ring,
		       const struct saferring_region *region,
		       struct iovec *iovec)
{
	size_t offset;

	for (offset = 0; offset < region->length; offset += SR_FIXED_MAX) {
		iovec[ring->fixed_buffers].iov_base = region->address + offset;
		iovec[ring->fixed_buffers].iov_len =
			SR_MIN(region->length - offset, SR_FIXED_MAX);
		ring->fixed_buffers++;
	}
	ring->fixed_bytes += region->length;
}

static unsigned int count_pieces(const struct saferring_ring *ring)
{
	unsigned int count = 0;
	size_t number, region;

	for (number = 0; number < ring->attachment_count; number++) {
		const struct sr_attachment *attachment =
			&ring->attachment[number];

		for (region = 0; region < attachment->regions; region++)
			count += pieces_of(attachment->pool->region[region]);
	}
	return count;
}

static void fill_pieces(struct saferring_ring *ring, struct iovec *iovec)
{
	size_t number, region;

	for (number = 0; number < ring->attachment_count; number++) {
		struct sr_attachment *attachment = &ring->attachment[number];

		attachment->one_piece =
			attachment->regions == 1 &&
			pieces_of(attachment->pool->region[0]) == 1;
		for (region = 0; region < attachment->regions; region++) {
			attachment->first[region] = ring->fixed_buffers;
			add_pieces(ring, attachment->pool->region[region],
				   iovec);
		}
	}
}

/*
 * The kernel says ENOMEM both for the limit and for want of memory. With the
 * capability there is no limit; without it the limit is the likely cause even
 * if it is larger than what is needed now, because it counts what all rings of
 * the user have registered.
 */
static int fail_memlock(const struct saferring_ring *ring)
{
	const uint64_t limit = sr_memlock_limit();
	const uint64_t needed = ring->fixed_bytes;
	char cure[256];

	snprintf(cure, sizeof(cure),
		 "ulimit -l %llu or more for the process (hard limit in /etc/security/limits.conf), LimitMEMLOCK=%llu in its systemd unit, or CAP_IPC_LOCK",
		 (unsigned long long)SR_ROUND_UP(needed, 1024) / 1024,
		 (unsigned long long)needed);
	return sr_fail(&(struct sr_fault){
			       .code = -ENOMEM,
			       .reason = SAFERRING_REASON_MEMLOCK,
			       .operation = "ring_create",
			       .kind = "ring",
			       .name = ring->name,
			       .cure = cure,
			       .needed = needed,
			       .limit = limit,
		       },
		       "%llu bytes to be registered, RLIMIT_MEMLOCK allows %llu for all rings of the user together",
		       (unsigned long long)needed, (unsigned long long)limit);
}

static int fail_register(const struct saferring_ring *ring, int error)
{
	struct sr_fault fault = {
		.code = error,
		.reason = SAFERRING_REASON_SYSTEM,
		.operation = "ring_create",
		.kind = "ring",
		.name = ring->name,
		.needed = ring->fixed_bytes,
	};

	if (error == -ENOMEM && !sr_memlock_exempt() &&
	    sr_memlock_limit() != UINT64_MAX)
		return fail_memlock(ring);
	if (error == -ENOMEM)
		fault.reason = SAFERRING_REASON_MEMORY;
	if (error == -EFAULT || error == -EOPNOTSUPP)
		fault.reason = SAFERRING_REASON_UNSUPPORTED;
	return sr_fail(&fault,
		       "registering %llu bytes as %u fixed buffers failed: %s",
		       (unsigned long long)ring->fixed_bytes,
		       ring->fixed_buffers, strerror(-error));
}

static int fail_pieces(const struct saferring_ring *ring, unsigned int count)
{
	return sr_fail(&(struct sr_fault){
			       .code = -EINVAL,
			       .reason = SAFERRING_REASON_UNSUPPORTED,
			       .operation = "ring_create",
			       .kind = "ring",
			       .name = ring->name,
			       .cure = "fewer or smaller regions",
			       .needed = count,
			       .limit = SR_FIXED_BUFFERS_MAX,
		       },
		       "%u fixed buffers, io_uring takes %d", count,
		       SR_FIXED_BUFFERS_MAX);
}

/* Whether the kernel can get at all pages, which a depth may hide. */
static void expose_pools(const struct saferring_ring *ring, bool exposed)
{
	size_t number;

	for (number = 0; number < ring->attachment_count; number++)
		if (exposed)
			sr_pool_expose(ring->attachment[number].pool);
		else
			sr_pool_hide(ring->attachment[number].pool);
}

static int register_regions(struct saferring_ring *ring)
{
	const unsigned int count = count_pieces(ring);
	struct iovec *iovec;
	int error;

	if (count > SR_FIXED_BUFFERS_MAX)
		return fail_pieces(ring, count);
	iovec = calloc(count, sizeof(*iovec));
	if (!iovec)
		return sr_fail_memory("ring_create", count * sizeof(*iovec));
	fill_pieces(ring, iovec);
	expose_pools(ring, true);
	error = sr_uring_register(ring, iovec, count);
	expose_pools(ring, false);
	free(iovec);
	if (error)
		return fail_register(ring, error);
	ring->fixed = true;
	return 0;
}

/* Unregistered operations have buf_index 0. */
static void forget_pieces(struct saferring_ring *ring)
{
	size_t number;

	for (number = 0; number < ring->attachment_count; number++) {
		ring->attachment[number].one_piece = true;
		ring->attachment[number].first[0] = 0;
	}
	ring->fixed_buffers = 0;
	ring->fixed_bytes = 0;
}

static void set_opcodes(struct saferring_ring *ring)
{
	ring->opcode[SAFERRING_OPERATION_READ] =
		ring->fixed ? IORING_OP_READ_FIXED : IORING_OP_READ;
	ring->opcode[SAFERRING_OPERATION_WRITE] =
		ring->fixed ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE;
}

/* Registered if possible; if not, with the reason noted. */
static int try_fixed(struct saferring_ring *ring, unsigned int flags)
{
	int error;

	if (flags & SAFERRING_RING_AVOID_FIXED) {
		snprintf(ring->reason, sizeof(ring->reason),
			 "SAFERRING_RING_AVOID_FIXED was set");
		return 0;
	}
	error = register_regions(ring);
	if (!error)
		return 0;
	forget_pieces(ring);
	if (flags & SAFERRING_RING_REQUIRE_FIXED)
		return error;
	snprintf(ring->reason, sizeof(ring->reason), "%s",
		 saferring_error_last()->what);
	return 0;
}

int sr_set_fixed(struct saferring_ring *ring, unsigned int flags)
{
	const int error = try_fixed(ring, flags);

	if (!error)
		set_opcodes(ring);
	return error;
}
