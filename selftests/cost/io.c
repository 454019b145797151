// SPDX-License-Identifier: GPL-2.0
/*
 * Whole operations, on a block device that completes them at once and touches no
 * data: what is left is what the kernel does for the memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cost.h"
#include "../uring.h"

/* null_blk's first one; queue_mode=2 irqmode=0 completes within the submission. */
#define DEVICE		"/dev/nullb0"

static const struct {
	const char *column;
	uint8_t opcode;
	size_t length;
} operations[] = {
	{ "READ 4K", IORING_OP_READ, 4 * KIB },
	{ "READ_FIXED 4K", IORING_OP_READ_FIXED, 4 * KIB },
	{ "READ 64K", IORING_OP_READ, 64 * KIB },
	{ "READ_FIXED 64K", IORING_OP_READ_FIXED, 64 * KIB },
	{ "READ 1M", IORING_OP_READ, 1 * MIB },
	{ "READ_FIXED 1M", IORING_OP_READ_FIXED, 1 * MIB },
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static void do_operation(struct uring *ring, int disk, unsigned int operation,
			 struct memory *memory)
{
	int ret = uring_do(ring, operations[operation].opcode, disk,
			   memory->address, operations[operation].length, 0);

	if (ret != (int)operations[operation].length)
		die("%s (%s): %s", operations[operation].column,
		    memory->kind->name, ret < 0 ? strerror(-ret) : "short");
}

static void count_operations(struct uring *ring, int disk,
			     struct memory *memory)
{
	for (unsigned int i = 0; i < OPERATIONS; i++) {
		struct cost *cost = cost_new(COST_IO, memory->length,
					     memory->kind->name,
					     operations[i].column);

		do_operation(ring, disk, i, memory);
		for (unsigned int n = 0; n < COST_REPEAT_MAX; n++) {
			uint64_t begin = cost_begin(cost);

			do_operation(ring, disk, i, memory);
			cost_end(cost, begin);
		}
	}
}

static void measure_kind(const struct memory_kind *kind, size_t length,
			 int disk)
{
	int device = device_open(), ret;
	struct memory memory;
	struct uring ring;

	ret = uring_init(&ring, 4);
	if (ret)
		die("io_uring: %s", strerror(-ret));
	memory_init(&memory, kind, length, device);
	memory_alloc(&memory);
	memory_map(&memory);
	memory_populate(&memory);
	memory_verify(&memory);
	ret = uring_register_buffer(ring.fd, memory.address, length);
	if (ret)
		die("registering (%s): %s", kind->name, strerror(-ret));
	count_operations(&ring, disk, &memory);
	uring_unregister_buffers(ring.fd);
	uring_exit(&ring);
	memory_unmap(&memory);
	memory_free(&memory);
	close(device);
}

/**
 * measure_io - fill the table of operations
 * @machine: the machine
 * @options: what is wanted
 * @length: bytes of the memory that is read into
 */
void measure_io(const struct machine *machine, const struct options *options,
		size_t length)
{
	int disk = open(DEVICE, O_RDONLY | O_DIRECT | O_CLOEXEC);

	(void)options;
	if (disk < 0) {
		cost_absent(cost_new(COST_IO, length, "all",
				     operations[0].column),
			    "%s: %s (modprobe null_blk queue_mode=2 irqmode=0)",
			    DEVICE, strerror(errno));
		return;
	}
	for (unsigned int i = 0; i < memory_kinds_nr; i++) {
		const struct memory_kind *kind = &memory_kinds[i];
		const char *missing = memory_missing(machine, kind, length);

		if (missing)
			cost_absent(cost_new(COST_IO, length, kind->name,
					     operations[0].column),
				    "%s", missing);
		else
			measure_kind(kind, length, disk);
		memory_release_pool(machine);
	}
	close(disk);
}
