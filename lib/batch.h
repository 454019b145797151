/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the files of batches know of each other: batch.c, step.c and graph.c.
 */
#ifndef SAFERRING_BATCH_PRIVATE_H
#define SAFERRING_BATCH_PRIVATE_H

#include "internal.h"

#define SR_STEP_NONE UINT32_MAX

/*
 * struct sr_step - an operation that may wait
 * @sqe: its entry, of either size
 * @record: its first record
 * @records: its records, one for each buffer
 * @waits_for: dependencies that are not fulfilled
 * @first: the first edge to a step that waits for it, or SR_STEP_NONE
 * @next_linked: the step that is linked to it in the kernel, or SR_STEP_NONE
 * @hard: the link to it is a hard one
 * @behind: there is a step that it was found to be linked to
 * @ready: nothing is waited for, it is to be queued
 * @chases: how often it was cancelled since the one before it ended
 * @cursor: of the search for cycles: the first edge not yet looked at
 * @color: not seen, on the path, done
 * @via: the step that the path came from
 */
struct sr_step {
	struct io_uring_sqe sqe[2];
	struct saferring_step public;
	uint32_t record;
	unsigned int records;
	uint64_t key;
	uint64_t length;
	unsigned int waits_for;
	uint32_t first;
	uint32_t next_linked;
	bool hard;
	bool behind;
	bool ready;
	unsigned char chases;
	unsigned char color;
	uint32_t cursor;
	uint32_t via;
};

/* A step that waits for the one in whose list this is. */
struct sr_edge {
	uint32_t step;
	uint32_t next;
	bool hard;
};

struct saferring_batch {
	struct saferring_ring *ring;
	unsigned int capacity;
	unsigned int flags;
	bool submitted;
	bool failing;
	struct sr_step *step;
	unsigned int steps;
	struct sr_edge *edge;
	unsigned int edges;
	unsigned int edge_room;
	unsigned int ready;
	struct saferring_batch_info info;
	struct saferring_batch *next;
};

/* ---- step.c ---- */

/* Nothing is waited for: it is queued before the kernel is called next. */
void sr_step_make_ready(struct saferring_batch *batch, struct sr_step *step);
/* Queue those that are ready, with their chains. Returns their number. */
unsigned int sr_batch_release(struct saferring_batch *batch);
/* End all that have not ended. */
void sr_batch_cancel_rest(struct saferring_batch *batch);

/* ---- graph.c ---- */

/* 0, or -ELOOP with the detail. */
int sr_batch_find_cycle(struct saferring_batch *batch);
/* Decide which dependencies are left to the kernel. */
void sr_batch_link(struct saferring_batch *batch);

#endif /* SAFERRING_BATCH_PRIVATE_H */
