// SPDX-License-Identifier: GPL-2.0
/*
 * RLIMIT_MEMLOCK too small, or io_uring forbidden: the program learns what is
 * needed, and goes on where that is possible.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "common.h"

#define LENGTH (32UL << 20)
#define LIMIT  (1UL << 20)

/* Exit status by which the child says that it could not try. */
#define COULD_NOT 77

/* Another uid, so that what other processes of root have does not count. */
static void become_limited(rlim_t limit)
{
	const struct rlimit rlimit = { limit, limit };
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { { 0 } };

	if (setrlimit(RLIMIT_MEMLOCK, &rlimit))
		_exit(COULD_NOT);
	if (!geteuid() && setuid(65534))
		_exit(COULD_NOT);
	syscall(SYS_capset, &header, none);
}

/* The child ends without taking down what it has: the kernel does it. */
static struct stage kept;

static struct saferring_pool *pool_of(size_t length)
{
	kept.device = open_device();
	kept.region = make_region(kept.device, length);
	kept.pool = make_pool(kept.region, 0, 0, "big");
	return kept.pool;
}

/* Nothing of it is in use by a ring that was refused. */
static void drop_kept(void)
{
	assert_int_equal(saferring_pool_destroy(kept.pool), 0);
	drop_region(kept.region);
	assert_int_equal(saferring_device_close(kept.device), 0);
}

static void read_something(struct saferring_ring *ring,
			   struct saferring_pool *pool, int fd)
{
	struct saferring_completion completion;

