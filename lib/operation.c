// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Operation: the short way of a read or write of one buffer into the queue, and
 * the way of everything from the queue to the kernel. All other kinds of
 * operations are queued by queue.c.
 *
 * A record is in use from queueing to reaping. As there are no more records
 * than entries in the submission queue, that queue is never full.
 */
#include <errno.h>
#include <string.h>
#include "internal.h"
#include "short.h"

/* ---- queueing ---- */

/*
 * Inline, so that each of the callers has its own with @kind and @many known.
 * Returns false if this has to be done by a longer way, which finds out why; with
 * the arguments left as they came, the caller can jump there.
 */
static __always_inline bool queue(struct saferring_ring *ring,
				  unsigned int kind, int fd, uint64_t word,
				  size_t first, size_t length, uint64_t offset,
				  uint64_t user_data)
{
	const struct sr_attachment *attachment;
	struct saferring_pool *pool;

	if (SAFERRING_UNLIKELY(!ring))
		return false;
	attachment = ring->by_pool[word >> SR_ID_SHIFT];
	if (SAFERRING_UNLIKELY(!attachment || fd & SAFERRING_FILE_BIT))
		return false;
	pool = attachment->pool;
	if (SAFERRING_UNLIKELY(!sr_in_buffer(pool, first, length)))
		return false;
	return sr_queue_one(ring,
			    &(struct sr_common){
				    .pool = pool,
				    .kind = kind,
				    .opcode = ring->opcode[kind],
				    .fd = fd,
				    .index = attachment->first[0],
				    .first = first,
				    .length = (uint32_t)length,
				    .shape = sr_shape(ring, kind, 0, length),
			    },
			    word, offset, user_data);
}

/* Pools of several regions or fixed buffers have a way nearly as short. */
static bool queue_scattered(struct saferring_ring *ring, unsigned int kind,
			    int fd, struct saferring_range range,
			    uint64_t offset, uint64_t user_data)
{
	const uint64_t word = range.buffer.word;
	const struct sr_attachment *attachment;
	struct sr_operation *operation;
	struct saferring_pool *pool;
	struct sr_common common;
	uint64_t *tag;

	attachment = ring ? ring->by_pool_many[word >> SR_ID_SHIFT] : NULL;
	if (!attachment || fd & SAFERRING_FILE_BIT || !ring->free_count)
		return false;
	pool = attachment->pool;
	tag = saferring_buffer_tag(&pool->fast, word);
	if (!sr_in_buffer(pool, range.start, range.length) ||
	    !sr_can_start(&pool->fast, tag, word))
		return false;
	common = (struct sr_common){
		.pool = pool,
		.opcode = ring->opcode[kind],
		.fd = fd,
		.index = sr_fixed_index(attachment, word),
		.length = (uint32_t)range.length,
		.shape = sr_shape(ring, kind, 0, range.length),
	};
	operation = ring->free[ring->free_count - 1];
	sr_fill_entry(sr_next_entry(ring), &common,
		      (uintptr_t)sr_buffer_address(pool, word) + range.start,
		      offset, operation->key);
	sr_start(&pool->fast, &common, tag, word, user_data, operation);
	sr_queued_one(ring, kind);
	return true;
}

/*
 * Whatever the short ways do not do: what is to be refused, registered files,
 * rings whose entries are of another size, pools with a depth.
 */
static int queue_other(struct saferring_ring *ring, unsigned int kind, int fd,
		       struct saferring_range range, uint64_t offset,
		       uint64_t user_data)
{
	struct sr_draft draft;
	int error = sr_draft(ring, kind, &range, 1, &draft);

	if (error)
		return error;
	sr_draft_address(&draft);
	sr_draft_file(&draft, fd);
	draft.sqe->off = offset;
	return sr_queue(&draft, user_data);
}

static __attribute__((noinline)) int
read_other(struct saferring_ring *ring, int fd, saferring_buffer buffer,
	   size_t start, size_t length, uint64_t offset, uint64_t user_data)
{
	const struct saferring_range range = { buffer, start, length };

	if (queue_scattered(ring, SAFERRING_OPERATION_READ, fd, range, offset,
			    user_data))
		return 0;
	return queue_other(ring, SAFERRING_OPERATION_READ, fd, range, offset,
			   user_data);
}

static __attribute__((noinline)) int
write_other(struct saferring_ring *ring, int fd, saferring_buffer buffer,
	    size_t start, size_t length, uint64_t offset, uint64_t user_data)
{
	const struct saferring_range range = { buffer, start, length };

	if (queue_scattered(ring, SAFERRING_OPERATION_WRITE, fd, range, offset,
			    user_data))
		return 0;
	return queue_other(ring, SAFERRING_OPERATION_WRITE, fd, range, offset,
			   user_data);
}

int saferring_ring_read(struct saferring_ring *ring, int fd,
			saferring_buffer buffer, size_t start, size_t length,
			uint64_t offset, uint64_t user_data)
{
	if (SAFERRING_LIKELY(queue(ring, SAFERRING_OPERATION_READ, fd,
				   buffer.word, start, length, offset,
				   user_data)))
		return 0;
	return read_other(ring, fd, buffer, start, length, offset, user_data);
}

int saferring_ring_write(struct saferring_ring *ring, int fd,
			 saferring_buffer buffer, size_t start, size_t length,
			 uint64_t offset, uint64_t user_data)
{
	if (SAFERRING_LIKELY(queue(ring, SAFERRING_OPERATION_WRITE, fd,
				   buffer.word, start, length, offset,
				   user_data)))
		return 0;
	return write_other(ring, fd, buffer, start, length, offset, user_data);
}

