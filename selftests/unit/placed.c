// SPDX-License-Identifier: GPL-2.0
/*
 * Rings whose own memory lies in a region: the queues, and the entries of their
 * groups. Kernels that do not take such memory say so, and do all else.
 */
#include <liburing.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include "placing.h"

#define NO_MMAP (1U << 14)

/* What this kernel takes: see saferring_ring_memory(). */
enum kernel { TAKES_NONE, TAKES_PAGES, TAKES_ALL };

static enum kernel kernel(void)
{
	struct utsname name;
	long major, minor;
	char *end;

	assert_int_equal(uname(&name), 0);
	major = strtol(name.release, &end, 10);
	minor = strtol(end + 1, NULL, 10);
	if (major < 6 || (major == 6 && minor < 5))
		return TAKES_NONE;
	return major == 6 && minor < 10 ? TAKES_PAGES : TAKES_ALL;
}

/* A ring that is placed, or a skip with the kernel's reason. */
static struct saferring_ring *
need_placed(const struct saferring_ring_options *options)
{
	struct saferring_ring *ring = NULL;

	if (kernel() == TAKES_NONE)
		SKIP("the kernel is older than 6.5");
	if (saferring_ring_create(options, &ring))
		fail_msg("%s", saferring_error_last()->what);
	if (!info_of(ring).memory)
		print_message("# %s\n", info_of(ring).memory_reason);
	if (kernel() == TAKES_ALL)
		assert_int_equal(info_of(ring).memory, 1);
	return ring;
}

/* Read a file a queue at a time, several times around the queue. */
static void read_much(struct stage *stage, struct saferring_ring *ring)
{
	const unsigned int blocks = 10 * DEPTH;
	const int fd = pattern_file(blocks * BUFFER_SIZE);
	struct saferring_completion c[DEPTH];
	unsigned int next = 0, done = 0;
	int count, number;

	while (done < blocks) {
		for (; next < blocks && next - done < DEPTH; next++)
			assert_int_equal(
				saferring_ring_read(ring, fd, get(stage->pool),
						    0, BUFFER_SIZE,
						    next * BUFFER_SIZE, next),
				0);
		count = saferring_ring_wait(ring, c, DEPTH, 1,
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

static int up(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_PLACED);
	return 0;
}

static int down(void **state)
{
	struct stage *stage = *state;

	assert_all_back(stage->pool);
	stage_down(stage);
	return 0;
}

/* ---- where things lie ---- */

/* Mappings of descriptors of rings: there are none if no memory is the kernel's. */
static unsigned int mappings_of_rings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned int count = 0;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strstr(line, "io_uring"))
			count++;
	fclose(file);
	return count;
}

static void the_queues_lie_in_the_region(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options =
		options_of(stage, stage->memory);
	const struct io_uring_sqe *sqe =
		saferring_region_address(stage->memory);
	struct saferring_ring *ring = need_placed(&options);
	struct saferring_ring_info info = info_of(ring);

	if (!info.memory)
		SKIP("%s", info.memory_reason);
	assert_true(info.setup_flags & NO_MMAP);
	assert_string_equal(info.memory_reason, "");
	assert_non_null(strstr(info.setup, "its own memory in the region"));
	assert_int_equal(info.memory_bytes, saferring_ring_memory(&options));
	assert_int_equal(mappings_of_rings(), 0);
	/* An operation that is queued stands in it. */
	assert_int_equal(sqe->opcode, 0);
	assert_int_equal(saferring_ring_read(ring, 77, get(stage->pool), 0, 9,
					     0, 1),
			 0);
	assert_int_equal(sqe->fd, 77);
	assert_int_equal(sqe->len, 9);
	assert_int_equal(saferring_ring_withdraw(ring), 1);
	expect(ring, 1, -ECANCELED);
	read_much(stage, ring);
	end_ring(ring);
}

