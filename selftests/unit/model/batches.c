// SPDX-License-Identifier: GPL-2.0
/*
 * Batches: no step starts before what it waits for, none is cancelled without a
 * reason, and each result is the one that the completions told of.
 */
#include "model.h"

static struct saferring_step state_of(const struct batch *batch,
				      unsigned int step)
{
	struct saferring_step state = { .size = sizeof(state) };

	assert_int_equal(saferring_batch_step(batch->batch, step, &state), 0);
	return state;
}

static struct saferring_batch_info info_of(const struct batch *batch)
{
	struct saferring_batch_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_batch_info(batch->batch, &info), 0);
	assert_int_equal(info.steps, batch->steps);
	assert_int_equal(info.left + info.succeeded + info.failed +
				 info.cancelled,
			 info.steps);
	return info;
}

static void fail_batch(const struct batch *batch, const char *what)
{
	unsigned int number;

	for (number = 0; number < batch->steps; number++) {
		const struct saferring_step state = state_of(batch, number);
		const struct step *step = &batch->step[number];

		print_message("# step %u: %s, state %d, result %d, after %#x, behind %#x\n",
			      number, saferring_operation_name(state.operation),
			      state.state, state.result, step->after,
			      step->behind);
	}
	fail_msg("a batch%s %s", batch->fail_fast ? " that fails fast" : "",
		 what);
}

/* ---- building ---- */

static void queue_any(unsigned int ring)
{
	switch (dice(8)) {
	case 0:
	case 1:
		transfer_one(ring, false);
		break;
	case 2:
	case 3:
		transfer_one(ring, true);
		break;
	case 4:
		transfer_many(ring, dice(2));
		break;
	case 5:
		hang(ring, dice(2) ? world.pipe[0] : -1);
		break;
	case 6:
		send_zero_copy(ring);
		break;
	default:
		without_buffer(ring);
		break;
	}
}

/* What was queued last becomes a step. Returns whether there was anything. */
static bool add_queued(struct batch *batch)
{
	struct op *op = world.queued;

	world.queued = NULL;
	if (!op)
		return false;
	assert_int_equal(saferring_batch_add(batch->batch), batch->steps);
	batch->step[batch->steps] = (struct step){ .id = op->id };
	op->batch = batch;
	op->step = batch->steps++;
	return true;
}

static void depend(struct batch *batch, unsigned int step, unsigned int other,
		   bool end)
{
	assert_int_equal(saferring_batch_after(batch->batch, step, other,
					       end ? SAFERRING_AFTER_END : 0),
			 0);
	if (end)
		batch->step[step].behind |= 1U << other;
	else
		batch->step[step].after |= 1U << other;
}

/* The write before it is the last step so far. */
static void add_reader(unsigned int ring, struct batch *batch,
		       unsigned int block)
{
	read_after(ring, block);
	if (add_queued(batch))
		depend(batch, batch->steps - 1, batch->steps - 2, false);
}

static void add_steps(unsigned int ring, struct batch *batch)
{
	const unsigned int wanted = 1 + dice(STEPS);
	unsigned int tries, block;

	for (tries = 0; tries < wanted && batch->steps < wanted; tries++) {
		world.queued = NULL;
		queue_any(ring);
		if (!world.queued)
			continue;
		block = is_write(world.queued) ? world.queued->block : BLOCKS;
		add_queued(batch);
		if (block < BLOCKS && batch->steps < STEPS && dice(2))
			add_reader(ring, batch, block);
	}
}

/* Mostly forward, so that there are few circles. */
static void add_dependencies(struct batch *batch)
{
	unsigned int step;

	for (step = 1; step < batch->steps; step++)
		while (!dice(2))
			depend(batch, step, dice(step), !dice(3));
	if (!dice(12))
		depend(batch, dice(batch->steps), dice(batch->steps), dice(2));
}

/* Whatever waits for itself in the end. */
static bool has_circle(const struct batch *batch)
{
	uint32_t waits[STEPS];
	unsigned int step, via, round;

	for (step = 0; step < batch->steps; step++)
		waits[step] = batch->step[step].after |
			      batch->step[step].behind;
	for (round = 0; round < batch->steps; round++)
		for (step = 0; step < batch->steps; step++)
			for (via = 0; via < batch->steps; via++)
				if (waits[step] & 1U << via)
					waits[step] |= waits[via];
	for (step = 0; step < batch->steps; step++)
		if (waits[step] & 1U << step)
			return true;
	return false;
}

static bool all_ended(const struct batch *batch)
{
	unsigned int step;

	for (step = 0; step < batch->steps; step++)
		if (!batch->step[step].ended)
			return false;
	return true;
}

/* Empty it, and keep it for another time or not. */
static void finish(struct batch *batch)
{
	if (dice(2)) {
		assert_int_equal(saferring_batch_destroy(batch->batch), 0);
		batch->batch = NULL;
	} else {
		assert_int_equal(saferring_batch_reset(batch->batch), 0);
	}
	batch->steps = 0;
	batch->submitted = false;
	batch->disturbed = false;
}

static void submit(struct batch *batch)
{
	const bool circle = has_circle(batch);
	const int result = saferring_batch_submit(batch->batch);

	if (circle) {
		assert_int_equal(result, -ELOOP);
		world.circles++;
		batch->disturbed = true;
		return;
	}
	assert_in_range(result, 1, batch->steps);
	batch->submitted = true;
	world.batches++;
	world.links += info_of(batch).linked;
}

static struct batch *empty_batch(unsigned int ring, bool fails_fast)
{
	struct batch *batch = &world.batch[ring][dice(BATCHES)];

