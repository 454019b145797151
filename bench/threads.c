// SPDX-License-Identifier: GPL-2.0
/*
 * The pool among threads: each with its own cache, and beside it a stack of
 * indices under a mutex. What is counted is processor time of the thread, so
 * that waiting for a processor is not.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "special.h"
#include "stage.h"

#define BUFFERS	    4096U
#define PAIRS	    200000U
#define ROUNDS	    7U
#define THREADS_MAX 64U
/* Buffers that change threads at a time: more than a cache holds. */
#define HANDED	    512U

struct shared {
	struct stage stage;
	pthread_barrier_t barrier;
	pthread_mutex_t lock;
	uint64_t lifo[BUFFERS];
	uint64_t free;
	bool twin;
	saferring_buffer handle[HANDED];
	uint64_t number[HANDED];
};

struct worker {
	struct shared *shared;
	pthread_t thread;
	double ns;
};

static uint64_t twin_get(struct shared *shared)
{
	uint64_t number;

	pthread_mutex_lock(&shared->lock);
	number = shared->lifo[--shared->free];
	pthread_mutex_unlock(&shared->lock);
	return number;
}

static void twin_put(struct shared *shared, uint64_t number)
{
	pthread_mutex_lock(&shared->lock);
	shared->lifo[shared->free++] = number;
	pthread_mutex_unlock(&shared->lock);
}

static saferring_buffer subject_get(struct shared *shared)
{
	saferring_buffer buffer;

	if (saferring_buffer_get(shared->stage.pool, &buffer))
		row_error(-ENOBUFS);
	return buffer;
}

static void subject_put(struct shared *shared, saferring_buffer buffer)
{
	if (saferring_buffer_put(shared->stage.pool, buffer))
		row_error(-ESTALE);
}

static void *get_and_put(void *argument)
{
	struct worker *worker = argument;
	struct shared *shared = worker->shared;
	uint64_t start;
	unsigned int i;

	roam();
	pthread_barrier_wait(&shared->barrier);
	start = thread_ns();
	for (i = 0; i < PAIRS; i++) {
		if (shared->twin)
			twin_put(shared, twin_get(shared));
		else
			subject_put(shared, subject_get(shared));
	}
	worker->ns = (double)(thread_ns() - start) / PAIRS;
	return NULL;
}

/* The mean over threads of one round. */
static double round_of(struct shared *shared, unsigned int count, bool twin)
{
	struct worker worker[THREADS_MAX];
	double sum = 0;
	unsigned int i;

	shared->twin = twin;
	pthread_barrier_init(&shared->barrier, NULL, count);
	for (i = 0; i < count; i++) {
		worker[i].shared = shared;
		if (pthread_create(&worker[i].thread, NULL, get_and_put,
				   &worker[i]))
			abort();
	}
	for (i = 0; i < count; i++) {
		pthread_join(worker[i].thread, NULL);
		sum += worker[i].ns;
	}
	pthread_barrier_destroy(&shared->barrier);
	return sum / count;
}

static void point(struct shared *shared, unsigned int count)
{
	double subject[ROUNDS], twin[ROUNDS];
	struct estimate one, other;
	struct random random;
	unsigned int i;

	random_seed(&random, wall_ns());
	for (i = 0; i < ROUNDS; i++) {
		subject[i] = round_of(shared, count, false);
		twin[i] = round_of(shared, count, true);
	}
	one = estimate_median(subject, ROUNDS, &random);
	other = estimate_median(twin, ROUNDS, &random);
	record_point("scale", "scale.threads", count, "ns", one, other,
		     VERDICT_NONE);
	say("  %-16s %9u  %8.2f ns  mutex %7.2f ns", "scale.threads", count,
	    one.value, other.value);
}

static bool shared_up(struct shared *shared)
{
	const struct stage_plan plan = { .buffers = BUFFERS,
					 .buffer_size = 4096 };

	if (!stage_up(&shared->stage, &plan))
		return false;
	pthread_mutex_init(&shared->lock, NULL);
	for (shared->free = 0; shared->free < BUFFERS; shared->free++)
		shared->lifo[shared->free] = shared->free;
	return true;
}

static void end(const char *name)
{
	char reason[BENCH_TEXT];
	const enum verdict said = row_outcome(reason, sizeof(reason));

	if (said == VERDICT_NONE)
		tally(said);
	else
		conclude_special("scale", name, said, "%s", reason);
}

void scale_threads(void)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct shared *shared = calloc(1, sizeof(*shared));
	unsigned int count;

	if (shared && shared_up(shared)) {
		for (count = 1; count <= 2 * processors && count <= THREADS_MAX;
		     count *= 2)
			point(shared, count);
		stage_down(&shared->stage);
	}
	free(shared);
	end("scale.threads");
}

/* ---- from one thread to another ---- */

static void hand(struct shared *shared, double *ns)
{
	const uint64_t start = thread_ns();
	unsigned int i;

	for (i = 0; i < HANDED; i++) {
		if (shared->twin)
			shared->number[i] = twin_get(shared);
		else
			shared->handle[i] = subject_get(shared);
	}
	*ns += (double)(thread_ns() - start) / HANDED;
}

static void *take(void *argument)
{
	struct worker *worker = argument;
	struct shared *shared = worker->shared;
	unsigned int i, round;
	uint64_t start;

	roam();
	worker->ns = 0;
	for (round = 0; round < ROUNDS * 20; round++) {
		pthread_barrier_wait(&shared->barrier);
		start = thread_ns();
		for (i = 0; i < HANDED; i++) {
			if (shared->twin)
				twin_put(shared, shared->number[i]);
			else
				subject_put(shared, shared->handle[i]);
		}
		worker->ns += (double)(thread_ns() - start) / HANDED;
		pthread_barrier_wait(&shared->barrier);
	}
	return NULL;
}

/* One thread gets, the other puts, in turns: nanoseconds of a buffer. */
static double handover(struct shared *shared, bool twin)
{
	struct worker worker = { .shared = shared };
	unsigned int round;
	double ns = 0;

	shared->twin = twin;
	pthread_barrier_init(&shared->barrier, NULL, 2);
	if (pthread_create(&worker.thread, NULL, take, &worker))
		abort();
	for (round = 0; round < ROUNDS * 20; round++) {
		hand(shared, &ns);
		pthread_barrier_wait(&shared->barrier);
		pthread_barrier_wait(&shared->barrier);
	}
	pthread_join(worker.thread, NULL);
	pthread_barrier_destroy(&shared->barrier);
	return (ns + worker.ns) / (ROUNDS * 20);
}

void scale_handover(void)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	double subject[ROUNDS], twin[ROUNDS];
	struct estimate one, other;
	struct random random;
	unsigned int i;

	random_seed(&random, wall_ns());
	if (shared && shared_up(shared)) {
		for (i = 0; i < ROUNDS; i++) {
			subject[i] = handover(shared, false);
			twin[i] = handover(shared, true);
		}
		one = estimate_median(subject, ROUNDS, &random);
		other = estimate_median(twin, ROUNDS, &random);
		record_point("scale", "scale.handover", 2, "ns", one, other,
			     VERDICT_NONE);
		say("  %-16s %9u  %8.2f ns  mutex %7.2f ns", "scale.handover",
		    2, one.value, other.value);
		stage_down(&shared->stage);
	}
	free(shared);
	end("scale.handover");
}
