// SPDX-License-Identifier: GPL-2.0
/*
 * Sets: the pool that fits, on the node that is near.
 */
#include <numa.h>
#include "common.h"

#define POOLS 3U
#define COUNT 4U

static const size_t sizes[POOLS] = { 65536, 4096, 16384 };

struct many {
	struct saferring_device *device;
	struct saferring_region *region[POOLS];
	struct saferring_pool *pool[POOLS];
	struct saferring_set *set;
};

static struct saferring_pool *cut(struct saferring_region *region, size_t size)
{
	struct saferring_pool_options options;
	struct saferring_pool *pool;

	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = size;
	options.count = COUNT;
	assert_int_equal(saferring_pool_create(&region, 1, &options, &pool), 0);
	return pool;
}

static struct many *many_up(unsigned int flags)
{
	struct many *many = calloc(1, sizeof(*many));
	unsigned int number;

	assert_non_null(many);
	catch_reports();
	many->device = open_device();
	for (number = 0; number < POOLS; number++) {
		many->region[number] = make_region(many->device, REGION_SIZE);
		many->pool[number] = cut(many->region[number], sizes[number]);
	}
	assert_int_equal(saferring_set_create(many->pool, POOLS, flags,
					      &many->set),
			 0);
	return many;
}

static void many_down(struct many *many)
{
	unsigned int number;

	saferring_set_destroy(many->set);
	for (number = 0; number < POOLS; number++) {
		assert_int_equal(saferring_pool_destroy(many->pool[number]), 0);
		drop_region(many->region[number]);
	}
	assert_int_equal(saferring_device_close(many->device), 0);
	free(many);
}

static struct saferring_set_stats stats_of(struct many *many)
{
	struct saferring_set_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_set_stats(many->set, &stats), 0);
	return stats;
}

/* Get, and say which pool it came from, or the error. */
static int get_from(struct many *many, size_t length, saferring_buffer *buffer)
{
	struct saferring_pool *pool;
	const int error = saferring_set_get(many->set, length, &pool, buffer);
	unsigned int number;

	if (error) {
		assert_null(pool);
		assert_true(saferring_buffer_is_none(*buffer));
		return error;
	}
	assert_ptr_equal(saferring_set_pool(many->set, *buffer), pool);
	assert_non_null(saferring_buffer_data(pool, *buffer));
	for (number = 0; many->pool[number] != pool; number++)
		;
	return (int)number;
}

static void the_smallest_size_that_fits_is_chosen(void **state)
{
	const struct {
		size_t length;
		int from;
	} wanted[] = {
		{ 0, 1 },     { 1, 1 },	    { 4096, 1 },  { 4097, 2 },
		{ 16384, 2 }, { 16385, 0 }, { 65536, 0 }, { 65537, -EMSGSIZE },
	};
	struct many *many = many_up(0);
	saferring_buffer buffer;
	size_t number;

	(void)state;
	for (number = 0; number < sizeof(wanted) / sizeof(*wanted); number++) {
		assert_int_equal(get_from(many, wanted[number].length,
					  &buffer),
				 wanted[number].from);
		if (wanted[number].from >= 0)
			assert_int_equal(saferring_set_put(many->set, buffer),
					 0);
	}
	assert_error(-EMSGSIZE, SAFERRING_REASON_BOUNDS);
	assert_int_equal(saferring_error_last()->needed, 65537);
	assert_int_equal(saferring_error_last()->limit, 65536);
	assert_int_equal(stats_of(many).too_long, 1);
	assert_int_equal(stats_of(many).larger, 0);
	many_down(many);
}

static void larger_ones_are_taken_when_the_fitting_are_out(void **state)
{
	struct many *many = many_up(0);
	saferring_buffer all[POOLS * COUNT], one_more;
	unsigned int number;

	(void)state;
	for (number = 0; number < POOLS * COUNT; number++)
		assert_int_equal(get_from(many, 100, &all[number]),
				 number < COUNT	    ? 1 :
				 number < 2 * COUNT ? 2 :
						      0);
	assert_int_equal(get_from(many, 100, &one_more), -ENOBUFS);
	assert_error(-ENOBUFS, SAFERRING_REASON_EXHAUSTED);
	assert_int_equal(stats_of(many).larger, 2 * COUNT);
	assert_int_equal(stats_of(many).exhausted, 1);
	for (number = 0; number < POOLS * COUNT; number++)
		assert_int_equal(saferring_set_put(many->set, all[number]), 0);
	many_down(many);
}

static void a_tight_set_takes_no_larger_ones(void **state)
{
	struct many *many = many_up(SAFERRING_SET_TIGHT);
	saferring_buffer all[COUNT], one_more;
	unsigned int number;

	(void)state;
	for (number = 0; number < COUNT; number++)
		assert_int_equal(get_from(many, 5000, &all[number]), 2);
	assert_int_equal(get_from(many, 5000, &one_more), -ENOBUFS);
	for (number = 0; number < COUNT; number++)
		assert_int_equal(saferring_set_put(many->set, all[number]), 0);
	many_down(many);
}

