// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Set: the choice among pools. For each node there is an order of all pools, by
 * size and then by how far they are from that node, which is walked from the
 * first one that fits.
 */
#include <errno.h>
#include <numa.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

/*
 * struct saferring_set - pools to choose among
 * @nodes: number of orders, one for each node
 * @by_id: by id of pool: the pool, or NULL
 * @order: by node: numbers of pools
 * @stats: what was fallen back to
 */
struct saferring_set {
	uint64_t epoch;
	size_t count;
	unsigned int flags;
	unsigned int nodes;
	struct saferring_pool *pool[SAFERRING_SET_POOLS_MAX];
	int node[SAFERRING_SET_POOLS_MAX];
	struct saferring_pool *by_id[SR_IDS];
	uint8_t (*order)[SAFERRING_SET_POOLS_MAX];
	struct saferring_set_stats stats;
};

static int distance(int from, int to)
{
	if (from == to || to < 0)
		return from == to ? 0 : INT_MAX;
	return numa_available() < 0 ? INT_MAX : numa_distance(from, to);
}

/* Whether a pool comes before another one for threads of a node. */
static bool comes_before(const struct saferring_set *set, unsigned int a,
			 unsigned int b, int node)
{
	if (set->pool[a]->buffer_size != set->pool[b]->buffer_size)
		return set->pool[a]->buffer_size < set->pool[b]->buffer_size;
	return distance(node, set->node[a]) < distance(node, set->node[b]);
}

static void make_order(struct saferring_set *set, unsigned int node)
{
	uint8_t *order = set->order[node];
	unsigned int number, place;

	for (number = 0; number < set->count; number++) {
		for (place = number; place > 0; place--) {
			if (!comes_before(set, number, order[place - 1],
					  (int)node))
				break;
			order[place] = order[place - 1];
		}
		order[place] = (uint8_t)number;
	}
}

static int check_pool(const struct saferring_pool *pool, size_t number)
{
	if (!pool)
		return sr_fail_argument("set_create", "pool %zu is NULL",
					number);
	if (sr_forked(pool->epoch))
		return sr_fail_forked("set_create", "pool", pool->name);
	return 0;
}

static int add_pools(struct saferring_set *set,
		     struct saferring_pool *const *pools)
{
	size_t number;
	int error;

	for (number = 0; number < set->count; number++) {
		error = check_pool(pools[number], number);
		if (error)
			return error;
		if (set->by_id[pools[number]->id])
			return sr_fail_argument("set_create",
						"pool %s is named twice",
						pools[number]->name);
		set->by_id[pools[number]->id] = pools[number];
		set->pool[number] = pools[number];
		set->node[number] = pools[number]->region[0]->node;
	}
	set->epoch = pools[0]->epoch;
	return 0;
}

static int make_orders(struct saferring_set *set)
{
	unsigned int node;

	set->nodes = (unsigned int)saferring_node_max() + 1;
	set->order = calloc(set->nodes, sizeof(*set->order));
	if (!set->order)
		return sr_fail_memory("set_create",
				      set->nodes * sizeof(*set->order));
	for (node = 0; node < set->nodes; node++)
		make_order(set, node);
	return 0;
}

static void hold_pools(struct saferring_set *set, unsigned int change)
{
	size_t number;

	sr_registry_lock();
	for (number = 0; number < set->count; number++)
		set->pool[number]->sets += change;
	sr_registry_unlock();
}

int saferring_set_create(struct saferring_pool *const *pools, size_t count,
			 unsigned int flags, struct saferring_set **out)
{
	const unsigned int known = SAFERRING_SET_LOCAL | SAFERRING_SET_TIGHT;
	struct saferring_set *set;
	int error;

	if (!pools || !out || !count || count > SAFERRING_SET_POOLS_MAX ||
	    flags & ~known)
		return sr_fail_argument("set_create",
					"no pools, no place for a set, %zu pools of at most %d, or unknown flags in %#x",
					count, SAFERRING_SET_POOLS_MAX, flags);
	set = calloc(1, sizeof(*set));
	if (!set)
		return sr_fail_memory("set_create", sizeof(*set));
	set->count = count;
	set->flags = flags;
	error = add_pools(set, pools);
	if (!error)
		error = make_orders(set);
	if (error) {
		free(set);
		return error;
	}
	hold_pools(set, 1);
	*out = set;
	return 0;
}

void saferring_set_destroy(struct saferring_set *set)
{
	if (!set)
		return;
	if (!sr_forked(set->epoch))
		hold_pools(set, (unsigned int)-1);
	free(set->order);
	free(set);
}

/* ---- choosing ---- */

