// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Ring: creation with registered regions, and an end that loses no buffer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "internal.h"

#define DEPTH_DEFAULT 128

/* ---- what is asked for ---- */

static int check_pools(const struct saferring_ring_options *options)
{
	size_t number, other;

	if (!options->pools || !options->pool_count ||
	    options->pool_count > SAFERRING_POOLS_MAX)
		return sr_fail_argument("ring_create",
					"%zu pools, allowed are 1 to %d",
					options->pool_count,
					SAFERRING_POOLS_MAX);
	for (number = 0; number < options->pool_count; number++) {
		const struct saferring_pool *pool = options->pools[number];

		if (!pool)
			return sr_fail_argument("ring_create",
						"pool %zu is NULL", number);
		if (sr_forked(pool->epoch))
			return sr_fail_forked("ring_create", "pool",
					      pool->name);
		for (other = 0; other < number; other++)
			if (options->pools[other] == pool)
				return sr_fail_argument("ring_create",
							"pool %s appears twice",
							pool->name);
	}
	return 0;
}

static int copy_options(const struct saferring_ring_options *options,
			struct saferring_ring_options *known)
{
	const unsigned int flags = SAFERRING_RING_REQUIRE_FIXED |
				   SAFERRING_RING_AVOID_FIXED;
	int error = sr_options_in("ring_create", known, sizeof(*known),
				  options);

	if (error)
		return error;
	if (!known->depth)
		known->depth = DEPTH_DEFAULT;
	if (known->depth > SAFERRING_RING_DEPTH_MAX)
		return sr_fail_argument("ring_create",
					"depth %u, at most %u", known->depth,
					SAFERRING_RING_DEPTH_MAX);
	if (known->flags & ~flags)
		return sr_fail_argument("ring_create", "unknown flags %#x",
					known->flags & ~flags);
	if (known->flags == flags)
		return sr_fail_argument("ring_create",
					"fixed buffers cannot be both required "
					"and avoided");
	return check_pools(known);
}

/* ---- pools and their devices ---- */

static int watch_device(struct saferring_ring *ring,
			const struct saferring_device *device)
{
	const uint64_t *revocations = sr_device_revocations(device);
	size_t number;

	for (number = 0; number < ring->watch_count; number++)
		if (ring->watch[number].revocations == revocations)
			return 0;
	ring->watch[number].revocations = revocations;
	ring->watch[number].seen = __atomic_load_n(revocations,
						   __ATOMIC_ACQUIRE);
	ring->watch_count++;
	return 0;
}

static int fail_gone(const struct saferring_region *region)
{
	const struct sr_fault fault = {
		.code = -ESTALE,
		.reason = SAFERRING_REASON_REGION_GONE,
		.operation = "ring_create",
		.kind = "region",
		.name = region->name,
	};

	return sr_fail(&fault, "it was revoked");
}

/* The watch comes first, so that what goes after the look is noticed. */
static int attach(struct saferring_ring *ring,
		  const struct saferring_ring_options *options)
{
	size_t number, region;

	for (number = 0; number < options->pool_count; number++) {
		struct saferring_pool *pool = options->pools[number];

		ring->attachment[number].pool = pool;
		for (region = 0; region < pool->region_count; region++) {
			watch_device(ring, pool->region[region]->device);
			if (!sr_region_live(pool->region[region]))
				return fail_gone(pool->region[region]);
		}
	}
	sr_registry_lock();
	for (number = 0; number < options->pool_count; number++) {
		struct saferring_pool *pool = options->pools[number];

		pool->rings++;
		ring->by_pool[pool->id] = &ring->attachment[number];
	}
	ring->attachment_count = options->pool_count;
	sr_registry_unlock();
	return 0;
}

void sr_ring_detach_pools(struct saferring_ring *ring)
{
	size_t number;

	sr_registry_lock();
	for (number = 0; number < ring->attachment_count; number++)
		ring->attachment[number].pool->rings--;
	ring->attachment_count = 0;
	sr_registry_unlock();
}

/* ---- fixed buffers ---- */

static size_t fixed_buffers_of(const struct saferring_region *region)
{
	return (region->length + SR_FIXED_MAX - 1) / SR_FIXED_MAX;
}

static void describe_region(const struct saferring_region *region,
			    struct iovec *iovec)
{
	size_t at, length;

	for (at = 0; at < region->length; at += SR_FIXED_MAX, iovec++) {
		length = region->length - at;
		iovec->iov_base = region->address + at;
		iovec->iov_len = SR_MIN(length, SR_FIXED_MAX);
	}
}

