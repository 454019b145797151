// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation that a system call makes fails once: the first one, then the
 * second one, until the call has no more. Each time the error must be right, and
 * nothing may have changed, and the same call must work afterwards. Some calls
 * must not fail at all, whatever memory they do not get.
 */
#include <sys/resource.h>

#include "safer_ring_test.h"
#include "fault_injection.h"
#include "importer.h"
#include "uring.h"

/* More allocations than any of these calls makes. */
#define NTH_MAX		3000
#define SWEEPS_MAX	20
#define SLOTS		512
#define SMALL		(16 * PAGE)
#define LARGE		(2 * HUGE_PAGE)
#define SETTLE_MS	5000

/**
 * struct world - what the operations work with
 * @dev: the device, with @small and @large allocated from it
 * @other: another open of the device, which some operations close
 * @small: a region of single pages
 * @large: a region of huge pages, where there are such
 * @shared: a descriptor that EXPORT gave for @large
 * @dmabuf: a descriptor that DMABUF gave for @large
 * @window: @large, mapped all the time
 * @importer: the test device, or -1
 * @ring: an io_uring
 * @fd: a descriptor that the operation made
 * @alloc: a region that the operation made or is about to free
 * @import: a slot that the operation made
 * @map: a mapping that the operation made or is to touch
 * @length: bytes of @map
 */
struct world {
	int dev;
	int other;
	struct safer_ring_alloc small;
	struct safer_ring_alloc large;
	int shared;
	int dmabuf;
	char *window;
	int importer;
	int ring;
	int fd;
	struct safer_ring_alloc alloc;
	struct safer_ring_import import;
	char *map;
	size_t length;
};

/**
 * struct operation - a system call to be tried
 * @prepare: what it needs, done before each try; or NULL
 * @run: the call. Return: 0 or -errno
 * @undo: takes back what a successful @run did, or NULL
 * @infallible: it must not fail for want of memory
 * @allocates: it is known to allocate, so that a sweep without one is an error
 */
struct operation {
	int (*prepare)(struct world *w);
	int (*run)(struct world *w);
	int (*undo)(struct world *w);
	bool infallible;
	bool allocates;
};

/* --- opening and closing the device */

static int open_run(struct world *w)
{
	w->fd = sr_open();
	return w->fd < 0 ? -errno : 0;
}

static int close_fd(struct world *w)
{
	return close(w->fd) ? -errno : 0;
}

static const struct operation op_open = {
	.run = open_run,
	.undo = close_fd,
	.allocates = true,
};

static int close_other(struct world *w)
{
	return close(w->other) ? -errno : 0;
}

/* A file that owns regions and has imported one. */
static int close_prepare(struct world *w)
{
	struct safer_ring_import import = { .size = sizeof(import),
					    .fd = w->shared };
	struct safer_ring_alloc a;

	w->other = sr_open();
	if (w->other < 0 || sr_alloc(w->other, LARGE, &a) ||
	    sr_alloc(w->other, PAGE, &a))
		return -1;
	return sr_ioctl(w->other, SAFER_RING_IMPORT, &import);
}

static const struct operation op_close = {
	.prepare = close_prepare,
	.run = close_other,
	.infallible = true,
};

/* --- commands */

static int info_run(struct world *w)
{
	struct safer_ring_info info;

	return sr_info(w->dev, &info);
}

static const struct operation op_info = {
	.run = info_run,
	.infallible = true,
};

static int alloc_small_run(struct world *w)
{
	w->alloc = sr_request(SMALL);
	w->alloc.order_max = 0;
	return sr_ioctl(w->dev, SAFER_RING_ALLOC, &w->alloc);
}

static int alloc_large_run(struct world *w)
{
	return sr_alloc(w->dev, LARGE, &w->alloc);
}

/* Neither another order nor another node may stand in. */
static int alloc_strict_run(struct world *w)
{
	w->alloc = sr_request(LARGE);
	w->alloc.order_min = w->large.order;
	w->alloc.order_max = w->large.order;
	w->alloc.node = w->large.node;
	w->alloc.flags = SAFER_RING_ALLOC_STRICT;
	return sr_ioctl(w->dev, SAFER_RING_ALLOC, &w->alloc);
}

static int free_alloc(struct world *w)
{
	return sr_free(w->dev, w->alloc.slot, w->alloc.generation,
		       SAFER_RING_FREE_FORCE, 0, NULL);
}

