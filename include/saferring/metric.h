/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Metric: a figure of the program's own beside those of the library, with a
 * name, labels and a unit.
 *
 *	counter		grows
 *	gauge		goes up and down
 *	distribution	a histogram
 *
 * Each thread counts into a place of its own, without a locked instruction; the
 * value is the sum over all threads, also those that have ended. Metrics live
 * as long as the process.
 */
#ifndef SAFERRING_METRIC_H
#define SAFERRING_METRIC_H

#include <saferring/api.h>
#include <saferring/histogram.h>
#include <saferring/word.h>

SAFERRING_BEGIN_DECLS

/* Counters and gauges, and distributions, that a process can have. */
#define SAFERRING_COUNTERS_MAX	    255
#define SAFERRING_DISTRIBUTIONS_MAX 31

/**
 * enum saferring_metric_type - what a metric is
 * @SAFERRING_METRIC_COUNTER: it grows
 * @SAFERRING_METRIC_GAUGE: it goes up and down
 * @SAFERRING_METRIC_HISTOGRAM: a distribution
 */
enum saferring_metric_type {
	SAFERRING_METRIC_COUNTER = 1,
	SAFERRING_METRIC_GAUGE = 2,
	SAFERRING_METRIC_HISTOGRAM = 3,
};

/**
 * struct saferring_label - a name and a value
 * @key: letters, digits and underscores; neither "le" nor beginning with "__"
 * @value: any text in UTF-8
 */
struct saferring_label {
	const char *key;
	const char *value;
};

/**
 * struct saferring_metric_options - what a metric is called
 * @size: sizeof(struct saferring_metric_options)
 * @name: letters, digits, underscores and colons, at most 71 of them, not
 *	beginning with "saferring_". With a unit it ends in "_" and the unit; it
 *	does not end in "_total", which writers add to the names of counters,
 *	nor in what they add to others: "_count", "_sum", "_bucket", "_created",
 *	"_info"
 * @help: one line for people, or NULL
 * @unit: such as "bytes" or "seconds", or NULL
 * @exponent: values are counted in the unit times 10 to this power, -18 to 18;
 *	-9 for nanoseconds where the unit is seconds
 * @labels: labels, or NULL
 * @label_count: number of @labels
 *
 * Metrics of one name differ in labels, and in nothing else.
 */
struct saferring_metric_options {
	size_t size;
	const char *name;
	const char *help;
	const char *unit;
	int exponent;
	const struct saferring_label *labels;
	size_t label_count;
};

/*
 * Handles. One that is all zeros stands for no metric: what is counted there is
 * in no sum.
 */
typedef struct saferring_counter {
	uint32_t word;
} saferring_counter;

typedef struct saferring_gauge {
	uint32_t word;
} saferring_gauge;

typedef struct saferring_distribution {
	uint32_t slot;
} saferring_distribution;

/*
 * The calling thread's places: those of distributions, and last the one of
 * counters and gauges. NULL until the thread has counted there.
 */
#define SAFERRING_SHARD_WORDS	 (SAFERRING_COUNTERS_MAX + 1)
#define SAFERRING_SHARD_COUNTERS (SAFERRING_DISTRIBUTIONS_MAX + 1)

extern SAFERRING_API __thread uint64_t
	*saferring_shards[SAFERRING_SHARD_COUNTERS + 1]
	__attribute__((tls_model("initial-exec")));

SAFERRING_API void saferring_counter_add_slow(uint32_t word, uint64_t more)
	SAFERRING_COLD;
SAFERRING_API void saferring_distribution_record_slow(uint32_t slot,
						      uint64_t value)
	SAFERRING_COLD;

/**
 * saferring_counter_create() - have a counter
 * @options: what it is called
 * @counter: out: the counter
 *
 * A second counter of the same name and labels is the first one. Any thread may
 * call it.
 *
 * Return: 0, or
 * -EINVAL: a name, label or unit is not as it has to be;
 * -EEXIST: there is a metric of that name with another type, unit or exponent;
 * -ENOSPC: there are SAFERRING_COUNTERS_MAX already;
 * -ENOMEM.
 */
