// SPDX-License-Identifier: GPL-2.0
/*
 * How rings are set up: flags, presets, sizes, commands to drivers.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "common.h"

#define DEPTH 8U

static int up(void **state)
{
	*state = stage_up(0, DEPTH, 0);
	return 0;
}

static int down(void **state)
{
	struct stage *stage = *state;

	if (stage->ring)
		assert_int_equal(saferring_ring_destroy(stage->ring,
							DESTROY_MS),
				 0);
	stage->ring = NULL;
	assert_all_back(stage->pool);
	stage_down(stage);
	return 0;
}

static int try_ring(struct stage *stage, unsigned int flags,
		    unsigned int preset, unsigned int completions)
{
	struct saferring_ring_options options;

	SAFERRING_OPTIONS_INIT(&options);
	options.depth = DEPTH;
	options.pools = &stage->pool;
	options.pool_count = 1;
	options.flags = flags;
	options.preset = preset;
	options.completions = completions;
	options.poll_ms = 50;
	return saferring_ring_create(&options, &stage->ring);
}

/* A ring as demanded, or a skip. */
static void need_ring(struct stage *stage, unsigned int flags)
{
	const int result = try_ring(stage, flags, 0, 0);

	if (result == -EINVAL || result == -EPERM)
		SKIP("%s", saferring_error_last()->what);
	assert_int_equal(result, 0);
}

static struct saferring_ring_info info_of(const struct stage *stage)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_ring_info(stage->ring, &info), 0);
	return info;
}

static void read_block(struct stage *stage, int fd, unsigned int block)
{
	assert_int_equal(saferring_ring_read(stage->ring, fd, get(stage->pool),
					     0, BUFFER_SIZE,
					     block * BUFFER_SIZE, block),
			 0);
}

/* Read a file DEPTH blocks at a time, many times around the queue. */
static void read_much(struct stage *stage)
{
	const unsigned int blocks = 20 * DEPTH;
	const int fd = pattern_file(blocks * BUFFER_SIZE);
	struct saferring_completion c[DEPTH];
	unsigned int next = 0, done = 0;
	int count, number;

	while (done < blocks) {
		while (next < blocks && next - done < DEPTH)
			read_block(stage, fd, next++);
		count = saferring_ring_wait(stage->ring, c, DEPTH, 1,
					    SAFERRING_FOREVER);
		assert_true(count >= 1);
		for (number = 0; number < count; number++) {
			assert_int_equal(c[number].result, BUFFER_SIZE);
			assert_pattern(bytes_of(c[number].pool,
						c[number].buffer),
				       c[number].user_data * BUFFER_SIZE,
				       BUFFER_SIZE);
			put(c[number].pool, c[number].buffer);
		}
		done += (unsigned int)count;
	}
	close(fd);
}

static void withdraw_and_drop(struct stage *stage)
{
	struct saferring_completion c;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 1),
			 0);
	assert_int_equal(saferring_ring_withdraw(stage->ring), 1);
	expect(stage->ring, 1, -ECANCELED);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 2),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_ring_drop(stage->ring,
					     saferring_ring_find(stage->ring,
								 2)),
			 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1,
					     SAFERRING_FOREVER),
			 0);
	assert_all_back(stage->pool);
	close(pipe[0]);
	close(pipe[1]);
}

