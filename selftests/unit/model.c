// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations against a simple reference of who owns what and of the data.
 *
 * The reference knows of each buffer whether it is in the pool, the program's or
 * an operation's, and of each block of the file what it holds. Buffers of the
 * program hold a mark, and a kernel that writes to one would destroy it.
 *
 * SAFERRING_MODEL_SEED repeats a run, SAFERRING_MODEL_STEPS makes it longer.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include "common.h"

#define BUFFERS 48U
#define RINGS	3U
#define DEPTH	16U
#define BLOCKS	64U
#define BLOCK	BUFFER_SIZE
#define PARTS	3U
#define OPS	(RINGS * DEPTH)

enum owner { POOL, PROGRAM, OPERATION, DROPPED };

struct buffer {
	enum owner owner;
	saferring_buffer handle;
	uint64_t mark;
};

struct op {
	uint64_t id; /* user_data; 0 if there is none */
	uint64_t name;
	unsigned int kind;
	unsigned int parts, back;
	unsigned int buffer[PARTS];
	unsigned int block;
	size_t length, moved;
};

struct world {
	struct stage *stage;
	struct saferring_ring *ring[RINGS];
	struct saferring_group *group[RINGS];
	struct op op[RINGS][DEPTH];
	struct buffer buffer[BUFFERS];
	unsigned char shadow[BLOCKS][BLOCK];
	int readers[BLOCKS];
	bool written[BLOCKS];
	int file, pipe[2], stream[2], packets[RINGS][2];
	uint64_t said[RINGS], heard[RINGS];
	uint64_t random, ids;
	uint64_t done[SAFERRING_OPERATIONS], cancelled, refused, destroyed;
};

static struct world world;

