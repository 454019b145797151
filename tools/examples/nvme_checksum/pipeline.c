// SPDX-License-Identifier: GPL-2.0
/*
 * Pipeline: takes files through a ring, many operations in flight.
 *
 * A file is read in chunks, one buffer each. Reads are started in the order of
 * the file, and of the next files while there is room, but end in any order. So
 * the chunks of a file form a queue: whenever the first of it is there, it is
 * hashed and leaves. In a copying pass its buffer then goes on to be written,
 * else back to the pool.
 *
 *	idle -> reading -> queued, hashed -> (writing ->) idle
 *
 * There are as many chunks as buffers, and the ring holds as many operations, so
 * that nothing here ever has to wait for anything but the kernel. A file keeps
 * one buffer at least as long as it has something to read, so that none starves.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

/* Each has two descriptors at most, far from the usual limit of 1024. */
#define STREAMS_MAX	128
#define BATCH		64

/**
 * struct pipeline - a pass in the making
 * @pass: its figures
 * @list: the files
 * @pool: where buffers come from
 * @ring: where operations go to
 * @progress: told of what is done
 * @chunk_size: bytes of a buffer
 * @depth: reads to be kept in flight
 * @reads: reads in flight
 * @operations: reads and writes in flight
 * @next_file: index of the first file that is not begun
 * @streams: files in work
 * @current: the one whose chunks are being started, or NULL
 * @idle: chunks without a buffer
 * @chunk: all chunks
 * @error: why it cannot go on, -errno
 */
struct pipeline {
	struct pass *pass;
	struct file_list *list;
	struct saferring_pool *pool;
	struct saferring_ring *ring;
	struct progress *progress;
	size_t chunk_size;
	unsigned int depth;
	unsigned int reads;
	unsigned int operations;
	size_t next_file;
	unsigned int streams;
	struct stream *current;
	struct chunk *idle;
	struct chunk *chunk;
	int error;
};

/* --- streams: files in work */

static struct stream *new_stream(struct pipeline *p, size_t index)
{
	struct stream *stream = stream_open(p->list, index, p->pass->kind);

	if (!stream)
		return NULL;
	p->streams++;
	if (p->streams > p->pass->files_peak)
		p->pass->files_peak = p->streams;
	return stream;
}

static void end_stream(struct pipeline *p, struct stream *stream)
{
	p->streams--;
	stream_end(stream, p->pass);
}

/* --- chunks: a buffer of a file */

static struct chunk *take_chunk(struct pipeline *p)
{
	struct chunk *chunk = p->idle;
	int error;

	if (!chunk)
		return NULL;
	error = saferring_buffer_get(p->pool, &chunk->buffer);
	if (error) {
		p->error = error;
		return NULL;
	}
	p->idle = chunk->next;
	chunk->next = NULL;
	return chunk;
}

/* Gives the buffer back, and ends the file with its last one. */
static void drop_chunk(struct pipeline *p, struct chunk *chunk)
{
	struct stream *stream = chunk->stream;
	int error = saferring_buffer_put(p->pool, chunk->buffer);

	if (error && !p->error)
		p->error = error;
	chunk->stream = NULL;
	chunk->next = p->idle;
	p->idle = chunk;
	stream->busy--;
	if (!stream->busy && stream->started)
		end_stream(p, stream);
}

/*
 * Queues the read of what is missing of a chunk. It goes on at a whole block,
 * and asks for whole blocks: beyond the end of the file it gets nothing, and an
 * empty file is asked for a block, to see that it is empty.
 */
static int queue_read(struct pipeline *p, struct chunk *chunk)
{
	struct stream *stream = chunk->stream;
	uint64_t start = round_down(chunk->moved);
	uint64_t end = round_up(chunk->length ? chunk->length : 1);

	chunk->writing = false;
	chunk->direct = stream->in_direct;
	return saferring_ring_read(p->ring, stream->in, chunk->buffer, start,
				   end - start, chunk->offset + start,
				   (uintptr_t)chunk);
}

/* The same for a write, whose last block is filled up with zeros. */
static int queue_write(struct pipeline *p, struct chunk *chunk)
{
	struct stream *stream = chunk->stream;
	uint64_t start = round_down(chunk->moved);

	chunk->writing = true;
	chunk->direct = stream->out_direct;
	return saferring_ring_write(p->ring, stream->out, chunk->buffer, start,
				    round_up(chunk->length) - start,
				    chunk->offset + start, (uintptr_t)chunk);
}

/* After an error the buffer is still ours. */
static void start_write(struct pipeline *p, struct chunk *chunk)
{
	if (queue_write(p, chunk)) {
		file_fail(chunk->stream->file, "%s",
			  saferring_error_last()->what);
		drop_chunk(p, chunk);
		return;
	}
	p->operations++;
}

