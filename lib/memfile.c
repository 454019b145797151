// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Memory file: a file named by SAFERRING_STATS, a memfd, or private memory, in
 * this order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "internal.h"
#include "memfile.h"

/* Room for the figures of some thousand threads; only what is used is there. */
#define LENGTH (64UL << 20)
/* If the address space is short of that: some dozen. */
#define LENGTH_SHORT (4UL << 20)

static void because(struct sr_memfile *memory, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The first reason is the one that explains. */
static void because(struct sr_memfile *memory, const char *format, ...)
{
	va_list arguments;

	if (*memory->reason)
		return;
	va_start(arguments, format);
	vsnprintf(memory->reason, sizeof(memory->reason), format, arguments);
	va_end(arguments);
}

/* A file that is too large for this limit is answered by a signal. */
static bool fits_file_limit(uint64_t length)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur >= length;
}

static int map_file(struct sr_memfile *memory, int fd, uint64_t length)
{
	void *base;

	if (!fits_file_limit(length)) {
		because(memory, "RLIMIT_FSIZE is less than %llu bytes",
			(unsigned long long)length);
		return -EFBIG;
	}
	if (ftruncate(fd, (off_t)length))
		return -errno;
	base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	memory->base = base;
	memory->length = length;
	memory->fd = fd;
	return 0;
}

static int map_file_or_less(struct sr_memfile *memory, int fd)
{
	const int error = map_file(memory, fd, LENGTH);

	return error ? map_file(memory, fd, LENGTH_SHORT) : 0;
}

static void drop(struct sr_memfile *memory, int fd)
{
	if (memory->base)
		munmap(memory->base, memory->length);
	memory->base = NULL;
	memory->fd = -1;
	memory->named = 0;
	close(fd);
}

/* ---- a file that was named ---- */

/* "%p" is the number of the process. */
static int expand(char *to, size_t length, const char *pattern)
{
	size_t used = 0;
	int added;

	for (; *pattern && used < length; pattern++) {
		if (pattern[0] == '%' && pattern[1] == 'p') {
			added = snprintf(to + used, length - used, "%d",
					 (int)getpid());
			pattern++;
		} else {
			added = snprintf(to + used, length - used, "%c",
					 *pattern);
		}
		used += (size_t)added;
	}
	return used < length ? 0 : -ENAMETOOLONG;
}

/*
 * The file appears under its name in one step. One that is there already, which
 * some process may be reading, keeps its contents.
 */
static int make_named(struct sr_memfile *memory, const char *path,
		      uint64_t least)
{
	char temporary[PATH_MAX + 32];
	int fd, error;

	snprintf(temporary, sizeof(temporary), "%s.%d~", path, (int)getpid());
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0)
		return -errno;
	error = map_file_or_less(memory, fd);
	if (!error) {
		memory->named = 1;
		error = sr_memfile_reserve(memory, 0, least);
		if (!error && rename(temporary, path))
			error = -errno;
	}
	if (error) {
		unlink(temporary);
		drop(memory, fd);
	}
	return error;
}

static int try_named(struct sr_memfile *memory, const char *pattern,
		     uint64_t least)
{
	int error = expand(memory->path, sizeof(memory->path), pattern);

	if (!error)
		error = make_named(memory, memory->path, least);
	if (error)
		because(memory, "SAFERRING_STATS=%.128s: %s", pattern,
			strerror(-error));
	return error;
}

/* ---- without a name ---- */

/* Sealed, so that whoever maps it need not fear that it is cut off. */
static int try_memfd(struct sr_memfile *memory)
{
	const int fd =
		memfd_create(SR_MEMFD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error = fd < 0 ? -errno : map_file_or_less(memory, fd);

	if (error) {
		because(memory, "memfd: %s", strerror(-error));
		if (fd >= 0)
			close(fd);
		return error;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	snprintf(memory->path, sizeof(memory->path), "memfd");
	return 0;
}

static int try_private(struct sr_memfile *memory, uint64_t least)
{
	uint64_t length;

	for (length = LENGTH; !memory->base && length >= least; length /= 16) {
		memory->base = mmap(NULL, length, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				    -1, 0);
		if (memory->base == MAP_FAILED)
			memory->base = NULL;
		memory->length = length;
	}
	snprintf(memory->path, sizeof(memory->path), "private memory");
	return memory->base ? 0 : -ENOMEM;
}

int sr_memfile_make(struct sr_memfile *memory, uint64_t least)
{
	const char *wanted = secure_getenv("SAFERRING_STATS");

	memset(memory, 0, sizeof(*memory));
	memory->fd = -1;
	if (wanted && !strcmp(wanted, "off")) {
		because(memory, "SAFERRING_STATS=off");
		return try_private(memory, least);
	}
	if (wanted && *wanted && !try_named(memory, wanted, least))
		return 0;
	if (!try_memfd(memory))
		return 0;
	return try_private(memory, least);
}

/* Where a file system is full, a touch would be answered by a signal. */
int sr_memfile_reserve(const struct sr_memfile *memory, uint64_t offset,
		       uint64_t length)
{
	if (!memory->named)
		return 0;
	return -posix_fallocate(memory->fd, (off_t)offset, (off_t)length);
}

uint64_t sr_process_start(int pid)
{
	unsigned long long start = 0;
	char path[64], line[1024];
	const char *behind;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	else
		snprintf(path, sizeof(path), "/proc/self/stat");
	if (sr_read_line(path, line, sizeof(line)))
		return 0;
	/* The name of the program is in parentheses, and may contain some. */
	behind = strrchr(line, ')');
	if (!behind || sscanf(behind + 1,
			      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
			      "%*u %*u %*d %*d %*d %*d %*d %*d %llu",
			      &start) != 1)
		return 0;
	return start;
}
