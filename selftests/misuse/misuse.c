// SPDX-License-Identifier: GPL-2.0
/*
 * The judge: runs each wrong program in a process of its own, reads what the
 * library says on stderr, and prints TAP.
 *
 * usage: misuse [NAME]
 *
 * With a name it commits that one in its own process, for a debugger or under
 * valgrind.
 */
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "misuse.h"

#define REPORT_MAX 32768

struct evidence *evidence;

static const struct misuse *const corpus[] = {
	handle_misuses, operation_misuses, group_misuses,
	batch_misuses,	adoption_misuses,  gone_misuses,
	limit_misuses,	damage_misuses,	   stray_misuses,
};

static const char *const depth_names[] = { "default", "fast", "full", "trap" };
static char self[4096];

/* ---- committing ---- */

static void set_up(struct scene *scene, const struct misuse *misuse)
{
	struct saferring_region_options memory;
	struct saferring_pool_options cut;
	struct saferring_ring_options use;

	memset(scene, 0, sizeof(*scene));
	scene->size = misuse->flags & GAP ? ODD : SIZE;
	MUST(saferring_device_open(NULL, &scene->device));
	SAFERRING_OPTIONS_INIT(&memory);
	memory.length = REGION;
	MUST(saferring_region_create(scene->device, &memory, &scene->region));
	SAFERRING_OPTIONS_INIT(&cut);
	cut.buffer_size = scene->size;
	cut.depth = misuse->depth;
	cut.name = "input";
	MUST(saferring_pool_create(&scene->region, 1, &cut, &scene->pool));
	SAFERRING_OPTIONS_INIT(&use);
	use.depth = 8;
	use.pools = &scene->pool;
	use.pool_count = 1;
	use.name = "main";
	MUST(saferring_ring_create(&use, &scene->ring));
	MUST(pipe2(scene->pipe, O_CLOEXEC));
	scene->zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	scene->null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	MUST(scene->zero);
	MUST(scene->null);
}

/* Exit status 4 is for what cannot be tried here, after a line that says why. */
static void require_trap(const struct scene *scene)
{
	struct saferring_pool_info info = { .size = sizeof(info) };

	MUST(saferring_pool_info(scene->pool, &info));
	if (*info.trap)
		return;
	fprintf(stderr, "%s\n", info.reason);
	_exit(4);
}

static void commit(const struct misuse *misuse)
{
	struct scene scene;

	set_up(&scene, misuse);
	if (misuse->flags & FAULTS)
		require_trap(&scene);
	misuse->commit(&scene);
	evidence->reason = saferring_error_last()->reason;
	evidence->survived = true;
	_exit(0);
}

/* ---- judging ---- */

struct verdict {
	char report[REPORT_MAX];
	char why[512];
	int status;
};

static void run(const struct misuse *misuse, struct verdict *verdict)
{
	size_t length = 0;
	int ends[2];
	ssize_t got;
	pid_t child;

	memset(evidence, 0, sizeof(*evidence));
	fflush(stdout);
	if (pipe(ends))
		exit(1);
	child = fork();
	if (child < 0)
		exit(1);
	if (!child) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		alarm(20);
		commit(misuse);
	}
	close(ends[1]);
	while (length < REPORT_MAX - 1 &&
	       (got = read(ends[0], verdict->report + length,
			   REPORT_MAX - 1 - length)) > 0)
		length += (size_t)got;
	verdict->report[length] = '\0';
	close(ends[0]);
	waitpid(child, &verdict->status, 0);
}

