// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Adaptation of a ring: how many completions a wait gathers, and how long it looks
 * for them before the thread sleeps.
 *
 * A wait thus has two parts. The first goes on for as many completions as the law
 * of the batch says, or until the bound of the delay, if that is more than the
 * program wants; it begins with looking. The second, which follows if the first
 * has not brought what the program wants, is the wait that there would have been.
 * Nothing that is queued is held back: it is submitted before the first part.
 *
 * The kernel has a wait of two parts since Linux 6.12 (IORING_ENTER_EXT_ARG with
 * min_wait_usec). It would spare a system call where the first part brings nothing
 * at all, which lowers the batch, so that it is soon rare.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include "account.h"
#include "adapt.h"
#include "internal.h"
#include "probes.h"

/*
 * Looks at the ring between two looks at the clock, which come to a few
 * microseconds at most. Where it is many more, the thread did not run.
 */
#define LOOKS	   8
#define CROWDED_NS 50000

/* ---- creating ---- */

static int check_batch(const struct saferring_ring_options *options,
		       unsigned int depth)
{
	if (options->batch_max > depth)
		return sr_fail_argument("ring_create",
					"batches of up to %u completions, the depth is %u",
					options->batch_max, depth);
	if (options->batch_min > options->batch_max)
		return sr_fail_argument("ring_create",
					"batches of at least %u and at most %u completions",
					options->batch_min, options->batch_max);
	if (options->batch_ns > SAFERRING_RING_BATCH_NS_MAX ||
	    !options->batch_ns != !options->batch_max)
		return sr_fail_argument("ring_create",
					"batches of up to %u completions within %llu ns: allowed are 1 to %llu, and 0 without batches",
					options->batch_max,
					(unsigned long long)options->batch_ns,
					SAFERRING_RING_BATCH_NS_MAX);
	return 0;
}

static int check_busy(const struct saferring_ring_options *options)
{
	if (options->busy_max_ns > SAFERRING_RING_BUSY_NS_MAX)
		return sr_fail_argument("ring_create",
					"busy polling for up to %u ns, allowed are %u",
					options->busy_max_ns,
					SAFERRING_RING_BUSY_NS_MAX);
	if (options->busy_min_ns > options->busy_max_ns)
		return sr_fail_argument("ring_create",
					"busy polling for at least %u and at most %u ns",
					options->busy_min_ns,
					options->busy_max_ns);
	return 0;
}

int sr_adapt_ring_check(const struct saferring_ring_options *options,
			unsigned int depth)
{
	int error = check_batch(options, depth);

	if (!error)
		error = check_busy(options);
	if (error || (!options->batch_max && !options->busy_max_ns))
		return error;
	if (options->flags & SAFERRING_RING_BESIDE)
		return sr_fail_argument("ring_create",
					"batches or busy polling on a ring that the program keeps and waits for itself");
	if (options->flags & SAFERRING_RING_IOPOLL)
		return sr_fail_argument("ring_create",
					"batches or busy polling with SAFERRING_RING_IOPOLL: there the kernel polls, and never sleeps");
	return 0;
}

/* While this thread polls nobody else could run. */
static bool is_alone(void)
{
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return sysconf(_SC_NPROCESSORS_ONLN) < 2;
	return CPU_COUNT(&cpus) < 2;
}

static void begin_batch(struct saferring_ring *ring,
			const struct saferring_ring_options *options)
{
	struct sr_adapt *adapt = ring->adapt;

	if (!options->batch_max)
		return;
	if (!(ring->uring.features & IORING_FEAT_EXT_ARG)) {
		sr_setup_note(ring, "batches", "Linux 5.11 can wait with a timeout");
		return;
	}
	sr_batch_law_begin(&adapt->batch, SR_MAX(options->batch_min, 1),
			   options->batch_max);
	adapt->batch_ns = options->batch_ns;
	saferring_word_set(&ring->words->batch, adapt->batch.now);
}

static void begin_busy(struct saferring_ring *ring,
		       const struct saferring_ring_options *options)
{
	struct sr_adapt *adapt = ring->adapt;

	if (!options->busy_max_ns)
		return;
	if (is_alone()) {
		sr_setup_note(ring, "busy polling", "not with one CPU");
		return;
	}
	sr_busy_law_begin(&adapt->busy, options->busy_min_ns,
			  options->busy_max_ns);
	saferring_word_set(&ring->words->busy_ns, adapt->busy.now);
}

int sr_adapt_ring(struct saferring_ring *ring,
		  const struct saferring_ring_options *options)
{
	if (!options->batch_max && !options->busy_max_ns)
		return 0;
	if (ring->polled)
		return sr_fail_argument("ring_create",
					"batches or busy polling on a ring set up with IORING_SETUP_IOPOLL");
	if (sr_adapt_forbidden()) {
		sr_setup_note(ring, "adaptation", "SAFERRING_ADAPT is off");
		return 0;
	}
	ring->adapt = calloc(1, sizeof(*ring->adapt));
	if (!ring->adapt)
		return sr_fail_memory("ring_create", sizeof(*ring->adapt));
	begin_batch(ring, options);
	begin_busy(ring, options);
	return 0;
}

/* ---- deciding ---- */