/* The first region of a file: its table of slots has room for none yet. */
static int other_prepare(struct world *w)
{
	w->other = sr_open();
	return w->other < 0 ? -errno : 0;
}

static int alloc_first_run(struct world *w)
{
	struct safer_ring_alloc a;

	return sr_alloc(w->other, PAGE, &a);
}

static const struct operation op_alloc_first = {
	.prepare = other_prepare,
	.run = alloc_first_run,
	.undo = close_other,
	.allocates = true,
};

static const struct operation op_alloc_small = {
	.run = alloc_small_run,
	.undo = free_alloc,
	.allocates = true,
};

static const struct operation op_alloc_large = {
	.run = alloc_large_run,
	.undo = free_alloc,
	.allocates = true,
};

static const struct operation op_alloc_strict = {
	.run = alloc_strict_run,
	.undo = free_alloc,
	.allocates = true,
};

static int free_prepare(struct world *w)
{
	int ret = sr_alloc(w->dev, LARGE, &w->alloc);

	if (ret)
		return ret;
	w->length = w->alloc.length;
	w->map = sr_map(w->dev, w->length, w->alloc.mmap_offset);
	if (w->map == MAP_FAILED)
		return -errno;
	memset(w->map, 1, w->length);
	return 0;
}

static int unmap(struct world *w)
{
	return munmap(w->map, w->length) ? -errno : 0;
}

static const struct operation op_free = {
	.prepare = free_prepare,
	.run = free_alloc,
	.undo = unmap,
	.infallible = true,
};

static int query_run(struct world *w)
{
	struct safer_ring_query q;

	return sr_query(w->dev, w->large.slot, w->large.generation, &q);
}

static const struct operation op_query = {
	.run = query_run,
	.infallible = true,
};

/* A region of its own, for all handles of it go stale. */
static int renew_prepare(struct world *w)
{
	return sr_alloc(w->dev, PAGE, &w->alloc);
}

static int renew_run(struct world *w)
{
	struct safer_ring_renew r = { .size = sizeof(r),
				      .slot = w->alloc.slot,
				      .generation = w->alloc.generation };
	int ret = sr_ioctl(w->dev, SAFER_RING_RENEW, &r);

	if (!ret)
		w->alloc.generation = r.generation;
	return ret;
}

static const struct operation op_renew = {
	.prepare = renew_prepare,
	.run = renew_run,
	.undo = free_alloc,
	.infallible = true,
};

static int pass_on(struct world *w, unsigned int cmd)
{
	struct safer_ring_export e = { .size = sizeof(e),
				       .slot = w->large.slot,
				       .generation = w->large.generation };
	int ret = sr_ioctl(w->dev, cmd, &e);

	w->fd = e.fd;
	return ret;
}

static int export_run(struct world *w)
{
	return pass_on(w, SAFER_RING_EXPORT);
}

static const struct operation op_export = {
	.run = export_run,
	.undo = close_fd,
	.allocates = true,
};

static int import_run(struct world *w)
{
	w->import = (struct safer_ring_import){ .size = sizeof(w->import),
						.fd = w->shared };
	return sr_ioctl(w->dev, SAFER_RING_IMPORT, &w->import);
}

static int import_undo(struct world *w)
{
	return sr_free(w->dev, w->import.slot, w->import.generation, 0, 0,
		       NULL);
}

static const struct operation op_import = {
	.run = import_run,
	.undo = import_undo,
	.allocates = true,
};

static int import_first_run(struct world *w)
{
	struct safer_ring_import import = { .size = sizeof(import),
					    .fd = w->shared };

	return sr_ioctl(w->other, SAFER_RING_IMPORT, &import);
}

static const struct operation op_import_first = {
	.prepare = other_prepare,
	.run = import_first_run,
	.undo = close_other,
	.allocates = true,
};

/* --- dma-bufs */

static int dmabuf_run(struct world *w)
{
	return pass_on(w, SAFER_RING_DMABUF);
}

static const struct operation op_dmabuf = {
	.run = dmabuf_run,
	.undo = close_fd,
	.allocates = true,
};

static int attach_run(struct world *w)
{
	return sr_ioctl(w->importer, SAFER_RING_IMPORTER_ATTACH,
			(void *)(uintptr_t)w->dmabuf);
}

static int attach_undo(struct world *w)
{
	return sr_ioctl(w->importer, SAFER_RING_IMPORTER_DETACH, NULL);
}

static const struct operation op_attach = {
	.run = attach_run,
	.undo = attach_undo,
	.allocates = true,
};