	assert_int_equal(saferring_ring_read(ring, fd, get(pool), 0,
					     BUFFER_SIZE, 0, 0),
			 0);
	assert_int_equal(saferring_ring_wait(ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_int_equal(completion.result, BUFFER_SIZE);
	assert_pattern(saferring_buffer_data(pool, completion.buffer), 0,
		       BUFFER_SIZE);
	put(pool, completion.buffer);
}

static void assert_memlock_detail(void)
{
	const struct saferring_error *error = saferring_error_last();

	assert_error(-ENOMEM, SAFERRING_REASON_MEMLOCK);
	assert_int_equal(error->needed, LENGTH);
	assert_int_equal(error->limit, LIMIT);
	assert_non_null(strstr(error->cure, "ulimit -l 32768"));
	assert_non_null(strstr(error->cure, "LimitMEMLOCK=33554432"));
	assert_non_null(strstr(error->cure, "CAP_IPC_LOCK"));
}

static void goes_on_unregistered(void *unused __attribute__((unused)))
{
	struct saferring_ring_info info = { .size = sizeof(info) };
	struct saferring_pool *pool = pool_of(LENGTH);
	const int fd = pattern_file(BUFFER_SIZE);
	struct saferring_ring *ring;

	become_limited(LIMIT);
	ring = make_ring(pool, 8, 0);
	assert_memlock_detail();
	assert_int_equal(saferring_ring_info(ring, &info), 0);
	assert_int_equal(info.fixed, 0);
	assert_int_equal(info.fixed_buffers, 0);
	assert_int_equal(info.fixed_bytes, 0);
	assert_non_null(strstr(info.reason, "RLIMIT_MEMLOCK"));
	read_something(ring, pool, fd);
	assert_int_equal(saferring_ring_destroy(ring, 0), 0);
}

static void fails_if_fixed_is_required(void *unused __attribute__((unused)))
{
	struct saferring_ring_options options;
	struct saferring_pool *pool = pool_of(LENGTH);
	struct saferring_ring *ring = NULL;

	become_limited(LIMIT);
	SAFERRING_OPTIONS_INIT(&options);
	options.pools = &pool;
	options.pool_count = 1;
	options.flags = SAFERRING_RING_REQUIRE_FIXED;
	assert_int_equal(saferring_ring_create(&options, &ring), -ENOMEM);
	assert_null(ring);
	assert_memlock_detail();
	drop_kept();
}

static void registers_within_the_limit(void *unused __attribute__((unused)))
{
	struct saferring_ring_info info = { .size = sizeof(info) };
	struct saferring_pool *pool = pool_of(4 * LIMIT);
	struct saferring_ring *ring;

	/* Kernels before 5.12 charge the ring itself, too. */
	become_limited(5 * LIMIT);
	ring = make_ring(pool, 8, SAFERRING_RING_REQUIRE_FIXED);
	assert_int_equal(saferring_ring_info(ring, &info), 0);
	assert_int_equal(info.fixed, 1);
	assert_int_equal(saferring_ring_destroy(ring, 0), 0);
}

static void probe_tells_the_limit(void *unused __attribute__((unused)))
{
	struct saferring_probe probe = { .size = sizeof(probe) };
	char text[4096];

	become_limited(LIMIT);
	assert_int_equal(saferring_probe(&probe), 0);
	assert_int_equal(probe.memlock_exempt, 0);
	assert_int_equal(probe.memlock_limit, LIMIT);
	saferring_probe_text(&probe, text, sizeof(text));
	assert_non_null(strstr(text, "1024 KiB"));
}

/* Have a system call answer as it does where it is forbidden or absent. */
static void filter_call(uint32_t number, uint32_t answer)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = sizeof(code) / sizeof(*code), .filter = code
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(COULD_NOT);
}

static void says_that_there_is_no_io_uring(void *answer)
{
	const int code = *(const int *)answer;
	struct saferring_probe probe = { .size = sizeof(probe) };
	struct saferring_ring_options options;
	struct saferring_ring *ring = NULL;
	struct saferring_pool *pool = pool_of(LENGTH);

	filter_call(SYS_io_uring_setup, (uint32_t)code);
	SAFERRING_OPTIONS_INIT(&options);
	options.pools = &pool;
	options.pool_count = 1;
	options.flags = SAFERRING_RING_REQUIRE_URING;
	assert_int_equal(saferring_ring_create(&options, &ring), -code);
	assert_error(-code, SAFERRING_REASON_NO_IO_URING);
	assert_string_not_equal(saferring_error_last()->cure, "");
	assert_int_equal(saferring_probe(&probe), 0);
	assert_int_equal(probe.io_uring, -code);
	assert_string_not_equal(probe.io_uring_reason, "");
	drop_kept();
}

static void uses_threads(void *answer)
{
	struct saferring_ring_info info = { .size = sizeof(info) };
	struct saferring_completion done;
	struct saferring_ring *ring;
	struct saferring_pool *pool = pool_of(LENGTH);
	const int fd = pattern_file(1000);

	filter_call(SYS_io_uring_setup, (uint32_t)*(const int *)answer);
	ring = make_ring(pool, 4, 0);
	assert_int_equal(saferring_ring_info(ring, &info), 0);
	assert_int_equal(info.engine, SAFERRING_ENGINE_THREADS);
	assert_non_null(strstr(info.engine_reason, "io_uring"));
	assert_int_equal(info.fixed, 0);
	assert_int_equal(saferring_ring_read(ring, fd, get(pool), 0, 1000, 0,
					     5),
			 0);
	assert_int_equal(saferring_ring_wait(ring, &done, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_int_equal(done.result, 1000);
	assert_pattern(saferring_buffer_data(pool, done.buffer), 0, 1000);
	put(pool, done.buffer);
	assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
	drop_kept();
}

/* As filters of containers do that are older than the call. */
static void opens_without_openat2(void *unused)
{
	const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
	struct saferring_pool *pool = pool_of(LENGTH);
	struct saferring_completion done;
	struct saferring_ring *ring;

	(void)unused;
	filter_call(SYS_io_uring_setup, EPERM);
	filter_call(SYS_openat2, ENOSYS);
	ring = make_ring(pool, 4, 0);
	assert_int_equal(saferring_ring_open(ring, AT_FDCWD, "/dev/null",
					     &how, SAFERRING_SLOT_NONE, 1),
			 0);
	done = next_of(ring);
	assert_true(done.result >= 0);
	assert_int_equal(fcntl(done.result, F_GETFD), FD_CLOEXEC);
	assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
	drop_kept();
}

static void try(void (*function)(void *), void *argument)
{
	const int status = exit_status(function, argument);

	if (status == COULD_NOT)
		SKIP("the limit cannot be set in this environment");
	assert_int_equal(status, 0);
}

static void a_ring_goes_on_unregistered_when_memlock_is_small(void **state)
{
	(void)state;
	try(goes_on_unregistered, NULL);
}

static void a_ring_that_requires_fixed_buffers_fails_with_the_cure(void **state)
{
	(void)state;
	try(fails_if_fixed_is_required, NULL);
}

static void a_ring_within_the_limit_is_registered(void **state)
{
	(void)state;
	try(registers_within_the_limit, NULL);
}

static void the_probe_tells_the_limit(void **state)
{
	(void)state;
	try(probe_tells_the_limit, NULL);
}

static void an_absent_io_uring_is_named(void **state)
{
	int answer = ENOSYS;

	(void)state;
	try(says_that_there_is_no_io_uring, &answer);
}

static void a_forbidden_io_uring_is_named(void **state)
{
	int answer = EPERM;

	(void)state;
	try(says_that_there_is_no_io_uring, &answer);
}

static void threads_do_the_work_where_io_uring_is_absent(void **state)
{
	int answer = ENOSYS;

	(void)state;
	try(uses_threads, &answer);
}

static void threads_do_the_work_where_io_uring_is_forbidden(void **state)
{
	int answer = EPERM;

	(void)state;
	try(uses_threads, &answer);
}

static void threads_open_files_where_openat2_is_absent(void **state)
{
	(void)state;
	try(opens_without_openat2, NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(a_ring_goes_on_unregistered_when_memlock_is_small),
		T(a_ring_that_requires_fixed_buffers_fails_with_the_cure),
		T(a_ring_within_the_limit_is_registered),
		T(the_probe_tells_the_limit),
		T(an_absent_io_uring_is_named),
		T(a_forbidden_io_uring_is_named),
		T(threads_do_the_work_where_io_uring_is_absent),
		T(threads_do_the_work_where_io_uring_is_forbidden),
		T(threads_open_files_where_openat2_is_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
