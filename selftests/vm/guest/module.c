// SPDX-License-Identifier: GPL-2.0
/*
 * Loads and unloads kernel modules.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

int module_load(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, params, 0))
		ret = -errno;
	close(fd);
	/* Two that need a third, or one that is built in. */
	return ret == -EEXIST ? 0 : ret;
}

/* The name that the kernel gives to the module in file @path. */
static void module_name(char *name, size_t size, const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(name, size, "%s", slash ? slash + 1 : path);
	name[strcspn(name, ".")] = '\0';
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
}

/*
 * A module stays busy until the kernel has let go of what it handed out (an
 * io_uring instance is torn down well after its close), so busy is no error
 * before @seconds have gone by.
 */
int module_unload(const char *path, unsigned int seconds)
{
	enum { STEP_MS = 50 };
	unsigned int waited = 0;
	char name[128];

	module_name(name, sizeof(name), path);
	while (syscall(SYS_delete_module, name, O_NONBLOCK)) {
		if (errno != EAGAIN && errno != EBUSY)
			return -errno;
		if (waited >= seconds * 1000)
			return -EBUSY;
		msleep(STEP_MS);
		waited += STEP_MS;
	}
	return 0;
}
