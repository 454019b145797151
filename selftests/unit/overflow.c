// SPDX-License-Identifier: GPL-2.0
/*
 * More completions than there is room for: none is lost, nor is any buffer.
 */
#include <poll.h>
#include <sys/socket.h>
#include "common.h"

#define DEPTH	4U
#define BUFFERS 64U

static int up(void **state)
{
	*state = stage_up(BUFFERS, DEPTH, STAGE_RING | STAGE_UNCACHED);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static void make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    pair),
			 0);
}

static bool has_more(const struct saferring_completion *completion)
{
	return completion->flags & SAFERRING_COMPLETION_MORE;
}

/*
 * Messages come much faster than they are reaped. Whether the reception ends for
 * want of room, as in the kernel, or waits, it is started again until all are
 * there, in their order, each in a buffer of its own.
 */
static void a_reception_without_room_loses_no_message(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group = NULL;
	struct saferring_completion completion;
	uint32_t sent, received = 0;
	bool running = false;
	int pair[2];

	QUEUE(saferring_group_create(stage->ring, stage->pool, BUFFERS, 0,
				     &group));
	make_pair(pair);
	for (sent = 0; sent < BUFFERS; sent++)
		assert_int_equal(send(pair[1], &sent, sizeof(sent),
				      MSG_DONTWAIT),
				 sizeof(sent));
	while (received < sent) {
		if (!running)
			QUEUE(saferring_ring_recv_multishot(stage->ring,
							    pair[0], group, 0,
							    7));
		completion = next_of(stage->ring);
		running = has_more(&completion);
		assert_int_equal(completion.user_data, 7);
		assert_true(completion.result == sizeof(received) ||
			    (completion.result == -ENOBUFS && !running));
		if (completion.result < 0)
			continue;
		assert_memory_equal(bytes_of(completion.pool,
					     completion.buffer),
				    &received, sizeof(received));
		received++;
		if (saferring_group_provide(group, completion.buffer))
			put(completion.pool, completion.buffer);
	}
	close(pair[1]);
	while (running)
		running = (completion = next_of(stage->ring),
			   has_more(&completion));
	assert_int_equal(saferring_group_destroy(group), 0);
	assert_all_back(stage->pool);
	close(pair[0]);
}

/* Nobody reaps at all: the ring goes, and the buffers are there. */
static void a_full_ring_that_ends_keeps_no_buffer(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group = NULL;
	uint32_t sent;
	int pair[2];

	QUEUE(saferring_group_create(stage->ring, stage->pool, BUFFERS, 0,
				     &group));
	make_pair(pair);
	QUEUE(saferring_ring_recv_multishot(stage->ring, pair[0], group, 0, 7));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	for (sent = 0; sent < BUFFERS; sent++)
		assert_int_equal(send(pair[1], &sent, sizeof(sent),
				      MSG_DONTWAIT),
				 sizeof(sent));
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_all_back(stage->pool);
	close(pair[0]);
	close(pair[1]);
}

/* Two that go on, on a ring with room for few: neither starves. */
static void two_that_go_on_share_what_room_there_is(void **state)
{
	struct stage *stage = *state;
	unsigned int seen[2] = { 0, 0 }, round;
	struct saferring_completion completion;
	bool running[2] = { false, false };
	int pair[2][2], number;
	char byte = 'x';

	make_pair(pair[0]);
	make_pair(pair[1]);
	for (round = 0; round < 200; round++) {
		for (number = 0; number < 2; number++) {
			if (!running[number])
				QUEUE(saferring_ring_poll_multishot(
					stage->ring, pair[number][0], POLLIN,
					(uint64_t)number));
			running[number] = true;
		}
		assert_true(saferring_ring_submit(stage->ring) >= 0);
		for (number = 0; number < 2; number++)
			assert_int_equal(send(pair[number][1], &byte, 1, 0), 1);
		while (seen[0] <= round || seen[1] <= round) {
			completion = next_of(stage->ring);
			number = (int)completion.user_data;
			assert_int_equal(completion.result, POLLIN);
			running[number] = has_more(&completion);
			seen[number]++;
		}
		for (number = 0; number < 2; number++)
			assert_int_equal(recv(pair[number][0], &byte, 1, 0), 1);
	}
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	for (number = 0; number < 2; number++) {
		close(pair[number][0]);
		close(pair[number][1]);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(a_reception_without_room_loses_no_message),
		T(a_full_ring_that_ends_keeps_no_buffer),
		T(two_that_go_on_share_what_room_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
