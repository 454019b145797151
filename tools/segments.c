// SPDX-License-Identifier: GPL-2.0
/*
 * Segments: find the processes that use the library, and what they do.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "segments.h"

static bool is_number(const char *text)
{
	const char *at = text;

	while (isdigit((unsigned char)*at))
		at++;
	return at != text && !*at;
}

int open_segment(const char *what, struct saferring_segment **segment)
{
	char said[PATH_MAX + 64];
	double pid;
	int error;

	if (is_number(what) && parse_number(what, 1, 1 << 30, &pid))
		error = saferring_segment_open_process((int)pid, segment);
	else
		error = saferring_segment_open(what, segment);
	if (!error)
		return 0;
	snprintf(said, sizeof(said), "%s of %s", "statistics", what);
	return fail_library(said);
}

/* ---- all of them ---- */

static struct process *known(struct processes *processes, int pid)
{
	size_t number;

	for (number = 0; number < processes->count; number++)
		if (processes->process[number].pid == pid)
			return &processes->process[number];
	return NULL;
}

static struct process *add(struct processes *processes, int pid)
{
	struct saferring_segment *segment;
	struct process *process;
	int error = saferring_segment_open_process(pid, &segment);

	if (error == -EACCES)
		processes->denied++;
	if (error)
		return NULL;
	process = reallocarray(processes->process, processes->count + 1,
			       sizeof(*process));
	if (!process) {
		saferring_segment_close(segment);
		return NULL;
	}
	processes->process = process;
	process += processes->count++;
	memset(process, 0, sizeof(*process));
	process->pid = pid;
	process->segment = segment;
	return process;
}

static void drop(struct process *process)
{
	saferring_snapshot_free(process->now);
	saferring_snapshot_free(process->before);
	saferring_segment_close(process->segment);
}

static void look(struct process *process)
{
	struct saferring_snapshot *now;

	if (saferring_segment_snapshot(process->segment, &now))
		return;
	saferring_snapshot_free(process->before);
	process->before = process->now;
	process->now = now;
	process->seen = true;
}

/* A number can go to another process, whose segment is another. */
static bool is_alive(const struct process *process)
{
	struct saferring_segment_info info = { .size = sizeof(info) };

	return !saferring_segment_info(process->segment, &info) && info.alive;
}

static void forget_unseen(struct processes *processes)
{
	size_t from, to = 0;

	for (from = 0; from < processes->count; from++) {
		if (processes->process[from].seen)
			processes->process[to++] = processes->process[from];
		else
			drop(&processes->process[from]);
	}
	processes->count = to;
}

int processes_look(struct processes *processes)
{
	DIR *directory = opendir("/proc");
	struct process *process;
	struct dirent *entry;
	size_t number;

	if (!directory)
		return fail("/proc: %s", strerror(errno));
	processes->denied = 0;
	for (number = 0; number < processes->count; number++)
		processes->process[number].seen = false;
	while ((entry = readdir(directory))) {
		if (!is_number(entry->d_name) ||
		    atoi(entry->d_name) == (int)getpid())
			continue;
		process = known(processes, atoi(entry->d_name));
		if (process && !is_alive(process))
			continue;
		if (!process)
			process = add(processes, atoi(entry->d_name));
		if (process)
			look(process);
	}
	closedir(directory);
	forget_unseen(processes);
	return 0;
}

void processes_free(struct processes *processes)
{
	size_t number;

	for (number = 0; number < processes->count; number++)
		drop(&processes->process[number]);
	free(processes->process);
	memset(processes, 0, sizeof(*processes));
}

/* ---- one of them ---- */

static uint64_t sum(const struct saferring_snapshot *snapshot, const char *name)
{
	return saferring_snapshot_sum(snapshot, name, NULL);
}

static double p99_of(const struct saferring_snapshot *snapshot)
{
	static const char name[] = "saferring_operation_latency_seconds";
	struct saferring_histogram all = { .sum = 0 };
	const struct saferring_sample *sample;
	size_t number;

	for (number = 0; number < saferring_snapshot_count(snapshot);
	     number++) {
		sample = saferring_snapshot_sample(snapshot, number);
		if (!strcmp(sample->name, name))
			saferring_histogram_merge(&all, sample->histogram);
	}
	return (double)saferring_histogram_percentile(&all, 99) / 1e9;
}

/*
 * What io_uring cannot do without waiting it leaves to threads of its own, which
 * bear this name.
 */
static unsigned int count_workers(int pid)
{
	static const char name[] = "iou-wrk-";
	char path[sizeof("/proc//task/") + 2 * 24 + sizeof("/comm")];
	char comm[32] = "";
	unsigned int count = 0;
	struct dirent *entry;
	DIR *directory;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		if (!is_number(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/comm", pid,
			 entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file))
			count += !strncmp(comm, name, strlen(name));
		fclose(file);
	}
	if (directory)
		closedir(directory);
	return count;
}

/* Rates since the look before; without one, since the process began. */
void summarise(const struct process *process, struct summary *summary)
{
	struct saferring_snapshot_info info = { .size = sizeof(info) };
	struct saferring_snapshot *delta = NULL;
	const struct saferring_snapshot *of = process->now;

	memset(summary, 0, sizeof(*summary));
	if (process->before &&
	    !saferring_snapshot_delta(process->now, process->before, &delta))
		of = delta;
	if (saferring_snapshot_info(of, &info))
		return;
	snprintf(summary->program, sizeof(summary->program), "%s",
		 info.program);
	summary->seconds = (double)(info.taken_ns - info.since_ns) / 1e9;
	if (summary->seconds <= 0)
		summary->seconds = 1 / 1e9;
	summary->operations =
		(double)sum(of, "saferring_operations_completed") /
		summary->seconds;
	summary->bytes = (double)sum(of, "saferring_transferred_bytes") /
			 summary->seconds;
	summary->errors = (double)sum(of, "saferring_operations_failed") /
			  summary->seconds;
	summary->decisions = (double)(sum(of, "saferring_ring_adaptations") +
				      sum(of, "saferring_pool_adaptations")) /
			     summary->seconds;
	summary->misuses = (double)saferring_snapshot_sum(
		process->now, "saferring_failures", "class=\"misuse\"");
	summary->p99 = p99_of(of);
	summary->completed =
		sum(process->now, "saferring_operations_completed");
	summary->in_flight =
		(int64_t)sum(process->now, "saferring_ring_in_flight");
	summary->workers = count_workers(process->pid);
	summary->memory = sum(process->now, "saferring_memory_bytes");
	saferring_snapshot_free(delta);
}
