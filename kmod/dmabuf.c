// SPDX-License-Identifier: GPL-2.0
/*
 * A region as a dma-buf, for devices that import one.
 *
 * An attachment is a device that may touch the memory at any time, so while one
 * is there no folio of the region is given back.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "safer_ring.h"

#if IS_ENABLED(CONFIG_DMA_SHARED_BUFFER)

/* What MODULE_IMPORT_NS says, whose argument changed from a word to a string. */
MODULE_INFO(import_ns, "DMA_BUF");

const u64 sring_dmabuf_features = SAFER_RING_FEATURE_DMABUF;

static int sring_dmabuf_attach(struct dma_buf *dmabuf,
			       struct dma_buf_attachment *attachment)
{
	struct sring_region *region = dmabuf->priv;
	int ret = 0;

	spin_lock(&region->lock);
	if (region->dead)
		ret = -ENODEV;
	else
		atomic_inc(&region->attachments);
	spin_unlock(&region->lock);
	return ret;
}

static void sring_dmabuf_detach(struct dma_buf *dmabuf,
				struct dma_buf_attachment *attachment)
{
	struct sring_region *region = dmabuf->priv;

	atomic_dec(&region->attachments);
}

/* Both are powers of two, so that every segment lies within one folio. */
static size_t sring_dmabuf_segment(const struct sring_region *region,
				   struct device *dev)
{
	return clamp_t(size_t, rounddown_pow_of_two(dma_get_max_seg_size(dev)),
		       PAGE_SIZE, PAGE_SIZE << region->order);
}

static struct sg_table *sring_dmabuf_table(struct sring_region *region,
					   size_t segment)
{
	unsigned int shift = PAGE_SHIFT + region->order;
	struct scatterlist *sg;
	struct sg_table *table;
	unsigned int i;
	u64 at = 0;

	table = kzalloc(sizeof(*table), GFP_KERNEL);
	if (!table)
		return ERR_PTR(-ENOMEM);
	if (sg_alloc_table(table, region->length / segment, GFP_KERNEL)) {
		kfree(table);
		return ERR_PTR(-ENOMEM);
	}
	/* The attachment keeps every folio where it is. */
	for_each_sgtable_sg(table, sg, i) {
		struct folio *folio = region->folios[at >> shift];
		size_t within = at & (BIT_ULL(shift) - 1);

		sg_set_page(sg, folio_page(folio, within >> PAGE_SHIFT), segment,
			    0);
		at += segment;
	}
	return table;
}

static void sring_dmabuf_table_free(struct sg_table *table)
{
	sg_free_table(table);
	kfree(table);
}

static struct sg_table *sring_dmabuf_map(struct dma_buf_attachment *attachment,
					 enum dma_data_direction direction)
{
	struct sring_region *region = attachment->dmabuf->priv;
	struct sg_table *table;
	int ret;

	table = sring_dmabuf_table(region,
				   sring_dmabuf_segment(region, attachment->dev));
	if (IS_ERR(table))
		return table;
	ret = dma_map_sgtable(attachment->dev, table, direction, 0);
	if (ret) {
		sring_dmabuf_table_free(table);
		return ERR_PTR(ret);
	}
	return table;
}

static void sring_dmabuf_unmap(struct dma_buf_attachment *attachment,
			       struct sg_table *table,
			       enum dma_data_direction direction)
{
	dma_unmap_sgtable(attachment->dev, table, direction, 0);
	sring_dmabuf_table_free(table);
}

static int sring_dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return sring_region_mmap(dmabuf->priv, vma);
}

static void sring_dmabuf_release(struct dma_buf *dmabuf)
{
	sring_region_put(dmabuf->priv);
}

static const struct dma_buf_ops sring_dmabuf_ops = {
	.attach = sring_dmabuf_attach,
	.detach = sring_dmabuf_detach,
	.map_dma_buf = sring_dmabuf_map,
	.unmap_dma_buf = sring_dmabuf_unmap,
	.mmap = sring_dmabuf_mmap,
	.release = sring_dmabuf_release,
};

/**
 * sring_dmabuf_export - a dma-buf of a region
 * @region: the region; the dma-buf takes a reference of its own
 *
 * Return: the dma-buf's file, or ERR_PTR of -ENOMEM or -ENFILE.
 */
struct file *sring_dmabuf_export(struct sring_region *region)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &sring_dmabuf_ops;
	info.size = region->length;
	info.flags = O_RDWR;
	info.priv = region;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	sring_region_get(region);
	return dmabuf->file;
}

#else /* !CONFIG_DMA_SHARED_BUFFER */

const u64 sring_dmabuf_features;

struct file *sring_dmabuf_export(struct sring_region *region)
{
	return ERR_PTR(-EOPNOTSUPP);
}

#endif
