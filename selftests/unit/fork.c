// SPDX-License-Identifier: GPL-2.0
/*
 * A child of fork() must be told that what it inherited is not its own, and
 * must be able to have its own.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "common.h"

/* All that the child tries. Asserts there end the child. */
struct inheritance {
	struct stage *stage;
	saferring_buffer held;
};

/* Whatever kind of operation it is. */
static void operations_are_refused(struct saferring_ring *ring,
				   saferring_buffer held)
{
	const struct saferring_range range = { held, 0, 1 };
	struct saferring_batch *batch;

	assert_int_equal(saferring_ring_nop(ring, 0), -EOWNERDEAD);
	assert_error(-EOWNERDEAD, SAFERRING_REASON_FORKED);
	assert_int_equal(saferring_ring_readv(ring, 0, &range, 1, 0, 0),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_send(ring, 0, &range, 0, 0),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_timeout(ring, 1, 0, 0, 0),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_cancel_all(ring, 0), -EOWNERDEAD);
	assert_int_equal(saferring_ring_drop(ring, 1), -EOWNERDEAD);
	assert_int_equal(saferring_ring_modify(ring, SAFERRING_LINK),
			 -EOWNERDEAD);
	assert_int_equal(saferring_files_create(ring, 1), -EOWNERDEAD);
	assert_int_equal(saferring_ring_eventfd(ring, 0), -EOWNERDEAD);
	assert_int_equal(saferring_batch_create(ring, 1, 0, &batch),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_last(ring), 0);
	assert_int_equal(saferring_ring_find(ring, 0), 0);
}

static void everything_is_refused(void *argument)
{
	struct inheritance *from = argument;
	struct stage *stage = from->stage;
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	struct saferring_completion completion;
	saferring_buffer buffer;

	assert_int_equal(saferring_buffer_valid(stage->pool, from->held), 0);
	assert_null(saferring_buffer_data(stage->pool, from->held));
	assert_error(-EOWNERDEAD, SAFERRING_REASON_FORKED);
	assert_string_not_equal(saferring_error_last()->cure, "");
	assert_int_equal(saferring_buffer_get(stage->pool, &buffer),
			 -EOWNERDEAD);
	assert_int_equal(saferring_buffer_put(stage->pool, from->held),
			 -EOWNERDEAD);
	assert_int_equal(saferring_buffer_put(stage->pool,
					      SAFERRING_BUFFER_NONE),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_read(stage->ring, 0, from->held, 0, 1,
					     0, 0),
			 -EOWNERDEAD);
	operations_are_refused(stage->ring, from->held);
	assert_int_equal(saferring_ring_submit(stage->ring), -EOWNERDEAD);
	assert_int_equal(saferring_ring_reap(stage->ring, &completion, 1),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_withdraw(stage->ring), -EOWNERDEAD);
	assert_int_equal(saferring_pool_stats(stage->pool, &stats),
			 -EOWNERDEAD);
	assert_int_equal(saferring_region_revoke(stage->region), -EOWNERDEAD);
	assert_int_equal(saferring_ring_destroy(stage->ring, 0), -EOWNERDEAD);
	assert_int_equal(saferring_pool_destroy(stage->pool), -EOWNERDEAD);
	assert_int_equal(saferring_region_destroy(stage->region, 0, 0),
			 -EOWNERDEAD);
	assert_int_equal(saferring_device_close(stage->device), -EOWNERDEAD);
	saferring_pool_flush(stage->pool);
}

