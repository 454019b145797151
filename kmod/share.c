// SPDX-License-Identifier: GPL-2.0
/*
 * A region as a descriptor, to be passed to another process.
 *
 * The descriptor is not the backing file, which on some backends is a file of
 * somebody else's making: it only leads to the region, for as long as there is
 * one.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "safer_ring.h"

static int sring_share_release(struct inode *inode, struct file *file)
{
	sring_region_put(file->private_data);
	return 0;
}

static int sring_share_mmap(struct file *file, struct vm_area_struct *vma)
{
	return sring_region_mmap(file->private_data, vma);
}

static void sring_share_show_fdinfo(struct seq_file *seq, struct file *file)
{
	seq_puts(seq, "region:\t");
	sring_region_show(file->private_data, seq);
}

static const struct file_operations sring_share_fops = {
	.owner = THIS_MODULE,
	.release = sring_share_release,
	.mmap = sring_share_mmap,
	.get_unmapped_area = thp_get_unmapped_area,
	.show_fdinfo = sring_share_show_fdinfo,
};

/**
 * sring_share_export - a file that leads to a region
 * @region: the region; the file takes a reference of its own
 *
 * Return: a file, or ERR_PTR of -ENOMEM or -ENFILE.
 */
struct file *sring_share_export(struct sring_region *region)
{
	struct file *file;

	file = anon_inode_getfile("[safer_ring-region]", &sring_share_fops,
				  region, O_RDWR);
	if (!IS_ERR(file))
		sring_region_get(region);
	return file;
}

/**
 * sring_share_import - the region that a descriptor leads to
 * @fd: of the calling process
 *
 * Return: a region with a reference for the caller; or ERR_PTR of -EBADF, or
 * -EINVAL if the descriptor leads elsewhere.
 */
struct sring_region *sring_share_import(int fd)
{
	struct sring_region *region = ERR_PTR(-EINVAL);
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &sring_share_fops)
		region = sring_region_get(file->private_data);
	fput(file);
	return region;
}
