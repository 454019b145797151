// SPDX-License-Identifier: GPL-2.0
/*
 * A region as a dma-buf, for devices that import one.
 *
 * An attachment is a device that may touch the memory at any time, so while one
 * is there no folio of the region is given back. A device that does not reach the
 * memory, as in a guest whose memory is encrypted, works on a copy: whoever uses
 * the CPU says when that begins and ends.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "safer_ring.h"

#if IS_ENABLED(CONFIG_DMA_SHARED_BUFFER)

/* What MODULE_IMPORT_NS says, whose argument changed from a word to a string. */
MODULE_INFO(import_ns, "DMA_BUF");

const u64 sring_dmabuf_features = SAFER_RING_FEATURE_DMABUF;

/**
 * struct sring_dmabuf - a dma-buf of a region
 * @region: the region, of which it holds a reference
 * @lock: protects @mappings
 * @mappings: by devices
 */
struct sring_dmabuf {
	struct sring_region *region;
	struct mutex lock; /* see above */
	struct list_head mappings;
};

/**
 * struct sring_dmabuf_mapping - a device can use the memory
 * @all: entry in the dma-buf's mappings
 * @dev: the device
 * @direction: of its transfers
 * @table: the memory as the device knows it
 */
struct sring_dmabuf_mapping {
	struct list_head all;
	struct device *dev;
	enum dma_data_direction direction;
	struct sg_table table;
};

static struct sring_region *sring_dmabuf_region(const struct dma_buf *dmabuf)
{
	const struct sring_dmabuf *shared = dmabuf->priv;

	return shared->region;
}

static int sring_dmabuf_attach(struct dma_buf *dmabuf,
			       struct dma_buf_attachment *attachment)
{
	struct sring_region *region = sring_dmabuf_region(dmabuf);
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
	struct sring_region *region = sring_dmabuf_region(dmabuf);

	atomic_dec(&region->attachments);
}

/* All are powers of two, so that every segment lies within one folio. */
static size_t sring_dmabuf_segment(const struct sring_region *region,
				   struct device *dev)
{
	size_t longest = min_t(size_t, dma_get_max_seg_size(dev),
			       dma_max_mapping_size(dev));

	return clamp_t(size_t, rounddown_pow_of_two(longest), PAGE_SIZE,
		       PAGE_SIZE << region->order);
}

static int sring_dmabuf_fill_table(struct sring_region *region,
				   struct sg_table *table, size_t segment)
{
	unsigned int shift = PAGE_SHIFT + region->order;
	struct scatterlist *sg;
	unsigned int i;
	u64 at = 0;
	int ret;

	ret = sg_alloc_table(table, region->length / segment, GFP_KERNEL);
	if (ret)
		return ret;
	/* The attachment keeps every folio where it is. */
	for_each_sgtable_sg(table, sg, i) {
		struct folio *folio = region->folios[at >> shift];
		size_t within = at & (BIT_ULL(shift) - 1);

		sg_set_page(sg, folio_page(folio, within >> PAGE_SHIFT), segment,
			    0);
		at += segment;
	}
	return 0;
}

static struct sg_table *sring_dmabuf_map(struct dma_buf_attachment *attachment,
					 enum dma_data_direction direction)
{
	struct sring_dmabuf *shared = attachment->dmabuf->priv;
	struct device *dev = attachment->dev;
	struct sring_dmabuf_mapping *mapping;
	int ret;

	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return ERR_PTR(-ENOMEM);
	mapping->dev = dev;
	mapping->direction = direction;
	ret = sring_dmabuf_fill_table(shared->region, &mapping->table,
				      sring_dmabuf_segment(shared->region, dev));
	if (ret)
		goto err_free;
	ret = dma_map_sgtable(dev, &mapping->table, direction, 0);
	if (ret)
		goto err_free_table;
	mutex_lock(&shared->lock);
	list_add(&mapping->all, &shared->mappings);
	mutex_unlock(&shared->lock);
	return &mapping->table;

err_free_table:
	sg_free_table(&mapping->table);
err_free:
	kfree(mapping);
	return ERR_PTR(ret);
}

static void sring_dmabuf_unmap(struct dma_buf_attachment *attachment,
			       struct sg_table *table,
			       enum dma_data_direction direction)
{
	struct sring_dmabuf *shared = attachment->dmabuf->priv;
	struct sring_dmabuf_mapping *mapping;

	mapping = container_of(table, struct sring_dmabuf_mapping, table);
	mutex_lock(&shared->lock);
	list_del(&mapping->all);
	mutex_unlock(&shared->lock);
	dma_unmap_sgtable(attachment->dev, table, direction, 0);
	sg_free_table(table);
	kfree(mapping);
}

static int sring_dmabuf_begin_cpu_access(struct dma_buf *dmabuf,
					 enum dma_data_direction direction)
{
	struct sring_dmabuf *shared = dmabuf->priv;
	struct sring_dmabuf_mapping *mapping;

	mutex_lock(&shared->lock);
	list_for_each_entry(mapping, &shared->mappings, all)
		dma_sync_sgtable_for_cpu(mapping->dev, &mapping->table,
					 mapping->direction);
	mutex_unlock(&shared->lock);
	return 0;
}

static int sring_dmabuf_end_cpu_access(struct dma_buf *dmabuf,
				       enum dma_data_direction direction)
{
	struct sring_dmabuf *shared = dmabuf->priv;
	struct sring_dmabuf_mapping *mapping;

	mutex_lock(&shared->lock);
	list_for_each_entry(mapping, &shared->mappings, all)
		dma_sync_sgtable_for_device(mapping->dev, &mapping->table,
					    mapping->direction);
	mutex_unlock(&shared->lock);
	return 0;
}

static int sring_dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return sring_region_mmap(sring_dmabuf_region(dmabuf), vma);
}

static void sring_dmabuf_release(struct dma_buf *dmabuf)
{
	struct sring_dmabuf *shared = dmabuf->priv;

	sring_region_put(shared->region);
	kfree(shared);
}

static const struct dma_buf_ops sring_dmabuf_ops = {
	.attach = sring_dmabuf_attach,
	.detach = sring_dmabuf_detach,
	.map_dma_buf = sring_dmabuf_map,
	.unmap_dma_buf = sring_dmabuf_unmap,
	.begin_cpu_access = sring_dmabuf_begin_cpu_access,
	.end_cpu_access = sring_dmabuf_end_cpu_access,
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
	struct sring_dmabuf *shared;
	struct dma_buf *dmabuf;

	shared = kzalloc(sizeof(*shared), GFP_KERNEL);
	if (!shared)
		return ERR_PTR(-ENOMEM);
	mutex_init(&shared->lock);
	INIT_LIST_HEAD(&shared->mappings);
	shared->region = sring_region_get(region);
	info.ops = &sring_dmabuf_ops;
	info.size = region->length;
	info.flags = O_RDWR;
	info.priv = shared;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		sring_region_put(region);
		kfree(shared);
		return ERR_CAST(dmabuf);
	}
	return dmabuf->file;
}

#else /* !CONFIG_DMA_SHARED_BUFFER */

const u64 sring_dmabuf_features;

struct file *sring_dmabuf_export(struct sring_region *region)
{
	return ERR_PTR(-EOPNOTSUPP);
}

#endif
