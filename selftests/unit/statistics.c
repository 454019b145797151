// SPDX-License-Identifier: GPL-2.0
/*
 * A million operations, in threads that come and go, held against an exact log
 * of them: no figure is lost, none is counted twice, whoever looks on or resets
 * meanwhile.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include "common.h"

#define OPERATIONS 1000000U
#define WORKERS	   50U /* one after the other, as many at a time as THREADS */
#define THREADS	   4U
#define SHARE	   (OPERATIONS / WORKERS)

#define NAME "test_latency_seconds"

static saferring_counter operations, bytes;
static saferring_gauge level;
static saferring_distribution latency;

/* The log: what each operation took, and how much it moved. */
static uint64_t took[OPERATIONS];
static uint32_t moved[OPERATIONS];
static uint64_t all_bytes;
static uint32_t next_share;
static bool all_done;

static void must(int error)
{
	if (error)
		fail_msg("%d: %s", error, saferring_error_last()->what);
}

/* For threads: a failed assert in one would end another. */
static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static int set_up(void **unused)
{
	struct saferring_metric_options options;

	(void)unused;
	SAFERRING_OPTIONS_INIT(&options);
	options.name = "test_operations";
	options.help = "Operations of the test";
	must(saferring_counter_create(&options, &operations));
	options.name = "test_moved_bytes";
	options.unit = "bytes";
	must(saferring_counter_create(&options, &bytes));
	options.name = "test_level";
	options.unit = NULL;
	must(saferring_gauge_create(&options, &level));
	options.name = NAME;
	options.unit = "seconds";
	options.exponent = -9;
	must(saferring_distribution_create(&options, &latency));
	return 0;
}

static uint64_t scramble(uint64_t number)
{
	number *= 0x9e3779b97f4a7c15U;
	number ^= number >> 29;
	number *= 0xbf58476d1ce4e5b9U;
	return number ^ (number >> 32);
}

static void make_log(void)
{
	uint32_t number;

	for (number = 0; number < OPERATIONS; number++) {
		took[number] = scramble(number) >> (20 + number % 40);
		moved[number] = (uint32_t)scramble(~(uint64_t)number) >> 12;
		all_bytes += moved[number];
	}
}

static void *do_share(void *argument)
{
	uint32_t number = (uint32_t)(uintptr_t)argument * SHARE;
	const uint32_t end = number + SHARE;

	for (; number < end; number++) {
		saferring_gauge_add(level, 1);
		saferring_counter_add(operations, 1);
		saferring_counter_add(bytes, moved[number]);
		saferring_distribution_record(latency, took[number]);
		if (number % 3)
			saferring_gauge_add(level, -1);
	}
	return NULL;
}

/* Threads that end one after the other, each in the other's wake. */
static void *start_shares(void *unused)
{
	pthread_t thread;
	uint32_t share;

	for (;;) {
		share = __atomic_fetch_add(&next_share, 1, __ATOMIC_RELAXED);
		if (share >= WORKERS)
			return unused;
		check(!pthread_create(&thread, NULL, do_share,
				      (void *)(uintptr_t)share),
		      "a thread is started");
		check(!pthread_join(thread, NULL), "it ends");
	}
}

static uint64_t value(const struct saferring_snapshot *snapshot,
		      const char *name)
{
	const struct saferring_sample *sample =
		saferring_snapshot_find(snapshot, name, "");

	return sample ? sample->value : 0;
}

/* Everything that an onlooker is given adds up to everything that happened. */
struct onlooker {
	pthread_t thread;
	uint64_t operations;
	uint64_t bytes;
	uint64_t recorded;
	unsigned int looks;
	struct saferring_histogram histogram;
};

static void add(struct onlooker *to, const struct saferring_snapshot *delta)
{
	const struct saferring_sample *sample =
		saferring_snapshot_find(delta, NAME, "");

	to->operations += value(delta, "test_operations");
	to->bytes += value(delta, "test_moved_bytes");
	if (!sample)
		return;
	to->recorded += sample->value;
	saferring_histogram_merge(&to->histogram, sample->histogram);
}

