// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the kernel's log, passes it on to the host, and looks for reports: lines
 * by which the kernel says that something is wrong with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/* Records at this level or worse are reports, whatever they say: critical. */
#define WORST_LEVEL	2

#define PAGE_DUMPED	"page dumped because"

/*
 * Words of the kernel's reports. A fault of a user process reads "traps: name[1]
 * general protection fault ip:...", hence the punctuation in some.
 */
static const char *const report_words[] = {
	"WARNING:",
	"BUG:",
	"kernel BUG at",
	"Oops",
	"Kernel panic",
	"general protection fault,",
	"general protection fault:",
	"invalid opcode:",
	"divide error:",
	"stack segment:",
	"double fault",
	"unable to handle",
	"Unable to handle",
	"Call Trace:",
	"cut here",
	/* stuck */
	"blocked for more than",
	"detected stall",
	"self-detected stall",
	"rcu_preempt kthread starved",
	"soft lockup",
	"hard LOCKUP",
	"nobody cared",
	/* locks */
	"possible circular locking",
	"possible recursive locking",
	"possible deadlock",
	"possible irq lock inversion",
	"inconsistent lock state",
	"INFO: HARDIRQ-safe",
	"INFO: SOFTIRQ-safe",
	"INFO: trying to register non-static key",
	"suspicious RCU usage",
	"bad unlock balance",
	"bad contention detected",
	"held lock freed",
	"still held",
	"Invalid wait context",
	"illegal RCU usage",
	"sleeping function called from invalid context",
	"scheduling while atomic",
	/* memory */
	"KASAN:",
	"KCSAN:",
	"KFENCE:",
	"KMSAN:",
	"UBSAN:",
	"new suspected memory leaks",
	"unreferenced object",
	"Bad rss-counter",
	"Bad page",
	"bad page",
	"bad pmd",
	"bad pud",
	PAGE_DUMPED,
	"non-zero pgtables_bytes",
	"page allocation failure",
	"Trying to vfree()",
	"refcount_t:",
	"list_add corruption",
	"list_del corruption",
	"Objects remaining in",
	"Object already free",
	"Poison overwritten",
	"Redzone overwritten",
	"Right Redzone",
	"Left Redzone",
	"detected buffer overflow",
	"usercopy: Kernel memory",
	"ODEBUG:",
	/* block, file system */
	"I/O error",
	"EXT4-fs error",
	"EXT4-fs warning",
	"JBD2: Detected",
	/* module */
	"disagrees about version of symbol",
	"Unknown symbol",
};

/*
 * A page that keeps its block of memory from going offline is shown: an answer to
 * whoever asked for that, and no report.
 */
static const char *const dump_answers[] = {
	PAGE_DUMPED ": unmovable page",
	PAGE_DUMPED ": migration failure",
};

/* How page_owner, as an alert, goes on about the page that was shown. */
static const char *const dump_details[] = {
	"page_owner ",
	"page last ",
	"page has been migrated",
};

static int kmsg = -1;
static int copy = -1;
static bool ignore;
/* The OOM killer dumps a stack when it does its duty: that is no report. */
static bool oom_stack;
/* The last page that was shown was an answer. */
static bool dump_answered;

void kernel_log_open(int copy_fd)
{
	copy = copy_fd;
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		die("/dev/kmsg: %m");
}

int kernel_log_fd(void)
{
	return kmsg;
}

/* From here on what is logged was asked for by the harness itself. */
void kernel_log_ignore(void)
{
	ignore = true;
}

static bool has_word(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

static bool is_report(const char *text, unsigned int level)
{
	if (strstr(text, PAGE_DUMPED))
		dump_answered = has_word(text, dump_answers,
					 ARRAY_SIZE(dump_answers));
	if (dump_answered && has_word(text, dump_details,
				      ARRAY_SIZE(dump_details)))
		return false;
	if (strstr(text, "invoked oom-killer:"))
		oom_stack = true;
	if (oom_stack && strstr(text, "Call Trace:")) {
		oom_stack = false;
		return false;
	}
	if (level <= WORST_LEVEL)
		return true;
	if (has_word(text, dump_answers, ARRAY_SIZE(dump_answers)))
		return false;
	return has_word(text, report_words, ARRAY_SIZE(report_words));
}

/* Also for what others see go wrong with the kernel. */
void kernel_report(struct verdict *verdict, const char *text)
{
	if (verdict->reports < MAX_REPORTS)
		snprintf(verdict->report[verdict->reports],
			 sizeof(verdict->report[0]), "%s", text);
	verdict->reports++;
}

/*
 * A record is "priority,sequence,microseconds,flags;text\n", followed by lines
 * that start with a space and describe the device in question.
 */
static void take_record(struct verdict *verdict, char *record)
{
	char *text = strchr(record, ';');
	unsigned long long us;
	unsigned int priority;
	char line[2048];
	int length;

	if (!text || sscanf(record, "%u,%*u,%llu", &priority, &us) != 2)
		die("/dev/kmsg: cannot read record: %s", record);
	*text++ = '\0';
	text[strcspn(text, "\n")] = '\0';
	length = snprintf(line, sizeof(line), "<%u>[%5llu.%06llu] %s\n",
			  priority & 7, us / 1000000, us % 1000000, text);
	if (length >= (int)sizeof(line))
		length = sizeof(line) - 1;
	write_all(copy, line, length);
	if (!ignore && is_report(text, priority & 7))
		kernel_report(verdict, text);
}

/* Takes what there is, and does not wait for more. */
void kernel_log_read(struct verdict *verdict)
{
	char record[8192];

	for (;;) {
		ssize_t n = read(kmsg, record, sizeof(record) - 1);

		if (n >= 0) {
			record[n] = '\0';
			take_record(verdict, record);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EPIPE)
			verdict->lost++;
		else if (errno != EINTR)
			die("/dev/kmsg: %m");
	}
}

/*
 * The taint mask, without what every module built out of tree sets: O, out of
 * tree, and E, not signed.
 */
unsigned long kernel_taint(void)
{
	const unsigned long excused = 1UL << 12 | 1UL << 13;
	FILE *file = fopen("/proc/sys/kernel/tainted", "re");
	unsigned long taint;

	if (!file || fscanf(file, "%lu", &taint) != 1)
		die("/proc/sys/kernel/tainted: %m");
	fclose(file);
	return taint & ~excused;
}

/*
 * Leaks are told by kernels with kmemleak only. An object must be found twice,
 * some seconds apart, to be believed.
 */
void kernel_leak_scan(void)
{
	if (access(KMEMLEAK, F_OK))
		return;
	write_file(KMEMLEAK, "scan");
	sleep(6);
	write_file(KMEMLEAK, "scan");
}
