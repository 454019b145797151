// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * NUMA: nodes, by libnuma and sysfs.
 */
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "internal.h"

static bool has_numa(void)
{
	return numa_available() >= 0;
}

static bool is_allowed(int node)
{
	struct bitmask *allowed = numa_get_mems_allowed();
	const bool found = numa_bitmask_isbitset(allowed, (unsigned int)node);

	numa_bitmask_free(allowed);
	return found;
}

int saferring_node_usable(int node)
{
	if (!has_numa())
		return node == 0;
	if (node < 0 || node > numa_max_node())
		return 0;
	return is_allowed(node) && numa_node_size64(node, NULL) > 0;
}

int saferring_node_max(void)
{
	int node;

	if (!has_numa())
		return 0;
	for (node = numa_max_node(); node > 0; node--)
		if (numa_node_size64(node, NULL) > 0)
			return node;
	return 0;
}

int saferring_node_count(void)
{
	int node, count = 0;

	if (!has_numa())
		return 1;
	for (node = 0; node <= numa_max_node(); node++)
		if (numa_node_size64(node, NULL) > 0)
			count++;
	return count ? count : 1;
}

int saferring_node_current(void)
{
	unsigned int cpu, node;

	if (!has_numa() || getcpu(&cpu, &node))
		return 0;
	return (int)node;
}

/*
 * Walk from a device's directory up to the first that has numa_node. The path
 * is the real one, so that each parent directory is a parent device.
 */
static int node_of_directory(char *path)
{
	char file[PATH_MAX + sizeof("/numa_node")];
	char line[32];
	char *slash;

	while (strlen(path) > strlen("/sys/devices")) {
		snprintf(file, sizeof(file), "%s/numa_node", path);
		if (!sr_read_line(file, line, sizeof(line))) {
			const int node = atoi(line);

			return node < 0 ? -ENODATA : node;
		}
		slash = strrchr(path, '/');
		*slash = '\0';
	}
	return -ENODATA;
}

int saferring_node_of_file(int fd)
{
	struct stat status;
	const char *kind = "block";
	char link[64], path[PATH_MAX];
	dev_t device;

	if (fstat(fd, &status))
		return -errno;
	device = status.st_dev;
	if (S_ISBLK(status.st_mode) || S_ISCHR(status.st_mode))
		device = status.st_rdev;
	if (S_ISCHR(status.st_mode))
		kind = "char";
	snprintf(link, sizeof(link), "/sys/dev/%s/%u:%u", kind, major(device),
		 minor(device));
	if (!realpath(link, path))
		return -ENODEV;
	return node_of_directory(path);
}

int saferring_node_of_netdev(const char *name)
{
	char link[sizeof("/sys/class/net//device") + IFNAMSIZ];
	char path[PATH_MAX];

	if (!name || !*name || strlen(name) >= IFNAMSIZ || strchr(name, '/') ||
	    !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	snprintf(link, sizeof(link), "/sys/class/net/%s/device", name);
	if (!realpath(link, path))
		return -ENODEV;
	return node_of_directory(path);
}

int saferring_node_of_address(const void *address)
{
	void *page = (void *)(uintptr_t)address;
	int node = -1;

	if (!has_numa())
		return 0;
	if (move_pages(0, 1, &page, NULL, &node, 0))
		return errno == ENOSYS || errno == EPERM ? -EOPNOTSUPP : -errno;
	return node;
}
