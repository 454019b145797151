// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Job: the way of an SQE through the engine. All functions are called with the
 * engine's lock held; a job in a system call is RUNNING, and nobody else touches
 * it but to mark it cancelled.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"
#include "engine.h"

/* The states that have a list. */
static const unsigned int listed = 1U << SR_JOB_READY | 1U << SR_JOB_QUEUED |
				   1U << SR_JOB_WAITING | 1U << SR_JOB_TIMED |
				   1U << SR_JOB_OVERFLOWN;

/* ---- lists ---- */

static void unlist(struct sr_engine *engine, struct sr_job *job)
{
	struct sr_job_list *list = &engine->list[job->state];

	if (!(listed & 1U << job->state))
		return;
	engine->queued -= job->state == SR_JOB_QUEUED;
	if (job->node.previous)
		job->node.previous->node.next = job->node.next;
	else
		list->first = job->node.next;
	if (job->node.next)
		job->node.next->node.previous = job->node.previous;
	else
		list->last = job->node.previous;
}

void sr_job_move(struct sr_engine *engine, struct sr_job *job,
		 enum sr_job_state state)
{
	struct sr_job_list *list = &engine->list[state];

	unlist(engine, job);
	job->state = state;
	engine->queued += state == SR_JOB_QUEUED;
	if (!(listed & 1U << state))
		return;
	job->node.next = NULL;
	job->node.previous = list->last;
	if (list->last)
		list->last->node.next = job;
	else
		list->first = job;
	list->last = job;
}

/* What goes on with a chain comes before what was submitted after the chain. */
static void move_to_front(struct sr_engine *engine, struct sr_job *job)
{
	struct sr_job_list *list = &engine->list[SR_JOB_READY];

	unlist(engine, job);
	job->state = SR_JOB_READY;
	job->node.previous = NULL;
	job->node.next = list->first;
	if (list->first)
		list->first->node.previous = job;
	else
		list->last = job;
	list->first = job;
}

struct sr_job *sr_job_take(struct sr_engine *engine,
			   const struct io_uring_sqe *sqe)
{
	struct sr_job *job = engine->free;

	if (!job)
		return NULL;
	engine->free = job->node.next;
	memset(job, 0, sizeof(*job));
	job->sqe = *sqe;
	job->fd = sqe->fd;
	job->edges = -1;
	job->serial = ++engine->serial;
	job->state = SR_JOB_HELD;
	return job;
}

void sr_job_free(struct sr_engine *engine, struct sr_job *job)
{
	unlist(engine, job);
	if (job->edges >= 0)
		close(job->edges);
	job->edges = -1;
	sr_job_close_files(job);
	job->state = SR_JOB_FREE;
	job->node.next = engine->free;
	engine->free = job;
}

/* ---- the end of a job, and what it means to its chain ---- */

static int32_t length_of(const struct io_uring_sqe *sqe)
{
	const struct iovec *iovec = (const void *)(uintptr_t)sqe->addr;
	size_t length = 0;
	uint32_t number;

	for (number = 0; number < sqe->len; number++)
		length += iovec[number].iov_len;
	return (int32_t)length;
}

/*
 * A chain is broken by an error, and by reads and writes that moved less than
 * they should have; sends and receives only if MSG_WAITALL was set.
 */
static bool breaks_chain(const struct sr_job *job, int32_t result)
{
	switch (job->sqe.opcode) {
	case IORING_OP_READ:
	case IORING_OP_WRITE:
	case IORING_OP_READ_FIXED:
	case IORING_OP_WRITE_FIXED:
		return result != (int32_t)job->sqe.len;
	case IORING_OP_READV:
	case IORING_OP_WRITEV:
		return result < 0 || result != length_of(&job->sqe);
	case IORING_OP_SEND:
	case IORING_OP_RECV:
		return result < 0 ||
		       (job->sqe.msg_flags & MSG_WAITALL &&
			result != (int32_t)job->sqe.len);
	case IORING_OP_TIMEOUT:
		return result != -ETIME ||
		       !(job->sqe.timeout_flags & IORING_TIMEOUT_ETIME_SUCCESS);
	default:
		return result < 0;
	}
}

