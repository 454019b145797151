// SPDX-License-Identifier: GPL-2.0
/*
 * Pools whose caches follow the load: within their bounds, and not at the cost of
 * threads that find nothing or wait.
 */
#include <pthread.h>
#include <time.h>
#include "common.h"

#define COUNT 512U
#define SWING 100U
#define MS    1000000ULL

/* A pool of @count buffers in the place of the stage's. */
static struct stage *stage_with(size_t count, int cache, unsigned int min,
				unsigned int max)
{
	struct stage *stage = stage_up(8, 0, 0);
	struct saferring_pool_options options;
	int error;

	assert_int_equal(saferring_pool_destroy(stage->pool), 0);
	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = BUFFER_SIZE;
	options.count = count;
	options.cache = cache;
	options.cache_min = min;
	options.cache_max = max;
	options.name = "adapted";
	error = saferring_pool_create(&stage->region, 1, &options,
				      &stage->pool);
	if (error)
		fail_msg("pool_create: %d: %s", error,
			 saferring_error_last()->what);
	return stage;
}

static struct saferring_pool_stats stats_of(const struct stage *stage)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	return stats;
}

static uint64_t room_of(const struct stage *stage)
{
	return stats_of(stage).cache_room;
}

/* A pool with a depth, which SAFERRING_CHECK may give to all, has none. */
static void need_caches(struct stage *stage)
{
	put(stage->pool, get(stage->pool));
	if (stats_of(stage).caches)
		return;
	stage_down(stage);
	SKIP("a pool with a depth has no caches");
}

static uint64_t figure(const char *name, const char *label)
{
	return figure_of(name, "pool=\"adapted\"", label);
}

/* Get @count buffers and put them, @rounds times. */
static void swing(struct stage *stage, unsigned int count, unsigned int rounds)
{
	saferring_buffer buffers[COUNT];

	while (rounds--) {
		assert_int_equal(saferring_buffer_get_many(stage->pool, buffers,
							   count),
				 count);
		assert_int_equal(saferring_buffer_put_many(stage->pool, buffers,
							   count),
				 count);
	}
}

/* Swing until the caches have room for @room. */
static void deepen(struct stage *stage, uint64_t room)
{
	unsigned int tries;

	for (tries = 0; tries < 20000 && room_of(stage) < room; tries++)
		swing(stage, SWING, 20);
	assert_true(room_of(stage) >= room);
}

/* As deep as a swing, or up to twice that, because a refill brings the half. */
static bool misses_end(struct stage *stage)
{
	unsigned int tries;
	uint64_t misses;

	for (tries = 0; tries < 2000; tries++) {
		misses = figure("saferring_pool_misses", NULL);
		swing(stage, SWING, 100);
		if (figure("saferring_pool_misses", NULL) == misses)
			return true;
	}
	return false;
}

static void without_bounds_no_cache_ever_changes(void **state)
{
	struct stage *stage = stage_with(COUNT, 8, 0, 0);
	unsigned int round;

	(void)state;
	need_caches(stage);
	for (round = 0; round < 50; round++) {
		swing(stage, SWING, 100);
		assert_int_equal(room_of(stage), 8);
	}
	assert_int_equal(figure("saferring_pool_adaptations", NULL), 0);
	assert_int_equal(figure("saferring_pool_recalls", NULL), 0);
	stage_down(stage);
}

static void a_cache_becomes_as_deep_as_its_thread_has_use_for(void **state)
{
	struct stage *stage = stage_with(COUNT, 0, 4, 448);

	(void)state;
	need_caches(stage);
	/* A quarter of the buffers, to begin with. */
	assert_int_equal(room_of(stage), 128);
	stage_down(stage);

	stage = stage_with(COUNT, 4, 4, 448);
	put(stage->pool, get(stage->pool));
	assert_int_equal(room_of(stage), 4);
	deepen(stage, SWING);
	assert_true(misses_end(stage));
	assert_int_equal(figure("saferring_pool_cache_room", NULL),
			 room_of(stage));
	assert_int_equal(figure("saferring_pool_caches", NULL), 1);
	assert_true(figure("saferring_pool_adaptations",
			   "what=\"cache\",direction=\"raise\",reason=\"busy\"") >
		    0);
	stage_down(stage);
	assert_int_equal(figure("saferring_pool_cache_room", NULL), 0);
	assert_int_equal(figure("saferring_pool_adaptations", NULL), 0);
}

static void a_cache_becomes_no_deeper_than_its_bound(void **state)
{
	struct stage *stage = stage_with(COUNT, 4, 4, 40);
	unsigned int round;

	(void)state;
	need_caches(stage);
	deepen(stage, 40);
	for (round = 0; round < 50; round++) {
		swing(stage, SWING, 100);
		assert_in_range(room_of(stage), 4, 40);
		assert_in_range(stats_of(stage).cached, 0, 40);
	}
	stage_down(stage);
}

