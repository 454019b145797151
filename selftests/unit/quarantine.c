// SPDX-License-Identifier: GPL-2.0
/*
 * A ring that is destroyed while the kernel does not let go of its buffers.
 *
 * Cancelling is made ineffective here, so that a read from an idle socket
 * stays in flight as an I/O does that the kernel cannot cancel. A pipe would not
 * do: before 6.5 its reads wait in a worker, and end at some later moment.
 */
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

static void what_does_not_come_back_is_quarantined_until_it_does(void **state)
{
	struct stage *stage = stage_up(2, 8, STAGE_RING);
	saferring_buffer lost, other, none;
	unsigned int before;
	int pair[2];

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
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    pair),
			 0);
	assert_int_equal(saferring_ring_read(stage->ring, pair[0],
					     get(stage->pool), 0, 8, -1, 0),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_ring_destroy(stage->ring, 0), 1);
	stage->ring = NULL;
	assert_int_equal(write(pair[1], "12345678", 8), 8);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