static const struct operation op_detach = {
	.prepare = attach_run,
	.run = attach_undo,
	.infallible = true,
};

/* --- mappings */

/* Where nothing is near, so that a mapping needs page tables of its own. */
#define FAR_AWAY	((void *)(1UL << 44))

static int map_far(struct world *w, int fd, int prot, size_t length,
		   __u64 offset)
{
	w->length = length;
	w->map = mmap(FAR_AWAY, length, prot, MAP_SHARED | MAP_FIXED_NOREPLACE,
		      fd, offset);
	return w->map == MAP_FAILED ? -errno : 0;
}

static int map_at(struct world *w, int fd, size_t length, __u64 offset)
{
	return map_far(w, fd, PROT_READ | PROT_WRITE, length, offset);
}

static int map_region_run(struct world *w)
{
	return map_at(w, w->dev, w->large.length, w->large.mmap_offset);
}

static int map_small_run(struct world *w)
{
	return map_at(w, w->dev, w->small.length, w->small.mmap_offset);
}

static int map_export_run(struct world *w)
{
	return map_at(w, w->shared, w->large.length, 0);
}

static int map_dmabuf_run(struct world *w)
{
	return map_at(w, w->dmabuf, w->large.length, 0);
}

static int map_fresh_run(struct world *w)
{
	return map_at(w, w->dev, SMALL, 0);
}

static int map_fresh_large_run(struct world *w)
{
	return map_at(w, w->dev, LARGE, 0);
}

static int map_control_run(struct world *w)
{
	struct safer_ring_info info;
	int ret = sr_info(w->dev, &info);

	if (ret)
		return ret;
	return map_far(w, w->dev, PROT_READ, info.control_length,
		       info.control_offset);
}

static const struct operation op_map_region = {
	.run = map_region_run,
	.undo = unmap,
	.allocates = true,
};

static const struct operation op_map_export = {
	.run = map_export_run,
	.undo = unmap,
	.allocates = true,
};

static const struct operation op_map_dmabuf = {
	.run = map_dmabuf_run,
	.undo = unmap,
	.allocates = true,
};

static const struct operation op_map_fresh = {
	.run = map_fresh_run,
	.undo = unmap,
	.allocates = true,
};

static const struct operation op_map_fresh_large = {
	.run = map_fresh_large_run,
	.undo = unmap,
	.allocates = true,
};

static const struct operation op_map_control = {
	.run = map_control_run,
	.undo = unmap,
	.allocates = true,
};

/* --- pages of mappings */

/* A fault that does not get its page table is tried again, and never SIGBUS. */
static int touch_run(struct world *w)
{
	size_t at;

	for (at = 0; at < w->length; at += w->length / 4)
		w->map[at] = 0x5a;
	return 0;
}

static int touch_undo(struct world *w)
{
	int ret = w->map[0] == 0x5a && w->map[w->length / 4 * 3] == 0x5a ?
		  0 : -EIO;

	return unmap(w) ?: ret;
}

static const struct operation op_touch_small = {
	.prepare = map_small_run,
	.run = touch_run,
	.undo = touch_undo,
	.infallible = true,
	.allocates = true,
};

static const struct operation op_touch_large = {
	.prepare = map_region_run,
	.run = touch_run,
	.undo = touch_undo,
	.infallible = true,
	.allocates = true,
};

static int populate_run(struct world *w)
{
	return madvise(w->map, w->length, MADV_POPULATE_WRITE) ? -errno : 0;
}

static const struct operation op_populate = {
	.prepare = map_small_run,
	.run = populate_run,
	.undo = unmap,
	.allocates = true,
};

static int register_run(struct world *w)
{
	return uring_register_buffer(w->ring, w->window, w->large.length);
}

static int register_undo(struct world *w)
{
	return uring_unregister_buffers(w->ring);
}

static const struct operation op_register = {
	.run = register_run,
	.undo = register_undo,
	.allocates = true,
};

/* --- what must not change */

/**
 * struct state - all that user space can see of the module
 * @info: of the device
 * @usage: of the whole system
 * @words: generations
 * @small: generation, node and length of it, and its pins
 * @large: the same of the other region
 */
struct state {
	struct safer_ring_info info;
	struct sr_usage usage;
	__u64 words[SLOTS];
	struct safer_ring_query small;
	struct safer_ring_query large;
};

FIXTURE(fail_nth)
{
	struct sr_usage start;
	struct fault_injection fault;
	struct sr_control control;
	struct world world;
	bool ready;
};

