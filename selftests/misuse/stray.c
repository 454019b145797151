// SPDX-License-Identifier: GPL-2.0
/*
 * Pointers that are used when the buffer is no longer the program's, which the
 * depth trap stops where it happens.
 */
#include "misuse.h"

/*
 * What is in flight can be made inaccessible if the kernel has the pages, and
 * needs no address. Exit status 4 is for what cannot be tried.
 */
static void require_fixed(const struct scene *s)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	MUST(saferring_ring_info(s->ring, &info));
	if (info.fixed)
		return;
	fprintf(stderr, "no fixed buffers: %s\n", info.reason);
	_exit(4);
}

/* A buffer in flight, and a pointer that was kept. */
static unsigned char *kept_while_read_into(struct scene *s)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	require_fixed(s);
	OWNER(stuck_read(s, b));
	return data;
}

static unsigned char *kept_while_written_from(struct scene *s)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	require_fixed(s);
	OWNER(stuck_write(s, b));
	return data;
}

static unsigned char *kept_after_put(struct scene *s)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	OWNER(give(s, b));
	return data;
}

CASE(a_byte_written_while_a_read_is_in_flight)
{
	unsigned char *data = kept_while_read_into(s);

	WRONG(data[5] = 1);
}

CASE(a_byte_read_while_a_read_is_in_flight)
{
	unsigned char *data = kept_while_read_into(s);

	WRONG(sink = data[5]);
}

CASE(the_last_byte_read_while_a_read_is_in_flight)
{
	unsigned char *data = kept_while_read_into(s);

	WRONG(sink = data[SIZE - 1]);
}

CASE(a_byte_written_while_a_write_is_in_flight)
{
	unsigned char *data = kept_while_written_from(s);

	WRONG(data[0] = 1);
}

CASE(a_byte_read_while_a_write_is_in_flight)
{
	unsigned char *data = kept_while_written_from(s);

	WRONG(sink = data[0]);
}

CASE(a_buffer_cleared_while_a_read_is_in_flight)
{
	unsigned char *data = kept_while_read_into(s);

	WRONG(memset(data, 0, s->size));
}

CASE(a_buffer_compared_while_a_read_is_in_flight)
{
	static unsigned char nothing[SIZE];
	unsigned char *data = kept_while_read_into(s);

	WRONG(sink = (unsigned char)memcmp(data, nothing, s->size));
}

CASE(a_byte_written_while_a_read_is_queued)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	require_fixed(s);
	OWNER(MUST(saferring_ring_read(s->ring, s->zero, b, 0, 16, 0, 0)));
	WRONG(data[1] = 1);
}

CASE(a_byte_read_after_the_put)
{
	unsigned char *data = kept_after_put(s);

	WRONG(sink = data[9]);
}

CASE(a_byte_written_after_the_put)
{
	unsigned char *data = kept_after_put(s);

	WRONG(data[9] = 9);
}

CASE(a_word_added_to_after_the_put)
{
	uint64_t *data = (uint64_t *)(void *)kept_after_put(s);

	WRONG(data[2]++);
}

static void *write_late(void *argument)
{
	WRONG(((unsigned char *)argument)[7] = 7);
	return NULL;
}

CASE(a_thread_that_writes_while_a_read_is_in_flight)
{
	in_thread(write_late, kept_while_read_into(s));
}

CASE(a_thread_that_writes_what_was_put)
{
	in_thread(write_late, kept_after_put(s));
}

CASE(the_neighbour_of_a_buffer_overrun)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	/* The neighbour was never got. */
	WRONG(data[SIZE] = 1);
}

#define TRAP(name, its_text)                                                   \
	{ #name, name, SAFERRING_DEPTH_TRAP, SAFERRING_REASON_STRAY_ACCESS,    \
	  FAULTS | LINE | OWNED, its_text }
#define READING "now in flight as READ of 16 bytes by ring main"
#define WRITING "now in flight as WRITE of 64 bytes by ring main"

const struct misuse stray_misuses[] = {
	TRAP(a_byte_written_while_a_read_is_in_flight, READING),
	TRAP(a_byte_read_while_a_read_is_in_flight, READING),
	TRAP(the_last_byte_read_while_a_read_is_in_flight, READING),
	TRAP(a_byte_written_while_a_write_is_in_flight, WRITING),
	TRAP(a_byte_read_while_a_write_is_in_flight, WRITING),
	TRAP(a_buffer_cleared_while_a_read_is_in_flight, READING),
	TRAP(a_buffer_compared_while_a_read_is_in_flight, READING),
	TRAP(a_byte_written_while_a_read_is_queued, READING),
	TRAP(a_byte_read_after_the_put, "now free"),
	TRAP(a_byte_written_after_the_put, "now free"),
	TRAP(a_word_added_to_after_the_put, "now free"),
	TRAP(a_thread_that_writes_while_a_read_is_in_flight, READING),
	TRAP(a_thread_that_writes_what_was_put, "now free"),
	{ "the_neighbour_of_a_buffer_overrun",
	  the_neighbour_of_a_buffer_overrun, SAFERRING_DEPTH_TRAP,
	  SAFERRING_REASON_STRAY_ACCESS, FAULTS | LINE, "now free" },
	{ 0 },
};
