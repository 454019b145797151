// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers: every way to misuse a handle, each with the answer it must get.
 */
#include <fcntl.h>
#include "common.h"

static int up(void **state)
{
	*state = stage_up(0, 8, STAGE_RING);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static struct saferring_completion wait_one(struct stage *stage)
{
	struct saferring_completion completion;

	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	return completion;
}

/* A buffer in flight until something is written to the pipe. */
struct flight {
	int pipe[2];
	saferring_buffer buffer;
};

static void take_off(struct stage *stage, struct flight *flight)
{
	assert_int_equal(pipe2(flight->pipe, O_CLOEXEC), 0);
	flight->buffer = get(stage->pool);
	assert_int_equal(saferring_ring_read(stage->ring, flight->pipe[0],
					     flight->buffer, 0, 16, -1, 42),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
}

static struct saferring_completion land(struct stage *stage,
					struct flight *flight)
{
	struct saferring_completion completion;

	assert_int_equal(write(flight->pipe[1], "0123456789abcdef", 16), 16);
	completion = wait_one(stage);
	close(flight->pipe[0]);
	close(flight->pipe[1]);
	return completion;
}

static void a_fresh_handle_passes_the_check(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer buffer = get(stage->pool);

	assert_int_equal(saferring_buffer_valid(stage->pool, buffer), 1);
	assert_non_null(saferring_buffer_data(stage->pool, buffer));
	assert_int_equal(saferring_buffer_owner(stage->pool, buffer),
			 SAFERRING_OWNER_USER);
	put(stage->pool, buffer);
	assert_int_equal(saferring_buffer_owner(stage->pool, buffer),
			 SAFERRING_OWNER_FREE);
}

static void data_after_submit_is_refused(void **state)
{
	struct stage *stage = *state;
	const unsigned int before = reports;
	struct flight flight;

	take_off(stage, &flight);
	assert_null(saferring_buffer_data(stage->pool, flight.buffer));
	assert_misuse(-ESTALE, SAFERRING_REASON_USE_AFTER_SUBMIT, before);
	put(stage->pool, land(stage, &flight).buffer);
}

static void a_queued_buffer_is_no_longer_the_programs(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer buffer = get(stage->pool);
	const int fd = pattern_file(4096);

	assert_int_equal(saferring_ring_read(stage->ring, fd, buffer, 0, 1, 0,
					     0),
			 0);
	assert_int_equal(saferring_buffer_valid(stage->pool, buffer), 0);
	assert_int_equal(saferring_buffer_owner(stage->pool, buffer),
			 SAFERRING_OWNER_KERNEL);
	put(stage->pool, wait_one(stage).buffer);
	close(fd);
}

static void a_second_submit_is_refused(void **state)
{
	struct stage *stage = *state;
	const unsigned int before = reports;
	struct flight flight;
	int result;

	take_off(stage, &flight);
	result = saferring_ring_write(stage->ring, 1, flight.buffer, 0, 1, -1,
				      0);
	assert_misuse(result, SAFERRING_REASON_DOUBLE_SUBMIT, before);
	put(stage->pool, land(stage, &flight).buffer);
}

static void put_of_a_buffer_in_flight_is_refused(void **state)
{
	struct stage *stage = *state;
	const unsigned int before = reports;
	struct flight flight;

	take_off(stage, &flight);
	assert_misuse(saferring_buffer_put(stage->pool, flight.buffer),
		      SAFERRING_REASON_PUT_IN_FLIGHT, before);
	put(stage->pool, land(stage, &flight).buffer);
}

static void the_report_names_the_operation_that_owns_the_buffer(void **state)
{
	struct stage *stage = *state;
	struct flight flight;

	take_off(stage, &flight);
	assert_null(saferring_buffer_data(stage->pool, flight.buffer));
	assert_string_equal(last_report.operation, "buffer_data");
	assert_string_equal(last_report.object, "pool input");
	assert_int_equal(last_report.owner, SAFERRING_OWNER_KERNEL);
	assert_string_equal(last_report.owner_detail,
			    "in flight as READ of 16 bytes by ring main");
	assert_int_equal(last_report.handle, flight.buffer.word);
	assert_int_equal(last_report.index,
			 saferring_buffer_index(stage->pool, flight.buffer));
	put(stage->pool, land(stage, &flight).buffer);
}

static void the_handle_of_before_the_completion_stays_stale(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;
	const unsigned int before = reports;
	struct flight flight;

	take_off(stage, &flight);
	completion = land(stage, &flight);
	assert_true(completion.buffer.word != flight.buffer.word);
	assert_null(saferring_buffer_data(stage->pool, flight.buffer));
	assert_misuse(-ESTALE, SAFERRING_REASON_SUPERSEDED, before);
	assert_string_not_equal(last_report.cure, "");
	assert_memory_equal(saferring_buffer_data(stage->pool,
						  completion.buffer),
			    "0123456789abcdef", 16);
	put(stage->pool, completion.buffer);
}

static void a_second_put_is_refused(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer buffer = get(stage->pool);
	const unsigned int before = reports;

	put(stage->pool, buffer);
	assert_misuse(saferring_buffer_put(stage->pool, buffer),
		      SAFERRING_REASON_DOUBLE_PUT, before);
	assert_int_equal(last_report.owner, SAFERRING_OWNER_FREE);
}

static void data_after_put_is_refused(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer buffer = get(stage->pool);
	const unsigned int before = reports;

	put(stage->pool, buffer);
	assert_null(saferring_buffer_data(stage->pool, buffer));
	assert_misuse(-ESTALE, SAFERRING_REASON_USE_AFTER_PUT, before);
}

static void submit_after_put_is_refused(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer buffer = get(stage->pool);
	const unsigned int before = reports;

	put(stage->pool, buffer);
	assert_misuse(saferring_ring_read(stage->ring, 0, buffer, 0, 1, 0, 0),
		      SAFERRING_REASON_USE_AFTER_PUT, before);
}

static void a_put_handle_does_not_reach_the_next_holder(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer old = get(stage->pool);
	const unsigned int before = reports;
	saferring_buffer current;

	put(stage->pool, old);
	current = get(stage->pool);
	/* Last in, first out: it is the same buffer. */
	assert_int_equal(saferring_buffer_index(stage->pool, current),
			 saferring_buffer_index(stage->pool, old));
	assert_misuse(saferring_buffer_put(stage->pool, old),
		      SAFERRING_REASON_SUPERSEDED, before);
	assert_int_equal(saferring_buffer_valid(stage->pool, current), 1);
	put(stage->pool, current);
}

static void a_handle_of_another_pool_is_refused(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *region =
		make_region(stage->device, REGION_SIZE);
	struct saferring_pool *other = make_pool(region, 0, 0, "other");
	const saferring_buffer buffer = get(other);
	const unsigned int before = reports;

	assert_misuse(saferring_buffer_put(stage->pool, buffer),
		      SAFERRING_REASON_FOREIGN_POOL, before);
	assert_non_null(strstr(last_report.what, "other"));
	assert_null(saferring_buffer_data(stage->pool, buffer));
	assert_int_equal(saferring_buffer_valid(other, buffer), 1);
	put(other, buffer);
	assert_int_equal(saferring_pool_destroy(other), 0);
	drop_region(region);
}

static void a_ring_refuses_pools_that_it_was_not_made_for(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *region =
		make_region(stage->device, REGION_SIZE);
	struct saferring_pool *other = make_pool(region, 0, 0, "other");
	const saferring_buffer buffer = get(other);
	const unsigned int before = reports;

	assert_misuse(saferring_ring_read(stage->ring, 0, buffer, 0, 1, 0, 0),
		      SAFERRING_REASON_FOREIGN_RING, before);
	assert_string_equal(last_report.object, "ring main");
	put(other, buffer);
	assert_int_equal(saferring_pool_destroy(other), 0);
	drop_region(region);
}

static void a_handle_of_a_destroyed_pool_never_comes_to_life(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *region =
		make_region(stage->device, REGION_SIZE);
	struct saferring_pool *pool = make_pool(region, 16, 0, "first");
	const saferring_buffer old = get(pool);
	int round;

	put(pool, old);
	assert_int_equal(saferring_pool_destroy(pool), 0);
	/* So often that its id is given to pools of other shapes again. */
	for (round = 0; round < 3 * SAFERRING_POOLS_MAX; round++) {
		saferring_buffer all[64];
		const size_t count = (size_t)1 << round % 7;
		size_t number;

		pool = make_pool(region, count, 0, "later");
		for (number = 0; number < count; number++) {
			all[number] = get(pool);
			assert_true(all[number].word != old.word);
		}
		assert_int_equal(saferring_buffer_valid(pool, old), 0);
		for (number = 0; number < count; number++)
			put(pool, all[number]);
		assert_int_equal(saferring_pool_destroy(pool), 0);
	}
	drop_region(region);
}

static void the_handle_of_no_buffer_is_refused(void **state)
{
	struct stage *stage = *state;
	const unsigned int before = reports;

	assert_misuse(saferring_buffer_put(stage->pool, SAFERRING_BUFFER_NONE),
		      SAFERRING_REASON_GARBAGE, before);
	assert_misuse(saferring_ring_write(stage->ring, 1,
					   SAFERRING_BUFFER_NONE, 0, 1, 0, 0),
		      SAFERRING_REASON_GARBAGE, before + 1);
	assert_int_equal(saferring_buffer_valid(stage->pool,
						SAFERRING_BUFFER_NONE),
			 0);
}

/* A generator of its own, so that a failure can be repeated. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void garbage_handles_are_refused_by_the_thousands(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer good = get(stage->pool);
	uint64_t seed = 0x5af3;
	int round;

	for (round = 0; round < 20000; round++) {
		saferring_buffer bad = { .word = next_random(&seed) };

		/* Half of them with the pool's own id. */
		if (round & 1)
			bad.word = (bad.word >> 8) |
				   (good.word & 0xff00000000000000);
		if (bad.word == good.word)
			continue;
		assert_null(saferring_buffer_data(stage->pool, bad));
		assert_int_equal(saferring_buffer_put(stage->pool, bad),
				 -ESTALE);
		assert_int_equal(saferring_ring_read(stage->ring, 0, bad, 0, 1,
						     0, 0),
				 -ESTALE);
	}
	assert_int_equal(saferring_buffer_valid(stage->pool, good), 1);
	put(stage->pool, good);
}

