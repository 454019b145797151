// SPDX-License-Identifier: GPL-2.0
/*
 * DPDK's pool, in memory of the C library's: no huge pages and no device are
 * asked for.
 */
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>
#include <sched.h>
#include <stdio.h>
#include "rival.h"

#define CACHE 128

static struct rte_mempool *pool;

static int eal_up(void)
{
	static int up;
	char lcore[32];
	char *arguments[] = {
		"bench", "--no-huge", "--no-pci", "--no-shconf",
		"--no-telemetry", "--log-level=error", "-m", "256", "--lcores",
		lcore, NULL,
	};

	if (up)
		return 0;
	snprintf(lcore, sizeof(lcore), "0@%d", sched_getcpu());
	if (rte_eal_init(10, arguments) < 0)
		return -rte_errno;
	up = 1;
	return 0;
}

/* Another one each time, so that it lies elsewhere. */
static int mempool_up(size_t count, size_t size)
{
	const int error = eal_up();

	if (error)
		return error;
	rte_mempool_free(pool);
	pool = rte_mempool_create("bench", (unsigned int)count,
				  (unsigned int)size, CACHE, 0, NULL, NULL,
				  NULL, NULL, SOCKET_ID_ANY, 0);
	return pool ? 0 : -rte_errno;
}

static void mempool_run(uint64_t calls)
{
	void *buffer;

	while (calls--) {
		if (rte_mempool_get(pool, &buffer))
			return;
		__asm__ volatile("" : : "r"(buffer) : "memory");
		rte_mempool_put(pool, buffer);
	}
}

extern const struct rival_plugin rival_plugin;
const struct rival_plugin rival_plugin = {
	.up = mempool_up,
	.run = mempool_run,
};
