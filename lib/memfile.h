/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Memory file: the memory of the arena, and where it lies.
 */
#ifndef SAFERRING_MEMFILE_H
#define SAFERRING_MEMFILE_H

#include <limits.h>
#include <stdint.h>

/* Name of the memfd, by which other processes find it. */
#define SR_MEMFD_NAME "saferring"

/*
 * struct sr_memfile - memory that other processes can map, or can not
 * @base: first byte; zeroed
 * @length: bytes
 * @fd: the file, or -1
 * @named: it is a file with a name, in a file system that may be full
 * @path: the file's, "memfd", or "private memory"
 * @reason: why it is not what was asked for, or ""
 */
struct sr_memfile {
	void *base;
	uint64_t length;
	int fd;
	int named;
	char path[PATH_MAX];
	char reason[256];
};

/*
 * As SAFERRING_STATS says, or the next best. Returns 0, or -ENOMEM if there are
 * not even @least bytes of private memory.
 */
int sr_memfile_make(struct sr_memfile *memory, uint64_t least);
/* Make sure that there is memory behind a part of it. Returns 0 or -errno. */
int sr_memfile_reserve(const struct sr_memfile *memory, uint64_t offset,
		       uint64_t length);
/*
 * Field 22 of /proc/PID/stat: with the number it names a process for good. The
 * calling process is 0: /proc may know it by another number than getpid().
 */
uint64_t sr_process_start(int pid);

#endif /* SAFERRING_MEMFILE_H */
