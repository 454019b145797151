// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Command: operations that a driver defines.
 */
#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <string.h>
#include "internal.h"

/* What every block device takes. */
#define SEGMENTS 64

/*
 * A block device counts the segments of the whole fixed buffer, from the place
 * where the data begins, and refuses a command with too many. Small pages are a
 * segment each, and before Linux 6.12 so are those of most large ones.
 */
static bool has_few_segments(const struct saferring_ring *ring,
			     const struct sr_draft *draft)
{
	const struct saferring_region *region =
		draft->operation->pool->region[0];

	return ring->opcodes[SR_OP_LISTEN] &&
	       region->length <= region->page_size * SEGMENTS;
}

static int draft_command(struct saferring_ring *ring, int fd, uint32_t number,
			 const struct saferring_range *ranges,
			 unsigned int count, struct sr_draft *draft)
{
	const unsigned int kind = SAFERRING_OPERATION_COMMAND;
	int error = 0;

	if (ring && ring->supported[kind] && !ring->wide)
		error = sr_refuse(ring, kind,
				  "the ring was created without SAFERRING_RING_COMMANDS");
	if (!error && count)
		error = sr_check_ranges(ring, kind, ranges, count);
	if (!error)
		error = sr_draft(ring, kind, ranges, count, draft);
	if (error)
		return error;
	sr_draft_file(draft, fd);
	draft->sqe->cmd_op = number;
	if (draft->fixed_index >= 0 && has_few_segments(ring, draft)) {
		draft->sqe->uring_cmd_flags = IORING_URING_CMD_FIXED;
		draft->sqe->buf_index = (uint16_t)draft->fixed_index;
	}
	return 0;
}

int saferring_ring_command(struct saferring_ring *ring, int fd, uint32_t number,
			   const void *command, size_t length,
			   const struct saferring_range *ranges,
			   unsigned int count, uint64_t user_data)
{
	struct sr_draft draft;
	int error;

	if (!command || !length || length > SAFERRING_COMMAND_MAX)
		return sr_refuse(ring, SAFERRING_OPERATION_COMMAND,
				 "a command of %zu bytes, allowed are 1 to %d",
				 command ? length : 0, SAFERRING_COMMAND_MAX);
	error = draft_command(ring, fd, number, ranges, count, &draft);
	if (error)
		return error;
	memcpy(draft.sqe->cmd, command, length);
	return sr_queue(&draft, user_data);
}

int saferring_ring_nvme(struct saferring_ring *ring, int fd,
			const struct nvme_uring_cmd *command,
			const struct saferring_range *range, uint64_t user_data)
{
	struct nvme_uring_cmd own;
	struct sr_draft draft;
	int error;

	if (!command)
		return sr_refuse(ring, SAFERRING_OPERATION_COMMAND,
				 "no command");
	error = draft_command(ring, fd, NVME_URING_CMD_IO, range, range ? 1 : 0,
			      &draft);
	if (error)
		return error;
	own = *command;
	own.addr = (uintptr_t)draft.address;
	own.data_len = (uint32_t)draft.length;
	memcpy(draft.sqe->cmd, &own, sizeof(own));
	return sr_queue(&draft, user_data);
}
