// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Buffer: the slow paths of get, put and data, and what is wrong with a handle
 * that does not pass the check.
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
		.cure = "reap completions and put buffers, or create the pool "
			"with more",
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
		       "none of %zu buffers is free: %llu held, %llu in "
		       "flight, %llu in caches of other threads, %llu in "
		       "quarantine, %llu gone, %llu retired",
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
	memcpy(cache->word, pool->store + pool->stored,
	       count * sizeof(*cache->word));
	__atomic_store_n(&cache->count, count, __ATOMIC_RELAXED);
}

saferring_buffer saferring_buffer_get_slow(struct saferring_pool *pool)
{
	saferring_buffer buffer = SAFERRING_BUFFER_NONE;
	struct saferring_cache *cache;

	if (sr_forked(pool->epoch)) {
		sr_fail_forked("buffer_get", "pool", pool->name);
		return buffer;
	}
	cache = sr_cache_of_thread(pool);
	pthread_mutex_lock(&pool->lock);
	if (pool->stored) {
		buffer.word = pool->store[--pool->stored];
		if (cache && !cache->count)
			refill(pool, cache);
	}
	pthread_mutex_unlock(&pool->lock);
	if (saferring_buffer_is_none(buffer))
		fail_exhausted(pool);
	return buffer;
}

