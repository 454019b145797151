// SPDX-License-Identifier: GPL-2.0
/*
 * What the figures must be, at 64 MiB.
 */
#include "cost.h"

/* A figure of the goals' length, and how well it repeats. */
static double figure(struct goal *goal, enum cost_table table, const char *row,
		     const char *column)
{
	const struct cost *cost = cost_find(table, GOAL_LENGTH, row, column);
	double drift;

	if (!cost) {
		goal->known = false;
		return 0;
	}
	drift = cost_drift(cost);
	goal->drift = drift > goal->drift ? drift : goal->drift;
	return cost_value(cost);
}

static struct goal against(const char *what, double limit,
			   const struct memory_kind *kind, const char *column)
{
	struct goal goal = { .what = what, .limit = limit, .unit = "x",
			     .known = true };
	double ours = figure(&goal, COST_MEMORY, memory_region->name, column);
	double theirs = figure(&goal, COST_MEMORY, kind->name, column);

	if (goal.known)
		goal.value = ours / theirs;
	return goal;
}

static struct goal give_back(const char *what, const char *column)
{
	struct goal goal = { .what = what, .limit = 500000, .known = true,
			     .unit = "instructions" };

	goal.value = figure(&goal, COST_FREE, memory_region->name, column);
	return goal;
}

static struct goal cached_pair(void)
{
	struct goal goal = {
		.what = "ALLOC and FREE again, against the zeroing alone",
		.limit = 1.01,
		.unit = "x",
		.known = true,
	};
	double pair = figure(&goal, COST_REUSE, ROW_CACHED, COLUMN_PAIR);
	double zero = figure(&goal, COST_MEMORY, ROW_ZEROING, COLUMN_GET);

	if (goal.known)
		goal.value = pair / zero;
	return goal;
}

/**
 * goals_judge - hold the figures against the goals
 * @goals: to be filled
 * @max: room in @goals
 *
 * A goal is met by figures that were measured, repeat, and keep within it.
 *
 * Return: number of goals.
 */
unsigned int goals_judge(struct goal *goals, unsigned int max)
{
	const struct goal all[] = {
		against("registering, against hugetlb", 1.15, memory_hugetlb,
			COLUMN_REGISTER),
		against("registering, against 4 KiB pages", 1 / 6.0,
			memory_small_pages, COLUMN_REGISTER),
		against("ALLOC, map, populate, against hugetlb", 1.02,
			memory_hugetlb, COLUMN_GET),
		give_back("FREE", COLUMN_FREE),
		give_back("FREE of a region that is mapped",
			  COLUMN_FREE_MAPPED),
		cached_pair(),
	};
	unsigned int nr = sizeof(all) / sizeof(all[0]);

	if (nr > max)
		nr = max;
	for (unsigned int i = 0; i < nr; i++) {
		goals[i] = all[i];
		goals[i].met = all[i].known && all[i].drift <= GOAL_DRIFT_MAX &&
			       all[i].value <= all[i].limit;
	}
	return nr;
}