static void *look_on(void *argument)
{
	struct onlooker *me = argument;
	struct saferring_snapshot *before, *now, *delta;
	bool last;

	check(!saferring_snapshot_take(&before), "a snapshot");
	add(me, before);
	do {
		last = __atomic_load_n(&all_done, __ATOMIC_ACQUIRE);
		check(!saferring_snapshot_take(&now), "another");
		check(value(now, "test_operations") >=
			      value(before, "test_operations"),
		      "counters grow");
		check(!saferring_snapshot_delta(now, before, &delta),
		      "a delta");
		add(me, delta);
		saferring_snapshot_free(delta);
		saferring_snapshot_free(before);
		before = now;
		me->looks++;
	} while (!last);
	saferring_snapshot_free(before);
	return NULL;
}

static void *reset_on(void *argument)
{
	struct onlooker *me = argument;
	struct saferring_snapshot *since;
	bool last;

	do {
		last = __atomic_load_n(&all_done, __ATOMIC_ACQUIRE);
		check(!saferring_snapshot_reset(&since), "a reset");
		add(me, since);
		saferring_snapshot_free(since);
		me->looks++;
	} while (!last);
	return NULL;
}

static void run(struct onlooker *onlooker, void *(*look)(void *))
{
	pthread_t thread[THREADS];
	size_t number;
	int error;

	next_share = 0;
	all_done = false;
	memset(onlooker, 0, sizeof(*onlooker));
	error = pthread_create(&onlooker->thread, NULL, look, onlooker);
	for (number = 0; number < THREADS; number++)
		error |= pthread_create(&thread[number], NULL, start_shares,
					NULL);
	assert_int_equal(error, 0);
	for (number = 0; number < THREADS; number++)
		assert_int_equal(pthread_join(thread[number], NULL), 0);
	__atomic_store_n(&all_done, true, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(onlooker->thread, NULL), 0);
	assert_true(onlooker->looks > 1);
}

