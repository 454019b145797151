// SPDX-License-Identifier: GPL-2.0
/*
 * Tracker: what is in use now is exact; the peak is right to a grain for each
 * thread.
 */
#include <pthread.h>
#include "common.h"

#define THREADS 4
#define ROUNDS	50000
#define GRAIN	((int64_t)SAFERRING_TRACKER_GRAIN)

static saferring_tracker tracker;
static pthread_barrier_t barrier;

static void must(int error)
{
	if (error)
		fail_msg("%d: %s", error, saferring_error_last()->what);
}

static struct saferring_metric_options named(const char *name)
{
	struct saferring_metric_options options;

	SAFERRING_OPTIONS_INIT(&options);
	options.name = name;
	options.unit = "bytes";
	return options;
}

static void start(const char *name)
{
	const struct saferring_metric_options options = named(name);

	must(saferring_tracker_create(&options, &tracker));
}

static int64_t peak(void)
{
	int64_t most;

	saferring_tracker_read(tracker, &most);
	return most;
}

static void now_is_exact_and_the_peak_right_to_a_grain(void **unused)
{
	int64_t now = 0, most = 0, step;
	unsigned int round, seed = 1;

	(void)unused;
	start("exact_bytes");
	for (round = 0; round < ROUNDS; round++) {
		step = (rand_r(&seed) % 40000) - (now > 500000 ? 30000 : 10000);
		if (now + step < 0)
			step = -now;
		saferring_tracker_add(tracker, step);
		now += step;
		most = now > most ? now : most;
		if (round % 1000 == 0)
			assert_int_equal(saferring_tracker_read(tracker, NULL),
					 now);
	}
	assert_int_equal(saferring_tracker_read(tracker, NULL), now);
	assert_in_range(peak(), most - GRAIN, most);
}

static void the_peak_is_never_less_than_what_there_is(void **unused)
{
	(void)unused;
	start("small_bytes");
	saferring_tracker_add(tracker, 100);
	assert_int_equal(peak(), 100);
	saferring_tracker_add(tracker, -60);
	assert_in_range(peak(), 40, 100);
	assert_int_equal(saferring_tracker_read(tracker, NULL), 40);
}

static void a_change_of_more_than_a_grain_is_told_at_once(void **unused)
{
	(void)unused;
	start("large_bytes");
	saferring_tracker_add(tracker, GRAIN);
	saferring_tracker_add(tracker, -GRAIN);
	/* So much may go unseen, and not a byte more. */
	assert_int_equal(peak(), 0);
	saferring_tracker_add(tracker, GRAIN + 1);
	saferring_tracker_add(tracker, -GRAIN - 1);
	assert_int_equal(peak(), GRAIN + 1);
	assert_int_equal(saferring_tracker_read(tracker, NULL), 0);
}

static void *take_then_wait(void *argument)
{
	unsigned int round;

	for (round = 0; round < ROUNDS; round++)
		saferring_tracker_add(tracker, 1000);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	/* What one thread took another one gives back. */
	for (round = 0; round < ROUNDS; round++)
		saferring_tracker_add(tracker, -1000);
	return argument;
}

static void threads_share_it(void **unused)
{
	const int64_t most = THREADS * INT64_C(1000) * ROUNDS;
	pthread_t thread[THREADS];
	size_t number;
	int error = 0;

	(void)unused;
	start("shared_bytes");
	assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
	for (number = 0; number < THREADS; number++)
		error |= pthread_create(&thread[number], NULL, take_then_wait,
					NULL);
	assert_int_equal(error, 0);
	pthread_barrier_wait(&barrier);
	assert_int_equal(saferring_tracker_read(tracker, NULL), most);
	pthread_barrier_wait(&barrier);
	for (number = 0; number < THREADS; number++)
		assert_int_equal(pthread_join(thread[number], NULL), 0);
	assert_int_equal(saferring_tracker_read(tracker, NULL), 0);
	assert_in_range(peak(), most - THREADS * GRAIN, most);
	pthread_barrier_destroy(&barrier);
}

