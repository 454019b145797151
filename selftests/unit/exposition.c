// SPDX-License-Identifier: GPL-2.0
/*
 * Exposition: snapshots as OpenMetrics and JSON text, read back and held
 * against the snapshot.
 */
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include "common.h"

#define UGLY  "a\"b\\c\nd\342\202\254\377e\001"
#define TAMED "a\"b\\c\nd\342\202\254?e?"

static struct saferring_snapshot *snapshot;
static struct stage *stage;

static void must(int error)
{
	if (error)
		fail_msg("%d: %s", error, saferring_error_last()->what);
}

/* So that there are figures of the library's own. */
static void run_a_ring(void)
{
	struct saferring_completion done;
	struct saferring_ring_options options;

	stage = stage_up(16, 8, 0);
	SAFERRING_OPTIONS_INIT(&options);
	options.pools = &stage->pool;
	options.pool_count = 1;
	options.flags = SAFERRING_RING_LATENCY;
	options.name = "of \"text\"";
	must(saferring_ring_create(&options, &stage->ring));
	must(saferring_ring_nop(stage->ring, 0));
	assert_int_equal(saferring_ring_wait(stage->ring, &done, 1, 1,
					     SAFERRING_FOREVER),
			 1);
}

static int set_up(void **unused)
{
	const struct saferring_label label[] = { { "path", UGLY },
						 { "n", "\\n" } };
	struct saferring_metric_options options;
	saferring_distribution distribution;
	saferring_counter counter;
	saferring_gauge gauge;

	(void)unused;
	SAFERRING_OPTIONS_INIT(&options);
	options.name = "text_events";
	options.help = "Line one\nwith \"quotes\" and \\ backslash";
	options.labels = label;
	options.label_count = 2;
	must(saferring_counter_create(&options, &counter));
	saferring_counter_add(counter, 12);
	options.label_count = 0;
	options.help = NULL;
	options.name = "text_level_ratio";
	options.unit = "ratio";
	options.exponent = -2;
	must(saferring_gauge_create(&options, &gauge));
	saferring_gauge_add(gauge, -105);
	options.name = "text_time_seconds";
	options.unit = "seconds";
	options.exponent = -9;
	must(saferring_distribution_create(&options, &distribution));
	saferring_distribution_record(distribution, 0);
	saferring_distribution_record(distribution, 1);
	saferring_distribution_record(distribution, 1500);
	saferring_distribution_record(distribution, UINT64_C(3000000000));
	options.name = "text_size_kilobytes";
	options.unit = "kilobytes";
	options.exponent = 3;
	must(saferring_distribution_create(&options, &distribution));
	saferring_distribution_record(distribution, 100);
	run_a_ring();
	must(saferring_snapshot_take(&snapshot));
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	saferring_snapshot_free(snapshot);
	stage_down(stage);
	return 0;
}

typedef size_t writer(const struct saferring_snapshot *from, char *text,
		      size_t length);

static char *written(writer *write)
{
	const size_t length = write(snapshot, NULL, 0);
	char *text = malloc(length + 1);

	assert_non_null(text);
	assert_int_equal(write(snapshot, text, length + 1), length);
	assert_int_equal(strlen(text), length);
	return text;
}

/* ---- OpenMetrics: a reader that takes nothing but what the standard allows */

static const char *at;
static unsigned int line;

static void allow(bool good, const char *what)
{
	if (!good)
		fail_msg("line %u: not %s: %.60s", line, what, at);
}

static void word(const char *text)
{
	allow(!strncmp(at, text, strlen(text)), text);
	at += strlen(text);
}

static void take_name(char *to, size_t length, bool colons)
{
	size_t used = 0;

	allow(isalpha((unsigned char)*at) || *at == '_', "a name");
	while (isalnum((unsigned char)*at) || *at == '_' ||
	       (colons && *at == ':')) {
		allow(used + 1 < length, "a short name");
		to[used++] = *at++;
	}
	to[used] = '\0';
}

