// SPDX-License-Identifier: GPL-2.0
/*
 * The control area: who may map it, and what its words say.
 */
#include <pthread.h>

#include "safer_ring_test.h"

FIXTURE(control)
{
	struct sr_usage before;
	struct sr_control control;
	struct safer_ring_info info;
	int dev;
};

FIXTURE_SETUP(control)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_info(self->dev, &self->info));
	ASSERT_EQ(0, sr_control_map(self->dev, &self->control));
}

FIXTURE_TEARDOWN(control)
{
	sr_control_unmap(&self->control);
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static void *map_control(FIXTURE_DATA(control) *self, int prot, int flags,
			 size_t length, __u64 from)
{
	return mmap(NULL, length, prot, flags, self->dev,
		    self->info.control_offset + from);
}

TEST_F(control, the_header_tells_where_the_generations_are)
{
	EXPECT_EQ((__u32)SAFER_RING_CONTROL_MAGIC,
		  self->control.header->magic);
	EXPECT_EQ(self->info.slots, self->control.header->slots);
	EXPECT_LE(sizeof(struct safer_ring_control),
		  self->control.header->header_length);
	EXPECT_LE(self->control.header->header_length + 8ULL * self->info.slots,
		  self->info.control_length);
}

TEST_F(control, cannot_be_written)
{
	EXPECT_EQ(MAP_FAILED, map_control(self, PROT_READ | PROT_WRITE,
					  MAP_SHARED, PAGE, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(MAP_FAILED, map_control(self, PROT_WRITE, MAP_SHARED, PAGE,
					  0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, mprotect((void *)self->control.header, PAGE,
			       PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(control, cannot_be_mapped_privately)
{
	EXPECT_EQ(MAP_FAILED, map_control(self, PROT_READ, MAP_PRIVATE, PAGE,
					  0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_control(self, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE, PAGE, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(control, can_be_mapped_in_part_but_not_beyond_its_end)
{
	__u64 end = self->info.control_length;
	void *map = map_control(self, PROT_READ, MAP_SHARED, PAGE, end - PAGE);

	EXPECT_NE(MAP_FAILED, map);
	munmap(map, PAGE);
	EXPECT_EQ(MAP_FAILED, map_control(self, PROT_READ, MAP_SHARED,
					  2 * PAGE, end - PAGE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_control(self, PROT_READ, MAP_SHARED, PAGE,
					  end));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_control(self, PROT_READ, MAP_SHARED,
					  end + PAGE, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(control, can_be_mapped_from_a_descriptor_for_reading)
{
	int dev = open(SAFER_RING_DEVICE, O_RDONLY);
	void *map;

	ASSERT_LE(0, dev);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dev,
		   self->info.control_offset);
	EXPECT_NE(MAP_FAILED, map);
	munmap(map, PAGE);
	close(dev);
}

TEST_F(control, a_word_is_the_generation_while_and_only_while_the_region_lives)
{
	__u32 slot;
	int i;

	for (slot = 0; slot < self->info.slots; slot++)
		ASSERT_EQ(0ULL, sr_word(&self->control, slot) & 1);
	for (i = 0; i < 100; i++) {
		__u64 revocations = self->control.header->revocations;
		struct safer_ring_alloc a;

		ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
		EXPECT_EQ(a.generation, sr_word(&self->control, a.slot));
		EXPECT_EQ(1ULL, a.generation & 1);
		EXPECT_EQ(revocations, self->control.header->revocations);
		ASSERT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0,
				     NULL));
		EXPECT_EQ(0ULL, sr_word(&self->control, a.slot) & 1);
		EXPECT_EQ(revocations + 1, self->control.header->revocations);
	}
}

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

TEST_F(control, a_generation_never_comes_twice_in_a_slot)
{
	enum { ROUNDS = 10000 };
	struct safer_ring_alloc a;
	__u64 *seen;
	int i;

	seen = calloc(ROUNDS, sizeof(*seen));
	ASSERT_NE(NULL, seen);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
		/* The slot in the low half of the epoch: it does not matter. */
		seen[i] = a.generation ^ ((__u64)a.slot << 32);
		ASSERT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0,
				     NULL));
	}
	qsort(seen, ROUNDS, sizeof(*seen), compare);
	for (i = 1; i < ROUNDS; i++)
		ASSERT_NE(seen[i - 1], seen[i]);
	free(seen);
}

TEST_F(control, a_generation_of_one_open_file_is_none_of_another)
{
	struct safer_ring_alloc a, b;
	int other = sr_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
	ASSERT_EQ(0, sr_alloc(other, PAGE, &b));
	EXPECT_EQ(a.slot, b.slot);
	EXPECT_NE(a.generation, b.generation);
	EXPECT_EQ(-ESTALE, sr_free(self->dev, b.slot, b.generation, 0, 0,
				   NULL));
	close(other);
}

struct watch {
	const struct sr_control *control;
	__u32 slot;
	bool stop;
	unsigned long backwards;
};

static void *watch(void *arg)
{
	struct watch *w = arg;
	__u64 last = 0, word;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		word = sr_word(w->control, w->slot);
		w->backwards += word < last;
		last = word;
	}
	return NULL;
}

TEST_F(control, another_thread_sees_generations_only_grow)
{
	struct watch w = { .control = &self->control };
	struct safer_ring_alloc a;
	pthread_t thread;
	int i;

	ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
	w.slot = a.slot;
	ASSERT_EQ(0, pthread_create(&thread, NULL, watch, &w));
	for (i = 0; i < 2000; i++) {
		struct safer_ring_renew r = { .size = sizeof(r),
					      .slot = a.slot,
					      .generation = a.generation };

		EXPECT_EQ(0, sr_ioctl(self->dev, SAFER_RING_RENEW, &r));
		a.generation = r.generation;
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0UL, w.backwards);
}

TEST_HARNESS_MAIN
