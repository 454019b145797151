// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Account of regions: how much memory the regions have, and had at most: in all, by node,
 * by size of page, and each of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "account.h"
#include "stats.h"

#define WORD(member) ((uint32_t)(offsetof(struct sr_process_words, member) / 8))

/* The block of the process, and the arena that it lies in. */
static struct sr_process_words *process;
static const unsigned char *process_of;

struct sr_process_words *sr_process_words(void)
{
	const struct sr_view view = sr_arena_view();

	if (process_of != view.base) {
		process = (void *)sr_block_take(SR_GROUP_PROCESS, "", false);
		process_of = view.base;
	}
	return process;
}

/* ---- names ---- */

static int define_pair(const int family[2], uint32_t first, bool sparse,
		       const struct saferring_label *label, size_t count)
{
	int error = sr_define_series(family[0], SR_GROUP_PROCESS, first, sparse,
				     label, count);

	if (error < 0)
		return error;
	return sr_define_series(family[1], SR_GROUP_PROCESS, first + 1, sparse,
				label, count);
}

static int define_nodes(void)
{
	const int family[2] = {
		sr_define_family(SAFERRING_METRIC_GAUGE, "memory_node_bytes",
				 "bytes", 0, "Memory of regions, by NUMA node"),
		sr_define_family(SAFERRING_METRIC_GAUGE,
				 "memory_node_peak_bytes", "bytes", 0,
				 "The most that there was on the node"),
	};
	struct saferring_label label = { .key = "node" };
	char name[16];
	int node, error = 0;

	for (node = 0; node < SR_NODES && error >= 0; node++) {
		snprintf(name, sizeof(name), "%d", node);
		label.value = name;
		error = define_pair(family, WORD(node) + 2 * (uint32_t)node,
				    true, &label, 1);
	}
	label.value = "none";
	return error < 0 ? error
			 : define_pair(family, WORD(unbound), true, &label, 1);
}

static int define_pages(void)
{
	const int family[2] = {
		sr_define_family(SAFERRING_METRIC_GAUGE, "memory_page_bytes",
				 "bytes", 0,
				 "Memory of regions, by size of its pages"),
		sr_define_family(
			SAFERRING_METRIC_GAUGE, "memory_page_peak_bytes",
			"bytes", 0,
			"The most that there was in pages of the size"),
	};
	struct saferring_label label = { .key = "page_size" };
	char name[24];
	int shift, error = 0;

	for (shift = 12; shift < SR_PAGE_SIZES && error >= 0; shift++) {
		snprintf(name, sizeof(name), "%llu", 1ULL << shift);
		label.value = name;
		error = define_pair(family, WORD(page) + 2 * (uint32_t)shift,
				    true, &label, 1);
	}
	return error;
}

static int define_totals(void)
{
	const int family[2] = {
		sr_define_family(SAFERRING_METRIC_GAUGE, "memory_bytes",
				 "bytes", 0, "Memory of all regions"),
		sr_define_family(SAFERRING_METRIC_GAUGE, "memory_peak_bytes",
				 "bytes", 0,
				 "The most that all regions had together"),
	};
	int error = define_pair(family, WORD(memory), false, NULL, 0);

	if (error >= 0)
		error = sr_define_series(
			sr_define_family(SAFERRING_METRIC_COUNTER,
					 "regions_created", "", 0,
					 "Regions created"),
			SR_GROUP_PROCESS, WORD(created), false, NULL, 0);
	if (error >= 0)
		error = sr_define_series(
			sr_define_family(SAFERRING_METRIC_COUNTER,
					 "regions_destroyed", "", 0,
					 "Regions destroyed"),
			SR_GROUP_PROCESS, WORD(destroyed), false, NULL, 0);
	if (error >= 0)
		error = sr_define_series(
			sr_define_family(SAFERRING_METRIC_GAUGE, "region_bytes",
					 "bytes", 0, "Memory of a region"),
			SR_GROUP_REGION, 0, true, NULL, 0);
	return error;
}

int sr_account_region_define(void)
{
	int error;

	sr_group_set_words(SR_GROUP_REGION, 1);
	error = define_totals();
	if (error >= 0)
		error = define_nodes();
	return error < 0 ? error : define_pages();
}

/* ---- counting ---- */

static void change(struct sr_memory_words *words, uint64_t more)
{
	saferring_word_add(&words->now, more);
	if (words->now > words->most)
		saferring_word_set(&words->most, words->now);
}

static unsigned int log2_of(size_t size)
{
	const unsigned int shift = 63 - (unsigned int)__builtin_clzll(
						(unsigned long long)size | 1);

	return SR_MIN(shift, SR_PAGE_SIZES - 1U);
}

static void count(const struct saferring_region *region, bool gone)
{
	struct sr_process_words *words = sr_process_words();
	const uint64_t more = gone ? -(uint64_t)region->length : region->length;
	const int node = SR_MIN(region->node, SR_NODES - 1);

	if (!words)
		return;
	saferring_word_add(gone ? &words->destroyed : &words->created, 1);
	change(&words->memory, more);
	change(node < 0 ? &words->unbound : &words->node[node], more);
	change(&words->page[log2_of(region->page_size)], more);
}

static void write_labels(const struct saferring_region *region, char *labels,
			 size_t length)
{
	char node[16], page_size[24];

	snprintf(node, sizeof(node), "%d", region->node);
	snprintf(page_size, sizeof(page_size), "%zu", region->page_size);
	sr_labels_write(labels, length,
			(struct saferring_label[]){
				{ "region", region->name },
				{ "backend", saferring_backend_name(
						     region->backend->kind) },
				{ "node", region->node < 0 ? "none" : node },
				{ "page_size", page_size },
			},
			4);
}

uint64_t *sr_account_region(const struct saferring_region *region)
{
	char labels[sizeof(((struct saferring_segment_block *)0)->labels)];
	uint64_t *mark;

	write_labels(region, labels, sizeof(labels));
	if (sr_arena_lock())
		return NULL;
	count(region, false);
	mark = sr_block_take(SR_GROUP_REGION, labels, false);
	if (mark)
		saferring_word_set(mark, region->length);
	sr_arena_unlock();
	return mark;
}

void sr_account_region_gone(const struct saferring_region *region,
			    uint64_t *mark)
{
	if (sr_arena_lock())
		return;
	count(region, true);
	if (mark)
		sr_block_free(mark);
	sr_arena_unlock();
}
