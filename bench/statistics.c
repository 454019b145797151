// SPDX-License-Identifier: GPL-2.0
/*
 * Medians, their intervals, and verdicts.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

/* Resamples of the bootstrap: the ends of the interval move by less than a
 * twentieth of its length from one seed to the next.
 */
#define RESAMPLES 1000
/* What an A/A control may be off before it is taken into account. */
#define CONTROL_TOLERANCE 0.003

void random_seed(struct random *random, uint64_t seed)
{
	random->state = seed * 0x9e3779b97f4a7c15ULL + 0x2545f4914f6cdd1dULL;
	if (!random->state)
		random->state = 1;
}

uint64_t random_next(struct random *random)
{
	uint64_t x = random->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random->state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

uint32_t random_below(struct random *random, uint32_t limit)
{
	return (uint32_t)(((random_next(random) >> 32) * limit) >> 32);
}

static void swap(double *one, double *other)
{
	const double held = *one;

	*one = *other;
	*other = held;
}

/*
 * Hoare's partition: what lies up to the index returned, which is below @high,
 * is no larger than what lies behind.
 */
static size_t partition(double *values, size_t low, size_t high)
{
	const double pivot = values[low + (high - low) / 2];

	for (;;) {
		while (values[low] < pivot)
			low++;
		while (values[high] > pivot)
			high--;
		if (low >= high)
			return high;
		swap(&values[low++], &values[high--]);
	}
}

static double nth_smallest(double *values, size_t count, size_t nth)
{
	size_t low = 0, high = count - 1;

	while (low < high) {
		const size_t middle = partition(values, low, high);

		if (nth <= middle)
			high = middle;
		else
			low = middle + 1;
	}
	return values[nth];
}

double quantile(double *values, size_t count, double q)
{
	const double place = q * (double)(count - 1);
	const size_t below = (size_t)place;
	const double part = place - (double)below;
	const double value = nth_smallest(values, count, below);

	if (part == 0)
		return value;
	return value + part * (nth_smallest(values, count, below + 1) - value);
}

/* Draws values of drawn rounds. Returns their number. */
static size_t resample(const double *values, const unsigned int *ends,
		       size_t rounds, double *sample, struct random *random)
{
	size_t i, j, count = 0;

	for (i = 0; i < rounds; i++) {
		const uint32_t round =
			random_below(random, (uint32_t)rounds);
		const unsigned int first = round ? ends[round - 1] : 0;
		const unsigned int length = ends[round] - first;

		for (j = 0; j < length; j++)
			sample[count++] =
				values[first + random_below(random, length)];
	}
	return count;
}

static size_t longest(const unsigned int *ends, size_t rounds)
{
	size_t i, most = ends[0];

	for (i = 1; i < rounds; i++)
		if (ends[i] - ends[i - 1] > most)
			most = ends[i] - ends[i - 1];
	return most;
}

struct estimate estimate_rounds(const double *values, const unsigned int *ends,
				size_t rounds, struct random *random)
{
	const size_t room = rounds * longest(ends, rounds);
	double *sample = malloc(room * sizeof(*sample));
	double *medians = malloc(RESAMPLES * sizeof(*medians));
	const size_t count = ends[rounds - 1];
	struct estimate estimate = { 0 };
	size_t i, drawn;

	if (!sample || !medians)
		abort();
	memcpy(sample, values, count * sizeof(*sample));
	estimate.value = quantile(sample, count, 0.5);
	for (i = 0; i < RESAMPLES; i++) {
		drawn = resample(values, ends, rounds, sample, random);
		medians[i] = quantile(sample, drawn, 0.5);
	}
	estimate.low = quantile(medians, RESAMPLES, 0.025);
	estimate.high = quantile(medians, RESAMPLES, 0.975);
	free(medians);
	free(sample);
	return estimate;
}

struct estimate estimate_median(const double *values, size_t count,
				struct random *random)
{
	const unsigned int end = (unsigned int)count;

	return estimate_rounds(values, &end, 1, random);
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_NONE] = "measured",
		[VERDICT_PASS] = "pass",
		[VERDICT_FAIL] = "fail",
		[VERDICT_INCONCLUSIVE] = "inconclusive",
		[VERDICT_SKIPPED] = "skipped",
	};

	return names[verdict];
}

enum verdict judge(struct estimate estimate, double ceiling, double slack)
{
	const double error = slack * fabs(estimate.value);

	if (estimate.low - error > ceiling)
		return VERDICT_FAIL;
	if (estimate.high + error <= ceiling)
		return VERDICT_PASS;
	return VERDICT_INCONCLUSIVE;
}

static int badness(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_FAIL:
		return 4;
	case VERDICT_INCONCLUSIVE:
		return 3;
	case VERDICT_PASS:
		return 2;
	case VERDICT_SKIPPED:
		return 1;
	default:
		return 0;
	}
}

enum verdict worse(enum verdict one, enum verdict other)
{
	return badness(one) >= badness(other) ? one : other;
}

/*
 * The control compares the twin with itself, so what its interval shows beyond
 * 1 is what this machine makes of nothing. A little of that is no matter; more
 * is added to the interval of what is judged, so that a verdict stands only if
 * it would with that error.
 */
double control_error(struct estimate control)
{
	const double off = fmax(fabs(control.low - 1), fabs(control.high - 1));

	return off <= CONTROL_TOLERANCE ? 0 : off;
}
