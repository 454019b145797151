// SPDX-License-Identifier: GPL-2.0
/*
 * The engine that stands in for io_uring: each test submits SQEs to one ring of
 * the kernel, if there is io_uring here, and to one of the engine, and both must
 * come to the same, which is written down.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include "common.h"
#include "../../lib/internal.h"
#include "../../lib/engine.h"

#define DEPTH 16

/* A ring of either kind. */
struct bench {
	struct io_uring uring;
	struct sr_engine *engine;
};

static void submit_and_wait(struct bench *bench, unsigned int min)
{
	if (bench->engine)
		assert_int_equal(sr_engine_enter(bench->engine, min,
						 5000000000UL),
				 0);
	else
		assert_true(io_uring_submit_and_wait(&bench->uring, min) >= 0);
}

static struct io_uring_sqe *sqe_of(struct bench *bench, uint64_t user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&bench->uring);

	assert_non_null(sqe);
	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = user_data;
	return sqe;
}

/* liburing's functions to prepare an SQE clear what is not theirs. */
#define PREPARE(bench, number, prepare, ...)                                   \
	({                                                                     \
		struct io_uring_sqe *sqe_ = sqe_of(bench, number);             \
		prepare(sqe_, ##__VA_ARGS__);                                  \
		sqe_->user_data = (number);                                    \
		sqe_;                                                          \
	})

static unsigned int ready(struct bench *bench)
{
	return bench->engine ? sr_engine_ready(bench->engine) :
			       io_uring_cq_ready(&bench->uring);
}

struct completion {
	uint64_t user_data;
	int res;
	unsigned int flags;
};

/* The next completion, waited for. */
static struct completion next(struct bench *bench)
{
	struct completion copy;
	struct io_uring_cqe *cqe;

	if (!ready(bench))
		submit_and_wait(bench, 1);
	assert_int_equal(io_uring_peek_cqe(&bench->uring, &cqe), 0);
	copy = (struct completion){ cqe->user_data, cqe->res, cqe->flags };
	io_uring_cqe_seen(&bench->uring, cqe);
	return copy;
}

/* Completions in any order: those of @count SQEs that are numbered from 1. */
static void collect(struct bench *bench, int *results, unsigned int count)
{
	struct completion cqe;
	unsigned int number;

	for (number = 0; number < count; number++) {
		cqe = next(bench);
		assert_in_range(cqe.user_data, 1, count);
		results[cqe.user_data] = cqe.res;
	}
}

static int result_of(struct bench *bench)
{
	return next(bench).res;
}

typedef void scenario_fn(struct bench *bench);

static void run_on_kernel(scenario_fn *scenario)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SUBMIT_ALL,
	};
	struct bench bench = { .engine = NULL };

	if (io_uring_queue_init_params(DEPTH, &bench.uring, &params)) {
		print_message("# no io_uring to compare with\n");
		return;
	}
	scenario(&bench);
	io_uring_queue_exit(&bench.uring);
}

static void run_on_engine(scenario_fn *scenario)
{
	struct bench bench = { .engine = NULL };

	assert_int_equal(sr_engine_open(&bench.engine, &bench.uring, DEPTH,
					0), 0);
	scenario(&bench);
	sr_engine_close(bench.engine);
}

#define SCENARIO(name)                                                         \
	static void name##_on(struct bench *bench);                            \
	static void name(void **state)                                         \
	{                                                                      \
		(void)state;                                                   \
		run_on_kernel(name##_on);                                      \
		run_on_engine(name##_on);                                      \
	}                                                                      \
	static void name##_on(struct bench *bench)

static void make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    pair),
			 0);
}