/*
 * Hashes the first chunk, which is ready, and passes it on: to the disk, or back
 * to the pool. An empty chunk, of an empty file, has nothing to be written.
 */
static void hash_chunk(struct pipeline *p, struct chunk *chunk)
{
	struct stream *stream = chunk->stream;
	unsigned char *data = saferring_buffer_data(p->pool, chunk->buffer);

	if (!data || !EVP_DigestUpdate(stream->digest, data, chunk->length))
		file_fail(stream->file, "its data could not be hashed");
	progress_add(p->progress, chunk->length);
	if (stream->out < 0 || !chunk->length || stream->file->error) {
		drop_chunk(p, chunk);
		return;
	}
	memset(data + chunk->length, 0,
	       round_up(chunk->length) - chunk->length);
	chunk->moved = 0;
	start_write(p, chunk);
}

/*
 * Takes what is ready off the head of a file's queue. Of a file that failed
 * nothing is hashed any more. The stream may end with the chunk that is dropped
 * here, so it is not looked at after its last one.
 */
static void advance(struct pipeline *p, struct stream *stream)
{
	struct chunk *chunk;
	bool more;

	do {
		if (!stream->head || !stream->head->ready)
			return;
		chunk = stream_pop(stream);
		more = stream->head;
		if (stream->file->error)
			drop_chunk(p, chunk);
		else
			hash_chunk(p, chunk);
	} while (more);
}

/* A chunk has been read as far as it can be. */
static void end_read(struct pipeline *p, struct chunk *chunk)
{
	chunk->ready = true;
	advance(p, chunk->stream);
}

static void start_read(struct pipeline *p, struct chunk *chunk)
{
	if (queue_read(p, chunk)) {
		file_fail(chunk->stream->file, "%s",
			  saferring_error_last()->what);
		end_read(p, chunk);
		return;
	}
	p->operations++;
	p->reads++;
	if (p->reads > p->pass->reads_peak)
		p->pass->reads_peak = p->reads;
}

/* --- what completions bring */

/* @got: bytes of the chunk that are there, and maybe some from behind it. */
static void read_more(struct pipeline *p, struct chunk *chunk, uint64_t got)
{
	struct stream *stream = chunk->stream;

	if (got > chunk->moved && got < chunk->length) {
		chunk->moved = got;
		start_read(p, chunk);
		return;
	}
	if (!chunk->length && got)
		file_fail(stream->file, "it is said to have 0 bytes, but there "
			  "is data, as in files of /proc");
	else if (got < chunk->length)
		file_fail(stream->file, "it was cut while it was read: it ends "
			  "at %llu of %llu bytes",
			  (unsigned long long)(chunk->offset + got),
			  (unsigned long long)stream->size);
	else
		p->pass->bytes_read += chunk->length;
	end_read(p, chunk);
}

static void write_more(struct pipeline *p, struct chunk *chunk, uint64_t put)
{
	if (put > chunk->moved && put < chunk->length) {
		chunk->moved = put;
		start_write(p, chunk);
		return;
	}
	if (put < chunk->length)
		file_fail(chunk->stream->file,
			  "its copy takes no more at %llu bytes",
			  (unsigned long long)(chunk->offset + put));
	else
		p->pass->bytes_written += chunk->length;
	drop_chunk(p, chunk);
}

/*
 * A file system may have O_DIRECT and refuse it for a certain file, or for
 * blocks of this size. Then the page cache has to do.
 */
static bool make_buffered(struct chunk *chunk)
{
	struct stream *stream = chunk->stream;
	bool *direct = chunk->writing ? &stream->out_direct :
					&stream->in_direct;

	if (!chunk->direct)
		return false;
	/* Another chunk of this file may have brought the news before. */
	if (*direct && file_make_buffered(stream->file, chunk->writing ?
					  stream->out : stream->in,
					  "O_DIRECT was refused for it"))
		return false;
	*direct = false;
	return true;
}

static bool worth_another_try(struct chunk *chunk, int error)
{
	if (chunk->stream->file->error)
		return false;
	return error == -EINTR || error == -EAGAIN ||
	       (error == -EINVAL && make_buffered(chunk));
}

static void operation_failed(struct pipeline *p, struct chunk *chunk, int error)
{
	bool again = worth_another_try(chunk, error);

	if (!again)
		file_fail(chunk->stream->file, "%s at %llu: %s",
			  chunk->writing ? "write of its copy" : "read",
			  (unsigned long long)(chunk->offset + chunk->moved),
			  strerror(-error));
	if (again && chunk->writing)
		start_write(p, chunk);
	else if (again)
		start_read(p, chunk);
	else if (chunk->writing)
		drop_chunk(p, chunk);
	else
		end_read(p, chunk);
}

