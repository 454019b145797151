// SPDX-License-Identifier: GPL-2.0
/*
 * Rings whose completions are looked for at the device: reads and writes of fixed
 * buffers, without the page cache, on a disk that has queues for polling.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include "common.h"

#define DEPTH  16U
#define BLOCKS 256U
#define DISK   "/sys/class/block/nvme0n1/queue/io_poll"
#define FILE_NAME "/data/saferring-iopoll"

struct polled {
	struct stage *stage;
	int fd;
	unsigned char block[BUFFER_SIZE];
};

/* The disk of the virtual machine, with nvme.poll_queues=N. */
static bool has_disk(void)
{
	char text[8] = "";
	const int fd = open(DISK, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		*text = '0';
	close(fd);
	return *text == '1' && !access("/data", W_OK);
}

/* Which block it is, and of which generation, in every word. */
static void fill_block(unsigned char *block, unsigned int number,
		       unsigned int generation)
{
	const uint64_t word = ((uint64_t)generation << 32) + number;
	size_t place;

	for (place = 0; place < BUFFER_SIZE; place += sizeof(word))
		memcpy(block + place, &word, sizeof(word));
}

static void make_file(struct polled *polled)
{
	const int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
			    0600);
	unsigned int number;

	assert_true(fd >= 0);
	for (number = 0; number < BLOCKS; number++) {
		fill_block(polled->block, number, 0);
		assert_int_equal(write(fd, polled->block, BUFFER_SIZE),
				 BUFFER_SIZE);
	}
	assert_int_equal(fsync(fd), 0);
	close(fd);
	polled->fd = open(FILE_NAME, O_RDWR | O_DIRECT | O_CLOEXEC);
	assert_true(polled->fd >= 0);
}

static int up(void **state)
{
	struct polled *polled = calloc(1, sizeof(*polled));

	*state = polled;
	polled->fd = -1;
	if (!has_disk())
		return 0;
	polled->stage = stage_up(0, DEPTH, STAGE_PLACED);
	make_file(polled);
	return 0;
}

static int down(void **state)
{
	struct polled *polled = *state;

	if (polled->stage) {
		assert_int_equal(saferring_ring_destroy(polled->stage->ring,
							DESTROY_MS),
				 0);
		polled->stage->ring = NULL;
		assert_all_back(polled->stage->pool);
		stage_down(polled->stage);
		close(polled->fd);
		unlink(FILE_NAME);
	}
	free(polled);
	return 0;
}

static void need_ring(struct polled *polled, unsigned int flags,
		      struct saferring_region *memory)
{
	struct saferring_ring_info info = { .size = sizeof(info) };
	struct saferring_ring_options options;

	if (!polled->stage)
		SKIP("no disk at /data that has queues for polling (nvme.poll_queues=N)");
	SAFERRING_OPTIONS_INIT(&options);
	options.depth = DEPTH;
	options.pools = &polled->stage->pool;
	options.pool_count = 1;
	options.memory = memory;
	options.flags = flags | SAFERRING_RING_IOPOLL |
			SAFERRING_RING_REQUIRE_FIXED;
	assert_int_equal(saferring_ring_create(&options, &polled->stage->ring),
			 0);
	assert_int_equal(saferring_ring_info(polled->stage->ring, &info), 0);
	assert_true(info.setup_flags & IORING_SETUP_IOPOLL);
	assert_int_equal(info.fixed, 1);
}

static void drop_ring(struct polled *polled)
{
	assert_int_equal(saferring_ring_destroy(polled->stage->ring,
						DESTROY_MS),
			 0);
	polled->stage->ring = NULL;
}

static void queue_read(struct polled *polled, unsigned int number)
{
	assert_int_equal(saferring_ring_read(polled->stage->ring, polled->fd,
					     get(polled->stage->pool), 0,
					     BUFFER_SIZE,
					     (uint64_t)number * BUFFER_SIZE,
					     number),
			 0);
}

static void queue_write(struct polled *polled, unsigned int number,
			unsigned int generation)
{
	const saferring_buffer buffer = get(polled->stage->pool);

	fill_block(bytes_of(polled->stage->pool, buffer), number, generation);
	assert_int_equal(saferring_ring_write(polled->stage->ring, polled->fd,
					      buffer, 0, BUFFER_SIZE,
					      (uint64_t)number * BUFFER_SIZE,
					      number),
			 0);
}

/* Everything once, a queue at a time. */
static void transfer_all(struct polled *polled, bool write,
			 unsigned int generation)
{
	struct saferring_completion c[DEPTH];
	unsigned int next = 0, done = 0;
	int count, number;

	while (done < BLOCKS) {
		for (; next < BLOCKS && next - done < DEPTH; next++)
			if (write)
				queue_write(polled, next, generation);
			else
				queue_read(polled, next);
		count = saferring_ring_wait(polled->stage->ring, c, DEPTH, 1,
					    SAFERRING_FOREVER);
		assert_true(count >= 1);
		for (number = 0; number < count; number++) {
			assert_int_equal(c[number].result, BUFFER_SIZE);
			fill_block(polled->block,
				   (unsigned int)c[number].user_data,
				   generation);
			assert_memory_equal(bytes_of(c[number].pool,
						     c[number].buffer),
					    polled->block, BUFFER_SIZE);
			put(c[number].pool, c[number].buffer);
		}
		done += (unsigned int)count;
	}
}

