// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Special: what the completions of all operations take that are not a read or
 * write of one buffer that ran its course.
 *
 * A buffer comes back with the last CQE of its operation. That is the first one
 * without IORING_CQE_F_MORE, be it the only one, the end of a multishot
 * operation or the notification of a zero-copy send.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "account.h"
#include "internal.h"

static const struct sr_kind *kind_of(const struct sr_operation *operation)
{
	return &sr_kinds[operation->kind];
}

/* ---- regions that are gone ---- */

static void report_gone(const struct saferring_ring *ring,
			const struct sr_operation *operation)
{
	struct saferring_error *error = sr_error_begin(
		0, SAFERRING_REASON_GONE_COMPLETION, "ring_reap");

	snprintf(error->object, sizeof(error->object), "ring %s", ring->name);
	snprintf(error->what, sizeof(error->what),
		 "a %s of %u bytes ended after the region of pool %s was freed",
		 kind_of(operation)->name, operation->length,
		 operation->pool->name);
	error->handle = sr_record_handle(operation);
	error->index = (uint32_t)sr_word_index(operation->pool, error->handle);
	error->owner = SAFERRING_OWNER_NOBODY;
	sr_report(error);
}

uint32_t sr_note_gone(struct saferring_ring *ring,
		      const struct sr_operation *operation, uint64_t word)
{
	const struct saferring_pool *pool = operation->pool;

	sr_tag_store(saferring_buffer_tag(&pool->fast, word),
		     sr_handle_tag(word, SR_STATE_GONE));
	saferring_word_add(&ring->stats->region_gone, 1);
	report_gone(ring, operation);
	return SAFERRING_COMPLETION_REGION_GONE;
}

/* ---- one record ---- */

/* The operation's buffer becomes the program's. Returns flags. */
static uint32_t give_back(struct saferring_ring *ring,
			  const struct sr_operation *operation,
			  struct saferring_completion *completion)
{
	struct saferring_pool *pool = operation->pool;
	const uint64_t word = operation->fresh;

	completion->buffer.word = word;
	completion->pool = pool;
	if (!pool)
		return 0;
	sr_tag_store(operation->tag, word);
	if (ring->any_gone && sr_record_gone(operation))
		return sr_note_gone(ring, operation, word);
	if (pool->depth)
		sr_buffer_return(pool, word);
	return 0;
}

static uint32_t note_result(struct saferring_ring *ring,
			    const struct sr_operation *operation,
			    int32_t result, uint32_t flags)
{
	const unsigned int traits = kind_of(operation)->flags;

	if (result < 0) {
		if (!(traits & SR_KIND_EXPIRES && result == -ETIME))
			sr_account_incomplete(ring->words, operation->kind,
					      result);
		if (!(flags & SAFERRING_COMPLETION_WITHDRAWN) &&
		    !(traits & SR_KIND_EXPIRES && result == -ETIME))
			saferring_word_add(&ring->stats->errors, 1);
		return flags;
	}
	if (!(traits & SR_KIND_BYTES))
		return flags;
	sr_account_bytes(ring->words, operation->kind, (uint32_t)result);
	if ((uint32_t)result >= operation->length ||
	    traits & SR_KIND_MULTISHOT)
		return flags;
	sr_account_incomplete(ring->words, operation->kind, result);
	saferring_word_add(&ring->stats->short_results, 1);
	return flags | SAFERRING_COMPLETION_SHORT;
}

static void fill_completion(struct saferring_ring *ring,
			    const struct sr_operation *operation,
			    int32_t result, uint32_t flags,
			    struct saferring_completion *completion)
{
	completion->user_data = operation->user_data;
	completion->result = result;
	completion->flags = flags;
	completion->length = operation->length;
	completion->operation = operation->kind;
	completion->extra = sr_state_of(ring, operation)->extra;
}

/*
 * What a message was, where its receiver wants it: see saferring/socket.h. Its
 * buffer is the program's already.
 */
static void write_header(struct saferring_ring *ring,
			 const struct sr_operation *operation)
{
	struct sr_payload *payload = sr_payload_of(ring, operation);
	const struct saferring_message_header header = {
		.address_length = payload->message.msg_namelen,
		.control_length = (uint32_t)payload->message.msg_controllen,
		.payload_length = (uint32_t)payload->total,
		.flags = (uint32_t)payload->message.msg_flags,
	};

	if (payload->first)
		memcpy(payload->iovec[0].iov_base, &header, sizeof(header));
}

static bool has_header(const struct sr_operation *operation, int32_t result,
		       uint32_t flags)
{
	return operation->kind == SAFERRING_OPERATION_RECVMSG && result >= 0 &&
	       !(operation->special & SR_SPECIAL_PART) &&
	       !(flags & SAFERRING_COMPLETION_REGION_GONE);
}

/* Of the buffers of one operation the last one ends it. */
unsigned int sr_complete_pending(struct saferring_ring *ring,
				 struct sr_operation *operation,
				 struct saferring_completion *completion)
{
	const struct sr_state *state = sr_state_of(ring, operation);
	uint32_t flags = state->flags;