/* Neither one bit nor two, whichever buffers are free, held or in flight. */
static void assert_no_flip_is_good(struct stage *stage, saferring_buffer from)
{
	unsigned int one, two;

	for (one = 0; one < 64; one++) {
		for (two = one; two < 64; two++) {
			const saferring_buffer bad = {
				.word = from.word ^ (uint64_t)1 << one ^
					(uint64_t)(one != two) << two
			};

			assert_int_equal(saferring_buffer_valid(stage->pool,
								bad),
					 0);
		}
	}
}

static void no_flipped_bits_make_another_good_handle(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer good = get(stage->pool);
	struct flight flight;

	assert_no_flip_is_good(stage, good);
	put(stage->pool, good);
	assert_no_flip_is_good(stage, good);
	take_off(stage, &flight);
	assert_no_flip_is_good(stage, flight.buffer);
	put(stage->pool, land(stage, &flight).buffer);
}

/* Every word with this index, state and any of the last generations. */
static void assert_no_word_is_good(struct saferring_pool *pool,
				   saferring_buffer known, uint64_t index)
{
	const struct saferring_pool_fast *fast = (const void *)pool;
	uint64_t state, generation;

	for (state = 0; state < 8; state++) {
		for (generation = 0; generation < 8; generation++) {
			const saferring_buffer bad = {
				.word = (known.word & ~(fast->mask | 7)) +
					fast->step * 3 -
					fast->step * generation +
					(index << 3 | state)
			};

			assert_int_equal(saferring_buffer_valid(pool, bad), 0);
		}
	}
}

