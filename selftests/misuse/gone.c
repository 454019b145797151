// SPDX-License-Identifier: GPL-2.0
/*
 * Use of what is gone: memory that was revoked, rings that were destroyed, and
 * what belongs to the parent process.
 */
#include <sys/wait.h>
#include "misuse.h"

/* ---- the memory is gone ---- */

static saferring_buffer without_memory(struct scene *s)
{
	saferring_buffer b = take(s);

	MUST(saferring_region_revoke(s->region));
	return b;
}

CASE(data_after_revoke)
{
	saferring_buffer b = without_memory(s);

	WRONG(DATA(b));
}

CASE(put_after_revoke)
{
	saferring_buffer b = without_memory(s);

	WRONG(PUT(b));
}

CASE(a_read_after_revoke)
{
	saferring_buffer b = without_memory(s);

	WRONG(READ(b));
}

CASE(a_write_after_revoke)
{
	saferring_buffer b = without_memory(s);

	WRONG(WRITE(b));
}

CASE(data_of_a_completion_into_a_revoked_region)
{
	saferring_buffer b = take(s);

	stuck_read(s, b);
	MUST(saferring_region_revoke(s->region));
	unstick_read(s);
	b = wait_for(s);
	WRONG(DATA(b));
}

/* ---- another process ---- */

static void in_child(struct scene *s, void (*function)(struct scene *s,
						       saferring_buffer b))
{
	saferring_buffer b = take(s);
	const pid_t child = fork();

	MUST(child);
	if (!child) {
		function(s, b);
		evidence->reason = saferring_error_last()->reason;
		_exit(0);
	}
	MUST(waitpid(child, NULL, 0));
	/* This process did nothing wrong; keep what the child left. */
	evidence->survived = true;
	_exit(0);
}

static void child_gets(struct scene *s, saferring_buffer b)
{
	WRONG(ANYHOW(saferring_buffer_get(s->pool, &b)));
}

static void child_puts(struct scene *s, saferring_buffer b)
{
	WRONG(PUT(b));
}

static void child_looks(struct scene *s, saferring_buffer b)
{
	WRONG(DATA(b));
}

static void child_reads(struct scene *s, saferring_buffer b)
{
	WRONG(READ(b));
}

static void child_submits(struct scene *s, saferring_buffer b)
{
	(void)b;
	WRONG(ANYHOW(saferring_ring_submit(s->ring)));
}

static void child_destroys(struct scene *s, saferring_buffer b)
{
	(void)b;
	WRONG(ANYHOW(saferring_pool_destroy(s->pool)));
}

CASE(get_in_a_child) { in_child(s, child_gets); }
CASE(put_in_a_child) { in_child(s, child_puts); }
CASE(data_in_a_child) { in_child(s, child_looks); }
CASE(a_read_in_a_child) { in_child(s, child_reads); }
CASE(submit_in_a_child) { in_child(s, child_submits); }
CASE(destroying_a_pool_in_a_child) { in_child(s, child_destroys); }

/* ---- a ring that was destroyed ---- */

/* What was in flight is back in its pool. */
static saferring_buffer left_by_the_ring(struct scene *s)
{
	saferring_buffer b = take(s);

	stuck_read(s, b);
	MUST(saferring_ring_destroy(s->ring, 1000));
	return b;
}

CASE(data_of_a_buffer_that_was_in_flight_at_the_end)
{
	saferring_buffer b = left_by_the_ring(s);

	WRONG(DATA(b));
}

CASE(put_of_a_buffer_that_was_in_flight_at_the_end)
{
	saferring_buffer b = left_by_the_ring(s);

	WRONG(PUT(b));
}

CASE(put_of_a_buffer_whose_completion_was_not_reaped)
{
	saferring_buffer b = take(s);

	READ(b);
	send_off(s);
	MUST(saferring_ring_destroy(s->ring, 1000));
	WRONG(PUT(b));
}

CASE(data_of_a_buffer_that_was_only_queued_at_the_end)
{
	saferring_buffer b = take(s);

	READ(b);
	MUST(saferring_ring_destroy(s->ring, 1000));
	WRONG(DATA(b));
}

