// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Batch: steps that wait for each other.
 *
 * A step is an operation whose SQE has been taken out of the queue again. It
 * goes back there when what it waits for has ended. Where a step waits for one
 * other only, and is the only one that waits for that one, the kernel does it: it
 * goes to the queue right behind the other, which is linked to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "batch.h"

static int fail(const struct saferring_batch *batch, int code, int reason,
		const char *function, const char *what)
{
	return sr_fail(&(struct sr_fault){
			       .code = code,
			       .reason = reason,
			       .operation = function,
			       .kind = "ring",
			       .name = batch->ring ? batch->ring->name :
						     "destroyed",
		       },
		       "%s", what);
}

static int check(const struct saferring_batch *batch, const char *function)
{
	if (!batch)
		return sr_fail_argument(function, "no batch");
	if (batch->ring && sr_forked(batch->ring->epoch))
		return sr_fail_forked(function, "ring", batch->ring->name);
	return 0;
}

/* Something is to be changed that is fixed once the batch is submitted. */
static int check_open(const struct saferring_batch *batch, const char *function)
{
	const int error = check(batch, function);

	if (error)
		return error;
	if (batch->submitted || !batch->ring)
		return fail(batch, -EBUSY, SAFERRING_REASON_BUSY, function,
			    "the batch was submitted, or its ring is gone");
	return 0;
}

/* ---- building ---- */

