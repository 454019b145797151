/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loads the test device of importer/, which imports dma-bufs.
 */
#ifndef SAFER_RING_TEST_IMPORTER_H
#define SAFER_RING_TEST_IMPORTER_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "importer/safer_ring_importer.h"

#define SR_IMPORTER		"/dev/safer_ring_importer"
#define SR_IMPORTER_FILE	"safer_ring_importer.ko"

/* The module lies beside the test, or below it in the source tree. */
static inline int sr_importer_load(void)
{
	static const char *const places[] = { "", "importer/" };
	char path[PATH_MAX], self[PATH_MAX / 2];
	unsigned int i;
	ssize_t length;
	int fd, ret;

	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0)
		return -errno;
	self[length] = '\0';
	strrchr(self, '/')[1] = '\0';
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s%s", self, places[i],
			 SR_IMPORTER_FILE);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		ret = syscall(__NR_finit_module, fd, "", 0) ? -errno : 0;
		close(fd);
		return ret == -EEXIST ? 0 : ret;
	}
	return -ENOENT;
}

/* The longest segment that it takes, until it is unloaded. 0 or -errno. */
static inline int sr_importer_limit(unsigned int bytes)
{
	int fd = open("/sys/module/safer_ring_importer/parameters/segment_max",
		      O_WRONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = dprintf(fd, "%u", bytes) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static inline void sr_importer_unload(void)
{
	syscall(__NR_delete_module, "safer_ring_importer", O_NONBLOCK);
}

#endif /* SAFER_RING_TEST_IMPORTER_H */
