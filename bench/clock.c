// SPDX-License-Identifier: GPL-2.0
/*
 * Clocks. That of the thread leaves out what other programs take of the
 * processor, which a wall clock would not.
 */
#include <time.h>
#include "bench.h"

static uint64_t read_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t thread_ns(void)
{
	return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t process_ns(void)
{
	return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t wall_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

double clock_cost_ns(void)
{
	static double cost = -1;
	double values[999];
	size_t i;

	if (cost >= 0)
		return cost;
	for (i = 0; i < 999; i++) {
		const uint64_t start = thread_ns();

		values[i] = (double)(thread_ns() - start);
	}
	cost = quantile(values, 999, 0.5);
	return cost;
}

/* Each addition needs the one before it. */
static void add(uint64_t count)
{
	uint64_t sum = 0;

	for (; count >= 16; count -= 16)
		__asm__ volatile(".rept 16\n\tadd $1, %0\n\t.endr" : "+r"(sum));
}

double cycle_ns(void)
{
	enum { ADDITIONS = 200000, TIMES = 21 };
	static double cycle;
	double values[TIMES];
	size_t i;

	for (i = 0; !cycle && i < TIMES; i++) {
		const uint64_t start = thread_ns();

		add(ADDITIONS);
		values[i] = ((double)(thread_ns() - start) - clock_cost_ns()) /
			    ADDITIONS;
	}
	if (!cycle)
		cycle = quantile(values, TIMES, 0.5);
	return cycle;
}
