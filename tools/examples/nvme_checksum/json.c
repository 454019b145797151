// SPDX-License-Identifier: GPL-2.0
/*
 * JSON: the results for programs. Sizes are bytes, times seconds; what is not
 * known is null.
 */
#include <errno.h>
#include <string.h>
#include <jansson.h>

#include "nvme_checksum.h"

static json_t *node_json(int node)
{
	return node < 0 ? json_null() : json_integer(node);
}

static json_t *memory_json(const struct results *results)
{
	const struct saferring_region_info *info = &results->region;
	const struct saferring_ring_info *ring = &results->ring;

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:b,"
			 " s:I, s:i, s:s}",
			 "backend", saferring_backend_name(info->backend),
			 "reason", info->reason,
			 "node", node_json(info->node),
			 "file_node", node_json(results->memory->file_node),
			 "pages_elsewhere", results->memory->elsewhere < 0 ?
			 json_null() : json_integer(results->memory->elsewhere),
			 "length", (json_int_t)info->length,
			 "page_size", (json_int_t)info->page_size,
			 "pages", (json_int_t)info->pages,
			 "bvecs", (json_int_t)memory_bvecs(info),
			 "registered", ring->fixed,
			 "registered_bytes", (json_int_t)ring->fixed_bytes,
			 "registered_buffers", (int)ring->fixed_buffers,
			 "registered_reason", ring->reason);
}

/* A name that is not UTF-8 has no place in JSON: its bytes are shown as '?'. */
static json_t *path_json(const char *path)
{
	json_t *json = json_string(path);
	char *copy;

	if (json)
		return json;
	copy = strdup(path);
	if (!copy)
		return json_null();
	for (char *c = copy; *c; c++)
		if (*c & 0x80)
			*c = '?';
	json = json_string(copy);
	free(copy);
	return json ? json : json_null();
}

static json_t *file_json(const struct file *file)
{
	char digest[DIGEST_TEXT];
	json_t *json;

	digest_text(file, digest);
	json = json_pack("{s:o, s:I, s:s?, s:b, s:b}",
			 "path", path_json(file->path),
			 "size", (json_int_t)file->size,
			 "sha256", file->hashed ? digest : NULL,
			 "verified", file->verified,
			 "direct", !file->buffered);
	if (json && file->error)
		json_object_set_new(json, "error", path_json(file->error));
	return json;
}

static json_t *files_json(const struct file_list *list)
{
	json_t *files = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(files, file_json(&list->file[i]));
	return files;
}

static json_t *pass_json(const struct pass *pass)
{
	if (!pass->ran)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:f, s:i, s:i}",
			 "files", (json_int_t)pass->files,
			 "bytes_read", (json_int_t)pass->bytes_read,
			 "bytes_written", (json_int_t)pass->bytes_written,
			 "seconds", pass->seconds,
			 "reads_peak", (int)pass->reads_peak,
			 "files_peak", (int)pass->files_peak);
}

static json_t *ring_json(const struct saferring_ring_stats *ring)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "reads", (json_int_t)ring->reads,
			 "writes", (json_int_t)ring->writes,
			 "bytes_read", (json_int_t)ring->bytes_read,
			 "bytes_written", (json_int_t)ring->bytes_written,
			 "system_calls", (json_int_t)ring->enters,
			 "short_results", (json_int_t)ring->short_results,
			 "errors", (json_int_t)ring->errors,
			 "misuses", (json_int_t)ring->misuses);
}

static json_t *pool_json(const struct saferring_pool_stats *pool)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "buffers", (json_int_t)pool->buffers,
			 "buffer_size", (json_int_t)pool->buffer_size,
			 "transfers", (json_int_t)pool->transfers,
			 "available", (json_int_t)pool->available,
			 "in_flight", (json_int_t)pool->in_flight,
			 "exhausted", (json_int_t)pool->exhausted,
			 "misuses", (json_int_t)pool->misuses);
}

static json_t *misuse_json(const struct misuse *misuse)
{
	const struct saferring_error *error = &misuse->error;

	return json_pack("{s:s, s:s, s:b, s:i, s:s, s:s, s:s, s:s, s:s, s:s}",
			 "misuse", misuse->name,
			 "deed", misuse->deed,
			 "caught", misuse->caught,
			 "result", misuse->result,
			 "reason", saferring_reason_name(error->reason),
			 "object", error->object,
			 "what", error->what,
			 "cure", error->cure,
			 "owner", owner_name(error->owner),
			 "owner_detail", error->owner_detail);
}

static json_t *misuses_json(const struct results *results)
{
	json_t *misuses = json_array();

	for (int i = 0; results->misuse_tried && i < MISUSES; i++)
		json_array_append_new(misuses,
				      misuse_json(&results->misuse[i]));
	return misuses;
}

int json_print(const struct results *results, FILE *to)
{
	json_t *json;
	int error;

	json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}",
			 "memory", memory_json(results),
			 "files", files_json(results->list),
			 results->pass[0].kind == PASS_COPY ? "copy" : "read",
			 pass_json(&results->pass[0]),
			 "verify", pass_json(&results->pass[1]),
			 "ring", ring_json(&results->ring_stats),
			 "pool", pool_json(&results->pool_stats),
			 "misuses", misuses_json(results),
			 "failed", (json_int_t)files_failed(results->list));
	if (!json)
		return -ENOMEM;
	error = json_dumpf(json, to, JSON_INDENT(2)) ? -EIO : 0;
	putc('\n', to);
	json_decref(json);
	return error;
}
