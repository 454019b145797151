// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Engine: the queues of a ring in plain memory, and the place of
 * io_uring_enter(2).
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"
#include "engine.h"

/*
 * struct sr_engine_memory - what the kernel would share with the program
 *
 * The program's words and the engine's lie on lines of their own.
 */
struct sr_engine_memory {
	unsigned int sq_tail;
	unsigned int cq_head;
	unsigned char gap[64 - 2 * sizeof(unsigned int)];
	unsigned int sq_head;
	unsigned int cq_tail;
	unsigned int sq_flags;
	unsigned int sq_dropped;
	unsigned int cq_flags;
	unsigned int cq_overflow;
	unsigned int sq_mask;
	unsigned int sq_entries;
	unsigned int cq_mask;
	unsigned int cq_entries;
};

/* ---- completions ---- */

static void futex_wake_all(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* Returns 0, -EAGAIN if the word has changed, -ETIMEDOUT or -EINTR. */
static int futex_wait(uint32_t *word, uint32_t value, uint64_t deadline)
{
	const struct timespec time = {
		.tv_sec = (time_t)(deadline / 1000000000),
		.tv_nsec = (long)(deadline % 1000000000),
	};
	const int saved = errno;
	int error = 0;

	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
		    deadline == SAFERRING_FOREVER ? NULL : &time, NULL,
		    FUTEX_BITSET_MATCH_ANY))
		error = -errno;
	errno = saved;
	return error;
}

static bool has_room(const struct sr_engine *engine)
{
	const struct sr_engine_memory *memory = engine->memory;

	return memory->cq_tail - io_uring_smp_load_acquire(&memory->cq_head) <
	       memory->cq_entries;
}

static void signal_ready(struct sr_engine *engine)
{
	const uint64_t one = 1;

	if (!engine->signalled &&
	    write(engine->ready_fd, &one, sizeof(one)) == sizeof(one))
		__atomic_store_n(&engine->signalled, true, __ATOMIC_RELAXED);
}

static void put_cqe(struct sr_engine *engine, uint64_t user_data, int32_t result,
		    uint32_t flags)
{
	struct sr_engine_memory *memory = engine->memory;
	struct io_uring_cqe *cqe =
		&engine->uring->cq.cqes[memory->cq_tail & memory->cq_mask];

	cqe->user_data = user_data;
	cqe->res = result;
	cqe->flags = flags;
	io_uring_smp_store_release(&memory->cq_tail, memory->cq_tail + 1);
	signal_ready(engine);
	__atomic_fetch_add(&engine->posted, 1, __ATOMIC_RELEASE);
	futex_wake_all(&engine->posted);
}

bool sr_engine_post_more(struct sr_engine *engine, const struct sr_job *job,
			 int32_t result, uint32_t flags)
{
	if (engine->list[SR_JOB_OVERFLOWN].first || !has_room(engine))
		return false;
	put_cqe(engine, job->sqe.user_data, result, flags | IORING_CQE_F_MORE);
	return true;
}

/* As in the kernel, what has no room waits until there is, and nothing passes. */
static void put_later(struct sr_engine *engine, struct sr_job *job,
		      int32_t result, uint32_t flags)
{
	job->result = result;
	job->flags = flags;
	sr_job_move(engine, job, SR_JOB_OVERFLOWN);
	__atomic_store_n(&engine->memory->sq_flags, IORING_SQ_CQ_OVERFLOW,
			 __ATOMIC_RELAXED);
}

void sr_engine_post(struct sr_engine *engine, struct sr_job *job, int32_t result,
		    uint32_t flags)
{
	if (job->sqe.flags & IOSQE_CQE_SKIP_SUCCESS && result >= 0) {
		sr_job_free(engine, job);
		return;
	}
	if (engine->list[SR_JOB_OVERFLOWN].first || !has_room(engine)) {
		put_later(engine, job, result, flags);
		return;
	}
	put_cqe(engine, job->sqe.user_data, result, flags);
	sr_job_free(engine, job);
}

static void flush_overflown(struct sr_engine *engine)
{
	struct sr_job *job;

	while ((job = engine->list[SR_JOB_OVERFLOWN].first) && has_room(engine)) {
		put_cqe(engine, job->sqe.user_data, job->result, job->flags);
		sr_job_free(engine, job);
	}
	if (!job)
		__atomic_store_n(&engine->memory->sq_flags, 0,
				 __ATOMIC_RELAXED);
}

static unsigned int count_ready(const struct sr_engine *engine)
{
	return io_uring_cq_ready(engine->uring);
}

/* With the lock held, so that no completion comes in between. */
static void clear_ready(struct sr_engine *engine)
{
	uint64_t count;

	if (!count_ready(engine) && engine->signalled &&
	    read(engine->ready_fd, &count, sizeof(count)) == sizeof(count))
		__atomic_store_n(&engine->signalled, false, __ATOMIC_RELAXED);
}

