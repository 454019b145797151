/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Buffer: one piece of a pool, known to the program by a handle that goes stale
 * the moment the buffer changes hands.
 *
 *	get -> data() -> submit -> completion -> data() -> put
 *
 * The functions here are what a program calls once an operation, so they are
 * inline. What the structures below hold is the library's own business, and is
 * fixed for the life of this soname only because inline code reads it.
 */
#ifndef SAFERRING_BUFFER_H
#define SAFERRING_BUFFER_H

#include <saferring/api.h>
#include <saferring/error.h>
#include <saferring/pool.h>
#include <saferring/word.h>

SAFERRING_BEGIN_DECLS

struct saferring_pool;

/**
 * struct saferring_buffer - a handle
 * @word: pool, generation and index; not for programs to take apart
 *
 * It is copied freely, and no copy outlives the ownership it stands for.
 */
typedef struct saferring_buffer {
	uint64_t word;
} saferring_buffer;

/* No buffer: it passes no check. */
#ifdef __cplusplus
#define SAFERRING_BUFFER_NONE (saferring_buffer())
#else
#define SAFERRING_BUFFER_NONE ((saferring_buffer){ 0 })
#endif

/*
 * The word: pool in bits 56-63, then generation, then index at bit 3, and the
 * state in bits 0-2. The table of tags has one word for each buffer. The index
 * is stored times 8, so that a masked word is an offset into that table, and a
 * power of two of tags, so that any word at all stays within it.
 *
 * A handle has state USER. So has the tag of a buffer that is in the program's
 * hands: it equals the handle. A tag in any other state has the index of the
 * next buffer in it, so that it equals no word at all that is looked up in its
 * place: neither a handle made up by changing the index of a good one, nor the
 * handle that the next get will issue. A tag thus equals a handle if and only
 * if the buffer is in the program's hands and has not changed hands since that
 * handle was issued.
 */
#define SAFERRING_CACHE_SLOTS 64

/* From a handle to the tag of its buffer while that is free. */
#define SAFERRING_TO_FREE 9U

/*
 * A structure, so that the compiler knows that writing a tag changes nothing of
 * the structures below, and keeps in registers what it has loaded from them.
 */
struct saferring_tag {
	uint64_t word;
};

struct saferring_pool_fast {
	uint64_t mask;		/* of a word: offset of its tag, in bytes */
	unsigned char *tags;
	uint64_t step;		/* a generation more */
	uint64_t step_free;	/* from a handle to the tag after its put */
	uint64_t limit_free;	/* first tag behind the last generation */
	size_t slot;		/* in saferring_caches */
	unsigned char *base;	/* of the buffers; NULL if in several regions */
	unsigned int shift;	/* from offset of a tag to offset of a buffer */
};

/* Free buffers that a thread keeps to itself. */
struct saferring_cache {
	uint64_t state;		/* their number in bits 0-15, gets above it */
	uint64_t room;		/* puts take the slow path at this count */
	struct saferring_pool *pool;
	struct saferring_cache *next;
	uintptr_t reserved[4];
	uint64_t tag[SAFERRING_CACHE_MAX]; /* of free buffers */
};

/* What a get adds to the state: one get more, and one buffer less. */
#define SAFERRING_CACHE_GET 0xffffU

/*
 * The calling thread's caches. A slot without one refers to a cache that is
 * empty and has no room, which sends get and put to their slow paths.
 */
extern SAFERRING_API __thread struct saferring_cache
	*saferring_caches[SAFERRING_CACHE_SLOTS]
	__attribute__((tls_model("initial-exec")));

SAFERRING_API saferring_buffer
saferring_buffer_get_slow(struct saferring_pool *pool) SAFERRING_COLD;
SAFERRING_API int saferring_buffer_put_slow(struct saferring_pool *pool,
					    saferring_buffer buffer)
	SAFERRING_COLD;
SAFERRING_API void *saferring_buffer_data_slow(struct saferring_pool *pool,
					       saferring_buffer buffer)
	SAFERRING_COLD;

/* The tag of whatever buffer a word names. */
static inline struct saferring_tag *
saferring_buffer_tag_of(const struct saferring_pool_fast *fast, uint64_t word)
{
	return (struct saferring_tag *)(void *)(fast->tags +
						(word & fast->mask));
}

static inline uint64_t *
saferring_buffer_tag(const struct saferring_pool_fast *fast, uint64_t word)
{
	return &saferring_buffer_tag_of(fast, word)->word;
}

/*
 * A thread that uses a stale handle may read a tag while the owner writes it,
 * and statistics read the count of another thread's cache. Both are aligned
 * words, read and written at once. Plain accesses let the compiler compare with
 * memory and keep values; the thread sanitizer has to be told.
 */
#if defined(__SANITIZE_THREAD__)
#define SAFERRING_LOAD(word)	     __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define SAFERRING_STORE(word, value)                                           \
	__atomic_store_n(&(word), (value), __ATOMIC_RELAXED)
#else
#define SAFERRING_LOAD(word)	     (word)
#define SAFERRING_STORE(word, value) ((word) = (value))
#endif