static uint32_t dice(uint32_t sides)
{
	world.random ^= world.random << 13;
	world.random ^= world.random >> 7;
	world.random ^= world.random << 17;
	return (uint32_t)(world.random >> 32) % sides;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static unsigned char *memory(unsigned int number)
{
	return bytes_of(world.stage->pool, world.buffer[number].handle);
}

/* ---- buffers ---- */

static void set_mark(unsigned int number)
{
	unsigned char *bytes = memory(number);
	const uint64_t mark = ++world.ids;

	world.buffer[number].mark = mark;
	memcpy(bytes, &mark, sizeof(mark));
	memcpy(bytes + BLOCK - sizeof(mark), &mark, sizeof(mark));
}

static void check_mark(unsigned int number)
{
	const uint64_t mark = world.buffer[number].mark;
	const unsigned char *bytes = memory(number);

	assert_memory_equal(bytes, &mark, sizeof(mark));
	assert_memory_equal(bytes + BLOCK - sizeof(mark), &mark, sizeof(mark));
}

/* It comes to the program under a handle that no earlier one may equal. */
static unsigned int receive(saferring_buffer handle)
{
	const size_t number = saferring_buffer_index(world.stage->pool, handle);
	struct buffer *buffer = &world.buffer[number];

	assert_true(number < BUFFERS);
	assert_int_not_equal(buffer->owner, PROGRAM);
	assert_true(handle.word > buffer->handle.word);
	assert_int_equal(saferring_buffer_valid(world.stage->pool, handle), 1);
	assert_int_equal(saferring_buffer_valid(world.stage->pool,
						buffer->handle),
			 0);
	buffer->owner = PROGRAM;
	buffer->handle = handle;
	return (unsigned int)number;
}

static int take_buffer(void)
{
	saferring_buffer handle;
	unsigned int number;

	if (saferring_buffer_get(world.stage->pool, &handle))
		return -1;
	number = (unsigned int)saferring_buffer_index(world.stage->pool,
						      handle);
	assert_int_not_equal(world.buffer[number].owner, OPERATION);
	receive(handle);
	set_mark(number);
	return (int)number;
}

static void drop_buffer(unsigned int number)
{
	check_mark(number);
	put(world.stage->pool, world.buffer[number].handle);
	world.buffer[number].owner = POOL;
}

/* A buffer of the program's, or -1. */
static int own_buffer(void)
{
	unsigned int number = dice(BUFFERS), tries;

	for (tries = 0; tries < BUFFERS; tries++) {
		if (world.buffer[number].owner == PROGRAM)
			return (int)number;
		number = (number + 1) % BUFFERS;
	}
	return take_buffer();
}

static void drop_any_buffer(void)
{
	const int number = own_buffer();

	if (number >= 0)
		drop_buffer((unsigned int)number);
}

/* ---- operations ---- */

static struct op *new_op(unsigned int ring, unsigned int kind)
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

/* Its buffers are the kernel's, and its block is in use. */
static void note_queued(struct op *op, uint64_t name)
{
	unsigned int part;

	op->name = name;
	for (part = 0; part < op->parts; part++)
		world.buffer[op->buffer[part]].owner = OPERATION;
	if (op->kind == SAFERRING_OPERATION_READ ||
	    op->kind == SAFERRING_OPERATION_READV)
		world.readers[op->block]++;
	if (op->kind == SAFERRING_OPERATION_WRITE ||
	    op->kind == SAFERRING_OPERATION_WRITEV)
		world.written[op->block] = true;
}

static void queued(unsigned int ring, struct op *op, int result)
{
	if (result) {
		assert_int_equal(result, -EBUSY);
		op->id = 0;
		world.refused++;
		return;
	}
	note_queued(op, saferring_ring_last(world.ring[ring]));
	if (!dice(16))
		assert_int_equal(saferring_ring_modify(world.ring[ring],
						       SAFERRING_LINK),
				 0);
}

/* Different buffers of the program's, as many as there are. */
static unsigned int choose_buffers(struct op *op, unsigned int wanted)
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

static void transfer_one(unsigned int ring, bool write)
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

static void transfer_many(unsigned int ring, bool write)
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

static bool block_is_free(unsigned int block, bool write)
{
	return !world.written[block] && !(write && world.readers[block]);
}

/*
 * Reads or writes of one block each, with ids one after the other. Returns how
 * many of them there can be.
 */
static unsigned int plan_series(unsigned int ring, bool write, struct op **ops,
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

static void transfer_series(unsigned int ring, bool write)
{
	struct saferring_series series = {
		.size = sizeof(series),
		.fd = world.file,
		.distance = BLOCK,
	};
	saferring_buffer handles[PARTS];
	struct op *ops[PARTS];
	const unsigned int count = plan_series(ring, write, ops, &series);
	unsigned int number;
	int result;

	if (!count)
		return;
	series.user_data = ops[0]->id;
	for (number = 0; number < count; number++) {
		handles[number] = world.buffer[ops[number]->buffer[0]].handle;
		if (write)
			memset(memory(ops[number]->buffer[0]),
			       (int)ops[number]->id, series.length);
	}
	result = write ? saferring_ring_write_many(world.ring[ring], &series,
						   handles, count) :
			 saferring_ring_read_many(world.ring[ring], &series,
						  handles, count);
	for (number = 0; number < count; number++) {
		if ((int)number < result) {
			note_queued(ops[number],
				    saferring_ring_find(world.ring[ring],
							ops[number]->id));
			continue;
		}
		if (write)
			set_mark(ops[number]->buffer[0]);
		queued(ring, ops[number], -EBUSY);
	}
	assert_true(result > 0 || result == -EBUSY);
}

/* A read that waits for somebody to write, or to be cancelled. */
static void hang(unsigned int ring)
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
	       saferring_ring_read(world.ring[ring], world.pipe[0],
				   world.buffer[op->buffer[0]].handle, 0,
				   op->length, -1, op->id));
}

/* The peer throws it away: what counts is when the buffer comes back. */
static void send_zero_copy(unsigned int ring)
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

static void receive_many(unsigned int ring)
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
static void talk(unsigned int ring)
{
	const uint64_t number = ++world.said[ring];

	if (send(world.packets[ring][1], &number, sizeof(number),
		 MSG_DONTWAIT) < 0)
		world.said[ring]--;
}

static void provide_one(unsigned int ring)
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

static void without_buffer(unsigned int ring)
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

/* ---- completions ---- */

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
	if (op->kind == SAFERRING_OPERATION_WRITE ||
	    op->kind == SAFERRING_OPERATION_WRITEV)
		check_write(op, part, c->result);
	if (op->kind == SAFERRING_OPERATION_READ ||
	    op->kind == SAFERRING_OPERATION_READV)
		check_read(op, part, c->result);
	set_mark(number);
}

