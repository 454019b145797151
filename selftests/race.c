// SPDX-License-Identifier: GPL-2.0
/*
 * FREE against everything that may happen at the same moment in other threads:
 * faults, mappings, questions, imports.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <time.h>

#include "safer_ring_test.h"

#define LENGTH	(4UL << 20)
#define ROUNDS	150
#define THREADS	2

static __thread sigjmp_buf on_fault;
static __thread volatile bool expecting;

static void fault(int sig)
{
	if (!expecting)
		_exit(99);
	siglongjmp(on_fault, sig);
}

/**
 * struct field - what the threads fight over
 * @dev: the device
 * @share: a descriptor of the present region, or -1
 * @map: where the present region is mapped, or NULL
 * @region: the present region
 * @stop: the end
 * @touches: that found memory
 * @faults: that found none
 * @wrong: answers that there must not be
 */
struct field {
	int dev;
	int share;
	char *map;
	struct safer_ring_alloc region;
	bool stop;
	unsigned long touches;
	unsigned long faults;
	unsigned long wrong;
};

FIXTURE(race)
{
	struct sr_usage before;
	struct field field;
};

FIXTURE_SETUP(race)
{
	struct sigaction action = { .sa_handler = fault,
				    .sa_flags = SA_NODEFER };

	SR_REQUIRE_DEVICE();
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	ASSERT_EQ(0, sr_usage(&self->before));
	self->field.share = -1;
	self->field.dev = sr_open();
	ASSERT_LE(0, self->field.dev);
}

FIXTURE_TEARDOWN(race)
{
	close(self->field.dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static bool stopped(struct field *f)
{
	return __atomic_load_n(&f->stop, __ATOMIC_ACQUIRE);
}

static void add(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void *touch(void *arg)
{
	struct field *f = arg;
	size_t i;

	while (!stopped(f)) {
		char *map;

		if (sigsetjmp(on_fault, 1)) {
			expecting = false;
			add(&f->faults);
			continue;
		}
		map = __atomic_load_n(&f->map, __ATOMIC_ACQUIRE);
		if (!map)
			continue;
		expecting = true;
		for (i = 0; i < 512; i++)
			((volatile char *)map)[i * 7 * PAGE % LENGTH]++;
		expecting = false;
		add(&f->touches);
	}
	return NULL;
}

static void *map_and_ask(void *arg)
{
	struct field *f = arg;

	while (!stopped(f)) {
		struct safer_ring_alloc a = f->region;
		struct safer_ring_query q;
		char *map;
		int ret;

		map = sr_map(f->dev, PAGE, a.mmap_offset);
		if (map != MAP_FAILED)
			munmap(map, PAGE);
		else if (errno != ENXIO && errno != EINVAL)
			add(&f->wrong);
		ret = sr_query(f->dev, a.slot, a.generation, &q);
		if (ret && ret != -ESTALE)
			add(&f->wrong);
		else
			add(&f->touches);
	}
	return NULL;
}

static void *import(void *arg)
{
	struct field *f = arg;
	int dev = sr_open();

	while (!stopped(f)) {
		struct safer_ring_import i = {
			.size = sizeof(i),
			.fd = __atomic_load_n(&f->share, __ATOMIC_ACQUIRE),
		};
		int ret = sr_ioctl(dev, SAFER_RING_IMPORT, &i);

		if (!ret) {
			add(&f->touches);
			ret = sr_free(dev, i.slot, i.generation, 0, 0, NULL);
			if (ret && ret != -ESTALE)
				add(&f->wrong);
		} else if (ret != -ESTALE && ret != -EBADF && ret != -EINVAL) {
			add(&f->wrong);
		}
	}
	close(dev);
	return NULL;
}

/* One region after another comes, is fought over, and goes. */
static int rounds(struct field *f, int n)
{
	int i, ret = 0;

	for (i = 0; i < n && !ret; i++) {
		struct safer_ring_export e = { .size = sizeof(e) };
		struct safer_ring_alloc a;
		char *map;

		ret = sr_alloc(f->dev, LENGTH, &a);
		if (ret)
			break;
		map = sr_map(f->dev, LENGTH, a.mmap_offset);
		e.slot = a.slot;
		e.generation = a.generation;
		ret = sr_ioctl(f->dev, SAFER_RING_EXPORT, &e);
		f->region = a;
		__atomic_store_n(&f->share, e.fd, __ATOMIC_RELEASE);
		__atomic_store_n(&f->map, map, __ATOMIC_RELEASE);
		usleep(i % 7 * 500);
		ret |= sr_free(f->dev, a.slot, a.generation,
			       SAFER_RING_FREE_FORCE, 0, NULL);
		usleep(500);
		__atomic_store_n(&f->map, NULL, __ATOMIC_RELEASE);
		usleep(500);
		munmap(map, LENGTH);
		close(e.fd);
	}
	return ret;
}

static int fight(struct field *f, void *(*enemy)(void *))
{
	pthread_t threads[THREADS];
	int i, ret;

	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, enemy, f))
			return -EAGAIN;
	ret = rounds(f, ROUNDS);
	__atomic_store_n(&f->stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return ret;
}

TEST_F_TIMEOUT(race, a_fault_never_brings_back_what_free_has_taken, 600)
{
	EXPECT_EQ(0, fight(&self->field, touch));
	EXPECT_LT(0UL, self->field.touches);
	EXPECT_LT(0UL, self->field.faults);
	TH_LOG("%lu touches, %lu faults", self->field.touches,
	       self->field.faults);
}

TEST_F_TIMEOUT(race, mappings_and_queries_find_the_region_whole_or_not_at_all,
	       600)
{
	EXPECT_EQ(0, fight(&self->field, map_and_ask));
	EXPECT_LT(0UL, self->field.touches);
	EXPECT_EQ(0UL, self->field.wrong);
}

TEST_F_TIMEOUT(race, imports_find_the_region_whole_or_not_at_all, 600)
{
	EXPECT_EQ(0, fight(&self->field, import));
	EXPECT_LT(0UL, self->field.touches);
	EXPECT_EQ(0UL, self->field.wrong);
}

TEST_HARNESS_MAIN
