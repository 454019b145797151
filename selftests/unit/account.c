// SPDX-License-Identifier: GPL-2.0
/* Account: what the library says of itself is what the program saw happen. */
#include <fcntl.h>
#include "common.h"

static struct saferring_snapshot *start;

static void must(int error)
{
	if (error)
		fail_msg("%d: %s", error, saferring_error_last()->what);
}

static int set_up(void **unused)
{
	(void)unused;
	must(saferring_snapshot_take(&start));
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	saferring_snapshot_free(start);
	return 0;
}

/* What came since the test began, over all labels or those with @label. */
static uint64_t since(const char *name, const char *label)
{
	struct saferring_snapshot *now, *delta;
	uint64_t sum;

	must(saferring_snapshot_take(&now));
	must(saferring_snapshot_delta(now, start, &delta));
	sum = saferring_snapshot_sum(delta, name, label);
	saferring_snapshot_free(now);
	saferring_snapshot_free(delta);
	return sum;
}

static uint64_t now(const char *name, const char *label)
{
	struct saferring_snapshot *snapshot;
	uint64_t sum;

	must(saferring_snapshot_take(&snapshot));
	sum = saferring_snapshot_sum(snapshot, name, label);
	saferring_snapshot_free(snapshot);
	return sum;
}

static void expect_since(const char *name, const char *label, uint64_t value)
{
	const uint64_t is = since(name, label);

	if (is != value)
		fail_msg("%s{%s} is %llu and not %llu", name,
			 label ? label : "", (unsigned long long)is,
			 (unsigned long long)value);
}

static struct saferring_completion finish(struct saferring_ring *ring)
{
	struct saferring_completion done;
	const int count =
		saferring_ring_wait(ring, &done, 1, 1, SAFERRING_FOREVER);

	assert_int_equal(count, 1);
	return done;
}

static int32_t read_at(struct stage *stage, int fd, uint64_t offset)
{
	const saferring_buffer buffer = get(stage->pool);
	struct saferring_completion done;

	must(saferring_ring_read(stage->ring, fd, buffer, 0, BUFFER_SIZE,
				 offset, 0));
	done = finish(stage->ring);
	put(stage->pool, done.buffer);
	return done.result;
}

static void operations_are_counted_by_kind(void **unused)
{
	struct stage *stage = stage_up(16, 8, STAGE_RING);
	const int file = pattern_file(2 * BUFFER_SIZE + 100);
	const int wrong = open("/dev/null", O_WRONLY);

	(void)unused;
	assert_int_equal(read_at(stage, file, 0), BUFFER_SIZE);
	assert_int_equal(read_at(stage, file, BUFFER_SIZE), BUFFER_SIZE);
	assert_int_equal(read_at(stage, file, 2 * BUFFER_SIZE), 100);
	assert_int_equal(read_at(stage, wrong, 0), -EBADF);
	must(saferring_ring_nop(stage->ring, 0));
	finish(stage->ring);
	assert_int_equal(now("saferring_ring_in_flight", NULL), 0);

	expect_since("saferring_operations_queued", "operation=\"read\"", 4);
	expect_since("saferring_operations_completed", "operation=\"read\"", 4);
	expect_since("saferring_operations_completed", "operation=\"nop\"", 1);
	expect_since("saferring_transferred_bytes", "ring=\"main\"",
		     2 * BUFFER_SIZE + 100);
	expect_since("saferring_operations_short", "operation=\"read\"", 1);
	expect_since("saferring_operations_failed", NULL, 1);
	expect_since("saferring_errors", "errno=\"EBADF\"", 1);
	expect_since("saferring_ring_submitted", NULL, 5);
	assert_true(since("saferring_ring_enters", NULL) >= 5);
	close(file);
	close(wrong);
	stage_down(stage);
	/* The ring is gone, and nothing with it. */
	expect_since("saferring_operations_completed", NULL, 5);
	expect_since("saferring_operations_completed", "ring=\"(destroyed)\"",
		     5);
	expect_since("saferring_operations_completed", "ring=\"main\"", 0);
}

