/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Ring: reads and writes on buffers through io_uring. Submitting an operation
 * gives its buffer to the kernel; the completion gives it back under a fresh
 * handle.
 *
 * A ring is used by one thread at a time. It may change threads if the program
 * orders the accesses, as by a lock.
 */
#ifndef SAFERRING_RING_H
#define SAFERRING_RING_H

#include <saferring/api.h>
#include <saferring/buffer.h>

SAFERRING_BEGIN_DECLS

struct saferring_pool;
struct saferring_region;
struct saferring_ring;

#define SAFERRING_RING_DEPTH_MAX 32768U

/* Ranges of one operation, and bytes of control data of one message, at most. */
#define SAFERRING_RANGES_MAX  64
#define SAFERRING_CONTROL_MAX 256

/**
 * struct saferring_range - a part of a buffer
 * @buffer: its handle
 * @start: first byte
 * @length: bytes, not 0
 */
struct saferring_range {
	saferring_buffer buffer;
	size_t start;
	size_t length;
};

/*
 * A slot of the ring's table of registered files, for every function that takes
 * a file descriptor: see saferring/files.h.
 */
#define SAFERRING_FILE_BIT   (1 << 30)
#define SAFERRING_FILE(slot) ((int)(slot) | SAFERRING_FILE_BIT)

/* Bits of saferring_ring_options.flags. */
#define SAFERRING_RING_REQUIRE_FIXED (1U << 0) /* or else fail */
#define SAFERRING_RING_AVOID_FIXED   (1U << 1) /* do not register at all */
#define SAFERRING_RING_REQUIRE_URING (1U << 16) /* or else fail */
#define SAFERRING_RING_AVOID_URING   (1U << 17) /* use threads instead */
#define SAFERRING_RING_REQUIRE_MEMORY (1U << 18) /* or else fail */
/*
 * Completions that are of no operation of this ring are handed out, as being of
 * SAFERRING_OPERATION_FOREIGN, with the CQE's user_data, result and, as extra,
 * flags, if their user_data is below 2^63. Otherwise they are reported.
 */
#define SAFERRING_RING_FOREIGN (1U << 2)
/*
 * How the ring is set up: as demanded, or creating it fails.
 *
 * SQPOLL: a thread of the kernel's looks for what is submitted, so that
 * submitting makes no system call while it is awake. IOPOLL: completions are
 * looked for at the device; only reads, writes and commands on descriptors that
 * can do it, and cancelling has no effect. ONE_THREAD: only the thread that
 * creates the ring uses it, also to destroy it; the kernel then has less to do
 * (SINGLE_ISSUER and DEFER_TASKRUN, Linux 6.1). COMMANDS: entries have room for
 * saferring_ring_command(); reads and writes take longer.
 */
#define SAFERRING_RING_SQPOLL	  (1U << 3)
#define SAFERRING_RING_IOPOLL	  (1U << 4)
#define SAFERRING_RING_ONE_THREAD (1U << 5)
#define SAFERRING_RING_COMMANDS	  (1U << 6)

/* The program keeps its ring: for saferring_ring_adopt() only. */
#define SAFERRING_RING_BESIDE (1U << 8)

/*
 * Values of saferring_ring_options.preset: wishes, of which the best is granted
 * that the kernel has; saferring_ring_info() tells which. With LOW_LATENCY and
 * HIGH_THROUGHPUT a ring may come to be ONE_THREAD. DEVELOPMENT has the kernel
 * refuse other threads' use where it can. AUTO and PRODUCTION work for every
 * program.
 */
#define SAFERRING_PRESET_AUTO		 0U
#define SAFERRING_PRESET_LOW_LATENCY	 1U
#define SAFERRING_PRESET_HIGH_THROUGHPUT 2U
#define SAFERRING_PRESET_DEVELOPMENT	 3U
#define SAFERRING_PRESET_PRODUCTION	 4U

#define SAFERRING_RING_COMPLETIONS_MAX 65536U

/* Nanoseconds, at most, of saferring_ring_options.batch_ns and .busy_max_ns. */
#define SAFERRING_RING_BATCH_NS_MAX 1000000000ULL
#define SAFERRING_RING_BUSY_NS_MAX  10000000U

