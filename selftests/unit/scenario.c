// SPDX-License-Identifier: GPL-2.0
#include <sys/socket.h>
#include "scenario.h"

void submit_and_wait(struct bench *bench, unsigned int min)
{
	if (bench->engine)
		assert_int_equal(sr_engine_enter(bench->engine, min,
						 5000000000UL),
				 0);
	else
		assert_true(io_uring_submit_and_wait(&bench->uring, min) >= 0);
}

struct io_uring_sqe *sqe_of(struct bench *bench, uint64_t user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&bench->uring);

	assert_non_null(sqe);
	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = user_data;
	return sqe;
}

unsigned int ready(struct bench *bench)
{
	return bench->engine ? sr_engine_ready(bench->engine) :
			       io_uring_cq_ready(&bench->uring);
}

struct completion next(struct bench *bench)
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

void collect(struct bench *bench, int *results, unsigned int count)
{
	struct completion cqe;
	unsigned int number;

	for (number = 0; number < count; number++) {
		cqe = next(bench);
		assert_in_range(cqe.user_data, 1, count);
		results[cqe.user_data] = cqe.res;
	}
}

int result_of(struct bench *bench)
{
	return next(bench).res;
}

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

void run_on_both(scenario_fn *scenario)
{
	run_on_kernel(scenario);
	run_on_engine(scenario);
}

void make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    pair),
			 0);
}

void close_pair(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}