static inline uint64_t
saferring_cache_count(const struct saferring_cache *cache)
{
	return (uint16_t)saferring_word_get(&cache->state);
}

/**
 * saferring_buffer_get() - get a buffer from a pool
 * @pool: the pool
 * @buffer: out: the handle; after an error SAFERRING_BUFFER_NONE
 *
 * What the buffer holds is whatever its last owner left there.
 *
 * Any thread may call it; no lock is taken while the thread's cache has a
 * buffer. It never waits.
 *
 * Return: 0, or
 * -ENOBUFS: no buffer is free, or those that are lie in caches of other threads;
 * -ESTALE: all regions of the pool were revoked;
 * -EOWNERDEAD: the pool belongs to the parent process.
 */
SAFERRING_INLINE SAFERRING_MUST_CHECK SAFERRING_NONNULL(1, 2) int
saferring_buffer_get(struct saferring_pool *pool, saferring_buffer *buffer)
{
	const struct saferring_pool_fast *fast =
		(const struct saferring_pool_fast *)(const void *)pool;
	struct saferring_cache *cache = saferring_caches[SAFERRING_LOAD(fast->slot)];
	const uint64_t state = cache->state, count = (uint16_t)state;
	struct saferring_tag *tag;
	uint64_t free_tag, word;

	if (SAFERRING_UNLIKELY(!count))
		goto slow;
	free_tag = cache->tag[count - 1];
	word = free_tag - SAFERRING_TO_FREE;
	tag = saferring_buffer_tag_of(fast, word);
	/* Its region may be gone since, or another thread have put it, too. */
	if (SAFERRING_UNLIKELY(SAFERRING_LOAD(tag->word) != free_tag))
		goto slow;
	SAFERRING_STORE(cache->state, state + SAFERRING_CACHE_GET);
	SAFERRING_STORE(tag->word, word);
	buffer->word = word;
	return 0;
slow:
	*buffer = saferring_buffer_get_slow(pool);
	return buffer->word ? 0 : saferring_error_last()->code;
}

/**
 * saferring_buffer_put() - give a buffer back to its pool
 * @pool: the pool it came from
 * @buffer: its handle, which is stale after this, as is every copy of it
 *
 * Any thread may put a buffer, whichever got it. If two threads put the same
 * handle within the same few nanoseconds, both may be told 0; the buffer is
 * handed out once all the same, and the second time that it would have been is
 * reported as a double put.
 *
 * Return: 0, or
 * -ESTALE: the handle is not the current one of a buffer of @pool; the reason
 * is reported, and nothing was changed;
 * -EOWNERDEAD: the pool belongs to the parent process.
 */
SAFERRING_INLINE SAFERRING_MUST_CHECK SAFERRING_NONNULL(1) int
saferring_buffer_put(struct saferring_pool *pool, saferring_buffer buffer)
{
	const struct saferring_pool_fast *fast =
		(const struct saferring_pool_fast *)(const void *)pool;
	struct saferring_tag *tag = saferring_buffer_tag_of(fast, buffer.word);
	struct saferring_cache *cache;
	uint64_t state, count, free_tag;

	if (SAFERRING_UNLIKELY(SAFERRING_LOAD(tag->word) != buffer.word))
		return saferring_buffer_put_slow(pool, buffer);
	cache = saferring_caches[SAFERRING_LOAD(fast->slot)];
	state = cache->state;
	count = (uint16_t)state;
	free_tag = buffer.word + fast->step_free;
	if (SAFERRING_UNLIKELY(count >= cache->room ||
			       free_tag >= fast->limit_free))
		return saferring_buffer_put_slow(pool, buffer);
	SAFERRING_STORE(tag->word, free_tag);
	cache->tag[count] = free_tag;
	SAFERRING_STORE(cache->state, state + 1);
	return 0;
}

/**
 * saferring_buffer_valid() - whether a handle is good
 * @pool: a pool
 * @buffer: a handle, or anything at all
 *
 * Nothing is reported. Any thread may call it.
 *
 * Return: 1 if the caller owns that buffer of @pool, else 0.
 */
SAFERRING_INLINE SAFERRING_MUST_CHECK SAFERRING_NONNULL(1) int
saferring_buffer_valid(const struct saferring_pool *pool,
		       saferring_buffer buffer)
{
	const struct saferring_pool_fast *fast =
		(const struct saferring_pool_fast *)(const void *)pool;
	const struct saferring_tag *tag =
		saferring_buffer_tag_of(fast, buffer.word);

	return SAFERRING_LOAD(tag->word) == buffer.word;
}

/**
 * saferring_buffer_data() - the memory of a buffer
 * @pool: the pool it came from
 * @buffer: its handle
 *
 * The pointer is good until the buffer is submitted or put. The library cannot
 * see who dereferences it later.
 *
 * Any thread may call it.
 *
 * Return: the first byte, or NULL if the handle is stale, which is reported.
 */
