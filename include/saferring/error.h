/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Errors: every function that can fail returns 0 or more, or -errno, and leaves
 * errno alone. The number says what kind of failure it was; the detail kept
 * for the calling thread says which object, which limit and what cures it.
 *
 * Misuse of a buffer is reported at once as well, by default as one line on
 * stderr, because a program that misuses buffers may not look at results.
 */
#ifndef SAFERRING_ERROR_H
#define SAFERRING_ERROR_H

#include <saferring/api.h>

SAFERRING_BEGIN_DECLS

/**
 * enum saferring_reason - why a call failed, more finely than errno tells
 *
 * The first group is misuse of buffers, and every one of it is -ESTALE.
 *
 * @SAFERRING_REASON_NONE: nothing failed
 * @SAFERRING_REASON_USE_AFTER_SUBMIT: the kernel owns the buffer: the handle
 *	was given away by a read or write that is not complete
 * @SAFERRING_REASON_DOUBLE_SUBMIT: a second operation on a buffer in flight
 * @SAFERRING_REASON_PUT_IN_FLIGHT: put of a buffer that the kernel owns
 * @SAFERRING_REASON_USE_AFTER_PUT: the buffer is back in its pool
 * @SAFERRING_REASON_DOUBLE_PUT: the handle was put before
 * @SAFERRING_REASON_SUPERSEDED: the buffer changed hands since: it was put and
 *	got again, or a completion brought a newer handle
 * @SAFERRING_REASON_FOREIGN_POOL: the handle is one of another pool
 * @SAFERRING_REASON_FOREIGN_RING: the ring was not created for the handle's pool
 * @SAFERRING_REASON_REGION_GONE: the memory under the buffer was freed
 * @SAFERRING_REASON_QUARANTINED: a ring was destroyed while the kernel kept the
 *	buffer
 * @SAFERRING_REASON_RETIRED: the buffer has used up its generations and is never
 *	handed out again
 * @SAFERRING_REASON_GARBAGE: no pool ever issued this handle
 * @SAFERRING_REASON_SENT: the buffer was sent to another process
 *
 * The second group is what stands in the way of a request.
 *
 * @SAFERRING_REASON_FORKED: the object belongs to the parent process
 *	(-EOWNERDEAD)
 * @SAFERRING_REASON_ARGUMENT: an argument is out of its range
 * @SAFERRING_REASON_BOUNDS: the range does not lie inside the buffer
 * @SAFERRING_REASON_BUSY: the object is in use; nothing was changed
 * @SAFERRING_REASON_DEPTH: all operations of the ring are taken
 * @SAFERRING_REASON_EXHAUSTED: the pool has no free buffer
 * @SAFERRING_REASON_MEMLOCK: RLIMIT_MEMLOCK is too small
 * @SAFERRING_REASON_MEMORY: the system is out of memory of that kind
 * @SAFERRING_REASON_QUOTA: the module's quota or its slots are used up
 * @SAFERRING_REASON_PLACEMENT: memory on that node is not to be had
 * @SAFERRING_REASON_NO_BACKEND: no backend that was allowed works here
 * @SAFERRING_REASON_NO_IO_URING: io_uring is absent or forbidden
 * @SAFERRING_REASON_UNSUPPORTED: this kernel cannot do it
 * @SAFERRING_REASON_SYSTEM: a system call failed in an unforeseen way
 *
 * The third group is events, which are reported and fail no call.
 *
 * @SAFERRING_REASON_LOST_IO: operations did not come back before the deadline
 * @SAFERRING_REASON_FOREIGN_COMPLETION: a completion that the ring never asked
 *	for
 * @SAFERRING_REASON_GONE_COMPLETION: an operation completed into a region that
 *	had been freed meanwhile
 *
 * The fourth group is damage, which the depths full and trap of a pool find and
 * report; see saferring_pool_create(). Only the first of it fails a call.
 *
 * @SAFERRING_REASON_ALIGNMENT: address, length or offset do not suit O_DIRECT
 *	(-EINVAL)
 * @SAFERRING_REASON_OVERRUN: somebody wrote behind the buffer's last byte
 * @SAFERRING_REASON_WRITE_AFTER_PUT: somebody wrote to the buffer while it was
 *	free
 * @SAFERRING_REASON_WRITE_IN_FLIGHT: somebody changed what the kernel was to
 *	read
 * @SAFERRING_REASON_STRAY_ACCESS: a pointer into a buffer that is not the
 *	program's was used
 */
