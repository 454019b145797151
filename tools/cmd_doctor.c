// SPDX-License-Identifier: GPL-2.0
/*
 * saferring doctor: what the library would use on this machine, why not
 * something better, and what cures that.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "saferring.h"

enum state {
	STATE_GOOD,
	STATE_LESS,
	STATE_BAD,
	STATE_NOTE
};

/* One thing that was looked at. */
struct finding {
	const char *check;
	enum state state;
	char choice[128];
	char reason[256];
	char cure[320];
};

#define FINDINGS_MAX 32

struct report {
	struct saferring_probe probe;
	struct finding finding[FINDINGS_MAX];
	size_t count;
};

static struct finding *add(struct report *report, const char *check,
			   enum state state)
{
	struct finding *finding = &report->finding[report->count];

	if (report->count + 1 < FINDINGS_MAX)
		report->count++;
	memset(finding, 0, sizeof(*finding));
	finding->check = check;
	finding->state = state;
	return finding;
}

#define SAY(member, ...) snprintf(member, sizeof(member), __VA_ARGS__)

/* ---- io_uring ---- */

static void look_at_uring(struct report *report)
{
	const struct saferring_probe *probe = &report->probe;
	struct finding *finding;

	if (!probe->io_uring) {
		finding = add(report, "io_uring", STATE_GOOD);
		SAY(finding->choice, "features %#x, setup flags %#x",
		    probe->io_uring_features, probe->io_uring_setup_flags);
		return;
	}
	finding = add(report, "io_uring", STATE_BAD);
	SAY(finding->choice, "none");
	SAY(finding->reason, "%s", probe->io_uring_reason);
	if (probe->io_uring == -EPERM || probe->io_uring == -EACCES)
		SAY(finding->cure,
		    "sysctl kernel.io_uring_disabled=0; in a container, a "
		    "seccomp profile that allows io_uring_setup, "
		    "io_uring_enter and io_uring_register");
	else
		SAY(finding->cure,
		    "a kernel with CONFIG_IO_URING, or a seccomp profile that "
		    "allows io_uring_setup, io_uring_enter and "
		    "io_uring_register");
}

static void look_at_fixed(struct report *report)
{
	const struct saferring_probe *probe = &report->probe;
	struct finding *finding;

	if (probe->io_uring)
		return;
	finding = add(report, "fixed buffers",
		      probe->fixed ? STATE_GOOD : STATE_LESS);
	SAY(finding->choice,
	    probe->fixed ? "READ_FIXED, WRITE_FIXED" : "READ, WRITE");
	if (!probe->fixed) {
		SAY(finding->reason, "this kernel's io_uring has none");
		SAY(finding->cure, "a kernel of 5.6 or later");
	}
	finding = add(report, "cancelling",
		      probe->cancel_any ? STATE_GOOD : STATE_LESS);
	SAY(finding->choice, probe->cancel_any ? "all at once" : "one by one");
	if (!probe->cancel_any) {
		SAY(finding->reason, "the kernel is older than 5.19");
		SAY(finding->cure, "a kernel of 5.19 or later");
	}
}

/* Programs without a second node, or without a wish for it, lose nothing. */
static void look_at_own_memory(struct report *report)
{
	const struct saferring_probe *probe = &report->probe;
	struct finding *finding;

	if (probe->io_uring)
		return;
	finding = add(report, "ring memory",
		      probe->ring_memory ? STATE_NOTE : STATE_GOOD);
	SAY(finding->choice, probe->ring_memory  ? "from the kernel" :
			     probe->group_memory ? "queues in a region" :
						   "queues and groups in a region");
	if (!probe->ring_memory)
		return;
	SAY(finding->reason, "%s", probe->ring_memory_reason);
	SAY(finding->cure, "a kernel of 6.10 or later");
}

#define MEMLOCK_ENOUGH (64UL << 20)

static void look_at_memlock(struct report *report)
{
	const struct saferring_probe *probe = &report->probe;
	struct finding *finding;

	if (probe->memlock_exempt || probe->memlock_limit == UINT64_MAX) {
		finding = add(report, "locked memory", STATE_GOOD);
		SAY(finding->choice, "no limit");
		if (probe->memlock_exempt)
			SAY(finding->reason, "CAP_IPC_LOCK");
		return;
	}
	finding = add(report, "locked memory",
		      probe->memlock_limit < MEMLOCK_ENOUGH ? STATE_LESS
							    : STATE_GOOD);
	SAY(finding->choice, "%llu KiB",
	    (unsigned long long)probe->memlock_limit >> 10);
	SAY(finding->reason, "all fixed buffers of the user together; beyond "
			     "it rings work unregistered");
	SAY(finding->cure,
	    "ulimit -l KIB (its hard limit is in /etc/security/limits.conf), "
	    "LimitMEMLOCK= in a systemd unit, or CAP_IPC_LOCK");
}

