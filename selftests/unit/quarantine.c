// SPDX-License-Identifier: GPL-2.0
/*
 * A ring that is destroyed while the kernel does not let go of its buffers.
 *
 * Cancelling is made ineffective here, so that a read from an idle socket
 * stays in flight as an I/O does that the kernel cannot cancel. A pipe would not
 * do: before 6.5 its reads wait in a worker, and end at some later moment.
 */
#include <poll.h>
#include <sys/socket.h>
#include "common.h"
#include "wrap.h"

int __wrap_sr_uring_cancel_all(struct saferring_ring *ring)
{
	(void)ring;
	return 0;
}

static struct saferring_pool_stats stats_of(const struct stage *stage)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	return stats;
}

static int fd_of(const struct stage *stage)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_ring_info(stage->ring, &info), 0);
	return info.fd;
}

/* The ring is in quarantine, and open: its descriptor tells. */
static void wait_for_end(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
}

static void what_does_not_come_back_is_quarantined_until_it_does(void **state)
{
	struct stage *stage = stage_up(2, 8, STAGE_RING);
	saferring_buffer lost, other, none;
	unsigned int before;
	int pair[2], fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    pair),
			 0);
	lost = get(stage->pool);
	assert_int_equal(saferring_ring_read(stage->ring, pair[0], lost, 0, 8,
					     -1, 0),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	before = reports;
	fd = fd_of(stage);
	assert_int_equal(saferring_ring_destroy(stage->ring, 20), 1);
	stage->ring = NULL;
	assert_int_equal(reports, before + 1);
	assert_int_equal(last_report.reason, SAFERRING_REASON_LOST_IO);
	assert_string_equal(last_report.object, "ring main");
	assert_int_equal(last_report.needed, 1);

	/* It is nobody's: not handed out, not put, and it keeps the pool. */
	assert_int_equal(saferring_quarantine_reap(), 1);
	assert_int_equal(stats_of(stage).quarantined, 1);
	assert_int_equal(saferring_buffer_owner(stage->pool, lost),
			 SAFERRING_OWNER_QUARANTINE);
	before = reports;
	assert_misuse(saferring_buffer_put(stage->pool, lost),
		      SAFERRING_REASON_QUARANTINED, before);
	assert_string_equal(last_report.owner_detail,
			    "in quarantine as READ of 8 bytes by ring main");
	other = get(stage->pool);
	assert_int_equal(saferring_buffer_get(stage->pool, &none), -ENOBUFS);
	assert_non_null(strstr(saferring_error_last()->what,
			       "1 in quarantine"));
	put(stage->pool, other);
	assert_int_equal(saferring_pool_destroy(stage->pool), -EBUSY);
	assert_non_null(strstr(saferring_error_last()->what,
			       "1 in quarantine"));

	/* The I/O ends at last. */
	assert_int_equal(write(pair[1], "12345678", 8), 8);
	wait_for_end(fd);
	assert_int_equal(saferring_quarantine_reap(), 0);
	assert_int_equal(stats_of(stage).quarantined, 0);
	assert_int_equal(stats_of(stage).available, 2);
	assert_int_equal(saferring_buffer_valid(stage->pool, lost), 0);
	close(pair[0]);
	close(pair[1]);
	stage_down(stage);
}

static void destroying_the_pool_takes_the_quarantined_back(void **state)
{
	struct stage *stage = stage_up(2, 8, STAGE_RING);
	int pair[2], fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    pair),
			 0);
	assert_int_equal(saferring_ring_read(stage->ring, pair[0],
					     get(stage->pool), 0, 8, -1, 0),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	fd = fd_of(stage);
	assert_int_equal(saferring_ring_destroy(stage->ring, 0), 1);
	stage->ring = NULL;
	assert_int_equal(write(pair[1], "12345678", 8), 8);
	wait_for_end(fd);
	stage_down(stage);
	close(pair[0]);
	close(pair[1]);
}

/* With its ring, a group's buffers are nobody's, and the memory of both stays. */
static void a_ring_in_quarantine_keeps_its_region_and_its_group(void **state)
{
	struct stage *stage = stage_up(4, 8, STAGE_RING | STAGE_PLACED);
	struct saferring_group *group;
	int pair[2], fd, error;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    pair),
			 0);
	error = saferring_group_create(stage->ring, stage->pool, 2, 0, &group);
	if (error)
		print_message("# %s\n", saferring_error_last()->what);
	assert_int_equal(saferring_ring_read(stage->ring, pair[0],
					     get(stage->pool), 0, 8, -1, 0),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	fd = fd_of(stage);
	assert_int_equal(saferring_ring_destroy(stage->ring, 20), 1);
	stage->ring = NULL;
	assert_int_equal(stats_of(stage).quarantined, error ? 1 : 3);
	assert_int_equal(stats_of(stage).available, error ? 3 : 1);
	assert_int_equal(saferring_region_destroy(stage->memory, 0, 0), -EBUSY);
	assert_int_equal(saferring_region_revoke(stage->memory), -EBUSY);

	assert_int_equal(write(pair[1], "12345678", 8), 8);
	wait_for_end(fd);
	assert_int_equal(saferring_quarantine_reap(), 0);
	assert_int_equal(stats_of(stage).quarantined, 0);
	assert_all_back(stage->pool);
	stage_down(stage);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(what_does_not_come_back_is_quarantined_until_it_does),
		T(destroying_the_pool_takes_the_quarantined_back),
		T(a_ring_in_quarantine_keeps_its_region_and_its_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
