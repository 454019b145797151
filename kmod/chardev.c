// SPDX-License-Identifier: GPL-2.0
/*
 * The device node and its file operations.
 */
#include <linux/err.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "safer_ring.h"

static int sring_open(struct inode *inode, struct file *file)
{
	struct sring_context *context;

	context = sring_context_create(sring_param_slots());
	if (IS_ERR(context))
		return PTR_ERR(context);
	file->private_data = context;
	return 0;
}

static int sring_release(struct inode *inode, struct file *file)
{
	sring_context_destroy(file->private_data);
	return 0;
}

static void sring_show_fdinfo(struct seq_file *seq, struct file *file)
{
	struct sring_context *context = file->private_data;
	struct sring_slot *slot;
	unsigned long index;

	seq_printf(seq, "slots:\t%u\nslots_used:\t%u\n", context->gens.slots,
		   READ_ONCE(context->slots_used));
	xa_lock(&context->slots);
	xa_for_each(&context->slots, index, slot) {
		seq_printf(seq, "slot:\t%u generation=%#llx %s ", slot->index,
			   slot->generation,
			   slot->owner ? "owner" : "importer");
		sring_region_show(slot->region, seq);
	}
	xa_unlock(&context->slots);
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
	.mode = 0660,
};

/**
 * sring_chardev_init - make /dev/safer_ring appear
 *
 * Return: 0 or a negative errno.
 */
int sring_chardev_init(void)
{
	sring_misc.groups = sring_sysfs_groups;
	return misc_register(&sring_misc);
}

/**
 * sring_chardev_exit - undo sring_chardev_init()
 */
void sring_chardev_exit(void)
{
	misc_deregister(&sring_misc);
}