static void close_pair(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/* ---- files ---- */

SCENARIO(nothing_is_done_in_order)
{
	unsigned int number;

	for (number = 1; number <= DEPTH; number++)
		PREPARE(bench, number, io_uring_prep_nop);
	submit_and_wait(bench, DEPTH);
	for (number = 1; number <= DEPTH; number++)
		assert_int_equal(next(bench).user_data, number);
	assert_int_equal(ready(bench), 0);
}

SCENARIO(files_are_read_and_written)
{
	const int fd = pattern_file(10000);
	char data[4096], other[4096];
	struct iovec iovec[2] = { { data, 100 }, { other, 200 } };

	PREPARE(bench, 1, io_uring_prep_read, fd, data, sizeof(data), 5000);
	assert_int_equal(result_of(bench), sizeof(data));
	assert_pattern(data, 5000, sizeof(data));
	PREPARE(bench, 1, io_uring_prep_read, fd, data, sizeof(data), 9990);
	assert_int_equal(result_of(bench), 10);
	PREPARE(bench, 1, io_uring_prep_read, fd, data, sizeof(data), 20000);
	assert_int_equal(result_of(bench), 0);
	PREPARE(bench, 1, io_uring_prep_readv, fd, iovec, 2, 40);
	assert_int_equal(result_of(bench), 300);
	assert_pattern(data, 40, 100);
	assert_pattern(other, 140, 200);
	PREPARE(bench, 1, io_uring_prep_write, fd, other, 200, 10000);
	assert_int_equal(result_of(bench), 200);
	PREPARE(bench, 1, io_uring_prep_fsync, fd, IORING_FSYNC_DATASYNC);
	assert_int_equal(result_of(bench), 0);
	assert_int_equal(pread(fd, data, sizeof(data), 10000), 200);
	assert_memory_equal(data, other, 200);
	close(fd);
}

SCENARIO(the_position_of_a_file_moves)
{
	const int fd = pattern_file(1000);
	char data[600];

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	PREPARE(bench, 1, io_uring_prep_read, fd, data, 600, -1);
	assert_int_equal(result_of(bench), 600);
	PREPARE(bench, 1, io_uring_prep_read, fd, data, 600, -1);
	assert_int_equal(result_of(bench), 400);
	assert_pattern(data, 600, 400);
	close(fd);
}

SCENARIO(errors_are_those_of_the_system_call)
{
	const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char byte = 0;

	PREPARE(bench, 1, io_uring_prep_read, 9999, &byte, 1, 0);
	assert_int_equal(result_of(bench), -EBADF);
	PREPARE(bench, 1, io_uring_prep_write, fd, &byte, 1, 0);
	assert_int_equal(result_of(bench), -EBADF);
	PREPARE(bench, 1, io_uring_prep_read, fd, &byte, 1, 0);
	assert_int_equal(result_of(bench), 0);
	PREPARE(bench, 1, io_uring_prep_recv, fd, &byte, 1, 0);
	assert_int_equal(result_of(bench), -ENOTSOCK);
	PREPARE(bench, 1, io_uring_prep_openat, AT_FDCWD, "/nowhere/at/all",
		O_RDONLY, 0);
	assert_int_equal(result_of(bench), -ENOENT);
	sqe_of(bench, 1)->opcode = 250;
	assert_int_equal(result_of(bench), -EINVAL);
	close(fd);
}

SCENARIO(files_are_opened_looked_at_and_closed)
{
	char path[] = "/tmp/safer-ring-engine.XXXXXX";
	const int made = mkstemp(path);
	struct statx statx;
	int fd;

	assert_true(made >= 0);
	assert_int_equal(write(made, "four", 4), 4);
	close(made);
	PREPARE(bench, 1, io_uring_prep_openat, AT_FDCWD, path,
		O_RDWR | O_CLOEXEC, 0);
	fd = result_of(bench);
	assert_true(fd >= 0);
	PREPARE(bench, 1, io_uring_prep_fallocate, fd, 0, 0, 8192);
	assert_int_equal(result_of(bench), 0);
	PREPARE(bench, 1, io_uring_prep_statx, AT_FDCWD, path, 0, STATX_SIZE,
		&statx);
	assert_int_equal(result_of(bench), 0);
	assert_int_equal(statx.stx_size, 8192);
	PREPARE(bench, 1, io_uring_prep_close, fd);
	assert_int_equal(result_of(bench), 0);
	PREPARE(bench, 1, io_uring_prep_close, fd);
	assert_int_equal(result_of(bench), -EBADF);
	PREPARE(bench, 1, io_uring_prep_unlinkat, AT_FDCWD, path, 0);
	assert_int_equal(result_of(bench), 0);
	assert_int_equal(access(path, F_OK), -1);
}

SCENARIO(many_reads_of_a_file_end_with_the_right_data)
{
	const int fd = pattern_file(DEPTH * 512);
	char data[DEPTH + 1][512];
	int results[DEPTH + 1];
	unsigned int round, number;

	for (round = 0; round < 200; round++) {
		memset(data, 0, sizeof(data));
		for (number = 1; number <= DEPTH; number++)
			PREPARE(bench, number, io_uring_prep_read, fd,
				data[number], 512, (number - 1) * 512);
		submit_and_wait(bench, DEPTH);
		collect(bench, results, DEPTH);
		for (number = 1; number <= DEPTH; number++) {
			assert_int_equal(results[number], 512);
			assert_pattern(data[number], (number - 1) * 512, 512);
		}
	}
	close(fd);
}

/* ---- sockets and pipes ---- */

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

/* ---- waiting ---- */

SCENARIO(poll_tells_what_is_ready)
{
	int pair[2];

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_poll_add, pair[0], POLLIN | POLLOUT);
	assert_int_equal(result_of(bench), POLLOUT);
	PREPARE(bench, 1, io_uring_prep_poll_add, pair[0], POLLIN);
	submit_and_wait(bench, 0);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(result_of(bench), POLLIN);
	close_pair(pair);
}

