// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets and pipes, by the engine that stands in for io_uring.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include "scenario.h"

SCENARIO(a_read_waits_for_a_socket)
{
	char data[8] = { 0 };
	int pair[2];

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_read, pair[0], data, sizeof(data), 0);
	submit_and_wait(bench, 0);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(write(pair[1], "12345", 5), 5);
	assert_int_equal(result_of(bench), 5);
	assert_memory_equal(data, "12345", 5);
	close_pair(pair);
}

SCENARIO(a_read_waits_for_a_pipe)
{
	char data[8] = { 0 };
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	PREPARE(bench, 1, io_uring_prep_read, ends[0], data, sizeof(data), 0);
	submit_and_wait(bench, 0);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(write(ends[1], "12345", 5), 5);
	assert_int_equal(result_of(bench), 5);
	PREPARE(bench, 1, io_uring_prep_read, ends[0], data, sizeof(data), 0);
	submit_and_wait(bench, 0);
	close(ends[1]);
	assert_int_equal(result_of(bench), 0);
	close(ends[0]);
}

SCENARIO(messages_go_both_ways)
{
	char out[] = "hello", in[16] = { 0 };
	struct iovec iovec = { in, sizeof(in) };
	struct msghdr message = { .msg_iov = &iovec, .msg_iovlen = 1 };
	int pair[2];

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_recvmsg, pair[0], &message, 0);
	submit_and_wait(bench, 0);
	PREPARE(bench, 2, io_uring_prep_send, pair[1], out, 5, 0);
	submit_and_wait(bench, 2);
	assert_int_equal(next(bench).res + next(bench).res, 10);
	assert_memory_equal(in, "hello", 5);
	iovec.iov_len = 5;
	PREPARE(bench, 1, io_uring_prep_sendmsg, pair[1], &message, 0);
	assert_int_equal(result_of(bench), 5);
	PREPARE(bench, 1, io_uring_prep_recv, pair[0], out, 5, 0);
	assert_int_equal(result_of(bench), 5);
	assert_memory_equal(out, "hello", 5);
	PREPARE(bench, 1, io_uring_prep_shutdown, pair[1], SHUT_WR);
	assert_int_equal(result_of(bench), 0);
	PREPARE(bench, 1, io_uring_prep_recv, pair[0], out, 5, 0);
	assert_int_equal(result_of(bench), 0);
	close_pair(pair);
}

SCENARIO(only_a_request_that_says_so_does_not_wait)
{
	char byte;
	int pair[2];

	make_pair(pair);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	PREPARE(bench, 1, io_uring_prep_recv, pair[0], &byte, 1, MSG_DONTWAIT);
	assert_int_equal(result_of(bench), -EAGAIN);
	PREPARE(bench, 1, io_uring_prep_recv, pair[0], &byte, 1, 0);
	submit_and_wait(bench, 0);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(result_of(bench), 1);
	close_pair(pair);
}

/* What a request to cancel says, also if the one meant is being looked at. */
static bool was_found(int result)
{
	return result == 0 || result == -EALREADY;
}

static int listener(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	assert_int_equal(bind(fd, (struct sockaddr *)address, length), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &length),
			 0);
	return fd;
}

SCENARIO(connections_are_made_and_accepted)
{
	struct sockaddr_in address;
	const int server = listener(&address);
	const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int results[3];

	PREPARE(bench, 1, io_uring_prep_accept, server, NULL, NULL,
		SOCK_CLOEXEC);
	submit_and_wait(bench, 0);
	assert_int_equal(ready(bench), 0);
	PREPARE(bench, 2, io_uring_prep_connect, client,
		(struct sockaddr *)&address, sizeof(address));
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_true(results[1] >= 0);
	assert_int_equal(results[2], 0);
	close(results[1]);
	close(client);
	close(server);
}

SCENARIO(one_request_accepts_many_connections)
{
	struct sockaddr_in address;
	const int server = listener(&address);
	struct completion cqe;
	unsigned int number;
	int client[3];

	PREPARE(bench, 1, io_uring_prep_multishot_accept, server, NULL, NULL,
		SOCK_CLOEXEC);
	submit_and_wait(bench, 0);
	for (number = 0; number < 3; number++) {
		client[number] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(client[number],
					 (struct sockaddr *)&address,
					 sizeof(address)),
				 0);
		cqe = next(bench);
		assert_true(cqe.res >= 0);
		assert_true(cqe.flags & IORING_CQE_F_MORE);
		close(cqe.res);
		close(client[number]);
	}
	PREPARE(bench, 2, io_uring_prep_cancel64, 1, 0);
	submit_and_wait(bench, 2);
	for (number = 0; number < 2; number++) {
		cqe = next(bench);
		assert_false(cqe.flags & IORING_CQE_F_MORE);
		if (cqe.user_data == 1)
			assert_int_equal(cqe.res, -ECANCELED);
		else
			assert_true(was_found(cqe.res));
	}
	close(server);
}

