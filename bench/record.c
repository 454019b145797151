// SPDX-License-Identifier: GPL-2.0
/*
 * Records: one JSON object a line.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include "bench.h"

static FILE *out;
static bool need_comma;

int record_open(const char *path)
{
	if (!path)
		return 0;
	out = fopen(path, "a");
	return out ? 0 : -errno;
}

void record_close(void)
{
	if (out)
		fclose(out);
	out = NULL;
}

static void escaped(const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if ((unsigned char)*text < ' ')
			fprintf(out, "\\u%04x", *text);
		else if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static void comma(void)
{
	if (need_comma)
		fputc(',', out);
	need_comma = true;
}

static void key_out(const char *key)
{
	comma();
	escaped(key);
	fputc(':', out);
}

/* JSON has no word for what is no number. */
static void number_out(double value)
{
	if (isfinite(value))
		fprintf(out, "%.9g", value);
	else
		fputs("null", out);
}

void record_begin(const char *kind, const char *name)
{
	if (!out)
		return;
	fputc('{', out);
	need_comma = false;
	record_text("kind", kind);
	record_text("name", name);
}

void record_text(const char *key, const char *value)
{
	if (!out)
		return;
	key_out(key);
	escaped(value);
}

void record_number(const char *key, double value)
{
	if (!out)
		return;
	key_out(key);
	number_out(value);
}

void record_estimate(const char *key, struct estimate estimate)
{
	if (!out)
		return;
	key_out(key);
	fputc('[', out);
	number_out(estimate.value);
	fputc(',', out);
	number_out(estimate.low);
	fputc(',', out);
	number_out(estimate.high);
	fputc(']', out);
}

void record_list_begin(const char *key)
{
	if (!out)
		return;
	key_out(key);
	fputc('[', out);
	need_comma = false;
}

void record_list_text(const char *value)
{
	if (!out)
		return;
	comma();
	escaped(value);
}

static const char *goal_name(enum goal_kind kind)
{
	static const char *const names[] = {
		[GOAL_NONE] = "none",
		[GOAL_RATIO] = "ratio",
		[GOAL_NS] = "ns",
		[GOAL_NS_OVER] = "ns_over",
		[GOAL_IR] = "ir",
		[GOAL_IR_OVER] = "ir_over",
		[GOAL_IR_RATIO] = "ir_ratio",
	};

	return names[kind];
}

void record_list_goal(const struct goal *goal, enum verdict verdict)
{
	if (!out)
		return;
	comma();
	fputc('{', out);
	need_comma = false;
	record_text("kind", goal_name(goal->kind));
	record_number("ceiling", goal->ceiling);
	if (verdict != VERDICT_NONE)
		record_text("verdict", verdict_name(verdict));
	fputc('}', out);
	need_comma = true;
}

void record_list_end(void)
{
	if (!out)
		return;
	fputc(']', out);
	need_comma = true;
}

void record_end(void)
{
	if (!out)
		return;
	fputs("}\n", out);
	fflush(out);
}

static void record_goals(const struct row *row, const struct result *result)
{
	size_t i;

	record_list_begin("goals");
	for (i = 0; i < GOALS_MAX; i++)
		if (row->goal[i].kind != GOAL_NONE)
			record_list_goal(&row->goal[i], result->judged[i]);
	record_list_end();
}

void record_row(const struct row *row, const struct result *result)
{
	record_begin("row", row->name);
	record_text("group", row->group);
	record_text("subject", row->subject);
	record_text("twin", row->twin);
	record_text("about", row->about);
	record_text("unit", "ns");
	record_text("verdict", verdict_name(result->verdict));
	if (result->reason[0])
		record_text("reason", result->reason);
	if (result->pairs) {
		record_number("pairs", result->pairs);
		record_estimate("subject_ns", result->subject_ns);
		record_estimate("twin_ns", result->twin_ns);
		record_estimate("ratio", result->ratio);
		record_estimate("over", result->over);
		record_estimate("control", result->control);
	}
	record_goals(row, result);
	record_end();
}
