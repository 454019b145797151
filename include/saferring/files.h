/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Files: the ring's table of registered files. A registered file spares the
 * kernel the look-up and the reference at every operation. SAFERRING_FILE(slot)
 * names it to every function that takes a file descriptor.
 */
#ifndef SAFERRING_FILES_H
#define SAFERRING_FILES_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

#define SAFERRING_FILES_MAX 32768U

/**
 * saferring_files_create() - give a ring a table of registered files
 * @ring: the ring, which has none yet
 * @slots: number of slots, 1 to SAFERRING_FILES_MAX; all are empty
 *
 * It is removed with the ring.
 *
 * Return: 0, or
 * -EINVAL: @slots out of range;
 * -EEXIST: the ring has a table;
 * -EMFILE: RLIMIT_NOFILE is below @slots;
 * -ENOMEM: out of memory;
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int saferring_files_create(struct saferring_ring *ring,
					 unsigned int slots)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_files_set() - put a file into a slot, or empty it
 * @ring: the ring
 * @slot: 0 to the number of slots less one
 * @fd: file descriptor, of which the table has its own reference after this; -1
 *	empties the slot
 *
 * Operations in flight keep the file that they began with. While operations
 * that use the slot are queued and not started the change is refused, because
 * they would go to another file than the one they were queued for.
 *
 * Return: 0, or
 * -EINVAL: there is no such slot, or no table;
 * -EBUSY: operations that are queued use the slot: submit them first;
 * -EBADF: @fd is no file;
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int saferring_files_set(struct saferring_ring *ring,
				      unsigned int slot, int fd)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_FILES_H */
