// SPDX-License-Identifier: GPL-2.0
/*
 * Groups of provided buffers.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include "common.h"

#define DEPTH	8U
#define BUFFERS 8U

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

static struct saferring_pool_stats pool_stats(const struct stage *stage)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	return stats;
}

static struct saferring_group *make_group(struct stage *stage,
					  unsigned int count,
					  unsigned int flags)
{
	struct saferring_group *group = NULL;

	QUEUE(saferring_group_create(stage->ring, stage->pool, count, flags,
				     &group));
	return group;
}

static void a_pair(int ends[2], int type)
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

/* A piece of data with a buffer of its own. */
static saferring_buffer hear(struct stage *stage, const char *text)
{
	const struct saferring_completion c = next_of(stage->ring);

	assert_int_equal(c.flags, SAFERRING_COMPLETION_MORE);
	assert_int_equal(c.operation, SAFERRING_OPERATION_RECV_MULTISHOT);
	assert_int_equal(c.result, strlen(text));
	assert_ptr_equal(c.pool, stage->pool);
	assert_memory_equal(bytes_of(c.pool, c.buffer), text, strlen(text));
	assert_ptr_equal((void *)(uintptr_t)c.extra,
			 bytes_of(c.pool, c.buffer));
	return c.buffer;
}

static void a_group_takes_its_buffers_from_the_pool(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group = make_group(stage, 5, 0), *other;

	assert_int_equal(saferring_group_count(group), 5);
	assert_int_equal(pool_stats(stage).in_flight, 5);
	assert_int_equal(saferring_group_create(stage->ring, stage->pool, 4, 0,
						&other),
			 -ENOBUFS);
	assert_int_equal(pool_stats(stage).available, 3);
	assert_int_equal(saferring_group_create(stage->ring, stage->pool, 3, 0,
						&other),
			 0);
	assert_int_equal(saferring_group_destroy(other), 0);
	assert_int_equal(saferring_group_destroy(group), 0);
	assert_int_equal(saferring_group_destroy(NULL), 0);
	assert_all_back(stage->pool);
}

