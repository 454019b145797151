// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Sockets as system calls. Nearly all can be told for one call not to wait; those
 * that cannot are accept(2) and connect(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include "internal.h"
#include "engine.h"

int sr_receive_message(int fd, struct msghdr *message, int flags)
{
	return sr_result_of(recvmsg(fd, message, flags | MSG_DONTWAIT));
}

int sr_send_message(int fd, struct msghdr *message, int flags)
{
	return sr_result_of(sendmsg(fd, message, flags | MSG_DONTWAIT));
}

/* As with io_uring, O_NONBLOCK does not keep a request from waiting. */
static void note_mode(struct sr_job *job)
{
	job->nonblock = job->sqe.msg_flags & MSG_DONTWAIT;
}

/* As from io_uring, no signal comes of a connection that is gone. */
static int sending_flags(const struct sr_job *job)
{
	return (int)job->sqe.msg_flags | MSG_NOSIGNAL;
}

/* What is to be sent without a copy is copied all the same. */
int sr_call_send(struct sr_job *job, bool blocking)
{
	(void)blocking;
	note_mode(job);
	return sr_result_of(sendto(job->fd, sr_pointer(job->sqe.addr),
				   job->sqe.len,
				   sending_flags(job) | MSG_DONTWAIT,
				   sr_pointer(job->sqe.off),
				   job->sqe.addr_len));
}

int sr_call_recv(struct sr_job *job, bool blocking)
{
	const int flags = (int)job->sqe.msg_flags | MSG_DONTWAIT;

	(void)blocking;
	note_mode(job);
	return sr_result_of(recv(job->fd, sr_pointer(job->sqe.addr),
				 job->sqe.len, flags));
}

int sr_call_sendmsg(struct sr_job *job, bool blocking)
{
	(void)blocking;
	note_mode(job);
	return sr_send_message(job->fd, sr_pointer(job->sqe.addr),
			       sending_flags(job));
}

int sr_call_recvmsg(struct sr_job *job, bool blocking)
{
	(void)blocking;
	note_mode(job);
	return sr_receive_message(job->fd, sr_pointer(job->sqe.addr),
				  (int)job->sqe.msg_flags);
}

/*
 * By one thread at a time: of two jobs that saw the same connection one must not
 * be kept waiting. A worker makes the call, because the connection may be gone
 * already all the same, or be taken by another process.
 */
int sr_call_accept(struct sr_job *job, bool blocking)
{
	pthread_mutex_t *turn = sr_turn_of(job->sqe.fd, POLLIN);
	int result = -EAGAIN;

	if (!blocking)
		return sr_fd_ready(job->fd, POLLIN) ? SR_JOB_BLOCKS : -EAGAIN;
	pthread_mutex_lock(turn);
	if (sr_fd_ready(job->fd, POLLIN))
		result = sr_result_of(accept4(job->fd,
					      sr_pointer(job->sqe.addr),
					      sr_pointer(job->sqe.off),
					      (int)job->sqe.accept_flags));
	pthread_mutex_unlock(turn);
	return result;
}

/* Only the socket itself can be told not to wait, which it is for this call. */
static int connect_without_waiting(const struct sr_job *job)
{
	pthread_mutex_t *turn = sr_turn_of(job->sqe.fd, POLLOUT);
	int mode, result;

	pthread_mutex_lock(turn);
	mode = fcntl(job->fd, F_GETFL);
	if (mode >= 0 && !(mode & O_NONBLOCK))
		fcntl(job->fd, F_SETFL, mode | O_NONBLOCK);
	result = sr_result_of(connect(job->fd, sr_pointer(job->sqe.addr),
				      (socklen_t)job->sqe.off));
	if (mode >= 0 && !(mode & O_NONBLOCK))
		fcntl(job->fd, F_SETFL, mode);
	pthread_mutex_unlock(turn);
	return result;
}

static int socket_error(int fd)
{
	socklen_t length = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length))
		return -errno;
	return -error;
}

static bool is_local(const struct sr_job *job)
{
	const struct sockaddr *address = sr_pointer(job->sqe.addr);

	return address->sa_family == AF_UNIX;
}

/*
 * Asked once more when poll(2) says that it is done, connect(2) tells what came
 * of it. That a local listener has no room now is nothing that poll(2) could
 * tell the end of: a worker looks again from time to time.
 */
int sr_call_connect(struct sr_job *job, bool blocking)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	const bool again = job->connecting;
	int result;

	if (blocking)
		nanosleep(&pause, NULL);
	result = connect_without_waiting(job);
	if (result == -EINPROGRESS || (again && result == -EALREADY)) {
		job->connecting = true;
		return -EAGAIN;
	}
	if (again && (result == -EISCONN || result == -EBADFD))
		return socket_error(job->fd);
	if (result != -EAGAIN)
		return result;
	/* Of other families that is an error, and none that passes. */
	job->nonblock = !is_local(job);
	return job->nonblock ? result : SR_JOB_BLOCKS;
}

int sr_call_shutdown(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(shutdown(job->fd, (int)job->sqe.len));
}

int sr_call_socket(struct sr_job *job, bool blocking)
{
	(void)blocking;
	return sr_result_of(socket(job->fd, (int)job->sqe.off,
				   (int)job->sqe.len));
}
