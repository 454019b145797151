// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The engine's table of registered files. A slot has a descriptor of its own, and
 * a job that names the slot gets one of its own again, so that the table can
 * change under what is in flight.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "internal.h"
#include "engine.h"

static int duplicate(int fd)
{
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

int sr_engine_register_files(struct sr_engine *engine, unsigned int slots)
{
	struct rlimit limit;
	unsigned int slot;
	int *files;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && slots > limit.rlim_cur)
		return -EMFILE;
	files = malloc(slots * sizeof(*files));
	if (!files)
		return -ENOMEM;
	for (slot = 0; slot < slots; slot++)
		files[slot] = -1;
	pthread_mutex_lock(&engine->lock);
	engine->files = files;
	engine->file_count = slots;
	pthread_mutex_unlock(&engine->lock);
	return 0;
}

/* With the lock held. The table has @fd to itself from now on. */
static void set_slot(struct sr_engine *engine, unsigned int slot, int fd)
{
	if (engine->files[slot] >= 0)
		close(engine->files[slot]);
	engine->files[slot] = fd;
}

int sr_engine_update_file(struct sr_engine *engine, unsigned int slot, int fd)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	const int saved = errno;
	const int copy = fd < 0 ? -1 : duplicate(fd);
	int error = 0;

	if (fd >= 0 && copy < 0)
		error = copy;
	pthread_mutex_lock(&engine->lock);
	if (slot >= engine->file_count)
		error = -EINVAL;
	if (!error)
		set_slot(engine, slot, copy);
	else if (copy >= 0)
		close(copy);
	pthread_mutex_unlock(&engine->lock);
	errno = saved;
	return error;
}

void sr_engine_close_files(struct sr_engine *engine)
{
	unsigned int slot;

	for (slot = 0; slot < engine->file_count; slot++)
		set_slot(engine, slot, -1);
	free(engine->files);
}

/* ---- with the lock held, for jobs ---- */

static int open_slot(const struct sr_engine *engine, int slot)
{
	if (slot < 0 || (unsigned int)slot >= engine->file_count ||
	    engine->files[slot] < 0)
		return -EBADF;
	return duplicate(engine->files[slot]);
}

static bool takes_two(const struct sr_job *job)
{
	return job->sqe.opcode == IORING_OP_SPLICE ||
	       job->sqe.opcode == IORING_OP_TEE;
}

int sr_job_open_files(struct sr_engine *engine, struct sr_job *job)
{
	job->fd_in = job->sqe.splice_fd_in;
	if (job->sqe.flags & IOSQE_FIXED_FILE) {
		job->fd = open_slot(engine, job->sqe.fd);
		if (job->fd < 0)
			return job->fd;
		job->owns_fd = true;
	}
	if (takes_two(job) && job->sqe.splice_flags & SPLICE_F_FD_IN_FIXED) {
		job->fd_in = open_slot(engine, job->sqe.splice_fd_in);
		if (job->fd_in < 0)
			return job->fd_in;
		job->owns_fd_in = true;
		job->sqe.splice_flags &= ~SPLICE_F_FD_IN_FIXED;
	}
	return 0;
}

void sr_job_close_files(struct sr_job *job)
{
	if (job->owns_fd)
		close(job->fd);
	if (job->owns_fd_in)
		close(job->fd_in);
	job->owns_fd = false;
	job->owns_fd_in = false;
}

/*
 * A ring of the kernel's holds the file that an operation was submitted for. The
 * engine has but a number, which the program may close meanwhile, and get for
 * another file: that one is not to be read from in place of the first. To hold a
 * file by a descriptor of its own would be no better: to close any descriptor of
 * a file releases the locks that the process has on it. What has no inode of its
 * own, such as eventfds, is taken for the same, and what happens between the
 * look and the system call is not seen before it is over: programs are told to
 * keep descriptors open.
 */
static struct sr_identity look(int fd)
{
	struct sr_identity is = { .noted = true, .sort = SR_SORT_STREAM };
	struct stat stat;

	if (fstat(fd, &stat))
		return is;
	is.device = stat.st_dev;
	is.inode = stat.st_ino;
	if (S_ISREG(stat.st_mode) || S_ISBLK(stat.st_mode) ||
	    S_ISDIR(stat.st_mode))
		is.sort = SR_SORT_FILE;
	else if (S_ISSOCK(stat.st_mode))
		is.sort = SR_SORT_SOCKET;
	return is;
}

static bool is_still(int fd, const struct sr_identity *was)
{
	const struct sr_identity is = look(fd);

	return is.device == was->device && is.inode == was->inode;
}

void sr_job_note_files(struct sr_job *job)
{
	if (!job->owns_fd && !job->is.noted)
		job->is = look(job->fd);
	if (takes_two(job) && !job->owns_fd_in && !job->in_is.noted)
		job->in_is = look(job->fd_in);
}

bool sr_job_has_files(const struct sr_job *job)
{
	return (job->owns_fd || !job->is.noted ||
		is_still(job->fd, &job->is)) &&
	       (job->owns_fd_in || !job->in_is.noted ||
		is_still(job->fd_in, &job->in_is));
}

enum sr_sort sr_job_sort(struct sr_job *job)
{
	if (!job->is.noted)
		job->is = look(job->fd);
	return job->is.sort;
}

static bool makes_descriptor(const struct sr_job *job)
{
	switch (job->sqe.opcode) {
	case IORING_OP_OPENAT:
	case IORING_OP_OPENAT2:
	case IORING_OP_ACCEPT:
	case IORING_OP_SOCKET:
		return job->sqe.file_index;
	default:
		return false;
	}
}

static int find_free_slot(const struct sr_engine *engine)
{
	unsigned int slot;

	for (slot = 0; slot < engine->file_count; slot++)
		if (engine->files[slot] < 0)
			return (int)slot;
	return -ENFILE;
}

int sr_job_install(struct sr_engine *engine, const struct sr_job *job, int fd)
{
	unsigned int slot = job->sqe.file_index - 1;
	int chosen = 0;

	if (fd < 0 || !makes_descriptor(job))
		return fd;
	if (job->sqe.file_index == IORING_FILE_INDEX_ALLOC) {
		chosen = find_free_slot(engine);
		slot = (unsigned int)chosen;
	} else if (slot >= engine->file_count) {
		chosen = engine->file_count ? -EINVAL : -ENXIO;
	}
	if (chosen < 0)
		close(fd);
	else
		set_slot(engine, slot, fd);
	return chosen;
}

int sr_job_close_slot(struct sr_engine *engine, const struct sr_job *job)
{
	const unsigned int slot = job->sqe.file_index - 1;

	if (!engine->file_count)
		return -ENXIO;
	if (slot >= engine->file_count)
		return -EINVAL;
	if (engine->files[slot] < 0)
		return -EBADF;
	set_slot(engine, slot, -1);
	return 0;
}
