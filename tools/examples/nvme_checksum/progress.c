// SPDX-License-Identifier: GPL-2.0
/*
 * Progress, on standard error: a bar that is redrawn on a terminal, and a plain
 * line now and then elsewhere.
 */
#include <time.h>

#include "nvme_checksum.h"

#define BAR_WIDTH	30
#define BAR_EVERY	0.1	/* seconds */
#define LINE_EVERY	5.0

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static double rate(const struct progress *progress, double at)
{
	return at > progress->start ?
	       progress->done / (at - progress->start) : 0;
}

static void draw_bar(const struct progress *progress, double at)
{
	static const char full[BAR_WIDTH + 1] =
		"##############################";
	static const char empty[BAR_WIDTH + 1] =
		"..............................";
	char speed[SIZE_TEXT];
	double part;
	int filled;

	part = progress->total ?
	       (double)progress->done / progress->total : 1;
	if (part > 1)
		part = 1;
	filled = (int)(part * BAR_WIDTH);
	fprintf(stderr, "\r%-9s [%.*s%.*s] %3.0f%%  %s/s\033[K",
		progress->what, filled, full, BAR_WIDTH - filled, empty,
		100 * part,
		size_text(rate(progress, at), speed, sizeof(speed)));
}

static void print_line(const struct progress *progress)
{
	char done[SIZE_TEXT], total[SIZE_TEXT];

	fprintf(stderr, "%s: %s of %s\n", progress->what,
		size_text(progress->done, done, sizeof(done)),
		size_text(progress->total, total, sizeof(total)));
}

static void show(struct progress *progress, double at)
{
	if (progress->bar)
		draw_bar(progress, at);
	else
		print_line(progress);
	progress->shown = at;
}

void progress_begin(struct progress *progress, const char *what, uint64_t total)
{
	progress->what = what;
	progress->total = total;
	progress->done = 0;
	progress->start = now();
	progress->shown = progress->start;
	if (progress->bar)
		draw_bar(progress, progress->start);
}

void progress_add(struct progress *progress, uint64_t bytes)
{
	double at = now();

	progress->done += bytes;
	if (at - progress->shown >= (progress->bar ? BAR_EVERY : LINE_EVERY))
		show(progress, at);
}

void progress_end(struct progress *progress)
{
	if (progress->bar)
		fputs("\r\033[K", stderr);
}
