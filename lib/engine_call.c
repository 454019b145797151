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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "internal.h"
#include "engine.h"

static int result_of(ssize_t result)
{
	return result < 0 ? -errno : (int)result;
}

static void *pointer(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

/*
 * enum sort - what a descriptor is
 * @FILE_SORT: a file, a directory or a block device: always ready, and blocks all
 *	the same
 * @SOCKET_SORT: can be told not to wait for one call
 * @STREAM_SORT: anything else, such as a pipe
 */
enum sort {
	FILE_SORT,
	SOCKET_SORT,
	STREAM_SORT,
};

static enum sort sort_of(const struct sr_job *job)
{
	struct stat stat;

	if (fstat(job->fd, &stat))
		return STREAM_SORT;
	if (S_ISREG(stat.st_mode) || S_ISBLK(stat.st_mode) ||
	    S_ISDIR(stat.st_mode))
		return FILE_SORT;
	return S_ISSOCK(stat.st_mode) ? SOCKET_SORT : STREAM_SORT;
}

static bool is_ready(const struct sr_job *job, short events)
{
	struct pollfd poll_fd = { .fd = job->fd, .events = events };

	return poll(&poll_fd, 1, 0) > 0;
}

/* ---- reads and writes ---- */

/* A direction: how to move data that way, and who does so by a call that waits. */
struct direction {
	ssize_t (*call)(int fd, const struct iovec *iovec, int count,
			off_t offset, int flags);
	ssize_t (*message)(int fd, struct msghdr *message);
	short events;
	pthread_mutex_t lock;
};

static ssize_t receive(int fd, struct msghdr *message)
{
	return recvmsg(fd, message, MSG_DONTWAIT);
}

static ssize_t send_out(int fd, struct msghdr *message)
{
	return sendmsg(fd, message, MSG_DONTWAIT);
}

static struct direction inward = {
	.call = preadv2,
	.message = receive,
	.events = POLLIN,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static struct direction outward = {
	.call = pwritev2,
	.message = send_out,
	.events = POLLOUT,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/*
 * Where a call cannot be told not to wait, as with pipes before Linux 6.5, it is
 * made when poll(2) says that it will not, and by one thread at a time, so that
 * of two jobs that saw the same data one does not wait for more.
 */
static int transfer_in_turn(struct sr_job *job, const struct iovec *iovec,
			    unsigned int count, struct direction *direction)
{
	int result = -EAGAIN;

	pthread_mutex_lock(&direction->lock);
	if (is_ready(job, direction->events))
		result = result_of(direction->call(job->fd, iovec, (int)count,
						   -1, job->sqe.rw_flags));
	pthread_mutex_unlock(&direction->lock);
	return result;
}

/* A stream has no position to speak of. */
static int transfer_stream(struct sr_job *job, const struct iovec *iovec,
			   unsigned int count, struct direction *direction,
			   bool blocking)
{
	const int flags = job->sqe.rw_flags | RWF_NOWAIT;
	ssize_t moved;

	if (blocking)
		return transfer_in_turn(job, iovec, count, direction);
	moved = direction->call(job->fd, iovec, (int)count, -1, flags);
	if (moved >= 0 || errno != EOPNOTSUPP)
		return result_of(moved);
	return is_ready(job, direction->events) ? SR_JOB_BLOCKS : -EAGAIN;
}

static int transfer(struct sr_job *job, const struct iovec *iovec,
		    unsigned int count, struct direction *direction,
		    bool blocking)
{
	struct msghdr message = { .msg_iov = (struct iovec *)iovec,
				  .msg_iovlen = count };

	job->nonblock = job->sqe.rw_flags & RWF_NOWAIT;
	switch (sort_of(job)) {
	case FILE_SORT:
		if (!blocking)
			return SR_JOB_BLOCKS;
		return result_of(direction->call(job->fd, iovec, (int)count,
						 (off_t)job->sqe.off,
						 job->sqe.rw_flags));
	case SOCKET_SORT:
		return result_of(direction->message(job->fd, &message));
	default:
		return transfer_stream(job, iovec, count, direction, blocking);
	}
}

static int run_readv(struct sr_job *job, bool blocking)
{
	return transfer(job, pointer(job->sqe.addr), job->sqe.len, &inward,
			blocking);
}

static int run_writev(struct sr_job *job, bool blocking)
{
	return transfer(job, pointer(job->sqe.addr), job->sqe.len, &outward,
			blocking);
}

static int run_read(struct sr_job *job, bool blocking)
{
	const struct iovec iovec = { pointer(job->sqe.addr), job->sqe.len };

	return transfer(job, &iovec, 1, &inward, blocking);
}

static int run_write(struct sr_job *job, bool blocking)
{
	const struct iovec iovec = { pointer(job->sqe.addr), job->sqe.len };

	return transfer(job, &iovec, 1, &outward, blocking);
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
	return result_of(job->sqe.fsync_flags & IORING_FSYNC_DATASYNC ?
				 fdatasync(job->fd) : fsync(job->fd));
}

static int run_sync_file_range(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(sync_file_range(job->fd, (off_t)job->sqe.off,
					 job->sqe.len,
					 job->sqe.sync_range_flags));
}

static int run_fallocate(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(fallocate(job->fd, (int)job->sqe.len,
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
	return result_of(openat(job->fd, pointer(job->sqe.addr),
				(int)job->sqe.open_flags, job->sqe.len));
}

static int run_openat2(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(syscall(SYS_openat2, job->fd, pointer(job->sqe.addr),
				 pointer(job->sqe.off), job->sqe.len));
}

static int run_close(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(close(job->fd));
}

static int run_statx(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(syscall(SYS_statx, job->fd, pointer(job->sqe.addr),
				 job->sqe.statx_flags, job->sqe.len,
				 pointer(job->sqe.off)));
}

static off_t *splice_offset(off_t *offset)
{
	return *offset == -1 ? NULL : offset;
}

static int run_splice(struct sr_job *job, bool blocking)
{
	off_t in = (off_t)job->sqe.splice_off_in;
	off_t out = (off_t)job->sqe.off;

	(void)blocking;
	return result_of(splice(job->fd_in, splice_offset(&in),
				job->fd, splice_offset(&out), job->sqe.len,
				job->sqe.splice_flags));
}

static int run_tee(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(tee(job->fd_in, job->fd, job->sqe.len,
			     job->sqe.splice_flags));
}

static int run_unlinkat(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(unlinkat(job->fd, pointer(job->sqe.addr),
				  (int)job->sqe.unlink_flags));
}

static int run_renameat(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(renameat2(job->fd, pointer(job->sqe.addr),
				   (int)job->sqe.len, pointer(job->sqe.off),
				   job->sqe.rename_flags));
}

static int run_mkdirat(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(mkdirat(job->fd, pointer(job->sqe.addr),
				 job->sqe.len));
}

/* ---- sockets: nearly all can be told for one call not to wait ---- */

/* As with io_uring, O_NONBLOCK does not keep a request from waiting. */
static void note_mode(struct sr_job *job)
{
	job->nonblock = job->sqe.msg_flags & MSG_DONTWAIT;
}

/* What is to be sent without a copy is copied all the same. */
static int run_send(struct sr_job *job, bool blocking)
{
	const int flags = (int)job->sqe.msg_flags | MSG_DONTWAIT;

	(void)blocking;
	note_mode(job);
	return result_of(sendto(job->fd, pointer(job->sqe.addr), job->sqe.len,
				flags, pointer(job->sqe.off),
				job->sqe.addr_len));
}

static int run_recv(struct sr_job *job, bool blocking)
{
	const int flags = (int)job->sqe.msg_flags | MSG_DONTWAIT;

	(void)blocking;
	note_mode(job);
	return result_of(recv(job->fd, pointer(job->sqe.addr), job->sqe.len,
			      flags));
}

static int run_sendmsg(struct sr_job *job, bool blocking)
{
	(void)blocking;
	note_mode(job);
	return result_of(sendmsg(job->fd, pointer(job->sqe.addr),
				 (int)job->sqe.msg_flags | MSG_DONTWAIT));
}

static int run_recvmsg(struct sr_job *job, bool blocking)
{
	(void)blocking;
	note_mode(job);
	return result_of(recvmsg(job->fd, pointer(job->sqe.addr),
				 (int)job->sqe.msg_flags | MSG_DONTWAIT));
}

/* Only a worker can be kept waiting, if the connection is gone already. */
static int run_accept(struct sr_job *job, bool blocking)
{
	if (!blocking)
		return is_ready(job, POLLIN) ? SR_JOB_BLOCKS : -EAGAIN;
	return result_of(accept4(job->fd, pointer(job->sqe.addr),
				 pointer(job->sqe.off),
				 (int)job->sqe.accept_flags));
}

static int run_connect(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(connect(job->fd, pointer(job->sqe.addr),
				 (socklen_t)job->sqe.off));
}

static int run_shutdown(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(shutdown(job->fd, (int)job->sqe.len));
}

static int run_socket(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return result_of(socket(job->fd, (int)job->sqe.off, (int)job->sqe.len));
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
	[IORING_OP_READV] = { run_readv, SR_CALL_IN },
	[IORING_OP_WRITEV] = { run_writev, SR_CALL_OUT },
	[IORING_OP_READ] = { run_read, SR_CALL_IN },
	[IORING_OP_WRITE] = { run_write, SR_CALL_OUT },
	[IORING_OP_READ_FIXED] = { run_read, SR_CALL_IN },
	[IORING_OP_WRITE_FIXED] = { run_write, SR_CALL_OUT },
	[IORING_OP_FSYNC] = { run_fsync, SR_CALL_WORKER },
	[IORING_OP_SYNC_FILE_RANGE] = { run_sync_file_range, SR_CALL_WORKER },
	[IORING_OP_FALLOCATE] = { run_fallocate, SR_CALL_WORKER },
	[IORING_OP_FADVISE] = { run_fadvise, SR_CALL_WORKER },
	[IORING_OP_OPENAT] = { run_openat, SR_CALL_WORKER },
	[IORING_OP_OPENAT2] = { run_openat2, SR_CALL_WORKER },
	[IORING_OP_CLOSE] = { run_close, SR_CALL_WORKER },
	[IORING_OP_STATX] = { run_statx, SR_CALL_WORKER },
	[IORING_OP_SPLICE] = { run_splice, SR_CALL_WORKER },
	[IORING_OP_TEE] = { run_tee, SR_CALL_WORKER },
	[IORING_OP_UNLINKAT] = { run_unlinkat, SR_CALL_WORKER },
	[IORING_OP_RENAMEAT] = { run_renameat, SR_CALL_WORKER },
	[IORING_OP_MKDIRAT] = { run_mkdirat, SR_CALL_WORKER },
	[IORING_OP_SEND] = { run_send, SR_CALL_OUT },
	[IORING_OP_RECV] = { run_recv, SR_CALL_IN },
	[IORING_OP_SENDMSG] = { run_sendmsg, SR_CALL_OUT },
	[IORING_OP_RECVMSG] = { run_recvmsg, SR_CALL_IN },
	[IORING_OP_ACCEPT] = { run_accept, SR_CALL_IN },
	[IORING_OP_CONNECT] = { run_connect, SR_CALL_WORKER },
	[IORING_OP_SHUTDOWN] = { run_shutdown, SR_CALL_NONE },
	[IORING_OP_SOCKET] = { run_socket, SR_CALL_NONE },
	[IORING_OP_SEND_ZC] = { run_send, SR_CALL_OUT },
	[IORING_OP_SENDMSG_ZC] = { run_sendmsg, SR_CALL_OUT },
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
	default:
		return 0;
	}
}
