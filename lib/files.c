// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Files: the ring's table of registered files.
 *
 * What is in flight holds a reference to its file, so the table can change under
 * it. What is queued has the number of a slot only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

static int check_ring(const struct saferring_ring *ring, const char *function)
{
	if (!ring)
		return sr_fail_argument(function, "no ring");
	if (sr_forked(ring->epoch))
		return sr_fail_forked(function, "ring", ring->name);
	return 0;
}

int saferring_files_create(struct saferring_ring *ring, unsigned int slots)
{
	int error = check_ring(ring, "files_create");

	if (error)
		return error;
	if (slots < 1 || slots > SAFERRING_FILES_MAX)
		return sr_fail_argument("files_create",
					"%u slots, allowed are 1 to %u", slots,
					SAFERRING_FILES_MAX);
	if (ring->files)
		return sr_fail_ring(ring->name, -EEXIST, SAFERRING_REASON_BUSY,
				    "files_create",
				    "the ring has a table of files", NULL);
	error = sr_uring_register_files(ring, slots);
	if (error == -EMFILE)
		return sr_fail_ring(ring->name, error, SAFERRING_REASON_QUOTA,
				    "files_create",
				    "more slots than RLIMIT_NOFILE allows",
				    "raise ulimit -n");
	if (error)
		return sr_fail_ring(ring->name, error, SAFERRING_REASON_SYSTEM,
				    "files_create", strerror(-error), NULL);
	ring->files = slots;
	return 0;
}

/* Whether an entry of the queue names the slot, and as what. */
static bool uses_slot(const struct io_uring_sqe *sqe, unsigned int slot)
{
	if (sqe->flags & IOSQE_FIXED_FILE && (unsigned int)sqe->fd == slot)
		return true;
	switch (sqe->opcode) {
	case IORING_OP_SPLICE:
	case IORING_OP_TEE:
		return sqe->splice_flags & SPLICE_F_FD_IN_FIXED &&
		       (unsigned int)sqe->splice_fd_in == slot;
	case IORING_OP_OPENAT:
	case IORING_OP_OPENAT2:
	case IORING_OP_CLOSE:
	case IORING_OP_ACCEPT:
	case IORING_OP_SOCKET:
		return sqe->file_index == slot + 1;
	}
	return false;
}

static bool slot_queued(struct saferring_ring *ring, unsigned int slot)
{
	unsigned int number;

	for (number = 0; number < ring->queued; number++)
		if (uses_slot(sr_uring_queued(ring, number), slot))
			return true;
	return false;
}

static int check_slot(struct saferring_ring *ring, const char *function,
		      unsigned int slot)
{
	if (!ring->files)
		return sr_fail_ring(ring->name, -EINVAL,
				    SAFERRING_REASON_ARGUMENT, function,
				    "the ring has no table of files",
				    "call saferring_files_create()");
	if (slot >= ring->files)
		return sr_fail_argument(function, "slot %u, there are %u",
					slot, ring->files);
	if (slot_queued(ring, slot))
		return sr_fail_ring(ring->name, -EBUSY, SAFERRING_REASON_BUSY,
				    function,
				    "operations that are queued use the slot",
				    "submit them first");
	return 0;
}

int sr_files_check(struct saferring_ring *ring, unsigned int kind, int slot)
{
	if (!ring || sr_forked(ring->epoch) || slot == SAFERRING_SLOT_NONE)
		return 0;
	if (slot < SAFERRING_SLOT_ANY)
		return sr_refuse(ring, kind, "slot %d", slot);
	if (slot == SAFERRING_SLOT_ANY && ring->files)
		return 0;
	return check_slot(ring, sr_kinds[kind].function,
			  slot == SAFERRING_SLOT_ANY ? 0 : (unsigned int)slot);
}

void sr_draft_slot(struct sr_draft *draft, int slot)
{
	if (slot == SAFERRING_SLOT_ANY)
		draft->sqe->file_index = IORING_FILE_INDEX_ALLOC;
	else if (slot != SAFERRING_SLOT_NONE)
		draft->sqe->file_index = (uint32_t)slot + 1;
}

int saferring_files_set(struct saferring_ring *ring, unsigned int slot, int fd)
{
	int error = check_ring(ring, "files_set");

	if (!error)
		error = check_slot(ring, "files_set", slot);
	if (error)
		return error;
	error = sr_uring_update_file(ring, slot, fd < 0 ? -1 : fd);
	if (error)
		return sr_fail_ring(ring->name, error,
				    error == -EBADF ? SAFERRING_REASON_ARGUMENT :
						      SAFERRING_REASON_SYSTEM,
				    "files_set", strerror(-error), NULL);
	return 0;
}
