// SPDX-License-Identifier: GPL-2.0
/*
 * Figures: made, filled, found, condensed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost.h"

static struct cost *first;
static struct cost **last = &first;

/**
 * cost_new - a figure to be measured
 * @table: where it stands
 * @length: bytes of memory that it is about
 * @row: name of its row
 * @column: name of its column
 *
 * The names are not copied.
 *
 * Return: the figure, which stays until the program ends.
 */
struct cost *cost_new(enum cost_table table, size_t length, const char *row,
		      const char *column)
{
	struct cost *cost = calloc(1, sizeof(*cost));

	if (!cost)
		die("out of memory");
	cost->table = table;
	cost->length = length;
	cost->row = row;
	cost->column = column;
	cost->per = 1;
	*last = cost;
	last = &cost->next;
	return cost;
}

/**
 * cost_begin - count from here
 * @cost: the figure
 *
 * Return: to be given to cost_end().
 */
uint64_t cost_begin(struct cost *cost)
{
	if (profile_wants(cost))
		profile_start();
	return counter_now();
}

/**
 * cost_end - count to here
 * @cost: the figure
 * @begin: what cost_begin() gave
 */
void cost_end(struct cost *cost, uint64_t begin)
{
	uint64_t count = counter_now() - begin;

	profile_stop();
	cost_add(cost, count - counter_overhead());
}

/**
 * cost_add - add a count that others make up
 * @cost: the figure, which takes COST_REPEAT_MAX counts and ignores more
 * @count: instructions
 */
void cost_add(struct cost *cost, uint64_t count)
{
	if (cost->nr < COST_REPEAT_MAX)
		cost->counts[cost->nr++] = count;
}

/**
 * cost_last - the count that was added last
 * @cost: with at least one count
 *
 * Return: instructions.
 */
uint64_t cost_last(const struct cost *cost)
{
	return cost->counts[cost->nr - 1];
}

/**
 * cost_absent - say why a figure cannot be had
 * @cost: the figure
 * @format: the reason, as for printf()
 */
void cost_absent(struct cost *cost, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(&cost->absent, format, args) < 0)
		die("out of memory");
	va_end(args);
}

/**
 * cost_first - the figures in the order of their making
 *
 * Return: the first, or NULL.
 */
const struct cost *cost_first(void)
{
	return first;
}

/**
 * cost_find - a figure by its place
 * @table: where it stands
 * @length: bytes
 * @row: name of its row
 * @column: name of its column
 *
 * Return: the figure, or NULL if it was not measured.
 */
const struct cost *cost_find(enum cost_table table, size_t length,
			     const char *row, const char *column)
{
	for (const struct cost *c = first; c; c = c->next)
		if (c->table == table && c->length == length &&
		    !strcmp(c->row, row) && !strcmp(c->column, column))
			return c->nr ? c : NULL;
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * The lower quartile of every @step-th count from @from on. Ticks of the timer
 * come every few million instructions and only ever add: what is shorter than
 * that is had without one, and in what is longer they have their part.
 */
static double quartile(const struct cost *cost, unsigned int from,
		       unsigned int step)
{
	uint64_t sorted[COST_REPEAT_MAX];
	unsigned int nr = 0;

	for (unsigned int i = from; i < cost->nr; i += step)
		sorted[nr++] = cost->counts[i];
	if (!nr)
		return 0;
	qsort(sorted, nr, sizeof(*sorted), compare);
	return sorted[(nr - 1) / 4];
}

/**
 * cost_value - the figure
 * @cost: with at least one count
 *
 * Return: instructions an operation, the lower quartile of all counts.
 */
double cost_value(const struct cost *cost)
{
	return quartile(cost, 0, 1) / cost->per;
}

/**
 * cost_drift - how well a figure repeats
 * @cost: with at least two counts
 *
 * Return: by what part of the figure those of the even and of the odd counts
 * differ.
 */
double cost_drift(const struct cost *cost)
{
	double even = quartile(cost, 0, 2), odd = quartile(cost, 1, 2);
	double all = quartile(cost, 0, 1);

	if (cost->nr < 2 || !all)
		return 0;
	return (even > odd ? even - odd : odd - even) / all;
}

/**
 * cost_table_name - what a table is called
 * @table: the table
 *
 * Return: a word.
 */
const char *cost_table_name(enum cost_table table)
{
	static const char *const names[] = {
		[COST_MEMORY] = "memory", [COST_FREE] = "free",
		[COST_REUSE] = "reuse",	  [COST_FAULT] = "fault",
		[COST_COMMAND] = "command", [COST_IO] = "io",
	};

	return names[table];
}
