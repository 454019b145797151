// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Store: the buffers of a pool that are free and in no thread's cache, and what
 * becomes of a buffer that the pool takes back or gives up.
 */
#include "account.h"
#include "internal.h"

static uint64_t *tag_of(const struct saferring_pool *pool, uint64_t tag)
{
	return saferring_buffer_tag(&pool->fast, sr_tag_handle(tag));
}

uint64_t sr_pool_claim(struct saferring_pool *pool, uint64_t tag)
{
	uint64_t expected = tag;

	if (!__atomic_compare_exchange_n(tag_of(pool, tag), &expected,
					 sr_tag_handle(tag), false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return 0;
	return sr_tag_handle(tag);
}

/*
 * Keep each tag once. Two threads that put one handle at the same instant have
 * made two of it. Claiming a buffer for the moment tells whether it was met
 * before.
 */
static void drop_doubles(struct saferring_pool *pool)
{
	size_t from, to = 0;

	for (from = 0; from < pool->stored; from++)
		if (sr_pool_claim(pool, pool->store[from]))
			pool->store[to++] = pool->store[from];
	pool->stored = to;
	while (to--)
		sr_tag_store(tag_of(pool, pool->store[to]), pool->store[to]);
}

void sr_pool_store(struct saferring_pool *pool, uint64_t tag)
{
	if (SAFERRING_UNLIKELY(pool->stored == pool->count_max))
		drop_doubles(pool);
	if (pool->stored == pool->count_max)
		return;
	pool->store[pool->stored] = tag;
	__atomic_store_n(&pool->stored, pool->stored + 1, __ATOMIC_RELAXED);
	sr_account_pool_stored(pool);
}

static bool in_gone_region(const struct saferring_pool *pool, uint64_t handle)
{
	return pool->region_gone[sr_word_index(pool, handle) >>
				 pool->region_bits];
}

void sr_pool_take_back(struct saferring_pool *pool, uint64_t handle)
{
	const uint64_t word = handle + pool->fast.step;
	uint64_t *tag = saferring_buffer_tag(&pool->fast, word);
	const bool gone = in_gone_region(pool, word);

	if (pool->depth && !gone)
		sr_depth_putting(pool, handle, "taken back");
	pthread_mutex_lock(&pool->lock);
	if (gone) {
		sr_tag_store(tag, sr_handle_tag(word, SR_STATE_GONE));
	} else {
		sr_tag_store(tag, word + SR_TO_FREE);
		sr_pool_store(pool, word + SR_TO_FREE);
		sr_waiters_serve(pool);
	}
	pthread_mutex_unlock(&pool->lock);
}

/* Drop the tags of buffers that are no longer free. Returns how many are left. */
static size_t drop_gone(const struct saferring_pool *pool, uint64_t *tags,
			size_t count)
{
	size_t from, to = 0;

	for (from = 0; from < count; from++)
		if (sr_tag_load(tag_of(pool, tags[from])) == tags[from])
			tags[to++] = tags[from];
	return to;
}

static void mark_gone(struct saferring_pool *pool, size_t number)
{
	size_t buffer, index;
	uint64_t *tag;

	for (buffer = 0; buffer < pool->count; buffer++) {
		index = sr_pool_index(pool, buffer);
		tag = sr_tag_at(pool, index);
		if (index >> pool->region_bits != number)
			continue;
		/* What the kernel has is marked when it comes back. */
		if ((*tag & SR_STATE_MASK) == SR_STATE_USER ||
		    (*tag & SR_STATE_MASK) == SR_STATE_FREE ||
		    (*tag & SR_STATE_MASK) == SR_STATE_AWAY)
			sr_tag_store(tag, sr_handle_tag(sr_tag_handle(*tag),
							SR_STATE_GONE));
	}
}

void sr_pool_region_gone(struct saferring_pool *pool, size_t number,
			 bool others_are_quiet)
{
	struct saferring_cache *cache;

	pthread_mutex_lock(&pool->lock);
	if (pool->region_gone[number]) {
		pthread_mutex_unlock(&pool->lock);
		return;
	}
	pool->region_gone[number] = true;
	pool->live_regions--;
	mark_gone(pool, number);
	pool->stored = drop_gone(pool, pool->store, pool->stored);
	for (cache = pool->caches; cache; cache = cache->next)
		if (others_are_quiet ||
		    cache == saferring_caches[pool->slot])
			sr_cache_set_count(
				cache,
				drop_gone(pool, cache->tag,
					  saferring_cache_count(cache)));
	sr_waiters_wake(pool);
	pthread_mutex_unlock(&pool->lock);
}
