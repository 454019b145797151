// SPDX-License-Identifier: GPL-2.0
/*
 * A region: uniform-order folios of one node behind a file.
 */
#include <linux/cpuset.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "safer_ring.h"
#include "trace.h"

static void sring_region_free(struct sring_region *region)
{
	if (region->quota)
		sring_quota_put(region->quota);
	kvfree(region->folios);
	kfree(region);
	module_put(THIS_MODULE);
}

/**
 * sring_region_put - drop a reference
 * @region: the memory of which has been given back if this is the last one
 */
void sring_region_put(struct sring_region *region)
{
	if (refcount_dec_and_test(&region->refs))
		sring_region_free(region);
}

/* A region that has its room and its charge, but no folio. */
static struct sring_region *sring_region_prepare(u64 length, unsigned int order,
						 int node)
{
	struct sring_region *region;
	struct sring_quota_user *quota;
	int ret = -ENOMEM;

	region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	if (!region)
		return ERR_PTR(-ENOMEM);
	/* The module stays as long as it has memory to give back. */
	__module_get(THIS_MODULE);
	refcount_set(&region->refs, 1);
	INIT_LIST_HEAD(&region->quarantine);
	region->order = order;
	region->node = node;
	region->length = round_up(length, PAGE_SIZE << order);
	region->nr_folios = region->length >> (PAGE_SHIFT + order);
	region->folios = kvcalloc(region->nr_folios, sizeof(*region->folios),
				  GFP_KERNEL_ACCOUNT);
	if (!region->folios)
		goto err_free;
	quota = sring_quota_charge(region->length);
	if (IS_ERR(quota)) {
		ret = PTR_ERR(quota);
		goto err_free;
	}
	region->quota = quota;
	region->charged = region->length;
	return region;

err_free:
	sring_region_free(region);
	return ERR_PTR(ret);
}

/*
 * Undo a prepare and what the backend did before it failed. The pages of a file
 * that is gone may linger in somebody's hands, but none of them was seen.
 */
static void sring_region_abandon(struct sring_region *region)
{
	unsigned long i;

	for (i = 0; i < region->nr_folios && region->folios[i]; i++)
		folio_put(region->folios[i]);
	sring_quota_uncharge(region->quota, region->charged);
	sring_region_put(region);
}

static struct sring_region *sring_region_try(const struct sring_request *req,
					     unsigned int order, int node)
{
	struct sring_region *region;
	int ret;

	region = sring_region_prepare(req->length, order, node);
	if (IS_ERR(region))
		return region;
	ret = sring_backend_populate(region, req->dma32);
	if (ret) {
		sring_region_abandon(region);
		return ERR_PTR(ret);
	}
	sring_stat_add(SRING_STAT_ALLOCS, 1);
	sring_stat_add(SRING_STAT_REGIONS, 1);
	sring_stat_add(SRING_STAT_LIVE_BYTES, region->length);
	return region;
}

/*
 * The next order to try below @order: the steps between that of a huge page, of
 * a few pages and of one page have no merit of their own.
 */
static int sring_order_below(unsigned int order, unsigned int order_min)
{
	static const unsigned int steps[] = { HPAGE_PMD_ORDER, 4, 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i] < order)
			return max(steps[i], order_min);
	return -1;
}

/* Whether another order or node may help. */
static bool sring_may_retry(const struct sring_region *region)
{
	return region == ERR_PTR(-ENOMEM) || region == ERR_PTR(-EDQUOT);
}

static struct sring_region *sring_region_on_node(const struct sring_request *req,
						 int node)
{
	struct sring_region *region;
	int order = req->order_max;

	for (;;) {
		region = sring_region_try(req, order, node);
		if (!sring_may_retry(region) || order == req->order_min)
			return region;
		order = sring_order_below(order, req->order_min);
	}
}

