// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Opcodes as system calls. Each function gets a job of which nobody else has
 * hold, and either may block or must not. What cannot be made not to block is
 * done when poll(2) says that it will not, and then by a worker, for somebody
 * else may have been faster.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "internal.h"
#include "engine.h"

/* So is what is none: the call that comes next will say so. */
bool sr_fd_ready(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return fd < 0 || poll(&poll_fd, 1, 0) > 0;
}

/* ---- turns ---- */

#define TURNS 16U

/* By direction and descriptor: who waits on one is in nobody else's way. */
static pthread_mutex_t turns[2][TURNS] = {
	[0 ... 1] = { [0 ... TURNS - 1] = PTHREAD_MUTEX_INITIALIZER },
};

pthread_mutex_t *sr_turn_of(int fd, short events)
{
	return &turns[events == POLLOUT][(unsigned int)fd % TURNS];
}

/* In a child: whoever had a turn is not there. */
void sr_turns_forget(void)
{
	unsigned int number;

	for (number = 0; number < 2 * TURNS; number++)
		pthread_mutex_init(&turns[number / TURNS][number % TURNS],
				   NULL);
}

/* ---- other rings ---- */

static int run_message(struct sr_job *job, bool blocking)
{
	(void)blocking;
	if (job->sqe.addr || job->sqe.msg_ring_flags)
		return -EINVAL;
	return sr_engine_message(job->fd, job->sqe.off, (int32_t)job->sqe.len);
}

/* ---- files ---- */

static int run_nop(struct sr_job *job, bool blocking)
{
	(void)job;
	(void)blocking;
	return 0;
}

static int run_fsync(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(job->sqe.fsync_flags & IORING_FSYNC_DATASYNC ?
				    fdatasync(job->fd) : fsync(job->fd));
}

static int run_sync_file_range(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(sync_file_range(job->fd, (off_t)job->sqe.off,
					    job->sqe.len,
					    job->sqe.sync_range_flags));
}

static int run_fallocate(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(fallocate(job->fd, (int)job->sqe.len,
				      (off_t)job->sqe.off, (off_t)job->sqe.addr));
}

static int run_fadvise(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return -posix_fadvise(job->fd, (off_t)job->sqe.off, job->sqe.len,
			      (int)job->sqe.fadvise_advice);
}

static int run_openat(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(openat(job->fd, sr_pointer(job->sqe.addr),
				   (int)job->sqe.open_flags, job->sqe.len));
}

static bool openat2_absent;

/* Where there is no openat2(2), or a filter hides it, openat(2) does most of it. */
static int run_openat2(struct sr_job *job, bool blocking)
{
	const struct open_how *how = sr_pointer(job->sqe.off);
	const char *path = sr_pointer(job->sqe.addr);
	long fd;

	(void)blocking;
	if (how->resolve ||
	    !__atomic_load_n(&openat2_absent, __ATOMIC_RELAXED)) {
		fd = syscall(SYS_openat2, job->fd, path, how, job->sqe.len);
		if (fd >= 0 || errno != ENOSYS || how->resolve)
			return sr_result_of(fd);
		__atomic_store_n(&openat2_absent, true, __ATOMIC_RELAXED);
	}
	return sr_result_of(openat(job->fd, path, (int)how->flags,
				   (mode_t)how->mode));
}

static int run_close(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(close(job->fd));
}

static int run_statx(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(syscall(SYS_statx, job->fd, sr_pointer(job->sqe.addr),
				    job->sqe.statx_flags, job->sqe.len,
				    sr_pointer(job->sqe.off)));
}

static off_t *splice_offset(off_t *offset)
{
	return *offset == -1 ? NULL : offset;
}

/*
 * Both wait for data before they wait for room, and either where a cancel finds
 * them. A file is always ready, and a worker's.
 */
static bool pipe_must_wait(struct sr_job *job)
{
	job->nonblock = job->sqe.splice_flags & SPLICE_F_NONBLOCK;
	job->wants_in = !sr_fd_ready(job->fd_in, POLLIN);
	return job->wants_in;
}

static int run_splice(struct sr_job *job, bool blocking)
{
	off_t in = (off_t)job->sqe.splice_off_in;
	off_t out = (off_t)job->sqe.off;

	if (pipe_must_wait(job))
		return -EAGAIN;
	if (!blocking)
		return SR_JOB_BLOCKS;
	return sr_result_of(splice(job->fd_in, splice_offset(&in),
				   job->fd, splice_offset(&out), job->sqe.len,
				   job->sqe.splice_flags | SPLICE_F_NONBLOCK));
}

static int run_tee(struct sr_job *job, bool blocking)
{
	(void)blocking;
	if (pipe_must_wait(job))
		return -EAGAIN;
	return sr_result_of(tee(job->fd_in, job->fd, job->sqe.len,
				job->sqe.splice_flags | SPLICE_F_NONBLOCK));
}

static int run_unlinkat(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(unlinkat(job->fd, sr_pointer(job->sqe.addr),
				     (int)job->sqe.unlink_flags));
}

static int run_renameat(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(renameat2(job->fd, sr_pointer(job->sqe.addr),
				      (int)job->sqe.len, sr_pointer(job->sqe.off),
				      job->sqe.rename_flags));
}

static int run_mkdirat(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(mkdirat(job->fd, sr_pointer(job->sqe.addr),
				    job->sqe.len));
}