static void a_cache_that_is_used_less_gives_room_back(void **state)
{
	struct stage *stage = stage_with(COUNT, 64, 4, 448);
	saferring_buffer buffers[COUNT];
	unsigned int tries;

	(void)state;
	need_caches(stage);
	/* A miss once in a while. */
	for (tries = 0; tries < 20 && room_of(stage) > 4; tries++) {
		const unsigned int count = (unsigned int)room_of(stage) + 1;

		usleep(70000);
		assert_int_equal(saferring_buffer_get_many(stage->pool, buffers,
							   count),
				 count);
		usleep(70000);
		assert_int_equal(saferring_buffer_put_many(stage->pool, buffers,
							   count),
				 count);
		assert_in_range(stats_of(stage).cached, 0, room_of(stage));
	}
	assert_int_equal(room_of(stage), 4);
	assert_true(figure("saferring_pool_adaptations",
			   "direction=\"lower\",reason=\"quiet\"") >= 4);
	stage_down(stage);
}

/* ---- others ---- */

struct other {
	struct stage *stage;
	pthread_t thread;
	uint64_t timeout;
	int result;
	saferring_buffer buffer;
};

static void *get_in_time(void *argument)
{
	struct other *other = argument;

	other->result = other->timeout ?
				saferring_buffer_get_wait(other->stage->pool,
							  &other->buffer,
							  other->timeout) :
				saferring_buffer_get(other->stage->pool,
						     &other->buffer);
	if (!other->result &&
	    saferring_buffer_put(other->stage->pool, other->buffer))
		other->result = -EIO;
	return NULL;
}

static void start(struct other *other, struct stage *stage, uint64_t timeout)
{
	*other = (struct other){ .stage = stage, .timeout = timeout };
	assert_int_equal(pthread_create(&other->thread, NULL, get_in_time,
					other),
			 0);
}

static int end(struct other *other)
{
	assert_int_equal(pthread_join(other->thread, NULL), 0);
	return other->result;
}

static int get_elsewhere(struct stage *stage)
{
	struct other other;

	start(&other, stage, 0);
	return end(&other);
}

#define ALL  64U
#define KEPT 8U

/* Take all that the pool has, and put some into this thread's cache. */
static void hoard(struct stage *stage, saferring_buffer buffers[ALL])
{
	assert_int_equal(saferring_buffer_get_many(stage->pool, buffers, ALL),
			 ALL);
	assert_int_equal(saferring_buffer_put_many(stage->pool, buffers, KEPT),
			 KEPT);
	assert_int_equal(stats_of(stage).cached, KEPT);
}

static void put_rest(struct stage *stage, const saferring_buffer buffers[ALL],
		     unsigned int from)
{
	assert_int_equal(saferring_buffer_put_many(stage->pool, buffers + from,
						   ALL - from),
			 ALL - from);
}

static void one_that_waits_gets_what_a_deep_cache_has(void **state)
{
	struct stage *stage = stage_with(ALL, ALL, 4, ALL);
	saferring_buffer buffers[ALL];
	struct other waiter;
	uint64_t room;

	(void)state;
	need_caches(stage);
	hoard(stage, buffers);
	room = room_of(stage);
	start(&waiter, stage, SAFERRING_FOREVER);
	while (!stats_of(stage).waiting)
		usleep(1000);
	put(stage->pool, buffers[KEPT]);
	assert_int_equal(end(&waiter), 0);
	assert_int_equal(room_of(stage), room / 2);
	assert_int_equal(figure("saferring_pool_adaptations",
				"direction=\"lower\",reason=\"asked\""),
			 1);
	put_rest(stage, buffers, KEPT + 1);
	stage_down(stage);
}

static void one_that_finds_nothing_recalls_what_others_keep(void **state)
{
	struct stage *stage = stage_with(ALL, ALL, 4, ALL);
	saferring_buffer buffers[ALL];
	uint64_t room;

	(void)state;
	need_caches(stage);
	hoard(stage, buffers);
	room = room_of(stage);
	assert_int_equal(get_elsewhere(stage), -ENOBUFS);
	assert_int_equal(get_elsewhere(stage), -ENOBUFS);
	assert_int_equal(figure("saferring_pool_recalls", NULL), 1);
	/* As soon as this thread does anything with the pool. */
	put(stage->pool, buffers[KEPT]);
	assert_int_equal(get_elsewhere(stage), 0);
	assert_int_equal(room_of(stage), room / 2);
	/* And then all is as it was, with caches. */
	put_rest(stage, buffers, KEPT + 1);
	assert_true(stats_of(stage).cached > 0);
	stage_down(stage);
}