int saferring_buffer_put_slow(struct saferring_pool *pool,
			      saferring_buffer buffer)
{
	uint64_t *tag = saferring_buffer_tag(&pool->fast, buffer.word);
	const uint64_t word = buffer.word + pool->fast.step;
	struct saferring_cache *cache;

	if (sr_forked(pool->epoch))
		return sr_fail_forked("buffer_put", "pool", pool->name);
	if (sr_tag_load(tag) != buffer.word)
		return sr_misuse(pool, buffer.word, "buffer_put", NULL);
	if (word >= pool->fast.limit) {
		sr_pool_retire(tag);
		return 0;
	}
	cache = sr_cache_of_thread(pool);
	pthread_mutex_lock(&pool->lock);
	sr_tag_store(tag, word);
	if (cache && cache->count >= cache->room)
		sr_cache_spill(pool, cache, (cache->room + 1) / 2);
	if (cache) {
		cache->word[cache->count] = word;
		__atomic_store_n(&cache->count, cache->count + 1,
				 __ATOMIC_RELAXED);
	} else {
		pool->store[pool->stored++] = word;
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

/* ---- what is wrong with a handle ---- */

static bool is_put(const char *operation)
{
	return !strcmp(operation, "buffer_put");
}

static bool is_submit(const char *operation)
{
	return !strncmp(operation, "ring_", 5);
}

/* Who has the buffer under a tag. */
static int owner_of(struct saferring_pool *pool, uint64_t tag)
{
	switch (tag & SR_STATE_MASK) {
	case SR_STATE_USER:
		return sr_pool_is_free(pool, tag) ? SAFERRING_OWNER_FREE :
						    SAFERRING_OWNER_USER;
	case SR_STATE_KERNEL:
		return SAFERRING_OWNER_KERNEL;
	case SR_STATE_QUARANTINE:
		return SAFERRING_OWNER_QUARANTINE;
	case SR_STATE_GONE:
	case SR_STATE_RETIRED:
		return SAFERRING_OWNER_NOBODY;
	default:
		return SAFERRING_OWNER_UNKNOWN;
	}
}

int saferring_buffer_owner(struct saferring_pool *pool, saferring_buffer buffer)
{
	if (buffer.word >> SR_ID_SHIFT != pool->id || sr_forked(pool->epoch))
		return SAFERRING_OWNER_UNKNOWN;
	return owner_of(pool, sr_tag_load(saferring_buffer_tag(&pool->fast,
							       buffer.word)));
}

/* Whether this pool can have issued a word by now. */
static bool was_issued(const struct saferring_pool *pool, uint64_t word,
		       uint64_t tag)
{
	return (word & SR_STATE_MASK) == SR_STATE_USER &&
	       word >= pool->first_word && tag != 0 &&
	       (word & ~SR_STATE_MASK) <= (tag & ~SR_STATE_MASK);
}

static int reason_in_flight(uint64_t word, uint64_t tag, const char *operation)
{
	if (word + SR_TO_KERNEL != tag)
		return SAFERRING_REASON_SUPERSEDED;
	if (is_put(operation))
		return SAFERRING_REASON_PUT_IN_FLIGHT;
	if (is_submit(operation))
		return SAFERRING_REASON_DOUBLE_SUBMIT;
	return SAFERRING_REASON_USE_AFTER_SUBMIT;
}

static int reason_for(uint64_t word, uint64_t tag, int owner,
		      const char *operation)
{
	switch (owner) {
	case SAFERRING_OWNER_KERNEL:
		return reason_in_flight(word, tag, operation);
	case SAFERRING_OWNER_QUARANTINE:
		return SAFERRING_REASON_QUARANTINED;
	case SAFERRING_OWNER_NOBODY:
		if ((tag & SR_STATE_MASK) == SR_STATE_RETIRED)
			return SAFERRING_REASON_RETIRED;
		return SAFERRING_REASON_REGION_GONE;
	case SAFERRING_OWNER_FREE:
		return is_put(operation) ? SAFERRING_REASON_DOUBLE_PUT :
					   SAFERRING_REASON_USE_AFTER_PUT;
	default:
		return SAFERRING_REASON_SUPERSEDED;
	}
}

static void describe_owner(struct saferring_error *error, uint64_t tag)
{
	const size_t length = sizeof(error->owner_detail);
	char *text = error->owner_detail;

	switch (error->owner) {
	case SAFERRING_OWNER_USER:
		snprintf(text, length, "held under a newer handle");
		break;
	case SAFERRING_OWNER_FREE:
		snprintf(text, length, "free");
		break;
	case SAFERRING_OWNER_KERNEL:
	case SAFERRING_OWNER_QUARANTINE:
		if (!sr_ring_find_word(tag, text, length))
			snprintf(text, length, "in flight");
		break;
	case SAFERRING_OWNER_NOBODY:
		snprintf(text, length, "nobody's");
		break;
	}
}

static void describe_own(struct saferring_pool *pool, uint64_t word,
			 struct saferring_error *error)
{
	const uint64_t tag =
		sr_tag_load(saferring_buffer_tag(&pool->fast, word));
	const uint64_t changes = (tag - word) / pool->fast.step;

	if (!was_issued(pool, word, tag)) {
		error->reason = SAFERRING_REASON_GARBAGE;
		snprintf(error->what, sizeof(error->what),
			 "this pool never issued it");
		return;
	}
	error->index = (uint32_t)sr_word_index(pool, word);
	error->owner = owner_of(pool, tag);
	error->reason = reason_for(word, tag, error->owner, error->operation);
	describe_owner(error, tag);
	if (changes)
		snprintf(error->what, sizeof(error->what),
			 "the buffer has changed hands %llu times since",
			 (unsigned long long)changes);
	if (error->reason == SAFERRING_REASON_SUPERSEDED)
		snprintf(error->cure, sizeof(error->cure),
			 "use the handle that the completion brought, or that "
			 "get returned last");
}

/* The pool with the word's id is alive, and not the one that was named. */
static void describe_foreign(const struct saferring_pool *other, uint64_t word,
			     struct saferring_error *error)
{
	const uint64_t tag =
		sr_tag_load(saferring_buffer_tag(&other->fast, word));

	error->reason = SAFERRING_REASON_FOREIGN_POOL;
	if (!was_issued(other, word, tag)) {
		error->reason = SAFERRING_REASON_GARBAGE;
		snprintf(error->what, sizeof(error->what),
			 "no pool ever issued it");
		return;
	}
	error->index = (uint32_t)sr_word_index(other, word);
	snprintf(error->what, sizeof(error->what), "it is one of pool %s",
		 other->name);
}

static void describe(struct saferring_pool *pool, uint64_t word,
		     struct saferring_error *error)
{
	const unsigned int id = (unsigned int)(word >> SR_ID_SHIFT);
	struct saferring_pool *other;

	if (pool && id == pool->id) {
		describe_own(pool, word, error);
		return;
	}
	sr_registry_lock();
	other = sr_pool_by_id(id);
	if (other)
		describe_foreign(other, word, error);
	sr_registry_unlock();
	if (other)
		return;
	error->reason = SAFERRING_REASON_GARBAGE;
	snprintf(error->what, sizeof(error->what),
		 word ? "no pool that exists has issued it" :
			"it stands for no buffer");
}

int sr_misuse(struct saferring_pool *pool, uint64_t word, const char *operation,
	      struct saferring_ring *ring)
{
	struct saferring_error *error =
		sr_error_begin(-ESTALE, SAFERRING_REASON_GARBAGE, operation);

	error->handle = word;
	describe(pool, word, error);
	if (pool) {
		snprintf(error->object, sizeof(error->object), "pool %s",
			 pool->name);
		sr_count(&pool->misuses);
	}
	if (ring) {
		ring->stats.misuses++;
		if (!pool) {
			snprintf(error->object, sizeof(error->object),
				 "ring %s", ring->name);
			if (error->reason == SAFERRING_REASON_FOREIGN_POOL)
				error->reason = SAFERRING_REASON_FOREIGN_RING;
		}
	}
	sr_report(error);
	return error->code;
}
