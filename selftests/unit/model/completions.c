// SPDX-License-Identifier: GPL-2.0
/*
 * Completions: what comes back, against what was asked for.
 */
#include "model.h"

static struct op *op_of(unsigned int ring, uint64_t id)
{
	unsigned int number;

	for (number = 0; number < DEPTH; number++)
		if (world.op[ring][number].id == id)
			return &world.op[ring][number];
	fail_msg("a completion of an unknown operation %llu",
		 (unsigned long long)id);
	return NULL;
}

static void check_write(struct op *op, unsigned int part, int32_t result)
{
	unsigned char now[BLOCK];

	if (result > 0)
		memset(world.shadow[op->block] + part * op->length,
		       (int)op->id, (size_t)result);
	if (op->back < op->parts)
		return;
	world.written[op->block] = false;
	assert_int_equal(pread(world.file, now, BLOCK, op->block * BLOCK),
			 BLOCK);
	assert_memory_equal(now, world.shadow[op->block], BLOCK);
}

static void check_read(struct op *op, unsigned int part, int32_t result)
{
	if (result > 0)
		assert_memory_equal(memory(op->buffer[part]),
				    world.shadow[op->block] +
					    part * op->length,
				    (size_t)result);
	if (op->back == op->parts)
		world.readers[op->block]--;
}

static void check_part(struct op *op, const struct saferring_completion *c)
{
	const unsigned int number = receive(c->buffer);
	unsigned int part;

	for (part = 0; part < op->parts; part++)
		if (op->buffer[part] == number)
			break;
	assert_int_not_equal(part, op->parts);
	op->back++;
	assert_true(c->result <= (int32_t)op->length);
	if (is_write(op))
		check_write(op, part, c->result);
	if (is_read(op))
		check_read(op, part, c->result);
	set_mark(number);
}

static bool is_kept(const struct saferring_completion *c)
{
	return c->operation == SAFERRING_OPERATION_SEND_ZC && !c->pool;
}

static void complete(unsigned int ring, const struct saferring_completion *c)
{
	struct op *op;

	/* Cancellations have the number that no operation has. */
	if (c->user_data == NOBODY) {
		assert_int_equal(c->operation, SAFERRING_OPERATION_CANCEL);
		return;
	}
	op = op_of(ring, c->user_data);
	world.done[op->kind]++;
	world.cancelled += c->result == -ECANCELED;
	if (op->kind == SAFERRING_OPERATION_RECV_MULTISHOT) {
		check_packet(ring, op, c);
		return;
	}
	if (is_kept(c)) {
		assert_int_equal(c->flags & SAFERRING_COMPLETION_MORE,
				 SAFERRING_COMPLETION_MORE);
		note_step(op, c);
		return;
	}
	if (op->parts)
		check_part(op, c);
	else
		assert_int_equal(saferring_buffer_is_none(c->buffer), 1);
	note_step(op, c);
	assert_int_equal(!(c->flags & SAFERRING_COMPLETION_MORE),
			 op->back == op->parts);
	if (op->back == op->parts) {
		op->id = 0;
		end_step(op);
	}
}

void reap(unsigned int ring, bool wait)
{
	struct saferring_completion c[DEPTH];
	const unsigned int max = 1 + dice(DEPTH);
	int count, number;

	if (wait)
		count = saferring_ring_wait(world.ring[ring], c, max, 1,
					    100000);
	else
		count = saferring_ring_reap(world.ring[ring], c, max);
	if (count == -EINTR)
		return;
	assert_true(count >= 0);
	for (number = 0; number < count; number++)
		complete(ring, &c[number]);
}
