// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Histogram: what is not done once an operation.
 */
#include <errno.h>
#include <string.h>
#include "stats.h"

/* Words that functions here go through one by one. */
#define WORDS (sizeof(struct saferring_histogram) / sizeof(uint64_t))

_Static_assert(SAFERRING_HISTOGRAM_BITS > 0 && SAFERRING_HISTOGRAM_BITS < 16,
	       "buckets for every value of 64 bits");

static uint64_t low_of(size_t bucket)
{
	const size_t linear = 2UL << SAFERRING_HISTOGRAM_BITS;
	const unsigned int shift =
		bucket < linear
			? 0
			: (unsigned int)(bucket >> SAFERRING_HISTOGRAM_BITS) -
				  1;

	return (uint64_t)(bucket - ((size_t)shift << SAFERRING_HISTOGRAM_BITS))
	       << shift;
}

static uint64_t high_of(size_t bucket)
{
	if (bucket + 1 == SAFERRING_HISTOGRAM_BUCKETS)
		return UINT64_MAX;
	return low_of(bucket + 1) - 1;
}

static void set_extremes(struct saferring_histogram *histogram,
			 uint64_t smallest, uint64_t largest)
{
	saferring_word_set(&histogram->smallest, smallest);
	saferring_word_set(&histogram->largest, largest);
	saferring_word_set(&histogram->range, largest - smallest);
}

/* Whether nothing was recorded: if zero was, its bucket shows it. */
static bool is_empty(const struct saferring_histogram *histogram)
{
	return !saferring_word_get(&histogram->largest) &&
	       !saferring_word_get(&histogram->bucket[0]);
}

void saferring_histogram_extend_slow(struct saferring_histogram *histogram,
				     uint64_t value)
{
	uint64_t smallest = histogram->smallest;
	uint64_t largest = histogram->largest;

	/* The bucket of @value, which is not 0, is counted already. */
	if (is_empty(histogram))
		smallest = value;
	set_extremes(histogram, SR_MIN(smallest, value),
		     value > largest ? value : largest);
}

void saferring_histogram_record_many(struct saferring_histogram *histogram,
				     uint64_t value, uint64_t count)
{
	if (!count)
		return;
	saferring_histogram_record(histogram, value);
	saferring_word_add(
		&histogram->bucket[saferring_histogram_bucket(value)],
		count - 1);
	saferring_word_add(&histogram->sum, value * (count - 1));
}

uint64_t saferring_histogram_count(const struct saferring_histogram *histogram)
{
	uint64_t count = 0;
	size_t bucket;

	for (bucket = 0; bucket < SAFERRING_HISTOGRAM_BUCKETS; bucket++)
		count += saferring_word_get(&histogram->bucket[bucket]);
	return count;
}

uint64_t saferring_histogram_min(const struct saferring_histogram *histogram)
{
	return saferring_word_get(&histogram->smallest);
}

uint64_t saferring_histogram_max(const struct saferring_histogram *histogram)
{
	return saferring_word_get(&histogram->largest);
}

double saferring_histogram_mean(const struct saferring_histogram *histogram)
{
	const uint64_t count = saferring_histogram_count(histogram);

	if (!count)
		return 0;
	return (double)saferring_word_get(&histogram->sum) / (double)count;
}

/* Place of the value that is looked for, from 1 on. */
static uint64_t rank_of(uint64_t count, double percent)
{
	uint64_t rank;
	double exact;

	if (!(percent > 0))
		return 1;
	if (percent >= 100)
		return count;
	exact = (double)count * percent / 100;
	rank = (uint64_t)exact;
	/* 99.9 % of 1000 is 999, which its binary fraction exceeds a little. */
	if (exact - (double)rank > exact / 1e14)
		rank++;
	if (rank > count)
		return count;
	return rank ? rank : 1;
}

static uint64_t middle_of(const struct saferring_histogram *histogram,
			  size_t bucket)
{
	const uint64_t smallest = saferring_histogram_min(histogram);
	const uint64_t largest = saferring_histogram_max(histogram);
	const uint64_t low = low_of(bucket);
	const uint64_t middle = low + (high_of(bucket) - low) / 2;

	if (middle > largest)
		return largest;
	return middle < smallest ? smallest : middle;
}

