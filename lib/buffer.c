// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Buffer: the slow paths of get, put and data.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "account.h"
#include "internal.h"
#include "probes.h"

/* The first time since a get went well is an event, if the program wants it. */
static int tell_exhausted(struct saferring_pool *pool, int code)
{
	if (pool->flags & SAFERRING_POOL_TELL_EXHAUSTED &&
	    !__atomic_exchange_n(&pool->was_exhausted, true, __ATOMIC_RELAXED))
		sr_report(saferring_error_last());
	return code;
}

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
	sr_count(&pool->words->exhausted);
	sr_adapt_recall(pool);
	SR_PROBE2(exhausted, pool->name, pool->count);
	if (saferring_pool_stats(pool, &stats))
		return saferring_error_last()->code;
	sr_fail(&fault,
		"none of %zu buffers is free: %llu held, %llu in flight, %llu in caches of other threads, %llu in quarantine, %llu gone, %llu retired",
		       pool->count, (unsigned long long)stats.held,
		       (unsigned long long)stats.in_flight,
		       (unsigned long long)stats.cached,
		       (unsigned long long)stats.quarantined,
		       (unsigned long long)stats.gone,
		       (unsigned long long)stats.retired);
	return tell_exhausted(pool, fault.code);
}

/*
 * With the lock held: move buffers from the store to a cache. One that can become
 * deep leaves half of them to others.
 */
static void refill(struct saferring_pool *pool, struct saferring_cache *cache)
{
	const size_t most =
		pool->cache_max ? (pool->stored + 1) / 2 : pool->stored;
	const size_t count = SR_MIN(most, cache->room / 2);

	pool->stored -= count;
	memcpy(cache->tag, pool->store + pool->stored,
	       count * sizeof(*cache->tag));
	sr_cache_set_count(cache, count);
	sr_cache_tell_hits(pool, cache);
	saferring_word_add(&pool->words->refills, 1);
	saferring_word_add(&pool->words->refilled, count);
	sr_adapt_cache_missed(pool, cache);
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

	while (saferring_cache_count(cache) && !handle) {
		sr_cache_set_count(cache, saferring_cache_count(cache) - 1);
		handle = claim(pool, cache->tag[saferring_cache_count(cache)]);
	}
	/* In all, one get that it has served. */
	if (handle)
		saferring_word_add(&cache->state, SAFERRING_CACHE_GET + 1);
	return handle;
}

/*
 * Take the top of the store, and fill an empty cache from below it. Those who
 * wait come first, and what this thread's cache has is theirs, too.
 */
static uint64_t take_stored(struct saferring_pool *pool,
			    struct saferring_cache *cache)
{
	uint64_t tag = 0;
	bool asked;

	pthread_mutex_lock(&pool->lock);
	saferring_word_add(&pool->words->misses, 1);
	asked = sr_pool_asked(pool);
	if (cache && asked) {
		sr_cache_spill(pool, cache, saferring_cache_count(cache));
		sr_adapt_cache_asked(pool, cache);
		sr_waiters_serve(pool);
	}
	if (pool->stored) {
		tag = pool->store[--pool->stored];
		if (cache && !saferring_cache_count(cache) && !asked)
			refill(pool, cache);
	}
	sr_account_pool_stored(pool);
	pthread_mutex_unlock(&pool->lock);
	return tag;
}

uint64_t sr_buffer_claim(struct saferring_pool *pool, uint64_t tag)
{
	const uint64_t handle = claim(pool, tag);

	if (handle && pool->depth)
		sr_depth_got(pool, handle);
	if (handle && pool->flags & SAFERRING_POOL_CLEAR_GET)
		memset(sr_buffer_address(pool, handle), 0, pool->buffer_size);
	return handle;
}

saferring_buffer sr_buffer_try(struct saferring_pool *pool)
{
	struct saferring_cache *cache = sr_cache_of_thread(pool);
	saferring_buffer buffer = SAFERRING_BUFFER_NONE;
	uint64_t tag = 1;

	if (cache && !sr_pool_asked(pool))
		buffer.word = get_cached(pool, cache);
	while (!buffer.word && tag) {
		tag = take_stored(pool, cache);
		if (tag)
			buffer.word = sr_buffer_claim(pool, tag);
	}
	return buffer;
}

