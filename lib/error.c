// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Errors: the detail of the last failure in each thread, and the reports.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "account.h"
#include "internal.h"
#include "probes.h"

static __thread struct saferring_error last_error;
/* Set while this thread is inside a report function. */
static __thread bool reporting;

/* Function and context are changed together, so both are under the lock. */
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;
static saferring_report_fn report_function = saferring_report_stderr;
static void *report_context;

static const char *const reason_names[] = {
	[SAFERRING_REASON_NONE] = "no error",
	[SAFERRING_REASON_USE_AFTER_SUBMIT] = "use after submit",
	[SAFERRING_REASON_DOUBLE_SUBMIT] = "double submit",
	[SAFERRING_REASON_PUT_IN_FLIGHT] = "put in flight",
	[SAFERRING_REASON_USE_AFTER_PUT] = "use after put",
	[SAFERRING_REASON_DOUBLE_PUT] = "double put",
	[SAFERRING_REASON_SUPERSEDED] = "superseded handle",
	[SAFERRING_REASON_FOREIGN_POOL] = "handle of another pool",
	[SAFERRING_REASON_FOREIGN_RING] = "handle of a pool foreign to the ring",
	[SAFERRING_REASON_REGION_GONE] = "region gone",
	[SAFERRING_REASON_QUARANTINED] = "buffer in quarantine",
	[SAFERRING_REASON_RETIRED] = "buffer retired",
	[SAFERRING_REASON_GARBAGE] = "garbage handle",
	[SAFERRING_REASON_SENT] = "buffer sent away",
	[SAFERRING_REASON_FORKED] = "object of the parent process",
	[SAFERRING_REASON_ARGUMENT] = "bad argument",
	[SAFERRING_REASON_BOUNDS] = "out of bounds",
	[SAFERRING_REASON_BUSY] = "in use",
	[SAFERRING_REASON_DEPTH] = "ring full",
	[SAFERRING_REASON_EXHAUSTED] = "pool exhausted",
	[SAFERRING_REASON_MEMLOCK] = "RLIMIT_MEMLOCK too small",
	[SAFERRING_REASON_MEMORY] = "out of memory",
	[SAFERRING_REASON_QUOTA] = "quota used up",
	[SAFERRING_REASON_PLACEMENT] = "no memory on the node",
	[SAFERRING_REASON_NO_BACKEND] = "backend not usable",
	[SAFERRING_REASON_NO_IO_URING] = "no io_uring",
	[SAFERRING_REASON_UNSUPPORTED] = "not supported",
	[SAFERRING_REASON_SYSTEM] = "system call failed",
	[SAFERRING_REASON_LOST_IO] = "operations did not end",
	[SAFERRING_REASON_FOREIGN_COMPLETION] = "foreign completion",
	[SAFERRING_REASON_GONE_COMPLETION] = "completed into a freed region",
	[SAFERRING_REASON_ALIGNMENT] = "misaligned for O_DIRECT",
	[SAFERRING_REASON_OVERRUN] = "overrun",
	[SAFERRING_REASON_WRITE_AFTER_PUT] = "write after put",
	[SAFERRING_REASON_WRITE_IN_FLIGHT] = "write in flight",
	[SAFERRING_REASON_STRAY_ACCESS] = "stray access",
};

const char *saferring_reason_name(int reason)
{
	const size_t count = sizeof(reason_names) / sizeof(reason_names[0]);

	if (reason < 0 || (size_t)reason >= count || !reason_names[reason])
		return "unknown";
	return reason_names[reason];
}

const struct saferring_error *saferring_error_last(void)
{
	if (!last_error.operation)
		last_error.operation = "";
	return &last_error;
}

struct saferring_error *sr_error_begin(int code, int reason,
				       const char *operation)
{
	memset(&last_error, 0, sizeof(last_error));
	last_error.code = code;
	last_error.reason = reason;
	last_error.operation = operation;
	return &last_error;
}

static void set_object(struct saferring_error *error, const char *kind,
		       const char *name)
{
	if (kind)
		snprintf(error->object, sizeof(error->object), "%s%s%s", kind,
			 name ? " " : "", name ? name : "");
}

int sr_fail(const struct sr_fault *fault, const char *what, ...)
{
	struct saferring_error *error =
		sr_error_begin(fault->code, fault->reason, fault->operation);
	va_list arguments;

	sr_account_reason(fault->reason);
	set_object(error, fault->kind, fault->name);
	va_start(arguments, what);
	vsnprintf(error->what, sizeof(error->what), what, arguments);
	va_end(arguments);
	if (fault->cure)
		snprintf(error->cure, sizeof(error->cure), "%s", fault->cure);
	error->needed = fault->needed;
	error->limit = fault->limit;
	return fault->code;
}

