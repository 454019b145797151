// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Snapshot: figures at one moment, sorted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "stats.h"

/*
 * What the figures were when they were last reset, under the arena's lock; in a
 * child of fork() it is the parent's at first.
 */
static struct saferring_snapshot *reset_at;
static bool reset_is_ours;

uint64_t sr_realtime_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

struct saferring_snapshot *sr_snapshot_new(uint32_t families)
{
	struct saferring_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return NULL;
	snapshot->family = calloc(families + 1, sizeof(*snapshot->family));
	if (!snapshot->family) {
		free(snapshot);
		return NULL;
	}
	snapshot->families = families;
	snapshot->taken_ns = sr_realtime_ns();
	return snapshot;
}

void saferring_snapshot_free(struct saferring_snapshot *snapshot)
{
	size_t number;

	if (!snapshot)
		return;
	for (number = 0; number < snapshot->count; number++) {
		free(snapshot->sample[number].labels);
		free(snapshot->sample[number].histogram);
	}
	free(snapshot->sample);
	free(snapshot->family);
	free(snapshot);
}

static int make_room(struct saferring_snapshot *snapshot)
{
	const size_t room = snapshot->room ? 2 * snapshot->room : 64;
	struct sr_sample *sample;

	if (snapshot->count < snapshot->room)
		return 0;
	sample = reallocarray(snapshot->sample, room, sizeof(*sample));
	if (!sample)
		return -ENOMEM;
	snapshot->sample = sample;
	snapshot->room = room;
	return 0;
}

static struct saferring_histogram *
copy_histogram(const struct saferring_histogram *histogram)
{
	struct saferring_histogram *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *histogram;
	return copy;
}

int sr_snapshot_append(struct saferring_snapshot *snapshot,
		       const struct sr_sample *from)
{
	struct sr_sample sample = *from;

	if (make_room(snapshot))
		return -ENOMEM;
	sample.labels = strdup(from->labels);
	if (from->histogram)
		sample.histogram = copy_histogram(from->histogram);
	if (!sample.labels || (from->histogram && !sample.histogram)) {
		free(sample.labels);
		free(sample.histogram);
		return -ENOMEM;
	}
	snapshot->sample[snapshot->count++] = sample;
	return 0;
}

static int compare(const void *a, const void *b, void *context)
{
	const struct saferring_snapshot *snapshot = context;
	const struct sr_sample *left = a, *right = b;
	const int names = strcmp(snapshot->family[left->family].name,
				 snapshot->family[right->family].name);

	return names ? names : strcmp(left->labels, right->labels);
}

static void add_up(struct sr_sample *to, struct sr_sample *from)
{
	to->public.value += from->public.value;
	if (to->histogram && from->histogram)
		saferring_histogram_merge(to->histogram, from->histogram);
	free(from->histogram);
	free(from->labels);
}

/* Let what users see refer to what there is. */
static void expose(struct saferring_snapshot *snapshot)
{
	const struct saferring_segment_family *family;
	struct sr_sample *sample;
	size_t number;

	for (number = 0; number < snapshot->count; number++) {
		sample = &snapshot->sample[number];
		family = &snapshot->family[sample->family];
		sample->public.name = family->name;
		sample->public.help = family->help;
		sample->public.unit = family->unit;
		sample->public.type = (int)family->type;
		sample->public.exponent = family->exponent;
		sample->public.labels = sample->labels;
		sample->public.histogram = sample->histogram;
		if (sample->histogram)
			sample->public.value =
				saferring_histogram_count(sample->histogram);
	}
}

void sr_snapshot_settle(struct saferring_snapshot *snapshot)
{
	size_t from, to = 0;

	if (snapshot->count)
		qsort_r(snapshot->sample, snapshot->count,
			sizeof(*snapshot->sample), compare, snapshot);
	for (from = 0; from < snapshot->count; from++) {
		if (to && !compare(&snapshot->sample[to - 1],
				   &snapshot->sample[from], snapshot))
			add_up(&snapshot->sample[to - 1],
			       &snapshot->sample[from]);
		else
			snapshot->sample[to++] = snapshot->sample[from];
	}
	snapshot->count = to;
	expose(snapshot);
}

struct saferring_snapshot *
sr_snapshot_copy(const struct saferring_snapshot *from)
{
	struct saferring_snapshot *copy = sr_snapshot_new(from->families);
	size_t number;

	if (!copy)
		return NULL;
	memcpy(copy->family, from->family,
	       from->families * sizeof(*from->family));
	copy->pid = from->pid;
	copy->incomplete = from->incomplete;
	copy->taken_ns = from->taken_ns;
	copy->since_ns = from->since_ns;
	memcpy(copy->program, from->program, sizeof(copy->program));
	for (number = 0; number < from->count; number++) {
		if (!sr_snapshot_append(copy, &from->sample[number]))
			continue;
		saferring_snapshot_free(copy);
		return NULL;
	}
	expose(copy);
	return copy;
}

