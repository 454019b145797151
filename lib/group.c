// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Group: buffers that the kernel takes from a ring of provided buffers.
 *
 * The kernel knows a buffer by its number in the group, the bid. A bid is taken
 * from when a buffer is provided to when it comes back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "internal.h"

/* ---- the ring of provided buffers ---- */

static size_t entries_length(const struct saferring_group *group)
{
	return SR_ROUND_UP(group->entries * sizeof(struct io_uring_buf),
			   sr_page_size());
}

/* The kernel sees it with the next saferring_group advance. */
static void add_entry(struct saferring_group *group, uint64_t word)
{
	const uint16_t bid = group->free[--group->free_count];

	group->word[bid] = word;
	group->offset[bid] = 0;
	io_uring_buf_ring_add(group->buffers,
			      sr_buffer_address(group->pool,
						sr_tag_handle(word)),
			      (unsigned int)group->pool->buffer_size, bid,
			      (int)group->entries - 1, 0);
	io_uring_buf_ring_advance(group->buffers, 1);
}

/* From the program to the kernel. */
static void provide(struct saferring_group *group, uint64_t word)
{
	if (group->pool->depth)
		sr_buffer_leave(group->pool,
				&(struct sr_leaving){
					.handle = word,
					.what = "provided",
					.operation = "group_provide",
					.shared = true,
				});
	sr_tag_store(saferring_buffer_tag(&group->pool->fast, word),
		     word + SR_TO_KERNEL);
	add_entry(group, word + SR_TO_KERNEL);
}

/* ---- completions ---- */

static void refill(struct saferring_group *group)
{
	saferring_buffer buffer;

	if (!(group->flags & SAFERRING_GROUP_REFILL) ||
	    group->ring->any_gone ||
	    saferring_buffer_get(group->pool, &buffer))
		return;
	if (sr_is_last(group->pool, buffer.word)) {
		(void)!saferring_buffer_put(group->pool, buffer);
		return;
	}
	provide(group, buffer.word);
}

/*
 * What a CQE with IORING_CQE_F_BUFFER brings. Returns the word of the buffer,
 * in state KERNEL, or 0 if the kernel keeps it.
 */
uint64_t sr_group_take(struct saferring_group *group,
		       const struct io_uring_cqe *cqe, uint64_t *address)
{
	const unsigned int bid = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	uint64_t word;

	if (bid >= group->count || !group->word[bid])
		return 0;
	word = group->word[bid];
	*address = (uintptr_t)sr_buffer_address(group->pool,
						   sr_tag_handle(word)) +
		   group->offset[bid];
	if (cqe->flags & SR_CQE_F_BUF_MORE) {
		group->offset[bid] += (uint32_t)SR_MAX(cqe->res, 0);
		return 0;
	}
	group->word[bid] = 0;
	group->free[group->free_count++] = (uint16_t)bid;
	refill(group);
	return word;
}

/* ---- create and destroy ---- */

static int check_create(const struct saferring_ring *ring,
			const struct saferring_pool *pool, unsigned int count,
			unsigned int flags)
{
	const unsigned int known =
		SAFERRING_GROUP_REFILL | SAFERRING_GROUP_INCREMENTAL;

	if (!ring || !pool)
		return sr_fail_argument("group_create", "no ring, or no pool");
	if (sr_forked(ring->epoch))
		return sr_fail_forked("group_create", "ring", ring->name);
	if (!count || count > SAFERRING_GROUP_BUFFERS_MAX || flags & ~known)
		return sr_fail_argument("group_create",
					"%u buffers, allowed are 1 to %u, or unknown flags in %#x",
					count, SAFERRING_GROUP_BUFFERS_MAX,
					flags);
	if (!ring->attached[pool->id] ||
	    ring->attached[pool->id]->pool != pool)
		return sr_fail_argument("group_create",
					"pool %s is none of ring %s",
					pool->name, ring->name);
	return 0;
}

static int find_id(struct saferring_ring *ring)
{
	int id;

	for (id = 0; id < SAFERRING_GROUPS_MAX; id++)
		if (!ring->group[id])
			return id;
	return sr_fail_ring(ring->name, -ENFILE, SAFERRING_REASON_BUSY,
			    "group_create", "the ring has 16 groups",
			    "destroy groups not in use");
}

/* Of a group that was unregistered, or never was registered. */
static void give_entries(struct saferring_group *group)
{
	if (!group->placed)
		return;
	sr_extent_give(group->ring->memory, group->placed);
	group->placed = NULL;
	group->buffers = NULL;
}

static void free_group(struct saferring_group *group)
{
	if (group->buffers && !group->placed)
		munmap(group->buffers, entries_length(group));
	free(group->word);
	free(group->offset);
	free(group->free);
	free(group);
}

/* ---- where the entries lie ---- */

