// SPDX-License-Identifier: GPL-2.0
/*
 * The commands: one table, one dispatcher, one function for each.
 */
#include <linux/cpuset.h>
#include <linux/err.h>
#include <linux/file.h>
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
		struct safer_ring_renew renew;
		struct safer_ring_export export;
		struct safer_ring_import import;
	} u;
};

static int sring_respond(const struct sring_command *cmd)
{
	u32 size = min(cmd->user_size, cmd->known_size);

	return copy_to_user(cmd->user, &cmd->u, size) ? -EFAULT : 0;
}

/*
 * Answer once more, for a command that must not fail after it was done and has
 * found the place for its answer before. Only a munmap in between makes this
 * fail, and then nobody waits for the answer.
 */
static void sring_respond_late(const struct sring_command *cmd)
{
	if (sring_respond(cmd))
		pr_debug("safer_ring: an answer got lost\n");
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
		.features = sring_backend_features | sring_dmabuf_features |
			    SAFER_RING_FEATURE_FRESH_MAP |
			    SAFER_RING_FEATURE_RENEW |
			    SAFER_RING_FEATURE_SHARE,
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

static int sring_alloc_orders(const struct safer_ring_alloc *alloc,
			      struct sring_request *req)
{
	req->order_min = alloc->order_min;
	req->order_max = alloc->order_max;
	if (alloc->order_max == SAFER_RING_ORDER_BEST)
		req->order_max = max(sring_order_best(alloc->length),
				     alloc->order_min);
	if (req->order_min > req->order_max ||
	    req->order_max > ilog2(sring_backend_orders))
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
	struct sring_slot *slot;
	int ret;

	ret = sring_alloc_request(alloc, &req);
	if (ret)
		return ret;
	region = sring_region_create(&req);
	if (IS_ERR(region))
		return PTR_ERR(region);
	slot = sring_slot_reserve(cmd->context, region, true);
	if (IS_ERR(slot)) {
		ret = PTR_ERR(slot);
		goto err_retire;
	}
	alloc->length = region->length;
	alloc->node = region->node;
	alloc->order = region->order;
	alloc->slot = slot->index;
	alloc->generation = slot->generation;
	alloc->mmap_offset = sring_mmap_cookie(slot->index, slot->generation);
	ret = sring_respond(cmd);
	if (ret)
		goto err_cancel;
	trace_safer_ring_alloc(region, slot->index, slot->generation);
	/* The region cannot be dead: nobody else has known it until now. */
	sring_slot_publish(slot);
	sring_region_put(region);
	return 0;

err_cancel:
	sring_slot_cancel(slot);
err_retire:
	sring_region_retire(region);
	sring_region_put(region);
	return ret;
}

/* The region that a handle means, held; or NULL if the handle is stale. */
static struct sring_region *sring_region_of(struct sring_context *context,
					    u32 index, u64 generation,
					    bool *owner)
{
	struct sring_region *region = NULL;
	struct sring_slot *slot;

	xa_lock(&context->slots);
	slot = sring_slot_find(context, index, generation);
	if (slot && generation != SRING_GENERATION_ANY) {
		region = sring_region_get(slot->region);
		if (owner)
			*owner = slot->owner;
	}
	xa_unlock(&context->slots);
	return region;
}

/*
 * 0, -ESTALE, or -EBUSY. Pins are counted without the slot's lock, for a region
 * can have many folios; one that comes later is the quarantine's business.
 */
static int sring_free_check(const struct sring_command *cmd)
{
	const struct safer_ring_free *free = &cmd->u.free;
	struct sring_region *region;
	bool owner;
	int ret = 0;

	region = sring_region_of(cmd->context, free->slot, free->generation,
				 &owner);
	if (!region)
		return -ESTALE;
	if (owner && !(free->flags & SAFER_RING_FREE_FORCE) &&
	    sring_region_pinned(region))
		ret = -EBUSY;
	sring_region_put(region);
	return ret;
}

/*
 * The same, or -ETIMEDOUT, for as long as the caller wants to wait.
 *
 * What lets go of a ring's pins may be work that this very task has to do on its
 * way back to user space, for which it is woken like for a signal. So it goes
 * back, and comes again with the time that is left.
 */
static int sring_free_wait(struct sring_command *cmd)
{
	struct safer_ring_free *free = &cmd->u.free;
	/* The tick that has begun does not count as a whole one. */
	unsigned long end = jiffies + msecs_to_jiffies(free->timeout_ms) +
			    !!free->timeout_ms;
	unsigned long pause = SRING_WAIT_FIRST;
	int ret;

	for (;;) {
		ret = sring_free_check(cmd);
		if (ret != -EBUSY)
			return ret;
		if (time_after_eq(jiffies, end))
			return -ETIMEDOUT;
		pause = min(pause, end - jiffies);
		schedule_timeout_interruptible(pause);
		if (signal_pending(current))
			break;
		pause = min(2 * pause, SRING_WAIT_LAST);
	}
	free->timeout_ms = time_before(jiffies, end) ?
			   jiffies_to_msecs(end - jiffies) : 0;
	sring_respond_late(cmd);
	return -ERESTARTSYS;
}

static int sring_ioctl_free(struct sring_command *cmd)
{
	struct safer_ring_free *free = &cmd->u.free;
	bool wait = free->flags & SAFER_RING_FREE_WAIT;
	struct sring_slot *slot;
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
	ret = wait ? sring_free_wait(cmd) : sring_free_check(cmd);
	if (ret)
		return ret;
	slot = sring_slot_take(cmd->context, free->slot, free->generation);
	if (!slot)
		return -ESTALE;
	free->quarantine = sring_slot_release(slot);
	sring_respond_late(cmd);
	return 0;
}

static int sring_ioctl_query(struct sring_command *cmd)
{
	struct safer_ring_query *query = &cmd->u.query;
	struct sring_context *context = cmd->context;
	struct sring_folio_counts counts;
	struct sring_region *region;
	struct sring_slot *slot;

	if (query->flags)
		return -EOPNOTSUPP;
	xa_lock(&context->slots);
	slot = sring_slot_find(context, query->slot, query->generation);
	if (!slot) {
		xa_unlock(&context->slots);
		return -ESTALE;
	}
	query->generation = slot->generation;
	region = sring_region_get(slot->region);
	xa_unlock(&context->slots);

	sring_region_count(region, &counts);
	query->node = region->node;
	query->length = region->length;
	query->mmap_offset = sring_mmap_cookie(query->slot, query->generation);
	query->order = region->order;
	query->folios = region->nr_folios;
	query->folios_pinned = counts.pinned;
	query->folios_busy = counts.busy;
	sring_region_put(region);
	return sring_respond(cmd);
}

static int sring_ioctl_renew(struct sring_command *cmd)
{
	struct safer_ring_renew *renew = &cmd->u.renew;
	struct sring_region *region;
	int ret;

	if (renew->flags)
		return -EOPNOTSUPP;
	if (renew->reserved)
		return -EINVAL;
	/* As with FREE: nobody is to lose the new generation. */
	ret = sring_respond(cmd);
	if (ret)
		return ret;
	region = sring_region_of(cmd->context, renew->slot, renew->generation,
				 NULL);
	if (!region)
		return -ESTALE;
	ret = sring_slot_renew(cmd->context, renew->slot, &renew->generation);
	if (!ret) {
		renew->mmap_offset = sring_mmap_cookie(renew->slot,
						       renew->generation);
		trace_safer_ring_renew(region, renew->slot, renew->generation);
		sring_respond_late(cmd);
	}
	sring_region_put(region);
	return ret;
}

/* Give the caller a descriptor of what @make makes of the region. */
static int sring_pass_on(struct sring_command *cmd,
			 struct file *(*make)(struct sring_region *region))
{
	struct safer_ring_export *export = &cmd->u.export;
	struct sring_region *region;
	struct file *file;
	int ret;

	if (export->flags)
		return -EOPNOTSUPP;
	region = sring_region_of(cmd->context, export->slot,
				 export->generation, NULL);
	if (!region)
		return -ESTALE;
	file = make(region);
	sring_region_put(region);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = get_unused_fd_flags(O_CLOEXEC);
	if (ret < 0)
		goto err_put_file;
	export->fd = ret;
	ret = sring_respond(cmd);
	if (ret)
		goto err_put_fd;
	fd_install(export->fd, file);
	return 0;

err_put_fd:
	put_unused_fd(export->fd);
err_put_file:
	fput(file);
	return ret;
}

static int sring_ioctl_export(struct sring_command *cmd)
{
	return sring_pass_on(cmd, sring_share_export);
}

static int sring_ioctl_dmabuf(struct sring_command *cmd)
{
	return sring_pass_on(cmd, sring_dmabuf_export);
}

static int sring_ioctl_import(struct sring_command *cmd)
{
	struct safer_ring_import *import = &cmd->u.import;
	struct sring_region *region;
	struct sring_slot *slot;
	int ret;

	if (import->flags)
		return -EOPNOTSUPP;
	region = sring_share_import(import->fd);
	if (IS_ERR(region))
		return PTR_ERR(region);
	slot = sring_slot_reserve(cmd->context, region, false);
	if (IS_ERR(slot)) {
		ret = PTR_ERR(slot);
		goto out_put;
	}
	import->slot = slot->index;
	import->generation = slot->generation;
	import->length = region->length;
	import->mmap_offset = sring_mmap_cookie(slot->index, slot->generation);
	import->node = region->node;
	import->order = region->order;
	ret = sring_respond(cmd);
	if (!ret)
		ret = sring_slot_publish(slot);
	if (ret)
		sring_slot_cancel(slot);
	else
		trace_safer_ring_share(region, import->slot,
				       import->generation);
out_put:
	sring_region_put(region);
	return ret;
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
	SRING_IOCTL_OP(SAFER_RING_RENEW, sring_ioctl_renew,
		       safer_ring_renew, mmap_offset),
	SRING_IOCTL_OP(SAFER_RING_EXPORT, sring_ioctl_export,
		       safer_ring_export, generation),
	SRING_IOCTL_OP(SAFER_RING_IMPORT, sring_ioctl_import,
		       safer_ring_import, order),
	SRING_IOCTL_OP(SAFER_RING_DMABUF, sring_ioctl_dmabuf,
		       safer_ring_export, generation),
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
