// SPDX-License-Identifier: GPL-2.0
/*
 * Files: finding them, opening them past the page cache, and the directory that
 * the copies go to.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nvme_checksum.h"

#define COPIES_TEMPLATE ".nvme_checksum.XXXXXX"

static void out_of_memory(void)
{
	fputs("nvme_checksum: out of memory\n", stderr);
	exit(3);
}

void file_fail(struct file *file, const char *format, ...)
{
	va_list args;

	if (file->error)
		return;
	va_start(args, format);
	if (vasprintf(&file->error, format, args) < 0)
		out_of_memory();
	va_end(args);
}

static struct file *append(struct file_list *list, const char *path)
{
	struct file *file;

	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 64;
		list->file = reallocarray(list->file, list->room,
					  sizeof(*list->file));
		if (!list->file)
			out_of_memory();
	}
	file = &list->file[list->count++];
	*file = (struct file){ .path = strdup(path) };
	if (!file->path)
		out_of_memory();
	return file;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void add_entry(struct file_list *list, const FTSENT *entry)
{
	struct file *file;

	switch (entry->fts_info) {
	case FTS_F:
		file = append(list, entry->fts_path);
		file->size = entry->fts_statp->st_size;
		list->bytes += file->size;
		break;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		file_fail(append(list, entry->fts_path), "%s",
			  strerror(entry->fts_errno));
		break;
	case FTS_SLNONE:
		file_fail(append(list, entry->fts_path),
			  "a link that leads nowhere");
		break;
	case FTS_SL:
	case FTS_DEFAULT:
		if (entry->fts_level == FTS_ROOTLEVEL)
			file_fail(append(list, entry->fts_path),
				  "not a regular file, nor a directory");
		else
			list->others++;
		break;
	}
}

/*
 * Follows links on the command line only, and stays on the file system of the
 * path, so that it neither walks in circles nor into /proc.
 */
void files_add(struct file_list *list, const char *path)
{
	char *const paths[] = { (char *)path, NULL };
	FTSENT *entry;
	FTS *walk;

	walk = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR |
			FTS_XDEV, by_name);
	if (!walk) {
		file_fail(append(list, path), "%s", strerror(errno));
		return;
	}
	while ((entry = fts_read(walk)))
		add_entry(list, entry);
	fts_close(walk);
}

size_t files_failed(const struct file_list *list)
{
	size_t failed = 0;

	for (size_t i = 0; i < list->count; i++)
		failed += !!list->file[i].error;
	return failed;
}

int files_probe(struct file_list *list)
{
	int fd;

	for (size_t i = 0; i < list->count; i++) {
		if (list->file[i].error)
			continue;
		fd = open(list->file[i].path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			list->first = i;
			return fd;
		}
	}
	return -1;
}

/* The template for a directory below the first @length bytes of @where. */
static char *join(const char *where, size_t length)
{
	char *path;

	if (asprintf(&path, "%.*s/" COPIES_TEMPLATE, (int)length, where) < 0)
		out_of_memory();
	return path;
}

int files_make_copies(struct file_list *list, const char *where)
{
	const char *first = list->file[list->first].path;
	const char *slash = strrchr(first, '/');
	int error;

	if (where)
		list->copies = join(where, strlen(where));
	else if (slash)
		list->copies = join(first, slash - first);
	else
		list->copies = join(".", 1);
	if (mkdtemp(list->copies))
		return 0;
	error = -errno;
	fprintf(stderr, "nvme_checksum: no directory for the copies, %s: %s.\n"
		"Name another place for them with --copy DIR, or do without by "
		"--no-copy.\n", list->copies, strerror(errno));
	free(list->copies);
	list->copies = NULL;
	return error;
}

char *file_copy_path(const struct file_list *list, size_t index)
{
	char *path;

	if (asprintf(&path, "%s/%06zu", list->copies, index + 1) < 0)
		out_of_memory();
	return path;
}

void files_remove_copies(struct file_list *list)
{
	char *path;

	if (!list->copies)
		return;
	for (size_t i = 0; i < list->count; i++) {
		path = file_copy_path(list, i);
		unlink(path);
		free(path);
	}
	if (rmdir(list->copies))
		fprintf(stderr, "nvme_checksum: %s remains: %s\n",
			list->copies, strerror(errno));
}

void files_free(struct file_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->file[i].path);
		free(list->file[i].error);
	}
	free(list->file);
	free(list->copies);
	*list = (struct file_list){ 0 };
}

int file_open(struct file *file, const char *path, int flags)
{
	int fd;

	flags |= O_CLOEXEC;
	fd = open(path, flags | O_DIRECT, 0600);
	if (fd < 0 && errno == EINVAL) {
		fd = open(path, flags, 0600);
		file->buffered = "its file system has no O_DIRECT";
	}
	return fd < 0 ? -errno : fd;
}

int file_make_buffered(struct file *file, int fd, const char *why)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_DIRECT))
		return -errno;
	file->buffered = why;
	return 0;
}
