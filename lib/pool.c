// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Pool: regions cut into buffers, the table of their tags, and the store of
 * those that are free.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "account.h"
#include "adapt.h"
#include "internal.h"

/*
 * Pools by id. @floors holds, by id, the largest word that a pool of the past
 * has issued; a new pool with that id begins above it, so that no word is ever
 * issued twice.
 */
static struct saferring_pool *pools_by_id[SR_IDS];
static uint64_t floors[SR_IDS];
static bool slot_used[SAFERRING_CACHE_SLOTS];
static unsigned int last_id;

struct saferring_pool *sr_pool_by_id(unsigned int id)
{
	return __atomic_load_n(&pools_by_id[id], __ATOMIC_ACQUIRE);
}

static unsigned int log2_up(size_t number)
{
	unsigned int bits = 0;

	while (((size_t)1 << bits) < number)
		bits++;
	return bits;
}

static uint64_t id_limit(unsigned int id)
{
	return (uint64_t)(id + 1) << SR_ID_SHIFT;
}

/* The first word of a pool with this id, or 0 if it has none left. */
static uint64_t first_word(unsigned int id, uint64_t step)
{
	const uint64_t start = ((uint64_t)id << SR_ID_SHIFT) + step;
	uint64_t word = start;

	if (floors[id] >= start)
		word = SR_ROUND_UP(floors[id] + 1, step);
	/* It takes one more generation for a buffer to be put or submitted. */
	return word + 2 * step < id_limit(id) ? word : 0;
}

/*
 * Ids are taken in turn, because an id that rests keeps stale handles of its
 * last pool apart from a young one's for longer.
 */
static int take_id(struct saferring_pool *pool)
{
	unsigned int tries, id = last_id;

	for (tries = 0; tries < SAFERRING_POOLS_MAX; tries++) {
		id = id % SAFERRING_POOLS_MAX + 1;
		if (pools_by_id[id])
			continue;
		pool->first_word = first_word(id, pool->fast.step);
		if (!pool->first_word)
			continue;
		last_id = id;
		pool->id = id;
		pool->fast.limit_free = id_limit(id) + SR_TO_FREE;
		return 0;
	}
	return sr_fail(&(struct sr_fault){
			       .code = -ENFILE,
			       .reason = SAFERRING_REASON_BUSY,
			       .operation = "pool_create",
			       .cure = "destroy pools that are not used",
			       .needed = SAFERRING_POOLS_MAX + 1,
			       .limit = SAFERRING_POOLS_MAX,
		       },
		       "the process has %d pools", SAFERRING_POOLS_MAX);
}

static void take_slot(struct saferring_pool *pool)
{
	size_t slot = 0;

	/* A cache would hide get and put from what is to be done besides. */
	if (pool->depth ||
	    pool->flags & (SAFERRING_POOL_CLEAR_GET | SAFERRING_POOL_CLEAR_PUT))
		slot = SR_SLOT_NONE;
	while (slot < SR_SLOT_NONE && (slot_used[slot] || !pool->cache_room))
		slot++;
	if (slot != SR_SLOT_NONE)
		slot_used[slot] = true;
	pool->fast.slot = slot;
	pool->slot = slot;
}

static int check_regions(struct saferring_region *const *regions, size_t count)
{
	size_t number;

	if (count < 1 || count > SAFERRING_POOL_REGIONS_MAX)
		return sr_fail_argument("pool_create",
					"%zu regions, allowed are 1 to %d",
					count, SAFERRING_POOL_REGIONS_MAX);
	for (number = 0; number < count; number++) {
		if (!regions[number])
			return sr_fail_argument("pool_create",
						"region %zu is NULL", number);
		if (sr_forked(regions[number]->epoch))
			return sr_fail_forked("pool_create", "region",
					      regions[number]->name);
		if (regions[number]->length == regions[0]->length)
			continue;
		return sr_fail_argument(
			"pool_create",
			"region %zu has %zu bytes, the first one %zu", number,
			regions[number]->length, regions[0]->length);
	}
	return 0;
}

