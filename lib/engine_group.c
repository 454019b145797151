// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Provided buffers: the engine's end of a ring of them, which the program fills.
 * A buffer is chosen when data is there for it, as in the kernel.
 */
#include <errno.h>
#include "internal.h"
#include "engine.h"

/* By the number that the kernel would know it by. NULL if there is none such. */
static struct sr_engine_group *group_of(struct sr_engine *engine,
					unsigned int id)
{
	const unsigned int number = id - SR_GROUP_FIRST;

	return number < SR_ENGINE_GROUPS ? &engine->group[number] : NULL;
}

int sr_engine_register_group(struct sr_engine *engine, unsigned int id,
			     struct io_uring_buf_ring *ring,
			     unsigned int entries, bool incremental)
{
	if (!group_of(engine, id))
		return -EINVAL;
	pthread_mutex_lock(&engine->lock);
	*group_of(engine, id) = (struct sr_engine_group){
		.ring = ring,
		.mask = entries - 1,
		.incremental = incremental,
	};
	pthread_mutex_unlock(&engine->lock);
	return 0;
}

void sr_engine_unregister_group(struct sr_engine *engine, unsigned int id)
{
	pthread_mutex_lock(&engine->lock);
	group_of(engine, id)->ring = NULL;
	pthread_mutex_unlock(&engine->lock);
}

static struct io_uring_buf *first_of(struct sr_engine_group *group)
{
	uint16_t tail;

	if (!group->ring)
		return NULL;
	tail = __atomic_load_n(&group->ring->tail, __ATOMIC_ACQUIRE);
	if (tail == group->head)
		return NULL;
	return &group->ring->bufs[group->head & group->mask];
}

/* What a buffer that took @bytes is to the program. */
static uint32_t consume(struct sr_engine_group *group, struct io_uring_buf *buffer,
			unsigned int bytes)
{
	const uint32_t flags = IORING_CQE_F_BUFFER |
			       (uint32_t)buffer->bid << IORING_CQE_BUFFER_SHIFT;

	if (group->incremental && bytes < buffer->len) {
		buffer->addr += bytes;
		buffer->len -= bytes;
		return flags | SR_CQE_F_BUF_MORE;
	}
	group->head++;
	return flags;
}

int sr_job_run_on_group(struct sr_engine *engine, struct sr_job *job,
			uint32_t *flags)
{
	struct sr_engine_group *group = group_of(engine, job->sqe.buf_group);
	const uint32_t wanted = job->sqe.len;
	struct io_uring_buf *buffer;
	int result;

	buffer = group ? first_of(group) : NULL;
	/* Before there is data, one may be provided yet. */
	if (!buffer)
		return group && group->ring && !sr_fd_ready(job->fd, POLLIN) ?
			       -EAGAIN : -ENOBUFS;
	job->sqe.addr = buffer->addr;
	job->sqe.len = wanted ? SR_MIN(wanted, buffer->len) : buffer->len;
	result = sr_call_of(job->sqe.opcode)->run(job, false);
	job->sqe.len = wanted;
	/* Only what comes without waiting for a disk has its buffer chosen. */
	if (result == SR_JOB_BLOCKS)
		return -EOPNOTSUPP;
	if (result > 0)
		*flags = consume(group, buffer, (unsigned int)result);
	return result;
}