static void try_kind(struct stage *stage, struct saferring_device *device,
		     int kind)
{
	struct saferring_ring_options options = options_of(stage, NULL);
	struct saferring_region *memory =
		make_region(device, saferring_ring_memory(&options));
	struct saferring_ring *ring;

	options.memory = memory;
	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	print_message("# %s: %s%s\n", saferring_backend_name(kind),
		      info_of(ring).memory ? "taken" : "not: ",
		      info_of(ring).memory_reason);
	assert_true(info_of(ring).memory || kernel() != TAKES_ALL);
	read_much(stage, ring);
	end_ring(ring);
	drop_region(memory);
}

static void every_kind_of_memory_takes_a_ring(void **state)
{
	struct saferring_device_options wanted;
	struct saferring_device *device;
	int kind;

	if (getenv("SAFERRING_BACKEND"))
		SKIP("the environment forces one");
	for (kind = SAFERRING_BACKEND_MODULE; kind <= SAFERRING_BACKEND_PLAIN;
	     kind++) {
		SAFERRING_OPTIONS_INIT(&wanted);
		wanted.backend = kind;
		if (saferring_device_open(&wanted, &device)) {
			print_message("# %s: not here\n",
				      saferring_backend_name(kind));
			continue;
		}
		try_kind(*state, device, kind);
		assert_int_equal(saferring_device_close(device), 0);
	}
}

/* The kernel's answer for each page of a region. */
static void assert_on_node(const struct saferring_region *region, size_t length,
			   int node)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *start = saferring_region_address(region);
	size_t place;

	for (place = 0; place < length; place += page) {
		void *address = start + place;
		int status = -1;

		assert_int_equal(syscall(SYS_move_pages, 0, 1UL, &address, NULL,
					 &status, 0),
				 0);
		assert_int_equal(status, node);
	}
}

static void the_queues_lie_on_the_node_that_was_asked_for(void **state)
{
	struct stage *stage = *state;
	int node;

	if (saferring_node_count() == 1)
		SKIP("one node");
	if (kernel() == TAKES_NONE)
		SKIP("the kernel is older than 6.5");
	for (node = 0; node <= saferring_node_max(); node++) {
		struct saferring_region_options where;
		struct saferring_ring_options options = options_of(stage, NULL);
		struct saferring_region *memory;
		struct saferring_ring *ring;
		uint64_t used;

		if (!saferring_node_usable(node))
			continue;
		SAFERRING_OPTIONS_INIT(&where);
		where.length = saferring_ring_memory(&options);
		where.placement = SAFERRING_PLACE_STRICT;
		where.node = node;
		assert_int_equal(saferring_region_create(stage->device, &where,
							 &memory),
				 0);
		options.memory = memory;
		ring = need_placed(&options);
		read_much(stage, ring);
		used = info_of(ring).memory_bytes;
		assert_on_node(memory, used, node);
		print_message("# %llu bytes of queues on node %d\n",
			      (unsigned long long)used, node);
		end_ring(ring);
		drop_region(memory);
	}
}

static void all_kinds_of_rings_can_be_placed(void **state)
{
	static const unsigned int flags[] = {
		0, SAFERRING_RING_SQPOLL, SAFERRING_RING_ONE_THREAD,
		SAFERRING_RING_COMMANDS,
	};
	struct stage *stage = *state;
	size_t number;

	for (number = 0; number < sizeof(flags) / sizeof(*flags); number++) {
		struct saferring_ring_options options =
			options_of(stage, stage->memory);
		struct saferring_ring *ring;

		options.flags = flags[number];
		options.poll_ms = 50;
		ring = need_placed(&options);
		assert_in_range(info_of(ring).memory_bytes, 0,
				saferring_ring_memory(&options));
		read_much(stage, ring);
		end_ring(ring);
	}
}

/* ---- what cannot be had ---- */

