/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the ABI share. They stand on the uapi header alone.
 */
#ifndef SAFER_RING_TEST_H
#define SAFER_RING_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/safer_ring.h>

#include "../kselftest_harness.h"

/* Seconds. An emulated CPU with KASAN is slow where a real one is done at once. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300

#define PAGE		4096UL
#define HUGE_PAGE	(2UL << 20)

/* For FIXTURE_SETUP and tests: nothing can be said without the device. */
#define SR_REQUIRE_DEVICE()						\
	do {								\
		if (access(SAFER_RING_DEVICE, R_OK | W_OK))		\
			SKIP(return, "%s: %s (insmod safer_ring.ko, as root)", \
			     SAFER_RING_DEVICE, strerror(errno));	\
	} while (0)

static inline int sr_open(void)
{
	return open(SAFER_RING_DEVICE, O_RDWR | O_CLOEXEC);
}

/* As ioctl(), but returns -errno. */
static inline int sr_ioctl(int fd, unsigned int cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

static inline int sr_info(int dev, struct safer_ring_info *info)
{
	*info = (struct safer_ring_info){ .size = sizeof(*info) };
	return sr_ioctl(dev, SAFER_RING_INFO, info);
}

/* A request for @length bytes that leaves everything else to the module. */
static inline struct safer_ring_alloc sr_request(__u64 length)
{
	return (struct safer_ring_alloc){
		.size = sizeof(struct safer_ring_alloc),
		.length = length,
		.node = SAFER_RING_NODE_LOCAL,
		.order_max = SAFER_RING_ORDER_BEST,
	};
}

static inline int sr_alloc(int dev, __u64 length, struct safer_ring_alloc *a)
{
	*a = sr_request(length);
	return sr_ioctl(dev, SAFER_RING_ALLOC, a);
}

static inline int sr_free(int dev, __u32 slot, __u64 generation, __u32 flags,
			  __u32 timeout_ms, __u64 *quarantine)
{
	struct safer_ring_free f = {
		.size = sizeof(f),
		.flags = flags,
		.slot = slot,
		.timeout_ms = timeout_ms,
		.generation = generation,
	};
	int ret = sr_ioctl(dev, SAFER_RING_FREE, &f);

	if (quarantine)
		*quarantine = f.quarantine;
	return ret;
}

static inline int sr_query(int dev, __u32 slot, __u64 generation,
			   struct safer_ring_query *q)
{
	*q = (struct safer_ring_query){ .size = sizeof(*q), .slot = slot,
					.generation = generation };
	return sr_ioctl(dev, SAFER_RING_QUERY, q);
}

static inline char *sr_map(int fd, size_t length, __u64 offset)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    offset);
}

/**
 * struct sr_control - the control area as mapped
 * @header: its first page
 * @words: the generations
 * @length: bytes mapped
 */
struct sr_control {
	const volatile struct safer_ring_control *header;
	const __u64 *words;
	size_t length;
};

static inline int sr_control_map(int dev, struct sr_control *control)
{
	struct safer_ring_info info;
	int ret = sr_info(dev, &info);
	char *map;

	if (ret)
		return ret;
	map = mmap(NULL, info.control_length, PROT_READ, MAP_SHARED, dev,
		   info.control_offset);
	if (map == MAP_FAILED)
		return -errno;
	control->header = (void *)map;
	control->words = (void *)(map + control->header->header_length);
	control->length = info.control_length;
	return 0;
}

static inline void sr_control_unmap(struct sr_control *control)
{
	munmap((void *)control->header, control->length);
}

/* The generation of a slot, loaded as a program would. */
static inline __u64 sr_word(const struct sr_control *control, __u32 slot)
{
	return __atomic_load_n(&control->words[slot], __ATOMIC_ACQUIRE);
}

/* A counter below /sys/class/misc/safer_ring/stats, or -errno. */
static inline long long sr_stat(const char *name)
{
	long long value = -EIO;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/misc/safer_ring/stats/%s",
		 name);
	file = fopen(path, "r");
	if (!file)
		return -errno;
	if (fscanf(file, "%lld", &value) != 1)
		value = -EIO;
	fclose(file);
	return value;
}

/* Change a parameter of the module. Return: 0 or -errno. */
static inline int sr_write_parameter(const char *name,
				     unsigned long long value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/safer_ring/parameters/%s",
		 name);
	file = fopen(path, "w");
	if (!file)
		return -errno;
	fprintf(file, "%llu\n", value);
	return fclose(file) ? -errno : 0;
}

/**
 * struct sr_usage - what the whole system holds of the module
 * @regions: live regions
 * @live: bytes in them
 * @quarantine: bytes in quarantine
 */
struct sr_usage {
	long long regions;
	long long live;
	long long quarantine;
};

static inline int sr_usage(struct sr_usage *usage)
{
	usage->regions = sr_stat("regions");
	usage->live = sr_stat("live_bytes");
	usage->quarantine = sr_stat("quarantine_bytes");
	return usage->regions < 0 || usage->live < 0 || usage->quarantine < 0 ?
		-EIO : 0;
}

/* Whether it is as it was, at the latest after @ms: rings close late. */
static inline bool sr_usage_returns_to(const struct sr_usage *before, int ms)
{
	struct sr_usage now;

	for (; ms > 0; ms -= 10) {
		if (!sr_usage(&now) && !memcmp(&now, before, sizeof(now)))
			return true;
		usleep(10000);
	}
	fprintf(stderr, "# left: %lld regions, %lld bytes, %lld in quarantine\n",
		now.regions - before->regions, now.live - before->live,
		now.quarantine - before->quarantine);
	return false;
}

/* Send a descriptor with some bytes. Return: 0 or -errno. */
static inline int sr_send_fd(int sock, int fd, void *bytes, size_t length)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec vec = { .iov_base = bytes, .iov_len = length };
	struct msghdr msg = { .msg_iov = &vec, .msg_iovlen = 1,
			      .msg_control = room,
			      .msg_controllen = sizeof(room) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == (ssize_t)length ? 0 : -errno;
}

/* The other end. Return: the descriptor, or -1. */
static inline int sr_receive_fd(int sock, void *bytes, size_t length)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec vec = { .iov_base = bytes, .iov_len = length };
	struct msghdr msg = { .msg_iov = &vec, .msg_iovlen = 1,
			      .msg_control = room,
			      .msg_controllen = sizeof(room) };
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != (ssize_t)length)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

#endif /* SAFER_RING_TEST_H */
