// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse of handles: caught at every depth, before any harm.
 */
#include "misuse.h"

/* ---- the kernel has the buffer ---- */

CASE(data_while_a_read_is_in_flight)
{
	saferring_buffer b = take(s);

	stuck_read(s, b);
	WRONG(DATA(b));
}

CASE(data_while_a_write_is_in_flight)
{
	saferring_buffer b = take(s);

	stuck_write(s, b);
	WRONG(DATA(b));
}

CASE(data_while_a_read_is_queued)
{
	saferring_buffer b = take(s);

	READ(b);
	WRONG(DATA(b));
}

CASE(range_while_a_read_is_in_flight)
{
	saferring_buffer b = take(s);

	stuck_read(s, b);
	WRONG(RANGE(b));
}

CASE(put_while_a_read_is_in_flight)
{
	saferring_buffer b = take(s);

	stuck_read(s, b);
	WRONG(PUT(b));
}

CASE(put_while_a_write_is_in_flight)
{
	saferring_buffer b = take(s);

	stuck_write(s, b);
	WRONG(PUT(b));
}

CASE(put_while_a_read_is_queued)
{
	saferring_buffer b = take(s);

	READ(b);
	WRONG(PUT(b));
}

CASE(two_reads_into_one_buffer)
{
	saferring_buffer b = take(s);

	stuck_read(s, b);
	WRONG(READ(b));
}

CASE(a_write_from_a_buffer_that_is_read_into)
{
	saferring_buffer b = take(s);

	stuck_read(s, b);
	WRONG(WRITE(b));
}

CASE(two_writes_from_one_buffer)
{
	saferring_buffer b = take(s);

	stuck_write(s, b);
	WRONG(WRITE(b));
}

CASE(two_reads_queued_into_one_buffer)
{
	saferring_buffer b = take(s);

	READ(b);
	WRONG(READ(b));
}

CASE(a_copy_of_the_handle_submitted_twice)
{
	saferring_buffer b = take(s), copy = b;

	READ(b);
	WRONG(WRITE(copy));
}

/* ---- the pool has the buffer ---- */

CASE(two_puts)
{
	saferring_buffer b = take(s);

	give(s, b);
	WRONG(PUT(b));
}

CASE(two_puts_of_a_completions_handle)
{
	saferring_buffer b = read_through(s, take(s));

	give(s, b);
	WRONG(PUT(b));
}

struct errand {
	struct scene *scene;
	saferring_buffer buffer;
};

static void *put_it(void *argument)
{
	struct errand *errand = argument;

	ANYHOW(saferring_buffer_put(errand->scene->pool, errand->buffer));
	return NULL;
}

CASE(a_put_in_each_of_two_threads)
{
	struct errand errand = { s, take(s) };

	in_thread(put_it, &errand);
	WRONG(PUT(errand.buffer));
}

CASE(a_put_by_a_thread_after_the_owners)
{
	struct errand errand = { s, take(s) };

	give(s, errand.buffer);
	WRONG(in_thread(put_it, &errand));
}

CASE(data_after_put)
{
	saferring_buffer b = take(s);

	give(s, b);
	WRONG(DATA(b));
}

CASE(range_after_put)
{
	saferring_buffer b = take(s);

	give(s, b);
	WRONG(RANGE(b));
}

CASE(a_read_after_put)
{
	saferring_buffer b = take(s);

	give(s, b);
	WRONG(READ(b));
}

CASE(a_write_after_put)
{
	saferring_buffer b = take(s);

	give(s, b);
	WRONG(WRITE(b));
}

CASE(data_after_put_and_a_flush)
{
	saferring_buffer b = take(s);

	give(s, b);
	saferring_pool_flush(s->pool);
	WRONG(DATA(b));
}

/* ---- somebody has it under a newer handle ---- */

static saferring_buffer put_and_got_again(struct scene *s)
{
	saferring_buffer b = take(s), now;

	give(s, b);
	do
		now = take(s);
	while (saferring_buffer_index(s->pool, now) !=
	       saferring_buffer_index(s->pool, b));
	return b;
}

CASE(put_of_a_buffer_that_another_has_now)
{
	saferring_buffer b = put_and_got_again(s);

	WRONG(PUT(b));
}

CASE(data_of_a_buffer_that_another_has_now)
{
	saferring_buffer b = put_and_got_again(s);

	WRONG(DATA(b));
}

