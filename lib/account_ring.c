// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Account of a ring: its metrics, and the latency of its operations.
 *
 * The clock is read once for each batch that is submitted and once for each
 * that is reaped, so that a latency is the time from one to the other.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "account.h"
#include "stats.h"

#define WORD(member) ((uint32_t)(offsetof(struct sr_ring_words, member) / 8))

/* ---- names ---- */

/* "SEND_ZC" as send_zc. */
static void lower(char *to, size_t length, const char *name)
{
	size_t at;

	for (at = 0; name[at] && at + 1 < length; at++)
		to[at] = (char)tolower((unsigned char)name[at]);
	to[at] = '\0';
}

/* A word for each kind of operation. */
static int define_by_kind(const char *name, const char *unit, const char *help,
			  uint32_t first)
{
	const int family =
		sr_define_family(SAFERRING_METRIC_COUNTER, name, unit, 0, help);
	struct saferring_label label = { .key = "operation" };
	char operation[32];
	uint32_t kind;
	int error = family;

	for (kind = 0; kind < SAFERRING_OPERATIONS && error >= 0; kind++) {
		if (!sr_kinds[kind].name)
			continue;
		lower(operation, sizeof(operation), sr_kinds[kind].name);
		label.value = operation;
		error = sr_define_series(family, SR_GROUP_RING, first + kind,
					 true, &label, 1);
	}
	return error;
}

static int define_kinds(void)
{
	int error = define_by_kind("operations_queued", "",
				   "Operations that a ring has accepted",
				   WORD(queued));

	if (error >= 0)
		error = define_by_kind("operations_completed", "",
				       "Completions handed out", WORD(done));
	if (error >= 0)
		error = define_by_kind("transferred_bytes", "bytes",
				       "Bytes that operations have moved",
				       WORD(bytes));
	if (error >= 0)
		error = define_by_kind("operations_failed", "",
				       "Operations that ended with an error",
				       WORD(failed));
	if (error >= 0)
		error = define_by_kind("operations_cancelled", "",
				       "Operations that were cancelled",
				       WORD(cancelled));
	if (error >= 0)
		error = define_by_kind(
			"operations_short", "",
			"Operations that moved less than was asked for",
			WORD(shorts));
	return error;
}

static int define_errors(void)
{
	const int family = sr_define_family(
		SAFERRING_METRIC_COUNTER, "errors", "", 0,
		"Operations that ended with an error, by its number");
	struct saferring_label label = { .key = "errno" };
	char number[16];
	int code, error = family;

	for (code = 1; code < SR_ERRNOS && error >= 0; code++) {
		snprintf(number, sizeof(number), "%d", code);
		label.value = strerrorname_np(code);
		if (!label.value)
			label.value = number;
		error = sr_define_series(family, SR_GROUP_RING,
					 WORD(error) + (uint32_t)code, true,
					 &label, 1);
	}
	return error;
}

static int define_totals(void)
{
	static const struct {
		const char *name;
		const char *help;
		uint32_t word;
	} totals[] = {
		{ "ring_submitted", "Operations that the kernel has taken",
		  WORD(stats.submitted) },
		{ "ring_enters", "System calls made to submit or to wait",
		  WORD(stats.enters) },
		{ "ring_withdrawn",
		  "Operations taken back before the kernel saw them",
		  WORD(stats.withdrawn) },
		{ "ring_misuses", "Stale handles that a ring has refused",
		  WORD(stats.misuses) },
		{ "ring_refused", "Other requests that a ring has refused",
		  WORD(stats.refused) },
		{ "ring_region_gone",
		  "Operations that ended in a region freed meanwhile",
		  WORD(stats.region_gone) },
		{ "ring_foreign", "Completions that a ring never asked for",
		  WORD(stats.foreign) },
	};
	size_t number;
	int error = 0;

	for (number = 0;
	     number < sizeof(totals) / sizeof(*totals) && error >= 0; number++)
		error = sr_define_series(
			sr_define_family(SAFERRING_METRIC_COUNTER,
					 totals[number].name, "", 0,
					 totals[number].help),
			SR_GROUP_RING, totals[number].word, false, NULL, 0);
	return error;
}

