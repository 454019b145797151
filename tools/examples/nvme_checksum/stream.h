/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What pipeline.c and stream.c know of each other: a file in work, and the pieces
 * of it that are on their way.
 */
#ifndef NVME_CHECKSUM_STREAM_H
#define NVME_CHECKSUM_STREAM_H

#include <sys/stat.h>
#include <openssl/evp.h>

#include "nvme_checksum.h"

struct stream;

/**
 * struct chunk - a piece of a file, in a buffer
 * @stream: the file that it belongs to
 * @next: next one of that file, or next idle one
 * @buffer: current handle of its buffer; stale while an operation has it
 * @offset: where in the file it begins
 * @length: bytes of the file in it
 * @moved: bytes of those that are read, then written
 * @writing: its operation is a write
 * @direct: its operation was started with O_DIRECT
 * @ready: it is read completely
 */
struct chunk {
	struct stream *stream;
	struct chunk *next;
	saferring_buffer buffer;
	uint64_t offset;
	uint32_t length;
	uint32_t moved;
	bool writing;
	bool direct;
	bool ready;
};

/**
 * struct stream - a file while it is in work
 * @file: the file
 * @digest: what was hashed so far
 * @before: the file's status when it was opened
 * @in: descriptor to read from
 * @out: descriptor of the copy, or -1
 * @in_direct: @in has O_DIRECT
 * @out_direct: @out has O_DIRECT
 * @size: bytes to read
 * @next_offset: where the next chunk begins
 * @started: no more chunks of it are to be started
 * @busy: its chunks that have a buffer
 * @head: first chunk that is not hashed yet
 * @tail: last one
 */
struct stream {
	struct file *file;
	EVP_MD_CTX *digest;
	struct stat before;
	int in;
	int out;
	bool in_direct;
	bool out_direct;
	uint64_t size;
	uint64_t next_offset;
	bool started;
	unsigned int busy;
	struct chunk *head;
	struct chunk *tail;
};

/*
 * Begins with file number @index for a pass of this kind. Returns NULL if that
 * fails, which is noted in the file.
 */
struct stream *stream_open(const struct file_list *list, size_t index,
			   enum pass_kind kind);
/* Ends it well or not: takes or compares the digest, frees it, counts the file. */
void stream_end(struct stream *stream, struct pass *pass);
/* Frees it as it is. */
void stream_free(struct stream *stream);
/* Chunks wait for those before them, in the order of the file. */
void stream_append(struct stream *stream, struct chunk *chunk);
struct chunk *stream_pop(struct stream *stream);

#endif /* NVME_CHECKSUM_STREAM_H */
