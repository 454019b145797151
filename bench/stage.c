// SPDX-License-Identifier: GPL-2.0
/*
 * Setting up and taking down what rows stand on.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include "stage.h"

#define DESTROY_MS 5000

static bool failed(const char *what)
{
	row_fail("%s: %s", what, saferring_error_last()->what);
	return false;
}

static bool open_device(struct stage *stage, int backend)
{
	struct saferring_device_options how;
	int error;

	SAFERRING_OPTIONS_INIT(&how);
	how.backend = backend;
	error = saferring_device_open(&how, &stage->device);
	if (!error)
		return true;
	if (!backend)
		return failed("saferring_device_open");
	row_skip("no %s memory here: %s", saferring_backend_name(backend),
		 saferring_error_last()->what);
	return false;
}

static bool make_regions(struct stage *stage, const struct stage_plan *plan)
{
	struct saferring_region_options what;
	size_t count = plan->regions ? plan->regions : 1;
	int error;

	SAFERRING_OPTIONS_INIT(&what);
	what.length = plan->buffers / count * plan->buffer_size;
	what.name = STAGE_NAME;
	for (; stage->region_count < count; stage->region_count++) {
		error = saferring_region_create(stage->device, &what,
				&stage->region[stage->region_count]);
		if (error == -ENOMEM) {
			row_skip("no %zu bytes: %s", what.length,
				 saferring_error_last()->what);
			return false;
		}
		if (error)
			return failed("saferring_region_create");
	}
	stage->address = saferring_region_address(stage->region[0]);
	stage->length = what.length;
	return true;
}

static bool make_pool(struct stage *stage, const struct stage_plan *plan)
{
	struct saferring_pool_options how;

	SAFERRING_OPTIONS_INIT(&how);
	how.buffer_size = plan->buffer_size;
	how.count = plan->buffers;
	how.cache = plan->cache;
	how.name = STAGE_NAME;
	if (saferring_pool_create(stage->region, stage->region_count, &how,
				  &stage->pool))
		return failed("saferring_pool_create");
	return true;
}

/* Liburing's ring as the library has made its own. */
static bool make_raw_ring(struct stage *stage,
			  const struct saferring_ring_info *info)
{
	struct io_uring_params params = { .flags = info->setup_flags };
	struct iovec iovec[STAGE_REGIONS_MAX];
	size_t i;
	int error;

	error = io_uring_queue_init_params(info->depth, &stage->raw, &params);
	if (error) {
		row_fail("io_uring_queue_init_params: %s", strerror(-error));
		return false;
	}
	stage->raw_open = true;
	for (i = 0; i < stage->region_count; i++) {
		iovec[i].iov_base = saferring_region_address(stage->region[i]);
		iovec[i].iov_len = stage->length;
	}
	if (!info->fixed)
		return true;
	error = io_uring_register_buffers(&stage->raw, iovec,
					  (unsigned int)stage->region_count);
	if (!error)
		return true;
	row_skip("registering for the twin: %s", strerror(-error));
	return false;
}

static bool make_rings(struct stage *stage, const struct stage_plan *plan)
{
	struct saferring_ring_options how;
	struct saferring_ring_info info = { .size = sizeof(info) };
	int error;

	SAFERRING_OPTIONS_INIT(&how);
	how.depth = plan->depth;
	how.flags = plan->flags;
	how.pools = &stage->pool;
	how.pool_count = 1;
	how.name = STAGE_NAME;
	error = saferring_ring_create(&how, &stage->ring);
	if (error == -ENOSYS || error == -EPERM) {
		row_skip("no io_uring: %s", saferring_error_last()->what);
		return false;
	}
	if (error || saferring_ring_info(stage->ring, &info))
		return failed("saferring_ring_create");
	stage->fixed = info.fixed;
	return make_raw_ring(stage, &info);
}

bool stage_up(struct stage *stage, const struct stage_plan *plan)
{
	memset(stage, 0, sizeof(*stage));
	if (open_device(stage, plan->backend) && make_regions(stage, plan) &&
	    make_pool(stage, plan) &&
	    (!plan->depth || make_rings(stage, plan)))
		return true;
	stage_down(stage);
	return false;
}

void stage_down(struct stage *stage)
{
	if (stage->raw_open) {
		io_uring_unregister_buffers(&stage->raw);
		io_uring_queue_exit(&stage->raw);
	}
	if (saferring_ring_destroy(stage->ring, DESTROY_MS) ||
	    saferring_pool_destroy(stage->pool))
		row_fail("taking down: %s", saferring_error_last()->what);
	while (stage->region_count)
		if (saferring_region_destroy(
			    stage->region[--stage->region_count], 0,
			    DESTROY_MS))
			row_fail("saferring_region_destroy: %s",
				 saferring_error_last()->what);
	if (saferring_device_close(stage->device))
		row_fail("saferring_device_close: %s",
			 saferring_error_last()->what);
	memset(stage, 0, sizeof(*stage));
}
