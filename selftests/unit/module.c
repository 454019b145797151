// SPDX-License-Identifier: GPL-2.0
/*
 * The library's side of the module's contract, by a module that is played.
 */
#include "fake.h"

static struct saferring_region_info info_of(struct saferring_region *region)
{
	struct saferring_region_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_region_info(region, &info), 0);
	return info;
}

static void the_module_is_preferred_and_asked_as_the_contract_says(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region_options options;
	struct saferring_region *region;
	struct saferring_region_info info;

	(void)state;
	assert_int_equal(saferring_device_backend(device),
			 SAFERRING_BACKEND_MODULE);
	SAFERRING_OPTIONS_INIT(&options);
	options.length = 100000;
	assert_int_equal(saferring_region_create(device, &options, &region), 0);
	assert_int_equal(module.last_alloc.length, 100000);
	assert_int_equal(module.last_alloc.node, SAFER_RING_NODE_LOCAL);
	assert_int_equal(module.last_alloc.flags, 0);
	assert_int_equal(module.last_alloc.order_min, 0);
	assert_int_equal(module.last_alloc.order_max, SAFER_RING_ORDER_BEST);
	info = info_of(region);
	assert_int_equal(info.length, 131072);
	assert_int_equal(info.page_size, 4096 << FAKE_ORDER);
	assert_int_equal(info.pages, 2);
	assert_int_equal(info.pages_pinned, 3);
	assert_int_equal(info.generation, generations()[0]);
	assert_string_equal(info.reason, "");
	memset(saferring_region_address(region), 1, info.length);
	drop_region(region);
	assert_int_equal(generations()[0], 2);

	options.placement = SAFERRING_PLACE_STRICT;
	options.node = 0;
	options.dma32 = 1;
	assert_int_equal(saferring_region_create(device, &options, &region), 0);
	assert_int_equal(module.last_alloc.node, 0);
	assert_int_equal(module.last_alloc.flags,
			 SAFER_RING_ALLOC_STRICT | SAFER_RING_ALLOC_DMA32);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
	assert_int_equal(module.allocs, module.frees);
}

static const struct {
	int error;
	int reason;
	uint64_t limit;
} alloc_errors[] = {
	{ EDQUOT, SAFERRING_REASON_QUOTA, 64UL << 20 },
	{ ENOSPC, SAFERRING_REASON_QUOTA, FAKE_SLOTS },
	{ EFBIG, SAFERRING_REASON_ARGUMENT, FAKE_STEP },
	{ ENOMEM, SAFERRING_REASON_MEMORY, 0 },
	{ EPERM, SAFERRING_REASON_PLACEMENT, 0 },
	{ EOPNOTSUPP, SAFERRING_REASON_UNSUPPORTED, 0 },
};

static void each_refusal_of_the_module_is_explained(void **state)
{
	struct saferring_device_options device_options;
	struct saferring_region_options options;
	struct saferring_device *device;
	struct saferring_region *region = NULL;
	size_t number;

	(void)state;
	SAFERRING_OPTIONS_INIT(&device_options);
	device_options.backend = SAFERRING_BACKEND_MODULE;
	assert_int_equal(saferring_device_open(&device_options, &device), 0);
	SAFERRING_OPTIONS_INIT(&options);
	options.length = REGION_SIZE;
	for (number = 0; number < sizeof(alloc_errors) / sizeof(*alloc_errors);
	     number++) {
		module.alloc_error = alloc_errors[number].error;
		assert_int_equal(saferring_region_create(device, &options,
							 &region),
				 -module.alloc_error);
		assert_error(-module.alloc_error, alloc_errors[number].reason);
		assert_int_equal(saferring_error_last()->limit,
				 alloc_errors[number].limit);
		assert_null(region);
	}
	module.alloc_error = ENOMEM;
	options.placement = SAFERRING_PLACE_STRICT;
	assert_int_equal(saferring_region_create(device, &options, &region),
			 -ENOMEM);
	assert_error(-ENOMEM, SAFERRING_REASON_PLACEMENT);
	assert_int_equal(saferring_device_close(device), 0);
	assert_int_equal(module.frees, 0);
}

