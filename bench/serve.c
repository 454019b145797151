// SPDX-License-Identifier: GPL-2.0
/*
 * Slices at the request of a program that compares two builds, each of which is
 * a process of its own. A line is a request, and so is a line of answer:
 *
 *	open ROW	-> ok CALLS, or skip REASON
 *	run CALLS	-> ns NANOSECONDS, of one operation
 *	close		-> ok
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

static const struct row *row;
static void *state;

static const struct row *find(const char *name)
{
	static const struct row *const lists[] = {
		micro_rows, measuring_rows, macro_rows, socket_rows,
	};
	const struct row *it;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (it = lists[i]; it->name; it++)
			if (!strcmp(it->name, name))
				return it;
	return NULL;
}

static void answer_outcome(const char *otherwise)
{
	char reason[BENCH_TEXT];

	if (row_outcome(reason, sizeof(reason)) == VERDICT_NONE)
		puts(otherwise);
	else
		printf("skip %s\n", reason);
}

static void answer_open(const char *name)
{
	char text[64];

	row = find(name);
	if (!row) {
		printf("skip no row is called %s\n", name);
		return;
	}
	state = row->setup(row);
	if (!state) {
		answer_outcome("skip for no reason");
		return;
	}
	snprintf(text, sizeof(text), "ok %llu", (unsigned long long)
		 slice_calls(row->run_subject, state, row->slice_ns));
	answer_outcome(text);
}

/* The other process has had the caches meanwhile. */
static void answer_run(uint64_t calls)
{
	row->run_subject(state, calls / 8 + 1);
	printf("ns %.9g\n", slice_ns(row->run_subject, state, calls) /
	       (double)calls / row->per);
}

static void answer_close(void)
{
	row->teardown(state);
	state = NULL;
	answer_outcome("ok");
}

int serve(void)
{
	char line[BENCH_TEXT];

	setlinebuf(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "open ", 5))
			answer_open(line + 5);
		else if (!strncmp(line, "run ", 4) && state)
			answer_run(strtoull(line + 4, NULL, 10));
		else if (!strcmp(line, "close") && state)
			answer_close();
		else
			printf("skip not understood: %s\n", line);
	}
	return 0;
}
