// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The kernel's side of a ring, by liburing, or in its place an engine of threads.
 * No other file of the library tells one from the other.
 *
 * Without SQPOLL the kernel looks at the submission queue only inside
 * io_uring_enter(), and what it has not taken can be changed and taken back. With
 * it that goes for what has not been flushed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "account.h"
#include "engine.h"
#include "internal.h"
#include "probes.h"

static struct io_uring_params
params_of(unsigned int flags, const struct saferring_ring_options *options)
{
	struct io_uring_params params = { .flags = flags };

	if (options->completions) {
		params.flags |= IORING_SETUP_CQSIZE;
		params.cq_entries = options->completions;
	}
	if (flags & IORING_SETUP_SQPOLL && options->poll_cpu) {
		params.flags |= IORING_SETUP_SQ_AFF;
		params.sq_thread_cpu = options->poll_cpu - 1;
	}
	params.sq_thread_idle = options->poll_ms;
	return params;
}

int sr_uring_open(struct saferring_ring *ring, unsigned int flags,
		  const struct saferring_ring_options *options)
{
	struct io_uring_params params = params_of(flags, options);
	const unsigned int entries =
		sr_setup_entries(options, flags & IORING_SETUP_SQPOLL);
	const int error =
		io_uring_queue_init_params(entries, &ring->uring, &params);

	if (error)
		return error;
	ring->setup_flags = params.flags;
	ring->flushes = params.flags & IORING_SETUP_SQPOLL;
	ring->polled = params.flags & IORING_SETUP_IOPOLL;
	ring->wide = params.flags & IORING_SETUP_SQE128;
	return 0;
}

int sr_uring_place(struct saferring_ring *ring,
		   const struct saferring_ring_options *options)
{
	struct io_uring_params params = params_of(ring->setup_flags, options);
	const unsigned int entries =
		sr_setup_entries(options, params.flags & IORING_SETUP_SQPOLL);
	const int error = sr_placed_move(ring, entries, &params);

	if (!error)
		ring->setup_flags = params.flags;
	return error;
}

/* By a number that belongs to this thread. */
int sr_uring_register_self(struct saferring_ring *ring)
{
	const int count = io_uring_register_ring_fd(&ring->uring);

	return count == 1 ? 0 : -EINVAL;
}

/* The program goes on with its ring, without what was registered for this one. */
static void leave_alone(struct saferring_ring *ring)
{
	unsigned int id;

	for (id = 0; id < SAFERRING_GROUPS_MAX; id++)
		if (ring->group[id])
			sr_uring_unregister_group(ring, ring->group[id]);
	if (ring->files)
		io_uring_unregister_files(&ring->uring);
}

/*
 * Unregistering waits for nothing, as nothing is in flight, and drops the pins
 * at once; the kernel's own clean-up of a closed ring comes later.
 */
void sr_uring_close(struct saferring_ring *ring)
{
	if (ring->engine) {
		sr_engine_close(ring->engine);
		return;
	}
	if (ring->fixed)
		io_uring_unregister_buffers(&ring->uring);
	if (ring->beside)
		leave_alone(ring);
	else if (ring->placed)
		sr_placed_close(ring);
	else
		io_uring_queue_exit(&ring->uring);
}

static void probe_engine(struct saferring_ring *ring)
{
	unsigned int opcode;

	for (opcode = 0; opcode < 256; opcode++)
		ring->opcodes[opcode] = sr_engine_supports(opcode);
}

/* A kernel that does not answer is older than 5.6. */
static void probe_kernel(struct saferring_ring *ring)
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

	if (ring->engine)
		probe_engine(ring);
	else
		probe_kernel(ring);
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
	int error;

	if (ring->engine)
		return sr_engine_register_files(ring->engine, slots);
	error = io_uring_register_files_sparse(&ring->uring, slots);
	return error == -EINVAL ? register_files_whole(ring, slots) : error;
}

int sr_uring_update_file(struct saferring_ring *ring, unsigned int slot, int fd)
{
	int count;

	if (ring->engine)
		return sr_engine_update_file(ring->engine, slot, fd);
	count = io_uring_register_files_update(&ring->uring, slot, &fd, 1);
	return count == 1 ? 0 : count < 0 ? count : -EAGAIN;
}

/* Where newer headers have flags, older ones have padding. */
int sr_uring_register_group(struct saferring_ring *ring,
			    const struct saferring_group *group)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)group->buffers,
		.ring_entries = group->entries,
		.bgid = group->id,
	};
	const uint16_t flags = group->flags & SAFERRING_GROUP_INCREMENTAL ?
				       SR_PBUF_RING_INC : 0;

	if (ring->engine)
		return sr_engine_register_group(ring->engine, group->id,
						group->buffers, group->entries,
						flags);
	memcpy((char *)&registration.bgid + sizeof(registration.bgid), &flags,
	       sizeof(flags));
	return io_uring_register_buf_ring(&ring->uring, &registration, 0);
}

