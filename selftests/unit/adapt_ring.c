// SPDX-License-Identifier: GPL-2.0
/*
 * Rings whose waits follow the load: within their bounds, no longer than the
 * program allows, and told by the statistics.
 */
#include <liburing.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include "common.h"

#define DEPTH 64U
#define PIPES 8U
#define MS    1000000ULL

static struct saferring_ring_options options_of(struct stage *stage)
{
	struct saferring_ring_options options;

	SAFERRING_OPTIONS_INIT(&options);
	options.depth = DEPTH;
	options.pools = &stage->pool;
	options.pool_count = 1;
	options.name = "adapted";
	return options;
}

static void create(struct stage *stage,
		   const struct saferring_ring_options *options)
{
	const int error = saferring_ring_create(options, &stage->ring);

	if (error)
		fail_msg("ring_create: %d: %s", error,
			 saferring_error_last()->what);
}

static void create_batching(struct stage *stage, unsigned int min,
			    unsigned int max, uint64_t bound_ns)
{
	struct saferring_ring_options options = options_of(stage);

	options.batch_min = min;
	options.batch_max = max;
	options.batch_ns = bound_ns;
	create(stage, &options);
}

static void create_polling(struct stage *stage, unsigned int min_ns,
			   unsigned int max_ns)
{
	struct saferring_ring_options options = options_of(stage);
	cpu_set_t cpus;

	if (!sched_getaffinity(0, sizeof(cpus), &cpus) && CPU_COUNT(&cpus) < 2)
		SKIP("a thread that polls on the only CPU keeps others from it");
	options.busy_min_ns = min_ns;
	options.busy_max_ns = max_ns;
	create(stage, &options);
}

static int up(void **state)
{
	*state = stage_up(2 * DEPTH, 0, 0);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static struct saferring_ring_info info_of(const struct stage *stage)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_ring_info(stage->ring, &info), 0);
	return info;
}

/* A figure of the ring, over all labels or those with @label. */
static uint64_t figure(const char *name, const char *label)
{
	return figure_of(name, "ring=\"adapted\"", label);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 * MS + (uint64_t)time.tv_nsec;
}

/* Keep as many NOPs under way as there is room for: they end at once. */
static void nops(struct stage *stage, unsigned int waits)
{
	struct saferring_completion done[DEPTH];
	unsigned int under_way = 0;
	int count;

	while (waits--) {
		for (; under_way < DEPTH; under_way++)
			assert_int_equal(saferring_ring_nop(stage->ring, 0), 0);
		count = saferring_ring_wait(stage->ring, done, DEPTH, 1,
					    SAFERRING_FOREVER);
		assert_in_range(count, 1, DEPTH);
		under_way -= (unsigned int)count;
	}
	while (under_way) {
		count = saferring_ring_wait(stage->ring, done, DEPTH, 1,
					    SAFERRING_FOREVER);
		assert_in_range(count, 1, under_way);
		under_way -= (unsigned int)count;
	}
}

/* Reads of pipes that have nothing to read yet. */
struct pipes {
	struct stage *stage;
	int end[PIPES][2];
};

static void open_pipes(struct pipes *pipes, struct stage *stage)
{
	unsigned int number;

	*pipes = (struct pipes){ .stage = stage };
	for (number = 0; number < PIPES; number++) {
		assert_int_equal(pipe(pipes->end[number]), 0);
		assert_int_equal(saferring_ring_read(
					 stage->ring, pipes->end[number][0],
					 get(stage->pool), 0, 1, (uint64_t)-1,
					 number),
				 0);
	}
}

static void feed(const struct pipes *pipes, unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		assert_int_equal(write(pipes->end[from][1], "x", 1), 1);
}

static unsigned int wait_for(struct stage *stage, unsigned int max,
			     unsigned int min, uint64_t timeout_ns)
{
	struct saferring_completion done[DEPTH];
	const int count = saferring_ring_wait(stage->ring, done, max, min,
					      timeout_ns);
	int number;

	assert_true(count >= 0);
	for (number = 0; number < count; number++) {
		assert_int_equal(done[number].result, 1);
		put(stage->pool, done[number].buffer);
	}
	return (unsigned int)count;
}

