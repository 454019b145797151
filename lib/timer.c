// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Timer: the clock that it reads, and the timing of operations.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "internal.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define CLOCKSOURCE \
	"/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define CALIBRATION_NS 2000000

struct saferring_clock_fast saferring_clock_fast[1] = {
	{ .scale = UINT64_C(1) << 32 },
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char reason[96];

uint64_t sr_now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

#if defined(__x86_64__)

/* The same moment by both clocks. */
struct moment {
	uint64_t ticks;
	uint64_t ns;
};

/* Of several tries the one that was interrupted least. */
static struct moment look(void)
{
	uint64_t before, after, best = UINT64_MAX;
	struct moment moment = { 0 };
	uint64_t ns;
	int try;

	for (try = 0; try < 8; try++) {
		before = __builtin_ia32_rdtsc();
		ns = sr_now_ns();
		after = __builtin_ia32_rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		moment.ticks = before + best / 2;
		moment.ns = ns;
	}
	return moment;
}

static bool has_invariant_counter(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & (1U << 8);
}

/* A kernel that found the counter unstable has chosen another clock. */
static bool is_kernels_clock(void)
{
	char source[32];

	if (sr_read_line(CLOCKSOURCE, source, sizeof(source))) {
		snprintf(reason, sizeof(reason),
			 "the kernel does not tell its clock source");
		return false;
	}
	if (!strcmp(source, "tsc"))
		return true;
	snprintf(reason, sizeof(reason), "the kernel's clock source is %s",
		 source);
	return false;
}

static void calibrate(void)
{
	struct moment first, last;

	if (!has_invariant_counter()) {
		snprintf(reason, sizeof(reason),
			 "the processor does not say that its counter is "
			 "invariant");
		return;
	}
	if (!is_kernels_clock())
		return;
	first = look();
	while (sr_now_ns() - first.ns < CALIBRATION_NS)
		;
	last = look();
	if (last.ticks <= first.ticks) {
		snprintf(reason, sizeof(reason),
			 "the processor's counter stands still");
		return;
	}
	saferring_clock_fast[0].scale =
		((last.ns - first.ns) << 32) / (last.ticks - first.ticks);
	__atomic_store_n(&saferring_clock_fast[0].counter, 1, __ATOMIC_RELEASE);
}

#else

static void calibrate(void)
{
	snprintf(reason, sizeof(reason), "not known for this processor");
}

#endif

uint64_t saferring_clock_ticks_slow(void)
{
	pthread_once(&once, calibrate);
#if defined(__x86_64__)
	if (saferring_clock_fast[0].counter)
		return __builtin_ia32_rdtsc();
#endif
	return sr_now_ns();
}

/* Nanoseconds that a reading takes: the best of some short runs. */
static double measure(void)
{
	const unsigned int readings = 128;
	uint64_t begin, time, best = UINT64_MAX;
	unsigned int number, try;

	for (try = 0; try < 8; try++) {
		begin = saferring_clock_ticks();
		for (number = 1; number < readings; number++)
			saferring_clock_ticks();
		time = saferring_clock_ticks() - begin;
		best = SR_MIN(best, time);
	}
	return (double)best * (double)saferring_clock_fast[0].scale /
	       4294967296.0 / readings;
}

int saferring_clock_info(struct saferring_clock_info *out)
{
	struct saferring_clock_info info = { 0 };

	if (!out)
		return sr_fail_argument("clock_info", "no place for the info");
	saferring_clock_ticks();
	info.source =
		saferring_clock_fast[0].counter ? "tsc" : "CLOCK_MONOTONIC";
	info.reason = reason;
	info.tick_ns = (double)saferring_clock_fast[0].scale / 4294967296.0;
	info.cost_ns = measure();
	return sr_info_out("clock_info", out, &info, sizeof(info));
}

/* ---- timing ---- */

static int check(int timing, unsigned int every)
{
	if (timing < SAFERRING_TIMING_BATCH || timing > SAFERRING_TIMING_EXACT)
		return sr_fail_argument("timer_init", "%d is no timing",
					timing);
	if (timing != SAFERRING_TIMING_SAMPLED && every)
		return sr_fail_argument("timer_init",
					"one of %u operations, but not sampled",
					every);
	if (every == 1 || every > SAFERRING_TIMER_EVERY_MAX)
		return sr_fail_argument(
			"timer_init",
			"one of %u operations, allowed are 2 to %u", every,
			SAFERRING_TIMER_EVERY_MAX);
	return 0;
}

/*
 * A step of a linear congruential generator, and from it an interval of 1 to
 * 2 * every - 1: the mean is @every, and no rhythm of the program can hide from
 * it or be all that is seen.
 */
static void pick(struct saferring_timer *timer)
{
	timer->random = timer->random * 1664525U + 1013904223U;
	timer->left = 1 + (uint32_t)((uint64_t)timer->random *
					     (2 * timer->every - 1) >>
				     32);
}

int saferring_timer_init(struct saferring_timer *timer,
			 struct saferring_histogram *histogram, int timing,
			 unsigned int every)
{
	int error;

	if (!timer || !histogram)
		return sr_fail_argument("timer_init",
					"no timer, or no histogram");
	error = check(timing, every);
	if (error)
		return error;
	memset(timer, 0, sizeof(*timer));
	timer->histogram = histogram;
	timer->timing = (uint32_t)timing;
	timer->every = 1;
	timer->random = (uint32_t)saferring_clock_ticks();
	if (timing != SAFERRING_TIMING_SAMPLED)
		return 0;
	timer->every = every ? every : SAFERRING_TIMER_EVERY;
	pick(timer);
	return 0;
}

uint64_t saferring_timer_sample_slow(struct saferring_timer *timer)
{
	pick(timer);
	return saferring_clock_ticks();
}

double saferring_timer_cost(const struct saferring_timer *timer,
			    unsigned int batch, char *text, size_t length)
{
	struct saferring_clock_info clock = { .size = sizeof(clock) };
	double divisor = timer->every;
	char name[32] = "exact";
	double cost;

	if (saferring_clock_info(&clock))
		return 0;
	if (timer->timing == SAFERRING_TIMING_BATCH) {
		divisor = batch ? batch : 1;
		snprintf(name, sizeof(name), "batch of %.0f", divisor);
	} else if (timer->timing == SAFERRING_TIMING_SAMPLED) {
		snprintf(name, sizeof(name), "sampled 1/%u", timer->every);
	}
	cost = 2 * clock.cost_ns / divisor;
	if (text && length)
		snprintf(text, length,
			 "%s: two readings of %s at %.1f ns each, %.1f ns an "
			 "operation",
			 name, clock.source, clock.cost_ns, cost);
	return cost;
}
