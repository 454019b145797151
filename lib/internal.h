/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the objects of the library know of each other.
 *
 * Lifetimes: a device outlives its regions, a region its pool, a pool the rings
 * that were created for it; each counts its users and refuses to go before them.
 *
 * Locks, in the order in which they are taken: the registry's, then a pool's.
 * Neither is held while a report is made, nor on the way of an operation.
 */
#ifndef SAFERRING_INTERNAL_H
#define SAFERRING_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <liburing.h>
#include <linux/safer_ring.h>
#include <saferring.h>
#include "compat.h"

#define SR_NAME_MAX   32
#define SR_REASON_MAX SAFERRING_PROBE_REASON
#define SR_BACKENDS   5
#define SR_HUGE_PAGE  (2UL << 20)
#define SR_CACHE_LINE 64
/* The most that a fixed buffer may have on every kernel that is supported. */
#define SR_FIXED_MAX	    (1UL << 30)
#define SR_FIXED_BUFFERS_MAX 16384

#define SR_ROUND_UP(x, to) (((x) + (to) - 1) / (to) * (to))
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define SR_MIN(a, b)	   ((a) < (b) ? (a) : (b))
#define SR_MAX(a, b)	   ((a) > (b) ? (a) : (b))

/*
 * Cancellation: pthread_cancel(3) takes effect in saferring_buffer_get_wait(),
 * which gives its place up, and in no other function: whatever makes a system
 * call with a lock held, or halfway through a change, begins with
 *
 *	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
 */
#define SR_CLEANUP(function) __attribute__((cleanup(function)))

static inline int sr_cancel_disable(void)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

static inline void sr_cancel_restore(const int *before)
{
	pthread_setcancelstate(*before, NULL);
}

/* ---- error.c ---- */

/**
 * struct sr_fault - what an error is about; the text comes beside it
 * @code: -errno that the function will return
 * @reason: enum saferring_reason
 * @operation: name of the public function without its prefix
 * @kind: "pool", "ring", ... or NULL
 * @name: name of that object, or NULL
 * @cure: what would help, or NULL
 * @needed: figure asked for
 * @limit: figure allowed
 */
struct sr_fault {
	int code;
	int reason;
	const char *operation;
	const char *kind;
	const char *name;
	const char *cure;
	uint64_t needed;
	uint64_t limit;
};

/* Record the detail of a failure. Returns the code, to be handed on. */
int sr_fail(const struct sr_fault *fault, const char *what, ...)
	__attribute__((format(printf, 2, 3), cold));
/* Record an error whose only detail is that memory ran out. */
int sr_fail_memory(const char *operation, size_t bytes)
	__attribute__((cold));
int sr_fail_argument(const char *operation, const char *what, ...)
	__attribute__((format(printf, 2, 3), cold));
/* The object belongs to the parent process. */
int sr_fail_forked(const char *operation, const char *kind, const char *name)
	__attribute__((cold));
/* An error about a ring, without figures; @name and @cure may be NULL. */
int sr_fail_ring(const char *name, int code, int reason, const char *operation,
		 const char *what, const char *cure) __attribute__((cold));
/* The thread's detail, to be completed and reported by the caller. */
struct saferring_error *sr_error_begin(int code, int reason,
				       const char *operation);
/* Hand a detail to the report function. No lock may be held. */
void sr_report(const struct saferring_error *error);
/* Nobody changes the report function in between. For fork(). */
void sr_report_lock(void);
void sr_report_unlock(void);

/* ---- registry.c ---- */

/*
 * The mark of this process: 0 in a child until it has made an object of its
 * own, and a different number then.
 */
extern const uint64_t *sr_epoch_mark;

/* Begin to use the library. Returns the epoch for new objects, or -ENOMEM. */
int sr_epoch_begin(uint64_t *epoch);

static inline bool sr_forked(uint64_t epoch)
{
	return SAFERRING_UNLIKELY(*sr_epoch_mark != epoch);
}

