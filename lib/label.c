// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Label: names and values that tell figures of one metric apart, as text:
 * key="value",key="value", with quotation marks, backslashes and newlines in
 * values escaped by a backslash.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "stats.h"

/*
 * Bytes of the character that a text begins with, 0 if it is no UTF-8: forms
 * that are too long, surrogates and numbers above U+10FFFF are none.
 */
static size_t character(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;
	size_t length, number;

	if (byte[0] < 0x80)
		return byte[0] >= 0x20 && byte[0] != 0x7f;
	if (byte[0] < 0xc2 || byte[0] > 0xf4)
		return 0;
	length = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	for (number = 1; number < length; number++)
		if ((byte[number] & 0xc0) != 0x80)
			return 0;
	if ((byte[0] == 0xe0 && byte[1] < 0xa0) ||
	    (byte[0] == 0xed && byte[1] > 0x9f) ||
	    (byte[0] == 0xf0 && byte[1] < 0x90) ||
	    (byte[0] == 0xf4 && byte[1] > 0x8f))
		return 0;
	return length;
}

/* The next piece of a value, escaped: a whole character. */
static size_t escape(const char *value, char piece[5])
{
	const size_t length = character(value);

	memset(piece, 0, 5);
	if (*value == '\n' || *value == '"' || *value == '\\') {
		piece[0] = '\\';
		piece[1] = *value == '\n' ? 'n' : *value;
		return 1;
	}
	if (!length) {
		piece[0] = '?';
		return 1;
	}
	memcpy(piece, value, length);
	return length;
}

static void write_label(struct sr_text *text,
			const struct saferring_label *label)
{
	const char *value = label->value;
	char piece[5];

	sr_text_add(text, "%s%s=\"", text->used ? "," : "", label->key);
	while (*value) {
		value += escape(value, piece);
		sr_text_add(text, "%s", piece);
	}
	sr_text_add(text, "\"");
}

int sr_labels_write(char *to, size_t length,
		    const struct saferring_label *label, size_t count)
{
	struct sr_text text;
	size_t number, before;

	sr_text_begin(&text, to, length);
	for (number = 0; number < count; number++) {
		before = text.used;
		write_label(&text, &label[number]);
		if (text.used >= length) {
			to[before] = '\0';
			return -ENAMETOOLONG;
		}
	}
	return 0;
}

static void put(char *to, size_t length, size_t *used, char character)
{
	if (*used + 1 < length)
		to[(*used)++] = character;
}

bool sr_labels_next(const char **at, struct sr_label *label)
{
	const char *from = *at;
	size_t used = 0;
	bool newline;

	memset(label, 0, sizeof(*label));
	if (*from == ',')
		from++;
	while (*from && *from != '=')
		put(label->key, sizeof(label->key), &used, *from++);
	if (from[0] != '=' || from[1] != '"')
		return false;
	used = 0;
	for (from += 2; *from && *from != '"'; from++) {
		newline = from[0] == '\\' && from[1] == 'n';
		if (from[0] == '\\' && from[1])
			from++;
		put(label->value, sizeof(label->value), &used,
		    newline ? '\n' : *from);
	}
	*at = *from ? from + 1 : from;
	return true;
}

bool sr_labels_has(const char *labels, const char *label)
{
	const size_t length = strlen(label);
	const char *found = labels;

	/* A quotation mark in a value is escaped, so this can be no value. */
	while ((found = strstr(found, label))) {
		if ((found == labels || found[-1] == ',') &&
		    (found[length] == '\0' || found[length] == ','))
			return true;
		found++;
	}
	return false;
}
