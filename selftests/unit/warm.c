// SPDX-License-Identifier: GPL-2.0
/*
 * What a ring does once it is warm allocates nothing, whatever the operation.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "common.h"
#include "wrap.h"

#define DEPTH 16U

static unsigned int allocations;

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	allocations++;
	return __real_realloc(old, size);
}

void *__wrap_mmap(void *address, size_t length, int prot, int flags, int fd,
		  off_t offset)
{
	allocations++;
	return __real_mmap(address, length, prot, flags, fd, offset);
}

struct tools {
	struct stage *stage;
	struct saferring_batch *batch;
	int file, ends[2];
};

static void put_all(struct tools *tools, unsigned int count)
{
	while (count--) {
		const struct saferring_completion c =
			next_of(tools->stage->ring);

		if (c.pool)
			put(c.pool, c.buffer);
	}
}

static struct saferring_range range_of(struct tools *tools)
{
	return (struct saferring_range){ get(tools->stage->pool), 0, 64 };
}

static void transfer(struct tools *tools)
{
	struct saferring_ring *ring = tools->stage->ring;
	struct saferring_range ranges[2];

	ranges[0] = range_of(tools);
	assert_int_equal(saferring_ring_write(ring, tools->file,
					      ranges[0].buffer, 0, 64, 0, 1),
			 0);
	ranges[0] = range_of(tools);
	ranges[1] = range_of(tools);
	assert_int_equal(saferring_ring_readv(ring, tools->file, ranges, 2, 0,
					      2),
			 0);
	ranges[0] = range_of(tools);
	assert_int_equal(saferring_ring_send(ring, tools->ends[0], ranges, 0,
					     3),
			 0);
	ranges[0] = range_of(tools);
	assert_int_equal(saferring_ring_recv(ring, tools->ends[1], ranges, 0,
					     4),
			 0);
	put_all(tools, 5);
}

static void name(struct tools *tools)
{
	const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
	struct saferring_completion c;

	assert_int_equal(saferring_ring_open(tools->stage->ring, AT_FDCWD,
					     "/dev/null", &how,
					     SAFERRING_SLOT_NONE, 1),
			 0);
	c = next_of(tools->stage->ring);
	assert_true(c.result >= 0);
	assert_int_equal(saferring_ring_close(tools->stage->ring, c.result, 1),
			 0);
	put_all(tools, 1);
}

static void end_early(struct tools *tools)
{
	struct saferring_ring *ring = tools->stage->ring;
	struct saferring_completion c;

	assert_int_equal(saferring_ring_read(ring, tools->ends[0],
					     get(tools->stage->pool), 0, 8, -1,
					     1),
			 0);
	assert_int_equal(saferring_ring_submit(ring), 1);
	assert_int_equal(saferring_ring_drop(ring, saferring_ring_find(ring,
								       1)),
			 0);
	assert_int_equal(saferring_ring_wait(ring, &c, 1, 1,
					     SAFERRING_FOREVER),
			 0);
	assert_int_equal(saferring_ring_timeout(ring, 1, 0, 0, 1), 0);
	put_all(tools, 1);
}

static void in_order(struct tools *tools)
{
	struct saferring_ring *ring = tools->stage->ring;
	unsigned int number;

	for (number = 0; number < 4; number++) {
		assert_int_equal(saferring_ring_nop(ring, number), 0);
		assert_int_equal(saferring_batch_add(tools->batch), number);
		if (number)
			assert_int_equal(saferring_batch_after(tools->batch,
							       number, 0, 0),
					 0);
	}
	assert_int_equal(saferring_batch_submit(tools->batch), 1);
	put_all(tools, 4);
	assert_int_equal(saferring_batch_reset(tools->batch), 0);
}

static void a_round(struct tools *tools)
{
	transfer(tools);
	name(tools);
	end_early(tools);
	in_order(tools);
}

static void a_warm_ring_allocates_nothing(void **state)
{
	struct tools tools = { .stage = stage_up(0, DEPTH, STAGE_RING) };
	unsigned int round, before;

	(void)state;
	if (!saferring_ring_supports(tools.stage->ring,
				     SAFERRING_OPERATION_CLOSE))
		SKIP("%s", saferring_error_last()->what);
	tools.file = pattern_file(128);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    tools.ends),
			 0);
	assert_int_equal(saferring_batch_create(tools.stage->ring, 4, 0,
						&tools.batch),
			 0);
	assert_true(allocations > 0);
	for (round = 0; round < 10; round++)
		a_round(&tools);
	before = allocations;
	for (round = 0; round < 1000; round++)
		a_round(&tools);
	assert_int_equal(allocations, before);
	assert_int_equal(saferring_batch_destroy(tools.batch), 0);
	assert_all_back(tools.stage->pool);
	close(tools.file);
	close(tools.ends[0]);
	close(tools.ends[1]);
	stage_down(tools.stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_warm_ring_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
