// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Batch: steps that wait for each other.
 *
 * A step is an operation whose SQE has been taken out of the queue again. It
 * goes back there when what it waits for has ended. Where a step waits for one
 * other only, and is the only one that waits for that one, the kernel does it: it
 * goes to the queue right behind the other, which is linked to it.
 *
 * Steps become ready while completions are looked at, and are queued by
 * sr_batches_release() before the kernel is called the next time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define NO_STEP UINT32_MAX

/*
 * struct step - an operation that may wait
 * @sqe: its entry, of either size
 * @record: its first record
 * @records: its records, one for each buffer
 * @waits_for: dependencies that are not fulfilled
 * @first: the first edge to a step that waits for it, or NO_STEP
 * @next_linked: the step that is linked to it in the kernel, or NO_STEP
 * @hard: the link to it is a hard one
 * @ready: nothing is waited for, it is to be queued
 * @cursor: of the search for cycles: the first edge not yet looked at
 * @color: not seen, on the path, done
 * @via: the step that the path came from
 */
struct step {
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
	bool ready;
	unsigned char color;
	uint32_t cursor;
	uint32_t via;
};

/* A step that waits for the one in whose list this is. */
struct edge {
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
	struct step *step;
	unsigned int steps;
	struct edge *edge;
	unsigned int edges;
	unsigned int edge_room;
	unsigned int ready;
	struct saferring_batch_info info;
	struct saferring_batch *next;
};

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

/* ---- steps that start and end ---- */

static void queue_step(struct saferring_batch *batch, struct step *step)
{
	struct saferring_ring *ring = batch->ring;
	struct io_uring_sqe *sqe = sr_uring_next_any(ring);

	memcpy(sqe, step->sqe, sizeof(*sqe) << ring->wide);
	ring->operation[step->record].lot = ring->lot;
	if (step->next_linked != NO_STEP)
		sqe->flags |= batch->step[step->next_linked].hard ?
				      IOSQE_IO_HARDLINK : IOSQE_IO_LINK;
	step->public.state = SAFERRING_STEP_STARTED;
	ring->queued++;
	ring->held -= step->records;
}

/* With all that are linked to it. Returns their number. */
static unsigned int queue_chain(struct saferring_batch *batch, uint32_t number)
{
	unsigned int count = 0;

	sr_uring_end_chain(batch->ring);
	for (; number != NO_STEP; number = batch->step[number].next_linked) {
		queue_step(batch, &batch->step[number]);
		count++;
	}
	return count;
}

static void make_ready(struct saferring_batch *batch, struct step *step)
{
	step->ready = true;
	batch->ready++;
	batch->ring->ready_steps++;
}

static unsigned int release(struct saferring_batch *batch)
{
	unsigned int number, count = 0;

	for (number = 0; number < batch->steps && batch->ready; number++) {
		struct step *step = &batch->step[number];

		if (!step->ready)
			continue;
		step->ready = false;
		batch->ready--;
		batch->ring->ready_steps--;
		count += queue_chain(batch, number);
	}
	return count;
}

void sr_batches_release(struct saferring_ring *ring)
{
	struct saferring_batch *batch;

	for (batch = ring->batches; batch; batch = batch->next)
		release(batch);
}

/* A step that has not started ends: what waits for it is told by sr_pend_all(). */
static void cancel_waiting(struct saferring_batch *batch, struct step *step,
			   uint32_t flags)
{
	struct saferring_ring *ring = batch->ring;

	if (step->ready) {
		step->ready = false;
		batch->ready--;
		ring->ready_steps--;
	}
	ring->held -= step->records;
	if (!batch->submitted)
		ring->parked -= step->records;
	sr_pend_all(ring, &ring->operation[step->record], -ECANCELED, flags);
}

static bool has_succeeded(const struct step *step, int32_t result)
{
	const unsigned int traits = sr_kinds[step->public.operation].flags;

	if (traits & SR_KIND_EXPIRES)
		return result == -ETIME || result >= 0;
	/* A positive one is an error of the device. */
	if (step->public.operation == SAFERRING_OPERATION_COMMAND)
		return result == 0;
	if (traits & SR_KIND_BYTES)
		return result >= 0 && (uint64_t)result >= step->length;
	return result >= 0;
}

