// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Ring: what it consists of, how it comes and goes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "account.h"
#include "adapt.h"
#include "internal.h"
#include "probes.h"

#define DEPTH_DEFAULT 128
#define CANCEL_AGAIN_MS 10

unsigned int sr_ring_depth(const struct saferring_ring_options *options)
{
	return options->depth ? options->depth : DEPTH_DEFAULT;
}

static int check_flags(unsigned int flags)
{
	const unsigned int fixed = SAFERRING_RING_REQUIRE_FIXED |
				   SAFERRING_RING_AVOID_FIXED;
	const unsigned int uring = SAFERRING_RING_REQUIRE_URING |
				   SAFERRING_RING_AVOID_URING;
	const unsigned int other = SAFERRING_RING_FOREIGN |
				   SAFERRING_RING_SQPOLL |
				   SAFERRING_RING_IOPOLL |
				   SAFERRING_RING_ONE_THREAD |
				   SAFERRING_RING_COMMANDS |
				   SAFERRING_RING_LATENCY |
				   SAFERRING_RING_REQUIRE_MEMORY |
				   SAFERRING_RING_BESIDE;

	if (!(flags & ~(fixed | uring | other)) &&
	    (flags & fixed) != fixed && (flags & uring) != uring)
		return 0;
	return sr_fail_argument("ring_create",
				"flags %#x: unknown, or both of REQUIRE and AVOID",
				flags);
}

static int check_options(const struct saferring_ring_options *options)
{
	int error;

	if (options->depth > SAFERRING_RING_DEPTH_MAX)
		return sr_fail_argument("ring_create",
					"depth %u, at most %u", options->depth,
					SAFERRING_RING_DEPTH_MAX);
	if (options->preset > SAFERRING_PRESET_PRODUCTION)
		return sr_fail_argument("ring_create", "preset %u",
					options->preset);
	if (options->completions &&
	    (options->completions < sr_ring_depth(options) ||
	     options->completions > SAFERRING_RING_COMPLETIONS_MAX))
		return sr_fail_argument("ring_create",
					"room for %u completions, allowed are the depth to %u",
					options->completions,
					SAFERRING_RING_COMPLETIONS_MAX);
	if (!options->pools || !options->pool_count ||
	    options->pool_count > SAFERRING_POOLS_MAX)
		return sr_fail_argument("ring_create",
					"%zu pools, needed are 1 to %d",
					options->pool_count,
					SAFERRING_POOLS_MAX);
	if (options->flags & SAFERRING_RING_REQUIRE_MEMORY && !options->memory)
		return sr_fail_argument("ring_create",
					"SAFERRING_RING_REQUIRE_MEMORY without a region");
	error = check_flags(options->flags);
	return error ? error : sr_adapt_ring_check(options, sr_ring_depth(options));
}

static int check_pool(const struct saferring_pool *pool)
{
	if (!pool)
		return sr_fail_argument("ring_create", "a pool is NULL");
	if (sr_forked(pool->epoch))
		return sr_fail_forked("ring_create", "pool", pool->name);
	return 0;
}

static int attach_pools(struct saferring_ring *ring,
			struct saferring_pool *const *pools, size_t count)
{
	size_t number;
	int error;

	for (number = 0; number < count; number++) {
		struct saferring_pool *pool = pools[number];

		error = check_pool(pool);
		if (error)
			return error;
		if (ring->attached[pool->id])
			return sr_fail_argument("ring_create",
						"pool %s is named twice",
						pool->name);
		ring->attachment[number].pool = pool;
		ring->attachment[number].one_piece = true;
		ring->attachment[number].regions = __atomic_load_n(
			&pool->region_count, __ATOMIC_ACQUIRE);
		ring->attached[pool->id] = &ring->attachment[number];
		ring->epoch = pool->epoch;
	}
	ring->attachment_count = count;
	return 0;
}

/* With the registry locked: a pool with rings is not destroyed. */
static void hold_pools(struct saferring_ring *ring)
{
	size_t number;

	for (number = 0; number < ring->attachment_count; number++)
		ring->attachment[number].pool->rings++;
}

static void let_go_of_pools(struct saferring_ring *ring)
{
	size_t number;

	for (number = 0; number < ring->attachment_count; number++)
		ring->attachment[number].pool->rings--;
}

static void watch_device(struct saferring_ring *ring,
			 const struct saferring_device *device)
{
	const uint64_t *revocations = sr_device_revocations(device);
	size_t number;

	for (number = 0; number < ring->watch_count; number++)
		if (ring->watch[number].revocations == revocations)
			return;
	ring->watch[number].revocations = revocations;
	ring->watch[number].seen =
		__atomic_load_n(revocations, __ATOMIC_ACQUIRE);
	ring->watch_count++;
}

