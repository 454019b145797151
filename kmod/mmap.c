// SPDX-License-Identifier: GPL-2.0
/*
 * What the device maps at which offset.
 *
 * An offset for a region carries its slot, the low bits of its generation and
 * where in the region the mapping begins:
 *
 *	62      48 47          36 35                   0
 *	[slot + 1][counter >> 1  ][byte in the region   ]
 *
 * so that one of a region that is gone maps nothing, and not the next region in
 * that slot. Below them lies the control area.
 */
#include <linux/file.h>

#include "safer_ring.h"

#define SRING_COOKIE_SLOT_SHIFT		48
#define SRING_COOKIE_COUNTER_SHIFT	36
#define SRING_COOKIE_COUNTER_MASK	(BIT_ULL(12) - 1)
#define SRING_COOKIE_BYTE_MASK		(BIT_ULL(SRING_COOKIE_COUNTER_SHIFT) - 1)

/**
 * sring_mmap_cookie - the mmap offset of a region's first byte
 * @slot: the region's slot
 * @generation: the region's generation
 */
u64 sring_mmap_cookie(u32 slot, u64 generation)
{
	u64 counter = (generation >> 1) & SRING_COOKIE_COUNTER_MASK;

	return (u64)(slot + 1) << SRING_COOKIE_SLOT_SHIFT |
	       counter << SRING_COOKIE_COUNTER_SHIFT;
}

/*
 * The live region that @offset leads to, or NULL. The caller holds it and its
 * file then: a FREE at the same time would drop both.
 */
static struct sring_region *sring_mmap_find(struct sring_context *context,
					    u64 offset)
{
	u64 slot = (offset >> SRING_COOKIE_SLOT_SHIFT) - 1;
	struct sring_region *region;

	mutex_lock(&context->lock);
	region = xa_load(&context->slots, slot);
	if (region && sring_mmap_cookie(slot, region->generation) ==
		      (offset & ~SRING_COOKIE_BYTE_MASK)) {
		refcount_inc(&region->refs);
		get_file(region->file);
	} else {
		region = NULL;
	}
	mutex_unlock(&context->lock);
	return region;
}

static int sring_mmap_region(struct sring_context *context,
			     struct vm_area_struct *vma, u64 offset)
{
	struct sring_region *region = sring_mmap_find(context, offset);
	int ret;

	if (!region)
		return -ENXIO;
	vma->vm_pgoff = (offset & SRING_COOKIE_BYTE_MASK) >> PAGE_SHIFT;
	vma_set_file(vma, region->file);
	ret = sring_backend_mmap(region, vma);
	fput(region->file);
	sring_region_put(region);
	return ret;
}

/**
 * sring_mmap - map a region or the control area
 * @file: the device
 * @vma: the mapping
 *
 * Return: 0, or what the uapi header says of mmap().
 */
int sring_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sring_context *context = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;

	if (offset >> SRING_COOKIE_SLOT_SHIFT)
		return sring_mmap_region(context, vma, offset);
	if (offset >= SRING_CONTROL_OFFSET)
		return sring_generations_mmap(&context->gens, vma,
					      offset - SRING_CONTROL_OFFSET);
	return -ENXIO;
}