enum saferring_reason {
	SAFERRING_REASON_NONE = 0,
	SAFERRING_REASON_USE_AFTER_SUBMIT = 1,
	SAFERRING_REASON_DOUBLE_SUBMIT = 2,
	SAFERRING_REASON_PUT_IN_FLIGHT = 3,
	SAFERRING_REASON_USE_AFTER_PUT = 4,
	SAFERRING_REASON_DOUBLE_PUT = 5,
	SAFERRING_REASON_SUPERSEDED = 6,
	SAFERRING_REASON_FOREIGN_POOL = 7,
	SAFERRING_REASON_FOREIGN_RING = 8,
	SAFERRING_REASON_REGION_GONE = 9,
	SAFERRING_REASON_QUARANTINED = 10,
	SAFERRING_REASON_RETIRED = 11,
	SAFERRING_REASON_GARBAGE = 12,
	SAFERRING_REASON_SENT = 13,

	SAFERRING_REASON_FORKED = 32,
	SAFERRING_REASON_ARGUMENT = 33,
	SAFERRING_REASON_BOUNDS = 34,
	SAFERRING_REASON_BUSY = 35,
	SAFERRING_REASON_DEPTH = 36,
	SAFERRING_REASON_EXHAUSTED = 37,
	SAFERRING_REASON_MEMLOCK = 38,
	SAFERRING_REASON_MEMORY = 39,
	SAFERRING_REASON_QUOTA = 40,
	SAFERRING_REASON_PLACEMENT = 41,
	SAFERRING_REASON_NO_BACKEND = 42,
	SAFERRING_REASON_NO_IO_URING = 43,
	SAFERRING_REASON_UNSUPPORTED = 44,
	SAFERRING_REASON_SYSTEM = 45,

	SAFERRING_REASON_LOST_IO = 64,
	SAFERRING_REASON_FOREIGN_COMPLETION = 65,
	SAFERRING_REASON_GONE_COMPLETION = 66,

	SAFERRING_REASON_ALIGNMENT = 96,
	SAFERRING_REASON_OVERRUN = 97,
	SAFERRING_REASON_WRITE_AFTER_PUT = 98,
	SAFERRING_REASON_WRITE_IN_FLIGHT = 99,
	SAFERRING_REASON_STRAY_ACCESS = 100,
};

/**
 * enum saferring_owner - who has a buffer
 * @SAFERRING_OWNER_UNKNOWN: not a buffer of any pool
 * @SAFERRING_OWNER_USER: the program, by a handle that passes the check
 * @SAFERRING_OWNER_FREE: the pool
 * @SAFERRING_OWNER_KERNEL: an operation in flight
 * @SAFERRING_OWNER_QUARANTINE: an operation of a destroyed ring
 * @SAFERRING_OWNER_NOBODY: its region is gone, or it is retired
 * @SAFERRING_OWNER_PROCESS: another process, to which it was sent
 */
enum saferring_owner {
	SAFERRING_OWNER_UNKNOWN = 0,
	SAFERRING_OWNER_USER = 1,
	SAFERRING_OWNER_FREE = 2,
	SAFERRING_OWNER_KERNEL = 3,
	SAFERRING_OWNER_QUARANTINE = 4,
	SAFERRING_OWNER_NOBODY = 5,
	SAFERRING_OWNER_PROCESS = 6,
};

#define SAFERRING_TRACE_MAX 14

/**
 * struct saferring_trace - where something was done to a buffer
 * @what: what was done, such as "put" or "submitted", or NULL if not known
 * @thread: number of the thread that did it, as gettid() returns it
 * @count: number of @frame
 * @frame: return addresses, innermost first, the library's own among them
 */
struct saferring_trace {
	const char *what;
	int thread;
	unsigned int count;
	void *frame[SAFERRING_TRACE_MAX];
};

