// SPDX-License-Identifier: GPL-2.0
/*
 * Rings: real reads and writes, limits on both sides, the end of a ring.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include "common.h"

#define DEPTH 32U

static int up(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING);
	return 0;
}

static int up_unfixed(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING | STAGE_UNFIXED);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static struct saferring_ring_stats stats_of(const struct stage *stage)
{
	struct saferring_ring_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_ring_stats(stage->ring, &stats), 0);
	return stats;
}

static struct saferring_ring_info info_of(const struct stage *stage)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_ring_info(stage->ring, &info), 0);
	return info;
}

static unsigned int wait_for(struct stage *stage,
			     struct saferring_completion *completions,
			     unsigned int max, unsigned int min)
{
	const int count = saferring_ring_wait(stage->ring, completions, max,
					      min, SAFERRING_FOREVER);

	assert_true(count >= (int)min);
	return (unsigned int)count;
}

static void read_at(struct stage *stage, int fd, size_t block)
{
	assert_int_equal(saferring_ring_read(stage->ring, fd, get(stage->pool),
					     0, BUFFER_SIZE,
					     block * BUFFER_SIZE, block),
			 0);
}

/* Read a file of @blocks, always DEPTH in flight, and compare all of it. */
static void read_all(struct stage *stage, int fd, size_t blocks)
{
	struct saferring_completion completions[DEPTH];
	bool *seen = calloc(blocks, sizeof(*seen));
	size_t next = 0, done = 0;
	unsigned int count, number;

	assert_non_null(seen);
	while (done < blocks) {
		while (next < blocks && next - done < DEPTH)
			read_at(stage, fd, next++);
		count = wait_for(stage, completions, DEPTH, 1);
		for (number = 0; number < count; number++) {
			const struct saferring_completion *c =
				&completions[number];

			assert_int_equal(c->result, BUFFER_SIZE);
			assert_false(seen[c->user_data]);
			seen[c->user_data] = true;
			assert_pattern(saferring_buffer_data(c->pool,
							     c->buffer),
				       c->user_data * BUFFER_SIZE, BUFFER_SIZE);
			put(c->pool, c->buffer);
		}
		done += count;
	}
	free(seen);
}

static void a_file_is_read_whole_at_depth_32(void **state)
{
	struct stage *stage = *state;
	const size_t blocks = 3000;
	const int fd = pattern_file(blocks * BUFFER_SIZE);
	struct saferring_ring_stats stats;

	read_all(stage, fd, blocks);
	stats = stats_of(stage);
	assert_int_equal(stats.reads, blocks);
	assert_int_equal(stats.bytes_read, blocks * BUFFER_SIZE);
	assert_int_equal(stats.submitted, blocks);
	assert_int_equal(stats.completed, blocks);
	assert_int_equal(stats.errors + stats.short_results, 0);
	close(fd);
}

static void fixed_buffers_are_used_unless_avoided(void **state)
{
	struct stage *stage = *state;
	const struct saferring_ring_info info = info_of(stage);

	if (!info.fixed && (on_threads() ||
			    strstr(info.reason, "RLIMIT_MEMLOCK")))
		SKIP("%s", info.reason);
	assert_int_equal(info.fixed, 1);
	assert_int_equal(info.fixed_buffers, 1);
	assert_int_equal(info.fixed_bytes, REGION_SIZE);
	assert_string_equal(info.reason, "");
	assert_string_equal(info.name, "main");
	assert_int_equal(info.depth, DEPTH);
}

static void a_ring_without_fixed_buffers_does_the_same(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(100 * BUFFER_SIZE);

	assert_int_equal(info_of(stage).fixed, 0);
	assert_string_not_equal(info_of(stage).reason, "");
	read_all(stage, fd, 100);
	close(fd);
}

static void fill_buffer(struct stage *stage, saferring_buffer buffer,
			size_t offset)
{
	unsigned char *data = saferring_buffer_data(stage->pool, buffer);
	size_t place;

	assert_non_null(data);
	for (place = 0; place < BUFFER_SIZE; place++)
		data[place] = pattern(offset + place);
}