/* None comes twice, and none before one that was sent earlier. */
static void check_packet(unsigned int ring, struct op *op,
			 const struct saferring_completion *c)
{
	unsigned int number;
	uint64_t packet;

	if (!(c->flags & SAFERRING_COMPLETION_MORE))
		op->id = 0;
	if (!c->pool)
		return;
	number = receive(c->buffer);
	/* Some kernels bring one with an error, too. */
	if (c->result < 0) {
		set_mark(number);
		return;
	}
	assert_int_equal(c->result, sizeof(packet));
	memcpy(&packet, memory(number), sizeof(packet));
	assert_true(packet > world.heard[ring] && packet <= world.said[ring]);
	world.heard[ring] = packet;
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
	if (c->user_data == UINT64_MAX) {
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
		return;
	}
	if (op->parts)
		check_part(op, c);
	else
		assert_int_equal(saferring_buffer_is_none(c->buffer), 1);
	assert_int_equal(!(c->flags & SAFERRING_COMPLETION_MORE),
			 op->back == op->parts);
	if (op->back == op->parts)
		op->id = 0;
}

static void reap(unsigned int ring, bool wait)
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

/* ---- cancelling ---- */

static struct op *any_op(unsigned int ring)
{
	struct op *op = &world.op[ring][dice(DEPTH)];

	/* With a part of it back it has ended. */
	return op->id && !op->back ? op : NULL;
}

static void cancel(unsigned int ring)
{
	const struct op *op = any_op(ring);
	int result;

	if (!op)
		return;
	result = saferring_ring_cancel(world.ring[ring], op->name, UINT64_MAX);
	assert_true(!result || result == -EBUSY);
}

/* What it has of buffers goes to the pool, but nobody knows when. */
static void drop(unsigned int ring)
{
	struct op *op = any_op(ring);
	unsigned int part;

	if (!op || op->kind == SAFERRING_OPERATION_WRITE ||
	    op->kind == SAFERRING_OPERATION_WRITEV)
		return;
	assert_int_equal(saferring_ring_drop(world.ring[ring], op->name), 0);
	for (part = 0; part < op->parts; part++)
		world.buffer[op->buffer[part]].owner = DROPPED;
	if (op->kind == SAFERRING_OPERATION_READ ||
	    op->kind == SAFERRING_OPERATION_READV)
		world.readers[op->block]--;
	op->id = 0;
}

/* ---- misuse ---- */

static void misuse(unsigned int ring)
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

/* ---- rings ---- */

static void open_ring(unsigned int ring)
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
	result = saferring_ring_create(&options, &world.ring[ring]);
	if (result == -EINVAL) {
		options.flags = 0;
		result = saferring_ring_create(&options, &world.ring[ring]);
	}
	assert_int_equal(result, 0);
	if (saferring_group_create(world.ring[ring], world.stage->pool, 3,
				   dice(2) ? SAFERRING_GROUP_REFILL : 0,
				   &world.group[ring]))
		world.group[ring] = NULL;
}

/* Everything comes back to the pool, and no write is half done. */
static void close_ring(unsigned int ring)
{
	unsigned int number, part;

	assert_int_equal(saferring_ring_destroy(world.ring[ring], DESTROY_MS),
			 0);
	world.destroyed++;
	for (number = 0; number < DEPTH; number++) {
		struct op *op = &world.op[ring][number];

		if (!op->id)
			continue;
		for (part = 0; part < op->parts; part++)
			if (world.buffer[op->buffer[part]].owner == OPERATION)
				world.buffer[op->buffer[part]].owner = POOL;
		if (op->kind == SAFERRING_OPERATION_READ ||
		    op->kind == SAFERRING_OPERATION_READV)
			world.readers[op->block]--;
		if (op->kind == SAFERRING_OPERATION_WRITE ||
		    op->kind == SAFERRING_OPERATION_WRITEV) {
			world.written[op->block] = false;
			assert_int_equal(pread(world.file,
					       world.shadow[op->block], BLOCK,
					       op->block * BLOCK),
					 BLOCK);
		}
		op->id = 0;
	}
}

static void check_pool(void)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	unsigned int number, owned = 0;

	for (number = 0; number < BUFFERS; number++)
		owned += world.buffer[number].owner == PROGRAM;
	assert_int_equal(saferring_pool_stats(world.stage->pool, &stats), 0);
	assert_int_equal(stats.held, owned);
	assert_int_equal(stats.held + stats.in_flight + stats.available,
			 BUFFERS);
}

static void feed(void)
{
	char bytes[64] = "";

	assert_true(write(world.pipe[1], bytes, 1 + dice(64)) > 0 ||
		    errno == EAGAIN);
}

