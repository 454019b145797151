// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Extent: a part of a region for what a ring and the kernel share: its queues,
 * or the entries of a group.
 *
 * A region that has any has no pool, and stays as long as the rings that it was
 * given to. Of a ring that was closed the kernel lets go some time later, and does
 * not tell when. So what a ring had is never used again while the region lives;
 * only a group that was unregistered gives its extent back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

static int fail_busy(const struct saferring_region *region,
		     const char *operation, const char *what, const char *cure)
{
	return sr_fail(&(struct sr_fault){
			       .code = -EBUSY,
			       .reason = SAFERRING_REASON_BUSY,
			       .operation = operation,
			       .kind = "region",
			       .name = region->name,
			       .cure = cure,
		       },
		       "%s", what);
}

/* What another process can free or write to is not for what the kernel reads. */
static int fail_shared(const struct saferring_region *region)
{
	return sr_fail(&(struct sr_fault){
			       .code = -EINVAL,
			       .reason = SAFERRING_REASON_ARGUMENT,
			       .operation = "ring_create",
			       .kind = "region",
			       .name = region->name,
			       .cure = "a region that is neither exported nor imported",
		       },
		       "it is shared with another process");
}

/* With the registry locked. */
static int check_hold(const struct saferring_region *region)
{
	if (region->pool)
		return fail_busy(region, "ring_create",
				 "a pool has its buffers in it",
				 "a region of its own for the ring's memory");
	if (region->shared)
		return fail_shared(region);
	if (sr_region_live(region))
		return 0;
	return sr_fail(&(struct sr_fault){
			       .code = -ESTALE,
			       .reason = SAFERRING_REASON_REGION_GONE,
			       .operation = "ring_create",
			       .kind = "region",
			       .name = region->name,
		       },
		       "it was freed");
}

int sr_memory_hold(struct saferring_region *region)
{
	int error;

	if (sr_forked(region->epoch))
		return sr_fail_forked("ring_create", "region", region->name);
	sr_registry_lock();
	error = check_hold(region);
	if (!error)
		__atomic_add_fetch(&region->rings, 1, __ATOMIC_RELAXED);
	sr_registry_unlock();
	return error;
}

void sr_memory_release(struct saferring_region *region)
{
	__atomic_sub_fetch(&region->rings, 1, __ATOMIC_RELEASE);
}

int sr_memory_check(const struct saferring_region *region,
		    const char *operation)
{
	if (!__atomic_load_n(&region->rings, __ATOMIC_ACQUIRE))
		return 0;
	return fail_busy(region, operation, "a ring has its own memory in it",
			 "destroy the ring first");
}

/* ---- extents: a list by address, from which the first gap is taken ---- */

static unsigned char *end_of(const struct sr_extent *extent)
{
	return extent->address + extent->length;
}

/* Where the gap before the extent at @link ends. */
static unsigned char *gap_end(const struct saferring_region *region,
			      const struct sr_extent *next)
{
	return next ? next->address : region->address + region->length;
}

static void insert(struct saferring_region *region, struct sr_extent *extent)
{
	struct sr_extent **link = &region->extents;
	unsigned char *start = region->address;

	while ((size_t)(gap_end(region, *link) - start) < extent->length) {
		if (!*link)
			return;
		start = end_of(*link);
		link = &(*link)->next;
	}
	extent->address = start;
	extent->next = *link;
	*link = extent;
}

struct sr_extent *sr_extent_take(struct saferring_region *region, size_t length)
{
	struct sr_extent *extent = calloc(1, sizeof(*extent));

	if (!extent)
		return NULL;
	extent->length = SR_ROUND_UP(length, sr_page_size());
	sr_registry_lock();
	insert(region, extent);
	sr_registry_unlock();
	if (extent->address) {
		memset(extent->address, 0, extent->length);
		return extent;
	}
	free(extent);
	return NULL;
}

void sr_extent_give(struct saferring_region *region, struct sr_extent *extent)
{
	struct sr_extent **link = &region->extents;

	sr_registry_lock();
	while (*link != extent)
		link = &(*link)->next;
	*link = extent->next;
	sr_registry_unlock();
	free(extent);
}

size_t sr_extents_length(const struct saferring_region *region)
{
	const struct sr_extent *extent;
	size_t length = 0;

	sr_registry_lock();
	for (extent = region->extents; extent; extent = extent->next)
		length += extent->length;
	sr_registry_unlock();
	return length;
}

void sr_extents_free(struct saferring_region *region)
{
	struct sr_extent *extent = region->extents, *next;

	for (; extent; extent = next) {
		next = extent->next;
		free(extent);
	}
}
