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

static int sring_shmem_alloc_one(struct sring_region *region, unsigned long i,
				 gfp_t gfp)
{
	struct page *page;

	page = shmem_read_mapping_page_gfp(region->file->f_mapping, i, gfp);
	if (IS_ERR(page))
		return PTR_ERR(page);
	region->folios[i] = page_folio(page);
	return 0;
}

static int sring_shmem_alloc(struct sring_region *region, gfp_t gfp,
			     struct task_struct *caller)
{
	unsigned long i;
	int ret;

	for (i = 0; i < region->nr_folios; i++) {
		if (fatal_signal_pending(caller))
			return -EINTR;
		ret = sring_shmem_alloc_one(region, i, gfp);
		if (ret)
			return ret;
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

	if (!folio)
		return;
	folio_batch_init(&batch);
	folio_get(folio);
	folio_batch_add(&batch, folio);
	folio_batch_release(&batch);
}

#define SRING_SHMEM_GFP	(GFP_USER | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/*
 * shmem places a page by the memory policy of the running task, and no module
 * can set that of the inode. A worker has the default one: its own node.
 */
static long sring_shmem_work_fn(void *arg)
{
	struct sring_shmem_work *work = arg;
	struct mem_cgroup *old = set_active_memcg(work->memcg);
	long ret;

	ret = sring_shmem_alloc(work->region, SRING_SHMEM_GFP | __GFP_THISNODE,
				work->caller);
	set_active_memcg(old);
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

/* On this CPU all the way, so that one batch has all of them. */
static int sring_shmem_alloc_by_policy(struct sring_region *region)
{
	int ret;

	migrate_disable();
	ret = sring_shmem_alloc(region, SRING_SHMEM_GFP, current);
	sring_shmem_flush_batch(region->folios[0]);
	migrate_enable();
	return ret;
}

static int sring_shmem_place(struct sring_region *region)
{
	int wanted = region->node;
	int ret;

	ret = wanted == NUMA_NO_NODE ? sring_shmem_alloc_by_policy(region) :
				       sring_shmem_alloc_on_node(region);
	if (ret)
		return ret;
	region->node = sring_region_node(region);
	/* The CPU went offline, and the work was done elsewhere. */
	if (wanted != NUMA_NO_NODE && region->node != wanted)
		return -ENOMEM;
	return 0;
}

static struct file_operations sring_shmem_fops;

/*
 * The file tells when its last mapping has gone. Its operations are shmem's in
 * everything else.
 */
static void sring_shmem_watch(struct file *file, struct sring_region *region)
{
	static DEFINE_MUTEX(lock);

	mutex_lock(&lock);
	if (!sring_shmem_fops.owner) {
		sring_shmem_fops = *file->f_op;
		sring_shmem_fops.release = sring_region_file_release;
		sring_shmem_fops.owner = THIS_MODULE;
	}
	mutex_unlock(&lock);
	__module_get(THIS_MODULE);
	file->f_op = &sring_shmem_fops;
	file->private_data = sring_region_get(region);
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
	sring_shmem_watch(file, region);
	return file;
}

/**
 * sring_backend_populate - give a region its file and its pages
 * @region: has its node and length; its order is 0
 * @req: what was asked for
 *
 * Return: 0; or -ENOMEM, -ENFILE, -EINTR, or -EOPNOTSUPP for a node without a
 * CPU, and then the file and some pages may be there.
 */
int sring_backend_populate(struct sring_region *region,
			   const struct sring_request *req)
{
	struct file *file;

	file = sring_shmem_file(region);
	if (IS_ERR(file))
		return PTR_ERR(file);
	region->file = file;
	return sring_shmem_place(region);
}

/**
 * sring_backend_revoke - take a region out of every page table, for good
 * @region: dead, with its file
 *
 * No page of the file can be had any more; ours are left with our reference. The
 * seals keep everybody else from changing the file, so its lock is not needed.
 */
void sring_backend_revoke(struct sring_region *region)
{
	struct inode *inode = file_inode(region->file);

	i_size_write(inode, 0);
	unmap_mapping_range(inode->i_mapping, 0, 0, 1);
	shmem_truncate_range(inode, 0, (loff_t)-1);
	unmap_mapping_range(inode->i_mapping, 0, 0, 1);
}

/**
 * sring_backend_mmap - let a VMA of a region's file have its pages
 * @region: held by the caller
 * @vma: checked, its vm_file is the region's
 *
 * The seal that keeps MADV_REMOVE from punching holes also refuses writable
 * mappings, so shmem is shown a read-only one.
 *
 * Return: 0 or a negative errno.
 */
int sring_backend_mmap(struct sring_region *region, struct vm_area_struct *vma)
{
	unsigned long writable = vma->vm_flags & VM_WRITE;
	int ret;

	sring_vm_flags_mod(vma, 0, VM_WRITE);
	ret = call_mmap(region->file, vma);
	sring_vm_flags_mod(vma, writable, 0);
	return ret;
}

/**
 * sring_backend_give_back - give a page to the page allocator
 * @folio: nobody else's; the reference to it is consumed
 */
void sring_backend_give_back(struct folio *folio)
{
	folio_put(folio);
}

#endif /* !SRING_HAVE_FOLIO_BACKEND */
