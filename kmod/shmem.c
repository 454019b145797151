// SPDX-License-Identifier: GPL-2.0
/*
 * The shmem backend: single pages behind a shmem file, for kernels whose
 * io_uring takes no other file's memory as a fixed buffer.
 *
 * The file is sealed against everything that could change which pages it has.
 * The region holds a reference to each of them from the start, so nothing has
 * to be allocated to free it.
 */
#include "compat.h"

#if !SRING_HAVE_FOLIO_BACKEND

#include <linux/cpumask.h>
#include <linux/file.h>
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/topology.h>
#include <linux/workqueue.h>
#include <uapi/linux/fcntl.h>

#include "safer_ring.h"

const u32 sring_backend = SAFER_RING_BACKEND_SHMEM;
const u64 sring_backend_features;
const u64 sring_backend_orders = BIT_ULL(0);
/* Ours and the page cache's. */
const int sring_backend_refs = 2;

/**
 * struct sring_shmem_work - what is done on a CPU of the node
 * @region: to be filled
 * @memcg: to be charged instead of the worker's
 * @caller: whose death ends the work
 */
struct sring_shmem_work {
	struct sring_region *region;
	struct mem_cgroup *memcg;
	struct task_struct *caller;
};

static int sring_shmem_alloc(struct sring_region *region,
			     struct task_struct *caller)
{
	gfp_t gfp = GFP_USER | __GFP_THISNODE | __GFP_NOWARN |
		    __GFP_RETRY_MAYFAIL;
	unsigned long i;

	for (i = 0; i < region->nr_folios; i++) {
		struct page *page;

		if (fatal_signal_pending(caller))
			return -EINTR;
		page = shmem_read_mapping_page_gfp(region->file->f_mapping, i,
						   gfp);
		if (IS_ERR(page))
			return PTR_ERR(page);
		region->folios[i] = page_folio(page);
		if (page_to_nid(page) != region->node)
			return -ENOMEM;
		cond_resched();
	}
	return 0;
}

/*
 * Fresh pages wait on this CPU in a batch that holds references of its own, and
 * would wait there for as long as the CPU has no others to add. Releasing any
 * batch of folios is the way a module has to flush it.
 */
static void sring_shmem_flush_batch(struct folio *folio)
{
	struct folio_batch batch;

	folio_batch_init(&batch);
	folio_get(folio);
	folio_batch_add(&batch, folio);
	folio_batch_release(&batch);
}

/*
 * shmem places a page by the memory policy of the running task, and no module
 * can set that of the inode. A worker has the default one: its own node.
 */
static long sring_shmem_work_fn(void *arg)
{
	struct sring_shmem_work *work = arg;
	struct mem_cgroup *old = set_active_memcg(work->memcg);
	long ret;

	ret = sring_shmem_alloc(work->region, work->caller);
	set_active_memcg(old);
	if (work->region->folios[0])
		sring_shmem_flush_batch(work->region->folios[0]);
	return ret;
}

static int sring_shmem_alloc_on_node(struct sring_region *region)
{
	struct sring_shmem_work work = {
		.region = region,
		.caller = current,
	};
	unsigned int cpu;
	int ret;

	cpu = cpumask_any_and(cpumask_of_node(region->node), cpu_online_mask);
	if (cpu >= nr_cpu_ids)
		return -EOPNOTSUPP;
	work.memcg = get_mem_cgroup_from_mm(current->mm);
	ret = work_on_cpu(cpu, sring_shmem_work_fn, &work);
	mem_cgroup_put(work.memcg);
	return ret;
}

static struct file *sring_shmem_file(struct sring_region *region)
{
	struct file *file;

	file = shmem_file_setup("[safer_ring]", region->length, VM_NORESERVE);
	if (IS_ERR(file))
		return file;
	/* Neither ZONE_MOVABLE nor CMA: pages are pinned for long. */
	mapping_set_gfp_mask(file->f_mapping, GFP_USER);
	mapping_set_unevictable(file->f_mapping);
	SHMEM_I(file_inode(file))->seals = F_SEAL_SEAL | F_SEAL_GROW |
					   F_SEAL_SHRINK | F_SEAL_WRITE;
	return file;
}

/* No page of the file can be had any more; ours are left with our reference. */
static void sring_shmem_empty(struct file *file)
{
	struct inode *inode = file_inode(file);

	inode_lock(inode);
	i_size_write(inode, 0);
	unmap_mapping_range(inode->i_mapping, 0, 0, 1);
	shmem_truncate_range(inode, 0, (loff_t)-1);
	unmap_mapping_range(inode->i_mapping, 0, 0, 1);
	inode_unlock(inode);
}

/**
 * sring_backend_populate - give a region its file and its pages
 * @region: has its node and length; its order is 0
 * @dma32: not to be had, and refused before
 *
 * Return: 0; or -ENOMEM, -ENFILE, -EINTR, or -EOPNOTSUPP for a node without a
 * CPU, and then some pages may be there, but no file.
 */
int sring_backend_populate(struct sring_region *region, bool dma32)
{
	struct file *file;
	int ret;

	file = sring_shmem_file(region);
	if (IS_ERR(file))
		return PTR_ERR(file);
	region->file = file;
	ret = sring_shmem_alloc_on_node(region);
	if (ret) {
		region->file = NULL;
		sring_shmem_empty(file);
		fput(file);
	}
	return ret;
}

/**
 * sring_backend_revoke - take a region out of every page table, for good
 * @region: live, and held by the caller
 */
void sring_backend_revoke(struct sring_region *region)
{
	region->dead = true;
	sring_shmem_empty(region->file);
}

/**
 * sring_backend_mmap - map a region, or a part of it
 * @region: held by the caller
 * @vma: its vm_file is the region's, its vm_pgoff counts from the region's start
 *
 * The seal that keeps MADV_REMOVE from punching holes also refuses writable
 * mappings, so shmem is shown a read-only one.
 *
 * Return: 0 or -EINVAL.
 */
int sring_backend_mmap(struct sring_region *region, struct vm_area_struct *vma)
{
	unsigned long writable = vma->vm_flags & VM_WRITE;
	int ret;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff + vma_pages(vma) > region->length >> PAGE_SHIFT)
		return -EINVAL;
	sring_vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY,
			   VM_WRITE);
	ret = call_mmap(region->file, vma);
	sring_vm_flags_mod(vma, writable, 0);
	return ret;
}

#endif /* !SRING_HAVE_FOLIO_BACKEND */
