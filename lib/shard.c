// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Shard: the place where a thread counts. The sum over all places is the figure.
 *
 * When a thread ends, what it has counted stays where it is, and the place goes
 * to a thread that begins later and counts on from there: nothing is moved, so
 * nothing can be lost or seen twice, whoever looks on.
 */
#include <errno.h>
#include <string.h>
#include "stats.h"

#define PLACES (SAFERRING_SHARD_COUNTERS + 1)

__thread uint64_t *saferring_shards[PLACES];

/* Places that threads without one of their own share, under the arena's lock. */
static uint64_t *shared[PLACES];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static bool exit_key_made;

static unsigned int index_of(unsigned int group)
{
	return group == SR_GROUP_THREAD ? SAFERRING_SHARD_COUNTERS
					: group - SR_GROUP_DISTRIBUTION;
}

static void thread_ends(void *unused __attribute__((unused)))
{
	unsigned int index;

	if (sr_arena_lock())
		return;
	for (index = 0; index < PLACES; index++) {
		if (saferring_shards[index])
			sr_block_leave(saferring_shards[index]);
		saferring_shards[index] = NULL;
	}
	sr_arena_unlock();
}

static void make_exit_key(void)
{
	exit_key_made = !pthread_key_create(&exit_key, thread_ends);
}

uint64_t *sr_shard(unsigned int group, unsigned int index)
{
	if (saferring_shards[index])
		return saferring_shards[index];
	pthread_once(&once, make_exit_key);
	/* A place that is not left when its thread ends would be lost. */
	if (!exit_key_made || pthread_setspecific(exit_key, &once))
		return NULL;
	saferring_shards[index] = sr_block_take(group, "", true);
	return saferring_shards[index];
}

void sr_shard_forget(void)
{
	memset(saferring_shards, 0, sizeof(saferring_shards));
	memset(shared, 0, sizeof(shared));
}

void sr_shard_share(unsigned int group)
{
	shared[index_of(group)] = sr_block_take(group, "", false);
}

uint64_t *sr_place(unsigned int group)
{
	const unsigned int index = index_of(group);
	uint64_t *words = NULL;

	if (shared[index])
		words = sr_shard(group, index);
	return words ? words : shared[index];
}

void saferring_counter_add_slow(uint32_t word, uint64_t more)
{
	const int saved_errno = errno;
	uint64_t *words;

	if (!sr_arena_lock()) {
		words = sr_place(SR_GROUP_THREAD);
		if (words)
			saferring_word_add(&words[word % SAFERRING_SHARD_WORDS],
					   more);
		sr_arena_unlock();
	}
	errno = saved_errno;
}

static unsigned int group_of(uint32_t slot)
{
	return SR_GROUP_DISTRIBUTION + slot % SAFERRING_SHARD_COUNTERS;
}

void saferring_distribution_record_slow(uint32_t slot, uint64_t value)
{
	const int saved_errno = errno;
	void *words;

	if (!sr_arena_lock()) {
		words = sr_place(group_of(slot));
		if (words)
			saferring_histogram_record(words, value);
		sr_arena_unlock();
	}
	errno = saved_errno;
}

struct saferring_histogram *
saferring_distribution_shard(saferring_distribution distribution)
{
	const unsigned int group = group_of(distribution.slot);
	const unsigned int index = index_of(group);
	void *words = NULL;

	if (sr_arena_lock())
		return NULL;
	if (shared[index])
		words = sr_shard(group, index);
	sr_arena_unlock();
	return words;
}