static void look_again(struct sr_engine *engine)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	const int saved = errno;

	pthread_mutex_lock(&engine->lock);
	flush_overflown(engine);
	clear_ready(engine);
	pthread_mutex_unlock(&engine->lock);
	errno = saved;
}

unsigned int sr_engine_ready(struct sr_engine *engine)
{
	if (count_ready(engine))
		return count_ready(engine);
	if (__atomic_load_n(&engine->signalled, __ATOMIC_RELAXED) ||
	    __atomic_load_n(&engine->memory->sq_flags, __ATOMIC_RELAXED))
		look_again(engine);
	return count_ready(engine);
}

/* ---- messages of other engines ---- */

static pthread_mutex_t engines_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sr_engine *engines;

static void enlist(struct sr_engine *engine)
{
	pthread_mutex_lock(&engines_lock);
	engine->next = engines;
	engines = engine;
	pthread_mutex_unlock(&engines_lock);
}

static void delist(struct sr_engine *engine)
{
	struct sr_engine **link = &engines;

	pthread_mutex_lock(&engines_lock);
	while (*link != engine)
		link = &(*link)->next;
	*link = engine->next;
	pthread_mutex_unlock(&engines_lock);
}

void sr_engines_forget(void)
{
	pthread_mutex_init(&engines_lock, NULL);
	engines = NULL;
	sr_turns_forget();
}

static int post_message(struct sr_engine *engine, uint64_t user_data,
			int32_t result)
{
	int error = 0;

	pthread_mutex_lock(&engine->lock);
	if (engine->list[SR_JOB_OVERFLOWN].first || !has_room(engine))
		error = -EOVERFLOW;
	else
		put_cqe(engine, user_data, result, 0);
	pthread_mutex_unlock(&engine->lock);
	return error;
}

int sr_engine_message(int fd, uint64_t user_data, int32_t result)
{
	struct sr_engine *engine;
	int error = -EBADFD;

	pthread_mutex_lock(&engines_lock);
	for (engine = engines; engine && error == -EBADFD;
	     engine = engine->next)
		if (engine->ready_fd == fd)
			error = post_message(engine, user_data, result);
	pthread_mutex_unlock(&engines_lock);
	return error;
}

/* ---- submitting ---- */

static bool is_linked(const struct sr_job *job)
{
	return job->sqe.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
}

/*
 * Take the SQEs that are queued. A chain is started when its end is known, which
 * is that of the queue at the latest. Returns -EBUSY if there are no jobs left.
 */
static int take_queued(struct sr_engine *engine)
{
	struct io_uring_sq *sq = &engine->uring->sq;
	unsigned int head = *sq->khead;
	struct sr_job *last = NULL, *job;
	int error = 0;

	for (; head != sq->sqe_tail; head++) {
		job = sr_job_take(engine, &sq->sqes[head & sq->ring_mask]);
		if (!job) {
			error = -EBUSY;
			break;
		}
		if (last)
			last->link = job;
		else
			sr_job_move(engine, job, SR_JOB_READY);
		last = is_linked(job) ? job : NULL;
	}
	io_uring_smp_store_release(sq->khead, head);
	return error;
}

static int submit(struct sr_engine *engine)
{
	struct io_uring_sq *sq = &engine->uring->sq;
	int error;

	if (*sq->khead == sq->sqe_tail)
		return 0;
	sq->sqe_head = sq->sqe_tail;
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	pthread_mutex_lock(&engine->lock);
	error = take_queued(engine);
	sr_job_start_ready(engine);
	pthread_mutex_unlock(&engine->lock);
	return error;
}

static int wait_for(struct sr_engine *engine, unsigned int min,
		    uint64_t timeout_ns)
{
	const uint64_t now = sr_now_ns();
	const uint64_t deadline = timeout_ns >= SAFERRING_FOREVER - now ?
					  SAFERRING_FOREVER : now + timeout_ns;
	uint32_t posted;
	int error;

	for (;;) {
		posted = __atomic_load_n(&engine->posted, __ATOMIC_ACQUIRE);
		if (sr_engine_ready(engine) >= min)
			return 0;
		error = futex_wait(&engine->posted, posted, deadline);
		if (error == -ETIMEDOUT)
			return -ETIME;
		if (error == -EINTR)
			return error;
	}
}

int sr_engine_enter(struct sr_engine *engine, unsigned int min,
		    uint64_t timeout_ns)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	const int saved = errno;
	int error = submit(engine);

	if (min && !error)
		error = wait_for(engine, min, timeout_ns);
	errno = saved;
	return error;
}

/* ---- open and close ---- */

