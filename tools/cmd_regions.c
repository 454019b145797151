// SPDX-License-Identifier: GPL-2.0
/*
 * saferring regions: the memory that the module has given out, from its
 * counters in sysfs and its list in debugfs.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "saferring.h"

#define STATS "sys/class/misc/safer_ring/stats"
#define LIST  "sys/kernel/debug/safer_ring/regions"

/* Names of counters are stable; new ones come at the end. */
static const struct {
	const char *name;
	const char *unit;
	const char *what;
} counters[] = {
	{ "regions", "", "regions that are live" },
	{ "live_bytes", "bytes", "their memory" },
	{ "quarantine_regions", "", "freed regions that something still uses" },
	{ "quarantine_bytes", "bytes", "their memory, not given out before" },
	{ "cache_bytes", "bytes", "memory kept ready for new regions" },
	{ "allocs", "", "regions given out so far" },
	{ "frees", "", "regions freed so far" },
	{ "reaps", "", "times that quarantined memory came back" },
};

#define COUNTERS (sizeof(counters) / sizeof(*counters))

static bool read_counter(const char *root, const char *name,
			 unsigned long long *value)
{
	char path[PATH_MAX];
	FILE *file;
	bool good;

	snprintf(path, sizeof(path), "%s/" STATS "/%s", root, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	good = fscanf(file, "%llu", value) == 1;
	fclose(file);
	return good;
}

static int fail_absent(const char *root)
{
	return fail("%s/" STATS ": %s (the module is not loaded: insmod "
		    "safer_ring.ko; see README.md)",
		    root, strerror(errno));
}

/* ---- the list: words, some of them key=value ---- */

#define FIELDS_MAX 24
#define LINE_BYTES 1024

struct fields {
	char line[LINE_BYTES];
	const char *state;
	size_t count;
	const char *key[FIELDS_MAX];
	const char *value[FIELDS_MAX];
};

static bool split(struct fields *fields)
{
	char *place, *equals, *word = strtok_r(fields->line, " \t\n", &place);

	fields->state = word;
	fields->count = 0;
	if (!word)
		return false;
	while ((word = strtok_r(NULL, " \t\n", &place)) &&
	       fields->count < FIELDS_MAX) {
		equals = strchr(word, '=');
		if (equals)
			*equals = '\0';
		fields->key[fields->count] = word;
		fields->value[fields->count] = equals ? equals + 1 : "";
		fields->count++;
	}
	return true;
}

static const char *field(const struct fields *fields, const char *key)
{
	size_t number;

	for (number = 0; number < fields->count; number++)
		if (!strcmp(fields->key[number], key))
			return fields->value[number];
	return "-";
}

static FILE *open_list(const char *root)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" LIST, root);
	return fopen(path, "re");
}

static const char *list_cure(void)
{
	return errno == EACCES ? "run as root"
			       : "mount -t debugfs none /sys/kernel/debug";
}

/* ---- for people ---- */

static int print_counters(const char *root)
{
	static const struct column columns[] = {
		{ .head = "COUNTER" },
		{ .head = "VALUE", .right = true },
		{ .head = "WHAT" },
	};
	struct table *table = table_new(columns, 3);
	unsigned long long value;
	char text[32];
	size_t number;

	for (number = 0; number < COUNTERS; number++) {
		if (!read_counter(root, counters[number].name, &value))
			continue;
		format_value(text, sizeof(text), (double)value,
			     counters[number].unit, 0);
		table_row(table, COLOUR_NONE,
			  (const char *[]){ counters[number].name, text,
					    counters[number].what });
	}
	return table_print(table);
}

static int print_list(const char *root)
{
	static const struct column columns[] = {
		{ .head = "STATE" },
		{ .head = "PID", .right = true },
		{ .head = "REGION", .right = true },
		{ .head = "BYTES", .right = true },
		{ .head = "NODE", .right = true },
		{ .head = "ORDER", .right = true },
		{ .head = "PINNED", .right = true },
		{ .head = "HELD", .right = true },
		{ .head = "AGE MS", .right = true },
	};
	struct table *table;
	struct fields fields;
	FILE *list = open_list(root);

	if (!list) {
		printf("the list of regions: %s (%s)\n", strerror(errno),
		       list_cure());
		return 0;
	}
	table = table_new(columns, 9);
	while (fgets(fields.line, sizeof(fields.line), list)) {
		if (!split(&fields))
			continue;
		table_row(table,
			  strcmp(fields.state, "live") ? COLOUR_WARN
						       : COLOUR_NONE,
			  (const char *[]){ fields.state, field(&fields, "pid"),
					    field(&fields, "region"),
					    field(&fields, "length"),
					    field(&fields, "node"),
					    field(&fields, "order"),
					    field(&fields, "pinned"),
					    field(&fields, "held"),
					    field(&fields, "age_ms") });
	}
	fclose(list);
	return table_print(table);
}

/* ---- for programs ---- */

static json_t *list_json(const char *root)
{
	json_t *array = json_array(), *region;
	struct fields fields;
	FILE *list = open_list(root);
	size_t number;

	while (list && fgets(fields.line, sizeof(fields.line), list)) {
		if (!split(&fields))
			continue;
		region = json_object();
		json_object_set_new(region, "state", json_string(fields.state));
		for (number = 0; number < fields.count; number++)
			json_object_set_new(region, fields.key[number],
					    json_string(fields.value[number]));
		json_array_append_new(array, region);
	}
	if (list)
		fclose(list);
	return array;
}

static int print_json(const char *root)
{
	json_t *object = json_object(), *values = json_object();
	unsigned long long value;
	size_t number;
	int error;

	for (number = 0; number < COUNTERS; number++)
		if (read_counter(root, counters[number].name, &value))
			json_object_set_new(values, counters[number].name,
					    json_integer((json_int_t)value));
	json_object_set_new(object, "counters", values);
	json_object_set_new(object, "regions", list_json(root));
	error = json_dumpf(object, stdout, JSON_INDENT(2));
	json_decref(object);
	return error || puts("") < 0 ? fail("the output could not be written")
				     : 0;
}

static void print_help(void)
{
	printf("usage: saferring regions [OPTION...]\n\n"
	       "The memory that the module has given out. The list of regions "
	       "is root's.\n\n"
	       "  -j, --json          for programs\n"
	       "      --sysroot PATH  look for sys/ there instead of in /\n\n"
	       "Exit status: 0, 2 usage, 3 error.\n");
}

int cmd_regions(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "sysroot", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned long long value;
	const char *root = "";
	bool json = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		if (option == 'h') {
			print_help();
			return 0;
		}
		if (option == '?')
			return EXIT_USAGE;
		json |= option == 'j';
		root = option == 's' ? optarg : root;
	}
	if (optind < argc)
		return fail_usage("regions takes no arguments: %s",
				  argv[optind]);
	if (!read_counter(root, "regions", &value))
		return fail_absent(root);
	if (json)
		return print_json(root);
	status = print_counters(root);
	return status ? status : print_list(root);
}
