// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse of handles by other operations than a read and a write of one buffer.
 */
#include <arpa/inet.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "misuse.h"

static void readv_two(struct scene *s, saferring_buffer one,
		      saferring_buffer two)
{
	struct saferring_range ranges[2] = { { one, 0, 16 }, { two, 0, 16 } };

	WRONG(ANYHOW(saferring_ring_readv(s->ring, s->zero, ranges, 2, 0, 0)));
}

CASE(a_vector_with_a_buffer_that_was_put)
{
	saferring_buffer good = take(s), bad = take(s);

	give(s, bad);
	readv_two(s, good, bad);
}

CASE(a_vector_with_a_buffer_in_flight)
{
	saferring_buffer good = take(s), bad = take(s);

	stuck_read(s, bad);
	readv_two(s, good, bad);
}

CASE(data_while_a_vector_is_in_flight)
{
	saferring_buffer one = take(s), two = take(s);

	readv_two(s, one, two);
	WRONG(DATA(two));
}

CASE(put_after_a_vector_was_queued)
{
	saferring_buffer one = take(s), two = take(s);

	readv_two(s, one, two);
	WRONG(PUT(one));
}

CASE(a_send_of_a_buffer_that_was_put)
{
	saferring_buffer b = take(s);
	const struct saferring_range range = { b, 0, 16 };

	give(s, b);
	WRONG(ANYHOW(saferring_ring_send(s->ring, s->null, &range, 0, 0)));
}

CASE(a_receive_into_a_buffer_in_flight)
{
	saferring_buffer b = take(s);
	const struct saferring_range range = { b, 0, 16 };

	stuck_read(s, b);
	WRONG(ANYHOW(saferring_ring_recv(s->ring, s->zero, &range, 0, 0)));
}

CASE(use_of_a_buffer_whose_operation_was_dropped)
{
	saferring_buffer b = take(s);

	READ(b);
	MUST(saferring_ring_drop(s->ring, saferring_ring_last(s->ring)));
	WRONG(DATA(b));
}

CASE(a_bad_handle_among_many_that_are_put)
{
	saferring_buffer many[4];

	MUST(saferring_buffer_get_many(s->pool, many, 4) - 4);
	give(s, many[2]);
	WRONG(ANYHOW(saferring_buffer_put_many(s->pool, many, 4)));
}

CASE(data_of_a_buffer_that_was_sent_away)
{
	struct saferring_ticket ticket;
	saferring_buffer b = take(s);

	MUST(saferring_buffer_send(s->pool, b, &ticket));
	WRONG(DATA(b));
}

CASE(put_of_a_buffer_that_was_sent_away)
{
	struct saferring_ticket ticket;
	saferring_buffer b = take(s);

	MUST(saferring_buffer_send(s->pool, b, &ticket));
	WRONG(PUT(b));
}

CASE(a_ticket_that_nobody_sent)
{
	struct saferring_ticket ticket;
	saferring_buffer b = take(s), got;

	MUST(saferring_buffer_send(s->pool, b, &ticket));
	ticket.index++;
	WRONG(ANYHOW(saferring_buffer_receive(s->pool, &ticket, &got)));
}

CASE(a_send_away_of_a_buffer_in_flight)
{
	struct saferring_ticket ticket;
	saferring_buffer b = take(s);

	stuck_read(s, b);
	WRONG(ANYHOW(saferring_buffer_send(s->pool, b, &ticket)));
}

CASE(a_send_away_of_a_buffer_that_was_put)
{
	struct saferring_ticket ticket;
	saferring_buffer b = take(s);

	give(s, b);
	WRONG(ANYHOW(saferring_buffer_send(s->pool, b, &ticket)));
}

CASE(a_buffer_sent_away_twice)
{
	struct saferring_ticket ticket;
	saferring_buffer b = take(s);

	MUST(saferring_buffer_send(s->pool, b, &ticket));
	WRONG(ANYHOW(saferring_buffer_send(s->pool, b, &ticket)));
}

CASE(a_read_into_a_buffer_that_was_sent_away)
{
	struct saferring_ticket ticket;
	saferring_buffer b = take(s);

	MUST(saferring_buffer_send(s->pool, b, &ticket));
	WRONG(READ(b));
}

/* The other side gave it back once. */
CASE(a_ticket_received_twice)
{
	struct saferring_ticket ticket;
	saferring_buffer b = take(s);

	MUST(saferring_buffer_send(s->pool, b, &ticket));
	ticket.turn++;
	MUST(saferring_buffer_receive(s->pool, &ticket, &b));
	WRONG(ANYHOW(saferring_buffer_receive(s->pool, &ticket, &b)));
}

CASE(a_ticket_of_buffers_of_another_size)
{
	struct saferring_ticket ticket;
	saferring_buffer b = take(s);

	MUST(saferring_buffer_send(s->pool, b, &ticket));
	ticket.buffer_size = 2 * SIZE;
	WRONG(ANYHOW(saferring_buffer_receive(s->pool, &ticket, &b)));
}

/* ---- a send without a copy, between its two completions ---- */

/* A connected pair over TCP, for only there the buffer stays the kernel's. */
static int connected(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	const int client = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(fd, (struct sockaddr *)&address, length));
	MUST(listen(fd, 1));
	MUST(getsockname(fd, (struct sockaddr *)&address, &length));
	MUST(connect(client, (struct sockaddr *)&address, length));
	MUST(accept(fd, NULL, NULL));
	return client;
}

