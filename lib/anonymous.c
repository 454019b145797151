// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The backends that get their memory by anonymous mappings: reserved huge
 * pages, transparent huge pages, pages of the base size.
 *
 * Memory is made present at once, and what is available is looked at first: a
 * request that cannot be met is to fail with -ENOMEM instead of having the
 * kernel kill a process.
 *
 * The mapping has an inaccessible page at both ends, so that an overrun of the
 * last buffer faults, and so that the kernel does not merge it with another
 * mapping whose pages would then be counted as its own.
 */
#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "internal.h"

#define HUGEPAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define THP_POLICY "/sys/kernel/mm/transparent_hugepage/enabled"

static int probe_hugetlb(struct saferring_device *device)
{
	char *reason = device->reason[SAFERRING_BACKEND_HUGETLB];
	const uint64_t total = sr_read_number(HUGEPAGES "nr_hugepages", 0);
	const uint64_t free = sr_read_number(HUGEPAGES "free_hugepages", 0);
	const uint64_t extra =
		sr_read_number(HUGEPAGES "nr_overcommit_hugepages", 0);

	if (access(HUGEPAGES, F_OK)) {
		snprintf(reason, SR_REASON_MAX,
			 "the kernel has no huge pages of 2 MiB");
		return -EOPNOTSUPP;
	}
	if (free || extra)
		return 0;
	snprintf(reason, SR_REASON_MAX,
		 "no huge page of 2 MiB is free, %llu are reserved: raise "
		 "vm.nr_hugepages",
		 (unsigned long long)total);
	return -ENOMEM;
}

static int probe_thp(struct saferring_device *device)
{
	char *reason = device->reason[SAFERRING_BACKEND_THP];
	char policy[64];

	if (sr_read_line(THP_POLICY, policy, sizeof(policy))) {
		snprintf(reason, SR_REASON_MAX,
			 "the kernel has no transparent huge pages");
		return -EOPNOTSUPP;
	}
	if (!strstr(policy, "[never]"))
		return 0;
	snprintf(reason, SR_REASON_MAX,
		 "transparent huge pages are off: write madvise to " THP_POLICY);
	return -EOPNOTSUPP;
}

static int probe_plain(struct saferring_device *device __attribute__((unused)))
{
	return 0;
}

static int fail_map(const struct saferring_region *region, int error,
		    const char *what)
{
	const bool memory = error == -ENOMEM;

	return sr_fail(&(struct sr_fault){
			       .code = error,
			       .reason = memory ? SAFERRING_REASON_MEMORY :
						  SAFERRING_REASON_SYSTEM,
			       .operation = "region_create",
			       .kind = "region",
			       .name = region->name,
			       .needed = region->length,
		       },
		       "%s of %zu bytes of %s memory failed: %s", what,
		       region->length,
		       saferring_backend_name(region->backend->kind),
		       strerror(-error));
}

static int fail_available(const struct saferring_region *region,
			  uint64_t available, const char *where)
{
	return sr_fail(&(struct sr_fault){
			       .code = -ENOMEM,
			       .reason = SAFERRING_REASON_MEMORY,
			       .operation = "region_create",
			       .kind = "region",
			       .name = region->name,
			       .needed = region->length,
			       .limit = available,
			       .cure = "ask for less, or free memory",
		       },
		       "%zu bytes asked for, %llu available %s", region->length,
		       (unsigned long long)available, where);
}

static uint64_t hugetlb_available(void)
{
	const uint64_t pages =
		sr_read_number(HUGEPAGES "free_hugepages", 0) +
		sr_read_number(HUGEPAGES "nr_overcommit_hugepages", 0);

	return pages * SR_HUGE_PAGE;
}