/* With the registry locked, so that two pools cannot take one region. */
int sr_pool_check_free(struct saferring_region *const *regions, size_t count,
		       const char *operation)
{
	struct sr_fault fault = { .operation = operation, .kind = "region" };
	size_t number;

	for (number = 0; number < count; number++) {
		const struct saferring_region *region = regions[number];

		fault.name = region->name;
		if (region->pool) {
			fault.code = -EBUSY;
			fault.reason = SAFERRING_REASON_BUSY;
			return sr_fail(&fault, "pool %s uses it",
				       region->pool->name);
		}
		if (region->extents || region->rings) {
			fault.code = -EBUSY;
			fault.reason = SAFERRING_REASON_BUSY;
			return sr_fail(&fault, "rings have, or had, their own memory in it");
		}
		if (!sr_region_live(region)) {
			fault.code = -ESTALE;
			fault.reason = SAFERRING_REASON_REGION_GONE;
			return sr_fail(&fault, "it was revoked");
		}
	}
	return 0;
}

/* Sizes, counts and shifts. */
static int set_shape(struct saferring_pool *pool, size_t length,
		     const struct saferring_pool_options *options)
{
	const unsigned int shift = log2_up(options->buffer_size);
	const size_t per_region = length >> shift;
	const size_t most = per_region * pool->region_count;
	const size_t ever = per_region * pool->regions_max;
	unsigned int bits;
	size_t used;

	pool->count = options->count ? options->count : most;
	if (!pool->count || pool->count > most ||
	    pool->count > SAFERRING_POOL_BUFFERS_MAX)
		return sr_fail_argument(
			"pool_create",
			"%zu buffers of %zu bytes: %zu fit in the regions, and a pool has at most %u",
			pool->count, options->buffer_size, most,
			SAFERRING_POOL_BUFFERS_MAX);
	if (ever > most &&
	    (options->count || ever > SAFERRING_POOL_BUFFERS_MAX))
		return sr_fail_argument(
			"pool_create",
			"a pool that may grow takes whole regions, of %u buffers in all at most",
			SAFERRING_POOL_BUFFERS_MAX);
	pool->count_max = SR_MAX(pool->count, ever > most ? ever : 0);
	pool->buffer_size = options->buffer_size;
	pool->buffer_shift = shift;
	pool->region_bits = log2_up(per_region);
	used = (pool->count_max + per_region - 1) / per_region;
	bits = used > 1 ? pool->region_bits + log2_up(used) :
			  log2_up(pool->count_max);
	/* The tag of a buffer that is out has another index than its own. */
	bits = bits ? bits : 1;
	pool->fast.mask = (((uint64_t)1 << bits) - 1) << SR_INDEX_SHIFT;
	pool->fast.step = (uint64_t)1 << (bits + SR_INDEX_SHIFT);
	pool->fast.step_free = pool->fast.step + SR_TO_FREE;
	pool->fast.shift = shift - SR_INDEX_SHIFT;
	return 0;
}

static int check_buffer_size(size_t size)
{
	if (size >= SAFERRING_BUFFER_SIZE_MIN &&
	    size <= SAFERRING_BUFFER_SIZE_MAX)
		return 0;
	return sr_fail_argument("pool_create",
				"buffers of %zu bytes, allowed are %u to %u",
				size, SAFERRING_BUFFER_SIZE_MIN,
				SAFERRING_BUFFER_SIZE_MAX);
}

static int set_cache_room(struct saferring_pool *pool, int wanted)
{
	if (wanted < -1 || wanted > SAFERRING_CACHE_MAX)
		return sr_fail_argument("pool_create",
					"cache of %d buffers, allowed are -1 to %d",
					wanted, SAFERRING_CACHE_MAX);
	if (wanted > 0)
		pool->cache_room = (unsigned int)SR_MIN((size_t)wanted,
							pool->count);
	else if (wanted == 0)
		pool->cache_room = (unsigned int)SR_MIN(pool->count / 4, 128);
	return 0;
}

static int set_flags(struct saferring_pool *pool, unsigned int flags)
{
	const unsigned int known = SAFERRING_POOL_CLEAR_GET |
				   SAFERRING_POOL_CLEAR_PUT |
				   SAFERRING_POOL_TELL_EXHAUSTED |
				   SAFERRING_POOL_AWAY | SAFERRING_POOL_GROW;

	if (flags & ~known)
		return sr_fail_argument("pool_create", "unknown flags %#x",
					flags & ~known);
	pool->flags = flags;
	return 0;
}

