// SPDX-License-Identifier: GPL-2.0
/*
 * Files, by the engine that stands in for io_uring. What is read into is set
 * before: valgrind does not see a ring of the kernel write.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include "scenario.h"

SCENARIO(files_are_read_and_written)
{
	const int fd = pattern_file(10000);
	char data[4096] = { 0 }, other[4096] = { 0 };
	struct iovec iovec[2] = { { data, 100 }, { other, 200 } };

	PREPARE(bench, 1, io_uring_prep_read, fd, data, sizeof(data), 5000);
	assert_int_equal(result_of(bench), sizeof(data));
	assert_pattern(data, 5000, sizeof(data));
	PREPARE(bench, 1, io_uring_prep_read, fd, data, sizeof(data), 9990);
	assert_int_equal(result_of(bench), 10);
	PREPARE(bench, 1, io_uring_prep_read, fd, data, sizeof(data), 20000);
	assert_int_equal(result_of(bench), 0);
	PREPARE(bench, 1, io_uring_prep_readv, fd, iovec, 2, 40);
	assert_int_equal(result_of(bench), 300);
	assert_pattern(data, 40, 100);
	assert_pattern(other, 140, 200);
	PREPARE(bench, 1, io_uring_prep_write, fd, other, 200, 10000);
	assert_int_equal(result_of(bench), 200);
	PREPARE(bench, 1, io_uring_prep_fsync, fd, IORING_FSYNC_DATASYNC);
	assert_int_equal(result_of(bench), 0);
	assert_int_equal(pread(fd, data, sizeof(data), 10000), 200);
	assert_memory_equal(data, other, 200);
	close(fd);
}

SCENARIO(the_position_of_a_file_moves)
{
	const int fd = pattern_file(1000);
	char data[600] = { 0 };

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	PREPARE(bench, 1, io_uring_prep_read, fd, data, 600, -1);
	assert_int_equal(result_of(bench), 600);
	PREPARE(bench, 1, io_uring_prep_read, fd, data, 600, -1);
	assert_int_equal(result_of(bench), 400);
	assert_pattern(data, 600, 400);
	close(fd);
}

SCENARIO(errors_are_those_of_the_system_call)
{
	const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char byte = 0;

	PREPARE(bench, 1, io_uring_prep_read, 9999, &byte, 1, 0);
	assert_int_equal(result_of(bench), -EBADF);
	PREPARE(bench, 1, io_uring_prep_write, fd, &byte, 1, 0);
	assert_int_equal(result_of(bench), -EBADF);
	PREPARE(bench, 1, io_uring_prep_read, fd, &byte, 1, 0);
	assert_int_equal(result_of(bench), 0);
	PREPARE(bench, 1, io_uring_prep_recv, fd, &byte, 1, 0);
	assert_int_equal(result_of(bench), -ENOTSOCK);
	PREPARE(bench, 1, io_uring_prep_openat, AT_FDCWD, "/nowhere/at/all",
		O_RDONLY, 0);
	assert_int_equal(result_of(bench), -ENOENT);
	sqe_of(bench, 1)->opcode = 250;
	assert_int_equal(result_of(bench), -EINVAL);
	close(fd);
}

SCENARIO(files_are_opened_looked_at_and_closed)
{
	char path[] = "/tmp/safer-ring-engine.XXXXXX";
	const int made = mkstemp(path);
	struct statx statx = { 0 };
	int fd;

	assert_true(made >= 0);
	assert_int_equal(write(made, "four", 4), 4);
	close(made);
	PREPARE(bench, 1, io_uring_prep_openat, AT_FDCWD, path,
		O_RDWR | O_CLOEXEC, 0);
	fd = result_of(bench);
	assert_true(fd >= 0);
	PREPARE(bench, 1, io_uring_prep_fallocate, fd, 0, 0, 8192);
	assert_int_equal(result_of(bench), 0);
	PREPARE(bench, 1, io_uring_prep_statx, AT_FDCWD, path, 0, STATX_SIZE,
		&statx);
	assert_int_equal(result_of(bench), 0);
	assert_int_equal(statx.stx_size, 8192);
	PREPARE(bench, 1, io_uring_prep_close, fd);
	assert_int_equal(result_of(bench), 0);
	PREPARE(bench, 1, io_uring_prep_close, fd);
	assert_int_equal(result_of(bench), -EBADF);
	PREPARE(bench, 1, io_uring_prep_unlinkat, AT_FDCWD, path, 0);
	assert_int_equal(result_of(bench), 0);
	assert_int_equal(access(path, F_OK), -1);
}

SCENARIO(many_reads_of_a_file_end_with_the_right_data)
{
	const int fd = pattern_file(DEPTH * 512);
	char data[DEPTH + 1][512];
	int results[DEPTH + 1];
	unsigned int round, number;

	for (round = 0; round < 200; round++) {
		memset(data, 0, sizeof(data));
		for (number = 1; number <= DEPTH; number++)
			PREPARE(bench, number, io_uring_prep_read, fd,
				data[number], 512, (number - 1) * 512);
		submit_and_wait(bench, DEPTH);
		collect(bench, results, DEPTH);
		for (number = 1; number <= DEPTH; number++) {
			assert_int_equal(results[number], 512);
			assert_pattern(data[number], (number - 1) * 512, 512);
		}
	}
	close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(files_are_read_and_written),
		T(the_position_of_a_file_moves),
		T(errors_are_those_of_the_system_call),
		T(files_are_opened_looked_at_and_closed),
		T(many_reads_of_a_file_end_with_the_right_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