SCENARIO(poll_can_be_removed)
{
	int results[3], pair[2];

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_poll_add, pair[0], POLLIN);
	submit_and_wait(bench, 0);
	PREPARE(bench, 2, io_uring_prep_poll_remove, 1);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], 0);
	PREPARE(bench, 1, io_uring_prep_poll_remove, 1);
	assert_int_equal(result_of(bench), -ENOENT);
	close_pair(pair);
}

SCENARIO(a_poll_that_goes_on_tells_each_event_once)
{
	struct completion cqe;
	unsigned int round;
	char byte;
	int pair[2];

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_poll_multishot, pair[0], POLLIN);
	submit_and_wait(bench, 0);
	for (round = 0; round < 3; round++) {
		assert_int_equal(write(pair[1], "x", 1), 1);
		cqe = next(bench);
		assert_int_equal(cqe.res, POLLIN);
		assert_true(cqe.flags & IORING_CQE_F_MORE);
		assert_int_equal(read(pair[0], &byte, 1), 1);
		assert_int_equal(ready(bench), 0);
	}
	PREPARE(bench, 2, io_uring_prep_cancel64, 1, 0);
	submit_and_wait(bench, 2);
	next(bench);
	next(bench);
	close_pair(pair);
}

SCENARIO(a_timeout_comes_when_it_is_due)
{
	struct __kernel_timespec time = { .tv_nsec = 20000000 };
	const uint64_t start = sr_engine_now();

	PREPARE(bench, 1, io_uring_prep_timeout, &time, 0, 0);
	assert_int_equal(result_of(bench), -ETIME);
	assert_true(sr_engine_now() - start >= 20000000);
}

SCENARIO(a_timeout_can_be_removed)
{
	struct __kernel_timespec time = { .tv_sec = 1000 };
	int results[3];

	PREPARE(bench, 1, io_uring_prep_timeout, &time, 0, 0);
	submit_and_wait(bench, 0);
	PREPARE(bench, 2, io_uring_prep_timeout_remove, 1, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], 0);
}

SCENARIO(what_waits_can_be_cancelled)
{
	char byte[2];
	int results[3], pair[2];

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_read, pair[0], byte, 1, 0);
	submit_and_wait(bench, 0);
	PREPARE(bench, 2, io_uring_prep_cancel64, 1, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], 0);
	PREPARE(bench, 1, io_uring_prep_cancel64, 77, 0);
	assert_int_equal(result_of(bench), -ENOENT);
	/* Nothing is taken from the socket by one that was cancelled. */
	assert_int_equal(write(pair[1], "z", 1), 1);
	assert_int_equal(read(pair[0], byte, 1), 1);
	close_pair(pair);
}

SCENARIO(all_that_waits_can_be_cancelled)
{
	char byte[4];
	int results[5], pair[2];
	unsigned int number;

	make_pair(pair);
	for (number = 1; number <= 3; number++)
		PREPARE(bench, number, io_uring_prep_read, pair[0],
			byte + number, 1, 0);
	submit_and_wait(bench, 0);
	PREPARE(bench, 4, io_uring_prep_cancel64, 0, IORING_ASYNC_CANCEL_ANY);
	submit_and_wait(bench, 4);
	collect(bench, results, 4);
	for (number = 1; number <= 3; number++)
		assert_int_equal(results[number], -ECANCELED);
	assert_int_equal(results[4], 3);
	close_pair(pair);
}

SCENARIO(what_waits_for_a_descriptor_can_be_cancelled)
{
	char byte[3];
	int results[4], pair[2], other[2];

	make_pair(pair);
	make_pair(other);
	PREPARE(bench, 1, io_uring_prep_read, pair[0], byte, 1, 0);
	PREPARE(bench, 2, io_uring_prep_read, other[0], byte + 1, 1, 0);
	submit_and_wait(bench, 0);
	PREPARE(bench, 3, io_uring_prep_cancel_fd, pair[0], 0);
	submit_and_wait(bench, 2);
	assert_int_equal(ready(bench), 2);
	assert_int_equal(write(other[1], "y", 1), 1);
	collect(bench, results, 3);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], 1);
	assert_int_equal(results[3], 0);
	close_pair(pair);
	close_pair(other);
}

