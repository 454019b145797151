// SPDX-License-Identifier: GPL-2.0
/*
 * A child of fork() must be told that what it inherited is not its own, and
 * must be able to have its own.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "common.h"

/* All that the child tries. Asserts there end the child. */
struct inheritance {
	struct stage *stage;
	saferring_buffer held;
};

/* Whatever kind of operation it is. */
static void operations_are_refused(struct saferring_ring *ring,
				   saferring_buffer held)
{
	const struct saferring_range range = { held, 0, 1 };
	struct saferring_batch *batch;

	assert_int_equal(saferring_ring_nop(ring, 0), -EOWNERDEAD);
	assert_error(-EOWNERDEAD, SAFERRING_REASON_FORKED);
	assert_int_equal(saferring_ring_readv(ring, 0, &range, 1, 0, 0),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_send(ring, 0, &range, 0, 0),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_timeout(ring, 1, 0, 0, 0),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_cancel_all(ring, 0), -EOWNERDEAD);
	assert_int_equal(saferring_ring_drop(ring, 1), -EOWNERDEAD);
	assert_int_equal(saferring_ring_modify(ring, SAFERRING_LINK),
			 -EOWNERDEAD);
	assert_int_equal(saferring_files_create(ring, 1), -EOWNERDEAD);
	assert_int_equal(saferring_ring_eventfd(ring, 0), -EOWNERDEAD);
	assert_int_equal(saferring_batch_create(ring, 1, 0, &batch),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_last(ring), 0);
	assert_int_equal(saferring_ring_find(ring, 0), 0);
}

static void everything_is_refused(void *argument)
{
	struct inheritance *from = argument;
	struct stage *stage = from->stage;
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	struct saferring_completion completion;
	saferring_buffer buffer;

	assert_int_equal(saferring_buffer_valid(stage->pool, from->held), 0);
	assert_null(saferring_buffer_data(stage->pool, from->held));
	assert_error(-EOWNERDEAD, SAFERRING_REASON_FORKED);
	assert_string_not_equal(saferring_error_last()->cure, "");
	assert_int_equal(saferring_buffer_get(stage->pool, &buffer),
			 -EOWNERDEAD);
	assert_int_equal(saferring_buffer_put(stage->pool, from->held),
			 -EOWNERDEAD);
	assert_int_equal(saferring_buffer_put(stage->pool,
					      SAFERRING_BUFFER_NONE),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_read(stage->ring, 0, from->held, 0, 1,
					     0, 0),
			 -EOWNERDEAD);
	operations_are_refused(stage->ring, from->held);
	assert_int_equal(saferring_ring_submit(stage->ring), -EOWNERDEAD);
	assert_int_equal(saferring_ring_reap(stage->ring, &completion, 1),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_withdraw(stage->ring), -EOWNERDEAD);
	assert_int_equal(saferring_pool_stats(stage->pool, &stats),
			 -EOWNERDEAD);
	assert_int_equal(saferring_region_revoke(stage->region), -EOWNERDEAD);
	assert_int_equal(saferring_ring_destroy(stage->ring, 0), -EOWNERDEAD);
	assert_int_equal(saferring_pool_destroy(stage->pool), -EOWNERDEAD);
	assert_int_equal(saferring_region_destroy(stage->region, 0, 0),
			 -EOWNERDEAD);
	assert_int_equal(saferring_device_close(stage->device), -EOWNERDEAD);
	saferring_pool_flush(stage->pool);
}

static void its_own_works(void *argument)
{
	struct inheritance *from = argument;
	struct stage *own = stage_up(0, 8, STAGE_RING);
	const int fd = pattern_file(BUFFER_SIZE);
	struct saferring_completion completion;

	assert_int_equal(saferring_ring_read(own->ring, fd, get(own->pool), 0,
					     BUFFER_SIZE, 0, 0),
			 0);
	assert_int_equal(saferring_ring_wait(own->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_pattern(saferring_buffer_data(own->pool, completion.buffer), 0,
		       BUFFER_SIZE);
	put(own->pool, completion.buffer);
	/* And what was inherited has not come to life by that. */
	assert_int_equal(saferring_buffer_put(from->stage->pool, from->held),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_submit(from->stage->ring),
			 -EOWNERDEAD);
	stage_down(own);
}

static int up(void **state)
{
	struct inheritance *from = calloc(1, sizeof(*from));

	from->stage = stage_up(0, 8, STAGE_RING);
	from->held = get(from->stage->pool);
	*state = from;
	return 0;
}

static int down(void **state)
{
	struct inheritance *from = *state;

	/* Whatever the child did, the parent's things are as they were. */
	assert_non_null(saferring_buffer_data(from->stage->pool, from->held));
	put(from->stage->pool, from->held);
	stage_down(from->stage);
	free(from);
	return 0;
}

static void a_child_is_refused_everything_inherited(void **state)
{
	in_child(everything_is_refused, *state);
}

static void a_child_can_have_its_own(void **state)
{
	in_child(its_own_works, *state);
}

static void a_child_that_was_not_made_by_fork_is_told_too(void **state)
{
	/* No handler of pthread_atfork() runs for this one. */
	const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	struct inheritance *from = *state;
	saferring_buffer buffer;
	int status;

	if (!child) {
		if (saferring_buffer_data(from->stage->pool, from->held))
			_exit(1);
		if (saferring_buffer_get(from->stage->pool, &buffer) !=
		    -EOWNERDEAD)
			_exit(2);
		if (saferring_ring_submit(from->stage->ring) != -EOWNERDEAD)
			_exit(3);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid((pid_t)child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(a_child_is_refused_everything_inherited),
		T(a_child_can_have_its_own),
		T(a_child_that_was_not_made_by_fork_is_told_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
