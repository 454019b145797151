// SPDX-License-Identifier: GPL-2.0
/*
 * saferring stat: what a process has done, once or again and again.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "saferring.h"
#include "segments.h"

struct stat_options {
	snapshot_writer *writer;
	const char *match;
	double interval;
	double count;
	bool all;
};

/* ---- a table of one process ---- */

static void add_histogram(struct table *table,
			  const struct saferring_sample *sample)
{
	static const struct {
		const char *name;
		double percent;
	} parts[] = { { "p50", 50 }, { "p99", 99 }, { "p99.9", 99.9 } };
	const struct saferring_histogram *histogram = sample->histogram;
	char mean[32], max[32], value[32], text[200];
	size_t number, used;

	format_value(mean, sizeof(mean), saferring_histogram_mean(histogram),
		     sample->unit, sample->exponent);
	format_value(max, sizeof(max),
		     (double)saferring_histogram_max(histogram), sample->unit,
		     sample->exponent);
	used = (size_t)snprintf(text, sizeof(text), "n %llu, mean %s",
				(unsigned long long)sample->value, mean);
	for (number = 0; number < 3; number++) {
		format_value(value, sizeof(value),
			     (double)saferring_histogram_percentile(
				     histogram, parts[number].percent),
			     sample->unit, sample->exponent);
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 ", %s %s", parts[number].name, value);
	}
	snprintf(text + used, sizeof(text) - used, ", max %s", max);
	table_row(table, COLOUR_NONE,
		  (const char *[]){ sample->name, sample->labels, text, "" });
}

static void add_sample(struct table *table,
		       const struct saferring_sample *sample, double seconds)
{
	const bool counter = sample->type == SAFERRING_METRIC_COUNTER;
	const bool alarming = !strcmp(sample->name, "saferring_failures") &&
			      strstr(sample->labels, "\"misuse\"");
	char value[32], rate[40] = "";
	double figure;

	if (sample->histogram) {
		add_histogram(table, sample);
		return;
	}
	figure = counter ? (double)sample->value
			 : (double)(int64_t)sample->value;
	format_value(value, sizeof(value), figure, sample->unit,
		     sample->exponent);
	if (counter && seconds > 0) {
		format_value(rate, sizeof(rate) - 2, figure / seconds,
			     sample->unit, sample->exponent);
		strcat(rate, "/s");
	}
	table_row(
		table, alarming ? COLOUR_BAD : COLOUR_NONE,
		(const char *[]){ sample->name, sample->labels, value, rate });
}

static bool is_wanted(const struct saferring_sample *sample,
		      const struct stat_options *options)
{
	if (options->match && !strstr(sample->name, options->match) &&
	    !strstr(sample->labels, options->match))
		return false;
	return options->all || sample->value;
}

static int print_table(const struct saferring_snapshot *snapshot,
		       const struct stat_options *options)
{
	static const struct column columns[] = {
		{ .head = "METRIC" },
		{ .head = "LABELS", .wrap = true },
		{ .head = "VALUE", .right = true },
		{ .head = "RATE", .right = true },
	};
	struct saferring_snapshot_info info = { .size = sizeof(info) };
	struct table *table = table_new(columns, 4);
	const struct saferring_sample *sample;
	double seconds = 0;
	size_t number;

	if (!saferring_snapshot_info(snapshot, &info))
		seconds = (double)(info.taken_ns - info.since_ns) / 1e9;
	printf("%s, process %d, %.1f s%s\n", info.program, info.pid, seconds,
	       info.incomplete ? "; it died while figures moved: some may be "
				 "counted twice or not at all"
			       : "");
	for (number = 0; number < saferring_snapshot_count(snapshot);
	     number++) {
		sample = saferring_snapshot_sample(snapshot, number);
		if (is_wanted(sample, options))
			add_sample(table, sample, seconds);
	}
	return table_print(table);
}

static int show(const struct saferring_snapshot *snapshot,
		const struct stat_options *options)
{
	if (options->writer)
		return print_snapshot(snapshot, options->writer);
	return print_table(snapshot, options);
}

static void pause_for(double seconds)
{
	struct timespec time = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	nanosleep(&time, NULL);
}

/* ---- again and again: the first time in all, then what came since ---- */

static bool has_ended(const struct saferring_segment *segment)
{
	struct saferring_segment_info info = { .size = sizeof(info) };

	return saferring_segment_info(segment, &info) || !info.alive;
}

static int show_since(struct saferring_snapshot *now,
		      const struct saferring_snapshot *before,
		      const struct stat_options *options)
{
	struct saferring_snapshot *delta;
	int status;

	if (!before)
		return show(now, options);
	if (saferring_snapshot_delta(now, before, &delta))
		return fail_library("difference");
	status = show(delta, options);
	saferring_snapshot_free(delta);
	return status;
}

