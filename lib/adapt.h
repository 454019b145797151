/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Adaptation: sizes that follow the load, within bounds that the program sets.
 *
 * A law is told what was seen, decides about one figure, and says whether it
 * changed that. It reads no clock and no memory but its own, so that the same
 * observations make the same decisions. adapt_ring.c and adapt_pool.c observe.
 */
#ifndef SAFERRING_ADAPT_H
#define SAFERRING_ADAPT_H

#include "internal.h"

enum sr_step { SR_KEPT, SR_RAISED, SR_LOWERED };

/* ---- adapt.c: the laws ---- */

/*
 * struct sr_batch_law - how many completions a wait gathers
 * @min: never fewer
 * @max: never more
 * @now: the figure
 * @patience: waits in a row that have to gather them before it is raised
 * @filled: waits in a row that have
 * @climbing: it was raised after the last wait that ran out of time
 *
 * Raised by an eighth when waits gather it in time again and again, halved as
 * soon as one does not: as much as the load brings within the bound of the
 * delay. A raise that the next wait refutes doubles the patience, one that follows
 * another halves it, so that of the waits of a load that brings only the least,
 * one in a thousand is held up by a try.
 */
struct sr_batch_law {
	uint32_t min;
	uint32_t max;
	uint32_t now;
	uint32_t patience;
	uint32_t filled;
	bool climbing;
};

#define SR_PATIENCE_MIN 4U
#define SR_PATIENCE_MAX 1024U

void sr_batch_law_begin(struct sr_batch_law *law, uint32_t min, uint32_t max);
/* A wait has gathered @now completions, or was for more, in time. */
enum sr_step sr_batch_law_filled(struct sr_batch_law *law);
/* A wait for @wanted completions ran out of time. */
enum sr_step sr_batch_law_expired(struct sr_batch_law *law, uint32_t wanted);

/*
 * struct sr_busy_law - how long a wait looks for completions before it sleeps
 * @min: never less, in nanoseconds
 * @max: never more
 * @now: the figure
 * @share: of the waits that ended within @max, the latest counting most; in
 *	parts of SR_SHARE
 * @pause: waits that the next pause will take
 * @left: waits that are left of one
 * @paid: waits that polling was long enough for
 *
 * Raised, by doubling, when a wait ended after the polling was given up but
 * within @max, so that polling longer would have paid off; halved when one took
 * longer than @max, so that it could not have. Either only if that is what waits
 * do as a rule: above five eighths and below three.
 *
 * When polling was in vain and the thread lost its CPU meanwhile, somebody else has
 * use for that, perhaps who brings the completion. Then it pauses at @min, twice as
 * long as the last time; polling that pays off halves that again.
 */
struct sr_busy_law {
	uint32_t min;
	uint32_t max;
	uint32_t now;
	uint32_t share;
	uint32_t pause;
	uint32_t left;
	uint32_t paid;
};

#define SR_PAUSE_MIN  16U
#define SR_PAUSE_MAX  4096U
#define SR_PAUSE_PAID 64U

#define SR_SHARE       4096U
#define SR_SHARE_RAISE (SR_SHARE / 8 * 5)
#define SR_SHARE_LOWER (SR_SHARE / 8 * 3)

void sr_busy_law_begin(struct sr_busy_law *law, uint32_t min, uint32_t max);
/* A wait took so many nanoseconds; UINT64_MAX if it ended without success. */
enum sr_step sr_busy_law_waited(struct sr_busy_law *law, uint64_t waited_ns);
/* Polling found nothing, and others want the CPU. */
enum sr_step sr_busy_law_crowded(struct sr_busy_law *law);

/*
 * With a cache law, which is in internal.h: at @now_ns a cache was refilled or
 * spilled, and the store has @stored buffers left.
 *
 * In windows of a millisecond or more: raised by half when that happens more
 * than SR_CACHE_BUSY times a millisecond and the store has as many buffers as
 * the cache would have room for, so that what one thread gains none other goes
 * without; halved when it happens less than once in SR_CACHE_QUIET
 * milliseconds, so that room that is not used up is given back. Between the two
 * lies a factor of 256, so that it does not swing.
 */
enum sr_step sr_cache_law_missed(struct sr_cache_law *law, uint64_t now_ns,
				 uint64_t stored);
/* Others want what the cache has: halved. */
enum sr_step sr_cache_law_asked(struct sr_cache_law *law, uint64_t now_ns);

#define SR_CACHE_WINDOW_NS 1000000U
#define SR_CACHE_BUSY	   16U
#define SR_CACHE_QUIET	   16U

void sr_cache_law_begin(struct sr_cache_law *law, uint32_t min, uint32_t max,
			uint32_t now, uint64_t now_ns);

/* The environment's SAFERRING_ADAPT says off. */
bool sr_adapt_forbidden(void);

/* ---- adapt_ring.c ---- */

/*
 * struct sr_adapt - what of a ring follows the load
 * @batch: its max is 0 if that does not
 * @batch_ns: how long a wait goes on for it at most
 * @busy: its max is 0 if that does not
 */
struct sr_adapt {
	struct sr_batch_law batch;
	uint64_t batch_ns;
	struct sr_busy_law busy;
};

/* Before anything is made of the options. Returns 0 or -EINVAL. */
int sr_adapt_ring_check(const struct saferring_ring_options *options,
			unsigned int depth);
/* For a ring that is set up. Returns 0, -EINVAL or -ENOMEM. */
int sr_adapt_ring(struct saferring_ring *ring,
		  const struct saferring_ring_options *options);

/* ---- adapt_pool.c ---- */

/* Returns 0 or -EINVAL. */
int sr_adapt_pool_check(const struct saferring_pool_options *options);
/* For a pool that knows its count. */
void sr_adapt_pool(struct saferring_pool *pool,
		   const struct saferring_pool_options *options);

#endif /* SAFERRING_ADAPT_H */
