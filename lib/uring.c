// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The kernel's side of a ring, by liburing. What an engine without io_uring has
 * to do is what this file does for ring.c, operation.c and quarantine.c.
 *
 * SQPOLL is not used. So the kernel looks at the submission queue only inside
 * io_uring_enter(), and what it has not taken can be changed and taken back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

/* What is asked of the kernel, best first: older ones refuse with -EINVAL. */
static const unsigned int setup_flags[] = {
	IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
		IORING_SETUP_TASKRUN_FLAG,
	IORING_SETUP_SUBMIT_ALL,
	0,
};

int sr_uring_open(struct saferring_ring *ring)
{
	const size_t count = sizeof(setup_flags) / sizeof(setup_flags[0]);
	struct io_uring_params params;
	size_t try;
	int error = -EINVAL;

	for (try = 0; try < count && error == -EINVAL; try++) {
		memset(&params, 0, sizeof(params));
		params.flags = setup_flags[try];
		error = io_uring_queue_init_params(ring->depth, &ring->uring,
						   &params);
	}
	if (!error)
		ring->setup_flags = params.flags;
	return error;
}

/*
 * Unregistering waits for nothing, as nothing is in flight, and drops the pins
 * at once; the kernel's own clean-up of a closed ring comes later.
 */
void sr_uring_close(struct saferring_ring *ring)
{
	if (ring->fixed)
		io_uring_unregister_buffers(&ring->uring);
	io_uring_queue_exit(&ring->uring);
}

/* A kernel that does not answer is older than 5.6. */
static void probe_opcodes(struct saferring_ring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);
	unsigned int opcode;

	for (opcode = 0; opcode < 256; opcode++)
		ring->opcodes[opcode] =
			probe ? io_uring_opcode_supported(probe, (int)opcode) :
				opcode <= IORING_OP_SENDMSG;
	if (probe)
		io_uring_free_probe(probe);
}

void sr_uring_probe(struct saferring_ring *ring)
{
	unsigned int kind;

	probe_opcodes(ring);
	for (kind = 1; kind < SAFERRING_OPERATION_FOREIGN; kind++)
		ring->supported[kind] = ring->opcodes[sr_kinds[kind].opcode] &&
					ring->opcodes[sr_kinds[kind].needs];
}

int sr_uring_register(struct saferring_ring *ring, const struct iovec *iovec,
		      unsigned int count)
{
	return io_uring_register_buffers(&ring->uring, iovec, count);
}

/* Before Linux 5.19 the table is given whole. */
static int register_files_whole(struct saferring_ring *ring,
				unsigned int slots)
{
	int *files = malloc(slots * sizeof(*files));
	int error;

	if (!files)
		return -ENOMEM;
	memset(files, 0xff, slots * sizeof(*files));
	error = io_uring_register_files(&ring->uring, files, slots);
	free(files);
	return error;
}

int sr_uring_register_files(struct saferring_ring *ring, unsigned int slots)
{
	const int error = io_uring_register_files_sparse(&ring->uring, slots);

	return error == -EINVAL ? register_files_whole(ring, slots) : error;
}

int sr_uring_update_file(struct saferring_ring *ring, unsigned int slot, int fd)
{
	const int count =
		io_uring_register_files_update(&ring->uring, slot, &fd, 1);

	return count == 1 ? 0 : count < 0 ? count : -EAGAIN;
}

static int enter(struct saferring_ring *ring, unsigned int min,
		 uint64_t timeout_ns)
{
	struct __kernel_timespec time = {
		.tv_sec = (long long)(timeout_ns / 1000000000),
		.tv_nsec = (long long)(timeout_ns % 1000000000),
	};
	struct io_uring_cqe *cqe;

	if (!min)
		return io_uring_submit(&ring->uring);
	if (timeout_ns == SAFERRING_FOREVER)
		return io_uring_submit_and_wait(&ring->uring, min);
	/* Without this liburing would put a timeout into our queue. */
	if (!(ring->uring.features & IORING_FEAT_EXT_ARG))
		return -EOPNOTSUPP;
	return io_uring_submit_and_wait_timeout(&ring->uring, &cqe, min, &time,
						NULL);
}

/* How many of the first @taken entries in the queue were no operation's. */
static unsigned int requests_among(struct saferring_ring *ring,
				   unsigned int taken)
{
	unsigned int number, count = 0;

	for (number = 0; number < taken && ring->requests; number++)
		count += sr_uring_queued(ring, number)->user_data ==
			 SR_KEY_CANCEL;
	return count;
}

/*
 * What the kernel has taken is read off its head of the queue: the calls do not
 * tell when they also fail.
 */
