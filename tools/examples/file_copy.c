// SPDX-License-Identifier: GPL-2.0
/*
 * Copies a file, many pieces at a time: a piece is read into a buffer, and when
 * that has completed, the handle that came with the completion is what is
 * written. The handle that was read into is good for nothing any more.
 *
 *	file_copy FROM TO
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <saferring.h>

#define PIECE  (128UL << 10)
#define PIECES 32

static struct saferring_device *device;
static struct saferring_region *region;
static struct saferring_pool *pool;
static struct saferring_ring *ring;

struct copy {
	int from;
	int to;
	uint64_t asked;
	uint64_t end; /* of the file, once a read has met it */
	unsigned int in_flight;
};

static void check(int result)
{
	if (result >= 0)
		return;
	saferring_report_stderr(saferring_error_last(), NULL);
	exit(1);
}

static int open_or_die(const char *path, int flags)
{
	const int fd = open(path, flags | O_CLOEXEC, 0666);

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static void set_up(void)
{
	struct saferring_region_options memory = {
		.size = sizeof(memory), .length = PIECES * PIECE };
	struct saferring_pool_options cut = {
		.size = sizeof(cut), .buffer_size = PIECE };
	struct saferring_ring_options use = {
		.size = sizeof(use), .pools = &pool, .pool_count = 1,
		.depth = PIECES, .name = "copy" };

	check(saferring_device_open(NULL, &device));
	check(saferring_region_create(device, &memory, &region));
	check(saferring_pool_create(&region, 1, &cut, &pool));
	check(saferring_ring_create(&use, &ring));
}

static void take_down(void)
{
	check(saferring_ring_destroy(ring, 10000));
	check(saferring_pool_destroy(pool));
	check(saferring_region_destroy(region, 0, 1000));
	check(saferring_device_close(device));
}

/* The place in the file is what a completion is known by. */
static void read_next(struct copy *copy, saferring_buffer buffer)
{
	check(saferring_ring_read(ring, copy->from, buffer, 0, PIECE,
				  copy->asked, copy->asked));
	copy->asked += PIECE;
	copy->in_flight++;
}

static void write_piece(struct copy *copy, saferring_buffer buffer,
			size_t length, uint64_t place)
{
	check(saferring_ring_write(ring, copy->to, buffer, 0, length, place,
				   place));
	copy->in_flight++;
}

static void done_with(struct copy *copy, saferring_buffer buffer)
{
	if (copy->asked < copy->end)
		read_next(copy, buffer);
	else
		check(saferring_buffer_put(pool, buffer));
}

/*
 * A read is short at the end of a file, which fstat() does not tell of all that
 * can be read. So the file ends where the first piece is that is not full.
 */
static void was_read(struct copy *copy, const struct saferring_completion *done)
{
	const uint64_t place = done->user_data;
	const size_t bytes = (size_t)done->result;

	if (bytes < PIECE && copy->end > place + bytes)
		copy->end = place + bytes;
	if (bytes)
		write_piece(copy, done->buffer, bytes, place);
	else
		check(saferring_buffer_put(pool, done->buffer));
}

static void was_written(struct copy *copy,
			const struct saferring_completion *done)
{
	if (done->flags & SAFERRING_COMPLETION_SHORT) {
		fprintf(stderr, "a write was cut: is the disk full?\n");
		exit(1);
	}
	done_with(copy, done->buffer);
}

static void handle(struct copy *copy, const struct saferring_completion *done)
{
	copy->in_flight--;
	if (done->result < 0) {
		fprintf(stderr, "%s at byte %llu: %s\n",
			saferring_operation_name(done->operation),
			(unsigned long long)done->user_data,
			strerror(-done->result));
		exit(1);
	}
	if (done->operation == SAFERRING_OPERATION_READ)
		was_read(copy, done);
	else
		was_written(copy, done);
}

int main(int argc, char **argv)
{
	struct copy copy = { .end = UINT64_MAX };
	struct saferring_completion done[PIECES];
	saferring_buffer buffer;
	int count, number;

	if (argc != 3) {
		fprintf(stderr, "usage: file_copy FROM TO\n");
		return 2;
	}
	copy.from = open_or_die(argv[1], O_RDONLY);
	copy.to = open_or_die(argv[2], O_WRONLY | O_CREAT | O_TRUNC);
	set_up();
	for (number = 0; number < PIECES; number++) {
		check(saferring_buffer_get(pool, &buffer));
		read_next(&copy, buffer);
	}
	while (copy.in_flight) {
		count = saferring_ring_wait(ring, done, PIECES, 1,
					    SAFERRING_FOREVER);
		if (count != -EINTR)
			check(count);
		for (number = 0; number < count; number++)
			handle(&copy, &done[number]);
	}
	take_down();
	return close(copy.to) ? 1 : 0;
}
