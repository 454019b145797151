// SPDX-License-Identifier: GPL-2.0
/*
 * Regions that are freed, but whose folios the kernel or a device still holds.
 *
 * Nobody tells when a pin goes, so a delayed work looks. It looks often at
 * first, for a ring that closes lets go within milliseconds, and seldom later,
 * for a pin may stay as long as a device likes.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "safer_ring.h"
#include "trace.h"

#define SRING_QUARANTINE_SOON	msecs_to_jiffies(5)
#define SRING_QUARANTINE_LATE	msecs_to_jiffies(200)

static DEFINE_MUTEX(sring_quarantine_lock);
static LIST_HEAD(sring_quarantine);
static void sring_quarantine_look(struct work_struct *work);
static DECLARE_DELAYED_WORK(sring_quarantine_work, sring_quarantine_look);

/* A quarter of the time that the youngest has been there, within bounds. */
static unsigned long sring_quarantine_delay(void)
{
	struct sring_region *youngest;
	unsigned long age;

	youngest = list_last_entry(&sring_quarantine, struct sring_region,
				   quarantine);
	age = jiffies - youngest->retired_at;
	return clamp(age / 4, SRING_QUARANTINE_SOON, SRING_QUARANTINE_LATE);
}

static void sring_quarantine_reap(struct sring_region *region)
{
	u64 before = region->charged;
	u64 left = sring_region_reap(region);

	sring_stat_add(SRING_STAT_QUARANTINE_BYTES, -(s64)(before - left));
	if (left)
		return;
	list_del(&region->quarantine);
	sring_stat_add(SRING_STAT_QUARANTINE_REGIONS, -1);
	sring_stat_add(SRING_STAT_REAPS, 1);
	trace_safer_ring_reap(region);
	sring_region_put(region);
}

/*
 * To look at every folio takes as long as there are many, and whoever frees a
 * region or exits is not to wait for that. So it is done on a list of our own:
 * only this takes regions out, and it never runs twice at once.
 */
static void sring_quarantine_look(struct work_struct *work)
{
	struct sring_region *region, *next;
	LIST_HEAD(looked_at);

	mutex_lock(&sring_quarantine_lock);
	list_splice_init(&sring_quarantine, &looked_at);
	mutex_unlock(&sring_quarantine_lock);
	list_for_each_entry_safe(region, next, &looked_at, quarantine) {
		sring_quarantine_reap(region);
		cond_resched();
	}

	mutex_lock(&sring_quarantine_lock);
	/* The youngest stay last. */
	list_splice(&looked_at, &sring_quarantine);
	if (!list_empty(&sring_quarantine))
		queue_delayed_work(sring_queue, &sring_quarantine_work,
				   sring_quarantine_delay());
	mutex_unlock(&sring_quarantine_lock);
}

/**
 * sring_quarantine_add - take in a region until nobody can touch it
 * @region: dead, and in no page table
 *
 * Return: bytes that could not be given back at once.
 */
u64 sring_quarantine_add(struct sring_region *region)
{
	u64 left;

	left = sring_region_reap(region);
	if (!left)
		return 0;
	sring_region_get(region);
	mutex_lock(&sring_quarantine_lock);
	region->retired_at = jiffies;
	list_add_tail(&region->quarantine, &sring_quarantine);
	sring_stat_add(SRING_STAT_QUARANTINE_REGIONS, 1);
	sring_stat_add(SRING_STAT_QUARANTINE_BYTES, left);
	trace_safer_ring_quarantine(region);
	mod_delayed_work(sring_queue, &sring_quarantine_work,
			 SRING_QUARANTINE_SOON);
	mutex_unlock(&sring_quarantine_lock);
	return left;
}

/**
 * sring_quarantine_exit - look no more
 *
 * Every region holds the module, so the quarantine is empty by now.
 */
void sring_quarantine_exit(void)
{
	cancel_delayed_work_sync(&sring_quarantine_work);
}
