// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Segment: look at the figures of another process. The memory is mapped, so it
 * stays when that process ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "memfile.h"
#include "stats.h"

/* How often to look again while figures move, which takes microseconds. */
#define ATTEMPTS 10000

/*
 * struct saferring_segment - a segment that is looked at
 * @view: where it is mapped
 * @fd: the file, to see whether it was cut off
 * @pid: number of the process here, or 0: the one it has in its own namespace
 * @path: as the caller named it
 */
struct saferring_segment {
	struct sr_view view;
	int fd;
	int pid;
	char path[PATH_MAX];
};

static int fail(int code, const char *operation, const char *path,
		const char *what, const char *cure)
{
	return sr_fail(
		&(struct sr_fault){
			.code = code,
			.reason = code == -EPROTO ? SAFERRING_REASON_ARGUMENT
						  : SAFERRING_REASON_SYSTEM,
			.operation = operation,
			.kind = "segment",
			.name = path,
			.cure = cure,
		},
		"%s", what);
}

static int map(struct saferring_segment *segment, const char *operation)
{
	struct stat status;
	void *base;

	if (fstat(segment->fd, &status))
		return fail(-errno, operation, segment->path, strerror(errno),
			    NULL);
	if (!S_ISREG(status.st_mode) ||
	    (size_t)status.st_size < sizeof(struct saferring_segment_header))
		return fail(-EPROTO, operation, segment->path,
			    "it is shorter than the header of a segment, or no "
			    "file",
			    NULL);
	base = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED,
		    segment->fd, 0);
	if (base == MAP_FAILED)
		return fail(-errno, operation, segment->path, strerror(errno),
			    NULL);
	segment->view.base = base;
	segment->view.length = (uint64_t)status.st_size;
	return 0;
}

static int check(const struct saferring_segment *segment, const char *operation)
{
	const char *why = "";
	const int error = sr_view_check(&segment->view, &why);

	if (!error)
		return 0;
	return fail(error, operation, segment->path, why,
		    "the file that SAFERRING_STATS named, written by this "
		    "version of the library");
}

