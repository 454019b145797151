// SPDX-License-Identifier: GPL-2.0
/*
 * Ownership: a handle passes the check only while its holder owns the buffer.
 */
#include "unit.h"

static int put(struct world *w, saferring_buffer buffer)
{
	return saferring_buffer_put(w->pool, buffer);
}

static void a_buffer_that_was_got_can_be_used_and_put(void **state)
{
	struct world *w = *state;
	saferring_buffer buffer = world_get(w);
	char *data = saferring_buffer_data(w->pool, buffer);

	assert_non_null(data);
	memset(data, 1, BUFFER_SIZE);
	assert_int_equal(1, saferring_buffer_valid(w->pool, buffer));
	assert_int_equal(SAFERRING_OWNER_USER,
			 saferring_buffer_owner(w->pool, buffer));
	assert_int_equal(0, put(w, buffer));
	assert_int_equal(SAFERRING_OWNER_FREE,
			 saferring_buffer_owner(w->pool, buffer));
	assert_int_equal(0, w->reports);
}

static void use_after_put_is_refused(void **state)
{
	struct world *w = *state;
	saferring_buffer buffer = world_get(w);

	assert_int_equal(0, put(w, buffer));
	assert_null(saferring_buffer_data(w->pool, buffer));
	assert_misuse(w, SAFERRING_REASON_USE_AFTER_PUT);
}

static void a_second_put_is_refused(void **state)
{
	struct world *w = *state;
	saferring_buffer buffer = world_get(w);

	assert_int_equal(0, put(w, buffer));
	assert_int_equal(-ESTALE, put(w, buffer));
	assert_misuse(w, SAFERRING_REASON_DOUBLE_PUT);
	assert_int_equal(1, w->reports);
}

static void an_old_handle_is_refused_after_the_buffer_was_got_again(void **state)
{
	struct world *w = *state;
	saferring_buffer old = world_get(w), new;

	assert_int_equal(0, put(w, old));
	new = world_get(w);
	assert_int_equal(saferring_buffer_index(w->pool, old),
			 saferring_buffer_index(w->pool, new));
	assert_int_equal(-ESTALE, put(w, old));
	assert_misuse(w, SAFERRING_REASON_SUPERSEDED);
	assert_int_equal(0, put(w, new));
}

static void use_after_submit_is_refused(void **state)
{
	struct world *w = *state;
	int fds[2];
	saferring_buffer buffer = world_get_in_flight(w, fds);

	assert_null(saferring_buffer_data(w->pool, buffer));
	assert_misuse(w, SAFERRING_REASON_USE_AFTER_SUBMIT);
	assert_int_equal(-ESTALE, put(w, buffer));
	assert_misuse(w, SAFERRING_REASON_PUT_IN_FLIGHT);
	assert_non_null(strstr(saferring_error_last()->owner_detail,
			       "READ of 4096 bytes by ring unit"));
	close(fds[1]);
	assert_int_equal(0, put(w, world_complete(w).buffer));
	close(fds[0]);
}

static void a_second_submit_is_refused(void **state)
{
	struct world *w = *state;
	int fds[2];
	saferring_buffer buffer = world_get_in_flight(w, fds);

	assert_int_equal(-ESTALE,
			 saferring_ring_write(w->ring, fds[1], buffer, 0, 1,
					      -1, 0));
	assert_misuse(w, SAFERRING_REASON_DOUBLE_SUBMIT);
	close(fds[1]);
	assert_int_equal(0, put(w, world_complete(w).buffer));
	close(fds[0]);
}

static void a_completion_brings_a_fresh_handle_and_the_old_one_stays_stale(void **state)
{
	struct world *w = *state;
	struct saferring_completion done;
	saferring_buffer old;
	int fds[2];

	old = world_get_in_flight(w, fds);
	assert_int_equal(3, write(fds[1], "abc", 3));
	done = world_complete(w);
	assert_int_equal(3, done.result);
	assert_int_equal(SAFERRING_COMPLETION_SHORT, done.flags);
	assert_memory_equal("abc", saferring_buffer_data(w->pool, done.buffer),
			    3);
	assert_null(saferring_buffer_data(w->pool, old));
	assert_misuse(w, SAFERRING_REASON_SUPERSEDED);
	assert_int_equal(0, put(w, done.buffer));
	close(fds[0]);
	close(fds[1]);
}