void sr_uring_unregister_group(struct saferring_ring *ring,
			       const struct saferring_group *group)
{
	if (ring->engine)
		sr_engine_unregister_group(ring->engine, group->id);
	else
		io_uring_unregister_buf_ring(&ring->uring, group->id);
}

static __attribute__((noinline)) int
enter_until(struct saferring_ring *ring, unsigned int min, uint64_t timeout_ns)
{
	struct __kernel_timespec time = {
		.tv_sec = (long long)(timeout_ns / 1000000000),
		.tv_nsec = (long long)(timeout_ns % 1000000000),
	};
	struct io_uring_cqe *cqe;

	/* Without this liburing would put a timeout into our queue. */
	if (!(ring->uring.features & IORING_FEAT_EXT_ARG))
		return -EOPNOTSUPP;
	return io_uring_submit_and_wait_timeout(&ring->uring, &cqe, min, &time,
						NULL);
}

static int enter(struct saferring_ring *ring, unsigned int min,
		 uint64_t timeout_ns)
{
	if (SAFERRING_UNLIKELY(ring->engine != NULL))
		return sr_engine_enter(ring->engine, min, timeout_ns);
	if (!min)
		return io_uring_submit(&ring->uring);
	if (SAFERRING_LIKELY(timeout_ns == SAFERRING_FOREVER))
		return io_uring_submit_and_wait(&ring->uring, min);
	return enter_until(ring, min, timeout_ns);
}

/* Requests lie behind all operations, and what was not taken of them goes. */
static void drop_requests(struct saferring_ring *ring)
{
	struct io_uring_sq *sq = &ring->uring.sq;

	for (; ring->requests; ring->requests--) {
		ring->doomed[ring->doomed_count++] =
			sr_uring_queued(ring, ring->queued - 1)->addr;
		sq->sqe_tail--;
		ring->queued--;
	}
	/* They may have been shown to the kernel, which has not looked. */
	if (ring->flushes || (int)(sq->sqe_head - sq->sqe_tail) <= 0)
		return;
	sq->sqe_head = sq->sqe_tail;
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
}

static bool is_linked_to_next(const struct io_uring_sqe *sqe)
{
	return sqe->flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
}

/*
 * The kernel has taken the front of the queue only, as it does when it runs out
 * of memory, and a chain was cut. It would start the rest as if it waited for
 * nothing, so that is not to happen.
 */
static void cancel_cut_chain(struct saferring_ring *ring)
{
	const struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned int last = sq->sqe_tail - ring->queued - 1;
	const struct io_uring_sqe *before =
		&sq->sqes[(last & *sq->kring_mask) << ring->wide];
	unsigned int number;

	for (number = 0; number < ring->queued && is_linked_to_next(before);
	     number++) {
		struct io_uring_sqe *sqe = sr_uring_queued(ring, number);
		struct sr_operation *operation =
			sr_record_of_key(ring, sqe->user_data);

		if (operation)
			sr_disarm(ring, sqe, operation, -ECANCELED);
		before = sqe;
	}
}

/* Not all was taken, or there were requests. Returns how many of those were. */
static __attribute__((cold, noinline)) unsigned int
settle(struct saferring_ring *ring, unsigned int taken)
{
	unsigned int requests;

	if (taken)
		cancel_cut_chain(ring);
	requests = ring->requests - SR_MIN(ring->requests, ring->queued);
	ring->requests -= requests;
	if (ring->requests)
		drop_requests(ring);
	return requests;
}

/*
 * What the library queues itself is no part of a chain of the program's, which
 * ends with what the program queued last.
 */