/* ---- chains ---- */

SCENARIO(a_chain_is_done_in_order)
{
	const int fd = pattern_file(0);
	char data[8] = { 0 };
	int results[4];

	PREPARE(bench, 1, io_uring_prep_write, fd, "12345678", 8, 0)->flags |=
		IOSQE_IO_LINK;
	PREPARE(bench, 2, io_uring_prep_fsync, fd, 0)->flags |= IOSQE_IO_LINK;
	PREPARE(bench, 3, io_uring_prep_read, fd, data, 8, 0);
	submit_and_wait(bench, 3);
	collect(bench, results, 3);
	assert_int_equal(results[1], 8);
	assert_int_equal(results[2], 0);
	assert_int_equal(results[3], 8);
	assert_memory_equal(data, "12345678", 8);
	close(fd);
}

SCENARIO(an_error_ends_a_chain)
{
	const int fd = pattern_file(8);
	char data[16];
	int results[5];

	/* A short read is an error here. */
	PREPARE(bench, 1, io_uring_prep_read, fd, data, 16, 0)->flags |=
		IOSQE_IO_LINK;
	PREPARE(bench, 2, io_uring_prep_nop)->flags |= IOSQE_IO_LINK;
	PREPARE(bench, 3, io_uring_prep_nop);
	PREPARE(bench, 4, io_uring_prep_nop);
	submit_and_wait(bench, 4);
	collect(bench, results, 4);
	assert_int_equal(results[1], 8);
	assert_int_equal(results[2], -ECANCELED);
	assert_int_equal(results[3], -ECANCELED);
	assert_int_equal(results[4], 0);
	close(fd);
}

SCENARIO(a_hard_link_survives_an_error)
{
	const int fd = pattern_file(8);
	char data[16];
	int results[4];

	PREPARE(bench, 1, io_uring_prep_read, fd, data, 16, 0)->flags |=
		IOSQE_IO_HARDLINK;
	PREPARE(bench, 2, io_uring_prep_read, 9999, data, 8, 0)->flags |=
		IOSQE_IO_HARDLINK;
	PREPARE(bench, 3, io_uring_prep_nop);
	submit_and_wait(bench, 3);
	collect(bench, results, 3);
	assert_int_equal(results[1], 8);
	assert_int_equal(results[2], -EBADF);
	assert_int_equal(results[3], 0);
	close(fd);
}

SCENARIO(a_linked_timeout_ends_what_takes_too_long)
{
	struct __kernel_timespec time = { .tv_nsec = 10000000 };
	int results[3], pair[2];
	char byte;

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_read, pair[0], &byte, 1, 0)->flags |=
		IOSQE_IO_LINK;
	PREPARE(bench, 2, io_uring_prep_link_timeout, &time, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], -ETIME);
	close_pair(pair);
}

SCENARIO(a_linked_timeout_ends_with_what_is_fast)
{
	struct __kernel_timespec time = { .tv_sec = 1000 };
	const int fd = pattern_file(8);
	int results[3];
	char data[8];

	PREPARE(bench, 1, io_uring_prep_read, fd, data, 8, 0)->flags |=
		IOSQE_IO_LINK;
	PREPARE(bench, 2, io_uring_prep_link_timeout, &time, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], 8);
	assert_int_equal(results[2], -ECANCELED);
	close(fd);
}

SCENARIO(a_long_chain_takes_no_deep_stack)
{
	int results[DEPTH + 1];
	unsigned int number;

	for (number = 1; number <= DEPTH; number++)
		PREPARE(bench, number, io_uring_prep_nop)->flags |=
			number < DEPTH ? IOSQE_IO_LINK : 0;
	submit_and_wait(bench, DEPTH);
	collect(bench, results, DEPTH);
	assert_int_equal(results[DEPTH], 0);
}

SCENARIO(what_drains_waits_for_all_before_and_holds_up_all_behind)
{
	uint64_t number;
	int pair[2];
	char byte;

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_read, pair[0], &byte, 1, 0);
	PREPARE(bench, 2, io_uring_prep_nop)->flags |= IOSQE_IO_DRAIN;
	PREPARE(bench, 3, io_uring_prep_nop);
	submit_and_wait(bench, 0);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(next(bench).user_data, 1);
	/* In Linux 6.1 the two may pass each other on the last bit. */
	number = next(bench).user_data;
	assert_true(number == 2 || (number == 3 && !bench->engine));
	assert_int_equal(next(bench).user_data, 5 - number);
	close_pair(pair);
}

