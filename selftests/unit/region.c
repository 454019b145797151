// SPDX-License-Identifier: GPL-2.0
/*
 * Devices and regions: the choice of memory, placement, and revoking.
 */
#include <fcntl.h>
#include <signal.h>
#include "common.h"

static struct saferring_region_info info_of(const struct saferring_region *region)
{
	struct saferring_region_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_region_info(region, &info), 0);
	return info;
}

static void a_device_opens_everywhere_and_says_why_not_better(void **state)
{
	struct saferring_device *device = open_device();
	const int backend = saferring_device_backend(device);
	int better;

	(void)state;
	assert_in_range(backend, SAFERRING_BACKEND_MODULE,
			SAFERRING_BACKEND_PLAIN);
	assert_string_equal(saferring_device_reason(device, backend), "");
	for (better = SAFERRING_BACKEND_MODULE; better < backend; better++)
		assert_string_not_equal(saferring_device_reason(device, better),
					"");
	assert_null(saferring_device_reason(device, SAFERRING_BACKEND_AUTO));
	assert_null(saferring_device_reason(device, 99));
	assert_int_equal(saferring_device_close(device), 0);
}

/* With one backend forced: it is used, or opening fails and says why. */
static void try_forced(int backend)
{
	struct saferring_device_options options;
	struct saferring_device *device = NULL;
	struct saferring_region *region;
	int result;

	SAFERRING_OPTIONS_INIT(&options);
	options.backend = backend;
	result = saferring_device_open(&options, &device);
	if (result) {
		assert_true(result == -ENODEV || result == -ENOMEM ||
			    result == -EOPNOTSUPP || result == -EACCES);
		assert_error(result, SAFERRING_REASON_NO_BACKEND);
		assert_null(device);
		print_message("# %s: %s\n", saferring_backend_name(backend),
			      saferring_error_last()->what);
		return;
	}
	assert_int_equal(saferring_device_backend(device), backend);
	region = make_region(device, REGION_SIZE);
	assert_int_equal(info_of(region).backend, backend);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void a_forced_backend_is_used_or_refused(void **state)
{
	const char *forced = getenv("SAFERRING_BACKEND");
	char *kept = forced ? strdup(forced) : NULL;
	int backend;

	(void)state;
	unsetenv("SAFERRING_BACKEND");
	for (backend = SAFERRING_BACKEND_MODULE;
	     backend <= SAFERRING_BACKEND_PLAIN; backend++)
		try_forced(backend);
	if (kept)
		setenv("SAFERRING_BACKEND", kept, 1);
	free(kept);
}

static void the_environment_has_the_last_word(void **state)
{
	struct saferring_device_options options;
	struct saferring_device *device;
	const char *forced = getenv("SAFERRING_BACKEND"), *reason;
	char *kept = forced ? strdup(forced) : NULL;

	(void)state;
	SAFERRING_OPTIONS_INIT(&options);
	options.backend = SAFERRING_BACKEND_THP;
	setenv("SAFERRING_BACKEND", "plain", 1);
	assert_int_equal(saferring_device_open(&options, &device), 0);
	assert_int_equal(saferring_device_backend(device),
			 SAFERRING_BACKEND_PLAIN);
	reason = saferring_device_reason(device, SAFERRING_BACKEND_THP);
	assert_string_not_equal(reason, "");
	assert_int_equal(saferring_device_close(device), 0);

	setenv("SAFERRING_BACKEND", "gold", 1);
	assert_int_equal(saferring_device_open(&options, &device), -EINVAL);
	assert_non_null(strstr(saferring_error_last()->what, "gold"));
	assert_non_null(strstr(saferring_error_last()->cure, "hugetlb"));
	if (kept)
		setenv("SAFERRING_BACKEND", kept, 1);
	else
		unsetenv("SAFERRING_BACKEND");
	free(kept);
}

static void a_device_is_refused_what_it_cannot_be(void **state)
{
	struct saferring_device_options options;
	struct saferring_device *device = NULL;
	const char *reason;
	char path[8192];

	(void)state;
	if (getenv("SAFERRING_BACKEND") || getenv("SAFERRING_DEVICE"))
		SKIP("the environment overrides the options");
	SAFERRING_OPTIONS_INIT(&options);
	options.backend = 5;
	assert_int_equal(saferring_device_open(&options, &device), -EINVAL);
	options.backend = -1;
	assert_int_equal(saferring_device_open(&options, &device), -EINVAL);
	options.backend = 0;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	options.path = path;
	assert_int_equal(saferring_device_open(&options, &device), -EINVAL);
	options.path = NULL;
	options.size = 1;
	assert_int_equal(saferring_device_open(&options, &device), -EINVAL);
	assert_null(device);
	/* A file that is no such device is passed over. */
	SAFERRING_OPTIONS_INIT(&options);
	options.path = "/dev/null";
	assert_int_equal(saferring_device_open(&options, &device), 0);
	assert_true(saferring_device_backend(device) >
		    SAFERRING_BACKEND_MODULE);
	reason = saferring_device_reason(device, SAFERRING_BACKEND_MODULE);
	assert_non_null(strstr(reason, "/dev/null"));
	assert_int_equal(saferring_device_close(device), 0);
}

static void memory_is_zeroed_whole_and_writable(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE + 1);
	const struct saferring_region_info info = info_of(region);
	unsigned char *bytes = saferring_region_address(region);
	size_t place;

	(void)state;
	assert_true(info.length > REGION_SIZE);
	assert_int_equal(info.length % info.page_size, 0);
	assert_int_equal(info.pages, info.length / info.page_size);
	assert_int_equal((uintptr_t)bytes % info.page_size, 0);
	assert_int_equal(info.live, 1);
	assert_int_equal(info.generation % 2, 1);
	for (place = 0; place < info.length; place++)
		assert_int_equal(bytes[place], 0);
	memset(bytes, 0xff, info.length);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void memory_is_present_on_the_node_that_info_names(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);
	const struct saferring_region_info info = info_of(region);
	unsigned char *bytes = saferring_region_address(region);
	size_t place;

	(void)state;
	for (place = 0; place < REGION_SIZE; place += 4096) {
		const int node = saferring_node_of_address(bytes + place);

		if (node == -EOPNOTSUPP)
			SKIP("the kernel does not tell nodes");
		assert_int_equal(node, info.node);
	}
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void a_strict_region_lies_on_its_node(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region_options options;
	struct saferring_region *region;
	int node, tried = 0;
	char *bytes;
	size_t place;

	(void)state;
	SAFERRING_OPTIONS_INIT(&options);
	options.length = REGION_SIZE;
	options.placement = SAFERRING_PLACE_STRICT;
	for (node = 0; node <= saferring_node_max(); node++) {
		if (!saferring_node_usable(node))
			continue;
		options.node = node;
		assert_int_equal(saferring_region_create(device, &options,
							 &region),
				 0);
		bytes = saferring_region_address(region);
		for (place = 0; place < REGION_SIZE; place += 4096)
			assert_int_equal(saferring_node_of_address(bytes +
								   place),
					 node);
		drop_region(region);
		tried++;
	}
	assert_true(tried > 0);
	assert_int_equal(saferring_device_close(device), 0);
}

static void bad_regions_are_refused(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region_options options;
	struct saferring_region *region = NULL;
	int result;

	(void)state;
	SAFERRING_OPTIONS_INIT(&options);
	assert_int_equal(saferring_region_create(device, &options, &region),
			 -EINVAL);
	options.length = REGION_SIZE;
	options.placement = 3;
	assert_int_equal(saferring_region_create(device, &options, &region),
			 -EINVAL);
	options.placement = SAFERRING_PLACE_STRICT;
	options.node = saferring_node_max() + 1;
	assert_int_equal(saferring_region_create(device, &options, &region),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_PLACEMENT);
	options.node = -1;
	assert_int_equal(saferring_region_create(device, &options, &region),
			 -EINVAL);
	options.placement = SAFERRING_PLACE_LOCAL;
	options.length = (size_t)1 << 46;
	result = saferring_region_create(device, &options, &region);
	assert_true(result == -ENOMEM || result == -EFBIG ||
		    result == -EDQUOT);
	assert_true(saferring_error_last()->needed >= (size_t)1 << 46);
	assert_true(saferring_error_last()->limit > 0);
	options.length = SIZE_MAX;
	assert_true(saferring_region_create(device, &options, &region) < 0);
	assert_null(region);
	/* Nothing of all this keeps the device busy. */
	assert_int_equal(saferring_device_close(device), 0);
}

static void a_region_says_why_better_memory_was_not_used(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, 4096);
	const struct saferring_region_info info = info_of(region);

	(void)state;
	if (info.backend == SAFERRING_BACKEND_MODULE)
		assert_string_equal(info.reason, "");
	else
		assert_non_null(strstr(info.reason, "module: "));
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void unknown_flags_leave_the_region(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);

	(void)state;
	assert_int_equal(saferring_region_destroy(region, 2, 0), -EINVAL);
	memset(saferring_region_address(region), 1, REGION_SIZE);
	drop_region(region);
	assert_int_equal(saferring_region_destroy(NULL, 0, 0), 0);
	assert_int_equal(saferring_device_close(device), 0);
	assert_int_equal(saferring_device_close(NULL), 0);
}

