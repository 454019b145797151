// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Tracker: what is in use now is a gauge like any other, with a word behind it
 * that says how much of the thread's part the others know of. What they know
 * is summed up under the arena's lock, and its highest sum is the peak.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "stats.h"

#define WORD(member) ((uint32_t)(offsetof(struct sr_process_words, member) / 8))

/* Under the arena's lock: by word of the gauge: its number, from 1 on. */
static uint8_t number_of[SAFERRING_SHARD_WORDS];
static uint8_t trackers;

/* ---- names ---- */

/* "_peak" goes before the unit. Returns 0, or -EINVAL: no room for it. */
static int name_peak(const struct saferring_segment_family *family,
		     struct saferring_segment_family *peak)
{
	const size_t unit = *family->unit ? strlen(family->unit) + 1 : 0;
	const size_t stem = strlen(family->name) - unit;

	*peak = *family;
	if (stem + strlen("_peak") + unit >= sizeof(peak->name))
		return sr_fail_argument("tracker_create",
					"name \"%s\" has no room for \"_peak\"",
					family->name);
	snprintf(peak->name, sizeof(peak->name), "%.*s_peak%s", (int)stem,
		 family->name, family->name + stem);
	snprintf(peak->help, sizeof(peak->help),
		 "The most that there was of %s", family->name);
	return 0;
}

/* With the arena locked. */
static int add_peak(const struct saferring_segment_family *peak,
		    const struct saferring_segment_series *gauge)
{
	struct saferring_segment_series series = *gauge;
	int number = sr_family_add(peak);

	if (number < 0)
		return number;
	series.family = (uint32_t)number;
	series.group = SR_GROUP_PROCESS;
	series.first = WORD(tracker) + 2U * trackers + 1;
	series.words = 1;
	if (sr_series_find(&series) >= 0)
		return -EEXIST;
	return sr_series_add(&series);
}

/* The word of one that is there. A mere gauge has no word behind it. */
static int known(int number)
{
	const uint32_t word = sr_series_get(number)->first;

	return number_of[word] ? (int)word : -EEXIST;
}

/* With the arena locked. Returns the word, or -errno. */
static int place(const struct saferring_segment_family *family,
		 const struct saferring_segment_family *peak,
		 struct saferring_segment_series *series)
{
	int number = sr_metric_find(family, series);

	if (number >= 0)
		return known(number);
	if (number != -ENOENT)
		return number;
	if (trackers == SAFERRING_TRACKERS_MAX)
		return -ENOSPC;
	number = add_peak(peak, series);
	if (number >= 0)
		number = sr_metric_place(family, series, 2);
	if (number < 0)
		return number;
	number_of[series->first] = ++trackers;
	return (int)series->first;
}

int saferring_tracker_create(const struct saferring_metric_options *options,
			     saferring_tracker *tracker)
{
	static const char operation[] = "tracker_create";
	struct saferring_segment_series series = { 0 };
	struct saferring_segment_family peak, family = {
		.type = SAFERRING_METRIC_GAUGE,
	};
	int word;

	if (!tracker)
		return sr_fail_argument(operation, "no place for a tracker");
	word = sr_metric_describe(operation, options, &family, &series);
	if (!word)
		word = name_peak(&family, &peak);
	if (word)
		return word;
	word = sr_arena_lock();
	if (!word) {
		word = place(&family, &peak, &series);
		sr_arena_unlock();
	}
	if (word < 0)
		return sr_metric_fail(operation, family.name, word,
				      SAFERRING_TRACKERS_MAX);
	tracker->word = (uint32_t)word;
	return 0;
}

/* ---- counting ---- */

/* With the arena locked: the others are told of a change. */
static void tell(uint32_t word, uint64_t change)
{
	struct sr_process_words *process = sr_process_words();
	struct sr_memory_words *known;

	if (!process || !number_of[word])
		return;
	known = &process->tracker[number_of[word] - 1];
	saferring_word_add(&known->now, change);
	if ((int64_t)known->now > (int64_t)known->most)
		saferring_word_set(&known->most, known->now);
}

static void add(uint32_t word, uint64_t more)
{
	uint64_t *shard = sr_place(SR_GROUP_THREAD);
	uint64_t change;

	if (!shard)
		return;
	saferring_word_add(&shard[word], more);
	change = shard[word] - shard[word + 1];
	if (change + SAFERRING_TRACKER_GRAIN <= 2 * SAFERRING_TRACKER_GRAIN)
		return;
	tell(word, change);
	saferring_word_set(&shard[word + 1], shard[word]);
}

void saferring_tracker_add_slow(uint32_t word, int64_t more)
{
	const int saved_errno = errno;

	word %= SAFERRING_SHARD_WORDS;
	if (word && !sr_arena_lock()) {
		add(word, (uint64_t)more);
		sr_arena_unlock();
	}
	errno = saved_errno;
}

int64_t saferring_tracker_read(saferring_tracker tracker, int64_t *peak)
{
	const uint32_t word = tracker.word % SAFERRING_SHARD_WORDS;
	const struct sr_process_words *process;
	int64_t now = 0, most = 0;

	if (number_of[word] && !sr_arena_lock()) {
		process = sr_process_words();
		now = (int64_t)sr_group_sum(SR_GROUP_THREAD, word);
		if (process)
			most = (int64_t)process->tracker[number_of[word] - 1]
				       .most;
		sr_arena_unlock();
	}
	if (peak)
		*peak = now > most ? now : most;
	return now;
}
