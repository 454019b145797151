/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the objects of the statistics know of each other.
 *
 * The arena's lock is a leaf: whoever holds it calls nothing that takes another
 * lock, and records no detail of an error.
 */
#ifndef SAFERRING_STATS_H
#define SAFERRING_STATS_H

#include "internal.h"

/*
 * What is before it is seen before what is behind it, by other processes; the
 * threads of one have a lock. The thread sanitizer knows no fences.
 */
static inline void sr_fence(void)
{
#if !defined(__SANITIZE_THREAD__)
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* ---- histogram.c ---- */

/* Whether every bucket of @earlier is no fuller than that of @later. */
bool sr_histogram_is_earlier(const struct saferring_histogram *later,
			     const struct saferring_histogram *earlier);

/* ---- text.c ---- */

/* A text that grows; @used counts what did not fit as well. */
struct sr_text {
	char *to;
	size_t length;
	size_t used;
};

void sr_text_begin(struct sr_text *text, char *to, size_t length);
void sr_text_add(struct sr_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A number times 10 to @exponent, exactly. */
void sr_text_scaled(struct sr_text *text, uint64_t number, int exponent);
/* The same for a number with a sign. */
void sr_text_scaled_signed(struct sr_text *text, int64_t number, int exponent);

/* ---- label.c ---- */

/*
 * Write labels as key="value",... with values escaped. What is no UTF-8, or a
 * control character, becomes a question mark. Returns 0 or -ENAMETOOLONG, when
 * what is there is a prefix without the label that did not fit.
 */
int sr_labels_write(char *to, size_t length,
		    const struct saferring_label *label, size_t count);

/* One label of such a text, with its value no longer escaped. */
struct sr_label {
	char key[64];
	char value[256];
};

/* Take the label that *at begins with. Returns false at the end. */
bool sr_labels_next(const char **at, struct sr_label *label);
/* Whether two texts of labels, with a comma between them, are @whole. */
bool sr_labels_has(const char *labels, const char *label);

/* ---- arena.c ---- */

/* Groups of series; those of distributions follow, by slot. */
enum sr_group {
	SR_GROUP_THREAD,
	SR_GROUP_PROCESS,
	SR_GROUP_RING,
	SR_GROUP_LATENCY,
	SR_GROUP_POOL,
	SR_GROUP_REGION,
	SR_GROUP_DISTRIBUTION,
};

#define SR_GROUPS (SR_GROUP_DISTRIBUTION + SAFERRING_DISTRIBUTIONS_MAX + 1)
#define SR_HISTOGRAM_WORDS \
	((uint32_t)(sizeof(struct saferring_histogram) / sizeof(uint64_t)))

/* Where blocks go that are no more: what they had counts on under this name. */
#define SR_DESTROYED "(destroyed)"

/*
 * Lock the arena, which is made at the first call. Returns 0, or -ENOMEM: then
 * it is not locked.
 */
int sr_arena_lock(void);
void sr_arena_unlock(void);

/*
 * All that follows is done with the arena locked. Functions return 0 or more, or
 * -EEXIST (another metric has the name), -ENOSPC (a table is full).
 */
int sr_family_add(const struct saferring_segment_family *family);
int sr_series_find(const struct saferring_segment_series *series);
int sr_series_add(const struct saferring_segment_series *series);
const struct saferring_segment_series *sr_series_get(int series);
void sr_group_set_words(unsigned int group, uint32_t words);

/*
 * A block of a group: one that is idle if @adopt, else a new one. NULL if there
 * is no room.
 */
uint64_t *sr_block_take(unsigned int group, const char *labels, bool adopt);
/* Its thread has ended: it is idle. */
void sr_block_leave(const uint64_t *words);
/*
 * Its object is gone: the figures move to the block of the group that is
 * labelled @key="(destroyed)", and the block is free.
 */
void sr_block_fold(uint64_t *words, const char *key);
/* The same for a block of gauges, which are of no interest any more. */
void sr_block_free(uint64_t *words);
/* The sum of one word over the blocks of a group. */
uint64_t sr_group_sum(unsigned int group, uint32_t word);
/* Merge a group's histogram. */
void sr_group_merge(unsigned int group, struct saferring_histogram *histogram);

/* The arena as a reader sees it. */
struct sr_view {
	const unsigned char *base;
	uint64_t length;
};

struct sr_view sr_arena_view(void);
/* What the arena lies in, and why it is nothing better, or "". */
const char *sr_arena_path(void);
const char *sr_arena_reason(void);

static inline const struct saferring_segment_header *
sr_view_header(const struct sr_view *view)
{
	return (const struct saferring_segment_header *)(const void *)
		view->base;
}

/* ---- shard.c ---- */

/* With the arena locked: the calling thread's place in a group, or NULL. */
uint64_t *sr_shard(unsigned int group, unsigned int index);
/* In a child of fork(): the thread has no places any more. */
void sr_shard_forget(void);
/* With the arena locked: the place that threads without one share. */
void sr_shard_share(unsigned int group);

/* With the arena locked: the thread's place, or what those without one share. */
uint64_t *sr_place(unsigned int group);

/* ---- metric.c ---- */

/* Family and series of what a program asks for. Returns 0 or -EINVAL. */
int sr_metric_describe(const char *operation, const void *options,
		       struct saferring_segment_family *family,
		       struct saferring_segment_series *series);
/* With the arena locked: a series that is there. Returns its number, or -errno. */
int sr_metric_find(const struct saferring_segment_family *family,
		   struct saferring_segment_series *series);
/*
 * With the arena locked: the series of that family and labels, in words of the
 * group SR_GROUP_THREAD if it is new. Returns its number, or -errno.
 */
int sr_metric_place(const struct saferring_segment_family *family,
		    struct saferring_segment_series *series, uint32_t words);
/* Record why there is no metric. */
int sr_metric_fail(const char *operation, const char *name, int code,
		   uint32_t most);

/* ---- snapshot.c, collect.c ---- */

/*
 * A figure, with what tells it from the others: the labels of its series, and
 * those of its blocks.
 */
struct sr_sample {
	struct saferring_sample public;
	uint32_t family;
	char *labels;
	size_t fixed; /* characters of @labels that are the series' */
	struct saferring_histogram *histogram;
};

struct saferring_snapshot {
	size_t count;
	size_t room;
	struct sr_sample *sample;
	struct saferring_segment_family *family;
	uint32_t families;
	int pid;
	bool incomplete;
	uint64_t taken_ns;
	uint64_t since_ns;
	char program[64];
};

struct saferring_snapshot *sr_snapshot_new(uint32_t families);
/* In a child of fork(): what was reset was the parent's. */
void sr_snapshot_forget(void);
/* Append a copy of a figure. Returns 0 or -ENOMEM. */
int sr_snapshot_append(struct saferring_snapshot *snapshot,
		       const struct sr_sample *sample);
struct saferring_snapshot *
sr_snapshot_copy(const struct saferring_snapshot *snapshot);
struct sr_sample *sr_snapshot_get(struct saferring_snapshot *snapshot,
				  const char *name, const char *labels);
/* Make of a copy of @later what came since @earlier. */
void sr_snapshot_subtract(struct saferring_snapshot *later,
			  const struct saferring_snapshot *earlier);
/* Sort, and add up what has the same family and labels. */
void sr_snapshot_settle(struct saferring_snapshot *snapshot);
uint64_t sr_realtime_ns(void);

/*
 * Collect what a segment has. Returns 0, -ENOMEM, -EAGAIN (figures moved) or
 * -EPROTO, for which @why has the reason.
 */
int sr_view_check(const struct sr_view *view, const char **why);
int sr_collect(const struct sr_view *view, struct saferring_snapshot **snapshot,
	       const char **why);

/* ---- account.c ---- */

/* With the arena locked, once for each arena: the library's own series. */
int sr_account_define(void);

/*
 * A family and its series. With @sparse a series is of no interest while it is
 * zero. They return 0 or more, or -errno.
 */
int sr_define_family(uint32_t type, const char *name, const char *unit,
		     int exponent, const char *help);
int sr_define_series(int family, unsigned int group, uint32_t first,
		     bool sparse, const struct saferring_label *label,
		     size_t count);

/*
 * struct sr_decision - one way in which something follows the load
 * @what: does
 * @direction: "raise" or "lower"
 * @reason: why
 * @word: where in the group's words it is counted
 */
struct sr_decision {
	const char *what;
	const char *direction;
	const char *reason;
	uint32_t word;
};

/* A family of them: how often each was taken. Returns 0 or more, or -errno. */
int sr_define_decisions(const char *name, const char *help, unsigned int group,
			const struct sr_decision *decision, size_t count);

/* ---- account_ring.c ---- */

/* With the arena locked. */
int sr_account_ring_define(void);

/* ---- account_pool.c ---- */

/* With the arena locked. */
int sr_account_pool_define(void);

/* ---- account_region.c ---- */

/* Words of the group of the process: what failed, by reason, then memory. */
#define SR_REASONS 128

/* By node: up to this one; those above are counted as this one. */
#define SR_NODES 64
/* By power of two of the size of a page. */
#define SR_PAGE_SIZES 40

/* Figures of memory: how much there is now, and how much there was at most. */
struct sr_memory_words {
	uint64_t now;
	uint64_t most;
};

/* The block of the process. */
struct sr_process_words {
	uint64_t failed[SR_REASONS];
	struct sr_memory_words memory;
	struct sr_memory_words node[SR_NODES];
	struct sr_memory_words unbound;
	struct sr_memory_words page[SR_PAGE_SIZES];
	uint64_t created;
	uint64_t destroyed;
	struct sr_memory_words tracker[SAFERRING_TRACKERS_MAX];
};

/* With the arena locked. */
int sr_account_region_define(void);
struct sr_process_words *sr_process_words(void);

#endif /* SAFERRING_STATS_H */
