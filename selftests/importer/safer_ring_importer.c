// SPDX-License-Identifier: GPL-2.0
/*
 * A device that imports a dma-buf, for the tests: what an RDMA adapter or a GPU
 * would do with one, without the adapter.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "safer_ring_importer.h"

/* What MODULE_IMPORT_NS says, whose argument changed from a word to a string. */
MODULE_INFO(import_ns, "DMA_BUF");

struct importer {
	struct mutex lock; /* one command at a time */
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *table;
};

static struct platform_device *importer_device;

/* As adapters that take huge pages do. */
static unsigned int segment_max = UINT_MAX;
module_param(segment_max, uint, 0644);
MODULE_PARM_DESC(segment_max, "bytes of the longest segment that the device takes (default: no limit); for attachments from now on");

static void importer_detach(struct importer *importer)
{
	if (!importer->dmabuf)
		return;
	dma_buf_unmap_attachment_unlocked(importer->attachment,
					  importer->table, DMA_BIDIRECTIONAL);
	dma_buf_detach(importer->dmabuf, importer->attachment);
	dma_buf_put(importer->dmabuf);
	importer->dmabuf = NULL;
}

static long importer_attach(struct importer *importer, int fd)
{
	struct dma_buf_attachment *attachment;
	struct dma_buf *dmabuf;
	struct sg_table *table;
	long ret;

	if (importer->dmabuf)
		return -EBUSY;
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	dma_set_max_seg_size(&importer_device->dev, READ_ONCE(segment_max));
	attachment = dma_buf_attach(dmabuf, &importer_device->dev);
	if (IS_ERR(attachment)) {
		ret = PTR_ERR(attachment);
		goto err_put;
	}
	table = dma_buf_map_attachment_unlocked(attachment, DMA_BIDIRECTIONAL);
	if (IS_ERR(table)) {
		ret = PTR_ERR(table);
		goto err_detach;
	}
	importer->dmabuf = dmabuf;
	importer->attachment = attachment;
	importer->table = table;
	return 0;

err_detach:
	dma_buf_detach(dmabuf, attachment);
err_put:
	dma_buf_put(dmabuf);
	return ret;
}

static long importer_sum(struct importer *importer, void __user *user)
{
	struct safer_ring_importer_sum sum = {};
	struct scatterlist *sg;
	unsigned int at, i;

	if (!importer->dmabuf)
		return -ENODEV;
	/*
	 * A device knows addresses, not pages, and a debug kernel makes sure of
	 * that. Without an IOMMU they are physical.
	 */
	for_each_sgtable_dma_sg(importer->table, sg, i) {
		const void *seen = phys_to_virt(sg_dma_address(sg));

		sum.entries++;
		sum.length += sg_dma_len(sg);
		for (at = 0; at < sg_dma_len(sg); at += PAGE_SIZE)
			sum.xor ^= *(u64 *)(seen + at);
	}
	return copy_to_user(user, &sum, sizeof(sum)) ? -EFAULT : 0;
}

static long importer_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	struct importer *importer = file->private_data;
	long ret = 0;

	mutex_lock(&importer->lock);
	switch (cmd) {
	case SAFER_RING_IMPORTER_ATTACH:
		ret = importer_attach(importer, arg);
		break;
	case SAFER_RING_IMPORTER_DETACH:
		importer_detach(importer);
		break;
	case SAFER_RING_IMPORTER_SUM:
		ret = importer_sum(importer, (void __user *)arg);
		break;
	default:
		ret = -ENOTTY;
	}
	mutex_unlock(&importer->lock);
	return ret;
}

static int importer_open(struct inode *inode, struct file *file)
{
	struct importer *importer = kzalloc(sizeof(*importer), GFP_KERNEL);

	if (!importer)
		return -ENOMEM;
	mutex_init(&importer->lock);
	file->private_data = importer;
	return 0;
}

static int importer_release(struct inode *inode, struct file *file)
{
	struct importer *importer = file->private_data;

	importer_detach(importer);
	kfree(importer);
	return 0;
}

static const struct file_operations importer_fops = {
	.owner = THIS_MODULE,
	.open = importer_open,
	.release = importer_release,
	.unlocked_ioctl = importer_ioctl,
};

static struct miscdevice importer_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "safer_ring_importer",
	.fops = &importer_fops,
	.mode = 0600,
};

static int __init importer_init(void)
{
	int ret;

	importer_device = platform_device_register_simple("safer_ring_importer",
							  PLATFORM_DEVID_NONE,
							  NULL, 0);
	if (IS_ERR(importer_device))
		return PTR_ERR(importer_device);
	ret = dma_coerce_mask_and_coherent(&importer_device->dev,
					   DMA_BIT_MASK(64));
	if (ret)
		goto err_unregister;
	ret = misc_register(&importer_misc);
	if (ret)
		goto err_unregister;
	return 0;

err_unregister:
	platform_device_unregister(importer_device);
	return ret;
}

static void __exit importer_exit(void)
{
	misc_deregister(&importer_misc);
	platform_device_unregister(importer_device);
}

module_init(importer_init);
module_exit(importer_exit);

MODULE_DESCRIPTION("imports a dma-buf, for the tests of safer_ring");
MODULE_LICENSE("GPL");
