/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The short way into the queue, of operations on one buffer that nothing is to
 * be looked up for: from pools without a depth whose buffers lie in one piece,
 * on rings with entries of the usual size. Whoever finds that it cannot be taken
 * goes the long way, of queue.c, which also finds out what is to be refused.
 */
#ifndef SAFERRING_SHORT_H
#define SAFERRING_SHORT_H

#include "account.h"
#include "internal.h"

/*
 * struct sr_entry - an SQE of such an operation, in larger pieces than struct
 * io_uring_sqe
 */
struct sr_entry {
	uint64_t opcode; /* with flags and priority of 0, and the fd */
	uint64_t offset;
	uint64_t address;
	uint64_t length; /* and flags of the operation */
	uint64_t user_data;
	uint64_t index; /* of the fixed buffer; the fields behind it are 0 */
	uint64_t rest[2];
} __attribute__((may_alias));

_Static_assert(sizeof(struct sr_entry) == sizeof(struct io_uring_sqe),
	       "an entry is an SQE");
_Static_assert(offsetof(struct sr_entry, length) ==
	       offsetof(struct io_uring_sqe, len),
	       "an entry's length is where the SQE's is");
_Static_assert(offsetof(struct sr_entry, index) ==
	       offsetof(struct io_uring_sqe, buf_index),
	       "an entry's index is where the SQE's is");

/*
 * struct sr_common - what operations that are queued one after the other have in
 * common besides their pool
 * @kind: enum saferring_operation
 * @opcode: what the kernel calls it
 * @index: of the fixed buffer, or 0
 * @flags: of the operation
 * @first: where in each buffer it begins, in bytes
 * @length: bytes of each
 */
struct sr_common {
	struct saferring_pool *pool;
	unsigned int kind;
	unsigned int opcode;
	int fd;
	uint32_t index;
	uint32_t flags;
	size_t first;
	uint32_t length;
	uint64_t shape;
};

/*
 * Field by field, each store as wide as it can be: what lies beside a field in
 * its 8 bytes is 0. Which end of them the field is at depends on the machine.
 */
static __always_inline void
sr_fill_entry(struct io_uring_sqe *sqe, const struct sr_common *common,
	      uint64_t address, uint64_t offset, uint64_t key)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	struct sr_entry *entry = (struct sr_entry *)(void *)sqe;

	entry->opcode = common->opcode | (uint64_t)(uint32_t)common->fd << 32;
	entry->offset = offset;
	entry->address = address;
	entry->length = common->length | (uint64_t)common->flags << 32;
	entry->user_data = key;
	entry->index = (uint16_t)common->index;
	entry->rest[0] = 0;
	entry->rest[1] = 0;
#else
	*sqe = (struct io_uring_sqe){
		.opcode = (uint8_t)common->opcode,
		.fd = common->fd,
		.off = offset,
		.addr = address,
		.len = common->length,
		.rw_flags = (int)common->flags,
		.user_data = key,
		.buf_index = (uint16_t)common->index,
	};
#endif
}

static inline bool sr_in_buffer(const struct saferring_pool *pool, size_t first,
				size_t length)
{
	/* A length of 0 is by 1 too large. */
	return first <= pool->buffer_size &&
	       length - 1 < pool->buffer_size - first;
}

/* Whether a handle is the program's, and has a generation after it. */
static __always_inline bool sr_can_start(const struct saferring_pool_fast *fast,
					 const uint64_t *tag, uint64_t word)
{
	return SAFERRING_LIKELY(SAFERRING_LOAD(*tag) == word &&
				word + fast->step_free < fast->limit_free);
}

/* From here on the buffer is the kernel's. */
static __always_inline void
sr_start(const struct saferring_pool_fast *fast, const struct sr_common *common,
	 uint64_t *tag, uint64_t word, uint64_t user_data,
	 struct sr_operation *operation)
{
	sr_tag_store(tag, word + SR_TO_KERNEL);
	__atomic_store_n(&operation->fresh, word + fast->step,
			 __ATOMIC_RELAXED);
	operation->pool = common->pool;
	operation->user_data = user_data;
	sr_record_set_shape(operation, common->shape);
	operation->tag = tag;
}

static __always_inline uint64_t *
sr_tag_of(const struct saferring_pool_fast *fast, uint64_t word)
{
	return (uint64_t *)(void *)(fast->tags + (word & fast->mask));
}

/* A number, because compilers add up numbers better than pointers. */
static __always_inline uint64_t
sr_address_of(const struct saferring_pool_fast *fast, uint64_t base,
	      uint64_t word)
{
	return base + ((word & fast->mask) << fast->shift);
}

/* Of what is queued one by one. */
static __always_inline void sr_queued_one(struct saferring_ring *ring,
					  unsigned int kind)
{
	ring->uring.sq.sqe_tail++;
	ring->free_count--;
	ring->queued++;
	sr_account_queued(ring->words, kind, 1);
}

static __always_inline struct io_uring_sqe *
sr_next_entry(const struct saferring_ring *ring)
{
	const struct io_uring_sq *sq = &ring->uring.sq;

	return &sq->sqes[sq->sqe_tail & ring->sq_mask];
}

/*
 * Queue one operation, of which all that does not depend on the handle is good.
 * Returns false if the handle is not.
 */
static __always_inline bool sr_queue_one(struct saferring_ring *ring,
					 const struct sr_common *common,
					 uint64_t word, uint64_t offset,
					 uint64_t user_data)
{
	const struct saferring_pool_fast *fast = &common->pool->fast;
	uint64_t *tag = sr_tag_of(fast, word);
	struct sr_operation *operation;

	if (SAFERRING_UNLIKELY(!ring->free_count ||
			       !sr_can_start(fast, tag, word)))
		return false;
	operation = ring->free[ring->free_count - 1];
	sr_fill_entry(sr_next_entry(ring), common,
		      sr_address_of(fast, (uintptr_t)fast->base + common->first,
				    word),
		      offset, operation->key);
	sr_start(fast, common, tag, word, user_data, operation);
	sr_queued_one(ring, common->kind);
	return true;
}

#endif /* SAFERRING_SHORT_H */
