/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A control group of the test's own, below the root of cgroup2.
 */
#ifndef SAFER_RING_TEST_CGROUP_H
#define SAFER_RING_TEST_CGROUP_H

#include <stdlib.h>
#include <sys/stat.h>

#include "files.h"

#define SR_GROUP	"/sys/fs/cgroup/safer_ring_test/"

/* Return: 0 or -errno. */
static inline int sr_group_create(void)
{
	/* Some may be enabled already, and some may not be there. */
	sr_file_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	sr_file_write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
	return mkdir(SR_GROUP, 0755) && errno != EEXIST ? -errno : 0;
}

/* Moves the calling process there. Return: 0 or -errno. */
static inline int sr_group_join(void)
{
	return sr_file_write(SR_GROUP "cgroup.procs", "0");
}

/* A number that the group has in one of its files; or -errno. */
static inline long long sr_group_value(const char *path)
{
	char text[64];
	ssize_t n = sr_file_read(path, text, sizeof(text));

	return n < 0 ? n : atoll(text);
}

/* A value behind @key in one of its files; or -errno. */
static inline long long sr_group_field(const char *path, const char *key)
{
	char text[8192];
	ssize_t n = sr_file_read(path, text, sizeof(text));

	return n < 0 ? n : sr_value(text, key);
}

/* Its processes may still be on their way out. Return: 0 or -errno. */
static inline int sr_group_remove(void)
{
	int ms;

	for (ms = 2000; ms > 0 && rmdir(SR_GROUP); ms -= 10) {
		if (errno != EBUSY)
			return -errno;
		usleep(10000);
	}
	return ms > 0 ? 0 : -EBUSY;
}

#endif /* SAFER_RING_TEST_CGROUP_H */