static void no_word_at_all_reaches_a_buffer_that_is_free(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer held = get(stage->pool);
	const size_t count = REGION_SIZE / BUFFER_SIZE;
	size_t index;

	/* Some have changed hands, some have not. */
	for (index = 0; index < 3; index++)
		put(stage->pool, get(stage->pool));
	for (index = 0; index < count; index++)
		if (index != saferring_buffer_index(stage->pool, held))
			assert_no_word_is_good(stage->pool, held, index);
	put(stage->pool, held);
	assert_no_word_is_good(stage->pool, held,
			       saferring_buffer_index(stage->pool, held));
}

static void no_word_at_all_reaches_a_buffer_in_flight(void **state)
{
	struct stage *stage = *state;
	struct flight flight;

	take_off(stage, &flight);
	assert_no_word_is_good(stage->pool, flight.buffer,
			       saferring_buffer_index(stage->pool,
						      flight.buffer));
	put(stage->pool, land(stage, &flight).buffer);
}

static void the_only_buffer_of_a_pool_is_as_safe(void **state)
{
	struct stage *stage = stage_up(1, 8, 0);
	const saferring_buffer only = get(stage->pool);

	(void)state;
	put(stage->pool, only);
	assert_no_flip_is_good(stage, only);
	assert_no_word_is_good(stage->pool, only, 0);
	assert_no_word_is_good(stage->pool, only, 1);
	stage_down(stage);
}