static int set_regions_max(struct saferring_pool *pool, size_t wanted)
{
	pool->regions_max = wanted ? wanted : pool->region_count;
	if (pool->regions_max >= pool->region_count &&
	    pool->regions_max <= SAFERRING_POOL_REGIONS_MAX)
		return 0;
	return sr_fail_argument("pool_create",
				"at most %zu regions, it begins with %zu, and %d are allowed",
				wanted, pool->region_count,
				SAFERRING_POOL_REGIONS_MAX);
}

static void set_bases(struct saferring_pool *pool,
		      struct saferring_region *const *regions)
{
	size_t number;

	for (number = 0; number < pool->region_count; number++) {
		pool->region[number] = regions[number];
		pool->base[number] = (uintptr_t)regions[number]->address -
				     (number << pool->region_bits
					     << pool->buffer_shift);
	}
	if (pool->regions_max == 1)
		pool->fast.base = regions[0]->address;
}

/* Regions are full, one after the other. */
size_t sr_pool_index(const struct saferring_pool *pool, size_t number)
{
	const size_t per_region = pool->region[0]->length >> pool->buffer_shift;

	return (number / per_region << pool->region_bits) +
	       number % per_region;
}

static void release(struct saferring_pool *pool)
{
	sr_depth_destroy(pool);
	sr_account_pool_gone(pool);
	sr_unmap(pool->fast.tags, pool->tags_length);
	free(pool->turns);
	free(pool->store);
	free(pool);
}

static int allocate(struct saferring_pool *pool)
{
	const size_t tags = pool->fast.mask + sizeof(uint64_t);

	pool->tags_length = SR_ROUND_UP(tags, sr_page_size());
	pool->fast.tags = sr_map_wiped(pool->tags_length);
	pool->store = calloc(pool->count_max, sizeof(*pool->store));
	if (!pool->fast.tags || !pool->store)
		return sr_fail_memory("pool_create",
				      pool->tags_length +
					      pool->count_max *
						      sizeof(*pool->store));
	return 0;
}

static int publish(struct saferring_pool *pool,
		   struct saferring_region *const *regions)
{
	size_t number;
	int error;

	sr_registry_lock();
	error = sr_pool_check_free(regions, pool->region_count, "pool_create");
	if (!error)
		error = take_id(pool);
	if (error) {
		sr_registry_unlock();
		return error;
	}
	take_slot(pool);
	sr_pool_fill(pool, 0, pool->count);
	for (number = 0; number < pool->region_count; number++)
		regions[number]->pool = pool;
	pool->live_regions = (unsigned int)pool->region_count;
	pool->next = sr_pools;
	sr_pools = pool;
	__atomic_store_n(&pools_by_id[pool->id], pool, __ATOMIC_RELEASE);
	sr_registry_unlock();
	return 0;
}

static int prepare(struct saferring_pool *pool,
		   struct saferring_region *const *regions,
		   const struct saferring_pool_options *options)
{
	int error = check_buffer_size(options->buffer_size);

	if (!error)
		error = set_flags(pool, options->flags);
	if (!error)
		error = set_regions_max(pool, options->regions_max);
	if (!error)
		error = set_shape(pool, regions[0]->length, options);
	if (!error)
		error = set_cache_room(pool, options->cache);
	if (!error)
		error = sr_adapt_pool_check(options);
	if (!error)
		sr_adapt_pool(pool, options);
	if (!error)
		error = allocate(pool);
	if (error)
		return error;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_mutex_init(&pool->growing, NULL);
	sr_name(pool->name, options->name, "pool");
	set_bases(pool, regions);
	error = sr_account_pool(pool);
	if (!error)
		error = sr_depth_create(pool, options->depth);
	if (!error)
		error = publish(pool, regions);
	if (!error)
		sr_depth_start(pool, 0);
	return error;
}

int saferring_pool_create(struct saferring_region *const *regions, size_t count,
			  const struct saferring_pool_options *options,
			  struct saferring_pool **out)
{
	struct saferring_pool_options known;
	struct saferring_pool *pool;
	int error;

