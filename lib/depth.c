// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Depth: what is checked of a pool besides its handles, each time one of its
 * buffers changes hands. A pool with a depth has no caches and no address that
 * inline code could use, which sends every call through here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define SR_GUARD_MAX 4096U
/* O_DIRECT wants at least this of every file. */
#define SR_BLOCK 512U

static const char *const names[] = {
	[SAFERRING_DEPTH_FAST] = "fast",
	[SAFERRING_DEPTH_FULL] = "full",
	[SAFERRING_DEPTH_TRAP] = "trap",
};

/* What environment and options ask for: enum saferring_depth, or -EINVAL. */
static int depth_wanted(int option)
{
	const char *name = getenv("SAFERRING_CHECK");
	int depth;

	if (option < SAFERRING_DEPTH_DEFAULT || option > SAFERRING_DEPTH_TRAP)
		return sr_fail_argument("pool_create", "%d is no depth",
					option);
	if (!name || !*name)
		return option ? option : SAFERRING_DEPTH_FAST;
	for (depth = SAFERRING_DEPTH_FAST; depth <= SAFERRING_DEPTH_TRAP;
	     depth++)
		if (!strcmp(name, names[depth]))
			return depth;
	return sr_fail(&(struct sr_fault){
			       .code = -EINVAL,
			       .reason = SAFERRING_REASON_ARGUMENT,
			       .operation = "pool_create",
			       .cure = "one of fast, full, trap",
		       },
		       "SAFERRING_CHECK=%s names no depth", name);
}

static struct sr_history *history_of(struct saferring_pool *pool,
				     uint64_t handle)
{
	return &pool->depth->history[sr_word_index(pool, handle)];
}

/* The buffer has come to somebody. */
static void note(struct saferring_pool *pool, uint64_t handle,
		 const char *what)
{
	struct sr_history *history = history_of(pool, handle);

	pthread_mutex_lock(&pool->depth->lock);
	history->before = history->now;
	sr_trace_take(&history->now, what);
	pthread_mutex_unlock(&pool->depth->lock);
}

void sr_depth_describe(struct saferring_pool *pool, uint64_t handle,
		       struct saferring_error *error)
{
	const struct sr_history *history = history_of(pool, handle);

	sr_trace_take(&error->here, "done");
	/* It may be asked for in a handler of a signal. */
	if (!sr_lock_timed(&pool->depth->lock))
		return;
	error->now = history->now;
	error->before = history->before;
	pthread_mutex_unlock(&pool->depth->lock);
}

/* ---- the life of a buffer ---- */

/*
 * Making a buffer accessible or not, and looking whose it is, is one step:
 * another thread may be exposing or hiding the pool.
 */
static void clear(struct saferring_pool *pool, uint64_t handle)
{
	pthread_mutex_lock(&pool->depth->lock);
	sr_trap_clear(pool, handle);
	pthread_mutex_unlock(&pool->depth->lock);
}

static void set(struct saferring_pool *pool, uint64_t handle, const char *what)
{
	pthread_mutex_lock(&pool->depth->lock);
	if (!pool->depth->exposed)
		sr_trap_set(pool, handle, what);
	pthread_mutex_unlock(&pool->depth->lock);
}

void sr_depth_got(struct saferring_pool *pool, uint64_t handle)
{
	clear(pool, handle);
	sr_damage_check_poison(pool, handle);
	sr_damage_check_guard(pool, handle, "buffer_get");
	note(pool, handle, "got");
}

void sr_depth_putting(struct saferring_pool *pool, uint64_t handle,
		      const char *what)
{
	sr_damage_check_guard(pool, handle, "buffer_put");
	note(pool, handle, what);
	pthread_mutex_lock(&pool->depth->lock);
	sr_trap_clear(pool, handle);
	sr_damage_poison(pool, handle);
	if (!pool->depth->exposed)
		sr_trap_set(pool, handle, "free");
	pthread_mutex_unlock(&pool->depth->lock);
}

void sr_depth_looking(struct saferring_pool *pool, uint64_t handle)
{
	sr_damage_check_guard(pool, handle, "buffer_data");
}

/* The kernel would answer -EINVAL, and not say why. */
int sr_check_alignment(struct saferring_pool *pool, const char *operation,
		       int fd, uint64_t address, size_t length,
		       uint64_t offset)
{
	const uint64_t place = offset == UINT64_MAX ? 0 : offset;
	int flags;

	if (fd < 0 || !((address | length | place) % SR_BLOCK))
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || !(flags & O_DIRECT))
		return 0;
	sr_fail(&(struct sr_fault){
			.code = -EINVAL,
			.reason = SAFERRING_REASON_ALIGNMENT,
			.operation = operation,
			.kind = "pool",
			.name = pool->name,
			.cure = "make start, length and offset multiples of the block size",
			.limit = SR_BLOCK,
		},
		"address %#llx, length %zu, offset %llu: O_DIRECT takes blocks of %u",
		(unsigned long long)address, length,
		(unsigned long long)place, SR_BLOCK);
	sr_report(saferring_error_last());
	return -EINVAL;
}

