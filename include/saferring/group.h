/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Group: buffers of a pool from which the kernel takes one when data is there,
 * as a ring of provided buffers. So operations that wait for data, of which
 * there may be thousands, hold no buffer while they wait.
 *
 * A buffer of the group is the kernel's. It comes to the program with the
 * completion that tells of the data in it, and is the program's then, to be put
 * or provided again.
 */
#ifndef SAFERRING_GROUP_H
#define SAFERRING_GROUP_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

struct saferring_group;

#define SAFERRING_GROUPS_MAX	    16
#define SAFERRING_GROUP_BUFFERS_MAX 32768U

/*
 * Bits of flags. REFILL: for each buffer that is handed out another one is taken
 * from the pool and provided, as long as the pool has any. INCREMENTAL: the
 * kernel fills a buffer bit by bit (Linux 6.12).
 */
#define SAFERRING_GROUP_REFILL	    (1U << 0)
#define SAFERRING_GROUP_INCREMENTAL (1U << 1)

/**
 * saferring_group_create() - provide buffers to the kernel
 * @ring: the ring; it has SAFERRING_GROUPS_MAX groups at most
 * @pool: one of the ring's pools
 * @count: how many buffers to take from @pool, 1 to SAFERRING_GROUP_BUFFERS_MAX
 * @flags: SAFERRING_GROUP bits
 * @group: out: the group, which ends with the ring or by saferring_group_destroy()
 *
 * A group is used by the thread that uses the ring. What the kernel reads of it
 * lies in the region that the ring was created with, if there is one and it has
 * room, see saferring_ring_memory().
 *
 * Return: 0, or
 * -EINVAL: @count or @flags out of range, or @pool is none of the ring's;
 * -ENOBUFS: the pool has fewer free buffers; nothing was changed;
 * -ENFILE: the ring has SAFERRING_GROUPS_MAX groups;
 * -EOPNOTSUPP: the kernel is older than 5.19, or than 6.12 with INCREMENTAL; or
 * the ring has SAFERRING_RING_REQUIRE_MEMORY and its region no room;
 * -ENOMEM: out of memory;
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int saferring_group_create(struct saferring_ring *ring,
					 struct saferring_pool *pool,
					 unsigned int count, unsigned int flags,
					 struct saferring_group **group)
	SAFERRING_NONNULL(1, 2, 5) SAFERRING_MUST_CHECK;

/**
 * saferring_group_destroy() - take a group's buffers back
 * @group: the group, or NULL; invalid after 0 was returned
 *
 * They go to their pool.
 *
 * Return: 0, or
 * -EBUSY: operations use it: cancel them first; nothing was changed;
 * -EOWNERDEAD: the ring belongs to the parent process.
 */
SAFERRING_API int saferring_group_destroy(struct saferring_group *group);

/**
 * saferring_group_provide() - give a buffer to a group
 * @group: the group
 * @buffer: a handle of a buffer of the group's pool, stale once this returns 0
 *
 * No system call is made.
 *
 * Return: 0, or
 * -ESTALE: the handle is no current one of a buffer of that pool; the reason is
 * reported;
 * -ENOSPC: the group has as many buffers as it was created with;
 * -EOWNERDEAD: the ring belongs to the parent process.
 * After an error the buffer still belongs to the caller.
 */
SAFERRING_API int saferring_group_provide(struct saferring_group *group,
					  saferring_buffer buffer)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_group_count() - how many buffers a group has
 * @group: the group
 *
 * Return: buffers that the kernel can still fill.
 */
SAFERRING_API unsigned int
saferring_group_count(const struct saferring_group *group) SAFERRING_NONNULL(1);

/**
 * struct saferring_group_info - what a group is made of
 * @size: in: sizeof(struct saferring_group_info)
 * @count: buffers that it can have
 * @provided: buffers that it has
 * @id: number by which the kernel knows it
 * @memory: 1 if its entries lie in the region that the ring was created with
 * @memory_reason: why not, or ""; valid as long as the group
 */
struct saferring_group_info {
	size_t size;
	unsigned int count;
	unsigned int provided;
	unsigned int id;
	int memory;
	const char *memory_reason;
};

/**
 * saferring_group_info() - look at a group
 * @group: the group
 * @info: in: its size member; out: the rest
 *
 * Return: 0, or -EINVAL for an unknown size.
 */
SAFERRING_API int saferring_group_info(const struct saferring_group *group,
				       struct saferring_group_info *info)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_recv_multishot() - queue the receiving of all that comes
 * @ring: the ring
 * @fd: socket, or SAFERRING_FILE(slot)
 * @group: where the buffers come from; one of the ring's
 * @flags: MSG bits, see recv(2)
 * @user_data: comes back with every completion
 *
 * Each piece of data is a completion with MORE and a buffer, whose result is the
 * number of bytes and whose extra is their address. One without MORE ends the
 * operation: with -ENOBUFS if the group ran out of buffers, with 0 at the end of
 * the connection. Also a completion with an error can bring a buffer.
 *
 * In an INCREMENTAL group data may come in a part of a buffer that is still the
 * kernel's. Such a completion has PARTIAL, no buffer, and as extra the address
 * of the data, which stays there until the buffer has come with a later
 * completion and been put.
 *
 * Return: as saferring_ring_nop(), -EINVAL for a group of another ring, or
 * -EOPNOTSUPP.
 */
SAFERRING_API int saferring_ring_recv_multishot(struct saferring_ring *ring,
						int fd,
						struct saferring_group *group,
						int flags, uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_GROUP_H */
