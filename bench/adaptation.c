// SPDX-License-Identifier: GPL-2.0
/*
 * Whether following the load helps, on a load that each figure is there for: the
 * library with bounds beside the library without, by turns. What a load brings is
 * another thread's doing, so these are no pairs of functions.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "special.h"
#include "stage.h"

/* A library that it is compared with may be older than that. */
#ifdef SAFERRING_RING_BATCH_NS_MAX

#define ROUNDS	7U
#define SOCKETS 32U
#define BUFFERS 512U

/**
 * struct load - state of a question
 * @fd: by pair: its two ends, of which the other thread has the second
 * @pause_ns: what that thread sleeps between two messages; 0 to have it answer
 * @stop: it is to end
 * @buffer: by pair
 */
struct load {
	struct stage stage;
	struct saferring_ring *ring;
	int fd[SOCKETS][2];
	unsigned int count;
	long pause_ns;
	bool stop;
	saferring_buffer buffer[SOCKETS];
};

/* What a turn has come to, an operation. */
struct figures {
	double calls;
	double cpu_ns;
	double wall_ns;
};

/* The medians of a question, with bounds and without, and of their ratio. */
struct outcome {
	struct estimate with;
	struct estimate without;
	struct estimate ratio;
};

static const struct saferring_ring_options without;

/* ---- the other side ---- */

static void *bring(void *argument)
{
	struct load *load = argument;
	const struct timespec pause = { .tv_nsec = load->pause_ns };
	unsigned int i;

	roam();
	prctl(PR_SET_TIMERSLACK, 1UL);
	for (i = 0; !__atomic_load_n(&load->stop, __ATOMIC_RELAXED); i++) {
		nanosleep(&pause, NULL);
		if (write(load->fd[i % load->count][1], "", 1) != 1)
			row_error(-EIO);
	}
	return NULL;
}

/* As a device does, it never sleeps. */
static void *answer(void *argument)
{
	struct load *load = argument;
	const int fd = load->fd[0][1];
	ssize_t got = 1;
	char byte;

	roam();
	while (got) {
		got = recv(fd, &byte, 1, MSG_DONTWAIT);
		if (got == 1 && write(fd, &byte, 1) != 1)
			row_error(-EIO);
	}
	return NULL;
}

/* ---- this side: receive, and receive again ---- */

static void receive(struct load *load, unsigned int i)
{
	const struct saferring_range range = { load->buffer[i], 0, 1 };
	const int error = saferring_ring_recv(load->ring, load->fd[i][0],
					      &range, 0, i);

	if (error)
		row_error(error);
}

static int take(struct load *load, unsigned int operations, bool again)
{
	struct saferring_completion done[SOCKETS];
	unsigned int taken = 0;
	int count, i;

	while (taken < operations) {
		count = saferring_ring_wait(load->ring, done, SOCKETS, 1,
					    SAFERRING_FOREVER);
		if (count <= 0)
			return count ? count : -EIO;
		for (i = 0; i < count; i++) {
			const unsigned int place =
				(unsigned int)done[i].user_data;

			load->buffer[place] = done[i].buffer;
			if (again)
				receive(load, place);
		}
		taken += (unsigned int)count;
	}
	return 0;
}

/* One question and answer after the other. */
static int talk(struct load *load, unsigned int operations)
{
	int error = 0;

	while (operations-- && !error) {
		if (write(load->fd[0][0], "", 1) != 1)
			return -errno;
		receive(load, 0);
		error = take(load, 1, false);
	}
	return error;
}

static double calls_of(const struct load *load)
{
	struct saferring_ring_stats stats = { .size = sizeof(stats) };

	return saferring_ring_stats(load->ring, &stats) ? 0 :
							  (double)stats.enters;
}

static struct figures run(struct load *load, unsigned int operations)
{
	const double calls = calls_of(load);
	const uint64_t wall = wall_ns(), cpu = thread_ns();
	const int error = load->pause_ns ? take(load, operations, true) :
					   talk(load, operations);

	if (error)
		row_error(error);
	return (struct figures){
		.calls = (calls_of(load) - calls) / operations,
		.cpu_ns = (double)(thread_ns() - cpu) / operations,
		.wall_ns = (double)(wall_ns() - wall) / operations,
	};
}

