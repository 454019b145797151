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
#include "account.h"
#include "internal.h"

/* ---- queueing ---- */

/*
 * struct sr_entry - an SQE of a read or write, in larger pieces than
 * struct io_uring_sqe
 */
struct sr_entry {
	uint32_t opcode; /* with flags and priority of 0 */
	int32_t fd;
	uint64_t offset;
	uint64_t address;
	uint64_t length; /* with flags of 0 */
	uint64_t user_data;
	uint64_t index; /* of the fixed buffer; the fields behind it are 0 */
	uint64_t rest[2];
};

_Static_assert(sizeof(struct sr_entry) == sizeof(struct io_uring_sqe),
	       "an entry is an SQE");
_Static_assert(offsetof(struct sr_entry, length) ==
	       offsetof(struct io_uring_sqe, len),
	       "an entry's length is where the SQE's is");
_Static_assert(offsetof(struct sr_entry, index) ==
	       offsetof(struct io_uring_sqe, buf_index),
	       "an entry's index is where the SQE's is");

/*
 * Field by field, each store as wide as it can be: what lies beside a field in
 * its 8 bytes is 0. Which end of them the field is at depends on the machine.
 */
static inline void fill_entry(struct io_uring_sqe *sqe, unsigned int opcode,
			      int fd, const void *address, size_t length,
			      uint64_t offset, uint32_t index)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	struct sr_entry *entry = (struct sr_entry *)(void *)sqe;

	entry->opcode = opcode;
	entry->fd = fd;
	entry->offset = offset;
	entry->address = (uintptr_t)address;
	entry->length = (uint32_t)length;
	entry->index = (uint16_t)index;
	entry->rest[0] = 0;
	entry->rest[1] = 0;
#else
	*sqe = (struct io_uring_sqe){
		.opcode = (uint8_t)opcode,
		.fd = fd,
		.off = offset,
		.addr = (uintptr_t)address,
		.len = (uint32_t)length,
		.buf_index = (uint16_t)index,
	};
#endif
}

static inline bool in_buffer(const struct saferring_pool *pool, size_t start,
			     size_t length)
{
	/* A length of 0 is by 1 too large. */
	return start <= pool->buffer_size &&
	       length - 1 < pool->buffer_size - start;
}

/* From here on the buffer is the kernel's. */
static inline void give_away(struct sr_operation *operation,
			     struct saferring_pool *pool, uint64_t *tag,
			     uint64_t word, int kind, size_t length,
			     uint64_t user_data)
{
	word += SR_TO_KERNEL;
	sr_tag_store(tag, word);
	sr_record_set_kind(operation, (unsigned int)kind, 0);
	__atomic_store_n(&operation->word, word, __ATOMIC_RELAXED);
	operation->user_data = user_data;
	operation->pool = pool;
	__atomic_store_n(&operation->length, (uint32_t)length,
			 __ATOMIC_RELAXED);
}

/*
 * Inline, so that each of the callers has its own with @kind and @many known.
 * Returns false if this has to be done by a longer way, which finds out why; with
 * the arguments left as they came, the caller can jump there.
 */
static __always_inline bool queue(struct saferring_ring *ring, int kind, int fd,
				  uint64_t word, size_t start, size_t length,
				  uint64_t offset, uint64_t user_data,
				  bool many)
{
	const struct sr_attachment *attachment;
	struct saferring_pool *pool;
	struct sr_operation *operation;
	struct io_uring_sqe *sqe;
	unsigned char *address;
	uint32_t index;
	uint64_t *tag;

	if (SAFERRING_UNLIKELY(!ring))
		return false;
	attachment = (many ? ring->by_pool_many :
			     ring->by_pool)[word >> SR_ID_SHIFT];
	if (SAFERRING_UNLIKELY(!attachment || fd & SAFERRING_FILE_BIT))
		return false;
	pool = attachment->pool;
	tag = saferring_buffer_tag(&pool->fast, word);
	if (SAFERRING_UNLIKELY(sr_tag_load(tag) != word ||
			       !in_buffer(pool, start, length) ||
			       !ring->free_count || sr_is_last(pool, word)))
		return false;

	if (many) {
		address = sr_buffer_address(pool, word);
		index = sr_fixed_index(attachment, word);
	} else {
		address = pool->fast.base +
			  ((word & pool->fast.mask) << pool->fast.shift);
		index = attachment->first[0];
	}
	sqe = sr_uring_next(ring);
	fill_entry(sqe, ring->opcode[kind], fd, address + start, length, offset,
		   index);
	operation = sr_record_take(ring);
	sqe->user_data = operation->key;
	give_away(operation, pool, tag, word, kind, length, user_data);
	sr_account_queued(ring->words, (unsigned int)kind);
	ring->queued++;
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

/* Pools of several regions or fixed buffers have a way nearly as short. */
static __attribute__((noinline)) int
read_other(struct saferring_ring *ring, int fd, saferring_buffer buffer,
	   size_t start, size_t length, uint64_t offset, uint64_t user_data)
{
	const struct saferring_range range = { buffer, start, length };

	if (queue(ring, SAFERRING_OPERATION_READ, fd, buffer.word, start,
		  length, offset, user_data, true))
		return 0;
	return queue_other(ring, SAFERRING_OPERATION_READ, fd, range, offset,
			   user_data);
}

static __attribute__((noinline)) int
write_other(struct saferring_ring *ring, int fd, saferring_buffer buffer,
	    size_t start, size_t length, uint64_t offset, uint64_t user_data)
{
	const struct saferring_range range = { buffer, start, length };

	if (queue(ring, SAFERRING_OPERATION_WRITE, fd, buffer.word, start,
		  length, offset, user_data, true))
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
				   user_data, false)))
		return 0;
	return read_other(ring, fd, buffer, start, length, offset, user_data);
}

int saferring_ring_write(struct saferring_ring *ring, int fd,
			 saferring_buffer buffer, size_t start, size_t length,
			 uint64_t offset, uint64_t user_data)
{
	if (SAFERRING_LIKELY(queue(ring, SAFERRING_OPERATION_WRITE, fd,
				   buffer.word, start, length, offset,
				   user_data, false)))
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
		region = sr_word_index(pool, sr_tag_handle(operation->word)) >>
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

unsigned int sr_ring_prepare(struct saferring_ring *ring)
{
	if (SAFERRING_UNLIKELY(ring->ready_steps != 0))
		sr_batches_release(ring);
	sr_look_at_regions(ring);
	if (SAFERRING_UNLIKELY(ring->any_gone))
		disarm_gone(ring);
	if (SAFERRING_UNLIKELY(ring->doomed_count))
		return prepare_requests(ring);
	return 0;
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
	ring->stats.withdrawn += count;
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
