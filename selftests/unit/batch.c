// SPDX-License-Identifier: GPL-2.0
/*
 * Batches: steps that wait for each other.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include "common.h"

#define DEPTH 16U
#define MS    1000000ULL

static int up(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING);
	return 0;
}

static int down(void **state)
{
	struct stage *stage = *state;

	assert_all_back(stage->pool);
	stage_down(stage);
	return 0;
}

static struct saferring_batch *make(struct stage *stage, unsigned int flags)
{
	struct saferring_batch *batch = NULL;

	assert_int_equal(saferring_batch_create(stage->ring, DEPTH, flags,
						&batch),
			 0);
	return batch;
}

static unsigned int add(struct saferring_batch *batch)
{
	const int step = saferring_batch_add(batch);

	assert_true(step >= 0);
	return (unsigned int)step;
}

static unsigned int add_write(struct stage *stage,
			      struct saferring_batch *batch, int fd, char letter,
			      uint64_t offset)
{
	const saferring_buffer buffer = get(stage->pool);

	bytes_of(stage->pool, buffer)[0] = (unsigned char)letter;
	assert_int_equal(saferring_ring_write(stage->ring, fd, buffer, 0, 1,
					      offset, (uint64_t)letter),
			 0);
	return add(batch);
}

static unsigned int add_nop(struct stage *stage, struct saferring_batch *batch)
{
	assert_int_equal(saferring_ring_nop(stage->ring, 1000), 0);
	return add(batch);
}

static unsigned int add_failure(struct stage *stage,
				struct saferring_batch *batch)
{
	return add_write(stage, batch, -1, '!', 0);
}

static void after(struct saferring_batch *batch, unsigned int step,
		  unsigned int other, unsigned int flags)
{
	assert_int_equal(saferring_batch_after(batch, step, other, flags), 0);
}

static struct saferring_step look(struct saferring_batch *batch,
				  unsigned int step)
{
	struct saferring_step out = { .size = sizeof(out) };

	assert_int_equal(saferring_batch_step(batch, step, &out), 0);
	return out;
}

static struct saferring_batch_info info_of(struct saferring_batch *batch)
{
	struct saferring_batch_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_batch_info(batch, &info), 0);
	return info;
}

static unsigned int enters(const struct stage *stage)
{
	struct saferring_ring_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_ring_stats(stage->ring, &stats), 0);
	return (unsigned int)stats.enters;
}

/* Reap until the batch has ended, note the order, and put what comes. */
static unsigned int finish(struct stage *stage, struct saferring_batch *batch,
			   uint64_t *order)
{
	struct saferring_completion c[DEPTH];
	unsigned int seen = 0;
	int count, number;

	while (info_of(batch).left || info_of(batch).steps > seen) {
		count = saferring_ring_wait(stage->ring, c, DEPTH, 1,
					    2000 * MS);
		assert_true(count > 0);
		for (number = 0; number < count; number++) {
			if (c[number].pool)
				put(c[number].pool, c[number].buffer);
			if (c[number].flags & SAFERRING_COMPLETION_MORE)
				continue;
			if (order)
				order[seen] = c[number].user_data;
			seen++;
		}
	}
	return seen;
}

static void assert_states(struct saferring_batch *batch,
			  unsigned int succeeded, unsigned int failed,
			  unsigned int cancelled)
{
	assert_int_equal(info_of(batch).left, 0);
	assert_int_equal(info_of(batch).succeeded, succeeded);
	assert_int_equal(info_of(batch).failed, failed);
	assert_int_equal(info_of(batch).cancelled, cancelled);
}

static void drop_batch(struct saferring_batch *batch)
{
	assert_int_equal(saferring_batch_destroy(batch), 0);
}

/* ---- order ---- */

