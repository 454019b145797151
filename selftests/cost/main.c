// SPDX-License-Identifier: GPL-2.0
/*
 * What the module costs, in instructions: regions beside hugetlb, THP and 4 KiB
 * pages, by raw system calls. To be run where instructions are counted ('make
 * cost').
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cost.h"

enum { GOALS_MAX = 16 };

static const struct {
	void (*measure)(const struct machine *machine,
			const struct options *options, size_t length);
	bool every_length;	/* or that of the goals only */
} tables[COST_TABLES] = {
	[COST_MEMORY] = { measure_lifetime, true },
	[COST_FREE] = { measure_free, false },
	[COST_REUSE] = { measure_reuse, true },
	[COST_FAULT] = { measure_faults, false },
	[COST_COMMAND] = { measure_commands, false },
	[COST_IO] = { measure_io, false },
};

void die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("cost: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_UNABLE);
}

static void show_usage(void)
{
	puts("usage: cost [options]\n"
	     "\n"
	     "Counts instructions of the module's operations and of their rivals'.\n"
	     "\n"
	     "  --sizes MIB,...     lengths of memory (2,64,1024)\n"
	     "  --tables NAME,...   memory, free, reuse, fault, command, io (all)\n"
	     "  --repeat N          counts of each figure, 2 to 101 (by length)\n"
	     "  --profile PATTERN   sample the figures 'table/row/column' that match,\n"
	     "                      as 'memory/region, order 9/register'\n"
	     "  --json              everything, for programs\n"
	     "  --help\n"
	     "\n"
	     "Exit status: 0 if all goals are met (they are judged if 64 MiB and the\n"
	     "tables memory, free and reuse were measured, and nothing profiled),\n"
	     "1 if not, 2 if it cannot be measured.");
}

/**
 * options_repeat - how often to measure
 * @options: what is wanted
 * @length: bytes
 *
 * Return: number of counts.
 */
unsigned int options_repeat(const struct options *options, size_t length)
{
	if (options->repeat)
		return options->repeat;
	if (length > GOAL_LENGTH)
		return 2;
	return length < GOAL_LENGTH ? 33 : 11;
}

static unsigned long parse_number(const char *option, const char *text,
				  unsigned long min, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end || n < min || n > max)
		die("--%s: '%s' is not a number from %lu to %lu", option, text,
		    min, max);
	return n;
}

static void parse_sizes(struct options *options, char *list)
{
	const unsigned int max =
		sizeof(options->sizes) / sizeof(options->sizes[0]);

	options->sizes_nr = 0;
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		size_t mib = parse_number("sizes", word, 2, 1024);

		if (mib * MIB % HUGE_PAGE)
			die("--sizes: %zu MiB are not whole huge pages", mib);
		if (options->sizes_nr == max)
			die("--sizes: more than %u", max);
		options->sizes[options->sizes_nr++] = mib * MIB;
	}
}

static void parse_tables(struct options *options, char *list)
{
	options->tables = 0;
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		unsigned int i = 0;

		while (i < COST_TABLES && strcmp(cost_table_name(i), word))
			i++;
		if (i == COST_TABLES)
			die("--tables: no table '%s' (see --help)", word);
		options->tables |= 1U << i;
	}
}

static void parse_one(struct options *options, int option, char *value)
{
	switch (option) {
	case 's':
		parse_sizes(options, value);
		break;
	case 't':
		parse_tables(options, value);
		break;
	case 'r':
		options->repeat = parse_number("repeat", value, 2,
					       COST_REPEAT_MAX);
		break;
	case 'p':
		options->profile = value;
		break;
	case 'j':
		options->json = true;
		break;
	case 'h':
		show_usage();
		exit(0);
	default:
		exit(EXIT_UNABLE);
	}
}

static void parse(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "sizes", required_argument, NULL, 's' },
		{ "tables", required_argument, NULL, 't' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "profile", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*options = (struct options){
		.sizes = { 2 * MIB, GOAL_LENGTH, 1024 * MIB },
		.sizes_nr = 3,
		.tables = (1U << COST_TABLES) - 1,
	};
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		parse_one(options, option, optarg);
	if (optind < argc)
		die("'%s' is not an option (see --help)", argv[optind]);
}

static bool has_goal_length(const struct options *options)
{
	for (unsigned int i = 0; i < options->sizes_nr; i++)
		if (options->sizes[i] == GOAL_LENGTH)
			return true;
	return false;
}

static void measure_table(const struct machine *machine,
			  const struct options *options, enum cost_table table,
			  size_t length)
{
	tables[table].measure(machine, options, length);
	if (!options->json && !options->profile)
		report_table(table, length);
}

static void measure(const struct machine *machine,
		    const struct options *options)
{
	for (unsigned int t = 0; t < COST_TABLES; t++) {
		if (!(options->tables & 1U << t))
			continue;
		if (!tables[t].every_length) {
			measure_table(machine, options, t, GOAL_LENGTH);
			continue;
		}
		for (unsigned int i = 0; i < options->sizes_nr; i++)
			measure_table(machine, options, t, options->sizes[i]);
	}
}

/* Return: the exit status. */
static int judge(const struct machine *machine, const struct options *options)
{
	const unsigned int needed = 1U << COST_MEMORY | 1U << COST_FREE |
				    1U << COST_REUSE;
	struct goal goals[GOALS_MAX];
	unsigned int nr = 0;
	int status = 0;

	if ((options->tables & needed) == needed && has_goal_length(options))
		nr = goals_judge(goals, GOALS_MAX);
	for (unsigned int i = 0; i < nr; i++)
		if (!goals[i].met)
			status = EXIT_MISSED;
	if (options->json)
		report_json(machine, goals, nr);
	else if (nr)
		report_goals(goals, nr);
	return status;
}

int main(int argc, char **argv)
{
	struct machine machine;
	struct options options;

	parse(&options, argc, argv);
	/* A fault of the program itself is nobody's cost. */
	if (mlockall(MCL_CURRENT))
		die("mlockall: run as root");
	counter_init();
	machine_init(&machine);
	profile_init(options.profile);
	if (!options.json)
		report_machine(&machine);
	measure(&machine, &options);
	if (!options.profile)
		return judge(&machine, &options);
	profile_report();
	return 0;
}