/* Feed those from @first on, and take what is left. */
static void close_pipes(struct pipes *pipes, unsigned int first)
{
	unsigned int number;

	feed(pipes, first, PIPES);
	for (number = first; number < PIPES;)
		number += wait_for(pipes->stage, 1, 1, SAFERRING_FOREVER);
	for (number = 0; number < PIPES; number++) {
		close(pipes->end[number][0]);
		close(pipes->end[number][1]);
	}
}

/* ---- batch size ---- */

static void without_bounds_nothing_ever_changes(void **state)
{
	struct stage *stage = *state;
	const struct saferring_ring_options options = options_of(stage);
	struct pipes pipes;

	create(stage, &options);
	nops(stage, 2000);
	open_pipes(&pipes, stage);
	feed(&pipes, 0, 1);
	assert_int_equal(wait_for(stage, DEPTH, 1, SAFERRING_FOREVER), 1);
	close_pipes(&pipes, 1);
	assert_int_equal(info_of(stage).batch, 0);
	assert_int_equal(info_of(stage).busy_ns, 0);
	assert_int_equal(figure("saferring_ring_adaptations", NULL), 0);
	assert_int_equal(figure("saferring_ring_batch", NULL), 0);
	assert_int_equal(figure("saferring_ring_busy_poll_seconds", NULL), 0);
	assert_int_equal(figure("saferring_ring_busy_polls", NULL), 0);
}

static void a_batch_grows_with_a_load_that_fills_it(void **state)
{
	struct stage *stage = *state;

	create_batching(stage, 0, 24, 100 * MS);
	assert_int_equal(info_of(stage).batch, 1);
	assert_int_equal(figure("saferring_ring_batch", NULL), 1);
	nops(stage, 1000);
	assert_int_equal(info_of(stage).batch, 24);
	assert_int_equal(figure("saferring_ring_batch", NULL), 24);
	/* 1 to 16 by 1, then 18, 20, 22, 24. */
	assert_int_equal(figure("saferring_ring_adaptations",
				"what=\"batch\",direction=\"raise\",reason=\"filled\""),
			 19);
	assert_int_equal(figure("saferring_ring_adaptations", NULL), 19);
}

static void what_has_come_is_held_up_no_longer_than_the_bound(void **state)
{
	struct stage *stage = *state;
	struct pipes pipes;
	uint64_t took;

	create_batching(stage, 1, 32, 100 * MS);
	nops(stage, 1000);
	assert_int_equal(info_of(stage).batch, 32);
	open_pipes(&pipes, stage);
	feed(&pipes, 0, 2);
	took = now();
	/* Half of what is under way is waited for, and does not come. */
	assert_int_equal(wait_for(stage, DEPTH, 1, SAFERRING_FOREVER), 2);
	took = now() - took;
	assert_in_range(took, 100 * MS, 20000 * MS);
	assert_int_equal(info_of(stage).batch, 2);
	assert_int_equal(figure("saferring_ring_adaptations",
				"what=\"batch\",direction=\"lower\",reason=\"expired\""),
			 1);
	close_pipes(&pipes, 2);
}

static void a_batch_that_is_full_is_not_held_up(void **state)
{
	struct stage *stage = *state;
	struct pipes pipes;
	uint64_t took;

	create_batching(stage, 1, 32, 1000 * MS);
	nops(stage, 1000);
	open_pipes(&pipes, stage);
	assert_int_equal(saferring_ring_submit(stage->ring), PIPES);
	feed(&pipes, 0, PIPES / 2);
	took = now();
	assert_in_range(wait_for(stage, DEPTH, 1, SAFERRING_FOREVER),
			PIPES / 2, PIPES / 2);
	took = now() - took;
	assert_true(took < 1000 * MS);
	assert_int_equal(info_of(stage).batch, 32);
	close_pipes(&pipes, PIPES / 2);
}

/* By a process, because valgrind lets no thread run while one waits in a ring. */
static pid_t feed_late(const struct pipes *pipes, unsigned int ms)
{
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child)
		return child;
	usleep(ms * 1000);
	_exit(write(pipes->end[0][1], "x", 1) != 1);
}

