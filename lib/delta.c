// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Delta: snapshots subtracted and added.
 *
 * When a ring is destroyed, its figures move to the one that is labelled
 * "(destroyed)". So a figure can shrink, or be gone; what it lost is taken off
 * the growth of that other one, and the total is right.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "stats.h"

/* What a figure's figures move to when its object is gone, or NULL. */
static struct sr_sample *heir_of(struct saferring_snapshot *snapshot,
				 const struct sr_sample *sample)
{
	const char *own = sample->labels + sample->fixed;
	struct sr_sample *heir;
	char labels[512];
	size_t key;

	if (*own == ',')
		own++;
	key = strcspn(own, "=");
	if (!own[key])
		return NULL;
	snprintf(labels, sizeof(labels), "%.*s%s%.*s=\"" SR_DESTROYED "\"",
		 (int)sample->fixed, sample->labels, sample->fixed ? "," : "",
		 (int)key, own);
	heir = sr_snapshot_get(snapshot, sample->public.name, labels);
	return heir && strcmp(heir->labels, sample->labels) ? heir : NULL;
}

/* Bucket by bucket modulo 2^64: sums of several come out right. */
static void add_histogram(struct saferring_histogram *to,
			  const struct saferring_histogram *from, bool subtract)
{
	size_t bucket;

	for (bucket = 0; bucket < SAFERRING_HISTOGRAM_BUCKETS; bucket++)
		to->bucket[bucket] +=
			subtract ? -from->bucket[bucket] : from->bucket[bucket];
	to->sum += subtract ? -from->sum : from->sum;
}

static void add_figures(struct sr_sample *to, const struct sr_sample *from,
			bool subtract)
{
	to->public.value += subtract ? -from->public.value : from->public.value;
	if (to->histogram && from->histogram)
		add_histogram(to->histogram, from->histogram, subtract);
}

static bool has_shrunk(const struct sr_sample *later,
		       const struct sr_sample *earlier)
{
	if (!later->histogram || !earlier->histogram)
		return later->public.value < earlier->public.value;
	return !sr_histogram_is_earlier(later->histogram, earlier->histogram);
}

static void clear(struct sr_sample *sample)
{
	sample->public.value = 0;
	if (sample->histogram)
		memset(sample->histogram, 0, sizeof(*sample->histogram));
}

/* The figure at @later, or NULL, was @earlier before. */
static void subtract(struct saferring_snapshot *snapshot,
		     struct sr_sample *later, const struct sr_sample *earlier)
{
	struct sr_sample *heir;

	if (later && !has_shrunk(later, earlier)) {
		add_figures(later, earlier, true);
		return;
	}
	heir = heir_of(snapshot, later ? later : earlier);
	if (!heir)
		return;
	add_figures(heir, earlier, true);
	if (!later)
		return;
	add_figures(heir, later, false);
	clear(later);
}

/* The extremes of a difference are not known better than by its buckets. */
static void bound(struct sr_sample *sample)
{
	static const struct saferring_histogram none;
	struct saferring_histogram *histogram = sample->histogram;

	if (!histogram)
		return;
	if (saferring_histogram_delta(histogram, histogram, &none))
		memset(histogram, 0, sizeof(*histogram));
	sample->public.value = saferring_histogram_count(histogram);
}

void sr_snapshot_subtract(struct saferring_snapshot *later,
			  const struct saferring_snapshot *earlier)
{
	const struct sr_sample *sample;
	size_t number;

	for (number = 0; number < earlier->count; number++) {
		sample = &earlier->sample[number];
		if (sample->public.type == SAFERRING_METRIC_GAUGE)
			continue;
		subtract(later,
			 sr_snapshot_get(later, sample->public.name,
					 sample->labels),
			 sample);
	}
	for (number = 0; number < later->count; number++)
		bound(&later->sample[number]);
	later->since_ns = earlier->taken_ns;
	later->incomplete |= earlier->incomplete;
}

int saferring_snapshot_delta(const struct saferring_snapshot *later,
			     const struct saferring_snapshot *earlier,
			     struct saferring_snapshot **delta)
{
	struct saferring_snapshot *copy;

