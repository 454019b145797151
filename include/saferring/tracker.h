/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Tracker: how much of something a program has in use, memory as a rule, now
 * and at most.
 *
 * Threads add and subtract in places of their own, so that what is there now is
 * exact. For the peak each thread tells the others whenever its part has
 * changed by more than SAFERRING_TRACKER_GRAIN, so that the peak is right to
 * that much for each thread.
 */
#ifndef SAFERRING_TRACKER_H
#define SAFERRING_TRACKER_H

#include <saferring/api.h>
#include <saferring/metric.h>

SAFERRING_BEGIN_DECLS

#define SAFERRING_TRACKER_GRAIN 65536U
#define SAFERRING_TRACKERS_MAX	32

/* A handle. One that is all zeros stands for no tracker. */
typedef struct saferring_tracker {
	uint32_t word;
} saferring_tracker;

SAFERRING_API void saferring_tracker_add_slow(uint32_t word, int64_t more)
	SAFERRING_COLD;

/**
 * saferring_tracker_create() - have a tracker
 * @options: what it is called; the peak is a second metric, with "_peak" behind
 *	the name, before the unit if there is one: cache_bytes, cache_peak_bytes
 * @tracker: out: the tracker
 *
 * A second tracker of the same name and labels is the first one. Any thread may
 * call it.
 *
 * Return: as saferring_counter_create(), which counts it as two; with
 * SAFERRING_TRACKERS_MAX as the limit.
 */
SAFERRING_API int
saferring_tracker_create(const struct saferring_metric_options *options,
			 saferring_tracker *tracker)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_tracker_add() - more or less of it is in use
 * @tracker: the tracker
 * @more: how much, negative for less
 *
 * Any thread may call it, whichever has added what is now subtracted. The first
 * call in a thread takes a lock, and so does every one after which the thread's
 * part has changed by more than SAFERRING_TRACKER_GRAIN.
 */
SAFERRING_INLINE void saferring_tracker_add(saferring_tracker tracker,
					    int64_t more)
{
	const uint32_t word = tracker.word % SAFERRING_SHARD_WORDS;
	uint64_t *shard = saferring_shards[SAFERRING_SHARD_COUNTERS];
	uint64_t now;

	if (SAFERRING_UNLIKELY(!shard)) {
		saferring_tracker_add_slow(tracker.word, more);
		return;
	}
	now = saferring_word_get(&shard[word]) + (uint64_t)more;
	/* The word behind it is what the others know of. */
	if (SAFERRING_UNLIKELY(now - shard[word + 1] + SAFERRING_TRACKER_GRAIN >
			       2 * SAFERRING_TRACKER_GRAIN)) {
		saferring_tracker_add_slow(tracker.word, more);
		return;
	}
	saferring_word_set(&shard[word], now);
}

/**
 * saferring_tracker_read() - how much there is, and was at most
 * @tracker: the tracker
 * @peak: out: the most that there was, right to SAFERRING_TRACKER_GRAIN for
 *	each thread, and never less than what there is now; or NULL
 *
 * Any thread may call it.
 *
 * Return: what there is now, the sum over all threads.
 */
SAFERRING_API int64_t saferring_tracker_read(saferring_tracker tracker,
					     int64_t *peak);

SAFERRING_END_DECLS

#endif /* SAFERRING_TRACKER_H */
