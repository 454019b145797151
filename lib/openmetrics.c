// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * OpenMetrics: a snapshot as text of version 1.0.0, for Prometheus and others.
 */
#include <stdio.h>
#include <string.h>
#include "stats.h"

static const char *type_name(int type)
{
	switch (type) {
	case SAFERRING_METRIC_COUNTER:
		return "counter";
	case SAFERRING_METRIC_GAUGE:
		return "gauge";
	default:
		return "histogram";
	}
}

static void add_help(struct sr_text *text, const char *help)
{
	for (; *help; help++)
		if (*help == '\n')
			sr_text_add(text, "\\n");
		else if (*help == '\\' || *help == '"')
			sr_text_add(text, "\\%c", *help);
		else
			sr_text_add(text, "%c", *help);
}

static void add_family(struct sr_text *text,
		       const struct saferring_sample *sample)
{
	sr_text_add(text, "# TYPE %s %s\n", sample->name,
		    type_name(sample->type));
	if (*sample->unit)
		sr_text_add(text, "# UNIT %s %s\n", sample->name, sample->unit);
	if (!*sample->help)
		return;
	sr_text_add(text, "# HELP %s ", sample->name);
	add_help(text, sample->help);
	sr_text_add(text, "\n");
}

/* Name and labels of a line; @more is a label of its own, or "". */
static void add_name(struct sr_text *text,
		     const struct saferring_sample *sample, const char *suffix)
{
	sr_text_add(text, "%s%s", sample->name, suffix);
	if (*sample->labels)
		sr_text_add(text, "{%s}", sample->labels);
	sr_text_add(text, " ");
}

static void begin_bucket(struct sr_text *text,
			 const struct saferring_sample *sample)
{
	sr_text_add(text, "%s_bucket{%s%sle=\"", sample->name, sample->labels,
		    *sample->labels ? "," : "");
}

/* The specification wants the bounds to be numbers of floating point. */
static void add_bucket(struct sr_text *text,
		       const struct saferring_sample *sample, uint64_t bound,
		       uint64_t count)
{
	const bool whole = !bound || sample->exponent >= 0;

	begin_bucket(text, sample);
	sr_text_scaled(text, bound, sample->exponent);
	sr_text_add(text, "%s\"} %llu\n", whole ? ".0" : "",
		    (unsigned long long)count);
}

/*
 * Values are whole numbers, so those of a bucket and below are those up to its
 * largest one. Buckets end together with each power of two.
 */
static void add_buckets(struct sr_text *text,
			const struct saferring_sample *sample)
{
	const struct saferring_histogram *histogram = sample->histogram;
	const uint64_t all = saferring_histogram_count(histogram);
	uint64_t low, high, count = 0, shown = 0;
	size_t bucket;

	for (bucket = 0; bucket < SAFERRING_HISTOGRAM_BUCKETS && shown < all;
	     bucket++) {
		count += histogram->bucket[bucket];
		if (saferring_histogram_bounds(bucket, &low, &high) ||
		    high & (high + 1))
			continue;
		add_bucket(text, sample, high, count);
		shown = count;
	}
	begin_bucket(text, sample);
	sr_text_add(text, "+Inf\"} %llu\n", (unsigned long long)all);
	add_name(text, sample, "_count");
	sr_text_add(text, "%llu\n", (unsigned long long)all);
	add_name(text, sample, "_sum");
	sr_text_scaled(text, histogram->sum, sample->exponent);
	sr_text_add(text, "\n");
}

static void add_sample(struct sr_text *text,
		       const struct saferring_sample *sample)
{
	if (sample->histogram) {
		add_buckets(text, sample);
		return;
	}
	if (sample->type == SAFERRING_METRIC_GAUGE) {
		add_name(text, sample, "");
		sr_text_scaled_signed(text, (int64_t)sample->value,
				      sample->exponent);
	} else {
		add_name(text, sample, "_total");
		sr_text_scaled(text, sample->value, sample->exponent);
	}
	sr_text_add(text, "\n");
}

size_t saferring_snapshot_openmetrics(const struct saferring_snapshot *snapshot,
				      char *to, size_t length)
{
	const struct saferring_sample *sample, *before = NULL;
	struct sr_text text;
	size_t number;

	sr_text_begin(&text, to, length);
	for (number = 0; number < snapshot->count; number++) {
		sample = &snapshot->sample[number].public;
		if (!before || strcmp(before->name, sample->name))
			add_family(&text, sample);
		add_sample(&text, sample);
		before = sample;
	}
	sr_text_add(&text, "# EOF\n");
	return text.used;
}