/*
 * Measure how long operations take, from submitting a batch to reaping, in the
 * metric saferring_operation_latency_seconds. The clock is read twice a batch.
 */
#define SAFERRING_RING_LATENCY (1U << 7)

/**
 * struct saferring_ring_options - how to create a ring
 * @size: sizeof(struct saferring_ring_options)
 * @depth: operations that can be queued or in flight together, 1 to
 *	SAFERRING_RING_DEPTH_MAX; 0 for 128
 * @flags: SAFERRING_RING bits
 * @pools: the pools whose buffers the ring may use
 * @pool_count: number of @pools, at least 1
 * @name: for reports and lists; copied, cut to 31 bytes; NULL for "ring N"
 * @preset: SAFERRING_PRESET
 * @completions: room for completions in the kernel's queue, @depth to
 *	SAFERRING_RING_COMPLETIONS_MAX; 0 for twice the depth. None is lost
 *	when it is full, but that is slow; multishot operations fill it
 * @poll_cpu: number, plus 1, of the CPU for the thread of SQPOLL; 0 for any
 * @poll_ms: milliseconds after which that thread goes to sleep; 0 for 1000
 * @memory: region for the memory that the ring shares with the kernel, NULL for
 *	what the kernel has; see saferring_ring_memory()
 * @batch_min: if @batch_max is not 0: fewest completions that a wait gathers,
 *	where it is given as long; 0 for 1
 * @batch_max: most completions that a wait gathers, at most the depth; 0 to
 *	have it return with those that were asked for. Else a number between the
 *	two follows the load. See saferring_adaptation(7)
 * @batch_ns: nanoseconds from its beginning that a wait goes on for more
 *	completions than were asked for, at most SAFERRING_RING_BATCH_NS_MAX; not
 *	0 if @batch_max is not
 * @busy_min_ns: nanoseconds, at least, that a wait looks for completions before
 *	the thread sleeps
 * @busy_max_ns: nanoseconds, at most, SAFERRING_RING_BUSY_NS_MAX or less; 0 to
 *	have it sleep at once. Else a time between the two follows the load
 */
struct saferring_ring_options {
	size_t size;
	unsigned int depth;
	unsigned int flags;
	struct saferring_pool *const *pools;
	size_t pool_count;
	const char *name;
	unsigned int preset;
	unsigned int completions;
	unsigned int poll_cpu;
	unsigned int poll_ms;
	struct saferring_region *memory;
	unsigned int batch_min;
	unsigned int batch_max;
	uint64_t batch_ns;
	unsigned int busy_min_ns;
	unsigned int busy_max_ns;
};

/**
 * saferring_ring_memory() - how much memory a ring shares with the kernel
 * @options: how the ring will be created; @pools and @memory do not matter
 *
 * A region in options->memory gets the submission and the completion queue, and
 * the entries of the ring's groups: 16 bytes for each buffer, their number rounded
 * up to a power of two and each group to whole pages. So they lie on the node where
 * the region lies, not on the one where the thread ran that created the ring.
 * Several rings can have one region, but no pool can have it besides; it is
 * neither exported nor imported.
 *
 * The kernel takes such memory for queues from Linux 6.5 on; before 6.10 each of
 * the two has to lie in one page, of whatever size. It takes it for groups
 * wherever it has groups. What cannot be had, or finds no room, lies elsewhere,
 * and saferring_ring_info() and saferring_group_info() say why; unless
 * SAFERRING_RING_REQUIRE_MEMORY is set, which makes the call fail.
 *
 * The region outlives the ring: destroying, revoking and exporting it are refused
 * before. The kernel lets go of a closed ring some time later and does not tell
 * when, so what a ring had of a region is not used again as long as the region
 * lives. To create rings for ever, create a region for each.
 *
 * Any thread may call it.
 *
 * Return: bytes for the queues, which is the least that a region for this one ring
 * must have, or 0: depth or completions are out of range.
 */
