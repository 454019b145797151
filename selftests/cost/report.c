// SPDX-License-Identifier: GPL-2.0
/*
 * The tables for people, and everything for programs.
 */
#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost.h"

enum { NAMES_MAX = 16 };

/**
 * struct names - names in the order in which they first came
 * @nr: number of @name
 * @name: not copied
 */
struct names {
	unsigned int nr;
	const char *name[NAMES_MAX];
};

static void names_add(struct names *names, const char *name)
{
	for (unsigned int i = 0; i < names->nr; i++)
		if (!strcmp(names->name[i], name))
			return;
	if (names->nr == NAMES_MAX)
		die("report: no room for '%s'", name);
	names->name[names->nr++] = name;
}

/* 1234567 as 1,234,567. */
static const char *grouped(double value)
{
	static char text[32];
	char digits[24];
	size_t n = snprintf(digits, sizeof(digits), "%.0f", value), out = 0;

	if (value < 100 && value != (int)value) {
		snprintf(text, sizeof(text), "%.1f", value);
		return text;
	}
	for (size_t i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0 && digits[i - 1] != '-')
			text[out++] = ',';
		text[out++] = digits[i];
	}
	text[out] = '\0';
	return text;
}

static const char *human(size_t length)
{
	static char text[24];

	if (length < MIB)
		snprintf(text, sizeof(text), "%zu KiB", length / KIB);
	else if (length < 1024 * MIB)
		snprintf(text, sizeof(text), "%zu MiB", length / MIB);
	else
		snprintf(text, sizeof(text), "%zu GiB", length / MIB / 1024);
	return text;
}

/* The column from which the zeroing is to be taken away, or NULL. */
static const char *zeroed_column(enum cost_table table)
{
	if (table == COST_MEMORY)
		return COLUMN_GET;
	return table == COST_REUSE ? COLUMN_PAIR : NULL;
}

/* What a row costs besides the zeroing of its memory, if both are known. */
static bool besides_zeroing(enum cost_table table, size_t length,
			    const char *row, double *value)
{
	const char *column = zeroed_column(table);
	const struct cost *zero, *cost;

	if (!column || !strcmp(row, ROW_ZEROING))
		return false;
	zero = cost_find(COST_MEMORY, length, ROW_ZEROING, COLUMN_GET);
	cost = cost_find(table, length, row, column);
	if (!zero || !cost)
		return false;
	*value = cost_value(cost) - cost_value(zero);
	return true;
}

static void set_cell(struct libscols_line *line, size_t n, const char *text)
{
	if (scols_line_set_data(line, n, text))
		die("out of memory");
}

static const char *reason(enum cost_table table, size_t length, const char *row)
{
	for (const struct cost *c = cost_first(); c; c = c->next)
		if (c->table == table && c->length == length &&
		    !strcmp(c->row, row) && c->absent)
			return c->absent;
	return NULL;
}

static void fill_line(struct libscols_line *line, enum cost_table table,
		      size_t length, const char *row,
		      const struct names *columns)
{
	double rest;

	set_cell(line, 0, row);
	for (unsigned int i = 0; i < columns->nr; i++) {
		const struct cost *cost = cost_find(table, length, row,
						    columns->name[i]);

		set_cell(line, i + 1, cost ? grouped(cost_value(cost)) : "-");
	}
	if (!zeroed_column(table))
		return;
	set_cell(line, columns->nr + 1,
		 besides_zeroing(table, length, row, &rest) ? grouped(rest) :
							      "-");
}

static void collect(enum cost_table table, size_t length, struct names *rows,
		    struct names *columns)
{
	for (const struct cost *c = cost_first(); c; c = c->next) {
		if (c->table != table || c->length != length)
			continue;
		names_add(rows, c->row);
		if (c->nr)
			names_add(columns, c->column);
	}
}

static struct libscols_table *new_table(const struct names *columns,
					enum cost_table table)
{
	struct libscols_table *new = scols_new_table();

	if (!new)
		die("out of memory");
	scols_table_new_column(new, "", 0, 0);
	for (unsigned int i = 0; i < columns->nr; i++)
		scols_table_new_column(new, columns->name[i], 0,
				       SCOLS_FL_RIGHT);
	if (zeroed_column(table))
		scols_table_new_column(new, "besides zeroing", 0,
				       SCOLS_FL_RIGHT);
	/* As wide as it is, whatever the terminal. */
	scols_table_set_termforce(new, SCOLS_TERMFORCE_ALWAYS);
	scols_table_set_termwidth(new, 200);
	return new;
}

/* The library prints no end of the last line. */
static void print_lines(struct libscols_table *lines)
{
	char *text = NULL;

	if (scols_print_table_to_string(lines, &text))
		die("cannot print a table");
	puts(text);
	fflush(stdout);
	free(text);
	scols_unref_table(lines);
}

static const char *title(enum cost_table table)
{
	static const char *const titles[] = {
		[COST_MEMORY] = "Memory, from getting it to giving it back",
		[COST_FREE] = "Giving a region back",
		[COST_REUSE] = "The same length again and again",
		[COST_FAULT] = "The first touch of a page that is mapped",
		[COST_COMMAND] = "Commands, on a region of order 9",
		[COST_IO] = "Operations on null_blk, O_DIRECT, one at a time",
	};

	return titles[table];
}

