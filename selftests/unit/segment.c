// SPDX-License-Identifier: GPL-2.0
/*
 * Segment: what another process is shown, what it refuses to believe, and what
 * becomes of it when the process that wrote it dies.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "common.h"

static char directory[64] = "/tmp/saferring-segment-XXXXXX";
static char path[96];
static saferring_counter counter;

static void must(int error)
{
	if (error)
		fail_msg("%d: %s", error, saferring_error_last()->what);
}

static void count(uint64_t value)
{
	struct saferring_metric_options options;

	SAFERRING_OPTIONS_INIT(&options);
	options.name = "segment_test";
	must(saferring_counter_create(&options, &counter));
	saferring_counter_add(counter, value);
}

static void write_and_end(void *unused)
{
	(void)unused;
	setenv("SAFERRING_STATS", path, 1);
	count(42);
}

/* A file that a process has left, by its own name. */
static const char *left_file(void)
{
	snprintf(path, sizeof(path), "%s/left", directory);
	in_child(write_and_end, NULL);
	return path;
}

static int set_up(void **unused)
{
	(void)unused;
	assert_non_null(mkdtemp(directory));
	count(0);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	unlink(path);
	return rmdir(directory);
}

static uint64_t value_in(struct saferring_segment *segment)
{
	const struct saferring_sample *sample;
	struct saferring_snapshot *snapshot;
	uint64_t value;

	must(saferring_segment_snapshot(segment, &snapshot));
	sample = saferring_snapshot_find(snapshot, "segment_test", "");
	assert_non_null(sample);
	value = sample->value;
	saferring_snapshot_free(snapshot);
	return value;
}

static const char *own_name(void)
{
	static char name[64];
	const int fd = open("/proc/self/comm", O_RDONLY);
	const ssize_t length = read(fd, name, sizeof(name) - 1);

	close(fd);
	assert_true(length > 1);
	name[length - 1] = '\0';
	return name;
}

static void a_file_remains_with_the_last_figures(void **unused)
{
	struct saferring_segment_info info = { .size = sizeof(info) };
	struct saferring_segment *segment;
	struct stat status;

	(void)unused;
	must(saferring_segment_open(left_file(), &segment));
	assert_int_equal(value_in(segment), 42);
	must(saferring_segment_info(segment, &info));
	assert_int_equal(info.alive, 0);
	assert_int_equal(info.version, SAFERRING_SEGMENT_VERSION);
	assert_true(info.used <= info.length);
	assert_string_equal(info.path, path);
	assert_string_equal(info.program, own_name());
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, info.length);
	saferring_segment_close(segment);
}

/* ---- files that are refused ---- */

static void assert_not_believed(const char *why)
{
	struct saferring_segment *segment = NULL;

	assert_int_equal(saferring_segment_open(path, &segment), -EPROTO);
	assert_null(segment);
	assert_non_null(strstr(saferring_error_last()->what, why));
	assert_non_null(strstr(saferring_error_last()->object, "/left"));
}

static void overwrite(size_t offset, const void *bytes, size_t length)
{
	const int fd = open(left_file(), O_WRONLY);

	assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
	close(fd);
}

#define OVERWRITE(member, value)                                             \
	do {                                                                 \
		struct saferring_segment_header new;                           \
									       \
		new.member = (value);                                        \
		overwrite(offsetof(struct saferring_segment_header, member), \
			  &new.member, sizeof(new.member));                  \
	} while (0)

static void what_is_no_segment_is_refused(void **unused)
{
	struct saferring_segment *segment;

	(void)unused;
	OVERWRITE(magic, 0);
	assert_not_believed("does not begin as");
	OVERWRITE(version, SAFERRING_SEGMENT_VERSION + 1);
	assert_not_believed("version");
	OVERWRITE(length, 4096);
	assert_not_believed("size");
	OVERWRITE(header_bytes, 64);
	assert_not_believed("size");
	OVERWRITE(series.offset, UINT64_MAX - 7);
	assert_not_believed("tables");
	OVERWRITE(blocks.entry_bytes, 8);
	assert_not_believed("tables");
	OVERWRITE(families.room, UINT32_MAX);
	assert_not_believed("tables");
	assert_int_equal(truncate(left_file(), 100), 0);
	assert_not_believed("shorter");
	assert_int_equal(truncate(left_file(), 8192), 0);
	assert_not_believed("size");
	assert_int_equal(saferring_segment_open("/dev/null", &segment),
			 -EPROTO);
	assert_int_equal(saferring_segment_open(directory, &segment), -EPROTO);
	assert_int_equal(saferring_segment_open("/no/such", &segment), -ENOENT);
}

