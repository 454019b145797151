// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Adaptation: the laws. What they are and why is in adapt.h.
 */
#include <stdlib.h>
#include <string.h>
#include "adapt.h"

bool sr_adapt_forbidden(void)
{
	const char *wanted = getenv("SAFERRING_ADAPT");

	return wanted && !strcmp(wanted, "off");
}

/* Bounds hold whatever was asked for: @to lies within them. */
static enum sr_step move(uint32_t *now, uint32_t to)
{
	const uint32_t from = *now;

	*now = to;
	if (to == from)
		return SR_KEPT;
	return to > from ? SR_RAISED : SR_LOWERED;
}

/* ---- batch size ---- */

void sr_batch_law_begin(struct sr_batch_law *law, uint32_t min, uint32_t max)
{
	*law = (struct sr_batch_law){
		.min = min,
		.max = max,
		.now = min,
		.patience = SR_PATIENCE_MIN,
	};
}

enum sr_step sr_batch_law_filled(struct sr_batch_law *law)
{
	const uint32_t more = SR_MAX(law->now / 8, 1);

	if (law->now == law->max || ++law->filled < law->patience)
		return SR_KEPT;
	if (law->climbing)
		law->patience = SR_MAX(law->patience / 2, SR_PATIENCE_MIN);
	law->climbing = true;
	law->filled = 0;
	return move(&law->now,
		    law->max - law->now > more ? law->now + more : law->max);
}

/* Half of what was wanted, which may be less than the figure. */
enum sr_step sr_batch_law_expired(struct sr_batch_law *law, uint32_t wanted)
{
	const uint32_t half = SR_MIN(law->now, wanted) / 2;

	if (law->climbing && !law->filled)
		law->patience = SR_MIN(2 * law->patience, SR_PATIENCE_MAX);
	law->filled = 0;
	law->climbing = false;
	return move(&law->now, SR_MAX(half, law->min));
}

/* ---- busy polling ---- */

void sr_busy_law_begin(struct sr_busy_law *law, uint32_t min, uint32_t max)
{
	*law = (struct sr_busy_law){
		.min = min,
		.max = max,
		.now = min,
		.pause = SR_PAUSE_MIN,
	};
}

/* The least that is worth while; nothing lies between it and @min. */
static uint32_t first_step(const struct sr_busy_law *law)
{
	return SR_MAX(SR_MAX(law->max / 16, 1), law->min);
}

static enum sr_step poll_longer(struct sr_busy_law *law)
{
	const uint32_t room = law->max - law->now;
	const uint32_t to = room > law->now ? 2 * law->now : law->max;

	return move(&law->now, SR_MAX(to, first_step(law)));
}

static enum sr_step poll_less(struct sr_busy_law *law)
{
	const uint32_t to = law->now / 2;

	return move(&law->now, to < first_step(law) ? law->min : to);
}

enum sr_step sr_busy_law_waited(struct sr_busy_law *law, uint64_t waited_ns)
{
	const bool near = waited_ns <= law->max;

	law->share -= law->share / 8;
	if (near)
		law->share += SR_SHARE / 8;
	if (law->left) {
		law->left--;
		return SR_KEPT;
	}
	if (waited_ns <= law->now) {
		if (!(++law->paid % SR_PAUSE_PAID))
			law->pause = SR_MAX(law->pause / 2, SR_PAUSE_MIN);
		return SR_KEPT;
	}
	if (near)
		return law->share > SR_SHARE_RAISE ? poll_longer(law) : SR_KEPT;
	return law->share < SR_SHARE_LOWER ? poll_less(law) : SR_KEPT;
}

enum sr_step sr_busy_law_crowded(struct sr_busy_law *law)
{
	law->left = law->pause;
	law->pause = SR_MIN(2 * law->pause, SR_PAUSE_MAX);
	return move(&law->now, law->min);
}

/* ---- cache depth ---- */

void sr_cache_law_begin(struct sr_cache_law *law, uint32_t min, uint32_t max,
			uint32_t now, uint64_t now_ns)
{
	*law = (struct sr_cache_law){
		.min = min,
		.max = max,
		.now = now,
		.since_ns = now_ns,
	};
}

static void begin_window(struct sr_cache_law *law, uint64_t now_ns)
{
	law->events = 0;
	law->since_ns = now_ns;
}

static enum sr_step halve(struct sr_cache_law *law)
{
	return move(&law->now, SR_MAX(law->now / 2, law->min));
}

static enum sr_step deepen(struct sr_cache_law *law, uint64_t stored)
{
	const uint32_t more = SR_MAX(law->now / 2, 1);
	const uint32_t to =
		law->max - law->now > more ? law->now + more : law->max;

	return move(&law->now, stored < to ? law->now : to);
}

enum sr_step sr_cache_law_missed(struct sr_cache_law *law, uint64_t now_ns,
				 uint64_t stored)
{
	const uint64_t window = now_ns - law->since_ns;
	const uint64_t events = ++law->events;

	/* A clock that was read before another thread's is no reason to wait. */
	if (window < SR_CACHE_WINDOW_NS || window > INT64_MAX)
		return SR_KEPT;
	begin_window(law, now_ns);
	if (events > window / SR_CACHE_WINDOW_NS * SR_CACHE_BUSY)
		return deepen(law, stored);
	if (events * SR_CACHE_QUIET < window / SR_CACHE_WINDOW_NS)
		return halve(law);
	return SR_KEPT;
}

enum sr_step sr_cache_law_asked(struct sr_cache_law *law, uint64_t now_ns)
{
	begin_window(law, now_ns);
	return halve(law);
}