static void the_handle_that_get_will_issue_is_garbage_before(void **state)
{
	struct stage *stage = *state;
	const unsigned int before = reports;
	const saferring_buffer next = get(stage->pool);
	struct saferring_pool_fast *fast = (void *)stage->pool;
	const saferring_buffer after = { .word = next.word + fast->step };

	put(stage->pool, next);
	assert_misuse(saferring_buffer_put(stage->pool, after),
		      SAFERRING_REASON_GARBAGE, before);
	assert_int_equal(get(stage->pool).word, after.word);
	put(stage->pool, after);
}

static void every_misuse_report_has_a_cause_and_a_cure(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer buffer = get(stage->pool);
	struct flight flight;
	char text[1024];

#define EXPECT(call, its_reason, its_text)                                     \
	do {                                                                   \
		assert_int_equal(call, -ESTALE);                               \
		assert_int_equal(last_report.reason, its_reason);              \
		assert_string_not_equal(last_report.what, "");                 \
		assert_string_not_equal(last_report.cure, "");                 \
		saferring_error_text(&last_report, text, sizeof(text));        \
		if (!strstr(text, its_text))                                   \
			fail_msg("%s lacks: %s", text, its_text);              \
	} while (0)
	put(stage->pool, buffer);
	EXPECT(saferring_buffer_put(stage->pool, buffer),
	       SAFERRING_REASON_DOUBLE_PUT, "back in its pool already; now free");
	EXPECT(saferring_ring_read(stage->ring, 0, buffer, 0, 1, 0, 0),
	       SAFERRING_REASON_USE_AFTER_PUT, "went back to its pool; now free");
	take_off(stage, &flight);
	EXPECT(saferring_buffer_put(stage->pool, flight.buffer),
	       SAFERRING_REASON_PUT_IN_FLIGHT, "put the handle that the");
	EXPECT(saferring_ring_read(stage->ring, 0, flight.buffer, 0, 1, 0, 0),
	       SAFERRING_REASON_DOUBLE_SUBMIT, "under way; now in flight");
	EXPECT(saferring_buffer_put(stage->pool, buffer),
	       SAFERRING_REASON_SUPERSEDED, "changed hands 1 times since");
	EXPECT(saferring_buffer_put(stage->pool, SAFERRING_BUFFER_NONE),
	       SAFERRING_REASON_GARBAGE, "stands for no buffer");
	put(stage->pool, land(stage, &flight).buffer);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_int_equal(saferring_region_revoke(stage->region), 0);
	EXPECT(saferring_buffer_put(stage->pool, buffer),
	       SAFERRING_REASON_REGION_GONE, "now without memory");
#undef EXPECT
}

