// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The backend that gets its memory from the kernel module.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "internal.h"

static int command(const struct saferring_device *device, unsigned long number,
		   void *argument)
{
	return ioctl(device->fd, number, argument) ? -errno : 0;
}

static int give_reason(struct saferring_device *device, int error,
		       const char *what)
{
	snprintf(device->reason[SAFERRING_BACKEND_MODULE], SR_REASON_MAX,
		 "%.100s: %s: %s", device->path, what, strerror(-error));
	return error;
}

static int open_node(struct saferring_device *device)
{
	device->fd = open(device->path, O_RDWR | O_CLOEXEC);
	if (device->fd >= 0)
		return 0;
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return give_reason(device, -ENODEV,
				   "the module safer_ring is not loaded");
	case EACCES:
	case EPERM:
		return give_reason(device, -EACCES,
				   "no permission, is the user in the group of the device?");
	default:
		return give_reason(device, -errno, "open failed");
	}
}

static int map_control(struct saferring_device *device)
{
	const struct safer_ring_control *control;
	size_t needed;

	control = mmap(NULL, device->info.control_length, PROT_READ, MAP_SHARED,
		       device->fd, (off_t)device->info.control_offset);
	if (control == MAP_FAILED)
		return give_reason(device, -errno,
				   "mapping the control area failed");
	device->control = control;
	device->control_length = device->info.control_length;
	needed = control->header_length + sizeof(uint64_t) * control->slots;
	if (control->magic != SAFER_RING_CONTROL_MAGIC ||
	    control->header_length < sizeof(*control) ||
	    needed > device->control_length)
		return give_reason(device, -EPROTO,
				   "the control area has an unknown layout");
	return 0;
}

static int probe(struct saferring_device *device)
{
	int error = open_node(device);

	if (error)
		return error;
	device->info.size = sizeof(device->info);
	error = command(device, SAFER_RING_INFO, &device->info);
	if (error) {
		give_reason(device, error, "it does not answer as the module");
		goto close;
	}
	if (device->info.control_length < sizeof(struct safer_ring_control)) {
		error = give_reason(device, -EPROTO, "it has no control area");
		goto close;
	}
	error = map_control(device);
	if (error)
		goto close;
	return 0;
close:
	sr_module_close(device);
	return error;
}

void sr_module_close(struct saferring_device *device)
{
	if (device->control)
		munmap((void *)(uintptr_t)device->control,
		       device->control_length);
	device->control = NULL;
	if (device->fd >= 0)
		close(device->fd);
	device->fd = -1;
}

static int fail_alloc(const struct saferring_region *region,
		      const struct safer_ring_alloc *alloc, int error)
{
	const struct safer_ring_info *info = &region->device->info;
	struct sr_fault fault = {
		.code = error,
		.reason = SAFERRING_REASON_SYSTEM,
		.operation = "region_create",
		.kind = "region",
		.name = region->name,
		.needed = alloc->length,
	};

	switch (-error) {
	case EDQUOT:
		fault.reason = SAFERRING_REASON_QUOTA;
		fault.limit = SR_MIN(info->quota_user, info->quota_total);
		fault.cure = "free regions, or raise the module's quota parameters";
		break;
	case ENOSPC:
		fault.reason = SAFERRING_REASON_QUOTA;
		fault.needed = info->slots + 1;
		fault.limit = info->slots;
		fault.cure = "free regions, or open a second device";
		break;
	case EFBIG:
		fault.reason = SAFERRING_REASON_ARGUMENT;
		fault.limit = info->region_max;
		fault.cure = "use several regions, a pool takes up to 64";
		break;
	case ENOMEM:
		fault.reason = alloc->flags & SAFER_RING_ALLOC_STRICT ?
				       SAFERRING_REASON_PLACEMENT :
				       SAFERRING_REASON_MEMORY;
		fault.cure = "look at numactl -H and at the limit of the control group";
		break;
	case EPERM:
		fault.reason = SAFERRING_REASON_PLACEMENT;
		fault.cure = "ask for a node of the caller's cpuset";
		break;
	case EOPNOTSUPP:
		fault.reason = SAFERRING_REASON_UNSUPPORTED;
		break;
	}
	return sr_fail(&fault, "the module has no %llu bytes on node %d: %s",
		       (unsigned long long)alloc->length, alloc->node,
		       strerror(-error));
}

static int release(struct saferring_region *region, unsigned int flags,
		   unsigned int timeout_ms)
{
	struct safer_ring_free request = {
		.size = sizeof(request),
		.flags = flags,
		.slot = region->slot,
		.timeout_ms = timeout_ms,
		.generation = region->generation,
	};

	return command(region->device, SAFER_RING_FREE, &request);
}

/* The generation's place is the kernel's word: it must lie in the map. */
static int set_generation(struct saferring_region *region,
			  const struct safer_ring_alloc *alloc)
{
	const struct safer_ring_control *control = region->device->control;
	const unsigned char *words =
		(const unsigned char *)control + control->header_length;

	region->slot = alloc->slot;
	region->generation = alloc->generation;
	if (alloc->slot >= control->slots)
		return -EPROTO;
	region->generation_at = (const uint64_t *)(const void *)words +
				alloc->slot;
	return 0;
}

