// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on files and names, and the table of registered files.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "common.h"

#define DEPTH 16U

static int up(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING);
	return 0;
}

static int up_unfixed(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING | STAGE_UNFIXED);
	return 0;
}

static int down(void **state)
{
	struct stage *stage = *state;

	assert_all_back(stage->pool);
	stage_down(stage);
	return 0;
}

static struct saferring_range range(saferring_buffer buffer, size_t start,
				    size_t length)
{
	return (struct saferring_range){ buffer, start, length };
}

/* ---- vectors ---- */

/* Three ranges of two buffers, and a file that ends within the last one. */
static void a_vector_is_read_part_by_part(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(300);
	struct saferring_range ranges[3];
	struct saferring_completion c[2];

	ranges[0] = range(get(stage->pool), 10, 100);
	ranges[1] = range(get(stage->pool), 0, 50);
	ranges[2] = range(ranges[0].buffer, 1000, 500);
	assert_int_equal(saferring_ring_readv(stage->ring, fd, ranges, 3, 0, 5),
			 0);
	c[0] = next_of(stage->ring);
	c[1] = next_of(stage->ring);
	assert_int_equal(c[0].flags, SAFERRING_COMPLETION_MORE |
					     SAFERRING_COMPLETION_SHORT);
	assert_int_equal(c[0].result, 100 + 150);
	assert_int_equal(c[0].length, 600);
	assert_int_equal(c[1].flags, 0);
	assert_int_equal(c[1].result, 50);
	assert_int_equal(c[0].user_data + c[1].user_data, 10);
	assert_int_equal(c[0].operation, SAFERRING_OPERATION_READV);
	assert_pattern(bytes_of(c[0].pool, c[0].buffer) + 10, 0, 100);
	assert_pattern(bytes_of(c[1].pool, c[1].buffer), 100, 50);
	assert_pattern(bytes_of(c[0].pool, c[0].buffer) + 1000, 150, 150);
	put(c[0].pool, c[0].buffer);
	put(c[1].pool, c[1].buffer);
	close(fd);
}

static void a_vector_is_written_in_order(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(0);
	struct saferring_range ranges[2];
	char text[8] = { 0 };

	ranges[0] = range(get(stage->pool), 1, 3);
	ranges[1] = range(get(stage->pool), 2, 4);
	memcpy(bytes_of(stage->pool, ranges[0].buffer), "-abc", 4);
	memcpy(bytes_of(stage->pool, ranges[1].buffer), "--defg", 6);
	assert_int_equal(saferring_ring_writev(stage->ring, fd, ranges, 2, 0,
					       1),
			 0);
	expect(stage->ring, 1, 3);
	expect(stage->ring, 1, 4);
	assert_int_equal(pread(fd, text, 8, 0), 7);
	assert_string_equal(text, "abcdefg");
	close(fd);
}

static void a_failed_vector_gives_every_buffer_back(void **state)
{
	struct stage *stage = *state;
	struct saferring_range ranges[3];
	unsigned int number;

	for (number = 0; number < 3; number++)
		ranges[number] = range(get(stage->pool), 0, 8);
	assert_int_equal(saferring_ring_readv(stage->ring, -1, ranges, 3, 0, 1),
			 0);
	for (number = 0; number < 3; number++)
		expect(stage->ring, 1, -EBADF);
}

/* Completions for which there is no room wait for the next reap. */
static void the_parts_of_a_vector_are_reaped_one_by_one(void **state)
{
	struct stage *stage = *state;
	struct saferring_range ranges[DEPTH];
	struct saferring_completion c;
	const int fd = pattern_file(DEPTH * 8);
	unsigned int number;

	for (number = 0; number < DEPTH; number++)
		ranges[number] = range(get(stage->pool), 0, 8);
	assert_int_equal(saferring_ring_readv(stage->ring, fd, ranges, DEPTH, 0,
					      1),
			 0);
	for (number = 0; number < DEPTH; number++) {
		c = next_of(stage->ring);
		assert_int_equal(c.result, 8);
		assert_int_equal(!(c.flags & SAFERRING_COMPLETION_MORE),
				 number == DEPTH - 1);
		assert_pattern(bytes_of(c.pool, c.buffer), number * 8, 8);
		put(c.pool, c.buffer);
	}
	close(fd);
}

