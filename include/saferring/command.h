/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Command: operations that a driver defines, such as NVMe commands on
 * /dev/ng0n1, past the block layer (Linux 5.19). They need a ring with
 * SAFERRING_RING_COMMANDS.
 */
#ifndef SAFERRING_COMMAND_H
#define SAFERRING_COMMAND_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

struct nvme_uring_cmd;

/* Bytes of a command in the entry of a ring with SAFERRING_RING_COMMANDS. */
#define SAFERRING_COMMAND_MAX 80

/**
 * saferring_ring_command() - queue a command to a driver
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @number: of the command, as the driver defines it
 * @command: the command itself, copied
 * @length: bytes of @command, 1 to SAFERRING_COMMAND_MAX
 * @ranges: parts of buffers whose addresses @command holds; NULL for none
 * @count: number of @ranges, at most SAFERRING_RANGES_MAX
 * @user_data: comes back with every completion
 *
 * The library does not know where in @command addresses are: see
 * saferring_buffer_data(). The buffers are the kernel's until the command has
 * ended. If all ranges lie in one fixed buffer of few and large pages, which any
 * device can take, the driver is told so.
 *
 * The completion has the driver's result, and as extra its second one.
 *
 * Return: as saferring_ring_read(), or
 * -EINVAL: @length is out of range, or the ring is not for commands;
 * -EOPNOTSUPP: the kernel does not have commands.
 */
SAFERRING_API int
saferring_ring_command(struct saferring_ring *ring, int fd, uint32_t number,
		       const void *command, size_t length,
		       const struct saferring_range *ranges, unsigned int count,
		       uint64_t user_data)
	SAFERRING_NONNULL(1, 4) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_nvme() - queue an NVMe command
 * @ring: the ring
 * @fd: descriptor of a generic NVMe device, or SAFERRING_FILE(slot)
 * @command: the command, copied; its addr and data_len are set from @range
 * @range: its data; NULL for none
 * @user_data: comes back with the completion
 *
 * The result is 0, an NVMe status above 0, or -errno; extra is the command's
 * result.
 *
 * Return: as saferring_ring_command().
 */
SAFERRING_API int saferring_ring_nvme(struct saferring_ring *ring, int fd,
				      const struct nvme_uring_cmd *command,
				      const struct saferring_range *range,
				      uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_COMMAND_H */
