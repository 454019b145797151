// SPDX-License-Identifier: GPL-2.0
/*
 * Output: tables and numbers for people.
 */
#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "saferring.h"

struct table {
	struct libscols_table *scols;
	size_t columns;
	bool failed;
};

struct table *table_new(const struct column *columns, size_t count)
{
	struct table *table = calloc(1, sizeof(*table));
	struct libscols_column *column;
	size_t number;

	if (!table)
		return NULL;
	table->columns = count;
	table->scols = scols_new_table();
	if (!table->scols) {
		free(table);
		return NULL;
	}
	scols_table_enable_colors(table->scols, isatty(STDOUT_FILENO));
	for (number = 0; number < count; number++) {
		column = scols_table_new_column(
			table->scols, columns[number].head, 0.1,
			(columns[number].right ? SCOLS_FL_RIGHT : 0) |
				(columns[number].wrap ? SCOLS_FL_WRAP : 0));
		if (!column)
			table->failed = true;
	}
	return table;
}

static const char *colour_of(enum colour colour)
{
	switch (colour) {
	case COLOUR_GOOD:
		return "green";
	case COLOUR_WARN:
		return "yellow";
	case COLOUR_BAD:
		return "red";
	case COLOUR_DIM:
		return "darkgray";
	default:
		return NULL;
	}
}

void table_row(struct table *table, enum colour colour,
	       const char *const *cells)
{
	struct libscols_line *line;
	size_t number;

	if (!table)
		return;
	line = scols_table_new_line(table->scols, NULL);
	if (!line) {
		table->failed = true;
		return;
	}
	for (number = 0; number < table->columns; number++)
		if (scols_line_set_data(line, number, cells[number]))
			table->failed = true;
	if (colour != COLOUR_NONE)
		scols_line_set_color(line, colour_of(colour));
}

int table_print(struct table *table)
{
	bool failed;

	if (!table)
		return fail("out of memory");
	failed = table->failed || scols_print_table(table->scols);
	scols_unref_table(table->scols);
	free(table);
	return failed ? fail("the table could not be printed") : 0;
}

/* ---- numbers ---- */

static void scale(char *to, size_t length, double value, double step,
		  const char *const *prefixes, const char *unit)
{
	const char *gap;
	size_t prefix = 0;

	while (fabs(value) >= step && prefixes[prefix + 1]) {
		value /= step;
		prefix++;
	}
	gap = *prefixes[prefix] || *unit ? " " : "";
	if (prefix == 0 && value == floor(value))
		snprintf(to, length, "%.0f%s%s", value, gap, unit);
	else
		snprintf(to, length, "%.*f%s%s%s", fabs(value) < 10 ? 2 : 1,
			 value, gap, prefixes[prefix], unit);
}

static void format_time(char *to, size_t length, double seconds)
{
	static const char *const prefixes[] = { "n", "u", "m", NULL };

	if (fabs(seconds) >= 1)
		snprintf(to, length, "%.2f s", seconds);
	else if (fabs(seconds) * 1e6 < 1)
		snprintf(to, length, "%.0f ns", seconds * 1e9);
	else
		scale(to, length, seconds * 1e9, 1000, prefixes, "s");
}

void format_value(char *to, size_t length, double value, const char *unit,
		  int exponent)
{
	static const char *const binary[] = {
		"", "Ki", "Mi", "Gi", "Ti", NULL
	};
	static const char *const decimal[] = { "", "k", "M", "G", "T", NULL };

	value *= pow(10, exponent);
	if (!strcmp(unit, "seconds"))
		format_time(to, length, value);
	else if (!strcmp(unit, "bytes"))
		scale(to, length, value, 1024, binary, "B");
	else if (fabs(value) < 100000 && value == floor(value))
		snprintf(to, length, "%.0f", value);
	else
		scale(to, length, value, 1000, decimal, "");
}

int print_snapshot(const struct saferring_snapshot *snapshot,
		   snapshot_writer *writer)
{
	const size_t length = writer(snapshot, NULL, 0);
	char *text = malloc(length + 1);

	if (!text)
		return fail("out of memory");
	writer(snapshot, text, length + 1);
	if (fwrite(text, 1, length, stdout) != length || fflush(stdout)) {
		free(text);
		return fail("the output could not be written");
	}
	free(text);
	return 0;
}