/* Whether so much is to be had, which populating would find out too late. */
static int check_available(const struct saferring_region *region,
			   const struct saferring_region_options *options)
{
	const bool hugetlb = region->backend->kind == SAFERRING_BACKEND_HUGETLB;
	const bool strict = options->placement == SAFERRING_PLACE_STRICT;
	uint64_t available;
	long long node_free;

	available = hugetlb ? hugetlb_available() : sr_meminfo("MemAvailable");
	if (region->length > available)
		return fail_available(region, available,
				      hugetlb ? "in huge pages" : "in all");
	if (hugetlb || !strict || saferring_node_count() == 1)
		return 0;
	if (numa_node_size64(options->node, &node_free) < 0)
		return 0;
	if (region->length > (uint64_t)node_free)
		return fail_available(region, (uint64_t)node_free,
				      "free on the node");
	return 0;
}

/* Reserve address space: the region, aligned, between two guard pages. */
static int reserve(struct saferring_region *region, size_t alignment)
{
	const size_t page = sr_page_size();
	size_t total;
	uintptr_t start;
	void *map;

	if (region->length > SIZE_MAX - alignment - 2 * page)
		return fail_map(region, -ENOMEM, "reserving");
	total = region->length + alignment + 2 * page;
	map = mmap(NULL, total, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return fail_map(region, -errno, "reserving");
	start = SR_ROUND_UP((uintptr_t)map + page, alignment);
	region->address = (unsigned char *)map + (start - (uintptr_t)map);
	region->mapped = map;
	region->mapped_length = total;
	return 0;
}

static int map_over(struct saferring_region *region, int protection, int flags)
{
	void *map = mmap(region->address, region->length, protection,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1,
			 0);

	return map == MAP_FAILED ? -errno : 0;
}

/* On a machine with one node there is nothing to place. */
static int place(const struct saferring_region *region,
		 const struct saferring_region_options *options)
{
	const bool strict = options->placement == SAFERRING_PLACE_STRICT;
	const int node = options->placement == SAFERRING_PLACE_LOCAL ?
				 saferring_node_current() :
				 options->node;
	struct bitmask *nodes;
	int error = 0;

	if (saferring_node_count() == 1)
		return 0;
	nodes = numa_allocate_nodemask();
	numa_bitmask_setbit(nodes, (unsigned int)node);
	if (mbind(region->address, region->length,
		  strict ? MPOL_BIND : MPOL_PREFERRED, nodes->maskp,
		  nodes->size + 1, 0))
		error = -errno;
	numa_bitmask_free(nodes);
	return error;
}

static int populate(const struct saferring_region *region)
{
	if (!madvise(region->address, region->length, MADV_POPULATE_WRITE))
		return 0;
	if (errno != EINVAL)
		return errno == EFAULT ? -ENOMEM : -errno;
	/* Before Linux 5.14. */
	memset(region->address, 0, region->length);
	return 0;
}

/*
 * How much of the region is in huge pages, from the mapping that begins at its
 * address in smaps.
 */
static uint64_t huge_bytes(const struct saferring_region *region)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long start, end;
	unsigned long long kilobytes = 0;
	bool ours = false;
	char line[512];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			ours = start == (uintptr_t)region->address;
		else if (ours &&
			 sscanf(line, "AnonHugePages: %llu", &kilobytes) == 1)
			break;
	}
	fclose(file);
	return kilobytes << 10;
}

static void set_page_size(struct saferring_region *region)
{
	const int kind = region->backend->kind;
	char *reason = region->reason + strlen(region->reason);
	uint64_t huge;

	region->page_size = sr_page_size();
	if (kind == SAFERRING_BACKEND_HUGETLB)
		region->page_size = SR_HUGE_PAGE;
	if (kind != SAFERRING_BACKEND_THP)
		return;
	huge = huge_bytes(region);
	if (huge == region->length)
		region->page_size = SR_HUGE_PAGE;
	else
		snprintf(reason,
			 sizeof(region->reason) - strlen(region->reason),
			 "%sthe kernel made %llu of %zu bytes huge pages",
			 *region->reason ? "; " : "", (unsigned long long)huge,
			 region->length);
}

