// SPDX-License-Identifier: GPL-2.0
/*
 * What this machine is, and what makes it unfit for measuring.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <liburing.h>
#include <saferring.h>
#include "bench.h"

/* First line of a file, without its end. False if there is none. */
static bool read_line(const char *path, char *line, int length)
{
	FILE *file = fopen(path, "r");
	bool found;

	if (!file)
		return false;
	found = fgets(line, length, file);
	fclose(file);
	if (found)
		line[strcspn(line, "\n")] = '\0';
	return found;
}

/* The value of a line "key : value" of a file. */
static bool read_field(const char *path, const char *key, char *value,
		       size_t length)
{
	char line[1024];
	FILE *file = fopen(path, "r");
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (!colon || strncmp(line, key, strlen(key)))
			continue;
		colon++;
		colon += strspn(colon, " \t");
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(value, length, "%s", colon);
		found = true;
	}
	if (file)
		fclose(file);
	return found;
}

__attribute__((format(printf, 2, 3))) static void
complain(struct machine *machine, const char *format, ...)
{
	const size_t room = sizeof(machine->complaint) /
			    sizeof(machine->complaint[0]);
	va_list list;

	if (machine->complaints == room)
		return;
	va_start(list, format);
	vsnprintf(machine->complaint[machine->complaints++], BENCH_TEXT,
		  format, list);
	va_end(list);
}

bool machine_is_virtual(void)
{
	char flags[8192], *word;

	if (!read_field("/proc/cpuinfo", "flags", flags, sizeof(flags)))
		return false;
	for (word = strtok(flags, " "); word; word = strtok(NULL, " "))
		if (!strcmp(word, "hypervisor"))
			return true;
	return false;
}

bool machine_is_emulated(void)
{
	char name[BENCH_TEXT];

	return read_field("/proc/cpuinfo", "model name", name, sizeof(name)) &&
	       strstr(name, "QEMU");
}

static void look_at_governor(struct machine *machine)
{
	char governor[64];

	if (read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
		      governor, sizeof(governor)) &&
	    strcmp(governor, "performance"))
		complain(machine,
			 "the governor is %s: cpupower frequency-set -g performance",
			 governor);
}

/* Processes that run or wait for a processor, this one not counted. */
static long others_running(void)
{
	char line[128], *slash;

	if (!read_line("/proc/loadavg", line, sizeof(line)))
		return 0;
	slash = strchr(line, '/');
	if (!slash)
		return 0;
	while (slash > line && slash[-1] != ' ')
		slash--;
	return strtol(slash, NULL, 10) - 1;
}

static void look_at_load(struct machine *machine)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	long running = 0;
	int i;

	for (i = 0; i < 10; i++) {
		const long now = others_running();

		running += now > 0 ? now : 0;
		usleep(20000);
	}
	if (running >= 10 * processors / 2)
		complain(machine,
			 "other load: %.1f programs compete for %ld processors",
			 (double)running / 10, processors);
}

static void look_at_perf(struct machine *machine)
{
	char level[16];

	if (!read_line("/proc/sys/kernel/perf_event_paranoid", level,
		       sizeof(level)))
		complain(machine, "this kernel has no perf events: no profiles");
	else if (geteuid() && atoi(level) > 2)
		complain(machine,
			 "perf is not for you: sysctl kernel.perf_event_paranoid=2");
	else if (access("/sys/bus/event_source/devices/cpu", F_OK))
		complain(machine,
			 "the processor's counters are not to be seen: no perf stat");
}

void machine_look(struct machine *machine)
{
	memset(machine, 0, sizeof(*machine));
	look_at_load(machine);
	look_at_governor(machine);
	if (machine_is_emulated())
		complain(machine,
			 "an emulated processor: no verdicts on time");
	else if (machine_is_virtual())
		complain(machine,
			 "a virtual machine: what the host does is not seen");
	if (saferring_node_count() < 2)
		complain(machine,
			 "one NUMA node: placement is checked, speed by node is not");
	look_at_perf(machine);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		complain(machine, "one processor: nothing runs in parallel");
}

static void record_probe(void)
{
	struct saferring_probe probe = { .size = sizeof(probe) };

	if (saferring_probe(&probe))
		return;
	record_text("backend", saferring_backend_name(probe.backend));
	record_text("thp", probe.thp);
	record_number("hugetlb_free", (double)probe.hugetlb_free);
	record_number("memlock", probe.memlock_exempt ? -1 :
				 (double)probe.memlock_limit);
	record_text("io_uring", probe.io_uring ? probe.io_uring_reason : "yes");
	record_text("module", probe.module ? strerror(-probe.module) :
					     "loaded");
}

void machine_record(const struct machine *machine)
{
	struct utsname name;
	char text[BENCH_TEXT];
	unsigned int i;

	record_begin("machine", "machine");
	if (read_field("/proc/cpuinfo", "model name", text, sizeof(text)))
		record_text("processor", text);
	if (!uname(&name)) {
		record_text("kernel", name.release);
		record_text("architecture", name.machine);
	}
	record_number("processors", (double)sysconf(_SC_NPROCESSORS_ONLN));
	record_number("nodes", saferring_node_count());
	record_number("cycle_ns", cycle_ns());
	record_number("clock_ns", clock_cost_ns());
	record_text("compiler", "gcc " __VERSION__);
	record_number("library", saferring_version());
	record_probe();
	record_list_begin("unfit");
	for (i = 0; i < machine->complaints; i++)
		record_list_text(machine->complaint[i]);
	record_list_end();
	record_end();
}
