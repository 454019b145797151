// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Registry: what the process has in all, and whether it still is the process
 * that made it.
 *
 * A child of fork() shares the rings and the module's regions with its parent
 * without being able to use them. A page that the kernel wipes in the child
 * tells: it works for every way to fork, and costs one load.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "engine.h"
#include "internal.h"

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const uint64_t no_mark;
static uint64_t *mark;
static uint64_t epochs;
static unsigned int numbers;

const uint64_t *sr_epoch_mark = &no_mark;
struct saferring_pool *sr_pools;
struct saferring_ring *sr_rings;

/*
 * The parent's threads and their locks do not exist in the child; what they were
 * doing does. Only what the child goes on to use has to be whole: the report.
 */
static void forget_parent(void)
{
	struct saferring_pool *pool;

	sr_report_unlock();
	pthread_mutex_init(&registry_lock, NULL);
	/*
	 * The tags are zero now, so no handle passes a check. Neither may the
	 * word that stands for none.
	 */
	for (pool = sr_pools; pool; pool = pool->next)
		*(uint64_t *)(void *)pool->fast.tags = UINT64_MAX;
	sr_pools = NULL;
	sr_rings = NULL;
	sr_quarantine_forget();
	sr_engines_forget();
}

static void start(void)
{
	mark = sr_map_wiped(sr_page_size());
	if (!mark)
		return;
	sr_epoch_mark = mark;
	pthread_atfork(sr_report_lock, sr_report_unlock, forget_parent);
}

int sr_epoch_begin(uint64_t *epoch)
{
	pthread_once(&once, start);
	if (!mark)
		return -ENOMEM;
	sr_registry_lock();
	if (*mark == 0)
		__atomic_store_n(mark, ++epochs, __ATOMIC_RELAXED);
	*epoch = *mark;
	sr_registry_unlock();
	return 0;
}

void sr_registry_lock(void)
{
	pthread_mutex_lock(&registry_lock);
}

bool sr_lock_timed(pthread_mutex_t *lock)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec++;
	return !pthread_mutex_timedlock(lock, &deadline);
}

bool sr_registry_lock_timed(void)
{
	return sr_lock_timed(&registry_lock);
}

void sr_registry_unlock(void)
{
	pthread_mutex_unlock(&registry_lock);
}

unsigned int sr_next_number(void)
{
	return __atomic_add_fetch(&numbers, 1, __ATOMIC_RELAXED);
}

void sr_name(char *to, const char *wanted, const char *kind)
{
	if (wanted)
		snprintf(to, SR_NAME_MAX, "%s", wanted);
	else
		snprintf(to, SR_NAME_MAX, "%s %u", kind, sr_next_number());
}