static void cancel_chain(struct sr_engine *engine, struct sr_job *job)
{
	struct sr_job *next;

	for (; job; job = next) {
		next = job->link;
		sr_engine_post(engine, job, -ECANCELED, 0);
	}
}

/* A linked timeout ends with its job, if not before. */
static void end_timer(struct sr_engine *engine, struct sr_job *timer)
{
	if (!timer)
		return;
	timer->timed = NULL;
	sr_engine_post(engine, timer, -ECANCELED, 0);
}

/* As from the kernel, its own completion is the first. */
static void end(struct sr_engine *engine, struct sr_job *job, int32_t result,
		uint32_t flags)
{
	const bool broken = breaks_chain(job, result) &&
			    !(job->sqe.flags & IOSQE_IO_HARDLINK);
	struct sr_job *next = job->link, *timer = job->timer;

	engine->started--;
	engine->drain &= !(job->sqe.flags & IOSQE_IO_DRAIN);
	sr_engine_post(engine, job, result, flags);
	end_timer(engine, timer);
	if (next && broken)
		cancel_chain(engine, next);
	else if (next)
		move_to_front(engine, next);
}

/* ---- cancelling ---- */

/* Whether the job ends now, rather than later or not at all. */
static bool cancel_job(struct sr_engine *engine, struct sr_job *job)
{
	if (job->state == SR_JOB_RUNNING) {
		job->cancelled = true;
		return false;
	}
	if (job->state == SR_JOB_OVERFLOWN)
		return false;
	/* For end() to have something to subtract. */
	engine->started += job->state == SR_JOB_READY;
	end(engine, job, -ECANCELED, 0);
	return true;
}

static bool is_meant(const struct sr_job *request, const struct sr_job *job)
{
	const uint32_t flags = request->sqe.cancel_flags;

	if (job == request || job->state == SR_JOB_FREE ||
	    job->state == SR_JOB_HELD || job->timed)
		return false;
	if (flags & IORING_ASYNC_CANCEL_ANY)
		return true;
	if (flags & IORING_ASYNC_CANCEL_FD)
		return job->sqe.fd == request->sqe.fd &&
		       !(job->sqe.flags & IOSQE_FIXED_FILE) ==
			       !(flags & IORING_ASYNC_CANCEL_FD_FIXED);
	return job->sqe.user_data == request->sqe.addr;
}

/*
 * Returns how many were found if all were asked for, or else 0; -EALREADY if it
 * was too late to stop the one that was meant, -ENOENT if there is none.
 */
static int32_t cancel(struct sr_engine *engine, const struct sr_job *request)
{
	const bool all = request->sqe.cancel_flags &
			 (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY);
	struct sr_job *job;
	unsigned int number;
	int32_t found = 0;

	for (number = 0; number < engine->job_count; number++) {
		job = &engine->jobs[number];
		if (!is_meant(request, job))
			continue;
		if (!cancel_job(engine, job) && !all)
			return -EALREADY;
		found++;
		if (!all)
			return 0;
	}
	return found || all ? found : -ENOENT;
}

static struct sr_job *find(struct sr_engine *engine, uint64_t user_data,
			   unsigned int opcode)
{
	unsigned int number;

	for (number = 0; number < engine->job_count; number++) {
		struct sr_job *job = &engine->jobs[number];

		if (job->state != SR_JOB_FREE && job->state != SR_JOB_HELD &&
		    job->sqe.opcode == opcode &&
		    job->sqe.user_data == user_data)
			return job;
	}
	return NULL;
}

static int32_t remove_one(struct sr_engine *engine, const struct sr_job *request,
			  unsigned int opcode)
{
	struct sr_job *job = find(engine, request->sqe.addr, opcode);

	if (!job)
		return -ENOENT;
	return cancel_job(engine, job) ? 0 : -EALREADY;
}

/* ---- timeouts ---- */

static uint64_t now_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static clockid_t clock_of(const struct sr_job *job)
{
	if (job->sqe.timeout_flags & IORING_TIMEOUT_REALTIME)
		return CLOCK_REALTIME;
	if (job->sqe.timeout_flags & IORING_TIMEOUT_BOOTTIME)
		return CLOCK_BOOTTIME;
	return CLOCK_MONOTONIC;
}

