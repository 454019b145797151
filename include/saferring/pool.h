/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Pool: regions cut into buffers of one size. The buffers themselves are dealt
 * with in saferring/buffer.h.
 */
#ifndef SAFERRING_POOL_H
#define SAFERRING_POOL_H

#include <saferring/api.h>

SAFERRING_BEGIN_DECLS

struct saferring_region;
struct saferring_pool;

/* Limits of one process and of one pool. */
#define SAFERRING_POOLS_MAX	   254
#define SAFERRING_POOL_BUFFERS_MAX (1U << 22)
#define SAFERRING_POOL_REGIONS_MAX 64
#define SAFERRING_BUFFER_SIZE_MIN  512U
#define SAFERRING_BUFFER_SIZE_MAX  (1U << 30)
#define SAFERRING_CACHE_MAX	   448

/**
 * enum saferring_depth - how much is checked
 * @SAFERRING_DEPTH_DEFAULT: FAST
 * @SAFERRING_DEPTH_FAST: handles
 * @SAFERRING_DEPTH_FULL: also what is written behind a buffer, where there is a
 *	gap; what is written to one that is free, or while the kernel reads it;
 *	alignment for O_DIRECT; and reports have the backtraces of the present
 *	and the previous owner
 * @SAFERRING_DEPTH_TRAP: also, buffers that are free or in flight are made
 *	inaccessible, so that a wrong dereference faults where it stands, with a
 *	report. By the address sanitizer or valgrind if the program runs under
 *	one of them, by mprotect() else
 *
 * The depths FULL and TRAP are for finding mistakes: getting and putting takes a
 * lock and looks at every byte.
 */
enum saferring_depth {
	SAFERRING_DEPTH_DEFAULT = 0,
	SAFERRING_DEPTH_FAST = 1,
	SAFERRING_DEPTH_FULL = 2,
	SAFERRING_DEPTH_TRAP = 3,
};

/* Bits for struct saferring_pool_options, flags. */
#define SAFERRING_POOL_CLEAR_GET      (1U << 0) /* get brings zeros */
#define SAFERRING_POOL_CLEAR_PUT      (1U << 1) /* put leaves zeros */
#define SAFERRING_POOL_TELL_EXHAUSTED (1U << 2) /* report that it is empty */
#define SAFERRING_POOL_AWAY	      (1U << 3) /* another process has all */
#define SAFERRING_POOL_GROW	      (1U << 4) /* get regions when empty */

/**
 * struct saferring_pool_options - how regions are cut into buffers
 * @size: sizeof(struct saferring_pool_options)
 * @buffer_size: bytes of a buffer, SAFERRING_BUFFER_SIZE_MIN to _MAX. Buffers
 *	lie at a distance of the next power of two, so sizes other than powers
 *	of two waste memory
 * @count: number of buffers, or 0 for as many as fit in the regions
 * @cache: how many free buffers a thread may keep to itself, at most
 *	SAFERRING_CACHE_MAX; 0 for a quarter of the buffers, at most 128; -1 for
 *	none: every get and put then takes the pool's lock
 * @name: for reports and lists; copied, cut to 31 bytes; NULL for "pool N"
 * @depth: enum saferring_depth. The environment variable SAFERRING_CHECK, set to
 *	fast, full or trap, overrides it
 * @flags: SAFERRING_POOL_CLEAR_GET, _CLEAR_PUT: buffers are cleared, so that
 *	nobody sees what another has left there; such a pool has no caches.
 *	_TELL_EXHAUSTED: the first get that finds no buffer, since the last one
 *	that was got by way of the lock, is reported as an event. _AWAY: on an
 *	imported region: no buffer is free, all are to be received; see
 *	saferring_buffer_receive(). _GROW: instead of being exhausted the pool
 *	creates a further region, like its first one, up to @regions_max; those
 *	go with the pool
 * @regions_max: how many regions the pool may come to have by growing, at most
 *	SAFERRING_POOL_REGIONS_MAX; 0 for no more than it begins with. A pool that
 *	may grow takes whole regions, so @count must be 0
 * @cache_min: if @cache_max is not 0: no thread's cache becomes less deep, in
 *	buffers; 0 for 1
 * @cache_max: how deep a thread's cache may become, at most
 *	SAFERRING_CACHE_MAX; 0 to have all caches keep the depth @cache. Else
 *	each follows the load of its thread, beginning with @cache, and a get
 *	that finds nothing recalls what lies in other caches. See
 *	saferring_adaptation(7)
 */