static int compare(const void *a, const void *b)
{
	const uint64_t left = *(const uint64_t *)a;
	const uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* A histogram of the log, recorded by one thread in one go. */
static struct saferring_histogram *expected(void)
{
	static struct saferring_histogram histogram;
	uint32_t number;

	memset(&histogram, 0, sizeof(histogram));
	for (number = 0; number < OPERATIONS; number++)
		saferring_histogram_record(&histogram, took[number]);
	return &histogram;
}

static void assert_percentiles(const struct saferring_histogram *histogram)
{
	static const unsigned int permille[] = { 1, 100, 500, 900, 990, 999 };
	static uint64_t sorted[OPERATIONS];
	uint64_t exact, got;
	size_t number;

	memcpy(sorted, took, sizeof(took));
	qsort(sorted, OPERATIONS, sizeof(*sorted), compare);
	for (number = 0; number < sizeof(permille) / sizeof(*permille);
	     number++) {
		exact = sorted[OPERATIONS / 1000 * permille[number] - 1];
		got = saferring_histogram_percentile(histogram,
						     permille[number] / 10.0);
		assert_in_range(got, exact - exact / 64, exact + exact / 64);
	}
	assert_int_equal(saferring_histogram_min(histogram), sorted[0]);
	assert_int_equal(saferring_histogram_max(histogram),
			 sorted[OPERATIONS - 1]);
}

static void totals_are_those_of_the_log(void **unused)
{
	static struct saferring_histogram histogram;
	static struct onlooker onlooker;
	uint32_t number;
	int64_t up = 0;

	(void)unused;
	make_log();
	run(&onlooker, look_on);
	assert_int_equal(saferring_counter_value(operations), OPERATIONS);
	assert_int_equal(saferring_counter_value(bytes), all_bytes);
	for (number = 0; number < OPERATIONS; number++)
		up += number % 3 == 0;
	assert_int_equal(saferring_gauge_value(level), up);
	assert_int_equal(saferring_distribution_read(latency, &histogram), 0);
	assert_memory_equal(&histogram, expected(), sizeof(histogram));
	assert_percentiles(&histogram);
	/* And the deltas that were seen meanwhile add up to it. */
	assert_int_equal(onlooker.operations, OPERATIONS);
	assert_int_equal(onlooker.bytes, all_bytes);
	assert_int_equal(onlooker.recorded, OPERATIONS);
	assert_memory_equal(onlooker.histogram.bucket, histogram.bucket,
			    sizeof(histogram.bucket));
	assert_int_equal(onlooker.histogram.sum, histogram.sum);
}

static void every_event_is_between_two_resets(void **unused)
{
	static struct onlooker onlooker;
	struct saferring_snapshot *now;

	(void)unused;
	must(saferring_snapshot_reset(NULL));
	run(&onlooker, reset_on);
	assert_int_equal(onlooker.operations, OPERATIONS);
	assert_int_equal(onlooker.bytes, all_bytes);
	assert_int_equal(onlooker.recorded, OPERATIONS);
	assert_memory_equal(onlooker.histogram.bucket, expected()->bucket,
			    sizeof(onlooker.histogram.bucket));
	assert_int_equal(onlooker.histogram.sum, expected()->sum);
	/* Nothing is left, and what threads count in was not touched. */
	must(saferring_snapshot_take(&now));
	assert_int_equal(value(now, "test_operations"), 0);
	saferring_snapshot_free(now);
	assert_int_equal(saferring_counter_value(operations), 2 * OPERATIONS);
}

/* ---- another process looks on ---- */

static void look_from_outside(void *argument)
{
	struct saferring_segment_info info = { .size = sizeof(info) };
	const int pid = *(int *)argument;
	struct saferring_snapshot *snapshot;
	struct saferring_segment *segment;

	must(saferring_segment_open_process(pid, &segment));
	must(saferring_segment_info(segment, &info));
	assert_int_equal(info.pid, pid);
	assert_int_equal(info.alive, 1);
	must(saferring_segment_snapshot(segment, &snapshot));
	/* It knows of no reset. */
	assert_int_equal(value(snapshot, "test_operations"), 2 * OPERATIONS);
	assert_int_equal(value(snapshot, "test_moved_bytes"), 2 * all_bytes);
	assert_int_equal(value(snapshot, NAME), 2 * OPERATIONS);
	saferring_snapshot_free(snapshot);
	saferring_segment_close(segment);
}

static void another_process_sees_the_same(void **unused)
{
	int pid = getpid();

	(void)unused;
	in_child(look_from_outside, &pid);
}

static void count_in_child(void *unused)
{
	struct saferring_snapshot *snapshot;

	(void)unused;
	assert_int_equal(saferring_counter_value(operations), 0);
	saferring_counter_add(operations, 5);
	saferring_distribution_record(latency, 7);
	assert_int_equal(saferring_counter_value(operations), 5);
	must(saferring_snapshot_take(&snapshot));
	assert_int_equal(value(snapshot, "test_operations"), 5);
	assert_int_equal(value(snapshot, NAME), 1);
	saferring_snapshot_free(snapshot);
}

static void a_child_counts_for_itself(void **unused)
{
	const uint64_t before = saferring_counter_value(operations);

	(void)unused;
	saferring_counter_add(operations, 1);
	in_child(count_in_child, NULL);
	assert_int_equal(saferring_counter_value(operations), before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totals_are_those_of_the_log),
		cmocka_unit_test(every_event_is_between_two_resets),
		cmocka_unit_test(another_process_sees_the_same),
		cmocka_unit_test(a_child_counts_for_itself),
	};

	return cmocka_run_group_tests_name("statistics", tests, set_up, NULL);
}
