/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes one allocation of a system call fail, and tells which it was. Wants a
 * kernel with CONFIG_FAULT_INJECTION, and debugfs.
 */
#ifndef SAFER_RING_TEST_FAULT_INJECTION_H
#define SAFER_RING_TEST_FAULT_INJECTION_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FI_DEBUGFS	"/sys/kernel/debug/"
#define FI_TRACING	"/sys/kernel/tracing/"
#define FI_INSTANCE	FI_TRACING "instances/safer_ring_fail_nth/"
#define FI_PROBE	"safer_ring/fail_nth"
/* How an event of it begins, behind the process and the time. */
#define FI_EVENT	": fail_nth: ("
#define FI_MODULE	" [safer_ring]"
#define FI_KNOBS	19
#define FI_SITES	128
#define FI_TRACE_SIZE	(1 << 20)

/**
 * struct fault_site - a place that memory is allocated for
 * @name: function and offset; the module's own where it is on the stack, and
 *	otherwise that which asked the allocator
 * @seen: how often an allocation was tried
 * @failed: how often it was made to fail
 */
struct fault_site {
	char name[96];
	unsigned int seen;
	unsigned int failed;
};

/**
 * struct fault_injection - of the calling thread
 * @fd: its fail-nth file
 * @saved: what the knobs were, "" for those that this kernel does not have
 * @sites: where allocations were tried, if @tracing
 * @nr_sites: number of @sites
 * @tracing: the kernel can say where
 * @trace: what it said last
 */
struct fault_injection {
	int fd;
	char saved[FI_KNOBS][32];
	struct fault_site sites[FI_SITES];
	unsigned int nr_sites;
	bool tracing;
	char *trace;
};

/*
 * Every allocation is to be able to fail, and without a word in the log. Copies
 * from and to user space are to succeed: no address is in their empty range.
 */
static const struct fault_knob {
	const char *path;
	const char *value;
} fault_knobs[FI_KNOBS] = {
	{ FI_DEBUGFS "failslab/ignore-gfp-wait", "N" },
	{ FI_DEBUGFS "failslab/cache-filter", "N" },
	{ FI_DEBUGFS "failslab/probability", "0" },
	{ FI_DEBUGFS "failslab/verbose", "0" },
	{ FI_DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N" },
	{ FI_DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ FI_DEBUGFS "fail_page_alloc/min-order", "0" },
	{ FI_DEBUGFS "fail_page_alloc/probability", "0" },
	{ FI_DEBUGFS "fail_page_alloc/verbose", "0" },
	{ FI_DEBUGFS "failslab/require-start", "0" },
	{ FI_DEBUGFS "failslab/require-end", "0xffffffffffffffff" },
	{ FI_DEBUGFS "fail_page_alloc/require-start", "0" },
	{ FI_DEBUGFS "fail_page_alloc/require-end", "0xffffffffffffffff" },
	{ FI_DEBUGFS "failslab/reject-start", "0" },
	{ FI_DEBUGFS "failslab/reject-end", "0" },
	{ FI_DEBUGFS "fail_page_alloc/reject-start", "0" },
	{ FI_DEBUGFS "fail_page_alloc/reject-end", "0" },
	{ FI_DEBUGFS "fail_usercopy/verbose", "0" },
	{ FI_DEBUGFS "fail_usercopy/require-end", "0" },
};

/* Return: 0 or -errno. */
static inline int fault_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Read all of a file, or its beginning. Return: 0 or -errno. */
static inline int fault_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (used < size - 1) {
		n = read(fd, text + used, size - 1 - used);
		if (n <= 0)
			break;
		used += n;
	}
	text[used] = '\0';
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

/*
 * A probe on the function that every allocation asks whether it is to fail: the
 * stacks and the answers go to a trace buffer of its own.
 */
static inline bool fault_trace_start(void)
{
	char filter[32];

	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	if (mkdir(FI_INSTANCE, 0700) && errno != EEXIST)
		return false;
	if (fault_write(FI_TRACING "kprobe_events",
			"r:" FI_PROBE " should_fail_ex hit=$retval:u8"))
		return false;
	return !fault_write(FI_INSTANCE "tracing_on", "0") &&
	       !fault_write(FI_INSTANCE "options/stacktrace", "1") &&
	       !fault_write(FI_INSTANCE "options/sym-offset", "1") &&
	       !fault_write(FI_INSTANCE "events/" FI_PROBE "/filter", filter) &&
	       !fault_write(FI_INSTANCE "events/" FI_PROBE "/enable", "1");
}

static inline void fault_trace_stop(void)
{
	fault_write(FI_INSTANCE "events/" FI_PROBE "/enable", "0");
	rmdir(FI_INSTANCE);
	fault_write(FI_TRACING "kprobe_events", "-:" FI_PROBE);
}

/* The address of a function of the kernel and of the next one; 0 if unknown. */
static inline void fault_function(const char *function, unsigned long *start,
				  unsigned long *end)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long address;
	char name[256];

	*start = 0;
	*end = 0;
	while (file && fscanf(file, "%lx %*c %255s%*[^\n]", &address, name) == 2) {
		if (!strcmp(name, function))
			*start = address;
		else if (*start && address > *start) {
			*end = address;
			break;
		}
	}
	if (file)
		fclose(file);
}

