// SPDX-License-Identifier: GPL-2.0
/*
 * The bench: what the library costs beside the same without it.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

/* Wall clock for a row, at most: seconds. */
#define BUDGET_QUICK 4.0
#define BUDGET_FULL  30.0

struct options options = { .directory = ".", .apart = -1 };

static const struct row *const lists[] = {
	micro_rows,
	measuring_rows,
	rival_rows,
	macro_rows,
	socket_rows,
};

#define LISTS (sizeof(lists) / sizeof(lists[0]))

static const char usage[] =
"usage: saferring-bench [OPTION...] [ROW]\n"
"\n"
"Measures what the library costs beside the same without it. ROW is the\n"
"name of a row or a group, or the beginning of one.\n"
"\n"
"  -f, --full            everything, and longer (40 minutes at most)\n"
"  -j, --json=FILE       append one JSON object a row to FILE\n"
"  -d, --directory=DIR   where files are made (default: .)\n"
"  -l, --list            name the rows\n"
"      --count           have callgrind count instructions (see bench/gate)\n"
"      --serve           measure slices on request (see bench/compare)\n"
"  -h, --help            this\n"
"\n"
"Exit status: 0 if no goal is missed, 1 if one is, 2 for a wrong command.\n";

static const struct option long_options[] = {
	{ "full", no_argument, NULL, 'f' },
	{ "json", required_argument, NULL, 'j' },
	{ "directory", required_argument, NULL, 'd' },
	{ "list", no_argument, NULL, 'l' },
	{ "count", no_argument, NULL, 'c' },
	{ "serve", no_argument, NULL, 's' },
	/* For the bench itself. */
	{ "apart", required_argument, NULL, 'a' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void parse(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "fj:d:lh", long_options,
				     NULL)) != -1) {
		switch (option) {
		case 'f':
			options.full = true;
			break;
		case 'j':
			options.json = optarg;
			break;
		case 'd':
			options.directory = optarg;
			break;
		case 'l':
			options.list = true;
			break;
		case 'c':
			options.count = true;
			break;
		case 's':
			options.serve = true;
			break;
		case 'a':
			options.apart = atoi(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc)
		options.filter = argv[optind++];
	if (optind == argc)
		return;
	fprintf(stderr, "saferring-bench: one ROW at most\n");
	exit(2);
}

bool wanted(const char *name)
{
	return !options.filter ||
	       !strncmp(name, options.filter, strlen(options.filter));
}

static bool row_wanted(const struct row *row)
{
	if (row->full && !options.full && !options.filter && !options.list)
		return false;
	return wanted(row->name) || wanted(row->group);
}

/* Calls @each for the rows that were asked for. Returns their number. */
static unsigned int each_row(void (*each)(const struct row *row))
{
	unsigned int count = 0;
	const struct row *row;
	size_t i;

	for (i = 0; i < LISTS; i++)
		for (row = lists[i]; row->name; row++) {
			if (!row_wanted(row))
				continue;
			count++;
			if (each)
				each(row);
		}
	return count;
}

static unsigned int each_special(bool run)
{
	const struct special *special;
	unsigned int count = 0;

	for (special = special_rows; special->name; special++) {
		if (!wanted(special->name))
			continue;
		count++;
		if (!run)
			continue;
		progress_step(special->name);
		special->run();
	}
	return count;
}

static void list_row(const struct row *row)
{
	printf("%-18s %-8s %s\n", row->name, row->group, row->about);
}

static void list(void)
{
	const struct special *special;

	each_row(list_row);
	for (special = special_rows; special->name; special++)
		if (wanted(special->name))
			printf("%-18s %-8s %s\n", special->name,
			       special->name, special->about);
}

static void tell(const struct row *row, const struct result *result)
{
	if (!result->pairs) {
		say("%-18s %s: %s", row->name, verdict_name(result->verdict),
		    result->reason);
		return;
	}
	say("%-18s %10.2f ns  twin %10.2f ns  ratio %.4f [%.4f %.4f]  A/A %.4f  %s%s%s",
	    row->name, result->subject_ns.value, result->twin_ns.value,
	    result->ratio.value, result->ratio.low, result->ratio.high,
	    result->control.value, verdict_name(result->verdict),
	    result->reason[0] ? ": " : "", result->reason);
}

static void measure_row(const struct row *row)
{
	const double budget = options.full ? BUDGET_FULL : BUDGET_QUICK;
	struct result result;

	progress_step(row->name);
	measure(row, (uint64_t)(budget * 1e9), &result);
	tally(result.verdict);
	record_row(row, &result);
	tell(row, &result);
}

static cpu_set_t allowed;

/* Moving to another processor would cost more than what is looked for. */
static void stay(void)
{
	const int processor = sched_getcpu();
	cpu_set_t set;

	if (processor < 0 || sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)processor, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void roam(void)
{
	if (CPU_COUNT(&allowed))
		sched_setaffinity(0, sizeof(allowed), &allowed);
}

static int run(void)
{
	struct machine machine;
	unsigned int i, steps;

	steps = each_row(NULL) + each_special(false);
	if (!steps) {
		fprintf(stderr, "saferring-bench: no row is called %s\n",
			options.filter);
		return 2;
	}
	machine_look(&machine);
	machine_record(&machine);
	for (i = 0; i < machine.complaints; i++)
		say("# %s", machine.complaint[i]);
	stay();
	progress_begin(steps);
	each_row(measure_row);
	each_special(true);
	progress_end();
	say("# %u goals hold, %u missed, %u inconclusive, %u skipped, %u measured without one",
	    tallied(VERDICT_PASS), tallied(VERDICT_FAIL),
	    tallied(VERDICT_INCONCLUSIVE), tallied(VERDICT_SKIPPED),
	    tallied(VERDICT_NONE));
	return tallied(VERDICT_FAIL) ? 1 : 0;
}

bool row_is_listed(const struct row *row)
{
	const struct row *other;
	size_t i;

	for (i = 0; i < LISTS; i++)
		for (other = lists[i]; other->name; other++)
			if (other == row)
				return true;
	return false;
}

static int run_apart(void)
{
	const struct row *row;
	size_t i;

	stay();
	for (i = 0; i < LISTS; i++)
		for (row = lists[i]; row->name; row++)
			if (options.filter && !strcmp(row->name, options.filter))
				return measure_apart(row, options.apart);
	return 2;
}

/* What instruction counts depend on. */
static void record_build(void)
{
	record_begin("build", "build");
	record_text("compiler", "gcc " __VERSION__);
#ifdef __OPTIMIZE__
	record_text("flags", "optimised");
#else
	record_text("flags", "not optimised");
#endif
	record_end();
}

static void count_one(const struct row *row)
{
	if (row->instructions && count_row(row))
		exit(2);
}

int main(int argc, char **argv)
{
	int error, status;

	parse(argc, argv);
	if (options.list) {
		list();
		return 0;
	}
	if (options.apart >= 0)
		return run_apart();
	error = record_open(options.json);
	if (error) {
		fprintf(stderr, "saferring-bench: %s: %s\n", options.json,
			strerror(-error));
		return 2;
	}
	if (options.count)
		record_build();
	if (options.count)
		status = each_row(count_one) ? 0 : 2;
	else if (options.serve)
		status = serve();
	else
		status = run();
	record_close();
	return status;
}