void sr_buffer_leave(struct saferring_pool *pool,
		     const struct sr_leaving *leaving)
{
	sr_damage_check_guard(pool, leaving->handle, leaving->operation);
	note(pool, leaving->handle, "submitted");
	if (leaving->reads)
		sr_damage_sum(pool, leaving->handle);
	if (leaving->shared)
		return;
	/* The kernel goes through the mapping to pages that are not pinned. */
	if (leaving->pinned || pool->depth->trap != SR_TRAP_MPROTECT)
		set(pool, leaving->handle, leaving->what);
}

void sr_buffer_reach(struct saferring_pool *pool, uint64_t handle)
{
	clear(pool, handle);
}

void sr_buffer_return(struct saferring_pool *pool, uint64_t handle)
{
	clear(pool, handle);
	note(pool, handle, "completed");
	sr_damage_check_sum(pool, handle);
	sr_damage_check_guard(pool, handle, "ring_reap");
}

/* ---- the pool ---- */

static bool in_live_region(const struct saferring_pool *pool, size_t index)
{
	return !pool->region_gone[index >> pool->region_bits];
}

/* The next buffer from the number-th on that is not the program's, or 0. */
static uint64_t next_out(const struct saferring_pool *pool, size_t *number)
{
	size_t index;
	uint64_t tag;

	while (*number < pool->count) {
		index = sr_pool_index(pool, (*number)++);
		tag = sr_tag_load(sr_tag_at(pool, index));
		if (tag && (tag & SR_STATE_MASK) != SR_STATE_USER &&
		    in_live_region(pool, index))
			return sr_tag_handle(tag);
	}
	return 0;
}

static void clear_all(struct saferring_pool *pool)
{
	size_t number = 0;
	uint64_t handle;

	while ((handle = next_out(pool, &number)))
		sr_trap_clear(pool, handle);
}

/*
 * What is in flight meanwhile stays accessible, because the kernel may be going
 * through the mapping.
 */
static void hide_free(struct saferring_pool *pool)
{
	size_t number = 0;
	uint64_t handle;

	while ((handle = next_out(pool, &number)))
		if (sr_tag_load(saferring_buffer_tag(&pool->fast, handle)) ==
		    handle + SR_TO_FREE)
			sr_trap_set(pool, handle, "free");
}

void sr_pool_expose(struct saferring_pool *pool)
{
	if (!pool->depth || pool->depth->trap != SR_TRAP_MPROTECT)
		return;
	pthread_mutex_lock(&pool->depth->lock);
	if (!pool->depth->exposed++)
		clear_all(pool);
	pthread_mutex_unlock(&pool->depth->lock);
}

void sr_pool_hide(struct saferring_pool *pool)
{
	if (!pool->depth || pool->depth->trap != SR_TRAP_MPROTECT)
		return;
	pthread_mutex_lock(&pool->depth->lock);
	if (!--pool->depth->exposed)
		hide_free(pool);
	pthread_mutex_unlock(&pool->depth->lock);
}

static void set_guard(struct saferring_pool *pool)
{
	struct sr_depth *depth = pool->depth;
	const size_t gap =
		((size_t)1 << pool->buffer_shift) - pool->buffer_size;

	depth->guard = SR_MIN(gap, SR_GUARD_MAX);
	if (!gap)
		snprintf(depth->reason, sizeof(depth->reason),
			 "a buffer size that is a power of two leaves no gap to look for overruns in");
}

int sr_depth_create(struct saferring_pool *pool, int option)
{
	const size_t indices = (pool->fast.mask >> SR_INDEX_SHIFT) + 1;
	const int wanted = depth_wanted(option);
	struct sr_depth *depth;

	if (wanted <= SAFERRING_DEPTH_FAST)
		return wanted < 0 ? wanted : 0;
	depth = calloc(1, sizeof(*depth));
	if (depth)
		depth->history = calloc(indices, sizeof(*depth->history));
	if (!depth || !depth->history) {
		free(depth);
		return sr_fail_memory("pool_create",
				      indices * sizeof(*depth->history));
	}
	sr_trace_prepare();
	pthread_mutex_init(&depth->lock, NULL);
	depth->depth = wanted;
	pool->depth = depth;
	pool->fast.base = NULL;
	set_guard(pool);
	if (wanted == SAFERRING_DEPTH_TRAP)
		sr_trap_choose(pool);
	return 0;
}

void sr_depth_start(struct saferring_pool *pool, size_t from)
{
	size_t number = from;
	uint64_t handle;

	if (!pool->depth)
		return;
	/* What another process has is left alone. */
	while ((handle = next_out(pool, &number))) {
		if (pool->flags & SAFERRING_POOL_AWAY)
			continue;
		sr_damage_guard(pool, handle);
		sr_damage_poison(pool, handle);
		sr_trap_set(pool, handle, "free");
	}
}

void sr_depth_end(struct saferring_pool *pool)
{
	if (!pool->depth)
		return;
	clear_all(pool);
	sr_trap_forget(pool);
}

void sr_depth_destroy(struct saferring_pool *pool)
{
	if (!pool->depth)
		return;
	pthread_mutex_destroy(&pool->depth->lock);
	free(pool->depth->history);
	free(pool->depth);
	pool->depth = NULL;
}
