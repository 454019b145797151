// SPDX-License-Identifier: GPL-2.0
/*
 * Rings that come and go, with everything that is under way on them.
 */
#include "model.h"

/* Every other ring has its own memory in a region, with room for its groups. */
static void add_memory(unsigned int ring, struct saferring_ring_options *options)
{
	if (dice(2))
		return;
	options->memory = make_region(world.stage->device,
				      saferring_ring_memory(options) + 4096);
	world.memory[ring] = options->memory;
}

static void count_placed(unsigned int ring)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_ring_info(world.ring[ring], &info), 0);
	world.placed += (unsigned int)info.memory;
}

void open_ring(unsigned int ring)
{
	static const unsigned int flags[] = {
		0, SAFERRING_RING_AVOID_FIXED, SAFERRING_RING_ONE_THREAD,
		SAFERRING_RING_COMMANDS, SAFERRING_RING_SQPOLL,
	};
	struct saferring_ring_options options;
	int result;

	SAFERRING_OPTIONS_INIT(&options);
	options.depth = DEPTH;
	options.pools = &world.stage->pool;
	options.pool_count = 1;
	options.poll_ms = 1;
	options.flags = flags[dice(sizeof(flags) / sizeof(*flags))];
	/* Every second one has waits that follow the load. */
	if (dice(2)) {
		options.batch_max = DEPTH;
		options.batch_ns = 20000;
		options.busy_max_ns = 10000;
	}
	add_memory(ring, &options);
	result = saferring_ring_create(&options, &world.ring[ring]);
	if (result == -EINVAL) {
		options.flags = 0;
		result = saferring_ring_create(&options, &world.ring[ring]);
	}
	assert_int_equal(result, 0);
	count_placed(ring);
	make_group(ring);
}

static void forget(struct op *op)
{
	unsigned int part;

	for (part = 0; part < op->parts; part++)
		if (world.buffer[op->buffer[part]].owner == OPERATION)
			world.buffer[op->buffer[part]].owner = POOL;
	if (is_read(op))
		world.readers[op->block]--;
	if (is_write(op)) {
		world.written[op->block] = false;
		assert_int_equal(pread(world.file, world.shadow[op->block],
				       BLOCK, op->block * BLOCK),
				 BLOCK);
	}
	op->id = 0;
}

static void fail_ring(unsigned int ring, const char *setup, int result)
{
	unsigned int number;

	for (number = 0; number < DEPTH; number++) {
		const struct op *op = &world.op[ring][number];

		if (op->id)
			print_message("# %s of %zu bytes, buffer %u%s\n",
				      saferring_operation_name(op->kind),
				      op->length, op->buffer[0],
				      op->batch ? ", a step" : "");
	}
	for (number = 0; number < BUFFERS; number++)
		if (saferring_buffer_owner(world.stage->pool,
					   world.buffer[number].handle) ==
		    SAFERRING_OWNER_QUARANTINE)
			print_message("# buffer %u is in quarantine\n", number);
	fail_msg("the end of a ring came to %d (%s)", result, setup);
}

/* Everything comes back to the pool, and no write is half done. */
void close_ring(unsigned int ring)
{
	struct saferring_ring_info info = { .size = sizeof(info) };
	char setup[512];
	unsigned int number;
	int result;

	assert_int_equal(saferring_ring_info(world.ring[ring], &info), 0);
	snprintf(setup, sizeof(setup), "%s, %d in flight, %.380s",
		 info.engine == SAFERRING_ENGINE_THREADS ? "threads" :
							   "io_uring",
		 (int)info.in_flight, info.setup);
	result = saferring_ring_destroy(world.ring[ring], DESTROY_MS);
	if (result)
		fail_ring(ring, setup, result);
	world.destroyed++;
	world.group[ring] = NULL;
	end_batches(ring);
	for (number = 0; number < DEPTH; number++)
		if (world.op[ring][number].id)
			forget(&world.op[ring][number]);
	drop_region(world.memory[ring]);
	world.memory[ring] = NULL;
}
