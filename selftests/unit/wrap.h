/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions that tests put in the place of others, by the linker's --wrap: calls
 * of NAME go to __wrap_NAME, and __real_NAME is the one that was replaced.
 */
#ifndef UNIT_WRAP_H
#define UNIT_WRAP_H

#include <sys/types.h>

struct io_uring;
struct saferring_ring;

int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long number, void *argument);
int __real_ioctl(int fd, unsigned long number, void *argument);
void *__wrap_mmap(void *address, size_t length, int protection, int flags,
		  int fd, off_t offset);
void *__real_mmap(void *address, size_t length, int protection, int flags,
		  int fd, off_t offset);

void *__wrap_malloc(size_t size);
void *__real_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_realloc(void *old, size_t size);

int __wrap_io_uring_submit(struct io_uring *uring);
int __real_io_uring_submit(struct io_uring *uring);

int __wrap_sr_uring_cancel_all(struct saferring_ring *ring);

#endif /* UNIT_WRAP_H */
