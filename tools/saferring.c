// SPDX-License-Identifier: GPL-2.0
/*
 * saferring: look at what the library and the module do on this machine.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "saferring.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "doctor", cmd_doctor,
	  "what works on this machine, what does not, why, and the cure" },
	{ "stat", cmd_stat, "what a process has done" },
	{ "top", cmd_top, "what all processes are doing" },
	{ "regions", cmd_regions, "the memory that the module has given out" },
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

static void print_help(FILE *to)
{
	size_t number;

	fprintf(to, "usage: saferring COMMAND [OPTION...]\n\ncommands:\n");
	for (number = 0; number < COMMANDS; number++)
		fprintf(to, "  %-9s %s\n", commands[number].name,
			commands[number].what);
	fprintf(to, "\nsaferring COMMAND --help has the options; saferring(1) "
		    "has all.\n");
}

int fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "saferring: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
	return EXIT_ERROR;
}

int fail_usage(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "saferring: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "; try --help\n");
	return EXIT_USAGE;
}

int fail_library(const char *what)
{
	const struct saferring_error *error = saferring_error_last();

	fprintf(stderr, "saferring: %s: %s%s%s%s\n", what,
		*error->what ? error->what : strerror(-error->code),
		*error->cure ? " (" : "", error->cure, *error->cure ? ")" : "");
	return EXIT_ERROR;
}

bool parse_number(const char *text, double least, double most, double *number)
{
	char *end;

	*number = strtod(text, &end);
	return end != text && !*end && *number >= least && *number <= most;
}

/* Misuse is nothing that this program commits, and what fails it tells itself. */
int main(int argc, char **argv)
{
	size_t number;

	saferring_report_set(NULL, NULL);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_help(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("saferring %u.%u\n", saferring_version() >> 16,
		       saferring_version() & 0xffff);
		return 0;
	}
	for (number = 0; number < COMMANDS; number++)
		if (!strcmp(argv[1], commands[number].name))
			return commands[number].run(argc - 1, argv + 1);
	return fail_usage("there is no command %s", argv[1]);
}