/* The good buffers before the bad one stay the caller's. */
static void a_refused_vector_has_changed_nothing(void **state)
{
	struct stage *stage = *state;
	struct saferring_range ranges[DEPTH + 1];
	unsigned int number, before;

	for (number = 0; number < DEPTH + 1; number++)
		ranges[number] = range(get(stage->pool), 0, 8);
	assert_int_equal(saferring_ring_readv(stage->ring, 0, ranges, DEPTH + 1,
					      0, 1),
			 -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_DEPTH);
	ranges[2].length = BUFFER_SIZE + 1;
	assert_int_equal(saferring_ring_readv(stage->ring, 0, ranges, 3, 0, 1),
			 -ERANGE);
	ranges[2].length = 0;
	assert_int_equal(saferring_ring_readv(stage->ring, 0, ranges, 3, 0, 1),
			 -EINVAL);
	ranges[2].length = 8;
	put(stage->pool, ranges[2].buffer);
	before = reports;
	assert_misuse(saferring_ring_readv(stage->ring, 0, ranges, 3, 0, 1),
		      SAFERRING_REASON_USE_AFTER_PUT, before);
	assert_int_equal(saferring_ring_last(stage->ring), 0);
	for (number = 0; number < DEPTH + 1; number++)
		if (number != 2)
			put(stage->pool, ranges[number].buffer);
}

static void a_vector_has_1_to_64_ranges(void **state)
{
	struct stage *stage = *state;
	struct saferring_range ranges[SAFERRING_RANGES_MAX + 1];
	const int fd = pattern_file(BUFFER_SIZE);
	const saferring_buffer buffer = get(stage->pool);
	unsigned int number;

	for (number = 0; number <= SAFERRING_RANGES_MAX; number++)
		ranges[number] = range(buffer, number * 8, 8);
	assert_int_equal(saferring_ring_readv(stage->ring, fd, ranges,
					      SAFERRING_RANGES_MAX + 1, 0, 1),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(saferring_ring_readv(stage->ring, fd, ranges, 0, 0, 1),
			 -EINVAL);
	assert_int_equal(saferring_ring_readv(stage->ring, fd, ranges,
					      SAFERRING_RANGES_MAX, 0, 1),
			 0);
	expect(stage->ring, 1, SAFERRING_RANGES_MAX * 8);
	close(fd);
}

static void a_withdrawn_vector_gives_every_buffer_back(void **state)
{
	struct stage *stage = *state;
	struct saferring_range ranges[2];

	ranges[0] = range(get(stage->pool), 0, 8);
	ranges[1] = range(get(stage->pool), 0, 8);
	assert_int_equal(saferring_ring_readv(stage->ring, 0, ranges, 2, 0, 1),
			 0);
	assert_int_equal(saferring_ring_withdraw(stage->ring), 1);
	expect(stage->ring, 1, -ECANCELED);
	expect(stage->ring, 1, -ECANCELED);
}

static void a_withdrawn_vector_is_dropped_whole(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;
	struct saferring_range ranges[3];
	unsigned int number;
	uint64_t name;

	for (number = 0; number < 3; number++)
		ranges[number] = range(get(stage->pool), 0, 8);
	assert_int_equal(saferring_ring_readv(stage->ring, 0, ranges, 3, 0, 1),
			 0);
	name = saferring_ring_last(stage->ring);
	assert_int_equal(saferring_ring_withdraw(stage->ring), 1);
	assert_int_equal(saferring_ring_drop(stage->ring, name), 0);
	assert_int_equal(saferring_ring_reap(stage->ring, &c, 1), 0);
}

static void a_dropped_vector_gives_every_buffer_to_its_pool(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;
	struct saferring_range ranges[2];
	uint64_t name;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	ranges[0] = range(get(stage->pool), 0, 8);
	ranges[1] = range(get(stage->pool), 0, 8);
	assert_int_equal(saferring_ring_readv(stage->ring, pipe[0], ranges, 2,
					      -1, 1),
			 0);
	name = saferring_ring_last(stage->ring);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_ring_drop(stage->ring, name), 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1,
					     SAFERRING_FOREVER),
			 0);
	close(pipe[0]);
	close(pipe[1]);
}

