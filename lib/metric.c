// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Metric: the names under which a program counts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "stats.h"

#define OWN_PREFIX "saferring_"

static bool is_letter(char character)
{
	return (character >= 'a' && character <= 'z') ||
	       (character >= 'A' && character <= 'Z') || character == '_';
}

static bool is_digit(char character)
{
	return character >= '0' && character <= '9';
}

static bool is_name(const char *name, bool colons)
{
	const char *at;

	for (at = name; *at; at++)
		if (!is_letter(*at) && !(colons && *at == ':') &&
		    !(is_digit(*at) && at != name))
			return false;
	return at != name;
}

static bool ends_in(const char *name, const char *end)
{
	const size_t length = strlen(name), wanted = strlen(end);

	return length > wanted && !strcmp(name + length - wanted, end);
}

/* Suffixes that writers add to names: two metrics could get one name. */
static const char *reserved_end(const char *name)
{
	static const char *const ends[] = { "_total",  "_count",   "_sum",
					    "_bucket", "_created", "_info" };
	size_t number;

	for (number = 0; number < sizeof(ends) / sizeof(*ends); number++)
		if (ends_in(name, ends[number]))
			return ends[number];
	return NULL;
}

static int check_name(const char *operation, const char *name)
{
	if (!name || !is_name(name, true))
		return sr_fail_argument(
			operation,
			"name \"%s\": letters, digits, underscores and colons, "
			"the first no digit",
			name ? name : "");
	if (strlen(name) >=
	    sizeof(((struct saferring_segment_family *)0)->name))
		return sr_fail_argument(operation,
					"name \"%s\" has %zu characters, at "
					"most 71 are allowed",
					name, strlen(name));
	if (!strncmp(name, OWN_PREFIX, strlen(OWN_PREFIX)))
		return sr_fail_argument(
			operation,
			"name \"%s\": those beginning with " OWN_PREFIX
			" are the library's",
			name);
	if (reserved_end(name))
		return sr_fail_argument(
			operation,
			"name \"%s\": %s is what writers add to names", name,
			reserved_end(name));
	return 0;
}

static int check_unit(const char *operation, const char *name, const char *unit,
		      int exponent)
{
	char end[32];

	if (exponent < -18 || exponent > 18)
		return sr_fail_argument(operation,
					"exponent %d, allowed are -18 to 18",
					exponent);
	if (!unit || !*unit)
		return 0;
	if (!is_name(unit, true) ||
	    strlen(unit) >=
		    sizeof(((struct saferring_segment_family *)0)->unit))
		return sr_fail_argument(operation,
					"unit \"%s\": at most 23 letters, "
					"digits and underscores",
					unit);
	snprintf(end, sizeof(end), "_%s", unit);
	if (!ends_in(name, end))
		return sr_fail_argument(
			operation,
			"name \"%s\" does not end in its unit, \"%s\"", name,
			end);
	return 0;
}

static int check_label(const char *operation,
		       const struct saferring_label *label, size_t number)
{
	size_t before;

	if (!label[number].key || !label[number].value)
		return sr_fail_argument(
			operation, "label %zu has no key, or no value", number);
	if (!is_name(label[number].key, false) ||
	    !strncmp(label[number].key, "__", 2) ||
	    !strcmp(label[number].key, "le") ||
	    strlen(label[number].key) >= sizeof(((struct sr_label *)0)->key))
		return sr_fail_argument(operation,
					"label \"%s\": at most 63 letters, "
					"digits and underscores, not \"le\", "
					"not beginning with two underscores",
					label[number].key);
	for (before = 0; before < number; before++)
		if (!strcmp(label[before].key, label[number].key))
			return sr_fail_argument(operation,
						"label \"%s\" is there twice",
						label[number].key);
	return 0;
}

static int check_labels(const char *operation,
			const struct saferring_metric_options *options,
			char *text, size_t length)
{
	size_t number;
	int error;

	if (options->label_count && !options->labels)
		return sr_fail_argument(operation, "%zu labels at NULL",
					options->label_count);
	for (number = 0; number < options->label_count; number++) {
		error = check_label(operation, options->labels, number);
		if (error)
			return error;
	}
	if (sr_labels_write(text, length, options->labels,
			    options->label_count))
		return sr_fail_argument(
			operation, "the labels have more than %zu characters",
			length - 1);
	return 0;
}

int sr_metric_describe(const char *operation, const void *options,
		       struct saferring_segment_family *family,
		       struct saferring_segment_series *series)
{
	struct saferring_metric_options known;
	int error;

	if (!options)
		return sr_fail_argument(operation, "no options");
	error = sr_options_in(operation, &known, sizeof(known), options);
	if (!error)
		error = check_name(operation, known.name);
	if (!error)
		error = check_unit(operation, known.name, known.unit,
				   known.exponent);
	if (!error)
		error = check_labels(operation, &known, series->labels,
				     sizeof(series->labels));
	if (error)
		return error;
	snprintf(family->name, sizeof(family->name), "%s", known.name);
	snprintf(family->unit, sizeof(family->unit), "%s",
		 known.unit ? known.unit : "");
	snprintf(family->help, sizeof(family->help), "%s",
		 known.help ? known.help : "");
	family->exponent = known.exponent;
	return 0;
}

/* ---- places ---- */

/* What is given out, under the arena's lock; 0 is never given out. */
static uint32_t words_used, slots_used;

