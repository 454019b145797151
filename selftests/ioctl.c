// SPDX-License-Identifier: GPL-2.0
/*
 * What is common to all commands: sizes, tails, pointers, numbers. Whatever is
 * refused has changed nothing.
 */
#include <stddef.h>
#include <stdint.h>

#include "safer_ring_test.h"

/* A number that no command has, and a foreign device's. */
#define UNKNOWN		_IO(SAFER_RING_IOC_MAGIC, 0x7f)
#define FOREIGN		_IO(0xB8, 0x00)

union argument {
	__u32 size;
	struct safer_ring_info info;
	struct safer_ring_alloc alloc;
	struct safer_ring_free free;
	struct safer_ring_query query;
	struct safer_ring_renew renew;
	struct safer_ring_export export;
	struct safer_ring_import import;
	char bytes[2 * 4096];
};

FIXTURE(ioctl)
{
	struct sr_usage before;
	struct sr_control control;
	struct safer_ring_alloc region;
	struct safer_ring_info info;
	union argument *arg;
	int dev;
	int fd;
};

FIXTURE_VARIANT(ioctl)
{
	unsigned int cmd;
	size_t size;
};

FIXTURE_VARIANT_ADD(ioctl, info)
{
	.cmd = SAFER_RING_INFO,
	.size = sizeof(struct safer_ring_info),
};

FIXTURE_VARIANT_ADD(ioctl, alloc)
{
	.cmd = SAFER_RING_ALLOC,
	.size = sizeof(struct safer_ring_alloc),
};

FIXTURE_VARIANT_ADD(ioctl, free)
{
	.cmd = SAFER_RING_FREE,
	.size = sizeof(struct safer_ring_free),
};

FIXTURE_VARIANT_ADD(ioctl, query)
{
	.cmd = SAFER_RING_QUERY,
	.size = sizeof(struct safer_ring_query),
};

FIXTURE_VARIANT_ADD(ioctl, renew)
{
	.cmd = SAFER_RING_RENEW,
	.size = sizeof(struct safer_ring_renew),
};

FIXTURE_VARIANT_ADD(ioctl, export)
{
	.cmd = SAFER_RING_EXPORT,
	.size = sizeof(struct safer_ring_export),
};

FIXTURE_VARIANT_ADD(ioctl, import)
{
	.cmd = SAFER_RING_IMPORT,
	.size = sizeof(struct safer_ring_import),
};

FIXTURE_VARIANT_ADD(ioctl, dmabuf)
{
	.cmd = SAFER_RING_DMABUF,
	.size = sizeof(struct safer_ring_export),
};

/* An argument that the command would accept. */
static void prepare(FIXTURE_DATA(ioctl) *self, unsigned int cmd,
		    union argument *arg, size_t size)
{
	const struct safer_ring_alloc *region = &self->region;

	memset(arg, 0, sizeof(*arg));
	switch (cmd) {
	case SAFER_RING_ALLOC:
		arg->alloc = sr_request(PAGE);
		break;
	case SAFER_RING_FREE:
		arg->free.slot = region->slot;
		arg->free.generation = region->generation;
		break;
	case SAFER_RING_QUERY:
		arg->query.slot = region->slot;
		arg->query.generation = region->generation;
		break;
	case SAFER_RING_RENEW:
		arg->renew.slot = region->slot;
		arg->renew.generation = region->generation;
		break;
	case SAFER_RING_EXPORT:
	case SAFER_RING_DMABUF:
		arg->export.slot = region->slot;
		arg->export.generation = region->generation;
		break;
	case SAFER_RING_IMPORT:
		arg->import.fd = self->fd;
		break;
	}
	arg->size = size;
}

static bool nothing_changed(FIXTURE_DATA(ioctl) *self)
{
	struct safer_ring_info now;
	__u32 slot;

	if (sr_info(self->dev, &now) ||
	    memcmp(&now, &self->info, sizeof(now)))
		return false;
	for (slot = 0; slot < now.slots; slot++)
		if (sr_word(&self->control, slot) & 1 &&
		    (slot != self->region.slot ||
		     sr_word(&self->control, slot) != self->region.generation))
			return false;
	return !self->control.header->revocations;
}

FIXTURE_SETUP(ioctl)
{
	struct safer_ring_export e = { .size = sizeof(e) };

	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->arg = malloc(sizeof(*self->arg));
	ASSERT_NE(NULL, self->arg);
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_control_map(self->dev, &self->control));
	ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &self->region));
	e.slot = self->region.slot;
	e.generation = self->region.generation;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_EXPORT, &e));
	self->fd = e.fd;
	ASSERT_EQ(0, sr_info(self->dev, &self->info));
}

