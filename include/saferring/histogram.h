/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Histogram: how often which value occurred, with a bounded relative error.
 *
 * Log-linear buckets. With b = SAFERRING_HISTOGRAM_BITS, values below 2^(b+1)
 * have a bucket of their own. Above, each range from 2^k to 2^(k+1) is divided
 * into 2^b buckets of equal width 2^(k-b):
 *
 *	shift = floor(log2(max(value, 2^b))) - b
 *	index = shift * 2^b + floor(value / 2^shift)
 *
 * A value is reported as the middle of its bucket. The distance is at most
 * half a width, 2^(shift-1), and the value at least 2^(shift+b), so that the
 * relative error is at most 2^-(b+1): 1/64 for b = 5. How many values there
 * were, their sum, the smallest and the largest are exact.
 *
 * All zeros is an empty histogram. One thread records; others may look on.
 */
#ifndef SAFERRING_HISTOGRAM_H
#define SAFERRING_HISTOGRAM_H

#include <saferring/api.h>
#include <saferring/word.h>

SAFERRING_BEGIN_DECLS

#define SAFERRING_HISTOGRAM_BITS    5
#define SAFERRING_HISTOGRAM_BUCKETS ((65 - SAFERRING_HISTOGRAM_BITS) << \
				     SAFERRING_HISTOGRAM_BITS)

/**
 * struct saferring_histogram - the values that were recorded
 * @sum: of all values, modulo 2^64
 * @smallest: the smallest value, 0 if there is none
 * @range: @largest - @smallest, so that one comparison tells whether a value
 *	lies between them
 * @largest: the largest value, 0 if there is none
 * @reserved: zero
 * @bucket: number of values in each bucket
 *
 * Programs may keep it wherever they like; they zero it and use the functions.
 */
struct saferring_histogram {
	uint64_t sum;
	uint64_t smallest;
	uint64_t range;
	uint64_t largest;
	uint64_t reserved[4];
	uint64_t bucket[SAFERRING_HISTOGRAM_BUCKETS];
};

/* The bucket that a value falls into. */
static inline size_t saferring_histogram_bucket(uint64_t value)
{
	const uint64_t least = UINT64_C(1) << SAFERRING_HISTOGRAM_BITS;
	/* 63 ^ n and not 63 - n: that is one instruction of the processor's. */
	const unsigned int log =
		63 ^ (unsigned int)__builtin_clzll(value | least);
	const unsigned int shift = log - SAFERRING_HISTOGRAM_BITS;

	return ((size_t)shift << SAFERRING_HISTOGRAM_BITS) +
	       (size_t)(value >> shift);
}

SAFERRING_API void
saferring_histogram_extend_slow(struct saferring_histogram *histogram,
				uint64_t value) SAFERRING_COLD;

/**
 * saferring_histogram_record() - record a value
 * @histogram: a histogram that no other thread records into
 * @value: the value, in whatever unit
 *
 * About a nanosecond; no locked instruction.
 */
SAFERRING_INLINE SAFERRING_NONNULL(1) void
saferring_histogram_record(struct saferring_histogram *histogram,
			   uint64_t value)
{
	const size_t bucket = saferring_histogram_bucket(value);

	saferring_word_add(&histogram->bucket[bucket], 1);
	saferring_word_add(&histogram->sum, value);
	if (SAFERRING_UNLIKELY(value - histogram->smallest > histogram->range))
		saferring_histogram_extend_slow(histogram, value);
}

/**
 * saferring_histogram_record_many() - record a value several times
 * @histogram: a histogram that no other thread records into
 * @value: the value
 * @count: how often; 0 records nothing
 *
 * For a batch whose operations are all given the same value.
 */
SAFERRING_API void
saferring_histogram_record_many(struct saferring_histogram *histogram,
				uint64_t value, uint64_t count)
	SAFERRING_NONNULL(1);

/**
 * saferring_histogram_count() - how many values were recorded
 * @histogram: a histogram
 *
 * Any thread may call this and the other functions that only look. While
 * another thread records, the result is right for a moment during the call.
 *
 * Return: the number, exact.
 */