static void a_get_finds_what_it_has_recalled_from_its_own_thread(void **state)
{
	struct stage *stage = stage_with(ALL, ALL, 4, ALL);
	saferring_buffer buffers[ALL];

	(void)state;
	need_caches(stage);
	hoard(stage, buffers);
	assert_int_equal(get_elsewhere(stage), -ENOBUFS);
	buffers[0] = get(stage->pool);
	assert_int_equal(get_elsewhere(stage), 0);
	put(stage->pool, buffers[0]);
	put_rest(stage, buffers, KEPT);
	stage_down(stage);
}

static void nothing_is_recalled_of_caches_that_keep_their_depth(void **state)
{
	struct stage *stage = stage_with(ALL, ALL, 0, 0);
	saferring_buffer buffers[ALL];

	(void)state;
	need_caches(stage);
	hoard(stage, buffers);
	assert_int_equal(get_elsewhere(stage), -ENOBUFS);
	put(stage->pool, buffers[KEPT]);
	assert_int_equal(get_elsewhere(stage), -ENOBUFS);
	assert_int_equal(figure("saferring_pool_recalls", NULL), 0);
	put_rest(stage, buffers, KEPT + 1);
	stage_down(stage);
}

static void a_recall_ends_with_any_buffer_that_comes(void **state)
{
	struct stage *stage = stage_with(ALL, ALL, 4, ALL);
	saferring_buffer buffers[ALL];
	uint64_t room;

	(void)state;
	need_caches(stage);
	hoard(stage, buffers);
	room = room_of(stage);
	assert_int_equal(get_elsewhere(stage), -ENOBUFS);
	saferring_pool_flush(stage->pool);
	put(stage->pool, buffers[KEPT]);
	/* Into the cache again, which has its room. */
	assert_int_equal(stats_of(stage).cached, 1);
	assert_int_equal(room_of(stage), room);
	put_rest(stage, buffers, KEPT + 1);
	stage_down(stage);
}

#define WORKERS 4
#define ROUNDS	3000U
#define FEW	48U

struct worker {
	struct stage *stage;
	pthread_t thread;
	unsigned int seed;
	int error;
};

static unsigned int next_of_seed(struct worker *worker)
{
	worker->seed = worker->seed * 1103515245 + 12345;
	return worker->seed >> 16;
}

/* Get by turns many, one, and one that is waited for; put all. */
static void *work(void *argument)
{
	struct worker *worker = argument;
	struct saferring_pool *pool = worker->stage->pool;
	saferring_buffer buffers[FEW];
	unsigned int round;
	int count;

	for (round = 0; round < ROUNDS && !worker->error; round++) {
		count = saferring_buffer_get_many(
			pool, buffers, next_of_seed(worker) % (FEW / 2) + 1);
		if (count < 0 && count != -ENOBUFS)
			worker->error = count;
		if (count < 0)
			count = saferring_buffer_get_wait(pool, buffers,
							  20000 * MS) ?
					-1 :
					1;
		if (count < 0)
			worker->error = -ETIME;
		if (count > 0 && saferring_buffer_put_many(
					 pool, buffers,
					 (unsigned int)count) != count)
			worker->error = -EIO;
	}
	return NULL;
}

static void threads_that_want_more_than_there_is_all_go_on(void **state)
{
	struct stage *stage = stage_with(FEW, 8, 2, 40);
	struct worker workers[WORKERS];
	const unsigned int before = reports;
	unsigned int number;

	(void)state;
	for (number = 0; number < WORKERS; number++) {
		workers[number] =
			(struct worker){ .stage = stage, .seed = number };
		assert_int_equal(pthread_create(&workers[number].thread, NULL,
						work, &workers[number]),
				 0);
	}
	for (number = 0; number < 50; number++) {
		const struct saferring_pool_stats stats = stats_of(stage);

		assert_in_range(stats.cache_room, 0, WORKERS * 40);
		usleep(1000);
	}
	for (number = 0; number < WORKERS; number++) {
		assert_int_equal(pthread_join(workers[number].thread, NULL), 0);
		assert_int_equal(workers[number].error, 0);
	}
	assert_all_back(stage->pool);
	assert_int_equal(stats_of(stage).caches, 0);
	assert_int_equal(stats_of(stage).cache_room, 0);
	assert_int_equal(reports, before);
	stage_down(stage);
}

/* ---- bounds ---- */

