// SPDX-License-Identifier: GPL-2.0
/*
 * The arithmetic of the bench: what it concludes from samples whose truth is
 * known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../bench.h"

#define MANY 400

static struct random drawn;

/* Uniform in [0, 1). */
static double uniform(void)
{
	return (double)(random_next(&drawn) >> 11) / 9007199254740992.0;
}

/* About normal, mean 0, deviation 1. */
static double normal(void)
{
	double sum = -6;
	int i;

	for (i = 0; i < 12; i++)
		sum += uniform();
	return sum;
}

/* A slice on a restless machine: now and then it takes much longer. */
static double restless(double length)
{
	double noise = 1 + 0.01 * normal();

	if (uniform() < 0.05)
		noise += 3 * uniform();
	return length * noise;
}

static int compare(const void *one, const void *other)
{
	const double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

static void quantiles_are_those_of_the_sorted_sample(void **state)
{
	double values[257], sorted[257];
	size_t count, i, round;

	(void)state;
	for (round = 0; round < 200; round++) {
		count = 1 + random_below(&drawn, 257);
		for (i = 0; i < count; i++)
			/* With many that are equal. */
			values[i] = random_below(&drawn, 40);
		memcpy(sorted, values, sizeof(sorted));
		qsort(sorted, count, sizeof(*sorted), compare);
		assert_true(quantile(values, count, 0) == sorted[0]);
		assert_true(quantile(values, count, 1) == sorted[count - 1]);
		if (count % 2)
			assert_true(quantile(values, count, 0.5) ==
				    sorted[count / 2]);
		else
			assert_true(quantile(values, count, 0.5) ==
				    (sorted[count / 2 - 1] +
				     sorted[count / 2]) / 2);
	}
}

static void a_quantile_between_two_values_is_interpolated(void **state)
{
	double values[] = { 40, 10, 30, 20 };

	(void)state;
	assert_true(fabs(quantile(values, 4, 0.25) - 17.5) < 1e-9);
	assert_true(fabs(quantile(values, 4, 0.9) - 37) < 1e-9);
}

static void draws_stay_below_their_limit_and_reach_all_of_it(void **state)
{
	unsigned int seen[7] = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < 7000; i++)
		seen[random_below(&drawn, 7)]++;
	for (i = 0; i < 7; i++)
		assert_in_range(seen[i], 850, 1150);
}

/* 95 % intervals hold the truth in 95 % of the cases, give or take. */
static void an_interval_holds_the_true_median_as_often_as_it_says(void **state)
{
	unsigned int held = 0, round;
	double values[101];
	size_t i;

	(void)state;
	for (round = 0; round < 400; round++) {
		struct estimate estimate;

		for (i = 0; i < 101; i++)
			values[i] = 5 + normal();
		estimate = estimate_median(values, 101, &drawn);
		held += estimate.low <= 5 && estimate.high >= 5;
		assert_true(estimate.low <= estimate.value);
		assert_true(estimate.value <= estimate.high);
	}
	assert_in_range(held, 360, 396);
}

static void an_interval_shrinks_with_the_root_of_the_sample(void **state)
{
	double *values = malloc(6400 * sizeof(*values));
	struct estimate few, many;
	size_t i;

	(void)state;
	assert_non_null(values);
	for (i = 0; i < 6400; i++)
		values[i] = normal();
	few = estimate_median(values, 100, &drawn);
	many = estimate_median(values, 6400, &drawn);
	assert_true(few.high - few.low > 4 * (many.high - many.low));
	free(values);
}

/* Ratios of pairs, the subject being @factor slower. */
static struct estimate paired(double factor)
{
	double ratio[MANY];
	size_t i;

	for (i = 0; i < MANY; i++) {
		/* What the machine does hits both. */
		const double weather = 1 + 0.5 * uniform();

		ratio[i] = restless(100 * factor * weather) /
			   restless(100 * weather);
	}
	return estimate_median(ratio, MANY, &drawn);
}

static void a_planted_ratio_is_found(void **state)
{
	static const double planted[] = { 0.5, 0.98, 1.02, 1.1, 3 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
		const struct estimate found = paired(planted[i]);

		assert_true(fabs(found.value / planted[i] - 1) < 0.004);
		assert_true(found.high - found.low < 0.01 * planted[i]);
	}
}

static void the_same_against_itself_is_one(void **state)
{
	unsigned int round;

	(void)state;
	for (round = 0; round < 20; round++) {
		const struct estimate found = paired(1);

		assert_true(fabs(found.value - 1) < 0.003);
	}
}

