/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Batch: operations of which some wait for others. An operation is queued by its
 * function as ever, and then moved into the batch as a step:
 *
 *	saferring_ring_read(ring, ...);
 *	first = saferring_batch_add(batch);
 *	saferring_ring_write(ring, ...);
 *	second = saferring_batch_add(batch);
 *	saferring_batch_after(batch, second, first, 0);
 *	saferring_batch_submit(batch);
 *
 * Steps that form a chain are linked in the kernel, others are released when
 * what they wait for has completed. Completions are reaped from the ring as
 * ever; that is also where steps are released.
 *
 * A batch is used by the thread that uses its ring.
 */
#ifndef SAFERRING_BATCH_H
#define SAFERRING_BATCH_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

struct saferring_batch;

/*
 * Flag of a batch: the first step that fails has all others cancelled, also
 * those that do not wait for it and those that are in flight.
 */
#define SAFERRING_BATCH_FAIL_FAST (1U << 0)

/**
 * saferring_batch_create() - create a batch
 * @ring: the ring
 * @capacity: number of steps that it can have, 1 to the ring's depth
 * @flags: SAFERRING_BATCH bits
 * @batch: out: the batch, to be destroyed by saferring_batch_destroy()
 *
 * Return: 0, or
 * -EINVAL: @capacity or @flags out of range, or a ring beside the program's own;
 * -ENOMEM: out of memory;
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int saferring_batch_create(struct saferring_ring *ring,
					 unsigned int capacity,
					 unsigned int flags,
					 struct saferring_batch **batch)
	SAFERRING_NONNULL(1, 4) SAFERRING_MUST_CHECK;

/**
 * saferring_batch_add() - move what was queued last into a batch
 * @batch: the batch, not submitted
 *
 * Links and hard links that were set on it are removed. Operations that end only
 * when they are cancelled cannot be steps.
 *
 * Return: number of the step, from 0, or
 * -ENOENT: nothing is queued;
 * -ENOSPC: the batch has as many steps as it can;
 * -EINVAL: the operation is a multishot one or a linked timeout;
 * -EBUSY: the batch was submitted;
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int saferring_batch_add(struct saferring_batch *batch)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/*
 * Flag of a dependency: the end of the other is waited for, not its success. (An
 * SQE that the kernel finds malformed has even these cancelled, where they are
 * linked.)
 */
#define SAFERRING_AFTER_END (1U << 0)

/**
 * saferring_batch_after() - have a step wait for another one
 * @batch: the batch, not submitted
 * @step: the one that waits
 * @other: the one that it waits for
 * @flags: 0, or SAFERRING_AFTER_END
 *
 * A step succeeds if it moved all the bytes that it was to move, or has a result
 * that is not negative if it moves none; a timeout, when its time is up. If
 * @other does not, @step is cancelled, unless it waits for the end only.
 *
 * Return: 0, or
 * -EINVAL: there is no such step, or unknown flags;
 * -EBUSY: the batch was submitted;
 * -ENOMEM: out of memory.
 */
SAFERRING_API int saferring_batch_after(struct saferring_batch *batch,
					unsigned int step, unsigned int other,
					unsigned int flags)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_batch_submit() - start a batch
 * @batch: the batch, with at least one step
 *
 * One system call starts all that waits for nothing, with the chains that begin
 * there, and whatever else is queued on the ring. Should it fail, the steps stay
 * queued, and saferring_ring_submit() starts them.
 *
 * Return: number of steps that were queued to start, or
 * -ELOOP: steps wait for each other in a circle, which the detail names; nothing
 * was changed;
 * -ENOENT: the batch has no step;
 * -EBUSY: it was submitted, or cancelled;
 * -errno of io_uring_enter(2), as saferring_ring_submit();
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int saferring_batch_submit(struct saferring_batch *batch)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_batch_cancel() - end a batch early
 * @batch: the batch
 *
 * Steps that have not started complete with -ECANCELED, those in flight are
 * cancelled in the kernel by the next saferring_ring_submit() or _wait(). Buffers
 * come with the completions as ever.
 *
 * Return: number of steps that had not ended, or -EOWNERDEAD.
 */
SAFERRING_API int saferring_batch_cancel(struct saferring_batch *batch)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/* How a step stands. */
enum saferring_step_state {
	SAFERRING_STEP_WAITING = 0, /* for others, or for the submission */
	SAFERRING_STEP_STARTED = 1,
	SAFERRING_STEP_SUCCEEDED = 2,
	SAFERRING_STEP_FAILED = 3, /* or moved less than it was to move */
	SAFERRING_STEP_CANCELLED = 4,
};

/**
 * struct saferring_step - how a step of a batch stands
 * @size: in: sizeof(struct saferring_step)
 * @state: enum saferring_step_state
 * @operation: enum saferring_operation
 * @user_data: as given with the operation
 * @result: once it has ended: bytes moved in all its buffers, or as its function
 *	says, or -errno
 */
struct saferring_step {
	size_t size;
	int state;
	unsigned int operation;
	uint64_t user_data;
	int32_t result;
};

/**
 * saferring_batch_step() - look at a step
 * @batch: the batch
 * @step: its number
 * @out: in: its size member; out: the rest
 *
 * Return: 0, or -EINVAL: no such step, or an unknown size.
 */
SAFERRING_API int saferring_batch_step(const struct saferring_batch *batch,
				       unsigned int step,
				       struct saferring_step *out)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

/**
 * struct saferring_batch_info - how a batch stands
 * @size: in: sizeof(struct saferring_batch_info)
 * @steps: steps in all
 * @left: steps that have not ended
 * @succeeded: steps that succeeded
 * @failed: steps that failed
 * @cancelled: steps that were cancelled, or never started
 * @linked: dependencies that became links in the kernel
 */
struct saferring_batch_info {
	size_t size;
	unsigned int steps;
	unsigned int left;
	unsigned int succeeded;
	unsigned int failed;
	unsigned int cancelled;
	unsigned int linked;
};

/**
 * saferring_batch_info() - look at a batch
 * @batch: the batch
 * @info: in: its size member; out: the rest
 *
 * Return: 0, or -EINVAL for an unknown size.
 */
SAFERRING_API int saferring_batch_info(const struct saferring_batch *batch,
				       struct saferring_batch_info *info)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_batch_reset() - empty a batch for another use
 * @batch: the batch, all of whose steps have ended, or which was not submitted:
 *	then its steps complete as withdrawn
 *
 * Return: 0, or -EBUSY: steps have not ended; nothing was changed; or
 * -EOWNERDEAD.
 */
SAFERRING_API int saferring_batch_reset(struct saferring_batch *batch)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_batch_destroy() - destroy a batch
 * @batch: the batch, or NULL; invalid after 0 was returned. Its ring may be
 *	destroyed already
 *
 * Return: as saferring_batch_reset().
 */
SAFERRING_API int saferring_batch_destroy(struct saferring_batch *batch);

SAFERRING_END_DECLS

#endif /* SAFERRING_BATCH_H */
