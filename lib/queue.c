// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Queue: the way of every operation into the queue that is not a read or write
 * of one buffer, and the refusals of all of them.
 *
 * First all that can be refused is, by sr_draft(), which also gives the buffers
 * away; then the function of the operation fills the SQE; then sr_queue() has
 * the operation queued, and nothing can go wrong any more.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "account.h"
#include "internal.h"

/* ---- refusals ---- */

int sr_fail_handle(struct saferring_ring *ring, struct saferring_pool *pool,
		   uint64_t word, unsigned int kind)
{
	/* In a child no tag matches, so this is where it is found out. */
	if (sr_forked(ring->epoch))
		return sr_fail_forked(sr_kinds[kind].function, "ring",
				      ring->name);
	return sr_misuse(pool, word, sr_kinds[kind].function, ring);
}

int sr_fail_range(struct saferring_ring *ring,
		  const struct saferring_pool *pool, size_t start,
		  size_t length, unsigned int kind)
{
	struct sr_fault fault = {
		.code = length ? -ERANGE : -EINVAL,
		.reason = length ? SAFERRING_REASON_BOUNDS :
				   SAFERRING_REASON_ARGUMENT,
		.operation = sr_kinds[kind].function,
		.kind = "pool",
		.name = pool->name,
		.needed = length > SIZE_MAX - start ? SIZE_MAX :
						      start + length,
		.limit = pool->buffer_size,
	};

	saferring_word_add(&ring->stats->refused, 1);
	if (!length)
		return sr_fail(&fault, "length 0");
	return sr_fail(&fault,
		       "bytes %zu and %zu more do not lie in a buffer of %zu",
		       start, length, pool->buffer_size);
}

int sr_fail_depth(struct saferring_ring *ring, unsigned int kind)
{
	saferring_word_add(&ring->stats->refused, 1);
	return sr_fail(&(struct sr_fault){
			       .code = -EBUSY,
			       .reason = SAFERRING_REASON_DEPTH,
			       .operation = sr_kinds[kind].function,
			       .kind = "ring",
			       .name = ring->name,
			       .needed = ring->depth + 1,
			       .limit = ring->depth,
			       .cure = "reap completions, or create the ring deeper",
		       },
		       "all %u operations are taken: %u queued, %u in flight, %u to be reaped",
		       ring->depth, ring->queued, sr_ring_in_flight(ring),
		       ring->pending_count);
}

/* The buffer's last generation cannot be followed by a completion's. */
int sr_fail_last(struct saferring_ring *ring, const struct saferring_pool *pool,
		 uint64_t word, unsigned int kind)
{
	struct saferring_error *error = sr_error_begin(
		-ESTALE, SAFERRING_REASON_RETIRED, sr_kinds[kind].function);

	saferring_word_add(&ring->stats->refused, 1);
	error->handle = word;
	error->index = (uint32_t)sr_word_index(pool, word);
	error->owner = SAFERRING_OWNER_USER;
	snprintf(error->object, sizeof(error->object), "pool %s", pool->name);
	snprintf(error->what, sizeof(error->what),
		 "the buffer has used up its generations");
	snprintf(error->cure, sizeof(error->cure), "put it and get another");
	return error->code;
}

int sr_refuse(struct saferring_ring *ring, unsigned int kind, const char *what,
	      ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, what);
	vsnprintf(text, sizeof(text), what, arguments);
	va_end(arguments);
	if (!ring)
		return sr_fail_argument(sr_kinds[kind].function, "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked(sr_kinds[kind].function, "ring",
				      ring->name);
	saferring_word_add(&ring->stats->refused, 1);
	return sr_fail(&(struct sr_fault){
			       .code = -EINVAL,
			       .reason = SAFERRING_REASON_ARGUMENT,
			       .operation = sr_kinds[kind].function,
			       .kind = "ring",
			       .name = ring->name,
		       },
		       "%s", text);
}

static int fail_unsupported(struct saferring_ring *ring, unsigned int kind)
{
	char cure[64];

	snprintf(cure, sizeof(cure), "Linux %s or later", sr_kinds[kind].since);
	saferring_word_add(&ring->stats->refused, 1);
	return sr_fail(&(struct sr_fault){
			       .code = -EOPNOTSUPP,
			       .reason = SAFERRING_REASON_UNSUPPORTED,
			       .operation = sr_kinds[kind].function,
			       .kind = "ring",
			       .name = ring->name,
			       .cure = cure,
		       },
		       "this kernel's io_uring has no %s",
		       sr_kinds[kind].name);
}

