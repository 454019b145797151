// SPDX-License-Identifier: GPL-2.0
/*
 * The commands: one table, one dispatcher, one function for each.
 */
#include <linux/cpuset.h>
#include <linux/err.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/stddef.h>
#include <linux/topology.h>
#include <linux/uaccess.h>

#include "safer_ring.h"
#include "trace.h"

/* How often FREE looks whether the pins are gone. */
#define SRING_WAIT_FIRST	1
#define SRING_WAIT_LAST		msecs_to_jiffies(20)

/**
 * struct sring_command - a command under way
 * @context: the open file that it came by
 * @user: the caller's structure
 * @user_size: its size
 * @known_size: how much of it the module knows
 * @u: the module's copy
 */
struct sring_command {
	struct sring_context *context;
	void __user *user;
	u32 user_size;
	u32 known_size;
	union {
		struct safer_ring_info info;
		struct safer_ring_alloc alloc;
		struct safer_ring_free free;
		struct safer_ring_query query;
	} u;
};

static int sring_respond(const struct sring_command *cmd)
{
	u32 size = min(cmd->user_size, cmd->known_size);

	return copy_to_user(cmd->user, &cmd->u, size) ? -EFAULT : 0;
}

static int sring_ioctl_info(struct sring_command *cmd)
{
	struct sring_context *context = cmd->context;
	struct safer_ring_info *info = &cmd->u.info;
	struct sring_quota_usage usage;

	if (info->flags)
		return -EOPNOTSUPP;
	sring_quota_usage(&usage);
	*info = (struct safer_ring_info){
		.size = info->size,
		.abi = SAFER_RING_ABI,
		.backend = sring_backend,
		.features = sring_backend_features,
		.page_orders = sring_backend_orders,
		.region_max = sring_param_region_max(),
		.slots = context->gens.slots,
		.slots_used = READ_ONCE(context->slots_used),
		.control_offset = SRING_CONTROL_OFFSET,
		.control_length = context->gens.length,
		.quota_user = sring_param_quota_user(),
		.quota_user_used = usage.user,
		.quota_total = sring_param_quota_total(),
		.quota_total_used = usage.total,
		.quarantine = sring_stat_read(SRING_STAT_QUARANTINE_BYTES),
	};
	return sring_respond(cmd);
}

/* The node that ALLOC means, or an errno. */
static int sring_alloc_node(const struct safer_ring_alloc *alloc)
{
	int node = alloc->node;

	if (node == SAFER_RING_NODE_LOCAL)
		node = numa_mem_id();
	if (node < 0 || node >= MAX_NUMNODES || !node_state(node, N_MEMORY))
		return -EINVAL;
	if (!node_isset(node, cpuset_current_mems_allowed))
		return -EPERM;
	return node;
}

/*
 * The orders that ALLOC means. BEST is no larger than the region, for the pages
 * of a small one cost as much memlock as those of a large one.
 */
static int sring_alloc_orders(const struct safer_ring_alloc *alloc,
			      struct sring_request *req)
{
	unsigned int largest = ilog2(sring_backend_orders);

	req->order_min = alloc->order_min;
	req->order_max = alloc->order_max;
	if (alloc->order_max == SAFER_RING_ORDER_BEST) {
		req->order_max = min_t(unsigned int, largest,
				       ilog2(alloc->length >> PAGE_SHIFT ?: 1));
		if (req->order_max < HPAGE_PMD_ORDER)
			req->order_max = req->order_max >= 4 ? 4 : 0;
		req->order_max = max(req->order_max, req->order_min);
	}
	if (req->order_min > req->order_max || req->order_max > largest)
		return -EINVAL;
	return 0;
}

static int sring_alloc_request(const struct safer_ring_alloc *alloc,
			       struct sring_request *req)
{
	int ret;