static void swallow(void)
{
	char bytes[BLOCK];

	while (recv(world.stream[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void connect_stream(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length),
			 0);
	world.stream[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(world.stream[0], (struct sockaddr *)&address,
				 length),
			 0);
	world.stream[1] = accept(fd, NULL, NULL);
	assert_true(world.stream[1] >= 0);
	close(fd);
}

/* Kinds of steps that are not of every ring. */
static void step_of_sockets(unsigned int ring)
{
	switch (dice(6)) {
	case 0:
		send_zero_copy(ring);
		break;
	case 1:
		receive_many(ring);
		break;
	case 2:
		provide_one(ring);
		break;
	case 3:
		swallow();
		break;
	default:
		talk(ring);
		break;
	}
}

static void step(void)
{
	const unsigned int ring = dice(RINGS);
	const unsigned int what = dice(115);

	if (what < 15)
		transfer_one(ring, false);
	else if (what < 30)
		transfer_one(ring, true);
	else if (what < 36)
		transfer_many(ring, dice(2));
	else if (what < 42)
		transfer_series(ring, dice(2));
	else if (what < 46)
		hang(ring);
	else if (what < 50)
		without_buffer(ring);
	else if (what < 62)
		assert_true(saferring_ring_submit(world.ring[ring]) >= 0);
	else if (what < 80)
		reap(ring, what < 68);
	else if (what < 84)
		cancel(ring);
	else if (what < 87)
		drop(ring);
	else if (what < 88)
		assert_true(saferring_ring_withdraw(world.ring[ring]) >= 0);
	else if (what < 91)
		misuse(ring);
	else if (what < 93)
		feed();
	else if (what < 100)
		drop_any_buffer();
	else
		step_of_sockets(ring);
}

static void start(uint64_t seed)
{
	unsigned int ring;

	memset(&world, 0, sizeof(world));
	world.random = seed * 2654435769U + 88172645463325252U;
	world.stage = stage_up(BUFFERS, DEPTH, 0);
	world.file = memfd_create("model", MFD_CLOEXEC);
	assert_int_equal(ftruncate(world.file, BLOCKS * BLOCK), 0);
	assert_int_equal(pipe2(world.pipe, O_CLOEXEC | O_NONBLOCK), 0);
	/* Reads on it are to wait. */
	assert_int_equal(fcntl(world.pipe[0], F_SETFL, 0), 0);
	connect_stream();
	for (ring = 0; ring < RINGS; ring++) {
		assert_int_equal(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
					    world.packets[ring]),
				 0);
		open_ring(ring);
	}
}

static void end(void)
{
	unsigned int number;

	for (number = 0; number < RINGS; number++) {
		close_ring(number);
		close(world.packets[number][0]);
		close(world.packets[number][1]);
	}
	close(world.stream[0]);
	close(world.stream[1]);
	for (number = 0; number < BUFFERS; number++)
		if (world.buffer[number].owner == PROGRAM)
			drop_buffer(number);
	assert_all_back(world.stage->pool);
	stage_down(world.stage);
	close(world.file);
	close(world.pipe[0]);
	close(world.pipe[1]);
}

static void the_reference_agrees_after_every_step(void **state)
{
	const uint64_t steps = setting("SAFERRING_MODEL_STEPS", 100000);
	const uint64_t seed =
		setting("SAFERRING_MODEL_SEED", (uint64_t)time(NULL));
	uint64_t number, done = 0;

	(void)state;
	print_message("# SAFERRING_MODEL_SEED=%llu SAFERRING_MODEL_STEPS=%llu\n",
		      (unsigned long long)seed, (unsigned long long)steps);
	start(seed);
	for (number = 0; number < steps; number++) {
		step();
		if (!dice(1000)) {
			const unsigned int ring = dice(RINGS);

			close_ring(ring);
			open_ring(ring);
		}
		if (!dice(200))
			check_pool();
	}
	for (number = 0; number < SAFERRING_OPERATIONS; number++)
		done += world.done[number];
	print_message("# %llu completed, %llu of them sent without a copy, %llu packets\n",
		      (unsigned long long)done,
		      (unsigned long long)
			      world.done[SAFERRING_OPERATION_SEND_ZC],
		      (unsigned long long)
			      world.done[SAFERRING_OPERATION_RECV_MULTISHOT]);
	print_message("# %llu cancelled, %llu rings destroyed, %llu refused\n",
		      (unsigned long long)world.cancelled,
		      (unsigned long long)world.destroyed,
		      (unsigned long long)world.refused);
	end();
	assert_true(done > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_agrees_after_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