/**
 * struct saferring_error - what went wrong, for programs and for people
 * @code: what the function returned, -errno; 0 for an event
 * @reason: enum saferring_reason
 * @operation: name of the function without its prefix, such as "buffer_put"
 * @object: the object at fault, such as "pool input"
 * @what: one line: what happened, with its figures
 * @cure: one line: what would help, or ""
 * @handle: the word of the handle, or 0 where no handle is at fault
 * @needed: what was asked for, in the unit that @what names, or 0
 * @limit: what is allowed, in the same unit, or 0
 * @index: index of the buffer in its pool; meaningful if @owner is known
 * @owner: enum saferring_owner: who has the buffer now
 * @owner_detail: for people, such as "in flight as READ of 4096 bytes by
 *	ring main"; or ""
 * @here: where the mistake was made
 * @now: where the buffer came to who has it now
 * @before: where it came to who had it before
 *
 * The traces are there for misuse of buffers whose pool has a depth of full or
 * more. Members are only ever added at the end.
 */
struct saferring_error {
	int code;
	int reason;
	const char *operation;
	char object[64];
	char what[256];
	char cure[256];
	uint64_t handle;
	uint64_t needed;
	uint64_t limit;
	uint32_t index;
	int owner;
	char owner_detail[96];
	struct saferring_trace here;
	struct saferring_trace now;
	struct saferring_trace before;
};

/**
 * saferring_error_last() - the detail of the last failure in this thread
 *
 * Return: never NULL. The library owns it; the next failing call of the same
 * thread overwrites it, calls that succeed leave it alone. Before any failure
 * its code is 0.
 */
SAFERRING_API const struct saferring_error *saferring_error_last(void);

/**
 * saferring_error_text() - the detail as one line for people
 * @error: a detail, from saferring_error_last() or a report
 * @text: where the line goes, always terminated
 * @length: bytes at @text
 *
 * Return: bytes that the whole line takes without its end mark, as snprintf().
 */
SAFERRING_API int saferring_error_text(const struct saferring_error *error,
				       char *text, size_t length)
	SAFERRING_NONNULL(1);

/**
 * saferring_error_traces() - the traces of a detail, a frame a line
 * @error: a detail
 * @text: where the lines go, always terminated
 * @length: bytes at @text
 *
 * A line has the address, the file it is in and the offset there, which
 * addr2line(1) makes a line of source of, and the function if it is exported.
 *
 * Return: bytes that all lines take without their end mark, as snprintf(); 0 if
 * the detail has no traces.
 */
SAFERRING_API int saferring_error_traces(const struct saferring_error *error,
					 char *text, size_t length)
	SAFERRING_NONNULL(1);

/**
 * saferring_reason_name() - a short name of a reason
 * @reason: enum saferring_reason
 *
 * Return: a constant string such as "double put", or "unknown".
 */
SAFERRING_API const char *saferring_reason_name(int reason);

/**
 * typedef saferring_report_fn - told of each misuse and event
 * @error: the detail; valid during the call only
 * @context: what saferring_report_set() was given
 *
 * It runs in the thread that made the mistake, with no lock of the library
 * held. It may call the library, but a misuse inside it is not reported. For
 * SAFERRING_REASON_STRAY_ACCESS it runs in a signal handler, after which the
 * program ends.
 */
typedef void (*saferring_report_fn)(const struct saferring_error *error,
				    void *context);

/**
 * saferring_report_set() - choose who is told of misuses and events
 * @report: the function, or NULL for nobody
 * @context: handed to it
 *
 * It holds for the whole process, and it starts as saferring_report_stderr().
 * Any thread may call it; a report that is under way may still see the former
 * function.
 */
SAFERRING_API void saferring_report_set(saferring_report_fn report,
					void *context);

/**
 * saferring_report_stderr() - print a report on stderr: one line, and its traces
 * @error: the detail
 * @context: not used
 */
SAFERRING_API void saferring_report_stderr(const struct saferring_error *error,
					   void *context);

SAFERRING_END_DECLS

#endif /* SAFERRING_ERROR_H */