static void a_wait_goes_on_when_the_bound_brings_nothing(void **state)
{
	struct stage *stage = *state;
	struct pipes pipes;
	pid_t child;
	int status;

	create_batching(stage, 8, 32, 5 * MS);
	open_pipes(&pipes, stage);
	child = feed_late(&pipes, 60);
	assert_int_equal(wait_for(stage, DEPTH, 1, SAFERRING_FOREVER), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* Not below its bound. */
	assert_int_equal(info_of(stage).batch, 8);
	close_pipes(&pipes, 1);
}

static void the_programs_own_timeout_comes_first(void **state)
{
	struct stage *stage = *state;
	struct pipes pipes;
	uint64_t took;

	create_batching(stage, 8, 32, 1000 * MS);
	open_pipes(&pipes, stage);
	took = now();
	assert_int_equal(wait_for(stage, DEPTH, 1, 20 * MS), 0);
	assert_int_equal(wait_for(stage, DEPTH, 1, 0), 0);
	assert_int_equal(wait_for(stage, DEPTH, 0, SAFERRING_FOREVER), 0);
	feed(&pipes, 0, 1);
	assert_int_equal(wait_for(stage, DEPTH, 1, 20 * MS), 1);
	took = now() - took;
	assert_in_range(took, 40 * MS, 1000 * MS);
	close_pipes(&pipes, 1);
}

static void no_more_is_handed_out_than_there_is_room_for(void **state)
{
	struct stage *stage = *state;
	struct pipes pipes;
	unsigned int number;

	create_batching(stage, 32, 32, 1000 * MS);
	open_pipes(&pipes, stage);
	feed(&pipes, 0, PIPES);
	for (number = 0; number < PIPES; number++)
		assert_int_equal(wait_for(stage, 1, 1, SAFERRING_FOREVER), 1);
	close_pipes(&pipes, PIPES);
}

static void one_at_a_time_is_never_held_up(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion done[DEPTH];
	const uint64_t start = now();
	unsigned int number;

	create_batching(stage, 32, 32, 1000 * MS);
	for (number = 0; number < 100; number++) {
		assert_int_equal(saferring_ring_nop(stage->ring, number), 0);
		assert_int_equal(saferring_ring_wait(stage->ring, done, DEPTH,
						     1, SAFERRING_FOREVER),
				 1);
	}
	assert_true(now() - start < 20000 * MS);
	assert_int_equal(figure("saferring_ring_adaptations", NULL), 0);
}

/* It is told of a signal when the call has ended: what is tested cannot be. */
static bool on_valgrind(void)
{
	const char *loaded = getenv("LD_PRELOAD");

	return loaded && strstr(loaded, "vgpreload");
}

static void on_signal(int number __attribute__((unused)))
{
}

static void a_signal_ends_a_wait_for_a_batch(void **state)
{
	const struct sigaction action = { .sa_handler = on_signal };
	const struct itimerval soon = { .it_value.tv_usec = 50000,
					.it_interval.tv_usec = 50000 };
	const struct itimerval never = { .it_value.tv_sec = 0 };
	struct stage *stage = *state;
	struct saferring_completion done[DEPTH];
	struct pipes pipes;

	if (on_valgrind())
		SKIP("valgrind lets no signal interrupt io_uring_enter()");
	create_batching(stage, 8, 32, 1000 * MS);
	open_pipes(&pipes, stage);
	assert_int_equal(saferring_ring_submit(stage->ring), PIPES);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(saferring_ring_wait(stage->ring, done, DEPTH, 1,
					     SAFERRING_FOREVER),
			 -EINTR);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	close_pipes(&pipes, 0);
}

/* ---- busy polling ---- */

/* A wait that takes a while, whatever machine this is. */
static void wait_for_time(struct stage *stage, uint64_t ns)
{
	struct saferring_completion done;

	assert_int_equal(saferring_ring_timeout(stage->ring, ns, 0, 0, 0), 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &done, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_int_equal(done.result, -ETIME);
}

static bool polls_paid(void)
{
	return figure("saferring_ring_busy_polls", "outcome=\"paid\"");
}

static void polling_follows_how_long_waits_take(void **state)
{
	struct stage *stage = *state;
	unsigned int round;

	if (on_valgrind() && on_threads())
		SKIP("under valgrind nobody works while a thread polls");
	create_polling(stage, 0, SAFERRING_RING_BUSY_NS_MAX);
	assert_int_equal(info_of(stage).busy_ns, 0);
	for (round = 0; round < 2000 && !polls_paid(); round++)
		wait_for_time(stage, 300000);
	assert_in_range(info_of(stage).busy_ns, 1, SAFERRING_RING_BUSY_NS_MAX);
	assert_int_equal(figure("saferring_ring_busy_poll_seconds", NULL),
			 info_of(stage).busy_ns);
	assert_true(polls_paid());
	assert_true(figure("saferring_ring_adaptations",
			   "what=\"busy\",direction=\"raise\",reason=\"near\"") >
		    0);
	/* Longer than polling could ever take; or others want the CPU. */
	for (round = 0; round < 100 && info_of(stage).busy_ns; round++)
		wait_for_time(stage, 12 * MS);
	assert_int_equal(info_of(stage).busy_ns, 0);
	assert_int_equal(figure("saferring_ring_busy_poll_seconds", NULL), 0);
	assert_true(figure("saferring_ring_adaptations",
			   "what=\"busy\",direction=\"lower\"") > 0);
	assert_true(figure("saferring_ring_busy_polls", "outcome=\"vain\"") > 0);
}

static void polling_that_pays_off_makes_no_second_call(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_stats stats = { .size = sizeof(stats) };
	struct pipes pipes;
	uint64_t enters;

	create_polling(stage, SAFERRING_RING_BUSY_NS_MAX,
		       SAFERRING_RING_BUSY_NS_MAX);
	open_pipes(&pipes, stage);
	feed(&pipes, 0, PIPES);
	assert_int_equal(saferring_ring_stats(stage->ring, &stats), 0);
	enters = stats.enters;
	assert_int_equal(wait_for(stage, DEPTH, PIPES, SAFERRING_FOREVER),
			 PIPES);
	assert_int_equal(saferring_ring_stats(stage->ring, &stats), 0);
	/* One to submit; more only if the kernel had something left to do. */
	assert_in_range(stats.enters - enters, 1, 1 + PIPES);
	close_pipes(&pipes, PIPES);
}

static void polling_ends_with_the_programs_timeout(void **state)
{
	struct stage *stage = *state;
	struct pipes pipes;
	uint64_t took;

	create_polling(stage, SAFERRING_RING_BUSY_NS_MAX,
		       SAFERRING_RING_BUSY_NS_MAX);
	open_pipes(&pipes, stage);
	took = now();
	assert_int_equal(wait_for(stage, DEPTH, 1, MS), 0);
	took = now() - took;
	assert_true(took >= MS);
	close_pipes(&pipes, 0);
}

static void both_go_together(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options = options_of(stage);
	struct pipes pipes;

	options.batch_max = 32;
	options.batch_ns = 2 * MS;
	options.busy_max_ns = MS;
	create(stage, &options);
	nops(stage, 1000);
	assert_int_equal(info_of(stage).batch, 32);
	open_pipes(&pipes, stage);
	feed(&pipes, 0, 1);
	assert_int_equal(wait_for(stage, DEPTH, 1, SAFERRING_FOREVER), 1);
	assert_int_equal(info_of(stage).batch, 2);
	close_pipes(&pipes, 1);
}

/* ---- bounds ---- */

struct bounds {
	unsigned int batch_min;
	unsigned int batch_max;
	uint64_t batch_ns;
	unsigned int busy_min;
	unsigned int busy_max;
	const char *wrong; /* what the detail says, or NULL */
};

static const struct bounds bounds[] = {
	{ 0, DEPTH, 1, 0, 0, NULL },
	{ 0, DEPTH + 1, 1, 0, 0, "batches of up to 65 completions, the depth is 64" },
	{ DEPTH, DEPTH, 1, 0, 0, NULL },
	{ 17, 16, 1, 0, 0, "batches of at least 17 and at most 16 completions" },
	{ 1, 0, 0, 0, 0, "batches of at least 1 and at most 0 completions" },
	{ 1, 8, 0, 0, 0, "batches of up to 8 completions within 0 ns" },
	{ 0, 0, 1, 0, 0, "batches of up to 0 completions within 1 ns" },
	{ 1, 8, SAFERRING_RING_BATCH_NS_MAX, 0, 0, NULL },
	{ 1, 8, SAFERRING_RING_BATCH_NS_MAX + 1, 0, 0, "within 1000000001 ns" },
	{ 0, 0, 0, 0, 1, NULL },
	{ 0, 0, 0, 5, 5, NULL },
	{ 0, 0, 0, 6, 5, "busy polling for at least 6 and at most 5 ns" },
	{ 0, 0, 0, 1, 0, "busy polling for at least 1 and at most 0 ns" },
	{ 0, 0, 0, 0, SAFERRING_RING_BUSY_NS_MAX, NULL },
	{ 0, 0, 0, 0, SAFERRING_RING_BUSY_NS_MAX + 1,
	  "busy polling for up to 10000001 ns, allowed are 10000000" },
};

static void bounds_are_checked(void **state)
{
	struct stage *stage = *state;
	unsigned int number;

	for (number = 0; number < sizeof(bounds) / sizeof(*bounds); number++) {
		struct saferring_ring_options options = options_of(stage);

		options.batch_min = bounds[number].batch_min;
		options.batch_max = bounds[number].batch_max;
		options.batch_ns = bounds[number].batch_ns;
		options.busy_min_ns = bounds[number].busy_min;
		options.busy_max_ns = bounds[number].busy_max;
		if (!bounds[number].wrong) {
			create(stage, &options);
			assert_int_equal(saferring_ring_destroy(stage->ring,
								DESTROY_MS),
					 0);
			stage->ring = NULL;
			continue;
		}
		assert_int_equal(saferring_ring_create(&options, &stage->ring),
				 -EINVAL);
		assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
		if (!strstr(saferring_error_last()->what, bounds[number].wrong))
			fail_msg("bounds %u: %s", number,
				 saferring_error_last()->what);
	}
}

static void a_ring_that_the_kernel_polls_is_refused(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options = options_of(stage);

	options.flags = SAFERRING_RING_IOPOLL;
	options.busy_max_ns = 1000;
	assert_int_equal(saferring_ring_create(&options, &stage->ring),
			 -EINVAL);
	assert_non_null(strstr(saferring_error_last()->what,
			       "SAFERRING_RING_IOPOLL"));
}

static void a_ring_that_the_program_keeps_is_refused(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_options options = options_of(stage);
	struct io_uring uring;
	int error;

	if (on_threads())
		SKIP("a ring of the program's own is one of io_uring");
	error = io_uring_queue_init(DEPTH, &uring, 0);
	if (error)
		SKIP("io_uring_queue_init: %s", strerror(-error));
	options.batch_max = 8;
	options.batch_ns = MS;
	options.flags = SAFERRING_RING_BESIDE;
	assert_int_equal(saferring_ring_adopt(&uring, &options, &stage->ring),
			 -EINVAL);
	assert_non_null(strstr(saferring_error_last()->what,
			       "a ring that the program keeps"));
	/* One that it gives over follows the load like any other. */
	options.flags = 0;
	assert_int_equal(saferring_ring_adopt(&uring, &options, &stage->ring),
			 0);
	nops(stage, 1000);
	assert_int_equal(info_of(stage).batch, 8);
}

static void the_environment_turns_it_off(void **state)
{
	struct stage *stage = *state;

	setenv("SAFERRING_ADAPT", "off", 1);
	create_batching(stage, 8, 32, MS);
	unsetenv("SAFERRING_ADAPT");
	nops(stage, 100);
	assert_int_equal(info_of(stage).batch, 0);
	assert_int_equal(figure("saferring_ring_adaptations", NULL), 0);
	assert_non_null(strstr(info_of(stage).setup, "SAFERRING_ADAPT is off"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_bounds_nothing_ever_changes),
		TEST(a_batch_grows_with_a_load_that_fills_it),
		TEST(what_has_come_is_held_up_no_longer_than_the_bound),
		TEST(a_batch_that_is_full_is_not_held_up),
		TEST(a_wait_goes_on_when_the_bound_brings_nothing),
		TEST(the_programs_own_timeout_comes_first),
		TEST(no_more_is_handed_out_than_there_is_room_for),
		TEST(one_at_a_time_is_never_held_up),
		TEST(a_signal_ends_a_wait_for_a_batch),
		TEST(polling_follows_how_long_waits_take),
		TEST(polling_that_pays_off_makes_no_second_call),
		TEST(polling_ends_with_the_programs_timeout),
		TEST(both_go_together),
		TEST(bounds_are_checked),
		TEST(a_ring_that_the_kernel_polls_is_refused),
		TEST(a_ring_that_the_program_keeps_is_refused),
		TEST(the_environment_turns_it_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
