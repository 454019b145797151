// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Arena: the memory that all figures of the process lie in, which is the segment
 * that other processes look at. saferring/segment.h has the layout.
 *
 * A child of fork() makes an arena of its own when it first counts, with the
 * same families and series, so that handles of metrics stay good. It reads them
 * from the parent's: what was there at the fork never changes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "memfile.h"
#include "stats.h"

#define FAMILIES 256U
#define SERIES	 2048U
#define BLOCKS	 4096U

_Static_assert(sizeof(struct saferring_segment_family) == 256 &&
		       sizeof(struct saferring_segment_series) == 256 &&
		       sizeof(struct saferring_segment_block) == 256,
	       "entries as documented");
_Static_assert(sizeof(struct saferring_segment_header) % 8 == 0,
	       "words stay aligned");

#define FAMILIES_AT 4096UL
#define SERIES_AT \
	(FAMILIES_AT + FAMILIES * sizeof(struct saferring_segment_family))
#define BLOCKS_AT (SERIES_AT + SERIES * sizeof(struct saferring_segment_series))
#define VALUES_AT (BLOCKS_AT + BLOCKS * sizeof(struct saferring_segment_block))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/*
 * @memory: the arena, or after a fork the parent's
 * @ours: it is this process's
 * @families: entries of the table that this process knows
 * @series: likewise
 */
static struct {
	struct sr_memfile memory;
	bool ours;
	uint32_t families;
	uint32_t series;
	uint32_t group_words[SR_GROUPS];
} arena;

static struct saferring_segment_header *header(void)
{
	return (struct saferring_segment_header *)arena.memory.base;
}

static void *at(uint64_t offset)
{
	return (unsigned char *)arena.memory.base + offset;
}

static struct saferring_segment_family *family_at(uint32_t number)
{
	return (struct saferring_segment_family *)at(FAMILIES_AT) + number;
}

static struct saferring_segment_series *series_at(uint32_t number)
{
	return (struct saferring_segment_series *)at(SERIES_AT) + number;
}

static struct saferring_segment_block *block_at(uint32_t number)
{
	return (struct saferring_segment_block *)at(BLOCKS_AT) + number;
}

static uint64_t *words_of(const struct saferring_segment_block *block)
{
	return at(block->offset);
}

/* What lies before this is to be seen by whoever sees the new count. */
static void publish(uint32_t *count, uint32_t value)
{
	__atomic_store_n(count, value, __ATOMIC_RELEASE);
}

/* ---- making it ---- */

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	arena.ours = false;
	sr_shard_forget();
	sr_snapshot_forget();
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

static struct saferring_segment_table table(uint64_t offset, size_t bytes,
					    uint32_t room)
{
	return (struct saferring_segment_table){
		.offset = offset,
		.entry_bytes = (uint32_t)bytes,
		.room = room,
	};
}

static void fill_header(void)
{
	struct saferring_segment_header *head = header();

	head->version = SAFERRING_SEGMENT_VERSION;
	head->header_bytes = sizeof(*head);
	head->length = arena.memory.length;
	head->used = VALUES_AT;
	head->started_ns = sr_realtime_ns();
	head->process_start = sr_process_start(0);
	head->pid = (uint32_t)getpid();
	head->library = saferring_version();
	head->families = table(
		FAMILIES_AT, sizeof(struct saferring_segment_family), FAMILIES);
	head->series = table(SERIES_AT, sizeof(struct saferring_segment_series),
			     SERIES);
	head->blocks = table(BLOCKS_AT, sizeof(struct saferring_segment_block),
			     BLOCKS);
	if (sr_read_line("/proc/self/comm", head->program,
			 sizeof(head->program)))
		snprintf(head->program, sizeof(head->program), "?");
}

/* The families and series that there were when the parent forked. */
static void take_over(const struct sr_memfile *parent)
{
	const unsigned char *from = parent->base;

	if (!from)
		return;
	memcpy(family_at(0), from + FAMILIES_AT,
	       arena.families * sizeof(struct saferring_segment_family));
	memcpy(series_at(0), from + SERIES_AT,
	       arena.series * sizeof(struct saferring_segment_series));
	publish(&header()->families.count, arena.families);
	publish(&header()->series.count, arena.series);
}

/*
 * Threads for which there is no room share a place. It is made first, while
 * there is.
 */
static int prepare(void)
{
	unsigned int group;
	int error = sr_account_define();

	if (error < 0)
		return error;
	/* With a word behind the last one, which garbage can name. */
	arena.group_words[SR_GROUP_THREAD] = SAFERRING_SHARD_WORDS + 1;
	sr_shard_share(SR_GROUP_THREAD);
	sr_process_words();
	for (group = SR_GROUP_DISTRIBUTION; group < SR_GROUPS; group++)
		if (arena.group_words[group])
			sr_shard_share(group);
	__atomic_store_n(&header()->magic, SAFERRING_SEGMENT_MAGIC,
			 __ATOMIC_RELEASE);
	return 0;
}

