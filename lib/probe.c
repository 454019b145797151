// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Probe: what the machine offers, found by trying it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "internal.h"

#define HUGEPAGES  "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define THP_POLICY "/sys/kernel/mm/transparent_hugepage/enabled"

static bool has_fixed(struct io_uring *uring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(uring);
	bool fixed;

	if (!probe)
		return false;
	fixed = io_uring_opcode_supported(probe, IORING_OP_READ_FIXED) &&
		io_uring_opcode_supported(probe, IORING_OP_WRITE_FIXED);
	io_uring_free_probe(probe);
	return fixed;
}

/* With nothing to cancel the answer tells whether the request is understood. */
static bool has_cancel_any(struct io_uring *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(uring);
	struct io_uring_cqe *cqe;
	int result;

	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY);
	if (io_uring_submit_and_wait(uring, 1) < 0 ||
	    io_uring_peek_cqe(uring, &cqe))
		return false;
	result = cqe->res;
	io_uring_cqe_seen(uring, cqe);
	return result != -EINVAL;
}

/* An entry or two are enough to learn whether the kernel takes the memory. */
static int try_group(struct saferring_ring *ring, struct saferring_region *region)
{
	struct saferring_group group = {
		.ring = ring,
		.entries = 2,
		.id = SR_GROUP_FIRST,
		.placed = sr_extent_take(region, sr_page_size()),
	};
	int error;

	if (!group.placed)
		return -ENOMEM;
	group.buffers = (void *)group.placed->address;
	error = sr_uring_register_group(ring, &group);
	if (!error)
		sr_uring_unregister_group(ring, &group);
	return error;
}

