/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Many: operations of one kind, queued by one call. What they have in common is
 * told, looked up and checked once, so that each of them takes half of what a
 * call for it would.
 */
#ifndef SAFERRING_MANY_H
#define SAFERRING_MANY_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

/**
 * struct saferring_series - reads or writes, each of a buffer of its own
 * @size: sizeof(struct saferring_series)
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @start: where in each buffer to begin, in bytes
 * @length: bytes of each, not 0
 * @offset: where in the file the first one begins, in bytes; (uint64_t)-1, with a
 *	distance of 0, for its position
 * @distance: bytes in the file from the beginning of one to that of the next:
 *	the length, for a part of the file as a whole
 * @user_data: of the first one; that of each next one is by 1 larger
 */
struct saferring_series {
	size_t size;
	int fd;
	size_t start;
	size_t length;
	uint64_t offset;
	uint64_t distance;
	uint64_t user_data;
};

/**
 * saferring_ring_read_many() - queue a read into each of many buffers
 * @ring: the ring
 * @series: what to read
 * @buffers: their handles, of one pool or several; each is stale once its read
 *	is queued
 * @count: how many, not 0
 *
 * As so many calls of saferring_ring_read(), in the order of @buffers, up to the
 * first that would fail. All of them complete one by one.
 *
 * Return: how many were queued; if less than @count, buffers[that] is at fault,
 * and saferring_error_last() says why, as does a report if its handle is stale;
 * it and those behind it still belong to the caller. Or
 * the error of saferring_ring_read() if it is the first;
 * -EINVAL: @count is 0 or above INT_MAX, or a size that the library does not
 * know.
 */
SAFERRING_API int
saferring_ring_read_many(struct saferring_ring *ring,
			 const struct saferring_series *series,
			 const saferring_buffer *buffers, unsigned int count)
	SAFERRING_NONNULL(1, 2, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_write_many() - queue a write from each of many buffers
 * @ring: the ring
 * @series: what to write
 * @buffers: their handles, of one pool or several; each is stale once its write
 *	is queued
 * @count: how many, not 0
 *
 * Return: as saferring_ring_read_many(), and all else is as there.
 */
SAFERRING_API int
saferring_ring_write_many(struct saferring_ring *ring,
			  const struct saferring_series *series,
			  const saferring_buffer *buffers, unsigned int count)
	SAFERRING_NONNULL(1, 2, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_nop_many() - queue operations that do nothing
 * @ring: the ring
 * @count: how many, not 0
 * @user_data: of the first one; that of each next one is by 1 larger
 *
 * Return: how many were queued, which is less than @count only if the ring has
 * no room for more; or the error of saferring_ring_nop() if it has none at all;
 * or -EINVAL.
 */
SAFERRING_API int saferring_ring_nop_many(struct saferring_ring *ring,
					  unsigned int count,
					  uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_MANY_H */
