/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the library share: a device with one region, a pool and a
 * ring on it, and the reports that came.
 */
#ifndef SAFER_RING_UNIT_H
#define SAFER_RING_UNIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <saferring.h>

#define BUFFER_SIZE	4096UL
#define BUFFERS		64
#define DEPTH		32

/**
 * struct world - what a test works on
 * @device: the best backend, or the one that SAFERRING_BACKEND names
 * @region: of BUFFERS times BUFFER_SIZE
 * @pool: on @region
 * @ring: on @pool
 * @reports: how many came
 * @reason: of the last one
 */
struct world {
	struct saferring_device *device;
	struct saferring_region *region;
	struct saferring_pool *pool;
	struct saferring_ring *ring;
	unsigned int reports;
	int reason;
};

int world_setup(void **state);
int world_teardown(void **state);

/* A buffer of the world's pool. */
saferring_buffer world_get(struct world *w);
/* A buffer that a read of an empty pipe has in flight; @fds is the pipe. */
saferring_buffer world_get_in_flight(struct world *w, int fds[2]);
/* Wait for one completion. */
struct saferring_completion world_complete(struct world *w);

#define WORLD_TEST(name)						\
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

/* The last failure of this thread was for that reason, and was reported. */
#define assert_misuse(w, expected)					\
	do {								\
		assert_int_equal((expected), saferring_error_last()->reason); \
		assert_int_equal((expected), (w)->reason);		\
	} while (0)

#endif /* SAFER_RING_UNIT_H */