/* ---- what takes long ---- */

/*
 * A listener whose queue is full: whoever connects now is not answered. The
 * descriptors of those in the queue are the caller's.
 */
static int full_listener(struct sockaddr_in *address, int queue[2])
{
	const int server = listener(address);
	unsigned int number;

	assert_int_equal(listen(server, 0), 0);
	for (number = 0; number < 2; number++) {
		queue[number] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC |
						SOCK_NONBLOCK, 0);
		connect(queue[number], (struct sockaddr *)address,
			sizeof(*address));
	}
	return server;
}

static void close_full(int server, int queue[2])
{
	close_pair(queue);
	close(server);
}

SCENARIO(connecting_can_be_cancelled)
{
	struct sockaddr_in address;
	int queue[2], results[3];
	const int server = full_listener(&address, queue);
	const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	PREPARE(bench, 1, io_uring_prep_connect, client,
		(struct sockaddr *)&address, sizeof(address));
	submit_and_wait(bench, 0);
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	assert_int_equal(ready(bench), 0);
	PREPARE(bench, 2, io_uring_prep_cancel64, 1, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], 0);
	/* The socket waits for its next call as before. */
	assert_int_equal(fcntl(client, F_GETFL) & O_NONBLOCK, 0);
	close(client);
	close_full(server, queue);
}

SCENARIO(connecting_ends_with_its_timeout)
{
	struct __kernel_timespec time = { .tv_nsec = 10000000 };
	struct sockaddr_in address;
	int queue[2], results[3];
	const int server = full_listener(&address, queue);
	const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	PREPARE(bench, 1, io_uring_prep_connect, client,
		(struct sockaddr *)&address, sizeof(address))->flags |=
		IOSQE_IO_LINK;
	PREPARE(bench, 2, io_uring_prep_link_timeout, &time, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], -ETIME);
	close(client);
	close_full(server, queue);
}

/* There are more than the engine has threads. */
SCENARIO(what_connects_for_long_keeps_nothing_else_waiting)
{
	struct sockaddr_in address;
	struct completion cqe;
	int queue[2], client[12];
	const int server = full_listener(&address, queue);
	const int fd = pattern_file(512);
	unsigned int number;
	char data[512] = { 0 };

	for (number = 0; number < 12; number++) {
		client[number] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		PREPARE(bench, number + 1, io_uring_prep_connect,
			client[number], (struct sockaddr *)&address,
			sizeof(address));
	}
	PREPARE(bench, 13, io_uring_prep_read, fd, data, sizeof(data), 0);
	cqe = next(bench);
	assert_int_equal(cqe.user_data, 13);
	assert_int_equal(cqe.res, 512);
	PREPARE(bench, 13, io_uring_prep_cancel64, 0, IORING_ASYNC_CANCEL_ANY);
	for (number = 0; number < 13; number++) {
		cqe = next(bench);
		assert_int_equal(cqe.res,
				 cqe.user_data == 13 ? 12 : -ECANCELED);
	}
	for (number = 0; number < 12; number++)
		close(client[number]);
	close_full(server, queue);
	close(fd);
}

SCENARIO(a_refused_connection_is_an_error)
{
	struct sockaddr_in address;
	const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC |
					   SOCK_NONBLOCK, 0);
	const int server = listener(&address);

	close(server);
	PREPARE(bench, 1, io_uring_prep_connect, client,
		(struct sockaddr *)&address, sizeof(address));
	assert_int_equal(result_of(bench), -ECONNREFUSED);
	PREPARE(bench, 1, io_uring_prep_connect, 9999,
		(struct sockaddr *)&address, sizeof(address));
	assert_int_equal(result_of(bench), -EBADF);
	close(client);
}

SCENARIO(a_connected_socket_does_not_connect_again)
{
	struct sockaddr_in address;
	const int server = listener(&address);
	const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC |
					   SOCK_NONBLOCK, 0);

	/* That the socket would not wait is no matter. */
	PREPARE(bench, 1, io_uring_prep_connect, client,
		(struct sockaddr *)&address, sizeof(address));
	assert_int_equal(result_of(bench), 0);
	assert_int_equal(fcntl(client, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	PREPARE(bench, 1, io_uring_prep_connect, client,
		(struct sockaddr *)&address, sizeof(address));
	assert_int_equal(result_of(bench), -EISCONN);
	close(client);
	close(server);
}

static int local_listener(struct sockaddr_un *address)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1,
		 "saferring-engine-%d", getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)),
			 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

/* poll(2) would say of such a socket that it is ready. */
SCENARIO(a_local_connection_waits_for_room)
{
	const struct timespec pause = { .tv_nsec = 30000000 };
	struct sockaddr_un address;
	const int server = local_listener(&address);
	int client[2], taken;

	client[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client[0], (struct sockaddr *)&address,
				 sizeof(address)),
			 0);
	PREPARE(bench, 1, io_uring_prep_connect, client[1],
		(struct sockaddr *)&address, sizeof(address));
	submit_and_wait(bench, 0);
	nanosleep(&pause, NULL);
	assert_int_equal(ready(bench), 0);
	taken = accept(server, NULL, NULL);
	assert_true(taken >= 0);
	assert_int_equal(result_of(bench), 0);
	close(taken);
	close_pair(client);
	close(server);
}

