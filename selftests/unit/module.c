// SPDX-License-Identifier: GPL-2.0
/*
 * The library's side of the module's contract, against a module that is played
 * by this program: open(), ioctl() and mmap() of the library end up here. So
 * every answer that the module can give is tried, on any machine.
 */
#include <fcntl.h>
#include <linux/safer_ring.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "common.h"
#include "wrap.h"

#define FAKE_PATH    "/dev/fake_safer_ring"
#define FAKE_SLOTS   8U
#define FAKE_CONTROL 0UL
#define FAKE_FIRST   (1UL << 20)
#define FAKE_STEP    (16UL << 20)
#define FAKE_ORDER   4U

/* The module: what it does next, and what it was asked last. */
static struct {
	int fd;
	int open_error, info_error, alloc_error, free_error, map_error;
	int share_error;
	uint32_t alloc_slot_offset;
	uint32_t magic;
	unsigned int allocs, frees;
	struct safer_ring_alloc last_alloc;
	struct safer_ring_free last_free;
	struct safer_ring_control *control;
} module;

static uint64_t *generations(void)
{
	return (uint64_t *)(void *)((char *)module.control + 4096);
}

int __wrap_open(const char *path, int flags, ...)
{
	if (strcmp(path, FAKE_PATH))
		return __real_open(path, flags);
	if (module.open_error) {
		errno = module.open_error;
		return -1;
	}
	module.fd = memfd_create("module", MFD_CLOEXEC);
	assert_int_equal(ftruncate(module.fd, (off_t)(FAKE_FIRST +
						      FAKE_SLOTS * FAKE_STEP)),
			 0);
	module.control = __real_mmap(NULL, 8192, PROT_READ | PROT_WRITE,
				     MAP_SHARED, module.fd, FAKE_CONTROL);
	module.control->magic = module.magic;
	module.control->header_length = 4096;
	module.control->slots = FAKE_SLOTS;
	return module.fd;
}

static int answer_info(struct safer_ring_info *info)
{
	assert_int_equal(info->size, sizeof(*info));
	info->abi = SAFER_RING_ABI;
	info->backend = SAFER_RING_BACKEND_FOLIO;
	info->features = SAFER_RING_FEATURE_HUGE_MAP;
	info->page_orders = 1 | 1 << FAKE_ORDER | 1 << 9;
	info->region_max = FAKE_STEP;
	info->slots = FAKE_SLOTS;
	info->control_offset = FAKE_CONTROL;
	info->control_length = 8192;
	info->quota_user = 64UL << 20;
	info->quota_total = 128UL << 20;
	return module.info_error;
}

static int answer_alloc(struct safer_ring_alloc *alloc)
{
	unsigned int slot = 0;

	assert_int_equal(alloc->size, sizeof(*alloc));
	assert_int_equal(alloc->reserved, 0);
	module.last_alloc = *alloc;
	module.allocs++;
	if (module.alloc_error)
		return module.alloc_error;
	while (generations()[slot] & 1)
		slot++;
	assert_in_range(slot, 0, FAKE_SLOTS - 1);
	alloc->length = (alloc->length + 65535) / 65536 * 65536;
	alloc->node = 0;
	alloc->order = FAKE_ORDER;
	alloc->slot = slot + module.alloc_slot_offset;
	alloc->generation = ++generations()[slot];
	alloc->mmap_offset = FAKE_FIRST + slot * FAKE_STEP;
	return 0;
}

/* Someone frees the region in a slot: its importer, or the administrator. */
static void free_slot(unsigned int slot)
{
	__atomic_add_fetch(&generations()[slot], 1, __ATOMIC_RELEASE);
	__atomic_add_fetch(&module.control->revocations, 1, __ATOMIC_RELEASE);
}

static int answer_free(struct safer_ring_free *request)
{
	int error = 0;

	assert_int_equal(request->size, sizeof(*request));
	module.last_free = *request;
	module.frees++;
	if (module.free_error)
		return module.free_error;
	assert_in_range(request->slot, 0, FAKE_SLOTS * 2);
	if (request->slot < FAKE_SLOTS &&
	    generations()[request->slot] == request->generation)
		free_slot(request->slot);
	else
		error = ESTALE;
	return error;
}

