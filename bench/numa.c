// SPDX-License-Identifier: GPL-2.0
/*
 * Placement: that each page lies on the node asked for is proved by asking the
 * kernel of every single one. Speed by node is measured where there are two.
 */
#include <errno.h>
#include <numaif.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <saferring.h>
#include "special.h"

#define LENGTH (16UL << 20)

/* Pages of that memory that do not lie on that node, or -1. */
static long misplaced(unsigned char *address, int node)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t count = LENGTH / page;
	void **pages = calloc(count, sizeof(*pages));
	int *status = calloc(count, sizeof(*status));
	long wrong = 0;
	size_t i;

	if (!pages || !status)
		abort();
	for (i = 0; i < count; i++)
		pages[i] = address + i * page;
	if (move_pages(0, count, pages, NULL, status, 0))
		wrong = -1;
	for (i = 0; i < count && wrong >= 0; i++)
		wrong += status[i] != node;
	free(pages);
	free(status);
	return wrong;
}

static struct saferring_region *region_on(struct saferring_device *device,
					  int node)
{
	struct saferring_region_options what;
	struct saferring_region *region;

	SAFERRING_OPTIONS_INIT(&what);
	what.length = LENGTH;
	what.placement = SAFERRING_PLACE_STRICT;
	what.node = node;
	return saferring_region_create(device, &what, &region) ? NULL : region;
}

static void place(struct saferring_device *device, int node)
{
	struct saferring_region *region = region_on(device, node);
	enum verdict verdict = VERDICT_PASS;
	long wrong;

	if (!region) {
		conclude_special("numa", "numa.placement", VERDICT_FAIL,
				 "node %d: %s", node,
				 saferring_error_last()->what);
		return;
	}
	wrong = misplaced(saferring_region_address(region), node);
	if (wrong < 0)
		verdict = VERDICT_SKIPPED;
	else if (wrong)
		verdict = VERDICT_FAIL;
	if (wrong < 0)
		conclude_special("numa", "numa.placement", verdict,
				 "the kernel does not tell where pages lie: %s",
				 strerror(errno));
	else
		conclude_special("numa", "numa.placement", verdict,
				 "node %d: %ld of %lu pages lie elsewhere", node,
				 wrong, LENGTH / sysconf(_SC_PAGESIZE));
	if (saferring_region_destroy(region, 0, 1000))
		row_error(-EBUSY);
}

void numa_placement(void)
{
	struct saferring_device *device;
	int node;

	if (saferring_device_open(NULL, &device)) {
		conclude_special("numa", "numa.placement", VERDICT_FAIL, "%s",
				 saferring_error_last()->what);
		return;
	}
	for (node = 0; node <= saferring_node_max(); node++)
		if (saferring_node_usable(node))
			place(device, node);
	if (saferring_device_close(device))
		row_error(-EBUSY);
}

/* ---- speed ---- */

/* Each line once, in an order that no prefetcher sees: nanoseconds a line. */
static double walk(const unsigned char *address)
{
	const size_t lines = LENGTH / 64;
	uint64_t sum = 0, start = thread_ns();
	size_t i, at = 0;

	for (i = 0; i < lines; i++) {
		at = (at + 7919 * 64 + sum) & (LENGTH - 64);
		sum = *(const uint64_t *)(const void *)(address + at);
		KEEP(sum);
	}
	return (double)(thread_ns() - start) / (double)lines;
}

static void compare(struct saferring_region *near, struct saferring_region *far)
{
	double one[21], other[21], ratio[21];
	struct random random;
	size_t i;

	random_seed(&random, wall_ns());
	for (i = 0; i < 21; i++) {
		one[i] = walk(saferring_region_address(near));
		other[i] = walk(saferring_region_address(far));
		ratio[i] = one[i] / other[i];
	}
	record_point("numa", "numa.speed", 2, "ns",
		     estimate_median(one, 21, &random),
		     estimate_median(other, 21, &random), VERDICT_NONE);
	conclude_special("numa", "numa.speed", VERDICT_NONE,
			 "near memory takes %.2f of the time of far memory",
			 quantile(ratio, 21, 0.5));
}

static void compare_nodes(struct saferring_device *device, int here, int there)
{
	struct saferring_region *near = region_on(device, here);
	struct saferring_region *far = region_on(device, there);

	if (near && far)
		compare(near, far);
	else
		conclude_special("numa", "numa.speed", VERDICT_SKIPPED, "%s",
				 saferring_error_last()->what);
	if (saferring_region_destroy(near, 0, 1000) ||
	    saferring_region_destroy(far, 0, 1000))
		row_error(-EBUSY);
}

void numa_speed(void)
{
	const int here = saferring_node_current();
	struct saferring_device *device;
	int node, there = -1;

	for (node = 0; node <= saferring_node_max(); node++)
		if (node != here && saferring_node_usable(node))
			there = node;
	if (there < 0)
		conclude_special("numa", "numa.speed", VERDICT_SKIPPED,
				 "one node");
	else if (machine_is_virtual())
		conclude_special("numa", "numa.speed", VERDICT_SKIPPED,
				 "a virtual machine's nodes need not be real");
	else if (!saferring_device_open(NULL, &device)) {
		compare_nodes(device, here, there);
		if (saferring_device_close(device))
			row_error(-EBUSY);
	}
}