static int make(void)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	const struct sr_memfile parent = arena.memory;
	struct sr_memfile memory;
	int error = sr_memfile_make(&memory, VALUES_AT);

	if (error)
		return error;
	arena.memory = memory;
	fill_header();
	take_over(&parent);
	/* The parent's stays mapped: its objects refer to it. */
	if (parent.base && parent.fd >= 0)
		close(parent.fd);
	error = prepare();
	arena.ours = !error;
	return error;
}

int sr_arena_lock(void)
{
	int error;

	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&lock);
	if (SAFERRING_LIKELY(arena.ours))
		return 0;
	error = make();
	if (error) {
		pthread_mutex_unlock(&lock);
		return error;
	}
	return 0;
}

void sr_arena_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

struct sr_view sr_arena_view(void)
{
	return (struct sr_view){
		.base = arena.memory.base,
		.length = arena.memory.length,
	};
}

const char *sr_arena_path(void)
{
	return arena.memory.path;
}

const char *sr_arena_reason(void)
{
	return arena.memory.reason;
}

/* ---- families and series ---- */

int sr_family_add(const struct saferring_segment_family *family)
{
	const struct saferring_segment_family *known;
	uint32_t number;

	for (number = 0; number < arena.families; number++) {
		known = family_at(number);
		if (strcmp(known->name, family->name))
			continue;
		if (known->type != family->type ||
		    known->exponent != family->exponent ||
		    strcmp(known->unit, family->unit))
			return -EEXIST;
		return (int)number;
	}
	if (arena.families == FAMILIES)
		return -ENOSPC;
	*family_at(number) = *family;
	publish(&header()->families.count, ++arena.families);
	return (int)number;
}

int sr_series_find(const struct saferring_segment_series *series)
{
	const struct saferring_segment_series *known;
	uint32_t number;

	for (number = 0; number < arena.series; number++) {
		known = series_at(number);
		if (known->family == series->family &&
		    !strcmp(known->labels, series->labels))
			return (int)number;
	}
	return -ENOENT;
}

int sr_series_add(const struct saferring_segment_series *series)
{
	if (arena.series == SERIES)
		return -ENOSPC;
	*series_at(arena.series) = *series;
	publish(&header()->series.count, ++arena.series);
	return (int)arena.series - 1;
}

const struct saferring_segment_series *sr_series_get(int series)
{
	return series_at((uint32_t)series);
}

void sr_group_set_words(unsigned int group, uint32_t words)
{
	arena.group_words[group] = words;
}

/* ---- blocks ---- */

/* The changes are odd while figures and labels do: others look again then. */
static void begin_change(void)
{
	__atomic_store_n(&header()->changes, header()->changes + 1,
			 __ATOMIC_RELAXED);
	sr_fence();
}

static void end_change(void)
{
	__atomic_store_n(&header()->changes, header()->changes + 1,
			 __ATOMIC_RELEASE);
}

static void set_state(struct saferring_segment_block *block, uint32_t state)
{
	__atomic_store_n(&block->state, state, __ATOMIC_RELEASE);
}

static struct saferring_segment_block *find(unsigned int group, uint32_t state)
{
	const uint32_t count = header()->blocks.count;
	uint32_t number;

	for (number = 0; number < count; number++)
		if (block_at(number)->group == group &&
		    block_at(number)->state == state)
			return block_at(number);
	return NULL;
}

/* So that no thread has to wait for a page when it counts. */
static void touch(const struct saferring_segment_block *block)
{
	const uint32_t step = (uint32_t)sr_page_size() / 8;
	uint32_t word;

	for (word = 0; word < block->words; word += step)
		saferring_word_set(&words_of(block)[word], 0);
	saferring_word_set(&words_of(block)[block->words - 1], 0);
}

/* A block that was never used; its words are zero. */
static struct saferring_segment_block *cut(unsigned int group)
{
	struct saferring_segment_header *head = header();
	const uint32_t words = arena.group_words[group];
	/* Blocks of two threads do not share a line of the processor's cache. */
	const uint64_t bytes = SR_ROUND_UP((uint64_t)words * 8, 128);
	struct saferring_segment_block *block;

	if (head->blocks.count == BLOCKS || head->used + bytes > head->length ||
	    sr_memfile_reserve(&arena.memory, head->used, bytes))
		return NULL;
	block = block_at(head->blocks.count);
	block->group = group;
	block->offset = head->used;
	block->words = words;
	head->used += bytes;
	touch(block);
	publish(&head->blocks.count, head->blocks.count + 1);
	return block;
}

