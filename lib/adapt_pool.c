// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Adaptation of a pool: how many free buffers a thread keeps to itself.
 *
 * All is done where the pool's lock is held anyway: when a cache is empty or full,
 * and when others want what it has. What lies in the cache of a thread that does
 * not use the pool no other can take; see waiter.c for those that do.
 */
#include "account.h"
#include "adapt.h"
#include "internal.h"
#include "probes.h"

int sr_adapt_pool_check(const struct saferring_pool_options *options)
{
	const unsigned int min = options->cache_min, max = options->cache_max;

	if (max > SAFERRING_CACHE_MAX)
		return sr_fail_argument("pool_create",
					"caches of at most %u buffers, allowed are %d",
					max, SAFERRING_CACHE_MAX);
	if (min > max)
		return sr_fail_argument("pool_create",
					"caches of at least %u and at most %u buffers",
					min, max);
	if (!max || !options->cache)
		return 0;
	if (options->cache < (int)SR_MAX(min, 1) || options->cache > (int)max)
		return sr_fail_argument("pool_create",
					"caches of %d buffers to begin with, and then of %u to %u",
					options->cache, SR_MAX(min, 1), max);
	return 0;
}

/* A pool without caches goes on without. */
void sr_adapt_pool(struct saferring_pool *pool,
		   const struct saferring_pool_options *options)
{
	const unsigned int most =
		(unsigned int)SR_MIN((size_t)options->cache_max, pool->count);

	if (!most || sr_adapt_forbidden())
		return;
	pool->cache_max = most;
	pool->cache_min = SR_MIN(SR_MAX(options->cache_min, 1), most);
	pool->cache_room = SR_MAX(SR_MIN(pool->cache_room, most),
				  pool->cache_min);
}

/* ---- caches, with the pool's lock held ---- */

static struct sr_cache_law *law_of(struct saferring_cache *cache)
{
	return &((struct sr_cache *)cache)->law;
}

/* Also of pools whose caches keep their depth: to be seen. */
static void add_room(struct saferring_pool *pool, uint64_t caches, uint64_t room)
{
	saferring_word_add(&pool->words->caches, caches);
	saferring_word_add(&pool->words->cache_room, room);
}

void sr_adapt_cache_begin(struct saferring_pool *pool,
			  struct saferring_cache *cache)
{
	add_room(pool, 1, cache->room);
	if (pool->cache_max)
		sr_cache_law_begin(law_of(cache), pool->cache_min,
				   pool->cache_max, pool->cache_room,
				   sr_now_ns());
}

void sr_adapt_cache_end(struct saferring_pool *pool,
			struct saferring_cache *cache)
{
	add_room(pool, -1ULL, -cache->room);
}

static void set_room(struct saferring_pool *pool, struct saferring_cache *cache)
{
	const uint64_t room = law_of(cache)->now;

	add_room(pool, 0, room - cache->room);
	cache->room = room;
	/* With room for the one that is being put. */
	if (saferring_cache_count(cache) >= room)
		sr_cache_spill(pool, cache,
			       saferring_cache_count(cache) - room + 1);
	SR_PROBE3(adapt, pool->name, "cache", room);
}

void sr_adapt_cache_missed(struct saferring_pool *pool,
			   struct saferring_cache *cache)
{
	enum sr_step step;

	if (SAFERRING_LIKELY(!pool->cache_max))
		return;
	step = sr_cache_law_missed(law_of(cache), sr_now_ns(), pool->stored);
	if (step == SR_KEPT)
		return;
	saferring_word_add(step == SR_RAISED ? &pool->words->raised :
					       &pool->words->lowered_quiet,
			   1);
	set_room(pool, cache);
}

void sr_adapt_cache_asked(struct saferring_pool *pool,
			  struct saferring_cache *cache)
{
	if (SAFERRING_LIKELY(!pool->cache_max) ||
	    sr_cache_law_asked(law_of(cache), sr_now_ns()) == SR_KEPT)
		return;
	saferring_word_add(&pool->words->lowered_asked, 1);
	set_room(pool, cache);
}

/* ---- recalling ---- */

/* With the pool's lock held: other threads' caches have something. */
static bool caches_have(const struct saferring_pool *pool)
{
	const struct saferring_cache *cache;

	for (cache = pool->caches; cache; cache = cache->next)
		if (saferring_cache_count(cache))
			return true;
	return false;
}

/* It ends with the first buffer that comes to the store, see waiter.c. */
void sr_adapt_recall(struct saferring_pool *pool)
{
	if (!pool->cache_max)
		return;
	pthread_mutex_lock(&pool->lock);
	if (!pool->stored && !pool->recalled && caches_have(pool)) {
		__atomic_store_n(&pool->recalled, true, __ATOMIC_RELAXED);
		saferring_word_add(&pool->words->recalls, 1);
		sr_waiters_set_slot(pool);
	}
	pthread_mutex_unlock(&pool->lock);
}