/* Decisions about what of a ring follows the load. */
static int define_decisions(void)
{
	static const struct sr_decision decisions[] = {
		{ "batch", "raise", "filled", WORD(batch_raised) },
		{ "batch", "lower", "expired", WORD(batch_lowered) },
		{ "busy", "raise", "near", WORD(busy_raised) },
		{ "busy", "lower", "far", WORD(busy_lowered) },
		{ "busy", "lower", "crowded", WORD(busy_crowded) },
	};

	return sr_define_decisions("ring_adaptations",
				   "Times that something of a ring followed the load",
				   SR_GROUP_RING, decisions,
				   sizeof(decisions) / sizeof(*decisions));
}

static int define_polls(void)
{
	const int family = sr_define_family(
		SAFERRING_METRIC_COUNTER, "ring_busy_polls", "", 0,
		"Waits that looked for completions before they slept");
	int error = sr_define_series(
		family, SR_GROUP_RING, WORD(busy_paid), true,
		&(struct saferring_label){ "outcome", "paid" }, 1);

	if (error < 0)
		return error;
	return sr_define_series(
		family, SR_GROUP_RING, WORD(busy_vain), true,
		&(struct saferring_label){ "outcome", "vain" }, 1);
}

/* What follows the load, as it is now. */
static int define_adapted(void)
{
	int error = sr_define_series(
		sr_define_family(SAFERRING_METRIC_GAUGE, "ring_batch", "", 0,
				 "Completions that a wait gathers"),
		SR_GROUP_RING, WORD(batch), true, NULL, 0);

	if (error >= 0)
		error = sr_define_series(
			sr_define_family(SAFERRING_METRIC_GAUGE,
					 "ring_busy_poll_seconds", "seconds",
					 -9,
					 "How long a wait looks for "
					 "completions before it sleeps"),
			SR_GROUP_RING, WORD(busy_ns), true, NULL, 0);
	if (error >= 0)
		error = define_polls();
	return error < 0 ? error : define_decisions();
}

int sr_account_ring_define(void)
{
	int error;

	sr_group_set_words(SR_GROUP_RING, sizeof(struct sr_ring_words) / 8);
	sr_group_set_words(SR_GROUP_LATENCY, SR_HISTOGRAM_WORDS);
	error = define_kinds();
	if (error >= 0)
		error = define_errors();
	if (error >= 0)
		error = define_totals();
	if (error >= 0)
		error = sr_define_series(
			sr_define_family(SAFERRING_METRIC_GAUGE, "ring_depth",
					 "", 0,
					 "Operations that a ring can hold"),
			SR_GROUP_RING, WORD(depth), true, NULL, 0);
	if (error >= 0)
		error = sr_define_series(
			sr_define_family(SAFERRING_METRIC_GAUGE,
					 "ring_in_flight", "", 0,
					 "Operations that the kernel has, as "
					 "of the ring's last call"),
			SR_GROUP_RING, WORD(in_flight), true, NULL, 0);
	if (error >= 0)
		error = define_adapted();
	if (error >= 0)
		error = sr_define_series(
			sr_define_family(SAFERRING_METRIC_HISTOGRAM,
					 "operation_latency_seconds", "seconds",
					 -9,
					 "From submitting a batch to reaping "
					 "the operation's last completion"),
			SR_GROUP_LATENCY, 0, false, NULL, 0);
	return error;
}

/* ---- coming and going ---- */

static void take_blocks(struct saferring_ring *ring, bool latency)
{
	char labels[sizeof(((struct saferring_segment_block *)0)->labels)];
	const struct saferring_label label = { "ring", ring->name };

	sr_labels_write(labels, sizeof(labels), &label, 1);
	if (sr_arena_lock())
		return;
	ring->words = (void *)sr_block_take(SR_GROUP_RING, labels, false);
	if (latency)
		ring->latency =
			(void *)sr_block_take(SR_GROUP_LATENCY, labels, false);
	sr_arena_unlock();
}