static bool open_ring(struct load *load,
		      const struct saferring_ring_options *bounds)
{
	struct saferring_ring_options how = *bounds;

	how.size = sizeof(how);
	how.depth = 2 * SOCKETS;
	how.pools = &load->stage.pool;
	how.pool_count = 1;
	/* Completions wake the thread when there are as many as it waits for. */
	how.preset = SAFERRING_PRESET_HIGH_THROUGHPUT;
	if (!saferring_ring_create(&how, &load->ring))
		return true;
	row_skip("%s", saferring_error_last()->what);
	return false;
}

static bool open_load(struct load *load)
{
	unsigned int i;

	for (i = 0; i < load->count; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
			       load->fd[i]) ||
		    saferring_buffer_get(load->stage.pool, &load->buffer[i]))
			return row_fail("socketpair: %s", strerror(errno));
	return true;
}

/* What is in flight comes back with the ring, and is got anew for the next. */
static void close_load(struct load *load)
{
	unsigned int i;

	if (saferring_ring_destroy(load->ring, 5000))
		row_error(-EBUSY);
	load->ring = NULL;
	for (i = 0; i < load->count; i++) {
		if (saferring_buffer_valid(load->stage.pool, load->buffer[i]) &&
		    saferring_buffer_put(load->stage.pool, load->buffer[i]))
			row_error(-ESTALE);
		close(load->fd[i][0]);
		close(load->fd[i][1]);
	}
}

/* A ring, its load, and so many operations after as many that only warm it. */
static struct figures turn(struct load *load, unsigned int operations,
			   const struct saferring_ring_options *bounds)
{
	struct figures figures = { .calls = 0 };
	pthread_t other;
	unsigned int i;

	load->stop = false;
	if (!open_ring(load, bounds))
		return figures;
	if (!open_load(load) ||
	    pthread_create(&other, NULL, load->pause_ns ? bring : answer,
			   load)) {
		close_load(load);
		return figures;
	}
	for (i = 0; load->pause_ns && i < load->count; i++)
		receive(load, i);
	run(load, operations);
	figures = run(load, operations);
	__atomic_store_n(&load->stop, true, __ATOMIC_RELAXED);
	shutdown(load->fd[0][0], SHUT_WR);
	pthread_join(other, NULL);
	close_load(load);
	return figures;
}

/* ---- by turns, in a thread that may run anywhere ---- */

static struct outcome judge_pairs(const double *with, const double *other)
{
	double values[3][ROUNDS];
	struct random random;
	struct outcome outcome;
	unsigned int i;

	random_seed(&random, 1);
	for (i = 0; i < ROUNDS; i++) {
		values[0][i] = with[i];
		values[1][i] = other[i];
		values[2][i] = other[i] > 0 ? with[i] / other[i] : 1;
	}
	outcome.with = estimate_median(values[0], ROUNDS, &random);
	outcome.without = estimate_median(values[1], ROUNDS, &random);
	outcome.ratio = estimate_median(values[2], ROUNDS, &random);
	return outcome;
}

/* A gain that the machine's unrest hides is no failure of the library's. */
static enum verdict gain(const struct outcome *outcome)
{
	return outcome->ratio.high < 1 ? VERDICT_PASS : VERDICT_INCONCLUSIVE;
}

static void in_thread(void *(*question)(void *), const char *name)
{
	char reason[BENCH_TEXT];
	enum verdict said;
	pthread_t thread;

	if (pthread_create(&thread, NULL, question, NULL))
		row_fail("no thread");
	else
		pthread_join(thread, NULL);
	said = row_outcome(reason, sizeof(reason));
	if (said != VERDICT_NONE)
		conclude_special("adaptation", name, said, "%s", reason);
}

static bool set_up(struct load *load)
{
	const struct stage_plan plan = { .buffers = BUFFERS,
					 .buffer_size = 4096 };

	roam();
	return stage_up(&load->stage, &plan);
}

/* ---- the questions ---- */

static void *ask_batch(void *unused)
{
	const struct saferring_ring_options bounds = { .batch_max = 32,
						       .batch_ns = 1000000 };
	struct load load = { .count = SOCKETS, .pause_ns = 60000 };
	double calls[2][ROUNDS], cpu[2][ROUNDS];
	struct outcome outcome, time;
	unsigned int i;

	if (!set_up(&load))
		return unused;
	for (i = 0; i < ROUNDS; i++) {
		const struct figures one = turn(&load, 2000, &bounds);
		const struct figures other = turn(&load, 2000, &without);

		calls[0][i] = one.calls;
		calls[1][i] = other.calls;
		cpu[0][i] = one.cpu_ns;
		cpu[1][i] = other.cpu_ns;
	}
	outcome = judge_pairs(calls[0], calls[1]);
	time = judge_pairs(cpu[0], cpu[1]);
	stage_down(&load.stage);
	conclude_special("adaptation", "adaptation.batch", gain(&outcome),
			 "a message every 0.1 ms: %.2f system calls an operation instead of %.2f; processor time %.2f [%.2f, %.2f] of that without",
			 outcome.with.value, outcome.without.value,
			 time.ratio.value, time.ratio.low, time.ratio.high);
	return unused;
}

