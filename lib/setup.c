// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Setup: which flags a ring is set up with. What a program asks for by a flag it
 * gets or is refused; a preset is a list of wishes, best first, of which the
 * first that the kernel grants is taken, and what the others came to is noted. If
 * there is no io_uring at all, an engine of threads takes its place.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"
#include "internal.h"

#define COOPERATIVE (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG)
#define DEFERRED                                                               \
	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |             \
	 IORING_SETUP_TASKRUN_FLAG)

/* A thread of the kernel's that polls wants a CPU of its own. */
#define SQPOLL_CPUS 3

struct wish {
	unsigned int flags;
	const char *name;
};

static const struct wish plain[] = {
	{ IORING_SETUP_SUBMIT_ALL | COOPERATIVE, "COOP_TASKRUN" },
	{ IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL" },
	{ 0, "no flags" },
	{ 0, NULL },
};

static const struct wish low_latency[] = {
	{ IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SQPOLL, "SQPOLL" },
	{ IORING_SETUP_SUBMIT_ALL | DEFERRED, "DEFER_TASKRUN" },
	{ IORING_SETUP_SUBMIT_ALL | COOPERATIVE, "COOP_TASKRUN" },
	{ 0, "no flags" },
	{ 0, NULL },
};

static const struct wish high_throughput[] = {
	{ IORING_SETUP_SUBMIT_ALL | DEFERRED, "DEFER_TASKRUN" },
	{ IORING_SETUP_SUBMIT_ALL | COOPERATIVE, "COOP_TASKRUN" },
	{ 0, "no flags" },
	{ 0, NULL },
};

/* So that another thread's use of the ring is refused by the kernel. */
static const struct wish development[] = {
	{ IORING_SETUP_SUBMIT_ALL | COOPERATIVE | IORING_SETUP_SINGLE_ISSUER,
	  "SINGLE_ISSUER" },
	{ IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL" },
	{ 0, "no flags" },
	{ 0, NULL },
};

static const struct wish *wishes_of(unsigned int preset)
{
	switch (preset) {
	case SAFERRING_PRESET_LOW_LATENCY:
		return low_latency;
	case SAFERRING_PRESET_HIGH_THROUGHPUT:
		return high_throughput;
	case SAFERRING_PRESET_DEVELOPMENT:
		return development;
	default:
		return plain;
	}
}

/* What the program's flags add to every wish. */
static unsigned int demanded(unsigned int flags)
{
	unsigned int setup = 0;

	if (flags & SAFERRING_RING_SQPOLL)
		setup |= IORING_SETUP_SQPOLL;
	if (flags & SAFERRING_RING_IOPOLL)
		setup |= IORING_SETUP_IOPOLL;
	if (flags & SAFERRING_RING_ONE_THREAD)
		setup |= DEFERRED;
	if (flags & SAFERRING_RING_COMMANDS)
		setup |= IORING_SETUP_SQE128 | IORING_SETUP_CQE32;
	return setup;
}

/* Flags that the kernel does not take together. */
static unsigned int reconcile(unsigned int setup)
{
	if (setup & IORING_SETUP_SQPOLL)
		setup &= ~(COOPERATIVE | DEFERRED);
	if (setup & IORING_SETUP_DEFER_TASKRUN)
		setup &= ~IORING_SETUP_COOP_TASKRUN;
	return setup;
}

void sr_setup_note(struct saferring_ring *ring, const char *name,
		   const char *what)
{
	const size_t used = strlen(ring->setup);

	snprintf(ring->setup + used, sizeof(ring->setup) - used, "%s%s: %s",
		 used ? "; " : "", name, what);
}

static bool worth_trying(struct saferring_ring *ring, const struct wish *wish)
{
	char text[64];

	if (!(wish->flags & IORING_SETUP_SQPOLL) ||
	    sysconf(_SC_NPROCESSORS_ONLN) >= SQPOLL_CPUS)
		return true;
	snprintf(text, sizeof(text), "not with fewer than %d CPUs",
		 SQPOLL_CPUS);
	sr_setup_note(ring, wish->name, text);
	return false;
}

static bool may_go_on(int error)
{
	return error == -EINVAL || error == -EPERM;
}

/*
 * With SQPOLL entries are taken while others are queued, and requests to cancel
 * come beside the operations: there is room for both.
 */
unsigned int sr_setup_entries(const struct saferring_ring_options *options,
			      bool polled)
{
	const unsigned int depth = sr_ring_depth(options);

	return polled ? SR_MIN(2 * depth, SAFERRING_RING_DEPTH_MAX) : depth;
}

/* The ring works without, so what the kernel says to it is only noted. */
static void place(struct saferring_ring *ring,
		  const struct saferring_ring_options *options)
{
	if (ring->memory)
		sr_setup_note(ring, "its own memory in the region",
		     sr_uring_place(ring, options) ? "refused" : "in use");
}

static int set_up_uring(struct saferring_ring *ring,
			const struct saferring_ring_options *options)
{
	const struct wish *wish = wishes_of(options->preset);
	const unsigned int more = demanded(options->flags);
	int error = -EINVAL;

	for (; wish->name; wish++) {
		if (!worth_trying(ring, wish))
			continue;
		error = sr_uring_open(ring, reconcile(wish->flags | more),
				      options);
		if (!error)
			break;
		sr_setup_note(ring, wish->name, strerror(-error));
		if (!may_go_on(error))
			break;
	}
	if (error)
		return sr_uring_fail(error, "ring_create", ring->name);
	sr_setup_note(ring, wish->name, "in use");
	place(ring, options);
	if (ring->setup_flags & IORING_SETUP_DEFER_TASKRUN)
		sr_setup_note(ring, "registered ring descriptor",
			      sr_uring_register_self(ring) ? "refused" : "in use");
	return 0;
}

/* ---- without io_uring ---- */

static bool avoids_uring(unsigned int flags, const char **why)
{
	const char *wanted = getenv("SAFERRING_ENGINE");

	*why = "SAFERRING_RING_AVOID_URING was set";
	if (flags & SAFERRING_RING_AVOID_URING)
		return true;
	*why = "SAFERRING_ENGINE is threads";
	return wanted && !strcmp(wanted, "threads");
}

static int set_up_engine(struct saferring_ring *ring,
			 const struct saferring_ring_options *options,
			 const char *reason)
{
	int error = sr_engine_open(&ring->engine, &ring->uring, ring->depth,
				   options->completions);

	snprintf(ring->engine_reason, sizeof(ring->engine_reason), "%s",
		 reason);
	if (ring->memory)
		strcpy(ring->memory_reason,
		       "threads do the work of this ring: the kernel has no queues");
	if (!error)
		return 0;
	return sr_fail(&(struct sr_fault){
			       .code = error,
			       .reason = SAFERRING_REASON_SYSTEM,
			       .operation = "ring_create",
			       .kind = "ring",
			       .name = ring->name,
			       .cure = error == -EAGAIN ?
					       "ulimit -u, TasksMax= of systemd" :
					       NULL,
		       },
		       "%s, and an engine of threads could not be started: %s",
		       reason, strerror(-error));
}

/* What only io_uring can do, and what was demanded, not wished. */
#define ONLY_URING                                                             \
	(SAFERRING_RING_REQUIRE_URING | SAFERRING_RING_SQPOLL |                \
	 SAFERRING_RING_IOPOLL | SAFERRING_RING_COMMANDS |                     \
	 SAFERRING_RING_REQUIRE_MEMORY)

static int fail_memory(struct saferring_ring *ring)
{
	sr_uring_close(ring);
	return sr_fail_ring(ring->name, -EOPNOTSUPP,
			    SAFERRING_REASON_UNSUPPORTED, "ring_create",
			    ring->memory_reason,
			    "Linux 6.10, a region of saferring_ring_memory() bytes");
}

int sr_setup(struct saferring_ring *ring,
	     const struct saferring_ring_options *options)
{
	const bool only_uring = options->flags & ONLY_URING;
	const char *why;
	int error;

	if (!only_uring && avoids_uring(options->flags, &why))
		return set_up_engine(ring, options, why);
	error = set_up_uring(ring, options);
	if (!error && ring->must_place && !ring->placed)
		return fail_memory(ring);
	if (!error || only_uring ||
	    saferring_error_last()->reason != SAFERRING_REASON_NO_IO_URING)
		return error;
	return set_up_engine(ring, options, saferring_error_last()->what);
}
