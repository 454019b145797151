// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Control: operations on operations and on rings, and the program's own SQEs.
 */
#include <errno.h>
#include <string.h>
#include "account.h"
#include "internal.h"

static __attribute__((cold, noinline)) int
nop_other(struct saferring_ring *ring, uint64_t user_data)
{
	struct sr_draft draft;
	int error = sr_draft(ring, SAFERRING_OPERATION_NOP, NULL, 0, &draft);

	return error ? error : sr_queue(&draft, user_data);
}

/*
 * As short as READ and WRITE: what a NOP costs is what people look at to see
 * what a ring costs. Its opcode is 0.
 */
int saferring_ring_nop(struct saferring_ring *ring, uint64_t user_data)
{
	struct sr_operation *operation;
	struct io_uring_sqe *sqe;

	if (SAFERRING_UNLIKELY(!ring || !ring->short_nop || !ring->free_count ||
			       sr_forked(ring->epoch)))
		return nop_other(ring, user_data);
	sqe = sr_uring_next(ring);
	operation = sr_record_take(ring);
	*sqe = (struct io_uring_sqe){ .user_data = operation->key };
	sr_record_set_no_buffer(ring, operation);
	sr_record_set_shape(operation,
			    sr_shape(ring, SAFERRING_OPERATION_NOP, 0, 0));
	operation->user_data = user_data;
	sr_account_queued(ring->words, SAFERRING_OPERATION_NOP, 1);
	ring->queued++;
	return 0;
}

uint64_t saferring_ring_find(struct saferring_ring *ring, uint64_t user_data)
{
	const struct sr_operation *operation;
	unsigned int number;

	if (!ring || sr_forked(ring->epoch))
		return 0;
	sr_records_settle(ring);
	for (number = 0; number < ring->depth; number++) {
		operation = &ring->operation[number];
		if (sr_record_in_use(operation) &&
		    operation->user_data == user_data &&
		    !(operation->special &
		      (SR_SPECIAL_PART | SR_SPECIAL_DROP)))
			return operation->key;
	}
	return 0;
}

/* ---- cancelling ---- */

static int fail_ended(struct saferring_ring *ring, const char *function)
{
	return sr_fail(&(struct sr_fault){
			       .code = -ENOENT,
			       .reason = SAFERRING_REASON_ARGUMENT,
			       .operation = function,
			       .kind = "ring",
			       .name = ring->name,
			       .cure = "look for its completion",
		       },
		       "that operation has ended, or there was none");
}

/* The record that a name stands for, or NULL. */
static struct sr_operation *named(struct saferring_ring *ring, uint64_t name)
{
	struct sr_operation *operation = sr_record_of_key(ring, name);

	sr_records_settle(ring);
	if (!operation || !sr_record_in_use(operation))
		return NULL;
	return operation;
}

int saferring_ring_cancel(struct saferring_ring *ring, uint64_t operation,
			  uint64_t user_data)
{
	struct sr_draft draft;
	int error;

	if (ring && !sr_forked(ring->epoch) && !named(ring, operation))
		return fail_ended(ring, "ring_cancel");
	error = sr_draft(ring, SAFERRING_OPERATION_CANCEL, NULL, 0, &draft);
	if (error)
		return error;
	draft.sqe->addr = operation;
	return sr_queue(&draft, user_data);
}

/* Kernels that have IORING_OP_SOCKET know these flags. */
static int cancel_many(struct saferring_ring *ring, int fd, unsigned int flags,
		       uint64_t user_data)
{
	struct sr_draft draft;
	int error;

	if (ring && !ring->supported[SAFERRING_OPERATION_SOCKET])
		return sr_fail(&(struct sr_fault){
				       .code = -EOPNOTSUPP,
				       .reason = SAFERRING_REASON_UNSUPPORTED,
				       .operation = "ring_cancel",
				       .kind = "ring",
				       .name = ring->name,
				       .cure = "Linux 5.19 or later",
			       },
			       "this kernel cancels by operation only");
	error = sr_draft(ring, SAFERRING_OPERATION_CANCEL, NULL, 0, &draft);
	if (error)
		return error;
	sr_draft_file(&draft, fd);
	if (draft.sqe->flags & IOSQE_FIXED_FILE)
		flags |= IORING_ASYNC_CANCEL_FD_FIXED;
	draft.sqe->flags &= (uint8_t)~IOSQE_FIXED_FILE;
	draft.sqe->cancel_flags = flags | IORING_ASYNC_CANCEL_ALL;
	return sr_queue(&draft, user_data);
}

int saferring_ring_cancel_file(struct saferring_ring *ring, int fd,
			       uint64_t user_data)
{
	return cancel_many(ring, fd, IORING_ASYNC_CANCEL_FD, user_data);
}

int saferring_ring_cancel_all(struct saferring_ring *ring, uint64_t user_data)
{
	return cancel_many(ring, -1, IORING_ASYNC_CANCEL_ANY, user_data);
}

/* ---- dropping ---- */