/* ---- memory ---- */

static const char *module_cure(int error)
{
	switch (-error) {
	case EACCES:
	case EPERM:
		return "join the group that may open /dev/safer_ring (usermod "
		       "-aG saferring USER, then log in anew); "
		       "tools/packaging/60-safer-ring.rules makes it";
	case ENODEV:
	case ENOENT:
	case ENXIO:
		return "make module, then insmod safer_ring.ko; see README.md";
	default:
		return "dmesg may say more; modinfo safer_ring.ko tells the "
		       "version";
	}
}

/* The probe tells the reason as text; the number comes from the device. */
static int module_error(void)
{
	static const char path[] = "/dev/safer_ring";

	if (!access(path, R_OK | W_OK))
		return 0;
	return -errno;
}

static const char *backend_cure(const struct saferring_probe *probe, int kind)
{
	switch (kind) {
	case SAFERRING_BACKEND_MODULE:
		return module_cure(module_error());
	case SAFERRING_BACKEND_HUGETLB:
		if (!probe->hugetlb_total)
			return "sysctl vm.nr_hugepages=N, 2 MiB each";
		return "more huge pages: sysctl vm.nr_hugepages=N";
	case SAFERRING_BACKEND_THP:
		return "echo madvise > "
		       "/sys/kernel/mm/transparent_hugepage/enabled";
	default:
		return "";
	}
}

/* What is worse than what is used need not work. */
static enum state backend_state(const struct saferring_probe *probe, int kind)
{
	if (kind == probe->backend)
		return STATE_GOOD;
	return kind < probe->backend ? STATE_LESS : STATE_NOTE;
}

/* Whatever can be told of memory that can be used. */
static void tell_backend(const struct saferring_probe *probe, int kind,
			 struct finding *finding)
{
	if (kind == SAFERRING_BACKEND_MODULE && !probe->module)
		SAY(finding->reason,
		    "ABI %u, %llu of %llu MiB of the quota used",
		    probe->module_abi,
		    (unsigned long long)probe->module_quota_used >> 20,
		    (unsigned long long)probe->module_quota >> 20);
	if (kind == SAFERRING_BACKEND_HUGETLB)
		SAY(finding->reason, "%llu of %llu huge pages free",
		    (unsigned long long)probe->hugetlb_free,
		    (unsigned long long)probe->hugetlb_total);
	if (kind == SAFERRING_BACKEND_THP)
		SAY(finding->reason, "policy: %s", probe->thp);
}

static void look_at_backend(struct report *report, int kind)
{
	const struct saferring_probe *probe = &report->probe;
	const enum state state = backend_state(probe, kind);
	const char *reason = probe->backend_reason[kind];
	struct finding *finding;

	finding = add(report, saferring_backend_name(kind), state);
	if (!*reason) {
		SAY(finding->choice,
		    state == STATE_GOOD ? "memory comes from here" : "usable");
		tell_backend(probe, kind, finding);
		return;
	}
	SAY(finding->choice, "not used");
	SAY(finding->reason, "%s", reason);
	if (state == STATE_LESS)
		SAY(finding->cure, "%s", backend_cure(probe, kind));
}

static void look_at_memory(struct report *report)
{
	const struct saferring_probe *probe = &report->probe;
	struct finding *finding;
	int kind;

	if (!probe->backend) {
		finding = add(report, "memory", STATE_BAD);
		SAY(finding->choice, "none");
		SAY(finding->reason, "%s",
		    probe->backend_reason[SAFERRING_BACKEND_AUTO]);
		SAY(finding->cure, "unset SAFERRING_BACKEND");
		return;
	}
	for (kind = SAFERRING_BACKEND_MODULE; kind <= SAFERRING_BACKEND_PLAIN;
	     kind++)
		look_at_backend(report, kind);
}

static void look_at_nodes(struct report *report)
{
	const struct saferring_probe *probe = &report->probe;
	struct finding *finding = add(report, "NUMA", STATE_NOTE);

	SAY(finding->choice, "%d node%s, running on node %d", probe->nodes,
	    probe->nodes == 1 ? "" : "s", probe->node);
	if (probe->nodes == 1)
		SAY(finding->reason, "with one node there is nothing to place");
}

/* ---- statistics ---- */

static void look_at_clock(struct report *report)
{
	struct saferring_clock_info clock = { .size = sizeof(clock) };
	struct finding *finding;

	if (saferring_clock_info(&clock))
		return;
	finding = add(report, "clock", *clock.reason ? STATE_LESS : STATE_GOOD);
	SAY(finding->choice, "%s, %.1f ns a reading", clock.source,
	    clock.cost_ns);
	SAY(finding->reason, "%s", clock.reason);
	if (*clock.reason)
		SAY(finding->cure, "clocksource=tsc on the kernel's command "
				   "line, if the hardware's counter is stable");
}