static void what_is_written_is_in_the_file(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completions[DEPTH];
	const int fd = pattern_file(0);
	unsigned char back[BUFFER_SIZE];
	unsigned int block, number;

	for (block = 0; block < DEPTH; block++) {
		const saferring_buffer buffer = get(stage->pool);

		fill_buffer(stage, buffer, block * BUFFER_SIZE);
		assert_int_equal(saferring_ring_write(stage->ring, fd, buffer,
						      0, BUFFER_SIZE,
						      block * BUFFER_SIZE,
						      block),
				 0);
	}
	assert_int_equal(wait_for(stage, completions, DEPTH, DEPTH), DEPTH);
	for (number = 0; number < DEPTH; number++) {
		assert_int_equal(completions[number].result, BUFFER_SIZE);
		assert_int_equal(completions[number].operation,
				 SAFERRING_OPERATION_WRITE);
		put(stage->pool, completions[number].buffer);
	}
	for (block = 0; block < DEPTH; block++) {
		assert_int_equal(pread(fd, back, BUFFER_SIZE,
				       block * BUFFER_SIZE),
				 BUFFER_SIZE);
		assert_pattern(back, block * BUFFER_SIZE, BUFFER_SIZE);
	}
	assert_int_equal(stats_of(stage).bytes_written, DEPTH * BUFFER_SIZE);
	close(fd);
}

static void a_part_of_a_buffer_is_read_and_the_rest_untouched(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(BUFFER_SIZE);
	const saferring_buffer buffer = get(stage->pool);
	struct saferring_completion completion;
	unsigned char *data = saferring_buffer_data(stage->pool, buffer);

	memset(data, 0xee, BUFFER_SIZE);
	assert_int_equal(saferring_ring_read(stage->ring, fd, buffer, 100, 50,
					     7, 0),
			 0);
	wait_for(stage, &completion, 1, 1);
	data = saferring_buffer_data(stage->pool, completion.buffer);
	assert_pattern(data + 100, 7, 50);
	assert_int_equal(data[99], 0xee);
	assert_int_equal(data[150], 0xee);
	put(stage->pool, completion.buffer);
	close(fd);
}

static void a_read_across_the_end_of_the_file_is_short(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(1000);
	struct saferring_completion completion;

	read_at(stage, fd, 0);
	wait_for(stage, &completion, 1, 1);
	assert_int_equal(completion.result, 1000);
	assert_int_equal(completion.length, BUFFER_SIZE);
	assert_int_equal(completion.flags, SAFERRING_COMPLETION_SHORT);
	assert_pattern(saferring_buffer_data(stage->pool, completion.buffer),
		       0, 1000);
	put(stage->pool, completion.buffer);
	assert_int_equal(stats_of(stage).short_results, 1);
	close(fd);
}

static void a_read_at_the_end_of_the_file_gives_zero(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(BUFFER_SIZE);
	struct saferring_completion completion;

	read_at(stage, fd, 1);
	wait_for(stage, &completion, 1, 1);
	assert_int_equal(completion.result, 0);
	assert_int_equal(completion.flags, SAFERRING_COMPLETION_SHORT);
	put(stage->pool, completion.buffer);
	close(fd);
}

static void a_bad_descriptor_fails_and_gives_the_buffer_back(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;

	read_at(stage, 9999, 0);
	wait_for(stage, &completion, 1, 1);
	assert_int_equal(completion.result, -EBADF);
	assert_int_equal(saferring_buffer_valid(stage->pool, completion.buffer),
			 1);
	put(stage->pool, completion.buffer);
	assert_int_equal(stats_of(stage).errors, 1);
}

static void a_range_is_accepted_up_to_the_last_byte_and_no_further(void **state)
{
	static const struct {
		size_t start, length;
		int result;
	} cases[] = {
		{ 0, BUFFER_SIZE, 0 },
		{ 0, 1, 0 },
		{ BUFFER_SIZE - 1, 1, 0 },
		{ 1, BUFFER_SIZE - 1, 0 },
		{ 0, BUFFER_SIZE + 1, -ERANGE },
		{ BUFFER_SIZE, 1, -ERANGE },
		{ 1, BUFFER_SIZE, -ERANGE },
		{ SIZE_MAX, 1, -ERANGE },
		{ 1, SIZE_MAX, -ERANGE },
		{ SIZE_MAX, SIZE_MAX, -ERANGE },
		{ 0, (size_t)1 << 32, -ERANGE },
		{ 0, 0, -EINVAL },
		{ BUFFER_SIZE, 0, -EINVAL },
	};
	struct stage *stage = *state;
	const int fd = pattern_file(BUFFER_SIZE);
	size_t number;

	for (number = 0; number < sizeof(cases) / sizeof(*cases); number++) {
		const saferring_buffer buffer = get(stage->pool);
		struct saferring_completion completion = { .buffer = buffer };

		assert_int_equal(saferring_ring_read(stage->ring, fd, buffer,
						     cases[number].start,
						     cases[number].length, 0,
						     0),
				 cases[number].result);
		if (!cases[number].result)
			wait_for(stage, &completion, 1, 1);
		else
			assert_int_equal(saferring_error_last()->limit,
					 BUFFER_SIZE);
		put(stage->pool, completion.buffer);
	}
	assert_int_equal(stats_of(stage).refused, 9);
	close(fd);
}

