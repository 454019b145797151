/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Handover: buffers that go to another process and come back.
 *
 * One process exports a region and sends the descriptor, as SCM_RIGHTS, to
 * another, which imports it. Both make a pool of it, of the same buffer size; in
 * one of the pools no buffer is free. From then on each buffer is in one of the
 * two processes: sending takes it from the program, and receiving the ticket
 * brings it to the other one.
 */
#ifndef SAFERRING_HANDOVER_H
#define SAFERRING_HANDOVER_H

#include <saferring/api.h>
#include <saferring/buffer.h>
#include <saferring/region.h>

SAFERRING_BEGIN_DECLS

/**
 * saferring_region_export() - a descriptor of a region for another process
 * @region: the region, of the module's memory
 * @fd: out: the descriptor, closed on exec, to be closed by the caller
 *
 * The region stays its owner's: when that frees it, importers find it gone.
 *
 * Return: 0, or
 * -EOPNOTSUPP: it is not memory of the module, or the module cannot share;
 * -ESTALE: the region is gone;
 * -EBUSY: a ring has its own memory in it;
 * -EMFILE, -ENFILE: no descriptor is left;
 * -EOWNERDEAD: it belongs to the parent process.
 */
SAFERRING_API int saferring_region_export(struct saferring_region *region,
					  int *fd) SAFERRING_NONNULL(1, 2)
	SAFERRING_MUST_CHECK;

/**
 * saferring_region_import() - a region of another process
 * @device: the module, opened by this process; it must outlive the region
 * @fd: what saferring_region_export() gave; it may be closed afterwards
 * @name: for reports and lists; copied, cut to 31 bytes; NULL for "region N"
 * @region: out: the region, to be destroyed by saferring_region_destroy(), which
 *	leaves the owner's as it is
 *
 * Return: 0, or
 * -EOPNOTSUPP: @device is not the module, or the module cannot share;
 * -EBADF, -EINVAL: @fd is no exported region;
 * -ESTALE: the owner has freed it;
 * -ENOSPC: no slot is left;
 * -EOWNERDEAD: the device belongs to the parent process.
 */
SAFERRING_API int saferring_region_import(struct saferring_device *device,
					  int fd, const char *name,
					  struct saferring_region **region)
	SAFERRING_NONNULL(1, 4) SAFERRING_MUST_CHECK;

/**
 * struct saferring_ticket - a buffer on its way
 * @index: index of the buffer
 * @buffer_size: bytes of a buffer in the sender's pool
 * @turn: grows with each time that the buffer is sent, from either side
 *
 * To be sent as it is, between programs of one machine.
 */
struct saferring_ticket {
	uint32_t index;
	uint32_t buffer_size;
	uint64_t turn;
};

/**
 * saferring_buffer_send() - give a buffer to the other process
 * @pool: its pool
 * @buffer: its handle, which is stale after this
 * @ticket: out: what the other process needs to receive it
 *
 * Return: 0, or
 * -ESTALE: the handle is not the current one of a buffer of @pool, which is
 * reported, and nothing was changed;
 * -EOWNERDEAD: the pool belongs to the parent process.
 */
SAFERRING_API int saferring_buffer_send(struct saferring_pool *pool,
					saferring_buffer buffer,
					struct saferring_ticket *ticket)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_buffer_receive() - take a buffer that the other process has sent
 * @pool: the pool of this process on the shared region
 * @ticket: what came from there; it is not trusted
 * @buffer: out: the handle; after an error SAFERRING_BUFFER_NONE
 *
 * Return: 0, or
 * -EINVAL: the ticket is of a pool of another shape;
 * -EALREADY: that ticket, or a later one of the buffer, was received before;
 * -EBUSY: the buffer is not with the other process;
 * -ESTALE: the region is gone;
 * -EOWNERDEAD: the pool belongs to the parent process.
 */
SAFERRING_API int saferring_buffer_receive(struct saferring_pool *pool,
					   const struct saferring_ticket *ticket,
					   saferring_buffer *buffer)
	SAFERRING_NONNULL(1, 2, 3) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_HANDOVER_H */