static void a_handle_of_another_pool_is_refused(void **state)
{
	struct saferring_region_options memory = { .size = sizeof(memory),
						   .length = 65536 };
	struct saferring_pool_options cut = { .size = sizeof(cut),
					      .buffer_size = 4096 };
	struct world *w = *state;
	struct saferring_region *region;
	struct saferring_pool *other;
	saferring_buffer foreign;

	assert_int_equal(0, saferring_region_create(w->device, &memory,
						    &region));
	assert_int_equal(0, saferring_pool_create(&region, 1, &cut, &other));
	assert_int_equal(0, saferring_buffer_get(other, &foreign));
	assert_null(saferring_buffer_data(w->pool, foreign));
	assert_misuse(w, SAFERRING_REASON_FOREIGN_POOL);
	assert_int_equal(-ESTALE, put(w, foreign));
	assert_int_equal(-ESTALE, saferring_ring_read(w->ring, 0, foreign, 0, 1,
						      0, 0));
	assert_misuse(w, SAFERRING_REASON_FOREIGN_RING);
	assert_int_equal(0, saferring_buffer_put(other, foreign));
	assert_int_equal(0, saferring_pool_destroy(other));
	assert_int_equal(0, saferring_region_destroy(region, 0, 1000));
}

static void garbage_is_refused_and_never_dereferenced(void **state)
{
	struct world *w = *state;
	saferring_buffer held = world_get(w);
	uint64_t seed = 88172645463325252ULL;
	int i;

	for (i = 0; i < 20000; i++) {
		saferring_buffer garbage;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		/*
		 * One bit wrong, but not in the index: the handle that the next
		 * get will issue passes for a free buffer already.
		 */
		garbage.word = i % 3 ? seed : held.word ^ 1ULL << (i % 55 + 9);
		if (i % 3 == 0)
			garbage.word ^= i / 3 % 7 + 1;
		assert_int_equal(0, saferring_buffer_valid(w->pool, garbage));
		assert_int_equal(-ESTALE, put(w, garbage));
	}
	assert_int_equal(-ESTALE, put(w, SAFERRING_BUFFER_NONE));
	assert_misuse(w, SAFERRING_REASON_GARBAGE);
	assert_int_equal(0, put(w, held));
}

static void no_buffer_is_handed_out_twice(void **state)
{
	struct world *w = *state;
	saferring_buffer all[BUFFERS], more;
	bool seen[BUFFERS] = { false };
	int i;

	for (i = 0; i < BUFFERS; i++) {
		all[i] = world_get(w);
		assert_false(seen[saferring_buffer_index(w->pool, all[i])]);
		seen[saferring_buffer_index(w->pool, all[i])] = true;
	}
	assert_int_equal(-ENOBUFS, saferring_buffer_get(w->pool, &more));
	assert_int_equal(SAFERRING_REASON_EXHAUSTED,
			 saferring_error_last()->reason);
	assert_int_equal(1, saferring_buffer_is_none(more));
	for (i = 0; i < BUFFERS; i++)
		assert_int_equal(0, put(w, all[i]));
}

static void handles_of_a_revoked_region_are_refused(void **state)
{
	struct world *w = *state;
	saferring_buffer buffer = world_get(w), more;

	assert_int_equal(0, saferring_region_revoke(w->region));
	assert_null(saferring_buffer_data(w->pool, buffer));
	assert_misuse(w, SAFERRING_REASON_REGION_GONE);
	assert_int_equal(-ESTALE, saferring_ring_read(w->ring, 0, buffer, 0, 1,
						      0, 0));
	assert_int_equal(-ESTALE, saferring_buffer_get(w->pool, &more));
	assert_int_equal(-ESTALE, saferring_region_revoke(w->region));
	assert_null(saferring_region_address(w->region));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_buffer_that_was_got_can_be_used_and_put),
		WORLD_TEST(use_after_put_is_refused),
		WORLD_TEST(a_second_put_is_refused),
		WORLD_TEST(an_old_handle_is_refused_after_the_buffer_was_got_again),
		WORLD_TEST(use_after_submit_is_refused),
		WORLD_TEST(a_second_submit_is_refused),
		WORLD_TEST(a_completion_brings_a_fresh_handle_and_the_old_one_stays_stale),
		WORLD_TEST(a_handle_of_another_pool_is_refused),
		WORLD_TEST(garbage_is_refused_and_never_dereferenced),
		WORLD_TEST(no_buffer_is_handed_out_twice),
		WORLD_TEST(handles_of_a_revoked_region_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
