// SPDX-License-Identifier: GPL-2.0
/*
 * Scale: whether what a check costs grows with what there is.
 */
#include "special.h"

/* Of a point, in nanoseconds of wall clock. */
#define BUDGET 1500000000ULL

/* Measures one point of a curve. Returns false if it could not be. */
static bool point(const char *series, const struct row *row, double x)
{
	struct result result;

	measure(row, BUDGET, &result);
	if (!result.pairs || result.verdict == VERDICT_FAIL) {
		conclude_special("scale", series, result.verdict, "at %.0f: %s",
				 x, result.reason);
		return false;
	}
	record_point("scale", series, x, "ns", result.subject_ns,
		     result.twin_ns, VERDICT_NONE);
	say("  %-16s %9.0f  %8.2f ns  twin %8.2f ns", series, x,
	    result.subject_ns.value, result.twin_ns.value);
	return true;
}

void scale_buffers(void)
{
	const unsigned int step = options.full ? 2 : 4;
	unsigned int shift;

	for (shift = 0; shift <= 20; shift += step) {
		const struct row row = micro_check_row(1U << shift, 1);

		if (!point("scale.buffers", &row, 1U << shift))
			return;
	}
	tally(VERDICT_NONE);
}

void scale_regions(void)
{
	unsigned int regions;

	for (regions = 1; regions <= 64; regions *= options.full ? 2 : 4) {
		const struct row row = micro_check_row(4096, regions);

		if (!point("scale.regions", &row, regions))
			return;
	}
	tally(VERDICT_NONE);
}
