// SPDX-License-Identifier: GPL-2.0
/*
 * Counters below /sys/class/misc/safer_ring, one value a file: those of each node
 * in nodeN, their sums in stats. They are stable: names stay, and new ones come at
 * the end.
 */
#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "safer_ring.h"

/* Of the sums. A region that is spread over nodes counts here, but on none. */
#define SRING_ALL_NODES	NUMA_NO_NODE

/**
 * struct sring_stat_row - the counters of one node
 * @values: by enum sring_stat
 */
struct sring_stat_row {
	atomic64_t values[SRING_STAT_NR];
};

/**
 * struct sring_stat_attribute - a file
 * @attr: as sysfs knows it
 * @stat: which counter it shows
 * @node: of which node, or SRING_ALL_NODES
 */
struct sring_stat_attribute {
	struct device_attribute attr;
	enum sring_stat stat;
	int node;
};

/**
 * struct sring_stat_directory - the files of one node, or those of the sums
 * @group: as sysfs knows it
 * @name: of the directory
 * @attributes: its files
 * @list: the same, as sysfs wants them
 */
struct sring_stat_directory {
	struct attribute_group group;
	char name[16];
	struct sring_stat_attribute attributes[SRING_STAT_NR];
	struct attribute *list[SRING_STAT_NR + 1];
};

static const char *const sring_stat_names[] = {
	[SRING_STAT_REGIONS] = "regions",
	[SRING_STAT_LIVE_BYTES] = "live_bytes",
	[SRING_STAT_QUARANTINE_REGIONS] = "quarantine_regions",
	[SRING_STAT_QUARANTINE_BYTES] = "quarantine_bytes",
	[SRING_STAT_ALLOCS] = "allocs",
	[SRING_STAT_FREES] = "frees",
	[SRING_STAT_REAPS] = "reaps",
	[SRING_STAT_CACHE_BYTES] = "cache_bytes",
};

/* By node; the last one counts what is on no single node. */
static struct sring_stat_row *sring_stat_rows;
static struct sring_stat_directory *sring_stat_directories;

const struct attribute_group **sring_sysfs_groups;

static struct sring_stat_row *sring_stat_row(int node)
{
	return &sring_stat_rows[node == NUMA_NO_NODE ? nr_node_ids : node];
}

/**
 * sring_stat_add - count
 * @stat: the counter
 * @node: where it counts, or NUMA_NO_NODE
 * @delta: to be added
 */
void sring_stat_add(enum sring_stat stat, int node, s64 delta)
{
	atomic64_add(delta, &sring_stat_row(node)->values[stat]);
}

static u64 sring_stat_read_node(enum sring_stat stat, int node)
{
	return atomic64_read(&sring_stat_row(node)->values[stat]);
}

/**
 * sring_stat_read - read a counter
 * @stat: the counter
 *
 * Return: its value, a moment ago, all nodes together.
 */
u64 sring_stat_read(enum sring_stat stat)
{
	u64 sum = sring_stat_read_node(stat, NUMA_NO_NODE);
	int node;

	for_each_node(node)
		sum += sring_stat_read_node(stat, node);
	return sum;
}

static ssize_t sring_stat_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct sring_stat_attribute *a =
		container_of(attr, struct sring_stat_attribute, attr);
	u64 value = a->node == SRING_ALL_NODES ?
		    sring_stat_read(a->stat) :
		    sring_stat_read_node(a->stat, a->node);

	return sysfs_emit(buf, "%llu\n", value);
}

static void sring_stat_fill_directory(struct sring_stat_directory *dir, int node)
{
	enum sring_stat stat;

	if (node == SRING_ALL_NODES)
		strscpy(dir->name, "stats", sizeof(dir->name));
	else
		snprintf(dir->name, sizeof(dir->name), "node%d", node);
	for (stat = 0; stat < SRING_STAT_NR; stat++) {
		struct sring_stat_attribute *a = &dir->attributes[stat];

		sysfs_attr_init(&a->attr.attr);
		a->attr.attr.name = sring_stat_names[stat];
		a->attr.attr.mode = 0444;
		a->attr.show = sring_stat_show;
		a->stat = stat;
		a->node = node;
		dir->list[stat] = &a->attr.attr;
	}
	dir->group.name = dir->name;
	dir->group.attrs = dir->list;
}

static void sring_stats_fill(void)
{
	struct sring_stat_directory *dir = sring_stat_directories;
	const struct attribute_group **group = sring_sysfs_groups;
	int node;

	sring_stat_fill_directory(dir, SRING_ALL_NODES);
	*group++ = &dir->group;
	for_each_node(node) {
		sring_stat_fill_directory(++dir, node);
		*group++ = &dir->group;
	}
}

/**
 * sring_stats_init - be ready to count, and have the files for the device
 *
 * Return: 0 or -ENOMEM.
 */
int sring_stats_init(void)
{
	unsigned int nodes = num_possible_nodes();

	sring_stat_rows = kcalloc(nr_node_ids + 1, sizeof(*sring_stat_rows),
				  GFP_KERNEL);
	sring_stat_directories = kcalloc(nodes + 1,
					 sizeof(*sring_stat_directories),
					 GFP_KERNEL);
	/* The end of the list is NULL. */
	sring_sysfs_groups = kcalloc(nodes + 2, sizeof(*sring_sysfs_groups),
				     GFP_KERNEL);
	if (!sring_stat_rows || !sring_stat_directories ||
	    !sring_sysfs_groups) {
		sring_stats_exit();
		return -ENOMEM;
	}
	sring_stats_fill();
	return 0;
}

/**
 * sring_stats_exit - undo sring_stats_init(), once the device is gone
 */
void sring_stats_exit(void)
{
	kfree(sring_sysfs_groups);
	kfree(sring_stat_directories);
	kfree(sring_stat_rows);
}
