// SPDX-License-Identifier: GPL-2.0
/*
 * The laws of adaptation: fed with observations, without a clock, so that a load
 * of any kind is a few lines.
 */
#include "common.h"
#include "../../lib/adapt.h"

#define MS 1000000ULL

/* The same numbers at every run. */
static uint32_t random_below(uint32_t limit)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % limit;
}

/* ---- batch size ---- */

/*
 * A load that brings @brings completions within the bound of the delay. Returns
 * how many of @waits waits ran out of time.
 */
static unsigned int waits(struct sr_batch_law *law, unsigned int brings,
			  unsigned int count)
{
	unsigned int expired = 0;

	while (count--) {
		if (law->now <= brings) {
			sr_batch_law_filled(law);
		} else {
			sr_batch_law_expired(law, law->now);
			expired++;
		}
	}
	return expired;
}

static void a_batch_becomes_what_a_steady_load_brings(void **state)
{
	const unsigned int loads[] = { 2, 5, 16, 60, 200, 255 };
	struct sr_batch_law law;
	unsigned int number, look;

	(void)state;
	for (number = 0; number < sizeof(loads) / sizeof(*loads); number++) {
		const unsigned int brings = loads[number];

		sr_batch_law_begin(&law, 1, 256);
		waits(&law, brings, 2000);
		for (look = 0; look < 1000; look++) {
			waits(&law, brings, 1);
			assert_in_range(law.now, brings / 2,
					brings + brings / 8 + 1);
		}
		/* Few of them are held up to find out whether there is more. */
		assert_in_range(waits(&law, brings, 1000), 0, 80);
	}
}

static void a_batch_becomes_the_most_under_a_load_that_brings_more(void **state)
{
	struct sr_batch_law law;

	(void)state;
	sr_batch_law_begin(&law, 4, 64);
	assert_int_equal(waits(&law, 1000, 1000), 0);
	assert_int_equal(law.now, 64);
	assert_int_equal(sr_batch_law_filled(&law), SR_KEPT);
}

static void a_load_of_one_at_a_time_is_hardly_held_up(void **state)
{
	struct sr_batch_law law;
	unsigned int expired;

	(void)state;
	sr_batch_law_begin(&law, 1, 64);
	/* While it finds out: at 4, 8, 16, ... waits. */
	assert_in_range(waits(&law, 1, 2048), 1, 10);
	expired = waits(&law, 1, 100000);
	assert_in_range(expired, 90, 100);
	assert_in_range(law.now, 1, 2);
}

static void a_batch_returns_after_a_burst(void **state)
{
	struct sr_batch_law law;
	unsigned int burst;

	(void)state;
	sr_batch_law_begin(&law, 1, 64);
	for (burst = 0; burst < 10; burst++) {
		/* Quickly up again, though it was wrong to be there. */
		waits(&law, 64, 400);
		assert_int_equal(law.now, 64);
		assert_int_equal(waits(&law, 1, 6), 6);
		assert_int_equal(law.now, 1);
	}
}

/* One wait in so many takes long for no fault of the load's. */
static void a_stall_now_and_then_keeps_no_batch_small(void **state)
{
	struct sr_batch_law law;
	unsigned int round, sum = 0;

	(void)state;
	sr_batch_law_begin(&law, 1, 64);
	for (round = 0; round < 1000; round++) {
		waits(&law, 1000, 60);
		sum += law.now;
		sr_batch_law_expired(&law, law.now);
	}
	assert_in_range(sum / 1000, 10, 64);
}

static void a_batch_is_halved_from_what_was_waited_for(void **state)
{
	struct sr_batch_law law;

	(void)state;
	sr_batch_law_begin(&law, 1, 64);
	waits(&law, 64, 1000);
	assert_int_equal(sr_batch_law_expired(&law, 8), SR_LOWERED);
	assert_int_equal(law.now, 4);
}