int saferring_ring_supports(struct saferring_ring *ring, unsigned int operation)
{
	if (!ring || !operation || operation >= SAFERRING_OPERATION_FOREIGN) {
		sr_fail_argument("ring_supports",
				 "no ring, or no operation %u", operation);
		return 0;
	}
	if (ring->supported[operation])
		return 1;
	fail_unsupported(ring, operation);
	return 0;
}

/* ---- buffers of an operation ---- */

static int check_range(struct saferring_ring *ring,
		       const struct saferring_range *range, unsigned int kind,
		       const struct sr_attachment **attachment)
{
	const uint64_t word = range->buffer.word;
	const struct saferring_pool *pool;

	*attachment = ring->attached[word >> SR_ID_SHIFT];
	if (!*attachment)
		return sr_fail_handle(ring, NULL, word, kind);
	pool = (*attachment)->pool;
	if (!range->length || range->start > pool->buffer_size ||
	    range->length > pool->buffer_size - range->start)
		return sr_fail_range(ring, pool, range->start, range->length,
				     kind);
	return 0;
}

/* The part of the operation that has this buffer already, or NULL. */
static struct sr_operation *part_of_word(struct sr_draft *draft, uint64_t word,
					 unsigned int *number)
{
	struct sr_operation *part = draft->operation;

	for (*number = 0; part; (*number)++) {
		if (sr_record_handle(part) == word)
			return part;
		part = sr_record_next(draft->ring, part);
	}
	return NULL;
}

static struct sr_operation *add_record(struct sr_draft *draft)
{
	struct saferring_ring *ring = draft->ring;
	struct sr_operation *part = sr_record_take(ring);
	struct sr_state *state = sr_state_of(ring, part);
	const bool first = !draft->last;

	*state = (struct sr_state){ .next = SR_RECORD_NONE };
	if (first)
		draft->operation = part;
	else
		sr_state_of(ring, draft->last)->next =
			sr_record_number(part);
	draft->last = part;
	sr_record_set_shape(part,
			    sr_shape(ring, draft->kind,
				     SR_SPECIAL_SLOW |
					     (first ? 0 : SR_SPECIAL_PART),
				     0));
	return part;
}

/* A buffer that the operation does not have yet. */
static int add_buffer(struct sr_draft *draft, struct saferring_pool *pool,
		      uint64_t word, struct sr_operation **part)
{
	struct saferring_ring *ring = draft->ring;
	uint64_t *tag = saferring_buffer_tag(&pool->fast, word);

	if (sr_tag_load(tag) != word)
		return sr_fail_handle(ring, pool, word, draft->kind);
	if (!ring->free_count)
		return sr_fail_depth(ring, draft->kind);
	if (sr_is_last(pool, word))
		return sr_fail_last(ring, pool, word, draft->kind);
	draft->deep |= pool->depth != NULL;
	sr_tag_store(tag, word + SR_TO_KERNEL);
	*part = add_record(draft);
	sr_record_set_buffer(*part, pool, tag, word);
	return 0;
}

/* The fixed buffer that holds all ranges so far, or -1. */
static int fixed_index(const struct sr_draft *draft,
		       const struct sr_attachment *attachment, uint64_t word,
		       unsigned int number)
{
	int index;

	if (!draft->ring->fixed ||
	    sr_word_index(attachment->pool, word) >>
			    attachment->pool->region_bits >=
		    attachment->regions)
		return -1;
	index = (int)sr_fixed_index(attachment, word);
	return number == 0 || draft->fixed_index == index ? index : -1;
}

static int add_range(struct sr_draft *draft,
		     const struct saferring_range *range, unsigned int number,
		     unsigned int count)
{
	const uint64_t word = range->buffer.word;
	const struct sr_attachment *attachment;
	struct sr_operation *part;
	unsigned int part_number;
	unsigned char *address;
	int error = check_range(draft->ring, range, draft->kind, &attachment);

	if (error)
		return error;
	part = part_of_word(draft, word, &part_number);
	if (!part)
		error = add_buffer(draft, attachment->pool, word, &part);
	if (error)
		return error;
	part->length += (uint32_t)range->length;
	address = sr_buffer_address(attachment->pool, word) + range->start;
	draft->fixed_index = fixed_index(draft, attachment, word, number);
	draft->payload = sr_payload_of(draft->ring, draft->operation);
	if (!number) {
		draft->address = address;
		draft->length = range->length;
	}
	if (count > 1 || sr_kinds[draft->kind].flags & SR_KIND_VECTOR) {
		draft->payload->iovec[number].iov_base = address;
		draft->payload->iovec[number].iov_len = range->length;
		draft->payload->part[number] = (uint8_t)part_number;
		draft->payload->ranges = number + 1;
		draft->payload->first = 0;
	}
	return 0;
}

