/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module's files know of each other.
 *
 * A context is one open of the device: a table of slots and their generations.
 * A slot holds a region for its context, as the owner that allocated it or as one
 * of its importers. A region is memory behind a file of its own; every mapping
 * holds that file, so the file finds every mapping. The region goes when its owner
 * frees it, whoever else still knows it; its memory goes when nobody can touch it.
 *
 * Locks, outermost first:
 *
 *	sring_dmabuf.lock		devices that use a dma-buf
 *	mmap_lock
 *	  mapping->invalidate_lock	sring_region.revoked against faults
 *	    folio lock			a fault until its page table entry stands
 *	  sring_quarantine_lock		what is in quarantine
 *	    sring_region.folios_lock	the folios that are left
 *	      sring_cache.lock		the folios that wait on one node
 *	      sring_quota_lock		bytes charged
 *	  sring_regions_lock		the list of all regions
 *	    sring_region.folios_lock
 *	sring_region.lock		sring_region.dead, .file and .slots
 *	  xa_lock of a context		its slots, generations and revocations
 *
 * User memory is never touched with one of them held, for a fault on it takes
 * the mmap_lock.
 */
#ifndef SAFER_RING_H
#define SAFER_RING_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>
#include <linux/safer_ring.h>

#include "compat.h"

struct seq_file;
struct attribute_group;
struct workqueue_struct;

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
bool sring_generation_renew(struct sring_generations *gens, u32 slot);
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
	SRING_STAT_CACHE_BYTES,
	SRING_STAT_NR,
};

extern const struct attribute_group **sring_sysfs_groups;

int sring_stats_init(void);
void sring_stats_exit(void);
void sring_stat_add(enum sring_stat stat, int node, s64 delta);
u64 sring_stat_read(enum sring_stat stat);

/*
 * region.c: what is the same for every backend
 */

/**
 * struct sring_region - memory of uniform page order behind one file
 * @refs: one for the file, one for each slot, export and dma-buf, one for the
 *	quarantine
 * @lock: protects @file and @slots until the region is dead
 * @file: the backing file; not to be used without sring_region_get_file()
 * @slots: of the owner and the importers
 * @dead: no new slot, mapping or attachment may come to be
 * @revoked: no new page table entry may come to be
 * @attachments: of dma-bufs, each a pin on the whole region
 * @quota: who is charged
 * @length: bytes
 * @order: page order of every folio
 * @node: NUMA node of every folio, or NUMA_NO_NODE if a memory policy spread them
 * @nr_folios: number of @folios
 * @folios_lock: protects @folios and @charged
 * @folios: each held by one reference; NULL once given back
 * @charged: bytes not yet given back
 * @quarantine: entry in the quarantine
 * @retired_at: jiffies of entry into the quarantine
 * @all: entry in the list of all regions
 * @id: never used twice, for people
 * @pid: of the process that allocated it, for people
 */
struct sring_region {
	refcount_t refs;
	spinlock_t lock; /* see above */
	struct file *file;
	struct list_head slots;
	bool dead;
	bool revoked;
	atomic_t attachments;
	struct sring_quota_user *quota;
	u64 length;
	unsigned int order;
	int node;
	unsigned long nr_folios;
	struct mutex folios_lock; /* see above */
	struct folio **folios;
	u64 charged;
	struct list_head quarantine;
	unsigned long retired_at;
	struct list_head all;
	u64 id;
	pid_t pid;
};

/**
 * struct sring_request - what ALLOC asks for, checked
 * @length: bytes, not 0
 * @node: a node with memory that the caller may use, or NUMA_NO_NODE for the
 *	caller's memory policy
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

unsigned int sring_order_best(u64 length);
struct sring_region *sring_region_create(const struct sring_request *req);
struct sring_region *sring_region_get(struct sring_region *region);
void sring_region_put(struct sring_region *region);
struct file *sring_region_get_file(struct sring_region *region);
u64 sring_region_retire(struct sring_region *region);
void sring_region_count(struct sring_region *region,
			struct sring_folio_counts *counts);
bool sring_region_pinned(struct sring_region *region);
u64 sring_region_reap(struct sring_region *region);
void sring_region_count_bytes(struct sring_region *region, enum sring_stat stat,
			      int sign);
int sring_region_node(const struct sring_region *region);
void sring_region_show(struct sring_region *region, struct seq_file *seq);
void sring_region_for_each(void (*fn)(struct sring_region *region, void *arg),
			   void *arg);
int sring_region_mmap(struct sring_region *region, struct vm_area_struct *vma);
int sring_region_file_release(struct inode *inode, struct file *file);

/*
 * folios.c or shmem.c: the backend of this kernel
 */