CASE(a_read_into_a_buffer_that_another_has_now)
{
	saferring_buffer b = put_and_got_again(s);

	WRONG(READ(b));
}

CASE(a_write_from_a_buffer_that_another_has_now)
{
	saferring_buffer b = put_and_got_again(s);

	WRONG(WRITE(b));
}

CASE(data_by_the_handle_of_before_the_completion)
{
	saferring_buffer b = take(s);

	read_through(s, b);
	WRONG(DATA(b));
}

CASE(put_of_the_handle_of_before_the_completion)
{
	saferring_buffer b = take(s);

	read_through(s, b);
	WRONG(PUT(b));
}

CASE(a_write_of_the_handle_of_before_the_completion)
{
	saferring_buffer b = take(s);

	read_through(s, b);
	WRONG(WRITE(b));
}

CASE(put_of_an_old_handle_while_a_newer_one_is_in_flight)
{
	saferring_buffer b = take(s);

	stuck_read(s, read_through(s, b));
	WRONG(PUT(b));
}

/* ---- it is no handle of this pool ---- */

CASE(put_into_another_pool)
{
	saferring_buffer b = take(s);

	make_other(s);
	WRONG(ANYHOW(saferring_buffer_put(s->other_pool, b)));
}

CASE(data_of_another_pool)
{
	saferring_buffer b = take(s);

	make_other(s);
	WRONG(ANYHOW(saferring_buffer_data(s->other_pool, b)));
}

CASE(range_of_another_pool)
{
	saferring_buffer b = take(s);

	make_other(s);
	WRONG(ANYHOW(saferring_buffer_range(s->other_pool, b, 0, 1)));
}

static saferring_buffer foreign(struct scene *s)
{
	saferring_buffer b;

	MUST(saferring_buffer_get(make_other(s), &b));
	return b;
}

CASE(a_read_by_a_ring_of_another_pool)
{
	saferring_buffer b = foreign(s);

	WRONG(READ(b));
}

CASE(a_write_by_a_ring_of_another_pool)
{
	saferring_buffer b = foreign(s);

	WRONG(WRITE(b));
}

static saferring_buffer of_the_dead(struct scene *s)
{
	saferring_buffer b = foreign(s);

	MUST(saferring_buffer_put(s->other_pool, b));
	MUST(saferring_pool_destroy(s->other_pool));
	return b;
}

CASE(put_of_a_handle_whose_pool_was_destroyed)
{
	saferring_buffer b = of_the_dead(s);

	WRONG(PUT(b));
}

CASE(a_read_on_a_handle_whose_pool_was_destroyed)
{
	saferring_buffer b = of_the_dead(s);

	WRONG(READ(b));
}

/* ---- it is no handle at all ---- */

CASE(put_of_none)
{
	WRONG(PUT(SAFERRING_BUFFER_NONE));
}

CASE(data_of_none)
{
	WRONG(DATA(SAFERRING_BUFFER_NONE));
}

CASE(a_read_into_none)
{
	WRONG(READ(SAFERRING_BUFFER_NONE));
}

CASE(a_write_from_none)
{
	WRONG(WRITE(SAFERRING_BUFFER_NONE));
}

CASE(put_of_a_completion_that_was_never_filled)
{
	struct saferring_completion done;

	memset(&done, 0, sizeof(done));
	WRONG(PUT(done.buffer));
}

CASE(put_of_freed_memory_full_of_ones)
{
	saferring_buffer b;

	memset(&b, 0xff, sizeof(b));
	WRONG(PUT(b));
}

CASE(data_of_a_pointer)
{
	saferring_buffer b = { .word = (uintptr_t)data_of(s, take(s)) };

	WRONG(DATA(b));
}

CASE(a_handle_cut_to_32_bits)
{
	saferring_buffer b = { .word = (uint32_t)take(s).word };

	WRONG(PUT(b));
}

CASE(a_handle_in_the_wrong_byte_order)
{
	saferring_buffer b = { .word = __builtin_bswap64(take(s).word) };

	WRONG(DATA(b));
}

CASE(a_handle_with_the_index_changed_to_a_free_one)
{
	saferring_buffer b = { .word = take(s).word ^ 32 << 3 };

	WRONG(PUT(b));
}

CASE(data_of_a_handle_with_the_index_changed)
{
	saferring_buffer b = { .word = take(s).word ^ 32 << 3 };

	WRONG(DATA(b));
}