static int map_region(struct saferring_region *region,
		      const struct safer_ring_alloc *alloc)
{
	void *address = mmap(NULL, alloc->length, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_POPULATE, region->device->fd,
			     (off_t)alloc->mmap_offset);

	if (address == MAP_FAILED)
		return -errno;
	region->address = address;
	region->length = alloc->length;
	region->mapped = address;
	region->mapped_length = alloc->length;
	region->node = alloc->node;
	region->page_size = sr_page_size() << alloc->order;
	return 0;
}

static int map(struct saferring_region *region,
	       const struct saferring_region_options *options)
{
	struct safer_ring_alloc alloc = {
		.size = sizeof(alloc),
		.length = options->length,
		.node = options->placement == SAFERRING_PLACE_LOCAL ?
				SAFER_RING_NODE_LOCAL :
				options->node,
		.order_max = SAFER_RING_ORDER_BEST,
	};
	int error;

	if (options->placement == SAFERRING_PLACE_STRICT)
		alloc.flags |= SAFER_RING_ALLOC_STRICT;
	if (options->dma32)
		alloc.flags |= SAFER_RING_ALLOC_DMA32;
	error = command(region->device, SAFER_RING_ALLOC, &alloc);
	if (error)
		return fail_alloc(region, &alloc, error);
	error = set_generation(region, &alloc);
	if (!error)
		error = map_region(region, &alloc);
	if (!error)
		return 0;
	release(region, 0, 0);
	return sr_fail(&(struct sr_fault){
			       .code = error,
			       .reason = SAFERRING_REASON_SYSTEM,
			       .operation = "region_create",
			       .kind = "region",
			       .name = region->name,
		       },
		       "mapping %llu bytes of the module failed: %s",
		       (unsigned long long)alloc.length, strerror(-error));
}

int sr_module_export(const struct saferring_region *region, int *fd)
{
	struct safer_ring_export request = {
		.size = sizeof(request),
		.slot = region->slot,
		.generation = region->generation,
	};
	const int error =
		command(region->device, SAFER_RING_EXPORT, &request);

	if (error)
		return error == -ENOTTY ? -EOPNOTSUPP : error;
	*fd = request.fd;
	return 0;
}

int sr_module_import(struct saferring_region *region, int fd)
{
	struct safer_ring_import request = {
		.size = sizeof(request),
		.fd = fd,
	};
	struct safer_ring_alloc got = { 0 };
	int error = command(region->device, SAFER_RING_IMPORT, &request);

	if (error)
		return error == -ENOTTY ? -EOPNOTSUPP : error;
	got.slot = request.slot;
	got.generation = request.generation;
	got.length = request.length;
	got.mmap_offset = request.mmap_offset;
	got.node = request.node;
	got.order = request.order;
	error = set_generation(region, &got);
	if (!error)
		error = map_region(region, &got);
	if (error)
		release(region, 0, 0);
	return error;
}

static int fail_release(const struct saferring_region *region,
			const char *operation, int error)
{
	const bool busy = error == -EBUSY || error == -ETIMEDOUT;

	return sr_fail(&(struct sr_fault){
			       .code = error,
			       .reason = busy ? SAFERRING_REASON_BUSY :
						SAFERRING_REASON_SYSTEM,
			       .operation = operation,
			       .kind = "region",
			       .name = region->name,
			       .cure = busy ? "wait longer, or force: then it is quarantined" :
				       NULL,
		       },
		       "the module does not free it: %s", strerror(-error));
}

/*
 * The module frees first: if it refuses, the mapping is still as it was. A
 * region that somebody else freed has nothing left but the mapping.
 */
static int unmap(struct saferring_region *region, unsigned int flags,
		 unsigned int timeout_ms)
{
	int error = 0;

	if (flags & SAFERRING_DESTROY_FORCE)
		error = release(region, SAFER_RING_FREE_FORCE, 0);
	else if (timeout_ms)
		error = release(region, SAFER_RING_FREE_WAIT, timeout_ms);
	else
		error = release(region, 0, 0);
	if (error && error != -ESTALE)
		return fail_release(region, "region_destroy", error);
	munmap(region->mapped, region->mapped_length);
	return 0;
}

/* The mapping stays, so that no other one takes the place of stale pointers. */
static int revoke_region(struct saferring_region *region)
{
	const int error = release(region, SAFER_RING_FREE_FORCE, 0);

	return error ? fail_release(region, "region_revoke", error) : 0;
}

static int64_t pinned(const struct saferring_region *region)
{
	struct safer_ring_query query = {
		.size = sizeof(query),
		.slot = region->slot,
		.generation = region->generation,
	};

	if (command(region->device, SAFER_RING_QUERY, &query))
		return -1;
	return query.folios_pinned;
}

const struct sr_backend sr_backend_module = {
	.kind = SAFERRING_BACKEND_MODULE,
	.probe = probe,
	.map = map,
	.unmap = unmap,
	.revoke = revoke_region,
	.pinned = pinned,
};
