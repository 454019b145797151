// SPDX-License-Identifier: GPL-2.0
/* Metric: names that are refused, handles that are none, limits. */
#include <pthread.h>
#include "common.h"

static struct saferring_metric_options options;
static saferring_counter counter;
static saferring_gauge gauge;
static saferring_distribution distribution;

static int set_up(void **unused)
{
	(void)unused;
	SAFERRING_OPTIONS_INIT(&options);
	return 0;
}

static void assert_refused(void)
{
	const saferring_counter none = { 0 };

	counter = none;
	assert_int_equal(saferring_counter_create(&options, &counter), -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(counter.word, 0);
}

static void assert_taken(void)
{
	assert_int_equal(saferring_counter_create(&options, &counter), 0);
	assert_true(counter.word > 0);
}

static void names_that_are_none_are_refused(void **unused)
{
	static const char *const names[] = {
		"",
		"1st",
		"a b",
		"a-b",
		"m\303\244h",
		"a_total",
		"a_count",
		"a_sum",
		"a_bucket",
		"a_created",
		"a_info",
		"saferring_a",
		"saferring_x",
		NULL,
	};
	size_t number;

	(void)unused;
	for (number = 0; number < sizeof(names) / sizeof(*names); number++) {
		options.name = names[number];
		assert_refused();
	}
	options.name = "a:b_C9";
	assert_taken();
}

static void a_name_has_at_most_71_characters(void **unused)
{
	char name[80];

	(void)unused;
	memset(name, 'n', sizeof(name));
	options.name = name;
	name[72] = '\0';
	assert_refused();
	name[71] = '\0';
	assert_taken();
}

static void a_name_ends_in_its_unit(void **unused)
{
	(void)unused;
	options.name = "unit_bytes";
	options.unit = "seconds";
	assert_refused();
	options.unit = "s-";
	assert_refused();
	options.name = "bytes";
	options.unit = "bytes";
	assert_refused();
	options.name = "unit_bytes";
	assert_taken();
}

static void exponents_are_minus_18_to_18(void **unused)
{
	static const int bad[] = { -19, 19 }, good[] = { -18, 18 };
	static const char *const names[] = { "small", "large" };
	size_t number;

	(void)unused;
	for (number = 0; number < 2; number++) {
		options.name = names[number];
		options.exponent = bad[number];
		assert_refused();
		options.exponent = good[number];
		assert_taken();
	}
}

static void labels_that_are_none_are_refused(void **unused)
{
	static const struct saferring_label bad[][2] = {
		{ { "le", "1" }, { "b", "2" } },
		{ { "__a", "1" }, { "b", "2" } },
		{ { "9", "1" }, { "b", "2" } },
		{ { "a:b", "1" }, { "b", "2" } },
		{ { "", "1" }, { "b", "2" } },
		{ { "a", "1" }, { "a", "2" } },
		{ { "a", NULL }, { "b", "2" } },
		{ { NULL, "1" }, { "b", "2" } },
	};
	size_t number;

	(void)unused;
	options.name = "labelled";
	options.label_count = 2;
	assert_refused();
	for (number = 0; number < sizeof(bad) / sizeof(*bad); number++) {
		options.labels = bad[number];
		assert_refused();
	}
}

static void labels_have_at_most_231_characters(void **unused)
{
	struct saferring_label label = { "k", NULL };
	char value[240];

	(void)unused;
	memset(value, 'v', sizeof(value));
	label.value = value;
	options.name = "long_label";
	options.labels = &label;
	options.label_count = 1;
	/* With key, equals sign and quotation marks. */
	value[228] = '\0';
	assert_refused();
	value[227] = '\0';
	assert_taken();
}

static void a_second_one_of_the_name_is_the_first(void **unused)
{
	const struct saferring_label red = { "colour", "red" };
	const struct saferring_label blue = { "colour", "blue" };
	saferring_counter other;

	(void)unused;
	options.name = "coloured";
	options.labels = &red;
	options.label_count = 1;
	assert_taken();
	assert_int_equal(saferring_counter_create(&options, &other), 0);
	assert_int_equal(other.word, counter.word);
	options.labels = &blue;
	assert_int_equal(saferring_counter_create(&options, &other), 0);
	assert_int_not_equal(other.word, counter.word);
	saferring_counter_add(counter, 2);
	saferring_counter_add(other, 3);
	assert_int_equal(saferring_counter_value(counter), 2);
	assert_int_equal(saferring_counter_value(other), 3);
}

static void a_name_stands_for_one_kind_only(void **unused)
{
	(void)unused;
	options.name = "one_kind";
	assert_taken();
	assert_int_equal(saferring_gauge_create(&options, &gauge), -EEXIST);
	assert_int_equal(saferring_distribution_create(&options, &distribution),
			 -EEXIST);
	options.exponent = -3;
	assert_int_equal(saferring_counter_create(&options, &counter), -EEXIST);
	assert_int_equal(saferring_error_last()->code, -EEXIST);
}

static void a_handle_of_nothing_counts_nowhere(void **unused)
{
	const saferring_counter no_counter = { 0 };
	const saferring_distribution none = { 0 };
	struct saferring_histogram histogram;

	(void)unused;
	saferring_counter_add(no_counter, 5);
	assert_int_equal(saferring_counter_value(no_counter), 0);
	saferring_distribution_record(none, 5);
	assert_null(saferring_distribution_shard(none));
	assert_int_equal(saferring_distribution_read(none, &histogram),
			 -EINVAL);
}

static void gauges_go_below_zero(void **unused)
{
	(void)unused;
	options.name = "level";
	assert_int_equal(saferring_gauge_create(&options, &gauge), 0);
	saferring_gauge_add(gauge, -7);
	assert_int_equal(saferring_gauge_value(gauge), -7);
	saferring_gauge_add(gauge, 10);
	assert_int_equal(saferring_gauge_value(gauge), 3);
}

static void *lower(void *unused)
{
	saferring_gauge_add(gauge, -3);
	return unused;
}

static void a_gauge_goes_down_in_another_thread(void **unused)
{
	pthread_t thread;

	(void)unused;
	options.name = "shared_level";
	assert_int_equal(saferring_gauge_create(&options, &gauge), 0);
	saferring_gauge_add(gauge, 3);
	assert_int_equal(pthread_create(&thread, NULL, lower, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(saferring_gauge_value(gauge), 0);
}

/* Last, because they take what there is. */
static void there_are_at_most_31_distributions(void **unused)
{
	const struct saferring_label label = { "number", NULL };
	struct saferring_label numbered = label;
	unsigned int count = 0;
	char text[16];
	int error = 0;

	(void)unused;
	options.name = "many_values";
	options.labels = &numbered;
	options.label_count = 1;
	for (; !error && count < 100; count++) {
		snprintf(text, sizeof(text), "%u", count);
		numbered.value = text;
		error = saferring_distribution_create(&options, &distribution);
		if (!error)
			saferring_distribution_record(distribution, count);
	}
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(count - 1, SAFERRING_DISTRIBUTIONS_MAX);
	assert_int_equal(saferring_error_last()->limit,
			 SAFERRING_DISTRIBUTIONS_MAX);
}

#define CROWD 160

static pthread_barrier_t barrier;

static void *record_everywhere(void *argument)
{
	saferring_distribution each;
	uint64_t value;

	for (value = 0; value < 20; value++)
		for (each.slot = 1; each.slot <= SAFERRING_DISTRIBUTIONS_MAX;
		     each.slot++)
			saferring_distribution_record(each, value);
	/* All are there until all have recorded. */
	pthread_barrier_wait(&barrier);
	return argument;
}

static uint64_t recorded(uint32_t slot)
{
	const saferring_distribution each = { slot };
	static struct saferring_histogram histogram;

	assert_int_equal(saferring_distribution_read(each, &histogram), 0);
	return saferring_histogram_count(&histogram);
}

/* Their places would take more memory than there is for all. */
static void threads_without_room_share_a_place(void **unused)
{
	struct saferring_segment_info info = { .size = sizeof(info) };
	uint64_t before[SAFERRING_DISTRIBUTIONS_MAX + 1];
	pthread_t thread[CROWD];
	pthread_attr_t small;
	unsigned int number;
	int error = 0;

	(void)unused;
	for (number = 1; number <= SAFERRING_DISTRIBUTIONS_MAX; number++)
		before[number] = recorded(number);
	pthread_barrier_init(&barrier, NULL, CROWD);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 1 << 17);
	for (number = 0; number < CROWD; number++)
		error |= pthread_create(&thread[number], &small,
					record_everywhere, NULL);
	assert_int_equal(error, 0);
	for (number = 0; number < CROWD; number++)
		pthread_join(thread[number], NULL);
	assert_int_equal(saferring_segment_info(NULL, &info), 0);
	assert_true(info.used > info.length / 10 * 9);
	for (number = 1; number <= SAFERRING_DISTRIBUTIONS_MAX; number++)
		assert_int_equal(recorded(number), before[number] + CROWD * 20);
	pthread_attr_destroy(&small);
	pthread_barrier_destroy(&barrier);
}

static void there_are_at_most_255_counters(void **unused)
{
	struct saferring_label label = { "number", NULL };
	unsigned int count = 0;
	char text[16];

	(void)unused;
	options.name = "many";
	options.labels = &label;
	options.label_count = 1;
	do {
		snprintf(text, sizeof(text), "%u", count++);
		label.value = text;
	} while (!saferring_counter_create(&options, &counter) && count < 500);
	assert_int_equal(saferring_error_last()->code, -ENOSPC);
	assert_int_equal(counter.word, SAFERRING_COUNTERS_MAX);
	/* The last one counts as well as the first. */
	saferring_counter_add(counter, 9);
	assert_int_equal(saferring_counter_value(counter), 9);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, set_up)
	const struct CMUnitTest tests[] = {
		TEST(names_that_are_none_are_refused),
		TEST(a_name_has_at_most_71_characters),
		TEST(a_name_ends_in_its_unit),
		TEST(exponents_are_minus_18_to_18),
		TEST(labels_that_are_none_are_refused),
		TEST(labels_have_at_most_231_characters),
		TEST(a_second_one_of_the_name_is_the_first),
		TEST(a_name_stands_for_one_kind_only),
		TEST(a_handle_of_nothing_counts_nowhere),
		TEST(gauges_go_below_zero),
		TEST(a_gauge_goes_down_in_another_thread),
		TEST(there_are_at_most_31_distributions),
		TEST(threads_without_room_share_a_place),
		TEST(there_are_at_most_255_counters),
	};

	return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}
