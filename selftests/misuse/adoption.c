// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse of rings that the program set up itself.
 */
#include <liburing.h>
#include "misuse.h"

static struct io_uring uring;

static struct saferring_ring_options options_of(struct scene *s,
						unsigned int flags)
{
	return (struct saferring_ring_options){
		.size = sizeof(struct saferring_ring_options),
		.flags = flags,
		.pools = &s->pool,
		.pool_count = 1,
		.name = "own",
	};
}

/* The ring of the scene is one of the program's from now on. */
static void adopt(struct scene *s, unsigned int flags)
{
	const struct saferring_ring_options use = options_of(s, flags);

	MUST(saferring_ring_destroy(s->ring, 1000));
	MUST(io_uring_queue_init(8, &uring, 0));
	MUST(saferring_ring_adopt(&uring, &use, &s->ring));
}

CASE(data_while_a_read_is_queued_beside)
{
	saferring_buffer b = take(s);

	adopt(s, SAFERRING_RING_BESIDE);
	READ(b);
	WRONG(DATA(b));
}

CASE(put_while_a_read_is_in_flight_beside)
{
	saferring_buffer b = take(s);

	adopt(s, SAFERRING_RING_BESIDE);
	MUST(saferring_ring_read(s->ring, s->pipe[0], b, 0, 16, (uint64_t)-1,
				 0));
	MUST(io_uring_submit(&uring));
	WRONG(PUT(b));
}

/* A read that has ended, and what the kernel says of it. */
static const struct io_uring_cqe *ended(struct scene *s, saferring_buffer b)
{
	struct io_uring_cqe *cqe;

	adopt(s, SAFERRING_RING_BESIDE);
	READ(b);
	MUST(io_uring_submit_and_wait(&uring, 1));
	MUST(io_uring_peek_cqe(&uring, &cqe));
	return cqe;
}

CASE(data_before_the_cqe_was_given_to_the_library)
{
	saferring_buffer b = take(s);

	ended(s, b);
	WRONG(DATA(b));
}

CASE(put_of_the_handle_of_before_the_cqe)
{
	saferring_buffer b = take(s);
	const struct io_uring_cqe *cqe = ended(s, b);
	struct saferring_completion done;

	MUST(saferring_ring_complete(s->ring, cqe, &done, 1) - 1);
	WRONG(PUT(b));
}

CASE(a_cqe_given_to_the_library_twice)
{
	saferring_buffer b = take(s);
	const struct io_uring_cqe *cqe = ended(s, b);
	struct saferring_completion done;

	MUST(saferring_ring_complete(s->ring, cqe, &done, 1) - 1);
	WRONG(ANYHOW(saferring_ring_complete(s->ring, cqe, &done, 1)));
}

CASE(a_cqe_that_nobody_asked_for)
{
	const struct io_uring_cqe cqe = { .user_data = UINT64_MAX - 5 };
	struct saferring_completion done;

	adopt(s, SAFERRING_RING_BESIDE);
	WRONG(ANYHOW(saferring_ring_complete(s->ring, &cqe, &done, 1)));
}

/* ---- refused by the result alone ---- */

CASE(submit_on_a_ring_that_the_program_keeps)
{
	adopt(s, SAFERRING_RING_BESIDE);
	WRONG(ANYHOW(saferring_ring_submit(s->ring)));
}

CASE(wait_on_a_ring_that_the_program_keeps)
{
	struct saferring_completion done;

	adopt(s, SAFERRING_RING_BESIDE);
	WRONG(ANYHOW(saferring_ring_wait(s->ring, &done, 1, 1, 0)));
}

CASE(withdraw_on_a_ring_that_the_program_keeps)
{
	adopt(s, SAFERRING_RING_BESIDE);
	WRONG(ANYHOW(saferring_ring_withdraw(s->ring)));
}

CASE(a_batch_on_a_ring_that_the_program_keeps)
{
	struct saferring_batch *batch;

	adopt(s, SAFERRING_RING_BESIDE);
	WRONG(ANYHOW(saferring_batch_create(s->ring, 2, 0, &batch)));
}

CASE(a_ring_that_the_program_keeps_destroyed_in_flight)
{
	adopt(s, SAFERRING_RING_BESIDE);
	MUST(saferring_ring_read(s->ring, s->pipe[0], take(s), 0, 16,
				 (uint64_t)-1, 0));
	MUST(io_uring_submit(&uring));
	WRONG(ANYHOW(saferring_ring_destroy(s->ring, 1000)));
}

CASE(a_cqe_given_to_a_ring_that_was_given_over)
{
	const struct io_uring_cqe cqe = { .user_data = UINT64_MAX - 5 };
	struct saferring_completion done;

	adopt(s, 0);
	WRONG(ANYHOW(saferring_ring_complete(s->ring, &cqe, &done, 1)));
}

CASE(a_ring_given_over_with_entries_queued)
{
	const struct saferring_ring_options use = options_of(s, 0);
	struct saferring_ring *ring;

	MUST(io_uring_queue_init(8, &uring, 0));
	io_uring_prep_nop(io_uring_get_sqe(&uring));
	WRONG(ANYHOW(saferring_ring_adopt(&uring, &use, &ring)));
}

CASE(a_ring_adopted_with_wishes_about_its_setup)
{
	const struct saferring_ring_options use =
		options_of(s, SAFERRING_RING_SQPOLL);
	struct saferring_ring *ring;

	MUST(io_uring_queue_init(8, &uring, 0));
	WRONG(ANYHOW(saferring_ring_adopt(&uring, &use, &ring)));
}

CASE(a_ring_of_the_librarys_that_the_program_keeps)
{
	const struct saferring_ring_options use =
		options_of(s, SAFERRING_RING_BESIDE);
	struct saferring_ring *ring;

	WRONG(ANYHOW(saferring_ring_create(&use, &ring)));
}

const struct misuse adoption_misuses[] = {
	FAST(data_while_a_read_is_queued_beside, USE_AFTER_SUBMIT),
	FAST(put_while_a_read_is_in_flight_beside, PUT_IN_FLIGHT),
	FAST(data_before_the_cqe_was_given_to_the_library, USE_AFTER_SUBMIT),
	FAST(put_of_the_handle_of_before_the_cqe, SUPERSEDED),
	FAST(a_cqe_given_to_the_library_twice, FOREIGN_COMPLETION),
	FAST(a_cqe_that_nobody_asked_for, FOREIGN_COMPLETION),
	SILENT(submit_on_a_ring_that_the_program_keeps, ARGUMENT),
	SILENT(wait_on_a_ring_that_the_program_keeps, ARGUMENT),
	SILENT(withdraw_on_a_ring_that_the_program_keeps, ARGUMENT),
	SILENT(a_batch_on_a_ring_that_the_program_keeps, ARGUMENT),
	SILENT(a_ring_that_the_program_keeps_destroyed_in_flight, BUSY),
	SILENT(a_cqe_given_to_a_ring_that_was_given_over, ARGUMENT),
	SILENT(a_ring_given_over_with_entries_queued, BUSY),
	SILENT(a_ring_adopted_with_wishes_about_its_setup, ARGUMENT),
	SILENT(a_ring_of_the_librarys_that_the_program_keeps, ARGUMENT),
	{ 0 },
};
