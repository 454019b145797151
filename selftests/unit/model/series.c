// SPDX-License-Identifier: GPL-2.0
/*
 * Reads and writes that one call queues.
 */
#include "model.h"

static bool block_is_free(unsigned int block, bool write)
{
	return !world.written[block] && !(write && world.readers[block]);
}

/*
 * Reads or writes of one block each, with ids one after the other. Returns how
 * many of them there can be.
 */
static unsigned int plan(unsigned int ring, bool write, struct op **ops,
			 struct saferring_series *series)
{
	const unsigned int block = dice(BLOCKS - PARTS);
	struct op chosen = { 0 };
	unsigned int number, count = choose_buffers(&chosen, 1 + dice(PARTS));

	series->offset = block * BLOCK;
	series->length = 1 + dice(BLOCK);
	for (number = 0; number < count; number++) {
		struct op *op = NULL;

		if (block_is_free(block + number, write))
			op = new_op(ring, write ? SAFERRING_OPERATION_WRITE :
						  SAFERRING_OPERATION_READ);
		if (!op)
			return number;
		op->block = block + number;
		op->length = (unsigned int)series->length;
		op->buffer[op->parts++] = chosen.buffer[number];
		ops[number] = op;
	}
	return count;
}

static int queue(unsigned int ring, bool write,
		 const struct saferring_series *series, struct op **ops,
		 unsigned int count)
{
	saferring_buffer handles[PARTS];
	unsigned int number;

	for (number = 0; number < count; number++) {
		handles[number] = world.buffer[ops[number]->buffer[0]].handle;
		if (write)
			memset(memory(ops[number]->buffer[0]),
			       (int)ops[number]->id, series->length);
	}
	return write ? saferring_ring_write_many(world.ring[ring], series,
						 handles, count) :
		       saferring_ring_read_many(world.ring[ring], series,
						handles, count);
}

/* Queued are the first @result of them, and the others as little as before. */
void transfer_series(unsigned int ring, bool write)
{
	struct saferring_series series = {
		.size = sizeof(series),
		.fd = world.file,
		.distance = BLOCK,
	};
	struct op *ops[PARTS];
	const unsigned int count = plan(ring, write, ops, &series);
	unsigned int number;
	int result;

	if (!count)
		return;
	series.user_data = ops[0]->id;
	result = queue(ring, write, &series, ops, count);
	assert_true(result > 0 || result == -EBUSY);
	for (number = 0; number < count; number++) {
		if ((int)number < result) {
			note_queued(ops[number],
				    saferring_ring_find(world.ring[ring],
							ops[number]->id));
			world.queued = ops[number];
			continue;
		}
		if (write)
			set_mark(ops[number]->buffer[0]);
		queued(ring, ops[number], -EBUSY);
	}
}