/*
 * The completion brings the buffer back under a fresh handle; the one that was
 * submitted is good for nothing any more.
 */
static void complete(struct pipeline *p, const struct saferring_completion *done)
{
	struct chunk *chunk = (struct chunk *)(uintptr_t)done->user_data;
	uint64_t moved = round_down(chunk->moved) + done->result;

	chunk->buffer = done->buffer;
	p->operations--;
	p->reads -= !chunk->writing;
	if (done->result < 0)
		operation_failed(p, chunk, done->result);
	else if (chunk->writing)
		write_more(p, chunk, moved);
	else
		read_more(p, chunk, moved);
}

/* --- keeping the ring full */

/* Leaves the current file alone from now on; it ends with its last chunk. */
static void leave_current(struct pipeline *p)
{
	struct stream *stream = p->current;

	p->current = NULL;
	stream->started = true;
	if (!stream->busy)
		end_stream(p, stream);
}

/* Goes on to the next file that can be worked on. False if there is none now. */
static bool next_current(struct pipeline *p)
{
	size_t index;

	if (p->current && p->current->file->error)
		leave_current(p);
	while (!p->current && p->next_file < p->list->count &&
	       p->streams < STREAMS_MAX) {
		index = p->next_file++;
		if (!p->list->file[index].error)
			p->current = new_stream(p, index);
	}
	return p->current;
}

static void start_chunk(struct pipeline *p, struct chunk *chunk)
{
	struct stream *stream = p->current;
	uint64_t left = stream->size - stream->next_offset;

	chunk->stream = stream;
	chunk->offset = stream->next_offset;
	chunk->length = left < p->chunk_size ? left : p->chunk_size;
	chunk->moved = 0;
	chunk->ready = false;
	stream->next_offset += chunk->length;
	stream->busy++;
	stream_append(stream, chunk);
	start_read(p, chunk);
}

static void fill(struct pipeline *p)
{
	struct chunk *chunk;

	while (!p->error && !stop_requested && p->reads < p->depth &&
	       next_current(p)) {
		chunk = take_chunk(p);
		if (!chunk)
			return;
		start_chunk(p, chunk);
		if (p->current->next_offset == p->current->size)
			leave_current(p);
	}
}

/* Starts what is queued, waits for something to end, and deals with it. */
static int turn(struct pipeline *p)
{
	struct saferring_completion done[BATCH];
	int count;

	count = saferring_ring_wait(p->ring, done, BATCH, 1,
				    SAFERRING_FOREVER);
	if (count == -EINTR)
		return 0;
	if (count < 0) {
		p->error = count;
		return count;
	}
	for (int i = 0; i < count; i++)
		complete(p, &done[i]);
	return 0;
}

/* The ring does not work, and has kept the buffers: close the files at least. */
static void abandon(struct pipeline *p, unsigned int chunks)
{
	struct stream *stream;

	for (unsigned int i = 0; i < chunks; i++) {
		stream = p->chunk[i].stream;
		if (!stream)
			continue;
		file_fail(stream->file, "not finished");
		if (!--stream->busy && stream->started)
			stream_free(stream);
	}
}

/*
 * What was begun is brought to its end also when it is to stop: the operations
 * in flight have the buffers, and take no longer than the disk does.
 */
static void run(struct pipeline *p, unsigned int chunks)
{
	do {
		fill(p);
	} while (p->operations && !turn(p));
	if (stop_requested && !p->error)
		p->error = -EINTR;
	if (p->operations)
		abandon(p, chunks);
	if (p->current) {
		file_fail(p->current->file, "not finished");
		leave_current(p);
	}
}

static int prepare(struct pipeline *p, unsigned int chunks)
{
	p->chunk = calloc(chunks, sizeof(*p->chunk));
	if (!p->chunk)
		return -ENOMEM;
	for (unsigned int i = 0; i < chunks; i++) {
		p->chunk[i].next = p->idle;
		p->idle = &p->chunk[i];
	}
	return 0;
}

int pipeline_run(struct pass *pass, struct file_list *list,
		 struct memory *memory, const struct options *options,
		 struct progress *progress)
{
	struct pipeline p = {
		.pass = pass,
		.list = list,
		.pool = memory->pool,
		.ring = memory->ring,
		.progress = progress,
		.chunk_size = options->chunk,
		.depth = options->depth,
	};
	const unsigned int chunks = 2 * options->depth;
	double began = now();
	int error;

	error = prepare(&p, chunks);
	if (error)
		return error;
	pass->ran = true;
	run(&p, chunks);
	pass->seconds = now() - began;
	free(p.chunk);
	return p.error;
}