static void skip_escaped(char end)
{
	while (*at != end) {
		allow(*at && (*at != '\n' || end == '\n'), "a closed text");
		if (*at == '\\') {
			at++;
			allow(*at && strchr("n\\\"", *at), "an escape");
		} else {
			allow(*at != '"' || end == '\n', "an escaped quote");
		}
		at++;
	}
}

/* What is known of the family whose lines are being read. */
struct family {
	char name[80];
	char type[16];
	char unit[32];
	bool samples;
	uint64_t before; /* the last bucket's count */
	double bound; /* and its bound */
	char labels[512];
	uint64_t infinite;
};

static unsigned int families;

static bool ends_in(const char *of, const char *unit)
{
	const size_t length = strlen(of), wanted = strlen(unit);

	return length > wanted && !strcmp(of + length - wanted, unit);
}

static void take_metadata(struct family *family)
{
	char what[8], of[80];

	word("# ");
	take_name(what, sizeof(what), false);
	word(" ");
	take_name(of, sizeof(of), true);
	word(" ");
	if (!strcmp(what, "TYPE")) {
		allow(strcmp(of, family->name) != 0, "a new family");
		memset(family, 0, sizeof(*family));
		snprintf(family->name, sizeof(family->name), "%s", of);
		take_name(family->type, sizeof(family->type), false);
		family->bound = -1;
		families++;
	} else if (!strcmp(what, "UNIT")) {
		take_name(family->unit, sizeof(family->unit), false);
		allow(ends_in(of, family->unit), "a name with its unit");
	} else {
		allow(!strcmp(what, "HELP"), "HELP");
		skip_escaped('\n');
	}
	allow(!strcmp(of, family->name), "metadata of this family");
	allow(!family->samples, "metadata before samples");
	word("\n");
}

/* Labels without le go to @rest; returns the bound of a bucket, or -1. */
static double take_labels(char *rest, size_t length)
{
	const char *from;
	double bound = -1;
	char key[80];

	*rest = '\0';
	if (*at != '{')
		return bound;
	do {
		at++;
		from = at;
		take_name(key, sizeof(key), false);
		word("=\"");
		if (!strcmp(key, "le"))
			bound = strncmp(at, "+Inf", 4) ? strtod(at, NULL)
						       : HUGE_VAL;
		if (!strcmp(key, "le") && strncmp(at, "+Inf", 4))
			allow(strcspn(at, ".") < strcspn(at, "\""), "a point");
		skip_escaped('"');
		at++;
		if (strcmp(key, "le"))
			strncat(rest, from,
				(size_t)(at - from) < length - strlen(rest)
					? (size_t)(at - from)
					: 0);
	} while (*at == ',');
	word("}");
	return bound;
}

static void check_bucket(struct family *family, double bound, uint64_t count,
			 const char *rest)
{
	if (strcmp(rest, family->labels) || family->infinite) {
		snprintf(family->labels, sizeof(family->labels), "%s", rest);
		family->before = 0;
		family->bound = -1;
		family->infinite = 0;
	}
	allow(count >= family->before, "buckets that are cumulative");
	allow(bound > family->bound, "buckets that ascend");
	family->before = count;
	family->bound = bound;
	if (bound == HUGE_VAL)
		family->infinite = count + 1;
}

static void take_sample(struct family *family)
{
	char of[96], rest[512];
	const char *suffix;
	char *end;
	double bound, value;

	take_name(of, sizeof(of), true);
	allow(!strncmp(of, family->name, strlen(family->name)),
	      "a sample of this family");
	suffix = of + strlen(family->name);
	bound = take_labels(rest, sizeof(rest));
	word(" ");
	value = strtod(at, &end);
	allow(end != at, "a number");
	at = end;
	word("\n");
	family->samples = true;
	if (!strcmp(family->type, "counter")) {
		allow(!strcmp(suffix, "_total") && value >= 0, "_total");
	} else if (!strcmp(family->type, "gauge")) {
		allow(!*suffix, "no suffix");
	} else if (!strcmp(suffix, "_bucket")) {
		check_bucket(family, bound, (uint64_t)value, rest);
	} else if (!strcmp(suffix, "_count")) {
		allow((uint64_t)value + 1 == family->infinite,
		      "the count of the bucket +Inf");
	} else {
		allow(!strcmp(suffix, "_sum"), "_sum");
	}
}

