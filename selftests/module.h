/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unloading the module under the tests' feet, and loading it again: only where
 * SAFER_RING_MODULE names its file.
 */
#ifndef SAFER_RING_TEST_MODULE_H
#define SAFER_RING_TEST_MODULE_H

#include <sys/syscall.h>

#include "safer_ring_test.h"
#include "files.h"

#define SR_PARAMETERS	"/sys/module/safer_ring/parameters/"

/* The module's file, or NULL. */
static inline const char *sr_module_file(void)
{
	return getenv("SAFER_RING_MODULE");
}

/* Return: 0 or -errno. */
static inline int sr_module_load(const char *path, const char *arguments)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = syscall(__NR_finit_module, fd, arguments, 0) ? -errno : 0;
	close(fd);
	return ret;
}

/* Once. Return: 0 or -errno. */
static inline int sr_module_try_unload(void)
{
	return syscall(__NR_delete_module, "safer_ring", O_NONBLOCK) ? -errno :
								       0;
}

/* What others have just closed is let go of a moment later. 0 or -errno. */
static inline int sr_module_unload(void)
{
	int ms, ret = 0;

	for (ms = 5000; ms > 0; ms -= 10) {
		ret = sr_module_try_unload();
		if (ret != -EAGAIN && ret != -EBUSY)
			break;
		usleep(10000);
	}
	return ret;
}

/* All parameters as they are, to load the module by once more. */
static inline void sr_module_parameters(char *text, size_t size)
{
	static const char *const names[] = {
		"slots", "region_max", "quota_user", "quota_total", "cache_max",
		"generation_start",
	};
	char path[128], value[64];
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), SR_PARAMETERS "%s", names[i]);
		if (sr_file_read(path, value, sizeof(value)) <= 0)
			continue;
		value[strcspn(value, "\n")] = '\0';
		snprintf(text + strlen(text), size - strlen(text), "%s=%s ",
			 names[i], value);
	}
}

#endif /* SAFER_RING_TEST_MODULE_H */
