// SPDX-License-Identifier: GPL-2.0
/*
 * Operations: queueing them, cancelling them, and wrong uses of their buffers.
 */
#include <poll.h>
#include "model.h"

struct op *new_op(unsigned int ring, unsigned int kind)
{
	unsigned int number;

	for (number = 0; number < DEPTH; number++) {
		struct op *op = &world.op[ring][number];

		if (op->id)
			continue;
		*op = (struct op){ .id = ++world.ids, .kind = kind };
		return op;
	}
	return NULL;
}

void note_queued(struct op *op, uint64_t name)
{
	unsigned int part;

	op->name = name;
	for (part = 0; part < op->parts; part++)
		world.buffer[op->buffer[part]].owner = OPERATION;
	if (is_read(op))
		world.readers[op->block]++;
	if (is_write(op))
		world.written[op->block] = true;
}

void queued(unsigned int ring, struct op *op, int result)
{
	if (result) {
		assert_int_equal(result, -EBUSY);
		op->id = 0;
		world.refused++;
		return;
	}
	world.queued = op;
	note_queued(op, saferring_ring_last(world.ring[ring]));
	if (!dice(16))
		assert_int_equal(saferring_ring_modify(world.ring[ring],
						       SAFERRING_LINK),
				 0);
}

unsigned int choose_buffers(struct op *op, unsigned int wanted)
{
	while (op->parts < wanted) {
		const int number = own_buffer();
		unsigned int part;

		if (number < 0)
			break;
		for (part = 0; part < op->parts; part++)
			if (op->buffer[part] == (unsigned int)number)
				return op->parts;
		check_mark((unsigned int)number);
		op->buffer[op->parts++] = (unsigned int)number;
	}
	return op->parts;
}

void transfer_one(unsigned int ring, bool write)
{
	struct op *op = new_op(ring, write ? SAFERRING_OPERATION_WRITE :
					     SAFERRING_OPERATION_READ);
	saferring_buffer handle;

	if (!op)
		return;
	op->block = dice(BLOCKS);
	op->length = 1 + dice(BLOCK);
	if (world.written[op->block] || (write && world.readers[op->block]) ||
	    !choose_buffers(op, 1)) {
		op->id = 0;
		return;
	}
	handle = world.buffer[op->buffer[0]].handle;
	if (write)
		memset(memory(op->buffer[0]), (int)op->id, op->length);
	queued(ring, op,
	       write ? saferring_ring_write(world.ring[ring], world.file,
					    handle, 0, op->length,
					    op->block * BLOCK, op->id) :
		       saferring_ring_read(world.ring[ring], world.file, handle,
					   0, op->length, op->block * BLOCK,
					   op->id));
	if (write && !op->id)
		set_mark(op->buffer[0]);
}

void transfer_many(unsigned int ring, bool write)
{
	struct op *op = new_op(ring, write ? SAFERRING_OPERATION_WRITEV :
					     SAFERRING_OPERATION_READV);
	struct saferring_range ranges[PARTS];
	unsigned int part;

	if (!op)
		return;
	op->block = dice(BLOCKS);
	if (world.written[op->block] || (write && world.readers[op->block]) ||
	    !choose_buffers(op, 1 + dice(PARTS))) {
		op->id = 0;
		return;
	}
	op->length = 1 + dice(BLOCK / PARTS);
	for (part = 0; part < op->parts; part++) {
		ranges[part].buffer = world.buffer[op->buffer[part]].handle;
		ranges[part].start = 0;
		ranges[part].length = op->length;
		if (write)
			memset(memory(op->buffer[part]), (int)op->id,
			       op->length);
	}
	queued(ring, op,
	       write ? saferring_ring_writev(world.ring[ring], world.file,
					     ranges, op->parts,
					     op->block * BLOCK, op->id) :
		       saferring_ring_readv(world.ring[ring], world.file,
					    ranges, op->parts,
					    op->block * BLOCK, op->id));
	for (part = 0; write && !op->id && part < op->parts; part++)
		set_mark(op->buffer[part]);
}