/* The nearest node to @from that has memory, is allowed and not @tried yet. */
static int sring_node_nearest(int from, const nodemask_t *tried)
{
	int node, nearest = NUMA_NO_NODE;

	for_each_node_state(node, N_MEMORY) {
		if (node_isset(node, *tried) ||
		    !node_isset(node, cpuset_current_mems_allowed))
			continue;
		if (nearest == NUMA_NO_NODE ||
		    node_distance(from, node) < node_distance(from, nearest))
			nearest = node;
	}
	return nearest;
}

/**
 * sring_region_create - allocate a region
 * @req: what is wanted
 *
 * A region lies on one node whole. A node is tried at every order before the
 * next one: to be near matters more to I/O than to be mapped in large pages.
 *
 * Return: a region with one reference, for its slot; or ERR_PTR of -ENOMEM,
 * -EDQUOT, -ENFILE, -EINTR, or -EOPNOTSUPP if the backend cannot place memory
 * on the node.
 */
struct sring_region *sring_region_create(const struct sring_request *req)
{
	nodemask_t tried = NODE_MASK_NONE;
	struct sring_region *region;
	int node = req->node;

	do {
		region = sring_region_on_node(req, node);
		node_set(node, tried);
		if (!sring_may_retry(region) || req->strict)
			break;
		node = sring_node_nearest(req->node, &tried);
	} while (node != NUMA_NO_NODE);
	return region;
}

/**
 * sring_region_retire - take a region's memory away from everybody
 * @region: no longer in any slot; the slot's reference is consumed
 *
 * After this no page table has an entry for it and none can get one. What the
 * kernel or a device still holds stays in quarantine.
 *
 * Return: bytes that went into quarantine.
 */
u64 sring_region_retire(struct sring_region *region)
{
	struct file *file = region->file;
	u64 left;

	sring_backend_revoke(region);
	sring_stat_add(SRING_STAT_REGIONS, -1);
	sring_stat_add(SRING_STAT_LIVE_BYTES, -(s64)region->length);
	sring_stat_add(SRING_STAT_FREES, 1);
	trace_safer_ring_free(region);
	left = sring_quarantine_add(region);
	fput(file);
	return left;
}

/**
 * sring_region_count - count the folios that are in use
 * @region: live, and held by the caller
 * @counts: to be filled
 */
void sring_region_count(struct sring_region *region,
			struct sring_folio_counts *counts)
{
	unsigned long i;

	*counts = (struct sring_folio_counts){};
	for (i = 0; i < region->nr_folios; i++) {
		struct folio *folio = region->folios[i];

		counts->pinned += folio_maybe_dma_pinned(folio);
		counts->busy += folio_ref_count(folio) > sring_backend_refs;
	}
}

/**
 * sring_region_pinned - whether any folio is pinned for I/O
 * @region: live, and held by the caller
 */
bool sring_region_pinned(struct sring_region *region)
{
	unsigned long i;

	for (i = 0; i < region->nr_folios; i++)
		if (folio_maybe_dma_pinned(region->folios[i]))
			return true;
	return false;
}

/**
 * sring_region_reap - give back every folio that nobody else holds
 * @region: revoked
 *
 * A reference taken by GUP must find the count frozen or fail, so a successful
 * freeze at one proves that the folio is ours alone, and that no page table
 * leads to it any more keeps it so.
 *
 * Return: bytes that are left.
 */
u64 sring_region_reap(struct sring_region *region)
{
	u64 given = 0;
	unsigned long i;

	for (i = 0; i < region->nr_folios; i++) {
		struct folio *folio = region->folios[i];

		if (!folio || !folio_ref_freeze(folio, 1))
			continue;
		folio_ref_unfreeze(folio, 1);
		region->folios[i] = NULL;
		folio_put(folio);
		given += PAGE_SIZE << region->order;
		cond_resched();
	}
	sring_quota_uncharge(region->quota, given);
	region->charged -= given;
	return region->charged;
}
