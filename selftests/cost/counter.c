// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction counter, and the proof that it is one.
 */
#include "cost.h"

enum { TRIES = 9, ROUNDS = 100000, PER_ROUND = 2 };

static uint64_t overhead;

static uint64_t count_nothing(void)
{
	uint64_t begin = counter_now();

	return counter_now() - begin;
}

/* A loop of known length, whoever compiles it. */
static uint64_t count_loop(void)
{
	uint64_t begin = counter_now();
	uint64_t rounds = ROUNDS;

	asm volatile("1: dec %0\n\tjnz 1b" : "+r"(rounds) : : "cc");
	return counter_now() - begin;
}

/* The least of some tries: without an interrupt in it. */
static uint64_t least(uint64_t (*count)(void))
{
	uint64_t min = UINT64_MAX;

	for (unsigned int i = 0; i < TRIES; i++) {
		uint64_t n = count();

		min = n < min ? n : min;
	}
	return min;
}

/**
 * counter_init - make sure that instructions are counted
 *
 * On a real processor the counter counts time, which says nothing here.
 */
void counter_init(void)
{
	uint64_t loop, expected = (uint64_t)ROUNDS * PER_ROUND;

	overhead = least(count_nothing);
	loop = least(count_loop) - overhead;
	/* The loop's own set-up takes an instruction or two. */
	if (loop < expected || loop > expected + 4)
		die("a loop of %llu instructions counts as %llu: this machine\n"
		    "does not count instructions; 'make cost' boots one that does",
		    (unsigned long long)expected, (unsigned long long)loop);
}

/**
 * counter_overhead - what two readings of the counter count of themselves
 *
 * Return: instructions.
 */
uint64_t counter_overhead(void)
{
	return overhead;
}