static void openmetrics_is_what_the_standard_allows(void **unused)
{
	char *text = written(saferring_snapshot_openmetrics);
	struct family family;

	(void)unused;
	memset(&family, 0, sizeof(family));
	at = text;
	for (line = 1; strcmp(at, "# EOF\n"); line++)
		if (*at == '#')
			take_metadata(&family);
		else
			take_sample(&family);
	assert_true(families > 10);
	free(text);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("there is no %s in\n%s", part, text);
}

static void openmetrics_has_the_values_in_plain_units(void **unused)
{
	char *text = written(saferring_snapshot_openmetrics);

	(void)unused;
	assert_has(text, "# TYPE text_events counter\n"
			 "# HELP text_events Line one with \\\"quotes\\\" "
			 "and \\\\ backslash\n"
			 "text_events_total{path=\"a\\\"b\\\\c\\nd\342\202\254?"
			 "e?\",n=\"\\\\n\"} 12\n");
	assert_has(text, "# TYPE text_level_ratio gauge\n"
			 "# UNIT text_level_ratio ratio\n"
			 "text_level_ratio -1.05\n");
	assert_has(text, "text_time_seconds_bucket{le=\"0.0\"} 1\n"
			 "text_time_seconds_bucket{le=\"0.000000001\"} 2\n"
			 "text_time_seconds_bucket{le=\"0.000000003\"} 2\n");
	assert_has(text, "text_time_seconds_bucket{le=\"0.000001023\"} 2\n"
			 "text_time_seconds_bucket{le=\"0.000002047\"} 3\n");
	assert_has(text, "text_time_seconds_bucket{le=\"4.294967295\"} 4\n"
			 "text_time_seconds_bucket{le=\"+Inf\"} 4\n"
			 "text_time_seconds_count 4\n"
			 "text_time_seconds_sum 3.000001501\n");
	assert_has(text, "text_size_kilobytes_bucket{le=\"127000.0\"} 1\n");
	assert_has(text, "text_size_kilobytes_sum 100000\n");
	free(text);
}

/* ---- JSON ---- */

static json_t *load(void)
{
	char *text = written(saferring_snapshot_json);
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!root)
		fail_msg("line %d: %s", error.line, error.text);
	free(text);
	return root;
}

static const char *name_of(json_t *entry)
{
	return json_string_value(json_object_get(entry, "name"));
}

static json_t *metric(json_t *root, const char *wanted)
{
	json_t *array = json_object_get(root, "metrics");
	size_t index;

	for (index = 0; index < json_array_size(array); index++)
		if (!strcmp(name_of(json_array_get(array, index)), wanted))
			return json_array_get(array, index);
	fail_msg("no %s", wanted);
	return NULL;
}