static int check_create(const struct saferring_ring *ring,
			unsigned int capacity, unsigned int flags)
{
	if (!ring)
		return sr_fail_argument("batch_create", "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("batch_create", "ring", ring->name);
	if (ring->beside)
		return sr_fail_beside(ring, "batch_create");
	if (!capacity || capacity > ring->depth ||
	    flags & ~SAFERRING_BATCH_FAIL_FAST)
		return sr_fail_argument("batch_create",
					"%u steps, allowed are 1 to %u, or unknown flags in %#x",
					capacity, ring->depth, flags);
	return 0;
}

int saferring_batch_create(struct saferring_ring *ring, unsigned int capacity,
			   unsigned int flags, struct saferring_batch **out)
{
	struct saferring_batch *batch;
	int error = check_create(ring, capacity, flags);

	if (error)
		return error;
	if (!out)
		return sr_fail_argument("batch_create",
					"no place for a batch");
	batch = calloc(1, sizeof(*batch));
	if (batch)
		batch->step = calloc(capacity, sizeof(*batch->step));
	if (!batch || !batch->step) {
		free(batch);
		return sr_fail_memory("batch_create",
				      capacity * sizeof(*batch->step));
	}
	batch->ring = ring;
	batch->capacity = capacity;
	batch->flags = flags;
	batch->next = ring->batches;
	ring->batches = batch;
	*out = batch;
	return 0;
}

static bool can_be_step(const struct sr_operation *operation)
{
	return !(sr_kinds[operation->kind].flags & SR_KIND_MULTISHOT) &&
	       operation->kind != SAFERRING_OPERATION_LINK_TIMEOUT;
}

static int check_add(struct saferring_batch *batch,
		     const struct io_uring_sqe *sqe)
{
	const char *function = "batch_add";
	const struct sr_operation *operation;

	if (batch->steps == batch->capacity)
		return fail(batch, -ENOSPC, SAFERRING_REASON_DEPTH, function,
			    "the batch has as many steps as it can");
	operation = sqe ? sr_record_of_key(batch->ring, sqe->user_data) : NULL;
	if (!operation)
		return fail(batch, -ENOENT, SAFERRING_REASON_ARGUMENT, function,
			    "nothing is queued");
	if (!can_be_step(operation))
		return fail(batch, -EINVAL, SAFERRING_REASON_ARGUMENT, function,
			    "a multishot operation or linked timeout is no step");
	return 0;
}

/*
 * From here on its completion takes the long way, where the batch is told.
 * Reads and writes of one buffer may not have been meant for it.
 */
static void mark_records(struct saferring_batch *batch, struct sr_step *step,
			 struct sr_operation *operation)
{
	struct saferring_ring *ring = batch->ring;
	struct sr_state *state = sr_state_of(ring, operation);

	if (!(operation->special & SR_SPECIAL_SLOW))
		*state = (struct sr_state){ .next = SR_RECORD_NONE };
	operation->special |= SR_SPECIAL_SLOW;
	state->batch = batch;
	state->step = batch->steps;
	for (; operation; operation = sr_record_next(ring, operation)) {
		step->records++;
		step->length += operation->length;
	}
}

int saferring_batch_add(struct saferring_batch *batch)
{
	struct saferring_ring *ring;
	struct sr_operation *operation;
	struct io_uring_sqe *sqe;
	struct sr_step *step;
	int error = check_open(batch, "batch_add");

	if (error)
		return error;
	ring = batch->ring;
	sqe = sr_last_queued(ring);
	error = check_add(batch, sqe);
	if (error)
		return error;
	operation = sr_record_of_key(ring, sqe->user_data);
	step = &batch->step[batch->steps];
	*step = (struct sr_step){
		.record = sr_record_number(operation),
		.key = operation->key,
		.first = SR_STEP_NONE,
		.next_linked = SR_STEP_NONE,
		.public = {
			.operation = operation->kind,
			.user_data = operation->user_data,
		},
	};
	memcpy(step->sqe, sqe, sizeof(*sqe) << ring->wide);
	step->sqe[0].flags &=
		(uint8_t)~(IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
	mark_records(batch, step, operation);
	sr_uring_unqueue_last(ring);
	ring->held += step->records;
	ring->parked += step->records;
	batch->info.left++;
	return (int)batch->steps++;
}

static int add_edge_room(struct saferring_batch *batch)
{
	const unsigned int room =
		batch->edge_room ? 2 * batch->edge_room : batch->capacity;
	struct sr_edge *edge;

	if (batch->edges < batch->edge_room)
		return 0;
	edge = realloc(batch->edge, room * sizeof(*edge));
	if (!edge)
		return sr_fail_memory("batch_after", room * sizeof(*edge));
	batch->edge = edge;
	batch->edge_room = room;
	return 0;
}

int saferring_batch_after(struct saferring_batch *batch, unsigned int step,
			  unsigned int other, unsigned int flags)
{
	struct sr_edge *edge;
	int error = check_open(batch, "batch_after");

	if (error)
		return error;
	if (step >= batch->steps || other >= batch->steps ||
	    flags & ~SAFERRING_AFTER_END)
		return sr_fail_argument("batch_after",
					"steps %u and %u, there are %u, or unknown flags in %#x",
					step, other, batch->steps, flags);
	error = add_edge_room(batch);
	if (error)
		return error;
	edge = &batch->edge[batch->edges];
	edge->step = step;
	edge->hard = flags & SAFERRING_AFTER_END;
	edge->next = batch->step[other].first;
	batch->step[other].first = batch->edges++;
	batch->step[step].waits_for++;
	return 0;
}

/* ---- submitting ---- */

int saferring_batch_submit(struct saferring_batch *batch)
{
	unsigned int number, count;
	int error = check_open(batch, "batch_submit");

	if (error)
		return error;
	if (!batch->steps)
		return fail(batch, -ENOENT, SAFERRING_REASON_ARGUMENT,
			    "batch_submit", "the batch has no step");
	error = sr_batch_find_cycle(batch);
	if (error)
		return error;
	sr_batch_link(batch);
	batch->submitted = true;
	for (number = 0; number < batch->steps; number++) {
		batch->ring->parked -= batch->step[number].records;
		if (!batch->step[number].waits_for)
			sr_step_make_ready(batch, &batch->step[number]);
	}
	count = sr_batch_release(batch);
	error = saferring_ring_submit(batch->ring);
	return error < 0 ? error : (int)count;
}

int saferring_batch_cancel(struct saferring_batch *batch)
{
	unsigned int left;
	int error = check(batch, "batch_cancel");

	if (error)
		return error;
	left = batch->info.left;
	if (!left || !batch->ring)
		return (int)left;
	sr_batch_cancel_rest(batch);
	/* What has ended so is not to start any more. */
	batch->submitted = true;
	return (int)left;
}

/* ---- looking at it ---- */

int saferring_batch_step(const struct saferring_batch *batch, unsigned int step,
			 struct saferring_step *out)
{
	if (!batch || !out || step >= batch->steps)
		return sr_fail_argument("batch_step", "step %u, there are %u",
					step, batch ? batch->steps : 0);
	return sr_info_out("batch_step", out, &batch->step[step].public,
			   sizeof(batch->step[step].public));
}

int saferring_batch_info(const struct saferring_batch *batch,
			 struct saferring_batch_info *out)
{
	struct saferring_batch_info info;

	if (!batch || !out)
		return sr_fail_argument("batch_info",
					"no batch, or no place for its info");
	info = batch->info;
	info.steps = batch->steps;
	return sr_info_out("batch_info", out, &info, sizeof(info));
}

/* ---- the end ---- */

int saferring_batch_reset(struct saferring_batch *batch)
{
	int error = check(batch, "batch_reset");

	if (error)
		return error;
	if (batch->ring && batch->submitted && batch->info.left)
		return fail(batch, -EBUSY, SAFERRING_REASON_BUSY, "batch_reset",
			    "steps have not ended: cancel the batch, and reap");
	if (batch->ring && !batch->submitted)
		sr_batch_cancel_rest(batch);
	batch->steps = 0;
	batch->edges = 0;
	batch->submitted = false;
	batch->failing = false;
	batch->info = (struct saferring_batch_info){ 0 };
	return 0;
}

static void forget(struct saferring_batch *batch)
{
	struct saferring_batch **link = &batch->ring->batches;

	while (*link != batch)
		link = &(*link)->next;
	*link = batch->next;
}

int saferring_batch_destroy(struct saferring_batch *batch)
{
	int error;

	if (!batch)
		return 0;
	error = saferring_batch_reset(batch);
	if (error)
		return error;
	if (batch->ring)
		forget(batch);
	free(batch->step);
	free(batch->edge);
	free(batch);
	return 0;
}