/* ---- revoking ---- */

static void a_handle_after_revoke_is_refused(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	const saferring_buffer buffer = get(stage->pool);
	const unsigned int before = reports;
	saferring_buffer another;

	(void)state;
	assert_int_equal(saferring_region_revoke(stage->region), 0);
	assert_int_equal(info_of(stage->region).live, 0);
	assert_null(saferring_region_address(stage->region));
	assert_null(saferring_buffer_data(stage->pool, buffer));
	assert_misuse(-ESTALE, SAFERRING_REASON_REGION_GONE, before);
	assert_misuse(saferring_ring_read(stage->ring, 0, buffer, 0, 1, 0, 0),
		      SAFERRING_REASON_REGION_GONE, before + 1);
	assert_misuse(saferring_buffer_put(stage->pool, buffer),
		      SAFERRING_REASON_REGION_GONE, before + 2);
	assert_int_equal(saferring_buffer_get(stage->pool, &another), -ESTALE);
	assert_error(-ESTALE, SAFERRING_REASON_REGION_GONE);
	assert_int_equal(saferring_region_revoke(stage->region), -ESTALE);
	assert_error(-ESTALE, SAFERRING_REASON_REGION_GONE);
	/* The held buffer is nobody's, so it does not keep the pool. */
	stage_down(stage);
}