static void a_region_degrades_when_the_module_refuses(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region;

	(void)state;
	module.alloc_error = EDQUOT;
	region = make_region(device, REGION_SIZE);
	assert_true(info_of(region).backend > SAFERRING_BACKEND_MODULE);
	assert_non_null(strstr(info_of(region).reason, "module: "));
	assert_int_equal(info_of(region).pages_pinned, -1);
	memset(saferring_region_address(region), 1, REGION_SIZE);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void a_failed_mapping_gives_the_region_back(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region;

	(void)state;
	module.map_error = ENXIO;
	region = make_region(device, REGION_SIZE);
	assert_true(info_of(region).backend > SAFERRING_BACKEND_MODULE);
	assert_int_equal(module.allocs, 1);
	assert_int_equal(module.frees, 1);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void a_slot_outside_of_the_control_area_is_not_believed(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region;

	(void)state;
	module.alloc_slot_offset = FAKE_SLOTS;
	region = make_region(device, REGION_SIZE);
	assert_true(info_of(region).backend > SAFERRING_BACKEND_MODULE);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void a_region_that_is_pinned_stays_whole(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);

	(void)state;
	module.free_error = EBUSY;
	assert_int_equal(saferring_region_destroy(region, 0, 0), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	assert_int_equal(module.last_free.flags, 0);
	assert_int_equal(module.last_free.timeout_ms, 0);
	memset(saferring_region_address(region), 1, REGION_SIZE);
	module.free_error = ETIMEDOUT;
	assert_int_equal(saferring_region_destroy(region, 0, 250), -ETIMEDOUT);
	assert_int_equal(module.last_free.flags, SAFER_RING_FREE_WAIT);
	assert_int_equal(module.last_free.timeout_ms, 250);
	memset(saferring_region_address(region), 1, REGION_SIZE);
	assert_int_equal(saferring_device_close(device), -EBUSY);
	module.free_error = 0;
	assert_int_equal(saferring_region_destroy(region,
						  SAFERRING_DESTROY_FORCE, 0),
			 0);
	assert_int_equal(module.last_free.flags, SAFER_RING_FREE_FORCE);
	assert_int_equal(saferring_device_close(device), 0);
}

static void revoking_frees_by_force_once(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);
	struct saferring_pool *pool = make_pool(region, 0, 0, "input");
	const saferring_buffer buffer = get(pool);
	const unsigned int before = reports;

	(void)state;
	module.free_error = EINTR;
	assert_int_equal(saferring_region_revoke(region), -EINTR);
	assert_int_equal(saferring_buffer_valid(pool, buffer), 1);
	module.free_error = 0;
	assert_int_equal(saferring_region_revoke(region), 0);
	assert_int_equal(module.last_free.flags, SAFER_RING_FREE_FORCE);
	assert_null(saferring_buffer_data(pool, buffer));
	assert_misuse(-ESTALE, SAFERRING_REASON_REGION_GONE, before);
	assert_int_equal(saferring_pool_destroy(pool), 0);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

/* The module is passed over, and the reason has this in it. */
static void assert_passed_over(const char *why)
{
	struct saferring_device *device = open_device();
	const char *reason =
		saferring_device_reason(device, SAFERRING_BACKEND_MODULE);

	assert_true(saferring_device_backend(device) >
		    SAFERRING_BACKEND_MODULE);
	assert_non_null(strstr(reason, why));
	assert_int_equal(saferring_device_close(device), 0);
}

static void a_module_that_cannot_be_used_is_passed_over(void **state)
{
	module.open_error = ENOENT;
	assert_passed_over("not loaded");
	module.open_error = EACCES;
	assert_passed_over("no permission");
	module.open_error = EMFILE;
	assert_passed_over("open failed");
	reset(state);
	module.info_error = ENOTTY;
	assert_passed_over("does not answer");
	reset(state);
	module.magic = 0;
	assert_passed_over("unknown layout");
}

static void the_probe_shows_the_module(void **state)
{
	struct saferring_probe probe = { .size = sizeof(probe) };
	char text[4096];

	(void)state;
	assert_int_equal(saferring_probe(&probe), 0);
	assert_int_equal(probe.module, 0);
	assert_int_equal(probe.module_abi, SAFER_RING_ABI);
	assert_int_equal(probe.module_memory, SAFER_RING_BACKEND_FOLIO);
	assert_int_equal(probe.module_region_max, FAKE_STEP);
	assert_int_equal(probe.module_quota, 64UL << 20);
	assert_int_equal(probe.backend, SAFERRING_BACKEND_MODULE);
	saferring_probe_text(&probe, text, sizeof(text));
	assert_non_null(strstr(text, "folio"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, reset)
	const struct CMUnitTest tests[] = {
		T(the_module_is_preferred_and_asked_as_the_contract_says),
		T(each_refusal_of_the_module_is_explained),
		T(a_region_degrades_when_the_module_refuses),
		T(a_failed_mapping_gives_the_region_back),
		T(a_slot_outside_of_the_control_area_is_not_believed),
		T(a_region_that_is_pinned_stays_whole),
		T(revoking_frees_by_force_once),
		T(a_module_that_cannot_be_used_is_passed_over),
		T(the_probe_shows_the_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
