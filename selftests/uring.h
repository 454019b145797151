/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of io_uring as the tests of the ABI need, by its system calls.
 */
#ifndef SAFER_RING_TEST_URING_H
#define SAFER_RING_TEST_URING_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/io_uring.h>

/**
 * struct uring - a ring with its queues mapped
 * @fd: its descriptor
 * @params: as the kernel filled them
 * @rings: both queues
 * @rings_length: bytes at @rings
 * @sqes: submission entries
 * @queued: entries filled and not yet submitted
 */
struct uring {
	int fd;
	struct io_uring_params params;
	char *rings;
	size_t rings_length;
	struct io_uring_sqe *sqes;
	unsigned int queued;
};

/* A bare ring, to register buffers with. Return: descriptor or -errno. */
static inline int uring_open(unsigned int entries)
{
	struct io_uring_params params = { 0 };
	int fd = syscall(__NR_io_uring_setup, entries, &params);

	return fd < 0 ? -errno : fd;
}

static inline int uring_register_buffer(int fd, void *base, size_t length)
{
	struct iovec vec = { .iov_base = base, .iov_len = length };

	return syscall(__NR_io_uring_register, fd, IORING_REGISTER_BUFFERS,
		       &vec, 1) ? -errno : 0;
}

static inline int uring_unregister_buffers(int fd)
{
	return syscall(__NR_io_uring_register, fd, IORING_UNREGISTER_BUFFERS,
		       NULL, 0) ? -errno : 0;
}

static inline unsigned int *uring_at(const struct uring *ring, __u32 offset)
{
	return (unsigned int *)(void *)(ring->rings + offset);
}

/* Return: 0 or -errno. */
static inline int uring_init(struct uring *ring, unsigned int entries)
{
	struct io_uring_params *p = &ring->params;
	size_t sq, cq;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(__NR_io_uring_setup, entries, p);
	if (ring->fd < 0)
		return -errno;
	sq = p->sq_off.array + p->sq_entries * sizeof(unsigned int);
	cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	ring->rings_length = sq > cq ? sq : cq;
	ring->rings = mmap(NULL, ring->rings_length, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, ring->fd,
			   IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, p->sq_entries * sizeof(*ring->sqes),
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			  ring->fd, IORING_OFF_SQES);
	if (ring->rings == MAP_FAILED || (void *)ring->sqes == MAP_FAILED) {
		close(ring->fd);
		return -ENOMEM;
	}
	return 0;
}

static inline void uring_exit(struct uring *ring)
{
	munmap(ring->sqes, ring->params.sq_entries * sizeof(*ring->sqes));
	munmap(ring->rings, ring->rings_length);
	close(ring->fd);
}

/* Fill the next entry. The caller does not queue more than there are. */
static inline void uring_queue(struct uring *ring, __u8 opcode, int fd,
			       void *address, __u32 length, __u64 offset)
{
	struct io_uring_params *p = &ring->params;
	unsigned int *tail = uring_at(ring, p->sq_off.tail);
	unsigned int mask = *uring_at(ring, p->sq_off.ring_mask);
	unsigned int i = *tail & mask;

	ring->sqes[i] = (struct io_uring_sqe){
		.opcode = opcode,
		.fd = fd,
		.addr = (uintptr_t)address,
		.len = length,
		.off = offset,
		.user_data = offset,
	};
	uring_at(ring, p->sq_off.array)[i] = i;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	ring->queued++;
}

/* Submit what is queued and wait for @wait completions. 0 or -errno. */
static inline int uring_enter(struct uring *ring, unsigned int wait)
{
	int ret = syscall(__NR_io_uring_enter, ring->fd, ring->queued, wait,
			  wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);

	if (ret < 0)
		return -errno;
	ring->queued -= ret;
	return 0;
}

/* Take one completion; false if there is none. */
static inline bool uring_reap(struct uring *ring, struct io_uring_cqe *cqe)
{
	struct io_uring_params *p = &ring->params;
	unsigned int *head = uring_at(ring, p->cq_off.head);
	unsigned int *tail = uring_at(ring, p->cq_off.tail);
	unsigned int mask = *uring_at(ring, p->cq_off.ring_mask);
	struct io_uring_cqe *cqes = (void *)uring_at(ring, p->cq_off.cqes);

	if (*head == __atomic_load_n(tail, __ATOMIC_ACQUIRE))
		return false;
	*cqe = cqes[*head & mask];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return true;
}

/* One operation, waited for. Return: its result, or -errno. */
static inline int uring_do(struct uring *ring, __u8 opcode, int fd,
			   void *address, __u32 length, __u64 offset)
{
	struct io_uring_cqe cqe;
	int ret;

	uring_queue(ring, opcode, fd, address, length, offset);
	ret = uring_enter(ring, 1);
	if (ret)
		return ret;
	return uring_reap(ring, &cqe) ? cqe.res : -EIO;
}

#endif /* SAFER_RING_TEST_URING_H */
