// SPDX-License-Identifier: GPL-2.0
/*
 * The folio backend: folios from the page allocator behind an anonymous inode
 * of the region's own.
 *
 * The inode is what makes a region revocable: its i_mmap knows every mapping in
 * every process. Its page cache stays empty; a fault takes the folio from the
 * region's array, and the core maps it by PMD where order and alignment allow.
 */
#include "compat.h"

#if SRING_HAVE_FOLIO_BACKEND

#include <linux/anon_inodes.h>
#include <linux/mempolicy.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "safer_ring.h"

const u32 sring_backend = SAFER_RING_BACKEND_FOLIO;
const u64 sring_backend_features = SAFER_RING_FEATURE_HUGE_MAP |
				   SAFER_RING_FEATURE_DMA32 |
				   SAFER_RING_FEATURE_EXACT_PIN;
const u64 sring_backend_orders = BIT_ULL(HPAGE_PMD_ORDER + 1) - 1;
const int sring_backend_refs = 1;

/*
 * The entry is made after this returns. The folio stays locked until then, and
 * sring_backend_revoke() takes every lock once after it has set revoked, so a
 * fault either sees that or has its entry zapped.
 */
static vm_fault_t sring_folio_fault(struct vm_fault *vmf)
{
	struct file *file = vmf->vma->vm_file;
	struct sring_region *region = file->private_data;
	struct folio *folio;
	struct page *page;

	if (vmf->pgoff >= region->length >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	filemap_invalidate_lock_shared(file->f_mapping);
	if (region->revoked) {
		filemap_invalidate_unlock_shared(file->f_mapping);
		return VM_FAULT_SIGBUS;
	}
	folio = region->folios[vmf->pgoff >> region->order];
	page = folio_page(folio, vmf->pgoff & ((1UL << region->order) - 1));
	/* The core would look for its mapping, which is that of page cache. */
	if (PageHWPoison(page)) {
		filemap_invalidate_unlock_shared(file->f_mapping);
		return VM_FAULT_HWPOISON;
	}
	folio_get(folio);
	folio_lock(folio);
	filemap_invalidate_unlock_shared(file->f_mapping);

	vmf->page = page;
	return VM_FAULT_LOCKED;
}

#ifdef CONFIG_NUMA
/*
 * The memory stays where it is, so NUMA balancing has no business here: it leaves
 * alone what has a policy of its own that does not ask for it (MPOL_F_MOF).
 */
static struct mempolicy sring_folio_policy = {
	.refcnt = ATOMIC_INIT(1),
	.mode = MPOL_LOCAL,
};

static struct mempolicy *sring_folio_get_policy(struct vm_area_struct *vma,
						unsigned long address,
						pgoff_t *interleave)
{
	return &sring_folio_policy;
}
#endif

static const struct vm_operations_struct sring_folio_vm_ops = {
	.fault = sring_folio_fault,
#ifdef CONFIG_NUMA
	.get_policy = sring_folio_get_policy,
#endif
};

static const struct file_operations sring_folio_fops = {
	.owner = THIS_MODULE,
	.release = sring_region_file_release,
	.get_unmapped_area = thp_get_unmapped_area,
};

/**
 * sring_backend_mmap - let a VMA of a region's file have its pages
 * @region: held by the caller
 * @vma: checked, its vm_file is the region's
 *
 * Never VM_MIXEDMAP, which breaks the counting of PMD maps.
 *
 * Return: 0.
 */
int sring_backend_mmap(struct sring_region *region, struct vm_area_struct *vma)
{
	vma->vm_ops = &sring_folio_vm_ops;
	return 0;
}

static struct page *sring_folio_page(int node, gfp_t gfp, unsigned int order)
{
	if (node == NUMA_NO_NODE)
		return alloc_pages(gfp, order);
	return alloc_pages_node(node, gfp | __GFP_THISNODE, order);
}

static struct folio *sring_folio_alloc_one(int node, gfp_t gfp,
					   unsigned int order)
{
	struct page *page;

	if (order == HPAGE_PMD_ORDER && node != NUMA_NO_NODE &&
	    !(gfp & GFP_DMA32)) {
		struct folio *folio = sring_cache_get(node);

		if (folio)
			return folio;
	}
	page = sring_folio_page(node, gfp, order);
	/* What waits for a moment must not be missed by anybody. */
	if (!page && sring_cache_drain())
		page = sring_folio_page(node, gfp, order);
	return page ? page_folio(page) : NULL;
}

static int sring_folio_alloc(struct sring_region *region, gfp_t gfp)
{
	unsigned int order = region->order;
	struct folio *folio;
	unsigned long i;

	for (i = 0; i < region->nr_folios; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		folio = sring_folio_alloc_one(region->node, gfp, order);
		if (!folio)
			return -ENOMEM;
		folio->index = i << order;
		region->folios[i] = folio;
		cond_resched();
	}
	region->node = sring_region_node(region);
	return 0;
}

static struct file *sring_folio_file(struct sring_region *region)
{
	struct file *file;

	file = anon_inode_create_getfile("[safer_ring]", &sring_folio_fops,
					 region, O_RDWR, NULL);
	if (IS_ERR(file))
		return file;
	/* The core maps by PMD only what i_size covers. */
	i_size_write(file_inode(file), region->length);
	/* What can only be in ZONE_DMA, if there is one, is not migrated. */
	mapping_set_gfp_mask(file->f_mapping, GFP_KERNEL | GFP_DMA);
	return file;
}

/**
 * sring_backend_populate - give a region its folios and its file
 * @region: has its order, node and length
 * @req: what was asked for
 *
 * Return: 0; or -ENOMEM, -ENFILE or -EINTR, and then some folios may be there.
 */
int sring_backend_populate(struct sring_region *region,
			   const struct sring_request *req)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN |
		    __GFP_RETRY_MAYFAIL | __GFP_HARDWALL;
	struct file *file;
	int ret;

	if (req->dma32)
		gfp |= GFP_DMA32;
	if (region->order)
		gfp |= __GFP_COMP;
	ret = sring_folio_alloc(region, gfp);
	if (ret)
		return ret;
	file = sring_folio_file(region);
	if (IS_ERR(file))
		return PTR_ERR(file);
	sring_region_get(region);
	region->file = file;
	return 0;
}

