// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Placed: a ring whose queues lie in a region.
 *
 * The kernel takes them from Linux 6.5 on, IORING_SETUP_NO_MMAP, and before 6.10
 * only if each lies in one page, of whatever size. The liburing of Debian 12 has
 * nothing for it, so the struct io_uring is filled here: its members are public,
 * and the same for every liburing under this soname.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include "internal.h"

/*
 * What stands in front of the completions, and between them and the array: less
 * than 2 KiB with the longest cache lines that the kernel knows.
 */
#define HEADER 2048UL

static size_t sqes_length(unsigned int entries, bool wide)
{
	return SR_ROUND_UP((sizeof(struct io_uring_sqe) * entries) << wide,
			   sr_page_size());
}

static size_t queues_length(unsigned int entries, unsigned int completions,
			    bool wide)
{
	const size_t cqes = (sizeof(struct io_uring_cqe) * completions) << wide;

	return SR_ROUND_UP(HEADER + cqes + sizeof(unsigned int) * entries,
			   sr_page_size());
}

size_t sr_placed_length(unsigned int entries, unsigned int completions,
			bool wide)
{
	entries = sr_power_of_two(entries);
	completions = completions ? sr_power_of_two(completions) : 2 * entries;
	return sqes_length(entries, wide) +
	       queues_length(entries, completions, wide);
}

/* ---- the system call ---- */

static int setup(unsigned int entries, struct io_uring_params *params)
{
	const int saved = errno;
	const long fd = syscall(__NR_io_uring_setup, entries, params);
	const int error = -errno;

	errno = saved;
	return fd < 0 ? error : (int)fd;
}

/* No memory at all is -EFAULT to a kernel that knows what the flag means. */
static bool is_known(void)
{
	struct io_uring_params params = { .flags = SR_SETUP_NO_MMAP };
	const int fd = setup(1, &params);

	if (fd >= 0)
		close(fd);
	return fd != -EINVAL;
}

static void fill_sq(struct io_uring_sq *sq, char *queues, void *sqes,
		    const struct io_uring_params *params)
{
	unsigned int number;

	sq->khead = (unsigned int *)(void *)(queues + params->sq_off.head);
	sq->ktail = (unsigned int *)(void *)(queues + params->sq_off.tail);
	sq->kring_mask =
		(unsigned int *)(void *)(queues + params->sq_off.ring_mask);
	sq->kring_entries =
		(unsigned int *)(void *)(queues + params->sq_off.ring_entries);
	sq->kflags = (unsigned int *)(void *)(queues + params->sq_off.flags);
	sq->kdropped =
		(unsigned int *)(void *)(queues + params->sq_off.dropped);
	sq->array = (unsigned int *)(void *)(queues + params->sq_off.array);
	sq->sqes = sqes;
	sq->ring_ptr = queues;
	sq->ring_mask = *sq->kring_mask;
	sq->ring_entries = *sq->kring_entries;
	sq->ring_sz = params->sq_off.array +
		      params->sq_entries * sizeof(unsigned int);
	for (number = 0; number < params->sq_entries; number++)
		sq->array[number] = number;
}

static void fill_cq(struct io_uring_cq *cq, char *queues,
		    const struct io_uring_params *params)
{
	const bool wide = params->flags & IORING_SETUP_CQE32;

	cq->khead = (unsigned int *)(void *)(queues + params->cq_off.head);
	cq->ktail = (unsigned int *)(void *)(queues + params->cq_off.tail);
	cq->kring_mask =
		(unsigned int *)(void *)(queues + params->cq_off.ring_mask);
	cq->kring_entries =
		(unsigned int *)(void *)(queues + params->cq_off.ring_entries);
	cq->koverflow =
		(unsigned int *)(void *)(queues + params->cq_off.overflow);
	cq->cqes = (struct io_uring_cqe *)(void *)(queues +
						   params->cq_off.cqes);
	if (params->cq_off.flags)
		cq->kflags =
			(unsigned int *)(void *)(queues + params->cq_off.flags);
	cq->ring_ptr = queues;
	cq->ring_mask = *cq->kring_mask;
	cq->ring_entries = *cq->kring_entries;
	cq->ring_sz = params->cq_off.cqes +
		      ((params->cq_entries * sizeof(struct io_uring_cqe))
		       << wide);
}