void sr_registry_lock(void);
/* For a signal handler: gives up after a second. */
bool sr_registry_lock_timed(void);
/* Lock, or give up after a second and return false. */
bool sr_lock_timed(pthread_mutex_t *lock);
void sr_registry_unlock(void);
unsigned int sr_next_number(void);
void sr_name(char *to, const char *wanted, const char *kind);

/* ---- timer.c ---- */

/* CLOCK_MONOTONIC, for what has a deadline; see saferring/timer.h for the rest. */
uint64_t sr_now_ns(void);

/* ---- memory.c ---- */

/* Zeroed memory that a child of fork() finds zeroed again. NULL if none. */
void *sr_map_wiped(size_t length);
void sr_unmap(void *address, size_t length);
/* Zeroed memory that begins with a cache line, to be freed. NULL if none. */
void *sr_allocate_lines(size_t length);
size_t sr_page_size(void);
/* A number from a file of /proc or /sys, or @otherwise. */
uint64_t sr_read_number(const char *path, uint64_t otherwise);
/* First line of such a file. Returns 0 or -errno. */
int sr_read_line(const char *path, char *line, size_t length);
/* Bytes that /proc/meminfo calls by that name, or UINT64_MAX. */
uint64_t sr_meminfo(const char *name);
bool sr_memlock_exempt(void);
uint64_t sr_memlock_limit(void);

/*
 * Structures of the public interface begin with their size as the caller knows
 * them. Take options in: what the caller does not have is zero, what this
 * library does not know must be. Returns 0, or -EINVAL with its detail.
 */
int sr_options_in(const char *operation, void *known, size_t known_size,
		  const void *options);
/* Hand a structure out: as much as the caller has room for, zeros behind. */
int sr_info_out(const char *operation, void *out, const void *known,
		size_t known_size);

/* ---- device.c ---- */

struct sr_backend;
struct sr_engine;

/*
 * struct saferring_device - a source of regions
 * @epoch: of the process that opened it
 * @backend: first one tried
 * @forced: no other one may be tried
 * @regions: number of them alive
 * @fd: the module's device, or -1
 * @info: what the module says of itself
 * @control: the module's control area, or NULL
 * @control_length: its bytes
 * @revocations: grows when a generation of this device goes stale: the module's
 *	or @own_revocations
 * @own_revocations: for backends without a module
 * @next_generation: for backends without a module
 * @path: device node of the module
 * @reason: by backend: why it cannot be used, or ""
 */
struct saferring_device {
	uint64_t epoch;
	int backend;
	bool forced;
	unsigned int regions;
	int fd;
	struct safer_ring_info info;
	const struct safer_ring_control *control;
	size_t control_length;
	uint64_t own_revocations;
	uint64_t next_generation;
	char path[PATH_MAX];
	char reason[SR_BACKENDS][SR_REASON_MAX];
};

/* ---- region.c ---- */

/*
 * struct saferring_region - memory
 * @address: first byte
 * @length: bytes
 * @mapped: start of the mapping, guard pages included
 * @mapped_length: its bytes
 * @generation_at: holds @generation as long as the region is live
 * @own_generation: where that is without the module
 * @revoked: the memory is gone, by this library's hand
 * @pool: the pool that uses it, or NULL
 * @rings: number of rings that it was given to for their own memory
 * @extents: what they have, or had, of it
 * @shared: it was exported or imported
 * @account: where it is counted, or NULL
 */
struct saferring_region {
	struct saferring_device *device;
	const struct sr_backend *backend;
	uint64_t epoch;
	unsigned char *address;
	size_t length;
	size_t page_size;
	void *mapped;
	size_t mapped_length;
	int node;
	uint32_t slot;
	uint64_t generation;
	const uint64_t *generation_at;
	uint64_t own_generation;
	bool revoked;
	bool shared;
	struct saferring_pool *pool;
	unsigned int rings;
	struct sr_extent *extents;
	uint64_t *account;
	char name[SR_NAME_MAX];
	char reason[SR_BACKENDS * SR_REASON_MAX];
};