	if (alloc->flags & ~(SAFER_RING_ALLOC_STRICT | SAFER_RING_ALLOC_DMA32))
		return -EOPNOTSUPP;
	req->strict = alloc->flags & SAFER_RING_ALLOC_STRICT;
	req->dma32 = alloc->flags & SAFER_RING_ALLOC_DMA32;
	if (req->dma32 && !(sring_backend_features & SAFER_RING_FEATURE_DMA32))
		return -EOPNOTSUPP;
	if (alloc->reserved || !alloc->length)
		return -EINVAL;
	if (alloc->length > sring_param_region_max())
		return -EFBIG;
	req->length = alloc->length;
	ret = sring_alloc_orders(alloc, req);
	if (ret)
		return ret;
	ret = sring_alloc_node(alloc);
	if (ret < 0)
		return ret;
	req->node = ret;
	return 0;
}

static int sring_ioctl_alloc(struct sring_command *cmd)
{
	struct safer_ring_alloc *alloc = &cmd->u.alloc;
	struct sring_region *region;
	struct sring_request req;
	int ret;

	ret = sring_alloc_request(alloc, &req);
	if (ret)
		return ret;
	region = sring_region_create(&req);
	if (IS_ERR(region))
		return PTR_ERR(region);
	ret = sring_context_add(cmd->context, region);
	if (ret)
		goto err_retire;

	alloc->length = region->length;
	alloc->node = region->node;
	alloc->order = region->order;
	alloc->slot = region->slot;
	alloc->generation = region->generation;
	alloc->mmap_offset = sring_mmap_cookie(region->slot,
					       region->generation);
	ret = sring_respond(cmd);
	if (ret)
		goto err_cancel;
	trace_safer_ring_alloc(region);
	sring_context_publish(cmd->context, region);
	return 0;

err_cancel:
	sring_context_cancel(cmd->context, region->slot);
err_retire:
	sring_region_retire(region);
	return ret;
}

/*
 * Take the region out of its slot if it may go: 0, -ESTALE or -EBUSY. It comes
 * back in @taken.
 */
static int sring_free_take(const struct sring_command *cmd,
			   struct sring_region **taken)
{
	const struct safer_ring_free *free = &cmd->u.free;
	struct sring_context *context = cmd->context;
	struct sring_region *region;
	int ret = 0;

	mutex_lock(&context->lock);
	region = sring_context_find(context, free->slot, free->generation);
	if (!region)
		ret = -ESTALE;
	else if (!(free->flags & SAFER_RING_FREE_FORCE) &&
		 sring_region_pinned(region))
		ret = -EBUSY;
	else
		sring_context_take(context, region);
	mutex_unlock(&context->lock);
	*taken = region;
	return ret;
}

/* The same, for as long as the caller wants to wait. */
static int sring_free_wait(const struct sring_command *cmd,
			   struct sring_region **taken)
{
	unsigned long end = jiffies + msecs_to_jiffies(cmd->u.free.timeout_ms);
	unsigned long pause = SRING_WAIT_FIRST;
	int ret;

	for (;;) {
		ret = sring_free_take(cmd, taken);
		if (ret != -EBUSY)
			return ret;
		if (time_after_eq(jiffies, end))
			return -ETIMEDOUT;
		pause = min(pause, end - jiffies);
		if (schedule_timeout_interruptible(pause))
			return -EINTR;
		pause = min(2 * pause, SRING_WAIT_LAST);
	}
}

static int sring_ioctl_free(struct sring_command *cmd)
{
	struct safer_ring_free *free = &cmd->u.free;
	bool wait = free->flags & SAFER_RING_FREE_WAIT;
	struct sring_region *region;
	int ret;

	if (free->flags & ~(SAFER_RING_FREE_FORCE | SAFER_RING_FREE_WAIT))
		return -EOPNOTSUPP;
	if (wait && free->flags & SAFER_RING_FREE_FORCE)
		return -EINVAL;
	if (free->timeout_ms && !wait)
		return -EINVAL;
	/* The answer must find its place before the region goes, not after. */
	ret = sring_respond(cmd);
	if (ret)
		return ret;
	ret = wait ? sring_free_wait(cmd, &region) :
		     sring_free_take(cmd, &region);
	if (ret)
		return ret;
	free->quarantine = sring_region_retire(region);
	/* Only a munmap in between makes this fail, and the region is gone. */
	if (sring_respond(cmd))
		pr_debug("safer_ring: the answer to FREE got lost\n");
	return 0;
}

