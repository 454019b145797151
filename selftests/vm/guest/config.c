// SPDX-License-Identifier: GPL-2.0
/*
 * Reads what the host wants: lines of a keyword and a value. An unknown keyword
 * is an error, as host and guest come from the same tree.
 */
#include <stdlib.h>
#include <string.h>

#include "guest.h"

static void copy(char *to, size_t size, const char *from)
{
	if (strlen(from) >= size)
		die("config: value is too long: %s", from);
	strcpy(to, from);
}

static void add_preload(struct config *config, const char *path)
{
	if (config->preloads == MAX_PRELOADS)
		die("config: more than %d modules to load first", MAX_PRELOADS);
	copy(config->preload[config->preloads++], sizeof(config->preload[0]),
	     path);
}

static void config_text(struct config *config, const char *key,
			const char *value)
{
	const struct {
		const char *key;
		char *to;
		size_t size;
	} texts[] = {
		{ "module", config->module, sizeof(config->module) },
		{ "params", config->params, sizeof(config->params) },
		{ "disk", config->disk, sizeof(config->disk) },
		{ "directory", config->directory, sizeof(config->directory) },
		{ "path", config->path, sizeof(config->path) },
		{ "libraries", config->libraries, sizeof(config->libraries) },
		{ "term", config->term, sizeof(config->term) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!strcmp(key, texts[i].key)) {
			copy(texts[i].to, texts[i].size, value);
			return;
		}
	}
	die("config: unknown keyword: %s", key);
}

static void config_line(struct config *config, const char *key,
			const char *value)
{
	unsigned int number = strtoul(value, NULL, 10);

	if (!strcmp(key, "preload"))
		add_preload(config, value);
	else if (!strcmp(key, "timeout"))
		config->timeout = number;
	else if (!strcmp(key, "unload-timeout"))
		config->unload_timeout = number;
	else if (!strcmp(key, "rows"))
		config->rows = number;
	else if (!strcmp(key, "columns"))
		config->columns = number;
	else if (!strcmp(key, "shell"))
		config->shell = number;
	else if (!strcmp(key, "panic-on-warn"))
		config->panic_on_warn = number;
	else
		config_text(config, key, value);
}

void config_read(struct config *config, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	char *value;

	if (!file)
		die("%s: %m", path);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		value = strchr(line, ' ');
		if (!value)
			die("config: no value: %s", line);
		*value++ = '\0';
		config_line(config, line, value);
	}
	fclose(file);
}