static void a_batch_stays_within_its_bounds(void **state)
{
	const uint32_t bounds[][2] = {
		{ 1, 1 }, { 1, 2 }, { 7, 7 }, { 5, 100 }, { 1, 32768 },
		{ 32768, 32768 }, { 1, UINT32_MAX },
	};
	struct sr_batch_law law;
	unsigned int number, step;

	(void)state;
	for (number = 0; number < sizeof(bounds) / sizeof(*bounds); number++) {
		sr_batch_law_begin(&law, bounds[number][0], bounds[number][1]);
		for (step = 0; step < 20000; step++) {
			const uint32_t before = law.now;
			/* Long runs of either kind, too. */
			const bool fills = random_below(1000) < 998 ?
						   step / 3000 % 2 == 0 :
						   random_below(2);
			const enum sr_step did =
				fills ? sr_batch_law_filled(&law) :
					sr_batch_law_expired(
						&law,
						random_below(law.now) + 1);

			assert_in_range(law.now, law.min, law.max);
			assert_int_equal(did == SR_RAISED, law.now > before);
			assert_int_equal(did == SR_LOWERED, law.now < before);
			assert_in_range(law.patience, SR_PATIENCE_MIN,
					SR_PATIENCE_MAX);
		}
	}
}

/* ---- busy polling ---- */

#define LONGEST 50000U

static void busy(struct sr_busy_law *law, uint64_t waited_ns,
		 unsigned int count)
{
	while (count--)
		sr_busy_law_waited(law, waited_ns);
}

static void polling_becomes_long_enough_for_short_waits(void **state)
{
	const uint64_t waits[] = { 1, 3000, 20000, 49999, LONGEST };
	struct sr_busy_law law;
	unsigned int number;

	(void)state;
	for (number = 0; number < 5; number++) {
		sr_busy_law_begin(&law, 0, LONGEST);
		assert_int_equal(law.now, 0);
		busy(&law, waits[number], 20);
		assert_in_range(law.now, waits[number], LONGEST);
		/* And no longer than twice that, or the first step. */
		assert_true(law.now <= 2 * waits[number] ||
			    law.now == LONGEST / 16);
		assert_int_equal(sr_busy_law_waited(&law, waits[number]),
				 SR_KEPT);
	}
}

static void polling_ends_when_waits_are_long(void **state)
{
	const uint64_t waits[] = { LONGEST + 1, MS, UINT64_MAX };
	struct sr_busy_law law;
	unsigned int number;

	(void)state;
	for (number = 0; number < 3; number++) {
		sr_busy_law_begin(&law, 0, LONGEST);
		busy(&law, LONGEST, 20);
		assert_int_equal(law.now, LONGEST);
		busy(&law, waits[number], 20);
		assert_int_equal(law.now, 0);
		busy(&law, waits[number], 1000);
		assert_int_equal(law.now, 0);
	}
}

static void one_odd_wait_changes_nothing(void **state)
{
	struct sr_busy_law law;
	unsigned int round;

	(void)state;
	sr_busy_law_begin(&law, 0, LONGEST);
	busy(&law, 20000, 50);
	for (round = 0; round < 100; round++) {
		const uint32_t before = law.now;

		assert_int_equal(sr_busy_law_waited(&law, MS), SR_KEPT);
		busy(&law, 20000, 9);
		assert_int_equal(law.now, before);
	}
	busy(&law, MS, 50);
	for (round = 0; round < 100; round++) {
		assert_int_equal(sr_busy_law_waited(&law, 20000), SR_KEPT);
		busy(&law, MS, 9);
		assert_int_equal(law.now, 0);
	}
}

static void a_load_of_both_kinds_has_it_stand_still(void **state)
{
	struct sr_busy_law law;
	unsigned int round, start;

	(void)state;
	for (start = 0; start < 2; start++) {
		uint32_t before;

		sr_busy_law_begin(&law, 0, LONGEST);
		busy(&law, start ? 20000 : MS, 50);
		for (round = 0; round < 50; round++) {
			busy(&law, MS, 1);
			busy(&law, 20000, 1);
		}
		before = law.now;
		for (round = 0; round < 1000; round++) {
			busy(&law, MS, 1);
			busy(&law, 20000, 1);
			assert_int_equal(law.now, before);
		}
	}
}

static void polling_makes_room_for_others_on_its_cpu(void **state)
{
	struct sr_busy_law law;
	unsigned int pause;

	(void)state;
	sr_busy_law_begin(&law, 1000, LONGEST);
	/* Ever more seldom, as long as somebody is there. */
	for (pause = SR_PAUSE_MIN; pause < 4 * SR_PAUSE_MAX; pause *= 2) {
		const unsigned int waits = SR_MIN(pause, SR_PAUSE_MAX);

		while (law.now < LONGEST)
			busy(&law, LONGEST, 1);
		assert_int_equal(sr_busy_law_crowded(&law), SR_LOWERED);
		assert_int_equal(law.now, 1000);
		busy(&law, LONGEST, waits);
		assert_int_equal(law.now, 1000);
	}
	/* And soon again when nobody is. */
	busy(&law, LONGEST, 1000);
	assert_int_equal(law.now, LONGEST);
	sr_busy_law_crowded(&law);
	busy(&law, LONGEST, SR_PAUSE_MIN + 20);
	assert_int_equal(law.now, LONGEST);
	sr_busy_law_crowded(&law);
	assert_int_equal(sr_busy_law_crowded(&law), SR_KEPT);
}

