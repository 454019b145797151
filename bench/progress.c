// SPDX-License-Identifier: GPL-2.0
/*
 * What people see while it runs.
 */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"

static unsigned int steps, done;
static uint64_t start;
static bool terminal;
static unsigned int verdicts[VERDICT_SKIPPED + 1];

void progress_begin(unsigned int count)
{
	steps = count;
	done = 0;
	start = wall_ns();
	terminal = isatty(STDERR_FILENO);
}

static void clear_line(void)
{
	if (terminal)
		fputs("\r\033[K", stderr);
}

/* Steps differ in length, so what is left is a guess, and a fair one late. */
void progress_step(const char *name)
{
	const uint64_t spent = wall_ns() - start;
	char left[32] = "";

	if (done)
		snprintf(left, sizeof(left), ", %llu s left",
			 (unsigned long long)(spent / done * (steps - done) /
					      1000000000));
	done++;
	if (!terminal)
		return;
	clear_line();
	fprintf(stderr, "[%u/%u%s] %s", done, steps, left, name);
	fflush(stderr);
}

void progress_end(void)
{
	clear_line();
}

void say(const char *format, ...)
{
	va_list list;

	clear_line();
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	fflush(stdout);
}

void tally(enum verdict verdict)
{
	verdicts[verdict]++;
}

unsigned int tallied(enum verdict verdict)
{
	return verdicts[verdict];
}