static struct io_uring_sqe *queued_entry(struct saferring_ring *ring,
					 uint64_t key)
{
	unsigned int number;

	for (number = 0; number < ring->queued; number++)
		if (sr_uring_queued(ring, number)->user_data == key)
			return sr_uring_queued(ring, number);
	return NULL;
}

static bool is_pending(const struct saferring_ring *ring, uint32_t record)
{
	unsigned int number;

	for (number = 0; number < ring->pending_count; number++)
		if (ring->pending[(ring->pending_first + number) &
				  ring->pending_mask] == record)
			return true;
	return false;
}

/* Some of its buffers may be waiting to be handed out already. */
static void mark_dropped(struct saferring_ring *ring,
			 struct sr_operation *operation)
{
	const bool slow = operation->special & SR_SPECIAL_SLOW;

	for (; operation; operation = slow ? sr_record_next(ring, operation) :
					     NULL)
		operation->special |= SR_SPECIAL_DROP;
}

/* There is room for each operation once among the doomed. */
static int drop(struct saferring_ring *ring, struct sr_operation *operation)
{
	struct io_uring_sqe *sqe = queued_entry(ring, operation->key);
	const uint32_t number = sr_record_number(operation);

	if (sqe)
		sr_disarm(ring, sqe, operation, -ECANCELED);
	else if (ring->beside && !is_pending(ring, number) &&
		 sr_cancel_beside(ring, operation->key))
		return -EAGAIN;
	else if (!ring->beside && !is_pending(ring, number) &&
		 ring->doomed_count < ring->depth)
		ring->doomed[ring->doomed_count++] = operation->key;
	mark_dropped(ring, operation);
	return 0;
}

static int fail_step(const struct saferring_ring *ring)
{
	return sr_fail(&(struct sr_fault){
			       .code = -EBUSY,
			       .reason = SAFERRING_REASON_BUSY,
			       .operation = "ring_drop",
			       .kind = "ring",
			       .name = ring->name,
			       .cure = "saferring_batch_cancel()",
		       },
		       "the operation is a step of a batch");
}

int saferring_ring_drop(struct saferring_ring *ring, uint64_t operation)
{
	struct sr_operation *record;

	if (!ring)
		return sr_fail_argument("ring_drop", "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_drop", "ring", ring->name);
	record = named(ring, operation);
	if (!record || record->special & SR_SPECIAL_DROP)
		return fail_ended(ring, "ring_drop");
	if (record->special & SR_SPECIAL_SLOW &&
	    sr_state_of(ring, record)->batch)
		return fail_step(ring);
	return drop(ring, record);
}

/* ---- other rings ---- */

int saferring_ring_message(struct saferring_ring *ring, int fd,
			   uint64_t other_user_data, uint32_t other_result,
			   uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_MESSAGE;
	struct sr_draft draft;
	int error;

	if (other_user_data & SR_KEY_MARK)
		return sr_refuse(ring, kind,
				 "user_data %#llx is among those of operations",
				 (unsigned long long)other_user_data);
	error = sr_draft(ring, kind, NULL, 0, &draft);
	if (error)
		return error;
	sr_draft_file(&draft, fd);
	draft.sqe->off = other_user_data;
	draft.sqe->len = other_result;
	return sr_queue(&draft, user_data);
}

/* ---- the program's own ---- */

static int check_raw(struct saferring_ring *ring,
		     const struct io_uring_sqe *sqe)
{
	const unsigned int kind = SAFERRING_OPERATION_RAW;

	if (!ring || !sqe)
		return sr_refuse(ring, kind, "no SQE");
	if (sqe->flags & (IOSQE_CQE_SKIP_SUCCESS | IOSQE_BUFFER_SELECT))
		return sr_refuse(ring, kind,
				 "flags %#x: with them buffers would be lost",
				 sqe->flags);
	if (ring->opcodes[sqe->opcode])
		return 0;
	saferring_word_add(&ring->stats->refused, 1);
	return sr_fail(&(struct sr_fault){
			       .code = -EOPNOTSUPP,
			       .reason = SAFERRING_REASON_UNSUPPORTED,
			       .operation = "ring_raw",
			       .kind = "ring",
			       .name = ring->name,
			       .cure = "a kernel that has it",
		       },
		       "this kernel's io_uring has no opcode %u", sqe->opcode);
}

int saferring_ring_raw(struct saferring_ring *ring,
		       const struct io_uring_sqe *sqe,
		       const struct saferring_range *ranges, unsigned int count,
		       uint64_t user_data)
{
	struct sr_draft draft;
	int error = check_raw(ring, sqe);

	if (!error)
		error = sr_draft(ring, SAFERRING_OPERATION_RAW, ranges, count,
				 &draft);
	if (error)
		return error;
	memcpy(draft.sqe, sqe, sizeof(*sqe) << ring->wide);
	if (count) {
		draft.sqe->addr = (uintptr_t)draft.address;
		draft.sqe->len = (uint32_t)draft.length;
	}
	if (count > 1) {
		draft.sqe->addr = (uintptr_t)draft.payload->iovec;
		draft.sqe->len = count;
	}
	if (draft.fixed_index >= 0)
		draft.sqe->buf_index = (uint16_t)draft.fixed_index;
	return sr_queue(&draft, user_data);
}