static void fill(struct io_uring *uring, int fd,
		 const struct io_uring_params *params, void *sqes, void *queues)
{
	memset(uring, 0, sizeof(*uring));
	fill_sq(&uring->sq, queues, sqes, params);
	fill_cq(&uring->cq, queues, params);
	uring->flags = params->flags;
	uring->features = params->features;
	uring->ring_fd = fd;
	uring->enter_ring_fd = fd;
}

/* ---- rings ---- */

/* Set up in an extent. Returns 0 or -errno. */
static int open_in(const struct sr_extent *extent, unsigned int entries,
		   struct io_uring_params *params, struct io_uring *uring)
{
	const bool wide = params->flags & IORING_SETUP_SQE128;
	unsigned char *queues =
		extent->address + sqes_length(sr_power_of_two(entries), wide);
	const size_t room = (size_t)(extent->address + extent->length - queues);
	int fd;

	params->flags |= SR_SETUP_NO_MMAP;
	sr_params_set_memory(params, extent->address, queues);
	fd = setup(entries, params);
	if (fd < 0)
		return fd;
	fill(uring, fd, params, extent->address, queues);
	if (uring->sq.ring_sz <= room && uring->cq.ring_sz <= room)
		return 0;
	close(fd);
	return -EOVERFLOW;
}

static int refuse(struct saferring_ring *ring, int error, const char *what)
{
	snprintf(ring->memory_reason, sizeof(ring->memory_reason), "%s", what);
	return error;
}

static int refuse_room(struct saferring_ring *ring, size_t needed)
{
	snprintf(ring->memory_reason, sizeof(ring->memory_reason),
		 "it takes %zu bytes in one piece, the region has %zu, of which %zu are in use",
		 needed, ring->memory->length, sr_extents_length(ring->memory));
	return -ENOSPC;
}

static int refuse_error(struct saferring_ring *ring, int error)
{
	switch (-error) {
	case EINVAL:
		return refuse(ring, error,
			      "before Linux 6.10 a queue has to lie in one page, of whatever size");
	case ENOMEM:
		return refuse(ring, error,
			      "the kernel has no memory for it, or RLIMIT_MEMLOCK is too small");
	default:
		snprintf(ring->memory_reason, sizeof(ring->memory_reason),
			 "the kernel does not take this memory: %s",
			 strerror(-error));
		return error;
	}
}

/*
 * What failed may still be going away in the kernel, so its extent is not given
 * back.
 */
int sr_placed_move(struct saferring_ring *ring, unsigned int entries,
		   struct io_uring_params *params)
{
	const bool wide = params->flags & IORING_SETUP_SQE128;
	const size_t length =
		sr_placed_length(entries, params->cq_entries, wide);
	struct sr_extent *extent;
	struct io_uring uring;
	int error;

	if (!is_known())
		return refuse(ring, -EOPNOTSUPP,
			      "the kernel is older than 6.5, and takes no memory of programs for rings");
	extent = sr_extent_take(ring->memory, length);
	if (!extent)
		return refuse_room(ring, length);
	error = open_in(extent, entries, params, &uring);
	if (error)
		return refuse_error(ring, error);
	io_uring_queue_exit(&ring->uring);
	ring->uring = uring;
	ring->placed = extent;
	return 0;
}

/* What liburing would do, less unmapping what it has not mapped. */
void sr_placed_close(struct saferring_ring *ring)
{
	struct io_uring *uring = &ring->uring;

	if (uring->enter_ring_fd != uring->ring_fd)
		io_uring_unregister_ring_fd(uring);
	close(uring->ring_fd);
}

/* ---- for those who make regions ---- */

size_t saferring_ring_memory(const struct saferring_ring_options *options)
{
	struct saferring_ring_options known;
	unsigned int entries;

	if (!options) {
		sr_fail_argument("ring_memory", "no options");
		return 0;
	}
	if (sr_options_in("ring_memory", &known, sizeof(known), options))
		return 0;
	if (known.depth > SAFERRING_RING_DEPTH_MAX ||
	    known.completions > SAFERRING_RING_COMPLETIONS_MAX) {
		sr_fail_argument("ring_memory",
				 "depth %u or room for %u completions is too much",
				 known.depth, known.completions);
		return 0;
	}
	entries = sr_setup_entries(&known,
				   known.flags & SAFERRING_RING_SQPOLL ||
				   known.preset == SAFERRING_PRESET_LOW_LATENCY);
	return sr_placed_length(entries, known.completions,
				known.flags & SAFERRING_RING_COMMANDS);
}
