// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers, as the reference knows them. Those of the program hold a mark, which a
 * kernel that writes to one would destroy.
 */
#include "model.h"

unsigned char *memory(unsigned int number)
{
	return bytes_of(world.stage->pool, world.buffer[number].handle);
}

void set_mark(unsigned int number)
{
	unsigned char *bytes = memory(number);
	const uint64_t mark = ++world.ids;

	world.buffer[number].mark = mark;
	memcpy(bytes, &mark, sizeof(mark));
	memcpy(bytes + BLOCK - sizeof(mark), &mark, sizeof(mark));
}

void check_mark(unsigned int number)
{
	const uint64_t mark = world.buffer[number].mark;
	const unsigned char *bytes = memory(number);

	assert_memory_equal(bytes, &mark, sizeof(mark));
	assert_memory_equal(bytes + BLOCK - sizeof(mark), &mark, sizeof(mark));
}

unsigned int receive(saferring_buffer handle)
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

void drop_buffer(unsigned int number)
{
	check_mark(number);
	put(world.stage->pool, world.buffer[number].handle);
	world.buffer[number].owner = POOL;
}

int own_buffer(void)
{
	unsigned int number = dice(BUFFERS), tries;

	for (tries = 0; tries < BUFFERS; tries++) {
		if (world.buffer[number].owner == PROGRAM)
			return (int)number;
		number = (number + 1) % BUFFERS;
	}
	return take_buffer();
}

void drop_any_buffer(void)
{
	const int number = own_buffer();

	if (number >= 0)
		drop_buffer((unsigned int)number);
}