/* Entries of tables are checked as they are read. */
static void tables_that_point_outside_are_refused(void **unused)
{
	static const struct {
		size_t table;
		size_t member;
	} wrong[] = {
		{ offsetof(struct saferring_segment_header, blocks.offset),
		  offsetof(struct saferring_segment_block, offset) },
		{ offsetof(struct saferring_segment_header, blocks.offset),
		  offsetof(struct saferring_segment_block, words) },
	};
	const uint64_t far = UINT64_MAX / 16;
	struct saferring_segment *segment;
	struct saferring_snapshot *snapshot;
	uint64_t table;
	size_t number;
	int fd;

	(void)unused;
	for (number = 0; number < sizeof(wrong) / sizeof(*wrong); number++) {
		fd = open(left_file(), O_RDWR);
		assert_int_equal(pread(fd, &table, sizeof(table),
				       (off_t)wrong[number].table),
				 sizeof(table));
		assert_int_equal(pwrite(fd, &far, 4,
					(off_t)(table + wrong[number].member)),
				 4);
		close(fd);
		must(saferring_segment_open(path, &segment));
		assert_int_equal(saferring_segment_snapshot(segment, &snapshot),
				 -EPROTO);
		saferring_segment_close(segment);
	}
}

static void random_damage_never_crashes_a_reader(void **unused)
{
	struct saferring_segment *segment;
	struct saferring_snapshot *snapshot;
	unsigned int round, byte, seed = 1;
	unsigned char noise;
	int fd;

	(void)unused;
	for (round = 0; round < 200; round++) {
		if (round % 20 == 0)
			left_file();
		fd = open(path, O_RDWR);
		for (byte = 0; byte < 50; byte++) {
			noise = (unsigned char)rand_r(&seed);
			/* The header, the tables, and then what they say. */
			assert_int_equal(
				pwrite(fd, &noise, 1,
				       8 + rand_r(&seed) % (byte < 2 ? 300
								     : 700000)),
				1);
		}
		close(fd);
		if (saferring_segment_open(path, &segment))
			continue;
		if (!saferring_segment_snapshot(segment, &snapshot))
			saferring_snapshot_free(snapshot);
		saferring_segment_close(segment);
	}
}

static void a_file_that_is_cut_off_is_noticed(void **unused)
{
	struct saferring_segment *segment;
	struct saferring_snapshot *snapshot;

	(void)unused;
	must(saferring_segment_open(left_file(), &segment));
	assert_int_equal(truncate(path, 4096), 0);
	assert_int_equal(saferring_segment_snapshot(segment, &snapshot),
			 -EPROTO);
	saferring_segment_close(segment);
}

/* ---- figures that move ---- */

static void a_writer_that_died_on_the_move_is_incomplete(void **unused)
{
	struct saferring_snapshot_info info = { .size = sizeof(info) };
	struct saferring_segment *segment;
	struct saferring_snapshot *snapshot;

	(void)unused;
	OVERWRITE(changes, 1);
	must(saferring_segment_open(path, &segment));
	must(saferring_segment_snapshot(segment, &snapshot));
	must(saferring_snapshot_info(snapshot, &info));
	assert_int_equal(info.incomplete, 1);
	saferring_snapshot_free(snapshot);
	saferring_segment_close(segment);
}

struct pair {
	int ready[2];
	int go[2];
};

static void wait_for(int fd)
{
	char byte;

	assert_int_equal(read(fd, &byte, 1), 1);
}

static void tell(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

/* Destroy rings all the time: their figures move. */
static void churn(const struct pair *pair)
{
	struct stage *stage = stage_up(16, 8, 0);
	struct saferring_completion done;
	struct saferring_ring *ring;
	int number;

	tell(pair->ready[1]);
	for (number = 0; number < 300; number++) {
		ring = make_ring(stage->pool, 4, 0);
		must(saferring_ring_nop(ring, 0));
		assert_int_equal(saferring_ring_wait(ring, &done, 1, 1,
						     SAFERRING_FOREVER),
				 1);
		assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
	}
	count(7);
	tell(pair->ready[1]);
	wait_for(pair->go[0]);
	stage_down(stage);
}

static pid_t start(const struct pair *pair)
{
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child)
		return child;
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	alarm(60);
	churn(pair);
	_exit(0);
}

static uint64_t nops(struct saferring_segment *segment)
{
	struct saferring_snapshot *snapshot;
	uint64_t sum;

	must(saferring_segment_snapshot(segment, &snapshot));
	sum = saferring_snapshot_sum(snapshot, "saferring_operations_completed",
				     "operation=\"nop\"");
	saferring_snapshot_free(snapshot);
	return sum;
}