/* And what is linked to it does not start either. */
static void a_vector_on_a_revoked_region_is_not_started(void **state)
{
	struct stage *stage = stage_up(0, DEPTH, STAGE_RING);
	struct saferring_range ranges[2];
	const int fd = pattern_file(16);
	unsigned int number;

	(void)state;
	ranges[0] = range(get(stage->pool), 0, 8);
	ranges[1] = range(get(stage->pool), 0, 8);
	assert_int_equal(saferring_ring_readv(stage->ring, fd, ranges, 2, 0, 1),
			 0);
	assert_int_equal(saferring_ring_modify(stage->ring, SAFERRING_LINK), 0);
	assert_int_equal(saferring_ring_nop(stage->ring, 2), 0);
	assert_int_equal(saferring_region_revoke(stage->region), 0);
	for (number = 0; number < 3; number++) {
		const struct saferring_completion c = next_of(stage->ring);

		assert_int_equal(c.result,
				 c.user_data == 1 ? -ESTALE : -ECANCELED);
		assert_int_equal(!(c.flags & SAFERRING_COMPLETION_REGION_GONE),
				 c.user_data == 2);
	}
	close(fd);
	stage_down(stage);
}

/* ---- contents and names ---- */

static void a_file_is_made_stretched_flushed_and_closed(void **state)
{
	struct stage *stage = *state;
	struct open_how how = { .flags = O_CREAT | O_RDWR, .mode = 0600 };
	char path[] = "/tmp/saferring-unit-XXXXXX", name[64];
	struct saferring_completion c;
	struct stat status;

	assert_non_null(mkdtemp(path));
	snprintf(name, sizeof(name), "%s/file", path);
	QUEUE(saferring_ring_open(stage->ring, AT_FDCWD, name, &how,
				  SAFERRING_SLOT_NONE, 1));
	/* The library has its own copy. */
	memset(&how, 0xff, sizeof(how));
	memset(name, 'x', 5);
	c = next_of(stage->ring);
	assert_true(c.result >= 0);
	assert_int_equal(c.operation, SAFERRING_OPERATION_OPEN);
	QUEUE(saferring_ring_fallocate(stage->ring, c.result, 0, 0, 5000, 2));
	expect(stage->ring, 2, 0);
	QUEUE(saferring_ring_fsync(stage->ring, c.result, 0, 3));
	expect(stage->ring, 3, 0);
	QUEUE(saferring_ring_fsync(stage->ring, c.result, 1, 3));
	expect(stage->ring, 3, 0);
	assert_int_equal(fstat(c.result, &status), 0);
	assert_int_equal(status.st_size, 5000);
	QUEUE(saferring_ring_close(stage->ring, c.result, 4));
	expect(stage->ring, 4, 0);
	assert_int_equal(fcntl(c.result, F_GETFD), -1);
	snprintf(name, sizeof(name), "%s/file", path);
	unlink(name);
	rmdir(path);
}

static void a_path_has_at_most_4095_bytes(void **state)
{
	struct stage *stage = *state;
	const struct open_how how = { .flags = O_RDONLY };
	char path[PATH_MAX + 1];

	memset(path, '/', sizeof(path));
	path[PATH_MAX] = '\0';
	assert_int_equal(saferring_ring_open(stage->ring, AT_FDCWD, path, &how,
					     SAFERRING_SLOT_NONE, 1),
			 -ENAMETOOLONG);
	assert_error(-ENAMETOOLONG, SAFERRING_REASON_ARGUMENT);
	path[PATH_MAX - 1] = '\0';
	QUEUE(saferring_ring_open(stage->ring, AT_FDCWD, path, &how,
				  SAFERRING_SLOT_NONE, 1));
	close(next_of(stage->ring).result);
}

static void attributes_come_into_a_buffer(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(12345);
	struct saferring_range where =
		range(get(stage->pool), 8, sizeof(struct statx));
	struct saferring_completion c;
	char path[64];
	int result;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	where.length--;
	result = saferring_ring_statx(stage->ring, AT_FDCWD, path, 0,
				      STATX_SIZE, &where, 1);
	assert_int_equal(result, -EINVAL);
	where.length++;
	where.start = 4;
	result = saferring_ring_statx(stage->ring, AT_FDCWD, path, 0,
				      STATX_SIZE, &where, 1);
	assert_int_equal(result, -EINVAL);
	where.start = 8;
	result = saferring_ring_statx(stage->ring, AT_FDCWD, path, 0,
				      STATX_SIZE, &where, 1);
	assert_int_equal(result, 0);
	c = next_of(stage->ring);
	assert_int_equal(c.result, 0);
	assert_int_equal(c.flags, 0);
	assert_int_equal(((struct statx *)(void *)(bytes_of(c.pool, c.buffer) +
						   8))->stx_size,
			 12345);
	put(c.pool, c.buffer);
	close(fd);
}