static void cancel_started(struct saferring_batch *batch,
			   const struct step *step)
{
	struct saferring_ring *ring = batch->ring;

	if (ring->doomed_count < ring->depth)
		ring->doomed[ring->doomed_count++] = step->key;
}

static void cancel_rest(struct saferring_batch *batch)
{
	unsigned int number;

	batch->failing = true;
	for (number = 0; number < batch->steps; number++) {
		struct step *step = &batch->step[number];

		if (step->public.state == SAFERRING_STEP_WAITING)
			cancel_waiting(batch, step,
				       SAFERRING_COMPLETION_WITHDRAWN);
		else if (step->public.state == SAFERRING_STEP_STARTED)
			cancel_started(batch, step);
	}
}

/*
 * Another one has ended that @step waited for. If the two are linked and the
 * other was started, @step was as well, and the kernel sees to it. If it was not,
 * @step is as any that waits.
 */
static void tell(struct saferring_batch *batch, struct step *step, bool hard,
		 bool success)
{
	if (step->public.state != SAFERRING_STEP_WAITING)
		return;
	step->waits_for--;
	if (!success && !hard)
		cancel_waiting(batch, step, SAFERRING_COMPLETION_WITHDRAWN);
	else if (!step->waits_for)
		make_ready(batch, step);
}

static void note_end(struct saferring_batch *batch, struct step *step,
		     int32_t result, bool success)
{
	step->public.result = result;
	if (success) {
		step->public.state = SAFERRING_STEP_SUCCEEDED;
		batch->info.succeeded++;
	} else if (result == -ECANCELED) {
		step->public.state = SAFERRING_STEP_CANCELLED;
		batch->info.cancelled++;
	} else {
		step->public.state = SAFERRING_STEP_FAILED;
		batch->info.failed++;
	}
	batch->info.left--;
}