/* A refused operation has changed nothing. */
static void undo(struct sr_draft *draft)
{
	struct saferring_ring *ring = draft->ring;
	struct sr_operation *part = draft->operation, *next;

	for (; part; part = next) {
		next = sr_record_next(ring, part);
		if (part->pool)
			sr_tag_store(part->tag, sr_record_handle(part));
		sr_record_release(ring, part);
	}
}

static int add_ranges(struct sr_draft *draft,
		      const struct saferring_range *ranges, unsigned int count)
{
	unsigned int number;
	int error = 0;

	for (number = 0; number < count && !error; number++)
		error = add_range(draft, &ranges[number], number, count);
	if (error)
		undo(draft);
	return error;
}

/* ---- drafts ---- */

static struct io_uring_sqe *take_entry(struct saferring_ring *ring)
{
	if (!ring->beside)
		return sr_uring_next_any(ring);
	ring->last_sqe = io_uring_get_sqe(ring->beside);
	return ring->last_sqe;
}

/* The one that was taken last. */
static void give_entry_back(struct saferring_ring *ring)
{
	if (ring->beside)
		ring->beside->sq.sqe_tail--;
	else
		ring->uring.sq.sqe_tail--;
}

/* On a ring of the program's own others take entries, too. */
static int check_beside(struct saferring_ring *ring, unsigned int kind)
{
	sr_look_at_regions(ring);
	if (io_uring_sq_space_left(ring->beside))
		return 0;
	saferring_word_add(&ring->stats->refused, 1);
	return sr_fail(&(struct sr_fault){
			       .code = -EBUSY,
			       .reason = SAFERRING_REASON_DEPTH,
			       .operation = sr_kinds[kind].function,
			       .kind = "ring",
			       .name = ring->name,
			       .cure = "submit it first",
		       },
		       "the submission queue is full");
}

static int check_draft(struct saferring_ring *ring, unsigned int kind,
		       unsigned int count)
{
	if (!ring)
		return sr_fail_argument(sr_kinds[kind].function, "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked(sr_kinds[kind].function, "ring",
				      ring->name);
	if (!ring->supported[kind])
		return fail_unsupported(ring, kind);
	if (count > SAFERRING_RANGES_MAX + 1)
		return sr_refuse(ring, kind, "%u ranges, at most %d", count,
				 SAFERRING_RANGES_MAX);
	/* With buffers their misuse is to be told first. */
	if (!count && !ring->free_count)
		return sr_fail_depth(ring, kind);
	return ring->beside ? check_beside(ring, kind) : 0;
}

int sr_draft(struct saferring_ring *ring, unsigned int kind,
	     const struct saferring_range *ranges, unsigned int count,
	     struct sr_draft *draft)
{
	int error = check_draft(ring, kind, count);

	if (error)
		return error;
	*draft = (struct sr_draft){
		.ring = ring,
		.kind = kind,
		.fixed_index = -1,
	};
	if (count)
		error = add_ranges(draft, ranges, count);
	else
		sr_record_set_no_buffer(ring, add_record(draft));
	if (error)
		return error;
	draft->payload = sr_payload_of(ring, draft->operation);
	draft->sqe = take_entry(ring);
	memset(draft->sqe, 0, sizeof(*draft->sqe));
	if (SAFERRING_UNLIKELY(ring->wide))
		memset(draft->sqe + 1, 0, sizeof(*draft->sqe));
	draft->sqe->opcode = sr_kinds[kind].opcode;
	draft->sqe->fd = -1;
	return 0;
}

void sr_draft_address(struct sr_draft *draft)
{
	draft->sqe->addr = (uintptr_t)draft->address;
	draft->sqe->len = (uint32_t)draft->length;
	if (draft->kind != SAFERRING_OPERATION_READ &&
	    draft->kind != SAFERRING_OPERATION_WRITE)
		return;
	if (draft->fixed_index < 0)
		return;
	draft->sqe->opcode = draft->ring->opcode[draft->kind];
	draft->sqe->buf_index = (uint16_t)draft->fixed_index;
}