extern const u32 sring_backend;
extern const u64 sring_backend_features;
extern const u64 sring_backend_orders;
/* References that a folio has while nobody but the region uses it. */
extern const int sring_backend_refs;

int sring_backend_populate(struct sring_region *region,
			   const struct sring_request *req);
void sring_backend_revoke(struct sring_region *region);
int sring_backend_mmap(struct sring_region *region, struct vm_area_struct *vma);
void sring_backend_give_back(struct folio *folio);

#if SRING_HAVE_FOLIO_BACKEND
bool sring_folio_broken(struct folio *folio);
void sring_folio_keep(struct folio *folio);

/*
 * cache.c: huge folios that wait for the next region
 */

int sring_cache_init(void);
void sring_cache_exit(void);
struct folio *sring_cache_get(int node);
bool sring_cache_put(struct folio *folio);
bool sring_cache_drain(void);
#else
static inline int sring_cache_init(void)
{
	return 0;
}

static inline void sring_cache_exit(void)
{
}

static inline bool sring_cache_put(struct folio *folio)
{
	return false;
}
#endif

/*
 * quarantine.c: regions that are freed, but that somebody can still touch
 */

void sring_quarantine_exit(void);
u64 sring_quarantine_add(struct sring_region *region);

/*
 * context.c: the table of regions that each open of the device has
 */

/**
 * struct sring_context - one open of the device
 * @slots: of struct sring_slot; its xa_lock protects everything here
 * @next_slot: where to look for a free slot; going round spares generations
 * @slots_used: number of live slots
 * @gens: their generations
 */
struct sring_context {
	struct xarray slots;
	u32 next_slot;
	u32 slots_used;
	struct sring_generations gens;
};

/**
 * struct sring_slot - a region in a context
 * @context: the context
 * @region: the region, of which the slot holds a reference
 * @in_region: entry in the region's slots
 * @index: where in the context
 * @generation: while live, that of the control area
 * @owner: freeing it frees the region
 */
struct sring_slot {
	struct sring_context *context;
	struct sring_region *region;
	struct list_head in_region;
	u32 index;
	u64 generation;
	bool owner;
};

struct sring_context *sring_context_create(u32 slots);
void sring_context_destroy(struct sring_context *context);
struct sring_slot *sring_slot_reserve(struct sring_context *context,
				      struct sring_region *region, bool owner);
int sring_slot_publish(struct sring_slot *slot);
void sring_slot_cancel(struct sring_slot *slot);
struct sring_slot *sring_slot_find(struct sring_context *context, u32 index,
				   u64 generation);
struct sring_slot *sring_slot_take(struct sring_context *context, u32 index,
				   u64 generation);
u64 sring_slot_release(struct sring_slot *slot);
int sring_slot_renew(struct sring_context *context, u32 index, u64 *generation);
void sring_slots_revoke(struct sring_region *region);

/* Any generation of a slot, for sring_slot_find(). */
#define SRING_GENERATION_ANY	0

/*
 * share.c and dmabuf.c: descriptors by which a region is passed on
 */

struct file *sring_share_export(struct sring_region *region);
struct sring_region *sring_share_import(int fd);
struct file *sring_dmabuf_export(struct sring_region *region);
extern const u64 sring_dmabuf_features;

/*
 * chardev.c, ioctl.c, mmap.c: the device and what it answers
 */

int sring_chardev_init(void);
void sring_chardev_exit(void);
long sring_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int sring_mmap(struct file *file, struct vm_area_struct *vma);
u64 sring_mmap_cookie(u32 slot, u64 generation);

/*
 * debugfs.c: the list of all regions, for people
 */

void sring_debugfs_init(void);
void sring_debugfs_exit(void);

/*
 * main.c: the queue for what is done later, and the parameters as they are now
 */

extern struct workqueue_struct *sring_queue;

u32 sring_param_slots(void);
u64 sring_param_region_max(void);
u64 sring_param_quota_user(void);
u64 sring_param_quota_total(void);
u64 sring_param_cache_max(void);
u32 sring_param_generation_start(void);

#endif /* SAFER_RING_H */
