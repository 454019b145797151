// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Misuse: what is wrong with a handle that does not pass the check.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "account.h"
#include "internal.h"

static bool is_put(const char *operation)
{
	return !strcmp(operation, "buffer_put");
}

static bool is_submit(const char *operation)
{
	return !strncmp(operation, "ring_", 5);
}

/* Who has the buffer under a tag. */
static int owner_of(uint64_t tag)
{
	switch (tag & SR_STATE_MASK) {
	case SR_STATE_USER:
		return SAFERRING_OWNER_USER;
	case SR_STATE_FREE:
		return SAFERRING_OWNER_FREE;
	case SR_STATE_KERNEL:
		return SAFERRING_OWNER_KERNEL;
	case SR_STATE_QUARANTINE:
		return SAFERRING_OWNER_QUARANTINE;
	case SR_STATE_AWAY:
		return SAFERRING_OWNER_PROCESS;
	case SR_STATE_GONE:
	case SR_STATE_RETIRED:
		return SAFERRING_OWNER_NOBODY;
	default:
		return SAFERRING_OWNER_UNKNOWN;
	}
}

int saferring_buffer_owner(struct saferring_pool *pool, saferring_buffer buffer)
{
	if (buffer.word >> SR_ID_SHIFT != pool->id || sr_forked(pool->epoch))
		return SAFERRING_OWNER_UNKNOWN;
	return owner_of(sr_tag_load(saferring_buffer_tag(&pool->fast,
							 buffer.word)));
}

/* Whether this pool can have issued a word by now. */
static bool was_issued(const struct saferring_pool *pool, uint64_t word,
		       uint64_t tag)
{
	uint64_t next = sr_tag_handle(tag);

	/* That of a free buffer is to be issued yet. */
	if ((tag & SR_STATE_MASK) != SR_STATE_FREE)
		next += pool->fast.step;
	return (word & SR_STATE_MASK) == SR_STATE_USER &&
	       word >= pool->first_word && tag != 0 && word < next;
}

static int reason_in_flight(uint64_t word, uint64_t tag, const char *operation)
{
	if (word + SR_TO_KERNEL != tag)
		return SAFERRING_REASON_SUPERSEDED;
	if (is_put(operation))
		return SAFERRING_REASON_PUT_IN_FLIGHT;
	if (is_submit(operation))
		return SAFERRING_REASON_DOUBLE_SUBMIT;
	return SAFERRING_REASON_USE_AFTER_SUBMIT;
}

static int reason_for(uint64_t word, uint64_t tag, int owner,
		      const char *operation)
{
	switch (owner) {
	case SAFERRING_OWNER_KERNEL:
		return reason_in_flight(word, tag, operation);
	case SAFERRING_OWNER_QUARANTINE:
		return SAFERRING_REASON_QUARANTINED;
	case SAFERRING_OWNER_NOBODY:
		if ((tag & SR_STATE_MASK) == SR_STATE_RETIRED)
			return SAFERRING_REASON_RETIRED;
		return SAFERRING_REASON_REGION_GONE;
	case SAFERRING_OWNER_PROCESS:
		return SAFERRING_REASON_SENT;
	case SAFERRING_OWNER_FREE:
		return is_put(operation) ? SAFERRING_REASON_DOUBLE_PUT :
					   SAFERRING_REASON_USE_AFTER_PUT;
	default:
		return SAFERRING_REASON_SUPERSEDED;
	}
}

/* What happened and what would help, where the reason alone settles it. */
static const struct {
	const char *what;
	const char *cure;
} texts[] = {
	[SAFERRING_REASON_USE_AFTER_SUBMIT] = {
		"the buffer was given to the kernel",
		"use the handle that the completion brings" },
	[SAFERRING_REASON_DOUBLE_SUBMIT] = {
		"an operation on the buffer is under way",
		"reap it, and submit the handle that the completion brings" },
	[SAFERRING_REASON_PUT_IN_FLIGHT] = {
		"the kernel may still use the buffer",
		"put the handle that the completion brings" },
	[SAFERRING_REASON_USE_AFTER_PUT] = {
		"the buffer went back to its pool",
		"put a buffer after its last use, or get another" },
	[SAFERRING_REASON_DOUBLE_PUT] = {
		"the buffer is back in its pool already",
		"put each handle once, by whoever owns it last" },
	[SAFERRING_REASON_SUPERSEDED] = {
		"the buffer has a newer handle",
		"use the handle that the completion brought, or that get returned last" },
	[SAFERRING_REASON_FOREIGN_POOL] = {
		NULL, "use the pool that the handle came from" },
	[SAFERRING_REASON_FOREIGN_RING] = {
		NULL, "name that pool when the ring is created" },
	[SAFERRING_REASON_REGION_GONE] = {
		"the memory under the buffer was freed",
		"free a region after its last use, and create region and pool anew" },
	[SAFERRING_REASON_QUARANTINED] = {
		"its ring was destroyed while the kernel had the buffer",
		"reap before destroying, or give ring_destroy more time" },
	[SAFERRING_REASON_RETIRED] = {
		"the buffer has used up its generations",
		"get another buffer" },
	[SAFERRING_REASON_SENT] = {
		"the buffer was sent to another process",
		"use the handle by which it is received again" },
	[SAFERRING_REASON_GARBAGE] = {
		NULL, "use handles as get and completions brought them" },
};