static void a_chain_is_linked_and_one_call_starts_it(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	const int fd = pattern_file(0);
	const unsigned int before = enters(stage);
	uint64_t order[3];
	unsigned int a, b, c;
	char text;

	/* Added in another order than they are to run. */
	c = add_write(stage, batch, fd, 'c', 0);
	a = add_write(stage, batch, fd, 'a', 0);
	b = add_write(stage, batch, fd, 'b', 0);
	after(batch, c, b, 0);
	after(batch, b, a, 0);
	assert_int_equal(saferring_batch_submit(batch), 3);
	assert_int_equal(enters(stage), before + 1);
	assert_int_equal(info_of(batch).linked, 2);
	assert_int_equal(finish(stage, batch, order), 3);
	assert_int_equal(order[0], 'a');
	assert_int_equal(order[1], 'b');
	assert_int_equal(order[2], 'c');
	assert_int_equal(pread(fd, &text, 1, 0), 1);
	assert_int_equal(text, 'c');
	assert_states(batch, 3, 0, 0);
	assert_int_equal(look(batch, a).result, 1);
	assert_int_equal(look(batch, a).user_data, 'a');
	assert_int_equal(look(batch, a).state, SAFERRING_STEP_SUCCEEDED);
	drop_batch(batch);
	close(fd);
}

/* a before b and c, both before d: released by completion where no chain is. */
static void a_diamond_runs_in_order(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	const int fd = pattern_file(0);
	uint64_t order[4];
	unsigned int a, b, c, d;

	d = add_write(stage, batch, fd, 'd', 0);
	b = add_write(stage, batch, fd, 'b', 1);
	c = add_write(stage, batch, fd, 'c', 2);
	a = add_write(stage, batch, fd, 'a', 0);
	after(batch, b, a, 0);
	after(batch, c, a, 0);
	after(batch, d, b, 0);
	after(batch, d, c, 0);
	assert_int_equal(saferring_batch_submit(batch), 1);
	assert_int_equal(finish(stage, batch, order), 4);
	assert_int_equal(order[0], 'a');
	assert_int_equal(order[3], 'd');
	assert_states(batch, 4, 0, 0);
	drop_batch(batch);
	close(fd);
}

static void independent_steps_start_together(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	const unsigned int before = enters(stage);
	unsigned int number;

	for (number = 0; number < DEPTH; number++)
		add_nop(stage, batch);
	assert_int_equal(saferring_batch_submit(batch), DEPTH);
	assert_int_equal(enters(stage), before + 1);
	finish(stage, batch, NULL);
	assert_states(batch, DEPTH, 0, 0);
	drop_batch(batch);
}

/* A timeout that expires is a success here, though the kernel breaks links. */
static void what_comes_after_a_timeout_waits_for_it(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	unsigned int first, second;
	uint64_t order[2];

	QUEUE(saferring_ring_timeout(stage->ring, 10 * MS, 0, 0, 1));
	first = add(batch);
	second = add_nop(stage, batch);
	after(batch, second, first, 0);
	assert_int_equal(saferring_batch_submit(batch), 1);
	finish(stage, batch, order);
	assert_int_equal(order[0], 1);
	assert_states(batch, 2, 0, 0);
	assert_int_equal(look(batch, first).result, -ETIME);
	drop_batch(batch);
}

/* ---- failure ---- */

static void what_waits_for_a_failed_step_is_cancelled(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	const int fd = pattern_file(0);
	unsigned int bad, one, two, three, other;

	bad = add_failure(stage, batch);
	one = add_write(stage, batch, fd, '1', 0);
	two = add_write(stage, batch, fd, '2', 0);
	three = add_write(stage, batch, fd, '3', 0);
	other = add_nop(stage, batch);
	after(batch, one, bad, 0);
	after(batch, two, bad, 0);
	after(batch, three, two, 0);
	assert_int_equal(saferring_batch_submit(batch), 2);
	finish(stage, batch, NULL);
	assert_states(batch, 1, 1, 3);
	assert_int_equal(look(batch, bad).state, SAFERRING_STEP_FAILED);
	assert_int_equal(look(batch, bad).result, -EBADF);
	assert_int_equal(look(batch, three).state, SAFERRING_STEP_CANCELLED);
	assert_int_equal(look(batch, three).result, -ECANCELED);
	assert_int_equal(look(batch, other).state, SAFERRING_STEP_SUCCEEDED);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	drop_batch(batch);
	close(fd);
}

