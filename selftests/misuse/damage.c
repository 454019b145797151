// SPDX-License-Identifier: GPL-2.0
/*
 * Damage done through pointers, which the depth full finds afterwards; and
 * misuse of handles, of which it knows where it came from.
 */
#include "misuse.h"

/* ---- behind the buffer ---- */

CASE(one_byte_behind_the_buffer)
{
	saferring_buffer b = take(s);

	data_of(s, b)[ODD] = 1;
	WRONG(give(s, b));
}

CASE(a_copy_that_is_too_long)
{
	static unsigned char long_line[ODD + 20] = { [ODD + 19] = 7 };
	saferring_buffer b = take(s);

	memcpy(data_of(s, b), long_line, sizeof(long_line));
	WRONG(give(s, b));
}

CASE(the_end_mark_of_a_string_that_fills_the_buffer)
{
	saferring_buffer b = take(s);
	char *text = (char *)data_of(s, b);

	memset(text, 'x', ODD);
	text[ODD] = '\0';
	WRONG(give(s, b));
}

CASE(an_overrun_seen_at_submit)
{
	saferring_buffer b = take(s);

	data_of(s, b)[ODD + 3] = 1;
	WRONG(stuck_read(s, b));
}

CASE(an_overrun_seen_at_data)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	memset(data + ODD, 0, 96);
	WRONG(data_of(s, b));
}

CASE(an_overrun_while_the_kernel_has_the_buffer)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	stuck_read(s, b);
	data[ODD] = 1;
	unstick_read(s);
	WRONG(wait_for(s));
}

CASE(an_overrun_while_the_buffer_is_free)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	give(s, b);
	data[ODD + 1] = 1;
	WRONG(take(s));
}

/* ---- in a free buffer ---- */

CASE(a_byte_written_after_put)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	OWNER(give(s, b));
	data[100] = 1;
	WRONG(take(s));
}

CASE(a_buffer_cleared_after_put)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	OWNER(give(s, b));
	memset(data, 0, SIZE);
	WRONG(take(s));
}

CASE(the_last_byte_written_after_put)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	OWNER(give(s, b));
	data[ODD - 1] = 0;
	WRONG(take(s));
}

static void *write_late(void *argument)
{
	((unsigned char *)argument)[7] = 7;
	return NULL;
}

CASE(a_thread_that_writes_after_the_put)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	OWNER(give(s, b));
	in_thread(write_late, data);
	WRONG(take(s));
}

/* ---- while the kernel reads it ---- */

CASE(a_byte_changed_while_it_is_written_to_a_file)
{
	saferring_buffer b = take(s);
	unsigned char *data = data_of(s, b);

	memset(data, 1, SIZE);
	stuck_write(s, b);
	data[63] = 2;
	unstick_write(s);
	WRONG(wait_for(s));
}

/* ---- misaligned ---- */

static int direct_file(void)
{
	char path[] = "misuse-XXXXXX";
	int fd = mkstemp(path);

	MUST(fd);
	unlink(path);
	MUST(ftruncate(fd, 65536));
	/* Not every file system has it. The check asks for the flag alone. */
	if (fcntl(fd, F_SETFL, O_DIRECT)) {
		fprintf(stderr, "O_DIRECT here: %s\n", strerror(errno));
		_exit(4);
	}
	return fd;
}

static void read_direct(struct scene *s, size_t start, size_t length,
			uint64_t offset)
{
	WRONG(ANYHOW(saferring_ring_read(s->ring, direct_file(), take(s),
					 start, length, offset, 0)));
}

CASE(a_direct_read_at_an_odd_byte) { read_direct(s, 1, 512, 0); }
CASE(a_direct_read_of_an_odd_length) { read_direct(s, 0, 1000, 0); }
CASE(a_direct_read_from_an_odd_offset) { read_direct(s, 0, 512, 100); }

/* ---- handles, with a trace ---- */

CASE(a_double_put_knows_the_first_put)
{
	saferring_buffer b = take(s);

	OWNER(give(s, b));
	WRONG(ANYHOW(saferring_buffer_put(s->pool, b)));
}

