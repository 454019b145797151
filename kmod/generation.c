// SPDX-License-Identifier: GPL-2.0
/*
 * The control area: one word a slot, written here and read by user space.
 *
 * The high half of a word is the epoch of the open file, so that a generation
 * of one context never equals one of another; the low half counts, and its
 * lowest bit says that a region is live. A slot whose counter is used up is
 * never used again, for a word that comes twice would let an old handle pass.
 */
#include <linux/atomic.h>
#include <linux/vmalloc.h>

#include "safer_ring.h"

#define SRING_GENERATION_LAST	0xfffffffeU

static atomic_t sring_epoch = ATOMIC_INIT(0);

/**
 * sring_generations_init - make the control area of a new context
 * @gens: to be filled
 * @slots: number of generations
 *
 * Return: 0 or -ENOMEM.
 */
int sring_generations_init(struct sring_generations *gens, u32 slots)
{
	u64 first = (u64)(u32)atomic_inc_return(&sring_epoch) << 32;
	u32 i;

	first |= sring_param_generation_start();
	gens->slots = slots;
	gens->length = PAGE_ALIGN(PAGE_SIZE + slots * sizeof(u64));
	gens->control = __vmalloc(gens->length, GFP_KERNEL_ACCOUNT |
						__GFP_ZERO | __GFP_NOWARN);
	if (!gens->control)
		return -ENOMEM;
	gens->control->magic = SAFER_RING_CONTROL_MAGIC;
	gens->control->header_length = PAGE_SIZE;
	gens->control->slots = slots;
	gens->words = (void *)gens->control + PAGE_SIZE;
	for (i = 0; i < slots; i++)
		gens->words[i] = first;
	return 0;
}

/**
 * sring_generations_destroy - free a control area that nobody maps any more
 * @gens: as filled by sring_generations_init()
 */
void sring_generations_destroy(struct sring_generations *gens)
{
	vfree(gens->control);
}

/**
 * sring_generation_next - the generation that a region in this slot will have
 * @gens: control area
 * @slot: a free slot
 *
 * Return: an odd word that no region of any context had before.
 */
u64 sring_generation_next(const struct sring_generations *gens, u32 slot)
{
	return gens->words[slot] + 1;
}

/**
 * sring_generation_publish - declare the region in a slot live
 * @gens: control area
 * @slot: a free slot whose region is ready for use
 */
void sring_generation_publish(struct sring_generations *gens, u32 slot)
{
	/* Pairs with the load that user space checks a handle by. */
	smp_store_release(&gens->words[slot], gens->words[slot] + 1);
}

static void sring_generation_change(struct sring_generations *gens, u32 slot,
				    u64 word)
{
	u64 *revocations = &gens->control->revocations;

	/* Both pair with loads in user space, the second orders the first. */
	smp_store_release(&gens->words[slot], word);
	/* See above. */
	smp_store_release(revocations, *revocations + 1);
}

/**
 * sring_generation_renew - make every handle of a slot's region stale
 * @gens: control area
 * @slot: a live slot, which stays live
 *
 * Return: false, and nothing has changed, if the slot is on its last generation.
 */
bool sring_generation_renew(struct sring_generations *gens, u32 slot)
{
	u64 next = gens->words[slot] + 2;

	if ((u32)next > SRING_GENERATION_LAST)
		return false;
	sring_generation_change(gens, slot, next);
	return true;
}

/**
 * sring_generation_retire - declare the region in a slot gone
 * @gens: control area
 * @slot: a live slot
 *
 * To be called before anything of the memory goes away. The word goes first:
 * whoever sees revocations move then finds the word that moved it.
 *
 * Return: true if the slot may be used again.
 */
bool sring_generation_retire(struct sring_generations *gens, u32 slot)
{
	u64 even = gens->words[slot] + 1;

	sring_generation_change(gens, slot, even);
	return (u32)even != SRING_GENERATION_LAST;
}

/**
 * sring_generations_mmap - map the control area, or a part of it, read-only
 * @gens: control area
 * @vma: the mapping, whose file keeps @gens alive
 * @offset: first byte within the control area
 *
 * Return: 0, -EINVAL for a private mapping or one beyond the end, -EPERM for a
 * writable one, -ENOMEM.
 */
int sring_generations_mmap(struct sring_generations *gens,
			   struct vm_area_struct *vma, u64 offset)
{
	unsigned long length = vma->vm_end - vma->vm_start;
	void *from = (void *)gens->control + offset;
	unsigned long done;
	int ret;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (offset > gens->length || length > gens->length - offset)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	sring_vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE);
	for (done = 0; done < length; done += PAGE_SIZE) {
		ret = vm_insert_page(vma, vma->vm_start + done,
				     vmalloc_to_page(from + done));
		if (ret)
			return ret;
	}
	return 0;
}
