/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Segments: those of all processes that may be looked at.
 */
#ifndef TOOLS_SEGMENTS_H
#define TOOLS_SEGMENTS_H

#include "saferring.h"

/*
 * struct process - a process that uses the library
 * @seen: it was there at the last look
 * @now: its latest snapshot, or NULL
 * @before: the one before that, or NULL
 */
struct process {
	int pid;
	bool seen;
	struct saferring_segment *segment;
	struct saferring_snapshot *now;
	struct saferring_snapshot *before;
};

struct processes {
	struct process *process;
	size_t count;
	size_t denied; /* processes that the caller may not look at */
};

/* Look at all of them, those known already again. Returns 0 or EXIT_ERROR. */
int processes_look(struct processes *processes);
void processes_free(struct processes *processes);

/* What a line about a process says. */
struct summary {
	char program[64];
	double seconds;
	double operations;
	double bytes;
	double errors;
	double misuses;
	double decisions; /* about what follows the load */
	int64_t in_flight;
	unsigned int workers; /* threads of the kernel's that do its I/O */
	uint64_t memory;
	uint64_t completed;
	double p99; /* seconds, 0 if nobody measures */
};

void summarise(const struct process *process, struct summary *summary);

#endif /* TOOLS_SEGMENTS_H */