static void what_the_kernel_does_not_take_lies_elsewhere(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options =
		options_of(stage, stage->memory);
	struct saferring_ring *ring;

	if (kernel() != TAKES_NONE)
		SKIP("the kernel takes it");
	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	assert_int_equal(info_of(ring).memory, 0);
	assert_int_equal(info_of(ring).memory_bytes, 0);
	assert_int_equal(info_of(ring).setup_flags & NO_MMAP, 0);
	print_message("# %s\n", info_of(ring).memory_reason);
	assert_non_null(strstr(info_of(ring).memory_reason, "6.5"));
	read_much(stage, ring);
	end_ring(ring);
	options.flags = SAFERRING_RING_REQUIRE_MEMORY;
	assert_int_equal(saferring_ring_create(&options, &ring), -EOPNOTSUPP);
	assert_error(-EOPNOTSUPP, SAFERRING_REASON_UNSUPPORTED);
	assert_non_null(strstr(saferring_error_last()->what, "6.5"));
}

static void without_room_a_ring_lies_elsewhere_or_is_refused(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *small = make_region(stage->device, 4096);
	struct saferring_ring_options options = options_of(stage, small);
	struct saferring_region_info info = { .size = sizeof(info) };
	struct saferring_ring *ring;

	/* As many entries as do not fit, whatever the size of the pages. */
	assert_int_equal(saferring_region_info(small, &info), 0);
	options.depth = SAFERRING_RING_DEPTH_MAX;
	while (saferring_ring_memory(&options) / 3 > info.length)
		options.depth /= 2;
	assert_true(saferring_ring_memory(&options) > info.length);
	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	assert_int_equal(info_of(ring).memory, 0);
	assert_string_not_equal(info_of(ring).memory_reason, "");
	if (kernel() != TAKES_NONE)
		assert_non_null(strstr(info_of(ring).memory_reason,
				       "in one piece"));
	end_ring(ring);
	options.flags = SAFERRING_RING_REQUIRE_MEMORY;
	assert_int_equal(saferring_ring_create(&options, &ring), -EOPNOTSUPP);
	assert_error(-EOPNOTSUPP, SAFERRING_REASON_UNSUPPORTED);
	/* Neither has left a ring that holds the region. */
	drop_region(small);
}

static void threads_need_no_queues_and_say_so(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options =
		options_of(stage, stage->memory);
	struct saferring_group *group;
	struct saferring_ring *ring;

	options.flags = SAFERRING_RING_AVOID_URING;
	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	assert_int_equal(info_of(ring).memory, 0);
	assert_non_null(strstr(info_of(ring).memory_reason, "threads"));
	assert_int_equal(saferring_group_create(ring, stage->pool, 4, 0,
						&group),
			 0);
	assert_int_equal(group_info(group).memory, 1);
	end_ring(ring);
}

