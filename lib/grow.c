// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Grow: regions that come to a pool while it is used. Its tables were made for
 * as many as it may ever have, so nothing moves.
 */
#include <errno.h>
#include "internal.h"

/* Buffers are free, the first one on top, or with another process. */
void sr_pool_fill(struct saferring_pool *pool, size_t from, size_t to)
{
	const bool away = pool->flags & SAFERRING_POOL_AWAY;

	while (to-- > from) {
		const size_t index = sr_pool_index(pool, to);
		const uint64_t handle = pool->first_word |
					index << SR_INDEX_SHIFT | SR_STATE_USER;
		const uint64_t tag = sr_handle_tag(
			handle, away ? SR_STATE_AWAY : SR_STATE_FREE);

		sr_tag_store(sr_tag_at(pool, index), tag);
		if (!away)
			pool->store[pool->stored++] = tag;
	}
}

static int check_region(const struct saferring_pool *pool,
			const struct saferring_region *region)
{
	const struct saferring_region *first = pool->region[0];

	if (sr_forked(pool->epoch))
		return sr_fail_forked("pool_grow", "pool", pool->name);
	if (region->device != first->device || region->length != first->length)
		return sr_fail_argument(
			"pool_grow",
			"region %s has %zu bytes and the first one %zu, or it is of another device",
			region->name, region->length, first->length);
	return 0;
}

static int fail_full(const struct saferring_pool *pool)
{
	return sr_fail(&(struct sr_fault){
			       .code = -ENOSPC,
			       .reason = SAFERRING_REASON_EXHAUSTED,
			       .operation = "pool_grow",
			       .kind = "pool",
			       .name = pool->name,
			       .cure = "create the pool with a larger regions_max",
			       .needed = pool->region_count + 1,
			       .limit = pool->regions_max,
		       },
		       "it has all the %zu regions that it may have",
		       pool->regions_max);
}

/* With the registry locked. */
static void add(struct saferring_pool *pool, struct saferring_region *region)
{
	const size_t number = pool->region_count;
	const size_t per_region = region->length >> pool->buffer_shift;
	const size_t from = pool->count;

	pthread_mutex_lock(&pool->lock);
	region->pool = pool;
	pool->region[number] = region;
	pool->base[number] =
		(uintptr_t)region->address -
		(number << pool->region_bits << pool->buffer_shift);
	pool->live_regions++;
	__atomic_store_n(&pool->region_count, number + 1, __ATOMIC_RELEASE);
	sr_pool_fill(pool, from, from + per_region);
	pool->count += per_region;
	sr_depth_start(pool, from);
	sr_waiters_serve(pool);
	pthread_mutex_unlock(&pool->lock);
}

int saferring_pool_grow(struct saferring_pool *pool,
			struct saferring_region *region)
{
	int error;

	if (!pool || !region)
		return sr_fail_argument("pool_grow", "no pool, or no region");
	error = check_region(pool, region);
	if (error)
		return error;
	sr_registry_lock();
	error = sr_pool_check_free(&region, 1, "pool_grow");
	if (!error && pool->region_count == pool->regions_max)
		error = fail_full(pool);
	if (!error)
		add(pool, region);
	sr_registry_unlock();
	return error;
}

/* Like the first one, and on the same node if that has room. */
static int create_region(struct saferring_pool *pool)
{
	const struct saferring_region *first = pool->region[0];
	const struct saferring_region_options options = {
		.size = sizeof(options),
		.length = first->length,
		.placement = first->node < 0 ? SAFERRING_PLACE_LOCAL :
					       SAFERRING_PLACE_PREFERRED,
		.node = first->node,
	};
	struct saferring_region *region;
	int error = saferring_region_create(first->device, &options, &region);

	if (error)
		return error;
	error = saferring_pool_grow(pool, region);
	if (error)
		(void)!saferring_region_destroy(region, 0, 0);
	else
		pool->region_own[region->pool->region_count - 1] = true;
	return error;
}

bool sr_pool_grow_itself(struct saferring_pool *pool)
{
	bool grown = false;

	if (!(pool->flags & SAFERRING_POOL_GROW))
		return false;
	pthread_mutex_lock(&pool->growing);
	/* Another thread may have done it meanwhile. */
	if (__atomic_load_n(&pool->stored, __ATOMIC_RELAXED))
		grown = true;
	else if (pool->region_count < pool->regions_max)
		grown = !create_region(pool);
	pthread_mutex_unlock(&pool->growing);
	return grown;
}

void sr_pool_drop_own_regions(struct saferring_region *const *regions,
			      const bool *own, size_t count)
{
	size_t number;

	/* Closing a ring takes the kernel a moment. */
	for (number = 0; number < count; number++)
		if (own[number] &&
		    saferring_region_destroy(regions[number], 0, 1000))
			(void)!saferring_region_destroy(
				regions[number], SAFERRING_DESTROY_FORCE, 0);
}