void sr_uring_end_chain(struct saferring_ring *ring)
{
	if (ring->queued)
		sr_uring_queued(ring, ring->queued - 1)->flags &=
			(uint8_t)~(IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
}

/*
 * What the kernel has taken is read off its head of the queue: the calls do not
 * tell when they also fail. With SQPOLL it is what it was shown.
 */
int sr_uring_enter(struct saferring_ring *ring, unsigned int min,
		   uint64_t timeout_ns)
{
	const unsigned int *head = ring->uring.sq.khead;
	const unsigned int before = *head, queued = ring->queued;
	unsigned int taken, requests = 0;
	int result;

	/* The kernel's thread may see what is submitted next along with it. */
	if (ring->flushes)
		sr_uring_end_chain(ring);
	if (SAFERRING_UNLIKELY(ring->stamp != NULL) && queued)
		sr_account_stamp(ring);
	sr_account_entering(ring);
	result = enter(ring, min, timeout_ns);
	taken = ring->flushes ? queued :
				io_uring_smp_load_acquire(head) - before;
	saferring_word_add(&ring->stats->enters, 1);
	ring->queued -= taken;
	if (SAFERRING_UNLIKELY(ring->queued | ring->requests))
		requests = settle(ring, taken);
	saferring_word_add(&ring->stats->submitted, taken - requests);
	SR_PROBE2(submit, ring->name, taken);
	if (result < 0 && !taken)
		return result;
	return (int)(taken - requests);
}

unsigned int sr_uring_ready_inside(struct saferring_ring *ring)
{
	const unsigned int inside =
		IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;

	if (ring->engine)
		return sr_engine_ready(ring->engine);
	if (!ring->polled &&
	    !(IO_URING_READ_ONCE(*ring->uring.sq.kflags) & inside))
		return 0;
	saferring_word_add(&ring->stats->enters, 1);
	io_uring_get_events(&ring->uring);
	return io_uring_cq_ready(&ring->uring);
}

/*
 * How far requests may fill the queue. With SQPOLL they may still be in it when
 * as many operations are queued as there are records, and those do not look for
 * room.
 */
static unsigned int request_room(const struct saferring_ring *ring)
{
	const unsigned int entries = *ring->uring.sq.kring_entries;

	return ring->flushes && entries > ring->depth ? entries - ring->depth :
							entries;
}

/* An entry of the queue that is no operation's. */
static int add_request(struct saferring_ring *ring, uint64_t key,
		       unsigned int flags)
{
	const struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned int used =
		sq->sqe_tail - io_uring_smp_load_acquire(sq->khead);
	struct io_uring_sqe *sqe;

	if (used >= request_room(ring))
		return -EAGAIN;
	sr_uring_end_chain(ring);
	sqe = sr_uring_next_any(ring);
	memset(sqe, 0, sizeof(*sqe) << ring->wide);
	io_uring_prep_cancel64(sqe, key, (int)flags);
	sqe->user_data = SR_KEY_CANCEL;
	ring->queued++;
	ring->requests++;
	return 0;
}

void sr_uring_let_start(struct saferring_ring *ring)
{
	ring->let_start = false;
	if (ring->engine)
		return;
	saferring_word_add(&ring->stats->enters, 1);
	io_uring_get_events(&ring->uring);
}

/*
 * Only now, so that operations never find the queue full of requests. What finds
 * no room waits for the next time.
 */
void sr_uring_add_requests(struct saferring_ring *ring)
{
	while (ring->doomed_count &&
	       !add_request(ring, ring->doomed[ring->doomed_count - 1], 0))
		ring->doomed_count--;
}

static int cancel_any(struct saferring_ring *ring)
{
	add_request(ring, 0, IORING_ASYNC_CANCEL_ANY);
	sr_uring_enter(ring, 0, 0);
	ring->doomed_count = 0;
	return 0;
}

/* Before Linux 5.19: one by one, by key. */
static int cancel_each(struct saferring_ring *ring)
{
	unsigned int number;

	ring->doomed_count = 0;
	sr_records_settle(ring);
	for (number = 0; number < ring->depth; number++)
		if (sr_record_in_use(&ring->operation[number]))
			ring->doomed[ring->doomed_count++] =
				ring->operation[number].key;
	sr_uring_add_requests(ring);
	sr_uring_enter(ring, 0, 0);
	return 0;
}

int sr_uring_cancel_all(struct saferring_ring *ring)
{
	ring->cancel_again = false;
	return ring->one_by_one ? cancel_each(ring) : cancel_any(ring);
}

/*
 * After a submission that failed the kernel's tail may be behind the entry
 * already. It has not looked, without SQPOLL; with it such an entry is not
 * counted as queued.
 */
void sr_uring_unqueue_last(struct saferring_ring *ring)
{
	struct io_uring_sq *sq = &ring->uring.sq;

	sq->sqe_tail--;
	ring->queued--;
	if (ring->flushes || sq->sqe_head != sq->sqe_tail + 1)
		return;
	sq->sqe_head = sq->sqe_tail;
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
}

/*
 * liburing keeps the n-th entry of the queue in the n-th SQE, so stepping its
 * own head and tail and the kernel's tail back empties the queue. With SQPOLL
 * the kernel's tail is where it is to be.
 */
void sr_uring_withdraw(struct saferring_ring *ring)
{
	struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned int first = sq->sqe_tail - ring->queued;

	sq->sqe_head = first;
	sq->sqe_tail = first;
	if (!ring->flushes)
		io_uring_smp_store_release(sq->ktail, first);
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
