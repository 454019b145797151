// SPDX-License-Identifier: GPL-2.0
/*
 * The life of memory that I/O is done on: got, registered, unregistered, given
 * back.
 */
#include <string.h>
#include <unistd.h>

#include "cost.h"
#include "../uring.h"

/**
 * struct lifetime - the figures of a kind of memory
 * @alloc: ALLOC
 * @populate: mapping and populating
 * @get: both
 * @reg: registering as a fixed buffer
 * @unreg: the reverse
 * @unmap: unmapping; frees what has no FREE
 * @free: FREE
 */
struct lifetime {
	struct cost *alloc;
	struct cost *populate;
	struct cost *get;
	struct cost *reg;
	struct cost *unreg;
	struct cost *unmap;
	struct cost *free;
};

/* In the order of the columns; the first kind of memory has them all. */
static void lifetime_init(struct lifetime *life, const char *row, size_t length,
			  bool region)
{
	const enum cost_table table = COST_MEMORY;

	life->alloc = region ? cost_new(table, length, row, COLUMN_ALLOC) :
			       NULL;
	life->populate = cost_new(table, length, row, COLUMN_POPULATE);
	life->get = cost_new(table, length, row, COLUMN_GET);
	life->reg = cost_new(table, length, row, COLUMN_REGISTER);
	life->unreg = cost_new(table, length, row, COLUMN_UNREGISTER);
	life->unmap = cost_new(table, length, row, COLUMN_UNMAP);
	life->free = region ? cost_new(table, length, row, COLUMN_FREE) : NULL;
}

static void count_get(struct lifetime *life, struct memory *memory)
{
	uint64_t begin, count = 0;

	if (life->alloc) {
		begin = cost_begin(life->alloc);
		memory_alloc(memory);
		cost_end(life->alloc, begin);
		count = cost_last(life->alloc);
	}
	begin = cost_begin(life->populate);
	memory_map(memory);
	memory_populate(memory);
	cost_end(life->populate, begin);
	cost_add(life->get, count + cost_last(life->populate));
}

static void count_registration(struct lifetime *life,
			       const struct memory *memory, int ring)
{
	uint64_t begin;
	int ret;

	begin = cost_begin(life->reg);
	ret = uring_register_buffer(ring, memory->address, memory->length);
	cost_end(life->reg, begin);
	if (ret)
		die("registering %zu MiB (%s): %s", memory->length / MIB,
		    memory->kind->name, strerror(-ret));
	begin = cost_begin(life->unreg);
	ret = uring_unregister_buffers(ring);
	cost_end(life->unreg, begin);
	if (ret)
		die("unregistering: %s", strerror(-ret));
}

static void count_return(struct lifetime *life, struct memory *memory)
{
	uint64_t begin = cost_begin(life->unmap);

	memory_unmap(memory);
	cost_end(life->unmap, begin);
	if (!life->free)
		return;
	begin = cost_begin(life->free);
	memory_free(memory);
	cost_end(life->free, begin);
}

/* A first life, not counted, brings what the kernel allocates only once. */
static void rehearse(struct memory *memory, int ring)
{
	memory_alloc(memory);
	memory_map(memory);
	memory_populate(memory);
	memory_verify(memory);
	if (!uring_register_buffer(ring, memory->address, memory->length))
		uring_unregister_buffers(ring);
	memory_unmap(memory);
	memory_free(memory);
}

static void measure_kind(const struct memory_kind *kind, size_t length,
			 unsigned int repeat)
{
	int device = device_open(), ring = uring_open(4);
	/* More counts of what is short, and judged most narrowly. */
	unsigned int rounds = length > GOAL_LENGTH ? 1 : 3;
	struct lifetime life;
	struct memory memory;

	if (ring < 0)
		die("io_uring_setup: %s", strerror(-ring));
	lifetime_init(&life, kind->name, length,
		      kind->source == MEMORY_REGION);
	memory_init(&memory, kind, length, device);
	rehearse(&memory, ring);
	for (unsigned int i = 0; i < repeat; i++) {
		/* Else the next region would come out of the module's cache. */
		machine_settle();
		count_get(&life, &memory);
		for (unsigned int n = 0; n < rounds; n++)
			count_registration(&life, &memory, ring);
		count_return(&life, &memory);
	}
	close(ring);
	close(device);
}

/* What the processor takes to clear that much, whoever asks for it. */
static void measure_zeroing(const struct machine *machine, size_t length,
			    unsigned int repeat)
{
	struct cost *cost = cost_new(COST_MEMORY, length, ROW_ZEROING,
				     COLUMN_GET);
	const char *missing = memory_missing(machine, memory_region, length);
	struct memory memory;

	if (missing) {
		cost_absent(cost, "%s", missing);
		return;
	}
	memory_init(&memory, memory_small_pages, length, -1);
	memory_map(&memory);
	memory_populate(&memory);
	for (unsigned int i = 0; i < repeat; i++) {
		uint64_t begin = cost_begin(cost);

		machine_zero(machine, memory.address, length);
		cost_end(cost, begin);
	}
	memory_unmap(&memory);
}

/**
 * measure_lifetime - fill the table of memory for one length
 * @machine: the machine
 * @options: what is wanted
 * @length: bytes
 */
void measure_lifetime(const struct machine *machine,
		      const struct options *options, size_t length)
{
	unsigned int repeat = options_repeat(options, length);

	for (unsigned int i = 0; i < memory_kinds_nr; i++) {
		const struct memory_kind *kind = &memory_kinds[i];
		const char *missing = memory_missing(machine, kind, length);

		if (missing)
			cost_absent(cost_new(COST_MEMORY, length, kind->name,
					     COLUMN_GET), "%s", missing);
		else
			measure_kind(kind, length, repeat);
		memory_release_pool(machine);
	}
	measure_zeroing(machine, length, repeat);
}