/**
 * sring_backend_revoke - take a region out of every page table, for good
 * @region: dead, with its file
 */
void sring_backend_revoke(struct sring_region *region)
{
	struct address_space *mapping = region->file->f_mapping;
	unsigned long i;

	filemap_invalidate_lock(mapping);
	region->revoked = true;
	filemap_invalidate_unlock(mapping);
	for (i = 0; i < region->nr_folios; i++) {
		folio_lock(region->folios[i]);
		folio_unlock(region->folios[i]);
		cond_resched();
	}
	unmap_mapping_range(mapping, 0, 0, 1);
}

/**
 * sring_folio_broken - whether the hardware has called any page of it broken
 * @folio: nobody else's
 *
 * Each page is looked at: of folios like ours, which it cannot handle, the kernel
 * does not always mark the whole.
 *
 * Return: whether one is.
 */
bool sring_folio_broken(struct folio *folio)
{
	unsigned long i;

	for (i = 0; i < folio_nr_pages(folio); i++)
		if (PageHWPoison(folio_page(folio, i)))
			return true;
	return false;
}

/**
 * sring_folio_keep - never let anybody have a broken folio again
 * @folio: nobody else's; the reference to it is consumed
 *
 * A single page the page allocator keeps out of use itself. A larger folio it
 * would hand out again, with the broken page in it.
 */
void sring_folio_keep(struct folio *folio)
{
	pr_warn("safer_ring: memory of node %d broke: keeping %zu KiB out of use\n",
		folio_nid(folio), folio_size(folio) / SZ_1K);
	if (!folio_test_large(folio))
		folio_put(folio);
}

/**
 * sring_backend_give_back - give a folio to the page allocator
 * @folio: nobody else's; the reference to it is consumed
 */
void sring_backend_give_back(struct folio *folio)
{
	if (sring_folio_broken(folio))
		sring_folio_keep(folio);
	else
		folio_put(folio);
}

#endif /* SRING_HAVE_FOLIO_BACKEND */
