// SPDX-License-Identifier: GPL-2.0
/*
 * Groups of provided buffers, one for each ring, and the packets that come into
 * them.
 */
#include <sys/socket.h>
#include "model.h"

#define PACKET_MAX 1024U

/* What a packet begins with; all other bytes of it are its number's lowest. */
struct packet {
	uint64_t number;
	uint64_t length;
};

static int try_group(unsigned int ring, unsigned int count, unsigned int flags)
{
	return saferring_group_create(world.ring[ring], world.stage->pool,
				      count, flags, &world.group[ring]);
}

void make_group(unsigned int ring)
{
	const unsigned int count = 1 + dice(4);
	unsigned int flags = dice(2) ? SAFERRING_GROUP_REFILL : 0;
	int result;

	if (dice(2))
		flags |= SAFERRING_GROUP_INCREMENTAL;
	result = try_group(ring, count, flags);
	if (result == -EOPNOTSUPP && flags & SAFERRING_GROUP_INCREMENTAL)
		result = try_group(ring, count,
				   flags & ~SAFERRING_GROUP_INCREMENTAL);
	world.loose[ring] = false;
	if (!result) {
		assert_int_equal(saferring_group_count(world.group[ring]),
				 count);
		return;
	}
	assert_true(result == -ENOBUFS || result == -EOPNOTSUPP);
	world.group[ring] = NULL;
}

static bool is_used(unsigned int ring)
{
	unsigned int number;

	for (number = 0; number < DEPTH; number++)
		if (world.op[ring][number].id &&
		    world.op[ring][number].kind ==
			    SAFERRING_OPERATION_RECV_MULTISHOT)
			return true;
	return false;
}

void end_group(unsigned int ring)
{
	int result;

	if (!world.group[ring]) {
		make_group(ring);
		return;
	}
	result = saferring_group_destroy(world.group[ring]);
	if (world.loose[ring])
		assert_true(!result || result == -EBUSY);
	else
		assert_int_equal(result, is_used(ring) ? -EBUSY : 0);
	if (result)
		return;
	world.group[ring] = NULL;
	world.groups++;
}

void receive_many(unsigned int ring)
{
	struct op *op;

	if (!world.group[ring])
		return;
	op = new_op(ring, SAFERRING_OPERATION_RECV_MULTISHOT);
	if (op)
		queued(ring, op,
		       saferring_ring_recv_multishot(world.ring[ring],
						     world.packets[ring][0],
						     world.group[ring], 0,
						     op->id));
}

/* Packets are numbered, and the buffers of the group come as they go. */
void talk(unsigned int ring)
{
	unsigned char bytes[PACKET_MAX];
	const struct packet packet = {
		.number = ++world.said[ring],
		.length = sizeof(packet) + dice(PACKET_MAX - sizeof(packet)),
	};

	memset(bytes, (int)packet.number, packet.length);
	memcpy(bytes, &packet, sizeof(packet));
	if (send(world.packets[ring][1], bytes, packet.length, MSG_DONTWAIT) <
	    0)
		world.said[ring]--;
}

void provide_one(unsigned int ring)
{
	const int number = own_buffer();
	int result;

	if (!world.group[ring] || number < 0)
		return;
	result = saferring_group_provide(world.group[ring],
					 world.buffer[number].handle);
	assert_true(!result || result == -ENOSPC);
	if (!result)
		world.buffer[number].owner = POOL;
}

/*
 * None comes twice, and none before one that was sent earlier. One that came
 * into what was left of a buffer may be cut.
 */
static void check_data(unsigned int ring, const struct saferring_completion *c)
{
	const unsigned char *bytes = (const void *)(uintptr_t)c->extra;
	struct packet packet;
	int32_t place;

	assert_true(c->result > 0 && c->result <= (int32_t)PACKET_MAX);
	if ((size_t)c->result < sizeof(packet))
		return;
	memcpy(&packet, bytes, sizeof(packet));
	assert_true(packet.number > world.heard[ring] &&
		    packet.number <= world.said[ring]);
	assert_true((uint64_t)c->result <= packet.length);
	for (place = sizeof(packet); place < c->result; place++)
		assert_int_equal(bytes[place], packet.number & 0xff);
	world.heard[ring] = packet.number;
}

void check_packet(unsigned int ring, struct op *op,
		  const struct saferring_completion *c)
{
	unsigned int number;

	if (!(c->flags & SAFERRING_COMPLETION_MORE))
		op->id = 0;
	if (c->flags & SAFERRING_COMPLETION_PARTIAL) {
		assert_null(c->pool);
		check_data(ring, c);
		world.partial++;
		return;
	}
	if (!c->pool)
		return;
	number = receive(c->buffer);
	/* Some kernels bring one with an error, too. */
	if (c->result >= 0) {
		assert_true(c->extra >= (uintptr_t)memory(number));
		assert_true(c->extra + (uint64_t)c->result <=
			    (uintptr_t)memory(number) + BLOCK);
		check_data(ring, c);
	}
	set_mark(number);
}