SAFERRING_API int
saferring_counter_create(const struct saferring_metric_options *options,
			 saferring_counter *counter)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_counter_add() - count
 * @counter: the counter
 * @more: how many
 *
 * Any thread may call it. The first call in a thread takes a lock.
 */
SAFERRING_INLINE void saferring_counter_add(saferring_counter counter,
					    uint64_t more)
{
	uint64_t *shard = saferring_shards[SAFERRING_SHARD_COUNTERS];

	if (SAFERRING_UNLIKELY(!shard)) {
		saferring_counter_add_slow(counter.word, more);
		return;
	}
	saferring_word_add(&shard[counter.word % SAFERRING_SHARD_WORDS], more);
}

/**
 * saferring_counter_value() - what was counted
 * @counter: the counter
 *
 * Any thread may call it.
 *
 * Return: the sum over all threads, since the counter was created.
 */
SAFERRING_API uint64_t saferring_counter_value(saferring_counter counter);

/**
 * saferring_gauge_create() - have a gauge
 * @options: what it is called
 * @gauge: out: the gauge
 *
 * Return: as saferring_counter_create(), whose limit counts both.
 */
SAFERRING_API int
saferring_gauge_create(const struct saferring_metric_options *options,
		       saferring_gauge *gauge)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_gauge_add() - go up or down
 * @gauge: the gauge
 * @more: how much, negative for down
 *
 * Any thread may call it, whichever went up before. The first call in a thread
 * takes a lock.
 */
SAFERRING_INLINE void saferring_gauge_add(saferring_gauge gauge, int64_t more)
{
	const saferring_counter counter = { gauge.word };

	saferring_counter_add(counter, (uint64_t)more);
}

/**
 * saferring_gauge_value() - where a gauge stands
 * @gauge: the gauge
 *
 * Any thread may call it.
 *
 * Return: the sum over all threads.
 */
SAFERRING_API int64_t saferring_gauge_value(saferring_gauge gauge);

/**
 * saferring_distribution_create() - have a distribution
 * @options: what it is called
 * @distribution: out: the distribution
 *
 * Return: as saferring_counter_create(), with SAFERRING_DISTRIBUTIONS_MAX as
 * the limit.
 */
SAFERRING_API int
saferring_distribution_create(const struct saferring_metric_options *options,
			      saferring_distribution *distribution)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_distribution_record() - record a value
 * @distribution: the distribution
 * @value: the value
 *
 * Any thread may call it. The first call in a thread takes a lock.
 */
SAFERRING_INLINE void
saferring_distribution_record(saferring_distribution distribution,
			      uint64_t value)
{
	uint64_t *shard =
		saferring_shards[distribution.slot % SAFERRING_SHARD_COUNTERS];

	if (SAFERRING_UNLIKELY(!shard)) {
		saferring_distribution_record_slow(distribution.slot, value);
		return;
	}
	saferring_histogram_record((struct saferring_histogram *)(void *)shard,
				   value);
}

/**
 * saferring_distribution_shard() - the calling thread's own histogram
 * @distribution: the distribution
 *
 * For timers, and for loops that record much.
 *
 * Return: a histogram for this thread alone, until it ends; or NULL: there is
 * no such distribution, or no memory for another thread.
 */
SAFERRING_API struct saferring_histogram *
saferring_distribution_shard(saferring_distribution distribution)
	SAFERRING_MUST_CHECK;

/**
 * saferring_distribution_read() - what was recorded
 * @distribution: the distribution
 * @histogram: out: the values of all threads, since it was created
 *
 * Any thread may call it.
 *
 * Return: 0, or -EINVAL: there is no such distribution.
 */
SAFERRING_API int
saferring_distribution_read(saferring_distribution distribution,
			    struct saferring_histogram *histogram)
	SAFERRING_NONNULL(2) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_METRIC_H */