	if (operation->special & SR_SPECIAL_DROP) {
		sr_return_record(ring, operation);
		return 0;
	}
	sr_account_done(ring->words, operation->kind);
	/* The bytes of a zero-copy send were counted before. */
	if (!(flags & SAFERRING_COMPLETION_NOTIFICATION))
		flags = note_result(ring, operation, state->result, flags);
	flags |= give_back(ring, operation, completion);
	if (has_header(operation, state->result, flags))
		write_header(ring, operation);
	fill_completion(ring, operation, state->result, flags, completion);
	sr_record_release(ring, operation);
	return 1;
}

void sr_return_record(struct saferring_ring *ring,
		      struct sr_operation *operation)
{
	struct saferring_pool *pool = operation->pool;

	if (pool)
		sr_pool_take_back(pool, sr_record_handle(operation));
	sr_record_release(ring, operation);
}

/* ---- the last CQE of an operation ---- */

/*
 * The bytes of a vector fill its ranges in order. Returns those of one buffer,
 * of which there may be several ranges.
 */
static int32_t bytes_of_part(const struct sr_payload *payload,
			     unsigned int part, int32_t result)
{
	size_t left = (size_t)result, bytes = 0;
	unsigned int range;

	for (range = payload->first; range < payload->ranges; range++) {
		const size_t here =
			SR_MIN(left, payload->iovec[range].iov_len);

		if (payload->part[range] == part)
			bytes += here;
		left -= here;
	}
	return (int32_t)bytes;
}

void sr_pend_all(struct saferring_ring *ring, struct sr_operation *operation,
		 int32_t result, uint32_t flags)
{
	const struct sr_payload *payload =
		&ring->payload[sr_record_number(operation)];
	const bool slow = operation->special & SR_SPECIAL_SLOW;
	const bool bytes = kind_of(operation)->flags & SR_KIND_BYTES;
	struct sr_state *state = sr_state_of(ring, operation);
	struct sr_operation *part = operation, *next;
	struct saferring_batch *batch = NULL;
	unsigned int number = 0;
	uint32_t step = 0;
	int32_t share;

	if (!slow)
		state->extra = 0;
	if (kind_of(operation)->flags & SR_KIND_MULTISHOT)
		ring->multishots--;
	if (slow && state->group)
		state->group->users--;
	if (slow && state->batch) {
		batch = state->batch;
		step = state->step;
		state->batch = NULL;
	}
	for (; part; part = next, number++) {
		next = slow ? sr_record_next(ring, part) : NULL;
		share = result;
		if (bytes && result > 0 && (next || number))
			share = bytes_of_part(payload, number, result);
		part->special |= operation->special & SR_SPECIAL_DROP;
		sr_pend(ring, part, share,
			flags | (next ? SAFERRING_COMPLETION_MORE : 0));
	}
	if (batch)
		sr_batch_step_ended(batch, step, result);
}

/* What the kernel left beside its result. */
static void finish(struct saferring_ring *ring,
		   struct sr_operation *operation, int32_t result,
		   const struct io_uring_cqe *cqe)
{
	const uint32_t number = sr_record_number(operation);

	if (operation->kind == SAFERRING_OPERATION_ACCEPT && operation->pool)
		ring->state[number].extra =
			ring->payload[number].address_length;
	if (operation->kind == SAFERRING_OPERATION_RECVMSG)
		ring->payload[number].total = result;
	if (operation->kind == SAFERRING_OPERATION_RAW)
		ring->state[number].extra = cqe->flags;
	if (operation->kind == SAFERRING_OPERATION_COMMAND)
		ring->state[number].extra = cqe->big_cqe[0];
}

/* ---- provided buffers ---- */

/* The record has the buffer of a tag in state KERNEL. */
static void set_provided(struct sr_operation *operation,
			 struct saferring_pool *pool, uint64_t word)
{
	const uint64_t handle = sr_tag_handle(word);

	sr_record_set_buffer(operation, pool,
			     saferring_buffer_tag(&pool->fast, handle), handle);
}

/*
 * A buffer that the last CQE brings becomes the record's own, and comes back
 * like any other.
 */
static uint32_t take_last_provided(struct saferring_ring *ring,
				   struct sr_operation *operation,
				   const struct io_uring_cqe *cqe)
{
	struct sr_state *state = sr_state_of(ring, operation);
	const uint64_t word = sr_group_take(state->group, cqe, &state->extra);

	if (!word)
		return SAFERRING_COMPLETION_PARTIAL;
	set_provided(operation, state->group->pool, word);
	return 0;
}

/* Of a dropped operation, or at the end of a ring. */
static void return_provided(struct saferring_group *group,
			    const struct io_uring_cqe *cqe)
{
	struct saferring_pool *pool = group->pool;
	uint64_t address;
	const uint64_t word = sr_group_take(group, cqe, &address);

	if (word)
		sr_pool_take_back(pool, sr_tag_handle(word));
}