/* Whatever the clock, by CLOCK_MONOTONIC. */
static uint64_t deadline_of(const struct sr_job *job)
{
	const struct __kernel_timespec *time =
		(const struct __kernel_timespec *)(uintptr_t)job->sqe.addr;
	const uint64_t ns = (uint64_t)time->tv_sec * 1000000000 +
			    (uint64_t)time->tv_nsec;
	uint64_t then;

	if (!(job->sqe.timeout_flags & IORING_TIMEOUT_ABS))
		return sr_now_ns() + ns;
	/* Read before the other clock: what passes in between makes it no earlier. */
	then = now_of(clock_of(job));
	return sr_now_ns() + (ns > then ? ns - then : 0);
}

static void start_timer(struct sr_engine *engine, struct sr_job *job)
{
	const uint32_t clocks = IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME;
	const uint32_t known = clocks | IORING_TIMEOUT_ABS |
			       IORING_TIMEOUT_ETIME_SUCCESS;

	if (job->sqe.timeout_flags & ~known ||
	    (job->sqe.timeout_flags & clocks) == clocks) {
		end(engine, job, -EINVAL, 0);
		return;
	}
	job->deadline = deadline_of(job);
	job->target = engine->posted + (uint32_t)job->sqe.off;
	sr_job_move(engine, job, SR_JOB_TIMED);
	sr_engine_wake_poller(engine);
}

/* Timeouts that end with a number of completions, if they come before. */
static void end_counted(struct sr_engine *engine)
{
	struct sr_job *job = engine->list[SR_JOB_TIMED].first, *next;

	for (; job; job = next) {
		next = job->node.next;
		if (!job->timed && job->sqe.off &&
		    (int32_t)(engine->posted - job->target) >= 0)
			end(engine, job, 0, 0);
	}
}

/* A linked timeout begins with the job before it. */
static void start_linked_timer(struct sr_engine *engine, struct sr_job *job)
{
	struct sr_job *timer = job->link;

	if (!timer || timer->sqe.opcode != IORING_OP_LINK_TIMEOUT)
		return;
	job->link = timer->link;
	job->timer = timer;
	timer->link = NULL;
	timer->timed = job;
	timer->deadline = deadline_of(timer);
	sr_job_move(engine, timer, SR_JOB_TIMED);
	sr_engine_wake_poller(engine);
}

void sr_job_expire(struct sr_engine *engine, struct sr_job *job)
{
	struct sr_job *timed = job->timed;

	if (!timed) {
		end(engine, job, -ETIME, 0);
		return;
	}
	job->timed = NULL;
	timed->timer = NULL;
	sr_engine_post(engine, job,
		       cancel_job(engine, timed) ? -ETIME : -EALREADY, 0);
}

/* ---- running ---- */

static void wait_for_descriptor(struct sr_engine *engine, struct sr_job *job)
{
	sr_job_note_files(job);
	sr_job_move(engine, job, SR_JOB_WAITING);
	sr_engine_wake_poller(engine);
}

static void wait_for_worker(struct sr_engine *engine, struct sr_job *job)
{
	sr_job_note_files(job);
	sr_job_move(engine, job, SR_JOB_QUEUED);
	sr_engine_work(engine);
}

static bool is_multishot(const struct sr_job *job)
{
	switch (job->sqe.opcode) {
	case IORING_OP_ACCEPT:
		return job->sqe.ioprio & IORING_ACCEPT_MULTISHOT;
	case IORING_OP_POLL_ADD:
		return job->sqe.len & IORING_POLL_ADD_MULTI;
	case IORING_OP_RECV:
		return job->sqe.ioprio & IORING_RECV_MULTISHOT;
	default:
		return false;
	}
}

/* Its buffer comes back with a completion of its own, as from the kernel. */
static bool is_zerocopy(const struct sr_job *job)
{
	return job->sqe.opcode == IORING_OP_SEND_ZC ||
	       job->sqe.opcode == IORING_OP_SENDMSG_ZC;
}

/*
 * What a system call came to. Returns whether the job is to be run once more, as
 * one that goes on after each completion is.
 */
