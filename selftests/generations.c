// SPDX-License-Identifier: GPL-2.0
/*
 * Generations under threads: a word that says that a region lives is true for
 * whoever reads it, and of those who change it at once one succeeds.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include "safer_ring_test.h"

#define LENGTH	(64 * 1024UL)
#define THREADS	4
#define ROUNDS	1000
#define FREES	400

/**
 * struct handle - a region as a program knows it
 * @generation: of the region
 * @slot: of the region
 * @map: where it is mapped, and stays so when it is gone
 */
struct handle {
	__u64 generation;
	__u32 slot;
	char *map;
};

/**
 * struct field - what the threads work on
 * @dev: the device
 * @control: its control area
 * @slot: the region's slot
 * @generation: what the region's handle has now, or 0 for none
 * @handle: the present region, or NULL
 * @barrier: where they wait for each other
 * @stop: the end
 * @renewed: renewals that succeeded
 * @touches: touches that found memory
 * @faults: touches that found none
 * @wrong: what there must not be
 */
struct field {
	int dev;
	struct sr_control control;
	__u32 slot;
	__u64 generation;
	const struct handle *handle;
	pthread_barrier_t barrier;
	bool stop;
	unsigned long renewed;
	unsigned long touches;
	unsigned long faults;
	unsigned long wrong;
};

FIXTURE(generations)
{
	struct sr_usage before;
	struct safer_ring_info info;
	struct field field;
};

static __thread sigjmp_buf on_fault;
static __thread volatile bool expecting;

static void fault(int sig)
{
	if (!expecting)
		_exit(99);
	siglongjmp(on_fault, sig);
}

FIXTURE_SETUP(generations)
{
	struct sigaction action = { .sa_handler = fault,
				    .sa_flags = SA_NODEFER };

	SR_REQUIRE_DEVICE();
	sigaction(SIGBUS, &action, NULL);
	ASSERT_EQ(0, sr_usage(&self->before));
	self->field.dev = sr_open();
	ASSERT_LE(0, self->field.dev);
	ASSERT_EQ(0, sr_info(self->field.dev, &self->info));
	ASSERT_EQ(0, sr_control_map(self->field.dev, &self->field.control));
}

FIXTURE_TEARDOWN(generations)
{
	sr_control_unmap(&self->field.control);
	close(self->field.dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static void add(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static bool stopped(struct field *f)
{
	return __atomic_load_n(&f->stop, __ATOMIC_ACQUIRE);
}

static void stop(struct field *f)
{
	__atomic_store_n(&f->stop, true, __ATOMIC_RELEASE);
}

static bool start(pthread_t *threads, int n, void *(*fn)(void *), void *arg)
{
	int i;

	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, fn, arg))
			return false;
	return true;
}

static void join(pthread_t *threads, int n)
{
	int i;

	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

/* All see the same generation, and then all renew it. */
static void *renew(void *arg)
{
	struct field *f = arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct safer_ring_renew r = { .size = sizeof(r),
					      .slot = f->slot };
		__u64 old;
		int ret;

		pthread_barrier_wait(&f->barrier);
		old = sr_word(&f->control, f->slot);
		r.generation = old;
		pthread_barrier_wait(&f->barrier);
		ret = sr_ioctl(f->dev, SAFER_RING_RENEW, &r);
		if (ret && ret != -ESTALE)
			add(&f->wrong);
		if (!ret && r.generation != old + 2)
			add(&f->wrong);
		if (!ret)
			add(&f->renewed);
	}
	return NULL;
}

/* As any thread sees it, a live region's word is odd and only grows. */
static void *watch(void *arg)
{
	struct field *f = arg;
	__u64 last = 0;

	while (!stopped(f)) {
		__u64 word = sr_word(&f->control, f->slot);

		if (!(word & 1) || word < last)
			add(&f->wrong);
		last = word;
	}
	return NULL;
}

TEST_F(generations, of_threads_that_renew_one_generation_exactly_one_succeeds)
{
	struct field *f = &self->field;
	pthread_t threads[THREADS], watcher;
	struct safer_ring_alloc a;

	ASSERT_EQ(0, sr_alloc(f->dev, LENGTH, &a));
	f->slot = a.slot;
	ASSERT_EQ(0, pthread_barrier_init(&f->barrier, NULL, THREADS));
	ASSERT_TRUE(start(&watcher, 1, watch, f));
	ASSERT_TRUE(start(threads, THREADS, renew, f));
	join(threads, THREADS);
	stop(f);
	join(&watcher, 1);
	EXPECT_EQ(0UL, f->wrong);
	EXPECT_EQ((unsigned long)ROUNDS, f->renewed);
	EXPECT_EQ(a.generation + 2 * ROUNDS, sr_word(&f->control, f->slot));
	pthread_barrier_destroy(&f->barrier);
}

/* Renew or free at once with others, all by the same handle. */
static void *renew_or_free(void *arg)
{
	static unsigned int turn;
	struct field *f = arg;
	bool free = __atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) & 1;

	while (!stopped(f)) {
		__u64 generation = __atomic_load_n(&f->generation,
						   __ATOMIC_ACQUIRE);
		struct safer_ring_renew r = { .size = sizeof(r),
					      .slot = f->slot,
					      .generation = generation };
		int ret;

		if (!generation)
			continue;
		ret = free ? sr_free(f->dev, f->slot, generation, 0, 0, NULL) :
			     sr_ioctl(f->dev, SAFER_RING_RENEW, &r);
		if (ret && ret != -ESTALE)
			add(&f->wrong);
	}
	return NULL;
}

