// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse of groups: buffers that were provided are the kernel's until a completion
 * brings them.
 */
#include <sys/socket.h>
#include "misuse.h"

/* With room for one more than it has. */
static struct saferring_group *make_group(struct scene *s)
{
	struct saferring_group *group;
	struct saferring_completion done;
	int ends[2];

	skip_unless(!saferring_group_create(s->ring, s->pool, 2, 0, &group));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	MUST(saferring_ring_recv_multishot(s->ring, ends[0], group, 0, 0));
	MUST(write(ends[1], "x", 1));
	MUST(saferring_ring_wait(s->ring, &done, 1, 1, SAFERRING_FOREVER) - 1);
	give(s, done.buffer);
	MUST(close(ends[1]));
	MUST(saferring_ring_wait(s->ring, &done, 1, 1, SAFERRING_FOREVER) - 1);
	return group;
}

static saferring_buffer provided(struct scene *s)
{
	struct saferring_group *group = make_group(s);
	saferring_buffer b = take(s);

	MUST(saferring_group_provide(group, b));
	return b;
}

CASE(data_of_a_buffer_that_was_provided)
{
	saferring_buffer b = provided(s);

	WRONG(DATA(b));
}

CASE(put_of_a_buffer_that_was_provided)
{
	saferring_buffer b = provided(s);

	WRONG(PUT(b));
}

CASE(a_read_into_a_buffer_that_was_provided)
{
	saferring_buffer b = provided(s);

	WRONG(READ(b));
}

CASE(a_send_away_of_a_buffer_that_was_provided)
{
	struct saferring_ticket ticket;
	saferring_buffer b = provided(s);

	WRONG(ANYHOW(saferring_buffer_send(s->pool, b, &ticket)));
}

CASE(a_buffer_provided_twice)
{
	struct saferring_group *group = make_group(s);
	saferring_buffer b = take(s);

	MUST(saferring_group_provide(group, b));
	WRONG(ANYHOW(saferring_group_provide(group, b)));
}

CASE(a_buffer_provided_after_the_put)
{
	struct saferring_group *group = make_group(s);
	saferring_buffer b = take(s);

	give(s, b);
	WRONG(ANYHOW(saferring_group_provide(group, b)));
}

CASE(a_buffer_in_flight_provided)
{
	struct saferring_group *group = make_group(s);
	saferring_buffer b = take(s);

	stuck_read(s, b);
	WRONG(ANYHOW(saferring_group_provide(group, b)));
}

CASE(a_buffer_of_another_pool_provided)
{
	struct saferring_group *group = make_group(s);
	saferring_buffer b;

	MUST(saferring_buffer_get(make_other(s), &b));
	WRONG(ANYHOW(saferring_group_provide(group, b)));
}

CASE(none_provided)
{
	struct saferring_group *group = make_group(s);

	WRONG(ANYHOW(saferring_group_provide(group, SAFERRING_BUFFER_NONE)));
}

CASE(put_of_the_handle_that_was_provided_after_it_was_filled)
{
	struct saferring_group *group;
	struct saferring_completion done;
	saferring_buffer b = take(s);
	int ends[2];

	skip_unless(!saferring_group_create(s->ring, s->pool, 1, 0, &group));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	MUST(saferring_ring_recv_multishot(s->ring, ends[0], group, 0, 0));
	MUST(write(ends[1], "x", 1));
	MUST(saferring_ring_wait(s->ring, &done, 1, 1, SAFERRING_FOREVER) - 1);
	MUST(saferring_group_provide(group, b));
	MUST(write(ends[1], "y", 1));
	MUST(saferring_ring_wait(s->ring, &done, 1, 1, SAFERRING_FOREVER) - 1);
	MUST(saferring_buffer_index(s->pool, done.buffer) ==
			     saferring_buffer_index(s->pool, b) ?
		     0 :
		     -1);
	WRONG(PUT(b));
}

/* ---- refused by the result alone ---- */

CASE(more_buffers_provided_than_the_group_has)
{
	struct saferring_group *group = make_group(s);

	MUST(saferring_group_provide(group, take(s)));
	WRONG(ANYHOW(saferring_group_provide(group, take(s))));
}

CASE(a_group_destroyed_under_its_receiver)
{
	struct saferring_group *group = make_group(s);

	MUST(saferring_ring_recv_multishot(s->ring, s->zero, group, 0, 0));
	WRONG(ANYHOW(saferring_group_destroy(group)));
}

CASE(a_receiver_with_a_group_of_another_ring)
{
	struct saferring_ring_options use = { .size = sizeof(use),
					      .pools = &s->pool,
					      .pool_count = 1 };
	struct saferring_group *group = make_group(s);
	struct saferring_ring *ring;

	MUST(saferring_ring_create(&use, &ring));
	WRONG(ANYHOW(saferring_ring_recv_multishot(ring, s->zero, group, 0,
						   0)));
}

CASE(a_group_of_a_pool_that_the_ring_does_not_have)
{
	struct saferring_group *group;

	make_other(s);
	WRONG(ANYHOW(saferring_group_create(s->ring, s->other_pool, 1, 0,
					    &group)));
}

CASE(a_pool_destroyed_under_a_group)
{
	make_group(s);
	WRONG(ANYHOW(saferring_pool_destroy(s->pool)));
}

CASE(more_groups_than_a_ring_has)
{
	struct saferring_group *group;
	int error;

	skip_unless(!saferring_group_create(s->ring, s->pool, 1, 0, &group));
	do {
		error = saferring_group_create(s->ring, s->pool, 1, 0, &group);
	} while (!error);
	evidence->wrong = __LINE__;
}

const struct misuse group_misuses[] = {
	FAST(data_of_a_buffer_that_was_provided, USE_AFTER_SUBMIT),
	FAST(put_of_a_buffer_that_was_provided, PUT_IN_FLIGHT),
	FAST(a_read_into_a_buffer_that_was_provided, DOUBLE_SUBMIT),
	FAST(a_send_away_of_a_buffer_that_was_provided, USE_AFTER_SUBMIT),
	FAST(a_buffer_provided_twice, DOUBLE_SUBMIT),
	FAST(a_buffer_provided_after_the_put, USE_AFTER_PUT),
	FAST(a_buffer_in_flight_provided, DOUBLE_SUBMIT),
	FAST(a_buffer_of_another_pool_provided, FOREIGN_POOL),
	FAST(none_provided, GARBAGE),
	FAST(put_of_the_handle_that_was_provided_after_it_was_filled,
	     SUPERSEDED),
	SILENT(more_buffers_provided_than_the_group_has, DEPTH),
	SILENT(a_group_destroyed_under_its_receiver, BUSY),
	SILENT(a_receiver_with_a_group_of_another_ring, ARGUMENT),
	SILENT(a_group_of_a_pool_that_the_ring_does_not_have, ARGUMENT),
	SILENT(a_pool_destroyed_under_a_group, BUSY),
	SILENT(more_groups_than_a_ring_has, BUSY),
	{ 0 },
};