#define LOT_BYTES (sizeof(uint64_t) + sizeof(uint16_t) + sizeof(uint8_t))

/* Without a place in the arena there is nothing to be measured. */
static bool allocate_lots(struct saferring_ring *ring)
{
	if (!ring->latency)
		return true;
	ring->lots = 2 * ring->depth;
	ring->stamp = calloc(ring->lots, sizeof(*ring->stamp));
	ring->free_lot = calloc(ring->lots, sizeof(*ring->free_lot));
	ring->lot_used = calloc(ring->lots, sizeof(*ring->lot_used));
	return ring->stamp && ring->free_lot && ring->lot_used;
}

int sr_account_ring(struct saferring_ring *ring, bool latency)
{
	take_blocks(ring, latency);
	ring->counted = ring->words;
	if (!ring->words)
		ring->words = calloc(1, sizeof(*ring->words));
	if (!ring->words)
		return sr_fail_memory("ring_create", sizeof(*ring->words));
	if (latency && !allocate_lots(ring))
		return sr_fail_memory("ring_create", LOT_BYTES * ring->lots);
	ring->stats = &ring->words->stats;
	saferring_word_set(&ring->words->depth, ring->depth);
	return 0;
}

void sr_account_ring_gone(struct saferring_ring *ring)
{
	free(ring->stamp);
	free(ring->free_lot);
	free(ring->lot_used);
	if (!ring->counted) {
		free(ring->words);
		return;
	}
	sr_account_taken(ring);
	if (sr_arena_lock())
		return;
	sr_block_fold((uint64_t *)ring->words, "ring");
	if (ring->latency)
		sr_block_fold((uint64_t *)ring->latency, "ring");
	sr_arena_unlock();
}

/* ---- operations ---- */

void sr_account_incomplete(struct sr_ring_words *words, unsigned int kind,
			   int32_t result)
{
	if (result >= 0) {
		saferring_word_add(&words->shorts[kind], 1);
		return;
	}
	if (result == -ECANCELED) {
		saferring_word_add(&words->cancelled[kind], 1);
		return;
	}
	saferring_word_add(&words->failed[kind], 1);
	if (result > -SR_ERRNOS)
		saferring_word_add(&words->error[-result], 1);
}

/* ---- latencies ---- */

/*
 * What is submitted together is a lot: the lot has the stamp, and each operation
 * the number of its lot. There are twice as many lots as operations, so all the
 * operations are looked at once in as many submissions as there are of them.
 */
static void find_free_lots(struct saferring_ring *ring)
{
	unsigned int number;

	sr_records_settle(ring);
	memset(ring->lot_used, 0, ring->lots);
	for (number = 0; number < ring->depth; number++)
		if (sr_record_in_use(&ring->operation[number]))
			ring->lot_used[ring->operation[number].lot] = 1;
	for (number = 0; number < ring->lots; number++)
		if (!ring->lot_used[number])
			ring->free_lot[ring->free_lots++] = (uint16_t)number;
}

/* What the kernel does not take now keeps its stamp. */
void sr_account_stamp(struct saferring_ring *ring)
{
	ring->stamp[ring->lot] = saferring_clock_ticks();
	if (SAFERRING_UNLIKELY(!ring->free_lots))
		find_free_lots(ring);
	ring->lot = ring->free_lot[--ring->free_lots];
}

void sr_account_latency(struct saferring_ring *ring, unsigned int lot,
			unsigned int count)
{
	if (!ring->reaped_at)
		ring->reaped_at = saferring_clock_ticks();
	saferring_histogram_record_many(
		ring->latency,
		saferring_clock_ns(ring->reaped_at - ring->stamp[lot]), count);
}