static void set_generation(struct saferring_region *region)
{
	const uint64_t next = __atomic_add_fetch(
		&region->device->next_generation, 2, __ATOMIC_RELAXED);

	/* Odd, as the module's. */
	region->generation = next - 1;
	region->own_generation = region->generation;
	region->generation_at = &region->own_generation;
}

static int fill(struct saferring_region *region,
		const struct saferring_region_options *options, int flags)
{
	const int kind = region->backend->kind;
	int error = map_over(region, PROT_READ | PROT_WRITE, flags);

	if (error)
		return fail_map(region, error, "mapping");
	error = place(region, options);
	if (error)
		return fail_map(region, error, "placing");
	if (kind == SAFERRING_BACKEND_THP)
		madvise(region->address, region->length, MADV_HUGEPAGE);
	if (kind == SAFERRING_BACKEND_PLAIN)
		madvise(region->address, region->length, MADV_NOHUGEPAGE);
	error = populate(region);
	if (error)
		return fail_map(region, error, "populating");
	return 0;
}

static int map(struct saferring_region *region,
	       const struct saferring_region_options *options)
{
	const int kind = region->backend->kind;
	const size_t page = kind == SAFERRING_BACKEND_PLAIN ? sr_page_size() :
							      SR_HUGE_PAGE;
	const int flags = kind == SAFERRING_BACKEND_HUGETLB ?
				  MAP_HUGETLB | MAP_HUGE_2MB :
				  0;
	int error;

	region->length = options->length;
	if (options->length > SIZE_MAX - page)
		return fail_map(region, -ENOMEM, "rounding");
	region->length = SR_ROUND_UP(options->length, page);
	if (options->dma32)
		return fail_map(region, -EOPNOTSUPP, "placing below 4 GiB");
	error = check_available(region, options);
	if (!error)
		error = reserve(region, page);
	if (error)
		return error;
	error = fill(region, options, flags);
	if (error) {
		munmap(region->mapped, region->mapped_length);
		return error;
	}
	region->node = saferring_node_of_address(region->address);
	if (region->node < 0)
		region->node = saferring_node_count() == 1 ? 0 : -1;
	set_page_size(region);
	set_generation(region);
	return 0;
}

/*
 * What is pinned for I/O stays with whoever has pinned it: unmapping takes our
 * reference only.
 */
static int unmap(struct saferring_region *region,
		 unsigned int flags __attribute__((unused)),
		 unsigned int timeout_ms __attribute__((unused)))
{
	munmap(region->mapped, region->mapped_length);
	return 0;
}

/* First the generation, then the memory, in the order that the module keeps. */
static int revoke_region(struct saferring_region *region)
{
	int error;

	__atomic_store_n(&region->own_generation, region->generation + 1,
			 __ATOMIC_RELEASE);
	error = map_over(region, PROT_NONE, MAP_NORESERVE);
	if (error) {
		__atomic_store_n(&region->own_generation, region->generation,
				 __ATOMIC_RELEASE);
		return fail_map(region, error, "revoking");
	}
	__atomic_add_fetch(&region->device->own_revocations,
			   1, __ATOMIC_RELEASE);
	return 0;
}

static int64_t pinned(const struct saferring_region *region
		      __attribute__((unused)))
{
	return -1;
}

#define ANONYMOUS(which, its_probe)                                            \
	{                                                                      \
		.kind = (which), .probe = (its_probe), .map = map,             \
		.unmap = unmap, .revoke = revoke_region, .pinned = pinned,            \
	}

const struct sr_backend sr_backend_hugetlb =
	ANONYMOUS(SAFERRING_BACKEND_HUGETLB, probe_hugetlb);
const struct sr_backend sr_backend_thp =
	ANONYMOUS(SAFERRING_BACKEND_THP, probe_thp);
const struct sr_backend sr_backend_plain =
	ANONYMOUS(SAFERRING_BACKEND_PLAIN, probe_plain);
