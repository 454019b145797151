/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The contract between the safer_ring kernel module and user space.
 *
 * Every command takes a pointer to a structure whose first member, @size, is
 * the size of that structure in bytes as the caller was compiled. Structures
 * only ever grow at the end, and have no holes and no pointers. A structure
 * shorter than the module's is read as if zeros followed; a longer one is
 * accepted while the part that the module does not know is zero.
 *
 * What a command answers, besides 0:
 *
 *   ENOTTY      not a command of this device
 *   EFAULT      the structure, or a part of it, is not in the caller's memory
 *   E2BIG       bytes beyond the structure that the module knows are not zero
 *   EINVAL      @size is shorter than the first published structure, a reserved
 *               member is not zero, or a value is out of its range
 *   EOPNOTSUPP  a flag that the module does not know, or that its backend on
 *               this kernel cannot honour (SAFER_RING_INFO lists the features)
 *   EFBIG       the region would be larger than the largest allowed
 *   EDQUOT      the user's or the system's quota of region bytes is used up;
 *               bytes in quarantine count as used
 *   ENOSPC      every slot of this open file is taken
 *   ENOMEM      the node (strict) or every allowed node (preferred) is out of
 *               memory at every page order allowed, or the memory control group
 *               is at its limit
 *   EPERM       the node is outside the caller's cpuset
 *   ESTALE      the generation is not the one of the slot: the region was freed
 *               or renewed, or never was
 *   EBUSY       the region is pinned by the kernel or a device
 *   ETIMEDOUT   the region was still pinned when the time was up
 *   EINTR       a signal came while waiting
 *   EOVERFLOW   the slot has no further generation for RENEW
 *   EBADF       IMPORT: not an open descriptor
 *   EMFILE      EXPORT, DMABUF: the process may open no more descriptors
 *   ENFILE      ALLOC, EXPORT, DMABUF: the system may open no more files
 *
 * What mmap() answers, besides an address:
 *
 *   ENXIO       no live region answers to that offset: it is stale or made up
 *   EINVAL      MAP_PRIVATE, or a range beyond the end of the region
 *   EPERM       the control area was to be mapped writable
 *   EFBIG, EDQUOT, ENOMEM, ENFILE   at offset 0, as for ALLOC
 *
 * A command that fails has changed nothing.
 *
 * Offset 0 of the device is a fresh region of the mapping's length, for programs
 * that can map a file for their buffers and know nothing of this interface. It
 * follows the memory policy of the caller, has no slot, and goes with its last
 * mapping.
 *
 * A 32-bit process reaches the control area and offset 0. Offsets of regions are
 * beyond what its mmap() can express; it maps the descriptor that EXPORT gives.
 */
#ifndef _UAPI_LINUX_SAFER_RING_H
#define _UAPI_LINUX_SAFER_RING_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SAFER_RING_DEVICE	"/dev/safer_ring"
#define SAFER_RING_IOC_MAGIC	0xB9
#define SAFER_RING_ABI		1

/* A node for ALLOC: the one on which the calling thread runs. */
#define SAFER_RING_NODE_LOCAL	(-1)
/* A page order for ALLOC: as large as the length of the region allows. */
#define SAFER_RING_ORDER_BEST	(~0U)

/*
 * Where the memory of a region comes from. It follows from the kernel's
 * version, and user space has no choice in it.
 */
enum safer_ring_backend {
	SAFER_RING_BACKEND_FOLIO = 1,	/* folios of one order, huge mappings */
	SAFER_RING_BACKEND_SHMEM = 2,	/* a shmem file, single pages */
};

/* Bits of safer_ring_info.features. */
#define SAFER_RING_FEATURE_HUGE_MAP	(1ULL << 0) /* order 9 is mapped by PMD */
#define SAFER_RING_FEATURE_DMA32	(1ULL << 1) /* SAFER_RING_ALLOC_DMA32 */
#define SAFER_RING_FEATURE_EXACT_PIN	(1ULL << 2) /* pins are known, not guessed,
						     * for orders above 0
						     */
#define SAFER_RING_FEATURE_FRESH_MAP	(1ULL << 3) /* a fresh region at offset 0 */
#define SAFER_RING_FEATURE_RENEW	(1ULL << 4) /* SAFER_RING_RENEW */
#define SAFER_RING_FEATURE_SHARE	(1ULL << 5) /* EXPORT and IMPORT */
#define SAFER_RING_FEATURE_DMABUF	(1ULL << 6) /* SAFER_RING_DMABUF */