SAFERRING_API size_t
saferring_ring_memory(const struct saferring_ring_options *options)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_create() - create a ring
 * @options: how; not NULL, because a ring needs pools
 * @ring: out: the ring, to be destroyed by saferring_ring_destroy()
 *
 * All regions of the pools are registered as fixed buffers. If the kernel
 * refuses, as it does when RLIMIT_MEMLOCK is too small, the ring works on the
 * same memory unregistered, saferring_ring_info() says why, and so does
 * saferring_error_last(), although the call succeeds; unless
 * SAFERRING_RING_REQUIRE_FIXED is set, which makes it fail. The pools outlive
 * the ring.
 *
 * Where io_uring is absent or forbidden, threads of the library do its work, by
 * plain system calls, a few times slower; saferring_ring_info() says why. They
 * do so as well if SAFERRING_RING_AVOID_URING is set, or "threads" is what the
 * environment's SAFERRING_ENGINE says; SAFERRING_RING_REQUIRE_URING has it fail
 * instead, whatever the environment says. A descriptor that is not registered
 * has to stay open until its operations have ended: with io_uring they hold the
 * file, with threads they fail with -EBADF once it is closed, also if another
 * file has its number then.
 *
 * Any thread may call it.
 *
 * Return: 0, or
 * -EINVAL: depth, flags, pools or bounds are out of range, or a pool appears
 * twice;
 * -ESTALE: a region of a pool, or for its memory, was revoked;
 * -EBUSY: a pool has the region for its memory;
 * -ENOSYS: with REQUIRE_URING: there is no io_uring in this kernel;
 * -EPERM: with REQUIRE_URING: io_uring is forbidden to this process;
 * -EAGAIN: threads could not be started;
 * -ENOMEM: out of memory, or with REQUIRE_FIXED RLIMIT_MEMLOCK is too small: the
 * detail tells needed and allowed bytes and the cure;
 * -EOPNOTSUPP, -EFAULT: with REQUIRE_FIXED or REQUIRE_MEMORY: the kernel does not
 * take this memory;
 * -EMFILE, -ENFILE: out of file descriptors;
 * -EOWNERDEAD: a pool or the region belongs to the parent process.
 */
SAFERRING_API int
saferring_ring_create(const struct saferring_ring_options *options,
		      struct saferring_ring **ring)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_destroy() - end all operations and destroy a ring
 * @ring: the ring, or NULL; invalid after this, unless an error is returned
 * @timeout_ms: how long to wait, in milliseconds, for operations that the kernel
 *	does not let go of at once
 *
 * Operations that are queued only are withdrawn, those in flight are cancelled
 * and waited for. All their buffers, and those of completions not yet reaped,
 * go back to their pools. What does not end in time keeps its buffer: that
 * buffer is quarantined, which is reported, and goes back to its pool by a later
 * saferring_quarantine_reap() or saferring_pool_destroy() after its I/O has
 * ended. It is never handed out before.
 *
 * Return: number of operations in quarantine, 0 if all ended; or
 * -EBUSY: it is beside a ring of the program's own, and operations are under
 * way; nothing was changed;
 * -EOWNERDEAD: the ring belongs to the parent process; nothing was changed.
 */
SAFERRING_API int saferring_ring_destroy(struct saferring_ring *ring,
					 unsigned int timeout_ms);

/**
 * saferring_quarantine_reap() - take back what has ended meanwhile
 *
 * Looks at the rings that were destroyed with operations in flight. It does not
 * wait. Any thread may call it.
 *
 * Return: number of buffers that are still in quarantine.
 */
SAFERRING_API int saferring_quarantine_reap(void);

/**
 * saferring_ring_read() - queue a read into a buffer
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @buffer: handle, stale once this returns 0
 * @start: where in the buffer to begin, in bytes
 * @length: bytes to read, not 0
 * @offset: where in the file to begin, in bytes; (uint64_t)-1 for its position
 * @user_data: comes back with the completion; its meaning is the caller's
 *
 * The kernel starts it at the next saferring_ring_submit() or _wait(). No
 * system call is made here. @fd must stay open until then.
 *
 * Return: 0, or
 * -ESTALE: the handle is no current one of a buffer that this ring may use; the
 * reason is reported;
 * -EINVAL: @length is 0 or above 2 GiB;
 * -ERANGE: the range does not lie inside the buffer;
 * -EBUSY: all operations of the ring are taken: reap completions;
 * -EOWNERDEAD: the ring belongs to the parent process.
 * After an error the buffer still belongs to the caller.
 */
