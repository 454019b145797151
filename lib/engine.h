/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Engine: what io_uring does, done by threads and poll(2), for machines whose
 * kernel or seccomp filter does not admit it. It has the two queues of a ring in
 * plain memory, so that operation.c fills SQEs and reaps CQEs as ever and never
 * knows the difference.
 *
 * An SQE becomes a job. A job that can end at once ends in the submitting
 * thread; one that waits for a descriptor is the poller's; one that may block,
 * as files do, is a worker's. Everything below is guarded by the engine's lock,
 * except the queues' words that the program reads, which are written with
 * release.
 */
#ifndef SAFERRING_ENGINE_H
#define SAFERRING_ENGINE_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <liburing.h>
#include <saferring/group.h>

#define SR_ENGINE_WORKERS 8
#define SR_ENGINE_GROUPS  SAFERRING_GROUPS_MAX

/* What a job may come to besides a result: it cannot be run without blocking. */
#define SR_JOB_BLOCKS INT32_MIN

/*
 * enum sr_job_state - where a job is
 * @SR_JOB_FREE: in the list of free jobs
 * @SR_JOB_HELD: behind another one of its chain
 * @SR_JOB_READY: to be started
 * @SR_JOB_QUEUED: for a worker
 * @SR_JOB_RUNNING: in a system call, or being looked at
 * @SR_JOB_WAITING: for its descriptor
 * @SR_JOB_TIMED: for its deadline
 * @SR_JOB_OVERFLOWN: it has ended, and the completion queue is full
 */
enum sr_job_state {
	SR_JOB_FREE,
	SR_JOB_HELD,
	SR_JOB_READY,
	SR_JOB_QUEUED,
	SR_JOB_RUNNING,
	SR_JOB_WAITING,
	SR_JOB_TIMED,
	SR_JOB_OVERFLOWN,
};

/*
 * enum sr_sort - what a descriptor is
 * @SR_SORT_UNKNOWN: nobody has looked
 * @SR_SORT_FILE: a file, a directory or a block device: always ready, and blocks
 *	all the same
 * @SR_SORT_SOCKET: can be told not to wait for one call
 * @SR_SORT_STREAM: anything else, such as a pipe
 */
enum sr_sort {
	SR_SORT_UNKNOWN,
	SR_SORT_FILE,
	SR_SORT_SOCKET,
	SR_SORT_STREAM,
};

/*
 * struct sr_identity - what a descriptor was, for it to be known again
 * @noted: somebody has looked; what it was not is all zero
 */
struct sr_identity {
	dev_t device;
	ino_t inode;
	enum sr_sort sort;
	bool noted;
};

/*
 * struct sr_job - an SQE that was submitted
 * @sqe: a copy of it
 * @node: in the list that its state names
 * @link: started after this one, or cancelled with it
 * @timer: the linked timeout that runs while this one does, or NULL
 * @timed: the job whose linked timeout this is, or NULL
 * @deadline: when it is to end, in nanoseconds of CLOCK_MONOTONIC
 * @target: count of completions that ends a timeout, if it has one
 * @serial: which use of this job it is
 * @result: what it came to, while it is overflown
 * @flags: of the completion, then
 * @fd: the descriptor it works on
 * @fd_in: the one that splice(2) reads from
 * @is: what @fd was when the job was put off, or looked at before
 * @in_is: the same of @fd_in
 * @owns_fd: @fd is its own, to be closed
 * @owns_fd_in: the same of @fd_in
 * @edges: an epoll descriptor that reports each event once, or -1
 * @connecting: connect(2) is under way
 * @wants_in: it waits for @fd_in, and not for @fd
 * @nonblock: the SQE says that it is not to wait
 * @cancelled: to end as soon as whoever runs it comes back
 */
struct sr_job {
	struct io_uring_sqe sqe;
	struct sr_job_node {
		struct sr_job *next;
		struct sr_job *previous;
	} node;
	struct sr_job *link;
	struct sr_job *timer;
	struct sr_job *timed;
	uint64_t deadline;
	uint64_t serial;
	uint32_t target;
	int32_t result;
	uint32_t flags;
	int fd;
	int fd_in;
	int edges;
	enum sr_job_state state;
	struct sr_identity is;
	struct sr_identity in_is;
	bool owns_fd;
	bool owns_fd_in;
	bool connecting;
	bool wants_in;
	bool nonblock;
	bool cancelled;
};

struct sr_job_list {
	struct sr_job *first;
	struct sr_job *last;
};