void read_after(unsigned int ring, unsigned int block)
{
	struct op *op = new_op(ring, SAFERRING_OPERATION_READ);

	if (!op)
		return;
	op->block = block;
	op->length = 1 + dice(BLOCK);
	if (!choose_buffers(op, 1)) {
		op->id = 0;
		return;
	}
	queued(ring, op,
	       saferring_ring_read(world.ring[ring], world.file,
				   world.buffer[op->buffer[0]].handle, 0,
				   op->length, block * BLOCK, op->id));
}

void hang(unsigned int ring, int fd)
{
	struct op *op = new_op(ring, SAFERRING_OPERATION_RAW);

	if (!op)
		return;
	op->length = 1 + dice(64);
	if (!choose_buffers(op, 1)) {
		op->id = 0;
		return;
	}
	queued(ring, op,
	       saferring_ring_read(world.ring[ring], fd,
				   world.buffer[op->buffer[0]].handle, 0,
				   op->length, -1, op->id));
}

/* The peer throws it away: what counts is when the buffer comes back. */
void send_zero_copy(unsigned int ring)
{
	struct op *op = new_op(ring, SAFERRING_OPERATION_SEND_ZC);
	struct saferring_range range = { .length = 1 + dice(BLOCK) };

	if (!op)
		return;
	op->length = range.length;
	if (!saferring_ring_supports(world.ring[ring],
				     SAFERRING_OPERATION_SEND_ZC) ||
	    !choose_buffers(op, 1)) {
		op->id = 0;
		return;
	}
	range.buffer = world.buffer[op->buffer[0]].handle;
	queued(ring, op,
	       saferring_ring_send_zc(world.ring[ring], world.stream[0],
				      &range, 0, op->id));
}

void without_buffer(unsigned int ring)
{
	struct op *op = new_op(ring, SAFERRING_OPERATION_NOP);

	if (!op)
		return;
	switch (dice(3)) {
	case 0:
		queued(ring, op,
		       saferring_ring_nop(world.ring[ring], op->id));
		break;
	case 1:
		queued(ring, op,
		       saferring_ring_timeout(world.ring[ring],
					      dice(2000000), 0, 0, op->id));
		break;
	default:
		queued(ring, op,
		       saferring_ring_poll(world.ring[ring], world.pipe[0],
					   POLLIN, op->id));
		break;
	}
}

static struct op *any_op(unsigned int ring)
{
	struct op *op = &world.op[ring][dice(DEPTH)];

	/* With a part of it back it has ended. */
	return op->id && !op->back ? op : NULL;
}

void cancel(unsigned int ring)
{
	const struct op *op = any_op(ring);
	int result;

	if (!op)
		return;
	result = saferring_ring_cancel(world.ring[ring], op->name, NOBODY);
	assert_true(!result || result == -EBUSY);
	if (op->batch)
		op->batch->disturbed = true;
}

/* Its batch wants to hear of it, until it has ended. */
static void refuse_drop(unsigned int ring, const struct op *op)
{
	if (!is_over(op->batch, op->step))
		assert_int_equal(saferring_ring_drop(world.ring[ring],
						     op->name),
				 -EBUSY);
}

/* What it has of buffers goes to the pool, but nobody knows when. */
void drop(unsigned int ring)
{
	struct op *op = any_op(ring);
	unsigned int part;

	if (!op || is_write(op))
		return;
	if (op->batch) {
		refuse_drop(ring, op);
		return;
	}
	if (op->kind == SAFERRING_OPERATION_RECV_MULTISHOT)
		world.loose[ring] = true;
	assert_int_equal(saferring_ring_drop(world.ring[ring], op->name), 0);
	for (part = 0; part < op->parts; part++)
		world.buffer[op->buffer[part]].owner = DROPPED;
	if (is_read(op))
		world.readers[op->block]--;
	op->id = 0;
}

void withdraw(unsigned int ring)
{
	disturb(ring);
	world.loose[ring] = true;
	assert_true(saferring_ring_withdraw(world.ring[ring]) >= 0);
}

void misuse(unsigned int ring)
{
	const unsigned int number = dice(BUFFERS);
	struct buffer *buffer = &world.buffer[number];
	int result;

	if (buffer->owner == PROGRAM || !buffer->handle.word)
		return;
	if (dice(2))
		result = saferring_buffer_put(world.stage->pool,
					      buffer->handle);
	else
		result = saferring_ring_read(world.ring[ring], world.file,
					     buffer->handle, 0, 1, 0, 0);
	assert_int_equal(result, -ESTALE);
}