uint64_t
saferring_histogram_percentile(const struct saferring_histogram *histogram,
			       double percent)
{
	const uint64_t count = saferring_histogram_count(histogram);
	const uint64_t rank = rank_of(count, percent);
	uint64_t seen = 0;
	size_t bucket;

	if (!count)
		return 0;
	for (bucket = 0; bucket < SAFERRING_HISTOGRAM_BUCKETS; bucket++) {
		seen += saferring_word_get(&histogram->bucket[bucket]);
		if (seen >= rank)
			return middle_of(histogram, bucket);
	}
	return saferring_histogram_max(histogram);
}

int saferring_histogram_bounds(size_t bucket, uint64_t *low, uint64_t *high)
{
	if (bucket >= SAFERRING_HISTOGRAM_BUCKETS || !low || !high)
		return sr_fail_argument(
			"histogram_bounds",
			"bucket %zu of %d, or no place for its bounds", bucket,
			SAFERRING_HISTOGRAM_BUCKETS);
	*low = low_of(bucket);
	*high = high_of(bucket);
	return 0;
}

void saferring_histogram_copy(struct saferring_histogram *to,
			      const struct saferring_histogram *from)
{
	const uint64_t *words = (const uint64_t *)(const void *)from;
	uint64_t *copy = (uint64_t *)(void *)to;
	size_t word;

	for (word = 0; word < WORDS; word++)
		copy[word] = saferring_word_get(&words[word]);
}

void saferring_histogram_merge(struct saferring_histogram *to,
			       const struct saferring_histogram *from)
{
	const uint64_t smallest = saferring_histogram_min(from);
	const uint64_t largest = saferring_histogram_max(from);
	uint64_t more;
	size_t bucket;

	if (is_empty(from))
		return;
	if (is_empty(to))
		set_extremes(to, smallest, largest);
	else
		set_extremes(to, SR_MIN(smallest, to->smallest),
			     largest > to->largest ? largest : to->largest);
	for (bucket = 0; bucket < SAFERRING_HISTOGRAM_BUCKETS; bucket++) {
		more = saferring_word_get(&from->bucket[bucket]);
		if (more)
			saferring_word_add(&to->bucket[bucket], more);
	}
	saferring_word_add(&to->sum, saferring_word_get(&from->sum));
}

bool sr_histogram_is_earlier(const struct saferring_histogram *later,
			     const struct saferring_histogram *earlier)
{
	size_t bucket;

	for (bucket = 0; bucket < SAFERRING_HISTOGRAM_BUCKETS; bucket++)
		if (earlier->bucket[bucket] > later->bucket[bucket])
			return false;
	return true;
}

/* The extremes of a difference, as well as they can be known. */
static void bound(struct saferring_histogram *delta, uint64_t smallest,
		  uint64_t largest)
{
	size_t first = 0, last = SAFERRING_HISTOGRAM_BUCKETS;

	while (first < last && !delta->bucket[first])
		first++;
	while (last > first && !delta->bucket[last - 1])
		last--;
	if (first == last) {
		set_extremes(delta, 0, 0);
		return;
	}
	if (largest > high_of(last - 1))
		largest = high_of(last - 1);
	if (smallest < low_of(first))
		smallest = low_of(first);
	set_extremes(delta, smallest, largest);
}

int saferring_histogram_delta(struct saferring_histogram *delta,
			      const struct saferring_histogram *later,
			      const struct saferring_histogram *earlier)
{
	uint64_t smallest, largest;
	size_t bucket;

	if (!delta || !later || !earlier ||
	    !sr_histogram_is_earlier(later, earlier))
		return sr_fail_argument(
			"histogram_delta",
			"the second is no earlier copy of the first");
	smallest = saferring_histogram_min(later);
	largest = saferring_histogram_max(later);
	for (bucket = 0; bucket < SAFERRING_HISTOGRAM_BUCKETS; bucket++)
		delta->bucket[bucket] =
			later->bucket[bucket] - earlier->bucket[bucket];
	delta->sum = later->sum - earlier->sum;
	memset(delta->reserved, 0, sizeof(delta->reserved));
	bound(delta, smallest, largest);
	return 0;
}

void saferring_histogram_reset(struct saferring_histogram *histogram)
{
	uint64_t *words = (uint64_t *)(void *)histogram;
	size_t word;

	for (word = 0; word < WORDS; word++)
		saferring_word_set(&words[word], 0);
}
