// SPDX-License-Identifier: GPL-2.0
/*
 * Loading, unloading and the parameters.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/workqueue.h>

#include "safer_ring.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#ifndef CONFIG_64BIT
#error "safer_ring publishes 64-bit generations by single stores: 64-bit kernels only"
#endif

/* The last counter of a slot that still leaves room for one region. */
#define SRING_GENERATION_START_MAX	0xfffffffcU

static unsigned int slots = 4096;
static unsigned long region_max = SRING_REGION_MAX;
static unsigned long quota_user;
static unsigned long quota_total;
static unsigned long cache_max = 64UL << 20;
static unsigned int generation_start;

struct workqueue_struct *sring_queue;

static int sring_slots_set(const char *text, const struct kernel_param *param)
{
	return param_set_uint_minmax(text, param, 1, SRING_SLOTS_MAX);
}

static const struct kernel_param_ops sring_slots_ops = {
	.set = sring_slots_set,
	.get = param_get_uint,
};

module_param_cb(slots, &sring_slots_ops, &slots, 0644);
__MODULE_PARM_TYPE(slots, "uint");
MODULE_PARM_DESC(slots, "regions that one open file can hold, 1 to 16384 (default 4096); for files opened from now on");
module_param(region_max, ulong, 0644);
MODULE_PARM_DESC(region_max, "bytes of the largest region (default and limit: 64 GiB)");
module_param(quota_user, ulong, 0644);
MODULE_PARM_DESC(quota_user, "bytes that one user without CAP_IPC_LOCK may hold (default: an eighth of the memory)");
module_param(quota_total, ulong, 0644);
MODULE_PARM_DESC(quota_total, "bytes that all users together may hold (default: half of the memory)");
module_param(cache_max, ulong, 0644);
MODULE_PARM_DESC(cache_max, "bytes of huge pages that wait on each node for the next region, for a second at most (default 64 MiB)");
module_param(generation_start, uint, 0444);
MODULE_PARM_DESC(generation_start, "counter that generations begin with, to test the end of a slot's life (default 0)");

/**
 * sring_param_slots - how many regions a file can hold
 *
 * Return: slots of a file opened now.
 */
u32 sring_param_slots(void)
{
	return READ_ONCE(slots);
}

/**
 * sring_param_region_max - how large a region can be
 *
 * Return: bytes of the largest region allocated now.
 */
u64 sring_param_region_max(void)
{
	return min_t(u64, READ_ONCE(region_max), SRING_REGION_MAX);
}

/**
 * sring_param_quota_user - how much a user may hold
 *
 * Return: bytes.
 */
u64 sring_param_quota_user(void)
{
	return READ_ONCE(quota_user);
}

/**
 * sring_param_quota_total - how much all users together may hold
 *
 * Return: bytes.
 */
u64 sring_param_quota_total(void)
{
	return READ_ONCE(quota_total);
}

/**
 * sring_param_cache_max - how much may wait for the next region
 *
 * Return: bytes on each node.
 */
u64 sring_param_cache_max(void)
{
	return READ_ONCE(cache_max);
}

/**
 * sring_param_generation_start - where the generations of a context begin
 *
 * Return: an even counter that leaves room for at least one region.
 */
u32 sring_param_generation_start(void)
{
	return min(generation_start & ~1U, SRING_GENERATION_START_MAX);
}

/* What was not given at load time follows from the machine. */
static void __init sring_param_defaults(void)
{
	unsigned long memory = totalram_pages() << PAGE_SHIFT;

	quota_user = quota_user ?: memory / 8;
	quota_total = quota_total ?: memory / 2;
}

static int __init sring_init(void)
{
	int ret;

	sring_param_defaults();
	sring_queue = alloc_workqueue("safer_ring", WQ_UNBOUND, 0);
	if (!sring_queue)
		return -ENOMEM;
	ret = sring_stats_init();
	if (ret)
		goto err_destroy_queue;
	ret = sring_cache_init();
	if (ret)
		goto err_exit_stats;
	ret = sring_chardev_init();
	if (ret)
		goto err_exit_cache;
	sring_debugfs_init();
	return 0;

err_exit_cache:
	sring_cache_exit();
err_exit_stats:
	sring_stats_exit();
err_destroy_queue:
	destroy_workqueue(sring_queue);
	return ret;
}

static void __exit sring_exit(void)
{
	sring_debugfs_exit();
	sring_chardev_exit();
	sring_quarantine_exit();
	sring_cache_exit();
	sring_stats_exit();
	destroy_workqueue(sring_queue);
}

module_init(sring_init);
module_exit(sring_exit);

MODULE_AUTHOR("The Safer-Ring authors");
MODULE_DESCRIPTION("NUMA-local, revocable memory for io_uring fixed buffers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