static void operations_beyond_the_depth_are_refused(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completions[DEPTH];
	const int fd = pattern_file(BUFFER_SIZE);
	saferring_buffer one_more;
	unsigned int number;

	for (number = 0; number < DEPTH; number++)
		read_at(stage, fd, 0);
	one_more = get(stage->pool);
	assert_int_equal(saferring_ring_read(stage->ring, fd, one_more, 0, 1,
					     0, 0),
			 -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_DEPTH);
	assert_int_equal(saferring_error_last()->limit, DEPTH);
	assert_int_equal(saferring_buffer_valid(stage->pool, one_more), 1);
	put(stage->pool, one_more);
	assert_int_equal(wait_for(stage, completions, DEPTH, DEPTH), DEPTH);
	for (number = 0; number < DEPTH; number++)
		put(stage->pool, completions[number].buffer);
	close(fd);
}

static void completions_are_handed_out_in_pieces_without_loss(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;
	const int fd = pattern_file(BUFFER_SIZE);
	unsigned int number;

	for (number = 0; number < DEPTH; number++)
		read_at(stage, fd, 0);
	assert_int_equal(saferring_ring_submit(stage->ring), DEPTH);
	for (number = 0; number < DEPTH; number++) {
		wait_for(stage, &completion, 1, 1);
		put(stage->pool, completion.buffer);
	}
	assert_int_equal(saferring_ring_reap(stage->ring, &completion, 1), 0);
	close(fd);
}

static void nothing_queued_makes_no_system_call(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;

	assert_int_equal(saferring_ring_submit(stage->ring), 0);
	assert_int_equal(saferring_ring_reap(stage->ring, &completion, 1), 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 0);
	assert_int_equal(stats_of(stage).enters, 0);
}

static void a_wait_ends_when_its_time_is_up(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;
	struct timespec from, to;
	int pipe[2];
	long ms;

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 0),
			 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     30000000),
			 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ms = (to.tv_sec - from.tv_sec) * 1000 +
	     (to.tv_nsec - from.tv_nsec) / 1000000;
	assert_in_range(ms, 29, 5000);
	assert_int_equal(info_of(stage).in_flight, 1);
	assert_int_equal(write(pipe[1], "x", 1), 1);
	wait_for(stage, &completion, 1, 1);
	assert_int_equal(completion.result, 1);
	put(stage->pool, completion.buffer);
	close(pipe[0]);
	close(pipe[1]);
}

static void a_wait_of_no_time_does_not_wait(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 0),
			 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1, 0),
			 0);
	assert_int_equal(info_of(stage).in_flight, 1);
	assert_int_equal(write(pipe[1], "x", 1), 1);
	wait_for(stage, &completion, 1, 1);
	put(stage->pool, completion.buffer);
	close(pipe[0]);
	close(pipe[1]);
}

