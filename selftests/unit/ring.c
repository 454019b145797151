// SPDX-License-Identifier: GPL-2.0
/*
 * Ring: many operations in flight, bounds, and an end that loses no buffer.
 */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "unit.h"

static int open_file(void)
{
	char path[] = "/tmp/safer_ring_unit_XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static void fill(char *at, uint64_t block)
{
	memset(at, (int)(block * 37 + 1), BUFFER_SIZE);
}

/* Queue one operation on block number @block; its number comes back with it. */
static void queue(struct world *w, bool write, int fd, uint64_t block)
{
	saferring_buffer buffer = world_get(w);
	int ret;

	fill(saferring_buffer_data(w->pool, buffer), write ? block : ~block);
	ret = write ? saferring_ring_write(w->ring, fd, buffer, 0, BUFFER_SIZE,
					   block * BUFFER_SIZE, block) :
		      saferring_ring_read(w->ring, fd, buffer, 0, BUFFER_SIZE,
					  block * BUFFER_SIZE, block);
	assert_int_equal(0, ret);
}

/* @blocks operations, never fewer than possible in flight; data is checked. */
static void run(struct world *w, bool write, int fd, uint64_t blocks)
{
	struct saferring_completion done[DEPTH];
	uint64_t queued = 0, finished = 0;
	char expected[BUFFER_SIZE];
	int i, n;

	while (finished < blocks) {
		while (queued < blocks && queued - finished < DEPTH)
			queue(w, write, fd, queued++);
		n = saferring_ring_wait(w->ring, done, DEPTH, 1,
					SAFERRING_FOREVER);
		assert_true(n > 0);
		for (i = 0; i < n; i++) {
			assert_int_equal(BUFFER_SIZE, done[i].result);
			fill(expected, done[i].user_data);
			assert_memory_equal(expected,
					    saferring_buffer_data(w->pool,
								  done[i].buffer),
					    BUFFER_SIZE);
			assert_int_equal(0, saferring_buffer_put(w->pool,
								 done[i].buffer));
		}
		finished += n;
	}
}

static void what_is_written_is_read_back_with_the_ring_full_all_the_time(void **state)
{
	struct saferring_ring_stats stats = { .size = sizeof(stats) };
	struct saferring_ring_info info = { .size = sizeof(info) };
	struct world *w = *state;
	int fd = open_file();

	run(w, true, fd, 1000);
	run(w, false, fd, 1000);
	assert_int_equal(0, saferring_ring_stats(w->ring, &stats));
	assert_int_equal(2000, stats.completed);
	assert_int_equal(2000, stats.submitted);
	assert_int_equal(1000 * BUFFER_SIZE, stats.bytes_read);
	assert_int_equal(1000 * BUFFER_SIZE, stats.bytes_written);
	assert_int_equal(0, stats.errors);
	assert_int_equal(0, saferring_ring_info(w->ring, &info));
	assert_int_equal(1, info.fixed);
	assert_int_equal(0, info.in_flight);
	close(fd);
}

static void a_read_across_the_end_of_a_file_is_short_and_says_so(void **state)
{
	struct world *w = *state;
	struct saferring_completion done;
	int fd = open_file();

	assert_int_equal(5, write(fd, "hello", 5));
	assert_int_equal(0, saferring_ring_read(w->ring, fd, world_get(w), 0,
						BUFFER_SIZE, 0, 7));
	done = world_complete(w);
	assert_int_equal(5, done.result);
	assert_int_equal(7, done.user_data);
	assert_int_equal(SAFERRING_COMPLETION_SHORT, done.flags);
	assert_int_equal(0, saferring_buffer_put(w->pool, done.buffer));
	close(fd);
}

static void an_operation_that_fails_gives_its_buffer_back(void **state)
{
	struct world *w = *state;
	struct saferring_completion done;

	assert_int_equal(0, saferring_ring_read(w->ring, -1, world_get(w), 0, 1,
						0, 0));
	done = world_complete(w);
	assert_int_equal(-EBADF, done.result);
	assert_int_equal(0, saferring_buffer_put(w->pool, done.buffer));
}

static void a_range_inside_the_buffer_is_accepted_and_one_beyond_it_is_not(void **state)
{
	struct world *w = *state;
	saferring_buffer b = world_get(w);
	int fd = open_file();

	assert_int_equal(-ERANGE, saferring_ring_write(w->ring, fd, b, 0,
						       BUFFER_SIZE + 1, 0, 0));
	assert_int_equal(-ERANGE, saferring_ring_write(w->ring, fd, b, 1,
						       BUFFER_SIZE, 0, 0));
	assert_int_equal(-ERANGE, saferring_ring_write(w->ring, fd, b, SIZE_MAX,
						       2, 0, 0));
	assert_int_equal(-EINVAL, saferring_ring_write(w->ring, fd, b, 0, 0, 0,
						       0));
	assert_int_equal(-EINVAL, saferring_ring_write(w->ring, fd, b, 0,
						       SIZE_MAX, 0, 0));
	assert_int_equal(1, saferring_buffer_valid(w->pool, b));
	assert_int_equal(0, saferring_ring_write(w->ring, fd, b, BUFFER_SIZE - 1,
						 1, 0, 0));
	assert_int_equal(0, saferring_buffer_put(w->pool,
						 world_complete(w).buffer));
	close(fd);
}

static void a_full_ring_refuses_one_more_and_keeps_its_buffer_with_the_caller(void **state)
{
	struct saferring_completion done[DEPTH];
	struct world *w = *state;
	saferring_buffer b;
	int i, n, fd = open_file();

	for (i = 0; i < DEPTH; i++)
		queue(w, true, fd, i);
	b = world_get(w);
	assert_int_equal(-EBUSY, saferring_ring_write(w->ring, fd, b, 0, 1, 0,
						      0));
	assert_int_equal(SAFERRING_REASON_DEPTH,
			 saferring_error_last()->reason);
	assert_int_equal(0, saferring_buffer_put(w->pool, b));
	n = saferring_ring_wait(w->ring, done, DEPTH, DEPTH, SAFERRING_FOREVER);
	assert_int_equal(DEPTH, n);
	for (i = 0; i < n; i++)
		assert_int_equal(0, saferring_buffer_put(w->pool,
							 done[i].buffer));
	close(fd);
}

static void what_is_queued_can_be_withdrawn_in_order(void **state)
{
	struct saferring_completion done[DEPTH];
	struct world *w = *state;
	int i, fd = open_file();

	for (i = 0; i < 5; i++)
		queue(w, true, fd, i);
	assert_int_equal(5, saferring_ring_withdraw(w->ring));
	assert_int_equal(5, saferring_ring_reap(w->ring, done, DEPTH));
	for (i = 0; i < 5; i++) {
		assert_int_equal(-ECANCELED, done[i].result);
		assert_int_equal(SAFERRING_COMPLETION_WITHDRAWN, done[i].flags);
		assert_int_equal(i, done[i].user_data);
		assert_int_equal(0, saferring_buffer_put(w->pool,
							 done[i].buffer));
	}
	/* The queue is as good as before. */
	run(w, true, fd, 100);
	run(w, false, fd, 100);
	close(fd);
}

static void waiting_ends_with_the_time(void **state)
{
	struct world *w = *state;
	struct saferring_completion done;
	int fds[2];

	world_get_in_flight(w, fds);
	assert_int_equal(0, saferring_ring_wait(w->ring, &done, 1, 1, 1000000));
	assert_int_equal(1, write(fds[1], "x", 1));
	done = world_complete(w);
	assert_int_equal(0, saferring_buffer_put(w->pool, done.buffer));
	close(fds[0]);
	close(fds[1]);
}

static void destroying_a_ring_brings_back_what_is_queued_and_in_flight(void **state)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	struct saferring_ring_options use = { .size = sizeof(use),
					      .pool_count = 1 };
	struct world *w = *state;
	int fds[2];

	world_get_in_flight(w, fds);
	assert_int_equal(0, saferring_ring_read(w->ring, fds[0], world_get(w),
						0, 1, -1, 0));
	assert_int_equal(-EBUSY, saferring_pool_destroy(w->pool));
	assert_int_equal(-EBUSY, saferring_region_destroy(w->region, 0, 0));
	assert_int_equal(0, saferring_ring_destroy(w->ring, 5000));
	assert_int_equal(0, saferring_pool_stats(w->pool, &stats));
	assert_int_equal(BUFFERS, stats.available);
	close(fds[0]);
	close(fds[1]);
	use.pools = &w->pool;
	assert_int_equal(0, saferring_ring_create(&use, &w->ring));
}