/**
 * struct safer_ring_info - ioctl(SAFER_RING_INFO)
 * @size: in: sizeof(struct safer_ring_info)
 * @flags: in: must be 0
 * @abi: out: SAFER_RING_ABI of the module; for people, programs test @features
 * @backend: out: enum safer_ring_backend
 * @features: out: SAFER_RING_FEATURE bits
 * @page_orders: out: bit n is set if a region can be made of pages of order n
 * @region_max: out: bytes of the largest region
 * @slots: out: regions that one open file can hold
 * @slots_used: out: regions that this open file holds
 * @control_offset: out: mmap offset of the control area
 * @control_length: out: bytes of the control area
 * @quota_user: out: bytes that the caller's user may hold, all processes together
 * @quota_user_used: out: bytes that this user holds, quarantine included
 * @quota_total: out: bytes that all users together may hold
 * @quota_total_used: out: bytes that they hold, quarantine included
 * @quarantine: out: bytes, of all users, that are freed but still in use by the
 *	kernel or a device
 */
struct safer_ring_info {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 backend;
	__aligned_u64 features;
	__aligned_u64 page_orders;
	__aligned_u64 region_max;
	__u32 slots;
	__u32 slots_used;
	__aligned_u64 control_offset;
	__aligned_u64 control_length;
	__aligned_u64 quota_user;
	__aligned_u64 quota_user_used;
	__aligned_u64 quota_total;
	__aligned_u64 quota_total_used;
	__aligned_u64 quarantine;
};

/* Bits of safer_ring_alloc.flags. */
#define SAFER_RING_ALLOC_STRICT	(1U << 0) /* this node or no memory at all */
#define SAFER_RING_ALLOC_DMA32	(1U << 1) /* below 4 GiB, for limited devices */

/**
 * struct safer_ring_alloc - ioctl(SAFER_RING_ALLOC)
 * @size: in: sizeof(struct safer_ring_alloc)
 * @flags: in: SAFER_RING_ALLOC bits
 * @length: in: bytes wanted, not 0; out: bytes got, a multiple of the page size
 *	of @order
 * @node: in: NUMA node, or SAFER_RING_NODE_LOCAL; out: the node got
 * @order_min: in: smallest page order that will do
 * @order_max: in: largest page order to try, or SAFER_RING_ORDER_BEST
 * @order: out: the order of every page of the region
 * @slot: out: index of the region's generation in the control area
 * @reserved: in: must be 0
 * @generation: out: the region's generation, odd
 * @mmap_offset: out: mmap offset of the first byte of the region
 *
 * The memory is zeroed, lies on one node, and belongs to the open file: it goes
 * when the last descriptor and the last mapping of the control area have gone.
 */
struct safer_ring_alloc {
	__u32 size;
	__u32 flags;
	__aligned_u64 length;
	__s32 node;
	__u32 order_min;
	__u32 order_max;
	__u32 order;
	__u32 slot;
	__u32 reserved;
	__aligned_u64 generation;
	__aligned_u64 mmap_offset;
};

/* Bits of safer_ring_free.flags: at most one. */
#define SAFER_RING_FREE_FORCE	(1U << 0) /* also when pinned: quarantine it */
#define SAFER_RING_FREE_WAIT	(1U << 1) /* for the pins to go, at most @timeout_ms */

/**
 * struct safer_ring_free - ioctl(SAFER_RING_FREE)
 * @size: in: sizeof(struct safer_ring_free)
 * @flags: in: SAFER_RING_FREE bits
 * @slot: in: the slot that ALLOC gave
 * @timeout_ms: in: milliseconds to wait with SAFER_RING_FREE_WAIT, else 0; out:
 *	after EINTR, what is left of them
 * @generation: in: the generation that ALLOC gave
 * @quarantine: out: bytes that stay until the kernel or a device lets go of them
 *
 * From the moment this succeeds the generation in the control area differs, and
 * touching a mapping of the region raises SIGBUS, here and in every process that
 * imported it. In the slot of an importer FREE only gives up that slot: the flags
 * make no difference, the memory and its mappings stay.
 */
struct safer_ring_free {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 timeout_ms;
	__aligned_u64 generation;
	__aligned_u64 quarantine;
};

/**
 * struct safer_ring_query - ioctl(SAFER_RING_QUERY)
 * @size: in: sizeof(struct safer_ring_query)
 * @flags: in: must be 0
 * @slot: in: slot to look at
 * @node: out: NUMA node of the memory
 * @generation: in: the generation that ALLOC or IMPORT gave, or 0 for whatever region is
 *	in the slot; out: its generation
 * @length: out: bytes of the region
 * @mmap_offset: out: mmap offset of its first byte
 * @order: out: order of its pages
 * @folios: out: number of its folios (pages of that order)
 * @folios_pinned: out: how many of them are pinned for I/O. A lower bound that
 *	is exact for orders above 0; for order 0 the kernel's own heuristic
 * @folios_busy: out: how many are in use by anybody at all, mappings included
 */
