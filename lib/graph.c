// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Graph: which steps of a batch wait for which. Circles are found here, and the
 * chains that the kernel can see to.
 */
#include <errno.h>
#include <stdio.h>
#include "batch.h"

/* ---- cycles ---- */

/* "0 -> 2 -> 0": from the step where the path closes, against its direction. */
static int fail_cycle(const struct saferring_batch *batch, uint32_t from,
		      uint32_t to)
{
	char text[200];
	size_t used = 0;
	uint32_t number;

	used += (size_t)snprintf(text, sizeof(text), "%u", to);
	for (number = from; number != to && used < sizeof(text) - 40;
	     number = batch->step[number].via)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 " -> %u", number);
	snprintf(text + used, sizeof(text) - used, "%s -> %u",
		 number == to ? "" : " -> ...", to);
	return sr_fail(&(struct sr_fault){
			       .code = -ELOOP,
			       .reason = SAFERRING_REASON_ARGUMENT,
			       .operation = "batch_submit",
			       .kind = "ring",
			       .name = batch->ring->name,
			       .cure = "take one of these dependencies out",
		       },
		       "steps wait for each other in a circle: %s", text);
}

enum { UNSEEN, ON_PATH, SEEN };

/*
 * Depth first, along the steps that wait for others, without recursion: @via is
 * the way back, and @cursor the place in a step's list of edges.
 */
static int search(struct saferring_batch *batch, uint32_t start)
{
	uint32_t at = start, edge, to;

	batch->step[at].color = ON_PATH;
	batch->step[at].via = SR_STEP_NONE;
	while (at != SR_STEP_NONE) {
		edge = batch->step[at].cursor;
		if (edge == SR_STEP_NONE) {
			batch->step[at].color = SEEN;
			at = batch->step[at].via;
			continue;
		}
		batch->step[at].cursor = batch->edge[edge].next;
		to = batch->edge[edge].step;
		if (batch->step[to].color == ON_PATH)
			return fail_cycle(batch, at, to);
		if (batch->step[to].color == SEEN)
			continue;
		batch->step[to].color = ON_PATH;
		batch->step[to].via = at;
		at = to;
	}
	return 0;
}

int sr_batch_find_cycle(struct saferring_batch *batch)
{
	unsigned int number;
	int error = 0;

	for (number = 0; number < batch->steps; number++) {
		batch->step[number].color = UNSEEN;
		batch->step[number].cursor = batch->step[number].first;
	}
	for (number = 0; number < batch->steps && !error; number++)
		if (batch->step[number].color == UNSEEN)
			error = search(batch, number);
	return error;
}

/* ---- chains ---- */

/*
 * Whether the kernel breaks a link behind a step if and only if it has failed for
 * the batch. It does not behind short transfers on sockets and bad results of
 * devices, and does behind a timeout whose time is up.
 */
static bool can_be_linked_to(const struct sr_step *step)
{
	switch (step->public.operation) {
	case SAFERRING_OPERATION_READ:
	case SAFERRING_OPERATION_WRITE:
	case SAFERRING_OPERATION_READV:
	case SAFERRING_OPERATION_WRITEV:
		return true;
	case SAFERRING_OPERATION_COMMAND:
	case SAFERRING_OPERATION_RAW:
		return false;
	default:
		return !(sr_kinds[step->public.operation].flags &
			 (SR_KIND_BYTES | SR_KIND_EXPIRES));
	}
}

static void link_chains(struct saferring_batch *batch)
{
	unsigned int number;

	for (number = 0; number < batch->steps; number++) {
		struct sr_step *step = &batch->step[number];
		const struct sr_edge *edge;

		if (step->first == SR_STEP_NONE || !can_be_linked_to(step))
			continue;
		edge = &batch->edge[step->first];
		if (edge->next != SR_STEP_NONE ||
		    batch->step[edge->step].waits_for != 1)
			continue;
		step->next_linked = edge->step;
		batch->step[edge->step].hard = edge->hard;
		batch->step[edge->step].behind = true;
		batch->info.linked++;
	}
}

/*
 * A link that breaks has the kernel cancel all that is linked behind it, also
 * what waits for an end only. So a chain ends before a hard link that comes after
 * another one, and what is there starts a chain of its own.
 */
static void cut_chain(struct saferring_batch *batch, struct sr_step *step)
{
	bool may_break = false;

	while (step->next_linked != SR_STEP_NONE) {
		struct sr_step *next = &batch->step[step->next_linked];

		if (may_break && next->hard) {
			step->next_linked = SR_STEP_NONE;
			batch->info.linked--;
			may_break = false;
		} else {
			may_break |= !next->hard;
		}
		step = next;
	}
}

static void cut_chains(struct saferring_batch *batch)
{
	unsigned int number;

	for (number = 0; number < batch->steps; number++)
		if (!batch->step[number].behind)
			cut_chain(batch, &batch->step[number]);
}

void sr_batch_link(struct saferring_batch *batch)
{
	link_chains(batch);
	cut_chains(batch);
}
