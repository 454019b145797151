// SPDX-License-Identifier: GPL-2.0
/*
 * A region: uniform-order folios behind a file.
 */
#include <linux/cpuset.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "safer_ring.h"
#include "trace.h"

/* Between a huge page and a page: fewer bvecs where huge pages are scarce. */
#define SRING_ORDER_FEW	4

static DEFINE_MUTEX(sring_regions_lock);
static LIST_HEAD(sring_regions);
static u64 sring_region_last_id;

static void sring_region_free(struct sring_region *region)
{
	mutex_lock(&sring_regions_lock);
	list_del(&region->all);
	mutex_unlock(&sring_regions_lock);
	if (region->quota)
		sring_quota_put(region->quota);
	kvfree(region->folios);
	kfree(region);
	module_put(THIS_MODULE);
}

/**
 * sring_region_get - take a reference
 * @region: held by the caller, or in a slot whose context's xa_lock is held
 *
 * Return: @region.
 */
struct sring_region *sring_region_get(struct sring_region *region)
{
	refcount_inc(&region->refs);
	return region;
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

static struct sring_region *sring_region_new(u64 length, unsigned int order,
					     int node)
{
	struct sring_region *region;

	region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	if (!region)
		return NULL;
	/* The module stays as long as it has memory to give back. */
	__module_get(THIS_MODULE);
	refcount_set(&region->refs, 1);
	spin_lock_init(&region->lock);
	mutex_init(&region->folios_lock);
	INIT_LIST_HEAD(&region->slots);
	INIT_LIST_HEAD(&region->quarantine);
	region->order = order;
	region->node = node;
	region->length = round_up(length, PAGE_SIZE << order);
	region->nr_folios = region->length >> (PAGE_SHIFT + order);
	region->pid = task_tgid_nr(current);
	mutex_lock(&sring_regions_lock);
	region->id = ++sring_region_last_id;
	list_add_tail(&region->all, &sring_regions);
	mutex_unlock(&sring_regions_lock);
	return region;
}

/* A region that has its room and its charge, but no folio. */
static struct sring_region *sring_region_prepare(u64 length, unsigned int order,
						 int node)
{
	struct sring_region *region = sring_region_new(length, order, node);
	struct sring_quota_user *quota;

	if (!region)
		return ERR_PTR(-ENOMEM);
	quota = sring_quota_charge(region->length);
	if (IS_ERR(quota)) {
		sring_region_put(region);
		return ERR_CAST(quota);
	}
	region->quota = quota;
	region->charged = region->length;
	return region;
}

static void sring_region_uncharge(struct sring_region *region, u64 bytes)
{
	sring_quota_uncharge(region->quota, bytes);
	region->charged -= bytes;
}

/*
 * Undo a prepare and what the backend did before it failed. The pages of a file
 * that goes may linger in the kernel's hands, but nobody has seen one of them.
 */
static void sring_region_abandon(struct sring_region *region)
{
	unsigned long i;

	region->dead = true;
	if (region->file) {
		sring_backend_revoke(region);
		fput(region->file);
	}
	mutex_lock(&region->folios_lock);
	for (i = 0; region->folios && i < region->nr_folios; i++) {
		if (!region->folios[i])
			break;
		sring_backend_give_back(region->folios[i]);
		region->folios[i] = NULL;
	}
	sring_region_uncharge(region, region->charged);
	mutex_unlock(&region->folios_lock);
	sring_region_put(region);
}

static int sring_region_populate(struct sring_region *region,
				 const struct sring_request *req)
{
	struct folio **folios;

	folios = kvcalloc(region->nr_folios, sizeof(*folios),
			  GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!folios)
		return -ENOMEM;
	region->folios = folios;
	return sring_backend_populate(region, req);
}

/**
 * sring_region_count_bytes - count a region's memory where it lies
 * @region: no folio of which comes or goes meanwhile
 * @stat: the counter
 * @sign: 1 or -1
 */
void sring_region_count_bytes(struct sring_region *region, enum sring_stat stat,
			      int sign)
{
	s64 bytes = sign * (s64)(PAGE_SIZE << region->order);
	unsigned long i;

	if (region->node != NUMA_NO_NODE) {
		sring_stat_add(stat, region->node, sign * (s64)region->charged);
		return;
	}
	for (i = 0; i < region->nr_folios; i++)
		if (region->folios[i])
			sring_stat_add(stat, folio_nid(region->folios[i]),
				       bytes);
}

static struct sring_region *sring_region_try(const struct sring_request *req,
					     unsigned int order, int node)
{
	struct sring_region *region;
	int ret;

	region = sring_region_prepare(req->length, order, node);
	if (IS_ERR(region))
		return region;
	ret = sring_region_populate(region, req);
	if (ret) {
		sring_region_abandon(region);
		return ERR_PTR(ret);
	}
	sring_stat_add(SRING_STAT_ALLOCS, region->node, 1);
	sring_stat_add(SRING_STAT_REGIONS, region->node, 1);
	sring_region_count_bytes(region, SRING_STAT_LIVE_BYTES, 1);
	return region;
}

/**
 * sring_order_best - the largest page order that suits a length
 * @length: bytes
 *
 * No larger than the region, for the pages of a small one count as much against
 * RLIMIT_MEMLOCK, once registered, as those of a large one.
 *
 * Return: an order that the backend has.
 */
unsigned int sring_order_best(u64 length)
{
	unsigned int largest = ilog2(sring_backend_orders);

	if (largest >= HPAGE_PMD_ORDER && length >= HPAGE_PMD_SIZE)
		return HPAGE_PMD_ORDER;
	if (largest >= SRING_ORDER_FEW && length >= PAGE_SIZE << SRING_ORDER_FEW)
		return SRING_ORDER_FEW;
	return 0;
}

/*
 * The next order to try below @order, or -1. The steps between that of a huge
 * page, of a few pages and of one page have no merit of their own.
 */
static int sring_order_below(unsigned int order, unsigned int order_min)
{
	static const unsigned int steps[] = { HPAGE_PMD_ORDER, SRING_ORDER_FEW, 0 };
	unsigned int i;

	for (i = 0; order > order_min && i < ARRAY_SIZE(steps); i++)
		if (steps[i] < order)
			return max(steps[i], order_min);
	return -1;
}

/* Whether another order or node may help. */
static bool sring_may_retry(const struct sring_region *region)
{
	switch (PTR_ERR_OR_ZERO(region)) {
	case -ENOMEM:
	case -EDQUOT:
	case -EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

static struct sring_region *sring_region_on_node(const struct sring_request *req,
						 int node)
{
	struct sring_region *region;
	int order = req->order_max;

	do {
		region = sring_region_try(req, order, node);
		order = sring_order_below(order, req->order_min);
	} while (sring_may_retry(region) && order >= 0);
	return region;
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
 * Return: a region with a reference for the caller, who is to put it into a slot
 * or to map it; or ERR_PTR of -ENOMEM, -EDQUOT, -ENFILE, -EINTR, or -EOPNOTSUPP
 * if the backend cannot place memory on the node.
 */
struct sring_region *sring_region_create(const struct sring_request *req)
{
	nodemask_t tried = NODE_MASK_NONE;
	struct sring_region *region;
	int node = req->node;

	for (;;) {
		region = sring_region_on_node(req, node);
		if (!sring_may_retry(region) || req->strict ||
		    req->node == NUMA_NO_NODE)
			return region;
		node_set(node, tried);
		node = sring_node_nearest(req->node, &tried);
		if (node == NUMA_NO_NODE)
			return region;
	}
}

/**
 * sring_region_node - where the memory came to lie
 * @region: populated
 *
 * Return: the node of every folio, or NUMA_NO_NODE if they differ.
 */
int sring_region_node(const struct sring_region *region)
{
	int node = folio_nid(region->folios[0]);
	unsigned long i;

	for (i = 1; i < region->nr_folios; i++)
		if (folio_nid(region->folios[i]) != node)
			return NUMA_NO_NODE;
	return node;
}

/**
 * sring_region_get_file - the backing file, held
 * @region: held by the caller
 *
 * Return: a file to be put, or NULL if the region is dead.
 */
struct file *sring_region_get_file(struct sring_region *region)
{
	struct file *file = NULL;

	spin_lock(&region->lock);
	if (!region->dead)
		file = get_file(region->file);
	spin_unlock(&region->lock);
	return file;
}

/**
 * sring_region_mmap - map a region, or a part of it
 * @region: held by the caller
 * @vma: its vm_pgoff counts from the region's start
 *
 * Not inherited by a child, which has no handles: the kernel's writes would reach
 * it behind their back.
 *
 * Return: 0, -ENXIO if the region is dead, or -EINVAL.
 */
int sring_region_mmap(struct sring_region *region, struct vm_area_struct *vma)
{
	unsigned long pages = region->length >> PAGE_SHIFT;
	struct file *file;
	int ret;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff > pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	file = sring_region_get_file(region);
	if (!file)
		return -ENXIO;
	sring_vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY, 0);
	vma_set_file(vma, file);
	ret = sring_backend_mmap(region, vma);
	fput(file);
	return ret;
}

/* Give back a dead region's memory, or quarantine it. */
static u64 sring_region_bury(struct sring_region *region)
{
	sring_stat_add(SRING_STAT_REGIONS, region->node, -1);
	sring_region_count_bytes(region, SRING_STAT_LIVE_BYTES, -1);
	sring_stat_add(SRING_STAT_FREES, region->node, 1);
	trace_safer_ring_free(region);
	return sring_quarantine_add(region);
}

/* Return: whether it was not dead yet. */
static bool sring_region_kill(struct sring_region *region)
{
	bool was_dead;

	spin_lock(&region->lock);
	was_dead = region->dead;
	region->dead = true;
	spin_unlock(&region->lock);
	return !was_dead;
}

/**
 * sring_region_retire - take a region's memory away from everybody
 * @region: held by the caller; its owner's slot is gone, or never was
 *
 * Importers see their generations change first. After this no page table has an
 * entry for the region and none can get one; what the kernel or a device still
 * holds stays in quarantine.
 *
 * Return: bytes that went into quarantine.
 */
u64 sring_region_retire(struct sring_region *region)
{
	struct file *file = region->file;
	u64 left;

	sring_region_kill(region);
	sring_slots_revoke(region);
	sring_backend_revoke(region);
	left = sring_region_bury(region);
	fput(file);
	return left;
}

/**
 * sring_region_file_release - the last mapping is gone, and so is the slot
 * @inode: the file's
 * @file: the backing file
 *
 * A region that never had a slot ends here.
 *
 * Return: 0.
 */
int sring_region_file_release(struct inode *inode, struct file *file)
{
	struct sring_region *region = file->private_data;

	if (sring_region_kill(region))
		sring_region_bury(region);
	sring_region_put(region);
	return 0;
}

/**
 * sring_region_count - count the folios that are in use
 * @region: held by the caller
 * @counts: to be filled
 */
void sring_region_count(struct sring_region *region,
			struct sring_folio_counts *counts)
{
	int idle = READ_ONCE(region->dead) ? 1 : sring_backend_refs;
	unsigned long i;

	*counts = (struct sring_folio_counts){};
	mutex_lock(&region->folios_lock);
	for (i = 0; region->folios && i < region->nr_folios; i++) {
		struct folio *folio = region->folios[i];

		if (!folio)
			continue;
		counts->pinned += folio_maybe_dma_pinned(folio);
		counts->busy += folio_ref_count(folio) > idle;
	}
	mutex_unlock(&region->folios_lock);
}

/**
 * sring_region_pinned - whether the kernel or a device may touch a region
 * @region: held by the caller
 *
 * Return: whether any of its folios is pinned, or a device is attached.
 */
bool sring_region_pinned(struct sring_region *region)
{
	bool pinned = atomic_read(&region->attachments);
	unsigned long i;

	mutex_lock(&region->folios_lock);
	for (i = 0; !pinned && i < region->nr_folios; i++)
		pinned = region->folios[i] &&
			 folio_maybe_dma_pinned(region->folios[i]);
	mutex_unlock(&region->folios_lock);
	return pinned;
}

/*
 * A reference is taken by GUP only while the count is not zero, so a freeze at
 * one proves that the folio is ours alone; and no page table leads to it, so it
 * stays so.
 */
static bool sring_folio_is_free(struct folio *folio)
{
	if (!folio_ref_freeze(folio, 1))
		return false;
	folio_ref_unfreeze(folio, 1);
	return true;
}

/*
 * A broken page, to which the kernel may hold a reference for good: nobody gets it
 * when the last one is gone, so there is no need to wait for that.
 */
static bool sring_folio_is_lost(struct folio *folio)
{
	return !folio_test_large(folio) && PageHWPoison(folio_page(folio, 0));
}

/**
 * sring_region_reap - give back every folio that nobody else holds
 * @region: dead, and in no page table
 *
 * What comes out of the quarantine is counted as that.
 *
 * Return: bytes that are left.
 */
u64 sring_region_reap(struct sring_region *region)
{
	bool in_quarantine = !list_empty(&region->quarantine);
	s64 bytes = PAGE_SIZE << region->order;
	u64 given_back = 0, left;
	unsigned long i;

	if (atomic_read(&region->attachments))
		return region->charged;
	mutex_lock(&region->folios_lock);
	for (i = 0; i < region->nr_folios; i++) {
		struct folio *folio = region->folios[i];

		if (!folio || !(sring_folio_is_free(folio) ||
				sring_folio_is_lost(folio)))
			continue;
		region->folios[i] = NULL;
		if (in_quarantine)
			sring_stat_add(SRING_STAT_QUARANTINE_BYTES,
				       folio_nid(folio), -bytes);
		if (region->order != HPAGE_PMD_ORDER || !sring_cache_put(folio))
			sring_backend_give_back(folio);
		given_back += bytes;
		cond_resched();
	}
	sring_region_uncharge(region, given_back);
	left = region->charged;
	mutex_unlock(&region->folios_lock);
	return left;
}

/**
 * sring_region_show - describe a region on the rest of a line
 * @region: held by the caller
 * @seq: where to
 */
void sring_region_show(struct sring_region *region, struct seq_file *seq)
{
	seq_printf(seq, "region=%llu length=%llu node=%d order=%u folios=%lu\n",
		   region->id, region->length, region->node, region->order,
		   region->nr_folios);
}

/**
 * sring_region_for_each - do something with every region, quarantine included
 * @fn: does it; the region stays at least until it returns
 * @arg: for @fn
 */
void sring_region_for_each(void (*fn)(struct sring_region *region, void *arg),
			   void *arg)
{
	struct sring_region *region;

	mutex_lock(&sring_regions_lock);
	list_for_each_entry(region, &sring_regions, all)
		fn(region, arg);
	mutex_unlock(&sring_regions_lock);
}