/**
 * struct sr_backend - a kind of memory
 * @kind: enum saferring_backend
 * @probe: whether it can be used; fills the device's reason if not
 * @map: get memory: fills address, length, page_size, node and generation
 * @unmap: give it back; an error has changed nothing
 * @revoke: make it inaccessible and stale; an error has changed nothing
 * @pinned: pages pinned, or -1
 *
 * What @map and @unmap return comes with its detail recorded.
 */
struct sr_backend {
	int kind;
	int (*probe)(struct saferring_device *device);
	int (*map)(struct saferring_region *region,
		   const struct saferring_region_options *options);
	int (*unmap)(struct saferring_region *region, unsigned int flags,
		     unsigned int timeout_ms);
	int (*revoke)(struct saferring_region *region);
	int64_t (*pinned)(const struct saferring_region *region);
};

/* ---- extent.c ---- */

/*
 * struct sr_extent - a part of a region that a ring shares with the kernel
 * @next: behind it
 * @address: first byte
 * @length: bytes, whole pages
 */
struct sr_extent {
	struct sr_extent *next;
	unsigned char *address;
	size_t length;
};

/* A ring may take extents until it lets go. Returns 0, or with its detail. */
int sr_memory_hold(struct saferring_region *region);
void sr_memory_release(struct saferring_region *region);
/* 0, or -EBUSY with its detail as long as a ring may have extents. */
int sr_memory_check(const struct saferring_region *region,
		    const char *operation);
/* Zeroed. NULL if there is no room. */
struct sr_extent *sr_extent_take(struct saferring_region *region,
				 size_t length);
/* The kernel is known to have let go of it. */
void sr_extent_give(struct saferring_region *region, struct sr_extent *extent);
/* Bytes in use, or that were. */
size_t sr_extents_length(const struct saferring_region *region);
/* The region is going. */
void sr_extents_free(struct saferring_region *region);

extern const struct sr_backend sr_backend_module;    /* module.c */
extern const struct sr_backend sr_backend_hugetlb;   /* anonymous.c */
extern const struct sr_backend sr_backend_thp;
extern const struct sr_backend sr_backend_plain;
const struct sr_backend *sr_backend_get(int kind);   /* device.c */

/* module.c: the control area and the device behind it. */
void sr_module_close(struct saferring_device *device);
int sr_module_export(const struct saferring_region *region, int *fd);
/* For a region whose device is the module: fills what map would. */
int sr_module_import(struct saferring_region *region, int fd);

static inline const uint64_t *
sr_device_revocations(const struct saferring_device *device)
{
	const size_t offset = offsetof(struct safer_ring_control, revocations);

	if (!device->control)
		return &device->own_revocations;
	return (const void *)((const unsigned char *)device->control + offset);
}

/*
 * Acquire: what is done with the memory after this must not be seen to happen
 * before it.
 */
static inline bool sr_region_live(const struct saferring_region *region)
{
	return !region->revoked &&
	       __atomic_load_n(region->generation_at, __ATOMIC_ACQUIRE) ==
		       region->generation;
}

/* ---- pool.c, store.c, cache.c, buffer.c ---- */

/*
 * What state a tag is in; see saferring/buffer.h. In state USER it is the
 * handle; in the others it is one index further on.
 */
#define SR_STATE_MASK	    7UL
#define SR_STATE_USER	    1UL
#define SR_STATE_FREE	    2UL
#define SR_STATE_KERNEL	    3UL
#define SR_STATE_QUARANTINE 4UL
#define SR_STATE_GONE	    5UL
#define SR_STATE_RETIRED    6UL
#define SR_STATE_AWAY	    7UL
#define SR_INDEX_SHIFT	    3
#define SR_INDEX_ONE	    (1UL << SR_INDEX_SHIFT)
#define SR_TO_FREE	    (SR_INDEX_ONE + SR_STATE_FREE - SR_STATE_USER)
#define SR_TO_KERNEL	    (SR_INDEX_ONE + SR_STATE_KERNEL - SR_STATE_USER)
_Static_assert(SR_TO_FREE == SAFERRING_TO_FREE, "inline code writes tags, too");