static void a_completion_into_a_region_that_is_gone_is_told(void **state)
{
	struct world *w = *state;
	struct saferring_completion done;
	int fds[2];

	world_get_in_flight(w, fds);
	assert_int_equal(0, saferring_region_revoke(w->region));
	assert_int_equal(1, write(fds[1], "x", 1));
	done = world_complete(w);
	assert_true(done.flags & SAFERRING_COMPLETION_REGION_GONE);
	assert_int_equal(SAFERRING_REASON_GONE_COMPLETION, w->reason);
	assert_int_equal(0, saferring_buffer_valid(w->pool, done.buffer));
	close(fds[0]);
	close(fds[1]);
}

static void what_is_queued_on_a_region_that_is_gone_is_not_started(void **state)
{
	struct world *w = *state;
	struct saferring_completion done;
	int fds[2];

	assert_int_equal(0, pipe(fds));
	assert_int_equal(1, write(fds[1], "x", 1));
	assert_int_equal(0, saferring_ring_read(w->ring, fds[0], world_get(w),
						0, 1, -1, 0));
	assert_int_equal(0, saferring_region_revoke(w->region));
	done = world_complete(w);
	assert_int_equal(-ESTALE, done.result);
	assert_true(done.flags & SAFERRING_COMPLETION_REGION_GONE);
	close(fds[0]);
	close(fds[1]);
}

