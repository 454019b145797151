/* SPDX-License-Identifier: GPL-2.0 */
/*
 * saferring: what its subcommands share.
 */
#ifndef TOOLS_SAFERRING_H
#define TOOLS_SAFERRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <saferring.h>

/* Exit statuses. */
#define EXIT_FOUND 1 /* something is not as it should be */
#define EXIT_USAGE 2 /* the command line is wrong */
#define EXIT_ERROR 3 /* it cannot be done */

/* ---- the subcommands: each returns the exit status */

int cmd_doctor(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_regions(int argc, char **argv);

/* ---- errors ---- */

/* What the library said, and what cures it. Returns EXIT_ERROR. */
int fail_library(const char *what);
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Returns EXIT_USAGE. */
int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A number of the command line, from @least to @most. */
bool parse_number(const char *text, double least, double most, double *number);

/* ---- output ---- */

enum colour {
	COLOUR_NONE,
	COLOUR_GOOD,
	COLOUR_WARN,
	COLOUR_BAD,
	COLOUR_DIM
};

/* A table: columns with their heads, then cells row by row. */
struct table;

struct column {
	const char *head;
	bool right;
	bool wrap;
};

struct table *table_new(const struct column *columns, size_t count);
void table_row(struct table *table, enum colour colour,
	       const char *const *cells);
/* Print and free. Returns 0 or EXIT_ERROR. */
int table_print(struct table *table);

/* Numbers for people: 1.5 MiB, 12.3 us, 1.2 M. */
void format_value(char *to, size_t length, double value, const char *unit,
		  int exponent);

/* ---- segments ---- */

/* A process by its number, or a file by its path. Returns 0 or EXIT_ERROR. */
int open_segment(const char *what, struct saferring_segment **segment);

/* ---- collecting what a library call writes ---- */

typedef size_t snapshot_writer(const struct saferring_snapshot *snapshot,
			       char *text, size_t length);

int print_snapshot(const struct saferring_snapshot *snapshot,
		   snapshot_writer *writer);

#endif /* TOOLS_SAFERRING_H */
