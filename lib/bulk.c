// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Bulk: get and put of many buffers at once, as far as the thread's cache goes;
 * what is beyond it goes one by one, which refills or spills the cache.
 */
#include <errno.h>
#include <string.h>
#include "internal.h"

/* The table of tags, and how a handle becomes a place in it. */
struct table {
	unsigned char *tags;
	uint64_t mask;
};

static inline struct saferring_tag *tag_of(struct table table, uint64_t handle)
{
	return (struct saferring_tag *)(void *)(table.tags +
						(handle & table.mask));
}

/* From free to the program's, if it is free under the tag that the cache has. */
static inline bool take(struct table table, uint64_t free_tag, uint64_t *to)
{
	const uint64_t handle = free_tag - SR_TO_FREE;
	struct saferring_tag *tag = tag_of(table, handle);

	if (SAFERRING_UNLIKELY(SAFERRING_LOAD(tag->word) != free_tag))
		return false;
	SAFERRING_STORE(tag->word, handle);
	*to = handle;
	return true;
}

static inline bool leave(struct table table, uint64_t handle, uint64_t step,
			 uint64_t limit, uint64_t *to)
{
	struct saferring_tag *tag = tag_of(table, handle);

	if (SAFERRING_UNLIKELY(SAFERRING_LOAD(tag->word) != handle ||
			       handle >= limit))
		return false;
	SAFERRING_STORE(tag->word, handle + step);
	*to = handle + step;
	return true;
}

/* Four at a time, because counting costs as much as what is counted. */
static __attribute__((noinline)) size_t
take_all(struct table table, const uint64_t *tags, uint64_t *to, size_t count)
{
	size_t done = 0;

	for (; done + 4 <= count; done += 4, tags += 4, to += 4) {
		if (!take(table, tags[0], to))
			return done;
		if (!take(table, tags[1], to + 1))
			return done + 1;
		if (!take(table, tags[2], to + 2))
			return done + 2;
		if (!take(table, tags[3], to + 3))
			return done + 3;
	}
	while (done < count && take(table, *tags++, to++))
		done++;
	return done;
}

static __attribute__((noinline)) size_t
leave_all(struct table table, const uint64_t *handles, uint64_t *to,
	  size_t count, const struct saferring_pool_fast *fast)
{
	const uint64_t step = fast->step_free;
	const uint64_t limit = fast->limit_free - step;
	size_t done = 0;

	for (; done + 4 <= count; done += 4, handles += 4, to += 4) {
		if (!leave(table, handles[0], step, limit, to))
			return done;
		if (!leave(table, handles[1], step, limit, to + 1))
			return done + 1;
		if (!leave(table, handles[2], step, limit, to + 2))
			return done + 2;
		if (!leave(table, handles[3], step, limit, to + 3))
			return done + 3;
	}
	while (done < count && leave(table, *handles++, step, limit, to++))
		done++;
	return done;
}

/*
 * Take from the top of the cache. Stops short at a buffer that is not free under
 * the tag that the cache has of it.
 */
static unsigned int get_cached(const struct saferring_pool *pool,
			       saferring_buffer *buffers, unsigned int count)
{
	struct saferring_cache *cache =
		saferring_caches[SAFERRING_LOAD(pool->fast.slot)];
	const struct table table = { pool->fast.tags, pool->fast.mask };
	const uint64_t had = saferring_cache_count(cache);
	const size_t most = SR_MIN(had, count);
	uint64_t *from = cache->tag + had - most;
	const size_t got = take_all(table, from, (uint64_t *)buffers, most);

	/* The empty cache is everybody's, and not to be written to. */
	if (!got)
		return 0;
	if (SAFERRING_UNLIKELY(got < most))
		memmove(from, from + got, (most - got) * sizeof(*from));
	saferring_word_add(&cache->state, got * SAFERRING_CACHE_GET);
	return (unsigned int)got;
}

int saferring_buffer_get_many(struct saferring_pool *pool,
			      saferring_buffer *buffers, unsigned int count)
{
	unsigned int got;
	int error;

	if (SAFERRING_UNLIKELY(!pool || !buffers || count > INT_MAX))
		return sr_fail_argument("buffer_get_many",
					"no pool, no place for buffers, or more than %d",
					INT_MAX);
	got = get_cached(pool, buffers, count);
	while (SAFERRING_UNLIKELY(got < count)) {
		error = saferring_buffer_get(pool, &buffers[got]);
		if (error)
			return got ? (int)got : error;
		got++;
		got += get_cached(pool, buffers + got, count - got);
	}
	return (int)got;
}

/* Put into the cache, as far as all is well and it has room. */
static unsigned int put_cached(const struct saferring_pool *pool,
			       const saferring_buffer *buffers,
			       unsigned int count)
{
	struct saferring_cache *cache =
		saferring_caches[SAFERRING_LOAD(pool->fast.slot)];
	const struct table table = { pool->fast.tags, pool->fast.mask };
	const uint64_t had = saferring_cache_count(cache);
	const uint64_t room = cache->room > had ? cache->room - had : 0;
	const size_t done = leave_all(table, (const uint64_t *)buffers,
				      cache->tag + had, SR_MIN(room, count),
				      &pool->fast);

	if (!done)
		return 0;
	saferring_word_add(&cache->state, done);
	return (unsigned int)done;
}

int saferring_buffer_put_many(struct saferring_pool *pool,
			      const saferring_buffer *buffers,
			      unsigned int count)
{
	unsigned int done;
	int error;

	if (SAFERRING_UNLIKELY(!pool || !buffers || count > INT_MAX))
		return sr_fail_argument("buffer_put_many",
					"no pool, no buffers, or more than %d",
					INT_MAX);
	done = put_cached(pool, buffers, count);
	while (SAFERRING_UNLIKELY(done < count)) {
		error = saferring_buffer_put(pool, buffers[done]);
		if (error)
			return done ? (int)done : error;
		done++;
		done += put_cached(pool, buffers + done, count - done);
	}
	return (int)done;
}
