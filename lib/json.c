// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * JSON: a snapshot for programs.
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

/* What the text holds is UTF-8, or comes from a segment and is made so. */
static void add_string(struct sr_text *text, const char *value)
{
	const unsigned char *at = (const unsigned char *)value;

	sr_text_add(text, "\"");
	for (; *at; at++)
		if (*at == '"' || *at == '\\')
			sr_text_add(text, "\\%c", *at);
		else if (*at == '\n')
			sr_text_add(text, "\\n");
		else if (*at < 0x20)
			sr_text_add(text, "\\u%04x", *at);
		else
			sr_text_add(text, "%c", *at);
	sr_text_add(text, "\"");
}

static void add_labels(struct sr_text *text, const char *labels)
{
	struct sr_label label;
	bool more = false;

	sr_text_add(text, "{");
	while (sr_labels_next(&labels, &label)) {
		sr_text_add(text, more ? ", " : "");
		add_string(text, label.key);
		sr_text_add(text, ": ");
		add_string(text, label.value);
		more = true;
	}
	sr_text_add(text, "}");
}

static void add_buckets(struct sr_text *text,
			const struct saferring_histogram *histogram)
{
	uint64_t low, high;
	bool more = false;
	size_t bucket;

	sr_text_add(text, ", \"buckets\": [");
	for (bucket = 0; bucket < SAFERRING_HISTOGRAM_BUCKETS; bucket++) {
		if (!histogram->bucket[bucket] ||
		    saferring_histogram_bounds(bucket, &low, &high))
			continue;
		sr_text_add(text, "%s[%llu, %llu, %llu]", more ? ", " : "",
			    (unsigned long long)low, (unsigned long long)high,
			    (unsigned long long)histogram->bucket[bucket]);
		more = true;
	}
	sr_text_add(text, "]");
}

static void add_percentile(struct sr_text *text, const char *name,
			   const struct saferring_histogram *histogram,
			   double percent)
{
	sr_text_add(text, ", \"%s\": %llu", name,
		    (unsigned long long)saferring_histogram_percentile(
			    histogram, percent));
}

static void add_histogram(struct sr_text *text,
			  const struct saferring_histogram *histogram)
{
	sr_text_add(text,
		    ", \"count\": %llu, \"sum\": %llu, \"min\": %llu, \"max\": "
		    "%llu, \"mean\": %.3f",
		    (unsigned long long)saferring_histogram_count(histogram),
		    (unsigned long long)histogram->sum,
		    (unsigned long long)saferring_histogram_min(histogram),
		    (unsigned long long)saferring_histogram_max(histogram),
		    saferring_histogram_mean(histogram));
	add_percentile(text, "p50", histogram, 50);
	add_percentile(text, "p90", histogram, 90);
	add_percentile(text, "p99", histogram, 99);
	add_percentile(text, "p999", histogram, 99.9);
	add_buckets(text, histogram);
}

static void add_sample(struct sr_text *text,
		       const struct saferring_sample *sample)
{
	sr_text_add(text, "    {\"name\": ");
	add_string(text, sample->name);
	sr_text_add(text,
		    ", \"type\": \"%s\", \"unit\": ", type_name(sample->type));
	add_string(text, sample->unit);
	sr_text_add(text, ", \"exponent\": %d, \"help\": ", sample->exponent);
	add_string(text, sample->help);
	sr_text_add(text, ", \"labels\": ");
	add_labels(text, sample->labels);
	if (sample->histogram)
		add_histogram(text, sample->histogram);
	else if (sample->type == SAFERRING_METRIC_GAUGE)
		sr_text_add(text, ", \"value\": %lld",
			    (long long)sample->value);
	else
		sr_text_add(text, ", \"value\": %llu",
			    (unsigned long long)sample->value);
	sr_text_add(text, "}");
}

size_t saferring_snapshot_json(const struct saferring_snapshot *snapshot,
			       char *to, size_t length)
{
	struct sr_text text;
	size_t number;

	sr_text_begin(&text, to, length);
	sr_text_add(&text, "{\n  \"program\": ");
	add_string(&text, snapshot->program);
	sr_text_add(&text,
		    ",\n  \"pid\": %d,\n  \"taken_ns\": %llu,\n  \"since_ns\": "
		    "%llu,\n  \"incomplete\": %s,\n  \"metrics\": [",
		    snapshot->pid, (unsigned long long)snapshot->taken_ns,
		    (unsigned long long)snapshot->since_ns,
		    snapshot->incomplete ? "true" : "false");
	for (number = 0; number < snapshot->count; number++) {
		sr_text_add(&text, number ? ",\n" : "\n");
		add_sample(&text, &snapshot->sample[number].public);
	}
	sr_text_add(&text, "\n  ]\n}\n");
	return text.used;
}