static size_t count_fixed(struct saferring_ring *ring)
{
	size_t number, region, total = 0;

	for (number = 0; number < ring->attachment_count; number++) {
		struct sr_attachment *attachment = &ring->attachment[number];
		const struct saferring_pool *pool = attachment->pool;

		for (region = 0; region < pool->region_count; region++) {
			attachment->first[region] = (uint32_t)total;
			total += fixed_buffers_of(pool->region[region]);
			ring->fixed_bytes += pool->region[region]->length;
		}
	}
	return total;
}

static void describe_all(const struct saferring_ring *ring, struct iovec *iovec)
{
	size_t number, region;

	for (number = 0; number < ring->attachment_count; number++) {
		const struct sr_attachment *attachment =
			&ring->attachment[number];

		for (region = 0; region < attachment->pool->region_count;
		     region++)
			describe_region(attachment->pool->region[region],
					iovec + attachment->first[region]);
	}
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
	const uint64_t limit = sr_memlock_limit();

	if (error == -ENOMEM && !sr_memlock_exempt() && limit != UINT64_MAX) {
		fault.reason = SAFERRING_REASON_MEMLOCK;
		fault.limit = limit;
		fault.cure = "ulimit -l, LimitMEMLOCK= of systemd, or "
			     "CAP_IPC_LOCK";
		return sr_fail(&fault,
			       "%llu bytes are to be registered and "
			       "RLIMIT_MEMLOCK allows the user %llu",
			       (unsigned long long)fault.needed,
			       (unsigned long long)limit);
	}
	if (error == -EOPNOTSUPP || error == -EFAULT)
		fault.reason = SAFERRING_REASON_UNSUPPORTED;
	return sr_fail(&fault, "registering %llu bytes: %s",
		       (unsigned long long)ring->fixed_bytes,
		       strerror(-error));
}

static int register_regions(struct saferring_ring *ring)
{
	const size_t total = count_fixed(ring);
	struct iovec *iovec;
	int error;

	if (total > SR_FIXED_BUFFERS_MAX)
		return fail_register(ring, -E2BIG);
	iovec = calloc(total, sizeof(*iovec));
	if (!iovec)
		return sr_fail_memory("ring_create", total * sizeof(*iovec));
	describe_all(ring, iovec);
	error = sr_uring_register(ring, iovec, (unsigned int)total);
	free(iovec);
	if (error)
		return fail_register(ring, error);
	ring->fixed = true;
	ring->fixed_buffers = (unsigned int)total;
	return 0;
}

static int set_up_fixed(struct saferring_ring *ring, unsigned int flags)
{
	int error;

	if (flags & SAFERRING_RING_AVOID_FIXED) {
		snprintf(ring->reason, sizeof(ring->reason),
			 "SAFERRING_RING_AVOID_FIXED was set");
		return 0;
	}
	error = register_regions(ring);
	if (!error || flags & SAFERRING_RING_REQUIRE_FIXED)
		return error;
	ring->fixed_bytes = 0;
	snprintf(ring->reason, sizeof(ring->reason), "%s",
		 saferring_error_last()->what);
	return 0;
}

/* ---- creation ---- */

static int allocate(struct saferring_ring *ring,
		    const struct saferring_ring_options *options)
{
	size_t devices = options->pool_count * SAFERRING_POOL_REGIONS_MAX;
	unsigned int index;

	ring->depth = options->depth;
	ring->free = calloc(ring->depth, sizeof(*ring->free));
	ring->pending = calloc(ring->depth, sizeof(*ring->pending));
	ring->operation = calloc(ring->depth, sizeof(*ring->operation));
	ring->attachment = calloc(options->pool_count,
				  sizeof(*ring->attachment));
	ring->watch = calloc(devices, sizeof(*ring->watch));
	if (!ring->free || !ring->pending || !ring->operation ||
	    !ring->attachment || !ring->watch)
		return sr_fail_memory("ring_create",
				      ring->depth * sizeof(*ring->operation));
	for (index = 0; index < ring->depth; index++)
		ring->free[index] = ring->depth - 1 - index;
	ring->free_count = ring->depth;
	return 0;
}

static void release(struct saferring_ring *ring)
{
	free(ring->free);
	free(ring->pending);
	free(ring->operation);
	free(ring->attachment);
	free(ring->watch);
	free(ring);
}

void sr_ring_free(struct saferring_ring *ring)
{
	sr_uring_close(ring);
	release(ring);
}