	if (!regions || !options || !out)
		return sr_fail_argument("pool_create",
					"no regions, no options, or no place for a pool");
	error = sr_options_in("pool_create", &known, sizeof(known), options);
	if (!error)
		error = check_regions(regions, count);
	if (error)
		return error;
	/* What the inline functions read is in one cache line. */
	pool = sr_allocate_lines(sizeof(*pool));
	if (!pool)
		return sr_fail_memory("pool_create", sizeof(*pool));
	pool->epoch = regions[0]->epoch;
	pool->region_count = count;
	error = prepare(pool, regions, &known);
	if (error) {
		release(pool);
		return error;
	}
	*out = pool;
	return 0;
}

/* With the pool's lock held: what lies in caches, and what they have served. */
static void count_cached(const struct saferring_pool *pool,
			 struct saferring_pool_stats *stats)
{
	const struct saferring_cache *cache;

	stats->hits = saferring_word_get(&pool->words->hits);
	stats->misses = saferring_word_get(&pool->words->misses);
	for (cache = pool->caches; cache; cache = cache->next) {
		stats->cached += saferring_cache_count(cache);
		stats->hits += sr_cache_hits(cache);
	}
}

static void count_states(const struct saferring_pool *pool,
			 struct saferring_pool_stats *stats)
{
	uint64_t tag, generations = 0;
	size_t number;

	for (number = 0; number < pool->count; number++) {
		tag = sr_tag_load(sr_tag_at(pool, sr_pool_index(pool, number)));
		generations += (sr_tag_handle(tag) - pool->first_word) /
			       pool->fast.step;
		switch (tag & SR_STATE_MASK) {
		case SR_STATE_USER:
			stats->held++;
			break;
		case SR_STATE_FREE:
			stats->available++;
			break;
		case SR_STATE_KERNEL:
			stats->in_flight++;
			break;
		case SR_STATE_QUARANTINE:
			stats->quarantined++;
			break;
		case SR_STATE_GONE:
			stats->gone++;
			break;
		case SR_STATE_RETIRED:
			stats->retired++;
			break;
		case SR_STATE_AWAY:
			stats->away++;
			break;
		}
	}
	stats->transfers = generations;
}

static void count_buffers(struct saferring_pool *pool,
			  struct saferring_pool_stats *stats)
{
	pthread_mutex_lock(&pool->lock);
	count_cached(pool, stats);
	pthread_mutex_unlock(&pool->lock);
	stats->buffers = pool->count;
	stats->regions = pool->region_count;
	stats->buffer_size = pool->buffer_size;
	count_states(pool, stats);
	stats->waits = saferring_word_get(&pool->words->waits);
	stats->waiting = __atomic_load_n(&pool->waiting, __ATOMIC_RELAXED);
	stats->exhausted = saferring_word_get(&pool->words->exhausted);
	stats->misuses = saferring_word_get(&pool->words->misuses);
	stats->caches = saferring_word_get(&pool->words->caches);
	stats->cache_room = saferring_word_get(&pool->words->cache_room);
}

int saferring_pool_stats(struct saferring_pool *pool,
			 struct saferring_pool_stats *out)
{
	struct saferring_pool_stats stats = { 0 };

	if (!pool || !out)
		return sr_fail_argument("pool_stats",
					"no pool, or no place for its stats");
	if (sr_forked(pool->epoch))
		return sr_fail_forked("pool_stats", "pool", pool->name);
	count_buffers(pool, &stats);
	return sr_info_out("pool_stats", out, &stats, sizeof(stats));
}

/* Whether all buffers are back. If not, the detail says where they are. */
static int check_idle(struct saferring_pool *pool)
{
	struct saferring_pool_stats stats = { 0 };
	struct sr_fault fault = {
		.code = -EBUSY,
		.reason = SAFERRING_REASON_BUSY,
		.operation = "pool_destroy",
		.kind = "pool",
		.name = pool->name,
	};

	if (pool->rings) {
		fault.cure = "destroy its rings first";
		fault.needed = pool->rings;
		return sr_fail(&fault, "%u rings use it", pool->rings);
	}
	if (pool->sets) {
		fault.cure = "destroy its sets first";
		fault.needed = pool->sets;
		return sr_fail(&fault, "%u sets have it", pool->sets);
	}
	if (pool->waiting) {
		fault.cure = "let them end first";
		fault.needed = pool->waiting;
		return sr_fail(&fault, "%u threads wait for a buffer of it",
			       pool->waiting);
	}
	count_buffers(pool, &stats);
	fault.needed = stats.held + stats.in_flight + stats.quarantined;
	if (!(pool->flags & SAFERRING_POOL_AWAY))
		fault.needed += stats.away;
	if (!fault.needed)
		return 0;
	fault.cure = "put those held; quarantined ones come back with their I/O";
	return sr_fail(&fault,
		       "%llu buffers are out: %llu held, %llu in flight, %llu in quarantine, %llu with another process",
		       (unsigned long long)fault.needed,
		       (unsigned long long)stats.held,
		       (unsigned long long)stats.in_flight,
		       (unsigned long long)stats.quarantined,
		       (unsigned long long)stats.away);
}

