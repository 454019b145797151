// SPDX-License-Identifier: GPL-2.0
/*
 * The steady state: what a million operations take from the system, and which
 * system calls they make. That they allocate nothing and execute no locked
 * instruction is proved by the gate, which sees every function.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "special.h"

#define WARM	   (1U << 14)
/* The kernel's own work, such as balancing nodes, faults now and then. */
#define TRIES	   3

/* How many are looked at. */
static unsigned int operations(void)
{
	return machine_is_emulated() ? 1U << 16 : 1U << 20;
}

/* Pages that this process has in memory. */
static long resident(void)
{
	long size, pages = -1;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file)
		return -1;
	if (fscanf(file, "%ld %ld", &size, &pages) != 2)
		pages = -1;
	fclose(file);
	return pages;
}

/* Runs the life of a buffer. Returns false if that cannot be set up. */
static bool with_state(const char *name,
		       void (*measure_state)(const struct row *row,
					     void *state))
{
	const struct row row = macro_life_row();
	char reason[BENCH_TEXT];
	void *state = row.setup(&row);
	enum verdict said;

	if (state) {
		row.run_subject(state, WARM / row.per);
		measure_state(&row, state);
		row.teardown(state);
	}
	said = row_outcome(reason, sizeof(reason));
	if (said == VERDICT_NONE)
		return true;
	conclude_special("memory", name, said, "%s", reason);
	return false;
}

static long faults_of(const struct rusage *usage)
{
	return usage->ru_minflt + usage->ru_majflt;
}

static long faults, grown;

/* fscanf() allocates, so what is counted first is counted twice. */
static void count_usage(const struct row *row, void *state)
{
	struct rusage before, after;
	long pages;

	resident();
	pages = resident();
	getrusage(RUSAGE_THREAD, &before);
	row->run_subject(state, operations() / row->per);
	getrusage(RUSAGE_THREAD, &after);
	grown = resident() - pages;
	faults = faults_of(&after) - faults_of(&before);
}

void memory_steady(void)
{
	int i;

	for (i = 0; i < TRIES && (!i || faults || grown > 0); i++)
		if (!with_state("memory.steady", count_usage))
			return;
	conclude_special("memory", "memory.steady",
			 faults || grown > 0 ? VERDICT_FAIL : VERDICT_PASS,
			 "%u operations: %ld page faults, resident memory %+ld pages",
			 operations(), faults, grown);
}

/* ---- system calls: all but one kind are death ---- */

#define ALLOW(number)                                                          \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                   \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* io_uring_enter(), and what ends the process. */
static int allow_enter_only(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		ALLOW(__NR_io_uring_enter),
		ALLOW(__NR_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return -errno;
	return 0;
}

/* Exit status of a child that could not even begin. */
#define CANNOT 77

static void run_confined(void)
{
	const struct row row = macro_life_row();
	char reason[BENCH_TEXT];
	void *state = row.setup(&row);
	unsigned int calls;

	if (!state)
		_exit(CANNOT);
	row.run_subject(state, WARM / row.per);
	calls = operations() / row.per;
	if (allow_enter_only())
		_exit(CANNOT);
	row.run_subject(state, calls);
	_exit(row_outcome(reason, sizeof(reason)) == VERDICT_NONE ? 0 : 1);
}

/* What is forbidden kills, or the proof is none. */
static void break_out(void)
{
	if (allow_enter_only())
		_exit(CANNOT);
	getppid();
	_exit(0);
}

static int status_of(void (*run)(void))
{
	int status = 0;
	const pid_t child = fork();

	if (child < 0)
		return -1;
	if (!child) {
		run();
		_exit(CANNOT);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

void memory_calls(void)
{
	const int control = status_of(break_out);
	int status;

	if (!WIFSIGNALED(control) || WTERMSIG(control) != SIGSYS) {
		conclude_special("memory", "memory.calls", VERDICT_SKIPPED,
				 "no seccomp here to watch system calls with");
		return;
	}
	status = status_of(run_confined);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		conclude_special("memory", "memory.calls", VERDICT_PASS,
				 "%u operations made no system call but io_uring_enter()",
				 operations());
	else if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
		conclude_special("memory", "memory.calls", VERDICT_SKIPPED,
				 "no ring or no seccomp here");
	else
		conclude_special("memory", "memory.calls", VERDICT_FAIL,
				 WIFSIGNALED(status) ?
				 "another system call was made" :
				 "operations failed");
}
