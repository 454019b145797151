/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Set: pools from which the fitting one is chosen, by the size that is wanted
 * and by the node of the thread that wants it.
 */
#ifndef SAFERRING_SET_H
#define SAFERRING_SET_H

#include <saferring/api.h>
#include <saferring/buffer.h>
#include <saferring/pool.h>

SAFERRING_BEGIN_DECLS

struct saferring_set;

#define SAFERRING_SET_POOLS_MAX 64

/* Bits for saferring_set_create(). */
#define SAFERRING_SET_LOCAL (1U << 0) /* no pool of another node */
#define SAFERRING_SET_TIGHT (1U << 1) /* no larger size than the smallest fit */

/**
 * saferring_set_create() - choose among pools
 * @pools: the pools, each once, of any sizes and nodes; outliving the set
 * @count: their number, 1 to SAFERRING_SET_POOLS_MAX
 * @flags: SAFERRING_SET_LOCAL, SAFERRING_SET_TIGHT: what not to fall back to
 * @set: out: the set, to be destroyed by saferring_set_destroy()
 *
 * The node of a pool is that of its first region. A pool may be in several sets,
 * and be used besides. Any thread may call it, and any thread may use the set.
 *
 * Return: 0, or
 * -EINVAL: a count out of range, a pool named twice, or unknown flags;
 * -ENOMEM: out of memory;
 * -EOWNERDEAD: a pool belongs to the parent process.
 */
SAFERRING_API int saferring_set_create(struct saferring_pool *const *pools,
				       size_t count, unsigned int flags,
				       struct saferring_set **set)
	SAFERRING_NONNULL(1, 4) SAFERRING_MUST_CHECK;

/**
 * saferring_set_destroy() - dissolve a set
 * @set: the set, or NULL; no other thread may be using it
 *
 * The pools and what was got from them stay.
 */
SAFERRING_API void saferring_set_destroy(struct saferring_set *set);

/**
 * saferring_set_get() - get a buffer that is large enough
 * @set: the set
 * @length: bytes that it has to hold
 * @pool: out: the pool that it came from
 * @buffer: out: the handle
 *
 * Tried are: the smallest size that fits, on the node where the thread runs,
 * then on the others, nearest first; then larger sizes in the same way.
 *
 * Return: 0, or
 * -EMSGSIZE: no pool has buffers so large;
 * -ENOBUFS: none is free in any pool that fits;
 * -EOWNERDEAD: the set belongs to the parent process.
 */
SAFERRING_API SAFERRING_MUST_CHECK int
saferring_set_get(struct saferring_set *set, size_t length,
		  struct saferring_pool **pool, saferring_buffer *buffer)
	SAFERRING_NONNULL(1, 3, 4);

/**
 * saferring_set_pool() - the pool that a handle is of
 * @set: the set
 * @buffer: a handle, stale or not, or anything at all
 *
 * Return: the pool, or NULL if it is of none in the set.
 */
SAFERRING_API struct saferring_pool *
saferring_set_pool(const struct saferring_set *set, saferring_buffer buffer)
	SAFERRING_NONNULL(1);

/**
 * saferring_set_put() - give a buffer back to the pool that it is of
 * @set: the set
 * @buffer: its handle
 *
 * Return: as saferring_buffer_put(); the handle of a pool that is not in the set
 * is refused and reported like one of another pool.
 */
SAFERRING_API SAFERRING_MUST_CHECK int
saferring_set_put(struct saferring_set *set, saferring_buffer buffer)
	SAFERRING_NONNULL(1);

/**
 * struct saferring_set_stats - how well the pools of a set fit
 * @size: in: sizeof(struct saferring_set_stats)
 * @remote: buffers that came from another node than the thread's
 * @larger: buffers that were of a larger size than the smallest that fits
 * @exhausted: gets that found no buffer
 * @too_long: gets that were for more bytes than any buffer has
 */
struct saferring_set_stats {
	size_t size;
	uint64_t remote;
	uint64_t larger;
	uint64_t exhausted;
	uint64_t too_long;
};

/**
 * saferring_set_stats() - how well the pools of a set fit
 * @set: the set
 * @stats: in: its size member; out: the rest
 *
 * Any thread may call it.
 *
 * Return: 0, or -EINVAL for an unknown size.
 */
SAFERRING_API int saferring_set_stats(const struct saferring_set *set,
				      struct saferring_set_stats *stats)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_SET_H */
