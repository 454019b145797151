// SPDX-License-Identifier: GPL-2.0
/*
 * What a program does with a region that it has: commands, and the check of a
 * generation, beside the cheapest system call there is.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/safer_ring.h>

#include "cost.h"

#define COLUMN	"a call"

enum { CHECKS = 1000 };

/**
 * struct trial - what the commands are tried on
 * @device: where the region was allocated
 * @importer: another open of the device
 * @memory: the region
 * @slot: of the importer
 * @generation: of that slot
 * @fd: that EXPORT gave
 * @words: the generations of @device
 */
struct trial {
	int device;
	int importer;
	struct memory memory;
	uint32_t slot;
	uint64_t generation;
	int fd;
	const uint64_t *words;
};

static void command(int device, unsigned int number, void *arg,
		    const char *name)
{
	if (ioctl(device, number, arg))
		die("%s: %s", name, strerror(errno));
}

static void nothing(struct trial *trial)
{
	(void)trial;
	syscall(SYS_getppid);
}

static void info(struct trial *trial)
{
	struct safer_ring_info arg = { .size = sizeof(arg) };

	command(trial->device, SAFER_RING_INFO, &arg, "INFO");
}

static void query(struct trial *trial)
{
	struct safer_ring_query arg = {
		.size = sizeof(arg),
		.slot = trial->memory.slot,
		.generation = trial->memory.generation,
	};

	command(trial->device, SAFER_RING_QUERY, &arg, "QUERY");
}

static void renew(struct trial *trial)
{
	struct safer_ring_renew arg = {
		.size = sizeof(arg),
		.slot = trial->memory.slot,
		.generation = trial->memory.generation,
	};

	command(trial->device, SAFER_RING_RENEW, &arg, "RENEW");
	trial->memory.generation = arg.generation;
	trial->memory.offset = arg.mmap_offset;
}

static void export(struct trial *trial)
{
	struct safer_ring_export arg = {
		.size = sizeof(arg),
		.slot = trial->memory.slot,
		.generation = trial->memory.generation,
	};

	command(trial->device, SAFER_RING_EXPORT, &arg, "EXPORT");
	trial->fd = arg.fd;
}

static void import(struct trial *trial)
{
	struct safer_ring_import arg = {
		.size = sizeof(arg),
		.fd = trial->fd,
	};

	command(trial->importer, SAFER_RING_IMPORT, &arg, "IMPORT");
	trial->slot = arg.slot;
	trial->generation = arg.generation;
}

static void close_export(struct trial *trial)
{
	close(trial->fd);
}

static void free_import(struct trial *trial)
{
	struct safer_ring_free arg = {
		.size = sizeof(arg),
		.slot = trial->slot,
		.generation = trial->generation,
	};

	command(trial->importer, SAFER_RING_FREE, &arg, "FREE of an import");
}

/* As a program checks before it submits; the loop itself is counted too. */
static void check(struct trial *trial)
{
	for (unsigned int i = 0; i < CHECKS; i++)
		if (__atomic_load_n(&trial->words[trial->memory.slot],
				    __ATOMIC_ACQUIRE) !=
		    trial->memory.generation)
			die("the region is gone");
}

/* In the order in which each makes what the next one wants. */
static const struct {
	const char *name;
	void (*call)(struct trial *trial);
	unsigned int per;
} calls[] = {
	{ "getppid, for comparison", nothing, 1 },
	{ "INFO", info, 1 },
	{ "QUERY", query, 1 },
	{ "RENEW", renew, 1 },
	{ "EXPORT", export, 1 },
	{ "IMPORT", import, 1 },
	{ "close of what EXPORT gave", close_export, 1 },
	{ "FREE of what IMPORT gave", free_import, 1 },
	{ "check of a generation, with its loop", check, CHECKS },
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static void map_words(struct trial *trial)
{
	struct safer_ring_info arg = { .size = sizeof(arg) };
	const struct safer_ring_control *control;

	command(trial->device, SAFER_RING_INFO, &arg, "INFO");
	control = mmap(NULL, arg.control_length, PROT_READ, MAP_SHARED,
		       trial->device, arg.control_offset);
	if (control == MAP_FAILED)
		die("mapping the control area: %s", strerror(errno));
	trial->words = (const void *)((const char *)control +
				      control->header_length);
}

static void measure_calls(struct trial *trial, size_t length)
{
	struct cost *costs[CALLS];

	for (unsigned int i = 0; i < CALLS; i++) {
		costs[i] = cost_new(COST_COMMAND, length, calls[i].name,
				    COLUMN);
		costs[i]->per = calls[i].per;
		/* A first time that is not counted. */
		calls[i].call(trial);
	}
	for (unsigned int n = 0; n < COST_REPEAT_MAX; n++) {
		for (unsigned int i = 0; i < CALLS; i++) {
			uint64_t begin = cost_begin(costs[i]);

			calls[i].call(trial);
			cost_end(costs[i], begin);
		}
	}
}

/**
 * measure_commands - fill the table of commands
 * @machine: the machine
 * @options: what is wanted
 * @length: bytes of the region, of order 9, that they are tried on
 */
void measure_commands(const struct machine *machine,
		      const struct options *options, size_t length)
{
	const char *missing = memory_missing(machine, memory_region, length);
	struct trial trial = {
		.device = device_open(),
		.importer = device_open(),
	};

	(void)options;
	if (missing) {
		cost_absent(cost_new(COST_COMMAND, length, "INFO", COLUMN),
			    "%s", missing);
		return;
	}
	memory_init(&trial.memory, memory_region, length, trial.device);
	memory_alloc(&trial.memory);
	map_words(&trial);
	measure_calls(&trial, length);
	memory_free(&trial.memory);
	close(trial.importer);
	close(trial.device);
}