/* What is on the disk, by another way. */
static void assert_on_disk(struct polled *polled, unsigned int generation)
{
	static unsigned char found[BUFFER_SIZE]
		__attribute__((aligned(BUFFER_SIZE)));
	unsigned int number;

	for (number = 0; number < BLOCKS; number++) {
		assert_int_equal(pread(polled->fd, found, BUFFER_SIZE,
				       (off_t)number * BUFFER_SIZE),
				 BUFFER_SIZE);
		fill_block(polled->block, number, generation);
		assert_memory_equal(found, polled->block, BUFFER_SIZE);
	}
}

static void what_is_polled_for_is_read_and_written(void **state)
{
	static const unsigned int flags[] = { 0, SAFERRING_RING_ONE_THREAD,
					      SAFERRING_RING_COMMANDS,
					      SAFERRING_RING_SQPOLL };
	struct polled *polled = *state;
	unsigned int number;

	for (number = 0; number < sizeof(flags) / sizeof(*flags); number++) {
		need_ring(polled, flags[number], NULL);
		transfer_all(polled, false, number);
		transfer_all(polled, true, number + 1);
		drop_ring(polled);
		assert_on_disk(polled, number + 1);
	}
}

static void a_placed_ring_can_be_polled(void **state)
{
	struct polled *polled = *state;

	need_ring(polled, 0, polled->stage ? polled->stage->memory : NULL);
	transfer_all(polled, true, 1);
	transfer_all(polled, false, 1);
	drop_ring(polled);
	assert_on_disk(polled, 1);
}

static void vectors_are_polled_for_as_well(void **state)
{
	struct polled *polled = *state;
	struct saferring_completion c;
	unsigned int part;

	need_ring(polled, 0, NULL);
	const struct saferring_range ranges[] = {
		{ get(polled->stage->pool), 0, BUFFER_SIZE },
		{ get(polled->stage->pool), 0, BUFFER_SIZE },
	};
	assert_int_equal(saferring_ring_readv(polled->stage->ring, polled->fd,
					      ranges, 2, 0, 1),
			 0);
	for (part = 0; part < 2; part++) {
		c = next_of(polled->stage->ring);
		assert_int_equal(c.result, BUFFER_SIZE);
		fill_block(polled->block, part, 0);
		assert_memory_equal(bytes_of(c.pool, c.buffer), polled->block,
				    BUFFER_SIZE);
		put(c.pool, c.buffer);
	}
}

static void what_cannot_be_polled_fails_and_gives_its_buffer_back(void **state)
{
	struct polled *polled = *state;
	struct saferring_completion c;
	int ends[2], fd;

	need_ring(polled, 0, NULL);
	fd = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(polled->stage->ring, fd,
					     get(polled->stage->pool), 0, 8, 0,
					     1),
			 0);
	c = next_of(polled->stage->ring);
	assert_int_equal(c.result, -EOPNOTSUPP);
	put(c.pool, c.buffer);
	assert_int_equal(saferring_ring_read(polled->stage->ring, ends[0],
					     get(polled->stage->pool), 0, 8, -1,
					     2),
			 0);
	c = next_of(polled->stage->ring);
	assert_true(c.result == -EOPNOTSUPP || c.result == -EINVAL);
	put(c.pool, c.buffer);
	transfer_all(polled, false, 0);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

/* Nothing in flight can be cancelled, and every buffer comes back in time. */
static void what_is_dropped_comes_back_when_it_has_ended(void **state)
{
	struct polled *polled = *state;
	struct saferring_completion c;
	unsigned int round, number;
	int count;

	need_ring(polled, 0, NULL);
	for (round = 0; round < 20; round++) {
		for (number = 0; number < DEPTH; number++)
			queue_read(polled, number);
		assert_true(saferring_ring_submit(polled->stage->ring) >= 0);
		for (number = 0; number < DEPTH; number += 2)
			assert_int_equal(
				saferring_ring_drop(
					polled->stage->ring,
					saferring_ring_find(
						polled->stage->ring, number)),
				0);
		for (number = 0; number < DEPTH / 2; number += (unsigned int)count) {
			count = saferring_ring_wait(polled->stage->ring, &c, 1,
						    1, SAFERRING_FOREVER);
			assert_in_range(count, 0, 1);
			if (!count)
				continue;
			assert_int_equal(c.user_data % 2, 1);
			assert_int_equal(c.result, BUFFER_SIZE);
			put(c.pool, c.buffer);
		}
		while (saferring_ring_find(polled->stage->ring, 0))
			assert_int_equal(saferring_ring_reap(
						 polled->stage->ring, &c, 1),
					 0);
	}
}

static void a_ring_ends_with_all_of_its_io_in_flight(void **state)
{
	struct polled *polled = *state;
	unsigned int round, number;

	for (round = 0; round < 10; round++) {
		need_ring(polled, round % 2 ? SAFERRING_RING_ONE_THREAD : 0,
			  NULL);
		for (number = 0; number < DEPTH; number++) {
			if (number % 2)
				queue_read(polled, number);
			else
				queue_write(polled, number, 0);
		}
		assert_int_equal(saferring_ring_submit(polled->stage->ring),
				 DEPTH);
		drop_ring(polled);
		assert_all_back(polled->stage->pool);
		assert_on_disk(polled, 0);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(what_is_polled_for_is_read_and_written),
		T(a_placed_ring_can_be_polled),
		T(vectors_are_polled_for_as_well),
		T(what_cannot_be_polled_fails_and_gives_its_buffer_back),
		T(what_is_dropped_comes_back_when_it_has_ended),
		T(a_ring_ends_with_all_of_its_io_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
