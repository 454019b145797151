// SPDX-License-Identifier: GPL-2.0
/*
 * Huge folios of each node that were just given back, for the next region.
 *
 * Most of what it costs to free and allocate a huge folio, besides zeroing it, is
 * to take its 512 struct pages apart and put them together again. A program that
 * resizes its pools does that over and over; here the folio waits a moment for it.
 *
 * A folio stays charged to the memory control group of whoever had it, so only
 * the same group gets it. It waits for about a second, gives way to memory
 * pressure, and never makes an allocation fail. Whether a page of it is broken
 * is seen when it leaves.
 */
#include "compat.h"

#if SRING_HAVE_FOLIO_BACKEND

#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/nodemask.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "safer_ring.h"

#define SRING_CACHE_IDLE	HZ

/**
 * struct sring_cache - the folios of one node
 * @lock: protects the rest
 * @folios: newest first, linked by their lru
 * @nr: number of @folios
 * @put_at: jiffies when the last one came
 */
struct sring_cache {
	spinlock_t lock; /* see above */
	struct list_head folios;
	unsigned long nr;
	unsigned long put_at;
};

static struct sring_cache *sring_caches;
static struct shrinker *sring_cache_shrinker;
static void sring_cache_tidy(struct work_struct *work);
static DECLARE_DELAYED_WORK(sring_cache_work, sring_cache_tidy);

/* Whether @folio is charged to whom a new one would be charged to. */
static bool sring_cache_suits(struct folio *folio)
{
	struct mem_cgroup *charged, *current_memcg;
	bool suits;

	rcu_read_lock();
	charged = folio_memcg(folio);
	current_memcg = mem_cgroup_from_task(current);
	/* The root group, which has no parent, is not charged. */
	suits = charged == current_memcg ||
		(!charged && !parent_mem_cgroup(current_memcg));
	rcu_read_unlock();
	return suits;
}

static struct folio *sring_cache_take(struct sring_cache *cache)
{
	struct folio *folio;

	spin_lock(&cache->lock);
	list_for_each_entry(folio, &cache->folios, lru) {
		if (!sring_cache_suits(folio))
			continue;
		list_del(&folio->lru);
		cache->nr--;
		spin_unlock(&cache->lock);
		return folio;
	}
	spin_unlock(&cache->lock);
	return NULL;
}

/**
 * sring_cache_get - a huge folio, as the page allocator would give it
 * @node: NUMA node
 *
 * Return: a zeroed folio with one reference, or NULL if there is none that suits.
 */
struct folio *sring_cache_get(int node)
{
	struct folio *folio;
	unsigned int i;

	for (;;) {
		folio = sring_cache_take(&sring_caches[node]);
		if (!folio)
			return NULL;
		sring_stat_add(SRING_STAT_CACHE_BYTES, node,
			       -(s64)HPAGE_PMD_SIZE);
		if (!sring_folio_broken(folio))
			break;
		sring_folio_keep(folio);
	}
	/* In one go, as the page allocator does; the caller yields after it. */
	for (i = 0; i < HPAGE_PMD_NR; i++)
		clear_highpage(folio_page(folio, i));
	return folio;
}

/**
 * sring_cache_put - keep a huge folio for the next region
 * @folio: nobody else's; its reference is consumed if it is kept
 *
 * Return: whether it is kept.
 */
bool sring_cache_put(struct folio *folio)
{
	int node = folio_nid(folio);
	struct sring_cache *cache = &sring_caches[node];
	unsigned long max = sring_param_cache_max() / HPAGE_PMD_SIZE;
	bool kept;

	spin_lock(&cache->lock);
	kept = cache->nr < max;
	if (kept) {
		list_add(&folio->lru, &cache->folios);
		cache->nr++;
		cache->put_at = jiffies;
	}
	spin_unlock(&cache->lock);
	if (!kept)
		return false;
	sring_stat_add(SRING_STAT_CACHE_BYTES, node, HPAGE_PMD_SIZE);
	if (!delayed_work_pending(&sring_cache_work))
		queue_delayed_work(sring_queue, &sring_cache_work,
				   SRING_CACHE_IDLE);
	return true;
}

/* Give back up to @max folios, the oldest first. Return: how many. */
static unsigned long sring_cache_trim(int node, unsigned long max)
{
	struct sring_cache *cache = &sring_caches[node];
	struct folio *folio, *next;
	unsigned long nr = 0;
	LIST_HEAD(trimmed);

	spin_lock(&cache->lock);
	while (nr < max && !list_empty(&cache->folios)) {
		list_move(cache->folios.prev, &trimmed);
		nr++;
	}
	cache->nr -= nr;
	spin_unlock(&cache->lock);
	list_for_each_entry_safe(folio, next, &trimmed, lru) {
		list_del(&folio->lru);
		sring_backend_give_back(folio);
	}
	sring_stat_add(SRING_STAT_CACHE_BYTES, node,
		       -(s64)(nr * HPAGE_PMD_SIZE));
	return nr;
}

/**
 * sring_cache_drain - give back everything, on every node
 *
 * Return: whether there was anything.
 */
bool sring_cache_drain(void)
{
	unsigned long nr = 0;
	int node;

	for_each_node(node)
		nr += sring_cache_trim(node, ULONG_MAX);
	return nr;
}

static void sring_cache_tidy(struct work_struct *work)
{
	bool more = false;
	int node;

	for_each_node(node) {
		struct sring_cache *cache = &sring_caches[node];

		if (time_after_eq(jiffies,
				  READ_ONCE(cache->put_at) + SRING_CACHE_IDLE))
			sring_cache_trim(node, ULONG_MAX);
		more |= READ_ONCE(cache->nr);
	}
	if (more)
		queue_delayed_work(sring_queue, &sring_cache_work,
				   SRING_CACHE_IDLE);
}

static unsigned long sring_cache_count(struct shrinker *shrinker,
				       struct shrink_control *sc)
{
	return READ_ONCE(sring_caches[sc->nid].nr) ?: SHRINK_EMPTY;
}

static unsigned long sring_cache_scan(struct shrinker *shrinker,
				      struct shrink_control *sc)
{
	return sring_cache_trim(sc->nid, sc->nr_to_scan) ?: SHRINK_STOP;
}

static int sring_cache_shrinker_init(void)
{
	sring_cache_shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE,
					      "safer_ring");
	if (!sring_cache_shrinker)
		return -ENOMEM;
	sring_cache_shrinker->count_objects = sring_cache_count;
	sring_cache_shrinker->scan_objects = sring_cache_scan;
	shrinker_register(sring_cache_shrinker);
	return 0;
}

/**
 * sring_cache_init - be ready for folios
 *
 * Return: 0 or -ENOMEM.
 */
int sring_cache_init(void)
{
	int node, ret;

	sring_caches = kcalloc(nr_node_ids, sizeof(*sring_caches), GFP_KERNEL);
	if (!sring_caches)
		return -ENOMEM;
	for_each_node(node) {
		spin_lock_init(&sring_caches[node].lock);
		INIT_LIST_HEAD(&sring_caches[node].folios);
	}
	ret = sring_cache_shrinker_init();
	if (ret)
		kfree(sring_caches);
	return ret;
}

/**
 * sring_cache_exit - undo sring_cache_init()
 */
void sring_cache_exit(void)
{
	shrinker_free(sring_cache_shrinker);
	cancel_delayed_work_sync(&sring_cache_work);
	sring_cache_drain();
	kfree(sring_caches);
}

#endif /* SRING_HAVE_FOLIO_BACKEND */
