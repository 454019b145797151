// SPDX-License-Identifier: GPL-2.0
/*
 * Groups whose entries lie in the region that their ring was created with, with
 * the ring's own queues or, on a kernel that does not take those, without.
 */
#include <liburing.h>
#include <sys/socket.h>
#include "placing.h"

static bool lies_in(const struct saferring_region *region, const void *address,
		    size_t length)
{
	struct saferring_region_info info = { .size = sizeof(info) };
	const unsigned char *start = saferring_region_address(region);
	const unsigned char *at = address;

	assert_int_equal(saferring_region_info(region, &info), 0);
	return at >= start && at + length <= start + info.length;
}

static int up(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_PLACED);
	return 0;
}

static int down(void **state)
{
	struct stage *stage = *state;

	assert_all_back(stage->pool);
	stage_down(stage);
	return 0;
}

static void hear(struct saferring_ring *ring, int ends[2], char byte)
{
	struct saferring_completion c;

	assert_int_equal(send(ends[1], &byte, 1, 0), 1);
	c = next_of(ring);
	assert_int_equal(c.result, 1);
	assert_int_equal(*bytes_of(c.pool, c.buffer), byte);
	put(c.pool, c.buffer);
}

static void use_group(struct saferring_ring *ring,
		      struct saferring_group *group)
{
	int ends[2], round;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    ends),
			 0);
	QUEUE(saferring_ring_recv_multishot(ring, ends[0], group, 0, 1));
	for (round = 0; round < 50; round++)
		hear(ring, ends, (char)round);
	close(ends[1]);
	expect(ring, 1, 0);
	close(ends[0]);
}

static void the_entries_of_a_group_lie_in_the_region(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options =
		options_of(stage, stage->memory);
	struct saferring_group *group;
	struct saferring_ring *ring;
	uint64_t before;
	const struct io_uring_buf *entry;

	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	before = info_of(ring).memory_bytes;
	entry = (const void *)((const char *)saferring_region_address(
				       stage->memory) +
			       before);
	QUEUE(saferring_group_create(ring, stage->pool, 8,
				     SAFERRING_GROUP_REFILL, &group));
	assert_int_equal(group_info(group).memory, 1);
	assert_string_equal(group_info(group).memory_reason, "");
	assert_int_equal(group_info(group).count, 8);
	assert_int_equal(group_info(group).provided, 8);
	assert_int_equal(info_of(ring).memory_bytes, before + 4096);
	assert_int_equal(entry->len, BUFFER_SIZE);
	assert_true(lies_in(stage->region,
			    (const void *)(uintptr_t)entry->addr, BUFFER_SIZE));
	use_group(ring, group);
	assert_int_equal(saferring_group_destroy(group), 0);
	assert_int_equal(info_of(ring).memory_bytes, before);
	end_ring(ring);
}

static void what_a_group_had_is_used_again(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options =
		options_of(stage, stage->memory);
	struct saferring_group *group;
	struct saferring_ring *ring;
	unsigned int round;

	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	for (round = 0; round < 1000; round++) {
		QUEUE(saferring_group_create(ring, stage->pool, 2,
					     SAFERRING_GROUP_REFILL, &group));
		assert_int_equal(group_info(group).memory, 1);
		if (round % 100 == 0)
			use_group(ring, group);
		assert_int_equal(saferring_group_destroy(group), 0);
	}
	end_ring(ring);
}

static void without_room_a_group_lies_elsewhere(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *small = make_region(stage->device, 4096);
	struct saferring_region_info info = { .size = sizeof(info) };
	struct saferring_ring_options options = options_of(stage, small);
	struct saferring_group *group;
	struct saferring_ring *ring;
	unsigned int count = 0;

	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	assert_int_equal(info_of(ring).memory, 0);
	do {
		if (count == SAFERRING_GROUPS_MAX)
			break;
		QUEUE(saferring_group_create(ring, stage->pool, 4,
					     SAFERRING_GROUP_REFILL, &group));
		count++;
	} while (group_info(group).memory);
	assert_int_equal(saferring_region_info(small, &info), 0);
	assert_true(count == SAFERRING_GROUPS_MAX ||
		    count == info.length / 4096 + 1);
	if (!group_info(group).memory)
		assert_non_null(strstr(group_info(group).memory_reason,
				       "4096 bytes in one piece"));
	use_group(ring, group);
	end_ring(ring);
	drop_region(small);
}

static void what_must_be_placed_leaves_nothing_when_it_cannot_be(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options = options_of(stage, NULL);
	struct saferring_region_info info = { .size = sizeof(info) };
	struct saferring_region *exact =
		make_region(stage->device, saferring_ring_memory(&options));
	struct saferring_group *group;
	struct saferring_ring *ring;
	unsigned int count = 0;
	int error;

	options.memory = exact;
	options.flags = SAFERRING_RING_REQUIRE_MEMORY;
	error = saferring_ring_create(&options, &ring);
	assert_int_equal(saferring_region_info(exact, &info), 0);
	if (error || info.length > 32768) {
		drop_region(exact);
		SKIP("the kernel does not take it, or pages are large");
	}
	do {
		error = saferring_group_create(ring, stage->pool, 4, 0, &group);
		count += !error;
	} while (!error);
	assert_int_equal(error, -EOPNOTSUPP);
	assert_error(-EOPNOTSUPP, SAFERRING_REASON_UNSUPPORTED);
	assert_int_equal(count, (info.length - saferring_ring_memory(&options)) /
					4096);
	end_ring(ring);
	drop_region(exact);
}

static void rings_and_groups_share_a_region(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options =
		options_of(stage, stage->memory);
	struct saferring_group *groups[3];
	struct saferring_ring *rings[3];
	int number, round;

	for (number = 0; number < 3; number++) {
		assert_int_equal(saferring_ring_create(&options,
						       &rings[number]),
				 0);
		QUEUE(saferring_group_create(rings[number], stage->pool, 4,
					     SAFERRING_GROUP_REFILL,
					     &groups[number]));
		assert_int_equal(group_info(groups[number]).memory, 1);
	}
	for (round = 0; round < 3; round++)
		for (number = 0; number < 3; number++)
			use_group(rings[number], groups[number]);
	for (number = 0; number < 3; number++)
		end_ring(rings[number]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(the_entries_of_a_group_lie_in_the_region),
		T(what_a_group_had_is_used_again),
		T(without_room_a_group_lies_elsewhere),
		T(what_must_be_placed_leaves_nothing_when_it_cannot_be),
		T(rings_and_groups_share_a_region),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