/* Values of a round are alike, rounds are not. */
static void rounds_that_differ_widen_the_interval(void **state)
{
	struct estimate blind, wise;
	unsigned int ends[8], held = 0, round, times;
	double values[400];
	size_t i;

	(void)state;
	for (times = 0; times < 100; times++) {
		for (round = 0; round < 8; round++) {
			const double level = 1 + 0.05 * normal();

			for (i = round * 50; i < round * 50 + 50; i++)
				values[i] = level + 0.001 * normal();
			ends[round] = (unsigned int)i;
		}
		blind = estimate_median(values, 400, &drawn);
		wise = estimate_rounds(values, ends, 8, &drawn);
		assert_true(wise.value == blind.value);
		assert_true(wise.high - wise.low > blind.high - blind.low);
		held += wise.low <= 1 && wise.high >= 1;
	}
	assert_in_range(held, 85, 100);
}

static void rounds_that_are_alike_do_not(void **state)
{
	unsigned int ends[8] = { 50, 100, 150, 200, 250, 300, 350, 400 };
	struct estimate blind, wise;
	double values[400];
	size_t i;

	(void)state;
	for (i = 0; i < 400; i++)
		values[i] = 1 + 0.01 * normal();
	blind = estimate_median(values, 400, &drawn);
	wise = estimate_rounds(values, ends, 8, &drawn);
	assert_true(wise.high - wise.low < 1.6 * (blind.high - blind.low));
}

static void a_planted_slowdown_fails_and_its_absence_passes(void **state)
{
	(void)state;
	assert_int_equal(judge(paired(1.03), 1.01, 0), VERDICT_FAIL);
	assert_int_equal(judge(paired(0.99), 1.01, 0), VERDICT_PASS);
}

static void a_verdict_needs_the_whole_interval_on_one_side(void **state)
{
	const struct estimate estimate = { 1.01, 1.00, 1.02 };

	(void)state;
	assert_int_equal(judge(estimate, 1.02, 0), VERDICT_PASS);
	assert_int_equal(judge(estimate, 1.0199, 0), VERDICT_INCONCLUSIVE);
	assert_int_equal(judge(estimate, 1.00, 0), VERDICT_INCONCLUSIVE);
	assert_int_equal(judge(estimate, 0.9999, 0), VERDICT_FAIL);
}

static void what_the_control_shows_widens_the_interval(void **state)
{
	const struct estimate estimate = { 1.01, 1.005, 1.015 };

	(void)state;
	assert_int_equal(judge(estimate, 1.02, 0), VERDICT_PASS);
	assert_int_equal(judge(estimate, 1.02, 0.01), VERDICT_INCONCLUSIVE);
	assert_int_equal(judge(estimate, 1.00, 0), VERDICT_FAIL);
	assert_int_equal(judge(estimate, 1.00, 0.01), VERDICT_INCONCLUSIVE);
	assert_int_equal(judge(estimate, 3, 0.01), VERDICT_PASS);
}

static void a_quiet_control_counts_for_nothing(void **state)
{
	(void)state;
	assert_true(control_error((struct estimate){ 1, 0.9971, 1.0029 }) == 0);
	assert_true(fabs(control_error((struct estimate){ 1, 0.99, 1 }) -
			 0.01) < 1e-9);
	assert_true(fabs(control_error((struct estimate){ 1, 1, 1.004 }) -
			 0.004) < 1e-9);
}

static void the_worse_verdict_stands(void **state)
{
	(void)state;
	assert_int_equal(worse(VERDICT_PASS, VERDICT_FAIL), VERDICT_FAIL);
	assert_int_equal(worse(VERDICT_FAIL, VERDICT_INCONCLUSIVE),
			 VERDICT_FAIL);
	assert_int_equal(worse(VERDICT_NONE, VERDICT_PASS), VERDICT_PASS);
	assert_int_equal(worse(VERDICT_INCONCLUSIVE, VERDICT_PASS),
			 VERDICT_INCONCLUSIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_those_of_the_sorted_sample),
		cmocka_unit_test(a_quantile_between_two_values_is_interpolated),
		cmocka_unit_test(draws_stay_below_their_limit_and_reach_all_of_it),
		cmocka_unit_test(an_interval_holds_the_true_median_as_often_as_it_says),
		cmocka_unit_test(an_interval_shrinks_with_the_root_of_the_sample),
		cmocka_unit_test(a_planted_ratio_is_found),
		cmocka_unit_test(the_same_against_itself_is_one),
		cmocka_unit_test(rounds_that_differ_widen_the_interval),
		cmocka_unit_test(rounds_that_are_alike_do_not),
		cmocka_unit_test(a_planted_slowdown_fails_and_its_absence_passes),
		cmocka_unit_test(a_verdict_needs_the_whole_interval_on_one_side),
		cmocka_unit_test(what_the_control_shows_widens_the_interval),
		cmocka_unit_test(a_quiet_control_counts_for_nothing),
		cmocka_unit_test(the_worse_verdict_stands),
	};

	random_seed(&drawn, 20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