void sr_draft_file(struct sr_draft *draft, int fd)
{
	const bool slot = fd >= 0 && fd & SAFERRING_FILE_BIT;

	draft->sqe->fd = slot ? fd & ~SAFERRING_FILE_BIT : fd;
	if (slot)
		draft->sqe->flags |= IOSQE_FIXED_FILE;
}

/* ---- pools with a depth ---- */

/* The kernel has pinned the pages, and needs no mapping. */
static bool is_pinned(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_READ_FIXED ||
	       sqe->opcode == IORING_OP_WRITE_FIXED;
}

static __attribute__((cold, noinline)) int leave(struct sr_draft *draft)
{
	const struct io_uring_sqe *sqe = draft->sqe;
	const struct sr_kind *kind = &sr_kinds[draft->kind];
	struct sr_operation *part = draft->operation;
	int error = 0;

	if ((draft->kind == SAFERRING_OPERATION_READ ||
	     draft->kind == SAFERRING_OPERATION_WRITE) &&
	    !(sqe->flags & IOSQE_FIXED_FILE))
		error = sr_check_alignment(part->pool, kind->function, sqe->fd,
					   sqe->addr, sqe->len, sqe->off);
	if (error)
		return error;
	for (; part; part = sr_record_next(draft->ring, part))
		if (part->pool && part->pool->depth)
			sr_buffer_leave(part->pool,
					&(struct sr_leaving){
						.handle = sr_record_handle(
							part),
						.what = kind->name,
						.operation = kind->function,
						.reads = kind->flags &
							 SR_KIND_READS,
						.pinned = is_pinned(sqe),
					});
	return 0;
}

int sr_queue(struct sr_draft *draft, uint64_t user_data)
{
	struct saferring_ring *ring = draft->ring;
	struct sr_operation *part = draft->operation;
	int error = SAFERRING_UNLIKELY(draft->deep) ? leave(draft) : 0;

	if (error) {
		give_entry_back(ring);
		undo(draft);
		saferring_word_add(&ring->stats->refused, 1);
		return error;
	}
	draft->sqe->user_data = part->key;
	for (; part; part = sr_record_next(ring, part))
		part->user_data = user_data;
	if (sr_kinds[draft->kind].flags & SR_KIND_MULTISHOT)
		ring->multishots++;
	sr_account_queued(ring->words, draft->kind, 1);
	if (!ring->beside)
		ring->queued++;
	return 0;
}

/* ---- what was queued last ---- */

struct io_uring_sqe *sr_last_queued(struct saferring_ring *ring)
{
	struct io_uring_sqe *sqe = ring->last_sqe;

	if (ring->beside)
		return sqe && sr_record_of_key(ring, sqe->user_data) ? sqe :
								       NULL;
	return ring->queued ? sr_uring_queued(ring, ring->queued - 1) : NULL;
}

int saferring_ring_modify(struct saferring_ring *ring, unsigned int flags)
{
	const unsigned int known = SAFERRING_LINK | SAFERRING_HARD_LINK |
				   SAFERRING_DRAIN | SAFERRING_ASYNC;
	struct io_uring_sqe *sqe;

	if (!ring || flags & ~known)
		return sr_fail_argument("ring_modify",
					"no ring, or unknown flags in %#x",
					flags);
	if (sr_forked(ring->epoch))
		return sr_fail_forked("ring_modify", "ring", ring->name);
	sqe = sr_last_queued(ring);
	if (!sqe)
		return sr_fail(&(struct sr_fault){
				       .code = -ENOENT,
				       .reason = SAFERRING_REASON_ARGUMENT,
				       .operation = "ring_modify",
				       .kind = "ring",
				       .name = ring->name,
				       .cure = "call it after queueing and before submitting",
			       },
			       "nothing is queued");
	if (flags & SAFERRING_LINK)
		sqe->flags |= IOSQE_IO_LINK;
	if (flags & SAFERRING_HARD_LINK)
		sqe->flags |= IOSQE_IO_HARDLINK;
	if (flags & SAFERRING_DRAIN)
		sqe->flags |= IOSQE_IO_DRAIN;
	if (flags & SAFERRING_ASYNC)
		sqe->flags |= IOSQE_ASYNC;
	return 0;
}

uint64_t saferring_ring_last(struct saferring_ring *ring)
{
	const struct io_uring_sqe *sqe;

	if (!ring || sr_forked(ring->epoch))
		return 0;
	sqe = sr_last_queued(ring);
	return sqe ? sqe->user_data : 0;
}