/* Set the range of addresses "require" or "reject" to those of a function. */
static inline int fault_range(const char *what, const char *function)
{
	static const char *const attributes[] = { "failslab", "fail_page_alloc" };
	unsigned long bounds[2];
	char path[128], text[32];
	unsigned int i;
	int ret = 0;

	fault_function(function, &bounds[0], &bounds[1]);
	if (!bounds[1])
		return -ENOENT;
	for (i = 0; i < 4 && !ret; i++) {
		snprintf(path, sizeof(path), FI_DEBUGFS "%s/%s-%s",
			 attributes[i / 2], what, i % 2 ? "end" : "start");
		snprintf(text, sizeof(text), "%#lx", bounds[i % 2]);
		ret = fault_write(path, text);
	}
	return ret;
}

/*
 * Let only those allocations fail, and count, that a function of the kernel is
 * on the stack of. Return: 0, or -errno.
 */
static inline int fault_only_below(const char *function)
{
	char filter[64];

	/* The others would take all the room in the trace buffer. */
	snprintf(filter, sizeof(filter), "common_pid == %d && hit != 0",
		 getpid());
	fault_write(FI_INSTANCE "events/" FI_PROBE "/filter", filter);
	return fault_range("require", function);
}

#define FI_REASON	"this kernel has no CONFIG_FAULT_INJECTION with FAILSLAB, " \
			"FAIL_PAGE_ALLOC, DEBUG_FS and STACKTRACE_FILTER"

/* Copies must not fail instead of allocations: see fault_knobs. */
static inline bool fault_available(void)
{
	return !access("/proc/thread-self/fail-nth", F_OK) &&
	       !access(FI_DEBUGFS "failslab/require-end", F_OK) &&
	       !access(FI_DEBUGFS "fail_page_alloc/require-end", F_OK);
}

/* Return: 0, or -errno if the caller may not. */
static inline int fault_start(struct fault_injection *fi)
{
	unsigned int i;
	int ret;

	memset(fi, 0, sizeof(*fi));
	fi->fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fi->fd < 0)
		return -errno;
	for (i = 0; i < FI_KNOBS; i++) {
		ret = fault_read(fault_knobs[i].path, fi->saved[i],
				 sizeof(fi->saved[i]));
		if (!ret)
			ret = fault_write(fault_knobs[i].path,
					  fault_knobs[i].value);
		/* Some kernels have no failures of copying. */
		if (ret == -ENOENT && strstr(fault_knobs[i].path, "usercopy"))
			continue;
		if (ret)
			return ret;
	}
	/* kmemleak allocates for itself, now and then, and does without. */
	ret = fault_range("reject", "__create_object");
	if (ret && ret != -ENOENT)
		return ret;
	fi->trace = malloc(FI_TRACE_SIZE);
	fi->tracing = fi->trace && fault_trace_start();
	return 0;
}

static inline void fault_stop(struct fault_injection *fi)
{
	unsigned int i;

	if (fi->fd < 0)
		return;
	fault_trace_stop();
	for (i = 0; i < FI_KNOBS; i++)
		if (fi->saved[i][0])
			fault_write(fault_knobs[i].path, fi->saved[i]);
	close(fi->fd);
	free(fi->trace);
}

/* Let the @nth allocation of this thread fail, from the next system call on. */
static inline void fault_arm(struct fault_injection *fi, unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	if (fi->tracing) {
		/* Opening it so is what empties the buffer. */
		close(open(FI_INSTANCE "trace", O_WRONLY | O_TRUNC));
		fault_write(FI_INSTANCE "tracing_on", "1");
	}
	if (pwrite(fi->fd, text, length, 0) != length)
		abort();
}

/* Return: whether it came to that. */
static inline bool fault_disarm(struct fault_injection *fi)
{
	char text[16] = "";

	if (pread(fi->fd, text, sizeof(text) - 1, 0) < 0 ||
	    pwrite(fi->fd, "0", 1, 0) != 1)
		abort();
	if (fi->tracing)
		fault_write(FI_INSTANCE "tracing_on", "0");
	return !atoi(text);
}

