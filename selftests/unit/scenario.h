/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Scenarios: each submits SQEs to a ring of the kernel, if there is io_uring
 * here, and then to one of the engine that stands in for it. Both must come to
 * the same, which is written down.
 */
#ifndef UNIT_SCENARIO_H
#define UNIT_SCENARIO_H

#include "common.h"
#include "../../lib/internal.h"
#include "../../lib/engine.h"

#define DEPTH 16

/* A ring of either kind. */
struct bench {
	struct io_uring uring;
	struct sr_engine *engine;
};

/* Zeroed but for its user_data. */
struct io_uring_sqe *sqe_of(struct bench *bench, uint64_t user_data);

/* liburing's functions to prepare an SQE clear what is not theirs. */
#define PREPARE(bench, number, prepare, ...)                                   \
	({                                                                     \
		struct io_uring_sqe *sqe_ = sqe_of(bench, number);             \
		prepare(sqe_, ##__VA_ARGS__);                                  \
		sqe_->user_data = (number);                                    \
		sqe_;                                                          \
	})

void submit_and_wait(struct bench *bench, unsigned int min);
unsigned int ready(struct bench *bench);

struct completion {
	uint64_t user_data;
	int res;
	unsigned int flags;
};

/* The next completion, waited for; and its result. */
struct completion next(struct bench *bench);
int result_of(struct bench *bench);
/* Completions in any order: those of @count SQEs that are numbered from 1. */
void collect(struct bench *bench, int *results, unsigned int count);

typedef void scenario_fn(struct bench *bench);

void run_on_both(scenario_fn *scenario);

#define SCENARIO(name)                                                         \
	static void name##_on(struct bench *bench);                            \
	static void name(void **state)                                         \
	{                                                                      \
		(void)state;                                                   \
		run_on_both(name##_on);                                        \
	}                                                                      \
	static void name##_on(struct bench *bench)

/* Two sockets that are connected. */
void make_pair(int pair[2]);
void close_pair(int pair[2]);

#endif /* UNIT_SCENARIO_H */
