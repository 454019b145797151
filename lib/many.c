// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many: operations of one kind that are queued by one call. What they have in
 * common is looked up and checked once; what is left to do for each is to check
 * its handle, and to fill its SQE and its record.
 *
 * Each of them is accepted or refused as if it had been queued by a call of its
 * own, in turn, and it stops at the first that is refused.
 */
#include <errno.h>
#include "short.h"

/*
 * How many can be filled in a row: up to the end of the queue, beyond which it
 * goes on at its beginning.
 */
static inline unsigned int in_a_row(const struct saferring_ring *ring,
				    unsigned int count)
{
	const unsigned int at = ring->uring.sq.sqe_tail & ring->sq_mask;
	const unsigned int most = SR_MIN(ring->free_count,
					 ring->sq_mask + 1 - at);

	return SR_MIN(count, most);
}

static inline void queued(struct saferring_ring *ring, unsigned int kind,
			  unsigned int count)
{
	ring->uring.sq.sqe_tail += count;
	ring->free_count -= count;
	ring->queued += count;
	sr_account_queued(ring->words, kind, count);
}

/* ---- reads and writes ---- */

/*
 * The first ones, as many as are good and lie in a row. Returns their number.
 * The structures are copies, so that the compiler keeps them in registers.
 */
static __always_inline unsigned int
queue_row(struct saferring_ring *ring, const struct sr_common *common,
	  const saferring_buffer *buffers, unsigned int count, uint64_t offset,
	  uint64_t distance, uint64_t user_data)
{
	struct saferring_pool_fast fast = common->pool->fast;
	const saferring_buffer *const start = buffers;
	const saferring_buffer *const end = buffers + in_a_row(ring, count);
	struct sr_operation **record = &ring->free[ring->free_count];
	struct io_uring_sqe *sqe = sr_next_entry(ring);
	const uint64_t base = (uintptr_t)fast.base + common->first;
	struct sr_operation *operation;
	uint64_t *tag;
	uint64_t word;

	/* What is the same for all of them is added once. */
	fast.limit_free -= fast.step_free;
	fast.step_free = 0;
	for (; buffers != end; buffers++, sqe++, user_data++) {
		word = buffers->word;
		tag = sr_tag_of(&fast, word);
		if (!sr_can_start(&fast, tag, word))
			break;
		operation = *--record;
		sr_fill_entry(sqe, common,
			      sr_address_of(&fast, base, word), offset,
			      operation->key);
		sr_start(&fast, common, tag, word, user_data, operation);
		offset += distance;
	}
	count = (unsigned int)(buffers - start);
	queued(ring, common->kind, count);
	return count;
}

/* As many as go the short way. Returns their number. */
static unsigned int queue_short(struct saferring_ring *ring, unsigned int kind,
				const struct saferring_series *series,
				const saferring_buffer *buffers,
				unsigned int count, unsigned int done)
{
	const struct sr_attachment *attachment =
		ring->by_pool[buffers[done].word >> SR_ID_SHIFT];
	struct sr_common common;
	unsigned int more;

	if (!attachment || series->fd & SAFERRING_FILE_BIT ||
	    !sr_in_buffer(attachment->pool, series->start, series->length))
		return done;
	common = (struct sr_common){
		.pool = attachment->pool,
		.kind = kind,
		.opcode = ring->opcode[kind],
		.fd = series->fd,
		.index = attachment->first[0],
		.first = series->start,
		.length = (uint32_t)series->length,
		.shape = sr_shape(ring, kind, 0, series->length),
	};
	do {
		more = queue_row(ring, &common, buffers + done, count - done,
				 series->offset + done * series->distance,
				 series->distance, series->user_data + done);
		done += more;
	} while (more && done < count);
	return done;
}

static int queue_one(struct saferring_ring *ring, unsigned int kind,
		     const struct saferring_series *series,
		     saferring_buffer buffer, unsigned int number)
{
	const uint64_t offset = series->offset + number * series->distance;
	const uint64_t user_data = series->user_data + number;

	if (kind == SAFERRING_OPERATION_READ)
		return saferring_ring_read(ring, series->fd, buffer,
					   series->start, series->length,
					   offset, user_data);
	return saferring_ring_write(ring, series->fd, buffer, series->start,
				    series->length, offset, user_data);
}