static int open_path(struct saferring_segment *segment, const char *operation)
{
	segment->fd = open(segment->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (segment->fd < 0)
		return fail(-errno, operation, segment->path, strerror(errno),
			    NULL);
	return 0;
}

void saferring_segment_close(struct saferring_segment *segment)
{
	if (!segment)
		return;
	if (segment->view.base)
		munmap((void *)segment->view.base, segment->view.length);
	if (segment->fd >= 0)
		close(segment->fd);
	free(segment);
}

static struct saferring_segment *new_segment(void)
{
	struct saferring_segment *segment = calloc(1, sizeof(*segment));

	if (segment)
		segment->fd = -1;
	return segment;
}

int saferring_segment_open(const char *path, struct saferring_segment **out)
{
	static const char operation[] = "segment_open";
	struct saferring_segment *segment;
	int error;

	if (!path || !out || strlen(path) >= PATH_MAX)
		return sr_fail_argument(operation,
					"no path, one that is too long, or no "
					"place for a segment");
	segment = new_segment();
	if (!segment)
		return sr_fail_memory(operation, sizeof(*segment));
	snprintf(segment->path, sizeof(segment->path), "%s", path);
	error = open_path(segment, operation);
	if (!error)
		error = map(segment, operation);
	if (!error)
		error = check(segment, operation);
	if (error) {
		saferring_segment_close(segment);
		return error;
	}
	*out = segment;
	return 0;
}

/* ---- of a process ---- */

/*
 * Whether descriptor @name of a process is the memfd of that very process: a
 * child has those of its parent, too.
 */
static bool is_own_memfd(struct saferring_segment *segment, int pid,
			 const char *name)
{
	static const char wanted[] = "/memfd:" SR_MEMFD_NAME " ";
	const struct saferring_segment_header *head;
	char link[64] = "";

	snprintf(segment->path, sizeof(segment->path), "/proc/%d/fd/%s", pid,
		 name);
	if (readlink(segment->path, link, sizeof(link) - 1) < 0 ||
	    strncmp(link, wanted, strlen(wanted)))
		return false;
	if (open_path(segment, "segment_open_process"))
		return false;
	if (!map(segment, "segment_open_process")) {
		head = sr_view_header(&segment->view);
		if (head->process_start == sr_process_start(pid))
			return true;
		munmap((void *)segment->view.base, segment->view.length);
		segment->view.base = NULL;
	}
	close(segment->fd);
	segment->fd = -1;
	return false;
}

static int fail_process(int pid, int code)
{
	char name[32];

	snprintf(name, sizeof(name), "of process %d", pid);
	switch (code) {
	case -ESRCH:
		return fail(code, "segment_open_process", name,
			    "there is no such process", NULL);
	case -EACCES:
		return fail(code, "segment_open_process", name,
			    "its descriptors may not be looked at",
			    "run as the owner of the process, or as root");
	default:
		return fail(code, "segment_open_process", name,
			    "it has none: it does not use the library, has not "
			    "done so yet, or was started with SAFERRING_STATS",
			    "name the file that SAFERRING_STATS named");
	}
}

static int find(struct saferring_segment *segment, int pid)
{
	const struct dirent *entry;
	char path[64];
	bool found = false;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	if (!directory)
		return fail_process(pid, errno == ENOENT ? -ESRCH : -EACCES);
	while (!found && (entry = readdir(directory)))
		if (*entry->d_name != '.')
			found = is_own_memfd(segment, pid, entry->d_name);
	closedir(directory);
	return found ? 0 : fail_process(pid, -ENOENT);
}

int saferring_segment_open_process(int pid, struct saferring_segment **out)
{
	static const char operation[] = "segment_open_process";
	struct saferring_segment *segment;
	int error;

	if (pid <= 0 || !out)
		return sr_fail_argument(
			operation,
			"%d is no process, or no place for a segment", pid);
	segment = new_segment();
	if (!segment)
		return sr_fail_memory(operation, sizeof(*segment));
	segment->pid = pid;
	error = find(segment, pid);
	if (!error)
		error = check(segment, operation);
	if (error) {
		saferring_segment_close(segment);
		return error;
	}
	*out = segment;
	return 0;
}

/* ---- looking at it ---- */

/* A process that has the number and began at that moment is the one. */
static bool is_alive(const struct saferring_segment_header *head, int pid)
{
	return head->process_start &&
	       sr_process_start(pid ? pid : (int)head->pid) ==
		       head->process_start;
}

static void fill_info(struct saferring_segment_info *info,
		      const struct sr_view *view, int pid)
{
	const struct saferring_segment_header *head = sr_view_header(view);

	info->pid = (int)head->pid;
	info->alive = is_alive(head, pid);
	info->version = head->version;
	info->library = head->library;
	info->length = view->length;
	info->used = saferring_word_get(&head->used);
	info->started_ns = head->started_ns;
	info->program = head->program;
}

int saferring_segment_info(const struct saferring_segment *segment,
			   struct saferring_segment_info *out)
{
	struct saferring_segment_info info = { 0 };
	struct sr_view own;

	if (!out)
		return sr_fail_argument("segment_info",
					"no place for the info");
	if (segment) {
		fill_info(&info, &segment->view, segment->pid);
		info.path = segment->path;
		info.reason = "";
		return sr_info_out("segment_info", out, &info, sizeof(info));
	}
	if (sr_arena_lock())
		return sr_fail_memory("segment_info", sizeof(info));
	own = sr_arena_view();
	fill_info(&info, &own, 0);
	info.alive = 1;
	sr_arena_unlock();
	info.path = sr_arena_path();
	info.reason = sr_arena_reason();
	return sr_info_out("segment_info", out, &info, sizeof(info));
}

/* A file can be made shorter by whoever owns it; a touch would be fatal then. */
static bool is_whole(const struct saferring_segment *segment)
{
	struct stat status;

	return !fstat(segment->fd, &status) &&
	       (uint64_t)status.st_size >= segment->view.length;
}

static int collect(struct saferring_segment *segment,
		   struct saferring_snapshot **out)
{
	const char *why = "";
	int attempt, error;

	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		error = sr_collect(&segment->view, out, &why);
		if (error == -ENOMEM)
			return sr_fail_memory("segment_snapshot", 0);
		if (error == -EPROTO)
			return fail(error, "segment_snapshot", segment->path,
				    why, NULL);
		if (!error ||
		    !is_alive(sr_view_header(&segment->view), segment->pid))
			return 0;
		saferring_snapshot_free(*out);
		sched_yield();
	}
	return fail(-EBUSY, "segment_snapshot", segment->path,
		    "figures moved at every attempt", "try again");
}

int saferring_segment_snapshot(struct saferring_segment *segment,
			       struct saferring_snapshot **out)
{
	if (!segment || !out)
		return sr_fail_argument(
			"segment_snapshot",
			"no segment, or no place for a snapshot");
	if (!is_whole(segment))
		return fail(-EPROTO, "segment_snapshot", segment->path,
			    "the file was cut off", NULL);
	return collect(segment, out);
}
