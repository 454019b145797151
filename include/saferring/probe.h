/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Probe: what this machine offers to the library, what of it is used, and why
 * the rest is not.
 */
#ifndef SAFERRING_PROBE_H
#define SAFERRING_PROBE_H

#include <saferring/api.h>
#include <saferring/device.h>

SAFERRING_BEGIN_DECLS

#define SAFERRING_PROBE_REASON 192

/**
 * struct saferring_probe - what was found
 * @size: in: sizeof(struct saferring_probe)
 * @io_uring: 0 if a ring can be had, else -errno
 * @io_uring_features: IORING_FEAT bits
 * @io_uring_setup_flags: IORING_SETUP bits, of those the library would use,
 *	that the kernel accepts
 * @fixed: 1 if READ_FIXED and WRITE_FIXED are there
 * @cancel_any: 1 if all operations can be cancelled by one request
 * @memlock_limit: RLIMIT_MEMLOCK in bytes, UINT64_MAX for none
 * @memlock_exempt: 1 if CAP_IPC_LOCK lifts that limit
 * @page_size: bytes of a base page
 * @huge_page_size: bytes of a huge page that is used, 2 MiB
 * @hugetlb_total: reserved huge pages of that size
 * @hugetlb_free: those that are free
 * @nodes: NUMA nodes with memory
 * @node: NUMA node where the caller runs
 * @module: 0 if the module answers, else -errno
 * @module_abi: its ABI number
 * @module_memory: 1 folios, 2 shmem, see the module's manual page
 * @module_features: feature bits of the module
 * @module_page_orders: bit n: regions can have pages of order n
 * @module_region_max: bytes of the largest region
 * @module_quota: bytes that the user may have
 * @module_quota_used: bytes that the user has
 * @backend: enum saferring_backend that a device would use
 * @io_uring_reason: why there is no ring, or ""
 * @thp: the kernel's policy for transparent huge pages
 * @backend_reason: by enum saferring_backend: why it cannot be used, or ""
 * @ring_memory: 0 if a ring's queues can lie in a region, else -errno; whether a
 *	region of many small pages does is found out with the ring
 * @group_memory: 0 if the entries of a group can, else -errno
 * @ring_memory_reason: why the first cannot, or ""
 */
struct saferring_probe {
	size_t size;
	int io_uring;
	uint32_t io_uring_features;
	uint32_t io_uring_setup_flags;
	int fixed;
	int cancel_any;
	uint64_t memlock_limit;
	int memlock_exempt;
	uint64_t page_size;
	uint64_t huge_page_size;
	uint64_t hugetlb_total;
	uint64_t hugetlb_free;
	int nodes;
	int node;
	int module;
	uint32_t module_abi;
	uint32_t module_memory;
	uint64_t module_features;
	uint64_t module_page_orders;
	uint64_t module_region_max;
	uint64_t module_quota;
	uint64_t module_quota_used;
	int backend;
	char io_uring_reason[SAFERRING_PROBE_REASON];
	char thp[32];
	char backend_reason[5][SAFERRING_PROBE_REASON];
	int ring_memory;
	int group_memory;
	char ring_memory_reason[SAFERRING_PROBE_REASON];
};

/**
 * saferring_probe() - find out what this machine offers
 * @probe: in: its size member; out: the rest
 *
 * Opens a small ring and the device for a moment. Any thread may call it.
 *
 * Return: 0 whatever was found, or -EINVAL: probe->size is none this library
 * knows, or SAFERRING_BACKEND names no backend.
 */
SAFERRING_API int saferring_probe(struct saferring_probe *probe)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_probe_text() - the same for people
 * @probe: what saferring_probe() found
 * @text: where the lines go, always terminated
 * @length: bytes at @text
 *
 * Return: bytes that the whole text takes without its end mark, as snprintf().
 */
SAFERRING_API int saferring_probe_text(const struct saferring_probe *probe,
				       char *text, size_t length)
	SAFERRING_NONNULL(1);

SAFERRING_END_DECLS

#endif /* SAFERRING_PROBE_H */
