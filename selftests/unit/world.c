// SPDX-License-Identifier: GPL-2.0
/*
 * The world that each test gets, and that it must leave in order.
 */
#include "unit.h"

static void take_report(const struct saferring_error *error, void *context)
{
	struct world *w = context;

	w->reports++;
	w->reason = error->reason;
}

int world_setup(void **state)
{
	struct saferring_region_options memory = {
		.size = sizeof(memory),
		.length = BUFFERS * BUFFER_SIZE,
	};
	struct saferring_pool_options cut = {
		.size = sizeof(cut),
		.buffer_size = BUFFER_SIZE,
		.name = "unit",
	};
	struct saferring_ring_options use = {
		.size = sizeof(use),
		.depth = DEPTH,
		.pool_count = 1,
		.name = "unit",
	};
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	*state = w;
	use.pools = &w->pool;
	if (saferring_device_open(NULL, &w->device) ||
	    saferring_region_create(w->device, &memory, &w->region) ||
	    saferring_pool_create(&w->region, 1, &cut, &w->pool) ||
	    saferring_ring_create(&use, &w->ring)) {
		print_error("%s\n", saferring_error_last()->what);
		return -1;
	}
	saferring_report_set(take_report, w);
	return 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;
	int left;

	left = saferring_ring_destroy(w->ring, 5000);
	saferring_report_set(saferring_report_stderr, NULL);
	if (left || saferring_pool_destroy(w->pool) ||
	    saferring_region_destroy(w->region, 0, 5000) ||
	    saferring_device_close(w->device)) {
		print_error("%d left; %s: %s\n", left,
			    saferring_error_last()->operation,
			    saferring_error_last()->what);
		return -1;
	}
	free(w);
	return 0;
}

saferring_buffer world_get(struct world *w)
{
	saferring_buffer buffer;

	assert_int_equal(0, saferring_buffer_get(w->pool, &buffer));
	return buffer;
}

saferring_buffer world_get_in_flight(struct world *w, int fds[2])
{
	saferring_buffer buffer = world_get(w);

	assert_int_equal(0, pipe(fds));
	assert_int_equal(0, saferring_ring_read(w->ring, fds[0], buffer, 0,
						BUFFER_SIZE, -1, 0));
	assert_int_equal(1, saferring_ring_submit(w->ring));
	return buffer;
}

struct saferring_completion world_complete(struct world *w)
{
	struct saferring_completion done;

	assert_int_equal(1, saferring_ring_wait(w->ring, &done, 1, 1,
						5000000000));
	return done;
}
