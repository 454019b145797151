/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Account: where the library's objects note what they do, for the statistics.
 *
 * What is done once an operation adds to a word of the ring that does it, which
 * lies where other processes can see it. All else is cold.
 */
#ifndef SAFERRING_ACCOUNT_H
#define SAFERRING_ACCOUNT_H

#include "internal.h"

/* account.c: something failed, was misused, or happened: by its reason. */
void sr_account_reason(int reason) __attribute__((cold));

/* ---- account_region.c ---- */

/*
 * A region has come, or goes. The mark is kept by the region, and is NULL if
 * there is no room to count it one by one.
 */
uint64_t *sr_account_region(const struct saferring_region *region);
void sr_account_region_gone(const struct saferring_region *region,
			    uint64_t *mark);

/* ---- account_pool.c ---- */

/*
 * struct sr_pool_words - what happens in a pool besides what caches serve
 * @hits: gets that caches have served, up to when each of them was last filled
 *	or gave some up
 * @misses: gets that a cache could not serve
 * @refills: times that a cache was filled
 * @refilled: buffers that these have moved
 * @spills: times that a cache gave some up
 * @exhausted: gets that found no buffer
 * @misuses: stale handles that were refused, and other misuse
 * @waits: times that a thread waited for a buffer
 * @recalls: times that a get that found no buffer asked caches for theirs
 * @raised: times that a cache was made deeper, because it was filled and spilled
 *	all the time
 * @lowered_quiet: times that one was made less deep, because it hardly was
 * @lowered_asked: and because others wanted what it had
 * @caches: caches of threads
 * @cache_room: how much they have room for together
 * @buffers: of the pool
 * @buffer_bytes: of each
 * @stored: free, and in no cache
 * @most_out: the most that were not stored
 *
 * Changed under the pool's lock, but for @exhausted, @misuses and @waits.
 */
struct sr_pool_words {
	uint64_t hits;
	uint64_t misses;
	uint64_t refills;
	uint64_t refilled;
	uint64_t spills;
	uint64_t exhausted;
	uint64_t misuses;
	uint64_t waits;
	uint64_t recalls;
	uint64_t raised;
	uint64_t lowered_quiet;
	uint64_t lowered_asked;
	uint64_t caches;
	uint64_t cache_room;
	uint64_t buffers;
	uint64_t buffer_bytes;
	uint64_t stored;
	uint64_t most_out;
};

/* A pool has come, or goes. Returns 0 or -ENOMEM. */
int sr_account_pool(struct saferring_pool *pool);
void sr_account_pool_gone(struct saferring_pool *pool);
/* With the pool's lock held: the store has more or fewer buffers. */
void sr_account_pool_stored(struct saferring_pool *pool);

static inline void sr_account_pool_misuse(struct saferring_pool *pool)
{
	sr_count(&pool->words->misuses);
}

/* ---- account_ring.c ---- */

/* Error numbers up to this one are told apart. */
#define SR_ERRNOS 134

/*
 * struct sr_ring_words - what a ring has done; by kind of operation:
 * @queued: accepted
 * @done: handed out
 * @bytes: moved
 * @failed: ended with an error, other than these
 * @cancelled: ended with -ECANCELED, also before the kernel saw them
 * @shorts: moved less than was asked for
 * and in all:
 * @error: by error number: ended with it
 * @stats: what is not counted by kind
 * @depth: operations that it can hold
 * @in_flight: records that the kernel has, as of the last call
 * @batch: completions that a wait gathers now; 0 if that does not follow the load
 * @batch_raised: times that it was raised, because waits gathered it in time
 * @batch_lowered: times that it was lowered, because one did not
 * @busy_ns: how long a wait polls now, in nanoseconds
 * @busy_raised: times that it was raised, because completions came just after
 * @busy_lowered: times that it was lowered, because they came long after
 * @busy_crowded: the same, because others had use for the CPU
 * @busy_paid: times that polling found what was waited for
 * @busy_vain: times that it did not
 */
struct sr_ring_words {
	uint64_t queued[SAFERRING_OPERATIONS];
	uint64_t done[SAFERRING_OPERATIONS];
	uint64_t bytes[SAFERRING_OPERATIONS];
	uint64_t failed[SAFERRING_OPERATIONS];
	uint64_t cancelled[SAFERRING_OPERATIONS];
	uint64_t shorts[SAFERRING_OPERATIONS];
	uint64_t error[SR_ERRNOS];
	struct saferring_ring_stats stats;
	uint64_t depth;
	uint64_t in_flight;
	uint64_t batch;
	uint64_t batch_raised;
	uint64_t batch_lowered;
	uint64_t busy_ns;
	uint64_t busy_raised;
	uint64_t busy_lowered;
	uint64_t busy_crowded;
	uint64_t busy_paid;
	uint64_t busy_vain;
};

/* A ring has come, or goes. Returns 0 or -ENOMEM. */
int sr_account_ring(struct saferring_ring *ring, bool latency);
void sr_account_ring_gone(struct saferring_ring *ring);

/* For a ring with latencies: what is queued is about to be submitted. */
void sr_account_stamp(struct saferring_ring *ring);
/* Operations of a lot are reaped. */
void sr_account_latency(struct saferring_ring *ring, unsigned int lot,
			unsigned int count);

/* Operations are accepted. */
static inline void sr_account_queued(struct sr_ring_words *words,
				     unsigned int kind, unsigned int count)
{
	saferring_word_add(&words->queued[kind], count);
}

/* It is handed out. */
static inline void sr_account_done(struct sr_ring_words *words,
				   unsigned int kind)
{
	saferring_word_add(&words->done[kind], 1);
}

static inline void sr_account_bytes(struct sr_ring_words *words,
				    unsigned int kind, uint32_t bytes)
{
	saferring_word_add(&words->bytes[kind], bytes);
}

/* It did not do all that was asked for: an error, or a short result. */
void sr_account_incomplete(struct sr_ring_words *words, unsigned int kind,
			   int32_t result);

/* Before a system call, in which the ring may stay: all of it will be taken. */
static inline void sr_account_entering(struct saferring_ring *ring)
{
	saferring_word_set(&ring->words->in_flight,
			   sr_ring_busy(ring) - ring->pending_count);
}

/* Once a submission, or a batch of completions. */
static inline void sr_account_taken(struct saferring_ring *ring)
{
	saferring_word_set(&ring->words->in_flight, sr_ring_in_flight(ring));
}

#endif /* SAFERRING_ACCOUNT_H */