static const struct {
	int cache;
	unsigned int min;
	unsigned int max;
	const char *wrong; /* what the detail says, or NULL */
} bounds[] = {
	{ 0, 0, SAFERRING_CACHE_MAX, NULL },
	{ 0, 0, SAFERRING_CACHE_MAX + 1,
	  "caches of at most 449 buffers, allowed are 448" },
	{ 0, 7, 7, NULL },
	{ 0, 8, 7, "caches of at least 8 and at most 7 buffers" },
	{ 0, 1, 0, "caches of at least 1 and at most 0 buffers" },
	{ 4, 4, 8, NULL },
	{ 3, 4, 8, "caches of 3 buffers to begin with, and then of 4 to 8" },
	{ 8, 4, 8, NULL },
	{ 9, 4, 8, "caches of 9 buffers to begin with, and then of 4 to 8" },
	{ -1, 0, 8, "caches of -1 buffers to begin with, and then of 1 to 8" },
	{ 1, 0, 8, NULL },
};

static void bounds_are_checked(void **state)
{
	struct stage *stage = stage_up(8, 0, 0);
	struct saferring_pool_options options;
	struct saferring_pool *pool;
	unsigned int number;
	int error;

	(void)state;
	assert_int_equal(saferring_pool_destroy(stage->pool), 0);
	stage->pool = NULL;
	for (number = 0; number < sizeof(bounds) / sizeof(*bounds); number++) {
		SAFERRING_OPTIONS_INIT(&options);
		options.buffer_size = BUFFER_SIZE;
		options.cache = bounds[number].cache;
		options.cache_min = bounds[number].min;
		options.cache_max = bounds[number].max;
		error = saferring_pool_create(&stage->region, 1, &options,
					      &pool);
		if (!bounds[number].wrong) {
			assert_int_equal(error, 0);
			assert_int_equal(saferring_pool_destroy(pool), 0);
			continue;
		}
		assert_int_equal(error, -EINVAL);
		assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
		if (!strstr(saferring_error_last()->what, bounds[number].wrong))
			fail_msg("bounds %u: %s", number,
				 saferring_error_last()->what);
	}
	stage_down(stage);
}

static void a_pool_of_few_buffers_has_caches_of_few(void **state)
{
	struct stage *stage = stage_with(3, 0, 0, 448);

	(void)state;
	need_caches(stage);
	assert_int_equal(room_of(stage), 1);
	swing(stage, 3, 1000);
	assert_in_range(room_of(stage), 1, 3);
	assert_all_back(stage->pool);
	stage_down(stage);
}

static void the_environment_turns_it_off(void **state)
{
	struct stage *stage;

	(void)state;
	setenv("SAFERRING_ADAPT", "off", 1);
	stage = stage_with(COUNT, 8, 4, 448);
	unsetenv("SAFERRING_ADAPT");
	swing(stage, SWING, 2000);
	assert_in_range(room_of(stage), 0, 8);
	assert_int_equal(figure("saferring_pool_adaptations", NULL), 0);
	stage_down(stage);
}

static void use_in_child(void *argument)
{
	struct stage *stage = argument;
	struct stage *own = stage_with(COUNT, 4, 4, 64);
	saferring_buffer buffer;

	assert_int_equal(saferring_buffer_get(stage->pool, &buffer),
			 -EOWNERDEAD);
	deepen(own, 64);
	stage_down(own);
}

static void a_child_has_caches_of_its_own(void **state)
{
	struct stage *stage = stage_with(COUNT, 4, 4, 64);

	(void)state;
	need_caches(stage);
	deepen(stage, 64);
	in_child(use_in_child, stage);
	assert_int_equal(room_of(stage), 64);
	stage_down(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_bounds_no_cache_ever_changes),
		cmocka_unit_test(a_cache_becomes_as_deep_as_its_thread_has_use_for),
		cmocka_unit_test(a_cache_becomes_no_deeper_than_its_bound),
		cmocka_unit_test(a_cache_that_is_used_less_gives_room_back),
		cmocka_unit_test(one_that_waits_gets_what_a_deep_cache_has),
		cmocka_unit_test(one_that_finds_nothing_recalls_what_others_keep),
		cmocka_unit_test(a_get_finds_what_it_has_recalled_from_its_own_thread),
		cmocka_unit_test(nothing_is_recalled_of_caches_that_keep_their_depth),
		cmocka_unit_test(a_recall_ends_with_any_buffer_that_comes),
		cmocka_unit_test(threads_that_want_more_than_there_is_all_go_on),
		cmocka_unit_test(bounds_are_checked),
		cmocka_unit_test(a_pool_of_few_buffers_has_caches_of_few),
		cmocka_unit_test(the_environment_turns_it_off),
		cmocka_unit_test(a_child_has_caches_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