int sr_metric_find(const struct saferring_segment_family *family,
		   struct saferring_segment_series *series)
{
	const int number = sr_family_add(family);

	if (number < 0)
		return number;
	series->family = (uint32_t)number;
	return sr_series_find(series);
}

int sr_metric_place(const struct saferring_segment_family *family,
		    struct saferring_segment_series *series, uint32_t words)
{
	int number = sr_metric_find(family, series);

	if (number != -ENOENT)
		return number;
	if (words_used + words > SAFERRING_COUNTERS_MAX)
		return -ENOSPC;
	series->group = SR_GROUP_THREAD;
	series->first = words_used + 1;
	series->words = 1;
	number = sr_series_add(series);
	if (number >= 0)
		words_used += words;
	return number;
}

static int place_distribution(const struct saferring_segment_family *family,
			      struct saferring_segment_series *series)
{
	int number = sr_metric_find(family, series);

	if (number != -ENOENT)
		return number;
	if (slots_used == SAFERRING_DISTRIBUTIONS_MAX)
		return -ENOSPC;
	series->group = SR_GROUP_DISTRIBUTION + slots_used + 1;
	series->words = SR_HISTOGRAM_WORDS;
	number = sr_series_add(series);
	if (number < 0)
		return number;
	slots_used++;
	sr_group_set_words(series->group, SR_HISTOGRAM_WORDS);
	sr_shard_share(series->group);
	return number;
}

int sr_metric_fail(const char *operation, const char *name, int code,
		   uint32_t most)
{
	struct sr_fault fault = {
		.code = code,
		.reason = SAFERRING_REASON_ARGUMENT,
		.operation = operation,
		.kind = "metric",
		.name = name,
	};

	if (code == -EEXIST) {
		fault.cure = "another name";
		return sr_fail(
			&fault,
			"there is one with another type, unit or exponent");
	}
	if (code == -ENOMEM)
		return sr_fail_memory(operation, 0);
	fault.needed = most + 1;
	fault.limit = most;
	fault.cure = "fewer labels, or fewer values of them";
	return sr_fail(&fault, "a process has at most %u of this kind", most);
}

/* Returns the word or slot of a metric that is there now, or -errno. */
static int create(const char *operation, const void *options, uint32_t type)
{
	const bool histogram = type == SAFERRING_METRIC_HISTOGRAM;
	struct saferring_segment_series series = { 0 };
	struct saferring_segment_family family = { .type = type };
	int number = sr_metric_describe(operation, options, &family, &series);

	if (number)
		return number;
	number = sr_arena_lock();
	if (!number) {
		number = histogram ? place_distribution(&family, &series)
				   : sr_metric_place(&family, &series, 1);
		if (number >= 0)
			series = *sr_series_get(number);
		sr_arena_unlock();
	}
	if (number < 0)
		return sr_metric_fail(operation, family.name, number,
				      histogram ? SAFERRING_DISTRIBUTIONS_MAX
						: SAFERRING_COUNTERS_MAX);
	return (int)(histogram ? series.group - SR_GROUP_DISTRIBUTION
			       : series.first);
}

int saferring_counter_create(const struct saferring_metric_options *options,
			     saferring_counter *counter)
{
	int word;

	if (!counter)
		return sr_fail_argument("counter_create",
					"no place for a counter");
	word = create("counter_create", options, SAFERRING_METRIC_COUNTER);
	if (word < 0)
		return word;
	counter->word = (uint32_t)word;
	return 0;
}

int saferring_gauge_create(const struct saferring_metric_options *options,
			   saferring_gauge *gauge)
{
	int word;

	if (!gauge)
		return sr_fail_argument("gauge_create", "no place for a gauge");
	word = create("gauge_create", options, SAFERRING_METRIC_GAUGE);
	if (word < 0)
		return word;
	gauge->word = (uint32_t)word;
	return 0;
}

int saferring_distribution_create(
	const struct saferring_metric_options *options,
	saferring_distribution *distribution)
{
	int slot;

	if (!distribution)
		return sr_fail_argument("distribution_create",
					"no place for a distribution");
	slot = create("distribution_create", options,
		      SAFERRING_METRIC_HISTOGRAM);
	if (slot < 0)
		return slot;
	distribution->slot = (uint32_t)slot;
	return 0;
}

/* ---- values ---- */

uint64_t saferring_counter_value(saferring_counter counter)
{
	uint64_t sum;

	if (!counter.word || sr_arena_lock())
		return 0;
	sum = sr_group_sum(SR_GROUP_THREAD,
			   counter.word % SAFERRING_SHARD_WORDS);
	sr_arena_unlock();
	return sum;
}

int64_t saferring_gauge_value(saferring_gauge gauge)
{
	const saferring_counter counter = { gauge.word };

	return (int64_t)saferring_counter_value(counter);
}

int saferring_distribution_read(saferring_distribution distribution,
				struct saferring_histogram *histogram)
{
	if (!histogram || !distribution.slot ||
	    distribution.slot > SAFERRING_DISTRIBUTIONS_MAX)
		return sr_fail_argument(
			"distribution_read",
			"no such distribution, or no place for its values");
	memset(histogram, 0, sizeof(*histogram));
	if (sr_arena_lock())
		return 0;
	sr_group_merge(SR_GROUP_DISTRIBUTION + distribution.slot, histogram);
	sr_arena_unlock();
	return 0;
}