TEST_F(generations, a_handle_is_either_renewed_or_freed_but_never_both)
{
	struct field *f = &self->field;
	pthread_t threads[THREADS];
	struct safer_ring_alloc a;
	int i, freed = 0, renewed = 0;

	ASSERT_EQ(0, sr_alloc(f->dev, LENGTH, &a));
	ASSERT_EQ(0, sr_free(f->dev, a.slot, a.generation, 0, 0, NULL));
	ASSERT_TRUE(start(threads, THREADS, renew_or_free, f));
	for (i = 0; i < FREES; i++) {
		__u64 word;

		ASSERT_EQ(0, sr_alloc(f->dev, LENGTH, &a));
		f->slot = a.slot;
		__atomic_store_n(&f->generation, a.generation,
				 __ATOMIC_RELEASE);
		do
			word = sr_word(&f->control, a.slot);
		while (word == a.generation);
		__atomic_store_n(&f->generation, 0, __ATOMIC_RELEASE);
		freed += word == a.generation + 1;
		renewed += word == a.generation + 2;
		if (word == a.generation + 2)
			ASSERT_EQ(0, sr_free(f->dev, a.slot, word, 0, 0, NULL));
	}
	stop(f);
	join(threads, THREADS);
	EXPECT_EQ(FREES, freed + renewed);
	EXPECT_EQ(0UL, f->wrong);
	TH_LOG("%d freed first, %d renewed first", freed, renewed);
}

/*
 * Touch while the word says that the region lives. A fault is only right if the
 * word has changed by then: it changes before the memory goes, never after.
 */
static void *touch(void *arg)
{
	struct field *f = arg;

	while (!stopped(f)) {
		const struct handle *h = __atomic_load_n(&f->handle,
							 __ATOMIC_ACQUIRE);

		if (!h || sr_word(&f->control, h->slot) != h->generation)
			continue;
		if (sigsetjmp(on_fault, 1)) {
			expecting = false;
			add(&f->faults);
			if (sr_word(&f->control, h->slot) == h->generation)
				add(&f->wrong);
			continue;
		}
		expecting = true;
		(void)*(volatile char *)h->map;
		expecting = false;
		add(&f->touches);
	}
	return NULL;
}

static int alloc_and_map(struct field *f, struct handle *h)
{
	struct safer_ring_alloc a;
	int ret = sr_alloc(f->dev, LENGTH, &a);

	if (ret)
		return ret;
	h->generation = a.generation;
	h->slot = a.slot;
	h->map = sr_map(f->dev, LENGTH, a.mmap_offset);
	return h->map == MAP_FAILED ? -errno : 0;
}

TEST_F_TIMEOUT(generations, the_word_changes_before_the_memory_goes, 120)
{
	struct field *f = &self->field;
	struct handle *handles = calloc(FREES, sizeof(*handles));
	const volatile __u64 *revocations = &f->control.header->revocations;
	pthread_t threads[2];
	__u64 before;
	int i;

	ASSERT_NE(NULL, handles);
	before = *revocations;
	ASSERT_TRUE(start(threads, 2, touch, f));
	for (i = 0; i < FREES; i++) {
		struct handle *h = &handles[i];

		ASSERT_EQ(0, alloc_and_map(f, h));
		__atomic_store_n(&f->handle, h, __ATOMIC_RELEASE);
		usleep(i % 5 * 200);
		ASSERT_EQ(0, sr_free(f->dev, h->slot, h->generation, 0, 0,
				     NULL));
		EXPECT_EQ(before + i + 1, *revocations);
		usleep(200);
	}
	stop(f);
	join(threads, 2);
	EXPECT_EQ(0UL, f->wrong);
	EXPECT_LT(0UL, f->touches);
	TH_LOG("%lu touches, %lu faults", f->touches, f->faults);
	for (i = 0; i < FREES; i++)
		munmap(handles[i].map, LENGTH);
	free(handles);
}

TEST_HARNESS_MAIN