static void handles_that_are_of_no_pool_in_the_set_are_refused(void **state)
{
	struct many *many = many_up(0);
	struct saferring_region *region =
		make_region(many->device, REGION_SIZE);
	struct saferring_pool *other = make_pool(region, 4, 0, "other");
	const saferring_buffer buffer = get(other);
	const unsigned int before = reports;

	(void)state;
	assert_null(saferring_set_pool(many->set, buffer));
	assert_misuse(saferring_set_put(many->set, buffer),
		      SAFERRING_REASON_FOREIGN_POOL, before);
	assert_misuse(saferring_set_put(many->set, SAFERRING_BUFFER_NONE),
		      SAFERRING_REASON_GARBAGE, before + 1);
	put(other, buffer);
	assert_int_equal(saferring_pool_destroy(other), 0);
	drop_region(region);
	many_down(many);
}

static void sets_are_made_within_their_limits_only(void **state)
{
	struct many *many = many_up(0);
	struct saferring_pool *pools[SAFERRING_SET_POOLS_MAX + 1] = {
		many->pool[0], many->pool[1], many->pool[0]
	};
	struct saferring_set *set = NULL;

	(void)state;
	assert_int_equal(saferring_set_create(pools, 0, 0, &set), -EINVAL);
	assert_int_equal(saferring_set_create(pools, 3, 0, &set), -EINVAL);
	assert_non_null(strstr(saferring_error_last()->what, "twice"));
	assert_int_equal(saferring_set_create(pools, 4, 0, &set), -EINVAL);
	assert_int_equal(saferring_set_create(pools, 2, 1U << 5, &set),
			 -EINVAL);
	assert_int_equal(saferring_set_create(pools,
					      SAFERRING_SET_POOLS_MAX + 1, 0,
					      &set),
			 -EINVAL);
	assert_null(set);
	assert_int_equal(saferring_set_create(pools, 2, 0, &set), 0);
	saferring_set_destroy(set);
	saferring_set_destroy(NULL);
	many_down(many);
}

static void a_pool_in_a_set_stays(void **state)
{
	struct many *many = many_up(0);

	(void)state;
	assert_int_equal(saferring_pool_destroy(many->pool[0]), -EBUSY);
	assert_non_null(strstr(saferring_error_last()->what, "1 sets"));
	many_down(many);
}

/* ---- two nodes ---- */

static struct saferring_pool *pool_on(struct saferring_device *device, int node,
				      struct saferring_region **region)
{
	struct saferring_region_options options;

	SAFERRING_OPTIONS_INIT(&options);
	options.length = REGION_SIZE;
	options.placement = SAFERRING_PLACE_STRICT;
	options.node = node;
	assert_int_equal(saferring_region_create(device, &options, region), 0);
	return cut(*region, BUFFER_SIZE);
}

static void try_on_node(struct saferring_pool *const pools[2], int node)
{
	saferring_buffer all[2 * COUNT], one_more;
	struct saferring_set *set;
	struct saferring_pool *pool;
	unsigned int number;

	assert_int_equal(numa_run_on_node(node), 0);
	assert_int_equal(saferring_set_create(pools, 2, 0, &set), 0);
	for (number = 0; number < 2 * COUNT; number++) {
		assert_int_equal(saferring_set_get(set, 1, &pool,
						   &all[number]),
				 0);
		assert_ptr_equal(pool, pools[number < COUNT ? node : !node]);
	}
	for (number = 0; number < 2 * COUNT; number++)
		assert_int_equal(saferring_set_put(set, all[number]), 0);
	saferring_set_destroy(set);

	assert_int_equal(saferring_set_create(pools, 2, SAFERRING_SET_LOCAL,
					      &set),
			 0);
	for (number = 0; number < COUNT; number++)
		assert_int_equal(saferring_set_get(set, 1, &pool,
						   &all[number]),
				 0);
	assert_int_equal(saferring_set_get(set, 1, &pool, &one_more),
			 -ENOBUFS);
	for (number = 0; number < COUNT; number++)
		assert_int_equal(saferring_set_put(set, all[number]), 0);
	saferring_set_destroy(set);
}

static void the_local_node_is_preferred(void **state)
{
	struct saferring_device *device;
	struct saferring_region *regions[2];
	struct saferring_pool *pools[2];
	int node;

	(void)state;
	if (saferring_node_count() < 2)
		SKIP("one node");
	device = open_device();
	for (node = 0; node < 2; node++)
		pools[node] = pool_on(device, node, &regions[node]);
	try_on_node(pools, 0);
	try_on_node(pools, 1);
	numa_run_on_node(-1);
	for (node = 0; node < 2; node++) {
		assert_int_equal(saferring_pool_destroy(pools[node]), 0);
		drop_region(regions[node]);
	}
	assert_int_equal(saferring_device_close(device), 0);
}

static void interfaces_have_nodes_or_a_reason(void **state)
{
	const char *const bad[] = { "", "a/b", "..", ".",
				    "a_name_that_is_too_long" };
	size_t number;

	(void)state;
	for (number = 0; number < sizeof(bad) / sizeof(*bad); number++)
		assert_int_equal(saferring_node_of_netdev(bad[number]),
				 -EINVAL);
	assert_int_equal(saferring_node_of_netdev("lo"), -ENODEV);
	assert_int_equal(saferring_node_of_netdev("no_such_thing"), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_size_that_fits_is_chosen),
		cmocka_unit_test(larger_ones_are_taken_when_the_fitting_are_out),
		cmocka_unit_test(a_tight_set_takes_no_larger_ones),
		cmocka_unit_test(handles_that_are_of_no_pool_in_the_set_are_refused),
		cmocka_unit_test(sets_are_made_within_their_limits_only),
		cmocka_unit_test(a_pool_in_a_set_stays),
		cmocka_unit_test(the_local_node_is_preferred),
		cmocka_unit_test(interfaces_have_nodes_or_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