static int prepare(struct saferring_ring *ring,
		   const struct saferring_ring_options *options)
{
	int error = allocate(ring, options);

	if (error)
		return error;
	error = sr_uring_open(ring);
	if (error)
		return sr_uring_fail(error, "ring_create", ring->name);
	error = attach(ring, options);
	if (!error)
		error = set_up_fixed(ring, options->flags);
	if (error) {
		sr_ring_detach_pools(ring);
		sr_uring_close(ring);
	}
	return error;
}

static void enlist(struct saferring_ring *ring)
{
	sr_registry_lock();
	ring->next = sr_rings;
	sr_rings = ring;
	sr_registry_unlock();
}

static void delist(struct saferring_ring *ring)
{
	struct saferring_ring **link = &sr_rings;

	sr_registry_lock();
	while (*link != ring)
		link = &(*link)->next;
	*link = ring->next;
	sr_registry_unlock();
}

int saferring_ring_create(const struct saferring_ring_options *options,
			  struct saferring_ring **out)
{
	struct saferring_ring_options known;
	struct saferring_ring *ring;
	int error;

	if (!options || !out)
		return sr_fail_argument("ring_create",
					"no options, or no place for a ring");
	error = copy_options(options, &known);
	if (error)
		return error;
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return sr_fail_memory("ring_create", sizeof(*ring));
	ring->epoch = known.pools[0]->epoch;
	sr_name(ring->name, known.name, "ring");
	error = prepare(ring, &known);
	if (error) {
		release(ring);
		return error;
	}
	enlist(ring);
	*out = ring;
	return 0;
}

/* ---- the end ---- */

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Wait until all operations have come back, or the time is up. */
static void drain(struct saferring_ring *ring, unsigned int timeout_ms)
{
	const uint64_t end = now_ns() + timeout_ms * (uint64_t)1000000;
	uint64_t now;

	sr_ring_return_completed(ring);
	while (sr_ring_busy(ring)) {
		now = now_ns();
		if (now >= end)
			return;
		/* A signal is no reason to give up, and the clock goes on. */
		sr_uring_enter(ring, 1, end - now);
		sr_ring_return_completed(ring);
	}
}

static void report_lost(const struct saferring_ring *ring, unsigned int count)
{
	struct saferring_error *error = sr_error_begin(
		0, SAFERRING_REASON_LOST_IO, "ring_destroy");

	snprintf(error->object, sizeof(error->object), "ring %s", ring->name);
	snprintf(error->what, sizeof(error->what),
		 "%u operations did not end in time; their buffers are in "
		 "quarantine",
		 count);
	snprintf(error->cure, sizeof(error->cure),
		 "saferring_quarantine_reap() takes them back when they have "
		 "ended");
	error->needed = count;
	sr_report(error);
}

int saferring_ring_destroy(struct saferring_ring *ring, unsigned int timeout_ms)
{
	unsigned int left;

	if (!ring)
		return 0;
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_destroy", "ring", ring->name);
	sr_ring_withdraw_all(ring);
	sr_ring_return_completed(ring);
	if (sr_ring_busy(ring)) {
		sr_uring_cancel_all(ring);
		drain(ring, timeout_ms);
	}
	delist(ring);
	left = sr_ring_busy(ring);
	if (!left) {
		sr_ring_detach_pools(ring);
		sr_ring_free(ring);
		return 0;
	}
	report_lost(ring, left);
	sr_quarantine_add(ring);
	sr_ring_detach_pools(ring);
	return (int)left;
}

/* ---- looking at it ---- */

int saferring_ring_info(const struct saferring_ring *ring,
			struct saferring_ring_info *out)
{
	struct saferring_ring_info info = { 0 };

	if (!ring || !out)
		return sr_fail_argument("ring_info",
					"no ring, or no place for its info");
	info.depth = ring->depth;
	info.queued = ring->queued;
	info.in_flight = sr_ring_in_flight(ring);
	info.fixed = ring->fixed;
	info.fixed_buffers = ring->fixed_buffers;
	info.fixed_bytes = ring->fixed ? ring->fixed_bytes : 0;
	info.setup_flags = ring->setup_flags;
	info.features = ring->uring.features;
	info.fd = ring->uring.ring_fd;
	info.name = ring->name;
	info.reason = ring->reason;
	return sr_info_out("ring_info", out, &info, sizeof(info));
}

int saferring_ring_stats(const struct saferring_ring *ring,
			 struct saferring_ring_stats *out)
{
	if (!ring || !out)
		return sr_fail_argument("ring_stats",
					"no ring, or no place for its stats");
	return sr_info_out("ring_stats", out, &ring->stats,
			   sizeof(ring->stats));
}
