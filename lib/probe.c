// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Probe: what this machine offers, what of it is used, and why the rest is not.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

#define THP_POLICY "/sys/kernel/mm/transparent_hugepage/enabled"
#define HUGETLB	   "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static void probe_operations(struct saferring_probe *probe,
			     struct io_uring *uring)
{
	struct io_uring_probe *operations = io_uring_get_probe_ring(uring);

	if (!operations)
		return;
	probe->fixed = io_uring_opcode_supported(operations,
						 IORING_OP_READ_FIXED) &&
		       io_uring_opcode_supported(operations,
						 IORING_OP_WRITE_FIXED);
	io_uring_free_probe(operations);
}

/* A kernel that does not know the flag says so in the completion. */
static bool can_cancel_any(struct io_uring *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(uring);
	struct io_uring_cqe *cqe;
	int result;

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, 0, SR_CANCEL_ANY);
	if (io_uring_submit_and_wait(uring, 1) < 1 ||
	    io_uring_peek_cqe(uring, &cqe))
		return false;
	result = cqe->res;
	io_uring_cqe_seen(uring, cqe);
	return result == 0 || result == -ENOENT;
}

static void probe_io_uring(struct saferring_probe *probe)
{
	struct saferring_ring ring = { .depth = 1 };

	probe->io_uring = sr_uring_open(&ring);
	if (probe->io_uring) {
		sr_uring_fail(probe->io_uring, "probe", NULL);
		saferring_error_text(saferring_error_last(),
				     probe->io_uring_reason,
				     sizeof(probe->io_uring_reason));
		return;
	}
	probe->io_uring_features = ring.uring.features;
	probe->io_uring_setup_flags = ring.setup_flags;
	probe_operations(probe, &ring.uring);
	probe->cancel_any = can_cancel_any(&ring.uring);
	sr_uring_close(&ring);
}

static void probe_memory(struct saferring_probe *probe)
{
	probe->memlock_limit = sr_memlock_limit();
	probe->memlock_exempt = sr_memlock_exempt();
	probe->page_size = sr_page_size();
	probe->huge_page_size = SR_HUGE_PAGE;
	probe->hugetlb_total = sr_read_number(HUGETLB "nr_hugepages", 0);
	probe->hugetlb_free = sr_read_number(HUGETLB "free_hugepages", 0);
	if (sr_read_line(THP_POLICY, probe->thp, sizeof(probe->thp)))
		snprintf(probe->thp, sizeof(probe->thp), "not in this kernel");
	probe->nodes = saferring_node_count();
	probe->node = saferring_node_current();
}

static void copy_module(struct saferring_probe *probe,
			const struct safer_ring_info *info)
{
	probe->module_abi = info->abi;
	probe->module_memory = info->backend;
	probe->module_features = info->features;
	probe->module_page_orders = info->page_orders;
	probe->module_region_max = info->region_max;
	probe->module_quota = info->quota_user;
	probe->module_quota_used = info->quota_user_used;
}

static void probe_device(struct saferring_probe *probe,
			 const struct saferring_device *device)
{
	int kind;

	probe->backend = device->backend;
	for (kind = 0; kind < SR_BACKENDS; kind++)
		memcpy(probe->backend_reason[kind], device->reason[kind],
		       SR_REASON_MAX);
	if (device->control)
		copy_module(probe, &device->info);
	else
		probe->module = -ENODEV;
}

int saferring_probe(struct saferring_probe *out)
{
	struct saferring_probe probe = { 0 };
	struct saferring_device *device;
	int error;

	if (!out)
		return sr_fail_argument("probe", "no place for the result");
	error = saferring_device_open(NULL, &device);
	if (error == -EINVAL)
		return error;
	if (error) {
		/* A backend was forced that does not work. */
		probe.module = error;
		snprintf(probe.backend_reason[SAFERRING_BACKEND_AUTO],
			 SR_REASON_MAX, "%.150s",
			 saferring_error_last()->what);
	} else {
		probe_device(&probe, device);
		error = saferring_device_close(device);
	}
	probe_io_uring(&probe);
	probe_memory(&probe);
	return sr_info_out("probe", out, &probe, sizeof(probe));
}

/* ---- for people ---- */

/**
 * struct text - lines under way
 * @at: where they go
 * @length: bytes there
 * @used: bytes that the whole text takes so far
 */
struct text {
	char *at;
	size_t length;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void
add(struct text *text, const char *format, ...)
{
	const size_t room = text->used < text->length ?
				    text->length - text->used : 0;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(room ? text->at + text->used : NULL, room, format,
			   arguments);
	va_end(arguments);
	if (length > 0)
		text->used += (size_t)length;
}

static void add_io_uring(struct text *text, const struct saferring_probe *probe)
{
	if (probe->io_uring) {
		add(text, "io_uring      no: %s\n", probe->io_uring_reason);
		return;
	}
	add(text, "io_uring      yes, fixed buffers %s, cancel all at once %s\n",
	    probe->fixed ? "yes" : "no", probe->cancel_any ? "yes" : "no");
}

static void add_memlock(struct text *text, const struct saferring_probe *probe)
{
	if (probe->memlock_exempt)
		add(text, "memlock       no limit (CAP_IPC_LOCK)\n");
	else if (probe->memlock_limit == UINT64_MAX)
		add(text, "memlock       no limit\n");
	else
		add(text, "memlock       %llu KiB for all rings of the user\n",
		    (unsigned long long)probe->memlock_limit >> 10);
}

static void add_backends(struct text *text, const struct saferring_probe *probe)
{
	int kind;

	for (kind = SAFERRING_BACKEND_MODULE; kind < SR_BACKENDS; kind++) {
		const char *reason = probe->backend_reason[kind];

		add(text, "%-13s %s%s\n", saferring_backend_name(kind),
		    *reason ? "no: " : "yes", reason);
	}
	add(text, "in use        %s%s%s\n",
	    probe->backend ? saferring_backend_name(probe->backend) : "none",
	    probe->backend ? "" : ": ",
	    probe->backend_reason[SAFERRING_BACKEND_AUTO]);
}

static void add_memory(struct text *text, const struct saferring_probe *probe)
{
	add(text, "huge pages    %llu of %llu free, transparent ones: %s\n",
	    (unsigned long long)probe->hugetlb_free,
	    (unsigned long long)probe->hugetlb_total, probe->thp);
	add(text, "NUMA          %d node%s, running on node %d\n", probe->nodes,
	    probe->nodes == 1 ? "" : "s", probe->node);
}

int saferring_probe_text(const struct saferring_probe *probe, char *out,
			 size_t length)
{
	struct text text = { .at = out, .length = length };

	if (length)
		*out = '\0';
	add_io_uring(&text, probe);
	add_memlock(&text, probe);
	add_backends(&text, probe);
	add_memory(&text, probe);
	return (int)text.used;
}
