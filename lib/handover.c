// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Handover: regions that another process has, too, and buffers that go from one
 * to the other. What is away is in a state of its own, under which no handle is
 * good.
 *
 * Each time that a buffer is sent, by either side, its turn grows by one; both
 * remember the last one that they have seen. So a ticket is good once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

/* ---- regions ---- */

static int fail_share(const char *operation, const char *name, int error)
{
	struct sr_fault fault = {
		.code = error,
		.reason = SAFERRING_REASON_SYSTEM,
		.operation = operation,
		.kind = "region",
		.name = name,
	};

	if (error == -ESTALE)
		fault.reason = SAFERRING_REASON_REGION_GONE;
	if (error != -EOPNOTSUPP)
		return sr_fail(&fault, "the module does not share it: %s",
			       strerror(-error));
	fault.reason = SAFERRING_REASON_UNSUPPORTED;
	fault.cure = "load safer_ring, and force the backend module";
	return sr_fail(&fault, "only memory of the module can be shared");
}

int saferring_region_export(struct saferring_region *region, int *fd)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	int error;

	if (!region || !fd)
		return sr_fail_argument("region_export",
					"no region, or no place for a descriptor");
	if (sr_forked(region->epoch))
		return sr_fail_forked("region_export", "region", region->name);
	if (!sr_region_live(region))
		return fail_share("region_export", region->name, -ESTALE);
	error = sr_memory_check(region, "region_export");
	if (error)
		return error;
	error = region->backend->kind == SAFERRING_BACKEND_MODULE ?
			sr_module_export(region, fd) :
			-EOPNOTSUPP;
	if (error)
		return fail_share("region_export", region->name, error);
	region->shared = true;
	return 0;
}

int saferring_region_import(struct saferring_device *device, int fd,
			    const char *name, struct saferring_region **out)
{
	int cancel SR_CLEANUP(sr_cancel_restore) = sr_cancel_disable();
	struct saferring_region *region;
	int error = -EOPNOTSUPP;

	if (!device || !out)
		return sr_fail_argument("region_import",
					"no device, or no place for a region");
	if (sr_forked(device->epoch))
		return sr_fail_forked("region_import", "device", NULL);
	region = calloc(1, sizeof(*region));
	if (!region)
		return sr_fail_memory("region_import", sizeof(*region));
	region->device = device;
	region->epoch = device->epoch;
	region->shared = true;
	region->backend = sr_backend_get(SAFERRING_BACKEND_MODULE);
	sr_name(region->name, name, "region");
	if (device->control)
		error = sr_module_import(region, fd);
	if (error) {
		fail_share("region_import", region->name, error);
		free(region);
		return error;
	}
	__atomic_add_fetch(&device->regions, 1, __ATOMIC_ACQ_REL);
	*out = region;
	return 0;
}

/* ---- buffers ---- */

/* Made when it is first needed, and never under way to being used. */
static uint64_t *turns_of(struct saferring_pool *pool)
{
	const size_t indices = (pool->fast.mask >> SR_INDEX_SHIFT) + 1;

	pthread_mutex_lock(&pool->lock);
	if (!pool->turns)
		pool->turns = calloc(indices, sizeof(*pool->turns));
	pthread_mutex_unlock(&pool->lock);
	return pool->turns;
}

static bool change_tag(const struct saferring_pool *pool, uint64_t handle,
		       uint64_t from, uint64_t to)
{
	return __atomic_compare_exchange_n(
		saferring_buffer_tag(&pool->fast, handle), &from, to, false,
		__ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

int saferring_buffer_send(struct saferring_pool *pool, saferring_buffer buffer,
			  struct saferring_ticket *ticket)
{
	const uint64_t handle = buffer.word;
	uint64_t *turns;
	size_t index;

	if (!pool || !ticket)
		return sr_fail_argument("buffer_send",
					"no pool, or no place for a ticket");
	if (sr_forked(pool->epoch))
		return sr_fail_forked("buffer_send", "pool", pool->name);
	turns = turns_of(pool);
	if (!turns)
		return sr_fail_memory("buffer_send", 8 * pool->count);
	/* Its last generation cannot come back under another one. */
	if (sr_is_last(pool, handle) ||
	    !change_tag(pool, handle, handle,
			sr_handle_tag(handle, SR_STATE_AWAY)))
		return sr_misuse(pool, handle, "buffer_send", NULL);
	if (pool->depth)
		sr_buffer_leave(pool, &(struct sr_leaving){
					      .handle = handle,
					      .what = "sent",
					      .operation = "buffer_send",
				      });
	index = sr_word_index(pool, handle);
	*ticket = (struct saferring_ticket){
		.index = (uint32_t)index,
		.buffer_size = (uint32_t)pool->buffer_size,
		.turn = ++turns[index],
	};
	return 0;
}

static int fail_ticket(const struct saferring_pool *pool, int error,
		       const struct saferring_ticket *ticket, const char *what)
{
	return sr_fail(&(struct sr_fault){
			       .code = error,
			       .reason = error == -ESTALE ?
						 SAFERRING_REASON_REGION_GONE :
				       error == -EBUSY ?
						 SAFERRING_REASON_BUSY :
						 SAFERRING_REASON_ARGUMENT,
			       .operation = "buffer_receive",
			       .kind = "pool",
			       .name = pool->name,
			       .cure = "receive each ticket once, on the pool of the shared region",
		       },
		       "the ticket of buffer %u, turn %llu: %s", ticket->index,
		       (unsigned long long)ticket->turn, what);
}

static bool has_buffer(const struct saferring_pool *pool, uint32_t index)
{
	return (uint64_t)index << SR_INDEX_SHIFT <= pool->fast.mask &&
	       sr_tag_load(sr_tag_at(pool, index));
}

int saferring_buffer_receive(struct saferring_pool *pool,
			     const struct saferring_ticket *ticket,
			     saferring_buffer *buffer)
{
	uint64_t tag, handle, *turns;

	if (!pool || !ticket || !buffer)
		return sr_fail_argument("buffer_receive",
					"no pool, no ticket, or no place for a buffer");
	*buffer = SAFERRING_BUFFER_NONE;
	if (sr_forked(pool->epoch))
		return sr_fail_forked("buffer_receive", "pool", pool->name);
	if (ticket->buffer_size != pool->buffer_size ||
	    !has_buffer(pool, ticket->index))
		return fail_ticket(pool, -EINVAL, ticket,
				   "it is of a pool of another shape");
	turns = turns_of(pool);
	if (!turns)
		return sr_fail_memory("buffer_receive", 8 * pool->count);
	tag = sr_tag_load(sr_tag_at(pool, ticket->index));
	if ((tag & SR_STATE_MASK) == SR_STATE_GONE)
		return fail_ticket(pool, -ESTALE, ticket,
				   "the region is gone");
	if (ticket->turn <= turns[ticket->index])
		return fail_ticket(pool, -EALREADY, ticket,
				   "it was received before");
	handle = sr_tag_handle(tag) + pool->fast.step;
	if ((tag & SR_STATE_MASK) != SR_STATE_AWAY ||
	    !change_tag(pool, handle, tag, handle))
		return fail_ticket(pool, -EBUSY, ticket,
				   "the buffer is not with the other process");
	turns[ticket->index] = ticket->turn;
	if (pool->depth)
		sr_buffer_return(pool, handle);
	buffer->word = handle;
	return 0;
}