static void every_preset_works_and_says_what_it_is(void **state)
{
	struct stage *stage = *state;
	unsigned int preset;

	for (preset = 0; preset <= SAFERRING_PRESET_PRODUCTION; preset++) {
		assert_int_equal(try_ring(stage, 0, preset, 0), 0);
		assert_non_null(strstr(info_of(stage).setup, ": in use"));
		print_message("# preset %u: %s\n", preset,
			      info_of(stage).setup);
		read_much(stage);
		withdraw_and_drop(stage);
		assert_int_equal(saferring_ring_destroy(stage->ring,
							DESTROY_MS),
				 0);
		stage->ring = NULL;
	}
	assert_int_equal(try_ring(stage, 0, preset, 0), -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
}

static void a_thread_of_the_kernels_looks_for_entries(void **state)
{
	struct stage *stage = *state;

	need_ring(stage, SAFERRING_RING_SQPOLL);
	assert_true(info_of(stage).setup_flags & IORING_SETUP_SQPOLL);
	read_much(stage);
	withdraw_and_drop(stage);
}

static void one_thread_has_its_work_deferred(void **state)
{
	struct stage *stage = *state;

	need_ring(stage, SAFERRING_RING_ONE_THREAD);
	assert_true(info_of(stage).setup_flags & IORING_SETUP_DEFER_TASKRUN);
	assert_non_null(strstr(info_of(stage).setup,
			       "registered ring descriptor: in use"));
	read_much(stage);
	withdraw_and_drop(stage);
}

static void *use_from_another_thread(void *argument)
{
	struct stage *stage = argument;

	assert_int_equal(saferring_ring_nop(stage->ring, 1), 0);
	assert_true(saferring_ring_submit(stage->ring) < 0);
	return NULL;
}

static void another_thread_is_refused_a_ring_of_one(void **state)
{
	struct stage *stage = *state;
	pthread_t thread;

	need_ring(stage, SAFERRING_RING_ONE_THREAD);
	assert_int_equal(pthread_create(&thread, NULL, use_from_another_thread,
					stage),
			 0);
	pthread_join(thread, NULL);
	expect(stage->ring, 1, 0);
}

static void a_polled_ring_completes(void **state)
{
	struct stage *stage = *state;

	need_ring(stage, SAFERRING_RING_IOPOLL);
	assert_int_equal(saferring_ring_nop(stage->ring, 1), 0);
	expect(stage->ring, 1, 0);
}

static void a_ring_for_commands_reads_as_well(void **state)
{
	struct stage *stage = *state;

	need_ring(stage, SAFERRING_RING_COMMANDS);
	read_much(stage);
	withdraw_and_drop(stage);
}

static void a_command_needs_a_ring_for_it(void **state)
{
	struct stage *stage = *state;
	const struct nvme_uring_cmd nvme = { 0 };
	char command[SAFERRING_COMMAND_MAX + 1] = { 0 };
	const int fd = pattern_file(1);

	assert_int_equal(try_ring(stage, 0, 0, 0), 0);
	if (!saferring_ring_supports(stage->ring,
				     SAFERRING_OPERATION_COMMAND))
		SKIP("%s", saferring_error_last()->what);
	assert_int_equal(saferring_ring_nvme(stage->ring, fd, &nvme, NULL, 1),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	need_ring(stage, SAFERRING_RING_COMMANDS);
	assert_int_equal(saferring_ring_command(stage->ring, fd, 1, command,
						sizeof(command), NULL, 0, 1),
			 -EINVAL);
	assert_int_equal(saferring_ring_command(stage->ring, fd, 1, command, 0,
						NULL, 0, 1),
			 -EINVAL);
	/* A file that knows no commands. */
	assert_int_equal(saferring_ring_command(stage->ring, fd, 1, command,
						SAFERRING_COMMAND_MAX, NULL, 0,
						1),
			 0);
	expect(stage->ring, 1, -EOPNOTSUPP);
	close(fd);
}

/* The first block of the namespace, once by the file and once by a command. */
static struct saferring_completion read_by_command(struct stage *stage,
						   int device)
{
	struct nvme_uring_cmd command = { .opcode = 2, .nsid = 1,
					  .cdw12 = 7 };
	struct saferring_range range = { .length = 4096 };

	range.buffer = get(stage->pool);
	memset(bytes_of(stage->pool, range.buffer), 0xee, 4096);
	QUEUE(saferring_ring_nvme(stage->ring, device, &command, &range, 1));
	return next_of(stage->ring);
}

/*
 * There is a file system, whose first block may be written at any time: what
 * counts is a command between two reads of the same.
 */
static void an_nvme_command_reads_what_is_on_the_disk(void **state)
{
	struct stage *stage = *state;
	const int device = open("/dev/ng0n1", O_RDWR | O_CLOEXEC);
	const int disk = open("/dev/nvme0n1", O_RDONLY | O_DIRECT | O_CLOEXEC);
	static unsigned char before[4096] __attribute__((aligned(4096)));
	static unsigned char after[4096] __attribute__((aligned(4096)));
	struct saferring_completion c;
	unsigned int attempt = 0;
	int same;

	if (device < 0 || disk < 0)
		SKIP("no NVMe disk: /dev/ng0n1 or /dev/nvme0n1: %s",
		     strerror(errno));
	need_ring(stage, SAFERRING_RING_COMMANDS);
	do {
		assert_int_equal(pread(disk, before, 4096, 0), 4096);
		c = read_by_command(stage, device);
		assert_int_equal(c.operation, SAFERRING_OPERATION_COMMAND);
		assert_int_equal(c.result, 0);
		assert_int_equal(pread(disk, after, 4096, 0), 4096);
		same = !memcmp(before, after, 4096);
		if (same)
			assert_memory_equal(bytes_of(c.pool, c.buffer), after,
					    4096);
		put(c.pool, c.buffer);
	} while (!same && ++attempt < 100);
	assert_true(same);
	close(device);
	close(disk);
}

static void room_for_completions_has_limits(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(try_ring(stage, 0, 0, DEPTH - 1), -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(try_ring(stage, 0, 0,
				  SAFERRING_RING_COMPLETIONS_MAX + 1),
			 -EINVAL);
	assert_int_equal(try_ring(stage, 0, 0, SAFERRING_RING_COMPLETIONS_MAX),
			 0);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	assert_int_equal(try_ring(stage, 0, 0, DEPTH), 0);
}

static int connected(int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&address, &length))
		return -1;
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(ends[0], (struct sockaddr *)&address, length))
		return -1;
	ends[1] = accept(fd, NULL, NULL);
	return close(fd);
}