static json_int_t number(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void json_has_every_sample(void **unused)
{
	json_t *root = load();

	(void)unused;
	assert_int_equal(json_array_size(json_object_get(root, "metrics")),
			 saferring_snapshot_count(snapshot));
	assert_int_equal(number(root, "pid"), getpid());
	assert_true(number(root, "taken_ns") >= number(root, "since_ns"));
	assert_true(json_is_false(json_object_get(root, "incomplete")));
	assert_int_equal(number(metric(root, "text_events"), "value"), 12);
	assert_int_equal(number(metric(root, "text_level_ratio"), "value"),
			 -105);
	assert_int_equal(number(metric(root, "text_level_ratio"), "exponent"),
			 -2);
	json_decref(root);
}

static void json_has_labels_as_they_were(void **unused)
{
	json_t *root = load();
	json_t *labelled =
		json_object_get(metric(root, "text_events"), "labels");

	(void)unused;
	assert_string_equal(
		json_string_value(json_object_get(labelled, "path")), TAMED);
	assert_string_equal(json_string_value(json_object_get(labelled, "n")),
			    "\\n");
	json_decref(root);
}

static void json_has_the_whole_histogram(void **unused)
{
	json_t *root = load(), *entry = metric(root, "text_time_seconds");
	json_t *buckets = json_object_get(entry, "buckets"), *bucket;
	json_int_t count = 0;
	size_t index;

	(void)unused;
	assert_int_equal(number(entry, "count"), 4);
	assert_int_equal(number(entry, "sum"), 3000001501);
	assert_int_equal(number(entry, "min"), 0);
	assert_int_equal(number(entry, "max"), 3000000000);
	assert_int_equal(number(entry, "p50"), 1);
	assert_int_equal(json_array_size(buckets), 4);
	for (index = 0; index < json_array_size(buckets); index++) {
		bucket = json_array_get(buckets, index);
		assert_int_equal(json_array_size(bucket), 3);
		count += json_integer_value(json_array_get(bucket, 2));
	}
	assert_int_equal(count, 4);
	json_decref(root);
}

/* ---- room ---- */

static void assert_cut(writer *write)
{
	const size_t whole = write(snapshot, NULL, 0);
	char *text = written(write), part[300];
	size_t length;

	for (length = 1; length < sizeof(part) - 1; length++) {
		memset(part, 'x', sizeof(part));
		assert_int_equal(write(snapshot, part, length), whole);
		assert_int_equal(strlen(part), length - 1);
		assert_memory_equal(part, text, length - 1);
		assert_int_equal(part[length], 'x');
	}
	free(text);
}

static void texts_are_cut_to_the_room_there_is(void **unused)
{
	(void)unused;
	assert_cut(saferring_snapshot_openmetrics);
	assert_cut(saferring_snapshot_json);
}

/* ---- sums of two ---- */

static void merging_adds_up(void **unused)
{
	struct saferring_snapshot *sum;
	const struct saferring_sample *is;

	(void)unused;
	must(saferring_snapshot_merge(snapshot, snapshot, &sum));
	assert_int_equal(saferring_snapshot_count(sum),
			 saferring_snapshot_count(snapshot));
	assert_int_equal(saferring_snapshot_sum(sum, "text_events", NULL), 24);
	is = saferring_snapshot_find(sum, "text_time_seconds", NULL);
	assert_int_equal(is->value, 8);
	assert_int_equal(is->histogram->sum, 2 * UINT64_C(3000001501));
	assert_int_equal(saferring_histogram_max(is->histogram), 3000000000);
	saferring_snapshot_free(sum);
	must(saferring_snapshot_delta(snapshot, snapshot, &sum));
	assert_int_equal(saferring_snapshot_sum(sum, "text_events", NULL), 0);
	assert_int_equal(
		(int64_t)saferring_snapshot_sum(sum, "text_level_ratio", NULL),
		-105);
	saferring_snapshot_free(sum);
}

static void samples_are_found_by_name_and_labels(void **unused)
{
	const size_t count = saferring_snapshot_count(snapshot);
	const struct saferring_sample *is, *before = NULL;
	size_t index;

	(void)unused;
	for (index = 0; index < count; index++) {
		is = saferring_snapshot_sample(snapshot, index);
		assert_ptr_equal(
			saferring_snapshot_find(snapshot, is->name, is->labels),
			is);
		assert_true(!before || strcmp(before->name, is->name) < 0 ||
			    (!strcmp(before->name, is->name) &&
			     strcmp(before->labels, is->labels) < 0));
		before = is;
	}
	assert_null(saferring_snapshot_sample(snapshot, count));
	assert_null(
		saferring_snapshot_find(snapshot, "text_events", "no=\"\""));
	assert_null(saferring_snapshot_find(snapshot, "none", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openmetrics_is_what_the_standard_allows),
		cmocka_unit_test(openmetrics_has_the_values_in_plain_units),
		cmocka_unit_test(json_has_every_sample),
		cmocka_unit_test(json_has_labels_as_they_were),
		cmocka_unit_test(json_has_the_whole_histogram),
		cmocka_unit_test(texts_are_cut_to_the_room_there_is),
		cmocka_unit_test(merging_adds_up),
		cmocka_unit_test(samples_are_found_by_name_and_labels),
	};

	return cmocka_run_group_tests_name("exposition", tests, set_up,
					   tear_down);
}