/* How often a buffer changed hands goes behind what happened. */
static void describe_reason(struct saferring_error *error, uint64_t changes)
{
	const char *what = texts[error->reason].what;

	if (what && changes)
		snprintf(error->what, sizeof(error->what),
			 "%s, and has changed hands %llu times since", what,
			 (unsigned long long)changes);
	else if (what)
		snprintf(error->what, sizeof(error->what), "%s", what);
	snprintf(error->cure, sizeof(error->cure), "%s",
		 texts[error->reason].cure);
}

static void describe_owner(const struct saferring_pool *pool,
			   struct saferring_error *error, uint64_t tag)
{
	const size_t length = sizeof(error->owner_detail);
	char *text = error->owner_detail;

	switch (error->owner) {
	case SAFERRING_OWNER_USER:
		snprintf(text, length, "held under a newer handle");
		break;
	case SAFERRING_OWNER_FREE:
		snprintf(text, length, "free");
		break;
	case SAFERRING_OWNER_PROCESS:
		snprintf(text, length, "with another process");
		break;
	case SAFERRING_OWNER_KERNEL:
	case SAFERRING_OWNER_QUARANTINE:
		if (!sr_ring_find_buffer(pool, sr_tag_handle(tag), text,
					 length))
			snprintf(text, length, "in flight");
		break;
	case SAFERRING_OWNER_NOBODY:
		snprintf(text, length,
			 (tag & SR_STATE_MASK) == SR_STATE_RETIRED ?
				 "retired" :
				 "without memory");
		break;
	}
}

void sr_describe_buffer(struct saferring_pool *pool, uint64_t handle,
			struct saferring_error *error)
{
	const uint64_t tag =
		sr_tag_load(saferring_buffer_tag(&pool->fast, handle));

	error->index = (uint32_t)sr_word_index(pool, handle);
	error->owner = owner_of(tag);
	if (tag == handle)
		snprintf(error->owner_detail, sizeof(error->owner_detail),
			 "held");
	else
		describe_owner(pool, error, tag);
	if (pool->depth)
		sr_depth_describe(pool, handle, error);
}

static void describe_own(struct saferring_pool *pool, uint64_t word,
			 struct saferring_error *error)
{
	const uint64_t tag =
		sr_tag_load(saferring_buffer_tag(&pool->fast, word));
	const uint64_t changes =
		(sr_tag_handle(tag) - word) / pool->fast.step;

	if (!was_issued(pool, word, tag)) {
		error->reason = SAFERRING_REASON_GARBAGE;
		snprintf(error->what, sizeof(error->what),
			 "this pool never issued it");
		return;
	}
	sr_describe_buffer(pool, word, error);
	error->reason = reason_for(word, tag, error->owner, error->operation);
	/* The put itself is no change that came after it. */
	describe_reason(error, error->owner == SAFERRING_OWNER_FREE ?
				       changes - 1 :
				       changes);
}

/* The pool with the word's id is alive, and not the one that was named. */
static void describe_foreign(const struct saferring_pool *other, uint64_t word,
			     struct saferring_error *error)
{
	const uint64_t tag =
		sr_tag_load(saferring_buffer_tag(&other->fast, word));

	error->reason = SAFERRING_REASON_FOREIGN_POOL;
	if (!was_issued(other, word, tag)) {
		error->reason = SAFERRING_REASON_GARBAGE;
		snprintf(error->what, sizeof(error->what),
			 "no pool ever issued it");
		return;
	}
	error->index = (uint32_t)sr_word_index(other, word);
	snprintf(error->what, sizeof(error->what), "it is one of pool %s",
		 other->name);
}

static void describe(struct saferring_pool *pool, uint64_t word,
		     struct saferring_error *error)
{
	const unsigned int id = (unsigned int)(word >> SR_ID_SHIFT);
	struct saferring_pool *other;

	if (pool && id == pool->id) {
		describe_own(pool, word, error);
		return;
	}
	sr_registry_lock();
	other = sr_pool_by_id(id);
	if (other)
		describe_foreign(other, word, error);
	sr_registry_unlock();
	if (other)
		return;
	snprintf(error->what, sizeof(error->what),
		 word ? "no pool that exists has issued it" :
			"it stands for no buffer");
}

static struct saferring_error *begin(struct saferring_pool *pool, uint64_t word,
				     int code, const char *operation)
{
	struct saferring_error *error =
		sr_error_begin(code, SAFERRING_REASON_GARBAGE, operation);

	error->handle = word;
	if (pool)
		snprintf(error->object, sizeof(error->object), "pool %s",
			 pool->name);
	return error;
}

int sr_misuse(struct saferring_pool *pool, uint64_t word, const char *operation,
	      struct saferring_ring *ring)
{
	struct saferring_error *error = begin(pool, word, -ESTALE, operation);

	describe(pool, word, error);
	if (pool)
		sr_account_pool_misuse(pool);
	if (ring)
		saferring_word_add(&ring->stats->misuses, 1);
	if (ring && !pool) {
		snprintf(error->object, sizeof(error->object), "ring %s",
			 ring->name);
		if (error->reason == SAFERRING_REASON_FOREIGN_POOL)
			error->reason = SAFERRING_REASON_FOREIGN_RING;
	}
	if (!*error->cure)
		describe_reason(error, 0);
	sr_report(error);
	return error->code;
}

void sr_event_put_twice(struct saferring_pool *pool, uint64_t handle)
{
	struct saferring_error *error = begin(pool, handle, 0, "buffer_get");

	error->reason = SAFERRING_REASON_DOUBLE_PUT;
	sr_describe_buffer(pool, handle, error);
	describe_reason(error, 0);
	snprintf(error->what, sizeof(error->what),
		 "two threads have put the buffer at the same instant; it is handed out once");
	sr_account_pool_misuse(pool);
	sr_report(error);
}
