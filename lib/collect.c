// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Collect: read the figures of a segment, this process's or another's. What
 * another process has written is believed only as far as it was checked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "stats.h"

/* A copy of the tables, so that they stay as they were checked. */
struct tables {
	const struct sr_view *view;
	uint32_t families;
	uint32_t series_count;
	uint32_t blocks;
	struct saferring_segment_series *series;
};

static bool is_inside(const struct sr_view *view, uint64_t offset,
		      uint64_t bytes)
{
	return offset <= view->length && bytes <= view->length - offset &&
	       offset % 8 == 0;
}

static bool is_table(const struct sr_view *view,
		     const struct saferring_segment_table *table, size_t least)
{
	return table->entry_bytes >= least && table->entry_bytes % 8 == 0 &&
	       table->count <= table->room &&
	       is_inside(view, table->offset,
			 (uint64_t)table->entry_bytes * table->room);
}

int sr_view_check(const struct sr_view *view, const char **why)
{
	const struct saferring_segment_header *head = sr_view_header(view);

	if (view->length < sizeof(*head)) {
		*why = "it is shorter than the header of a segment";
	} else if (__atomic_load_n(&head->magic, __ATOMIC_ACQUIRE) !=
		   SAFERRING_SEGMENT_MAGIC) {
		*why = "it does not begin as a segment of statistics does, or "
		       "its process is about to make it";
	} else if (head->version != SAFERRING_SEGMENT_VERSION) {
		*why = "its layout has another version than this library's, 1";
	} else if (head->header_bytes < sizeof(*head) ||
		   head->length != view->length) {
		*why = "its size is not what its header says";
	} else if (!is_table(view, &head->families,
			     sizeof(struct saferring_segment_family)) ||
		   !is_table(view, &head->series,
			     sizeof(struct saferring_segment_series)) ||
		   !is_table(view, &head->blocks,
			     sizeof(struct saferring_segment_block))) {
		*why = "its tables do not lie inside it";
	} else {
		return 0;
	}
	return -EPROTO;
}

static uint32_t count_of(const struct saferring_segment_table *table)
{
	const uint32_t count = __atomic_load_n(&table->count, __ATOMIC_ACQUIRE);

	return SR_MIN(count, table->room);
}

static const void *entry(const struct sr_view *view,
			 const struct saferring_segment_table *table,
			 uint32_t number)
{
	return view->base + table->offset +
	       (uint64_t)number * table->entry_bytes;
}

/* Text of another process: terminated, and nothing that a terminal obeys. */
static void tame(char *text, size_t length)
{
	text[length - 1] = '\0';
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = *text == '\n' ? ' ' : '?';
}

static void copy_families(const struct sr_view *view,
			  struct saferring_snapshot *snapshot)
{
	const struct saferring_segment_table *table =
		&sr_view_header(view)->families;
	struct saferring_segment_family *family;
	uint32_t number;

	for (number = 0; number < snapshot->families; number++) {
		family = &snapshot->family[number];
		memcpy(family, entry(view, table, number), sizeof(*family));
		tame(family->name, sizeof(family->name));
		tame(family->unit, sizeof(family->unit));
		tame(family->help, sizeof(family->help));
	}
}

static int copy_series(struct tables *tables)
{
	const struct saferring_segment_table *table =
		&sr_view_header(tables->view)->series;
	struct saferring_segment_series *series;
	uint32_t number;

	tables->series = calloc(tables->series_count + 1,
				sizeof(struct saferring_segment_series));
	if (!tables->series)
		return -ENOMEM;
	for (number = 0; number < tables->series_count; number++) {
		series = &tables->series[number];
		memcpy(series, entry(tables->view, table, number),
		       sizeof(*series));
		tame(series->labels, sizeof(series->labels));
	}
	return 0;
}

/* Of a block only the state changes. */
static bool copy_block(const struct sr_view *view, uint32_t number,
		       struct saferring_segment_block *block)
{
	const struct saferring_segment_block *from =
		entry(view, &sr_view_header(view)->blocks, number);

	block->state = __atomic_load_n(&from->state, __ATOMIC_ACQUIRE);
	block->group = from->group;
	block->offset = from->offset;
	block->words = from->words;
	memcpy(block->labels, from->labels, sizeof(block->labels));
	tame(block->labels, sizeof(block->labels));
	return is_inside(view, block->offset, (uint64_t)block->words * 8);
}

/* ---- figures ---- */