SAFERRING_API int saferring_ring_read(struct saferring_ring *ring, int fd,
				      saferring_buffer buffer, size_t start,
				      size_t length, uint64_t offset,
				      uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_write() - queue a write from a buffer
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @buffer: handle, stale once this returns 0
 * @start: where in the buffer to begin, in bytes
 * @length: bytes to write, not 0
 * @offset: where in the file to begin, in bytes; (uint64_t)-1 for its position
 * @user_data: comes back with the completion; its meaning is the caller's
 *
 * Return: as saferring_ring_read(), and all else is as there.
 */
SAFERRING_API int saferring_ring_write(struct saferring_ring *ring, int fd,
				       saferring_buffer buffer, size_t start,
				       size_t length, uint64_t offset,
				       uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/* Bits for saferring_ring_modify(). */
#define SAFERRING_LINK	    (1U << 0) /* the next one waits for its success */
#define SAFERRING_HARD_LINK (1U << 1) /* the next one waits for its end */
#define SAFERRING_DRAIN	    (1U << 2) /* it waits for all before it */
#define SAFERRING_ASYNC	    (1U << 3) /* a worker of the kernel's starts it */

/**
 * saferring_ring_modify() - change what was queued last
 * @ring: the ring
 * @flags: SAFERRING_LINK, _HARD_LINK, _DRAIN and _ASYNC bits to set, as the
 *	IOSQE bits of io_uring_enter(2)
 *
 * A chain of links ends with what was queued last when it is submitted, so it is
 * to be queued whole before that.
 *
 * Return: 0, or
 * -EINVAL: other bits;
 * -ENOENT: nothing is queued;
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int saferring_ring_modify(struct saferring_ring *ring,
					unsigned int flags)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_last() - name what was queued last
 * @ring: the ring
 *
 * Return: a number that no other operation of the ring has or had, to be given
 * to saferring_ring_cancel() and saferring_ring_drop(), or 0 if nothing is
 * queued.
 */
SAFERRING_API uint64_t saferring_ring_last(struct saferring_ring *ring)
	SAFERRING_NONNULL(1);

/**
 * saferring_ring_submit() - start what is queued
 * @ring: the ring
 *
 * One system call, or none if nothing is queued. Operations on a region that
 * was freed since they were queued are not started; they complete with -ESTALE.
 *
 * Return: number of operations started, or -errno of io_uring_enter(2): then
 * what is queued stays queued, its buffers stay the kernel's, and the caller may
 * submit again, or withdraw. Or -EOWNERDEAD.
 */
SAFERRING_API int saferring_ring_submit(struct saferring_ring *ring)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/*
 * Kinds of operations: values of saferring_completion.operation, each named
 * after the function that queues it. The last one is their number.
 */
enum saferring_operation {
	SAFERRING_OPERATION_READ = 1,
	SAFERRING_OPERATION_WRITE = 2,
	SAFERRING_OPERATION_READV = 3,
	SAFERRING_OPERATION_WRITEV = 4,
	SAFERRING_OPERATION_FSYNC = 5,
	SAFERRING_OPERATION_FALLOCATE = 6,
	SAFERRING_OPERATION_OPEN = 7,
	SAFERRING_OPERATION_CLOSE = 8,
	SAFERRING_OPERATION_STATX = 9,
	SAFERRING_OPERATION_SPLICE = 10,
	SAFERRING_OPERATION_ACCEPT = 11,
	SAFERRING_OPERATION_CONNECT = 12,
	SAFERRING_OPERATION_SEND = 13,
	SAFERRING_OPERATION_RECV = 14,
	SAFERRING_OPERATION_SENDMSG = 15,
	SAFERRING_OPERATION_RECVMSG = 16,
	SAFERRING_OPERATION_SEND_ZC = 17,
	SAFERRING_OPERATION_SENDMSG_ZC = 18,
	SAFERRING_OPERATION_SHUTDOWN = 19,
	SAFERRING_OPERATION_ACCEPT_MULTISHOT = 20,
	SAFERRING_OPERATION_RECV_MULTISHOT = 21,
	SAFERRING_OPERATION_SOCKET = 22,
	SAFERRING_OPERATION_POLL = 23,
	SAFERRING_OPERATION_POLL_MULTISHOT = 24,
	SAFERRING_OPERATION_TIMEOUT = 25,
	SAFERRING_OPERATION_LINK_TIMEOUT = 26,
	SAFERRING_OPERATION_CANCEL = 27,
	SAFERRING_OPERATION_NOP = 28,
	SAFERRING_OPERATION_MESSAGE = 29,
	SAFERRING_OPERATION_COMMAND = 30,
	SAFERRING_OPERATION_RAW = 31,
	SAFERRING_OPERATION_FOREIGN = 32,
	SAFERRING_OPERATIONS = 33,
};

/**
 * saferring_operation_name() - the name of a kind of operation
 * @operation: enum saferring_operation
 *
 * Return: its name in capital letters, such as "READ", or "?" for any other
 * number. Any thread may call it.
 */
SAFERRING_API const char *saferring_operation_name(unsigned int operation);

/*
 * Bits of saferring_completion.flags. With MORE, further completions of the same
 * operation will come; the last one is without it.
 */
#define SAFERRING_COMPLETION_SHORT	  (1U << 0) /* less than asked for */
#define SAFERRING_COMPLETION_REGION_GONE  (1U << 1) /* no buffer any more */
#define SAFERRING_COMPLETION_WITHDRAWN	  (1U << 2) /* the kernel never saw it */
#define SAFERRING_COMPLETION_MORE	  (1U << 3)
#define SAFERRING_COMPLETION_NOTIFICATION (1U << 4) /* of a zero-copy send */
#define SAFERRING_COMPLETION_PARTIAL	  (1U << 5) /* see saferring/group.h */

/**
 * struct saferring_completion - an operation that has ended
 * @buffer: the fresh handle: the buffer is the caller's again, also when the
 *	operation failed. With REGION_GONE it is stale already. Of an operation
 *	without a buffer, or that keeps it, SAFERRING_BUFFER_NONE
 * @pool: the pool of the buffer, or NULL if there is none
 * @user_data: as given with the operation
 * @result: what the operation came to: bytes moved or as its function says, or
 *	-errno. -EINTR, -EAGAIN and short results are handed on as they are
 * @flags: SAFERRING_COMPLETION bits
 * @length: bytes that were asked for
 * @operation: enum saferring_operation
 * @extra: what else there is to say, for the operations whose functions tell
 *
 * An operation on several buffers makes a completion for each of them, all but
 * the last with MORE, and @result is what was moved in that buffer.
 */
struct saferring_completion {
	saferring_buffer buffer;
	struct saferring_pool *pool;
	uint64_t user_data;
	int32_t result;
	uint32_t flags;
	uint32_t length;
	uint32_t operation;
	uint64_t extra;
};

/**
 * saferring_ring_reap() - take completions that are there
 * @ring: the ring
 * @completions: out: the completions, oldest first
 * @max: room at @completions
 *
 * It neither submits nor waits. A system call is made only if the kernel says
 * that completions wait inside it.
 *
 * Return: number of completions, 0 if there are none, -EINVAL if @max is 0, or
 * -EOWNERDEAD.
 */
SAFERRING_API int
saferring_ring_reap(struct saferring_ring *ring,
		    struct saferring_completion *completions, unsigned int max)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK SAFERRING_WRITES(2, 3);

/**
 * saferring_ring_wait() - start what is queued and take completions
 * @ring: the ring
 * @completions: out: the completions, oldest first
 * @max: room at @completions
 * @min: how many to wait for; cut to @max and to what is queued and in flight
 * @timeout_ns: how long to wait at most, in nanoseconds, or SAFERRING_FOREVER
 *
 * A ring whose options have a batch_max may wait for more than @min, for up to
 * batch_ns nanoseconds.
 *
 * Return: number of completions, which is less than @min after a timeout;
 * -EINTR: a signal came before there was any completion;
 * -EINVAL: @max is 0;
 * -EOPNOTSUPP: a timeout on a kernel before 5.11;
 * -errno of io_uring_enter(2), as saferring_ring_submit();
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int
saferring_ring_wait(struct saferring_ring *ring,
		    struct saferring_completion *completions, unsigned int max,
		    unsigned int min, uint64_t timeout_ns)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK SAFERRING_WRITES(2, 3);

/**
 * saferring_ring_withdraw() - take back what is queued and not started
 * @ring: the ring
 *
 * Each of those operations completes with -ECANCELED and the flag
 * SAFERRING_COMPLETION_WITHDRAWN, and its completion is reaped like any other.
 *
 * Return: number of operations withdrawn, or -EOWNERDEAD.
 */
SAFERRING_API int saferring_ring_withdraw(struct saferring_ring *ring)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * enum saferring_engine - what does the work of a ring
 * @SAFERRING_ENGINE_IO_URING: the kernel
 * @SAFERRING_ENGINE_THREADS: threads of the library, by plain system calls
 */
enum saferring_engine {
	SAFERRING_ENGINE_IO_URING = 1,
	SAFERRING_ENGINE_THREADS = 2,
};

/**
 * struct saferring_ring_info - what a ring is made of
 * @size: in: sizeof(struct saferring_ring_info)
 * @depth: operations it can hold
 * @queued: operations that are queued and not started
 * @in_flight: operations that the kernel has
 * @fixed: 1 if the regions are registered as fixed buffers
 * @fixed_buffers: number of registered buffers
 * @fixed_bytes: bytes registered
 * @setup_flags: IORING_SETUP bits in use
 * @features: IORING_FEAT bits of the kernel
 * @fd: descriptor of the ring, for poll(2) and /proc/self/fdinfo only
 * @name: its name, valid as long as the ring
 * @reason: why the regions are not registered, or ""; valid as long as the ring
 * @setup: what was tried to set it up, and what came of it; valid as long as the
 *	ring
 * @engine: enum saferring_engine
 * @engine_reason: why that is not io_uring, or ""; valid as long as the ring
 * @memory: 1 if its queues lie in the region that it was created with
 * @memory_reason: why not, or ""; valid as long as the ring
 * @memory_bytes: bytes that queues and groups have of that region
 * @batch: completions that a wait gathers now, or 0 if that does not follow the
 *	load
 * @busy_ns: nanoseconds that a wait looks for completions now, before it sleeps
 */
struct saferring_ring_info {
	size_t size;
	unsigned int depth;
	unsigned int queued;
	unsigned int in_flight;
	int fixed;
	unsigned int fixed_buffers;
	unsigned int setup_flags;
	unsigned int features;
	int fd;
	uint64_t fixed_bytes;
	const char *name;
	const char *reason;
	const char *setup;
	int engine;
	const char *engine_reason;
	int memory;
	const char *memory_reason;
	uint64_t memory_bytes;
	unsigned int batch;
	unsigned int busy_ns;
};

/**
 * saferring_ring_info() - look at a ring
 * @ring: the ring
 * @info: in: its size member; out: the rest
 *
 * Return: 0, or -EINVAL for an unknown size.
 */
SAFERRING_API int saferring_ring_info(const struct saferring_ring *ring,
				      struct saferring_ring_info *info)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * struct saferring_ring_stats - what a ring has done
 * @size: in: sizeof(struct saferring_ring_stats)
 * @queued: operations accepted
 * @submitted: operations that the kernel has taken
 * @completed: completions handed out, withdrawn ones included
 * @reads: reads among them
 * @writes: writes among them
 * @bytes_read: bytes read
 * @bytes_written: bytes written
 * @short_results: operations that moved less than was asked for
 * @errors: operations that ended with an error, withdrawn ones not included
 * @withdrawn: operations taken back before the kernel saw them
 * @enters: system calls made to submit or to wait
 * @misuses: stale handles that were refused
 * @refused: other requests that were refused (bounds, depth)
 * @region_gone: operations that ended in a region freed meanwhile
 * @foreign: completions that the ring never asked for
 */
struct saferring_ring_stats {
	size_t size;
	uint64_t queued;
	uint64_t submitted;
	uint64_t completed;
	uint64_t reads;
	uint64_t writes;
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t short_results;
	uint64_t errors;
	uint64_t withdrawn;
	uint64_t enters;
	uint64_t misuses;
	uint64_t refused;
	uint64_t region_gone;
	uint64_t foreign;
};

/**
 * saferring_ring_stats() - what a ring has done so far
 * @ring: the ring
 * @stats: in: its size member; out: the rest
 *
 * In the thread that uses the ring the figures are exact.
 *
 * Return: 0, or -EINVAL for an unknown size.
 */
SAFERRING_API int saferring_ring_stats(const struct saferring_ring *ring,
				       struct saferring_ring_stats *stats)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_RING_H */