SAFERRING_INLINE SAFERRING_MUST_CHECK SAFERRING_NONNULL(1) void *
saferring_buffer_data(struct saferring_pool *pool, saferring_buffer buffer)
{
	const struct saferring_pool_fast *fast =
		(const struct saferring_pool_fast *)(const void *)pool;
	uint64_t offset = buffer.word & fast->mask;

	if (SAFERRING_UNLIKELY(!saferring_buffer_valid(pool, buffer) ||
			       !fast->base))
		return saferring_buffer_data_slow(pool, buffer);
	return fast->base + (offset << fast->shift);
}

/**
 * saferring_buffer_get_wait() - get a buffer, or wait for one
 * @pool: the pool
 * @buffer: out: the handle; after an error SAFERRING_BUFFER_NONE
 * @timeout_ns: how long to wait at most; 0 for not at all, SAFERRING_FOREVER for
 *	as long as it takes
 *
 * Threads that wait sleep, and are served in the order of their coming, before
 * any other get. What lies in the caches of other threads comes to them as soon
 * as those threads use the pool, flush it, or end; a pool whose threads may do
 * none of it for long should have no caches.
 *
 * Any thread may call it, but none that would have to put the buffer itself. It
 * is a cancellation point: see pthread_cancel(3).
 *
 * Return: 0, or
 * -ETIME: no buffer came in time;
 * -ENOBUFS: none is free, and the time is 0;
 * -ESTALE: all regions of the pool were revoked, before or meanwhile;
 * -EOWNERDEAD: the pool belongs to the parent process.
 */
SAFERRING_API SAFERRING_MUST_CHECK int
saferring_buffer_get_wait(struct saferring_pool *pool, saferring_buffer *buffer,
			  uint64_t timeout_ns) SAFERRING_NONNULL(1, 2);

/**
 * saferring_buffer_get_many() - get buffers from a pool
 * @pool: the pool
 * @buffers: out: @count handles, of which as many are set as are returned
 * @count: how many are wanted
 *
 * A call for 32 costs a fraction of 32 calls. Any thread may call it; it never
 * waits.
 *
 * Return: how many were got, which is less than @count only if the pool had no
 * more; or the error of saferring_buffer_get() if it had none at all; or
 * -EINVAL.
 */
SAFERRING_API SAFERRING_MUST_CHECK int
saferring_buffer_get_many(struct saferring_pool *pool,
			  saferring_buffer *buffers, unsigned int count)
	SAFERRING_NONNULL(1, 2) SAFERRING_WRITES(2, 3);

/**
 * saferring_buffer_put_many() - give buffers back to their pool
 * @pool: the pool they came from
 * @buffers: their handles
 * @count: how many
 *
 * They are put in turn, and it stops at the first that is refused.
 *
 * Return: how many were put; if less than @count, the next one is at fault, and
 * the detail and a report say why; or the error of saferring_buffer_put() if it
 * is the first; or -EINVAL.
 */
SAFERRING_API SAFERRING_MUST_CHECK int
saferring_buffer_put_many(struct saferring_pool *pool,
			  const saferring_buffer *buffers, unsigned int count)
	SAFERRING_NONNULL(1, 2);

/**
 * saferring_buffer_range() - the memory of a part of a buffer
 * @pool: the pool it came from
 * @buffer: its handle
 * @start: first byte wanted
 * @length: bytes wanted
 *
 * As saferring_buffer_data(), with bounds. Any thread may call it.
 *
 * Return: byte @start, or NULL if the handle is stale, which is reported, or if
 * not all of the range lies in the buffer.
 */
SAFERRING_API SAFERRING_MUST_CHECK void *
saferring_buffer_range(struct saferring_pool *pool, saferring_buffer buffer,
		       size_t start, size_t length) SAFERRING_NONNULL(1);

/**
 * saferring_buffer_is_none() - whether a handle stands for no buffer
 * @buffer: a handle
 *
 * Return: 1 for SAFERRING_BUFFER_NONE, else 0.
 */
SAFERRING_INLINE int saferring_buffer_is_none(saferring_buffer buffer)
{
	return buffer.word == 0;
}

/**
 * saferring_buffer_index() - the place of a buffer in its pool
 * @pool: the pool it came from
 * @buffer: its handle, stale or not
 *
 * For tables of the program's own that run beside the pool.
 *
 * Return: 0 to the number of buffers less one, and for garbage any number up to
 * the next power of two.
 */
SAFERRING_INLINE SAFERRING_NONNULL(1) size_t
saferring_buffer_index(const struct saferring_pool *pool,
		       saferring_buffer buffer)
{
	const struct saferring_pool_fast *fast =
		(const struct saferring_pool_fast *)(const void *)pool;

	return (size_t)((buffer.word & fast->mask) >> 3);
}

/**
 * saferring_buffer_owner() - who has the buffer that a handle names
 * @pool: the pool it came from
 * @buffer: its handle, stale or not
 *
 * For people who debug: it searches. While other threads use the pool the
 * answer is a moment's.
 *
 * Return: enum saferring_owner.
 */
SAFERRING_API int saferring_buffer_owner(struct saferring_pool *pool,
					 saferring_buffer buffer)
	SAFERRING_NONNULL(1);

SAFERRING_END_DECLS

#endif /* SAFERRING_BUFFER_H */
