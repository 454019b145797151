// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio-serial ports to the host, found by the names it gave them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define PORTS	"/sys/class/virtio-ports"

/* Whether port @device of the class has the name @name. */
static bool port_is(const char *device, const char *name)
{
	char path[300];
	char line[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), PORTS "/%s/name", device);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, "\n")] = '\0';
	fclose(file);
	return !strcmp(line, name);
}

static int port_try(const char *name)
{
	DIR *dir = opendir(PORTS);
	struct dirent *entry;
	char path[300];
	int fd = -1;

	if (!dir)
		return -1;
	while (fd < 0 && (entry = readdir(dir))) {
		if (!port_is(entry->d_name, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	closedir(dir);
	return fd;
}

/* Ports are announced one by one after the controller has come up. */
int port_open(const char *name)
{
	enum { STEP_MS = 20, WAIT_MS = 30000 };

	for (unsigned int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		int fd = port_try(name);

		if (fd >= 0)
			return fd;
		msleep(STEP_MS);
	}
	die("no virtio-serial port '%s'", name);
}

/* Blocks until the host has taken everything. */
void write_all(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t n = write(fd, at, length);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			die("cannot write to the host: %m");
		}
		at += n;
		length -= n;
	}
}