	if (!later || !earlier || !delta)
		return sr_fail_argument(
			"snapshot_delta",
			"two snapshots, and a place for a third");
	copy = sr_snapshot_copy(later);
	if (!copy)
		return sr_fail_memory("snapshot_delta", sizeof(*copy));
	sr_snapshot_subtract(copy, earlier);
	*delta = copy;
	return 0;
}

/* ---- merging ---- */

static const struct saferring_segment_family *
find_family(const struct saferring_snapshot *snapshot, const char *name,
	    uint32_t *number)
{
	for (*number = 0; *number < snapshot->families; ++*number)
		if (!strcmp(snapshot->family[*number].name, name))
			return &snapshot->family[*number];
	return NULL;
}

static bool agree(const struct saferring_segment_family *one,
		  const struct saferring_segment_family *other)
{
	return one->type == other->type && one->exponent == other->exponent &&
	       !strcmp(one->unit, other->unit);
}

static int fail_differ(const char *name)
{
	return sr_fail(
		&(struct sr_fault){
			.code = -EEXIST,
			.reason = SAFERRING_REASON_ARGUMENT,
			.operation = "snapshot_merge",
			.kind = "metric",
			.name = name,
			.cure = "the same version of the program for both",
		},
		"it has another type, unit or exponent in the other snapshot");
}

/* Families of both; those of @other get their new numbers in @map. */
static int join_families(struct saferring_snapshot *sum,
			 const struct saferring_snapshot *one,
			 const struct saferring_snapshot *other, uint32_t *map)
{
	const struct saferring_segment_family *known;
	uint32_t number;

	memcpy(sum->family, one->family, one->families * sizeof(*one->family));
	sum->families = one->families;
	for (number = 0; number < other->families; number++) {
		known = find_family(sum, other->family[number].name,
				    &map[number]);
		if (known && !agree(known, &other->family[number]))
			return fail_differ(known->name);
		if (!known)
			sum->family[sum->families++] = other->family[number];
	}
	return 0;
}

static int join_samples(struct saferring_snapshot *sum,
			const struct saferring_snapshot *from,
			const uint32_t *map)
{
	struct sr_sample sample;
	size_t number;

	for (number = 0; number < from->count; number++) {
		sample = from->sample[number];
		if (map)
			sample.family = map[sample.family];
		if (sr_snapshot_append(sum, &sample))
			return sr_fail_memory("snapshot_merge", sizeof(sample));
	}
	return 0;
}

static void join_headers(struct saferring_snapshot *sum,
			 const struct saferring_snapshot *one,
			 const struct saferring_snapshot *other)
{
	const bool same = one->pid == other->pid;

	sum->pid = same ? one->pid : 0;
	sum->incomplete = one->incomplete || other->incomplete;
	sum->taken_ns = one->taken_ns > other->taken_ns ? one->taken_ns
							: other->taken_ns;
	sum->since_ns = SR_MIN(one->since_ns, other->since_ns);
	if (!strcmp(one->program, other->program))
		memcpy(sum->program, one->program, sizeof(sum->program));
}

int saferring_snapshot_merge(const struct saferring_snapshot *one,
			     const struct saferring_snapshot *other,
			     struct saferring_snapshot **out)
{
	struct saferring_snapshot *sum;
	uint32_t *map;
	int error = -ENOMEM;

	if (!one || !other || !out)
		return sr_fail_argument(
			"snapshot_merge",
			"two snapshots, and a place for a third");
	sum = sr_snapshot_new(one->families + other->families);
	map = calloc(other->families + 1, sizeof(*map));
	if (!sum || !map) {
		sr_fail_memory("snapshot_merge", sizeof(*sum));
	} else {
		error = join_families(sum, one, other, map);
		if (!error)
			error = join_samples(sum, one, NULL);
		if (!error)
			error = join_samples(sum, other, map);
	}
	free(map);
	if (error) {
		saferring_snapshot_free(sum);
		return error;
	}
	join_headers(sum, one, other);
	sr_snapshot_settle(sum);
	*out = sum;
	return 0;
}