/* ---- this process's ---- */

void sr_snapshot_forget(void)
{
	reset_is_ours = false;
}

/* With the arena locked. Nothing moves meanwhile, and what it says is ours. */
static struct saferring_snapshot *collect(void)
{
	const struct sr_view view = sr_arena_view();
	struct saferring_snapshot *snapshot = NULL;
	const char *why;

	return sr_collect(&view, &snapshot, &why) ? NULL : snapshot;
}

static int fail_memory(const char *operation)
{
	return sr_fail_memory(operation, sizeof(struct saferring_snapshot));
}

int saferring_snapshot_take(struct saferring_snapshot **out)
{
	struct saferring_snapshot *snapshot;

	if (!out)
		return sr_fail_argument("snapshot_take",
					"no place for a snapshot");
	if (sr_arena_lock())
		return fail_memory("snapshot_take");
	snapshot = collect();
	if (snapshot && reset_is_ours)
		sr_snapshot_subtract(snapshot, reset_at);
	sr_arena_unlock();
	if (!snapshot)
		return fail_memory("snapshot_take");
	*out = snapshot;
	return 0;
}

int saferring_snapshot_reset(struct saferring_snapshot **out)
{
	struct saferring_snapshot *now, *result = NULL, *before = NULL;

	if (sr_arena_lock())
		return fail_memory("snapshot_reset");
	now = collect();
	if (now)
		result = sr_snapshot_copy(now);
	if (result) {
		before = reset_at;
		reset_at = now;
		if (reset_is_ours)
			sr_snapshot_subtract(result, before);
		reset_is_ours = true;
	}
	sr_arena_unlock();
	if (!result) {
		saferring_snapshot_free(now);
		return fail_memory("snapshot_reset");
	}
	saferring_snapshot_free(before);
	if (out)
		*out = result;
	else
		saferring_snapshot_free(result);
	return 0;
}

/* ---- looking at it ---- */

size_t saferring_snapshot_count(const struct saferring_snapshot *snapshot)
{
	return snapshot->count;
}

const struct saferring_sample *
saferring_snapshot_sample(const struct saferring_snapshot *snapshot,
			  size_t index)
{
	if (index >= snapshot->count)
		return NULL;
	return &snapshot->sample[index].public;
}

static struct sr_sample *first_of(struct saferring_snapshot *snapshot,
				  const char *name)
{
	size_t number;

	for (number = 0; number < snapshot->count; number++)
		if (!strcmp(snapshot->sample[number].public.name, name))
			return &snapshot->sample[number];
	return NULL;
}

/* They are sorted: the half that it is not in is left out again and again. */
struct sr_sample *sr_snapshot_get(struct saferring_snapshot *snapshot,
				  const char *name, const char *labels)
{
	size_t low = 0, high = snapshot->count;

	if (!labels)
		return first_of(snapshot, name);
	while (low < high) {
		struct sr_sample *sample = &snapshot->sample[(low + high) / 2];
		int order = strcmp(name, sample->public.name);

		if (!order)
			order = strcmp(labels, sample->labels);
		if (!order)
			return sample;
		if (order < 0)
			high = (low + high) / 2;
		else
			low = (low + high) / 2 + 1;
	}
	return NULL;
}

const struct saferring_sample *
saferring_snapshot_find(const struct saferring_snapshot *snapshot,
			const char *name, const char *labels)
{
	struct sr_sample *sample = sr_snapshot_get(
		(struct saferring_snapshot *)snapshot, name, labels);

	return sample ? &sample->public : NULL;
}

uint64_t saferring_snapshot_sum(const struct saferring_snapshot *snapshot,
				const char *name, const char *label)
{
	uint64_t sum = 0;
	size_t number;

	for (number = 0; number < snapshot->count; number++) {
		const struct saferring_sample *sample =
			&snapshot->sample[number].public;

		if (!strcmp(sample->name, name) &&
		    (!label || sr_labels_has(sample->labels, label)))
			sum += sample->value;
	}
	return sum;
}

int saferring_snapshot_info(const struct saferring_snapshot *snapshot,
			    struct saferring_snapshot_info *out)
{
	struct saferring_snapshot_info info = { 0 };

	if (!snapshot || !out)
		return sr_fail_argument(
			"snapshot_info",
			"no snapshot, or no place for its info");
	info.pid = snapshot->pid;
	info.incomplete = snapshot->incomplete;
	info.taken_ns = snapshot->taken_ns;
	info.since_ns = snapshot->since_ns;
	info.program = snapshot->program;
	return sr_info_out("snapshot_info", out, &info, sizeof(info));
}
