// SPDX-License-Identifier: GPL-2.0
/*
 * Files that rows read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"

#define PIECE (1UL << 16)

static bool fill(int fd, size_t length)
{
	char piece[PIECE];
	size_t i, done;

	for (i = 0; i < sizeof(piece); i++)
		piece[i] = (char)(i * 7 + 1);
	for (done = 0; done < length; done += sizeof(piece))
		if (write(fd, piece, sizeof(piece)) != (ssize_t)sizeof(piece))
			return false;
	return !fsync(fd);
}

int file_make(size_t length, int flags)
{
	char path[4096];
	int fd, again = -1;

	snprintf(path, sizeof(path), "%s/bench-XXXXXX", options.directory);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		row_skip("a file in %s: %s", options.directory,
			 strerror(errno));
		return -1;
	}
	if (!fill(fd, length))
		row_skip("writing in %s: %s", options.directory,
			 strerror(errno));
	else
		again = open(path, O_RDONLY | O_CLOEXEC | flags);
	if (again < 0)
		row_skip("%s is not to be opened so: %s", options.directory,
			 strerror(errno));
	close(fd);
	unlink(path);
	return again;
}