/* What the short way does not take goes one by one, or is refused. */
static int queue_all(struct saferring_ring *ring, unsigned int kind,
		     const struct saferring_series *series,
		     const saferring_buffer *buffers, unsigned int count)
{
	unsigned int done = 0;
	int error;

	for (;;) {
		done = queue_short(ring, kind, series, buffers, count, done);
		if (SAFERRING_LIKELY(done == count))
			return (int)done;
		error = queue_one(ring, kind, series, buffers[done], done);
		if (error)
			return done ? (int)done : error;
		if (++done == count)
			return (int)done;
	}
}

/* Of a program that was built with another version of the structure. */
static __attribute__((cold, noinline)) int
queue_converted(struct saferring_ring *ring, unsigned int kind,
		const struct saferring_series *options,
		const saferring_buffer *buffers, unsigned int count)
{
	struct saferring_series series;
	const int error = sr_options_in(sr_kinds[kind].function, &series,
					sizeof(series), options);

	return error ? error : queue_all(ring, kind, &series, buffers, count);
}

static int queue_series(struct saferring_ring *ring, unsigned int kind,
			const struct saferring_series *series,
			const saferring_buffer *buffers, unsigned int count)
{
	if (SAFERRING_UNLIKELY(!ring || !series || !buffers || !count ||
			       count > INT_MAX))
		return sr_fail_argument(sr_kinds[kind].function,
					"no ring, series or buffers, or none or more than %d of them",
					INT_MAX);
	if (SAFERRING_UNLIKELY(series->size != sizeof(*series)))
		return queue_converted(ring, kind, series, buffers, count);
	return queue_all(ring, kind, series, buffers, count);
}

int saferring_ring_read_many(struct saferring_ring *ring,
			     const struct saferring_series *series,
			     const saferring_buffer *buffers,
			     unsigned int count)
{
	return queue_series(ring, SAFERRING_OPERATION_READ, series, buffers,
			    count);
}

int saferring_ring_write_many(struct saferring_ring *ring,
			      const struct saferring_series *series,
			      const saferring_buffer *buffers,
			      unsigned int count)
{
	return queue_series(ring, SAFERRING_OPERATION_WRITE, series, buffers,
			    count);
}

/* ---- without buffers ---- */

static inline void fill_bare(struct saferring_ring *ring,
			     struct sr_operation *operation, uint64_t shape,
			     uint64_t user_data)
{
#if defined(__SANITIZE_THREAD__)
	sr_record_set_no_buffer(ring, operation);
	sr_record_set_shape(operation, shape);
#else
	const sr_pair none = { 0, 0 };
	const sr_pair end = { shape, (uintptr_t)&ring->nowhere };

	*(sr_pair *)&operation->fresh = none;
	*(sr_pair *)&operation->shape = end;
#endif
	operation->user_data = user_data;
}

_Static_assert(offsetof(struct sr_operation, pool) ==
	       offsetof(struct sr_operation, fresh) + sizeof(uint64_t) &&
	       offsetof(struct sr_operation, tag) ==
	       offsetof(struct sr_operation, shape) + sizeof(uint64_t),
	       "a record's words can be stored in pairs");

static unsigned int queue_nops(struct saferring_ring *ring, unsigned int count,
			       uint64_t user_data)
{
	const uint64_t shape = sr_shape(ring, SAFERRING_OPERATION_NOP, 0, 0);
	struct sr_operation **record = &ring->free[ring->free_count];
	struct io_uring_sqe *sqe = sr_next_entry(ring), *end;
	struct sr_operation *operation;

	count = in_a_row(ring, count);
	for (end = sqe + count; sqe != end; sqe++, user_data++) {
		operation = *--record;
		*sqe = (struct io_uring_sqe){ .user_data = operation->key };
		fill_bare(ring, operation, shape, user_data);
	}
	queued(ring, SAFERRING_OPERATION_NOP, count);
	return count;
}

int saferring_ring_nop_many(struct saferring_ring *ring, unsigned int count,
			    uint64_t user_data)
{
	unsigned int done = 0, more;
	int error;

	if (SAFERRING_UNLIKELY(!count || count > INT_MAX))
		return sr_fail_argument("ring_nop_many", "%u operations",
					count);
	while (ring && ring->short_nop && !sr_forked(ring->epoch)) {
		more = queue_nops(ring, count - done, user_data + done);
		done += more;
		if (SAFERRING_LIKELY(done == count))
			return (int)done;
		if (!more)
			break;
	}
	for (; done < count; done++) {
		error = saferring_ring_nop(ring, user_data + done);
		if (error)
			return done ? (int)done : error;
	}
	return (int)done;
}
