// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Memory of the library's own, and what the kernel tells about memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "internal.h"

void *sr_allocate_lines(size_t length)
{
	void *lines;

	if (posix_memalign(&lines, SR_CACHE_LINE, length))
		return NULL;
	return memset(lines, 0, length);
}

size_t sr_page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

void *sr_map_wiped(size_t length)
{
	void *address = mmap(NULL, length, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (address == MAP_FAILED)
		return NULL;
	if (madvise(address, length, MADV_WIPEONFORK)) {
		munmap(address, length);
		return NULL;
	}
	return address;
}

void sr_unmap(void *address, size_t length)
{
	if (address)
		munmap(address, length);
}

int sr_read_line(const char *path, char *line, size_t length)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, line, length - 1);
	if (got < 0) {
		got = -errno;
		close(fd);
		return (int)got;
	}
	close(fd);
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

uint64_t sr_read_number(const char *path, uint64_t otherwise)
{
	char line[64];
	char *end;
	uint64_t number;

	if (sr_read_line(path, line, sizeof(line)))
		return otherwise;
	number = strtoull(line, &end, 10);
	return end == line ? otherwise : number;
}

uint64_t sr_meminfo(const char *name)
{
	const size_t length = strlen(name);
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t bytes = UINT64_MAX;
	char line[128];

	if (!file)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, length) && line[length] == ':') {
			bytes = strtoull(line + length + 1, NULL, 10) << 10;
			break;
		}
	}
	fclose(file);
	return bytes;
}

uint64_t sr_memlock_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) ||
	    limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

bool sr_memlock_exempt(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{ 0 },
	};

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[0].effective & (1U << CAP_IPC_LOCK);
}

static bool is_zero(const unsigned char *bytes, size_t length)
{
	while (length)
		if (bytes[--length])
			return false;
	return true;
}

int sr_options_in(const char *operation, void *known, size_t known_size,
		  const void *options)
{
	size_t size;

	memset(known, 0, known_size);
	memcpy(&size, options, sizeof(size));
	if (size <= sizeof(size))
		return sr_fail_argument(operation,
					"options of size %zu: set it to their sizeof",
					size);
	if (size > known_size &&
	    !is_zero((const unsigned char *)options + known_size,
		     size - known_size))
		return sr_fail_argument(operation,
					"options that this version of the library does not know, beyond byte %zu",
					known_size);
	memcpy(known, options, SR_MIN(size, known_size));
	return 0;
}

int sr_info_out(const char *operation, void *out, const void *known,
		size_t known_size)
{
	size_t size;

	memcpy(&size, out, sizeof(size));
	if (size <= sizeof(size))
		return sr_fail_argument(operation,
					"a structure of size %zu: set it to its sizeof",
					size);
	if (size > known_size)
		memset((unsigned char *)out + known_size, 0, size - known_size);
	memcpy((unsigned char *)out + sizeof(size),
	       (const unsigned char *)known + sizeof(size),
	       SR_MIN(size, known_size) - sizeof(size));
	return 0;
}