/* Two completions for each, in a queue that has room for one. */
static void completions_beyond_the_room_are_not_lost(void **state)
{
	struct stage *stage = *state;
	struct saferring_range range = { .length = BUFFER_SIZE };
	static char bytes[DEPTH * BUFFER_SIZE];
	unsigned int number, seen = 0, back = 0;
	int ends[2] = { -1, -1 };
	ssize_t count;
	size_t got;

	assert_int_equal(try_ring(stage, 0, 0, DEPTH), 0);
	assert_int_equal(connected(ends), 0);
	for (number = 0; number < DEPTH; number++) {
		range.buffer = get(stage->pool);
		QUEUE(saferring_ring_send_zc(stage->ring, ends[0], &range, 0,
					     number));
	}
	assert_int_equal(saferring_ring_submit(stage->ring), DEPTH);
	/* Work for this task ends even a call that waits for all. */
	for (got = 0; got < sizeof(bytes); got += (size_t)count) {
		count = recv(ends[1], bytes, sizeof(bytes) - got, 0);
		assert_true(count > 0 || errno == EINTR);
		count = count < 0 ? 0 : count;
	}
	while (back < DEPTH) {
		const struct saferring_completion c = next_of(stage->ring);

		seen++;
		assert_int_equal(c.result, BUFFER_SIZE);
		if (!c.pool)
			continue;
		put(c.pool, c.buffer);
		back++;
	}
	assert_in_range(seen, DEPTH, 2 * DEPTH);
	close(ends[0]);
	close(ends[1]);
}

/* Its thread may find both submissions at once. */
static void with_sqpoll_a_chain_ends_with_its_submission(void **state)
{
	struct stage *stage = *state;
	int round;

	need_ring(stage, SAFERRING_RING_SQPOLL);
	for (round = 0; round < 2000; round++) {
		assert_int_equal(saferring_ring_read(stage->ring, -1,
						     get(stage->pool), 0, 8, 0,
						     1),
				 0);
		assert_int_equal(saferring_ring_modify(stage->ring,
						       SAFERRING_LINK),
				 0);
		assert_int_equal(saferring_ring_submit(stage->ring), 1);
		assert_int_equal(saferring_ring_nop(stage->ring, 2), 0);
		assert_int_equal(saferring_ring_submit(stage->ring), 1);
		expect(stage->ring, 1, -EBADF);
		expect(stage->ring, 2, 0);
	}
}

/* ---- a thread of the kernel's that does not get to run ---- */

static bool hog_runs, hog_ends;