/* ---- poll ---- */

static unsigned int poll_mask(const struct sr_job *job)
{
	unsigned int events = job->sqe.poll32_events;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	events = events << 16 | events >> 16;
#endif
	return events;
}

/* One that goes on is told of each event once, which is what epoll can do. */
static int run_poll_multi(struct sr_job *job)
{
	struct epoll_event event = { .events = poll_mask(job) | EPOLLET };
	int count;

	if (job->edges < 0) {
		job->edges = epoll_create1(EPOLL_CLOEXEC);
		if (job->edges < 0 ||
		    epoll_ctl(job->edges, EPOLL_CTL_ADD, job->fd, &event))
			return -errno;
	}
	count = epoll_wait(job->edges, &event, 1, 0);
	if (count < 0)
		return -errno;
	return count ? (int)event.events : -EAGAIN;
}

static int run_poll(struct sr_job *job, bool blocking)
{
	struct pollfd poll_fd = { .fd = job->fd,
				  .events = (short)poll_mask(job) };
	int count;

	(void)blocking;
	if (job->sqe.len & IORING_POLL_ADD_MULTI)
		return run_poll_multi(job);
	if (job->sqe.len)
		return -EINVAL;
	count = poll(&poll_fd, 1, 0);
	if (count < 0)
		return -errno;
	if (poll_fd.revents & POLLNVAL)
		return -EBADF;
	return count ? poll_fd.revents : -EAGAIN;
}

/* ---- what there is ---- */

static const struct sr_call calls[IORING_OP_LAST] = {
	[IORING_OP_NOP] = { run_nop, SR_CALL_NONE },
	[IORING_OP_READV] = { sr_call_readv, SR_CALL_IN },
	[IORING_OP_WRITEV] = { sr_call_writev, SR_CALL_OUT },
	[IORING_OP_READ] = { sr_call_read, SR_CALL_IN },
	[IORING_OP_WRITE] = { sr_call_write, SR_CALL_OUT },
	[IORING_OP_READ_FIXED] = { sr_call_read, SR_CALL_IN },
	[IORING_OP_WRITE_FIXED] = { sr_call_write, SR_CALL_OUT },
	[IORING_OP_FSYNC] = { run_fsync, SR_CALL_WORKER },
	[IORING_OP_SYNC_FILE_RANGE] = { run_sync_file_range, SR_CALL_WORKER },
	[IORING_OP_FALLOCATE] = { run_fallocate, SR_CALL_WORKER },
	[IORING_OP_FADVISE] = { run_fadvise, SR_CALL_WORKER },
	[IORING_OP_OPENAT] = { run_openat, SR_CALL_WORKER },
	[IORING_OP_OPENAT2] = { run_openat2, SR_CALL_WORKER },
	[IORING_OP_CLOSE] = { run_close, SR_CALL_WORKER },
	[IORING_OP_STATX] = { run_statx, SR_CALL_WORKER },
	[IORING_OP_SPLICE] = { run_splice, SR_CALL_PIPE },
	[IORING_OP_TEE] = { run_tee, SR_CALL_PIPE },
	[IORING_OP_UNLINKAT] = { run_unlinkat, SR_CALL_WORKER },
	[IORING_OP_RENAMEAT] = { run_renameat, SR_CALL_WORKER },
	[IORING_OP_MKDIRAT] = { run_mkdirat, SR_CALL_WORKER },
	[IORING_OP_SEND] = { sr_call_send, SR_CALL_OUT },
	[IORING_OP_RECV] = { sr_call_recv, SR_CALL_IN },
	[IORING_OP_SENDMSG] = { sr_call_sendmsg, SR_CALL_OUT },
	[IORING_OP_RECVMSG] = { sr_call_recvmsg, SR_CALL_IN },
	[IORING_OP_ACCEPT] = { sr_call_accept, SR_CALL_IN },
	[IORING_OP_CONNECT] = { sr_call_connect, SR_CALL_OUT },
	[IORING_OP_SHUTDOWN] = { sr_call_shutdown, SR_CALL_NONE },
	[IORING_OP_SOCKET] = { sr_call_socket, SR_CALL_NONE },
	[IORING_OP_SEND_ZC] = { sr_call_send, SR_CALL_OUT },
	[IORING_OP_SENDMSG_ZC] = { sr_call_sendmsg, SR_CALL_OUT },
	[IORING_OP_MSG_RING] = { run_message, SR_CALL_NONE },
	[IORING_OP_POLL_ADD] = { run_poll, SR_CALL_POLL },
};

const struct sr_call *sr_call_of(unsigned int opcode)
{
	if (opcode >= IORING_OP_LAST || !calls[opcode].run)
		return NULL;
	return &calls[opcode];
}

unsigned int sr_call_events(const struct sr_job *job)
{
	switch (calls[job->sqe.opcode].wait) {
	case SR_CALL_IN:
		return POLLIN;
	case SR_CALL_OUT:
		return POLLOUT;
	case SR_CALL_POLL:
		return job->edges < 0 ? poll_mask(job) : POLLIN;
	case SR_CALL_PIPE:
		return job->wants_in ? POLLIN : POLLOUT;
	default:
		return 0;
	}
}

int sr_call_fd(const struct sr_job *job)
{
	if (job->edges >= 0)
		return job->edges;
	return job->wants_in ? job->fd_in : job->fd;
}
