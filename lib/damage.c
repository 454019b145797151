// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Damage: what was written where nobody should have written. Behind a buffer,
 * where sizes leave a gap, lies a canary; a free buffer is full of poison; and
 * of what the kernel is to read there is a sum.
 */
#include <stdio.h>
#include <string.h>
#include "account.h"
#include "internal.h"

#define CANARY 0xc5
#define POISON 0xdb

static unsigned char *gap_of(const struct saferring_pool *pool,
			     uint64_t handle)
{
	return sr_buffer_address(pool, handle) + pool->buffer_size;
}

void sr_damage_guard(const struct saferring_pool *pool, uint64_t handle)
{
	memset(gap_of(pool, handle), CANARY, pool->depth->guard);
}

void sr_damage_poison(const struct saferring_pool *pool, uint64_t handle)
{
	memset(sr_buffer_address(pool, handle), POISON, pool->buffer_size);
}

/* The first and the last byte that is not as it was left. 0 if all are. */
static size_t find_changed(const unsigned char *bytes, size_t length,
			   unsigned char left, size_t *first)
{
	size_t last = length;

	*first = 0;
	while (*first < length && bytes[*first] == left)
		++*first;
	if (*first == length)
		return 0;
	while (bytes[last - 1] == left)
		last--;
	return last - *first;
}

static struct saferring_error *begin(struct saferring_pool *pool,
				     uint64_t handle, int reason,
				     const char *operation)
{
	struct saferring_error *error = sr_error_begin(0, reason, operation);

	error->handle = handle;
	snprintf(error->object, sizeof(error->object), "pool %s", pool->name);
	sr_describe_buffer(pool, handle, error);
	sr_account_pool_misuse(pool);
	return error;
}

void sr_damage_check_guard(struct saferring_pool *pool, uint64_t handle,
			   const char *operation)
{
	const unsigned char *gap = gap_of(pool, handle);
	struct saferring_error *error;
	size_t first, count;

	count = find_changed(gap, pool->depth->guard, CANARY, &first);
	if (!count)
		return;
	error = begin(pool, handle, SAFERRING_REASON_OVERRUN, operation);
	snprintf(error->what, sizeof(error->what),
		 "%zu bytes were written behind a buffer of %zu, from byte %zu on",
		 count, pool->buffer_size, pool->buffer_size + first);
	snprintf(error->cure, sizeof(error->cure),
		 "look for a write that takes the buffer for longer than it is");
	/* Each overrun is reported once. */
	sr_damage_guard(pool, handle);
	sr_report(error);
}

void sr_damage_check_poison(struct saferring_pool *pool, uint64_t handle)
{
	const unsigned char *bytes = sr_buffer_address(pool, handle);
	struct saferring_error *error;
	size_t first, count;

	count = find_changed(bytes, pool->buffer_size, POISON, &first);
	if (!count)
		return;
	error = begin(pool, handle, SAFERRING_REASON_WRITE_AFTER_PUT,
		      "buffer_get");
	snprintf(error->what, sizeof(error->what),
		 "%zu bytes were written to a free buffer, from byte %zu on",
		 count, first);
	snprintf(error->cure, sizeof(error->cure),
		 "look for a pointer that was kept after the put; depth trap finds it");
	sr_report(error);
}

static uint64_t sum_of(const unsigned char *bytes, size_t length)
{
	uint64_t sum = 0xcbf29ce484222325, word;
	size_t place;

	for (place = 0; place + sizeof(word) <= length; place += sizeof(word)) {
		memcpy(&word, bytes + place, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3;
		sum ^= sum >> 32;
	}
	for (; place < length; place++)
		sum = (sum ^ bytes[place]) * 0x100000001b3;
	return sum;
}

static struct sr_history *history_of(struct saferring_pool *pool,
				     uint64_t handle)
{
	return &pool->depth->history[sr_word_index(pool, handle)];
}

void sr_damage_sum(struct saferring_pool *pool, uint64_t handle)
{
	struct sr_history *history = history_of(pool, handle);

	history->summed = true;
	history->sum = sum_of(sr_buffer_address(pool, handle),
			      pool->buffer_size);
}

void sr_damage_check_sum(struct saferring_pool *pool, uint64_t handle)
{
	struct sr_history *history = history_of(pool, handle);
	struct saferring_error *error;

	if (!history->summed)
		return;
	history->summed = false;
	if (sum_of(sr_buffer_address(pool, handle), pool->buffer_size) ==
	    history->sum)
		return;
	error = begin(pool, handle, SAFERRING_REASON_WRITE_IN_FLIGHT,
		      "ring_reap");
	snprintf(error->what, sizeof(error->what),
		 "the buffer changed while the kernel was to read it");
	snprintf(error->cure, sizeof(error->cure),
		 "leave the buffer alone until its completion; depth trap finds who does not");
	sr_report(error);
}