static void withdrawn_operations_give_their_buffers_back(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completions[DEPTH];
	const int fd = pattern_file(4 * BUFFER_SIZE);
	unsigned int number;

	read_at(stage, fd, 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	wait_for(stage, completions, 1, 1);
	put(stage->pool, completions[0].buffer);
	for (number = 1; number < 4; number++)
		read_at(stage, fd, number);
	assert_int_equal(saferring_ring_withdraw(stage->ring), 3);
	assert_int_equal(info_of(stage).queued, 0);
	assert_int_equal(saferring_ring_reap(stage->ring, completions, DEPTH),
			 3);
	for (number = 0; number < 3; number++) {
		assert_int_equal(completions[number].result, -ECANCELED);
		assert_int_equal(completions[number].flags,
				 SAFERRING_COMPLETION_WITHDRAWN);
		assert_int_equal(completions[number].user_data, number + 1);
		put(stage->pool, completions[number].buffer);
	}
	assert_int_equal(stats_of(stage).withdrawn, 3);
	assert_int_equal(stats_of(stage).submitted, 1);
	/* The ring goes on as if nothing had been. */
	read_all(stage, fd, 4);
	close(fd);
}

static void withdrawn_and_real_completions_mix(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completions[2];
	const int fd = pattern_file(2 * BUFFER_SIZE);

	read_at(stage, fd, 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	read_at(stage, fd, 1);
	assert_int_equal(saferring_ring_withdraw(stage->ring), 1);
	assert_int_equal(wait_for(stage, completions, 2, 2), 2);
	assert_int_equal(completions[0].result, -ECANCELED);
	assert_int_equal(completions[1].result, BUFFER_SIZE);
	put(stage->pool, completions[0].buffer);
	put(stage->pool, completions[1].buffer);
	close(fd);
}

static void rings_of_many_regions_find_the_right_memory(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *regions[3];
	struct saferring_pool_options pool_options;
	struct saferring_ring_options ring_options;
	struct stage stage = { .device = device };
	const int fd = pattern_file(1536 * BUFFER_SIZE);
	unsigned int number;

	(void)state;
	for (number = 0; number < 3; number++)
		regions[number] = make_region(device, REGION_SIZE);
	SAFERRING_OPTIONS_INIT(&pool_options);
	pool_options.buffer_size = BUFFER_SIZE;
	assert_int_equal(saferring_pool_create(regions, 3, &pool_options,
					       &stage.pool),
			 0);
	SAFERRING_OPTIONS_INIT(&ring_options);
	ring_options.pools = &stage.pool;
	ring_options.pool_count = 1;
	ring_options.depth = 1536;
	assert_int_equal(saferring_ring_create(&ring_options, &stage.ring), 0);
	/* All buffers are in use at once, so those of every region are. */
	for (number = 0; number < 1536; number++)
		read_at(&stage, fd, number);
	for (number = 0; number < 1536; number++) {
		struct saferring_completion c;

		wait_for(&stage, &c, 1, 1);
		assert_int_equal(c.result, BUFFER_SIZE);
		assert_pattern(saferring_buffer_data(c.pool, c.buffer),
			       c.user_data * BUFFER_SIZE, BUFFER_SIZE);
		put(c.pool, c.buffer);
	}
	assert_int_equal(saferring_ring_destroy(stage.ring, DESTROY_MS), 0);
	assert_int_equal(saferring_pool_destroy(stage.pool), 0);
	for (number = 0; number < 3; number++)
		drop_region(regions[number]);
	assert_int_equal(saferring_device_close(device), 0);
	close(fd);
}

static void a_ring_can_use_several_pools(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *region =
		make_region(stage->device, REGION_SIZE);
	struct saferring_pool *pools[2] = {
		stage->pool, make_pool(region, 0, 0, "second")
	};
	struct saferring_ring_options options;
	struct saferring_completion completion;
	struct saferring_ring *ring;
	const int fd = pattern_file(2 * BUFFER_SIZE);
	unsigned int number;

	SAFERRING_OPTIONS_INIT(&options);
	options.pools = pools;
	options.pool_count = 2;
	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	for (number = 0; number < 2; number++) {
		assert_int_equal(saferring_ring_read(ring, fd,
						     get(pools[number]), 0,
						     BUFFER_SIZE,
						     number * BUFFER_SIZE, 0),
				 0);
		assert_int_equal(saferring_ring_wait(ring, &completion, 1, 1,
						     SAFERRING_FOREVER),
				 1);
		assert_ptr_equal(completion.pool, pools[number]);
		assert_pattern(saferring_buffer_data(pools[number],
						     completion.buffer),
			       number * BUFFER_SIZE, BUFFER_SIZE);
		put(pools[number], completion.buffer);
	}
	assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
	assert_int_equal(saferring_pool_destroy(pools[1]), 0);
	drop_region(region);
	close(fd);
}

static void a_ring_is_refused_what_it_cannot_be(void **state)
{
	struct stage *stage = *state;
	struct saferring_pool *twice[2] = { stage->pool, stage->pool };
	struct saferring_ring_options options;
	struct saferring_ring *ring = NULL;

	SAFERRING_OPTIONS_INIT(&options);
	options.pools = twice;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	options.pool_count = 2;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	assert_non_null(strstr(saferring_error_last()->what, "twice"));
	options.pool_count = 1;
	options.depth = SAFERRING_RING_DEPTH_MAX + 1;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	options.depth = 1;
	options.flags = 1U << 31;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	options.flags = SAFERRING_RING_REQUIRE_FIXED |
			SAFERRING_RING_AVOID_FIXED;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	options.flags = 0;
	options.size = 0;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	assert_null(ring);
	options.size = sizeof(options);
	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	assert_int_equal(saferring_ring_destroy(ring, 0), 0);
	options.depth = SAFERRING_RING_DEPTH_MAX;
	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	assert_int_equal(saferring_ring_destroy(ring, 0), 0);
}

static void destroying_a_ring_cancels_what_is_in_flight(void **state)
{
	struct stage *stage = *state;
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	int pipe[2];
	unsigned int number;

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	for (number = 0; number < 8; number++)
		assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
						     get(stage->pool), 0, 8,
						     -1, 0),
				 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 8);
	/* And some that the kernel has not seen. */
	for (number = 0; number < 8; number++)
		assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
						     get(stage->pool), 0, 8,
						     -1, 0),
				 0);
	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	assert_int_equal(stats.in_flight, 16);
	assert_int_equal(saferring_pool_destroy(stage->pool), -EBUSY);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	assert_int_equal(stats.in_flight, 0);
	assert_int_equal(stats.available, stats.buffers);
	close(pipe[0]);
	close(pipe[1]);
}

