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
 * that slot. Below them lie the control area and, at 0, a fresh region.
 */
#include <linux/err.h>
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
 *
 * Return: an offset that is good for this generation only.
 */
u64 sring_mmap_cookie(u32 slot, u64 generation)
{
	u64 counter = (generation >> 1) & SRING_COOKIE_COUNTER_MASK;

	return (u64)(slot + 1) << SRING_COOKIE_SLOT_SHIFT |
	       counter << SRING_COOKIE_COUNTER_SHIFT;
}

/* The region that @offset leads to, held; or NULL. */
static struct sring_region *sring_mmap_find(struct sring_context *context,
					    u64 offset)
{
	u64 index = (offset >> SRING_COOKIE_SLOT_SHIFT) - 1;
	u64 cookie = offset & ~SRING_COOKIE_BYTE_MASK;
	struct sring_region *region = NULL;
	struct sring_slot *slot;

	xa_lock(&context->slots);
	slot = sring_slot_find(context, index, SRING_GENERATION_ANY);
	if (slot && sring_mmap_cookie(index, slot->generation) == cookie)
		region = sring_region_get(slot->region);
	xa_unlock(&context->slots);
	return region;
}

static int sring_mmap_cookie_at(struct sring_context *context,
				struct vm_area_struct *vma, u64 offset)
{
	struct sring_region *region = sring_mmap_find(context, offset);
	int ret;

	if (!region)
		return -ENXIO;
	vma->vm_pgoff = (offset & SRING_COOKIE_BYTE_MASK) >> PAGE_SHIFT;
	ret = sring_region_mmap(region, vma);
	sring_region_put(region);
	return ret;
}

/*
 * A region that nobody has a handle of. Its file is let go of here, so that the
 * last mapping is what ends it.
 */
static int sring_mmap_fresh(struct vm_area_struct *vma)
{
	struct sring_request req = {
		.length = vma->vm_end - vma->vm_start,
		.node = NUMA_NO_NODE,
	};
	struct sring_region *region;
	int ret;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (req.length > sring_param_region_max())
		return -EFBIG;
	req.order_max = sring_order_best(req.length);
	region = sring_region_create(&req);
	if (IS_ERR(region))
		return PTR_ERR(region);
	ret = sring_region_mmap(region, vma);
	fput(region->file);
	sring_region_put(region);
	return ret;
}

/**
 * sring_mmap - map a region, the control area, or a fresh region
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
		return sring_mmap_cookie_at(context, vma, offset);
	if (offset >= SRING_CONTROL_OFFSET)
		return sring_generations_mmap(&context->gens, vma,
					      offset - SRING_CONTROL_OFFSET);
	if (!offset)
		return sring_mmap_fresh(vma);
	return -ENXIO;
}