static void polling_stays_within_its_bounds(void **state)
{
	const uint32_t bounds[][2] = {
		{ 0, 1 }, { 1, 1 }, { 0, 15 }, { 100, 50000 }, { 40000, 50000 },
		{ 50000, 50000 }, { 0, UINT32_MAX }, { UINT32_MAX, UINT32_MAX },
	};
	struct sr_busy_law law;
	unsigned int number, step;

	(void)state;
	for (number = 0; number < sizeof(bounds) / sizeof(*bounds); number++) {
		sr_busy_law_begin(&law, bounds[number][0], bounds[number][1]);
		for (step = 0; step < 20000; step++) {
			const uint32_t before = law.now;
			const uint64_t waited =
				step / 2000 % 2 ? random_below(100000) :
				random_below(2) ? law.max :
						  (uint64_t)law.max + 1;
			const enum sr_step did =
				random_below(20) ?
					sr_busy_law_waited(&law, waited) :
					sr_busy_law_crowded(&law);

			assert_in_range(law.now, law.min, law.max);
			assert_int_equal(did == SR_RAISED, law.now > before);
			assert_int_equal(did == SR_LOWERED, law.now < before);
			assert_in_range(law.share, 0, SR_SHARE + 8);
			assert_in_range(law.pause, SR_PAUSE_MIN, SR_PAUSE_MAX);
		}
	}
}

/* ---- cache depth ---- */

/* A cache that is refilled or spilled each @every_ns, @count times. */
static void misses(struct sr_cache_law *law, uint64_t *now, uint64_t every_ns,
		   unsigned int count, uint64_t stored)
{
	while (count--) {
		*now += every_ns;
		sr_cache_law_missed(law, *now, stored);
	}
}

static void a_cache_that_is_filled_all_the_time_becomes_deeper(void **state)
{
	struct sr_cache_law law;
	uint64_t now = 5 * MS;

	(void)state;
	sr_cache_law_begin(&law, 4, 300, 8, now);
	misses(&law, &now, 1000, 1000, 10000);
	assert_int_equal(law.now, 12);
	misses(&law, &now, 1000, 20000, 10000);
	assert_int_equal(law.now, 300);
}

static void it_does_not_at_the_cost_of_others(void **state)
{
	struct sr_cache_law law;
	uint64_t now = 0;

	(void)state;
	sr_cache_law_begin(&law, 4, 300, 8, now);
	misses(&law, &now, 1000, 20000, 0);
	assert_int_equal(law.now, 8);
	misses(&law, &now, 1000, 20000, 17);
	assert_int_equal(law.now, 12);
	misses(&law, &now, 1000, 20000, 18);
	assert_int_equal(law.now, 18);
}

static void a_cache_that_is_hardly_used_becomes_less_deep(void **state)
{
	struct sr_cache_law law;
	uint64_t now = 0;

	(void)state;
	sr_cache_law_begin(&law, 4, 300, 300, now);
	misses(&law, &now, 100 * MS, 3, 10000);
	assert_int_equal(law.now, 37);
	misses(&law, &now, 100 * MS, 10, 10000);
	assert_int_equal(law.now, 4);
}

static void between_busy_and_quiet_it_stays(void **state)
{
	const uint64_t every[] = { MS / SR_CACHE_BUSY, MS / 2, MS,
				   SR_CACHE_QUIET * MS };
	struct sr_cache_law law;
	unsigned int number;
	uint64_t now = 0;

	(void)state;
	for (number = 0; number < 4; number++) {
		sr_cache_law_begin(&law, 4, 300, 50, now);
		misses(&law, &now, every[number], 10000, 10000);
		assert_int_equal(law.now, 50);
	}
	/* One step beyond. */
	sr_cache_law_begin(&law, 4, 300, 50, now);
	misses(&law, &now, MS / (SR_CACHE_BUSY + 2), 100, 10000);
	assert_true(law.now > 50);
	sr_cache_law_begin(&law, 4, 300, 50, now);
	misses(&law, &now, (SR_CACHE_QUIET + 1) * MS, 1, 10000);
	assert_int_equal(law.now, 25);
}