struct saferring_pool_options {
	size_t size;
	size_t buffer_size;
	size_t count;
	int cache;
	const char *name;
	int depth;
	unsigned int flags;
	size_t regions_max;
	unsigned int cache_min;
	unsigned int cache_max;
};

/**
 * saferring_pool_create() - cut regions into buffers
 * @regions: the regions, all of one length, in no other pool, and outliving it
 * @count: number of regions, 1 to SAFERRING_POOL_REGIONS_MAX
 * @options: how; not NULL, because the buffer size has no default
 * @pool: out: the pool, to be destroyed by saferring_pool_destroy()
 *
 * Any thread may call it, and any thread may use the pool. Each thread keeps
 * some free buffers for itself, so that get and put take no lock as a rule; the
 * first 63 pools of a process have such caches, the others always take the lock.
 *
 * Generations: a buffer can change hands 2^(53 - b) times, where b is the number
 * of bits of the largest index, and then it is retired instead of starting
 * over, so that no handle is ever issued twice in the life of the process. A
 * pool of 1024 buffers thus lasts for 9 * 10^15 changes in all, and each of
 * its buffers for 50 days at a million operations a second on it alone.
 *
 * Return: 0, or
 * -EINVAL: sizes or counts out of range, regions of unequal length, or the
 * buffers do not fit;
 * -EBUSY: a region is in another pool;
 * -ESTALE: a region was revoked;
 * -ENFILE: the process has SAFERRING_POOLS_MAX pools;
 * -ENOMEM: out of memory;
 * -EOWNERDEAD: a region belongs to the parent process.
 */
SAFERRING_API int
saferring_pool_create(struct saferring_region *const *regions, size_t count,
		      const struct saferring_pool_options *options,
		      struct saferring_pool **pool)
	SAFERRING_NONNULL(1, 3, 4) SAFERRING_MUST_CHECK;

/**
 * saferring_pool_grow() - add a region to a pool
 * @pool: the pool, created with room for it in regions_max
 * @region: the region, of the same device and length as the pool's others, in no
 *	other pool, and outliving it
 *
 * Rings that exist already do I/O on its buffers without fixed buffers; those
 * that are created later register it. Any thread may call it, while others use
 * the pool.
 *
 * Return: 0, or
 * -EINVAL: another device or length;
 * -ENOSPC: the pool has all the regions that it may have;
 * -EBUSY: the region is in a pool;
 * -ESTALE: the region was revoked;
 * -EOWNERDEAD: it belongs to the parent process.
 */
SAFERRING_API int saferring_pool_grow(struct saferring_pool *pool,
				      struct saferring_region *region)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_pool_destroy() - dissolve a pool
 * @pool: the pool, or NULL; no other thread may be using it
 *
 * All its buffers must be back: neither held, nor in flight, nor quarantined.
 * Quarantined ones whose I/O has ended since are taken back first. Buffers of a
 * revoked region need not be put.
 *
 * Return: 0, or
 * -EBUSY: buffers are out, or a ring uses the pool; the detail says how many and
 * with whom; nothing was changed;
 * -EOWNERDEAD: it belongs to the parent process.
 */
SAFERRING_API int saferring_pool_destroy(struct saferring_pool *pool);

