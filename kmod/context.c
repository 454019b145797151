// SPDX-License-Identifier: GPL-2.0
/*
 * The table of regions that each open of the device has.
 *
 * A slot leaves the table by whoever takes it out under the context's xa_lock:
 * its own context, by FREE or by being closed, or the region's owner, when the
 * region goes. The one who took it out lets it go.
 */
#include <linux/err.h>
#include <linux/slab.h>

#include "safer_ring.h"

/**
 * sring_context_create - a table for a new open file
 * @slots: regions that it can hold
 *
 * Return: a context, or ERR_PTR of -ENOMEM.
 */
struct sring_context *sring_context_create(u32 slots)
{
	struct sring_context *context;
	int ret;

	context = kzalloc(sizeof(*context), GFP_KERNEL_ACCOUNT);
	if (!context)
		return ERR_PTR(-ENOMEM);
	ret = sring_generations_init(&context->gens, slots);
	if (ret) {
		kfree(context);
		return ERR_PTR(ret);
	}
	xa_init_flags(&context->slots, XA_FLAGS_ALLOC);
	return context;
}

/**
 * sring_context_destroy - free every region of a context, and the context
 * @context: of a file that is being released, so that nothing else comes by it
 *
 * Owners of regions that it imported may still take slots out of it.
 */
void sring_context_destroy(struct sring_context *context)
{
	struct sring_slot *slot;
	unsigned long index;

	xa_for_each(&context->slots, index, slot) {
		slot = sring_slot_take(context, index, SRING_GENERATION_ANY);
		if (slot)
			sring_slot_release(slot);
	}
	xa_destroy(&context->slots);
	sring_generations_destroy(&context->gens);
	kfree(context);
}

/**
 * sring_slot_reserve - a slot for a region
 * @context: the context
 * @region: the region; the slot takes a reference of its own
 * @owner: freeing the slot will free the region
 *
 * It has its index and generation, but nobody can find it until it is published.
 *
 * Return: a slot to be published or cancelled; or ERR_PTR of -ENOSPC or -ENOMEM.
 */
struct sring_slot *sring_slot_reserve(struct sring_context *context,
				      struct sring_region *region, bool owner)
{
	struct xa_limit limit = XA_LIMIT(0, context->gens.slots - 1);
	struct sring_slot *slot;
	int ret;

	slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
	if (!slot)
		return ERR_PTR(-ENOMEM);
	ret = xa_alloc_cyclic(&context->slots, &slot->index, NULL, limit,
			      &context->next_slot, GFP_KERNEL_ACCOUNT);
	if (ret < 0) {
		kfree(slot);
		return ERR_PTR(ret == -EBUSY ? -ENOSPC : ret);
	}
	slot->context = context;
	slot->region = sring_region_get(region);
	INIT_LIST_HEAD(&slot->in_region);
	slot->generation = sring_generation_next(&context->gens, slot->index);
	slot->owner = owner;
	return slot;
}

static void sring_slot_free(struct sring_slot *slot)
{
	sring_region_put(slot->region);
	kfree(slot);
}

/**
 * sring_slot_cancel - give back a slot that was not published
 * @slot: as sring_slot_reserve() gave it
 */
void sring_slot_cancel(struct sring_slot *slot)
{
	xa_release(&slot->context->slots, slot->index);
	sring_slot_free(slot);
}

/**
 * sring_slot_publish - let a slot be found, and be live
 * @slot: as sring_slot_reserve() gave it; from now on it may go at any moment
 *
 * Return: 0, or -ESTALE if the owner freed the region in the meantime.
 */
int sring_slot_publish(struct sring_slot *slot)
{
	struct sring_context *context = slot->context;
	struct sring_region *region = slot->region;
	int ret = 0;

	spin_lock(&region->lock);
	if (region->dead) {
		ret = -ESTALE;
		goto out_unlock;
	}
	list_add_tail(&slot->in_region, &region->slots);
	xa_lock(&context->slots);
	/* The entry is reserved, so there is nothing to allocate. */
	__xa_store(&context->slots, slot->index, slot, 0);
	context->slots_used++;
	sring_generation_publish(&context->gens, slot->index);
	xa_unlock(&context->slots);
out_unlock:
	spin_unlock(&region->lock);
	return ret;
}