CASE(put_of_a_buffer_provided_to_a_ring_that_is_gone)
{
	struct saferring_group *group;
	saferring_buffer b = take(s);

	skip_unless(!saferring_group_create(s->ring, s->pool, 2, 0, &group));
	MUST(saferring_group_destroy(group));
	MUST(saferring_group_create(s->ring, s->pool, 1, 0, &group));
	MUST(saferring_ring_destroy(s->ring, 1000));
	give(s, b);
	WRONG(PUT(b));
}

/* ---- the memory of a ring ---- */

static struct saferring_region *memory_of_a_ring(struct scene *s)
{
	struct saferring_region_options memory;
	struct saferring_ring_options use;
	struct saferring_ring *ring;

	SAFERRING_OPTIONS_INIT(&memory);
	memory.length = REGION;
	MUST(saferring_region_create(s->device, &memory, &s->other_region));
	SAFERRING_OPTIONS_INIT(&use);
	use.pools = &s->pool;
	use.pool_count = 1;
	use.memory = s->other_region;
	MUST(saferring_ring_create(&use, &ring));
	return s->other_region;
}

CASE(the_memory_of_a_ring_destroyed)
{
	struct saferring_region *memory = memory_of_a_ring(s);

	WRONG(ANYHOW(saferring_region_destroy(memory, 0, 0)));
}

CASE(the_memory_of_a_ring_destroyed_by_force)
{
	struct saferring_region *memory = memory_of_a_ring(s);

	WRONG(ANYHOW(saferring_region_destroy(memory, SAFERRING_DESTROY_FORCE,
					      0)));
}

CASE(the_memory_of_a_ring_revoked)
{
	struct saferring_region *memory = memory_of_a_ring(s);

	WRONG(ANYHOW(saferring_region_revoke(memory)));
}

CASE(the_memory_of_a_ring_shared)
{
	struct saferring_region *memory = memory_of_a_ring(s);
	int fd;

	WRONG(ANYHOW(saferring_region_export(memory, &fd)));
}

CASE(buffers_in_the_memory_of_a_ring)
{
	struct saferring_pool_options cut = { .size = sizeof(cut),
					      .buffer_size = SIZE };
	struct saferring_region *memory = memory_of_a_ring(s);
	struct saferring_pool *pool;

	WRONG(ANYHOW(saferring_pool_create(&memory, 1, &cut, &pool)));
}

CASE(the_memory_of_a_ring_where_buffers_are)
{
	struct saferring_ring_options use = { .size = sizeof(use),
					      .pools = &s->pool,
					      .pool_count = 1,
					      .memory = s->region };
	struct saferring_ring *ring;

	WRONG(ANYHOW(saferring_ring_create(&use, &ring)));
}

const struct misuse gone_misuses[] = {
	FAST(data_after_revoke, REGION_GONE),
	FAST(put_after_revoke, REGION_GONE),
	FAST(a_read_after_revoke, REGION_GONE),
	FAST(a_write_after_revoke, REGION_GONE),
	FAST(data_of_a_completion_into_a_revoked_region, REGION_GONE),
	SILENT(get_in_a_child, FORKED),
	SILENT(put_in_a_child, FORKED),
	SILENT(data_in_a_child, FORKED),
	SILENT(a_read_in_a_child, FORKED),
	SILENT(submit_in_a_child, FORKED),
	SILENT(destroying_a_pool_in_a_child, FORKED),
	FAST(data_of_a_buffer_that_was_in_flight_at_the_end, USE_AFTER_PUT),
	FAST(put_of_a_buffer_that_was_in_flight_at_the_end, DOUBLE_PUT),
	FAST(put_of_a_buffer_whose_completion_was_not_reaped, DOUBLE_PUT),
	FAST(data_of_a_buffer_that_was_only_queued_at_the_end, USE_AFTER_PUT),
	FAST(put_of_a_buffer_provided_to_a_ring_that_is_gone, DOUBLE_PUT),
	SILENT(the_memory_of_a_ring_destroyed, BUSY),
	SILENT(the_memory_of_a_ring_destroyed_by_force, BUSY),
	SILENT(the_memory_of_a_ring_revoked, BUSY),
	SILENT(the_memory_of_a_ring_shared, BUSY),
	SILENT(buffers_in_the_memory_of_a_ring, BUSY),
	SILENT(the_memory_of_a_ring_where_buffers_are, BUSY),
	{ 0 },
};