FIXTURE_VARIANT(fail_nth)
{
	const struct operation *op;
	const char *name;
};

#define OPERATION(_name)						\
	FIXTURE_VARIANT_ADD(fail_nth, _name) {				\
		.op = &op_##_name,					\
		.name = #_name,						\
	}

OPERATION(open);
OPERATION(close);
OPERATION(info);
OPERATION(alloc_first);
OPERATION(alloc_small);
OPERATION(alloc_large);
OPERATION(alloc_strict);
OPERATION(free);
OPERATION(query);
OPERATION(renew);
OPERATION(export);
OPERATION(import);
OPERATION(import_first);
OPERATION(dmabuf);
OPERATION(attach);
OPERATION(detach);
OPERATION(map_region);
OPERATION(map_export);
OPERATION(map_dmabuf);
OPERATION(map_fresh);
OPERATION(map_fresh_large);
OPERATION(map_control);
OPERATION(touch_small);
OPERATION(touch_large);
OPERATION(populate);
OPERATION(register);

static bool needs_importer(const struct operation *op)
{
	return op == &op_attach || op == &op_detach;
}

/* Return: 0 or -errno. */
static int make_world(struct world *w)
{
	int ret;

	w->dev = sr_open();
	if (w->dev < 0)
		return -errno;
	ret = alloc_small_run(w);
	w->small = w->alloc;
	ret = ret ?: alloc_large_run(w);
	w->large = w->alloc;
	ret = ret ?: export_run(w);
	w->shared = w->fd;
	ret = ret ?: dmabuf_run(w);
	w->dmabuf = w->fd;
	if (ret)
		return ret;
	w->window = sr_map(w->dev, w->large.length, w->large.mmap_offset);
	if (w->window == MAP_FAILED)
		return -errno;
	memset(w->window, 0, w->large.length);
	w->ring = uring_open(4);
	return w->ring < 0 ? w->ring : 0;
}

static void end_world(struct world *w)
{
	if (w->importer >= 0)
		close(w->importer);
	close(w->ring);
	munmap(w->window, w->large.length);
	close(w->dmabuf);
	close(w->shared);
	close(w->dev);
}

/* Few slots, so that all their generations can be compared each time. */
static int set_slots(unsigned int slots)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", slots);
	return fault_write("/sys/module/safer_ring/parameters/slots", text);
}

FIXTURE_SETUP(fail_nth)
{
	struct safer_ring_info info;
	struct world *w = &self->world;
	int dev, ret;

	self->fault.fd = -1;
	w->importer = -1;
	SR_REQUIRE_DEVICE();
	if (!fault_available())
		SKIP(return, FI_REASON);
	if (needs_importer(variant->op)) {
		ret = sr_importer_load();
		if (ret)
			SKIP(return, "%s: %s", SR_IMPORTER_FILE,
			     strerror(-ret));
		w->importer = open(SR_IMPORTER, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, w->importer);
	}
	dev = sr_open();
	ASSERT_EQ(0, sr_info(dev, &info));
	close(dev);
	ASSERT_EQ(0, sr_usage(&self->start));
	ASSERT_EQ(0, set_slots(SLOTS));
	self->ready = true;
	ASSERT_EQ(0, make_world(w));
	ASSERT_EQ(0, set_slots(info.slots));
	ASSERT_EQ(0, sr_control_map(w->dev, &self->control));
	ASSERT_EQ(0, fault_start(&self->fault));
}

FIXTURE_TEARDOWN(fail_nth)
{
	fault_stop(&self->fault);
	if (!self->ready)
		return;
	sr_control_unmap(&self->control);
	end_world(&self->world);
	EXPECT_TRUE(sr_usage_returns_to(&self->start, SETTLE_MS));
	if (needs_importer(variant->op))
		sr_importer_unload();
}

/* A region as QUERY tells it, without what mappings change. */
static void take_region(struct world *w, const struct safer_ring_alloc *a,
			struct safer_ring_query *q)
{
	if (sr_query(w->dev, a->slot, a->generation, q))
		memset(q, 0xff, sizeof(*q));
	q->folios_busy = 0;
}

static void take_state(FIXTURE_DATA(fail_nth) *self, struct state *state)
{
	struct world *w = &self->world;
	unsigned int i;

	memset(state, 0, sizeof(*state));
	sr_info(w->dev, &state->info);
	sr_usage(&state->usage);
	for (i = 0; i < SLOTS; i++)
		state->words[i] = sr_word(&self->control, i);
	take_region(w, &w->small, &state->small);
	take_region(w, &w->large, &state->large);
}

