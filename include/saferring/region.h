/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Region: zeroed, page-aligned memory on one NUMA node that io_uring accepts as
 * fixed buffers. A pool cuts it into buffers.
 */
#ifndef SAFERRING_REGION_H
#define SAFERRING_REGION_H

#include <saferring/api.h>

SAFERRING_BEGIN_DECLS

struct saferring_device;
struct saferring_region;

/**
 * enum saferring_placement - on which node memory is to lie
 * @SAFERRING_PLACE_LOCAL: preferably on the node where the caller runs
 * @SAFERRING_PLACE_PREFERRED: preferably on the node that is named
 * @SAFERRING_PLACE_STRICT: on the node that is named, or not at all
 *
 * On a kernel without NUMA all memory is on node 0, and any placement there
 * succeeds.
 */
enum saferring_placement {
	SAFERRING_PLACE_LOCAL = 0,
	SAFERRING_PLACE_PREFERRED = 1,
	SAFERRING_PLACE_STRICT = 2,
};

/**
 * struct saferring_region_options - what memory a region is to have
 * @size: sizeof(struct saferring_region_options)
 * @length: bytes, not 0; rounded up to whole pages of the kind got
 * @placement: enum saferring_placement
 * @node: NUMA node, for a placement other than LOCAL
 * @dma32: not 0: below 4 GiB, for limited devices; only the module can do it
 * @name: for reports and lists; copied, cut to 31 bytes; NULL for "region N"
 */
struct saferring_region_options {
	size_t size;
	size_t length;
	int placement;
	int node;
	int dma32;
	const char *name;
};

/**
 * struct saferring_region_info - what memory a region has
 * @size: in: sizeof(struct saferring_region_info)
 * @length: bytes
 * @page_size: bytes of each page (a folio of that size for the module; for THP
 *	the size asked for, which the kernel grants at its discretion)
 * @pages: number of pages, which is the number of bvecs that io_uring needs on a
 *	kernel that coalesces (6.12 and later)
 * @pages_pinned: how many of them are pinned for I/O, or -1 if nobody knows
 * @backend: enum saferring_backend
 * @node: NUMA node, or -1 if the memory is not bound to one
 * @live: 0 once the region was revoked
 * @generation: generation of the region
 * @name: name of the region, valid as long as it
 * @reason: why better backends or page sizes were not used, one line, valid as
 *	long as the region; "" if this is the best there is
 */
struct saferring_region_info {
	size_t size;
	size_t length;
	size_t page_size;
	size_t pages;
	int64_t pages_pinned;
	int backend;
	int node;
	int live;
	uint64_t generation;
	const char *name;
	const char *reason;
};

/**
 * saferring_region_create() - get memory
 * @device: where from; it must outlive the region
 * @options: what memory; not NULL, because it has no sensible default length
 * @region: out: the region, to be destroyed by saferring_region_destroy()
 *
 * Tries the backends of @device from the best down, unless one was forced. The
 * memory is zeroed, and present, so that first touches do not fault later.
 *
 * Any thread may call it.
 *
 * Return: 0, or
 * -EINVAL: length 0, unknown placement or impossible node;
 * -EFBIG: longer than the largest that any backend allows;
 * -EDQUOT, -ENOSPC: quota or slots of the module are used up;
 * -ENOMEM: no memory, on that node if strict;
 * -EPERM: the node is outside the caller's cpuset;
 * -EOPNOTSUPP: no allowed backend can honour an option;
 * -EOWNERDEAD: the device belongs to the parent process.
 */
SAFERRING_API int
saferring_region_create(struct saferring_device *device,
			const struct saferring_region_options *options,
			struct saferring_region **region)
	SAFERRING_NONNULL(1, 2, 3) SAFERRING_MUST_CHECK;

/* Bits for saferring_region_destroy(): at most one. */
#define SAFERRING_DESTROY_FORCE (1U << 0) /* also when pinned: quarantine */

/**
 * saferring_region_destroy() - give memory back
 * @region: the region, or NULL
 * @flags: SAFERRING_DESTROY bits
 * @timeout_ms: how long to wait for the kernel to let go of the memory, in
 *	milliseconds. Closing a ring is asynchronous in the kernel, so give it
 *	time: a second is plenty
 *
 * Pages that the kernel or a device still uses never reach another owner: the
 * module keeps them in quarantine, and anonymous memory stays with whoever has
 * pinned it.
 *
 * Return: 0, or
 * -EBUSY: a pool or a ring uses the region, or without a timeout the kernel does;
 * -ETIMEDOUT: the kernel still uses it;
 * -EINTR: a signal came while waiting;
 * -EINVAL: unknown flag;
 * -EOWNERDEAD: it belongs to the parent process.
 * After an error nothing was changed.
 */
SAFERRING_API int saferring_region_destroy(struct saferring_region *region,
					   unsigned int flags,
					   unsigned int timeout_ms);

/**
 * saferring_region_revoke() - free the memory now, handles or not
 * @region: the region, which remains as an object without memory
 *
 * Every handle to a buffer in it is stale from now on. I/O in flight ends in
 * pages that nobody else gets meanwhile. Touching the memory through an old
 * pointer raises SIGBUS (module) or SIGSEGV (all other backends, where the
 * mapping is replaced by one without access).
 *
 * Other threads must not use the pool of the region during the call. Revoking
 * twice is an error.
 *
 * Return: 0, or
 * -ESTALE: it is gone already;
 * -EBUSY: a ring has its own memory in it;
 * -EOWNERDEAD: it belongs to the parent process;
 * other: the kernel refused, nothing was changed.
 */
SAFERRING_API int saferring_region_revoke(struct saferring_region *region)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_region_info() - look at a region
 * @region: the region
 * @info: in: its size member; out: the rest
 *
 * Any thread may call it.
 *
 * Return: 0, or -EINVAL: info->size is none this library knows.
 */
SAFERRING_API int
saferring_region_info(const struct saferring_region *region,
		      struct saferring_region_info *info)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_region_address() - the first byte of a region
 * @region: the region
 *
 * For looking at and for proving where pages lie. A program that does I/O on
 * this memory behind the library's back has given its checks up.
 *
 * Return: the address, or NULL once the region was revoked.
 */
SAFERRING_API void *
saferring_region_address(const struct saferring_region *region)
	SAFERRING_NONNULL(1);

SAFERRING_END_DECLS

#endif /* SAFERRING_REGION_H */
