// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/safer_ring/regions: every region with its pins, a line each.
 * For people; it is not a stable interface.
 */
#include <linux/debugfs.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "safer_ring.h"

static struct dentry *sring_debugfs;

static void sring_debugfs_show_region(struct sring_region *region, void *arg)
{
	struct sring_folio_counts counts;
	struct seq_file *seq = arg;

	sring_region_count(region, &counts);
	seq_printf(seq, "%-8s pid=%d pinned=%u busy=%u held=%llu attachments=%d ",
		   READ_ONCE(region->dead) ? "retired" : "live", region->pid,
		   counts.pinned, counts.busy, READ_ONCE(region->charged),
		   atomic_read(&region->attachments));
	if (READ_ONCE(region->dead))
		seq_printf(seq, "age_ms=%u ",
			   jiffies_to_msecs(jiffies - region->retired_at));
	sring_region_show(region, seq);
}

static int sring_debugfs_regions_show(struct seq_file *seq, void *unused)
{
	sring_region_for_each(sring_debugfs_show_region, seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sring_debugfs_regions);

/**
 * sring_debugfs_init - make the list appear, if debugfs is there
 */
void sring_debugfs_init(void)
{
	sring_debugfs = debugfs_create_dir("safer_ring", NULL);
	debugfs_create_file("regions", 0400, sring_debugfs, NULL,
			    &sring_debugfs_regions_fops);
}

/**
 * sring_debugfs_exit - undo sring_debugfs_init()
 */
void sring_debugfs_exit(void)
{
	debugfs_remove_recursive(sring_debugfs);
}