static void a_group_is_refused_what_it_cannot_be(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group;

	assert_int_equal(saferring_group_create(stage->ring, stage->pool, 0, 0,
						&group),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(saferring_group_create(stage->ring, stage->pool,
						SAFERRING_GROUP_BUFFERS_MAX + 1,
						0, &group),
			 -EINVAL);
	assert_int_equal(saferring_group_create(stage->ring, stage->pool, 1, 4,
						&group),
			 -EINVAL);
}

static void a_ring_has_at_most_16_groups(void **state)
{
	struct stage *stage = stage_up(SAFERRING_GROUPS_MAX + 1, 8, STAGE_RING);
	struct saferring_group *group;
	unsigned int number;

	(void)state;
	for (number = 0; number < SAFERRING_GROUPS_MAX; number++)
		make_group(stage, 1, 0);
	assert_int_equal(saferring_group_create(stage->ring, stage->pool, 1, 0,
						&group),
			 -ENFILE);
	assert_error(-ENFILE, SAFERRING_REASON_BUSY);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_all_back(stage->pool);
	stage_down(stage);
}

static void data_comes_with_a_buffer_of_the_group(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group = make_group(stage, 2, 0);
	struct saferring_completion c;
	int ends[2];

	a_pair(ends, SOCK_SEQPACKET);
	QUEUE(saferring_ring_recv_multishot(stage->ring, ends[0], group, 0, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_group_destroy(group), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	say(ends[1], "one");
	put(stage->pool, hear(stage, "one"));
	say(ends[1], "two");
	put(stage->pool, hear(stage, "two"));
	assert_int_equal(saferring_group_count(group), 0);
	/* Without a buffer it ends, and nothing is lost. */
	say(ends[1], "three");
	c = next_of(stage->ring);
	assert_int_equal(c.result, -ENOBUFS);
	assert_int_equal(c.flags, 0);
	assert_int_equal(saferring_group_provide(group, get(stage->pool)), 0);
	assert_int_equal(saferring_ring_recv_multishot(stage->ring, ends[0],
						       group, 0, 1),
			 0);
	put(stage->pool, hear(stage, "three"));
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_all_back(stage->pool);
	close(ends[0]);
	close(ends[1]);
}

static void only_good_handles_are_provided_and_no_more_than_fit(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group = make_group(stage, 1, 0);
	const saferring_buffer buffer = get(stage->pool);
	unsigned int before = reports;
	saferring_buffer handed;
	int ends[2];

	assert_int_equal(saferring_group_provide(group, buffer), -ENOSPC);
	assert_error(-ENOSPC, SAFERRING_REASON_DEPTH);
	put(stage->pool, buffer);
	assert_misuse(saferring_group_provide(group, buffer),
		      SAFERRING_REASON_USE_AFTER_PUT, before);
	a_pair(ends, SOCK_SEQPACKET);
	QUEUE(saferring_ring_recv_multishot(stage->ring, ends[0], group, 0, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	say(ends[1], "one");
	handed = hear(stage, "one");
	assert_int_equal(saferring_group_provide(group, handed), 0);
	before = reports;
	assert_misuse(saferring_buffer_put(stage->pool, handed),
		      SAFERRING_REASON_PUT_IN_FLIGHT, before);
	before = reports;
	assert_misuse(saferring_group_provide(group, handed),
		      SAFERRING_REASON_DOUBLE_SUBMIT, before);
	/* Some kernels end it when the last buffer is taken. */
	close(ends[1]);
	assert_int_equal(next_of(stage->ring).flags, 0);
	close(ends[0]);
	assert_int_equal(saferring_group_destroy(group), 0);
	assert_all_back(stage->pool);
}

static void a_group_refills_itself(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group =
		make_group(stage, 2, SAFERRING_GROUP_REFILL);
	unsigned int number;
	int ends[2];

	a_pair(ends, SOCK_SEQPACKET);
	QUEUE(saferring_ring_recv_multishot(stage->ring, ends[0], group, 0, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	for (number = 0; number < 100; number++) {
		say(ends[1], "data");
		put(stage->pool, hear(stage, "data"));
	}
	close(ends[1]);
	expect(stage->ring, 1, 0);
	close(ends[0]);
	assert_int_equal(saferring_group_destroy(group), 0);
	assert_all_back(stage->pool);
}

static void a_dropped_reception_gives_its_buffers_to_the_pool(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group = make_group(stage, 4, 0);
	struct saferring_completion c;
	int ends[2];

	a_pair(ends, SOCK_SEQPACKET);
	QUEUE(saferring_ring_recv_multishot(stage->ring, ends[0], group, 0, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	say(ends[1], "one");
	say(ends[1], "two");
	assert_int_equal(saferring_ring_drop(stage->ring,
					     saferring_ring_find(stage->ring,
								 1)),
			 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1,
					     SAFERRING_FOREVER),
			 0);
	assert_int_equal(saferring_group_destroy(group), 0);
	assert_all_back(stage->pool);
	close(ends[0]);
	close(ends[1]);
}

/* Parts come while the buffer is the kernel's, and it comes with the last. */
static void an_incremental_group_fills_a_buffer_bit_by_bit(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group =
		make_group(stage, 1, SAFERRING_GROUP_INCREMENTAL);
	static char chunk[BUFFER_SIZE - 10];
	struct saferring_completion c;
	const unsigned char *first;
	int ends[2];

	a_pair(ends, SOCK_STREAM);
	memset(chunk, 'c', sizeof(chunk));
	QUEUE(saferring_ring_recv_multishot(stage->ring, ends[0], group, 0, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	say(ends[1], "0123456789");
	c = next_of(stage->ring);
	assert_int_equal(c.result, 10);
	assert_int_equal(c.flags, SAFERRING_COMPLETION_MORE |
					  SAFERRING_COMPLETION_PARTIAL);
	assert_int_equal(saferring_buffer_is_none(c.buffer), 1);
	first = (const unsigned char *)(uintptr_t)c.extra;
	assert_memory_equal(first, "0123456789", 10);
	assert_int_equal(saferring_group_count(group), 1);
	assert_int_equal(send(ends[1], chunk, sizeof(chunk), 0),
			 sizeof(chunk));
	c = next_of(stage->ring);
	assert_int_equal(c.result, sizeof(chunk));
	assert_ptr_equal((void *)(uintptr_t)c.extra, first + 10);
	assert_ptr_equal(bytes_of(c.pool, c.buffer), first);
	assert_memory_equal(first + 10, chunk, sizeof(chunk));
	put(c.pool, c.buffer);
	close(ends[1]);
	do {
		c = next_of(stage->ring);
	} while (c.flags & SAFERRING_COMPLETION_MORE);
	assert_int_equal(saferring_group_destroy(group), 0);
	assert_all_back(stage->pool);
	close(ends[0]);
}

/* Empty, it is no matter until there is data. */
static void an_empty_group_is_filled_before_the_data_comes(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group = make_group(stage, 1, 0);
	struct saferring_completion c;
	saferring_buffer first;
	int ends[2];

	a_pair(ends, SOCK_STREAM);
	QUEUE(saferring_ring_recv_multishot(stage->ring, ends[0], group, 0, 1));
	say(ends[1], "first");
	first = hear(stage, "first");
	assert_int_equal(saferring_group_provide(group, first), 0);
	say(ends[1], "second");
	c = next_of(stage->ring);
	if (c.result == -ENOBUFS && !on_threads())
		SKIP("this kernel wants a buffer before there is data");
	assert_int_equal(c.result, 6);
	assert_memory_equal(bytes_of(c.pool, c.buffer), "second", 6);
	put(c.pool, c.buffer);
	/* But then it is. */
	say(ends[1], "third");
	c = next_of(stage->ring);
	assert_int_equal(c.result, -ENOBUFS);
	assert_int_equal(c.flags & SAFERRING_COMPLETION_MORE, 0);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(saferring_group_destroy(group), 0);
	assert_all_back(stage->pool);
}

/*
 * 6.1 would go on where the last group of a number below 64 ended, and take
 * buffers that nobody provided.
 */
static void a_group_made_anew_has_what_it_was_given_and_no_more(void **state)
{
	struct stage *stage = *state;
	struct saferring_group *group;
	unsigned int round, number;
	int ends[2];

	for (round = 0; round < 5; round++) {
		group = make_group(stage, 3, 0);
		a_pair(ends, SOCK_STREAM);
		QUEUE(saferring_ring_recv_multishot(stage->ring, ends[0],
						    group, 0, 7));
		for (number = 0; number < 3; number++) {
			say(ends[1], "data");
			put(stage->pool, hear(stage, "data"));
		}
		say(ends[1], "more");
		expect(stage->ring, 7, -ENOBUFS);
		assert_int_equal(saferring_group_count(group), 0);
		assert_int_equal(saferring_group_destroy(group), 0);
		close(ends[0]);
		close(ends[1]);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(a_group_takes_its_buffers_from_the_pool),
		T(a_group_is_refused_what_it_cannot_be),
		cmocka_unit_test(a_ring_has_at_most_16_groups),
		T(data_comes_with_a_buffer_of_the_group),
		T(only_good_handles_are_provided_and_no_more_than_fit),
		T(a_group_refills_itself),
		T(a_dropped_reception_gives_its_buffers_to_the_pool),
		T(an_empty_group_is_filled_before_the_data_comes),
		T(an_incremental_group_fills_a_buffer_bit_by_bit),
		T(a_group_made_anew_has_what_it_was_given_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