static size_t count_regions(const struct saferring_ring *ring)
{
	size_t number, count = 0;

	for (number = 0; number < ring->attachment_count; number++)
		count += ring->attachment[number].pool->region_count;
	return count;
}

/*
 * The watch comes before the look, so that a region that goes in between is
 * noticed later.
 */
static int watch_regions(struct saferring_ring *ring,
			 const struct saferring_pool *pool)
{
	size_t number;

	for (number = 0; number < pool->region_count; number++) {
		const struct saferring_region *region = pool->region[number];

		watch_device(ring, region->device);
		if (!sr_region_live(region))
			return sr_fail(&(struct sr_fault){
				.code = -ESTALE,
				.reason = SAFERRING_REASON_REGION_GONE,
				.operation = "ring_create",
				.kind = "region",
				.name = region->name,
			}, "it was freed");
	}
	return 0;
}

static int watch_pools(struct saferring_ring *ring)
{
	const size_t count = count_regions(ring);
	size_t number;
	int error = 0;

	ring->watch = calloc(count, sizeof(*ring->watch));
	if (!ring->watch)
		return sr_fail_memory("ring_create",
				      count * sizeof(*ring->watch));
	for (number = 0; number < ring->attachment_count && !error; number++)
		error = watch_regions(ring, ring->attachment[number].pool);
	return error;
}

/*
 * The payloads are many bytes that few operations need: pages come with their
 * first use. Touched at once is what every operation needs.
 */
static int allocate_payloads(struct saferring_ring *ring)
{
	const size_t length = ring->depth * sizeof(*ring->payload);
	void *payload = mmap(NULL, length, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			     0);

	if (payload == MAP_FAILED)
		return sr_fail_memory("ring_create", length);
	ring->payload = payload;
	return 0;
}

/* The keys of those that are never used are none that would lead to them. */
static void number_records(struct saferring_ring *ring)
{
	unsigned int number;

	for (number = ring->depth; number <= ring->record_mask; number++)
		ring->operation[number].key = SR_KEY_MARK | (number ^ 1);
	for (number = 0; number < ring->depth; number++) {
		ring->operation[number].key = SR_KEY_MARK | number;
		ring->free[number] =
			&ring->operation[ring->depth - 1 - number];
		ring->pending[number] = number;
		ring->state[number].next = SR_RECORD_NONE;
	}
	ring->free_count = ring->depth;
}

static int allocate(struct saferring_ring *ring, size_t pool_count)
{
	const unsigned int room = sr_power_of_two(ring->depth);

	ring->record_mask = room - 1;
	ring->operation = sr_allocate_lines(room * sizeof(*ring->operation));
	ring->state = calloc(ring->depth, sizeof(*ring->state));
	ring->free = calloc(ring->depth, sizeof(*ring->free));
	ring->pending = calloc(room, sizeof(*ring->pending));
	ring->doomed = calloc(ring->depth, sizeof(*ring->doomed));
	ring->attachment = calloc(pool_count, sizeof(*ring->attachment));
	if (!ring->operation || !ring->state || !ring->free ||
	    !ring->pending || !ring->doomed || !ring->attachment)
		return sr_fail_memory("ring_create",
				      ring->depth * sizeof(*ring->operation));
	ring->pending_mask = room - 1;
	number_records(ring);
	return allocate_payloads(ring);
}

void sr_ring_free(struct saferring_ring *ring)
{
	sr_account_ring_gone(ring);
	if (ring->memory)
		sr_memory_release(ring->memory);
	if (ring->payload)
		munmap(ring->payload, ring->depth * sizeof(*ring->payload));
	free(ring->operation);
	free(ring->state);
	free(ring->free);
	free(ring->pending);
	free(ring->doomed);
	free(ring->attachment);
	free(ring->watch);
	free(ring->adapt);
	free(ring);
}

/* ---- create and destroy ---- */

static void publish(struct saferring_ring *ring)
{
	sr_registry_lock();
	hold_pools(ring);
	ring->next = sr_rings;
	sr_rings = ring;
	sr_registry_unlock();
}

/* With the registry locked. */
static void unpublish(struct saferring_ring *ring)
{
	struct saferring_ring **link = &sr_rings;

	while (*link != ring)
		link = &(*link)->next;
	*link = ring->next;
	let_go_of_pools(ring);
}

/*
 * Pools with a depth take the long way, which has the hooks; and those that may
 * grow, because not all of their buffers need be fixed ones.
 */