static int set_memory(struct sr_engine *engine, unsigned int depth,
		      unsigned int completions)
{
	const unsigned int entries = sr_power_of_two(depth);
	const unsigned int room = sr_power_of_two(
		completions ? completions : 2 * entries);
	struct sr_engine_memory *memory;

	memory = aligned_alloc(64, SR_ROUND_UP(sizeof(*memory), 64));
	if (!memory)
		return -ENOMEM;
	*memory = (struct sr_engine_memory){
		.sq_mask = entries - 1,
		.sq_entries = entries,
		.cq_mask = room - 1,
		.cq_entries = room,
	};
	engine->memory = memory;
	engine->job_count = 2 * entries;
	engine->uring->sq.sqes = calloc(entries, sizeof(struct io_uring_sqe));
	engine->uring->cq.cqes = calloc(room, sizeof(struct io_uring_cqe));
	engine->jobs = calloc(engine->job_count, sizeof(*engine->jobs));
	engine->polled = calloc(engine->job_count + 1, sizeof(*engine->polled));
	engine->polled_job = calloc(engine->job_count + 1,
				    sizeof(*engine->polled_job));
	if (!engine->uring->sq.sqes || !engine->uring->cq.cqes ||
	    !engine->jobs || !engine->polled || !engine->polled_job)
		return -ENOMEM;
	return 0;
}

static void set_queues(struct sr_engine *engine)
{
	struct sr_engine_memory *memory = engine->memory;
	struct io_uring *uring = engine->uring;
	unsigned int number;

	uring->sq.khead = &memory->sq_head;
	uring->sq.ktail = &memory->sq_tail;
	uring->sq.kring_mask = &memory->sq_mask;
	uring->sq.kring_entries = &memory->sq_entries;
	uring->sq.kflags = &memory->sq_flags;
	uring->sq.kdropped = &memory->sq_dropped;
	uring->sq.ring_mask = memory->sq_mask;
	uring->sq.ring_entries = memory->sq_entries;
	uring->cq.khead = &memory->cq_head;
	uring->cq.ktail = &memory->cq_tail;
	uring->cq.kring_mask = &memory->cq_mask;
	uring->cq.kring_entries = &memory->cq_entries;
	uring->cq.kflags = &memory->cq_flags;
	uring->cq.koverflow = &memory->cq_overflow;
	uring->cq.ring_mask = memory->cq_mask;
	uring->cq.ring_entries = memory->cq_entries;
	uring->features = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
			  IORING_FEAT_RW_CUR_POS | IORING_FEAT_EXT_ARG |
			  IORING_FEAT_CQE_SKIP;
	for (number = 0; number < engine->job_count; number++) {
		engine->jobs[number].edges = -1;
		engine->jobs[number].node.next = engine->free;
		engine->free = &engine->jobs[number];
	}
}

static void release(struct sr_engine *engine)
{
	if (engine->wake >= 0)
		close(engine->wake);
	if (engine->ready_fd >= 0)
		close(engine->ready_fd);
	free(engine->uring->sq.sqes);
	free(engine->uring->cq.cqes);
	memset(engine->uring, 0, sizeof(*engine->uring));
	free(engine->jobs);
	free(engine->polled);
	free(engine->polled_job);
	free(engine->memory);
	free(engine);
}

static int open_fds(struct sr_engine *engine)
{
	engine->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	engine->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (engine->wake < 0 || engine->ready_fd < 0)
		return -errno;
	engine->uring->ring_fd = engine->ready_fd;
	engine->uring->enter_ring_fd = engine->ready_fd;
	return 0;
}

static int set_up(struct sr_engine *engine, unsigned int depth,
		  unsigned int completions)
{
	int error = set_memory(engine, depth, completions);

	if (error)
		return error;
	set_queues(engine);
	pthread_mutex_init(&engine->lock, NULL);
	pthread_cond_init(&engine->work, NULL);
	error = open_fds(engine);
	return error ? error : sr_engine_start(engine);
}

int sr_engine_open(struct sr_engine **out, struct io_uring *uring,
		   unsigned int depth, unsigned int completions)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	struct sr_engine *engine = calloc(1, sizeof(*engine));
	const int saved = errno;
	int error;

	if (!engine)
		return -ENOMEM;
	memset(uring, 0, sizeof(*uring));
	engine->uring = uring;
	engine->wake = -1;
	engine->ready_fd = -1;
	error = set_up(engine, depth, completions);
	if (error) {
		release(engine);
	} else {
		enlist(engine);
		*out = engine;
	}
	errno = saved;
	return error;
}

void sr_engine_close(struct sr_engine *engine)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();

	delist(engine);
	sr_engine_stop(engine);
	sr_engine_close_files(engine);
	pthread_cond_destroy(&engine->work);
	pthread_mutex_destroy(&engine->lock);
	release(engine);
}

bool sr_engine_supports(unsigned int opcode)
{
	switch (opcode) {
	case IORING_OP_ASYNC_CANCEL:
	case IORING_OP_POLL_REMOVE:
	case IORING_OP_TIMEOUT:
	case IORING_OP_TIMEOUT_REMOVE:
	case IORING_OP_LINK_TIMEOUT:
		return true;
	default:
		return sr_call_of(opcode) != NULL;
	}
}
