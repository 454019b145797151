// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Cache: free buffers that a thread keeps to itself, one cache for each pool
 * that the thread uses.
 *
 * Only its thread touches what is in a cache, so get and put need no lock. A
 * child of fork() finds its caches wiped: empty and without room.
 */
#include "account.h"
#include "internal.h"

struct saferring_cache sr_cache_empty;

__thread struct saferring_cache *saferring_caches[SAFERRING_CACHE_SLOTS] = {
	[0 ... SAFERRING_CACHE_SLOTS - 1] = &sr_cache_empty,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static bool exit_key_made;

void sr_cache_tell_hits(struct saferring_pool *pool,
			struct saferring_cache *cache)
{
	saferring_word_add(&pool->words->hits, sr_cache_hits(cache));
	saferring_word_set(&cache->state, saferring_cache_count(cache));
}

void sr_cache_spill(struct saferring_pool *pool, struct saferring_cache *cache,
		    uint64_t count)
{
	const uint64_t had = saferring_cache_count(cache);
	uint64_t number;

	for (number = had - count; number < had; number++)
		sr_pool_store(pool, cache->tag[number]);
	sr_cache_set_count(cache, had - count);
	sr_cache_tell_hits(pool, cache);
	saferring_word_add(&pool->words->spills, 1);
	sr_account_pool_stored(pool);
}

static void unlink_cache(struct saferring_cache *cache)
{
	struct saferring_cache **link = &cache->pool->caches;

	while (*link != cache)
		link = &(*link)->next;
	*link = cache->next;
}

static void leave(struct saferring_cache *cache)
{
	struct saferring_pool *pool;

	/* Under this lock the pool cannot go away. */
	sr_registry_lock();
	pool = cache->pool;
	if (pool) {
		pthread_mutex_lock(&pool->lock);
		sr_cache_spill(pool, cache, saferring_cache_count(cache));
		sr_waiters_serve(pool);
		sr_adapt_cache_end(pool, cache);
		unlink_cache(cache);
		pthread_mutex_unlock(&pool->lock);
	}
	sr_registry_unlock();
}

static void thread_ends(void *unused __attribute__((unused)))
{
	struct saferring_cache *cache;
	size_t slot;

	for (slot = 0; slot < SAFERRING_CACHE_SLOTS; slot++) {
		cache = saferring_caches[slot];
		if (cache == &sr_cache_empty)
			continue;
		saferring_caches[slot] = &sr_cache_empty;
		leave(cache);
		sr_unmap(cache, sizeof(struct sr_cache));
	}
}

static void make_exit_key(void)
{
	exit_key_made = !pthread_key_create(&exit_key, thread_ends);
}

/* A cache that could not be emptied when its thread ends would leak buffers. */
static struct saferring_cache *make(void)
{
	pthread_once(&once, make_exit_key);
	if (!exit_key_made || pthread_setspecific(exit_key, &once))
		return NULL;
	return sr_map_wiped(sizeof(struct sr_cache));
}

struct saferring_cache *sr_cache_of_thread(struct saferring_pool *pool)
{
	const size_t slot = pool->slot;
	struct saferring_cache *cache = saferring_caches[slot];

	if (slot == SR_SLOT_NONE)
		return NULL;
	if (cache == &sr_cache_empty) {
		cache = make();
		if (!cache)
			return NULL;
		saferring_caches[slot] = cache;
	}
	if (cache->pool == pool)
		return cache;
	/* New, or left over from a pool that is gone. */
	pthread_mutex_lock(&pool->lock);
	saferring_word_set(&cache->state, 0);
	cache->room = pool->cache_room;
	cache->pool = pool;
	cache->next = pool->caches;
	pool->caches = cache;
	sr_adapt_cache_begin(pool, cache);
	pthread_mutex_unlock(&pool->lock);
	return cache;
}

void sr_cache_detach_all(struct saferring_pool *pool)
{
	struct saferring_cache *cache;

	for (cache = pool->caches; cache; cache = cache->next) {
		saferring_word_set(&cache->state, 0);
		cache->room = 0;
		cache->pool = NULL;
	}
	pool->caches = NULL;
}