static void withdrawn_operations_are_cancelled(void **unused)
{
	struct stage *stage = stage_up(16, 8, STAGE_RING);
	struct saferring_completion done;
	const int file = open("/dev/zero", O_RDONLY);

	(void)unused;
	must(saferring_ring_read(stage->ring, file, get(stage->pool), 0, 512, 0,
				 0));
	assert_int_equal(saferring_ring_withdraw(stage->ring), 1);
	done = finish(stage->ring);
	put(stage->pool, done.buffer);
	expect_since("saferring_operations_cancelled", NULL, 1);
	expect_since("saferring_operations_failed", NULL, 0);
	close(file);
	stage_down(stage);
}

static void every_misuse_is_counted_by_its_reason(void **unused)
{
	struct stage *stage = stage_up(16, 8, STAGE_RING);
	const saferring_buffer buffer = get(stage->pool);

	(void)unused;
	put(stage->pool, buffer);
	assert_int_equal(saferring_buffer_put(stage->pool, buffer), -ESTALE);
	assert_int_equal(saferring_buffer_put(stage->pool, buffer), -ESTALE);
	assert_null(saferring_buffer_data(stage->pool, buffer));
	assert_int_equal(
		saferring_ring_read(stage->ring, 0, buffer, 0, 1, 0, 0),
		-ESTALE);
	expect_since("saferring_failures", "reason=\"double put\"", 2);
	expect_since("saferring_failures", "reason=\"use after put\"", 2);
	expect_since("saferring_failures", "class=\"misuse\"", 4);
	assert_int_equal(saferring_region_destroy(stage->region, 0, 0), -EBUSY);
	expect_since("saferring_failures", "class=\"refusal\"", 1);
	stage_down(stage);
	expect_since("saferring_ring_misuses", NULL, 1);
}

static void memory_is_tracked_now_and_at_most(void **unused)
{
	struct saferring_device *device = open_device();
	const uint64_t before = now("saferring_memory_bytes", NULL);
	struct saferring_region *one, *other;

	(void)unused;
	one = make_region(device, REGION_SIZE);
	other = make_region(device, 2 * REGION_SIZE);
	assert_int_equal(now("saferring_memory_bytes", NULL),
			 before + 3 * REGION_SIZE);
	assert_int_equal(now("saferring_memory_node_bytes", NULL),
			 before + 3 * REGION_SIZE);
	assert_int_equal(now("saferring_memory_page_bytes", NULL),
			 before + 3 * REGION_SIZE);
	assert_int_equal(now("saferring_region_bytes", NULL),
			 before + 3 * REGION_SIZE);
	must(saferring_region_revoke(one));
	assert_int_equal(now("saferring_memory_bytes", NULL),
			 before + 2 * REGION_SIZE);
	drop_region(one);
	drop_region(other);
	assert_int_equal(now("saferring_memory_bytes", NULL), before);
	assert_int_equal(now("saferring_region_bytes", NULL), before);
	assert_true(now("saferring_memory_peak_bytes", NULL) >=
		    before + 3 * REGION_SIZE);
	expect_since("saferring_regions_created", NULL, 2);
	expect_since("saferring_regions_destroyed", NULL, 2);
	must(saferring_device_close(device));
}

static void pools_count_what_caches_do_not_serve(void **unused)
{
	struct stage *stage = stage_up(16, 8, 0);
	saferring_buffer held[17];
	unsigned int number;

	(void)unused;
	if (depth_of(stage->pool) != SAFERRING_DEPTH_FAST) {
		stage_down(stage);
		SKIP("a pool with a depth has no caches");
	}
	/* A cache of 4: a miss takes one and fills it with two. */
	held[0] = get(stage->pool);
	expect_since("saferring_pool_misses", "pool=\"input\"", 1);
	expect_since("saferring_pool_refills", NULL, 1);
	expect_since("saferring_pool_refilled", NULL, 2);
	held[1] = get(stage->pool);
	held[2] = get(stage->pool);
	expect_since("saferring_pool_misses", NULL, 1);
	assert_int_equal(now("saferring_pool_stored", NULL), 13);
	for (number = 3; number < 16; number++)
		held[number] = get(stage->pool);
	assert_int_equal(saferring_buffer_get(stage->pool, &held[16]),
			 -ENOBUFS);
	expect_since("saferring_pool_exhausted", NULL, 1);
	assert_int_equal(now("saferring_pool_stored", NULL), 0);
	for (number = 0; number < 16; number++)
		put(stage->pool, held[number]);
	assert_true(since("saferring_pool_spills", NULL) >= 3);
	assert_int_equal(now("saferring_pool_most_out", "pool=\"input\""), 16);
	assert_int_equal(now("saferring_pool_buffers", "pool=\"input\""), 16);
	assert_int_equal(saferring_buffer_put(stage->pool, held[0]), -ESTALE);
	expect_since("saferring_pool_misuses", NULL, 1);
	stage_down(stage);
	expect_since("saferring_pool_exhausted", "pool=\"(destroyed)\"", 1);
	assert_int_equal(now("saferring_pool_buffers", NULL), 0);
}