#define SR_ID_SHIFT    56
#define SR_IDS	       256

/* Slot whose cache is always the empty one. */
#define SR_SLOT_NONE (SAFERRING_CACHE_SLOTS - 1)

/*
 * struct saferring_pool - regions cut into buffers
 * @fast: what inline code reads; must come first
 * @depth: what is checked besides handles, or NULL
 * @base: by region: address of its first buffer, less what the offsets of the
 *	buffers before it come to, so that one addition gives an address
 * @region_bits: index >> region_bits is the region
 * @count: number of buffers
 * @count_max: number that it may come to have
 * @first_word: smallest word of this pool
 * @store: tags of free buffers that are in no thread's cache
 * @stored: their number
 * @caches: caches of threads, linked
 * @lock: for @store and @caches
 * @waiters: threads that wait for a buffer, in the order of their coming
 * @waiting: their number
 * @recalled: a get found nothing while caches had buffers, and none has come to
 *	the store since
 * @flags: as it was created with
 * @was_exhausted: nobody has got a buffer since one was told that there is none
 * @slot: its slot of caches; the one in @fast is none while there are waiters, or
 *	buffers are recalled
 * @turns: by index: the last turn of a buffer that was sent or received, or NULL
 * @cache_room: room of a cache, to begin with
 * @cache_min: if that follows the load: never less
 * @cache_max: never more; 0 if it does not
 * @rings: number of rings created for it
 * @sets: number of sets that it is in
 * @regions_max: how many regions it may come to have
 * @region_own: the pool created the region itself
 * @growing: held while a region is created
 * @live_regions: regions that are not known to be gone
 * @words: what has happened in it
 * @counted: @words are in the statistics
 */
struct saferring_pool {
	struct saferring_pool_fast fast;
	struct sr_depth *depth;
	uintptr_t base[SAFERRING_POOL_REGIONS_MAX];
	unsigned int region_bits;
	unsigned int buffer_shift;
	size_t buffer_size;
	size_t count;
	size_t count_max;
	size_t tags_length;
	unsigned int id;
	uint64_t epoch;
	uint64_t first_word;
	pthread_mutex_t lock;
	uint64_t *store;
	size_t stored;
	struct saferring_cache *caches;
	struct sr_waiter *waiters;
	unsigned int waiting;
	bool recalled;
	unsigned int flags;
	bool was_exhausted;
	size_t slot;
	uint64_t *turns;
	unsigned int cache_room;
	unsigned int cache_min;
	unsigned int cache_max;
	unsigned int rings;
	unsigned int sets;
	unsigned int live_regions;
	size_t region_count;
	size_t regions_max;
	bool region_own[SAFERRING_POOL_REGIONS_MAX];
	pthread_mutex_t growing;
	struct saferring_region *region[SAFERRING_POOL_REGIONS_MAX];
	bool region_gone[SAFERRING_POOL_REGIONS_MAX];
	struct sr_pool_words *words;
	bool counted;
	struct saferring_pool *next;
	char name[SR_NAME_MAX];
};

_Static_assert(sizeof(struct saferring_pool_fast) <= SR_CACHE_LINE,
	       "what inline code reads is in one cache line");

static inline uint64_t sr_tag_load(const uint64_t *tag)
{
	return __atomic_load_n(tag, __ATOMIC_RELAXED);
}

static inline void sr_tag_store(uint64_t *tag, uint64_t word)
{
	__atomic_store_n(tag, word, __ATOMIC_RELAXED);
}