/**
 * sring_slot_find - the slot that a handle means
 * @context: the context, whose xa_lock is held
 * @index: the handle's slot
 * @generation: the handle's generation, or SRING_GENERATION_ANY
 *
 * Return: the slot, or NULL if the handle is stale or was never good.
 */
struct sring_slot *sring_slot_find(struct sring_context *context, u32 index,
				   u64 generation)
{
	struct sring_slot *slot = xa_load(&context->slots, index);

	lockdep_assert_held(&context->slots.xa_lock);
	if (!slot)
		return NULL;
	if (generation != SRING_GENERATION_ANY && generation != slot->generation)
		return NULL;
	return slot;
}

/* Take @slot out of its context, whose xa_lock is held. */
static void sring_slot_detach(struct sring_slot *slot)
{
	struct sring_context *context = slot->context;
	bool again = sring_generation_retire(&context->gens, slot->index);

	/* A slot that is used up stays reserved, for ever. */
	if (again)
		__xa_erase(&context->slots, slot->index);
	else
		__xa_store(&context->slots, slot->index, XA_ZERO_ENTRY, 0);
	context->slots_used--;
}

/**
 * sring_slot_take - take a slot out of its context
 * @context: the context
 * @index: the handle's slot
 * @generation: the handle's generation, or SRING_GENERATION_ANY
 *
 * Return: the slot, to be released; or NULL if the handle is stale.
 */
struct sring_slot *sring_slot_take(struct sring_context *context, u32 index,
				   u64 generation)
{
	struct sring_slot *slot;

	xa_lock(&context->slots);
	slot = sring_slot_find(context, index, generation);
	if (slot)
		sring_slot_detach(slot);
	xa_unlock(&context->slots);
	return slot;
}

/**
 * sring_slot_release - let go of what a slot held
 * @slot: as sring_slot_take() gave it
 *
 * Return: bytes that went into quarantine, if it was the owner's.
 */
u64 sring_slot_release(struct sring_slot *slot)
{
	struct sring_region *region = slot->region;
	u64 left = 0;

	spin_lock(&region->lock);
	list_del_init(&slot->in_region);
	spin_unlock(&region->lock);
	if (slot->owner)
		left = sring_region_retire(region);
	sring_slot_free(slot);
	return left;
}

/**
 * sring_slot_renew - make every handle of a slot stale but one
 * @context: the context
 * @index: the handle's slot
 * @generation: the handle's generation; receives the new one
 *
 * Return: 0, -ESTALE, or -EOVERFLOW if the slot is on its last generation.
 */
int sring_slot_renew(struct sring_context *context, u32 index, u64 *generation)
{
	struct sring_slot *slot;
	int ret = 0;

	xa_lock(&context->slots);
	slot = sring_slot_find(context, index, *generation);
	if (!slot || *generation == SRING_GENERATION_ANY)
		ret = -ESTALE;
	else if (!sring_generation_renew(&context->gens, index))
		ret = -EOVERFLOW;
	else
		*generation = slot->generation = context->gens.words[index];
	xa_unlock(&context->slots);
	return ret;
}

/* Take @slot out of its context unless that does so itself at the moment. */
static bool sring_slot_steal(struct sring_slot *slot)
{
	struct sring_context *context = slot->context;
	bool there;

	xa_lock(&context->slots);
	there = xa_load(&context->slots, slot->index) == slot;
	if (there)
		sring_slot_detach(slot);
	xa_unlock(&context->slots);
	return there;
}

/**
 * sring_slots_revoke - take every slot of a region out of its context
 * @region: dead, so that no new one comes to be
 *
 * A context stays as long as a slot of it is in the region's list, for
 * sring_slot_release() needs the region's lock to take it off.
 */
void sring_slots_revoke(struct sring_region *region)
{
	struct sring_slot *slot, *next;
	LIST_HEAD(stolen);

	spin_lock(&region->lock);
	list_for_each_entry_safe(slot, next, &region->slots, in_region) {
		list_del_init(&slot->in_region);
		if (sring_slot_steal(slot))
			list_add_tail(&slot->in_region, &stolen);
	}
	spin_unlock(&region->lock);
	list_for_each_entry_safe(slot, next, &stolen, in_region)
		sring_slot_free(slot);
}