static void what_makes_no_sense_is_refused(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options = options_of(stage, NULL);
	struct io_uring uring;
	struct saferring_ring *ring;

	options.flags = SAFERRING_RING_REQUIRE_MEMORY;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	options.flags = 0;
	options.memory = stage->region;
	assert_int_equal(saferring_ring_create(&options, &ring), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	options.memory = stage->memory;
	if (io_uring_queue_init(DEPTH, &uring, 0))
		SKIP("no io_uring");
	assert_int_equal(saferring_ring_adopt(&uring, &options, &ring),
			 -EINVAL);
	io_uring_queue_exit(&uring);
	options.depth = SAFERRING_RING_DEPTH_MAX + 1;
	assert_int_equal(saferring_ring_memory(&options), 0);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	options.depth = 1;
	options.completions = SAFERRING_RING_COMPLETIONS_MAX + 1;
	assert_int_equal(saferring_ring_memory(&options), 0);
	assert_int_equal(saferring_region_revoke(stage->memory), 0);
	options.completions = 0;
	assert_int_equal(saferring_ring_create(&options, &ring), -ESTALE);
	assert_error(-ESTALE, SAFERRING_REASON_REGION_GONE);
}

/* ---- lifetimes ---- */

static void a_region_stays_as_long_as_its_rings(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options =
		options_of(stage, stage->memory);
	struct saferring_pool_options cut;
	struct saferring_pool *pool;
	struct saferring_ring *ring;
	int fd;

	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	assert_int_equal(saferring_region_destroy(stage->memory, 0, 0), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	assert_string_not_equal(saferring_error_last()->cure, "");
	assert_int_equal(saferring_region_destroy(stage->memory,
						  SAFERRING_DESTROY_FORCE, 0),
			 -EBUSY);
	assert_int_equal(saferring_region_revoke(stage->memory), -EBUSY);
	assert_int_equal(saferring_region_export(stage->memory, &fd), -EBUSY);
	SAFERRING_OPTIONS_INIT(&cut);
	cut.buffer_size = BUFFER_SIZE;
	assert_int_equal(saferring_pool_create(&stage->memory, 1, &cut, &pool),
			 -EBUSY);
	read_much(stage, ring);
	end_ring(ring);
}

static void what_is_shared_with_others_takes_no_ring(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options =
		options_of(stage, stage->memory);
	struct saferring_region *theirs;
	struct saferring_ring *ring;
	int fd;

	if (saferring_region_export(stage->memory, &fd))
		SKIP("%s", saferring_error_last()->what);
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(saferring_region_import(stage->device, fd, NULL,
						 &theirs),
			 0);
	options.memory = theirs;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	close(fd);
	drop_region(theirs);
}

/*
 * The kernel lets go of a ring after it was closed. Writing behind its back to
 * where the next one was would not be noticed otherwise.
 */
static void what_a_ring_had_is_not_used_again(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options =
		options_of(stage, stage->memory);
	const struct io_uring_sqe *sqe =
		saferring_region_address(stage->memory);
	struct saferring_ring *ring = need_placed(&options);
	unsigned int count = 0;

	if (!info_of(ring).memory)
		SKIP("%s", info_of(ring).memory_reason);
	assert_int_equal(saferring_ring_read(ring, 77, get(stage->pool), 0, 9,
					     0, 1),
			 0);
	end_ring(ring);
	for (;;) {
		assert_int_equal(saferring_ring_create(&options, &ring), 0);
		assert_int_equal(sqe->fd, 77);
		if (!info_of(ring).memory)
			break;
		count++;
		end_ring(ring);
	}
	end_ring(ring);
	assert_true(count >= 1);
	assert_true(count < REGION_SIZE / 4096);
}

static void a_child_leaves_its_parents_ring_alone(void *argument)
{
	struct saferring_ring *ring = argument;
	struct saferring_completion c;

	assert_int_equal(saferring_ring_nop(ring, 0), -EOWNERDEAD);
	assert_int_equal(saferring_ring_submit(ring), -EOWNERDEAD);
	assert_int_equal(saferring_ring_reap(ring, &c, 1), -EOWNERDEAD);
	assert_int_equal(saferring_ring_destroy(ring, 0), -EOWNERDEAD);
}

static void fork_changes_nothing_for_the_parent(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options =
		options_of(stage, stage->memory);
	struct saferring_ring *ring;
	int round;

	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	for (round = 0; round < 3; round++) {
		in_child(a_child_leaves_its_parents_ring_alone, ring);
		read_much(stage, ring);
	}
	end_ring(ring);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(the_queues_lie_in_the_region),
		T(every_kind_of_memory_takes_a_ring),
		T(the_queues_lie_on_the_node_that_was_asked_for),
		T(all_kinds_of_rings_can_be_placed),
		T(what_the_kernel_does_not_take_lies_elsewhere),
		T(without_room_a_ring_lies_elsewhere_or_is_refused),
		T(threads_need_no_queues_and_say_so),
		T(what_makes_no_sense_is_refused),
		T(a_region_stays_as_long_as_its_rings),
		T(what_is_shared_with_others_takes_no_ring),
		T(what_a_ring_had_is_not_used_again),
		T(fork_changes_nothing_for_the_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