static void tell_batch(struct saferring_ring *ring, enum sr_step step)
{
	struct sr_ring_words *words = ring->words;

	if (step == SR_KEPT)
		return;
	saferring_word_add(step == SR_RAISED ? &words->batch_raised :
					       &words->batch_lowered,
			   1);
	saferring_word_set(&words->batch, ring->adapt->batch.now);
	SR_PROBE3(adapt, ring->name, "batch", ring->adapt->batch.now);
}

static void tell_busy(struct saferring_ring *ring, enum sr_step step,
		      uint64_t *lowered)
{
	if (step == SR_KEPT)
		return;
	saferring_word_add(step == SR_RAISED ? &ring->words->busy_raised :
					       lowered,
			   1);
	saferring_word_set(&ring->words->busy_ns, ring->adapt->busy.now);
	SR_PROBE3(adapt, ring->name, "busy", ring->adapt->busy.now);
}

/* @there completions were there when the wait for @wanted of them ended. */
static void observe_batch(struct saferring_ring *ring, unsigned int min,
			  unsigned int wanted, unsigned int there)
{
	struct sr_batch_law *law = &ring->adapt->batch;

	if (there >= wanted && law->now <= wanted)
		tell_batch(ring, sr_batch_law_filled(law));
	else if (there < wanted && wanted > min)
		tell_batch(ring, sr_batch_law_expired(law, wanted));
}

/* What the program's own deadline has cut short tells nothing. */
static void observe_busy(struct saferring_ring *ring, bool success,
			 uint64_t waited_ns)
{
	struct sr_busy_law *law = &ring->adapt->busy;

	if (!success && waited_ns <= law->max)
		return;
	tell_busy(ring, sr_busy_law_waited(law, success ? waited_ns : UINT64_MAX),
		  &ring->words->busy_lowered);
}

/* ---- waiting ---- */

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static unsigned int ready(struct saferring_ring *ring)
{
	return sr_uring_ready(ring) + ring->pending_count;
}

/* Returns whether they are there. If not, whether others want the CPU. */
static bool look_until(struct saferring_ring *ring, unsigned int wanted,
		       uint64_t now, uint64_t end, bool *crowded)
{
	uint64_t before;
	unsigned int looks;

	do {
		for (looks = 0; looks < LOOKS; looks++) {
			if (ready(ring) >= wanted)
				return true;
			relax();
		}
		before = now;
		now = sr_now_ns();
		*crowded |= now - before > CROWDED_NS;
	} while (now < end);
	return false;
}

static void look(struct saferring_ring *ring, unsigned int wanted,
		 uint64_t until)
{
	struct sr_ring_words *words = ring->words;
	struct sr_busy_law *law = &ring->adapt->busy;
	const uint64_t now = sr_now_ns();
	bool crowded = false;

	if (look_until(ring, wanted, now, SR_MIN(now + law->now, until),
		       &crowded)) {
		saferring_word_add(&words->busy_paid, 1);
		return;
	}
	saferring_word_add(&words->busy_vain, 1);
	if (crowded)
		tell_busy(ring, sr_busy_law_crowded(law), &words->busy_crowded);
}

/*
 * Submit, and look for @wanted completions. Returns 0, whether they are there or
 * not, or -errno of submitting.
 */
static int poll_busily(struct saferring_ring *ring, unsigned int wanted,
		       uint64_t until)
{
	int error;

	if (sr_ring_has_work(ring)) {
		sr_ring_prepare(ring);
		error = sr_uring_enter(ring, 0, 0);
		if (error < 0)
			return error;
	}
	if (ready(ring) < wanted)
		look(ring, wanted, until);
	return 0;
}

/*
 * How many to wait for. Of what is under way the half at most, so that the device
 * has something to do while the program deals with the other half; of multishot
 * operations any number can come.
 */
static unsigned int gather(const struct saferring_ring *ring, unsigned int max,
			   unsigned int min)
{
	const unsigned int busy = sr_ring_busy(ring) - ring->parked;
	unsigned int wanted = SR_MIN(ring->adapt->batch.now, max);

	if (!ring->multishots)
		wanted = SR_MIN(wanted, (busy + 1) / 2);
	return SR_MAX(wanted, min);
}

/* The first part, and what is seen of it. */
static int wait_for_batch(struct saferring_ring *ring, unsigned int wanted,
			  unsigned int min, uint64_t deadline)
{
	const bool busy = ring->adapt->busy.max;
	const uint64_t start = busy || wanted > min ? sr_now_ns() : 0;
	uint64_t until = deadline;
	unsigned int there;
	int error = 0;

	if (wanted > min)
		until = SR_MIN(until, start + ring->adapt->batch_ns);
	if (ring->adapt->busy.now)
		error = poll_busily(ring, wanted, until);
	if (!error)
		error = sr_submit_and_wait(ring, wanted, until);
	if (error)
		return error;
	there = ready(ring);
	if (ring->adapt->batch.max)
		observe_batch(ring, min, wanted, there);
	if (busy)
		observe_busy(ring, there >= wanted, sr_now_ns() - start);
	return 0;
}

/* A program that does not want to wait does not. */
int sr_adapt_wait(struct saferring_ring *ring, unsigned int max,
		  unsigned int min, uint64_t deadline)
{
	int error;

	if (!min || !deadline)
		return sr_submit_and_wait(ring, min, deadline);
	error = wait_for_batch(ring, gather(ring, max, min), min, deadline);
	return error ? error : sr_submit_and_wait(ring, min, deadline);
}