static void figures_on_the_move_are_seen_once(void **unused)
{
	struct saferring_segment *segment;
	uint64_t before = 0, seen = 0;
	struct pair pair;
	pid_t child;
	int status;

	(void)unused;
	assert_int_equal(pipe(pair.ready) | pipe(pair.go), 0);
	child = start(&pair);
	wait_for(pair.ready[0]);
	must(saferring_segment_open_process(child, &segment));
	while (seen < 300) {
		seen = nops(segment);
		if (seen < before || seen > 300)
			fail_msg("%llu after %llu", (unsigned long long)seen,
				 (unsigned long long)before);
		before = seen;
	}
	wait_for(pair.ready[0]);
	assert_int_equal(value_in(segment), 7);
	tell(pair.go[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* The process is no more; its figures are. */
	assert_int_equal(value_in(segment), 7);
	assert_int_equal(nops(segment), 300);
	saferring_segment_close(segment);
	close(pair.ready[0]);
	close(pair.ready[1]);
	close(pair.go[0]);
	close(pair.go[1]);
}

/* ---- whose segment ---- */

static void a_child_that_counts_nothing_has_none(void **unused)
{
	struct saferring_segment *segment;
	struct pair pair;
	pid_t child;
	int status;

	(void)unused;
	assert_int_equal(pipe(pair.go), 0);
	child = fork();
	if (!child) {
		wait_for(pair.go[0]);
		_exit(0);
	}
	/* It has the descriptor of its parent's segment. */
	assert_int_equal(saferring_segment_open_process(child, &segment),
			 -ENOENT);
	assert_string_not_equal(saferring_error_last()->cure, "");
	tell(pair.go[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(saferring_segment_open_process(child, &segment),
			 -ESRCH);
	assert_int_equal(saferring_segment_open_process(0, &segment), -EINVAL);
	close(pair.go[0]);
	close(pair.go[1]);
}

static void look_as_nobody(void *argument)
{
	struct saferring_segment *segment;

	assert_int_equal(setgid(65534) | setuid(65534), 0);
	assert_int_equal(
		saferring_segment_open_process(*(int *)argument, &segment),
		-EACCES);
	assert_string_not_equal(saferring_error_last()->cure, "");
}

static void others_may_not_look(void **unused)
{
	int pid = getpid();

	(void)unused;
	if (getuid())
		SKIP("not root, who alone can become somebody else");
	in_child(look_as_nobody, &pid);
}

/* ---- where it lies ---- */

static void expect_own(const char *where, const char *why)
{
	struct saferring_segment_info info = { .size = sizeof(info) };

	count(3);
	must(saferring_segment_info(NULL, &info));
	assert_string_equal(info.path, where);
	assert_int_equal(info.pid, getpid());
	assert_int_equal(info.alive, 1);
	if (!strstr(info.reason, why) || !*why != !*info.reason)
		fail_msg("\"%s\" is not \"%s\"", info.reason, why);
	assert_int_equal(saferring_counter_value(counter), 3);
}

static void be_private(void *unused)
{
	struct saferring_segment *segment;

	(void)unused;
	setenv("SAFERRING_STATS", "off", 1);
	expect_own("private memory", "SAFERRING_STATS=off");
	assert_int_equal(saferring_segment_open_process(getpid(), &segment),
			 -ENOENT);
}

static void be_nowhere(void *unused)
{
	(void)unused;
	setenv("SAFERRING_STATS", "/no/such/directory/file", 1);
	expect_own("memfd",
		   "SAFERRING_STATS=/no/such/directory/file: No such file");
}

static void be_numbered(void *unused)
{
	char expected[96];

	(void)unused;
	snprintf(path, sizeof(path), "%s/%%p", directory);
	setenv("SAFERRING_STATS", path, 1);
	snprintf(expected, sizeof(expected), "%s/%d", directory, getpid());
	expect_own(expected, "");
	assert_int_equal(unlink(expected), 0);
}

static void be_limited(void *unused)
{
	const struct rlimit limit = { 1 << 20, 1 << 20 };

	(void)unused;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	expect_own("private memory", "RLIMIT_FSIZE");
}

static void be_default(void *unused)
{
	(void)unused;
	expect_own("memfd", "");
}

static void the_environment_says_where_it_lies(void **unused)
{
	(void)unused;
	in_child(be_default, NULL);
	in_child(be_private, NULL);
	in_child(be_nowhere, NULL);
	in_child(be_numbered, NULL);
	in_child(be_limited, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_remains_with_the_last_figures),
		cmocka_unit_test(what_is_no_segment_is_refused),
		cmocka_unit_test(tables_that_point_outside_are_refused),
		cmocka_unit_test(random_damage_never_crashes_a_reader),
		cmocka_unit_test(a_file_that_is_cut_off_is_noticed),
		cmocka_unit_test(a_writer_that_died_on_the_move_is_incomplete),
		cmocka_unit_test(figures_on_the_move_are_seen_once),
		cmocka_unit_test(a_child_that_counts_nothing_has_none),
		cmocka_unit_test(others_may_not_look),
		cmocka_unit_test(the_environment_says_where_it_lies),
	};

	return cmocka_run_group_tests_name("segment", tests, set_up, tear_down);
}