static bool settle(struct sr_engine *engine, struct sr_job *job, int32_t result,
		   uint32_t flags)
{
	const bool data = job->sqe.opcode == IORING_OP_RECV;

	if (result == SR_JOB_BLOCKS && !job->cancelled) {
		wait_for_worker(engine, job);
		return false;
	}
	if (result == -EAGAIN && !job->nonblock && !job->cancelled) {
		wait_for_descriptor(engine, job);
		return false;
	}
	if (result == SR_JOB_BLOCKS ||
	    (result == -EAGAIN && job->cancelled))
		result = -ECANCELED;
	if (result >= 0 && is_zerocopy(job) &&
	    sr_engine_post_more(engine, job, result, 0)) {
		end(engine, job, 0, IORING_CQE_F_NOTIF);
		return false;
	}
	/* One that receives goes on until the other side has shut down. */
	if (result >= data && is_multishot(job) && !job->cancelled &&
	    sr_engine_post_more(engine, job, result, flags))
		return true;
	end(engine, job, result, flags);
	return false;
}

static int run_unlocked(struct sr_engine *engine, struct sr_job *job,
			bool blocking)
{
	const struct sr_call *call = sr_call_of(job->sqe.opcode);
	int result;

	pthread_mutex_unlock(&engine->lock);
	do
		result = call->run(job, blocking);
	while (result == -EINTR);
	pthread_mutex_lock(&engine->lock);
	return sr_job_install(engine, job, result);
}

void sr_job_run(struct sr_engine *engine, struct sr_job *job, bool blocking)
{
	uint32_t flags;
	bool again;
	int result;

	do {
		flags = 0;
		sr_job_move(engine, job, SR_JOB_RUNNING);
		if (!sr_job_has_files(job))
			result = -EBADF;
		else if (job->sqe.flags & IOSQE_BUFFER_SELECT)
			result = sr_job_run_on_group(engine, job, &flags);
		else
			result = run_unlocked(engine, job, blocking);
		again = settle(engine, job, result, flags);
		/* What goes on may wait for ever from now on. */
		blocking = false;
	} while (again);
}

static void start_call(struct sr_engine *engine, struct sr_job *job)
{
	const struct sr_call *call = sr_call_of(job->sqe.opcode);
	const int error = call ? sr_job_open_files(engine, job) : -EINVAL;

	if (error)
		end(engine, job, error, 0);
	else if (job->sqe.opcode == IORING_OP_CLOSE && job->sqe.file_index)
		end(engine, job, sr_job_close_slot(engine, job), 0);
	else if (call->wait == SR_CALL_WORKER)
		wait_for_worker(engine, job);
	else
		sr_job_run(engine, job, false);
}

static void start(struct sr_engine *engine, struct sr_job *job)
{
	/* It is in no list any more, and is nobody else's. */
	sr_job_move(engine, job, SR_JOB_RUNNING);
	engine->started++;
	engine->drain = job->sqe.flags & IOSQE_IO_DRAIN;
	start_linked_timer(engine, job);
	switch (job->sqe.opcode) {
	case IORING_OP_ASYNC_CANCEL:
		end(engine, job, cancel(engine, job), 0);
		break;
	case IORING_OP_POLL_REMOVE:
		end(engine, job,
		    job->sqe.len ? -EINVAL :
				   remove_one(engine, job, IORING_OP_POLL_ADD),
		    0);
		break;
	case IORING_OP_TIMEOUT_REMOVE:
		end(engine, job,
		    job->sqe.timeout_flags ?
			    -EINVAL :
			    remove_one(engine, job, IORING_OP_TIMEOUT),
		    0);
		break;
	case IORING_OP_TIMEOUT:
		start_timer(engine, job);
		break;
	default:
		start_call(engine, job);
	}
}

/* One that drains is started when all before it have ended, and holds up others. */
static bool may_start(const struct sr_engine *engine, const struct sr_job *job)
{
	if (!job || engine->drain)
		return false;
	return !(job->sqe.flags & IOSQE_IO_DRAIN) || !engine->started;
}

void sr_job_start_ready(struct sr_engine *engine)
{
	struct sr_job *job;

	while (may_start(engine, job = engine->list[SR_JOB_READY].first))
		start(engine, job);
	end_counted(engine);
}