static void a_child_cannot_use_what_its_parent_made(void **state)
{
	struct world *w = *state;
	saferring_buffer b = world_get(w);
	int status;
	pid_t child = fork();

	if (!child) {
		struct saferring_completion done;
		saferring_buffer more;
		int wrong = 0;

		saferring_report_set(NULL, NULL);
		wrong |= saferring_buffer_get(w->pool, &more) != -EOWNERDEAD;
		wrong |= (saferring_buffer_put(w->pool, b) != -EOWNERDEAD) << 1;
		wrong |= (saferring_ring_submit(w->ring) != -EOWNERDEAD) << 2;
		wrong |= (saferring_ring_reap(w->ring, &done, 1) !=
			  -EOWNERDEAD) << 3;
		wrong |= (saferring_ring_destroy(w->ring, 0) !=
			  -EOWNERDEAD) << 4;
		wrong |= (saferring_device_close(w->device) !=
			  -EOWNERDEAD) << 5;
		_exit(wrong);
	}
	assert_int_equal(child, waitpid(child, &status, 0));
	assert_int_equal(0, status);
	assert_int_equal(0, saferring_buffer_put(w->pool, b));
}

/* In a child without CAP_IPC_LOCK and with memlock for the ring alone. */
static int register_as_nobody(unsigned int flags)
{
	const struct rlimit limit = { 256 << 10, 256 << 10 };
	struct saferring_ring_info info = { .size = sizeof(info) };
	struct saferring_ring_options use = { .size = sizeof(use),
					      .pool_count = 1,
					      .flags = flags };
	struct saferring_region_options memory = { .size = sizeof(memory),
						   .length = 1 << 20 };
	struct saferring_pool_options cut = { .size = sizeof(cut),
					      .buffer_size = 4096 };
	struct saferring_device *device;
	struct saferring_region *region;
	struct saferring_pool *pool;
	struct saferring_ring *ring;
	int ret;

	if (saferring_device_open(NULL, &device) ||
	    saferring_region_create(device, &memory, &region) ||
	    saferring_pool_create(&region, 1, &cut, &pool))
		return 100;
	if (setrlimit(RLIMIT_MEMLOCK, &limit) || setgid(65534) ||
	    setuid(65534))
		return 101;
	use.pools = &pool;
	ret = saferring_ring_create(&use, &ring);
	if (saferring_error_last()->reason != SAFERRING_REASON_MEMLOCK ||
	    saferring_error_last()->needed < 1 << 20 ||
	    saferring_error_last()->limit != limit.rlim_cur ||
	    !*saferring_error_last()->cure)
		return 102;
	if (flags)
		return ret == -ENOMEM ? 0 : 103;
	if (ret || saferring_ring_info(ring, &info) || info.fixed ||
	    !*info.reason)
		return 104;
	return saferring_ring_destroy(ring, 1000);
}

static void a_small_memlock_limit_is_explained_and_worked_around(void **state)
{
	static const unsigned int flags[] = { 0, SAFERRING_RING_REQUIRE_FIXED };
	unsigned int i;
	int status;
	pid_t child;

	(void)state;
	if (geteuid())
		skip();
	for (i = 0; i < 2; i++) {
		child = fork();
		if (!child)
			_exit(register_as_nobody(flags[i]));
		assert_int_equal(child, waitpid(child, &status, 0));
		assert_int_equal(0, status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(what_is_written_is_read_back_with_the_ring_full_all_the_time),
		WORLD_TEST(a_read_across_the_end_of_a_file_is_short_and_says_so),
		WORLD_TEST(an_operation_that_fails_gives_its_buffer_back),
		WORLD_TEST(a_range_inside_the_buffer_is_accepted_and_one_beyond_it_is_not),
		WORLD_TEST(a_full_ring_refuses_one_more_and_keeps_its_buffer_with_the_caller),
		WORLD_TEST(what_is_queued_can_be_withdrawn_in_order),
		WORLD_TEST(waiting_ends_with_the_time),
		WORLD_TEST(destroying_a_ring_brings_back_what_is_queued_and_in_flight),
		WORLD_TEST(a_completion_into_a_region_that_is_gone_is_told),
		WORLD_TEST(what_is_queued_on_a_region_that_is_gone_is_not_started),
		WORLD_TEST(a_child_cannot_use_what_its_parent_made),
		cmocka_unit_test(a_small_memlock_limit_is_explained_and_worked_around),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