static void it_is_two_metrics(void **unused)
{
	struct saferring_snapshot *snapshot;

	(void)unused;
	start("named_bytes");
	saferring_tracker_add(tracker, 5 * GRAIN);
	saferring_tracker_add(tracker, -3 * GRAIN);
	must(saferring_snapshot_take(&snapshot));
	assert_int_equal(
		saferring_snapshot_find(snapshot, "named_bytes", "")->value,
		2 * GRAIN);
	assert_int_equal(
		saferring_snapshot_find(snapshot, "named_peak_bytes", "")
			->value,
		5 * GRAIN);
	saferring_snapshot_free(snapshot);
}

static void a_second_one_of_the_name_is_the_first(void **unused)
{
	struct saferring_metric_options options = named("twice_bytes");
	saferring_tracker other;
	saferring_gauge gauge;

	(void)unused;
	start("twice_bytes");
	must(saferring_tracker_create(&options, &other));
	assert_int_equal(other.word, tracker.word);
	options.name = "gauge_bytes";
	must(saferring_gauge_create(&options, &gauge));
	assert_int_equal(saferring_tracker_create(&options, &other), -EEXIST);
}

static void a_name_without_room_for_the_peak_is_refused(void **unused)
{
	struct saferring_metric_options options;
	char name[80];

	(void)unused;
	memset(name, 'n', sizeof(name));
	strcpy(name + 61, "_bytes");
	options = named(name);
	assert_int_equal(saferring_tracker_create(&options, &tracker), -EINVAL);
	strcpy(name + 60, "_bytes");
	must(saferring_tracker_create(&options, &tracker));
}

static void a_handle_of_nothing_tracks_nothing(void **unused)
{
	const saferring_tracker none = { 0 };
	int64_t most = -1;

	(void)unused;
	saferring_tracker_add(none, 10 * GRAIN);
	assert_int_equal(saferring_tracker_read(none, &most), 0);
	assert_int_equal(most, 0);
}

static void count_in_child(void *unused)
{
	(void)unused;
	assert_int_equal(saferring_tracker_read(tracker, NULL), 0);
	saferring_tracker_add(tracker, 2 * GRAIN);
	assert_int_equal(peak(), 2 * GRAIN);
}

static void a_child_tracks_for_itself(void **unused)
{
	(void)unused;
	start("forked_bytes");
	saferring_tracker_add(tracker, 7 * GRAIN);
	in_child(count_in_child, NULL);
	assert_int_equal(saferring_tracker_read(tracker, NULL), 7 * GRAIN);
}

/* Last, because it takes what there is. */
static void there_are_at_most_32(void **unused)
{
	struct saferring_metric_options options;
	unsigned int count = 0;
	char name[32];

	(void)unused;
	do {
		snprintf(name, sizeof(name), "number_%u_bytes", count);
		options = named(name);
	} while (!saferring_tracker_create(&options, &tracker) &&
		 ++count < 100);
	assert_int_equal(saferring_error_last()->code, -ENOSPC);
	assert_int_equal(saferring_error_last()->limit, SAFERRING_TRACKERS_MAX);
	saferring_tracker_add(tracker, 2 * GRAIN);
	assert_int_equal(peak(), 2 * GRAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(now_is_exact_and_the_peak_right_to_a_grain),
		cmocka_unit_test(the_peak_is_never_less_than_what_there_is),
		cmocka_unit_test(a_change_of_more_than_a_grain_is_told_at_once),
		cmocka_unit_test(threads_share_it),
		cmocka_unit_test(it_is_two_metrics),
		cmocka_unit_test(a_second_one_of_the_name_is_the_first),
		cmocka_unit_test(a_name_without_room_for_the_peak_is_refused),
		cmocka_unit_test(a_handle_of_nothing_tracks_nothing),
		cmocka_unit_test(a_child_tracks_for_itself),
		cmocka_unit_test(there_are_at_most_32),
	};

	return cmocka_run_group_tests_name("tracker", tests, NULL, NULL);
}