static void completions_not_reaped_go_back_with_the_ring(void **state)
{
	struct stage *stage = *state;
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	const int fd = pattern_file(BUFFER_SIZE);

	read_at(stage, fd, 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	assert_int_equal(stats.available, stats.buffers);
	close(fd);
}

static void null_is_refused_or_ignored(void **state)
{
	/* Not by their names, or the compiler would refuse the null pointer. */
	int (*submit)(struct saferring_ring *ring) = saferring_ring_submit;
	int (*withdraw)(struct saferring_ring *ring) = saferring_ring_withdraw;
	int (*reap)(struct saferring_ring *ring,
		    struct saferring_completion *completions,
		    unsigned int max) = saferring_ring_reap;
	int (*queue)(struct saferring_ring *ring, int fd,
		     saferring_buffer buffer, size_t start, size_t length,
		     uint64_t offset, uint64_t user_data) = saferring_ring_read;
	struct saferring_completion completion;

	(void)state;
	assert_int_equal(queue(NULL, 0, SAFERRING_BUFFER_NONE, 0, 1, 0, 0),
			 -EINVAL);
	assert_int_equal(saferring_ring_destroy(NULL, 0), 0);
	assert_int_equal(submit(NULL), -EINVAL);
	assert_int_equal(withdraw(NULL), -EINVAL);
	assert_int_equal(reap(NULL, &completion, 1), -EINVAL);
}

static void no_room_for_completions_is_an_error(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;

	assert_int_equal(saferring_ring_reap(stage->ring, &completion, 0),
			 -EINVAL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
#define U(name) cmocka_unit_test_setup_teardown(name, up_unfixed, down)
	const struct CMUnitTest tests[] = {
		T(a_file_is_read_whole_at_depth_32),
		T(fixed_buffers_are_used_unless_avoided),
		U(a_ring_without_fixed_buffers_does_the_same),
		T(what_is_written_is_in_the_file),
		T(a_part_of_a_buffer_is_read_and_the_rest_untouched),
		T(a_read_across_the_end_of_the_file_is_short),
		T(a_read_at_the_end_of_the_file_gives_zero),
		T(a_bad_descriptor_fails_and_gives_the_buffer_back),
		T(a_range_is_accepted_up_to_the_last_byte_and_no_further),
		T(operations_beyond_the_depth_are_refused),
		T(completions_are_handed_out_in_pieces_without_loss),
		T(nothing_queued_makes_no_system_call),
		T(a_wait_ends_when_its_time_is_up),
		T(a_wait_of_no_time_does_not_wait),
		T(withdrawn_operations_give_their_buffers_back),
		T(withdrawn_and_real_completions_mix),
		cmocka_unit_test(rings_of_many_regions_find_the_right_memory),
		T(a_ring_can_use_several_pools),
		T(a_ring_is_refused_what_it_cannot_be),
		T(destroying_a_ring_cancels_what_is_in_flight),
		T(completions_not_reaped_go_back_with_the_ring),
		cmocka_unit_test(null_is_refused_or_ignored),
		T(no_room_for_completions_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
