// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Text: output that is written into whatever room there is, and whose length is
 * known also where the room is too small.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "stats.h"

void sr_text_begin(struct sr_text *text, char *to, size_t length)
{
	text->to = to;
	text->length = to ? length : 0;
	text->used = 0;
	if (text->length)
		*to = '\0';
}

void sr_text_add(struct sr_text *text, const char *format, ...)
{
	const bool room = text->used < text->length;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(room ? text->to + text->used : NULL,
			   room ? text->length - text->used : 0, format,
			   arguments);
	va_end(arguments);
	if (length > 0)
		text->used += (size_t)length;
}

static void add_zeros(struct sr_text *text, int count)
{
	while (count-- > 0)
		sr_text_add(text, "0");
}

/* The point goes @places from the end of the digits. */
static void add_fraction(struct sr_text *text, char *digits, int places)
{
	int length = (int)strlen(digits);
	int whole = length - places;

	while (places > 0 && digits[length - 1] == '0') {
		digits[--length] = '\0';
		places--;
	}
	if (whole > 0)
		sr_text_add(text, "%.*s", whole, digits);
	else
		sr_text_add(text, "0");
	if (places <= 0)
		return;
	sr_text_add(text, ".");
	add_zeros(text, -whole);
	sr_text_add(text, "%s", digits + (whole > 0 ? whole : 0));
}

void sr_text_scaled(struct sr_text *text, uint64_t number, int exponent)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	if (!number || !exponent) {
		sr_text_add(text, "%s", digits);
	} else if (exponent > 0) {
		sr_text_add(text, "%s", digits);
		add_zeros(text, exponent);
	} else {
		add_fraction(text, digits, -exponent);
	}
}

void sr_text_scaled_signed(struct sr_text *text, int64_t number, int exponent)
{
	if (number >= 0) {
		sr_text_scaled(text, (uint64_t)number, exponent);
		return;
	}
	sr_text_add(text, "-");
	sr_text_scaled(text, -(uint64_t)number, exponent);
}
