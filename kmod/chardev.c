// SPDX-License-Identifier: GPL-2.0
/*
 * The device, and the table of regions that each open of it has.
 */
#include <linux/err.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "safer_ring.h"

/**
 * sring_context_add - reserve a slot for a region
 * @context: the context
 * @region: not in any slot; gets its slot and generation
 *
 * Nobody can find the region until sring_context_publish().
 *
 * Return: 0, -ENOSPC if every slot is taken, or -ENOMEM.
 */
int sring_context_add(struct sring_context *context,
		      struct sring_region *region)
{
	struct xa_limit limit = XA_LIMIT(0, context->gens.slots - 1);
	u32 slot;
	int ret;

	mutex_lock(&context->lock);
	ret = xa_alloc_cyclic(&context->slots, &slot, NULL, limit,
			      &context->next_slot, GFP_KERNEL_ACCOUNT);
	if (ret >= 0) {
		region->slot = slot;
		region->generation = sring_generation_next(&context->gens,
							   slot);
	}
	mutex_unlock(&context->lock);
	if (ret == -EBUSY)
		return -ENOSPC;
	return min(ret, 0);
}

/**
 * sring_context_publish - let a region be found, and be live
 * @context: the context
 * @region: has its slot; its reference passes to the slot
 */
void sring_context_publish(struct sring_context *context,
			   struct sring_region *region)
{
	mutex_lock(&context->lock);
	/* The slot is reserved, so there is nothing to allocate. */
	xa_store(&context->slots, region->slot, region, GFP_KERNEL_ACCOUNT);
	context->slots_used++;
	sring_generation_publish(&context->gens, region->slot);
	mutex_unlock(&context->lock);
}

/**
 * sring_context_cancel - give back a slot that was reserved, but not published
 * @context: the context
 * @slot: the slot
 */
void sring_context_cancel(struct sring_context *context, u32 slot)
{
	xa_release(&context->slots, slot);
}

/**
 * sring_context_find - the region that a handle means
 * @context: the context, whose lock is held
 * @slot: the handle's slot
 * @generation: the handle's generation
 *
 * Return: the region, or NULL if the handle is stale or was never good.
 */
struct sring_region *sring_context_find(struct sring_context *context, u32 slot,
					u64 generation)
{
	struct sring_region *region = xa_load(&context->slots, slot);

	lockdep_assert_held(&context->lock);
	return region && region->generation == generation ? region : NULL;
}

/**
 * sring_context_take - take a region out of its slot
 * @context: the context, whose lock is held
 * @region: in one of its slots; the slot's reference passes to the caller, who
 *	retires it
 */
void sring_context_take(struct sring_context *context,
			struct sring_region *region)
{
	u32 slot = region->slot;

	lockdep_assert_held(&context->lock);
	if (sring_generation_retire(&context->gens, slot))
		xa_erase(&context->slots, slot);
	else	/* used up: reserved for ever */
		xa_cmpxchg(&context->slots, slot, region, XA_ZERO_ENTRY,
			   GFP_KERNEL_ACCOUNT);
	context->slots_used--;
}

static int sring_open(struct inode *inode, struct file *file)
{
	struct sring_context *context;
	int ret;

	context = kzalloc(sizeof(*context), GFP_KERNEL_ACCOUNT);
	if (!context)
		return -ENOMEM;
	ret = sring_generations_init(&context->gens, sring_param_slots());
	if (ret) {
		kfree(context);
		return ret;
	}
	mutex_init(&context->lock);
	xa_init_flags(&context->slots, XA_FLAGS_ALLOC);
	file->private_data = context;
	return 0;
}

static int sring_release(struct inode *inode, struct file *file)
{
	struct sring_context *context = file->private_data;
	struct sring_region *region;
	unsigned long slot;

	xa_for_each(&context->slots, slot, region) {
		mutex_lock(&context->lock);
		sring_context_take(context, region);
		mutex_unlock(&context->lock);
		sring_region_retire(region);
	}
	xa_destroy(&context->slots);
	sring_generations_destroy(&context->gens);
	kfree(context);
	return 0;
}

static void sring_show_fdinfo(struct seq_file *seq, struct file *file)
{
	struct sring_context *context = file->private_data;
	struct sring_region *region;
	unsigned long slot;

	mutex_lock(&context->lock);
	seq_printf(seq, "slots:\t%u\nslots_used:\t%u\n", context->gens.slots,
		   context->slots_used);
	xa_for_each(&context->slots, slot, region)
		seq_printf(seq,
			   "region:\tslot=%u generation=%#llx length=%llu node=%d order=%u\n",
			   region->slot, region->generation, region->length,
			   region->node, region->order);
	mutex_unlock(&context->lock);
}

static const struct file_operations sring_fops = {
	.owner = THIS_MODULE,
	.open = sring_open,
	.release = sring_release,
	.mmap = sring_mmap,
	.get_unmapped_area = thp_get_unmapped_area,
	.unlocked_ioctl = sring_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = sring_show_fdinfo,
};

static struct miscdevice sring_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "safer_ring",
	.fops = &sring_fops,
	.groups = sring_sysfs_groups,
	.mode = 0660,
};

/**
 * sring_chardev_init - make /dev/safer_ring appear
 *
 * Return: 0 or a negative errno.
 */
int sring_chardev_init(void)
{
	return misc_register(&sring_misc);
}

/**
 * sring_chardev_exit - undo sring_chardev_init()
 */
void sring_chardev_exit(void)
{
	misc_deregister(&sring_misc);
}
