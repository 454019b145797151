// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Region: memory from the best backend that has some.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "account.h"
#include "internal.h"

static int check_placement(const struct saferring_region_options *options)
{
	switch (options->placement) {
	case SAFERRING_PLACE_LOCAL:
		return 0;
	case SAFERRING_PLACE_PREFERRED:
	case SAFERRING_PLACE_STRICT:
		break;
	default:
		return sr_fail_argument("region_create", "%d is no placement",
					options->placement);
	}
	if (saferring_node_usable(options->node))
		return 0;
	return sr_fail(&(struct sr_fault){
			       .code = -EINVAL,
			       .reason = SAFERRING_REASON_PLACEMENT,
			       .operation = "region_create",
			       .cure = "numactl -H lists the nodes",
			       .needed = (uint64_t)(int64_t)options->node,
			       .limit = (uint64_t)saferring_node_max(),
		       },
		       "node %d has no memory, or is not allowed to this process; the largest with memory is %d",
		       options->node, saferring_node_max());
}

static int copy_options(const struct saferring_region_options *options,
			struct saferring_region_options *known)
{
	int error;

	if (!options)
		return sr_fail_argument("region_create", "no options");
	error = sr_options_in("region_create", known, sizeof(*known), options);
	if (error)
		return error;
	if (!known->length)
		return sr_fail_argument("region_create", "length 0");
	return check_placement(known);
}

/* Append why a backend was passed over to the region's reason. */
static void pass_over(struct saferring_region *region, int kind,
		      const char *why)
{
	const size_t used = strlen(region->reason);

	snprintf(region->reason + used, sizeof(region->reason) - used,
		 "%s%s: %s", used ? "; " : "", saferring_backend_name(kind),
		 why);
}

/* Why a backend is not even tried for this region, or NULL. */
static const char *unfit(const struct saferring_device *device, int kind,
			 const struct saferring_region_options *options)
{
	const bool huge = kind == SAFERRING_BACKEND_HUGETLB ||
			  kind == SAFERRING_BACKEND_THP;

	if (*device->reason[kind])
		return device->reason[kind];
	if (huge && !device->forced && options->length < SR_HUGE_PAGE)
		return "the region is smaller than a huge page";
	return NULL;
}

/* The detail of the last backend that was tried stands if none has memory. */
static int map_best(struct saferring_region *region,
		    const struct saferring_region_options *options)
{
	const struct saferring_device *device = region->device;
	int error = -ENOMEM;
	const char *why;
	int kind;

	for (kind = device->backend; kind < SR_BACKENDS; kind++) {
		if (device->forced && kind != device->backend)
			break;
		why = unfit(device, kind, options);
		if (!why) {
			region->backend = sr_backend_get(kind);
			error = region->backend->map(region, options);
			if (!error)
				return 0;
			why = saferring_error_last()->what;
		}
		pass_over(region, kind, why);
	}
	return error;
}

/* Backends above the device's own are passed over for all its regions. */
static void pass_over_device(struct saferring_region *region)
{
	int kind;

	for (kind = SAFERRING_BACKEND_MODULE; kind < region->device->backend;
	     kind++)
		pass_over(region, kind, region->device->reason[kind]);
}

int saferring_region_create(struct saferring_device *device,
			    const struct saferring_region_options *options,
			    struct saferring_region **out)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	struct saferring_region_options known;
	struct saferring_region *region;
	int error;

	if (!device || !out)
		return sr_fail_argument("region_create",
					"no device, or no place for a region");
	if (sr_forked(device->epoch))
		return sr_fail_forked("region_create", "device", NULL);
	error = copy_options(options, &known);
	if (error)
		return error;
	region = calloc(1, sizeof(*region));
	if (!region)
		return sr_fail_memory("region_create", sizeof(*region));
	region->device = device;
	region->epoch = device->epoch;
	sr_name(region->name, known.name, "region");
	pass_over_device(region);
	error = map_best(region, &known);
	if (error) {
		free(region);
		return error;
	}
	__atomic_add_fetch(&device->regions, 1, __ATOMIC_ACQ_REL);
	region->account = sr_account_region(region);
	*out = region;
	return 0;
}

static int fail_used(const struct saferring_region *region)
{
	return sr_fail(&(struct sr_fault){
			       .code = -EBUSY,
			       .reason = SAFERRING_REASON_BUSY,
			       .operation = "region_destroy",
			       .kind = "region",
			       .name = region->name,
			       .cure = "destroy the pool first, or revoke the region",
		       },
		       "pool %s uses it", region->pool->name);
}

int saferring_region_destroy(struct saferring_region *region,
			     unsigned int flags, unsigned int timeout_ms)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	int error;

	if (!region)
		return 0;
	if (sr_forked(region->epoch))
		return sr_fail_forked("region_destroy", "region", region->name);
	if (flags & ~SAFERRING_DESTROY_FORCE)
		return sr_fail_argument("region_destroy", "unknown flags %#x",
					flags & ~SAFERRING_DESTROY_FORCE);
	if (region->pool)
		return fail_used(region);
	error = sr_memory_check(region, "region_destroy");
	if (error)
		return error;
	error = region->backend->unmap(region, flags, timeout_ms);
	if (error)
		return error;
	__atomic_sub_fetch(&region->device->regions, 1, __ATOMIC_ACQ_REL);
	if (!region->revoked)
		sr_account_region_gone(region, region->account);
	sr_extents_free(region);
	free(region);
	return 0;
}

static size_t number_in_pool(const struct saferring_region *region)
{
	size_t number = 0;

	while (region->pool->region[number] != region)
		number++;
	return number;
}

int saferring_region_revoke(struct saferring_region *region)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	int error;

	if (!region)
		return sr_fail_argument("region_revoke", "no region");
	if (sr_forked(region->epoch))
		return sr_fail_forked("region_revoke", "region", region->name);
	if (!sr_region_live(region))
		return sr_fail(&(struct sr_fault){
				       .code = -ESTALE,
				       .reason = SAFERRING_REASON_REGION_GONE,
				       .operation = "region_revoke",
				       .kind = "region",
				       .name = region->name,
			       },
			       "it is gone already");
	error = sr_memory_check(region, "region_revoke");
	if (error)
		return error;
	error = region->backend->revoke(region);
	if (error)
		return error;
	region->revoked = true;
	sr_account_region_gone(region, region->account);
	if (region->pool)
		sr_pool_region_gone(region->pool, number_in_pool(region), true);
	return 0;
}

int saferring_region_info(const struct saferring_region *region,
			  struct saferring_region_info *out)
{
	struct saferring_region_info info = { 0 };

	if (!region || !out)
		return sr_fail_argument("region_info",
					"no region, or no place for its info");
	info.length = region->length;
	info.page_size = region->page_size;
	info.pages = region->length / region->page_size;
	info.live = sr_region_live(region);
	info.pages_pinned = -1;
	if (info.live && !sr_forked(region->epoch))
		info.pages_pinned = region->backend->pinned(region);
	info.backend = region->backend->kind;
	info.node = region->node;
	info.generation = region->generation;
	info.name = region->name;
	info.reason = region->reason;
	return sr_info_out("region_info", out, &info, sizeof(info));
}

void *saferring_region_address(const struct saferring_region *region)
{
	return sr_region_live(region) ? region->address : NULL;
}