/* What a file that is closed held goes when its last user has let go of it. */
static bool state_returns_to(FIXTURE_DATA(fail_nth) *self,
			     const struct state *before)
{
	struct state now;
	int ms;

	for (ms = SETTLE_MS; ms > 0; ms -= 5) {
		take_state(self, &now);
		if (!memcmp(&now, before, sizeof(now)))
			return true;
		usleep(5000);
	}
	printf("# changed:%s%s%s%s%s\n",
	       memcmp(&now.info, &before->info, sizeof(now.info)) ?
	       " INFO" : "",
	       memcmp(&now.usage, &before->usage, sizeof(now.usage)) ?
	       " statistics" : "",
	       memcmp(now.words, before->words, sizeof(now.words)) ?
	       " generations" : "",
	       memcmp(&now.small, &before->small, sizeof(now.small)) ?
	       " QUERY of small" : "",
	       memcmp(&now.large, &before->large, sizeof(now.large)) ?
	       " QUERY of large" : "");
	return false;
}

static int prepare(FIXTURE_DATA(fail_nth) *self, const struct operation *op)
{
	return op->prepare ? op->prepare(&self->world) : 0;
}

static int undo(FIXTURE_DATA(fail_nth) *self, const struct operation *op)
{
	return op->undo ? op->undo(&self->world) : 0;
}

/* What a sweep has seen. */
struct tally {
	unsigned int failed;
	unsigned int survived;
};

/*
 * A try with the @nth allocation failing. Return: whether there was one. A
 * refused call must have left no trace, and must work when it is repeated.
 */
static bool try_nth(struct __test_metadata *_metadata,
		    FIXTURE_DATA(fail_nth) *self, const struct operation *op,
		    unsigned int nth, struct tally *tally)
{
	static struct state before;
	bool hit;
	int ret;

	ASSERT_EQ(0, prepare(self, op));
	take_state(self, &before);
	fault_arm(&self->fault, nth);
	ret = op->run(&self->world);
	hit = fault_disarm(&self->fault);
	fault_note_sites(&self->fault);
	if (ret) {
		tally->failed++;
		EXPECT_TRUE(hit);
		EXPECT_EQ(-ENOMEM, ret);
		EXPECT_FALSE(op->infallible);
		EXPECT_TRUE(state_returns_to(self, &before));
		ASSERT_EQ(0, op->run(&self->world));
	} else {
		tally->survived += hit;
	}
	ASSERT_EQ(0, undo(self, op));
	return hit;
}

/* Return: how many allocations the last, undisturbed call made. */
static unsigned int sweep(struct __test_metadata *_metadata,
			  FIXTURE_DATA(fail_nth) *self,
			  const struct operation *op, struct tally *tally)
{
	unsigned int nth;

	for (nth = 1; nth < NTH_MAX; nth++) {
		if (!try_nth(_metadata, self, op, nth, tally))
			break;
		/* A failed expectation need not be repeated for each. */
		if (!__test_passed(_metadata))
			break;
	}
	EXPECT_LT(nth, (unsigned int)NTH_MAX);
	return nth - 1;
}

/*
 * The allocators take memory for themselves now and then, so that the same number
 * is not the same place each time, and a sweep may miss one. What it has seen of
 * the module, another one finds.
 */
TEST_F_TIMEOUT(fail_nth, each_allocation_can_fail_and_nothing_else_happens, 900)
{
	const struct operation *op = variant->op;
	struct tally tally = { 0 };
	const char *missed = NULL;
	unsigned int allocations = 0;
	struct sr_usage idle;
	int i;

	ASSERT_EQ(0, sr_usage(&idle));
	/* The first calls of a process touch memory that later ones do not. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, prepare(self, op));
		ASSERT_EQ(0, op->run(&self->world));
		ASSERT_EQ(0, undo(self, op));
	}
	for (i = 0; i < SWEEPS_MAX && __test_passed(_metadata); i++) {
		allocations += sweep(_metadata, self, op, &tally);
		missed = fault_missed(&self->fault);
		if (!missed)
			break;
	}
	fault_list(&self->fault, variant->name, tally.failed + tally.survived,
		   tally.survived);
	EXPECT_EQ(NULL, missed)
		printf("# never failed: %s\n", missed);
	EXPECT_TRUE(!op->allocates || allocations);
	EXPECT_TRUE(sr_usage_returns_to(&idle, SETTLE_MS));
}

TEST_HARNESS_MAIN
