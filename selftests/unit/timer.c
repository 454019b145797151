// SPDX-License-Identifier: GPL-2.0
/* Timer: the clock agrees with the system's, and timings count what they say. */
#include <time.h>
#include "common.h"

static struct saferring_histogram histogram;
static struct saferring_timer timer;

static uint64_t monotonic(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void start(int timing, unsigned int every)
{
	int error;

	memset(&histogram, 0, sizeof(histogram));
	error = saferring_timer_init(&timer, &histogram, timing, every);
	assert_int_equal(error, 0);
}

/* The spans nest, so each bounds the other whatever interrupts them. */
static void the_clock_agrees_with_the_systems(void **unused)
{
	uint64_t outer, inner, ticks, ns;

	(void)unused;
	saferring_clock_ticks();
	outer = monotonic();
	ticks = saferring_clock_ticks();
	inner = monotonic();
	usleep(50000);
	inner = monotonic() - inner;
	ns = saferring_clock_ns(saferring_clock_ticks() - ticks);
	outer = monotonic() - outer;
	if (ns < inner - inner / 500 || ns > outer + outer / 500)
		fail_msg("%llu ns, the system's clock says %llu to %llu",
			 (unsigned long long)ns, (unsigned long long)inner,
			 (unsigned long long)outer);
}

static void long_spans_do_not_overflow(void **unused)
{
	const uint64_t day = UINT64_C(1) << 48; /* ticks */
	uint64_t one, many;

	(void)unused;
	saferring_clock_ticks();
	one = saferring_clock_ns(day);
	many = saferring_clock_ns(64 * day);
	assert_true(many >= 64 * one && many <= 64 * one + 64);
}

static void the_clock_tells_what_it_is_and_costs(void **unused)
{
	struct saferring_clock_info info = { .size = sizeof(info) };

	(void)unused;
	assert_int_equal(saferring_clock_info(&info), 0);
	assert_true(info.cost_ns > 0 && info.cost_ns < 100000);
	assert_true(info.tick_ns > 0);
	if (strcmp(info.source, "tsc")) {
		assert_string_equal(info.source, "CLOCK_MONOTONIC");
		assert_string_not_equal(info.reason, "");
	}
	info.size = 1;
	assert_int_equal(saferring_clock_info(&info), -EINVAL);
}

static void exact_timing_times_every_operation(void **unused)
{
	uint64_t begin;
	int number;

	(void)unused;
	start(SAFERRING_TIMING_EXACT, 0);
	for (number = 0; number < 5; number++) {
		begin = saferring_timer_begin(&timer);
		usleep(1000);
		saferring_timer_end(&timer, begin, 1);
	}
	assert_int_equal(saferring_histogram_count(&histogram), 5);
	assert_true(saferring_histogram_min(&histogram) > 990000);
}

static void a_batch_shares_its_time(void **unused)
{
	uint64_t begin;

	(void)unused;
	start(SAFERRING_TIMING_BATCH, 0);
	begin = saferring_timer_begin(&timer);
	usleep(10000);
	saferring_timer_end(&timer, begin, 100);
	assert_int_equal(saferring_histogram_count(&histogram), 100);
	assert_true(histogram.sum > 9900000);
	assert_int_equal(saferring_histogram_min(&histogram),
			 saferring_histogram_max(&histogram));
	/* A batch of none has nothing to share it among. */
	begin = saferring_timer_begin(&timer);
	saferring_timer_end(&timer, begin, 0);
	assert_int_equal(saferring_histogram_count(&histogram), 100);
}

/* With a step of 64 the first of each 64 would be timed always or never. */
static void sampling_times_one_of_so_many_in_any_rhythm(void **unused)
{
	const unsigned int operations = 640000;
	unsigned int number, timed = 0, in_rhythm = 0;
	uint64_t begin;

	(void)unused;
	start(SAFERRING_TIMING_SAMPLED, 64);
	timer.random = 1;
	for (number = 0; number < operations; number++) {
		begin = saferring_timer_begin(&timer);
		timed += begin != 0;
		in_rhythm += begin != 0 && number % 64 == 0;
		saferring_timer_end(&timer, begin, 1);
	}
	assert_int_equal(saferring_histogram_count(&histogram), timed);
	assert_in_range(timed, 9500, 10500);
	assert_in_range(in_rhythm, 80, 240);
}

static void timings_out_of_range_are_refused(void **unused)
{
	static const struct {
		int timing;
		unsigned int every;
		int result;
	} cases[] = {
		{ -1, 0, -EINVAL },
		{ SAFERRING_TIMING_EXACT + 1, 0, -EINVAL },
		{ SAFERRING_TIMING_EXACT, 2, -EINVAL },
		{ SAFERRING_TIMING_BATCH, 2, -EINVAL },
		{ SAFERRING_TIMING_SAMPLED, 1, -EINVAL },
		{ SAFERRING_TIMING_SAMPLED, 2, 0 },
		{ SAFERRING_TIMING_SAMPLED, SAFERRING_TIMER_EVERY_MAX, 0 },
		{ SAFERRING_TIMING_SAMPLED, SAFERRING_TIMER_EVERY_MAX + 1,
		  -EINVAL },
	};
	size_t number;

	(void)unused;
	for (number = 0; number < sizeof(cases) / sizeof(*cases); number++)
		assert_int_equal(saferring_timer_init(&timer, &histogram,
						      cases[number].timing,
						      cases[number].every),
				 cases[number].result);
	start(SAFERRING_TIMING_SAMPLED, 0);
	assert_int_equal(timer.every, SAFERRING_TIMER_EVERY);
}

static void each_timing_is_labelled_with_its_cost(void **unused)
{
	double exact, sampled, batch;
	char text[160];

	(void)unused;
	start(SAFERRING_TIMING_EXACT, 0);
	exact = saferring_timer_cost(&timer, 0, text, sizeof(text));
	assert_non_null(strstr(text, "exact: two readings of "));
	start(SAFERRING_TIMING_SAMPLED, 1000);
	sampled = saferring_timer_cost(&timer, 0, text, sizeof(text));
	assert_non_null(strstr(text, "sampled 1/1000: "));
	start(SAFERRING_TIMING_BATCH, 0);
	batch = saferring_timer_cost(&timer, 1000, text, sizeof(text));
	assert_non_null(strstr(text, "batch of 1000: "));
	assert_true(exact > 0);
	assert_true(sampled < exact / 100 && batch < exact / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clock_agrees_with_the_systems),
		cmocka_unit_test(long_spans_do_not_overflow),
		cmocka_unit_test(the_clock_tells_what_it_is_and_costs),
		cmocka_unit_test(exact_timing_times_every_operation),
		cmocka_unit_test(a_batch_shares_its_time),
		cmocka_unit_test(sampling_times_one_of_so_many_in_any_rhythm),
		cmocka_unit_test(timings_out_of_range_are_refused),
		cmocka_unit_test(each_timing_is_labelled_with_its_cost),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
