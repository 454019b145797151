// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Device: the choice of a backend.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

static const char *const backend_names[SR_BACKENDS] = {
	[SAFERRING_BACKEND_AUTO] = "auto",
	[SAFERRING_BACKEND_MODULE] = "module",
	[SAFERRING_BACKEND_HUGETLB] = "hugetlb",
	[SAFERRING_BACKEND_THP] = "thp",
	[SAFERRING_BACKEND_PLAIN] = "plain",
};

static const struct sr_backend *const backends[SR_BACKENDS] = {
	[SAFERRING_BACKEND_MODULE] = &sr_backend_module,
	[SAFERRING_BACKEND_HUGETLB] = &sr_backend_hugetlb,
	[SAFERRING_BACKEND_THP] = &sr_backend_thp,
	[SAFERRING_BACKEND_PLAIN] = &sr_backend_plain,
};

static bool is_backend(int kind)
{
	return kind > SAFERRING_BACKEND_AUTO && kind < SR_BACKENDS;
}

const struct sr_backend *sr_backend_get(int kind)
{
	return is_backend(kind) ? backends[kind] : NULL;
}

const char *saferring_backend_name(int backend)
{
	if (backend != SAFERRING_BACKEND_AUTO && !is_backend(backend))
		return "unknown";
	return backend_names[backend];
}

static int backend_by_name(const char *name)
{
	int kind;

	for (kind = 0; kind < SR_BACKENDS; kind++)
		if (!strcmp(name, backend_names[kind]))
			return kind;
	return -EINVAL;
}

/* What the environment and the options ask for. Returns it or -EINVAL. */
static int wanted_backend(const struct saferring_device_options *options)
{
	const char *name = getenv("SAFERRING_BACKEND");
	int kind = options ? options->backend : SAFERRING_BACKEND_AUTO;

	if (name && *name) {
		kind = backend_by_name(name);
		if (kind >= 0)
			return kind;
		return sr_fail(
			&(struct sr_fault){
				.code = -EINVAL,
				.reason = SAFERRING_REASON_ARGUMENT,
				.operation = "device_open",
				.cure = "one of auto, module, hugetlb, thp, plain",
			},
			"SAFERRING_BACKEND=%s names no backend", name);
	}
	if (kind != SAFERRING_BACKEND_AUTO && !is_backend(kind))
		return sr_fail_argument("device_open", "%d is no backend",
					kind);
	return kind;
}

/* The device node's path into @device. Returns 0 or -EINVAL. */
static int set_path(struct saferring_device *device,
		    const struct saferring_device_options *options)
{
	const char *path = getenv("SAFERRING_DEVICE");

	if (!path || !*path)
		path = options ? options->path : NULL;
	if (!path)
		path = SAFER_RING_DEVICE;
	if (strlen(path) >= sizeof(device->path))
		return sr_fail_argument("device_open",
					"path of %zu bytes, at most %zu",
					strlen(path), sizeof(device->path) - 1);
	memcpy(device->path, path, strlen(path) + 1);
	return 0;
}

static int fail_forced(const struct saferring_device *device, int kind,
		       int error)
{
	return sr_fail(
		&(struct sr_fault){
			.code = error,
			.reason = SAFERRING_REASON_NO_BACKEND,
			.operation = "device_open",
			.kind = "backend",
			.name = backend_names[kind],
			.cure = "allow another: backend auto, or unset SAFERRING_BACKEND",
		},
		"%s", device->reason[kind]);
}

/* Try every backend that is allowed, so that each has its reason. */
static int choose(struct saferring_device *device, int wanted)
{
	int kind, error;

	for (kind = SAFERRING_BACKEND_MODULE; kind < SR_BACKENDS; kind++) {
		if (wanted && kind != wanted) {
			snprintf(device->reason[kind], SR_REASON_MAX,
				 "backend %s was asked for",
				 backend_names[wanted]);
			continue;
		}
		error = backends[kind]->probe(device);
		if (!error && !device->backend)
			device->backend = kind;
		if (error && wanted)
			return fail_forced(device, kind, error);
	}
	device->forced = wanted != SAFERRING_BACKEND_AUTO;
	return 0;
}

int saferring_device_open(const struct saferring_device_options *options,
			  struct saferring_device **out)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	struct saferring_device_options known = { 0 };
	struct saferring_device *device;
	int wanted, error;

	if (!out)
		return sr_fail_argument("device_open", "no place for a device");
	if (options) {
		error = sr_options_in("device_open", &known, sizeof(known),
				      options);
		if (error)
			return error;
	}
	wanted = wanted_backend(&known);
	if (wanted < 0)
		return wanted;
	device = calloc(1, sizeof(*device));
	if (!device || sr_epoch_begin(&device->epoch)) {
		free(device);
		return sr_fail_memory("device_open", sizeof(*device));
	}
	device->fd = -1;
	error = set_path(device, &known);
	if (!error)
		error = choose(device, wanted);
	if (error) {
		sr_module_close(device);
		free(device);
		return error;
	}
	*out = device;
	return 0;
}

int saferring_device_close(struct saferring_device *device)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	unsigned int regions;

	if (!device)
		return 0;
	if (sr_forked(device->epoch))
		return sr_fail_forked("device_close", "device", NULL);
	regions = __atomic_load_n(&device->regions, __ATOMIC_ACQUIRE);
	if (regions)
		return sr_fail(
			&(struct sr_fault){
				.code = -EBUSY,
				.reason = SAFERRING_REASON_BUSY,
				.operation = "device_close",
				.kind = "device",
				.cure = "destroy its regions first",
				.needed = regions,
			},
			"%u regions of it exist", regions);
	sr_module_close(device);
	free(device);
	return 0;
}

int saferring_device_backend(const struct saferring_device *device)
{
	return device->backend;
}

const char *saferring_device_reason(const struct saferring_device *device,
				    int backend)
{
	return is_backend(backend) ? device->reason[backend] : NULL;
}
