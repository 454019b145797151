// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What the ring asks of liburing.
 */
#include <errno.h>
#include <string.h>
#include "internal.h"

/*
 * Flags that cost nothing where they are not known: work of the kernel for this
 * task is done when it enters the kernel anyway, and one bad SQE does not hold
 * up those behind it.
 */
static const unsigned int wanted_flags[] = {
	IORING_SETUP_CLAMP | SR_SETUP_SUBMIT_ALL | SR_SETUP_COOP_TASKRUN |
		SR_SETUP_TASKRUN_FLAG,
	IORING_SETUP_CLAMP,
	0,
};

int sr_uring_open(struct saferring_ring *ring)
{
	struct io_uring_params params;
	size_t number;
	int error = -EINVAL;

	for (number = 0; error == -EINVAL &&
			 number < sizeof(wanted_flags) / sizeof(*wanted_flags);
	     number++) {
		memset(&params, 0, sizeof(params));
		params.flags = wanted_flags[number];
		error = io_uring_queue_init_params(ring->depth, &ring->uring,
						   &params);
	}
	if (error)
		return error;
	ring->setup_flags = params.flags;
	return 0;
}

void sr_uring_close(struct saferring_ring *ring)
{
	io_uring_queue_exit(&ring->uring);
}

int sr_uring_register(struct saferring_ring *ring, const struct iovec *iovec,
		      unsigned int count)
{
	return io_uring_register_buffers(&ring->uring, iovec, count);
}

/* Whether the kernel has completions that are not in the ring yet. */
static bool must_ask(const struct saferring_ring *ring)
{
	const unsigned int flags = __atomic_load_n(ring->uring.sq.kflags,
						   __ATOMIC_RELAXED);

	return flags & (IORING_SQ_CQ_OVERFLOW | SR_SQ_TASKRUN);
}

unsigned int sr_uring_ready(struct saferring_ring *ring)
{
	if (must_ask(ring)) {
		ring->stats.enters++;
		io_uring_get_events(&ring->uring);
	}
	return io_uring_cq_ready(&ring->uring);
}

static int enter_and_wait(struct saferring_ring *ring, unsigned int min,
			  uint64_t timeout_ns)
{
	struct __kernel_timespec time = {
		.tv_sec = (long long)(timeout_ns / 1000000000),
		.tv_nsec = (long long)(timeout_ns % 1000000000),
	};
	struct io_uring_cqe *cqe;

	if (timeout_ns == SAFERRING_FOREVER)
		return io_uring_submit_and_wait(&ring->uring, min);
	/* Without this, liburing would queue a timeout of its own. */
	if (!(ring->uring.features & IORING_FEAT_EXT_ARG))
		return -EOPNOTSUPP;
	return io_uring_submit_and_wait_timeout(&ring->uring, &cqe, min, &time,
						NULL);
}

int sr_uring_enter(struct saferring_ring *ring, unsigned int min,
		   uint64_t timeout_ns)
{
	unsigned int left;
	int error;

	if (!ring->queued && !min)
		return 0;
	ring->stats.enters++;
	error = min ? enter_and_wait(ring, min, timeout_ns) :
		      io_uring_submit(&ring->uring);
	/* What the kernel took says its head, whatever was returned. */
	left = io_uring_sq_ready(&ring->uring);
	ring->stats.submitted += ring->queued - left;
	ring->queued = left;
	return error < 0 ? error : 0;
}

struct io_uring_sqe *sr_uring_queued(struct saferring_ring *ring,
				     unsigned int number)
{
	struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned int mask = *sq->kring_mask;

	return &sq->sqes[(sq->sqe_tail - ring->queued + number) & mask];
}

/*
 * The kernel reads the queue only while this thread is in a system call (there
 * is no SQPOLL), so what it has not read can be taken back.
 */
uint64_t sr_uring_withdraw(struct saferring_ring *ring)
{
	struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned int tail = sq->sqe_tail - 1;
	const uint64_t key = sr_uring_queued(ring, ring->queued - 1)->user_data;

	sq->sqe_tail = tail;
	if ((int)(sq->sqe_head - tail) > 0)
		sq->sqe_head = tail;
	if ((int)(*sq->ktail - tail) > 0)
		__atomic_store_n(sq->ktail, tail, __ATOMIC_RELEASE);
	ring->queued--;
	return key;
}

static uint64_t cancel_key(void)
{
	return SR_USER_DATA_MARK << SR_USER_DATA_SHIFT | SR_OPERATION_CANCEL;
}

static int cancel(struct saferring_ring *ring, uint64_t key, int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
	int error;

	if (!sqe)
		return -EBUSY;
	io_uring_prep_cancel64(sqe, key, flags);
	sqe->user_data = cancel_key();
	error = io_uring_submit(&ring->uring);
	return error < 0 ? error : 0;
}

/*
 * All at once where the kernel can (5.19), which it tells only by completing a
 * request; so each is asked for by its key as well.
 */
int sr_uring_cancel_all(struct saferring_ring *ring)
{
	unsigned int index;
	int error;

	error = cancel(ring, 0, SR_CANCEL_ANY | SR_CANCEL_ALL);
	for (index = 0; !error && index < ring->depth; index++)
		if (ring->operation[index].word)
			error = cancel(ring, ring->operation[index].key, 0);
	return error;
}

static const char *cure_for(int code)
{
	switch (-code) {
	case ENOSYS:
		return "a kernel with CONFIG_IO_URING";
	case EPERM:
		return "sysctl kernel.io_uring_disabled=0, or a seccomp profile "
		       "that allows io_uring_setup";
	case EMFILE:
		return "ulimit -n";
	case ENOMEM:
		return "a smaller depth, or ulimit -l: some kernels charge the "
		       "ring itself";
	default:
		return NULL;
	}
}

int sr_uring_fail(int code, const char *operation, const char *name)
{
	const struct sr_fault fault = {
		.code = code,
		.reason = code == -ENOSYS || code == -EPERM ?
				  SAFERRING_REASON_NO_IO_URING :
				  SAFERRING_REASON_SYSTEM,
		.operation = operation,
		.kind = name ? "ring" : NULL,
		.name = name,
		.cure = cure_for(code),
	};

	return sr_fail(&fault, "io_uring_setup: %s", strerror(-code));
}
