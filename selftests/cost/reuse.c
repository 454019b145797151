// SPDX-License-Identifier: GPL-2.0
/*
 * Regions given back, and taken again: what the module's cache of huge folios is
 * for.
 */
#include <unistd.h>

#include "cost.h"

#define CACHE_MAX	"/sys/module/safer_ring/parameters/cache_max"

/* Return: what it was. */
static unsigned long set_cache(unsigned long bytes)
{
	unsigned long before = read_value(CACHE_MAX);

	write_value(CACHE_MAX, bytes);
	/* What waits there goes after a moment. */
	machine_settle();
	return before;
}

static void count_free(struct cost *cost, struct memory *memory, bool mapped)
{
	uint64_t begin;

	machine_settle();
	memory_alloc(memory);
	memory_map(memory);
	memory_populate(memory);
	if (!mapped)
		memory_unmap(memory);
	begin = cost_begin(cost);
	memory_free(memory);
	cost_end(cost, begin);
	if (mapped)
		memory_unmap(memory);
}

static void measure_free_kind(const struct memory_kind *kind, size_t length,
			      unsigned int repeat)
{
	struct cost *cached, *mapped, *uncached;
	int device = device_open();
	unsigned long cache;
	struct memory memory;

	cached = cost_new(COST_FREE, length, kind->name, COLUMN_FREE);
	mapped = cost_new(COST_FREE, length, kind->name, COLUMN_FREE_MAPPED);
	memory_init(&memory, kind, length, device);
	for (unsigned int i = 0; i < repeat; i++) {
		count_free(cached, &memory, false);
		count_free(mapped, &memory, true);
	}
	uncached = cost_new(COST_FREE, length, kind->name,
			    COLUMN_FREE_UNCACHED);
	cache = set_cache(0);
	for (unsigned int i = 0; i < repeat; i++)
		count_free(uncached, &memory, false);
	set_cache(cache);
	close(device);
}

/**
 * measure_free - fill the table of ways to give a region back, for one length
 * @machine: the machine
 * @options: what is wanted
 * @length: bytes
 */
void measure_free(const struct machine *machine, const struct options *options,
		  size_t length)
{
	unsigned int repeat = options_repeat(options, length);

	for (unsigned int i = 0; i < memory_kinds_nr; i++) {
		const struct memory_kind *kind = &memory_kinds[i];
		const char *missing;

		if (kind->source != MEMORY_REGION)
			continue;
		missing = memory_missing(machine, kind, length);
		if (missing)
			cost_absent(cost_new(COST_FREE, length, kind->name,
					     COLUMN_FREE), "%s", missing);
		else
			measure_free_kind(kind, length, repeat);
	}
}

static void count_pair(struct cost *alloc, struct cost *give_back,
		       struct cost *pair, struct memory *memory)
{
	uint64_t begin;

	begin = cost_begin(alloc);
	memory_alloc(memory);
	cost_end(alloc, begin);
	begin = cost_begin(give_back);
	memory_free(memory);
	cost_end(give_back, begin);
	cost_add(pair, cost_last(alloc) + cost_last(give_back));
}

static void measure_pairs(const char *row, size_t length, unsigned int repeat)
{
	struct cost *alloc = cost_new(COST_REUSE, length, row, COLUMN_ALLOC);
	struct cost *back = cost_new(COST_REUSE, length, row, COLUMN_FREE);
	struct cost *pair = cost_new(COST_REUSE, length, row, COLUMN_PAIR);
	int device = device_open();
	struct memory memory;

	memory_init(&memory, memory_region, length, device);
	/* The first one finds the cache empty. */
	memory_alloc(&memory);
	memory_free(&memory);
	for (unsigned int i = 0; i < repeat; i++)
		count_pair(alloc, back, pair, &memory);
	close(device);
}

/**
 * measure_reuse - fill the table of repeated ALLOC and FREE for one length
 * @machine: the machine
 * @options: what is wanted
 * @length: bytes
 *
 * The cache is given room for the whole region.
 */
void measure_reuse(const struct machine *machine, const struct options *options,
		   size_t length)
{
	unsigned int repeat = options_repeat(options, length);
	const char *missing = memory_missing(machine, memory_region, length);
	unsigned long cache;

	if (missing) {
		cost_absent(cost_new(COST_REUSE, length, ROW_CACHED,
				     COLUMN_PAIR), "%s", missing);
		return;
	}
	cache = set_cache(length);
	measure_pairs(ROW_CACHED, length, repeat);
	set_cache(0);
	measure_pairs(ROW_UNCACHED, length, repeat);
	set_cache(cache);
}
