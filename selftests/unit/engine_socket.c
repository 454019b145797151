// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets and pipes, by the engine that stands in for io_uring.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include "scenario.h"

SCENARIO(a_read_waits_for_a_socket)
{
	char data[8];
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
	char data[8];
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
	char out[] = "hello", in[16];
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
		assert_int_equal(cqe.res, cqe.user_data == 1 ? -ECANCELED : 0);
	}
	close(server);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
