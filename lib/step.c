// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Step: how the steps of a batch start and end.
 *
 * Steps become ready while completions are looked at, and are queued by
 * sr_batches_release() before the kernel is called the next time.
 */
#include <errno.h>
#include <string.h>
#include "batch.h"

/* How often a step that the kernel is about to start is cancelled. */
#define CHASES_MAX 8

static void queue_step(struct saferring_batch *batch, struct sr_step *step)
{
	struct saferring_ring *ring = batch->ring;
	struct io_uring_sqe *sqe = sr_uring_next_any(ring);

	memcpy(sqe, step->sqe, sizeof(*sqe) << ring->wide);
	ring->operation[step->record].lot = ring->lot;
	if (step->next_linked != SR_STEP_NONE)
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
	for (; number != SR_STEP_NONE; number = batch->step[number].next_linked) {
		queue_step(batch, &batch->step[number]);
		count++;
	}
	return count;
}

void sr_step_make_ready(struct saferring_batch *batch, struct sr_step *step)
{
	step->ready = true;
	batch->ready++;
	batch->ring->ready_steps++;
}

unsigned int sr_batch_release(struct saferring_batch *batch)
{
	unsigned int number, count = 0;

	for (number = 0; number < batch->steps && batch->ready; number++) {
		struct sr_step *step = &batch->step[number];

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
		sr_batch_release(batch);
}

/* A step that has not started ends: what waits for it is told by sr_pend_all(). */
static void cancel_waiting(struct saferring_batch *batch, struct sr_step *step,
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

static bool has_succeeded(const struct sr_step *step, int32_t result)
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
			   const struct sr_step *step)
{
	struct saferring_ring *ring = batch->ring;

	if (ring->doomed_count < ring->depth)
		ring->doomed[ring->doomed_count++] = step->key;
}

/*
 * Behind a hard link the kernel starts a step when the one before it has ended,
 * and knows nothing of it until then. So it is cancelled now, after the kernel
 * was let start it.
 */
static void cancel_linked(struct saferring_batch *batch,
			  const struct sr_step *ended)
{
	struct sr_step *step = &batch->step[ended->next_linked];

	if (step->public.state != SAFERRING_STEP_STARTED)
		return;
	step->chases = 1;
	batch->ring->let_start = true;
	cancel_started(batch, step);
}

static void chase(struct saferring_batch *batch)
{
	unsigned int number;

	for (number = 0; number < batch->steps; number++) {
		struct sr_step *step = &batch->step[number];

		if (!step->chases || step->chases == CHASES_MAX ||
		    step->public.state != SAFERRING_STEP_STARTED)
			continue;
		step->chases++;
		batch->ring->let_start = true;
		cancel_started(batch, step);
	}
}

void sr_batches_chase(struct saferring_ring *ring)
{
	struct saferring_batch *batch;

	for (batch = ring->batches; batch; batch = batch->next)
		if (batch->failing && batch->info.left)
			chase(batch);
}

void sr_batch_cancel_rest(struct saferring_batch *batch)
{
	unsigned int number;

	batch->failing = true;
	for (number = 0; number < batch->steps; number++) {
		struct sr_step *step = &batch->step[number];

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
static void tell(struct saferring_batch *batch, struct sr_step *step, bool hard,
		 bool success)
{
	if (step->public.state != SAFERRING_STEP_WAITING)
		return;
	step->waits_for--;
	if (!success && !hard)
		cancel_waiting(batch, step, SAFERRING_COMPLETION_WITHDRAWN);
	else if (!step->waits_for)
		sr_step_make_ready(batch, step);
}

static void note_end(struct saferring_batch *batch, struct sr_step *step,
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
	struct sr_step *step = &batch->step[number];
	const bool success = has_succeeded(step, result);
	uint32_t edge;

	note_end(batch, step, result, success);
	if (!batch->submitted)
		return;
	if (batch->failing && step->next_linked != SR_STEP_NONE)
		cancel_linked(batch, step);
	for (edge = step->first; edge != SR_STEP_NONE;
	     edge = batch->edge[edge].next)
		tell(batch, &batch->step[batch->edge[edge].step],
		     batch->edge[edge].hard, success);
	if (!success && batch->flags & SAFERRING_BATCH_FAIL_FAST &&
	    !batch->failing)
		sr_batch_cancel_rest(batch);
}

/* The ring ends: what has not started never will, the rest it sees to. */
void sr_batches_end(struct saferring_ring *ring)
{
	struct saferring_batch *batch, *next;
	unsigned int number;

	for (batch = ring->batches; batch; batch = next) {
		next = batch->next;
		sr_batch_cancel_rest(batch);
		for (number = 0; number < batch->steps; number++) {
			struct sr_step *step = &batch->step[number];

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
