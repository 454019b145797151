// SPDX-License-Identifier: GPL-2.0
/*
 * EXPORT and IMPORT: a region in several processes, and the end of it.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

#include "safer_ring_test.h"
#include "uring.h"

#define LENGTH	(2UL << 20)

static sigjmp_buf on_sigbus;

static void sigbus(int sig)
{
	siglongjmp(on_sigbus, sig);
}

static bool touch_raises_sigbus(char *at)
{
	if (sigsetjmp(on_sigbus, 1))
		return true;
	(void)*(volatile char *)at;
	return false;
}

FIXTURE(share)
{
	struct sr_usage before;
	struct safer_ring_alloc region;
	struct sr_control control;
	int owner;
	int importer;
	int fd;
};

static int export_fd(int dev, __u32 slot, __u64 generation)
{
	struct safer_ring_export e = { .size = sizeof(e), .slot = slot,
				       .generation = generation };
	int ret = sr_ioctl(dev, SAFER_RING_EXPORT, &e);

	return ret ?: e.fd;
}

static int import_fd(int dev, int fd, struct safer_ring_import *i)
{
	*i = (struct safer_ring_import){ .size = sizeof(*i), .fd = fd };
	return sr_ioctl(dev, SAFER_RING_IMPORT, i);
}

static int free_region(FIXTURE_DATA(share) *self, __u32 flags)
{
	return sr_free(self->owner, self->region.slot, self->region.generation,
		       flags, 0, NULL);
}

static int free_import(FIXTURE_DATA(share) *self, struct safer_ring_import *i)
{
	return sr_free(self->importer, i->slot, i->generation, 0, 0, NULL);
}

FIXTURE_SETUP(share)
{
	SR_REQUIRE_DEVICE();
	signal(SIGBUS, sigbus);
	ASSERT_EQ(0, sr_usage(&self->before));
	self->owner = sr_open();
	ASSERT_LE(0, self->owner);
	self->importer = sr_open();
	ASSERT_LE(0, self->importer);
	ASSERT_EQ(0, sr_control_map(self->importer, &self->control));
	ASSERT_EQ(0, sr_alloc(self->owner, LENGTH, &self->region));
	self->fd = export_fd(self->owner, self->region.slot,
			     self->region.generation);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(share)
{
	sr_control_unmap(&self->control);
	close(self->fd);
	close(self->importer);
	close(self->owner);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

TEST_F(share, an_importer_has_a_slot_and_a_generation_of_its_own)
{
	struct safer_ring_import i;

	ASSERT_EQ(0, import_fd(self->importer, self->fd, &i));
	EXPECT_NE(self->region.generation, i.generation);
	EXPECT_EQ(i.generation, sr_word(&self->control, i.slot));
	EXPECT_EQ(self->region.length, i.length);
	EXPECT_EQ(self->region.node, i.node);
	EXPECT_EQ(self->region.order, i.order);
}

TEST_F(share, owner_and_importer_and_descriptor_map_the_same_memory)
{
	struct safer_ring_import i;
	char *a, *b, *c;

	ASSERT_EQ(0, import_fd(self->importer, self->fd, &i));
	a = sr_map(self->owner, LENGTH, self->region.mmap_offset);
	b = sr_map(self->importer, LENGTH, i.mmap_offset);
	c = sr_map(self->fd, LENGTH, 0);
	ASSERT_NE(MAP_FAILED, a);
	ASSERT_NE(MAP_FAILED, b);
	ASSERT_NE(MAP_FAILED, c);
	a[LENGTH - 1] = 77;
	EXPECT_EQ(77, b[LENGTH - 1]);
	EXPECT_EQ(77, c[LENGTH - 1]);
	munmap(a, LENGTH);
	munmap(b, LENGTH);
	munmap(c, LENGTH);
}

TEST_F(share, the_descriptor_maps_no_more_than_the_region_and_never_privately)
{
	EXPECT_EQ(MAP_FAILED, sr_map(self->fd, LENGTH + PAGE, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, sr_map(self->fd, PAGE, LENGTH));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, LENGTH, PROT_READ, MAP_PRIVATE,
				   self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(share, the_owners_free_is_a_new_generation_and_sigbus_for_the_importer)
{
	struct safer_ring_import i;
	__u64 revocations;
	char *map;

	ASSERT_EQ(0, import_fd(self->importer, self->fd, &i));
	map = sr_map(self->importer, LENGTH, i.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	revocations = self->control.header->revocations;
	ASSERT_EQ(0, free_region(self, 0));
	EXPECT_NE(i.generation, sr_word(&self->control, i.slot));
	EXPECT_EQ(0ULL, sr_word(&self->control, i.slot) & 1);
	EXPECT_LT(revocations, self->control.header->revocations);
	EXPECT_TRUE(touch_raises_sigbus(map));
	EXPECT_EQ(-ESTALE, free_import(self, &i));
	munmap(map, LENGTH);
}

TEST_F(share, the_owners_close_is_the_same_as_its_free)
{
	struct safer_ring_import i;
	char *map;

	ASSERT_EQ(0, import_fd(self->importer, self->fd, &i));
	map = sr_map(self->importer, LENGTH, i.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	close(self->owner);
	EXPECT_NE(i.generation, sr_word(&self->control, i.slot));
	EXPECT_TRUE(touch_raises_sigbus(map));
	munmap(map, LENGTH);
	self->owner = sr_open();
}

TEST_F(share, an_importers_free_leaves_the_region_to_its_owner)
{
	struct safer_ring_import i;
	char *mine, *owners;

	ASSERT_EQ(0, import_fd(self->importer, self->fd, &i));
	mine = sr_map(self->importer, LENGTH, i.mmap_offset);
	owners = sr_map(self->owner, LENGTH, self->region.mmap_offset);
	ASSERT_NE(MAP_FAILED, mine);
	ASSERT_NE(MAP_FAILED, owners);
	ASSERT_EQ(0, free_import(self, &i));
	EXPECT_EQ(0ULL, sr_word(&self->control, i.slot) & 1);
	EXPECT_EQ(-ESTALE, free_import(self, &i));
	owners[0] = 5;
	EXPECT_EQ(5, mine[0]);
	EXPECT_EQ(MAP_FAILED, sr_map(self->importer, LENGTH, i.mmap_offset));
	EXPECT_EQ(ENXIO, errno);
	munmap(mine, LENGTH);
	munmap(owners, LENGTH);
}

TEST_F(share, a_descriptor_of_a_region_that_is_gone_leads_nowhere)
{
	struct safer_ring_import i;

	ASSERT_EQ(0, free_region(self, 0));
	EXPECT_EQ(-ESTALE, import_fd(self->importer, self->fd, &i));
	EXPECT_EQ(MAP_FAILED, sr_map(self->fd, LENGTH, 0));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(share, other_descriptors_cannot_be_imported)
{
	struct safer_ring_import i;
	int null = open("/dev/null", O_RDWR);

	ASSERT_LE(0, null);
	EXPECT_EQ(-EBADF, import_fd(self->importer, -1, &i));
	EXPECT_EQ(-EINVAL, import_fd(self->importer, null, &i));
	EXPECT_EQ(-EINVAL, import_fd(self->importer, self->owner, &i));
	close(null);
}

TEST_F(share, unknown_flags_are_refused)
{
	struct safer_ring_export e = { .size = sizeof(e), .flags = 1,
				       .slot = self->region.slot,
				       .generation = self->region.generation };
	struct safer_ring_import i = { .size = sizeof(i), .flags = 1,
				       .fd = self->fd };

	EXPECT_EQ(-EOPNOTSUPP, sr_ioctl(self->owner, SAFER_RING_EXPORT, &e));
	EXPECT_EQ(-EOPNOTSUPP, sr_ioctl(self->owner, SAFER_RING_DMABUF, &e));
	EXPECT_EQ(-EOPNOTSUPP, sr_ioctl(self->importer, SAFER_RING_IMPORT, &i));
}

TEST_F(share, an_exported_descriptor_is_closed_on_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

TEST_F(share, an_import_is_charged_to_nobody)
{
	struct safer_ring_info before, after;
	struct safer_ring_import i;

	ASSERT_EQ(0, sr_info(self->importer, &before));
	ASSERT_EQ(0, import_fd(self->importer, self->fd, &i));
	ASSERT_EQ(0, sr_info(self->importer, &after));
	EXPECT_EQ(before.quota_total_used, after.quota_total_used);
	EXPECT_EQ(before.slots_used + 1, after.slots_used);
}

TEST_F(share, io_of_an_importer_ends_on_the_old_memory_after_the_owners_free)
{
	struct safer_ring_info info;
	struct safer_ring_import i;
	int pipe_fds[2];
	struct uring ring;
	char *map;

	ASSERT_EQ(0, import_fd(self->importer, self->fd, &i));
	map = sr_map(self->importer, LENGTH, i.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, pipe(pipe_fds));
	ASSERT_EQ(0, uring_init(&ring, 4));
	ASSERT_EQ(0, uring_register_buffer(ring.fd, map, LENGTH));

	EXPECT_EQ(-EBUSY, free_region(self, 0));
	ASSERT_EQ(0, free_region(self, SAFER_RING_FREE_FORCE));
	ASSERT_EQ(0, sr_info(self->owner, &info));
	EXPECT_EQ(LENGTH, info.quarantine);
	EXPECT_TRUE(touch_raises_sigbus(map));
	ASSERT_EQ(5, write(pipe_fds[1], "hello", 5));
	EXPECT_EQ(5, uring_do(&ring, IORING_OP_READ_FIXED, pipe_fds[0], map, 5,
			      0));
	uring_exit(&ring);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	munmap(map, LENGTH);
}

/* The child gets the descriptor over a socket, and reports by its exit status. */
static int import_in_child(int post)
{
	struct safer_ring_import i;
	char byte, *map;
	int dev, fd;

	fd = sr_receive_fd(post, &byte, 1);
	if (fd < 0)
		return 1;
	dev = sr_open();
	if (dev < 0 || import_fd(dev, fd, &i))
		return 2;
	map = sr_map(dev, i.length, i.mmap_offset);
	if (map == MAP_FAILED || map[7] != 99)
		return 3;
	map[8] = 100;
	if (write(post, "x", 1) != 1 || read(post, &byte, 1) != 1)
		return 4;
	/* By now the owner has freed it. */
	return touch_raises_sigbus(map) ? 0 : 5;
}

TEST_F(share, a_region_travels_to_another_process_by_scm_rights)
{
	char byte = 0, *map;
	int post[2], status;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, post));
	map = sr_map(self->owner, LENGTH, self->region.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	map[7] = 99;
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(import_in_child(post[1]));
	ASSERT_EQ(0, sr_send_fd(post[0], self->fd, &byte, 1));
	ASSERT_EQ(1, read(post[0], &byte, 1));
	EXPECT_EQ(100, map[8]);
	ASSERT_EQ(0, free_region(self, 0));
	ASSERT_EQ(1, write(post[0], "y", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	munmap(map, LENGTH);
	close(post[0]);
	close(post[1]);
}

TEST_HARNESS_MAIN