FIXTURE_TEARDOWN(ioctl)
{
	close(self->fd);
	sr_control_unmap(&self->control);
	close(self->dev);
	free(self->arg);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

TEST_F(ioctl, a_structure_shorter_than_the_first_published_is_refused)
{
	size_t size;

	for (size = 0; size < variant->size; size++) {
		prepare(self, variant->cmd, self->arg, size);
		EXPECT_EQ(-EINVAL, sr_ioctl(self->dev, variant->cmd,
					    self->arg));
	}
	EXPECT_TRUE(nothing_changed(self));
}

TEST_F(ioctl, a_longer_structure_is_accepted_if_its_tail_is_zero)
{
	prepare(self, variant->cmd, self->arg, variant->size + 64);
	EXPECT_EQ(0, sr_ioctl(self->dev, variant->cmd, self->arg));
}

TEST_F(ioctl, a_structure_of_exactly_a_page_is_accepted_and_a_longer_one_is_not)
{
	prepare(self, variant->cmd, self->arg, PAGE + 1);
	EXPECT_EQ(-E2BIG, sr_ioctl(self->dev, variant->cmd, self->arg));
	prepare(self, variant->cmd, self->arg, UINT32_MAX);
	EXPECT_EQ(-E2BIG, sr_ioctl(self->dev, variant->cmd, self->arg));
	EXPECT_TRUE(nothing_changed(self));
	prepare(self, variant->cmd, self->arg, PAGE);
	EXPECT_EQ(0, sr_ioctl(self->dev, variant->cmd, self->arg));
}

TEST_F(ioctl, a_tail_that_is_not_zero_is_refused)
{
	size_t at;

	for (at = variant->size; at < variant->size + 64; at++) {
		prepare(self, variant->cmd, self->arg, variant->size + 64);
		self->arg->bytes[at] = 1;
		EXPECT_EQ(-E2BIG, sr_ioctl(self->dev, variant->cmd, self->arg));
	}
	EXPECT_TRUE(nothing_changed(self));
}

TEST_F(ioctl, a_structure_outside_the_callers_memory_is_refused)
{
	char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *edge = two + PAGE - variant->size + 4;

	ASSERT_NE(MAP_FAILED, two);
	ASSERT_EQ(0, munmap(two + PAGE, PAGE));
	EXPECT_EQ(-EFAULT, sr_ioctl(self->dev, variant->cmd, NULL));
	EXPECT_EQ(-EFAULT, sr_ioctl(self->dev, variant->cmd, two + PAGE));
	EXPECT_EQ(-EFAULT, sr_ioctl(self->dev, variant->cmd,
				    (void *)0xffff800000000000UL));
	prepare(self, variant->cmd, self->arg, variant->size);
	memcpy(edge, self->arg, variant->size - 4);
	EXPECT_EQ(-EFAULT, sr_ioctl(self->dev, variant->cmd, edge));
	EXPECT_TRUE(nothing_changed(self));
	munmap(two, PAGE);
}

TEST_F(ioctl, a_command_whose_answer_cannot_be_written_has_changed_nothing)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds = dup(0);

	ASSERT_NE(MAP_FAILED, page);
	close(fds);
	prepare(self, variant->cmd, self->arg, variant->size);
	memcpy(page, self->arg, variant->size);
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, sr_ioctl(self->dev, variant->cmd, page));
	EXPECT_TRUE(nothing_changed(self));
	/* Nor has a descriptor been left behind. */
	EXPECT_EQ(fds, dup(0));
	close(fds);
	munmap(page, PAGE);
}

TEST_F(ioctl, an_unknown_flag_is_refused)
{
	int bit;

	for (bit = 2; bit < 32; bit++) {
		prepare(self, variant->cmd, self->arg, variant->size);
		/* Every structure has its flags behind its size. */
		((__u32 *)self->arg->bytes)[1] = 1U << bit;
		EXPECT_EQ(-EOPNOTSUPP, sr_ioctl(self->dev, variant->cmd,
						self->arg));
	}
	EXPECT_TRUE(nothing_changed(self));
}

TEST_F(ioctl, no_other_number_is_a_command)
{
	prepare(self, variant->cmd, self->arg, variant->size);
	EXPECT_EQ(-ENOTTY, sr_ioctl(self->dev, UNKNOWN, self->arg));
	EXPECT_EQ(-ENOTTY, sr_ioctl(self->dev, FOREIGN, self->arg));
	EXPECT_EQ(-ENOTTY, sr_ioctl(self->dev, variant->cmd | 0x40000000,
				    self->arg));
	EXPECT_EQ(-ENOTTY, sr_ioctl(self->dev, SAFER_RING_DMABUF + 1,
				    self->arg));
	EXPECT_TRUE(nothing_changed(self));
}

TEST_HARNESS_MAIN
