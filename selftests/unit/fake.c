// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "fake.h"
#include "wrap.h"

struct fake module;

uint64_t *generations(void)
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

void free_slot(unsigned int slot)
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

int reset(void **state)
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
