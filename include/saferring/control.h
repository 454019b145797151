/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Control: operations on operations and on rings, and whatever else io_uring
 * can do.
 */
#ifndef SAFERRING_CONTROL_H
#define SAFERRING_CONTROL_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

struct io_uring_sqe;

/**
 * saferring_ring_supports() - whether the kernel has an operation
 * @ring: the ring
 * @operation: enum saferring_operation
 *
 * Return: 1 if it has, 0 if not, in which case saferring_error_last() tells
 * which kernel does.
 */
SAFERRING_API int saferring_ring_supports(struct saferring_ring *ring,
					  unsigned int operation)
	SAFERRING_NONNULL(1);

/**
 * saferring_ring_nop() - queue an operation that does nothing
 * @ring: the ring
 * @user_data: comes back with the completion
 *
 * Return: 0, or -EBUSY, -EOWNERDEAD as saferring_ring_read().
 */
SAFERRING_API int saferring_ring_nop(struct saferring_ring *ring,
				     uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_find() - find an operation by its user_data
 * @ring: the ring
 * @user_data: as given with the operation
 *
 * It looks at every operation of the ring. If several have that @user_data, any
 * of them is found.
 *
 * Return: what saferring_ring_last() would have returned for it, or 0 if no
 * operation under way has it.
 */
SAFERRING_API uint64_t saferring_ring_find(struct saferring_ring *ring,
					   uint64_t user_data)
	SAFERRING_NONNULL(1);

/**
 * saferring_ring_cancel() - queue the cancellation of an operation
 * @ring: the ring
 * @operation: what saferring_ring_last() or _find() returned for it
 * @user_data: comes back with the completion of the cancellation
 *
 * The operation completes as ever, as a rule with -ECANCELED, and its buffer
 * comes back with that completion and not before. The cancellation has a
 * completion of its own: 0, -EALREADY if the operation is past stopping, or
 * -ENOENT if it ended first.
 *
 * Return: 0, or
 * -ENOENT: the operation has ended already, or there was none;
 * -EBUSY, -EOWNERDEAD: as saferring_ring_read().
 */
SAFERRING_API int saferring_ring_cancel(struct saferring_ring *ring,
					uint64_t operation, uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_cancel_file() - queue the cancellation of all on a file
 * @ring: the ring
 * @fd: file descriptor, or SAFERRING_FILE(slot)
 * @user_data: comes back with the completion of the cancellation
 *
 * Each of those operations completes by itself; the result of the cancellation
 * is how many there were, or -ENOENT for none.
 *
 * Return: 0, or
 * -EOPNOTSUPP: the kernel is older than 5.19;
 * -EBUSY, -EOWNERDEAD: as saferring_ring_read().
 */
SAFERRING_API int saferring_ring_cancel_file(struct saferring_ring *ring,
					     int fd, uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_cancel_all() - queue the cancellation of all that is in flight
 * @ring: the ring
 * @user_data: comes back with the completion of the cancellation
 *
 * As saferring_ring_cancel_file().
 *
 * Return: as saferring_ring_cancel_file().
 */
SAFERRING_API int saferring_ring_cancel_all(struct saferring_ring *ring,
					    uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_drop() - forget an operation
 * @ring: the ring
 * @operation: what saferring_ring_last() or _find() returned for it
 *
 * It is cancelled, no completion is handed out for it, and its buffers go to
 * their pools by themselves once the kernel has let go of them. That is seen
 * when completions are reaped or waited for. The cancellation starts with the
 * next saferring_ring_submit() or _wait(); an operation that is queued only is
 * not started at all, and what is linked to it is cancelled.
 *
 * Return: 0, or
 * -ENOENT: the operation has ended already, or there was none;
 * -EBUSY: it is a step of a batch;
 * -EAGAIN: on a ring beside the program's own its queue is full;
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int saferring_ring_drop(struct saferring_ring *ring,
				      uint64_t operation)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_message() - queue a message to another ring
 * @ring: the ring
 * @fd: descriptor of the other ring, see saferring_ring_info()
 * @other_user_data: user_data of the CQE that the other ring gets
 * @other_result: its result
 * @user_data: comes back with the completion
 *
 * On a ring of this library the message arrives as a completion of kind
 * SAFERRING_OPERATION_FOREIGN if @other_user_data is below 2^63 and that ring
 * was created with SAFERRING_RING_FOREIGN.
 *
 * Return: 0, or
 * -EINVAL: @other_user_data is 2^63 or more: such numbers are those of the
 * library's operations;
 * -EOPNOTSUPP: the kernel is older than 5.18;
 * -EBUSY, -EOWNERDEAD: as saferring_ring_read().
 */
SAFERRING_API int saferring_ring_message(struct saferring_ring *ring, int fd,
					 uint64_t other_user_data,
					 uint32_t other_result,
					 uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_raw() - queue an SQE of the program's own
 * @ring: the ring
 * @sqe: the SQE, copied; its user_data is ignored. On a ring with
 *	SAFERRING_RING_COMMANDS it has 128 bytes
 * @ranges: parts of buffers that the kernel will use for it; NULL for none
 * @count: number of @ranges, at most SAFERRING_RANGES_MAX
 * @user_data: comes back with the completion
 *
 * For opcodes and flags that the library has no function for. The buffers of
 * @ranges are the kernel's until the last CQE, as with any operation. If there
 * are any, addr and len of the SQE are set to the first of them, and for fixed
 * opcodes buf_index. What else the SQE points to must live until the end of the
 * operation. With IORING_CQE_F_MORE in a CQE, the operation goes on.
 *
 * The completion's result is the CQE's, its extra the CQE's flags.
 *
 * Return: 0, or
 * -EINVAL: no SQE, or it has IOSQE_CQE_SKIP_SUCCESS, with which buffers would
 * never come back, or IOSQE_BUFFER_SELECT;
 * -EOPNOTSUPP: the kernel does not know the opcode;
 * and as saferring_ring_read().
 */
SAFERRING_API int saferring_ring_raw(struct saferring_ring *ring,
				     const struct io_uring_sqe *sqe,
				     const struct saferring_range *ranges,
				     unsigned int count, uint64_t user_data)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_CONTROL_H */