static void a_failed_link_is_seen_as_one(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	const int fd = pattern_file(0);
	unsigned int bad, next;

	bad = add_failure(stage, batch);
	next = add_write(stage, batch, fd, 'x', 0);
	after(batch, next, bad, 0);
	assert_int_equal(saferring_batch_submit(batch), 2);
	assert_int_equal(info_of(batch).linked, 1);
	finish(stage, batch, NULL);
	assert_states(batch, 0, 1, 1);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	drop_batch(batch);
	close(fd);
}

static void a_short_step_has_failed(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	const int fd = pattern_file(3), other = pattern_file(0);
	unsigned int read, write;

	assert_int_equal(saferring_ring_read(stage->ring, fd, get(stage->pool),
					     0, 4, 0, 1),
			 0);
	read = add(batch);
	write = add_write(stage, batch, other, 'x', 0);
	after(batch, write, read, 0);
	assert_int_equal(saferring_batch_submit(batch), 2);
	finish(stage, batch, NULL);
	assert_states(batch, 0, 1, 1);
	assert_int_equal(look(batch, read).result, 3);
	drop_batch(batch);
	close(fd);
	close(other);
}

static void a_short_step_of_many_buffers_has_failed(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	const struct saferring_range ranges[] = {
		{ get(stage->pool), 0, 8 },
		{ get(stage->pool), 0, 8 },
	};
	const int fd = pattern_file(12);

	assert_int_equal(saferring_ring_readv(stage->ring, fd, ranges, 2, 0, 1),
			 0);
	add(batch);
	add_write(stage, batch, fd, 'w', 0);
	after(batch, 1, 0, 0);
	assert_int_equal(saferring_batch_submit(batch), 2);
	finish(stage, batch, NULL);
	assert_states(batch, 0, 1, 1);
	assert_int_equal(look(batch, 0).result, 12);
	drop_batch(batch);
	close(fd);
}

/* Linked in the kernel, and released by completion. */
static void an_end_is_waited_for_whatever_it_is(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	unsigned int bad, worse, one, two;

	bad = add_failure(stage, batch);
	one = add_nop(stage, batch);
	after(batch, one, bad, SAFERRING_AFTER_END);
	worse = add_failure(stage, batch);
	two = add_nop(stage, batch);
	after(batch, two, worse, SAFERRING_AFTER_END);
	after(batch, two, bad, SAFERRING_AFTER_END);
	assert_int_equal(saferring_batch_submit(batch), 2);
	finish(stage, batch, NULL);
	assert_states(batch, 2, 2, 0);
	saferring_batch_destroy(batch);

	batch = make(stage, 0);
	bad = add_failure(stage, batch);
	one = add_nop(stage, batch);
	after(batch, one, bad, SAFERRING_AFTER_END);
	assert_int_equal(saferring_batch_submit(batch), 2);
	assert_int_equal(info_of(batch).linked, 1);
	finish(stage, batch, NULL);
	assert_states(batch, 1, 1, 0);
	drop_batch(batch);
}

/* A broken link cancels all that is linked behind it, hard links or not. */
static void an_end_behind_a_broken_link_is_waited_for(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	const int fd = pattern_file(16);
	unsigned int bad, cancelled, one, two;

	bad = add_failure(stage, batch);
	cancelled = add_write(stage, batch, fd, 'c', 0);
	one = add_write(stage, batch, fd, 'd', 1);
	two = add_nop(stage, batch);
	after(batch, cancelled, bad, 0);
	after(batch, one, cancelled, SAFERRING_AFTER_END);
	after(batch, two, one, 0);
	assert_int_equal(saferring_batch_submit(batch), 2);
	assert_int_equal(info_of(batch).linked, 2);
	finish(stage, batch, NULL);
	assert_states(batch, 2, 1, 1);
	assert_int_equal(look(batch, one).result, 1);
	drop_batch(batch);
	close(fd);
}

