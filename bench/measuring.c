// SPDX-License-Identifier: GPL-2.0
/*
 * Measuring measured: what a count, a histogram or a time costs that a program
 * takes with the library's own instruments. The twins are what is used where
 * there is no library: atomics that all threads share, a clock read twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <saferring.h>
#include "place.h"
#include "bench.h"

/* A library that it is compared with may be older than its instruments. */
#if __has_include(<saferring/metric.h>)

/* Values that a histogram is given in turn: a power of two. */
#define VALUES 1024U
/* Operations of a batch that is timed as one. */
#define BATCH 32U

/**
 * struct instruments - state of a row
 * @atomic: a counter that threads share
 * @most: the most that it was
 * @values: times of operations as they are found, most of them alike
 */
struct instruments {
	saferring_counter counter;
	saferring_tracker tracker;
	struct saferring_histogram *histogram;
	struct saferring_timer timer;
	uint64_t atomic;
	uint64_t most;
	uint64_t bucket[64];
	uint64_t values[VALUES];
	uint64_t at;
};

static void instruments_down(void *state)
{
	struct instruments *instruments = state;

	free(instruments->histogram);
	free(instruments);
}

/* Around 4 us, and one of a hundred up to a hundred times as long. */
static void make_values(struct instruments *instruments)
{
	struct random random;
	size_t i;

	random_seed(&random, 3);
	for (i = 0; i < VALUES; i++) {
		uint64_t value = 3000 + random_below(&random, 2000);

		if (!random_below(&random, 100))
			value *= 1 + random_below(&random, 100);
		instruments->values[i] = value;
	}
}

/* The same goes for it as for a counter. */
static int make_tracker(saferring_tracker *tracker)
{
	static saferring_tracker made;
	struct saferring_metric_options how;
	int error = 0;

	SAFERRING_OPTIONS_INIT(&how);
	how.name = "bench_bytes";
	how.unit = "bytes";
	how.help = "Bytes that the bench has in use.";
	if (!made.word)
		error = saferring_tracker_create(&how, &made);
	*tracker = made;
	return error;
}

/* A counter lives as long as the process: all rounds have the same. */
static int make_counter(saferring_counter *counter)
{
	static saferring_counter made;
	struct saferring_metric_options how;
	int error = 0;

	SAFERRING_OPTIONS_INIT(&how);
	how.name = "bench_operations";
	how.help = "Operations that the bench has counted.";
	if (!made.word)
		error = saferring_counter_create(&how, &made);
	*counter = made;
	return error;
}

static void *instruments_make(int timing)
{
	const unsigned int every = timing == SAFERRING_TIMING_SAMPLED ?
				   SAFERRING_TIMER_EVERY : 0;
	struct instruments *instruments;

	instruments = calloc(1, sizeof(*instruments));
	if (instruments)
		instruments->histogram =
			calloc(1, sizeof(*instruments->histogram));
	if (!instruments || !instruments->histogram) {
		free(instruments);
		return row_fail("no memory");
	}
	saferring_histogram_reset(instruments->histogram);
	make_values(instruments);
	if (!make_counter(&instruments->counter) &&
	    !make_tracker(&instruments->tracker) &&
	    !saferring_timer_init(&instruments->timer, instruments->histogram,
				  timing, every))
		return instruments;
	row_fail("%s", saferring_error_last()->what);
	instruments_down(instruments);
	return NULL;
}

static void *instruments_up(const struct row *row)
{
	(void)row;
	return instruments_make(SAFERRING_TIMING_BATCH);
}

static void *sampled_up(const struct row *row)
{
	(void)row;
	return instruments_make(SAFERRING_TIMING_SAMPLED);
}

/* ---- counter ---- */

static __always_inline void counter_subject_loop(void *state, uint64_t calls)
{
	const saferring_counter counter = ((struct instruments *)state)->counter;

	while (calls--) {
		saferring_counter_add(counter, 1);
		FORGET();
	}
}

PLACED(counter_subject)

static __always_inline void counter_twin_loop(void *state, uint64_t calls)
{
	struct instruments *instruments = state;

	while (calls--)
		__atomic_fetch_add(&instruments->atomic, 1, __ATOMIC_RELAXED);
}

PLACED(counter_twin)

/* ---- tracker ---- */

/* As much is taken as given back, in turns: each of them is a call. */
static __always_inline void tracker_subject_loop(void *state, uint64_t calls)
{
	const saferring_tracker tracker = ((struct instruments *)state)->tracker;
	int64_t more = 4096;

	while (calls--) {
		saferring_tracker_add(tracker, more);
		more = -more;
		FORGET();
	}
}

PLACED(tracker_subject)

