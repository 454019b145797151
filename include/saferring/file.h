/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * File: operations on files and names, besides the read and write of one buffer
 * in saferring/ring.h.
 *
 * Every function returns what saferring_ring_read() returns, and what it says
 * itself. -EOPNOTSUPP says that the kernel does not have the operation, which
 * saferring_ring_supports() tells beforehand. What is passed by pointer is
 * copied, unless said otherwise. File descriptors can be SAFERRING_FILE(slot).
 */
#ifndef SAFERRING_FILE_H
#define SAFERRING_FILE_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

struct open_how;

/*
 * Where an operation leaves the file that it makes, besides a slot of the table
 * of registered files: as a file descriptor, which is then its result; or in a
 * free slot that the kernel finds, which is then its result.
 */
#define SAFERRING_SLOT_NONE (-1)
#define SAFERRING_SLOT_ANY  (-2)

/**
 * saferring_ring_readv() - queue a read into several ranges
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @ranges: where the bytes go, in order; of one buffer or of several
 * @count: number of @ranges, 1 to SAFERRING_RANGES_MAX
 * @offset: where in the file to begin, in bytes; (uint64_t)-1 for its position
 * @user_data: comes back with every completion
 *
 * It takes an operation of the ring's depth for each buffer, and makes a
 * completion for each, whose result is what went into that buffer.
 *
 * Where the kernel has registered vectors, and all ranges lie in one fixed
 * buffer, they are used.
 *
 * Return: as saferring_ring_read(), or -EINVAL for a @count out of range.
 */
SAFERRING_API int saferring_ring_readv(struct saferring_ring *ring, int fd,
				       const struct saferring_range *ranges,
				       unsigned int count, uint64_t offset,
				       uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_writev() - queue a write from several ranges
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @ranges: where the bytes come from, in order; of one buffer or of several
 * @count: number of @ranges, 1 to SAFERRING_RANGES_MAX
 * @offset: where in the file to begin, in bytes; (uint64_t)-1 for its position
 * @user_data: comes back with every completion
 *
 * As saferring_ring_readv().
 *
 * Return: as saferring_ring_readv().
 */
SAFERRING_API int saferring_ring_writev(struct saferring_ring *ring, int fd,
					const struct saferring_range *ranges,
					unsigned int count, uint64_t offset,
					uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_fsync() - queue the flush of a file
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @data_only: 1 for what fdatasync(2) does, 0 for fsync(2)
 * @user_data: comes back with the completion
 *
 * It is not ordered behind writes that are queued before it: link them.
 *
 * Return: as saferring_ring_nop(), or -EOPNOTSUPP.
 */
SAFERRING_API int saferring_ring_fsync(struct saferring_ring *ring, int fd,
				       int data_only, uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_fallocate() - queue a change of a file's space
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @mode: FALLOC_FL bits, see fallocate(2)
 * @offset: first byte
 * @length: bytes
 * @user_data: comes back with the completion
 *
 * Return: as saferring_ring_nop(), or -EOPNOTSUPP.
 */
SAFERRING_API int saferring_ring_fallocate(struct saferring_ring *ring, int fd,
					   int mode, uint64_t offset,
					   uint64_t length, uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_open() - queue the opening of a file
 * @ring: the ring
 * @directory: descriptor that a relative @path begins at, or AT_FDCWD
 * @path: the name, shorter than PATH_MAX
 * @how: flags, mode and resolve, see openat2(2)
 * @slot: SAFERRING_SLOT_NONE, SAFERRING_SLOT_ANY, or a slot of the table of
 *	registered files, which is closed first if it is taken
 * @user_data: comes back with the completion
 *
 * The result is the file descriptor; or with SAFERRING_SLOT_ANY the slot; or
 * with a slot 0.
 *
 * Return: as saferring_ring_nop(), or
 * -EINVAL: a pointer is NULL, or there is no such slot;
 * -ENAMETOOLONG: @path has PATH_MAX bytes or more;
 * -EBUSY: what is queued uses the slot;
 * -EOPNOTSUPP: the kernel does not have it.
 */
SAFERRING_API int saferring_ring_open(struct saferring_ring *ring,
				      int directory, const char *path,
				      const struct open_how *how, int slot,
				      uint64_t user_data)
	SAFERRING_NONNULL(1, 3, 4) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_close() - queue the closing of a file
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @user_data: comes back with the completion
 *
 * Return: as saferring_ring_nop(), or
 * -EBUSY: what is queued and not started uses the slot, and would find another
 * file there or none;
 * -EOPNOTSUPP: the kernel does not have it.
 */
SAFERRING_API int saferring_ring_close(struct saferring_ring *ring, int fd,
				       uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_statx() - queue a look at a file's attributes
 * @ring: the ring
 * @directory: descriptor that a relative @path begins at, or AT_FDCWD
 * @path: the name, shorter than PATH_MAX
 * @flags: AT bits, see statx(2)
 * @mask: STATX bits
 * @range: where the struct statx goes: start is a multiple of 8, length at least
 *	its size
 * @user_data: comes back with the completion
 *
 * Return: as saferring_ring_read(), or
 * -EINVAL: a pointer is NULL, or @range is too short or not aligned;
 * -ENAMETOOLONG: @path has PATH_MAX bytes or more;
 * -EOPNOTSUPP: the kernel does not have it.
 */
SAFERRING_API int saferring_ring_statx(struct saferring_ring *ring,
				       int directory, const char *path,
				       int flags, unsigned int mask,
				       const struct saferring_range *range,
				       uint64_t user_data)
	SAFERRING_NONNULL(1, 3, 6) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_splice() - queue a move of bytes between a pipe and a file
 * @ring: the ring
 * @from: file descriptor, or SAFERRING_FILE(slot)
 * @from_offset: where to begin there; (uint64_t)-1 for a pipe or its position
 * @to: file descriptor, or SAFERRING_FILE(slot)
 * @to_offset: where to begin there; (uint64_t)-1 for a pipe or its position
 * @length: bytes, not 0
 * @flags: SPLICE_F bits, see splice(2)
 * @user_data: comes back with the completion
 *
 * Return: as saferring_ring_nop(), -EINVAL for a @length of 0 or above 4 GiB, or
 * -EOPNOTSUPP.
 */
SAFERRING_API int saferring_ring_splice(struct saferring_ring *ring, int from,
					uint64_t from_offset, int to,
					uint64_t to_offset, size_t length,
					unsigned int flags, uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_FILE_H */