/* ---- latency ---- */

static struct saferring_ring *timed_ring(struct saferring_pool *pool)
{
	struct saferring_ring_options options;
	struct saferring_ring *ring;

	SAFERRING_OPTIONS_INIT(&options);
	options.pools = &pool;
	options.pool_count = 1;
	options.flags = SAFERRING_RING_LATENCY;
	options.name = "timed";
	must(saferring_ring_create(&options, &ring));
	return ring;
}

static void latency_is_from_submit_to_reap(void **unused)
{
	struct stage *stage = stage_up(16, 8, 0);
	struct saferring_ring *ring = timed_ring(stage->pool);
	const struct saferring_sample *sample;
	struct saferring_completion done[3];
	struct saferring_snapshot *snapshot;
	uint64_t begin, outer;
	int number;

	(void)unused;
	for (number = 0; number < 3; number++)
		must(saferring_ring_nop(ring, 0));
	/* Time that an operation is only queued does not count. */
	usleep(20000);
	begin = saferring_clock_ticks();
	assert_int_equal(saferring_ring_submit(ring), 3);
	usleep(5000);
	assert_int_equal(
		saferring_ring_wait(ring, done, 3, 3, SAFERRING_FOREVER), 3);
	outer = saferring_clock_ns(saferring_clock_ticks() - begin);
	must(saferring_snapshot_take(&snapshot));
	sample = saferring_snapshot_find(snapshot,
					 "saferring_operation_latency_seconds",
					 "ring=\"timed\"");
	assert_non_null(sample);
	assert_int_equal(sample->value, 3);
	assert_int_equal(sample->exponent, -9);
	assert_true(saferring_histogram_min(sample->histogram) > 4900000);
	assert_true(saferring_histogram_max(sample->histogram) <= outer);
	saferring_snapshot_free(snapshot);
	assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
	expect_since("saferring_operation_latency_seconds", NULL, 3);
	stage_down(stage);
}

static void what_the_kernel_has_is_in_flight(void **unused)
{
	struct stage *stage = stage_up(16, 8, STAGE_RING);
	struct saferring_completion done;
	int ends[2];

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	must(saferring_ring_read(stage->ring, ends[0], get(stage->pool), 0, 8,
				 0, 0));
	assert_int_equal(now("saferring_ring_in_flight", NULL), 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(now("saferring_ring_in_flight", NULL), 1);
	assert_int_equal(write(ends[1], "12345678", 8), 8);
	done = finish(stage->ring);
	assert_int_equal(done.result, 8);
	assert_int_equal(now("saferring_ring_in_flight", NULL), 0);
	put(stage->pool, done.buffer);
	close(ends[0]);
	close(ends[1]);
	stage_down(stage);
}

/* ---- rings that come and go while others look on ---- */

static void totals_survive_the_rings(void **unused)
{
	struct stage *stage = stage_up(16, 8, 0);
	uint64_t before = 0, sum;
	struct saferring_ring *ring;
	int number;

	(void)unused;
	for (number = 0; number < 40; number++) {
		ring = make_ring(stage->pool, 4, 0);
		must(saferring_ring_nop(ring, 0));
		finish(ring);
		sum = since("saferring_operations_completed",
			    "operation=\"nop\"");
		assert_int_equal(sum, before + 1);
		before = sum;
		assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
		expect_since("saferring_operations_completed",
			     "operation=\"nop\"", before);
	}
	stage_down(stage);
}

int main(void)
{
#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(operations_are_counted_by_kind),
		TEST(withdrawn_operations_are_cancelled),
		TEST(every_misuse_is_counted_by_its_reason),
		TEST(memory_is_tracked_now_and_at_most),
		TEST(pools_count_what_caches_do_not_serve),
		TEST(latency_is_from_submit_to_reap),
		TEST(what_the_kernel_has_is_in_flight),
		TEST(totals_survive_the_rings),
	};

	return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
