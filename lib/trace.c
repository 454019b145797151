// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Trace: where in the program something was done.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "internal.h"

/* The first backtrace loads a library, which is not to happen in a handler. */
void sr_trace_prepare(void)
{
	void *frame[1];

	backtrace(frame, 1);
}

void sr_trace_take(struct saferring_trace *trace, const char *what)
{
	void *frame[SAFERRING_TRACE_MAX + 1];
	const int count = backtrace(frame, SAFERRING_TRACE_MAX + 1);

	trace->what = what;
	trace->thread = (int)syscall(SYS_gettid);
	trace->count = count > 1 ? (unsigned int)count - 1 : 0;
	/* This function is left out. */
	memcpy(trace->frame, frame + 1, trace->count * sizeof(*frame));
}

/* How far a text has got that may not have had room. */
struct writer {
	char *text;
	size_t length;
	int used;
};

static void append(struct writer *writer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append(struct writer *writer, const char *format, ...)
{
	const size_t used = SR_MIN((size_t)writer->used, writer->length);
	va_list arguments;

	va_start(arguments, format);
	writer->used += vsnprintf(writer->text + used, writer->length - used,
				  format, arguments);
	va_end(arguments);
}

/* The program itself is known by what it was called by, wherever that was. */
static const char *path_of(const Dl_info *info, char *path, size_t length)
{
	ssize_t got;

	if (strcmp(info->dli_fname, program_invocation_name) != 0)
		return info->dli_fname;
	got = readlink("/proc/self/exe", path, length - 1);
	if (got < 0)
		return info->dli_fname;
	path[got] = '\0';
	return path;
}

static void append_frame(struct writer *writer, unsigned int number,
			 const void *frame)
{
	const uintptr_t address = (uintptr_t)frame;
	char path[PATH_MAX];
	Dl_info info;

	append(writer, "  #%u %#lx", number, (unsigned long)address);
	if (dladdr(frame, &info) && info.dli_fname) {
		append(writer, " %s+%#lx",
		       path_of(&info, path, sizeof(path)),
		       (unsigned long)(address - (uintptr_t)info.dli_fbase));
		if (info.dli_sname)
			append(writer, " %s", info.dli_sname);
	}
	append(writer, "\n");
}

int sr_trace_text(const struct saferring_trace *trace, const char *title,
		  char *text, size_t length)
{
	struct writer writer = { .text = text, .length = length };
	unsigned int number;

	if (length)
		*text = '\0';
	if (!trace->what)
		return 0;
	append(&writer, "%s%s by thread %d\n", title, trace->what,
	       trace->thread);
	for (number = 0; number < trace->count; number++)
		append_frame(&writer, number, trace->frame[number]);
	return writer.used;
}