/**
 * report_machine - say on what it is measured
 * @machine: the machine
 */
void report_machine(const struct machine *machine)
{
	printf("Instructions, on Linux %s, processor %u, node %u; pages are cleared by %s.\n",
	       machine->release, machine->cpu, machine->node,
	       machine->zeroed_by);
}

/**
 * report_table - print a table for people
 * @table: the table
 * @length: bytes of memory that it is about
 */
void report_table(enum cost_table table, size_t length)
{
	struct names rows = { 0 }, columns = { 0 };
	struct libscols_table *lines;

	collect(table, length, &rows, &columns);
	if (!rows.nr)
		return;
	printf("\n%s: %s\n", title(table), human(length));
	lines = new_table(&columns, table);
	for (unsigned int i = 0; i < rows.nr; i++) {
		const char *why = reason(table, length, rows.name[i]);

		if (why)
			printf("%s: skipped: %s\n", rows.name[i], why);
		else
			fill_line(scols_table_new_line(lines, NULL), table,
				  length, rows.name[i], &columns);
	}
	print_lines(lines);
}

static const char *verdict(const struct goal *goal)
{
	if (!goal->known)
		return "not measured";
	if (goal->drift > GOAL_DRIFT_MAX)
		return "does not repeat";
	return goal->met ? "met" : "MISSED";
}

static void goal_text(char *text, size_t size, const struct goal *goal,
		      double value)
{
	if (*goal->unit == 'x')
		snprintf(text, size, "%.4f%s", value, goal->unit);
	else
		snprintf(text, size, "%s", grouped(value));
}

static void fill_goal(struct libscols_line *line, const struct goal *goal)
{
	char text[48];

	set_cell(line, 0, goal->what);
	goal_text(text, sizeof(text), goal, goal->limit);
	set_cell(line, 1, text);
	goal_text(text, sizeof(text), goal, goal->value);
	set_cell(line, 2, goal->known ? text : "-");
	snprintf(text, sizeof(text), "%.2f %%", 100 * goal->drift);
	set_cell(line, 3, goal->known ? text : "-");
	set_cell(line, 4, verdict(goal));
}

/**
 * report_goals - print the verdicts for people
 * @goals: the goals
 * @nr: number of @goals
 */
void report_goals(const struct goal *goals, unsigned int nr)
{
	static const struct names columns = {
		4, { "at most", "is", "drift", "verdict" }
	};
	struct libscols_table *lines = new_table(&columns, COST_COMMAND);

	printf("\nGoals: %s, region of order 9\n", human(GOAL_LENGTH));
	for (unsigned int i = 0; i < nr; i++)
		fill_goal(scols_table_new_line(lines, NULL), &goals[i]);
	print_lines(lines);
}

static json_t *cost_json(const struct cost *cost)
{
	json_t *counts = json_array();

	for (unsigned int i = 0; i < cost->nr; i++)
		json_array_append_new(counts, json_integer(cost->counts[i]));
	return json_pack("{s:s, s:I, s:s, s:s, s:o, s:o, s:s?, s:I, s:o}",
			 "table", cost_table_name(cost->table),
			 "length", (json_int_t)cost->length,
			 "row", cost->row, "column", cost->column,
			 "instructions", cost->nr ?
			 json_real(cost_value(cost)) : json_null(),
			 "drift", cost->nr ?
			 json_real(cost_drift(cost)) : json_null(),
			 "skipped", cost->absent,
			 "per", (json_int_t)cost->per,
			 "counts", counts);
}

static json_t *goal_json(const struct goal *goal)
{
	return json_pack("{s:s, s:f, s:o, s:s, s:f, s:s}",
			 "goal", goal->what, "limit", goal->limit,
			 "value", goal->known ? json_real(goal->value) :
						json_null(),
			 "unit", goal->unit, "drift", goal->drift,
			 "verdict", verdict(goal));
}

/**
 * report_json - print everything for programs
 * @machine: the machine
 * @goals: the goals
 * @nr: number of @goals
 */
void report_json(const struct machine *machine, const struct goal *goals,
		 unsigned int nr)
{
	json_t *costs = json_array(), *verdicts = json_array(), *all;

	for (const struct cost *c = cost_first(); c; c = c->next)
		json_array_append_new(costs, cost_json(c));
	for (unsigned int i = 0; i < nr; i++)
		json_array_append_new(verdicts, goal_json(&goals[i]));
	all = json_pack("{s:s, s:i, s:i, s:s, s:o, s:o}",
			"kernel", machine->release, "cpu", (int)machine->cpu,
			"node", (int)machine->node,
			"zeroed_by", machine->zeroed_by,
			"costs", costs, "goals", verdicts);
	if (!all || json_dumpf(all, stdout, JSON_INDENT(1)) ||
	    putchar('\n') == EOF)
		die("cannot print JSON");
	json_decref(all);
}