static void a_misuse_changes_nothing(void **state)
{
	struct stage *stage = *state;
	struct saferring_pool_stats before = { .size = sizeof(before) };
	struct saferring_pool_stats after = { .size = sizeof(after) };
	const saferring_buffer buffer = get(stage->pool);

	put(stage->pool, buffer);
	assert_int_equal(saferring_pool_stats(stage->pool, &before), 0);
	assert_int_equal(saferring_buffer_put(stage->pool, buffer), -ESTALE);
	assert_int_equal(saferring_ring_read(stage->ring, 0, buffer, 0, 1, 0,
					     0),
			 -ESTALE);
	assert_int_equal(saferring_pool_stats(stage->pool, &after), 0);
	assert_int_equal(after.misuses, before.misuses + 2);
	after.misuses = before.misuses;
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(saferring_ring_submit(stage->ring), 0);
}

static void buffers_do_not_overlap(void **state)
{
	struct stage *stage = *state;
	const size_t count = REGION_SIZE / BUFFER_SIZE;
	saferring_buffer *all = calloc(count, sizeof(*all));
	unsigned char *first = saferring_region_address(stage->region);
	size_t number;

	assert_non_null(all);
	for (number = 0; number < count; number++) {
		unsigned char *data;

		all[number] = get(stage->pool);
		data = saferring_buffer_data(stage->pool, all[number]);
		assert_true(data >= first);
		assert_true(data + BUFFER_SIZE <= first + REGION_SIZE);
		assert_int_equal((uintptr_t)data % BUFFER_SIZE, 0);
		memset(data, (int)(number & 0xff), BUFFER_SIZE);
		memcpy(data, &number, sizeof(number));
	}
	for (number = 0; number < count; number++) {
		const unsigned char *data =
			saferring_buffer_data(stage->pool, all[number]);

		assert_memory_equal(data, &number, sizeof(number));
		assert_int_equal(data[BUFFER_SIZE - 1], number & 0xff);
		put(stage->pool, all[number]);
	}
	free(all);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(a_fresh_handle_passes_the_check),
		T(data_after_submit_is_refused),
		T(a_queued_buffer_is_no_longer_the_programs),
		T(a_second_submit_is_refused),
		T(put_of_a_buffer_in_flight_is_refused),
		T(the_report_names_the_operation_that_owns_the_buffer),
		T(the_handle_of_before_the_completion_stays_stale),
		T(a_second_put_is_refused),
		T(data_after_put_is_refused),
		T(submit_after_put_is_refused),
		T(a_put_handle_does_not_reach_the_next_holder),
		T(a_handle_of_another_pool_is_refused),
		T(a_ring_refuses_pools_that_it_was_not_made_for),
		T(a_handle_of_a_destroyed_pool_never_comes_to_life),
		T(the_handle_of_no_buffer_is_refused),
		T(garbage_handles_are_refused_by_the_thousands),
		T(no_flipped_bits_make_another_good_handle),
		T(no_word_at_all_reaches_a_buffer_that_is_free),
		T(no_word_at_all_reaches_a_buffer_in_flight),
		cmocka_unit_test(the_only_buffer_of_a_pool_is_as_safe),
		T(the_handle_that_get_will_issue_is_garbage_before),
		T(every_misuse_report_has_a_cause_and_a_cure),
		T(a_misuse_changes_nothing),
		T(buffers_do_not_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