static int repeat(struct saferring_segment *segment,
		  const struct stat_options *options)
{
	struct saferring_snapshot *before = NULL, *now;
	double done = 0;
	int status;

	for (;;) {
		if (saferring_segment_snapshot(segment, &now)) {
			status = fail_library("statistics");
			break;
		}
		status = show_since(now, before, options);
		saferring_snapshot_free(before);
		before = now;
		if (status || !options->interval ||
		    (options->count && ++done >= options->count) ||
		    has_ended(segment))
			break;
		fflush(stdout);
		pause_for(options->interval);
	}
	saferring_snapshot_free(before);
	return status;
}

/* ---- the processes that there are ---- */

static void add_process(struct table *table, const struct process *process)
{
	char pid[16], completed[32], flight[32], workers[16], memory[32],
		misuses[32];
	struct summary summary;

	summarise(process, &summary);
	snprintf(pid, sizeof(pid), "%d", process->pid);
	format_value(completed, sizeof(completed), (double)summary.completed,
		     "", 0);
	format_value(flight, sizeof(flight), (double)summary.in_flight, "", 0);
	snprintf(workers, sizeof(workers), "%u", summary.workers);
	format_value(memory, sizeof(memory), (double)summary.memory, "bytes",
		     0);
	format_value(misuses, sizeof(misuses), summary.misuses, "", 0);
	table_row(table, summary.misuses ? COLOUR_BAD : COLOUR_NONE,
		  (const char *[]){ pid, summary.program, completed, flight,
				    workers, memory, misuses });
}

static int list(void)
{
	static const struct column columns[] = {
		{ .head = "PID", .right = true },
		{ .head = "PROGRAM" },
		{ .head = "COMPLETED", .right = true },
		{ .head = "IN FLIGHT", .right = true },
		{ .head = "WORKERS", .right = true },
		{ .head = "MEMORY", .right = true },
		{ .head = "MISUSES", .right = true },
	};
	struct processes processes = { .count = 0 };
	struct table *table;
	size_t number;
	int status = processes_look(&processes);

	if (status)
		return status;
	if (!processes.count)
		printf("no process uses the library\n");
	table = processes.count ? table_new(columns, 7) : NULL;
	for (number = 0; number < processes.count; number++)
		add_process(table, &processes.process[number]);
	if (processes.count)
		status = table_print(table);
	if (processes.denied)
		printf("%zu processes of others were not looked at: run as "
		       "root\n",
		       processes.denied);
	processes_free(&processes);
	return status;
}

/* ---- the command line ---- */

static void print_help(void)
{
	printf("usage: saferring stat [OPTION...] [PID|FILE]\n\n"
	       "What a process has done, by its number or by the file that "
	       "SAFERRING_STATS\n"
	       "named. Without either, the processes that use the library.\n\n"
	       "  -j, --json              as JSON\n"
	       "  -m, --openmetrics       as OpenMetrics text\n"
	       "  -i, --interval SECONDS  again and again, what came since\n"
	       "  -c, --count COUNT       so many times\n"
	       "  -f, --filter TEXT       only metrics with the text in name "
	       "or labels\n"
	       "  -a, --all               also what is zero\n\n"
	       "Exit status: 0, 2 usage, 3 error.\n");
}

static int check(const struct stat_options *options, int arguments)
{
	if (arguments > 1)
		return fail_usage("one process or file at a time");
	if (!arguments && (options->writer || options->interval))
		return fail_usage("--json, --openmetrics and --interval want a "
				  "process or a file");
	if (options->writer && options->match)
		return fail_usage("--filter is for tables");
	if (options->count && !options->interval)
		return fail_usage("--count wants --interval");
	return 0;
}

/* Returns 0, an exit status, or -1 after --help. */
static int parse(int argc, char **argv, struct stat_options *options)
{
	static const struct option known[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "openmetrics", no_argument, NULL, 'm' },
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'c' },
		{ "filter", required_argument, NULL, 'f' },
		{ "all", no_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "jmi:c:f:ah", known, NULL)) !=
	       -1) {
		switch (option) {
		case 'j':
			options->writer = saferring_snapshot_json;
			break;
		case 'm':
			options->writer = saferring_snapshot_openmetrics;
			break;
		case 'i':
			if (!parse_number(optarg, 0.01, 86400,
					  &options->interval))
				return fail_usage(
					"interval %s: 0.01 to 86400 seconds",
					optarg);
			break;
		case 'c':
			if (!parse_number(optarg, 1, 1e9, &options->count))
				return fail_usage("count %s: 1 or more",
						  optarg);
			break;
		case 'f':
			options->match = optarg;
			break;
		case 'a':
			options->all = true;
			break;
		case 'h':
			print_help();
			return -1;
		default:
			return EXIT_USAGE;
		}
	}
	return check(options, argc - optind);
}

int cmd_stat(int argc, char **argv)
{
	struct stat_options options = { .writer = NULL };
	struct saferring_segment *segment;
	int status = parse(argc, argv, &options);

	if (status)
		return status < 0 ? 0 : status;
	if (optind == argc)
		return list();
	status = open_segment(argv[optind], &segment);
	if (status)
		return status;
	status = repeat(segment, &options);
	saferring_segment_close(segment);
	return status;
}
