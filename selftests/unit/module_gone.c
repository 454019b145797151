// SPDX-License-Identifier: GPL-2.0
/*
 * Regions that others free while they are in use, by a module that is played.
 */
#include "fake.h"

static void a_region_that_another_freed_is_seen_at_submit(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	const saferring_buffer held = get(stage->pool);
	struct saferring_completion completion;

	(void)state;
	assert_int_equal(saferring_ring_read(stage->ring, 0, get(stage->pool),
					     0, 1, 0, 0),
			 0);
	free_slot(0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_buffer_valid(stage->pool, held), 0);
	assert_int_equal(saferring_ring_reap(stage->ring, &completion, 1), 1);
	assert_int_equal(completion.result, -ESTALE);
	assert_true(completion.flags & SAFERRING_COMPLETION_REGION_GONE);
	stage_down(stage);
}

static void a_region_that_another_freed_is_seen_at_completion(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	struct saferring_completion completion;
	const int fd = pattern_file(BUFFER_SIZE);
	const unsigned int before = reports;

	(void)state;
	assert_int_equal(saferring_ring_read(stage->ring, fd, get(stage->pool),
					     0, BUFFER_SIZE, 0, 0),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	free_slot(0);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_int_equal(completion.result, BUFFER_SIZE);
	assert_true(completion.flags & SAFERRING_COMPLETION_REGION_GONE);
	assert_int_equal(reports, before + 1);
	assert_int_equal(last_report.reason, SAFERRING_REASON_GONE_COMPLETION);
	assert_null(saferring_buffer_data(stage->pool, completion.buffer));
	close(fd);
	stage_down(stage);
}

static void a_ring_on_a_region_that_another_freed_is_refused(void **state)
{
	struct stage *stage = stage_up(0, 8, 0);
	struct saferring_ring_options options;
	struct saferring_ring *ring = NULL;

	(void)state;
	free_slot(0);
	SAFERRING_OPTIONS_INIT(&options);
	options.pools = &stage->pool;
	options.pool_count = 1;
	assert_int_equal(saferring_ring_create(&options, &ring), -ESTALE);
	assert_error(-ESTALE, SAFERRING_REASON_REGION_GONE);
	assert_null(ring);
	stage_down(stage);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, reset)
	const struct CMUnitTest tests[] = {
		T(a_region_that_another_freed_is_seen_at_submit),
		T(a_region_that_another_freed_is_seen_at_completion),
		T(a_ring_on_a_region_that_another_freed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