static void note_floor(const struct saferring_pool *pool)
{
	const struct saferring_pool_fast *fast = &pool->fast;
	uint64_t *floor = &floors[pool->id];
	size_t number;
	uint64_t tag;

	for (number = 0; number < pool->count; number++) {
		tag = *sr_tag_at(pool, sr_pool_index(pool, number));
		/* All indices of that generation, whatever shape comes next. */
		*floor = SR_MAX(*floor, sr_tag_handle(tag) | (fast->step - 1));
	}
}

static void withdraw(struct saferring_pool *pool)
{
	struct saferring_pool **link = &sr_pools;
	size_t number;

	while (*link != pool)
		link = &(*link)->next;
	*link = pool->next;
	__atomic_store_n(&pools_by_id[pool->id], NULL, __ATOMIC_RELEASE);
	if (pool->slot != SR_SLOT_NONE)
		slot_used[pool->slot] = false;
	note_floor(pool);
	sr_cache_detach_all(pool);
	for (number = 0; number < pool->region_count; number++)
		pool->region[number]->pool = NULL;
}

/* What the pool has created itself goes with it. */
static void end(struct saferring_pool *pool)
{
	struct saferring_region *regions[SAFERRING_POOL_REGIONS_MAX];
	bool own[SAFERRING_POOL_REGIONS_MAX];
	const size_t count = pool->region_count;

	memcpy(regions, pool->region, sizeof(regions));
	memcpy(own, pool->region_own, sizeof(own));
	pthread_mutex_destroy(&pool->lock);
	pthread_mutex_destroy(&pool->growing);
	release(pool);
	sr_pool_drop_own_regions(regions, own, count);
}

int saferring_pool_destroy(struct saferring_pool *pool)
{
	int error;

	if (!pool)
		return 0;
	if (sr_forked(pool->epoch))
		return sr_fail_forked("pool_destroy", "pool", pool->name);
	saferring_quarantine_reap();
	sr_registry_lock();
	error = check_idle(pool);
	if (!error) {
		sr_depth_end(pool);
		withdraw(pool);
	}
	sr_registry_unlock();
	if (error)
		return error;
	end(pool);
	return 0;
}

void saferring_pool_flush(struct saferring_pool *pool)
{
	struct saferring_cache *cache;

	if (!pool || sr_forked(pool->epoch))
		return;
	cache = saferring_caches[pool->slot];
	if (cache->pool != pool)
		return;
	pthread_mutex_lock(&pool->lock);
	sr_cache_spill(pool, cache, saferring_cache_count(cache));
	sr_waiters_serve(pool);
	pthread_mutex_unlock(&pool->lock);
}

int saferring_pool_info(const struct saferring_pool *pool,
			struct saferring_pool_info *out)
{
	struct saferring_pool_info info = { .trap = "", .reason = "" };

	if (!pool || !out)
		return sr_fail_argument("pool_info",
					"no pool, or no place for its info");
	info.name = pool->name;
	info.buffers = pool->count;
	info.buffer_size = pool->buffer_size;
	info.distance = (uint64_t)1 << pool->buffer_shift;
	info.depth = SAFERRING_DEPTH_FAST;
	if (pool->depth) {
		info.depth = pool->depth->depth;
		info.guarded = pool->depth->guard;
		info.trap = sr_trap_name(pool->depth->trap);
		info.reason = pool->depth->reason;
	}
	return sr_info_out("pool_info", out, &info, sizeof(info));
}

const char *saferring_pool_name(const struct saferring_pool *pool)
{
	return pool->name;
}
