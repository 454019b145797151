// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Account of a pool: its metrics.
 *
 * Gets and puts that a thread's cache serves are not counted: to count them
 * would cost more than they do. What is counted is each time that a cache could
 * not, which takes the pool's lock anyway.
 */
#include <stdlib.h>
#include <string.h>
#include "account.h"
#include "stats.h"

#define WORD(member) ((uint32_t)(offsetof(struct sr_pool_words, member) / 8))

static const struct {
	const char *name;
	const char *unit;
	const char *help;
	uint32_t type;
	uint32_t word;
} metrics[] = {
	{ "pool_hits", "",
	  "Gets that threads' caches have served, as of their last refill",
	  SAFERRING_METRIC_COUNTER, WORD(hits) },
	{ "pool_misses", "", "Gets that the thread's cache could not serve",
	  SAFERRING_METRIC_COUNTER, WORD(misses) },
	{ "pool_refills", "", "Times that a cache was filled from the store",
	  SAFERRING_METRIC_COUNTER, WORD(refills) },
	{ "pool_refilled", "", "Buffers that these have moved",
	  SAFERRING_METRIC_COUNTER, WORD(refilled) },
	{ "pool_spills", "", "Times that a cache gave buffers to the store",
	  SAFERRING_METRIC_COUNTER, WORD(spills) },
	{ "pool_exhausted", "", "Gets that found no buffer",
	  SAFERRING_METRIC_COUNTER, WORD(exhausted) },
	{ "pool_waits", "", "Times that a thread waited for a buffer",
	  SAFERRING_METRIC_COUNTER, WORD(waits) },
	{ "pool_misuses", "", "Misuses of the pool's buffers",
	  SAFERRING_METRIC_COUNTER, WORD(misuses) },
	{ "pool_recalls", "",
	  "Times that a get that found no buffer had caches give theirs",
	  SAFERRING_METRIC_COUNTER, WORD(recalls) },
	{ "pool_caches", "", "Caches of threads", SAFERRING_METRIC_GAUGE,
	  WORD(caches) },
	{ "pool_cache_room", "",
	  "Free buffers that the caches of threads have room for together",
	  SAFERRING_METRIC_GAUGE, WORD(cache_room) },
	{ "pool_buffers", "", "Buffers of the pool", SAFERRING_METRIC_GAUGE,
	  WORD(buffers) },
	{ "pool_buffer_bytes", "bytes", "Bytes of one buffer",
	  SAFERRING_METRIC_GAUGE, WORD(buffer_bytes) },
	{ "pool_stored", "", "Free buffers that are in no thread's cache",
	  SAFERRING_METRIC_GAUGE, WORD(stored) },
	{ "pool_most_out", "",
	  "The most buffers that were in use or in caches together",
	  SAFERRING_METRIC_GAUGE, WORD(most_out) },
};

/* Decisions about the depth of caches. */
static int define_adaptations(void)
{
	static const struct sr_decision decisions[] = {
		{ "cache", "raise", "busy", WORD(raised) },
		{ "cache", "lower", "quiet", WORD(lowered_quiet) },
		{ "cache", "lower", "asked", WORD(lowered_asked) },
	};

	return sr_define_decisions("pool_adaptations",
				   "Times that the depth of a cache followed the load",
				   SR_GROUP_POOL, decisions,
				   sizeof(decisions) / sizeof(*decisions));
}

int sr_account_pool_define(void)
{
	size_t number;
	int error = 0;

	sr_group_set_words(SR_GROUP_POOL, sizeof(struct sr_pool_words) / 8);
	for (number = 0;
	     number < sizeof(metrics) / sizeof(*metrics) && error >= 0;
	     number++)
		error = sr_define_series(
			sr_define_family(
				metrics[number].type, metrics[number].name,
				metrics[number].unit, 0, metrics[number].help),
			SR_GROUP_POOL, metrics[number].word, true, NULL, 0);
	return error < 0 ? error : define_adaptations();
}

int sr_account_pool(struct saferring_pool *pool)
{
	char labels[sizeof(((struct saferring_segment_block *)0)->labels)];
	const struct saferring_label label = { "pool", pool->name };

	sr_labels_write(labels, sizeof(labels), &label, 1);
	if (!sr_arena_lock()) {
		pool->words =
			(void *)sr_block_take(SR_GROUP_POOL, labels, false);
		sr_arena_unlock();
	}
	pool->counted = pool->words;
	if (!pool->words)
		pool->words = calloc(1, sizeof(*pool->words));
	if (!pool->words)
		return sr_fail_memory("pool_create", sizeof(*pool->words));
	saferring_word_set(&pool->words->buffers, pool->count);
	saferring_word_set(&pool->words->buffer_bytes, pool->buffer_size);
	saferring_word_set(&pool->words->stored, pool->count);
	return 0;
}

void sr_account_pool_gone(struct saferring_pool *pool)
{
	if (!pool->counted) {
		free(pool->words);
		return;
	}
	if (sr_arena_lock())
		return;
	sr_block_fold((uint64_t *)pool->words, "pool");
	sr_arena_unlock();
}

void sr_account_pool_stored(struct saferring_pool *pool)
{
	struct sr_pool_words *words = pool->words;
	const uint64_t out = pool->count - pool->stored;

	saferring_word_set(&words->stored, pool->stored);
	if (out > words->most_out)
		saferring_word_set(&words->most_out, out);
}