static void open_short_ways(struct saferring_ring *ring)
{
	size_t number;

	if (ring->wide || ring->beside)
		return;
	ring->short_nop = true;
	for (number = 0; number < ring->attachment_count; number++) {
		struct sr_attachment *attachment = &ring->attachment[number];
		const struct saferring_pool *pool = attachment->pool;

		if (pool->depth || attachment->regions != pool->regions_max)
			continue;
		if (attachment->one_piece && pool->fast.base)
			ring->by_pool[pool->id] = attachment;
		else
			ring->by_pool_many[pool->id] = attachment;
	}
}

/* If it fails, a ring of the program's stays as it was. */
static int open_ring(struct saferring_ring *ring,
		     const struct saferring_ring_options *options,
		     struct io_uring *uring)
{
	int error = 0;

	if (uring)
		sr_adopt(ring, uring, options->flags & SAFERRING_RING_BESIDE);
	else
		error = sr_setup(ring, options);
	if (error)
		return error;
	ring->sq_mask = *ring->uring.sq.kring_mask;
	sr_uring_probe(ring);
	error = sr_adapt_ring(ring, options);
	if (!error)
		error = sr_set_fixed(ring, options->flags);
	if (error && !uring)
		sr_uring_close(ring);
	return error;
}

/* The region stays until sr_ring_free(), whether or not its memory is used. */
static int hold_memory(struct saferring_ring *ring,
		       const struct saferring_ring_options *options)
{
	const int error = options->memory ? sr_memory_hold(options->memory) : 0;

	if (error)
		return error;
	ring->memory = options->memory;
	ring->must_place = options->flags & SAFERRING_RING_REQUIRE_MEMORY;
	return 0;
}

static int set_up(struct saferring_ring *ring,
		  const struct saferring_ring_options *options,
		  struct io_uring *uring)
{
	int error = allocate(ring, options->pool_count);

	if (!error)
		error = attach_pools(ring, options->pools, options->pool_count);
	if (!error)
		error = watch_pools(ring);
	if (!error)
		error = hold_memory(ring, options);
	if (error)
		return error;
	error = open_ring(ring, options, uring);
	if (error)
		return error;
	open_short_ways(ring);
	return 0;
}

int sr_ring_create(const struct saferring_ring_options *options,
		   struct io_uring *uring, struct saferring_ring **out)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	struct saferring_ring *ring;
	int error = check_options(options);

	if (error)
		return error;
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return sr_fail_memory("ring_create", sizeof(*ring));
	ring->depth = sr_ring_depth(options);
	ring->foreign = options->flags & SAFERRING_RING_FOREIGN;
	sr_name(ring->name, options->name, "ring");
	error = sr_account_ring(ring, options->flags & SAFERRING_RING_LATENCY);
	if (!error)
		error = set_up(ring, options, uring);
	if (error) {
		sr_ring_free(ring);
		return error;
	}
	publish(ring);
	*out = ring;
	return 0;
}

int saferring_ring_create(const struct saferring_ring_options *options,
			  struct saferring_ring **out)
{
	struct saferring_ring_options known;
	int error;

	if (!options || !out)
		return sr_fail_argument("ring_create",
					"no options, or no place for a ring");
	error = sr_options_in("ring_create", &known, sizeof(known), options);
	if (error)
		return error;
	if (known.flags & SAFERRING_RING_BESIDE)
		return sr_fail_argument("ring_create",
					"SAFERRING_RING_BESIDE is for saferring_ring_adopt()");
	return sr_ring_create(&known, NULL, out);
}

static uint64_t now_ms(void)
{
	return sr_now_ns() / 1000000;
}

/*
 * Wait a little for a completion, in whatever way this kernel knows, and also if
 * it does not let this thread wait.
 */
static void wait_a_little(struct saferring_ring *ring)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };
	const int result = sr_uring_enter(ring, 1, 10000000);

	if (result < 0 && result != -ETIME && result != -EINTR)
		nanosleep(&millisecond, NULL);
}

/*
 * Have everything come back. What has not after the time is still counted.
 *
 * It is cancelled again and again, because what is linked to an operation that
 * could not be cancelled starts only when that one has ended.
 */
