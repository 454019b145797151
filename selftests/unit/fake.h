/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A module that is played by the program: open(), ioctl() and mmap() of the
 * library end up here, so that every answer that the module can give is tried, on
 * any machine.
 */
#ifndef UNIT_FAKE_H
#define UNIT_FAKE_H

#include <linux/safer_ring.h>
#include "common.h"

#define FAKE_PATH    "/dev/fake_safer_ring"
#define FAKE_SLOTS   8U
#define FAKE_CONTROL 0UL
#define FAKE_FIRST   (1UL << 20)
#define FAKE_STEP    (16UL << 20)
#define FAKE_ORDER   4U

/* The module: what it does next, and what it was asked last. */
extern struct fake {
	int fd;
	int open_error, info_error, alloc_error, free_error, map_error;
	int share_error;
	uint32_t alloc_slot_offset;
	uint32_t magic;
	unsigned int allocs, frees;
	struct safer_ring_alloc last_alloc;
	struct safer_ring_free last_free;
	struct safer_ring_control *control;
} module;

uint64_t *generations(void);
/* Someone frees the region in a slot: its importer, or the administrator. */
void free_slot(unsigned int slot);
/* Have the next device be the module, which does all that it is asked. */
int reset(void **state);

#endif /* UNIT_FAKE_H */