/* Provided buffers: the ring that the program fills, and what was taken of it. */
struct sr_engine_group {
	struct io_uring_buf_ring *ring;
	uint16_t mask;
	uint16_t head;
	bool incremental;
};

/*
 * struct sr_engine - a ring without io_uring
 * @uring: what the program's side of the library works on
 * @jobs: @job_count of them
 * @list: by state: the jobs that are in it; none for FREE, HELD, RUNNING
 * @free: the free jobs
 * @wake: eventfd that ends the poller's wait
 * @ready_fd: eventfd that is readable while completions are there
 * @signalled: it is
 * @posted: grows with each completion; a futex
 * @work: there is something for a worker
 * @idle: workers that wait for it
 * @queued: jobs that wait for a worker
 * @started: jobs that were started and have not ended
 * @drain: one of them holds up all others
 * @files: registered descriptors, -1 where there is none
 * @group: rings of provided buffers
 * @next: in the list of all engines
 * @polled: what the poller waits for
 * @polled_job: the jobs of it, with the serial they had
 */
struct sr_engine {
	struct io_uring *uring;
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_t poller;
	pthread_t worker[SR_ENGINE_WORKERS];
	unsigned int workers;
	unsigned int idle;
	unsigned int queued;
	unsigned int started;
	bool drain;
	bool stop;
	bool signalled;
	int wake;
	int ready_fd;
	uint32_t posted;
	uint64_t serial;
	struct sr_job_list list[SR_JOB_OVERFLOWN + 1];
	struct sr_job *free;
	struct sr_job *jobs;
	unsigned int job_count;
	struct pollfd *polled;
	struct sr_polled {
		struct sr_job *job;
		uint64_t serial;
	} *polled_job;
	struct sr_engine_memory *memory;
	int *files;
	unsigned int file_count;
	struct sr_engine_group group[SR_ENGINE_GROUPS];
	struct sr_engine *next;
};

/* ---- engine.c: for uring.c ---- */

/*
 * Open an engine as @uring, with as many entries as @depth asks for and room for
 * @completions, or 0 for twice as many. Returns 0 or -errno.
 */
int sr_engine_open(struct sr_engine **engine, struct io_uring *uring,
		   unsigned int depth, unsigned int completions);
/* Nothing may be in flight. */
void sr_engine_close(struct sr_engine *engine);
/*
 * As io_uring_enter(2): take what is queued, and wait for @min completions, or
 * @timeout_ns at most. Returns 0, -ETIME, -EINTR or -EBUSY.
 */
int sr_engine_enter(struct sr_engine *engine, unsigned int min,
		    uint64_t timeout_ns);
/* Completions that are there, those that had no room included. */
unsigned int sr_engine_ready(struct sr_engine *engine);
/* Whether it knows an opcode. */
bool sr_engine_supports(unsigned int opcode);

/* In a child: the engines are the parent's. */
void sr_engines_forget(void);

/* Post a completion to the engine whose ready_fd that is. Returns 0 or -errno. */
int sr_engine_message(int fd, uint64_t user_data, int32_t result);

/* With the lock held: hand a completion to the program, now or later. */
void sr_engine_post(struct sr_engine *engine, struct sr_job *job, int32_t result,
		    uint32_t flags);
/* The same for one of several: false if there is no room for it. */
bool sr_engine_post_more(struct sr_engine *engine, const struct sr_job *job,
			 int32_t result, uint32_t flags);
void sr_engine_wake_poller(struct sr_engine *engine);

/* ---- engine_job.c: the way of a job; all with the lock held ---- */

struct sr_job *sr_job_take(struct sr_engine *engine,
			   const struct io_uring_sqe *sqe);
void sr_job_free(struct sr_engine *engine, struct sr_job *job);
void sr_job_move(struct sr_engine *engine, struct sr_job *job,
		 enum sr_job_state state);
/* Start all that is READY. The lock is given up meanwhile. */
void sr_job_start_ready(struct sr_engine *engine);
/* Run a job, which may block if @blocking. The lock is given up meanwhile. */
void sr_job_run(struct sr_engine *engine, struct sr_job *job, bool blocking);
/* The time is up. */
void sr_job_expire(struct sr_engine *engine, struct sr_job *job);

/* ---- engine_file.c: registered files ---- */