static bool fail(struct verdict *verdict, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool fail(struct verdict *verdict, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(verdict->why, sizeof(verdict->why), format, arguments);
	va_end(arguments);
	return false;
}

static bool has_addr2line(void)
{
	static int known = -1;

	if (known < 0)
		known = !system("command -v addr2line >/dev/null 2>&1");
	return known;
}

/*
 * Whether a section of the report, which a title begins, has a frame in this
 * program at a line. A return address is the one behind the call.
 */
static bool has_line(const char *report, const char *title, int line)
{
	char command[16384], found[4096], wanted[64];
	const char *at = strstr(report, title), *end;
	size_t used;
	unsigned long offset;
	bool has = false;
	FILE *pipe;

	if (!at)
		return false;
	at = strchr(at + 1, '\n') + 1;
	used = (size_t)snprintf(command, sizeof(command), "addr2line -e %s",
				self);
	for (; !strncmp(at, "  #", 3); at = end + 1) {
		end = strchr(at, '\n');
		if (!end)
			break;
		at = strstr(at, self);
		if (!at || at > end || used > sizeof(command) - 64)
			continue;
		offset = strtoul(at + strlen(self) + 1, NULL, 16);
		used += (size_t)snprintf(command + used,
					 sizeof(command) - used, " %lx %lx",
					 offset, offset - 1);
	}
	snprintf(wanted, sizeof(wanted), ":%d", line);
	pipe = popen(command, "r");
	while (pipe && fgets(found, sizeof(found), pipe)) {
		found[strcspn(found, "\n ")] = '\0';
		if (strstr(found, "selftests/misuse/") &&
		    strlen(found) > strlen(wanted) &&
		    !strcmp(found + strlen(found) - strlen(wanted), wanted))
			has = true;
	}
	if (pipe)
		pclose(pipe);
	return has;
}

static bool lines_are_there(const struct misuse *misuse,
			    struct verdict *verdict, const char *report)
{
	if (!(misuse->flags & (LINE | OWNED)))
		return true;
	if (!strstr(report, "\nhere, "))
		return fail(verdict, "the report has no trace");
	if (!has_addr2line())
		return true;
	if (misuse->flags & LINE &&
	    !has_line(report, "\nhere, ", evidence->wrong))
		return fail(verdict, "the trace lacks line %d of the mistake",
			    evidence->wrong);
	if (misuse->flags & OWNED &&
	    !has_line(report, "\nnow, ", evidence->owner) &&
	    !has_line(report, "\nbefore, ", evidence->owner))
		return fail(verdict, "the trace lacks line %d of the owner",
			    evidence->owner);
	return true;
}

/* The report with the reason, from its first line on. */
static const char *report_of(const char *text, int reason)
{
	char wanted[128];
	const char *at;

	snprintf(wanted, sizeof(wanted), ": %s: ",
		 saferring_reason_name(reason));
	for (at = strstr(text, "saferring: "); at;
	     at = strstr(at + 1, "saferring: ")) {
		const char *found = strstr(at, wanted);

		if (found && found < strchr(at, '\n'))
			return at;
	}
	return NULL;
}

/* Whether the end is the one that belongs to the misuse. */
static bool ended_right(const struct misuse *misuse, struct verdict *verdict)
{
	if (!evidence->wrong)
		return fail(verdict, "it ended before the mistake, status %#x",
			    verdict->status);
	if (misuse->flags & FAULTS) {
		if (evidence->survived)
			return fail(verdict, "the access went through");
		return true;
	}
	if (!evidence->survived || verdict->status)
		return fail(verdict, "it ended with status %#x",
			    verdict->status);
	return true;
}

static bool is_caught(const struct misuse *misuse, struct verdict *verdict)
{
	const char *report = report_of(verdict->report, misuse->reason);

	if (!ended_right(misuse, verdict))
		return false;
	if (misuse->flags & QUIET) {
		if (evidence->reason == misuse->reason)
			return true;
		return fail(verdict, "the detail has: %s",
			    saferring_reason_name(evidence->reason));
	}
	if (!report)
		return fail(verdict, "no report of: %s",
			    saferring_reason_name(misuse->reason));
	if (misuse->text && !strstr(report, misuse->text))
		return fail(verdict, "the report lacks: %s", misuse->text);
	return lines_are_there(misuse, verdict, report);
}

static void explain(const struct verdict *verdict)
{
	const char *at = verdict->report;

	printf("# %s\n", verdict->why);
	while (*at) {
		const size_t length = strcspn(at, "\n");

		printf("# %.*s\n", (int)length, at);
		at += length + (at[length] == '\n');
	}
}

static bool judge(const struct misuse *misuse, int number)
{
	static struct verdict verdict;
	bool skipped, caught;

	run(misuse, &verdict);
	skipped = WIFEXITED(verdict.status) &&
		  WEXITSTATUS(verdict.status) == 4;
	caught = skipped || is_caught(misuse, &verdict);
	printf("%sok %d - %s: %s", caught ? "" : "not ", number,
	       depth_names[misuse->depth], misuse->name);
	if (skipped)
		printf(" # SKIP %.*s", (int)strcspn(verdict.report, "\n"),
		       verdict.report);
	printf("\n");
	if (!caught)
		explain(&verdict);
	return caught;
}

/* ---- all of them ---- */

static const struct misuse *find(const char *name)
{
	const struct misuse *misuse;
	size_t number;

	for (number = 0; number < sizeof(corpus) / sizeof(*corpus); number++)
		for (misuse = corpus[number]; misuse->name; misuse++)
			if (!strcmp(misuse->name, name))
				return misuse;
	fprintf(stderr, "misuse: there is no %s\n", name);
	exit(2);
}

static int count(void)
{
	const struct misuse *misuse;
	size_t number;
	int all = 0;

	for (number = 0; number < sizeof(corpus) / sizeof(*corpus); number++)
		for (misuse = corpus[number]; misuse->name; misuse++)
			all++;
	return all;
}

int main(int argc, char **argv)
{
	const struct misuse *misuse;
	const char *end = strrchr(argv[0], '-');
	int number = 0, failed = 0;
	size_t group;

	unsetenv("SAFERRING_CHECK");
	/* Under a name that ends so it is all without io_uring. */
	if (end && !strcmp(end, "-threads"))
		setenv("SAFERRING_ENGINE", "threads", 1);
	evidence = mmap(NULL, sizeof(*evidence), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (evidence == MAP_FAILED ||
	    readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	if (argc > 1)
		commit(find(argv[1]));
	printf("TAP version 13\n1..%d\n", count());
	if (!has_addr2line())
		printf("# no addr2line here: that traces have the right lines is not checked\n");
	for (group = 0; group < sizeof(corpus) / sizeof(*corpus); group++)
		for (misuse = corpus[group]; misuse->name; misuse++)
			failed += !judge(misuse, ++number);
	if (failed)
		printf("# %d of %d were not caught as they must be\n", failed,
		       number);
	return failed != 0;
}