/* The thread's cache first, which takes no lock. */
static saferring_buffer try_pool(struct saferring_pool *pool)
{
	const struct saferring_cache *cache = saferring_caches[__atomic_load_n(
		&pool->fast.slot, __ATOMIC_RELAXED)];
	saferring_buffer buffer = SAFERRING_BUFFER_NONE;

	if (saferring_cache_count(cache) &&
	    !saferring_buffer_get(pool, &buffer))
		return buffer;
	return sr_buffer_try(pool);
}

static unsigned int current_node(const struct saferring_set *set)
{
	const int node = set->nodes > 1 ? saferring_node_current() : 0;

	return node >= 0 && (unsigned int)node < set->nodes ?
		       (unsigned int)node :
		       0;
}

static int fail_long(struct saferring_set *set, size_t length)
{
	const unsigned int last = set->order[0][set->count - 1];

	sr_count(&set->stats.too_long);
	return sr_fail(&(struct sr_fault){
			       .code = -EMSGSIZE,
			       .reason = SAFERRING_REASON_BOUNDS,
			       .operation = "set_get",
			       .kind = "set",
			       .cure = "split it, or add a pool of larger buffers",
			       .needed = length,
			       .limit = set->pool[last]->buffer_size,
		       },
		       "%zu bytes, the largest buffers have %zu", length,
		       set->pool[last]->buffer_size);
}

static int fail_exhausted(struct saferring_set *set, size_t length,
			  unsigned int tried)
{
	sr_count(&set->stats.exhausted);
	return sr_fail(&(struct sr_fault){
			       .code = -ENOBUFS,
			       .reason = SAFERRING_REASON_EXHAUSTED,
			       .operation = "set_get",
			       .kind = "set",
			       .cure = "put buffers, or create the pools with more",
			       .needed = length,
		       },
		       "%u pools have buffers of %zu bytes, and none is free",
		       tried, length);
}

int saferring_set_get(struct saferring_set *set, size_t length,
		      struct saferring_pool **pool, saferring_buffer *buffer)
{
	const unsigned int node = current_node(set);
	unsigned int place, tried = 0;
	size_t smallest = 0;

	*buffer = SAFERRING_BUFFER_NONE;
	*pool = NULL;
	if (sr_forked(set->epoch))
		return sr_fail_forked("set_get", "set", NULL);
	for (place = 0; place < set->count; place++) {
		const unsigned int number = set->order[node][place];
		struct saferring_pool *candidate = set->pool[number];
		const bool remote = set->node[number] != (int)node;

		if (candidate->buffer_size < length)
			continue;
		smallest = smallest ? smallest : candidate->buffer_size;
		if ((set->flags & SAFERRING_SET_TIGHT &&
		     candidate->buffer_size > smallest) ||
		    (set->flags & SAFERRING_SET_LOCAL && remote))
			continue;
		tried++;
		*buffer = try_pool(candidate);
		if (saferring_buffer_is_none(*buffer))
			continue;
		*pool = candidate;
		if (SAFERRING_UNLIKELY(remote))
			sr_count(&set->stats.remote);
		if (SAFERRING_UNLIKELY(candidate->buffer_size > smallest))
			sr_count(&set->stats.larger);
		return 0;
	}
	return smallest ? fail_exhausted(set, length, tried) :
			  fail_long(set, length);
}

struct saferring_pool *saferring_set_pool(const struct saferring_set *set,
					  saferring_buffer buffer)
{
	return set->by_id[buffer.word >> SR_ID_SHIFT];
}

int saferring_set_put(struct saferring_set *set, saferring_buffer buffer)
{
	struct saferring_pool *pool = saferring_set_pool(set, buffer);

	if (sr_forked(set->epoch))
		return sr_fail_forked("set_put", "set", NULL);
	if (SAFERRING_UNLIKELY(!pool))
		return sr_misuse(set->pool[0], buffer.word, "buffer_put", NULL);
	return saferring_buffer_put(pool, buffer);
}

int saferring_set_stats(const struct saferring_set *set,
			struct saferring_set_stats *out)
{
	struct saferring_set_stats stats = { 0 };

	if (!set || !out)
		return sr_fail_argument("set_stats",
					"no set, or no place for its stats");
	stats.remote = __atomic_load_n(&set->stats.remote, __ATOMIC_RELAXED);
	stats.larger = __atomic_load_n(&set->stats.larger, __ATOMIC_RELAXED);
	stats.exhausted =
		__atomic_load_n(&set->stats.exhausted, __ATOMIC_RELAXED);
	stats.too_long =
		__atomic_load_n(&set->stats.too_long, __ATOMIC_RELAXED);
	return sr_info_out("set_stats", out, &stats, sizeof(stats));
}
