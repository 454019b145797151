// SPDX-License-Identifier: GPL-2.0
/* Histogram: exact in number and sum, and within its bound for the rest. */
#include <math.h>
#include "common.h"

#define BOUND (1.0 / (2 << SAFERRING_HISTOGRAM_BITS))

/* A log of values beside the histogram that they are recorded in. */
#define LOG 100000
static uint64_t values[LOG];
static struct saferring_histogram histogram, other, third;

static uint64_t state;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int set_up(void **unused)
{
	(void)unused;
	state = 88172645463325252U;
	memset(&histogram, 0, sizeof(histogram));
	memset(&other, 0, sizeof(other));
	memset(&third, 0xa5, sizeof(third));
	return 0;
}

static int compare(const void *a, const void *b)
{
	const uint64_t left = *(const uint64_t *)a;
	const uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* The nearest rank, in integers: @permille of 1000. */
static uint64_t exact_percentile(size_t count, unsigned int permille)
{
	const size_t rank = (count * permille + 999) / 1000;

	return values[rank ? rank - 1 : 0];
}

static void assert_near(uint64_t got, uint64_t exact)
{
	const double distance =
		got > exact ? (double)(got - exact) : (double)(exact - got);

	if (distance > (double)exact * BOUND)
		fail_msg("%llu is more than 1/64 from %llu",
			 (unsigned long long)got, (unsigned long long)exact);
}

static uint64_t percentile(double percent)
{
	return saferring_histogram_percentile(&histogram, percent);
}

/* Record the log, then hold every figure against it. */
static void compare_with_log(size_t count)
{
	static const unsigned int permille[] = { 0,   1,   10,	250, 500,
						 900, 990, 999, 1000 };
	uint64_t sum = 0;
	size_t number;

	for (number = 0; number < count; number++) {
		saferring_histogram_record(&histogram, values[number]);
		sum += values[number];
	}
	qsort(values, count, sizeof(*values), compare);
	assert_int_equal(saferring_histogram_count(&histogram), count);
	assert_int_equal(histogram.sum, sum);
	assert_int_equal(saferring_histogram_min(&histogram), values[0]);
	assert_int_equal(saferring_histogram_max(&histogram),
			 values[count - 1]);
	for (number = 0; number < sizeof(permille) / sizeof(*permille);
	     number++)
		assert_near(percentile(permille[number] / 10.0),
			    exact_percentile(count, permille[number]));
}

static void values_of_all_sizes_are_within_the_bound(void **unused)
{
	size_t number;

	(void)unused;
	for (number = 0; number < LOG; number++)
		values[number] = next_random() >> (next_random() & 63);
	compare_with_log(LOG);
}

static void latencies_with_a_tail_are_within_the_bound(void **unused)
{
	size_t number;

	(void)unused;
	for (number = 0; number < LOG; number++)
		values[number] = 900 + next_random() % 200 +
				 (number % 997 ? 0 : next_random() % 5000000);
	compare_with_log(LOG);
	assert_true(fabs(saferring_histogram_mean(&histogram) -
			 (double)histogram.sum / LOG) < 1e-6);
}

static void one_value_is_all_percentiles(void **unused)
{
	(void)unused;
	values[0] = 123456789;
	compare_with_log(1);
	assert_int_equal(saferring_histogram_percentile(&histogram, 0),
			 123456789);
	assert_int_equal(saferring_histogram_percentile(&histogram, 100),
			 123456789);
}

static void small_values_have_buckets_of_their_own(void **unused)
{
	uint64_t value;

	(void)unused;
	for (value = 0; value < 64; value++) {
		saferring_histogram_reset(&histogram);
		saferring_histogram_record(&histogram, value);
		assert_int_equal(histogram.bucket[value], 1);
		assert_int_equal(saferring_histogram_percentile(&histogram, 50),
				 value);
	}
	/* And 64 and 65 share one. */
	saferring_histogram_record(&histogram, 64);
	saferring_histogram_record(&histogram, 65);
	assert_int_equal(histogram.bucket[64], 2);
}

static void assert_falls_into(uint64_t value, size_t bucket)
{
	saferring_histogram_reset(&histogram);
	saferring_histogram_record(&histogram, value);
	assert_int_equal(histogram.bucket[bucket], 1);
}

static void both_ends_of_every_bucket_fall_into_it(void **unused)
{
	uint64_t low, high, next = 0;
	size_t bucket;
	int error;

	(void)unused;
	for (bucket = 0; bucket < SAFERRING_HISTOGRAM_BUCKETS; bucket++) {
		error = saferring_histogram_bounds(bucket, &low, &high);
		assert_int_equal(error, 0);
		assert_int_equal(low, next);
		assert_true(high >= low);
		assert_falls_into(low, bucket);
		assert_falls_into(high, bucket);
		/* Half the width by the smallest value is the bound. */
		assert_true((double)(high - low) / 2 <= (double)low * BOUND);
		next = high + 1;
	}
	assert_int_equal(next, 0);
	assert_int_equal(saferring_histogram_bounds(bucket, &low, &high),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
}

static void an_empty_one_has_no_values(void **unused)
{
	(void)unused;
	assert_int_equal(saferring_histogram_count(&histogram), 0);
	assert_int_equal(saferring_histogram_min(&histogram), 0);
	assert_int_equal(saferring_histogram_max(&histogram), 0);
	assert_int_equal(saferring_histogram_percentile(&histogram, 50), 0);
	assert_true(saferring_histogram_mean(&histogram) < 1e-9);
}

static void zero_and_the_largest_value_are_values(void **unused)
{
	(void)unused;
	saferring_histogram_record(&histogram, 0);
	assert_int_equal(saferring_histogram_count(&histogram), 1);
	saferring_histogram_record(&histogram, 7);
	assert_int_equal(saferring_histogram_min(&histogram), 0);
	saferring_histogram_record(&other, UINT64_MAX);
	assert_int_equal(saferring_histogram_min(&other), UINT64_MAX);
	assert_int_equal(saferring_histogram_max(&other), UINT64_MAX);
	saferring_histogram_record(&other, 0);
	assert_int_equal(saferring_histogram_min(&other), 0);
	assert_int_equal(saferring_histogram_max(&other), UINT64_MAX);
}

static void many_at_once_are_as_many_one_by_one(void **unused)
{
	int number;

	(void)unused;
	for (number = 0; number < 1000; number++)
		saferring_histogram_record(&histogram, 777);
	saferring_histogram_record_many(&other, 777, 1000);
	saferring_histogram_record_many(&other, 1, 0);
	assert_memory_equal(&histogram, &other, sizeof(other));
}

static void merging_is_recording_both(void **unused)
{
	uint64_t value;
	int number;

	(void)unused;
	saferring_histogram_reset(&third);
	for (number = 0; number < 10000; number++) {
		value = next_random() >> 40;
		saferring_histogram_record(number & 1 ? &histogram : &other,
					   value);
		saferring_histogram_record(&third, value);
	}
	saferring_histogram_merge(&histogram, &other);
	assert_memory_equal(&histogram, &third, sizeof(third));
	/* What is empty changes nothing, and takes all. */
	saferring_histogram_reset(&other);
	saferring_histogram_merge(&histogram, &other);
	assert_memory_equal(&histogram, &third, sizeof(third));
	saferring_histogram_merge(&other, &histogram);
	assert_memory_equal(&other, &third, sizeof(third));
}

static int self_delta(void)
{
	return saferring_histogram_delta(&third, &histogram, &histogram);
}

static void a_delta_is_what_came_between(void **unused)
{
	uint64_t sum = 0;
	int number;

	(void)unused;
	saferring_histogram_record(&histogram, 5);
	saferring_histogram_record(&histogram, 1000000);
	saferring_histogram_copy(&other, &histogram);
	for (number = 1000; number < 2000; number++) {
		saferring_histogram_record(&histogram, (uint64_t)number);
		sum += (uint64_t)number;
	}
	assert_int_equal(saferring_histogram_delta(&third, &histogram, &other),
			 0);
	assert_int_equal(saferring_histogram_count(&third), 1000);
	assert_int_equal(third.sum, sum);
	/* The extremes are bounds of buckets now. */
	assert_true(saferring_histogram_min(&third) <= 1000);
	assert_near(saferring_histogram_min(&third) + 1, 1000);
	assert_true(saferring_histogram_max(&third) >= 1999);
	assert_near(saferring_histogram_max(&third), 1999);
	assert_int_equal(self_delta(), 0);
	assert_int_equal(saferring_histogram_count(&third), 0);
	assert_int_equal(saferring_histogram_max(&third), 0);
}

static void a_delta_the_wrong_way_is_refused(void **unused)
{
	(void)unused;
	saferring_histogram_copy(&other, &histogram);
	saferring_histogram_record(&histogram, 5);
	saferring_histogram_copy(&third, &other);
	assert_int_equal(saferring_histogram_delta(&third, &other, &histogram),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_memory_equal(&third, &other, sizeof(other));
}

#define TEST(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_of_all_sizes_are_within_the_bound),
		TEST(latencies_with_a_tail_are_within_the_bound),
		TEST(one_value_is_all_percentiles),
		TEST(small_values_have_buckets_of_their_own),
		TEST(both_ends_of_every_bucket_fall_into_it),
		TEST(an_empty_one_has_no_values),
		TEST(zero_and_the_largest_value_are_values),
		TEST(many_at_once_are_as_many_one_by_one),
		TEST(merging_is_recording_both),
		TEST(a_delta_is_what_came_between),
		TEST(a_delta_the_wrong_way_is_refused),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