saferring_buffer saferring_buffer_get_slow(struct saferring_pool *pool)
{
	saferring_buffer buffer = SAFERRING_BUFFER_NONE;

	if (sr_forked(pool->epoch)) {
		sr_fail_forked("buffer_get", "pool", pool->name);
		return buffer;
	}
	do
		buffer = sr_buffer_try(pool);
	while (saferring_buffer_is_none(buffer) && sr_pool_grow_itself(pool));
	if (saferring_buffer_is_none(buffer))
		fail_exhausted(pool);
	else if (__atomic_load_n(&pool->was_exhausted, __ATOMIC_RELAXED))
		__atomic_store_n(&pool->was_exhausted, false, __ATOMIC_RELAXED);
	return buffer;
}

/* With a depth, of two threads that put one handle one is refused. */
static bool change_tag(const struct saferring_pool *pool, uint64_t *tag,
		       uint64_t handle, uint64_t to)
{
	if (pool->depth)
		return __atomic_compare_exchange_n(tag, &handle, to, false,
						   __ATOMIC_RELAXED,
						   __ATOMIC_RELAXED);
	if (sr_tag_load(tag) != handle)
		return false;
	sr_tag_store(tag, to);
	return true;
}

/* Put a buffer, whose tag says that it is free, where get finds it. */
static void keep(struct saferring_pool *pool, uint64_t free_tag)
{
	struct saferring_cache *cache = sr_cache_of_thread(pool);

	pthread_mutex_lock(&pool->lock);
	if (cache && sr_pool_asked(pool)) {
		sr_cache_spill(pool, cache, saferring_cache_count(cache));
		sr_adapt_cache_asked(pool, cache);
	} else if (cache && saferring_cache_count(cache) >= cache->room) {
		sr_cache_spill(pool, cache, (cache->room + 1) / 2);
		sr_adapt_cache_missed(pool, cache);
	}
	if (cache && !sr_pool_asked(pool)) {
		cache->tag[saferring_cache_count(cache)] = free_tag;
		saferring_word_add(&cache->state, 1);
	} else {
		sr_pool_store(pool, free_tag);
		sr_waiters_serve(pool);
	}
	pthread_mutex_unlock(&pool->lock);
}

int saferring_buffer_put_slow(struct saferring_pool *pool,
			      saferring_buffer buffer)
{
	uint64_t *tag = saferring_buffer_tag(&pool->fast, buffer.word);
	const bool last = sr_is_last(pool, buffer.word);
	const uint64_t to =
		last ? sr_handle_tag(buffer.word, SR_STATE_RETIRED) :
		       buffer.word + pool->fast.step_free;

	if (sr_forked(pool->epoch))
		return sr_fail_forked("buffer_put", "pool", pool->name);
	if (!change_tag(pool, tag, buffer.word, to))
		return sr_misuse(pool, buffer.word, "buffer_put", NULL);
	if (pool->flags & SAFERRING_POOL_CLEAR_PUT)
		memset(sr_buffer_address(pool, buffer.word), 0,
		       pool->buffer_size);
	if (pool->depth)
		sr_depth_putting(pool, buffer.word, "put");
	if (!last)
		keep(pool, to);
	return 0;
}

void *saferring_buffer_data_slow(struct saferring_pool *pool,
				 saferring_buffer buffer)
{
	if (sr_forked(pool->epoch)) {
		sr_fail_forked("buffer_data", "pool", pool->name);
		return NULL;
	}
	if (!saferring_buffer_valid(pool, buffer)) {
		sr_misuse(pool, buffer.word, "buffer_data", NULL);
		return NULL;
	}
	if (pool->depth)
		sr_depth_looking(pool, buffer.word);
	return sr_buffer_address(pool, buffer.word);
}

void *saferring_buffer_range(struct saferring_pool *pool,
			     saferring_buffer buffer, size_t start,
			     size_t length)
{
	unsigned char *data = saferring_buffer_data(pool, buffer);

	if (!data)
		return NULL;
	if (start <= pool->buffer_size && length <= pool->buffer_size - start)
		return data + start;
	sr_fail(&(struct sr_fault){
			.code = -ERANGE,
			.reason = SAFERRING_REASON_BOUNDS,
			.operation = "buffer_range",
			.kind = "pool",
			.name = pool->name,
			.cure = "stay within the buffer, or create the pool with larger ones",
			.needed = length > SIZE_MAX - start ? SIZE_MAX :
							      start + length,
			.limit = pool->buffer_size,
		},
		"bytes %zu and %zu more do not lie in a buffer of %zu", start,
		length, pool->buffer_size);
	return NULL;
}
