// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Buffer: the slow paths of get, put and data.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

static int fail_exhausted(struct saferring_pool *pool)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	struct sr_fault fault = {
		.code = -ENOBUFS,
		.reason = SAFERRING_REASON_EXHAUSTED,
		.operation = "buffer_get",
		.kind = "pool",
		.name = pool->name,
		.needed = pool->count + 1,
		.limit = pool->count,
		.cure = "reap completions and put buffers, or create the pool with more",
	};

	if (!pool->live_regions) {
		fault.code = -ESTALE;
		fault.reason = SAFERRING_REASON_REGION_GONE;
		fault.cure = "create regions and a pool anew";
		return sr_fail(&fault, "all its regions are gone");
	}
	sr_count(&pool->exhausted);
	if (saferring_pool_stats(pool, &stats))
		return saferring_error_last()->code;
	return sr_fail(&fault,
		       "none of %zu buffers is free: %llu held, %llu in flight, %llu in caches of other threads, %llu in quarantine, %llu gone, %llu retired",
		       pool->count, (unsigned long long)stats.held,
		       (unsigned long long)stats.in_flight,
		       (unsigned long long)stats.cached,
		       (unsigned long long)stats.quarantined,
		       (unsigned long long)stats.gone,
		       (unsigned long long)stats.retired);
}

/* With the lock held: move buffers from the store to a cache. */
static void refill(struct saferring_pool *pool, struct saferring_cache *cache)
{
	const size_t count = SR_MIN(pool->stored, cache->room / 2);

	pool->stored -= count;
	memcpy(cache->tag, pool->store + pool->stored,
	       count * sizeof(*cache->tag));
	__atomic_store_n(&cache->count, count, __ATOMIC_RELAXED);
}

/*
 * What a cache or the store has of a buffer that is not free under that tag is
 * dropped: its region is gone, or two threads have put it at the same instant,
 * and the other one's was got before.
 */
static uint64_t claim(struct saferring_pool *pool, uint64_t tag)
{
	const uint64_t handle = sr_pool_claim(pool, tag);
	uint64_t now;

	if (handle)
		return handle;
	now = sr_tag_load(saferring_buffer_tag(&pool->fast,
					       sr_tag_handle(tag)));
	if ((now & SR_STATE_MASK) != SR_STATE_GONE)
		sr_event_put_twice(pool, sr_tag_handle(tag));
	return 0;
}

static uint64_t get_cached(struct saferring_pool *pool,
			   struct saferring_cache *cache)
{
	uint64_t handle = 0;

	while (cache->count && !handle) {
		__atomic_store_n(&cache->count, cache->count - 1,
				 __ATOMIC_RELAXED);
		handle = claim(pool, cache->tag[cache->count]);
	}
	return handle;
}

/* Take the top of the store, and fill an empty cache from below it. */
static uint64_t take_stored(struct saferring_pool *pool,
			    struct saferring_cache *cache)
{
	uint64_t tag = 0;

	pthread_mutex_lock(&pool->lock);
	if (pool->stored) {
		tag = pool->store[--pool->stored];
		if (cache && !cache->count)
			refill(pool, cache);
	}
	pthread_mutex_unlock(&pool->lock);
	return tag;
}

saferring_buffer saferring_buffer_get_slow(struct saferring_pool *pool)
{
	saferring_buffer buffer = SAFERRING_BUFFER_NONE;
	struct saferring_cache *cache;
	uint64_t tag;

	if (sr_forked(pool->epoch)) {
		sr_fail_forked("buffer_get", "pool", pool->name);
		return buffer;
	}
	cache = sr_cache_of_thread(pool);
	if (cache)
		buffer.word = get_cached(pool, cache);
	while (!buffer.word) {
		tag = take_stored(pool, cache);
		if (!tag) {
			fail_exhausted(pool);
			break;
		}
		buffer.word = claim(pool, tag);
	}
	return buffer;
}

int saferring_buffer_put_slow(struct saferring_pool *pool,
			      saferring_buffer buffer)
{
	uint64_t *tag = saferring_buffer_tag(&pool->fast, buffer.word);
	const uint64_t free_tag = buffer.word + pool->fast.step_free;
	struct saferring_cache *cache;

	if (sr_forked(pool->epoch))
		return sr_fail_forked("buffer_put", "pool", pool->name);
	if (sr_tag_load(tag) != buffer.word)
		return sr_misuse(pool, buffer.word, "buffer_put", NULL);
	if (sr_is_last(pool, buffer.word)) {
		sr_pool_retire(pool, buffer.word);
		return 0;
	}
	cache = sr_cache_of_thread(pool);
	pthread_mutex_lock(&pool->lock);
	sr_tag_store(tag, free_tag);
	if (cache && cache->count >= cache->room)
		sr_cache_spill(pool, cache, (cache->room + 1) / 2);
	if (cache) {
		cache->tag[cache->count] = free_tag;
		__atomic_store_n(&cache->count, cache->count + 1,
				 __ATOMIC_RELAXED);
	} else {
		sr_pool_store(pool, free_tag);
	}
	pthread_mutex_unlock(&pool->lock);
	return 0;
}

void *saferring_buffer_data_slow(struct saferring_pool *pool,
				 saferring_buffer buffer)
{
	if (sr_forked(pool->epoch)) {
		sr_fail_forked("buffer_data", "pool", pool->name);
		return NULL;
	}
	if (saferring_buffer_valid(pool, buffer))
		return sr_buffer_address(pool, buffer.word);
	sr_misuse(pool, buffer.word, "buffer_data", NULL);
	return NULL;
}