/* ---- regions that go away ---- */

static void look_at_pool(struct saferring_ring *ring,
			 struct saferring_pool *pool)
{
	size_t number;

	for (number = 0; number < pool->region_count; number++) {
		if (sr_region_live(pool->region[number]))
			continue;
		sr_pool_region_gone(pool, number, false);
		ring->any_gone = true;
	}
}

/* The word is read before the regions are, so that none is missed. */
void sr_regions_changed(struct saferring_ring *ring)
{
	size_t number;

	for (number = 0; number < ring->watch_count; number++)
		ring->watch[number].seen =
			__atomic_load_n(ring->watch[number].revocations,
					__ATOMIC_ACQUIRE);
	for (number = 0; number < ring->attachment_count; number++)
		look_at_pool(ring, ring->attachment[number].pool);
}

bool sr_record_gone(const struct sr_operation *operation)
{
	const struct saferring_pool *pool = operation->pool;
	size_t region = 0;

	if (!pool)
		return false;
	if (pool->region_count > 1)
		region = sr_word_index(pool, operation->fresh) >>
			 pool->region_bits;
	return pool->region_gone[region];
}

static bool any_record_gone(struct saferring_ring *ring,
			    const struct sr_operation *operation)
{
	if (!(operation->special & SR_SPECIAL_SLOW))
		return sr_record_gone(operation);
	for (; operation; operation = sr_record_next(ring, operation))
		if (sr_record_gone(operation))
			return true;
	return false;
}

/*
 * A read of no descriptor fails at once, on every kernel. A NOP would not, and
 * what is linked to this entry would go on.
 */
void sr_disarm(struct saferring_ring *ring, struct io_uring_sqe *sqe,
	       struct sr_operation *operation, int result)
{
	const uint8_t links = sqe->flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);

	io_uring_prep_read(sqe, -1, NULL, 0, 0);
	sqe->flags = links;
	sqe->user_data = operation->key;
	operation->special |= SR_SPECIAL_RESULT;
	sr_state_of(ring, operation)->result = result;
}

/* What is queued on a region that is gone is not to reach the kernel. */
static void disarm_gone(struct saferring_ring *ring)
{
	struct sr_operation *operation;
	struct io_uring_sqe *sqe;
	unsigned int number;

	for (number = 0; number < ring->queued; number++) {
		sqe = sr_uring_queued(ring, number);
		operation = sr_record_of_key(ring, sqe->user_data);
		if (operation && any_record_gone(ring, operation))
			sr_disarm(ring, sqe, operation, -ESTALE);
	}
}

static unsigned int prepare_requests(struct saferring_ring *ring)
{
	int taken = 0;

	if (ring->let_start)
		sr_uring_let_start(ring);
	sr_uring_add_requests(ring);
	if (!ring->doomed_count)
		return 0;
	taken = sr_uring_enter(ring, 0, 0);
	sr_uring_add_requests(ring);
	return taken < 0 ? 0 : (unsigned int)taken;
}

unsigned int sr_ring_prepare_odd(struct saferring_ring *ring)
{
	if (ring->any_gone)
		disarm_gone(ring);
	return ring->doomed_count ? prepare_requests(ring) : 0;
}

/* ---- submitting ---- */

int sr_fail_enter(const struct saferring_ring *ring, int error,
		  const char *operation)
{
	return sr_fail(&(struct sr_fault){
			       .code = error,
			       .reason = error == -EOPNOTSUPP ?
						 SAFERRING_REASON_UNSUPPORTED :
						 SAFERRING_REASON_SYSTEM,
			       .operation = operation,
			       .kind = "ring",
			       .name = ring->name,
			       .cure = "what is queued stays queued: submit again, or withdraw",
		       },
		       "io_uring_enter failed: %s", strerror(-error));
}

int saferring_ring_submit(struct saferring_ring *ring)
{
	unsigned int before;
	int taken;

	if (!ring)
		return sr_fail_argument("ring_submit", "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_submit", "ring", ring->name);
	if (SAFERRING_UNLIKELY(ring->beside != NULL))
		return sr_fail_beside(ring, "ring_submit");
	if (!sr_ring_has_work(ring))
		return 0;
	before = sr_ring_prepare(ring);
	taken = sr_uring_enter(ring, 0, 0);
	sr_account_taken(ring);
	if (taken < 0 && !before)
		return sr_fail_enter(ring, taken, "ring_submit");
	return SR_MAX(taken, 0) + (int)before;
}

/* ---- taking back ---- */

/*
 * The results of what was queued come behind those that are pending already.
 * Requests are queued at the last moment only, so there are none here.
 */
int sr_ring_withdraw_all(struct saferring_ring *ring)
{
	const unsigned int queued = ring->queued;
	unsigned int number, count = 0;

	for (number = 0; number < queued; number++) {
		struct sr_operation *operation = sr_record_of_key(
			ring, sr_uring_queued(ring, number)->user_data);

		if (!operation)
			continue;
		sr_pend_all(ring, operation, -ECANCELED,
			    SAFERRING_COMPLETION_WITHDRAWN);
		count++;
	}
	sr_uring_withdraw(ring);
	ring->queued = 0;
	saferring_word_add(&ring->stats->withdrawn, count);
	return (int)count;
}

int saferring_ring_withdraw(struct saferring_ring *ring)
{
	if (!ring)
		return sr_fail_argument("ring_withdraw", "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_withdraw", "ring", ring->name);
	if (ring->beside)
		return sr_fail_beside(ring, "ring_withdraw");
	return sr_ring_withdraw_all(ring);
}