static int answer_query(struct safer_ring_query *query)
{
	assert_int_equal(query->size, sizeof(*query));
	query->folios_pinned = 3;
	return 0;
}

/* The descriptor of a region says by its offset which slot it is of. */
static int answer_export(struct safer_ring_export *request)
{
	assert_int_equal(request->size, sizeof(*request));
	assert_int_equal(request->flags, 0);
	if (request->slot >= FAKE_SLOTS ||
	    generations()[request->slot] != request->generation) {
		module.share_error = ESTALE;
	} else {
		request->fd = memfd_create("export", MFD_CLOEXEC);
		lseek(request->fd, request->slot, SEEK_SET);
	}
	return module.share_error;
}

static int answer_import(struct safer_ring_import *request)
{
	const off_t slot = lseek(request->fd, 0, SEEK_CUR);
	unsigned int own = 0;

	assert_int_equal(request->size, sizeof(*request));
	if (slot < 0)
		module.share_error = EBADF;
	if (module.share_error)
		return module.share_error;
	while (generations()[own] & 1)
		own++;
	assert_in_range(own, 0, FAKE_SLOTS - 1);
	request->slot = own;
	request->generation = ++generations()[own];
	request->length = REGION_SIZE;
	request->mmap_offset = FAKE_FIRST + (uint64_t)slot * FAKE_STEP;
	request->order = FAKE_ORDER;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long number, void *argument)
{
	int error = ENOTTY;

	if (fd != module.fd)
		return __real_ioctl(fd, number, argument);
	if (number == SAFER_RING_INFO)
		error = answer_info(argument);
	else if (number == SAFER_RING_ALLOC)
		error = answer_alloc(argument);
	else if (number == SAFER_RING_FREE)
		error = answer_free(argument);
	else if (number == SAFER_RING_QUERY)
		error = answer_query(argument);
	else if (number == SAFER_RING_EXPORT)
		error = answer_export(argument);
	else if (number == SAFER_RING_IMPORT)
		error = answer_import(argument);
	errno = error;
	return error ? -1 : 0;
}

void *__wrap_mmap(void *address, size_t length, int protection, int flags,
		  int fd, off_t offset)
{
	if (fd == module.fd) {
		assert_true(flags & MAP_SHARED);
		if (offset == FAKE_CONTROL)
			assert_int_equal(protection, PROT_READ);
		else if (module.map_error) {
			errno = module.map_error;
			return MAP_FAILED;
		}
	}
	return __real_mmap(address, length, protection, flags, fd, offset);
}

static int reset(void **state)
{
	(void)state;
	memset(&module, 0, sizeof(module));
	module.fd = -2;
	module.magic = SAFER_RING_CONTROL_MAGIC;
	setenv("SAFERRING_DEVICE", FAKE_PATH, 1);
	unsetenv("SAFERRING_BACKEND");
	catch_reports();
	return 0;
}

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

static void a_region_that_another_freed_is_seen_at_submit(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	const saferring_buffer held = get(stage->pool);
	struct saferring_completion completion;

	(void)state;
	assert_int_equal(saferring_ring_read(stage->ring, 0, get(stage->pool),
					     0, 1, 0, 0),
			 0);
	free_slot(0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_buffer_valid(stage->pool, held), 0);
	assert_int_equal(saferring_ring_reap(stage->ring, &completion, 1), 1);
	assert_int_equal(completion.result, -ESTALE);
	assert_true(completion.flags & SAFERRING_COMPLETION_REGION_GONE);
	stage_down(stage);
}