/*
 * A thread that gets @swing buffers and puts them again, each @every_ns: as long
 * as its cache is no deeper it misses, and then never again.
 */
static void a_cache_becomes_as_deep_as_a_swing_and_stays(void **state)
{
	const uint32_t swing = 100;
	struct sr_cache_law law;
	uint32_t settled;
	uint64_t now = 0;
	unsigned int round;

	(void)state;
	sr_cache_law_begin(&law, 4, 448, 4, now);
	for (round = 0; round < 10000; round++) {
		const uint32_t each = SR_MAX(law.now / 2, 1);

		if (law.now < swing)
			misses(&law, &now, 1000, 2 * swing / each, 10000);
		else
			now += 10000;
	}
	settled = law.now;
	assert_in_range(settled, swing, swing + swing / 2);
}

static void what_others_ask_for_is_given_back_at_once(void **state)
{
	struct sr_cache_law law;

	(void)state;
	sr_cache_law_begin(&law, 3, 300, 300, 0);
	assert_int_equal(sr_cache_law_asked(&law, 1), SR_LOWERED);
	assert_int_equal(law.now, 150);
	while (sr_cache_law_asked(&law, 2) == SR_LOWERED)
		;
	assert_int_equal(law.now, 3);
}

static void a_cache_stays_within_its_bounds(void **state)
{
	const uint32_t bounds[][3] = {
		{ 1, 1, 1 }, { 1, 2, 1 }, { 8, 8, 8 }, { 3, 448, 100 },
		{ 448, 448, 448 }, { 1, UINT32_MAX, 5 },
	};
	struct sr_cache_law law;
	unsigned int number, step;

	(void)state;
	for (number = 0; number < sizeof(bounds) / sizeof(*bounds); number++) {
		uint64_t now = 1000 * MS;

		sr_cache_law_begin(&law, bounds[number][0], bounds[number][1],
				   bounds[number][2], now);
		for (step = 0; step < 20000; step++) {
			const uint32_t before = law.now;
			enum sr_step did;

			/* Also a clock that goes back. */
			now += random_below(step / 4000 % 2 ? 100 : 60000000);
			now -= random_below(100);
			did = random_below(50) ?
				      sr_cache_law_missed(&law, now,
							  random_below(2000)) :
				      sr_cache_law_asked(&law, now);
			assert_in_range(law.now, law.min, law.max);
			assert_int_equal(did == SR_RAISED, law.now > before);
			assert_int_equal(did == SR_LOWERED, law.now < before);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_becomes_what_a_steady_load_brings),
		cmocka_unit_test(a_batch_becomes_the_most_under_a_load_that_brings_more),
		cmocka_unit_test(a_load_of_one_at_a_time_is_hardly_held_up),
		cmocka_unit_test(a_batch_returns_after_a_burst),
		cmocka_unit_test(a_stall_now_and_then_keeps_no_batch_small),
		cmocka_unit_test(a_batch_is_halved_from_what_was_waited_for),
		cmocka_unit_test(a_batch_stays_within_its_bounds),
		cmocka_unit_test(polling_becomes_long_enough_for_short_waits),
		cmocka_unit_test(polling_ends_when_waits_are_long),
		cmocka_unit_test(one_odd_wait_changes_nothing),
		cmocka_unit_test(a_load_of_both_kinds_has_it_stand_still),
		cmocka_unit_test(polling_makes_room_for_others_on_its_cpu),
		cmocka_unit_test(polling_stays_within_its_bounds),
		cmocka_unit_test(a_cache_that_is_filled_all_the_time_becomes_deeper),
		cmocka_unit_test(it_does_not_at_the_cost_of_others),
		cmocka_unit_test(a_cache_that_is_hardly_used_becomes_less_deep),
		cmocka_unit_test(between_busy_and_quiet_it_stays),
		cmocka_unit_test(a_cache_becomes_as_deep_as_a_swing_and_stays),
		cmocka_unit_test(what_others_ask_for_is_given_back_at_once),
		cmocka_unit_test(a_cache_stays_within_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