/* What there is, and the most that there was, for all threads. */
static __always_inline void tracker_twin_loop(void *state, uint64_t calls)
{
	struct instruments *instruments = state;
	uint64_t more = 4096, now;

	while (calls--) {
		now = __atomic_add_fetch(&instruments->atomic, more,
					 __ATOMIC_RELAXED);
		if (now > __atomic_load_n(&instruments->most, __ATOMIC_RELAXED))
			__atomic_store_n(&instruments->most, now,
					 __ATOMIC_RELAXED);
		more = -more;
	}
}

PLACED(tracker_twin)

/* ---- histogram ---- */

static __always_inline void histogram_subject_loop(void *state, uint64_t calls)
{
	struct instruments *instruments = state;
	uint64_t at = instruments->at;

	while (calls--) {
		saferring_histogram_record(instruments->histogram,
			instruments->values[at++ % VALUES]);
		FORGET();
	}
	instruments->at = at;
}

PLACED(histogram_subject)

/* As coarse as can be: by powers of two, which errs by up to a half. */
static __always_inline void histogram_twin_loop(void *state, uint64_t calls)
{
	struct instruments *instruments = state;
	uint64_t at = instruments->at;

	while (calls--) {
		const uint64_t value = instruments->values[at++ % VALUES];

		instruments->bucket[63 ^ __builtin_clzll(value | 1)]++;
		FORGET();
	}
	instruments->at = at;
}

PLACED(histogram_twin)

/* ---- timers: over a loop that times nothing ---- */

static __always_inline void sampled_subject_loop(void *state, uint64_t calls)
{
	struct saferring_timer *timer = &((struct instruments *)state)->timer;

	while (calls--) {
		const uint64_t begin = saferring_timer_begin(timer);

		FORGET();
		saferring_timer_end(timer, begin, 1);
	}
}

PLACED(sampled_subject)

static __always_inline void nothing_twin_loop(void *state, uint64_t calls)
{
	(void)state;
	while (calls--)
		FORGET();
}

PLACED(nothing_twin)

static __always_inline void batch_subject_loop(void *state, uint64_t calls)
{
	struct saferring_timer *timer = &((struct instruments *)state)->timer;
	unsigned int i;

	while (calls--) {
		const uint64_t begin = saferring_timer_begin(timer);

		for (i = 0; i < BATCH; i++)
			FORGET();
		saferring_timer_end(timer, begin, BATCH);
	}
}

PLACED(batch_subject)

static __always_inline void batch_twin_loop(void *state, uint64_t calls)
{
	unsigned int i;

	(void)state;
	while (calls--)
		for (i = 0; i < BATCH; i++)
			FORGET();
}

PLACED(batch_twin)

#define INSTRUMENT(up, with, without)                                          \
	.group = "micro", .setup = up, .teardown = instruments_down,           \
	.run_subject = with##_subject, .run_twin = without##_twin,             \
	.instructions = true

const struct row measuring_rows[] = {
	{
		INSTRUMENT(instruments_up, counter, counter),
		.name = "counter",
		.subject = "a counter of the thread's",
		.twin = "atomic counter that threads share",
		.about = "saferring_counter_add(), beside a shared atomic",
		.per = 1,
		.goal = { { GOAL_NS, 0.3 } },
	},
	{
		INSTRUMENT(instruments_up, tracker, tracker),
		.name = "tracker",
		.subject = "a memory tracker of the library's",
		.twin = "atomic sum and peak that threads share",
		.about = "saferring_tracker_add() of 4 KiB, taken and given back in turns",
		.per = 1,
		.goal = { { GOAL_NS, 0.3 } },
	},
	{
		INSTRUMENT(instruments_up, histogram, histogram),
		.name = "histogram",
		.subject = "histogram with errors below 1/32",
		.twin = "histogram by powers of two",
		.about = "saferring_histogram_record() of a time",
		.per = 1,
		.goal = { { GOAL_NS, 0.9 } },
	},
	{
		INSTRUMENT(instruments_up, batch, batch),
		.name = "timer.batch",
		.subject = "a batch of 32 timed",
		.twin = "the loop alone",
		.about = "clock read and recorded for 32 operations; a share of it",
		.per = BATCH,
		.goal = { { GOAL_NS_OVER, 1 } },
	},
	{
		INSTRUMENT(sampled_up, sampled, nothing),
		.name = "timer.sampled",
		.subject = "one of 64 operations timed",
		.twin = "the loop alone",
		.about = "clock read and recorded for one operation of 64",
		.per = 1,
		.goal = { { GOAL_NS_OVER, 1 } },
	},
	{ 0 },
};
#else
const struct row measuring_rows[] = {
	{ 0 },
};
#endif