SAFERRING_API uint64_t
saferring_histogram_count(const struct saferring_histogram *histogram)
	SAFERRING_NONNULL(1);

/**
 * saferring_histogram_min() - the smallest value
 * @histogram: a histogram
 *
 * Return: the value, exact, or 0 if there is none.
 */
SAFERRING_API uint64_t
saferring_histogram_min(const struct saferring_histogram *histogram)
	SAFERRING_NONNULL(1);

/**
 * saferring_histogram_max() - the largest value
 * @histogram: a histogram
 *
 * Return: the value, exact, or 0 if there is none.
 */
SAFERRING_API uint64_t
saferring_histogram_max(const struct saferring_histogram *histogram)
	SAFERRING_NONNULL(1);

/**
 * saferring_histogram_mean() - the arithmetic mean
 * @histogram: a histogram
 *
 * Return: the exact sum by the exact count, or 0 if there are no values.
 */
SAFERRING_API double
saferring_histogram_mean(const struct saferring_histogram *histogram)
	SAFERRING_NONNULL(1);

/**
 * saferring_histogram_percentile() - the value that so many do not exceed
 * @histogram: a histogram
 * @percent: 0 to 100, cut to that range; 50 asks for the median
 *
 * By nearest rank: of n values in ascending order it is about the value at place
 * ceil(n * percent / 100), and about the first one for 0.
 *
 * Return: within 1/64 of that value, never outside the smallest and the
 * largest; 0 if there are no values.
 */
SAFERRING_API uint64_t
saferring_histogram_percentile(const struct saferring_histogram *histogram,
			       double percent) SAFERRING_NONNULL(1);

/**
 * saferring_histogram_bounds() - the values of a bucket
 * @bucket: index of the bucket, less than SAFERRING_HISTOGRAM_BUCKETS
 * @low: out: the smallest value that falls into it
 * @high: out: the largest one
 *
 * Return: 0, or -EINVAL: there is no such bucket.
 */
SAFERRING_API int saferring_histogram_bounds(size_t bucket, uint64_t *low,
					     uint64_t *high)
	SAFERRING_NONNULL(2, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_histogram_copy() - copy a histogram that may be changing
 * @to: the copy
 * @from: a histogram that another thread may be recording into
 *
 * Each word of the copy is whole. A value that is recorded during the call can
 * be in the buckets and not in the sum, or the reverse.
 */
SAFERRING_API void
saferring_histogram_copy(struct saferring_histogram *to,
			 const struct saferring_histogram *from)
	SAFERRING_NONNULL(1, 2);

/**
 * saferring_histogram_merge() - add one histogram's values to another
 * @to: a histogram that no other thread records into
 * @from: the values that are added
 *
 * As if every value in @from had been recorded in @to.
 */
SAFERRING_API void
saferring_histogram_merge(struct saferring_histogram *to,
			  const struct saferring_histogram *from)
	SAFERRING_NONNULL(1, 2);

/**
 * saferring_histogram_delta() - what was recorded between two copies
 * @delta: out: the values in @later that are not in @earlier; may be either
 * @later: a copy
 * @earlier: a copy of the same histogram that was made before
 *
 * Count and sum are exact. What the smallest and the largest of the new values
 * were nobody has noted: unless they are those of @later, they are the bounds
 * of their buckets.
 *
 * Return: 0, or -EINVAL: some bucket of @earlier is fuller, so that it is no
 * earlier copy of that histogram; @delta is unchanged.
 */
SAFERRING_API int
saferring_histogram_delta(struct saferring_histogram *delta,
			  const struct saferring_histogram *later,
			  const struct saferring_histogram *earlier)
	SAFERRING_NONNULL(1, 2, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_histogram_reset() - forget all values
 * @histogram: a histogram that no other thread records into
 *
 * Where another thread records, take copies and their delta instead.
 */
SAFERRING_API void
saferring_histogram_reset(struct saferring_histogram *histogram)
	SAFERRING_NONNULL(1);

SAFERRING_END_DECLS

#endif /* SAFERRING_HISTOGRAM_H */
