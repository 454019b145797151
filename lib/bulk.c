// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Bulk: get and put of many buffers at once, as far as the thread's cache goes;
 * what is beyond it goes one by one, which refills or spills the cache.
 */
#include <errno.h>
#include <string.h>
#include "internal.h"

/*
 * The tags are looked up one by one; the words that go from one array to another
 * go two at a time.
 */
typedef uint64_t words __attribute__((vector_size(16), aligned(8), may_alias));
#define WORDS (sizeof(words) / sizeof(uint64_t))

static inline void copy_plus(uint64_t *to, const uint64_t *from, size_t count,
			     uint64_t add)
{
	size_t place = 0;

	for (; place + 4 * WORDS <= count; place += 4 * WORDS) {
		words *out = (words *)(to + place);
		const words *in = (const words *)(from + place);

		out[0] = in[0] + add;
		out[1] = in[1] + add;
		out[2] = in[2] + add;
		out[3] = in[3] + add;
	}
	for (; place < count; place++)
		to[place] = from[place] + add;
}

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
static inline bool take(struct table table, uint64_t free_tag)
{
	const uint64_t handle = free_tag - SR_TO_FREE;
	struct saferring_tag *tag = tag_of(table, handle);

	if (SAFERRING_UNLIKELY(SAFERRING_LOAD(tag->word) != free_tag))
		return false;
	SAFERRING_STORE(tag->word, handle);
	return true;
}

static inline bool leave(struct table table, uint64_t handle, uint64_t step,
			 uint64_t limit)
{
	struct saferring_tag *tag = tag_of(table, handle);

	if (SAFERRING_UNLIKELY(SAFERRING_LOAD(tag->word) != handle ||
			       handle >= limit))
		return false;
	SAFERRING_STORE(tag->word, handle + step);
	return true;
}

/* Four at a time, because counting costs as much as what is counted. */
static __attribute__((noinline)) size_t
take_all(struct table table, const uint64_t *tags, size_t count)
{
	const uint64_t *at = tags, *const end = tags + count;

	for (; end - at >= 4; at += 4) {
		if (!take(table, at[0]))
			return (size_t)(at - tags);
		if (!take(table, at[1]))
			return (size_t)(at - tags) + 1;
		if (!take(table, at[2]))
			return (size_t)(at - tags) + 2;
		if (!take(table, at[3]))
			return (size_t)(at - tags) + 3;
	}
	while (at < end && take(table, *at))
		at++;
	return (size_t)(at - tags);
}

static __attribute__((noinline)) size_t
leave_all(struct table table, const uint64_t *handles, size_t count,
	  uint64_t step, uint64_t limit)
{
	const uint64_t *at = handles, *const end = handles + count;

	for (; end - at >= 4; at += 4) {
		if (!leave(table, at[0], step, limit))
			return (size_t)(at - handles);
		if (!leave(table, at[1], step, limit))
			return (size_t)(at - handles) + 1;
		if (!leave(table, at[2], step, limit))
			return (size_t)(at - handles) + 2;
		if (!leave(table, at[3], step, limit))
			return (size_t)(at - handles) + 3;
	}
	while (at < end && leave(table, *at, step, limit))
		at++;
	return (size_t)(at - handles);
}

/*
 * Take from the top of the cache. Stops short at a buffer that is not free under
 * the tag that the cache has of it.
 */
static unsigned int get_cached(const struct saferring_pool *pool,
			       saferring_buffer *buffers, unsigned int count)
{
	struct saferring_cache *cache = saferring_caches[pool->fast.slot];
	const struct table table = { pool->fast.tags, pool->fast.mask };
	const uint64_t had = cache->count;
	const size_t most = SR_MIN(had, count);
	uint64_t *from = cache->tag + had - most;
	const size_t got = take_all(table, from, most);

	/* The empty cache is everybody's, and not to be written to. */
	if (!got)
		return 0;
	copy_plus((uint64_t *)buffers, from, got, (uint64_t)0 - SR_TO_FREE);
	if (SAFERRING_UNLIKELY(got < most))
		memmove(from, from + got, (most - got) * sizeof(*from));
	SAFERRING_STORE(cache->count, had - got);
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
	struct saferring_cache *cache = saferring_caches[pool->fast.slot];
	const struct table table = { pool->fast.tags, pool->fast.mask };
	const uint64_t had = cache->count, step = pool->fast.step_free;
	const uint64_t room = cache->room > had ? cache->room - had : 0;
	const uint64_t *handles = (const uint64_t *)buffers;
	const size_t done = leave_all(table, handles, SR_MIN(room, count), step,
				      pool->fast.limit_free - step);

	if (!done)
		return 0;
	copy_plus(cache->tag + had, handles, done, step);
	SAFERRING_STORE(cache->count, had + done);
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