/* Both see that there is a connection, and one gets it. */
SCENARIO(of_two_that_accept_the_one_left_can_be_cancelled)
{
	struct sockaddr_in address;
	const int server = listener(&address);
	struct completion cqe;
	unsigned int number, round;
	int client, results[3];

	for (round = 0; round < 20; round++) {
		for (number = 1; number <= 2; number++)
			PREPARE(bench, number, io_uring_prep_accept, server,
				NULL, NULL, SOCK_CLOEXEC);
		submit_and_wait(bench, 0);
		client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(client, (struct sockaddr *)&address,
					 sizeof(address)),
				 0);
		cqe = next(bench);
		assert_true(cqe.res >= 0);
		close(cqe.res);
		close(client);
		/* The other one has had time to see that it is gone. */
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
		number = 3 - (unsigned int)cqe.user_data;
		PREPARE(bench, 3 - number, io_uring_prep_cancel64, number, 0);
		submit_and_wait(bench, 2);
		collect(bench, results, 2);
		assert_int_equal(results[number], -ECANCELED);
		assert_true(was_found(results[3 - number]));
	}
	close(server);
}

SCENARIO(sending_to_nobody_is_an_error_and_no_signal)
{
	char byte = 'x';
	struct iovec iovec = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iovec, .msg_iovlen = 1 };
	int pair[2];

	make_pair(pair);
	close(pair[1]);
	PREPARE(bench, 1, io_uring_prep_send, pair[0], &byte, 1, 0);
	assert_int_equal(result_of(bench), -EPIPE);
	PREPARE(bench, 1, io_uring_prep_sendmsg, pair[0], &message, 0);
	assert_int_equal(result_of(bench), -EPIPE);
	close(pair[0]);
}

static void make_pipes(int from[2], int to[2])
{
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
}

SCENARIO(a_splice_waits_for_data_and_can_be_cancelled)
{
	int from[2], to[2], results[3];
	struct completion cqe;
	char data[8] = { 0 };

	make_pipes(from, to);
	PREPARE(bench, 1, io_uring_prep_splice, from[0], -1, to[1], -1, 5, 0);
	submit_and_wait(bench, 0);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(write(from[1], "12345", 5), 5);
	assert_int_equal(result_of(bench), 5);
	assert_int_equal(read(to[0], data, sizeof(data)), 5);
	PREPARE(bench, 1, io_uring_prep_splice, from[0], -1, to[1], -1, 5, 0);
	submit_and_wait(bench, 0);
	/* The kernel's has to be waiting, or it is not found. */
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	PREPARE(bench, 2, io_uring_prep_cancel64, 1, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	/* The kernel's name for it is one that never should leave it. */
	assert_true(results[1] == -ECANCELED ||
		    (results[1] < 0 && !bench->engine));
	assert_true(was_found(results[2]));
	PREPARE(bench, 1, io_uring_prep_splice, from[0], -1, to[1], -1, 5,
		SPLICE_F_NONBLOCK);
	cqe = next(bench);
	assert_int_equal(cqe.res, -EAGAIN);
	close_pair(from);
	close_pair(to);
}

SCENARIO(a_splice_waits_for_room)
{
	int from[2], to[2];
	char data[4096] = { 0 };

	make_pipes(from, to);
	fcntl(to[1], F_SETPIPE_SZ, 4096);
	assert_int_equal(write(to[1], data, sizeof(data)), sizeof(data));
	assert_int_equal(write(from[1], "12345", 5), 5);
	PREPARE(bench, 1, io_uring_prep_splice, from[0], -1, to[1], -1, 5, 0);
	submit_and_wait(bench, 0);
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(read(to[0], data, sizeof(data)), sizeof(data));
	assert_int_equal(result_of(bench), 5);
	close_pair(from);
	close_pair(to);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(a_read_waits_for_a_socket),
		T(a_read_waits_for_a_pipe),
		T(messages_go_both_ways),
		T(only_a_request_that_says_so_does_not_wait),
		T(connections_are_made_and_accepted),
		T(one_request_accepts_many_connections),
		T(connecting_can_be_cancelled),
		T(connecting_ends_with_its_timeout),
		T(what_connects_for_long_keeps_nothing_else_waiting),
		T(a_refused_connection_is_an_error),
		T(a_connected_socket_does_not_connect_again),
		T(a_local_connection_waits_for_room),
		T(of_two_that_accept_the_one_left_can_be_cancelled),
		T(sending_to_nobody_is_an_error_and_no_signal),
		T(a_splice_waits_for_data_and_can_be_cancelled),
		T(a_splice_waits_for_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