/**
 * struct saferring_pool_stats - where the buffers of a pool are, and its events
 * @size: in: sizeof(struct saferring_pool_stats)
 * @buffers: buffers in all
 * @buffer_size: bytes of one
 * @available: free, in the shared store or in the caches of threads
 * @cached: those of @available that are in caches of threads
 * @held: owned by the program
 * @in_flight: owned by the kernel
 * @quarantined: owned by operations of destroyed rings
 * @gone: without memory, because their region was revoked
 * @retired: out of generations
 * @transfers: how often buffers have changed hands: puts plus completions
 * @exhausted: gets that found no buffer
 * @misuses: stale handles that were refused
 * @waits: how often a thread waited for a buffer
 * @waiting: threads that do so now
 * @away: buffers that were sent to another process
 * @regions: regions of the pool
 * @caches: caches of threads
 * @cache_room: how many free buffers these have room for together
 * @hits: gets that the caches of threads have served
 * @misses: all other gets, also those that found no buffer
 */
struct saferring_pool_stats {
	size_t size;
	uint64_t buffers;
	uint64_t buffer_size;
	uint64_t available;
	uint64_t cached;
	uint64_t held;
	uint64_t in_flight;
	uint64_t quarantined;
	uint64_t gone;
	uint64_t retired;
	uint64_t transfers;
	uint64_t exhausted;
	uint64_t misuses;
	uint64_t waits;
	uint64_t waiting;
	uint64_t away;
	uint64_t regions;
	uint64_t caches;
	uint64_t cache_room;
	uint64_t hits;
	uint64_t misses;
};

/**
 * saferring_pool_stats() - count the buffers of a pool
 * @pool: the pool
 * @stats: in: its size member; out: the rest
 *
 * It looks at every buffer: not for the hot path. Any thread may call it; while
 * others use the pool the figures are a moment's, and not of the same moment.
 *
 * Return: 0, -EINVAL for an unknown size, or -EOWNERDEAD.
 */
SAFERRING_API int saferring_pool_stats(struct saferring_pool *pool,
				       struct saferring_pool_stats *stats)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * struct saferring_pool_info - what a pool is
 * @size: in: sizeof(struct saferring_pool_info)
 * @name: its name, valid as long as the pool
 * @buffers: number of buffers
 * @buffer_size: bytes of one
 * @distance: bytes from one to the next
 * @guarded: bytes behind each buffer that are looked at for overruns, at depth
 *	FULL and TRAP
 * @depth: enum saferring_depth
 * @trap: how buffers are made inaccessible: "mprotect", "asan", "valgrind", or
 *	"" if they are not
 * @reason: what of the depth is not to be had and why, one line, valid as long
 *	as the pool; or ""
 */
struct saferring_pool_info {
	size_t size;
	const char *name;
	uint64_t buffers;
	uint64_t buffer_size;
	uint64_t distance;
	uint64_t guarded;
	int depth;
	const char *trap;
	const char *reason;
};

/**
 * saferring_pool_info() - look at a pool
 * @pool: the pool
 * @info: in: its size member; out: the rest
 *
 * Any thread may call it.
 *
 * Return: 0, or -EINVAL: info->size is none this library knows.
 */
SAFERRING_API int saferring_pool_info(const struct saferring_pool *pool,
				      struct saferring_pool_info *info)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_pool_flush() - share this thread's free buffers with the others
 * @pool: the pool
 *
 * For a thread that will not use @pool for a while. A thread that ends does it
 * by itself.
 */
SAFERRING_API void saferring_pool_flush(struct saferring_pool *pool)
	SAFERRING_NONNULL(1);

/**
 * saferring_pool_name() - the name of a pool
 * @pool: the pool
 *
 * Return: its name, valid as long as it.
 */
SAFERRING_API const char *
saferring_pool_name(const struct saferring_pool *pool) SAFERRING_NONNULL(1);

SAFERRING_END_DECLS

#endif /* SAFERRING_POOL_H */