/* Even what is in flight and waits for nothing ends, and its buffer is back. */
static void a_failure_ends_all_that_is_in_flight(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, SAFERRING_BATCH_FAIL_FAST);
	unsigned int hangs, bad, later;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 1),
			 0);
	hangs = add(batch);
	bad = add_failure(stage, batch);
	later = add_nop(stage, batch);
	after(batch, later, hangs, 0);
	after(batch, later, bad, SAFERRING_AFTER_END);
	assert_int_equal(saferring_batch_submit(batch), 2);
	finish(stage, batch, NULL);
	assert_states(batch, 0, 1, 2);
	assert_int_equal(look(batch, hangs).result, -ECANCELED);
	drop_batch(batch);
	close(pipe[0]);
	close(pipe[1]);
}

/*
 * The kernel starts it when the one before it has been cancelled, and knows
 * nothing before of a cancellation.
 */
static void what_is_linked_behind_a_cancelled_step_is_cancelled(void **state)
{
	struct stage *stage = *state;
	unsigned int fails, step;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	for (fails = 0; fails < 2; fails++) {
		struct saferring_batch *batch =
			make(stage, fails ? SAFERRING_BATCH_FAIL_FAST : 0);

		for (step = 0; step < 4; step++) {
			assert_int_equal(
				saferring_ring_read(stage->ring, pipe[0],
						    get(stage->pool), 0, 8, -1,
						    step),
				0);
			add(batch);
			if (step)
				after(batch, step, step - 1,
				      SAFERRING_AFTER_END);
		}
		if (fails)
			add_failure(stage, batch);
		assert_int_equal(saferring_batch_submit(batch), 4 + fails);
		assert_int_equal(info_of(batch).linked, 3);
		if (!fails)
			assert_int_equal(saferring_batch_cancel(batch), 4);
		finish(stage, batch, NULL);
		assert_states(batch, 0, fails, 4);
		drop_batch(batch);
	}
	close(pipe[0]);
	close(pipe[1]);
}

static void a_cancelled_batch_ends(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	unsigned int hangs, later;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 1),
			 0);
	hangs = add(batch);
	later = add_nop(stage, batch);
	after(batch, later, hangs, SAFERRING_AFTER_END);
	add_nop(stage, batch);
	after(batch, 2, later, 0);
	after(batch, 2, hangs, 0);
	assert_int_equal(saferring_batch_submit(batch), 1);
	assert_int_equal(saferring_batch_destroy(batch), -EBUSY);
	assert_int_equal(saferring_batch_reset(batch), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	assert_int_equal(saferring_ring_drop(stage->ring,
					     saferring_ring_find(stage->ring,
								 1)),
			 -EBUSY);
	assert_int_equal(saferring_batch_cancel(batch), 3);
	finish(stage, batch, NULL);
	assert_states(batch, 0, 0, 3);
	assert_int_equal(saferring_batch_cancel(batch), 0);
	drop_batch(batch);
	close(pipe[0]);
	close(pipe[1]);
}

/* Its steps have ended, and their buffers are the program's already. */
static void a_batch_that_was_cancelled_is_not_submitted(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	const int fd = pattern_file(16);

	add_write(stage, batch, fd, 'a', 0);
	add_nop(stage, batch);
	after(batch, 1, 0, 0);
	assert_int_equal(saferring_batch_cancel(batch), 2);
	assert_int_equal(saferring_batch_submit(batch), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	assert_int_equal(saferring_batch_after(batch, 1, 0, 0), -EBUSY);
	finish(stage, batch, NULL);
	assert_states(batch, 0, 0, 2);
	assert_int_equal(saferring_batch_reset(batch), 0);
	add_nop(stage, batch);
	assert_int_equal(saferring_batch_submit(batch), 1);
	expect(stage->ring, 1000, 0);
	drop_batch(batch);
	close(fd);
}

/* A chain of the program's ends with what the program queued last. */
static void a_step_is_no_part_of_the_programs_chain(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);

	add_nop(stage, batch);
	assert_int_equal(saferring_ring_read(stage->ring, -1, get(stage->pool),
					     0, 8, 0, 5),
			 0);
	assert_int_equal(saferring_ring_modify(stage->ring, SAFERRING_LINK), 0);
	assert_int_equal(saferring_batch_submit(batch), 1);
	expect(stage->ring, 5, -EBADF);
	expect(stage->ring, 1000, 0);
	drop_batch(batch);
}

