// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The engine's threads: a poller, which waits for descriptors and deadlines, and
 * workers, which make the system calls that block. Workers come as they are
 * needed and stay.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"
#include "engine.h"

/* ---- poller ---- */

void sr_engine_wake_poller(struct sr_engine *engine)
{
	const uint64_t one = 1;

	/* It can only fail when the count is full, and so the poller awake. */
	if (write(engine->wake, &one, sizeof(one)) < 0)
		return;
}

/* What is waited for, behind the descriptor that ends the wait. */
static unsigned int list_polled(struct sr_engine *engine)
{
	struct sr_job *job = engine->list[SR_JOB_WAITING].first;
	unsigned int count = 0;

	engine->polled[0].fd = engine->wake;
	engine->polled[0].events = POLLIN;
	for (; job; job = job->node.next) {
		count++;
		engine->polled[count].fd = sr_call_fd(job);
		engine->polled[count].events = (short)sr_call_events(job);
		engine->polled_job[count].job = job;
		engine->polled_job[count].serial = job->serial;
	}
	return count;
}

static uint64_t nearest_deadline(const struct sr_engine *engine)
{
	const struct sr_job *job = engine->list[SR_JOB_TIMED].first;
	uint64_t nearest = SAFERRING_FOREVER;

	for (; job; job = job->node.next)
		nearest = SR_MIN(nearest, job->deadline);
	return nearest;
}

/* Without the lock. */
static void wait_for_events(struct sr_engine *engine, unsigned int count,
			    uint64_t deadline)
{
	const uint64_t now = sr_now_ns();
	const uint64_t left = deadline > now ? deadline - now : 0;
	const struct timespec time = {
		.tv_sec = (time_t)(left / 1000000000),
		.tv_nsec = (long)(left % 1000000000),
	};
	unsigned int number;

	if (ppoll(engine->polled, count + 1,
		  deadline == SAFERRING_FOREVER ? NULL : &time, NULL) >= 0)
		return;
	/* More descriptors than RLIMIT_NOFILE: then everything is tried. */
	for (number = 1; number <= count; number++)
		engine->polled[number].revents = POLLERR;
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void expire_timers(struct sr_engine *engine)
{
	struct sr_job *job = engine->list[SR_JOB_TIMED].first, *next;
	const uint64_t now = sr_now_ns();

	while (job) {
		next = job->node.next;
		if (job->deadline <= now) {
			sr_job_expire(engine, job);
			/* What it cancelled may have been the next one. */
			next = engine->list[SR_JOB_TIMED].first;
		}
		job = next;
	}
}

static void wake_polled(struct sr_engine *engine, unsigned int count)
{
	unsigned int number;
	uint64_t wakes;

	if (engine->polled[0].revents &&
	    read(engine->wake, &wakes, sizeof(wakes)) < 0)
		return;
	for (number = 1; number <= count; number++) {
		const struct sr_polled *polled = &engine->polled_job[number];

		/* It may have ended meanwhile, and be another one. */
		if (engine->polled[number].revents &&
		    polled->job->state == SR_JOB_WAITING &&
		    polled->job->serial == polled->serial)
			sr_job_run(engine, polled->job, false);
	}
}

static void *poller(void *argument)
{
	struct sr_engine *engine = argument;
	unsigned int count;
	uint64_t deadline;

	pthread_mutex_lock(&engine->lock);
	while (!engine->stop) {
		count = list_polled(engine);
		deadline = nearest_deadline(engine);
		pthread_mutex_unlock(&engine->lock);
		wait_for_events(engine, count, deadline);
		pthread_mutex_lock(&engine->lock);
		wake_polled(engine, count);
		expire_timers(engine);
		sr_job_start_ready(engine);
	}
	pthread_mutex_unlock(&engine->lock);
	return NULL;
}

/* ---- workers ---- */

static void *worker(void *argument)
{
	struct sr_engine *engine = argument;
	struct sr_job *job;

	pthread_mutex_lock(&engine->lock);
	while (!engine->stop) {
		job = engine->list[SR_JOB_QUEUED].first;
		if (job) {
			sr_job_run(engine, job, true);
			sr_job_start_ready(engine);
			continue;
		}
		engine->idle++;
		pthread_cond_wait(&engine->work, &engine->lock);
		engine->idle--;
	}
	pthread_mutex_unlock(&engine->lock);
	return NULL;
}

/* No signal of the program's is to be handled in a thread of ours. */
static int start_thread(pthread_t *thread, void *(*run)(void *),
			struct sr_engine *engine, const char *name)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, run, engine);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		pthread_setname_np(*thread, name);
	return -error;
}

void sr_engine_work(struct sr_engine *engine)
{
	if (engine->queued > engine->idle &&
	    engine->workers < SR_ENGINE_WORKERS &&
	    !start_thread(&engine->worker[engine->workers], worker, engine,
			  "sr-worker"))
		engine->workers++;
	pthread_cond_signal(&engine->work);
}

int sr_engine_start(struct sr_engine *engine)
{
	int error = start_thread(&engine->poller, poller, engine, "sr-poller");

	if (error)
		return error;
	/* One is there from the start, so that there always is one. */
	error = start_thread(&engine->worker[0], worker, engine, "sr-worker");
	engine->workers = 1;
	if (error) {
		engine->workers = 0;
		sr_engine_stop(engine);
	}
	return error;
}

void sr_engine_stop(struct sr_engine *engine)
{
	unsigned int number;

	pthread_mutex_lock(&engine->lock);
	engine->stop = true;
	pthread_cond_broadcast(&engine->work);
	pthread_mutex_unlock(&engine->lock);
	sr_engine_wake_poller(engine);
	pthread_join(engine->poller, NULL);
	for (number = 0; number < engine->workers; number++)
		pthread_join(engine->worker[number], NULL);
}