static int sring_query_fill(struct safer_ring_query *query,
			    struct sring_context *context)
{
	struct sring_folio_counts counts;
	struct sring_region *region;

	region = xa_load(&context->slots, query->slot);
	if (!region)
		return -ESTALE;
	if (query->generation && query->generation != region->generation)
		return -ESTALE;
	sring_region_count(region, &counts);
	query->node = region->node;
	query->generation = region->generation;
	query->length = region->length;
	query->mmap_offset = sring_mmap_cookie(region->slot,
					       region->generation);
	query->order = region->order;
	query->folios = region->nr_folios;
	query->folios_pinned = counts.pinned;
	query->folios_busy = counts.busy;
	return 0;
}

static int sring_ioctl_query(struct sring_command *cmd)
{
	int ret;

	if (cmd->u.query.flags)
		return -EOPNOTSUPP;
	mutex_lock(&cmd->context->lock);
	ret = sring_query_fill(&cmd->u.query, cmd->context);
	mutex_unlock(&cmd->context->lock);
	return ret ?: sring_respond(cmd);
}

/**
 * struct sring_ioctl_op - a row of the table
 * @cmd: its number
 * @size: bytes of its structure that the module knows
 * @min_size: bytes of the first structure published
 * @execute: does it, and answers
 */
struct sring_ioctl_op {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	int (*execute)(struct sring_command *cmd);
};

#define SRING_IOCTL_OP(_cmd, _fn, _struct, _last)			\
	[_IOC_NR(_cmd)] = {						\
		.cmd = _cmd,						\
		.size = sizeof(struct _struct),				\
		.min_size = offsetofend(struct _struct, _last),		\
		.execute = _fn,						\
	}

static const struct sring_ioctl_op sring_ioctl_ops[] = {
	SRING_IOCTL_OP(SAFER_RING_INFO, sring_ioctl_info,
		       safer_ring_info, quarantine),
	SRING_IOCTL_OP(SAFER_RING_ALLOC, sring_ioctl_alloc,
		       safer_ring_alloc, mmap_offset),
	SRING_IOCTL_OP(SAFER_RING_FREE, sring_ioctl_free,
		       safer_ring_free, quarantine),
	SRING_IOCTL_OP(SAFER_RING_QUERY, sring_ioctl_query,
		       safer_ring_query, folios_busy),
};

/**
 * sring_ioctl - do a command
 * @file: the device
 * @number: which
 * @arg: the caller's structure
 *
 * Return: 0, or what the uapi header says.
 */
long sring_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	struct sring_command cmd = {
		.context = file->private_data,
		.user = (void __user *)arg,
	};
	const struct sring_ioctl_op *op;
	int ret;

	if (_IOC_NR(number) >= ARRAY_SIZE(sring_ioctl_ops))
		return -ENOIOCTLCMD;
	op = &sring_ioctl_ops[_IOC_NR(number)];
	if (op->cmd != number)
		return -ENOIOCTLCMD;
	if (get_user(cmd.user_size, (u32 __user *)cmd.user))
		return -EFAULT;
	if (cmd.user_size < op->min_size)
		return -EINVAL;
	/* No structure will ever be that long; do not read for ever. */
	if (cmd.user_size > PAGE_SIZE)
		return -E2BIG;
	cmd.known_size = op->size;
	ret = copy_struct_from_user(&cmd.u, op->size, cmd.user, cmd.user_size);
	if (ret)
		return ret;
	return op->execute(&cmd);
}