CASE(a_use_after_put_knows_the_put)
{
	saferring_buffer b = take(s);

	OWNER(give(s, b));
	WRONG(ANYHOW(saferring_buffer_data(s->pool, b)));
}

CASE(a_double_submit_knows_the_first_submit)
{
	saferring_buffer b = take(s);

	OWNER(stuck_read(s, b));
	WRONG(ANYHOW(saferring_ring_write(s->ring, s->null, b, 0, 16, 0, 0)));
}

CASE(a_use_after_submit_knows_the_submit)
{
	saferring_buffer b = take(s);

	OWNER(stuck_read(s, b));
	WRONG(ANYHOW(saferring_buffer_data(s->pool, b)));
}

CASE(a_put_in_flight_knows_the_submit)
{
	saferring_buffer b = take(s);

	OWNER(stuck_read(s, b));
	WRONG(ANYHOW(saferring_buffer_put(s->pool, b)));
}

CASE(a_superseded_handle_knows_the_get)
{
	saferring_buffer b = take(s), now;

	give(s, b);
	do
		OWNER(now = take(s));
	while (saferring_buffer_index(s->pool, now) !=
	       saferring_buffer_index(s->pool, b));
	WRONG(ANYHOW(saferring_buffer_put(s->pool, b)));
}

CASE(a_superseded_handle_knows_the_completion)
{
	saferring_buffer b = take(s);

	OWNER(read_through(s, b));
	WRONG(ANYHOW(saferring_buffer_put(s->pool, b)));
}

#define FULL(name, its_reason, its_flags)                                      \
	{ #name, name, SAFERRING_DEPTH_FULL, SAFERRING_REASON_##its_reason,    \
	  LINE | (its_flags), NULL }

const struct misuse damage_misuses[] = {
	FULL(one_byte_behind_the_buffer, OVERRUN, GAP),
	FULL(a_copy_that_is_too_long, OVERRUN, GAP),
	FULL(the_end_mark_of_a_string_that_fills_the_buffer, OVERRUN, GAP),
	FULL(an_overrun_seen_at_submit, OVERRUN, GAP),
	FULL(an_overrun_seen_at_data, OVERRUN, GAP),
	FULL(an_overrun_while_the_kernel_has_the_buffer, OVERRUN, GAP),
	FULL(an_overrun_while_the_buffer_is_free, OVERRUN, GAP),
	FULL(a_byte_written_after_put, WRITE_AFTER_PUT, OWNED),
	FULL(a_buffer_cleared_after_put, WRITE_AFTER_PUT, OWNED),
	FULL(the_last_byte_written_after_put, WRITE_AFTER_PUT, OWNED | GAP),
	FULL(a_thread_that_writes_after_the_put, WRITE_AFTER_PUT, OWNED),
	FULL(a_byte_changed_while_it_is_written_to_a_file, WRITE_IN_FLIGHT, 0),
	{ "a_direct_read_at_an_odd_byte", a_direct_read_at_an_odd_byte,
	  SAFERRING_DEPTH_FULL, SAFERRING_REASON_ALIGNMENT, 0, "O_DIRECT" },
	{ "a_direct_read_of_an_odd_length", a_direct_read_of_an_odd_length,
	  SAFERRING_DEPTH_FULL, SAFERRING_REASON_ALIGNMENT, 0, "length 1000" },
	{ "a_direct_read_from_an_odd_offset", a_direct_read_from_an_odd_offset,
	  SAFERRING_DEPTH_FULL, SAFERRING_REASON_ALIGNMENT, 0, "offset 100" },
	FULL(a_double_put_knows_the_first_put, DOUBLE_PUT, OWNED),
	FULL(a_use_after_put_knows_the_put, USE_AFTER_PUT, OWNED),
	FULL(a_double_submit_knows_the_first_submit, DOUBLE_SUBMIT, OWNED),
	FULL(a_use_after_submit_knows_the_submit, USE_AFTER_SUBMIT, OWNED),
	FULL(a_put_in_flight_knows_the_submit, PUT_IN_FLIGHT, OWNED),
	FULL(a_superseded_handle_knows_the_get, SUPERSEDED, OWNED),
	FULL(a_superseded_handle_knows_the_completion, SUPERSEDED, OWNED),
	{ 0 },
};