static void a_region_that_another_freed_is_seen_at_completion(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	struct saferring_completion completion;
	const int fd = pattern_file(BUFFER_SIZE);
	const unsigned int before = reports;

	(void)state;
	assert_int_equal(saferring_ring_read(stage->ring, fd, get(stage->pool),
					     0, BUFFER_SIZE, 0, 0),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	free_slot(0);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_int_equal(completion.result, BUFFER_SIZE);
	assert_true(completion.flags & SAFERRING_COMPLETION_REGION_GONE);
	assert_int_equal(reports, before + 1);
	assert_int_equal(last_report.reason, SAFERRING_REASON_GONE_COMPLETION);
	assert_null(saferring_buffer_data(stage->pool, completion.buffer));
	close(fd);
	stage_down(stage);
}

static void a_ring_on_a_region_that_another_freed_is_refused(void **state)
{
	struct stage *stage = stage_up(0, 8, 0);
	struct saferring_ring_options options;
	struct saferring_ring *ring = NULL;

	(void)state;
	free_slot(0);
	SAFERRING_OPTIONS_INIT(&options);
	options.pools = &stage->pool;
	options.pool_count = 1;
	assert_int_equal(saferring_ring_create(&options, &ring), -ESTALE);
	assert_error(-ESTALE, SAFERRING_REASON_REGION_GONE);
	assert_null(ring);
	stage_down(stage);
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

/* Two pools on one memory, as two processes have them. */
struct both {
	struct saferring_device *device;
	struct saferring_region *region, *imported;
	struct saferring_pool *mine, *theirs;
};

static void both_up(struct both *both)
{
	struct saferring_pool_options options;
	int fd;

	both->device = open_device();
	both->region = make_region(both->device, REGION_SIZE);
	assert_int_equal(saferring_region_export(both->region, &fd), 0);
	assert_int_equal(saferring_region_import(both->device, fd, "shared",
						 &both->imported),
			 0);
	close(fd);
	both->mine = make_pool(both->region, 8, 0, "mine");
	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = BUFFER_SIZE;
	options.count = 8;
	options.flags = SAFERRING_POOL_AWAY;
	options.name = "theirs";
	assert_int_equal(saferring_pool_create(&both->imported, 1, &options,
					       &both->theirs),
			 0);
}

static void both_down(struct both *both)
{
	assert_int_equal(saferring_pool_destroy(both->theirs), 0);
	assert_int_equal(saferring_pool_destroy(both->mine), 0);
	drop_region(both->imported);
	drop_region(both->region);
	assert_int_equal(saferring_device_close(both->device), 0);
}

static void a_buffer_goes_to_another_process_and_back(void **state)
{
	struct saferring_ticket ticket;
	saferring_buffer here, there;
	struct both both;
	int round;

	(void)state;
	both_up(&both);
	assert_int_equal(saferring_buffer_get(both.theirs, &there), -ENOBUFS);
	here = get(both.mine);
	for (round = 0; round < 5; round++) {
		memset(saferring_buffer_data(both.mine, here), round, 100);
		assert_int_equal(saferring_buffer_send(both.mine, here,
						       &ticket),
				 0);
		assert_int_equal(saferring_buffer_valid(both.mine, here), 0);
		assert_int_equal(saferring_buffer_owner(both.mine, here),
				 SAFERRING_OWNER_PROCESS);
		assert_int_equal(saferring_pool_destroy(both.mine), -EBUSY);
		assert_int_equal(saferring_buffer_receive(both.theirs, &ticket,
							  &there),
				 0);
		assert_int_equal(*(char *)saferring_buffer_data(both.theirs,
								there),
				 round);
		assert_int_equal(saferring_buffer_send(both.theirs, there,
						       &ticket),
				 0);
		assert_int_equal(saferring_buffer_receive(both.mine, &ticket,
							  &here),
				 0);
		assert_int_equal(saferring_buffer_valid(both.theirs, there),
				 0);
	}
	put(both.mine, here);
	both_down(&both);
}

static void what_was_sent_is_nobodys_here(void **state)
{
	const unsigned int before = reports;
	struct saferring_ticket ticket, again;
	struct both both;
	saferring_buffer here, there;

	(void)state;
	both_up(&both);
	here = get(both.mine);
	assert_int_equal(saferring_buffer_send(both.mine, here, &ticket), 0);
	assert_null(saferring_buffer_data(both.mine, here));
	assert_misuse(-ESTALE, SAFERRING_REASON_SENT, before);
	assert_misuse(saferring_buffer_put(both.mine, here),
		      SAFERRING_REASON_SENT, before + 1);
	assert_misuse(saferring_buffer_send(both.mine, here, &again),
		      SAFERRING_REASON_SENT, before + 2);
	assert_int_equal(saferring_buffer_receive(both.theirs, &ticket,
						  &there),
			 0);
	assert_int_equal(saferring_buffer_send(both.theirs, there, &ticket),
			 0);
	assert_int_equal(saferring_buffer_receive(both.mine, &ticket, &here),
			 0);
	put(both.mine, here);
	both_down(&both);
}

static void a_ticket_is_good_once_and_where_it_belongs(void **state)
{
	struct saferring_ticket ticket, other;
	struct both both;
	saferring_buffer here, there, twice;

	(void)state;
	both_up(&both);
	here = get(both.mine);
	assert_int_equal(saferring_buffer_send(both.mine, here, &ticket), 0);
	assert_int_equal(saferring_buffer_receive(both.theirs, &ticket,
						  &there),
			 0);
	assert_int_equal(saferring_buffer_receive(both.theirs, &ticket,
						  &twice),
			 -EALREADY);
	assert_true(saferring_buffer_is_none(twice));
	other = ticket;
	other.turn = 100;
	assert_int_equal(saferring_buffer_receive(both.theirs, &other, &twice),
			 -EBUSY);
	other.index = 8;
	assert_int_equal(saferring_buffer_receive(both.theirs, &other, &twice),
			 -EINVAL);
	other.index = UINT32_MAX;
	assert_int_equal(saferring_buffer_receive(both.theirs, &other, &twice),
			 -EINVAL);
	other = ticket;
	other.buffer_size = 512;
	assert_int_equal(saferring_buffer_receive(both.theirs, &other, &twice),
			 -EINVAL);
	assert_int_equal(saferring_buffer_valid(both.theirs, there), 1);
	other = ticket;
	assert_int_equal(saferring_buffer_send(both.theirs, there, &ticket),
			 0);
	assert_int_equal(saferring_buffer_receive(both.theirs, &other, &twice),
			 -EALREADY);
	assert_int_equal(saferring_buffer_receive(both.mine, &ticket, &here),
			 0);
	put(both.mine, here);
	both_down(&both);
}

static void what_cannot_be_shared_is_refused(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);
	struct saferring_region *other = NULL;
	int fd = -5;

	(void)state;
	module.share_error = EMFILE;
	assert_int_equal(saferring_region_export(region, &fd), -EMFILE);
	module.share_error = ENOTTY;
	assert_int_equal(saferring_region_export(region, &fd), -EOPNOTSUPP);
	assert_error(-EOPNOTSUPP, SAFERRING_REASON_UNSUPPORTED);
	assert_int_equal(fd, -5);
	module.share_error = ENOSPC;
	assert_int_equal(saferring_region_import(device, 0, NULL, &other),
			 -ENOSPC);
	module.share_error = 0;
	assert_int_equal(saferring_region_import(device, -1, NULL, &other),
			 -EBADF);
	module.share_error = 0;
	assert_null(other);
	assert_int_equal(saferring_region_revoke(region), 0);
	assert_int_equal(saferring_region_export(region, &fd), -ESTALE);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
	setenv("SAFERRING_BACKEND", "plain", 1);
	device = open_device();
	region = make_region(device, REGION_SIZE);
	assert_int_equal(saferring_region_export(region, &fd), -EOPNOTSUPP);
	assert_int_equal(saferring_region_import(device, 0, NULL, &other),
			 -EOPNOTSUPP);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
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
		T(a_region_that_another_freed_is_seen_at_submit),
		T(a_region_that_another_freed_is_seen_at_completion),
		T(a_ring_on_a_region_that_another_freed_is_refused),
		T(a_module_that_cannot_be_used_is_passed_over),
		T(the_probe_shows_the_module),
		T(a_buffer_goes_to_another_process_and_back),
		T(what_was_sent_is_nobodys_here),
		T(a_ticket_is_good_once_and_where_it_belongs),
		T(what_cannot_be_shared_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