int sr_fail_memory(const char *operation, size_t bytes)
{
	const struct sr_fault fault = {
		.code = -ENOMEM,
		.reason = SAFERRING_REASON_MEMORY,
		.operation = operation,
		.needed = bytes,
	};

	return sr_fail(&fault, "no memory for %zu bytes of administration",
		       bytes);
}

int sr_fail_argument(const char *operation, const char *what, ...)
{
	struct saferring_error *error = sr_error_begin(
		-EINVAL, SAFERRING_REASON_ARGUMENT, operation);
	va_list arguments;

	sr_account_reason(SAFERRING_REASON_ARGUMENT);
	va_start(arguments, what);
	vsnprintf(error->what, sizeof(error->what), what, arguments);
	va_end(arguments);
	return -EINVAL;
}

int sr_fail_forked(const char *operation, const char *kind, const char *name)
{
	const struct sr_fault fault = {
		.code = -EOWNERDEAD,
		.reason = SAFERRING_REASON_FORKED,
		.operation = operation,
		.kind = kind,
		.name = name,
		.cure = "create devices, regions, pools and rings after fork()",
	};

	return sr_fail(&fault, "it belongs to the parent process");
}

int sr_fail_ring(const char *name, int code, int reason, const char *operation,
		 const char *what, const char *cure)
{
	const struct sr_fault fault = {
		.code = code,
		.reason = reason,
		.operation = operation,
		.kind = "ring",
		.name = name,
		.cure = cure,
	};

	return sr_fail(&fault, "%s", what);
}

int saferring_error_text(const struct saferring_error *error, char *text,
			 size_t length)
{
	const bool owned = error->owner != SAFERRING_OWNER_UNKNOWN;
	char handle[80] = "";

	if (error->handle && owned)
		snprintf(handle, sizeof(handle), ": handle %#llx, buffer %u",
			 (unsigned long long)error->handle, error->index);
	else if (error->handle)
		snprintf(handle, sizeof(handle), ": handle %#llx",
			 (unsigned long long)error->handle);
	return snprintf(text, length, "%s: %s%s%s%s%s%s%s%s%s%s%s",
			error->operation ? error->operation : "",
			saferring_reason_name(error->reason),
			error->object[0] ? ": " : "", error->object, handle,
			error->what[0] ? ": " : "", error->what,
			error->owner_detail[0] ? "; now " : "",
			error->owner_detail, error->cure[0] ? " (" : "",
			error->cure, error->cure[0] ? ")" : "");
}

int saferring_error_traces(const struct saferring_error *error, char *text,
			   size_t length)
{
	const struct saferring_trace *const traces[] = { &error->here,
							 &error->now,
							 &error->before };
	static const char *const titles[] = { "here, ", "now, ", "before, " };
	size_t number, used;
	int total = 0;

	if (length)
		*text = '\0';
	for (number = 0; number < 3; number++) {
		used = SR_MIN((size_t)total, length);
		total += sr_trace_text(traces[number], titles[number],
				       text + used, length - used);
	}
	return total;
}

static void write_all(const char *text, size_t length)
{
	ssize_t written;

	while (length) {
		written = write(STDERR_FILENO, text, length);
		if (written <= 0)
			return;
		text += written;
		length -= (size_t)written;
	}
}

/* It may run in a handler of a signal, so it uses no stream. */
void saferring_report_stderr(const struct saferring_error *error,
			     void *context __attribute__((unused)))
{
	char line[1024], text[6144];
	int length;

	saferring_error_text(error, line, sizeof(line));
	length = snprintf(text, sizeof(text), "saferring: %s\n", line);
	saferring_error_traces(error, text + length,
			       sizeof(text) - (size_t)length);
	write_all(text, strlen(text));
}

void sr_report_lock(void)
{
	pthread_mutex_lock(&report_lock);
}

void sr_report_unlock(void)
{
	pthread_mutex_unlock(&report_lock);
}

void saferring_report_set(saferring_report_fn report, void *context)
{
	sr_report_lock();
	report_function = report;
	report_context = context;
	sr_report_unlock();
}

void sr_report(const struct saferring_error *error)
{
	struct saferring_error copy = *error;
	const int saved_errno = errno;
	saferring_report_fn report;
	void *context;

	/* A refusal was counted when it was recorded. */
	if (error->reason < SAFERRING_REASON_FORKED ||
	    error->reason >= SAFERRING_REASON_LOST_IO)
		sr_account_reason(error->reason);
	if (error->reason < SAFERRING_REASON_FORKED)
		SR_PROBE3(misuse, error->reason, error->object, error->handle);
	if (reporting)
		return;
	sr_report_lock();
	report = report_function;
	context = report_context;
	sr_report_unlock();
	if (!report)
		return;
	reporting = true;
	report(&copy, context);
	reporting = false;
	/* The report may have called the library: the caller's detail stands. */
	last_error = copy;
	errno = saved_errno;
}