static void *map_entries(const struct saferring_group *group)
{
	void *entries = mmap(NULL, entries_length(group),
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return entries == MAP_FAILED ? NULL : entries;
}

/* In the ring's region if there is one, and room in it. */
static void place_entries(struct saferring_group *group)
{
	struct saferring_region *region = group->ring->memory;

	if (!region)
		return;
	group->placed = sr_extent_take(region, entries_length(group));
	if (group->placed)
		group->buffers = (void *)group->placed->address;
	else
		snprintf(group->memory_reason, sizeof(group->memory_reason),
			 "it takes %zu bytes in one piece, the region has %zu, of which %zu are in use",
			 entries_length(group), region->length,
			 sr_extents_length(region));
}

static int fail_place(const struct saferring_group *group)
{
	return sr_fail_ring(group->ring->name, -EOPNOTSUPP,
			    SAFERRING_REASON_UNSUPPORTED, "group_create",
			    group->memory_reason,
			    "a larger region, or a ring without SAFERRING_RING_REQUIRE_MEMORY");
}

/* The kernel has just refused the extent, so it has not got it. */
static int place_elsewhere(struct saferring_group *group, int error)
{
	snprintf(group->memory_reason, sizeof(group->memory_reason),
		 "the kernel does not take this memory: %s", strerror(-error));
	sr_extent_give(group->ring->memory, group->placed);
	group->placed = NULL;
	group->buffers = map_entries(group);
	if (!group->buffers)
		return sr_fail_memory("group_create", entries_length(group));
	return 0;
}

static int allocate_entries(struct saferring_group *group)
{
	place_entries(group);
	if (!group->placed && group->ring->must_place)
		return fail_place(group);
	if (!group->buffers)
		group->buffers = map_entries(group);
	if (!group->buffers)
		return sr_fail_memory("group_create", entries_length(group));
	return 0;
}

static int allocate(struct saferring_group *group)
{
	const unsigned int count = group->count;
	unsigned int number;

	group->word = calloc(count, sizeof(*group->word));
	group->offset = calloc(count, sizeof(*group->offset));
	group->free = calloc(count, sizeof(*group->free));
	if (!group->word || !group->offset || !group->free)
		return sr_fail_memory("group_create",
				      count * sizeof(*group->word));
	for (number = 0; number < count; number++)
		group->free[number] = (uint16_t)(count - 1 - number);
	group->free_count = count;
	return allocate_entries(group);
}

/* Where the kernel does not take the region's memory, it may take other. */
static int try_register(struct saferring_group *group)
{
	int error = sr_uring_register_group(group->ring, group);
	const int refusal = error;

	if (!error || !group->placed || group->ring->must_place)
		return error;
	error = place_elsewhere(group, refusal);
	return error ? error : sr_uring_register_group(group->ring, group);
}

static int register_group(struct saferring_group *group)
{
	const bool incremental = group->flags & SAFERRING_GROUP_INCREMENTAL;
	const int error = try_register(group);

	if (!error)
		return 0;
	if (error != -EINVAL)
		return sr_fail_ring(group->ring->name, error,
				    SAFERRING_REASON_SYSTEM, "group_create",
				    strerror(-error), NULL);
	return sr_fail_ring(group->ring->name, -EOPNOTSUPP,
			    SAFERRING_REASON_UNSUPPORTED, "group_create",
			    incremental ?
				"this kernel does not fill provided buffers bit by bit" :
				"this kernel has no rings of provided buffers",
			    incremental ? "Linux 6.12 or later" :
					  "Linux 5.19 or later");
}

/* All that are in the group go to their pool. */
static void return_all(struct saferring_group *group)
{
	struct saferring_pool *pool = group->pool;
	unsigned int bid;

	for (bid = 0; bid < group->count; bid++)
		if (group->word[bid])
			sr_pool_take_back(pool,
					  sr_tag_handle(group->word[bid]));
}

static int fill(struct saferring_group *group)
{
	saferring_buffer buffer;
	unsigned int number;
	int error = 0;

	for (number = 0; number < group->count && !error; number++) {
		error = saferring_buffer_get(group->pool, &buffer);
		if (!error)
			provide(group, buffer.word);
	}
	return error;
}

static int set_up(struct saferring_group *group)
{
	int error = allocate(group);

	if (!error)
		error = register_group(group);
	if (error)
		return error;
	error = fill(group);
	if (!error)
		return 0;
	sr_uring_unregister_group(group->ring, group);
	return_all(group);
	return error;
}

int saferring_group_create(struct saferring_ring *ring,
			   struct saferring_pool *pool, unsigned int count,
			   unsigned int flags, struct saferring_group **out)
{
	int id, error = check_create(ring, pool, count, flags);
	struct saferring_group *group;

	if (error)
		return error;
	if (!out)
		return sr_fail_argument("group_create",
					"no place for a group");
	id = find_id(ring);
	if (id < 0)
		return id;
	group = calloc(1, sizeof(*group));
	if (!group)
		return sr_fail_memory("group_create", sizeof(*group));
	group->ring = ring;
	group->pool = pool;
	group->count = count;
	group->entries = sr_power_of_two(count);
	group->flags = flags;
	group->id = (uint16_t)(SR_GROUP_FIRST + id);
	error = set_up(group);
	if (error) {
		give_entries(group);
		free_group(group);
		return error;
	}
	ring->group[id] = group;
	*out = group;
	return 0;
}

int saferring_group_destroy(struct saferring_group *group)
{
	struct saferring_ring *ring;

	if (!group)
		return 0;
	ring = group->ring;
	if (sr_forked(ring->epoch))
		return sr_fail_forked("group_destroy", "ring", ring->name);
	if (group->users)
		return sr_fail_ring(ring->name, -EBUSY, SAFERRING_REASON_BUSY,
				    "group_destroy", "operations use the group",
				    "cancel them and reap their completions");
	sr_uring_unregister_group(ring, group);
	ring->group[group->id - SR_GROUP_FIRST] = NULL;
	return_all(group);
	give_entries(group);
	free_group(group);
	return 0;
}

/* The kernel lets go of the ring, and so of the entries of its groups. */
void sr_groups_end(struct saferring_ring *ring)
{
	unsigned int id;

	for (id = 0; id < SAFERRING_GROUPS_MAX; id++) {
		if (!ring->group[id])
			continue;
		return_all(ring->group[id]);
		free_group(ring->group[id]);
		ring->group[id] = NULL;
	}
}

/* With the registry locked. */
void sr_groups_quarantine(struct saferring_ring *ring)
{
	unsigned int id, bid;

	for (id = 0; id < SAFERRING_GROUPS_MAX; id++) {
		struct saferring_group *group = ring->group[id];

		for (bid = 0; group && bid < group->count; bid++) {
			uint64_t *word = &group->word[bid];
			const uint64_t handle = sr_tag_handle(*word);

			if (!*word)
				continue;
			*word = sr_handle_tag(handle, SR_STATE_QUARANTINE);
			sr_tag_store(saferring_buffer_tag(&group->pool->fast,
							  handle),
				     *word);
		}
	}
}

/* ---- use ---- */

int saferring_group_provide(struct saferring_group *group,
			    saferring_buffer buffer)
{
	struct saferring_pool *pool;

	if (!group)
		return sr_fail_argument("group_provide", "no group");
	if (sr_forked(group->ring->epoch))
		return sr_fail_forked("group_provide", "ring",
				      group->ring->name);
	pool = group->pool;
	if (buffer.word >> SR_ID_SHIFT != pool->id ||
	    !saferring_buffer_valid(pool, buffer))
		return sr_misuse(pool, buffer.word, "ring_provide",
				 group->ring);
	if (!group->free_count)
		return sr_fail_ring(group->ring->name, -ENOSPC,
				    SAFERRING_REASON_DEPTH, "group_provide",
				    "the group has all the buffers it was created for",
				    "put the buffer");
	if (sr_is_last(pool, buffer.word))
		return sr_fail_last(group->ring, pool, buffer.word,
				    SAFERRING_OPERATION_RECV_MULTISHOT);
	provide(group, buffer.word);
	return 0;
}

int saferring_group_info(const struct saferring_group *group,
			 struct saferring_group_info *out)
{
	struct saferring_group_info info = { 0 };

	if (!group || !out)
		return sr_fail_argument("group_info",
					"no group, or no place for its info");
	info.id = group->id;
	info.count = group->count;
	info.provided = saferring_group_count(group);
	info.memory = group->placed != NULL;
	info.memory_reason = group->memory_reason;
	return sr_info_out("group_info", out, &info, sizeof(info));
}

unsigned int saferring_group_count(const struct saferring_group *group)
{
	return group ? group->count - group->free_count : 0;
}

int saferring_ring_recv_multishot(struct saferring_ring *ring, int fd,
				  struct saferring_group *group, int flags,
				  uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_RECV_MULTISHOT;
	struct sr_draft draft;
	int error;

	if (!ring || !group || group->ring != ring)
		return sr_refuse(ring, kind, "no group of this ring");
	error = sr_draft(ring, kind, NULL, 0, &draft);
	if (error)
		return error;
	sr_draft_file(&draft, fd);
	draft.sqe->flags |= IOSQE_BUFFER_SELECT;
	draft.sqe->buf_group = group->id;
	draft.sqe->ioprio = IORING_RECV_MULTISHOT;
	draft.sqe->msg_flags = (uint32_t)flags;
	sr_state_of(ring, draft.operation)->group = group;
	group->users++;
	return sr_queue(&draft, user_data);
}