struct safer_ring_query {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__s32 node;
	__aligned_u64 generation;
	__aligned_u64 length;
	__aligned_u64 mmap_offset;
	__u32 order;
	__u32 folios;
	__u32 folios_pinned;
	__u32 folios_busy;
};

/**
 * struct safer_ring_renew - ioctl(SAFER_RING_RENEW)
 * @size: in: sizeof(struct safer_ring_renew)
 * @flags: in: must be 0
 * @slot: in: the slot that ALLOC or IMPORT gave
 * @reserved: in: must be 0
 * @generation: in: the slot's generation; out: its new one
 * @mmap_offset: out: mmap offset of the region's first byte from now on
 *
 * Every handle made with the old generation is stale; the memory, its contents
 * and its mappings stay. Slots of others are not touched.
 */
struct safer_ring_renew {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 reserved;
	__aligned_u64 generation;
	__aligned_u64 mmap_offset;
};

/**
 * struct safer_ring_export - ioctl(SAFER_RING_EXPORT) and ioctl(SAFER_RING_DMABUF)
 * @size: in: sizeof(struct safer_ring_export)
 * @flags: in: must be 0
 * @slot: in: the slot that ALLOC or IMPORT gave
 * @fd: out: a new descriptor, closed on exec
 * @generation: in: the slot's generation
 *
 * EXPORT gives a descriptor to be sent to another process, which can map it from
 * offset 0 on, or IMPORT it. DMABUF gives a dma-buf, each attachment of which
 * counts as a pin. Neither keeps the region from being freed by its owner.
 */
struct safer_ring_export {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__s32 fd;
	__aligned_u64 generation;
};

/**
 * struct safer_ring_import - ioctl(SAFER_RING_IMPORT)
 * @size: in: sizeof(struct safer_ring_import)
 * @flags: in: must be 0
 * @fd: in: a descriptor that EXPORT gave; it may be closed afterwards
 * @slot: out: slot of this open file that the region got
 * @generation: out: its generation, which changes when the owner frees the region
 * @length: out: bytes of the region
 * @mmap_offset: out: mmap offset of its first byte
 * @node: out: NUMA node of the memory
 * @order: out: order of its pages
 *
 * The memory stays charged to its owner.
 */
struct safer_ring_import {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 slot;
	__aligned_u64 generation;
	__aligned_u64 length;
	__aligned_u64 mmap_offset;
	__s32 node;
	__u32 order;
};

#define SAFER_RING_INFO		_IO(SAFER_RING_IOC_MAGIC, 0x00)
#define SAFER_RING_ALLOC	_IO(SAFER_RING_IOC_MAGIC, 0x01)
#define SAFER_RING_FREE		_IO(SAFER_RING_IOC_MAGIC, 0x02)
#define SAFER_RING_QUERY	_IO(SAFER_RING_IOC_MAGIC, 0x03)
#define SAFER_RING_RENEW	_IO(SAFER_RING_IOC_MAGIC, 0x04)
#define SAFER_RING_EXPORT	_IO(SAFER_RING_IOC_MAGIC, 0x05)
#define SAFER_RING_IMPORT	_IO(SAFER_RING_IOC_MAGIC, 0x06)
#define SAFER_RING_DMABUF	_IO(SAFER_RING_IOC_MAGIC, 0x07)

/**
 * struct safer_ring_control - first page of the control area
 * @magic: SAFER_RING_CONTROL_MAGIC
 * @header_length: bytes before the generations
 * @slots: number of generations that follow
 * @reserved: 0
 * @revocations: grows whenever a generation of this open file has gone stale.
 *	While it stands still no region has, so one load serves a whole batch
 *
 * The control area is read-only. The generations, an array of __u64, begin
 * @header_length bytes after its start. The word at index slot equals the
 * generation that ALLOC gave if and only if that region is live; it is odd while
 * any region is live there. Load it with acquire ordering; it changes before the
 * memory goes away, never after.
 */
struct safer_ring_control {
	__u32 magic;
	__u32 header_length;
	__u32 slots;
	__u32 reserved;
	__aligned_u64 revocations;
};

#define SAFER_RING_CONTROL_MAGIC	0x53524e47 /* "SRNG" */

#endif /* _UAPI_LINUX_SAFER_RING_H */