static void *ask_busy(void *unused)
{
	const struct saferring_ring_options bounds = { .busy_max_ns = 200000 };
	struct load load = { .count = 1 };
	double wall[2][ROUNDS], cpu[2][ROUNDS];
	struct outcome outcome, time;
	unsigned int i;

	if (!set_up(&load))
		return unused;
	for (i = 0; i < ROUNDS; i++) {
		const struct figures one = turn(&load, 2000, &bounds);
		const struct figures other = turn(&load, 2000, &without);

		wall[0][i] = one.wall_ns;
		wall[1][i] = other.wall_ns;
		cpu[0][i] = one.cpu_ns;
		cpu[1][i] = other.cpu_ns;
	}
	outcome = judge_pairs(wall[0], wall[1]);
	time = judge_pairs(cpu[0], cpu[1]);
	stage_down(&load.stage);
	conclude_special("adaptation", "adaptation.busy", gain(&outcome),
			 "there and back in %.1f us instead of %.1f, ratio %.2f [%.2f, %.2f]; processor time %.2f of that without",
			 outcome.with.value / 1000,
			 outcome.without.value / 1000, outcome.ratio.value,
			 outcome.ratio.low, outcome.ratio.high,
			 time.ratio.value);
	return unused;
}

#define SWING  100U
#define SWINGS 20000U

/* Get many, put all: the pool's time for one of them. */
static double swing(struct saferring_pool *pool)
{
	saferring_buffer buffers[SWING];
	const uint64_t start = thread_ns();
	unsigned int i;

	for (i = 0; i < SWINGS; i++)
		if (saferring_buffer_get_many(pool, buffers, SWING) !=
			    (int)SWING ||
		    saferring_buffer_put_many(pool, buffers, SWING) !=
			    (int)SWING)
			row_error(-ENOBUFS);
	return (double)(thread_ns() - start) / SWINGS / SWING;
}

static double swing_with(struct load *load, unsigned int most)
{
	struct saferring_pool_options how;
	double ns;

	SAFERRING_OPTIONS_INIT(&how);
	how.buffer_size = 4096;
	how.cache = 8;
	how.cache_max = most;
	if (saferring_pool_create(load->stage.region, 1, &how,
				  &load->stage.pool)) {
		row_fail("saferring_pool_create");
		return 0;
	}
	swing(load->stage.pool);
	ns = swing(load->stage.pool);
	if (saferring_pool_destroy(load->stage.pool))
		row_error(-EBUSY);
	load->stage.pool = NULL;
	return ns;
}

static void *ask_cache(void *unused)
{
	struct load load = { .count = 0 };
	double with[ROUNDS], other[ROUNDS];
	struct outcome outcome;
	unsigned int i;

	if (!set_up(&load) || saferring_pool_destroy(load.stage.pool))
		return unused;
	load.stage.pool = NULL;
	for (i = 0; i < ROUNDS; i++) {
		with[i] = swing_with(&load, SAFERRING_CACHE_MAX);
		other[i] = swing_with(&load, 0);
	}
	outcome = judge_pairs(with, other);
	stage_down(&load.stage);
	conclude_special("adaptation", "adaptation.cache", gain(&outcome),
			 "%u got and put at a time, from a depth of 8 on: %.2f ns a buffer instead of %.2f, ratio %.2f [%.2f, %.2f]",
			 SWING, outcome.with.value, outcome.without.value,
			 outcome.ratio.value, outcome.ratio.low,
			 outcome.ratio.high);
	return unused;
}

void adaptation_batch(void)
{
	in_thread(ask_batch, "adaptation.batch");
}

void adaptation_busy(void)
{
	in_thread(ask_busy, "adaptation.busy");
}

void adaptation_cache(void)
{
	in_thread(ask_cache, "adaptation.cache");
}
#else
static void older(const char *name)
{
	conclude_special("adaptation", name, VERDICT_SKIPPED,
			 "this library follows no load");
}

void adaptation_batch(void)
{
	older("adaptation.batch");
}

void adaptation_busy(void)
{
	older("adaptation.busy");
}

void adaptation_cache(void)
{
	older("adaptation.cache");
}
#endif
