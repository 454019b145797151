// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets: a message there and back through a pair of them, all on this machine,
 * by the library and by liburing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "stage.h"

/* A library that it is compared with may be older than its sockets. */
#if __has_include(<saferring/socket.h>)

#define PAIRS_MAX 32U

/**
 * struct sockets - state of a row
 * @fd: by pair: its two ends
 * @count: pairs, each with a message under way
 */
struct sockets {
	struct stage stage;
	int fd[PAIRS_MAX][2];
	unsigned int count;
	unsigned int size;
	saferring_buffer handle[2 * PAIRS_MAX];
	struct saferring_completion done[2 * PAIRS_MAX];
};

static void check_result(const struct sockets *sockets, int result)
{
	if (SAFERRING_UNLIKELY(result != (int)sockets->size))
		row_error(result < 0 ? result : -EIO);
}

static void echo_subject(void *state, uint64_t calls)
{
	struct sockets *sockets = state;
	struct saferring_ring *ring = sockets->stage.ring;
	const unsigned int count = sockets->count;
	struct saferring_range range = { .length = sockets->size };
	unsigned int i;
	int error, got;

	while (calls--) {
		for (i = 0; i < count; i++) {
			range.buffer = sockets->handle[i];
			error = saferring_ring_send(ring, sockets->fd[i][0],
						    &range, 0, i);
			if (SAFERRING_UNLIKELY(error))
				row_error(error);
			range.buffer = sockets->handle[count + i];
			error = saferring_ring_recv(ring, sockets->fd[i][1],
						    &range, 0, count + i);
			if (SAFERRING_UNLIKELY(error))
				row_error(error);
		}
		got = saferring_ring_wait(ring, sockets->done, 2 * count,
					  2 * count, SAFERRING_FOREVER);
		if (SAFERRING_UNLIKELY(got != (int)(2 * count)))
			row_error(got < 0 ? got : -EIO);
		for (i = 0; i < 2 * count; i++) {
			const struct saferring_completion *done =
				&sockets->done[i];

			check_result(sockets, done->result);
			sockets->handle[done->user_data] = done->buffer;
		}
	}
}

static void take_raw(struct sockets *sockets)
{
	struct io_uring *ring = &sockets->stage.raw;
	struct io_uring_cqe *cqe;
	unsigned int head, got = 0;

	io_uring_for_each_cqe(ring, head, cqe) {
		check_result(sockets, cqe->res);
		KEEP(cqe->user_data);
		got++;
	}
	io_uring_cq_advance(ring, got);
	if (SAFERRING_UNLIKELY(got != 2 * sockets->count))
		row_error(-EIO);
}

static void echo_twin(void *state, uint64_t calls)
{
	struct sockets *sockets = state;
	struct io_uring *ring = &sockets->stage.raw;
	const unsigned int count = sockets->count;
	unsigned char *address = sockets->stage.address;
	struct io_uring_sqe *sqe;
	unsigned int i;

	while (calls--) {
		for (i = 0; i < count; i++) {
			sqe = io_uring_get_sqe(ring);
			io_uring_prep_send(sqe, sockets->fd[i][0],
				address + (size_t)i * sockets->size,
				sockets->size, 0);
			io_uring_sqe_set_data64(sqe, i);
			sqe = io_uring_get_sqe(ring);
			io_uring_prep_recv(sqe, sockets->fd[i][1],
				address + (size_t)(count + i) * sockets->size,
				sockets->size, 0);
			io_uring_sqe_set_data64(sqe, count + i);
		}
		io_uring_submit_and_wait(ring, 2 * count);
		take_raw(sockets);
	}
}

static void sockets_down(void *state)
{
	struct sockets *sockets = state;
	unsigned int i;

	for (i = 0; i < 2 * sockets->count; i++)
		if (sockets->handle[i].word &&
		    saferring_buffer_put(sockets->stage.pool,
					 sockets->handle[i]))
			row_error(-ESTALE);
	for (i = 0; i < sockets->count; i++) {
		close(sockets->fd[i][0]);
		close(sockets->fd[i][1]);
	}
	stage_down(&sockets->stage);
	free(sockets);
}

static bool make_pair(struct sockets *sockets)
{
	const unsigned int i = sockets->count;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets->fd[i]))
		return false;
	sockets->count++;
	return true;
}

static void *sockets_up(const struct row *row)
{
	const struct stage_plan plan = {
		.buffers = 2 * PAIRS_MAX,
		.buffer_size = row->size,
		.depth = 2 * PAIRS_MAX,
	};
	struct sockets *sockets = calloc(1, sizeof(*sockets));
	bool good = true;
	unsigned int i;

	if (!sockets || !stage_up(&sockets->stage, &plan)) {
		free(sockets);
		return NULL;
	}
	sockets->size = (unsigned int)row->size;
	while (good && sockets->count < row->depth)
		good = make_pair(sockets);
	for (i = 0; i < 2 * sockets->count; i++)
		if (saferring_buffer_get(sockets->stage.pool,
					 &sockets->handle[i]))
			row_error(-ENOBUFS);
	if (good)
		return sockets;
	row_skip("socketpair: %s", strerror(errno));
	sockets_down(sockets);
	return NULL;
}

#define ECHO(many)                                                             \
	.group = "macro", .setup = sockets_up, .teardown = sockets_down,       \
	.run_subject = echo_subject, .run_twin = echo_twin,                    \
	.size = 4096, .depth = (many), .per = 2 * (many),                      \
	.subject = "the library", .twin = "raw batched liburing"

const struct row socket_rows[] = {
	{
		ECHO(1),
		.name = "socket.qd1",
		.about = "SEND and RECV of 4 KiB through a socket pair",
		.instructions = true,
	},
	{
		ECHO(32),
		.name = "socket.qd32",
		.about = "SEND and RECV of 4 KiB through 32 socket pairs",
		.instructions = true,
	},
	{ 0 },
};
#else
const struct row socket_rows[] = {
	{ 0 },
};
#endif
