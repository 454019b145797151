// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Account: the library's own metrics.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "account.h"
#include "stats.h"

#define WORD(member) ((uint32_t)(offsetof(struct sr_process_words, member) / 8))

int sr_define_family(uint32_t type, const char *name, const char *unit,
		     int exponent, const char *help)
{
	struct saferring_segment_family family = {
		.type = type,
		.exponent = exponent,
	};

	snprintf(family.name, sizeof(family.name), "saferring_%s", name);
	snprintf(family.unit, sizeof(family.unit), "%s", unit);
	snprintf(family.help, sizeof(family.help), "%s", help);
	return sr_family_add(&family);
}

int sr_define_series(int family, unsigned int group, uint32_t first,
		     bool sparse, const struct saferring_label *label,
		     size_t count)
{
	struct saferring_segment_series series = {
		.family = (uint32_t)family,
		.group = group,
		.first = first,
		.words = group == SR_GROUP_LATENCY ? SR_HISTOGRAM_WORDS : 1,
		.flags = sparse ? SAFERRING_SEGMENT_SPARSE : 0,
	};
	int error;

	if (family < 0)
		return family;
	error = sr_labels_write(series.labels, sizeof(series.labels), label,
				count);
	return error ? error : sr_series_add(&series);
}

int sr_define_decisions(const char *name, const char *help, unsigned int group,
			const struct sr_decision *decision, size_t count)
{
	const int family = sr_define_family(SAFERRING_METRIC_COUNTER, name, "",
					    0, help);
	int error = family;
	size_t number;

	for (number = 0; number < count && error >= 0; number++)
		error = sr_define_series(
			family, group, decision[number].word, true,
			(struct saferring_label[]){
				{ "what", decision[number].what },
				{ "direction", decision[number].direction },
				{ "reason", decision[number].reason },
			},
			3);
	return error;
}

/* ---- what failed ---- */

static const char *class_of(int reason)
{
	if (reason < SAFERRING_REASON_FORKED)
		return "misuse";
	return reason < SAFERRING_REASON_LOST_IO ? "refusal" : "event";
}

static int define_reasons(void)
{
	const int family =
		sr_define_family(SAFERRING_METRIC_COUNTER, "failures", "", 0,
				 "Misuses of buffers, requests that were "
				 "refused, and events that were reported");
	const char *name;
	int reason, error = 0;

	for (reason = 1; reason < SR_REASONS && error >= 0; reason++) {
		name = saferring_reason_name(reason);
		if (strcmp(name, "unknown"))
			error = sr_define_series(
				family, SR_GROUP_PROCESS,
				WORD(failed) + (uint32_t)reason, true,
				(struct saferring_label[]){
					{ "class", class_of(reason) },
					{ "reason", name },
				},
				2);
	}
	return error;
}

void sr_account_reason(int reason)
{
	const int saved_errno = errno;
	struct sr_process_words *words;

	if (reason < 0 || reason >= SR_REASONS || sr_arena_lock())
		return;
	words = sr_process_words();
	if (words)
		saferring_word_add(&words->failed[reason], 1);
	sr_arena_unlock();
	errno = saved_errno;
}

int sr_account_define(void)
{
	static bool defined;
	int error = 0;

	if (defined)
		return 0;
	sr_group_set_words(SR_GROUP_PROCESS,
			   sizeof(struct sr_process_words) / 8);
	error = define_reasons();
	if (error >= 0)
		error = sr_account_region_define();
	if (error >= 0)
		error = sr_account_ring_define();
	if (error >= 0)
		error = sr_account_pool_define();
	defined = error >= 0;
	return error;
}