static void drain(struct saferring_ring *ring, unsigned int timeout_ms)
{
	const uint64_t start = now_ms(), deadline = start + timeout_ms;
	uint64_t again = start, now;

	sr_batches_end(ring);
	sr_ring_withdraw_all(ring);
	for (;;) {
		sr_ring_return_completed(ring);
		if (!sr_ring_busy(ring))
			return;
		now = now_ms();
		if (now >= again || ring->cancel_again) {
			sr_uring_cancel_all(ring);
			sr_ring_return_completed(ring);
			again = now + CANCEL_AGAIN_MS;
		}
		if (now >= deadline || !sr_ring_busy(ring))
			return;
		wait_a_little(ring);
	}
}

static void report_lost(const char *name, unsigned int left,
			unsigned int timeout_ms)
{
	struct saferring_error *error = sr_error_begin(
		0, SAFERRING_REASON_LOST_IO, "ring_destroy");

	snprintf(error->object, sizeof(error->object), "ring %s", name);
	snprintf(error->what, sizeof(error->what),
		 "%u operations did not end within %u ms, their buffers are in quarantine",
		 left, timeout_ms);
	snprintf(error->cure, sizeof(error->cure),
		 "saferring_quarantine_reap() takes them back when they end");
	error->needed = left;
	SR_PROBE2(quarantine, name, left);
	sr_report(error);
}

/* Only the program sees when they end. */
static int fail_beside_busy(const struct saferring_ring *ring)
{
	return sr_fail(&(struct sr_fault){
			       .code = -EBUSY,
			       .reason = SAFERRING_REASON_BUSY,
			       .operation = "ring_destroy",
			       .kind = "ring",
			       .name = ring->name,
			       .needed = sr_ring_busy(ring),
			       .cure = "cancel them, and complete their CQEs",
		       },
		       "%u operations are under way on the program's own ring",
		       sr_ring_busy(ring));
}

int saferring_ring_destroy(struct saferring_ring *ring, unsigned int timeout_ms)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	char name[SR_NAME_MAX];
	unsigned int left;

	if (!ring)
		return 0;
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_destroy", "ring", ring->name);
	if (ring->beside && sr_ring_busy(ring))
		return fail_beside_busy(ring);
	if (!ring->beside)
		drain(ring, timeout_ms);
	left = sr_ring_busy(ring);
	sr_registry_lock();
	unpublish(ring);
	if (left) {
		memcpy(name, ring->name, sizeof(name));
		sr_quarantine_add(ring);
	}
	sr_registry_unlock();
	if (left) {
		report_lost(name, left, timeout_ms);
		return (int)left;
	}
	sr_uring_close(ring);
	sr_groups_end(ring);
	sr_ring_free(ring);
	return 0;
}

/* ---- looking at it ---- */

/* What its queues and groups have of its region. */
static size_t memory_length(const struct saferring_ring *ring)
{
	size_t length = ring->placed ? ring->placed->length : 0;
	unsigned int id;

	for (id = 0; id < SAFERRING_GROUPS_MAX; id++)
		if (ring->group[id] && ring->group[id]->placed)
			length += ring->group[id]->placed->length;
	return length;
}

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
	info.fixed_bytes = ring->fixed_bytes;
	info.setup_flags = ring->setup_flags;
	info.features = ring->uring.features;
	info.fd = ring->uring.ring_fd;
	info.name = ring->name;
	info.reason = ring->reason;
	info.setup = ring->setup;
	info.engine = ring->engine ? SAFERRING_ENGINE_THREADS :
				     SAFERRING_ENGINE_IO_URING;
	info.engine_reason = ring->engine_reason;
	info.memory = ring->placed != NULL;
	info.memory_bytes = memory_length(ring);
	info.memory_reason = ring->memory_reason;
	if (ring->adapt) {
		info.batch = ring->adapt->batch.now;
		info.busy_ns = ring->adapt->busy.now;
	}
	return sr_info_out("ring_info", out, &info, sizeof(info));
}

int saferring_ring_stats(const struct saferring_ring *ring,
			 struct saferring_ring_stats *out)
{
	struct saferring_ring_stats stats;
	unsigned int kind;

	if (!ring || !out)
		return sr_fail_argument("ring_stats",
					"no ring, or no place for its stats");
	stats = *ring->stats;
	stats.reads = ring->words->done[SAFERRING_OPERATION_READ];
	stats.writes = ring->words->done[SAFERRING_OPERATION_WRITE];
	stats.bytes_read = ring->words->bytes[SAFERRING_OPERATION_READ];
	stats.bytes_written = ring->words->bytes[SAFERRING_OPERATION_WRITE];
	for (kind = 0; kind < SAFERRING_OPERATIONS; kind++)
		stats.completed += ring->words->done[kind];
	stats.queued = stats.completed + sr_ring_busy(ring);
	return sr_info_out("ring_stats", out, &stats, sizeof(stats));
}
