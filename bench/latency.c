// SPDX-License-Identifier: GPL-2.0
/*
 * How long single operations take, by wall clock, as a program sees it: the
 * library's and liburing's in turns of a thousand.
 */
#include <stdlib.h>
#include <string.h>
#include "special.h"

#define TURN	1000U
#define TURNS	100U
#define SAMPLES (TURN * TURNS)

static const double percentiles[] = { 50, 90, 99, 99.9, 99.99 };

#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static void turn(void (*run)(void *, uint64_t), void *state, double *values)
{
	uint64_t before = wall_ns(), now;
	unsigned int i;

	for (i = 0; i < TURN; i++) {
		run(state, 1);
		now = wall_ns();
		values[i] = (double)(now - before);
		before = now;
	}
}

static void tell(const struct row *row, double *subject, double *twin)
{
	struct estimate one = { 0 }, other = { 0 };
	size_t i;

	for (i = 0; i < PERCENTILES; i++) {
		const double q = percentiles[i] / 100;

		one.value = quantile(subject, SAMPLES, q);
		other.value = quantile(twin, SAMPLES, q);
		one.low = one.value;
		one.high = one.value;
		other.low = other.value;
		other.high = other.value;
		record_point("latency", row->name, percentiles[i], "ns", one,
			     other, VERDICT_NONE);
		say("  %-16s p%-8g  %8.0f ns  twin %8.0f ns", row->name,
		    percentiles[i], one.value, other.value);
	}
}

static void sample(const struct row *row, void *state)
{
	double *subject = calloc(SAMPLES, sizeof(*subject));
	double *twin = calloc(SAMPLES, sizeof(*twin));
	unsigned int i;

	if (!subject || !twin)
		abort();
	for (i = 0; i < TURNS; i++) {
		turn(row->run_subject, state, &subject[i * TURN]);
		turn(row->run_twin, state, &twin[i * TURN]);
	}
	tell(row, subject, twin);
	free(subject);
	free(twin);
}

void latency(void)
{
	const struct row *row;
	char reason[BENCH_TEXT];
	enum verdict said;
	void *state;

	for (row = macro_rows; row->name; row++) {
		const char *depth = strstr(row->name, ".qd1");

		if (!depth || depth[4])
			continue;
		state = row->setup(row);
		if (state) {
			sample(row, state);
			row->teardown(state);
		}
		said = row_outcome(reason, sizeof(reason));
		if (said != VERDICT_NONE)
			conclude_special("latency", row->name, said, "%s",
					 reason);
		else
			tally(said);
	}
}