/* ---- refusals ---- */

static void a_circle_is_refused_and_named(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	unsigned int number;

	for (number = 0; number < 5; number++)
		add_nop(stage, batch);
	after(batch, 1, 0, 0);
	after(batch, 2, 1, 0);
	after(batch, 3, 2, 0);
	after(batch, 1, 3, 0);
	after(batch, 4, 3, 0);
	assert_int_equal(saferring_batch_submit(batch), -ELOOP);
	assert_error(-ELOOP, SAFERRING_REASON_ARGUMENT);
	assert_non_null(strstr(saferring_error_last()->what,
			       "1 -> 3 -> 2 -> 1"));
	/* Nothing has started, and all of it completes as withdrawn. */
	assert_int_equal(saferring_batch_reset(batch), 0);
	for (number = 0; number < 5; number++) {
		const struct saferring_completion c = next_of(stage->ring);

		assert_int_equal(c.result, -ECANCELED);
		assert_int_equal(c.flags, SAFERRING_COMPLETION_WITHDRAWN);
	}
	add_nop(stage, batch);
	after(batch, 0, 0, 0);
	assert_int_equal(saferring_batch_submit(batch), -ELOOP);
	assert_non_null(strstr(saferring_error_last()->what, "0 -> 0"));
	assert_int_equal(saferring_batch_destroy(batch), 0);
	assert_int_equal(next_of(stage->ring).result, -ECANCELED);
}

static void a_batch_is_refused_what_it_cannot_be(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch;

	assert_int_equal(saferring_batch_create(stage->ring, 0, 0, &batch),
			 -EINVAL);
	assert_int_equal(saferring_batch_create(stage->ring, DEPTH + 1, 0,
						&batch),
			 -EINVAL);
	assert_int_equal(saferring_batch_create(stage->ring, 1, 2, &batch),
			 -EINVAL);
	assert_int_equal(saferring_batch_create(stage->ring, 1, 0, &batch), 0);
	assert_int_equal(saferring_batch_add(batch), -ENOENT);
	assert_int_equal(saferring_batch_submit(batch), -ENOENT);
	assert_int_equal(saferring_batch_after(batch, 0, 0, 0), -EINVAL);
	QUEUE(saferring_ring_poll_multishot(stage->ring, 0, 1, 1));
	assert_int_equal(saferring_batch_add(batch), -EINVAL);
	assert_int_equal(saferring_ring_withdraw(stage->ring), 1);
	expect(stage->ring, 1, -ECANCELED);
	add_nop(stage, batch);
	assert_int_equal(saferring_ring_nop(stage->ring, 2), 0);
	assert_int_equal(saferring_batch_add(batch), -ENOSPC);
	assert_int_equal(saferring_batch_after(batch, 0, 1, 0), -EINVAL);
	assert_int_equal(saferring_batch_after(batch, 0, 0, 2), -EINVAL);
	assert_int_equal(saferring_batch_submit(batch), 1);
	assert_int_equal(saferring_batch_submit(batch), -EBUSY);
	assert_int_equal(saferring_batch_add(batch), -EBUSY);
	expect(stage->ring, 2, 0);
	expect(stage->ring, 1000, 0);
	drop_batch(batch);
	drop_batch(NULL);
}

/* ---- the ring ---- */

