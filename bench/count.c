// SPDX-License-Identifier: GPL-2.0
/*
 * Rows under callgrind: it is told where the operations begin and end, so that
 * its figures are those of the operations alone.
 */
#include <string.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define HAVE_CALLGRIND 1
#else
#define HAVE_CALLGRIND 0
#endif
#include "bench.h"

/* Operations that are counted: batches are whole. */
#define OPERATIONS 3840U

#if HAVE_CALLGRIND
static void count_side(const struct row *row, void *state,
		       void (*run)(void *, uint64_t), const char *side)
{
	const uint64_t calls = OPERATIONS / row->per;
	char name[BENCH_TEXT];

	/* Lazy binding, first touches and cold caches of threads. */
	run(state, calls);
	snprintf(name, sizeof(name), "%s %s", row->name, side);
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
	run(state, calls);
	CALLGRIND_DUMP_STATS_AT(name);
	CALLGRIND_STOP_INSTRUMENTATION;
}

int count_row(const struct row *row)
{
	char reason[BENCH_TEXT] = "";
	enum verdict verdict;
	size_t i;
	void *state;

	if (!RUNNING_ON_VALGRIND) {
		fprintf(stderr, "saferring-bench: --count is for callgrind, see bench/gate\n");
		return -1;
	}
	state = row->setup(row);
	if (state) {
		count_side(row, state, row->run_subject, "subject");
		count_side(row, state, row->run_twin, "twin");
		row->teardown(state);
	}
	verdict = row_outcome(reason, sizeof(reason));
	record_begin("count", row->name);
	record_text("group", row->group);
	record_text("about", row->about);
	record_text("verdict", verdict_name(verdict));
	record_text("reason", reason);
	record_number("operations", OPERATIONS / row->per * row->per);
	record_list_begin("goals");
	for (i = 0; i < GOALS_MAX; i++)
		if (row->goal[i].kind != GOAL_NONE)
			record_list_goal(&row->goal[i], VERDICT_NONE);
	record_list_end();
	record_end();
	return 0;
}
#else
int count_row(const struct row *row)
{
	(void)row;
	fprintf(stderr, "saferring-bench: built without valgrind/callgrind.h (Debian: valgrind)\n");
	return -1;
}
#endif