/* The handle that a tag belongs to: the last issued, or the next if free. */
static inline uint64_t sr_tag_handle(uint64_t tag)
{
	const uint64_t state = tag & SR_STATE_MASK;

	return state == SR_STATE_USER ?
		       tag :
		       tag - SR_INDEX_ONE - state + SR_STATE_USER;
}

/* The tag of a handle's buffer in a state other than USER. */
static inline uint64_t sr_handle_tag(uint64_t handle, uint64_t state)
{
	return handle - SR_STATE_USER + SR_INDEX_ONE + state;
}

static inline void sr_count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* The index in a handle; of any other word, see sr_tag_handle(). */
static inline size_t sr_word_index(const struct saferring_pool *pool,
				   uint64_t word)
{
	return (word & pool->fast.mask) >> SR_INDEX_SHIFT;
}

/* Whether a handle has no generation after it. */
static inline bool sr_is_last(const struct saferring_pool *pool, uint64_t handle)
{
	return handle + pool->fast.step_free >= pool->fast.limit_free;
}

static inline unsigned char *sr_buffer_address(const struct saferring_pool *pool,
					       uint64_t word)
{
	uint64_t offset = word & pool->fast.mask;

	if (SAFERRING_LIKELY(pool->fast.base))
		return pool->fast.base + (offset << pool->fast.shift);
	return (unsigned char *)(pool->base[(offset >> SR_INDEX_SHIFT) >>
					    pool->region_bits] +
				 (offset << pool->fast.shift));
}

/* The list of pools, under the registry lock; and by id, also without it. */
extern struct saferring_pool *sr_pools;
struct saferring_pool *sr_pool_by_id(unsigned int id);

/* Take a buffer back that its holder gave away by @handle: it becomes free. */
void sr_pool_take_back(struct saferring_pool *pool, uint64_t handle);
/* Note that a region is gone: all its handles go stale. */
void sr_pool_region_gone(struct saferring_pool *pool, size_t number,
			 bool others_are_quiet);
/* Index of the number-th buffer. */
size_t sr_pool_index(const struct saferring_pool *pool, size_t number);

static inline uint64_t *sr_tag_at(const struct saferring_pool *pool,
				  size_t index)
{
	return (uint64_t *)(void *)pool->fast.tags + index;
}

/* Somebody waits for what is in caches, or found nothing. */
static inline bool sr_pool_asked(const struct saferring_pool *pool)
{
	return __atomic_load_n(&pool->waiting, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&pool->recalled, __ATOMIC_RELAXED);
}

/*
 * struct sr_cache_law - how deep a cache is; adapt.h has the law
 * @min: never less
 * @max: never more
 * @now: the figure
 * @events: refills and spills since @since_ns
 * @since_ns: when the window began
 */
struct sr_cache_law {
	uint32_t min;
	uint32_t max;
	uint32_t now;
	uint32_t events;
	uint64_t since_ns;
};

/* A thread's cache: what inline code knows of it, and its law. */
struct sr_cache {
	struct saferring_cache fast;
	struct sr_cache_law law;
};

/* adapt_pool.c; with the pool's lock held */

/* A thread has a cache for the pool, or gives it up. */
void sr_adapt_cache_begin(struct saferring_pool *pool,
			  struct saferring_cache *cache);
void sr_adapt_cache_end(struct saferring_pool *pool,
			struct saferring_cache *cache);
/* A cache was refilled or spilled because it was empty or full. */
void sr_adapt_cache_missed(struct saferring_pool *pool,
			   struct saferring_cache *cache);
/* A cache was spilled because others want what it had. */
void sr_adapt_cache_asked(struct saferring_pool *pool,
			  struct saferring_cache *cache);
/* Without the lock: a get found nothing. */
void sr_adapt_recall(struct saferring_pool *pool);

/* cache.c */
extern struct saferring_cache sr_cache_empty;
/* This thread's cache for a pool, made if need be; NULL if it can have none. */
struct saferring_cache *sr_cache_of_thread(struct saferring_pool *pool);
/*
 * With the pool's lock held: put a free buffer into the store, by its tag. The
 * store has room for each once.
 */