	if (batch->steps)
		return NULL;
	if (batch->batch && batch->fail_fast != fails_fast) {
		assert_int_equal(saferring_batch_destroy(batch->batch), 0);
		batch->batch = NULL;
	}
	if (!batch->batch)
		assert_int_equal(
			saferring_batch_create(world.ring[ring], STEPS,
					       fails_fast ?
						       SAFERRING_BATCH_FAIL_FAST :
						       0,
					       &batch->batch),
			0);
	batch->fail_fast = fails_fast;
	batch->disturbed = false;
	return batch;
}

void build_batch(unsigned int ring)
{
	struct batch *batch = empty_batch(ring, !dice(3));

	if (!batch)
		return;
	add_steps(ring, batch);
	if (!batch->steps)
		return;
	add_dependencies(batch);
	if (dice(4))
		submit(batch);
}

/* ---- moving on ---- */

/* Nothing can be taken out of one, and none goes while it is under way. */
static void refuse(struct batch *batch)
{
	if (!batch->submitted || all_ended(batch))
		return;
	if (info_of(batch).left)
		assert_int_equal(saferring_batch_reset(batch->batch), -EBUSY);
	assert_int_equal(saferring_batch_submit(batch->batch), -EBUSY);
	assert_int_equal(saferring_batch_add(batch->batch), -EBUSY);
}

static void cancel_batch(struct batch *batch)
{
	const unsigned int left = info_of(batch).left;

	if (!batch->submitted)
		assert_int_equal(left, batch->steps);
	assert_int_equal(saferring_batch_cancel(batch->batch), left);
	batch->disturbed = true;
	batch->submitted = true;
}

void move_batch(unsigned int ring)
{
	struct batch *batch = &world.batch[ring][dice(BATCHES)];

	if (!batch->steps)
		return;
	switch (dice(6)) {
	case 0:
		cancel_batch(batch);
		break;
	case 1:
		refuse(batch);
		break;
	default:
		if (!batch->submitted)
			submit(batch);
		break;
	}
}

void fail_fast(unsigned int ring)
{
	struct batch *batch = empty_batch(ring, true);
	unsigned int tries;

	if (!batch)
		return;
	world.queued = NULL;
	hang(ring, world.silent[0]);
	add_queued(batch);
	hang(ring, world.silent[0]);
	if (add_queued(batch) && batch->steps == 2)
		depend(batch, 1, 0, dice(2));
	hang(ring, -1);
	if (!add_queued(batch)) {
		if (batch->steps)
			cancel_batch(batch);
		return;
	}
	submit(batch);
	for (tries = 0; !all_ended(batch); tries++) {
		if (tries == 100000)
			fail_batch(batch, "does not end");
		reap(ring, true);
	}
	world.cut++;
}

/* ---- completions ---- */

void note_step(struct op *op, const struct saferring_completion *c)
{
	struct step *step;

	if (!op->batch)
		return;
	step = &op->batch->step[op->step];
	if (step->known)
		return;
	if (op->back <= 1 || c->result < 0)
		step->result = c->result;
	else if (step->result >= 0)
		step->result += c->result;
	step->known = op->parts == op->back ||
		      op->kind == SAFERRING_OPERATION_SEND_ZC;
}

static bool succeeded(const struct batch *batch, unsigned int step)
{
	return state_of(batch, step).state == SAFERRING_STEP_SUCCEEDED;
}

bool is_over(const struct batch *batch, unsigned int step)
{
	return state_of(batch, step).state >= SAFERRING_STEP_SUCCEEDED;
}

/* It did something, so it may have done so only after those. */
static void check_order(const struct batch *batch, const struct step *step)
{
	unsigned int other;

	for (other = 0; other < batch->steps; other++) {
		if (step->after & 1U << other)
			assert_true(succeeded(batch, other));
		if (step->behind & 1U << other)
			assert_true(is_over(batch, other));
	}
}

/* Why a step was cancelled, if it was. */
static bool has_reason(const struct batch *batch, const struct step *step)
{
	unsigned int other;

	if (batch->disturbed)
		return true;
	if (batch->fail_fast && info_of(batch).failed)
		return true;
	for (other = 0; other < batch->steps; other++)
		if (step->after & 1U << other && !succeeded(batch, other))
			return true;
	return false;
}

static void check_end(const struct batch *batch)
{
	unsigned int step;

	assert_int_equal(info_of(batch).left, 0);
	for (step = 0; step < batch->steps; step++)
		if (state_of(batch, step).state == SAFERRING_STEP_CANCELLED &&
		    !has_reason(batch, &batch->step[step]))
			fail_batch(batch, "was cancelled without a reason");
}

void end_step(struct op *op)
{
	struct batch *batch = op->batch;
	struct saferring_step state;
	struct step *step;

	if (!batch)
		return;
	op->batch = NULL;
	step = &batch->step[op->step];
	step->ended = true;
	state = state_of(batch, op->step);
	assert_int_equal(state.user_data, step->id);
	assert_int_equal(state.result, step->result);
	assert_true(state.state >= SAFERRING_STEP_SUCCEEDED);
	if (step->result == -ECANCELED)
		assert_int_equal(state.state, SAFERRING_STEP_CANCELLED);
	else
		check_order(batch, step);
	if (!all_ended(batch))
		return;
	check_end(batch);
	finish(batch);
}

void disturb(unsigned int ring)
{
	unsigned int number;

	for (number = 0; number < BATCHES; number++)
		world.batch[ring][number].disturbed = true;
}

/* The ring is gone, and every step of its batches has ended. */
void end_batches(unsigned int ring)
{
	unsigned int number;

	for (number = 0; number < BATCHES; number++) {
		struct batch *batch = &world.batch[ring][number];

		if (batch->batch)
			assert_int_equal(info_of(batch).left, 0);
		assert_int_equal(saferring_batch_destroy(batch->batch), 0);
		*batch = (struct batch){ 0 };
	}
}
