// SPDX-License-Identifier: GPL-2.0
/*
 * Counters below /sys/class/misc/safer_ring/stats, one value a file. They are
 * stable: names stay, and new ones come at the end.
 */
#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/sysfs.h>

#include "safer_ring.h"

static atomic64_t sring_stats[SRING_STAT_NR];

/**
 * sring_stat_add - count
 * @stat: the counter
 * @delta: to be added
 */
void sring_stat_add(enum sring_stat stat, s64 delta)
{
	atomic64_add(delta, &sring_stats[stat]);
}

/**
 * sring_stat_read - read a counter
 * @stat: the counter
 *
 * Return: its value, a moment ago.
 */
u64 sring_stat_read(enum sring_stat stat)
{
	return atomic64_read(&sring_stats[stat]);
}

struct sring_stat_attribute {
	struct device_attribute attr;
	enum sring_stat stat;
};

static ssize_t sring_stat_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct sring_stat_attribute *stat =
		container_of(attr, struct sring_stat_attribute, attr);

	return sysfs_emit(buf, "%llu\n", sring_stat_read(stat->stat));
}

#define SRING_STAT_ATTRIBUTE(_name, _stat)				\
	static struct sring_stat_attribute sring_stat_##_name = {	\
		.attr = __ATTR(_name, 0444, sring_stat_show, NULL),	\
		.stat = SRING_STAT_##_stat,				\
	}

SRING_STAT_ATTRIBUTE(regions, REGIONS);
SRING_STAT_ATTRIBUTE(live_bytes, LIVE_BYTES);
SRING_STAT_ATTRIBUTE(quarantine_regions, QUARANTINE_REGIONS);
SRING_STAT_ATTRIBUTE(quarantine_bytes, QUARANTINE_BYTES);
SRING_STAT_ATTRIBUTE(allocs, ALLOCS);
SRING_STAT_ATTRIBUTE(frees, FREES);
SRING_STAT_ATTRIBUTE(reaps, REAPS);
SRING_STAT_ATTRIBUTE(cache_bytes, CACHE_BYTES);

static struct attribute *sring_stat_attributes[] = {
	&sring_stat_regions.attr.attr,
	&sring_stat_live_bytes.attr.attr,
	&sring_stat_quarantine_regions.attr.attr,
	&sring_stat_quarantine_bytes.attr.attr,
	&sring_stat_allocs.attr.attr,
	&sring_stat_frees.attr.attr,
	&sring_stat_reaps.attr.attr,
	&sring_stat_cache_bytes.attr.attr,
	NULL
};

static const struct attribute_group sring_stat_group = {
	.name = "stats",
	.attrs = sring_stat_attributes,
};

const struct attribute_group *sring_sysfs_groups[] = {
	&sring_stat_group,
	NULL
};
