// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Waiter: a thread that waits for a buffer of a pool. They are served in the
 * order in which they came; whoever puts a buffer hands it to the first of them.
 *
 * While there are waiters the pool has no cache slot, which sends every get and
 * put to its slow path; there a thread gives up what its cache has. A pool whose
 * caches follow the load does the same when a get that does not wait has found
 * nothing: it recalls what lies in caches.
 */
#include <errno.h>
#include <time.h>
#include "account.h"
#include "internal.h"

/*
 * struct sr_waiter - a waiting thread
 * @next: the one that came after it
 * @woken: signalled when @tag is set, or when waiting has become vain
 * @tag: of the buffer that it was given, or 0
 */
struct sr_waiter {
	struct sr_waiter *next;
	pthread_cond_t woken;
	uint64_t tag;
};

void sr_waiters_set_slot(struct saferring_pool *pool)
{
	__atomic_store_n(&pool->fast.slot,
			 sr_pool_asked(pool) ? SR_SLOT_NONE : pool->slot,
			 __ATOMIC_RELAXED);
}

/* With the pool's lock held. */
static void enqueue(struct saferring_pool *pool, struct sr_waiter *waiter)
{
	struct sr_waiter **link = &pool->waiters;

	while (*link)
		link = &(*link)->next;
	*link = waiter;
	__atomic_store_n(&pool->waiting, pool->waiting + 1, __ATOMIC_RELAXED);
	sr_count(&pool->words->waits);
	sr_waiters_set_slot(pool);
}

static void dequeue(struct saferring_pool *pool, struct sr_waiter *waiter)
{
	struct sr_waiter **link = &pool->waiters;

	while (*link && *link != waiter)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = waiter->next;
	__atomic_store_n(&pool->waiting, pool->waiting - 1, __ATOMIC_RELAXED);
	sr_waiters_set_slot(pool);
}

void sr_waiters_serve(struct saferring_pool *pool)
{
	struct sr_waiter *waiter;

	while (pool->waiters && pool->stored) {
		waiter = pool->waiters;
		waiter->tag = pool->store[--pool->stored];
		dequeue(pool, waiter);
		pthread_cond_signal(&waiter->woken);
	}
	if (SAFERRING_UNLIKELY(pool->recalled) && pool->stored) {
		__atomic_store_n(&pool->recalled, false, __ATOMIC_RELAXED);
		sr_waiters_set_slot(pool);
	}
}

void sr_waiters_wake(struct saferring_pool *pool)
{
	struct sr_waiter *waiter;

	for (waiter = pool->waiters; waiter; waiter = waiter->next)
		pthread_cond_signal(&waiter->woken);
}

static struct timespec deadline_in(uint64_t timeout_ns)
{
	const uint64_t second = 1000000000;
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += (time_t)(timeout_ns / second);
	deadline.tv_nsec += (long)(timeout_ns % second);
	if (deadline.tv_nsec >= (long)second) {
		deadline.tv_sec++;
		deadline.tv_nsec -= (long)second;
	}
	return deadline;
}

/* A place in the line. */
struct place {
	struct saferring_pool *pool;
	struct sr_waiter waiter;
};

static void take_place(struct place *place)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&place->waiter.woken, &attributes);
	pthread_condattr_destroy(&attributes);
	enqueue(place->pool, &place->waiter);
}

static void leave_place(struct place *place)
{
	if (!place->waiter.tag)
		dequeue(place->pool, &place->waiter);
	pthread_cond_destroy(&place->waiter.woken);
}

/* The thread is cancelled while it waits: what it was given is the next one's. */
static void give_up_place(void *argument)
{
	struct place *place = argument;
	struct saferring_pool *pool = place->pool;

	leave_place(place);
	if (place->waiter.tag) {
		sr_pool_store(pool, place->waiter.tag);
		sr_waiters_serve(pool);
	}
	pthread_mutex_unlock(&pool->lock);
}

/* With the pool's lock held. Returns the tag that was given, or 0. */
static uint64_t wait_for_tag(struct saferring_pool *pool, uint64_t timeout_ns)
{
	/* A deadline that no clock reaches overflows none. */
	const struct timespec deadline =
		deadline_in(SR_MIN(timeout_ns, (uint64_t)INT64_MAX / 4));
	struct place place = { .pool = pool };
	struct sr_waiter *waiter = &place.waiter;
	int error = 0;

	take_place(&place);
	pthread_cleanup_push(give_up_place, &place);
	while (!waiter->tag && !error && pool->live_regions)
		error = timeout_ns == SAFERRING_FOREVER ?
				pthread_cond_wait(&waiter->woken, &pool->lock) :
				pthread_cond_timedwait(&waiter->woken,
						       &pool->lock, &deadline);
	pthread_cleanup_pop(0);
	leave_place(&place);
	return waiter->tag;
}

static int fail_timeout(struct saferring_pool *pool, uint64_t timeout_ns)
{
	return sr_fail(&(struct sr_fault){
			       .code = -ETIME,
			       .reason = SAFERRING_REASON_EXHAUSTED,
			       .operation = "buffer_get_wait",
			       .kind = "pool",
			       .name = pool->name,
			       .needed = pool->count + 1,
			       .limit = pool->count,
			       .cure = "reap completions, put buffers, or make the pool larger",
		       },
		       "no buffer came back within %llu ms, %u threads wait besides",
		       (unsigned long long)(timeout_ns / 1000000),
		       __atomic_load_n(&pool->waiting, __ATOMIC_RELAXED));
}

static int wait_in_turn(struct saferring_pool *pool, saferring_buffer *buffer,
			uint64_t timeout_ns)
{
	uint64_t tag;

	pthread_mutex_lock(&pool->lock);
	/* Somebody may have put one since, and not seen that anybody waits. */
	sr_waiters_serve(pool);
	tag = pool->stored ? pool->store[--pool->stored] :
			     wait_for_tag(pool, timeout_ns);
	pthread_mutex_unlock(&pool->lock);
	if (!tag && !pool->live_regions)
		return saferring_buffer_get(pool, buffer);
	if (!tag)
		return fail_timeout(pool, timeout_ns);
	buffer->word = sr_buffer_claim(pool, tag);
	return 0;
}

int saferring_buffer_get_wait(struct saferring_pool *pool,
			      saferring_buffer *buffer, uint64_t timeout_ns)
{
	saferring_buffer got;
	int error = 0;

	if (!pool || !buffer)
		return sr_fail_argument("buffer_get_wait",
					"no pool, or no place for a buffer");
	*buffer = SAFERRING_BUFFER_NONE;
	if (sr_forked(pool->epoch))
		return sr_fail_forked("buffer_get_wait", "pool", pool->name);
	do
		got = sr_buffer_try(pool);
	while (saferring_buffer_is_none(got) && sr_pool_grow_itself(pool));
	*buffer = got;
	if (!saferring_buffer_is_none(got))
		return 0;
	if (!timeout_ns)
		return saferring_buffer_get(pool, buffer);
	/* A buffer that was put twice may be given, and then not be there. */
	while (saferring_buffer_is_none(*buffer) && !error)
		error = wait_in_turn(pool, buffer, timeout_ns);
	return error;
}