static void bytes_are_spliced_into_a_pipe(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(1000);
	unsigned char bytes[100];
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_splice(stage->ring, fd, 50, pipe[1], -1,
					       0, 0, 1),
			 -EINVAL);
	QUEUE(saferring_ring_splice(stage->ring, fd, 50, pipe[1], -1, 100, 0,
				    1));
	expect(stage->ring, 1, 100);
	assert_int_equal(read(pipe[0], bytes, 100), 100);
	assert_pattern(bytes, 50, 100);
	close(pipe[0]);
	close(pipe[1]);
	close(fd);
}

/* ---- registered files ---- */

static void a_registered_file_is_read(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(100);
	struct saferring_completion c;

	assert_int_equal(saferring_files_set(stage->ring, 0, fd), -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(saferring_files_create(stage->ring, 4), 0);
	assert_int_equal(saferring_files_create(stage->ring, 4), -EEXIST);
	assert_int_equal(saferring_files_set(stage->ring, 3, fd), 0);
	assert_int_equal(saferring_files_set(stage->ring, 4, fd), -EINVAL);
	close(fd);
	assert_int_equal(saferring_ring_read(stage->ring, SAFERRING_FILE(3),
					     get(stage->pool), 0, 100, 0, 1),
			 0);
	c = next_of(stage->ring);
	assert_int_equal(c.result, 100);
	assert_int_equal(c.operation, SAFERRING_OPERATION_READ);
	assert_pattern(bytes_of(c.pool, c.buffer), 0, 100);
	put(c.pool, c.buffer);
	/* A slot that is empty, and one that is none. */
	assert_int_equal(saferring_ring_read(stage->ring, SAFERRING_FILE(2),
					     get(stage->pool), 0, 100, 0, 2),
			 0);
	expect(stage->ring, 2, -EBADF);
	assert_int_equal(saferring_ring_read(stage->ring, SAFERRING_FILE(4),
					     get(stage->pool), 0, 100, 0, 2),
			 0);
	expect(stage->ring, 2, -EBADF);
	assert_int_equal(saferring_files_set(stage->ring, 3, 9999), -EBADF);
}

/* Neither by what is queued after it, nor by who else has the file. */
static void a_slot_that_was_emptied_is_not_read_from(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring *other = make_ring(stage->pool, 8, 0);
	const int fd = pattern_file(100);

	assert_int_equal(saferring_files_create(stage->ring, 2), 0);
	assert_int_equal(saferring_files_create(other, 2), 0);
	assert_int_equal(saferring_files_set(stage->ring, 1, fd), 0);
	assert_int_equal(saferring_ring_read(other, SAFERRING_FILE(1),
					     get(stage->pool), 0, 100, 0, 1),
			 0);
	expect(other, 1, -EBADF);
	assert_int_equal(saferring_files_set(stage->ring, 1, -1), 0);
	assert_int_equal(saferring_ring_read(stage->ring, SAFERRING_FILE(1),
					     get(stage->pool), 0, 100, 0, 2),
			 0);
	expect(stage->ring, 2, -EBADF);
	assert_int_equal(saferring_ring_destroy(other, DESTROY_MS), 0);
	close(fd);
}

static void a_table_of_files_has_at_least_1_slot(void **state)
{
	struct stage *stage = *state;
	struct rlimit limit;
	int result;

	assert_int_equal(saferring_files_create(stage->ring, 0), -EINVAL);
	assert_int_equal(saferring_files_create(stage->ring,
						SAFERRING_FILES_MAX + 1),
			 -EINVAL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	result = saferring_files_create(stage->ring, SAFERRING_FILES_MAX);
	assert_int_equal(result, limit.rlim_cur < SAFERRING_FILES_MAX ?
					 -EMFILE : 0);
}

static void a_slot_that_is_queued_for_is_not_changed(void **state)
{
	struct stage *stage = *state;
	const int one = pattern_file(8), other = pattern_file(0);
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_files_create(stage->ring, 4), 0);
	assert_int_equal(saferring_files_set(stage->ring, 1, one), 0);
	assert_int_equal(saferring_ring_read(stage->ring, SAFERRING_FILE(1),
					     get(stage->pool), 0, 8, 0, 1),
			 0);
	assert_int_equal(saferring_files_set(stage->ring, 1, other), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	assert_int_equal(saferring_ring_close(stage->ring, SAFERRING_FILE(1),
					      2),
			 -EBUSY);
	assert_int_equal(saferring_files_set(stage->ring, 2, pipe[0]), 0);
	expect(stage->ring, 1, 8);

	/* In flight it keeps the file that it began with. */
	assert_int_equal(saferring_ring_read(stage->ring, SAFERRING_FILE(2),
					     get(stage->pool), 0, 8, -1, 3),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_files_set(stage->ring, 2, other), 0);
	assert_int_equal(write(pipe[1], "1234", 4), 4);
	expect(stage->ring, 3, 4);
	assert_int_equal(saferring_files_set(stage->ring, 2, -1), 0);
	close(pipe[0]);
	close(pipe[1]);
	close(one);
	close(other);
}

static void a_file_is_opened_into_a_slot_read_and_closed(void **state)
{
	struct stage *stage = *state;
	const struct open_how how = { .flags = O_RDONLY };
	const int fd = pattern_file(64);
	struct saferring_completion c;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(saferring_ring_open(stage->ring, AT_FDCWD, path, &how,
					     SAFERRING_SLOT_ANY, 1),
			 -EINVAL);
	assert_int_equal(saferring_files_create(stage->ring, 2), 0);
	assert_int_equal(saferring_ring_open(stage->ring, AT_FDCWD, path, &how,
					     2, 1),
			 -EINVAL);
	assert_int_equal(saferring_ring_open(stage->ring, AT_FDCWD, path, &how,
					     -3, 1),
			 -EINVAL);
	QUEUE(saferring_ring_open(stage->ring, AT_FDCWD, path, &how, 1, 1));
	assert_int_equal(saferring_ring_modify(stage->ring, SAFERRING_LINK), 0);
	assert_int_equal(saferring_ring_read(stage->ring, SAFERRING_FILE(1),
					     get(stage->pool), 0, 64, 0, 2),
			 0);
	expect(stage->ring, 1, 0);
	expect(stage->ring, 2, 64);
	QUEUE(saferring_ring_close(stage->ring, SAFERRING_FILE(1), 3));
	expect(stage->ring, 3, 0);
	QUEUE(saferring_ring_open(stage->ring, AT_FDCWD, path, &how,
				  SAFERRING_SLOT_ANY, 4));
	c = next_of(stage->ring);
	assert_in_range(c.result, 0, 1);
	close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
#define U(name) cmocka_unit_test_setup_teardown(name, up_unfixed, down)
	const struct CMUnitTest tests[] = {
		T(a_vector_is_read_part_by_part),
		U(a_vector_is_read_part_by_part),
		T(a_vector_is_written_in_order),
		U(a_vector_is_written_in_order),
		T(a_failed_vector_gives_every_buffer_back),
		T(the_parts_of_a_vector_are_reaped_one_by_one),
		T(a_refused_vector_has_changed_nothing),
		T(a_vector_has_1_to_64_ranges),
		T(a_withdrawn_vector_gives_every_buffer_back),
		T(a_withdrawn_vector_is_dropped_whole),
		T(a_dropped_vector_gives_every_buffer_to_its_pool),
		cmocka_unit_test(a_vector_on_a_revoked_region_is_not_started),
		T(a_file_is_made_stretched_flushed_and_closed),
		T(a_path_has_at_most_4095_bytes),
		T(attributes_come_into_a_buffer),
		T(bytes_are_spliced_into_a_pipe),
		T(a_registered_file_is_read),
		T(a_slot_that_was_emptied_is_not_read_from),
		T(a_table_of_files_has_at_least_1_slot),
		T(a_slot_that_is_queued_for_is_not_changed),
		T(a_file_is_opened_into_a_slot_read_and_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
