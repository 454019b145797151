// SPDX-License-Identifier: GPL-2.0
/*
 * The first touch of memory that is mapped and not populated.
 */
#include <unistd.h>

#include "cost.h"

static void touch(const struct memory *memory)
{
	size_t step = PAGE << memory->kind->order;

	for (size_t at = 0; at < memory->length; at += step)
		*(volatile char *)(memory->address + at) = 1;
}

static void measure_kind(const struct memory_kind *kind, size_t length,
			 unsigned int repeat)
{
	struct cost *cost = cost_new(COST_FAULT, length, kind->name, "a fault");
	int device = device_open();
	struct memory memory;
	uint64_t begin;

	cost->per = length / (PAGE << kind->order);
	memory_init(&memory, kind, length, device);
	for (unsigned int i = 0; i < repeat; i++) {
		memory_alloc(&memory);
		memory_map(&memory);
		begin = cost_begin(cost);
		touch(&memory);
		cost_end(cost, begin);
		memory_verify(&memory);
		memory_unmap(&memory);
		memory_free(&memory);
	}
	close(device);
}

/**
 * measure_faults - fill the table of faults for one length
 * @machine: the machine
 * @options: what is wanted
 * @length: bytes
 */
void measure_faults(const struct machine *machine,
		    const struct options *options, size_t length)
{
	unsigned int repeat = options_repeat(options, length);

	for (unsigned int i = 0; i < memory_kinds_nr; i++) {
		const struct memory_kind *kind = &memory_kinds[i];
		const char *missing = memory_missing(machine, kind, length);

		if (missing)
			cost_absent(cost_new(COST_FAULT, length, kind->name,
					     "a fault"), "%s", missing);
		else
			measure_kind(kind, length, repeat);
		memory_release_pool(machine);
	}
}