static void its_own_works(void *argument)
{
	struct inheritance *from = argument;
	struct stage *own = stage_up(0, 8, STAGE_RING);
	const int fd = pattern_file(BUFFER_SIZE);
	struct saferring_completion completion;

	assert_int_equal(saferring_ring_read(own->ring, fd, get(own->pool), 0,
					     BUFFER_SIZE, 0, 0),
			 0);
	assert_int_equal(saferring_ring_wait(own->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_pattern(saferring_buffer_data(own->pool, completion.buffer), 0,
		       BUFFER_SIZE);
	put(own->pool, completion.buffer);
	/* And what was inherited has not come to life by that. */
	assert_int_equal(saferring_buffer_put(from->stage->pool, from->held),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_submit(from->stage->ring),
			 -EOWNERDEAD);
	stage_down(own);
}

static int up(void **state)
{
	struct inheritance *from = calloc(1, sizeof(*from));

	from->stage = stage_up(0, 8, STAGE_RING);
	from->held = get(from->stage->pool);
	*state = from;
	return 0;
}

static int down(void **state)
{
	struct inheritance *from = *state;

	/* Whatever the child did, the parent's things are as they were. */
	assert_non_null(saferring_buffer_data(from->stage->pool, from->held));
	put(from->stage->pool, from->held);
	stage_down(from->stage);
	free(from);
	return 0;
}

static void skip_if_no_threads(void)
{
#ifdef __SANITIZE_THREAD__
	if (on_threads())
		SKIP("its sanitizer lets a child of threads have none itself");
#endif
}

static void a_child_is_refused_everything_inherited(void **state)
{
	in_child(everything_is_refused, *state);
}

static void a_child_can_have_its_own(void **state)
{
	skip_if_no_threads();
	in_child(its_own_works, *state);
}

static void a_child_that_was_not_made_by_fork_is_told_too(void **state)
{
	/* No handler of pthread_atfork() runs for this one. */
	const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	struct inheritance *from = *state;
	saferring_buffer buffer;
	int status;

	if (!child) {
		if (saferring_buffer_data(from->stage->pool, from->held))
			_exit(1);
		if (saferring_buffer_get(from->stage->pool, &buffer) !=
		    -EOWNERDEAD)
			_exit(2);
		if (saferring_ring_submit(from->stage->ring) != -EOWNERDEAD)
			_exit(3);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid((pid_t)child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* ---- what other threads do when one forks ---- */

/* Threads that are in the library nearly all the time, under its locks. */
struct bustle {
	struct stage *stage;
	pthread_t thread[2];
	bool stop;
};

static bool goes_on(const struct bustle *bustle)
{
	return !__atomic_load_n(&bustle->stop, __ATOMIC_RELAXED);
}

static int fd_of(const struct saferring_ring *ring)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_ring_info(ring, &info), 0);
	return info.fd;
}

/* Returns what came of a message. */
static int send_message(struct saferring_ring *ring, int fd)
{
	struct saferring_completion completion;

	assert_int_equal(saferring_ring_message(ring, fd, 7, 0, 1), 0);
	do
		assert_int_equal(saferring_ring_wait(ring, &completion, 1, 1,
						     SAFERRING_FOREVER),
				 1);
	while (completion.operation != SAFERRING_OPERATION_MESSAGE);
	return completion.result;
}

static bool have_messages(struct saferring_ring *ring)
{
	struct saferring_completion completion;

	if (saferring_ring_message(ring, fd_of(ring), 7, 0, 1))
		return false;
	assert_int_equal(saferring_ring_withdraw(ring), 1);
	assert_int_equal(saferring_ring_reap(ring, &completion, 1), 1);
	return true;
}

static void *send_and_make_rings(void *argument)
{
	struct bustle *bustle = argument;
	struct saferring_ring *ring;
	unsigned int number;

	while (goes_on(bustle)) {
		ring = make_ring(bustle->stage->pool, 4, 0);
		for (number = 0; number < 200 && have_messages(ring); number++)
			send_message(ring, fd_of(ring));
		assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
	}
	return NULL;
}

static void *get_and_flush(void *argument)
{
	struct bustle *bustle = argument;
	struct saferring_pool *pool = bustle->stage->pool;
	saferring_buffer buffer;

	while (goes_on(bustle)) {
		if (!saferring_buffer_get(pool, &buffer))
			put(pool, buffer);
		saferring_pool_flush(pool);
	}
	saferring_pool_flush(pool);
	return NULL;
}

static void a_child_can_have_its_own_whatever_others_were_doing(void **state)
{
	struct inheritance *from = *state;
	struct bustle bustle = { .stage = from->stage };
	unsigned int round;
	time_t until;

#ifdef __SANITIZE_THREAD__
	SKIP("its sanitizer lets a child of threads have none itself");
#endif
#ifdef __SANITIZE_ADDRESS__
	SKIP("its sanitizer's own lock may stay locked in a child of threads");
#endif
	if (getenv("UNIT_WRAPPER"))
		SKIP("the wrapper would report as lost what other threads had");
	pthread_create(&bustle.thread[0], NULL, send_and_make_rings, &bustle);
	pthread_create(&bustle.thread[1], NULL, get_and_flush, &bustle);
	/* As many as two seconds hold. */
	until = time(NULL) + 2;
	for (round = 0; round < 200 && time(NULL) < until; round++)
		in_child(its_own_works, from);
	__atomic_store_n(&bustle.stop, true, __ATOMIC_RELAXED);
	pthread_join(bustle.thread[0], NULL);
	pthread_join(bustle.thread[1], NULL);
}

static void *set_reports(void *argument)
{
	struct bustle *bustle = argument;

	while (goes_on(bustle))
		saferring_report_set(NULL, NULL);
	return NULL;
}

static void sets_its_report(void *argument)
{
	(void)argument;
	saferring_report_set(saferring_report_stderr, NULL);
}

static void a_child_has_reports_whatever_others_were_doing(void **state)
{
	struct inheritance *from = *state;
	struct bustle bustle = { .stage = from->stage };
	unsigned int round;

	pthread_create(&bustle.thread[0], NULL, set_reports, &bustle);
	for (round = 0; round < 100; round++)
		in_child(sets_its_report, from);
	__atomic_store_n(&bustle.stop, true, __ATOMIC_RELAXED);
	pthread_join(bustle.thread[0], NULL);
}

/* ---- what is in flight when one forks ---- */

/* What the child does with the fork's other end of the socket. */
struct flight {
	struct inheritance *from;
	int pair[2];
};

static void tread_on_everything(void *argument)
{
	struct flight *flight = argument;
	struct stage *own = stage_up(0, 8, STAGE_RING);

	/* Its own operation is in flight, too, when it ends. */
	assert_int_equal(saferring_ring_read(own->ring, flight->pair[0],
					     get(own->pool), 0, 8, -1, 0),
			 0);
	assert_int_equal(saferring_ring_nop(own->ring, 1), 0);
	assert_int_equal(saferring_ring_submit(own->ring), 2);
	_exit(0);
}

static void what_is_in_flight_does_not_notice_a_child(void **state)
{
	struct flight flight = { .from = *state };
	struct stage *stage = flight.from->stage;
	struct saferring_completion completion;

	skip_if_no_threads();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    flight.pair),
			 0);
	assert_int_equal(saferring_ring_read(stage->ring, flight.pair[0],
					     get(stage->pool), 0, 8, -1, 5),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	in_child(tread_on_everything, &flight);
	/* The kernel writes to the page that the parent sees. */
	assert_int_equal(write(flight.pair[1], "12345678", 8), 8);
	completion = next_of(stage->ring);
	assert_int_equal(completion.user_data, 5);
	assert_int_equal(completion.result, 8);
	assert_memory_equal(bytes_of(stage->pool, completion.buffer),
			    "12345678", 8);
	put(stage->pool, completion.buffer);
	close(flight.pair[0]);
	close(flight.pair[1]);
}

static void knock(void *argument)
{
	struct inheritance *from = argument;
	struct stage *own = stage_up(0, 8, STAGE_RING);
	const int result = send_message(own->ring, fd_of(own->ring));

	assert_int_equal(result, 0);
	send_message(own->ring, fd_of(from->stage->ring));
	stage_down(own);
}

/*
 * A ring of the kernel's can be sent to by a child. One on threads cannot, and
 * its descriptor must not say that there is something.
 */
static void a_ring_that_is_readable_after_a_fork_has_something(void **state)
{
	struct inheritance *from = *state;
	struct saferring_ring *ring = from->stage->ring;
	struct pollfd poll_fd = { .fd = fd_of(ring), .events = POLLIN };
	struct saferring_completion completion;

	if (!have_messages(ring))
		SKIP("%s", saferring_error_last()->what);
	skip_if_no_threads();
	in_child(knock, from);
	assert_int_equal(poll(&poll_fd, 1, 0), !on_threads());
	if (poll_fd.revents)
		assert_int_equal(saferring_ring_reap(ring, &completion, 1), 0);
}

/* ---- exec ---- */

static void replace_the_program(void *argument)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	int pair[2];

	(void)argument;
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pair[0],
					     get(stage->pool), 0, 8, -1, 0),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	/* What is open now is not ours, or was there before. */
	execl("/bin/sh", "sh", "-c",
	      "for fd in /proc/self/fd/*; do"
	      " case $(readlink $fd) in *io_uring*|*safer_ring*|*eventfd*|*memfd*)"
	      " exit 1;; esac; done; exit 0", NULL);
}

static void nothing_is_left_open_to_another_program(void **state)
{
	(void)state;
	skip_if_no_threads();
	in_child(replace_the_program, NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(a_child_is_refused_everything_inherited),
		T(a_child_can_have_its_own),
		T(a_child_that_was_not_made_by_fork_is_told_too),
		T(a_child_can_have_its_own_whatever_others_were_doing),
		T(a_child_has_reports_whatever_others_were_doing),
		T(what_is_in_flight_does_not_notice_a_child),
		T(a_ring_that_is_readable_after_a_fork_has_something),
		T(nothing_is_left_open_to_another_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