static void *hog(void *argument)
{
	(void)argument;
	__atomic_store_n(&hog_runs, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&hog_ends, __ATOMIC_ACQUIRE))
		;
	return NULL;
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* Nothing but this runs on CPU 0 until it is told to end, or SKIP. */
static pthread_t start_hog(void)
{
	const struct sched_param priority = { .sched_priority = 10 };
	pthread_attr_t attributes;
	pthread_t thread;
	cpu_set_t set;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("one CPU");
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	pthread_attr_init(&attributes);
	pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
	pthread_attr_setschedparam(&attributes, &priority);
	pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
	hog_runs = false;
	hog_ends = false;
	if (pthread_create(&thread, &attributes, hog, NULL))
		SKIP("no thread may run before all others here");
	pthread_attr_destroy(&attributes);
	while (!__atomic_load_n(&hog_runs, __ATOMIC_ACQUIRE))
		;
	return thread;
}

static void end_hog(pthread_t thread)
{
	__atomic_store_n(&hog_ends, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

static struct saferring_batch *hang_many(struct stage *stage, int fd)
{
	struct saferring_batch *batch;
	unsigned int step;

	assert_int_equal(saferring_batch_create(stage->ring, DEPTH / 2, 0,
						&batch),
			 0);
	for (step = 0; step < DEPTH / 2; step++) {
		assert_int_equal(saferring_ring_read(stage->ring, fd,
						     get(stage->pool), 0, 8, -1,
						     99),
				 0);
		assert_int_equal(saferring_batch_add(batch), step);
	}
	assert_int_equal(saferring_batch_submit(batch), DEPTH / 2);
	return batch;
}

/*
 * What it has not taken yet is not written over: an operation would be lost, and
 * another one done twice, the second time into a buffer that is back already.
 */
static void a_late_sqpoll_thread_loses_and_repeats_nothing(void **state)
{
	struct stage *stage = *state;
	unsigned int before = reports, number, nops = 0, reads = 0;
	struct saferring_ring_options options;
	struct saferring_batch *batch;
	pthread_t thread;
	cpu_set_t set;
	int pipe[2];

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	SAFERRING_OPTIONS_INIT(&options);
	options.depth = DEPTH;
	options.pools = &stage->pool;
	options.pool_count = 1;
	options.flags = SAFERRING_RING_SQPOLL;
	options.poll_cpu = 1;
	options.poll_ms = 1000;
	if (saferring_ring_create(&options, &stage->ring))
		SKIP("%s", saferring_error_last()->what);
	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	batch = hang_many(stage, pipe[0]);
	usleep(10000);
	stay_on(1);
	thread = start_hog();
	for (number = 0; number < 8; number++) {
		assert_int_equal(saferring_batch_cancel(batch), DEPTH / 2);
		assert_true(saferring_ring_submit(stage->ring) >= 0);
	}
	for (number = 0; number < DEPTH / 2; number++) {
		assert_int_equal(saferring_ring_nop(stage->ring, number), 0);
		assert_true(saferring_ring_submit(stage->ring) >= 0);
	}
	end_hog(thread);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
	for (number = 0; number < DEPTH; number++) {
		const struct saferring_completion c = next_of(stage->ring);

		nops += !c.pool;
		reads += c.pool && c.result == -ECANCELED;
		if (c.pool)
			put(c.pool, c.buffer);
	}
	assert_int_equal(nops, DEPTH / 2);
	assert_int_equal(reads, DEPTH / 2);
	usleep(10000);
	assert_int_equal(saferring_ring_nop(stage->ring, 1), 0);
	expect(stage->ring, 1, 0);
	assert_int_equal(reports, before);
	assert_int_equal(saferring_batch_destroy(batch), 0);
	close(pipe[0]);
	close(pipe[1]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(every_preset_works_and_says_what_it_is),
		T(a_thread_of_the_kernels_looks_for_entries),
		T(one_thread_has_its_work_deferred),
		T(another_thread_is_refused_a_ring_of_one),
		T(a_polled_ring_completes),
		T(a_ring_for_commands_reads_as_well),
		T(a_command_needs_a_ring_for_it),
		T(an_nvme_command_reads_what_is_on_the_disk),
		T(room_for_completions_has_limits),
		T(completions_beyond_the_room_are_not_lost),
		T(with_sqpoll_a_chain_ends_with_its_submission),
		T(a_late_sqpoll_thread_loses_and_repeats_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
