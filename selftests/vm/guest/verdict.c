// SPDX-License-Identifier: GPL-2.0
/*
 * The record for the host. Lines of a keyword and a value, in this order:
 *
 *   safer-ring-vm 1	the form of this record
 *   load ERRNO		of loading the module, 0 also if there was none
 *   status N		exit status of the command, 128 + signal; -1: not run
 *   timeout 0|1	whether its time ran out
 *   unload ERRNO	of unloading the module, 0 also if there was none
 *   taint LETTERS	of the kernel, - for none, without O and E
 *   lost N		kernel log records that could not be read in time
 *   reports N		lines of the kernel log that say that something is wrong
 *   report TEXT	each of the first ones
 *   end 0		the record is whole
 */
#include <stdarg.h>

#include "guest.h"

__attribute__((format(printf, 2, 3)))
static void send_line(int fd, const char *format, ...)
{
	char line[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (length < 0 || length >= (int)sizeof(line))
		die("verdict: line too long");
	write_all(fd, line, length);
}

/* The letters of Documentation/admin-guide/tainted-kernels.rst, bit by bit. */
static void taint_letters(char *letters, size_t size, unsigned long taint)
{
	static const char names[] = "PFSRMBUDAWCIOELKXTNJ";
	size_t used = 0;

	for (unsigned int bit = 0; bit < 64 && used + 1 < size; bit++)
		if (taint & 1UL << bit)
			letters[used++] = bit < sizeof(names) - 1 ? names[bit] :
								    '?';
	if (!used)
		letters[used++] = '-';
	letters[used] = '\0';
}

void verdict_send(const struct verdict *verdict, int fd)
{
	char taint[66];

	taint_letters(taint, sizeof(taint), verdict->taint);
	send_line(fd, "safer-ring-vm 1\n");
	send_line(fd, "load %d\n", -verdict->load);
	send_line(fd, "status %d\n", verdict->ran ? verdict->status : -1);
	send_line(fd, "timeout %d\n", verdict->timed_out);
	send_line(fd, "unload %d\n", -verdict->unload);
	send_line(fd, "taint %s\n", taint);
	send_line(fd, "lost %lu\n", verdict->lost);
	send_line(fd, "reports %u\n", verdict->reports);
	for (unsigned int i = 0; i < verdict->reports && i < MAX_REPORTS; i++)
		send_line(fd, "report %s\n", verdict->report[i]);
	send_line(fd, "end 0\n");
}