void sr_pool_store(struct saferring_pool *pool, uint64_t tag);
/*
 * Make a free buffer the caller's, by the tag that the store or a cache had of
 * it. Returns its handle, or 0 if it is not free under that tag.
 */
uint64_t sr_pool_claim(struct saferring_pool *pool, uint64_t tag);
static inline void sr_cache_set_count(struct saferring_cache *cache,
				      uint64_t count)
{
	const uint64_t state = saferring_word_get(&cache->state);

	saferring_word_set(&cache->state,
			   (state & ~(uint64_t)SAFERRING_CACHE_GET) | count);
}

/* Gets that it has served since they were last told. */
static inline uint64_t sr_cache_hits(const struct saferring_cache *cache)
{
	return saferring_word_get(&cache->state) >> 16;
}

/* With the pool's lock held: have them counted in the statistics. */
void sr_cache_tell_hits(struct saferring_pool *pool,
			struct saferring_cache *cache);
/* With the pool's lock held: move the top @count buffers to the store. */
void sr_cache_spill(struct saferring_pool *pool, struct saferring_cache *cache,
		    uint64_t count);
/* With the registry's lock held: a pool is going away. */
void sr_cache_detach_all(struct saferring_pool *pool);

/* grow.c: with the registry and the pool locked, or before it is known. */
void sr_pool_fill(struct saferring_pool *pool, size_t from, size_t to);
/* pool.c: with the registry locked: whether regions can come to a pool. */
int sr_pool_check_free(struct saferring_region *const *regions, size_t count,
		       const char *operation);
/* Create a region if it may; false if there is no more. */
bool sr_pool_grow_itself(struct saferring_pool *pool);
void sr_pool_drop_own_regions(struct saferring_region *const *regions,
			      const bool *own, size_t count);

/* buffer.c: as get, but without failing: SAFERRING_BUFFER_NONE if there is none. */
saferring_buffer sr_buffer_try(struct saferring_pool *pool);
/* Make what the store had the caller's. Returns the handle, or 0. */
uint64_t sr_buffer_claim(struct saferring_pool *pool, uint64_t tag);

/* waiter.c: with the pool's lock held: hand what is in the store to them. */
void sr_waiters_serve(struct saferring_pool *pool);
/* The same: have every get and put take the lock, or no longer. */
void sr_waiters_set_slot(struct saferring_pool *pool);
/* Have them look whether there is anything left to wait for. */
void sr_waiters_wake(struct saferring_pool *pool);

/* misuse.c: find out what is wrong with a handle, record and report it. */
int sr_misuse(struct saferring_pool *pool, uint64_t word, const char *operation,
	      struct saferring_ring *ring) __attribute__((cold));
/* Report that a buffer was in a cache or the store twice. */
void sr_event_put_twice(struct saferring_pool *pool, uint64_t handle)
	__attribute__((cold));

/* ---- depth.c, damage.c, trap.c, trace.c ---- */

enum sr_trap { SR_TRAP_NONE, SR_TRAP_MPROTECT, SR_TRAP_ASAN, SR_TRAP_VALGRIND };

/*
 * struct sr_history - what is known of a buffer
 * @now: how it came to who has it
 * @before: how it came to who had it
 * @summed: @sum is that of a buffer that the kernel is to read
 * @sum: of its bytes
 * @block: valgrind's number for it
 */
struct sr_history {
	struct saferring_trace now;
	struct saferring_trace before;
	bool summed;
	uint64_t sum;
	unsigned int block;
};

/*
 * struct sr_depth - what is checked besides handles
 * @depth: enum saferring_depth, FULL or TRAP
 * @trap: how buffers are made inaccessible
 * @guard: bytes of canary behind each
 * @exposed: how many rings are about to have the pages pinned
 * @lock: for @history, @exposed and what is accessible; taken after the pool's
 * @history: by index
 * @reason: what is not to be had of the depth
 */
