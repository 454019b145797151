/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Device: where regions come from. A device picks the best backend that works
 * on this machine, remembers why the better ones do not, and owns the open
 * /dev/safer_ring and its control area if that one is it.
 */
#ifndef SAFERRING_DEVICE_H
#define SAFERRING_DEVICE_H

#include <saferring/api.h>

SAFERRING_BEGIN_DECLS

/**
 * enum saferring_backend - kinds of memory, best first
 * @SAFERRING_BACKEND_AUTO: the first of the others that works
 * @SAFERRING_BACKEND_MODULE: the kernel module, through /dev/safer_ring
 * @SAFERRING_BACKEND_HUGETLB: reserved huge pages of 2 MiB
 * @SAFERRING_BACKEND_THP: anonymous memory, 2 MiB aligned, for which transparent
 *	huge pages are asked
 * @SAFERRING_BACKEND_PLAIN: anonymous memory in pages of the base size
 */
enum saferring_backend {
	SAFERRING_BACKEND_AUTO = 0,
	SAFERRING_BACKEND_MODULE = 1,
	SAFERRING_BACKEND_HUGETLB = 2,
	SAFERRING_BACKEND_THP = 3,
	SAFERRING_BACKEND_PLAIN = 4,
};

/**
 * struct saferring_device_options - how to open a device
 * @size: sizeof(struct saferring_device_options)
 * @backend: enum saferring_backend; any but AUTO is the only one tried
 * @path: device node of the module, or NULL for /dev/safer_ring
 *
 * In the environment, SAFERRING_BACKEND (module, hugetlb, thp or plain) takes
 * the place of @backend, and SAFERRING_DEVICE that of @path.
 */
struct saferring_device_options {
	size_t size;
	int backend;
	const char *path;
};

struct saferring_device;

/**
 * saferring_device_open() - open a source of regions
 * @options: options, or NULL for the defaults
 * @device: out: the device, to be closed by saferring_device_close()
 *
 * Without a forced backend this succeeds on every machine.
 *
 * Any thread may call it. A device may be used by any thread.
 *
 * Return: 0, or
 * -EINVAL: an option, or SAFERRING_BACKEND, is not one of its values;
 * -ENODEV, -EACCES, -EOPNOTSUPP, -ENOMEM: the forced backend does not work, the
 * detail says why;
 * -ENOMEM: out of memory.
 */
SAFERRING_API int
saferring_device_open(const struct saferring_device_options *options,
		      struct saferring_device **device)
	SAFERRING_NONNULL(2) SAFERRING_MUST_CHECK;

/**
 * saferring_device_close() - close a device
 * @device: the device, or NULL
 *
 * Return: 0, or
 * -EBUSY: regions of it still exist, nothing was changed;
 * -EOWNERDEAD: it belongs to the parent process.
 */
SAFERRING_API int saferring_device_close(struct saferring_device *device);

/**
 * saferring_device_backend() - the backend that regions are first tried on
 * @device: the device
 *
 * A single region can still end up on a lesser one, see
 * saferring_region_info().
 *
 * Return: enum saferring_backend, never AUTO.
 */
SAFERRING_API int
saferring_device_backend(const struct saferring_device *device)
	SAFERRING_NONNULL(1);

/**
 * saferring_device_reason() - why a backend is not used
 * @device: the device
 * @backend: the backend in question
 *
 * Return: one line for people, valid as long as @device; "" if the backend is
 * usable; NULL if @backend is not one.
 */
SAFERRING_API const char *
saferring_device_reason(const struct saferring_device *device, int backend)
	SAFERRING_NONNULL(1);

/**
 * saferring_backend_name() - the name of a backend
 * @backend: enum saferring_backend
 *
 * Return: "auto", "module", "hugetlb", "thp", "plain" or "unknown"; the middle
 * four are what SAFERRING_BACKEND understands.
 */
SAFERRING_API const char *saferring_backend_name(int backend);

SAFERRING_END_DECLS

#endif /* SAFERRING_DEVICE_H */