/* Sent, and the first of two completions has come: the buffer is not back. */
static saferring_buffer half_sent(struct scene *s)
{
	saferring_buffer b = take(s);
	const struct saferring_range range = { b, 0, 64 };

	skip_unless(saferring_ring_supports(s->ring,
					    SAFERRING_OPERATION_SEND_ZC));
	MUST(saferring_ring_send_zc(s->ring, connected(), &range, 0, 0));
	MUST(saferring_buffer_is_none(wait_for(s)) - 1);
	return b;
}

CASE(data_between_the_completions_of_a_send)
{
	saferring_buffer b = half_sent(s);

	WRONG(DATA(b));
}

CASE(put_between_the_completions_of_a_send)
{
	saferring_buffer b = half_sent(s);

	WRONG(PUT(b));
}

CASE(a_read_between_the_completions_of_a_send)
{
	saferring_buffer b = half_sent(s);

	WRONG(READ(b));
}

CASE(a_second_send_between_the_completions_of_the_first)
{
	saferring_buffer b = half_sent(s);
	const struct saferring_range range = { b, 0, 64 };

	WRONG(ANYHOW(saferring_ring_send_zc(s->ring, s->null, &range, 0, 0)));
}

CASE(put_of_the_old_handle_after_both_completions)
{
	saferring_buffer b = half_sent(s);

	wait_for(s);
	WRONG(PUT(b));
}

/* ---- registered files ---- */

CASE(a_file_for_a_slot_that_is_not_there)
{
	MUST(saferring_files_create(s->ring, 4));
	WRONG(ANYHOW(saferring_files_set(s->ring, 4, s->zero)));
}

CASE(a_file_for_a_slot_without_a_table)
{
	WRONG(ANYHOW(saferring_files_set(s->ring, 0, s->zero)));
}

CASE(a_second_table_of_files)
{
	MUST(saferring_files_create(s->ring, 4));
	WRONG(ANYHOW(saferring_files_create(s->ring, 4)));
}

CASE(a_slot_changed_under_a_read_that_is_queued)
{
	MUST(saferring_files_create(s->ring, 4));
	MUST(saferring_files_set(s->ring, 1, s->zero));
	MUST(saferring_ring_read(s->ring, SAFERRING_FILE(1), take(s), 0, 16, 0,
				 0));
	WRONG(ANYHOW(saferring_files_set(s->ring, 1, s->pipe[0])));
}

CASE(a_slot_emptied_under_a_read_that_is_queued)
{
	MUST(saferring_files_create(s->ring, 4));
	MUST(saferring_files_set(s->ring, 1, s->zero));
	MUST(saferring_ring_read(s->ring, SAFERRING_FILE(1), take(s), 0, 16, 0,
				 0));
	WRONG(ANYHOW(saferring_files_set(s->ring, 1, -1)));
}

static const struct open_how how = { .flags = O_RDONLY };

CASE(an_open_into_a_slot_without_a_table)
{
	WRONG(ANYHOW(saferring_ring_open(s->ring, AT_FDCWD, "/dev/zero", &how,
					 0, 0)));
}

CASE(an_open_into_a_slot_that_is_not_there)
{
	MUST(saferring_files_create(s->ring, 4));
	WRONG(ANYHOW(saferring_ring_open(s->ring, AT_FDCWD, "/dev/zero", &how,
					 4, 0)));
}

const struct misuse operation_misuses[] = {
	FAST(a_vector_with_a_buffer_that_was_put, USE_AFTER_PUT),
	FAST(a_vector_with_a_buffer_in_flight, DOUBLE_SUBMIT),
	FAST(data_while_a_vector_is_in_flight, USE_AFTER_SUBMIT),
	FAST(put_after_a_vector_was_queued, PUT_IN_FLIGHT),
	FAST(a_send_of_a_buffer_that_was_put, USE_AFTER_PUT),
	FAST(a_receive_into_a_buffer_in_flight, DOUBLE_SUBMIT),
	FAST(use_of_a_buffer_whose_operation_was_dropped, USE_AFTER_SUBMIT),
	FAST(a_bad_handle_among_many_that_are_put, DOUBLE_PUT),
	FAST(data_of_a_buffer_that_was_sent_away, SENT),
	FAST(put_of_a_buffer_that_was_sent_away, SENT),
	SILENT(a_ticket_that_nobody_sent, BUSY),
	FAST(data_between_the_completions_of_a_send, USE_AFTER_SUBMIT),
	FAST(put_between_the_completions_of_a_send, PUT_IN_FLIGHT),
	FAST(a_read_between_the_completions_of_a_send, DOUBLE_SUBMIT),
	FAST(a_second_send_between_the_completions_of_the_first, DOUBLE_SUBMIT),
	FAST(put_of_the_old_handle_after_both_completions, SUPERSEDED),
	FAST(a_send_away_of_a_buffer_in_flight, USE_AFTER_SUBMIT),
	FAST(a_send_away_of_a_buffer_that_was_put, USE_AFTER_PUT),
	FAST(a_buffer_sent_away_twice, SENT),
	FAST(a_read_into_a_buffer_that_was_sent_away, SENT),
	SILENT(a_ticket_received_twice, ARGUMENT),
	SILENT(a_ticket_of_buffers_of_another_size, ARGUMENT),
	SILENT(a_file_for_a_slot_that_is_not_there, ARGUMENT),
	SILENT(a_file_for_a_slot_without_a_table, ARGUMENT),
	SILENT(a_second_table_of_files, BUSY),
	SILENT(a_slot_changed_under_a_read_that_is_queued, BUSY),
	SILENT(a_slot_emptied_under_a_read_that_is_queued, BUSY),
	SILENT(an_open_into_a_slot_without_a_table, ARGUMENT),
	SILENT(an_open_into_a_slot_that_is_not_there, ARGUMENT),
	{ 0 },
};