CASE(a_handle_with_its_lowest_bits_changed)
{
	saferring_buffer b = take(s);

	stuck_read(s, b);
	b.word ^= 2;
	WRONG(PUT(b));
}

CASE(a_handle_of_the_future)
{
	saferring_buffer b = take(s), next = b;

	give(s, b);
	next.word += 0x100000;
	WRONG(READ(next));
}

const struct misuse handle_misuses[] = {
	FAST(data_while_a_read_is_in_flight, USE_AFTER_SUBMIT),
	FAST(data_while_a_write_is_in_flight, USE_AFTER_SUBMIT),
	FAST(data_while_a_read_is_queued, USE_AFTER_SUBMIT),
	FAST(range_while_a_read_is_in_flight, USE_AFTER_SUBMIT),
	FAST(put_while_a_read_is_in_flight, PUT_IN_FLIGHT),
	FAST(put_while_a_write_is_in_flight, PUT_IN_FLIGHT),
	FAST(put_while_a_read_is_queued, PUT_IN_FLIGHT),
	FAST(two_reads_into_one_buffer, DOUBLE_SUBMIT),
	FAST(a_write_from_a_buffer_that_is_read_into, DOUBLE_SUBMIT),
	FAST(two_writes_from_one_buffer, DOUBLE_SUBMIT),
	FAST(two_reads_queued_into_one_buffer, DOUBLE_SUBMIT),
	FAST(a_copy_of_the_handle_submitted_twice, DOUBLE_SUBMIT),
	FAST(two_puts, DOUBLE_PUT),
	FAST(two_puts_of_a_completions_handle, DOUBLE_PUT),
	FAST(a_put_in_each_of_two_threads, DOUBLE_PUT),
	FAST(a_put_by_a_thread_after_the_owners, DOUBLE_PUT),
	FAST(data_after_put, USE_AFTER_PUT),
	FAST(range_after_put, USE_AFTER_PUT),
	FAST(a_read_after_put, USE_AFTER_PUT),
	FAST(a_write_after_put, USE_AFTER_PUT),
	FAST(data_after_put_and_a_flush, USE_AFTER_PUT),
	FAST(put_of_a_buffer_that_another_has_now, SUPERSEDED),
	FAST(data_of_a_buffer_that_another_has_now, SUPERSEDED),
	FAST(a_read_into_a_buffer_that_another_has_now, SUPERSEDED),
	FAST(a_write_from_a_buffer_that_another_has_now, SUPERSEDED),
	FAST(data_by_the_handle_of_before_the_completion, SUPERSEDED),
	FAST(put_of_the_handle_of_before_the_completion, SUPERSEDED),
	FAST(a_write_of_the_handle_of_before_the_completion, SUPERSEDED),
	FAST(put_of_an_old_handle_while_a_newer_one_is_in_flight, SUPERSEDED),
	FAST(put_into_another_pool, FOREIGN_POOL),
	FAST(data_of_another_pool, FOREIGN_POOL),
	FAST(range_of_another_pool, FOREIGN_POOL),
	FAST(a_read_by_a_ring_of_another_pool, FOREIGN_RING),
	FAST(a_write_by_a_ring_of_another_pool, FOREIGN_RING),
	FAST(put_of_a_handle_whose_pool_was_destroyed, GARBAGE),
	FAST(a_read_on_a_handle_whose_pool_was_destroyed, GARBAGE),
	FAST(put_of_none, GARBAGE),
	FAST(data_of_none, GARBAGE),
	FAST(a_read_into_none, GARBAGE),
	FAST(a_write_from_none, GARBAGE),
	FAST(put_of_a_completion_that_was_never_filled, GARBAGE),
	FAST(put_of_freed_memory_full_of_ones, GARBAGE),
	FAST(data_of_a_pointer, GARBAGE),
	FAST(a_handle_cut_to_32_bits, GARBAGE),
	FAST(a_handle_in_the_wrong_byte_order, GARBAGE),
	FAST(a_handle_with_the_index_changed_to_a_free_one, GARBAGE),
	FAST(data_of_a_handle_with_the_index_changed, GARBAGE),
	FAST(a_handle_with_its_lowest_bits_changed, GARBAGE),
	FAST(a_handle_of_the_future, GARBAGE),
	{ 0 },
};
