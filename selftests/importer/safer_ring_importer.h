/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The test device /dev/safer_ring_importer: one dma-buf attachment for each open.
 */
#ifndef SAFER_RING_IMPORTER_H
#define SAFER_RING_IMPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct safer_ring_importer_sum - what the device sees of the memory
 * @entries: scatter-gather entries
 * @copies: whether the device works on a copy of the memory
 * @length: bytes of all of them
 * @xor: exclusive or of the first __u64 of every page
 */
struct safer_ring_importer_sum {
	__u32 entries;
	__u32 copies;
	__aligned_u64 length;
	__aligned_u64 xor;
};

/* Attach to and map the dma-buf of a descriptor, the argument itself. */
#define SAFER_RING_IMPORTER_ATTACH	_IO('i', 0)
/* Unmap and detach, as closing does. */
#define SAFER_RING_IMPORTER_DETACH	_IO('i', 1)
#define SAFER_RING_IMPORTER_SUM		\
	_IOR('i', 2, struct safer_ring_importer_sum)
/* Write a value, the argument itself, to the first __u64 of every page. */
#define SAFER_RING_IMPORTER_FILL	_IO('i', 3)

#endif /* SAFER_RING_IMPORTER_H */