int sr_engine_register_files(struct sr_engine *engine, unsigned int slots);
int sr_engine_update_file(struct sr_engine *engine, unsigned int slot, int fd);
void sr_engine_close_files(struct sr_engine *engine);
/* With the lock held: descriptors of its own for a job that names slots. */
int sr_job_open_files(struct sr_engine *engine, struct sr_job *job);
void sr_job_close_files(struct sr_job *job);
/* Note what its descriptors are, before the program can close them. */
void sr_job_note_files(struct sr_job *job);
/* Whether they still are that, as far as it was noted. */
bool sr_job_has_files(const struct sr_job *job);
/* What its descriptor is. */
enum sr_sort sr_job_sort(struct sr_job *job);
/*
 * A job has come to @fd: if it is to go to a slot, put it there. Returns what the
 * completion says.
 */
int sr_job_install(struct sr_engine *engine, const struct sr_job *job, int fd);
int sr_job_close_slot(struct sr_engine *engine, const struct sr_job *job);

/* ---- engine_group.c: provided buffers ---- */

int sr_engine_register_group(struct sr_engine *engine, unsigned int id,
			     struct io_uring_buf_ring *ring,
			     unsigned int entries, bool incremental);
void sr_engine_unregister_group(struct sr_engine *engine, unsigned int id);
/*
 * With the lock held, and kept: run a job that wants a buffer chosen, which never
 * blocks. Returns as sr_call.run.
 */
int sr_job_run_on_group(struct sr_engine *engine, struct sr_job *job,
			uint32_t *flags);

/* ---- engine_call.c: opcodes as system calls; without the lock ---- */

/*
 * enum sr_call_wait - how a job goes about waiting
 * @SR_CALL_NONE: it does not
 * @SR_CALL_IN: for its descriptor to be readable, if it is no file
 * @SR_CALL_OUT: to be writable
 * @SR_CALL_WORKER: in the system call, so that a worker has to make it
 * @SR_CALL_PIPE: for the descriptor that it takes from, then for the other
 * @SR_CALL_POLL: for what the SQE says
 */
enum sr_call_wait {
	SR_CALL_NONE,
	SR_CALL_IN,
	SR_CALL_OUT,
	SR_CALL_WORKER,
	SR_CALL_PIPE,
	SR_CALL_POLL,
};

/*
 * struct sr_call - an opcode
 * @run: makes the system call: a result, -errno, or SR_JOB_BLOCKS if it might
 *	block and must not; NULL for opcodes that the engine handles itself
 * @wait: how it waits
 */
struct sr_call {
	int (*run)(struct sr_job *job, bool blocking);
	enum sr_call_wait wait;
};

/* NULL if the engine does not know it. */
const struct sr_call *sr_call_of(unsigned int opcode);
/* What poll(2) is to be asked for, and of which descriptor. */
unsigned int sr_call_events(const struct sr_job *job);
int sr_call_fd(const struct sr_job *job);
bool sr_fd_ready(int fd, short events);
/*
 * The lock under which a call is made that might wait if another thread's came
 * in between: for a descriptor, POLLIN or POLLOUT.
 */
pthread_mutex_t *sr_turn_of(int fd, short events);
void sr_turns_forget(void);

static inline int sr_result_of(ssize_t result)
{
	return result < 0 ? -errno : (int)result;
}

static inline void *sr_pointer(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

/* ---- engine_transfer.c, engine_socket.c: some of them ---- */

int sr_call_readv(struct sr_job *job, bool blocking);
int sr_call_writev(struct sr_job *job, bool blocking);
int sr_call_read(struct sr_job *job, bool blocking);
int sr_call_write(struct sr_job *job, bool blocking);
int sr_call_send(struct sr_job *job, bool blocking);
int sr_call_recv(struct sr_job *job, bool blocking);
int sr_call_sendmsg(struct sr_job *job, bool blocking);
int sr_call_recvmsg(struct sr_job *job, bool blocking);
int sr_call_accept(struct sr_job *job, bool blocking);
int sr_call_connect(struct sr_job *job, bool blocking);
int sr_call_shutdown(struct sr_job *job, bool blocking);
int sr_call_socket(struct sr_job *job, bool blocking);
/* Without waiting: bytes, or -errno. */
int sr_receive_message(int fd, struct msghdr *message, int flags);
int sr_send_message(int fd, struct msghdr *message, int flags);

/* ---- engine_thread.c ---- */

/* Start the poller. Returns 0 or -errno. */
int sr_engine_start(struct sr_engine *engine);
/* End all threads. */
void sr_engine_stop(struct sr_engine *engine);
/* With the lock held: have a worker look at the queue. */
void sr_engine_work(struct sr_engine *engine);

#endif /* SAFERRING_ENGINE_H */
