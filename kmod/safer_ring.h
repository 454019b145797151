/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module's files know of each other.
 *
 * A context is one open of the device: a table of slots and the generations of
 * those slots. A region is memory behind a file of its own; the context holds
 * it by a slot, every mapping of it holds its file. The file's release and the
 * end of the quarantine are the two ends of a region's life.
 *
 * Locks, outermost first:
 *
 *	mmap_lock
 *	  sring_context.lock		the slots and generations of one context
 *	  mapping->invalidate_lock	sring_region.dead against faults
 *	    folio lock			a fault until its page table entry stands
 *	  quarantine lock		the quarantine, sring_region.folios of the dead
 *	    quota lock			bytes charged
 *
 * User memory is never touched with one of ours held, for a fault on it takes
 * the mmap_lock.
 */
#ifndef SAFER_RING_H
#define SAFER_RING_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>
#include <linux/safer_ring.h>

#include "compat.h"

struct seq_file;
struct attribute_group;

/* An offset for mmap holds 36 bits within the region, so 64 GiB is the end. */
#define SRING_REGION_MAX	BIT_ULL(36)
#define SRING_SLOTS_MAX		16384
/* Below every region's offset, and within reach of a 32-bit process. */
#define SRING_CONTROL_OFFSET	BIT_ULL(40)

/*
 * generation.c: the control area, one for each context
 */

/**
 * struct sring_generations - the control area as the kernel sees it
 * @control: header page, followed by the generations
 * @words: the generation of each slot; odd while a region is live in it
 * @slots: number of @words
 * @length: bytes of the control area, whole pages
 */
struct sring_generations {
	struct safer_ring_control *control;
	u64 *words;
	u32 slots;
	size_t length;
};

int sring_generations_init(struct sring_generations *gens, u32 slots);
void sring_generations_destroy(struct sring_generations *gens);
u64 sring_generation_next(const struct sring_generations *gens, u32 slot);
void sring_generation_publish(struct sring_generations *gens, u32 slot);
bool sring_generation_retire(struct sring_generations *gens, u32 slot);
int sring_generations_mmap(struct sring_generations *gens,
			   struct vm_area_struct *vma, u64 offset);

/*
 * quota.c: bytes that a user, and all users together, may hold
 */

struct sring_quota_user;

/**
 * struct sring_quota_usage - a snapshot for INFO
 * @user: bytes that the calling user holds
 * @total: bytes that all users hold
 */
struct sring_quota_usage {
	u64 user;
	u64 total;
};

struct sring_quota_user *sring_quota_charge(u64 bytes);
void sring_quota_uncharge(struct sring_quota_user *user, u64 bytes);
void sring_quota_put(struct sring_quota_user *user);
void sring_quota_usage(struct sring_quota_usage *usage);

/*
 * region.c: what is the same for every backend
 */

/**
 * struct sring_region - memory of uniform page order on one node
 * @refs: one for the file (folio backend), one for the slot and then the
 *	quarantine
 * @file: the backing file; mappings hold it, so its mapping finds them all
 * @quota: who is charged
 * @length: bytes
 * @charged: bytes not yet given back
 * @order: page order of every folio
 * @node: NUMA node of every folio
 * @nr_folios: number of @folios
 * @dead: no new page table entry may come to be
 * @quarantine: entry in the quarantine
 * @retired_at: jiffies of entry into the quarantine
 * @slot: where it was allocated, for tracing
 * @generation: as it was allocated, for tracing
 * @folios: each held by one reference; NULL once given back
 */
struct sring_region {
	refcount_t refs;
	struct file *file;
	struct sring_quota_user *quota;
	u64 length;
	u64 charged;
	unsigned int order;
	int node;
	unsigned long nr_folios;
	bool dead;
	struct list_head quarantine;
	unsigned long retired_at;
	u32 slot;
	u64 generation;
	struct folio **folios;
};

/**
 * struct sring_request - what ALLOC asks for, checked
 * @length: bytes, not 0
 * @node: an online node with memory that the caller may use
 * @order_min: smallest page order that will do
 * @order_max: largest page order to try
 * @strict: take no other node
 * @dma32: below 4 GiB
 */
struct sring_request {
	u64 length;
	int node;
	unsigned int order_min;
	unsigned int order_max;
	bool strict;
	bool dma32;
};

/**
 * struct sring_folio_counts - who else uses a region's folios
 * @pinned: folios pinned for I/O
 * @busy: folios that anybody but the region itself holds
 */
struct sring_folio_counts {
	u32 pinned;
	u32 busy;
};

struct sring_region *sring_region_create(const struct sring_request *req);
void sring_region_put(struct sring_region *region);
u64 sring_region_retire(struct sring_region *region);
void sring_region_count(struct sring_region *region,
			struct sring_folio_counts *counts);
bool sring_region_pinned(struct sring_region *region);
u64 sring_region_reap(struct sring_region *region);

/*
 * folios.c or shmem.c: the backend of this kernel
 */

extern const u32 sring_backend;
extern const u64 sring_backend_features;
extern const u64 sring_backend_orders;
/* References that a folio has while nobody but the region uses it. */
extern const int sring_backend_refs;

int sring_backend_populate(struct sring_region *region, bool dma32);
void sring_backend_revoke(struct sring_region *region);
int sring_backend_mmap(struct sring_region *region, struct vm_area_struct *vma);

/*
 * quarantine.c: regions that are freed, but that somebody can still touch
 */

int sring_quarantine_init(void);
void sring_quarantine_exit(void);
u64 sring_quarantine_add(struct sring_region *region);

/*
 * chardev.c: the device and its contexts
 */

/**
 * struct sring_context - one open of the device
 * @lock: held to look up, add or take a slot, and to change a generation
 * @slots: the live regions
 * @next_slot: where to look for a free slot; going round spares generations
 * @slots_used: number of live regions
 * @gens: their generations
 */
struct sring_context {
	struct mutex lock; /* see above */
	struct xarray slots;
	u32 next_slot;
	u32 slots_used;
	struct sring_generations gens;
};

int sring_context_add(struct sring_context *context,
		      struct sring_region *region);
void sring_context_publish(struct sring_context *context,
			   struct sring_region *region);
void sring_context_cancel(struct sring_context *context, u32 slot);
struct sring_region *sring_context_find(struct sring_context *context, u32 slot,
					u64 generation);
void sring_context_take(struct sring_context *context,
			struct sring_region *region);
int sring_chardev_init(void);
void sring_chardev_exit(void);

/*
 * ioctl.c, mmap.c: what the device answers
 */

long sring_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int sring_mmap(struct file *file, struct vm_area_struct *vma);
u64 sring_mmap_cookie(u32 slot, u64 generation);

/*
 * sysfs.c: counters for people and monitoring
 */

enum sring_stat {
	SRING_STAT_REGIONS,
	SRING_STAT_LIVE_BYTES,
	SRING_STAT_QUARANTINE_REGIONS,
	SRING_STAT_QUARANTINE_BYTES,
	SRING_STAT_ALLOCS,
	SRING_STAT_FREES,
	SRING_STAT_REAPS,
	SRING_STAT_NR,
};

extern const struct attribute_group *sring_sysfs_groups[];

void sring_stat_add(enum sring_stat stat, s64 delta);
u64 sring_stat_read(enum sring_stat stat);

/*
 * main.c: parameters, as they are now; they can be written while in use
 */

u32 sring_param_slots(void);
u64 sring_param_region_max(void);
u64 sring_param_quota_user(void);
u64 sring_param_quota_total(void);
u32 sring_param_generation_start(void);

#endif /* SAFER_RING_H */