static void look_at_segment(struct report *report)
{
	struct saferring_segment_info info = { .size = sizeof(info) };
	struct finding *finding;

	if (saferring_segment_info(NULL, &info))
		return;
	finding = add(report, "statistics",
		      *info.reason ? STATE_LESS : STATE_GOOD);
	SAY(finding->choice, "%.120s", info.path);
	SAY(finding->reason, "%s", info.reason);
	if (*info.reason)
		SAY(finding->cure,
		    "unset SAFERRING_STATS, or name a file in a directory that "
		    "is there, such as /dev/shm/NAME.%%p");
}

/* ---- output ---- */

static const char *state_name(enum state state)
{
	static const char *const names[] = {
		[STATE_GOOD] = "good",
		[STATE_LESS] = "less",
		[STATE_BAD] = "bad",
		[STATE_NOTE] = "note",
	};

	return names[state];
}

static enum colour state_colour(enum state state)
{
	static const enum colour colours[] = {
		[STATE_GOOD] = COLOUR_GOOD,
		[STATE_LESS] = COLOUR_WARN,
		[STATE_BAD] = COLOUR_BAD,
		[STATE_NOTE] = COLOUR_NONE,
	};

	return colours[state];
}

static const char *verdict(const struct report *report)
{
	size_t number;
	bool less = false;

	for (number = 0; number < report->count; number++) {
		if (report->finding[number].state == STATE_BAD)
			return "unusable";
		less |= report->finding[number].state == STATE_LESS;
	}
	return less ? "usable" : "good";
}

static int print_table(const struct report *report)
{
	static const struct column columns[] = {
		{ .head = "CHECK" },
		{ .head = "STATE" },
		{ .head = "CHOICE" },
		{ .head = "REASON", .wrap = true },
	};
	struct table *table = table_new(columns, 4);
	const struct finding *finding;
	size_t number;
	int status;

	for (number = 0; number < report->count; number++) {
		finding = &report->finding[number];
		table_row(table, state_colour(finding->state),
			  (const char *[]){ finding->check,
					    state_name(finding->state),
					    finding->choice, finding->reason });
	}
	status = table_print(table);
	for (number = 0; number < report->count; number++) {
		finding = &report->finding[number];
		if (finding->state != STATE_GOOD && *finding->cure)
			printf("cure: %s: %s\n", finding->check, finding->cure);
	}
	printf("verdict: %s\n", verdict(report));
	return status;
}

static int print_json(const struct report *report)
{
	json_t *root = json_object(), *array = json_array();
	size_t number;
	int error;

	for (number = 0; number < report->count; number++) {
		const struct finding *finding = &report->finding[number];

		json_array_append_new(
			array,
			json_pack("{s:s, s:s, s:s, s:s, s:s}", "check",
				  finding->check, "state",
				  state_name(finding->state), "choice",
				  finding->choice, "reason", finding->reason,
				  "cure", finding->cure));
	}
	json_object_set_new(root, "verdict", json_string(verdict(report)));
	json_object_set_new(root, "findings", array);
	error = json_dumpf(root, stdout, JSON_INDENT(2));
	json_decref(root);
	return error || puts("") < 0 ? fail("the output could not be written")
				     : 0;
}

static int examine(struct report *report)
{
	memset(report, 0, sizeof(*report));
	report->probe.size = sizeof(report->probe);
	if (saferring_probe(&report->probe))
		return fail_library("the machine could not be looked at");
	look_at_uring(report);
	look_at_fixed(report);
	look_at_own_memory(report);
	look_at_memlock(report);
	look_at_memory(report);
	look_at_nodes(report);
	look_at_clock(report);
	look_at_segment(report);
	return 0;
}

static void print_help(void)
{
	printf("usage: saferring doctor [--json]\n\n"
	       "What the library would use on this machine, why nothing "
	       "better, and the cure.\n\n"
	       "  -j, --json  for programs\n\n"
	       "Exit status: 0 good or usable, 1 unusable, 2 usage, 3 "
	       "error.\n");
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static struct report report;
	bool json = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		if (option == 'h') {
			print_help();
			return 0;
		}
		if (option != 'j')
			return EXIT_USAGE;
		json = true;
	}
	if (optind < argc)
		return fail_usage("doctor takes no arguments: %s",
				  argv[optind]);
	status = examine(&report);
	if (!status)
		status = json ? print_json(&report) : print_table(&report);
	if (!status && !strcmp(verdict(&report), "unusable"))
		return EXIT_FOUND;
	return status;
}
