// SPDX-License-Identifier: GPL-2.0
/*
 * The kinds of memory that a program can register as fixed buffers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/safer_ring.h>

#include "cost.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

const struct memory_kind memory_kinds[] = {
	{ "region, order 9", MEMORY_REGION, 9 },
	{ "region, order 4", MEMORY_REGION, 4 },
	{ "region, order 0", MEMORY_REGION, 0 },
	{ "region, offset 0", MEMORY_FRESH, 9 },
	{ "hugetlb", MEMORY_HUGETLB, 9 },
	{ "anonymous, THP", MEMORY_ANONYMOUS, 9 },
	{ "anonymous, 4 KiB", MEMORY_ANONYMOUS, 0 },
};

const unsigned int memory_kinds_nr =
	sizeof(memory_kinds) / sizeof(memory_kinds[0]);
const struct memory_kind *const memory_region = &memory_kinds[0];
const struct memory_kind *const memory_hugetlb = &memory_kinds[4];
const struct memory_kind *const memory_small_pages = &memory_kinds[6];

/* Memory that the kernel needs besides, to do what it does without pressure. */
#define SPARE	(128 * MIB)

/**
 * device_open - open the module's device
 *
 * Return: a descriptor.
 */
int device_open(void)
{
	int fd = open(SAFER_RING_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s: is the module loaded?", SAFER_RING_DEVICE,
		    strerror(errno));
	return fd;
}

/**
 * memory_missing - what keeps memory of a kind from being measured
 * @machine: the machine, in whose pool hugetlb's pages are put
 * @kind: the kind
 * @length: bytes
 *
 * Return: the reason, to be used before the next call, or NULL.
 */
const char *memory_missing(const struct machine *machine,
			   const struct memory_kind *kind, size_t length)
{
	static char reason[96];
	size_t there = machine_free_memory(machine);

	if (there < length + SPARE) {
		snprintf(reason, sizeof(reason),
			 "node %u has %zu MiB free of %zu MiB needed",
			 machine->node, there / MIB, (length + SPARE) / MIB);
		return reason;
	}
	if (kind->source != MEMORY_HUGETLB)
		return NULL;
	there = machine_reserve_huge(machine, length);
	if (there >= length)
		return NULL;
	machine_reserve_huge(machine, 0);
	snprintf(reason, sizeof(reason),
		 "node %u gave %zu MiB of huge pages of %zu MiB needed",
		 machine->node, there / MIB, length / MIB);
	return reason;
}

/**
 * memory_release_pool - give back what memory_missing() has put aside
 * @machine: the machine
 */
void memory_release_pool(const struct machine *machine)
{
	machine_reserve_huge(machine, 0);
}

/**
 * memory_init - have memory of a kind, but none yet
 * @memory: to be filled
 * @kind: its kind
 * @length: bytes
 * @device: descriptor of the module's device
 */
void memory_init(struct memory *memory, const struct memory_kind *kind,
		 size_t length, int device)
{
	*memory = (struct memory){
		.kind = kind,
		.length = length,
		.device = device,
	};
}

/**
 * memory_alloc - ALLOC; nothing for memory that mmap() allocates
 * @memory: to be allocated
 */
void memory_alloc(struct memory *memory)
{
	struct safer_ring_alloc alloc = {
		.size = sizeof(alloc),
		.flags = SAFER_RING_ALLOC_STRICT,
		.length = memory->length,
		.node = SAFER_RING_NODE_LOCAL,
		.order_min = memory->kind->order,
		.order_max = memory->kind->order,
	};

	if (memory->kind->source != MEMORY_REGION)
		return;
	if (ioctl(memory->device, SAFER_RING_ALLOC, &alloc))
		die("ALLOC of %zu MiB (%s): %s", memory->length / MIB,
		    memory->kind->name, strerror(errno));
	memory->slot = alloc.slot;
	memory->generation = alloc.generation;
	memory->offset = alloc.mmap_offset;
}

/**
 * memory_map - map it, and choose its page size where that is done afterwards
 * @memory: allocated
 */
void memory_map(struct memory *memory)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	int fd = -1;

	if (memory->kind->source == MEMORY_HUGETLB)
		flags |= MAP_HUGETLB | MAP_HUGE_2MB;
	if (memory->kind->source == MEMORY_REGION ||
	    memory->kind->source == MEMORY_FRESH) {
		flags = MAP_SHARED;
		fd = memory->device;
	}
	memory->address = mmap(NULL, memory->length, PROT_READ | PROT_WRITE,
			       flags, fd, memory->offset);
	if (memory->address == MAP_FAILED)
		die("mmap of %zu MiB (%s): %s", memory->length / MIB,
		    memory->kind->name, strerror(errno));
	if (memory->kind->source == MEMORY_ANONYMOUS &&
	    madvise(memory->address, memory->length, memory->kind->order ?
		    MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		die("madvise (%s): %s", memory->kind->name, strerror(errno));
}

/**
 * memory_populate - have it in the page tables
 * @memory: mapped
 */
void memory_populate(struct memory *memory)
{
	if (madvise(memory->address, memory->length, MADV_POPULATE_WRITE))
		die("populating %zu MiB (%s): %s", memory->length / MIB,
		    memory->kind->name, strerror(errno));
}

/**
 * memory_unmap - unmap it
 * @memory: mapped
 */
void memory_unmap(struct memory *memory)
{
	if (munmap(memory->address, memory->length))
		die("munmap (%s): %s", memory->kind->name, strerror(errno));
}

/**
 * memory_free - FREE; nothing for memory that munmap() frees
 * @memory: allocated
 *
 * Nothing pins it any more, so nothing may be left in quarantine.
 */
void memory_free(struct memory *memory)
{
	struct safer_ring_free request = {
		.size = sizeof(request),
		.slot = memory->slot,
		.generation = memory->generation,
	};

	if (memory->kind->source != MEMORY_REGION)
		return;
	if (ioctl(memory->device, SAFER_RING_FREE, &request))
		die("FREE (%s): %s", memory->kind->name, strerror(errno));
	if (request.quarantine)
		die("FREE (%s): %llu bytes went into quarantine",
		    memory->kind->name,
		    (unsigned long long)request.quarantine);
}

/* KiB that field @name of smaps has for the mapping at @address. */
static unsigned long smaps_field(const char *address, const char *name)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long start, end, kib = 0;
	size_t n = strlen(name);
	bool inside = false;
	char line[512];

	if (!file)
		die("/proc/self/smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (unsigned long)address &&
				 (unsigned long)address < end;
		else if (inside && !strncmp(line, name, n) && line[n] == ':')
			sscanf(line + n + 1, "%lu", &kib);
	}
	fclose(file);
	return kib;
}

/**
 * memory_verify - make sure that it is what its name says
 * @memory: populated
 */
void memory_verify(const struct memory *memory)
{
	static const char *const fields[] = {
		[MEMORY_REGION] = "FilePmdMapped",
		[MEMORY_FRESH] = "FilePmdMapped",
		[MEMORY_HUGETLB] = "Private_Hugetlb",
		[MEMORY_ANONYMOUS] = "AnonHugePages",
	};
	const char *field = fields[memory->kind->source];
	unsigned long kib = smaps_field(memory->address, field);
	unsigned long expected = memory->kind->order == 9 ?
				 memory->length / KIB : 0;

	if (kib != expected)
		die("%s: %s is %lu KiB, not %lu KiB: the row would not be what it says",
		    memory->kind->name, field, kib, expected);
}