void sr_batch_step_ended(struct saferring_batch *batch, uint32_t number,
			 int32_t result)
{
	struct step *step = &batch->step[number];
	const bool success = has_succeeded(step, result);
	uint32_t edge;

	note_end(batch, step, result, success);
	if (!batch->submitted)
		return;
	for (edge = step->first; edge != NO_STEP;
	     edge = batch->edge[edge].next)
		tell(batch, &batch->step[batch->edge[edge].step],
		     batch->edge[edge].hard, success);
	if (!success && batch->flags & SAFERRING_BATCH_FAIL_FAST &&
	    !batch->failing)
		cancel_rest(batch);
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
static void mark_records(struct saferring_batch *batch, struct step *step,
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
	struct step *step;
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
	*step = (struct step){
		.record = sr_record_number(operation),
		.key = operation->key,
		.first = NO_STEP,
		.next_linked = NO_STEP,
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
	struct edge *edge;

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
	struct edge *edge;
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

/* ---- cycles ---- */

/* "0 -> 2 -> 0": from the step where the path closes, against its direction. */
static int fail_cycle(const struct saferring_batch *batch, uint32_t from,
		      uint32_t to)
{
	char text[200];
	size_t used = 0;
	uint32_t number;

	used += (size_t)snprintf(text, sizeof(text), "%u", to);
	for (number = from; number != to && used < sizeof(text) - 40;
	     number = batch->step[number].via)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 " -> %u", number);
	snprintf(text + used, sizeof(text) - used, "%s -> %u",
		 number == to ? "" : " -> ...", to);
	return sr_fail(&(struct sr_fault){
			       .code = -ELOOP,
			       .reason = SAFERRING_REASON_ARGUMENT,
			       .operation = "batch_submit",
			       .kind = "ring",
			       .name = batch->ring->name,
			       .cure = "take one of these dependencies out",
		       },
		       "steps wait for each other in a circle: %s", text);
}

enum { UNSEEN, ON_PATH, SEEN };

/*
 * Depth first, along the steps that wait for others, without recursion: @via is
 * the way back, and @cursor the place in a step's list of edges.
 */
static int search(struct saferring_batch *batch, uint32_t start)
{
	uint32_t at = start, edge, to;

	batch->step[at].color = ON_PATH;
	batch->step[at].via = NO_STEP;
	while (at != NO_STEP) {
		edge = batch->step[at].cursor;
		if (edge == NO_STEP) {
			batch->step[at].color = SEEN;
			at = batch->step[at].via;
			continue;
		}
		batch->step[at].cursor = batch->edge[edge].next;
		to = batch->edge[edge].step;
		if (batch->step[to].color == ON_PATH)
			return fail_cycle(batch, at, to);
		if (batch->step[to].color == SEEN)
			continue;
		batch->step[to].color = ON_PATH;
		batch->step[to].via = at;
		at = to;
	}
	return 0;
}

static int find_cycle(struct saferring_batch *batch)
{
	unsigned int number;
	int error = 0;

	for (number = 0; number < batch->steps; number++) {
		batch->step[number].color = UNSEEN;
		batch->step[number].cursor = batch->step[number].first;
	}
	for (number = 0; number < batch->steps && !error; number++)
		if (batch->step[number].color == UNSEEN)
			error = search(batch, number);
	return error;
}

/* ---- submitting ---- */

/*
 * Whether the kernel breaks a link behind a step if and only if it has failed for
 * the batch. It does not behind short transfers on sockets and bad results of
 * devices, and does behind a timeout whose time is up.
 */
static bool can_be_linked_to(const struct step *step)
{
	switch (step->public.operation) {
	case SAFERRING_OPERATION_READ:
	case SAFERRING_OPERATION_WRITE:
	case SAFERRING_OPERATION_READV:
	case SAFERRING_OPERATION_WRITEV:
		return true;
	case SAFERRING_OPERATION_COMMAND:
	case SAFERRING_OPERATION_RAW:
		return false;
	default:
		return !(sr_kinds[step->public.operation].flags &
			 (SR_KIND_BYTES | SR_KIND_EXPIRES));
	}
}

static void link_chains(struct saferring_batch *batch)
{
	unsigned int number;

	for (number = 0; number < batch->steps; number++) {
		struct step *step = &batch->step[number];
		const struct edge *edge;

		if (step->first == NO_STEP || !can_be_linked_to(step))
			continue;
		edge = &batch->edge[step->first];
		if (edge->next != NO_STEP ||
		    batch->step[edge->step].waits_for != 1)
			continue;
		step->next_linked = edge->step;
		batch->step[edge->step].hard = edge->hard;
		batch->info.linked++;
	}
}

int saferring_batch_submit(struct saferring_batch *batch)
{
	unsigned int number, count;
	int error = check_open(batch, "batch_submit");

	if (error)
		return error;
	if (!batch->steps)
		return fail(batch, -ENOENT, SAFERRING_REASON_ARGUMENT,
			    "batch_submit", "the batch has no step");
	error = find_cycle(batch);
	if (error)
		return error;
	link_chains(batch);
	batch->submitted = true;
	for (number = 0; number < batch->steps; number++) {
		batch->ring->parked -= batch->step[number].records;
		if (!batch->step[number].waits_for)
			make_ready(batch, &batch->step[number]);
	}
	count = release(batch);
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
	cancel_rest(batch);
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
		cancel_rest(batch);
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

/* The ring ends: what has not started never will, the rest it sees to. */
void sr_batches_end(struct saferring_ring *ring)
{
	struct saferring_batch *batch, *next;
	unsigned int number;

	for (batch = ring->batches; batch; batch = next) {
		next = batch->next;
		cancel_rest(batch);
		for (number = 0; number < batch->steps; number++) {
			struct step *step = &batch->step[number];

			if (step->public.state != SAFERRING_STEP_STARTED)
				continue;
			note_end(batch, step, -ECANCELED, false);
			ring->state[step->record].batch = NULL;
		}
		batch->ring = NULL;
	}
	ring->batches = NULL;
	ring->doomed_count = 0;
}
