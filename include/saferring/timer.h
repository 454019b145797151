/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Timer: how long operations take, at a cost that is known.
 *
 * Reading a clock twice takes longer than many operations do. So a timer reads
 * it once a batch, or once in a while for an operation picked at random; every
 * operation is timed only on request.
 */
#ifndef SAFERRING_TIMER_H
#define SAFERRING_TIMER_H

#include <saferring/api.h>
#include <saferring/histogram.h>

SAFERRING_BEGIN_DECLS

/*
 * What inline code reads. @counter is set once the processor's time stamp
 * counter is known to be a clock.
 */
struct saferring_clock_fast {
	uint64_t scale; /* nanoseconds of a tick, times 2^32 */
	uint32_t counter;
	uint32_t reserved;
};

extern SAFERRING_API struct saferring_clock_fast saferring_clock_fast[1];

SAFERRING_API uint64_t saferring_clock_ticks_slow(void);

/**
 * saferring_clock_ticks() - read the clock
 *
 * The processor's counter, where it runs at one rate and the kernel itself
 * keeps time by it; otherwise CLOCK_MONOTONIC in nanoseconds. The first call in
 * a process takes 2 ms, in which the counter is held against CLOCK_MONOTONIC.
 *
 * The counter is read without waiting for the instructions before it, which
 * matters for spans of a few nanoseconds only. Any thread may call it.
 *
 * Return: ticks, for differences only.
 */
SAFERRING_INLINE uint64_t saferring_clock_ticks(void)
{
#if defined(__x86_64__)
	if (SAFERRING_LIKELY(__atomic_load_n(&saferring_clock_fast[0].counter,
					     __ATOMIC_ACQUIRE)))
		return __builtin_ia32_rdtsc();
#endif
	return saferring_clock_ticks_slow();
}

/**
 * saferring_clock_ns() - a span in nanoseconds
 * @ticks: the difference of two results of saferring_clock_ticks()
 *
 * ticks * scale / 2^32, the scale being measured at the first reading of the
 * clock, right to about one in ten thousand.
 *
 * Return: nanoseconds.
 */
SAFERRING_INLINE uint64_t saferring_clock_ns(uint64_t ticks)
{
	const uint64_t scale = saferring_clock_fast[0].scale;
	const uint64_t high = ticks >> 32, low = ticks & UINT32_MAX;

	return high * scale + (low * (scale >> 32)) +
	       ((low * (scale & UINT32_MAX)) >> 32);
}

/**
 * struct saferring_clock_info - what the clock is
 * @size: in: sizeof(struct saferring_clock_info)
 * @source: "tsc" or "CLOCK_MONOTONIC"
 * @reason: why it is not the processor's counter, or ""
 * @tick_ns: nanoseconds of a tick
 * @cost_ns: nanoseconds that one reading takes here, measured in the call
 */
struct saferring_clock_info {
	size_t size;
	const char *source;
	const char *reason;
	double tick_ns;
	double cost_ns;
};

/**
 * saferring_clock_info() - look at the clock
 * @info: in: its size member; out: the rest
 *
 * Takes some ten microseconds. Any thread may call it.
 *
 * Return: 0, or -EINVAL for an unknown size.
 */
SAFERRING_API int saferring_clock_info(struct saferring_clock_info *info)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * enum saferring_timing - when a timer reads the clock
 * @SAFERRING_TIMING_BATCH: at the begin and end of a batch; each operation of
 *	it is given its share
 * @SAFERRING_TIMING_SAMPLED: for one operation of so many, picked at random
 * @SAFERRING_TIMING_EXACT: for every operation
 */
enum saferring_timing {
	SAFERRING_TIMING_BATCH = 0,
	SAFERRING_TIMING_SAMPLED = 1,
	SAFERRING_TIMING_EXACT = 2,
};

#define SAFERRING_TIMER_EVERY	  64U /* if a program names no other number */
#define SAFERRING_TIMER_EVERY_MAX (1U << 20)

/**
 * struct saferring_timer - a timer of one thread
 * @histogram: where times go, in nanoseconds
 * @timing: enum saferring_timing
 * @every: mean number of operations for each that is timed
 * @left: operations until the next that is timed
 * @random: state of the generator of @left
 *
 * Programs keep it wherever they like, and set it up by saferring_timer_init().
 */
struct saferring_timer {
	struct saferring_histogram *histogram;
	uint32_t timing;
	uint32_t every;
	uint32_t left;
	uint32_t random;
};

SAFERRING_API uint64_t saferring_timer_sample_slow(struct saferring_timer *timer)
	SAFERRING_COLD;

/**
 * saferring_timer_init() - set a timer up
 * @timer: the timer
 * @histogram: where times go, in nanoseconds; no other thread records into it
 * @timing: enum saferring_timing
 * @every: for SAFERRING_TIMING_SAMPLED: time one operation of so many, 2 to
 *	SAFERRING_TIMER_EVERY_MAX, or 0 for SAFERRING_TIMER_EVERY; otherwise 0
 *
 * Reads the clock once.
 *
 * Return: 0, or -EINVAL: @timing or @every is out of range.
 */
SAFERRING_API int saferring_timer_init(struct saferring_timer *timer,
				       struct saferring_histogram *histogram,
				       int timing, unsigned int every)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_timer_begin() - an operation, or a batch, begins
 * @timer: a timer of the calling thread
 *
 * Return: for saferring_timer_end(); 0 if this operation is not timed.
 */
SAFERRING_INLINE SAFERRING_NONNULL(1) uint64_t
saferring_timer_begin(struct saferring_timer *timer)
{
	if (SAFERRING_LIKELY(timer->timing == SAFERRING_TIMING_SAMPLED)) {
		if (SAFERRING_LIKELY(--timer->left))
			return 0;
		return saferring_timer_sample_slow(timer);
	}
	return saferring_clock_ticks();
}

/**
 * saferring_timer_end() - it ends
 * @timer: the timer
 * @begin: what saferring_timer_begin() returned
 * @count: operations of the batch; 1 if it is a single one; nothing is recorded
 *	for 0
 *
 * Each of the operations is recorded with its share of the time. A sampled one
 * is recorded once, and stands for saferring_timer.every.
 */
SAFERRING_INLINE SAFERRING_NONNULL(1) void
saferring_timer_end(struct saferring_timer *timer, uint64_t begin,
		    unsigned int count)
{
	uint64_t time;

	if (SAFERRING_LIKELY(!begin) || SAFERRING_UNLIKELY(!count))
		return;
	time = saferring_clock_ns(saferring_clock_ticks() - begin);
	if (count == 1)
		saferring_histogram_record(timer->histogram, time);
	else
		saferring_histogram_record_many(timer->histogram, time / count,
						count);
}

/**
 * saferring_timer_cost() - what a timer costs here
 * @timer: the timer
 * @batch: operations in a batch, for SAFERRING_TIMING_BATCH
 * @text: where a line for people goes, such as "sampled 1/64: two readings of
 *	tsc at 11.0 ns each, 0.3 ns an operation"; always terminated
 * @length: bytes at @text
 *
 * Return: nanoseconds an operation, the readings of the clock only.
 */
SAFERRING_API double saferring_timer_cost(const struct saferring_timer *timer,
					  unsigned int batch, char *text,
					  size_t length) SAFERRING_NONNULL(1);

SAFERRING_END_DECLS

#endif /* SAFERRING_TIMER_H */