/* ---- completions ---- */

/* The completion queue has room for two thirds of these. */
SCENARIO(completions_without_room_are_not_lost)
{
	const unsigned int total = 3 * DEPTH;
	unsigned int number;

	for (number = 1; number <= total; number++) {
		PREPARE(bench, number, io_uring_prep_nop);
		if (number % DEPTH == 0)
			submit_and_wait(bench, 0);
	}
	for (number = 1; number <= total; number++)
		assert_int_equal(next(bench).user_data, number);
	assert_int_equal(ready(bench), 0);
}

SCENARIO(success_can_be_left_untold)
{
	char byte;

	PREPARE(bench, 1, io_uring_prep_nop)->flags |= IOSQE_CQE_SKIP_SUCCESS;
	PREPARE(bench, 2, io_uring_prep_read, 9999, &byte, 1, 0)->flags |=
		IOSQE_CQE_SKIP_SUCCESS;
	PREPARE(bench, 3, io_uring_prep_nop);
	submit_and_wait(bench, 2);
	assert_int_equal(ready(bench), 2);
	assert_int_equal(next(bench).user_data + next(bench).user_data, 5);
}

SCENARIO(the_descriptor_of_a_ring_is_readable_while_something_has_ended)
{
	struct pollfd poll_fd = { .fd = bench->uring.ring_fd,
				  .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	PREPARE(bench, 1, io_uring_prep_nop);
	submit_and_wait(bench, 0);
	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	next(bench);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
}

/* ---- of the engine alone ---- */

static void waiting_ends_in_time(void **state)
{
	struct io_uring uring;
	struct sr_engine *engine;

	(void)state;
	assert_int_equal(sr_engine_open(&engine, &uring, 4, 0), 0);
	errno = 77;
	assert_int_equal(sr_engine_enter(engine, 1, 1000000), -ETIME);
	assert_int_equal(sr_engine_enter(engine, 1, 0), -ETIME);
	assert_int_equal(errno, 77);
	sr_engine_close(engine);
}

static void what_it_does_not_know_is_refused(void **state)
{
	struct bench bench = { .engine = NULL };

	(void)state;
	assert_int_equal(sr_engine_open(&bench.engine, &bench.uring, 4,
					0), 0);
	PREPARE(&bench, 1, io_uring_prep_recv, 0, NULL, 0, 0)->flags |=
		IOSQE_BUFFER_SELECT;
	assert_int_equal(result_of(&bench), -ENOBUFS);
	PREPARE(&bench, 1, io_uring_prep_recv, 0, NULL, 0, 0)->flags |=
		IOSQE_FIXED_FILE;
	assert_int_equal(result_of(&bench), -EBADF);
	assert_true(sr_engine_supports(IORING_OP_READ));
	assert_true(sr_engine_supports(IORING_OP_LINK_TIMEOUT));
	assert_false(sr_engine_supports(IORING_OP_URING_CMD));
	assert_false(sr_engine_supports(250));
	sr_engine_close(bench.engine);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(nothing_is_done_in_order),
		T(files_are_read_and_written),
		T(the_position_of_a_file_moves),
		T(errors_are_those_of_the_system_call),
		T(files_are_opened_looked_at_and_closed),
		T(many_reads_of_a_file_end_with_the_right_data),
		T(a_read_waits_for_a_socket),
		T(a_read_waits_for_a_pipe),
		T(messages_go_both_ways),
		T(only_a_request_that_says_so_does_not_wait),
		T(connections_are_made_and_accepted),
		T(one_request_accepts_many_connections),
		T(poll_tells_what_is_ready),
		T(poll_can_be_removed),
		T(a_poll_that_goes_on_tells_each_event_once),
		T(a_timeout_comes_when_it_is_due),
		T(a_timeout_can_be_removed),
		T(what_waits_can_be_cancelled),
		T(all_that_waits_can_be_cancelled),
		T(what_waits_for_a_descriptor_can_be_cancelled),
		T(a_chain_is_done_in_order),
		T(an_error_ends_a_chain),
		T(a_hard_link_survives_an_error),
		T(a_linked_timeout_ends_what_takes_too_long),
		T(a_linked_timeout_ends_with_what_is_fast),
		T(a_long_chain_takes_no_deep_stack),
		T(what_drains_waits_for_all_before_and_holds_up_all_behind),
		T(completions_without_room_are_not_lost),
		T(success_can_be_left_untold),
		T(the_descriptor_of_a_ring_is_readable_while_something_has_ended),
		T(waiting_ends_in_time),
		T(what_it_does_not_know_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