/* Pages of the process stand for a region, which would cost huge ones. */
static void probe_placing(struct saferring_probe *probe,
			  struct saferring_ring *ring,
			  const struct saferring_ring_options *options)
{
	struct saferring_region region = {
		.length = sr_placed_length(ring->depth, 0, false) +
			  sr_page_size(),
	};
	void *memory = mmap(NULL, region.length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	probe->ring_memory = -ENOMEM;
	probe->group_memory = -ENOMEM;
	if (memory == MAP_FAILED)
		return;
	region.address = memory;
	ring->memory = &region;
	probe->ring_memory = sr_uring_place(ring, options);
	memcpy(probe->ring_memory_reason, ring->memory_reason,
	       sizeof(probe->ring_memory_reason));
	probe->group_memory = try_group(ring, &region);
	sr_uring_close(ring);
	sr_extents_free(&region);
	munmap(memory, region.length);
}

static void probe_uring(struct saferring_probe *probe)
{
	const struct saferring_ring_options options = {
		.depth = 4,
		.flags = SAFERRING_RING_REQUIRE_URING,
	};
	struct saferring_ring ring = { .depth = 4, .name = "of the probe" };

	probe->io_uring = sr_setup(&ring, &options);
	if (probe->io_uring) {
		probe->ring_memory = probe->io_uring;
		probe->group_memory = probe->io_uring;
		snprintf(probe->io_uring_reason,
			 sizeof(probe->io_uring_reason), "%.180s",
			 saferring_error_last()->what);
		return;
	}
	probe->io_uring_features = ring.uring.features;
	probe->io_uring_setup_flags = ring.setup_flags;
	probe->fixed = has_fixed(&ring.uring);
	probe->cancel_any = has_cancel_any(&ring.uring);
	probe_placing(probe, &ring, &options);
}

static void probe_memory(struct saferring_probe *probe)
{
	probe->memlock_limit = sr_memlock_limit();
	probe->memlock_exempt = sr_memlock_exempt();
	probe->page_size = sr_page_size();
	probe->huge_page_size = SR_HUGE_PAGE;
	probe->hugetlb_total = sr_read_number(HUGEPAGES "nr_hugepages", 0);
	probe->hugetlb_free = sr_read_number(HUGEPAGES "free_hugepages", 0);
	probe->nodes = saferring_node_count();
	probe->node = saferring_node_current();
	if (sr_read_line(THP_POLICY, probe->thp, sizeof(probe->thp)))
		snprintf(probe->thp, sizeof(probe->thp), "absent");
}

static void copy_module(struct saferring_probe *probe,
			const struct saferring_device *device)
{
	const struct safer_ring_info *info = &device->info;

	probe->module = 0;
	probe->module_abi = info->abi;
	probe->module_memory = info->backend;
	probe->module_features = info->features;
	probe->module_page_orders = info->page_orders;
	probe->module_region_max = info->region_max;
	probe->module_quota = SR_MIN(info->quota_user, info->quota_total);
	probe->module_quota_used = info->quota_user_used;
}

/* All backends are looked at, whichever the environment forces. */
static int probe_backends(struct saferring_probe *probe)
{
	struct saferring_device *device;
	int kind, error;

	probe->module = -ENODEV;
	error = saferring_device_open(NULL, &device);
	if (error == -EINVAL)
		return error;
	if (error) {
		snprintf(probe->backend_reason[SAFERRING_BACKEND_AUTO],
			 SAFERRING_PROBE_REASON, "%.180s",
			 saferring_error_last()->what);
		return 0;
	}
	probe->backend = device->backend;
	for (kind = SAFERRING_BACKEND_MODULE; kind < SR_BACKENDS; kind++)
		memcpy(probe->backend_reason[kind], device->reason[kind],
		       SAFERRING_PROBE_REASON);
	if (device->fd >= 0)
		copy_module(probe, device);
	return saferring_device_close(device);
}

int saferring_probe(struct saferring_probe *out)
{
	struct saferring_probe probe = { 0 };
	int error;

	if (!out)
		return sr_fail_argument("probe", "no place for what is found");
	error = sr_info_out("probe", out, &probe, sizeof(probe));
	if (!error)
		error = probe_backends(&probe);
	if (error)
		return error;
	probe_uring(&probe);
	probe_memory(&probe);
	return sr_info_out("probe", out, &probe, sizeof(probe));
}

/* ---- for people ---- */

/* A text that grows; @used counts what did not fit as well. */
struct text {
	char *to;
	size_t length;
	size_t used;
};

static void add(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
	const bool room = text->used < text->length;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(room ? text->to + text->used : NULL,
			   room ? text->length - text->used : 0, format,
			   arguments);
	va_end(arguments);
	text->used += (size_t)length;
}

static void add_uring(struct text *text, const struct saferring_probe *probe)
{
	if (probe->io_uring) {
		add(text, "io_uring       no: %s\n", probe->io_uring_reason);
		return;
	}
	add(text, "io_uring       yes, features %#x, setup flags %#x\n",
	    probe->io_uring_features, probe->io_uring_setup_flags);
	add(text, "fixed buffers  %s\n", probe->fixed ? "yes" : "no");
	add(text, "cancel any     %s\n",
	    probe->cancel_any ? "yes" : "no, one by one");
	add(text, "ring memory    %s%s\n",
	    probe->ring_memory ? "no: " : "can lie in a region",
	    probe->ring_memory ? probe->ring_memory_reason : "");
	add(text, "group memory   %s%s\n",
	    probe->group_memory ? "no: " : "can lie in a region",
	    probe->group_memory ? strerror(-probe->group_memory) : "");
}

static void add_memory(struct text *text, const struct saferring_probe *probe)
{
	if (probe->memlock_exempt)
		add(text, "memlock        no limit (CAP_IPC_LOCK)\n");
	else if (probe->memlock_limit == UINT64_MAX)
		add(text, "memlock        no limit\n");
	else
		add(text, "memlock        %llu KiB for all rings of the user\n",
		    (unsigned long long)probe->memlock_limit >> 10);
	add(text, "huge pages     %llu of %llu free, of 2 MiB each\n",
	    (unsigned long long)probe->hugetlb_free,
	    (unsigned long long)probe->hugetlb_total);
	add(text, "transparent    %s\n", probe->thp);
	add(text, "NUMA nodes     %d, running on node %d\n", probe->nodes,
	    probe->node);
}

static void add_backend(struct text *text, const struct saferring_probe *probe,
			int kind)
{
	const char *reason = probe->backend_reason[kind];

	add(text, "%-14s ", saferring_backend_name(kind));
	if (*reason)
		add(text, "no: %s\n", reason);
	else if (kind == SAFERRING_BACKEND_MODULE && !probe->module)
		add(text, "usable, ABI %u, %s memory, regions up to %llu MiB\n",
		    probe->module_abi,
		    probe->module_memory == SAFER_RING_BACKEND_FOLIO ? "folio" :
								       "shmem",
		    (unsigned long long)probe->module_region_max >> 20);
	else
		add(text, "usable\n");
}

int saferring_probe_text(const struct saferring_probe *probe, char *to,
			 size_t length)
{
	struct text text = { .to = to, .length = length };
	int kind;

	if (length)
		*to = '\0';
	add_uring(&text, probe);
	add_memory(&text, probe);
	for (kind = SAFERRING_BACKEND_MODULE; kind < SR_BACKENDS; kind++)
		if (probe->backend)
			add_backend(&text, probe, kind);
	if (probe->backend)
		add(&text, "memory from    %s\n",
		    saferring_backend_name(probe->backend));
	else
		add(&text, "memory from    nowhere: %s\n",
		    probe->backend_reason[SAFERRING_BACKEND_AUTO]);
	return (int)text.used;
}
