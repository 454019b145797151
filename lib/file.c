// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * File: operations on files and names.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "internal.h"

/* ---- vectors ---- */

int sr_check_ranges(struct saferring_ring *ring, unsigned int kind,
		    const struct saferring_range *ranges, unsigned int count)
{
	if (ranges && count >= 1 && count <= SAFERRING_RANGES_MAX)
		return 0;
	return sr_refuse(ring, kind, "%u ranges, allowed are 1 to %d",
			 ranges ? count : 0, SAFERRING_RANGES_MAX);
}

static int vector(struct saferring_ring *ring, unsigned int kind,
		  unsigned int fixed_opcode, int fd,
		  const struct saferring_range *ranges, unsigned int count,
		  uint64_t offset, uint64_t user_data)
{
	struct sr_draft draft;
	int error = sr_check_ranges(ring, kind, ranges, count);

	if (!error)
		error = sr_draft(ring, kind, ranges, count, &draft);
	if (error)
		return error;
	sr_draft_file(&draft, fd);
	draft.sqe->addr = (uintptr_t)draft.payload->iovec;
	draft.sqe->len = count;
	draft.sqe->off = offset;
	if (draft.fixed_index >= 0 && ring->opcodes[fixed_opcode]) {
		draft.sqe->opcode = (uint8_t)fixed_opcode;
		draft.sqe->buf_index = (uint16_t)draft.fixed_index;
	}
	return sr_queue(&draft, user_data);
}

int saferring_ring_readv(struct saferring_ring *ring, int fd,
			 const struct saferring_range *ranges,
			 unsigned int count, uint64_t offset,
			 uint64_t user_data)
{
	return vector(ring, SAFERRING_OPERATION_READV, SR_OP_READV_FIXED, fd,
		      ranges, count, offset, user_data);
}

int saferring_ring_writev(struct saferring_ring *ring, int fd,
			  const struct saferring_range *ranges,
			  unsigned int count, uint64_t offset,
			  uint64_t user_data)
{
	return vector(ring, SAFERRING_OPERATION_WRITEV, SR_OP_WRITEV_FIXED, fd,
		      ranges, count, offset, user_data);
}

/* ---- contents ---- */

int saferring_ring_fsync(struct saferring_ring *ring, int fd, int data_only,
			 uint64_t user_data)
{
	struct sr_draft draft;
	int error = sr_draft(ring, SAFERRING_OPERATION_FSYNC, NULL, 0, &draft);

	if (error)
		return error;
	sr_draft_file(&draft, fd);
	draft.sqe->fsync_flags = data_only ? IORING_FSYNC_DATASYNC : 0;
	return sr_queue(&draft, user_data);
}

int saferring_ring_fallocate(struct saferring_ring *ring, int fd, int mode,
			     uint64_t offset, uint64_t length,
			     uint64_t user_data)
{
	struct sr_draft draft;
	int error = sr_draft(ring, SAFERRING_OPERATION_FALLOCATE, NULL, 0,
			     &draft);

	if (error)
		return error;
	sr_draft_file(&draft, fd);
	draft.sqe->off = offset;
	draft.sqe->addr = length;
	draft.sqe->len = (uint32_t)mode;
	return sr_queue(&draft, user_data);
}

int saferring_ring_splice(struct saferring_ring *ring, int from,
			  uint64_t from_offset, int to, uint64_t to_offset,
			  size_t length, unsigned int flags, uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_SPLICE;
	struct sr_draft draft;
	int error;

	if (!length || length > UINT32_MAX)
		return sr_refuse(ring, kind,
				 "%zu bytes, allowed are 1 to %u", length,
				 UINT32_MAX);
	error = sr_draft(ring, kind, NULL, 0, &draft);
	if (error)
		return error;
	sr_draft_file(&draft, to);
	draft.sqe->off = to_offset;
	draft.sqe->splice_off_in = from_offset;
	draft.sqe->len = (uint32_t)length;
	draft.sqe->splice_flags = flags;
	draft.sqe->splice_fd_in = from;
	if (from >= 0 && from & SAFERRING_FILE_BIT) {
		draft.sqe->splice_fd_in = from & ~SAFERRING_FILE_BIT;
		draft.sqe->splice_flags |= SPLICE_F_FD_IN_FIXED;
	}
	draft.operation->length = (uint32_t)length;
	return sr_queue(&draft, user_data);
}

/* ---- names ---- */

static int check_path(struct saferring_ring *ring, unsigned int kind,
		      const char *path)
{
	if (!path)
		return sr_refuse(ring, kind, "no path");
	if (strnlen(path, PATH_MAX) < PATH_MAX)
		return 0;
	return sr_fail(&(struct sr_fault){
			       .code = -ENAMETOOLONG,
			       .reason = SAFERRING_REASON_ARGUMENT,
			       .operation = sr_kinds[kind].function,
			       .kind = "ring",
			       .name = ring ? ring->name : "",
			       .limit = PATH_MAX - 1,
		       },
		       "the path has more than %d bytes", PATH_MAX - 1);
}

static uintptr_t keep_path(struct sr_draft *draft, const char *path)
{
	strcpy(draft->payload->path, path);
	return (uintptr_t)draft->payload->path;
}

int saferring_ring_open(struct saferring_ring *ring, int directory,
			const char *path, const struct open_how *how, int slot,
			uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_OPEN;
	struct sr_draft draft;
	int error = check_path(ring, kind, path);

	if (!error && !how)
		error = sr_refuse(ring, kind, "no struct open_how");
	if (!error)
		error = sr_files_check(ring, kind, slot);
	if (!error)
		error = sr_draft(ring, kind, NULL, 0, &draft);
	if (error)
		return error;
	draft.payload->how = *how;
	draft.sqe->fd = directory;
	draft.sqe->addr = keep_path(&draft, path);
	draft.sqe->len = sizeof(*how);
	draft.sqe->off = (uintptr_t)&draft.payload->how;
	sr_draft_slot(&draft, slot);
	return sr_queue(&draft, user_data);
}

/* The kernel wants a slot to be closed in a field of its own. */
int saferring_ring_close(struct saferring_ring *ring, int fd,
			 uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_CLOSE;
	const bool slot = fd >= 0 && fd & SAFERRING_FILE_BIT;
	struct sr_draft draft;
	int error = 0;

	if (slot)
		error = sr_files_check(ring, kind, fd & ~SAFERRING_FILE_BIT);
	if (!error)
		error = sr_draft(ring, kind, NULL, 0, &draft);
	if (error)
		return error;
	if (slot) {
		draft.sqe->fd = 0;
		sr_draft_slot(&draft, fd & ~SAFERRING_FILE_BIT);
	} else {
		draft.sqe->fd = fd;
	}
	return sr_queue(&draft, user_data);
}

int saferring_ring_statx(struct saferring_ring *ring, int directory,
			 const char *path, int flags, unsigned int mask,
			 const struct saferring_range *range,
			 uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_STATX;
	struct sr_draft draft;
	int error = check_path(ring, kind, path);

	if (!error && (!range || range->length < sizeof(struct statx) ||
		       range->start % 8))
		error = sr_refuse(ring, kind,
				  "a struct statx takes %zu bytes at a multiple of 8",
				  sizeof(struct statx));
	if (!error)
		error = sr_draft(ring, kind, range, 1, &draft);
	if (error)
		return error;
	draft.sqe->fd = directory;
	draft.sqe->addr = keep_path(&draft, path);
	draft.sqe->len = mask;
	draft.sqe->off = (uintptr_t)draft.address;
	draft.sqe->statx_flags = (uint32_t)flags;
	return sr_queue(&draft, user_data);
}