static struct saferring_segment_block *block_of(const uint64_t *words)
{
	const uint64_t offset = (uint64_t)((const unsigned char *)words -
					   (unsigned char *)arena.memory.base);
	uint32_t number;

	for (number = 0; number < header()->blocks.count; number++)
		if (block_at(number)->offset == offset)
			return block_at(number);
	return NULL;
}

static bool is_ours(const uint64_t *words)
{
	const unsigned char *address = (const unsigned char *)words;
	const unsigned char *base = arena.memory.base;

	return address >= base && address < base + arena.memory.length;
}

uint64_t *sr_block_take(unsigned int group, const char *labels, bool adopt)
{
	struct saferring_segment_block *block =
		adopt ? find(group, SAFERRING_SEGMENT_IDLE) : NULL;

	if (block) {
		set_state(block, SAFERRING_SEGMENT_LIVE);
		return words_of(block);
	}
	block = find(group, SAFERRING_SEGMENT_FREE);
	if (!block)
		block = cut(group);
	if (!block)
		return NULL;
	begin_change();
	snprintf(block->labels, sizeof(block->labels), "%s", labels);
	set_state(block, SAFERRING_SEGMENT_LIVE);
	end_change();
	return words_of(block);
}

void sr_block_leave(const uint64_t *words)
{
	if (is_ours(words))
		set_state(block_of(words), SAFERRING_SEGMENT_IDLE);
}

/* ---- folding ---- */

static bool is_of_block(const struct saferring_segment_series *series,
			const struct saferring_segment_block *block)
{
	return series->group == block->group;
}

/* What a gauge of an object that is gone shows is of no interest. */
static void fold_series(const struct saferring_segment_series *series,
			uint64_t *from, uint64_t *to)
{
	switch (family_at(series->family)->type) {
	case SAFERRING_METRIC_COUNTER:
		saferring_word_add(&to[series->first], from[series->first]);
		break;
	case SAFERRING_METRIC_HISTOGRAM:
		saferring_histogram_merge((void *)&to[series->first],
					  (void *)&from[series->first]);
		break;
	}
}

static void fold(struct saferring_segment_block *from,
		 struct saferring_segment_block *to)
{
	uint32_t number;

	for (number = 0; number < arena.series; number++)
		if (is_of_block(series_at(number), from))
			fold_series(series_at(number), words_of(from),
				    words_of(to));
	for (number = 0; number < from->words; number++)
		saferring_word_set(&words_of(from)[number], 0);
	set_state(from, SAFERRING_SEGMENT_FREE);
}

/* The block of a group that takes what others had. No object has it. */
static struct saferring_segment_block *rest_of(unsigned int group,
					       const char *labels)
{
	uint64_t *words;
	uint32_t number;

	for (number = 0; number < header()->blocks.count; number++)
		if (block_at(number)->group == group &&
		    block_at(number)->state == SAFERRING_SEGMENT_IDLE &&
		    !strcmp(block_at(number)->labels, labels))
			return block_at(number);
	words = sr_block_take(group, labels, false);
	if (!words)
		return NULL;
	sr_block_leave(words);
	return block_of(words);
}

void sr_block_fold(uint64_t *words, const char *key)
{
	struct saferring_segment_block *block, *rest;
	char labels[64];

	if (!is_ours(words))
		return;
	block = block_of(words);
	snprintf(labels, sizeof(labels), "%s=\"" SR_DESTROYED "\"", key);
	rest = rest_of(block->group, labels);
	/* Without room for that the figures stay under the name they had. */
	if (!rest) {
		set_state(block, SAFERRING_SEGMENT_IDLE);
		return;
	}
	begin_change();
	fold(block, rest);
	end_change();
}

void sr_block_free(uint64_t *words)
{
	struct saferring_segment_block *block;
	uint32_t number;

	if (!is_ours(words))
		return;
	block = block_of(words);
	begin_change();
	set_state(block, SAFERRING_SEGMENT_FREE);
	for (number = 0; number < block->words; number++)
		saferring_word_set(&words[number], 0);
	end_change();
}

/* ---- reading ---- */

uint64_t sr_group_sum(unsigned int group, uint32_t word)
{
	uint64_t sum = 0;
	uint32_t number;

	for (number = 0; number < header()->blocks.count; number++)
		if (block_at(number)->group == group)
			sum += saferring_word_get(
				&words_of(block_at(number))[word]);
	return sum;
}

void sr_group_merge(unsigned int group, struct saferring_histogram *histogram)
{
	const void *words;
	uint32_t number;

	for (number = 0; number < header()->blocks.count; number++) {
		if (block_at(number)->group != group)
			continue;
		words = words_of(block_at(number));
		saferring_histogram_merge(histogram, words);
	}
}
