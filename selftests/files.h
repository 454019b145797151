/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small files of procfs, sysfs and their like: read whole, written at once, and
 * searched.
 */
#ifndef SAFER_RING_TEST_FILES_H
#define SAFER_RING_TEST_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Read a file's beginning, a string. Return: its length, or -errno. */
static inline ssize_t sr_file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 0;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	while (used < size - 1) {
		n = read(fd, text + used, size - 1 - used);
		if (n <= 0)
			break;
		used += n;
	}
	n = n < 0 ? -errno : (ssize_t)used;
	text[used] = '\0';
	close(fd);
	return n;
}

/* Write formatted text by a single call. Return: 0 or -errno. */
__attribute__((format(printf, 2, 3)))
static inline int sr_file_write(const char *path, const char *format, ...)
{
	char text[256];
	va_list args;
	int fd, length, ret = 0;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, length) != length)
		ret = -errno;
	close(fd);
	return ret;
}

/*
 * Copy the first line of @text that has @word, which is followed by no further
 * digit, to @line. Return: whether there is one.
 */
static inline bool sr_find_line(const char *text, const char *word, char *line,
				size_t size)
{
	const char *at = text, *start, *end;

	while ((at = strstr(at, word))) {
		const char *next = at + strlen(word);

		if (*next < '0' || *next > '9')
			break;
		at = next;
	}
	if (!at)
		return false;
	for (start = at; start > text && start[-1] != '\n'; start--)
		;
	end = strchrnul(at, '\n');
	snprintf(line, size, "%.*s", (int)(end - start), start);
	return true;
}

/* The number behind @key in @line, or -1. */
static inline long long sr_value(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? strtoll(at + strlen(key), NULL, 0) : -1;
}

#endif /* SAFER_RING_TEST_FILES_H */
