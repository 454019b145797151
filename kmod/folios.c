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
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "safer_ring.h"

const u32 sring_backend = SAFER_RING_BACKEND_FOLIO;
const u64 sring_backend_features = SAFER_RING_FEATURE_HUGE_MAP |
				   SAFER_RING_FEATURE_DMA32 |
				   SAFER_RING_FEATURE_EXACT_PIN;
const u64 sring_backend_orders = BIT_ULL(HPAGE_PMD_ORDER + 1) - 1;
const int sring_backend_refs = 1;

/*
 * The entry is made after this returns. The folio stays locked until then, and
 * sring_backend_revoke() takes every lock once after it has set dead, so a fault
 * either sees dead or has its entry zapped.
 */
static vm_fault_t sring_folio_fault(struct vm_fault *vmf)
{
	struct file *file = vmf->vma->vm_file;
	struct sring_region *region = file->private_data;
	struct folio *folio;
	pgoff_t within;

	if (vmf->pgoff >= region->length >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	filemap_invalidate_lock_shared(file->f_mapping);
	if (region->dead) {
		filemap_invalidate_unlock_shared(file->f_mapping);
		return VM_FAULT_SIGBUS;
	}
	folio = region->folios[vmf->pgoff >> region->order];
	folio_get(folio);
	folio_lock(folio);
	filemap_invalidate_unlock_shared(file->f_mapping);

	within = vmf->pgoff & ((1UL << region->order) - 1);
	vmf->page = folio_page(folio, within);
	return VM_FAULT_LOCKED;
}

static const struct vm_operations_struct sring_folio_vm_ops = {
	.fault = sring_folio_fault,
};

/* The last mapping and the slot are gone; the quarantine may go on. */
static int sring_folio_release(struct inode *inode, struct file *file)
{
	sring_region_put(file->private_data);
	return 0;
}

static int sring_folio_mmap(struct file *file, struct vm_area_struct *vma)
{
	return sring_backend_mmap(file->private_data, vma);
}

static const struct file_operations sring_folio_fops = {
	.owner = THIS_MODULE,
	.release = sring_folio_release,
	.mmap = sring_folio_mmap,
	.get_unmapped_area = thp_get_unmapped_area,
};

/**
 * sring_backend_mmap - map a region, or a part of it
 * @region: held by the caller
 * @vma: its vm_file is the region's, its vm_pgoff counts from the region's start
 *
 * Not to be inherited: a child could let no write of the kernel's be seen, and
 * has no handles. Never VM_MIXEDMAP, which breaks the counting of PMD maps.
 *
 * Return: 0 or -EINVAL.
 */
int sring_backend_mmap(struct sring_region *region, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff + vma_pages(vma) > region->length >> PAGE_SHIFT)
		return -EINVAL;
	sring_vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY, 0);
	vma->vm_ops = &sring_folio_vm_ops;
	return 0;
}

static int sring_folio_alloc(struct sring_region *region, gfp_t gfp)
{
	unsigned int order = region->order;
	unsigned long i;

	for (i = 0; i < region->nr_folios; i++) {
		struct page *page;

		if (fatal_signal_pending(current))
			return -EINTR;
		page = alloc_pages_node(region->node, gfp, order);
		if (!page)
			return -ENOMEM;
		region->folios[i] = page_folio(page);
		region->folios[i]->index = i << order;
		cond_resched();
	}
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
	/* A mapping that asks for ZONE_DMA is left alone by NUMA balancing. */
	mapping_set_gfp_mask(file->f_mapping, GFP_KERNEL | GFP_DMA);
	return file;
}

/**
 * sring_backend_populate - give a region its folios and its file
 * @region: has its order, node and length
 * @dma32: below 4 GiB
 *
 * Return: 0; or -ENOMEM, -ENFILE or -EINTR, and then some folios may be there,
 * but no file.
 */
int sring_backend_populate(struct sring_region *region, bool dma32)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN |
		    __GFP_RETRY_MAYFAIL | __GFP_THISNODE | __GFP_HARDWALL;
	struct file *file;
	int ret;

	if (dma32)
		gfp |= GFP_DMA32;
	if (region->order)
		gfp |= __GFP_COMP;
	ret = sring_folio_alloc(region, gfp);
	if (ret)
		return ret;
	file = sring_folio_file(region);
	if (IS_ERR(file))
		return PTR_ERR(file);
	refcount_inc(&region->refs);
	region->file = file;
	return 0;
}

/**
 * sring_backend_revoke - take a region out of every page table, for good
 * @region: live, and held by the caller
 */
void sring_backend_revoke(struct sring_region *region)
{
	struct address_space *mapping = region->file->f_mapping;
	unsigned long i;

	filemap_invalidate_lock(mapping);
	region->dead = true;
	filemap_invalidate_unlock(mapping);
	for (i = 0; i < region->nr_folios; i++) {
		folio_lock(region->folios[i]);
		folio_unlock(region->folios[i]);
	}
	unmap_mapping_range(mapping, 0, 0, 1);
}

#endif /* SRING_HAVE_FOLIO_BACKEND */