/* The completion of a CQE that is not the last gets its buffer. */
static void take_provided(struct saferring_ring *ring,
			  struct sr_operation *operation,
			  const struct io_uring_cqe *cqe,
			  struct saferring_completion *completion)
{
	struct saferring_group *group = sr_state_of(ring, operation)->group;
	const uint64_t word = sr_group_take(group, cqe, &completion->extra);
	struct sr_operation once = *operation;

	if (!word) {
		completion->flags |= SAFERRING_COMPLETION_PARTIAL;
		return;
	}
	set_provided(&once, group->pool, word);
	completion->flags |= give_back(ring, &once, completion);
}

static bool is_provided(struct saferring_ring *ring,
			const struct sr_operation *operation,
			const struct io_uring_cqe *cqe)
{
	return cqe->flags & IORING_CQE_F_BUFFER &&
	       sr_state_of(ring, operation)->group;
}

static void complete_last(struct saferring_ring *ring,
			  struct sr_operation *operation,
			  const struct io_uring_cqe *cqe)
{
	struct sr_state *state = sr_state_of(ring, operation);
	int32_t result = cqe->res;
	uint32_t flags = 0;

	if (cqe->flags & IORING_CQE_F_NOTIF) {
		state->extra = (uint32_t)cqe->res;
		flags = SAFERRING_COMPLETION_NOTIFICATION;
	}
	if (operation->special & SR_SPECIAL_RESULT)
		result = state->result;
	if (is_provided(ring, operation, cqe))
		flags |= take_last_provided(ring, operation, cqe);
	if (operation->special & SR_SPECIAL_SLOW)
		finish(ring, operation, result, cqe);
	sr_pend_all(ring, operation, result, flags);
}

/*
 * The one CQE of an operation that has one record, and nothing that this would
 * not do: it need not be pending first, if no other is. Those of the short ways
 * are like that, and have no state.
 */
static bool is_alone(const struct saferring_ring *ring,
		     const struct sr_operation *operation,
		     const struct io_uring_cqe *cqe)
{
	const struct sr_state *state = &ring->state[sr_record_number(operation)];
	const unsigned int more = SR_KIND_MULTISHOT | SR_KIND_ZEROCOPY;

	if (!operation->special)
		return true;
	return operation->special == SR_SPECIAL_SLOW &&
	       !ring->pending_count && state->next == SR_RECORD_NONE &&
	       !state->group && !state->batch && !(kind_of(operation)->flags & more) &&
	       /* Of an entry of the program's own anything may come. */
	       !(cqe->flags & (IORING_CQE_F_MORE | IORING_CQE_F_NOTIF));
}

static unsigned int complete_alone(struct saferring_ring *ring,
				   struct sr_operation *operation,
				   const struct io_uring_cqe *cqe,
				   struct saferring_completion *completion)
{
	struct sr_state *state = sr_state_of(ring, operation);

	if (operation->special)
		finish(ring, operation, cqe->res, cqe);
	else
		state->extra = 0;
	state->result = cqe->res;
	state->flags = 0;
	return sr_complete_pending(ring, operation, completion);
}

/* ---- CQEs that are not the last ---- */

/*
 * The first of a zero-copy send tells the result, and the buffers stay with the
 * kernel.
 */
static void note_sent(struct saferring_ring *ring,
		      struct sr_operation *operation, int32_t result)
{
	operation->special |= SR_SPECIAL_RESULT;
	sr_state_of(ring, operation)->result = result;
}

unsigned int sr_complete_special(struct saferring_ring *ring,
				 struct sr_operation *operation,
				 const struct io_uring_cqe *cqe,
				 struct saferring_completion *completion)
{
	uint32_t flags = SAFERRING_COMPLETION_MORE;

	if (SAFERRING_LIKELY(is_alone(ring, operation, cqe)))
		return complete_alone(ring, operation, cqe, completion);
	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		complete_last(ring, operation, cqe);
		return 0;
	}
	if (kind_of(operation)->flags & SR_KIND_ZEROCOPY)
		note_sent(ring, operation, cqe->res);
	if (operation->special & SR_SPECIAL_DROP) {
		if (is_provided(ring, operation, cqe))
			return_provided(sr_state_of(ring, operation)->group,
					cqe);
		return 0;
	}
	flags = note_result(ring, operation, cqe->res, flags);
	completion->buffer = SAFERRING_BUFFER_NONE;
	completion->pool = NULL;
	fill_completion(ring, operation, cqe->res, flags, completion);
	if (operation->kind == SAFERRING_OPERATION_RAW)
		completion->extra = cqe->flags;
	if (is_provided(ring, operation, cqe))
		take_provided(ring, operation, cqe, completion);
	return 1;
}

void sr_return_special(struct saferring_ring *ring,
		       struct sr_operation *operation,
		       const struct io_uring_cqe *cqe)
{
	const bool slow = operation->special & SR_SPECIAL_SLOW;
	struct sr_operation *next;

	if (slow && is_provided(ring, operation, cqe))
		return_provided(sr_state_of(ring, operation)->group, cqe);
	if (cqe->flags & IORING_CQE_F_MORE)
		return;
	for (; operation; operation = next) {
		next = slow ? sr_record_next(ring, operation) : NULL;
		sr_return_record(ring, operation);
	}
}
