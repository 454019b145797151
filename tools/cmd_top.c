// SPDX-License-Identifier: GPL-2.0
/*
 * saferring top: what all processes that use the library are doing, busiest
 * first, until "q".
 */
#include <getopt.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "saferring.h"
#include "segments.h"

struct line {
	int pid;
	struct summary summary;
};

static int by_operations(const void *a, const void *b)
{
	const struct line *left = a, *right = b;

	if (left->summary.operations != right->summary.operations)
		return left->summary.operations < right->summary.operations
			       ? 1
			       : -1;
	return left->pid - right->pid;
}

static void rate(char *to, size_t length, double value, const char *unit)
{
	format_value(to, length - 2, value, unit, 0);
	strcat(to, "/s");
}

static void format_line(const struct line *line, char *text, size_t length)
{
	const struct summary *summary = &line->summary;
	char operations[32], bytes[32], errors[32], p99[32] = "-", memory[32];
	char decisions[32];

	rate(operations, sizeof(operations), summary->operations, "");
	rate(bytes, sizeof(bytes), summary->bytes, "bytes");
	rate(errors, sizeof(errors), summary->errors, "");
	rate(decisions, sizeof(decisions), summary->decisions, "");
	if (summary->p99 > 0)
		format_value(p99, sizeof(p99), summary->p99, "seconds", 0);
	format_value(memory, sizeof(memory), (double)summary->memory, "bytes",
		     0);
	snprintf(text, length,
		 "%8d %-16.16s %12s %14s %9lld %7u %10s %12s %10s %10s %8.0f",
		 line->pid, summary->program, operations, bytes,
		 (long long)summary->in_flight, summary->workers, p99, memory,
		 decisions, errors, summary->misuses);
}

static const char *heads(void)
{
	static char text[160];

	snprintf(text, sizeof(text),
		 "%8s %-16s %12s %14s %9s %7s %10s %12s %10s %10s %8s",
		 "PID", "PROGRAM", "OPERATIONS", "BYTES", "IN FLIGHT",
		 "WORKERS", "P99", "MEMORY", "DECISIONS", "ERRORS", "MISUSES");
	return text;
}

static struct line *lines_of(const struct processes *processes)
{
	struct line *lines = calloc(processes->count + 1, sizeof(*lines));
	size_t number;

	if (!lines)
		return NULL;
	for (number = 0; number < processes->count; number++) {
		lines[number].pid = processes->process[number].pid;
		summarise(&processes->process[number], &lines[number].summary);
	}
	qsort(lines, processes->count, sizeof(*lines), by_operations);
	return lines;
}

typedef void put_line(int row, const char *text, bool head, bool alarming);

static int draw(const struct processes *processes, put_line *put)
{
	struct line *lines = lines_of(processes);
	char text[256];
	size_t number;

	if (!lines)
		return fail("out of memory");
	put(0, heads(), true, false);
	for (number = 0; number < processes->count; number++) {
		format_line(&lines[number], text, sizeof(text));
		put((int)number + 1, text, false,
		    lines[number].summary.misuses > 0);
	}
	free(lines);
	return 0;
}

/* ---- on a terminal ---- */

static void put_screen(int row, const char *text, bool head, bool alarming)
{
	const attr_t look = head ? A_REVERSE : alarming ? A_BOLD : A_NORMAL;

	attrset(look);
	mvaddnstr(row, 0, text, COLS);
	attrset(A_NORMAL);
}

static int interactive(double seconds)
{
	struct processes processes = { .count = 0 };
	int status = 0, key = 0;

	initscr();
	cbreak();
	noecho();
	curs_set(0);
	timeout((int)(seconds * 1000));
	while (!status && key != 'q') {
		status = processes_look(&processes);
		erase();
		if (!status)
			status = draw(&processes, put_screen);
		refresh();
		key = getch();
	}
	endwin();
	processes_free(&processes);
	return status;
}

/* ---- in a pipe: so many times ---- */

static void put_plain(int row, const char *text, bool head, bool alarming)
{
	(void)row;
	(void)head;
	(void)alarming;
	printf("%s\n", text);
}

static int batch(double seconds, double count)
{
	struct processes processes = { .count = 0 };
	double done;
	int status = 0;

	for (done = 0; !status && done < count; done++) {
		status = processes_look(&processes);
		if (!status)
			status = draw(&processes, put_plain);
		fflush(stdout);
		if (done + 1 < count)
			usleep((useconds_t)(seconds * 1e6));
	}
	processes_free(&processes);
	return status;
}

static void print_help(void)
{
	printf("usage: saferring top [OPTION...]\n\n"
	       "What all processes that use the library are doing; q ends it. "
	       "P99 is there for\n"
	       "rings that measure latency, DECISIONS of rings and pools that "
	       "follow the load.\n\n"
	       "  -i, --interval SECONDS  between looks, 1 by default\n"
	       "  -b, --batch COUNT       print so many looks, without a "
	       "terminal\n\n"
	       "Exit status: 0, 2 usage, 3 error.\n");
}

int cmd_top(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "batch", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	double seconds = 1, count = 0;
	int option;

	while ((option = getopt_long(argc, argv, "i:b:h", options, NULL)) !=
	       -1) {
		if (option == 'h') {
			print_help();
			return 0;
		}
		if (option == 'i' && !parse_number(optarg, 0.1, 3600, &seconds))
			return fail_usage("interval %s: 0.1 to 3600 seconds",
					  optarg);
		if (option == 'b' && !parse_number(optarg, 1, 1e9, &count))
			return fail_usage("batch %s: 1 or more", optarg);
		if (option == '?')
			return EXIT_USAGE;
	}
	if (optind < argc)
		return fail_usage("top takes no arguments: %s", argv[optind]);
	if (count)
		return batch(seconds, count);
	if (!isatty(STDOUT_FILENO))
		return fail_usage("the output is no terminal: name a number of "
				  "looks by --batch");
	return interactive(seconds);
}
