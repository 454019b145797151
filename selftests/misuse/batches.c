// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse of batches: a step that waits has its buffer as one in flight has, and
 * what was submitted is fixed.
 */
#include <poll.h>
#include "misuse.h"

static struct saferring_batch *make_batch(struct scene *s)
{
	struct saferring_batch *batch;

	MUST(saferring_batch_create(s->ring, 4, 0, &batch));
	return batch;
}

/* A step that has not started, and will not. */
static saferring_buffer waiting(struct scene *s)
{
	struct saferring_batch *batch = make_batch(s);
	saferring_buffer b = take(s);

	READ(b);
	MUST(saferring_batch_add(batch));
	return b;
}

CASE(data_of_a_step_that_waits)
{
	saferring_buffer b = waiting(s);

	WRONG(DATA(b));
}

CASE(put_of_a_step_that_waits)
{
	saferring_buffer b = waiting(s);

	WRONG(PUT(b));
}

CASE(a_read_into_the_buffer_of_a_step_that_waits)
{
	saferring_buffer b = waiting(s);

	WRONG(READ(b));
}

CASE(put_of_the_old_handle_after_the_step)
{
	struct saferring_batch *batch = make_batch(s);
	saferring_buffer b = take(s);

	READ(b);
	MUST(saferring_batch_add(batch));
	MUST(saferring_batch_submit(batch));
	wait_for(s);
	WRONG(PUT(b));
}

CASE(put_of_the_old_handle_of_a_step_that_was_cancelled)
{
	struct saferring_batch *batch = make_batch(s);
	saferring_buffer b = take(s);

	READ(b);
	MUST(saferring_batch_add(batch));
	MUST(saferring_batch_cancel(batch));
	wait_for(s);
	WRONG(PUT(b));
}

/* ---- refused by the result alone ---- */

/* Under way, and it does not end. */
static struct saferring_batch *under_way(struct scene *s)
{
	struct saferring_batch *batch = make_batch(s);

	MUST(saferring_ring_read(s->ring, s->pipe[0], take(s), 0, 16,
				 (uint64_t)-1, 7));
	MUST(saferring_batch_add(batch));
	MUST(saferring_batch_submit(batch));
	return batch;
}

static struct saferring_batch *of_two(struct scene *s)
{
	struct saferring_batch *batch = make_batch(s);
	int step;

	for (step = 0; step < 2; step++) {
		MUST(saferring_ring_nop(s->ring, 0));
		MUST(saferring_batch_add(batch));
	}
	return batch;
}

CASE(steps_that_wait_for_each_other)
{
	struct saferring_batch *batch = of_two(s);

	MUST(saferring_batch_after(batch, 0, 1, 0));
	MUST(saferring_batch_after(batch, 1, 0, 0));
	WRONG(ANYHOW(saferring_batch_submit(batch)));
}

CASE(a_step_that_waits_for_itself)
{
	struct saferring_batch *batch = of_two(s);

	MUST(saferring_batch_after(batch, 1, 1, SAFERRING_AFTER_END));
	WRONG(ANYHOW(saferring_batch_submit(batch)));
}

CASE(a_step_that_waits_for_one_that_is_not_there)
{
	struct saferring_batch *batch = of_two(s);

	WRONG(ANYHOW(saferring_batch_after(batch, 0, 2, 0)));
}

CASE(a_batch_submitted_twice)
{
	struct saferring_batch *batch = under_way(s);

	WRONG(ANYHOW(saferring_batch_submit(batch)));
}

CASE(a_batch_submitted_after_it_was_cancelled)
{
	struct saferring_batch *batch = of_two(s);

	MUST(saferring_batch_cancel(batch));
	WRONG(ANYHOW(saferring_batch_submit(batch)));
}

CASE(a_batch_submitted_without_a_step)
{
	struct saferring_batch *batch = make_batch(s);

	WRONG(ANYHOW(saferring_batch_submit(batch)));
}

CASE(a_dependency_of_a_batch_under_way)
{
	struct saferring_batch *batch = under_way(s);

	WRONG(ANYHOW(saferring_batch_after(batch, 0, 0, 0)));
}

CASE(a_step_added_to_a_batch_under_way)
{
	struct saferring_batch *batch = under_way(s);

	MUST(saferring_ring_nop(s->ring, 0));
	WRONG(ANYHOW(saferring_batch_add(batch)));
}

CASE(a_batch_destroyed_under_way)
{
	struct saferring_batch *batch = under_way(s);

	WRONG(ANYHOW(saferring_batch_destroy(batch)));
}

CASE(a_batch_emptied_under_way)
{
	struct saferring_batch *batch = under_way(s);

	WRONG(ANYHOW(saferring_batch_reset(batch)));
}

CASE(a_step_dropped)
{
	under_way(s);
	WRONG(ANYHOW(saferring_ring_drop(s->ring,
					 saferring_ring_find(s->ring, 7))));
}

CASE(nothing_added_to_a_batch)
{
	struct saferring_batch *batch = make_batch(s);

	WRONG(ANYHOW(saferring_batch_add(batch)));
}

CASE(a_multishot_operation_as_a_step)
{
	struct saferring_batch *batch = make_batch(s);

	skip_unless(saferring_ring_supports(s->ring,
					    SAFERRING_OPERATION_POLL_MULTISHOT));
	MUST(saferring_ring_poll_multishot(s->ring, s->pipe[0], POLLIN, 0));
	WRONG(ANYHOW(saferring_batch_add(batch)));
}

CASE(more_steps_than_a_batch_has)
{
	struct saferring_batch *batch;

	MUST(saferring_batch_create(s->ring, 1, 0, &batch));
	MUST(saferring_ring_nop(s->ring, 0));
	MUST(saferring_batch_add(batch));
	MUST(saferring_ring_nop(s->ring, 0));
	WRONG(ANYHOW(saferring_batch_add(batch)));
}

CASE(a_batch_with_more_room_than_its_ring)
{
	struct saferring_batch *batch;

	WRONG(ANYHOW(saferring_batch_create(s->ring, 9, 0, &batch)));
}

const struct misuse batch_misuses[] = {
	FAST(data_of_a_step_that_waits, USE_AFTER_SUBMIT),
	FAST(put_of_a_step_that_waits, PUT_IN_FLIGHT),
	FAST(a_read_into_the_buffer_of_a_step_that_waits, DOUBLE_SUBMIT),
	FAST(put_of_the_old_handle_after_the_step, SUPERSEDED),
	FAST(put_of_the_old_handle_of_a_step_that_was_cancelled, SUPERSEDED),
	SILENT(steps_that_wait_for_each_other, ARGUMENT),
	SILENT(a_step_that_waits_for_itself, ARGUMENT),
	SILENT(a_step_that_waits_for_one_that_is_not_there, ARGUMENT),
	SILENT(a_batch_submitted_twice, BUSY),
	SILENT(a_batch_submitted_after_it_was_cancelled, BUSY),
	SILENT(a_batch_submitted_without_a_step, ARGUMENT),
	SILENT(a_dependency_of_a_batch_under_way, BUSY),
	SILENT(a_step_added_to_a_batch_under_way, BUSY),
	SILENT(a_batch_destroyed_under_way, BUSY),
	SILENT(a_batch_emptied_under_way, BUSY),
	SILENT(a_step_dropped, BUSY),
	SILENT(nothing_added_to_a_batch, ARGUMENT),
	SILENT(a_multishot_operation_as_a_step, ARGUMENT),
	SILENT(more_steps_than_a_batch_has, DEPTH),
	SILENT(a_batch_with_more_room_than_its_ring, ARGUMENT),
	{ 0 },
};