static void the_stray_pointer(void *data)
{
	*(volatile char *)data = 1;
}

static void on_fault(int number __attribute__((unused)))
{
	_exit(7);
}

static void touch_or_fault(void *data)
{
	/* Module: SIGBUS; otherwise SIGSEGV. A fault is what is expected. */
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	the_stray_pointer(data);
	_exit(0);
}

static void a_stray_pointer_faults_after_revoke(void **state)
{
	struct stage *stage;
	saferring_buffer buffer;
	void *data;

	(void)state;
	if (getenv("UNIT_WRAPPER"))
		SKIP("the wrapper would report the fault as an error");
	stage = stage_up(0, 8, 0);
	buffer = get(stage->pool);
	data = saferring_buffer_data(stage->pool, buffer);
	assert_non_null(data);
	assert_int_equal(saferring_region_revoke(stage->region), 0);
	assert_int_equal(exit_status(touch_or_fault, data), 7);
	stage_down(stage);
}

static void a_queued_operation_does_not_reach_a_revoked_region(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	struct saferring_completion completion;
	char byte;
	int pipe[2];

	(void)state;
	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(write(pipe[1], "x", 1), 1);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 1, -1, 5),
			 0);
	assert_int_equal(saferring_region_revoke(stage->region), 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_int_equal(completion.result, -ESTALE);
	assert_int_equal(completion.user_data, 5);
	assert_int_equal(completion.flags, SAFERRING_COMPLETION_REGION_GONE);
	assert_null(saferring_buffer_data(stage->pool, completion.buffer));
	/* The pipe still has its byte: the kernel never saw the read. */
	assert_int_equal(read(pipe[0], &byte, 1), 1);
	close(pipe[0]);
	close(pipe[1]);
	stage_down(stage);
}

