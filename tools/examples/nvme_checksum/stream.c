// SPDX-License-Identifier: GPL-2.0
/*
 * Stream: a file while it is in work, from its opening to its digest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

static void fail_open(struct file *file, const char *path, int error)
{
	if (path == file->path)
		file_fail(file, "cannot be opened: %s", strerror(-error));
	else
		file_fail(file, "its copy %s cannot be opened: %s", path,
			  strerror(-error));
}

static bool is_direct(int fd)
{
	return fcntl(fd, F_GETFL) & O_DIRECT;
}

static int open_input(struct stream *stream, const char *path)
{
	struct file *file = stream->file;

	stream->in = file_open(file, path, O_RDONLY);
	if (stream->in < 0) {
		fail_open(file, path, stream->in);
		return stream->in;
	}
	stream->in_direct = is_direct(stream->in);
	if (fstat(stream->in, &stream->before)) {
		fail_open(file, path, -errno);
		return -EIO;
	}
	if (!S_ISREG(stream->before.st_mode)) {
		file_fail(file, "it is no regular file any more");
		return -EINVAL;
	}
	stream->size = stream->before.st_size;
	return 0;
}

static int open_output(struct stream *stream, const char *path)
{
	stream->out = file_open(stream->file, path,
				O_WRONLY | O_CREAT | O_TRUNC);
	if (stream->out < 0) {
		fail_open(stream->file, path, stream->out);
		return stream->out;
	}
	stream->out_direct = is_direct(stream->out);
	return 0;
}

static int open_both(struct stream *stream, const struct file_list *list,
		     size_t index, enum pass_kind kind)
{
	char *copy = NULL;
	int error;

	if (kind != PASS_READ)
		copy = file_copy_path(list, index);
	if (kind == PASS_VERIFY) {
		error = open_input(stream, copy);
	} else {
		error = open_input(stream, stream->file->path);
		if (!error && copy)
			error = open_output(stream, copy);
	}
	free(copy);
	return error;
}

void stream_free(struct stream *stream)
{
	if (stream->in >= 0)
		close(stream->in);
	if (stream->out >= 0)
		close(stream->out);
	EVP_MD_CTX_free(stream->digest);
	free(stream);
}

struct stream *stream_open(const struct file_list *list, size_t index,
			   enum pass_kind kind)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	struct file *file = &list->file[index];

	if (!stream) {
		file_fail(file, "out of memory");
		return NULL;
	}
	stream->file = file;
	stream->in = -1;
	stream->out = -1;
	stream->digest = EVP_MD_CTX_new();
	if (!stream->digest ||
	    !EVP_DigestInit_ex(stream->digest, EVP_sha256(), NULL)) {
		file_fail(file, "OpenSSL has no SHA-256 here");
	} else if (!open_both(stream, list, index, kind)) {
		return stream;
	}
	stream_free(stream);
	return NULL;
}

/* The digest is of one state of the file, or it is of none at all. */
static void check_unchanged(struct stream *stream)
{
	const struct stat *before = &stream->before;
	struct stat after;

	if (fstat(stream->in, &after))
		file_fail(stream->file, "fstat: %s", strerror(errno));
	else if (after.st_size != before->st_size)
		file_fail(stream->file, "it changed while it was read: it had "
			  "%lld bytes, and has %lld now",
			  (long long)before->st_size,
			  (long long)after.st_size);
	else if (after.st_mtim.tv_sec != before->st_mtim.tv_sec ||
		 after.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
		file_fail(stream->file, "it changed while it was read");
}

/* Whole blocks were written; the file ends inside the last of them. */
static void cut_copy(struct stream *stream)
{
	if (ftruncate(stream->out, stream->size))
		file_fail(stream->file, "its copy cannot be cut to size: %s",
			  strerror(errno));
}

static void take_digest(struct stream *stream)
{
	struct file *file = stream->file;

	if (!EVP_DigestFinal_ex(stream->digest, file->digest, NULL)) {
		file_fail(file, "OpenSSL could not hash it");
		return;
	}
	file->size = stream->size;
	file->hashed = true;
}

static void compare_digest(struct stream *stream)
{
	unsigned char digest[DIGEST_BYTES];
	struct file *file = stream->file;

	if (!EVP_DigestFinal_ex(stream->digest, digest, NULL))
		file_fail(file, "OpenSSL could not hash its copy");
	else if (stream->size != file->size)
		file_fail(file, "its copy has %llu bytes instead of %llu",
			  (unsigned long long)stream->size,
			  (unsigned long long)file->size);
	else if (memcmp(digest, file->digest, DIGEST_BYTES))
		file_fail(file, "its copy has another digest");
	else
		file->verified = true;
}

void stream_end(struct stream *stream, struct pass *pass)
{
	struct file *file = stream->file;

	if (!file->error)
		check_unchanged(stream);
	if (!file->error && stream->out >= 0)
		cut_copy(stream);
	if (!file->error && pass->kind == PASS_VERIFY)
		compare_digest(stream);
	else if (!file->error)
		take_digest(stream);
	if (!file->error)
		pass->files++;
	stream_free(stream);
}

void stream_append(struct stream *stream, struct chunk *chunk)
{
	if (stream->tail)
		stream->tail->next = chunk;
	else
		stream->head = chunk;
	stream->tail = chunk;
}

struct chunk *stream_pop(struct stream *stream)
{
	struct chunk *chunk = stream->head;

	stream->head = chunk->next;
	if (!stream->head)
		stream->tail = NULL;
	chunk->next = NULL;
	return chunk;
}