/* What is parked cannot come, so it is not waited for. */
static void a_wait_does_not_count_what_is_not_submitted(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	struct saferring_ring_info info = { .size = sizeof(info) };
	struct saferring_completion c;

	add_nop(stage, batch);
	assert_int_equal(saferring_ring_info(stage->ring, &info), 0);
	assert_int_equal(info.queued, 0);
	assert_int_equal(info.in_flight, 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1,
					     SAFERRING_FOREVER),
			 0);
	assert_int_equal(saferring_batch_submit(batch), 1);
	finish(stage, batch, NULL);
	drop_batch(batch);
}

static void a_ring_that_ends_takes_its_batches_along(void **state)
{
	struct stage *stage = stage_up(0, DEPTH, STAGE_RING);
	struct saferring_batch *idle = make(stage, 0), *busy = make(stage, 0);
	int pipe[2];

	(void)state;
	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	add_write(stage, idle, pipe[1], 'x', -1);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 1),
			 0);
	add(busy);
	add_write(stage, busy, pipe[1], 'x', -1);
	add_nop(stage, busy);
	after(busy, 1, 0, SAFERRING_AFTER_END);
	after(busy, 2, 0, SAFERRING_AFTER_END);
	assert_int_equal(saferring_batch_submit(busy), 1);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_all_back(stage->pool);
	assert_states(busy, 0, 0, 3);
	assert_states(idle, 0, 0, 1);
	assert_int_equal(saferring_batch_submit(idle), -EBUSY);
	drop_batch(idle);
	drop_batch(busy);
	stage_down(stage);
	close(pipe[0]);
	close(pipe[1]);
}

static void steps_with_many_buffers_end_once(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	const int fd = pattern_file(16);
	struct saferring_range ranges[2];
	unsigned int read, later;

	ranges[0] = (struct saferring_range){ get(stage->pool), 0, 8 };
	ranges[1] = (struct saferring_range){ get(stage->pool), 0, 8 };
	assert_int_equal(saferring_ring_readv(stage->ring, fd, ranges, 2, 0, 1),
			 0);
	read = add(batch);
	later = add_nop(stage, batch);
	after(batch, later, read, 0);
	assert_int_equal(saferring_batch_submit(batch), 2);
	finish(stage, batch, NULL);
	assert_states(batch, 2, 0, 0);
	assert_int_equal(look(batch, read).result, 16);
	drop_batch(batch);
	close(fd);
}

static void a_batch_is_used_again(void **state)
{
	struct stage *stage = *state;
	struct saferring_batch *batch = make(stage, 0);
	unsigned int round, number;

	for (round = 0; round < 100; round++) {
		for (number = 0; number < 4; number++) {
			add_nop(stage, batch);
			if (number)
				after(batch, number, number - 1, 0);
		}
		assert_int_equal(saferring_batch_submit(batch), 4);
		finish(stage, batch, NULL);
		assert_states(batch, 4, 0, 0);
		assert_int_equal(saferring_batch_reset(batch), 0);
	}
	drop_batch(batch);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(a_chain_is_linked_and_one_call_starts_it),
		T(a_diamond_runs_in_order),
		T(independent_steps_start_together),
		T(what_comes_after_a_timeout_waits_for_it),
		T(what_waits_for_a_failed_step_is_cancelled),
		T(a_failed_link_is_seen_as_one),
		T(a_short_step_has_failed),
		T(a_short_step_of_many_buffers_has_failed),
		T(an_end_is_waited_for_whatever_it_is),
		T(an_end_behind_a_broken_link_is_waited_for),
		T(a_failure_ends_all_that_is_in_flight),
		T(what_is_linked_behind_a_cancelled_step_is_cancelled),
		T(a_cancelled_batch_ends),
		T(a_batch_that_was_cancelled_is_not_submitted),
		T(a_step_is_no_part_of_the_programs_chain),
		T(a_circle_is_refused_and_named),
		T(a_batch_is_refused_what_it_cannot_be),
		T(a_wait_does_not_count_what_is_not_submitted),
		cmocka_unit_test(a_ring_that_ends_takes_its_batches_along),
		T(steps_with_many_buffers_end_once),
		T(a_batch_is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