struct sr_depth {
	int depth;
	enum sr_trap trap;
	size_t guard;
	unsigned int exposed;
	pthread_mutex_t lock;
	struct sr_history *history;
	char reason[SR_REASON_MAX];
};

/*
 * struct sr_leaving - a buffer that goes to the kernel
 * @handle: the handle by which it was the program's
 * @what: what the operation is called, such as "READ"; constant
 * @operation: name of the public function without its prefix
 * @reads: the kernel will read the buffer, and not write to it
 * @pinned: its pages are those of a fixed buffer
 * @shared: the program may look at it meanwhile
 */
struct sr_leaving {
	uint64_t handle;
	const char *what;
	const char *operation;
	bool reads;
	bool pinned;
	bool shared;
};

/* For a pool that has its shape: what environment and @option ask for. */
int sr_depth_create(struct saferring_pool *pool, int option);
void sr_depth_destroy(struct saferring_pool *pool);
/* Buffers are free for the first time, and for the last. */
void sr_depth_start(struct saferring_pool *pool, size_t from);
void sr_depth_end(struct saferring_pool *pool);
/*
 * For a ring: only if the pool has a depth. The first is called when nothing
 * more can fail; the second with the handle that the completion brings, after
 * the tag is changed, unless the region is gone.
 */
void sr_buffer_leave(struct saferring_pool *pool,
		     const struct sr_leaving *leaving);
void sr_buffer_return(struct saferring_pool *pool, uint64_t handle);
/* In between: the library itself is about to touch the buffer. */
void sr_buffer_reach(struct saferring_pool *pool, uint64_t handle);
/* 0, or -EINVAL if O_DIRECT could not work, with its detail. */
int sr_check_alignment(struct saferring_pool *pool, const char *operation,
		       int fd, uint64_t address, size_t length,
		       uint64_t offset);
/* Pages have to be accessible while the kernel pins them. */
void sr_pool_expose(struct saferring_pool *pool);
void sr_pool_hide(struct saferring_pool *pool);
/* The same for the pool itself; @handle is the new one, or the one put. */
void sr_depth_got(struct saferring_pool *pool, uint64_t handle);
void sr_depth_putting(struct saferring_pool *pool, uint64_t handle,
		      const char *what);
void sr_depth_looking(struct saferring_pool *pool, uint64_t handle);
/* Fill the traces of a detail about the buffer of a handle. */
void sr_depth_describe(struct saferring_pool *pool, uint64_t handle,
		       struct saferring_error *error);

/* damage.c: canaries, poison and sums. */
void sr_damage_guard(const struct saferring_pool *pool, uint64_t handle);
void sr_damage_poison(const struct saferring_pool *pool, uint64_t handle);
void sr_damage_check_guard(struct saferring_pool *pool, uint64_t handle,
			   const char *operation);
void sr_damage_check_poison(struct saferring_pool *pool, uint64_t handle);
void sr_damage_sum(struct saferring_pool *pool, uint64_t handle);
void sr_damage_check_sum(struct saferring_pool *pool, uint64_t handle);

/* trap.c: make buffers inaccessible and accessible. */
void sr_trap_choose(struct saferring_pool *pool);
const char *sr_trap_name(enum sr_trap trap);
void sr_trap_set(struct saferring_pool *pool, uint64_t handle,
		 const char *what);
void sr_trap_clear(struct saferring_pool *pool, uint64_t handle);
void sr_trap_forget(const struct saferring_pool *pool);

/* trace.c */
void sr_trace_prepare(void);
void sr_trace_take(struct saferring_trace *trace, const char *what)
	__attribute__((noinline));
int sr_trace_text(const struct saferring_trace *trace, const char *title,
		  char *text, size_t length);

/* misuse.c: who has a buffer, for a detail. */
void sr_describe_buffer(struct saferring_pool *pool, uint64_t handle,
			struct saferring_error *error);

#include "ring.h"

#endif /* SAFERRING_INTERNAL_H */