/* Functions of the allocators, of the injection and of its recording. */
static inline bool fault_is_allocator(const char *frame)
{
	static const char *const beginnings[] = {
		"arch_rethook", "should_fail", "__should_fail", "kmem_cache_alloc",
		"__kmalloc", "kmalloc", "kmemdup", "__kmem", "___slab", "__slab",
		"new_slab", "allocate_slab", "slab_", "__alloc_", "alloc_pages",
		"alloc_slab", "__kvmalloc", "kvmalloc", "__vmalloc", "vmalloc",
		"__get_free", "get_zeroed", "get_free", "folio_alloc",
		"__folio_alloc", "prepare_alloc", "kzalloc", "0x", "alloc_frozen",
	};
	size_t i;

	for (i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (!strncmp(frame, beginnings[i], strlen(beginnings[i])))
			return true;
	return false;
}

/*
 * What a stack, innermost frame first, says of who wanted memory: the innermost
 * function of the module, and otherwise the first that is no allocator's.
 */
static inline void fault_site_name(char *name, size_t size, char *trace)
{
	char *line, *next, *frame;

	snprintf(name, size, "unknown");
	for (line = strstr(trace, " => "); line; line = next) {
		next = strstr(line + 1, " => ");
		frame = line + strlen(" => ");
		frame[strcspn(frame, "\n<")] = '\0';
		frame[strcspn(frame, " ")] = strstr(frame, FI_MODULE) ? ' ' : '\0';
		if (strstr(frame, FI_MODULE)) {
			snprintf(name, size, "%s", frame);
			return;
		}
		if (!strcmp(name, "unknown") && !fault_is_allocator(frame))
			snprintf(name, size, "%s", frame);
	}
}

/*
 * Whether it is no allocation of a program's making: copies from and to user
 * space ask as well, and what debugs memory has notes to take, once in a while
 * and also when something is freed.
 */
static inline bool fault_is_tool(const char *stack)
{
	static const char *const frames[] = {
		" => should_fail_usercopy", " => kmemleak_", " => kasan_save_",
		" => stack_depot_save", " => __set_page_owner",
		" => __reset_page_owner", " => debug_object", " => kfree+",
		" => kvfree+", " => kmem_cache_free+",
	};
	size_t i;

	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		if (strstr(stack, frames[i]))
			return true;
	return false;
}

static inline struct fault_site *fault_site(struct fault_injection *fi,
					    const char *name)
{
	unsigned int i;

	for (i = 0; i < fi->nr_sites; i++)
		if (!strcmp(fi->sites[i].name, name))
			return &fi->sites[i];
	if (i == FI_SITES)
		abort();
	snprintf(fi->sites[i].name, sizeof(fi->sites[i].name), "%s", name);
	fi->nr_sites++;
	return &fi->sites[i];
}

/*
 * To be called after each fault_disarm(), for the list. With FAIL_NTH_STACKS in
 * the environment the stacks are printed, too.
 */
static inline void fault_note_sites(struct fault_injection *fi)
{
	char name[sizeof(fi->sites[0].name)], *event, *next;
	struct fault_site *site;
	bool hit;

	if (!fi->tracing ||
	    fault_read(FI_INSTANCE "trace", fi->trace, FI_TRACE_SIZE))
		return;
	if (getenv("FAIL_NTH_STACKS"))
		fprintf(stderr, "%s\n", fi->trace);
	for (event = strstr(fi->trace, FI_EVENT); event; event = next) {
		next = strstr(event + 1, FI_EVENT);
		if (next)
			next[-1] = '\0';
		if (fault_is_tool(event))
			continue;
		hit = strstr(event, "hit=1");
		fault_site_name(name, sizeof(name), event);
		site = fault_site(fi, name);
		site->seen++;
		site->failed += hit;
	}
}

/* Print what failed: @total allocations, @survived of them without an error. */
static inline void fault_list(const struct fault_injection *fi,
			      const char *name, unsigned int total,
			      unsigned int survived)
{
	unsigned int i;

	printf("# %s: %u allocations failed, %u of them without harm%s\n", name,
	       total, survived,
	       fi->tracing ? "" : " (no kprobes: the places are unknown)");
	for (i = 0; i < fi->nr_sites; i++)
		if (fi->sites[i].failed)
			printf("#   %-60s %u\n", fi->sites[i].name,
			       fi->sites[i].failed);
	fflush(stdout);
}

/* Return: the first place in the module that has never failed, or NULL. */
static inline const char *fault_missed(const struct fault_injection *fi)
{
	unsigned int i;

	for (i = 0; i < fi->nr_sites; i++)
		if (!fi->sites[i].failed && strstr(fi->sites[i].name, FI_MODULE))
			return fi->sites[i].name;
	return NULL;
}

#endif /* SAFER_RING_TEST_FAULT_INJECTION_H */
