// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Reads and writes as system calls, by what their descriptor is.
 */
#include <errno.h>
#include <sys/uio.h>
#include "internal.h"
#include "engine.h"

/* A direction: how to move data that way. */
struct direction {
	ssize_t (*call)(int fd, const struct iovec *iovec, int count,
			off_t offset, int flags);
	int (*message)(int fd, struct msghdr *message, int flags);
	short events;
};

static const struct direction inward = {
	.call = preadv2,
	.message = sr_receive_message,
	.events = POLLIN,
};

static const struct direction outward = {
	.call = pwritev2,
	.message = sr_send_message,
	.events = POLLOUT,
};

/*
 * Where a call cannot be told not to wait, as with pipes before Linux 6.5, it is
 * made when poll(2) says that it will not, and by one thread at a time, so that
 * of two jobs that saw the same data one does not wait for more.
 */
static int transfer_in_turn(struct sr_job *job, const struct iovec *iovec,
			    unsigned int count,
			    const struct direction *direction)
{
	pthread_mutex_t *turn = sr_turn_of(job->sqe.fd, direction->events);
	int result = -EAGAIN;

	pthread_mutex_lock(turn);
	if (sr_fd_ready(job->fd, direction->events))
		result = sr_result_of(direction->call(job->fd, iovec,
						      (int)count, -1,
						      job->sqe.rw_flags));
	pthread_mutex_unlock(turn);
	return result;
}

/* A stream has no position to speak of. */
static int transfer_stream(struct sr_job *job, const struct iovec *iovec,
			   unsigned int count,
			   const struct direction *direction, bool blocking)
{
	const int flags = job->sqe.rw_flags | RWF_NOWAIT;
	ssize_t moved;

	if (blocking)
		return transfer_in_turn(job, iovec, count, direction);
	moved = direction->call(job->fd, iovec, (int)count, -1, flags);
	if (moved >= 0 || errno != EOPNOTSUPP)
		return sr_result_of(moved);
	return sr_fd_ready(job->fd, direction->events) ? SR_JOB_BLOCKS :
							 -EAGAIN;
}

/*
 * Of a file that was closed meanwhile, another one may have been read from. What
 * comes of that does not pass for the file's.
 */
static int transfer_file(struct sr_job *job, const struct iovec *iovec,
			 unsigned int count, const struct direction *direction)
{
	const int result = sr_result_of(direction->call(job->fd, iovec,
							(int)count,
							(off_t)job->sqe.off,
							job->sqe.rw_flags));

	return sr_job_has_files(job) ? result : -EBADF;
}

static int transfer(struct sr_job *job, const struct iovec *iovec,
		    unsigned int count, const struct direction *direction,
		    bool blocking)
{
	struct msghdr message = { .msg_iov = (struct iovec *)iovec,
				  .msg_iovlen = count };

	job->nonblock = job->sqe.rw_flags & RWF_NOWAIT;
	switch (sr_job_sort(job)) {
	case SR_SORT_FILE:
		if (!blocking)
			return SR_JOB_BLOCKS;
		return transfer_file(job, iovec, count, direction);
	case SR_SORT_SOCKET:
		return direction->message(job->fd, &message, 0);
	default:
		return transfer_stream(job, iovec, count, direction, blocking);
	}
}

int sr_call_readv(struct sr_job *job, bool blocking)
{
	return transfer(job, sr_pointer(job->sqe.addr), job->sqe.len, &inward,
			blocking);
}

int sr_call_writev(struct sr_job *job, bool blocking)
{
	return transfer(job, sr_pointer(job->sqe.addr), job->sqe.len, &outward,
			blocking);
}

int sr_call_read(struct sr_job *job, bool blocking)
{
	const struct iovec iovec = { sr_pointer(job->sqe.addr), job->sqe.len };

	return transfer(job, &iovec, 1, &inward, blocking);
}

int sr_call_write(struct sr_job *job, bool blocking)
{
	const struct iovec iovec = { sr_pointer(job->sqe.addr), job->sqe.len };

	return transfer(job, &iovec, 1, &outward, blocking);
}