static void a_completion_into_a_revoked_region_is_reported(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	struct saferring_ring_stats stats = { .size = sizeof(stats) };
	struct saferring_completion completion;
	unsigned int before;
	int pipe[2];

	(void)state;
	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 0),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_region_revoke(stage->region), 0);
	before = reports;
	assert_int_equal(write(pipe[1], "12345678", 8), 8);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_true(completion.flags & SAFERRING_COMPLETION_REGION_GONE);
	assert_int_equal(reports, before + 1);
	assert_int_equal(last_report.reason, SAFERRING_REASON_GONE_COMPLETION);
	assert_int_equal(last_report.code, 0);
	assert_int_equal(saferring_ring_stats(stage->ring, &stats), 0);
	assert_int_equal(stats.region_gone, 1);
	assert_int_equal(saferring_buffer_valid(stage->pool, completion.buffer),
			 0);
	close(pipe[0]);
	close(pipe[1]);
	stage_down(stage);
}

static void the_other_regions_of_a_pool_live_on(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *regions[2] = {
		make_region(device, REGION_SIZE),
		make_region(device, REGION_SIZE),
	};
	const size_t each = REGION_SIZE / BUFFER_SIZE;
	struct saferring_pool_options options;
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	saferring_buffer *all = calloc(2 * each, sizeof(*all));
	struct saferring_pool *pool;
	size_t number, good = 0;

	(void)state;
	ignore_reports();
	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = BUFFER_SIZE;
	assert_int_equal(saferring_pool_create(regions, 2, &options, &pool), 0);
	for (number = 0; number < 2 * each; number++)
		all[number] = get(pool);
	/* Half of each region is held, half free. */
	for (number = 0; number < 2 * each; number += 2)
		put(pool, all[number]);
	assert_int_equal(saferring_region_revoke(regions[0]), 0);
	for (number = 1; number < 2 * each; number += 2) {
		if (!saferring_buffer_valid(pool, all[number]))
			continue;
		memset(saferring_buffer_data(pool, all[number]), 1,
		       BUFFER_SIZE);
		put(pool, all[number]);
		good++;
	}
	assert_int_equal(good, each / 2);
	assert_int_equal(saferring_pool_stats(pool, &stats), 0);
	assert_int_equal(stats.gone, each);
	assert_int_equal(stats.available, each);
	for (number = 0; number < each; number++) {
		all[number] = get(pool);
		memset(saferring_buffer_data(pool, all[number]), 1,
		       BUFFER_SIZE);
	}
	assert_int_equal(saferring_buffer_get(pool, &all[each]), -ENOBUFS);
	for (number = 0; number < each; number++)
		put(pool, all[number]);
	assert_int_equal(saferring_pool_destroy(pool), 0);
	drop_region(regions[0]);
	drop_region(regions[1]);
	assert_int_equal(saferring_device_close(device), 0);
	free(all);
}

static void nodes_are_counted(void **state)
{
	(void)state;
	assert_true(saferring_node_count() >= 1);
	assert_true(saferring_node_max() >= saferring_node_count() - 1);
	assert_int_equal(saferring_node_usable(saferring_node_current()), 1);
	assert_int_equal(saferring_node_usable(-1), 0);
	assert_int_equal(saferring_node_usable(saferring_node_max() + 1), 0);
}

static void the_node_of_a_file_is_found_or_refused(void **state)
{
	int pipe[2], fd, node;

	(void)state;
	assert_int_equal(saferring_node_of_file(9999), -EBADF);
	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_node_of_file(pipe[0]), -ENODEV);
	close(pipe[0]);
	close(pipe[1]);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	node = saferring_node_of_file(fd);
	close(fd);
	if (node >= 0)
		assert_int_equal(saferring_node_usable(node), 1);
	else
		assert_true(node == -ENODEV || node == -ENODATA);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(a_device_opens_everywhere_and_says_why_not_better),
		T(a_forced_backend_is_used_or_refused),
		T(the_environment_has_the_last_word),
		T(a_device_is_refused_what_it_cannot_be),
		T(memory_is_zeroed_whole_and_writable),
		T(memory_is_present_on_the_node_that_info_names),
		T(a_strict_region_lies_on_its_node),
		T(bad_regions_are_refused),
		T(a_region_says_why_better_memory_was_not_used),
		T(unknown_flags_leave_the_region),
		T(a_handle_after_revoke_is_refused),
		T(a_stray_pointer_faults_after_revoke),
		T(a_queued_operation_does_not_reach_a_revoked_region),
		T(a_completion_into_a_revoked_region_is_reported),
		T(the_other_regions_of_a_pool_live_on),
		T(nodes_are_counted),
		T(the_node_of_a_file_is_found_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