static bool fits(const struct saferring_segment_series *series,
		 const struct saferring_segment_block *block,
		 const struct saferring_segment_family *family)
{
	const uint32_t words = family->type == SAFERRING_METRIC_HISTOGRAM
				       ? SR_HISTOGRAM_WORDS
				       : 1;

	return series->words == words &&
	       (uint64_t)series->first + words <= block->words;
}

static int read_value(struct sr_sample *sample,
		      const struct saferring_segment_family *family,
		      const uint64_t *words)
{
	if (family->type != SAFERRING_METRIC_HISTOGRAM) {
		sample->public.value = saferring_word_get(words);
		return 0;
	}
	sample->histogram = malloc(sizeof(*sample->histogram));
	if (!sample->histogram)
		return -ENOMEM;
	saferring_histogram_copy(sample->histogram, (const void *)words);
	sample->public.value = saferring_histogram_count(sample->histogram);
	return 0;
}

static int add_figure(struct saferring_snapshot *snapshot,
		      const struct tables *tables,
		      const struct saferring_segment_series *series,
		      const struct saferring_segment_block *block)
{
	const struct saferring_segment_family *family =
		&snapshot->family[series->family];
	const uint64_t *words =
		(const void *)(tables->view->base + block->offset);
	struct sr_sample sample = { .family = series->family };
	char labels[sizeof(series->labels) + sizeof(block->labels) + 2];
	int error = read_value(&sample, family, &words[series->first]);

	snprintf(labels, sizeof(labels), "%s%s%s", series->labels,
		 *series->labels && *block->labels ? "," : "", block->labels);
	sample.labels = labels;
	sample.fixed = strlen(series->labels);
	if (!error && (sample.public.value ||
		       !(series->flags & SAFERRING_SEGMENT_SPARSE)))
		error = sr_snapshot_append(snapshot, &sample);
	free(sample.histogram);
	return error;
}

static int add_block(struct saferring_snapshot *snapshot,
		     const struct tables *tables,
		     const struct saferring_segment_block *block)
{
	const struct saferring_segment_series *series;
	uint32_t number;
	int error = 0;

	for (number = 0; number < tables->series_count && !error; number++) {
		series = &tables->series[number];
		if (series->group != block->group)
			continue;
		if (series->family >= snapshot->families ||
		    !fits(series, block, &snapshot->family[series->family]))
			return -EPROTO;
		error = add_figure(snapshot, tables, series, block);
	}
	return error;
}

static int add_blocks(struct saferring_snapshot *snapshot,
		      const struct tables *tables)
{
	struct saferring_segment_block block;
	uint32_t number;
	int error = 0;

	for (number = 0; number < tables->blocks && !error; number++) {
		if (!copy_block(tables->view, number, &block))
			return -EPROTO;
		if (block.state != SAFERRING_SEGMENT_FREE)
			error = add_block(snapshot, tables, &block);
	}
	return error;
}

/*
 * The counts in this order: a block that is seen has its series, and a series
 * its family.
 */
static int fill(struct saferring_snapshot **out, struct tables *tables)
{
	const struct saferring_segment_header *head =
		sr_view_header(tables->view);
	struct saferring_snapshot *snapshot;
	int error;

	tables->blocks = count_of(&head->blocks);
	tables->series_count = count_of(&head->series);
	snapshot = sr_snapshot_new(count_of(&head->families));
	if (!snapshot)
		return -ENOMEM;
	copy_families(tables->view, snapshot);
	error = copy_series(tables);
	if (!error)
		error = add_blocks(snapshot, tables);
	free(tables->series);
	if (error) {
		saferring_snapshot_free(snapshot);
		return error;
	}
	*out = snapshot;
	return 0;
}

int sr_collect(const struct sr_view *view, struct saferring_snapshot **out,
	       const char **why)
{
	const struct saferring_segment_header *head = sr_view_header(view);
	struct tables tables = { .view = view };
	struct saferring_snapshot *snapshot;
	uint64_t changes;
	int error = sr_view_check(view, why);

	if (error)
		return error;
	changes = __atomic_load_n(&head->changes, __ATOMIC_ACQUIRE);
	error = fill(&snapshot, &tables);
	*why = "its tables name what does not exist";
	if (error)
		return error;
	sr_fence();
	snapshot->incomplete =
		changes & 1 || changes != saferring_word_get(&head->changes);
	snapshot->pid = (int)head->pid;
	snapshot->since_ns = head->started_ns;
	memcpy(snapshot->program, head->program, sizeof(snapshot->program));
	tame(snapshot->program, sizeof(snapshot->program));
	sr_snapshot_settle(snapshot);
	*out = snapshot;
	return snapshot->incomplete ? -EAGAIN : 0;
}