int sr_uring_enter(struct saferring_ring *ring, unsigned int min,
		   uint64_t timeout_ns)
{
	const unsigned int *head = ring->uring.sq.khead;
	const unsigned int before = *head;
	const int result = enter(ring, min, timeout_ns);
	const unsigned int taken = io_uring_smp_load_acquire(head) - before;
	const unsigned int requests =
		SAFERRING_UNLIKELY(ring->requests) ?
			requests_among(ring, taken) : 0;

	ring->stats.enters++;
	ring->stats.submitted += taken - requests;
	ring->queued -= taken;
	ring->requests -= requests;
	if (result < 0 && !taken)
		return result;
	return (int)taken;
}

unsigned int sr_uring_ready(struct saferring_ring *ring)
{
	const unsigned int inside =
		IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;
	unsigned int ready = io_uring_cq_ready(&ring->uring);

	if (ready || !(IO_URING_READ_ONCE(*ring->uring.sq.kflags) & inside))
		return ready;
	ring->stats.enters++;
	io_uring_get_events(&ring->uring);
	return io_uring_cq_ready(&ring->uring);
}

/*
 * An entry of the queue that is no operation's. If there is none free, all that
 * is queued is started.
 */
static struct io_uring_sqe *next_request(struct saferring_ring *ring)
{
	if (ring->queued == *ring->uring.sq.kring_entries) {
		sr_ring_prepare(ring);
		sr_uring_enter(ring, 0, 0);
	}
	if (ring->queued == *ring->uring.sq.kring_entries)
		return NULL;
	return sr_uring_next(ring);
}

static int queue_cancel(struct saferring_ring *ring, uint64_t key,
			unsigned int flags)
{
	struct io_uring_sqe *sqe = next_request(ring);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_cancel64(sqe, key, (int)flags);
	sqe->user_data = SR_KEY_CANCEL;
	ring->queued++;
	ring->requests++;
	return 0;
}

int sr_uring_cancel_later(struct saferring_ring *ring, uint64_t key)
{
	return queue_cancel(ring, key, 0);
}

/* Nothing else is queued when a ring is drained. */
static int submit_requests(struct saferring_ring *ring)
{
	sr_uring_enter(ring, 0, 0);
	if (!ring->queued)
		return 0;
	sr_uring_withdraw(ring);
	ring->queued = 0;
	ring->requests = 0;
	return -EAGAIN;
}

static int cancel_any(struct saferring_ring *ring)
{
	queue_cancel(ring, 0, IORING_ASYNC_CANCEL_ANY);
	return submit_requests(ring);
}

/* Before Linux 5.19: one by one, by key. */
static int cancel_each(struct saferring_ring *ring)
{
	unsigned int number;

	for (number = 0; number < ring->depth; number++)
		if (ring->operation[number].word &&
		    queue_cancel(ring, ring->operation[number].key, 0))
			break;
	return submit_requests(ring);
}

int sr_uring_cancel_all(struct saferring_ring *ring)
{
	return ring->cancel_result == -EINVAL ? cancel_each(ring) :
						cancel_any(ring);
}

/*
 * liburing keeps the n-th entry of the queue in the n-th SQE, so stepping its
 * own head and tail and the kernel's tail back empties the queue.
 */
void sr_uring_withdraw(struct saferring_ring *ring)
{
	struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned int first = sq->sqe_tail - ring->queued;

	sq->sqe_head = first;
	sq->sqe_tail = first;
	io_uring_smp_store_release(sq->ktail, first);
}

struct io_uring_sqe *sr_uring_queued(struct saferring_ring *ring,
				     unsigned int number)
{
	const struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned int position = sq->sqe_tail - ring->queued + number;

	return &sq->sqes[position & *sq->kring_mask];
}

int sr_uring_fail(int code, const char *operation, const char *name)
{
	struct sr_fault fault = {
		.code = code,
		.reason = SAFERRING_REASON_SYSTEM,
		.operation = operation,
		.kind = "ring",
		.name = name,
	};

	switch (-code) {
	case ENOSYS:
		fault.reason = SAFERRING_REASON_NO_IO_URING;
		fault.cure = "a kernel with CONFIG_IO_URING, a seccomp filter that admits it";
		return sr_fail(&fault,
			"this kernel or its seccomp filter has no io_uring");
	case EPERM:
	case EACCES:
		fault.reason = SAFERRING_REASON_NO_IO_URING;
		fault.cure = "sysctl kernel.io_uring_disabled=0, or another seccomp filter";
		return sr_fail(&fault,
			       "io_uring is forbidden to this process: %s",
			       strerror(-code));
	case ENOMEM:
		fault.reason = SAFERRING_REASON_MEMORY;
		fault.limit = sr_memlock_limit();
		fault.cure = "before Linux 5.12 rings count as locked: raise ulimit -l";
		break;
	}
	return sr_fail(&fault, "io_uring_setup failed: %s", strerror(-code));
}
