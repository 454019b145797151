// SPDX-License-Identifier: GPL-2.0
/*
 * Registering memory as fixed buffers, by kind of page and size.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include "special.h"
#include "stage.h"

#define MIB (1UL << 20)
#define TIMES_MAX 64U
/* From this size on the goal is set: microseconds a MiB. */
#define GOAL_SIZE (16 * MIB)
#define GOAL_US	  2.0

struct cost {
	struct estimate in;
	struct estimate out;
};

/* Register and unregister, again and again: nanoseconds a MiB. */
static int take_times(struct io_uring *ring, const struct iovec *iovec,
		      struct cost *cost)
{
	const unsigned int times = options.full ? TIMES_MAX : 21;
	const double mib = (double)iovec->iov_len / MIB;
	double in[TIMES_MAX], out[TIMES_MAX];
	struct random random;
	unsigned int i;
	int error;

	random_seed(&random, wall_ns());
	for (i = 0; i < times; i++) {
		uint64_t start = thread_ns();

		error = io_uring_register_buffers(ring, iovec, 1);
		if (error)
			return error;
		in[i] = (double)(thread_ns() - start) / mib;
		start = thread_ns();
		io_uring_unregister_buffers(ring);
		out[i] = (double)(thread_ns() - start) / mib;
	}
	cost->in = estimate_median(in, times, &random);
	cost->out = estimate_median(out, times, &random);
	return 0;
}

static enum verdict verdict_on(int backend, size_t size,
			       const struct cost *cost)
{
	/* Pages of the base size are what is compared with. */
	if (backend == SAFERRING_BACKEND_PLAIN || size < GOAL_SIZE ||
	    machine_is_emulated())
		return VERDICT_NONE;
	return judge(cost->in, GOAL_US * 1000, 0);
}

static void tell(const char *name, size_t size, const struct cost *cost,
		 enum verdict verdict)
{
	record_point("registration", name, (double)size / MIB, "ns/MiB",
		     cost->in, cost->out, verdict);
	tally(verdict);
	say("  %-8s %5zu MiB  register %9.0f ns a MiB, unregister %9.0f  %s",
	    name, size / MIB, cost->in.value, cost->out.value,
	    verdict_name(verdict));
}

/* Returns false if this kind of memory is not to be had. */
static bool measure_size(int backend, size_t size)
{
	const char *name = saferring_backend_name(backend);
	const struct stage_plan plan = {
		.buffers = size / 4096, .buffer_size = 4096,
		.backend = backend, .depth = 4,
	};
	struct cost cost = { 0 };
	char reason[BENCH_TEXT];
	struct stage stage;
	struct iovec iovec;
	int error;

	if (!stage_up(&stage, &plan)) {
		conclude_special("registration", name,
				 row_outcome(reason, sizeof(reason)), "%s",
				 reason);
		return false;
	}
	if (stage.fixed)
		io_uring_unregister_buffers(&stage.raw);
	iovec.iov_base = stage.address;
	iovec.iov_len = size;
	error = take_times(&stage.raw, &iovec, &cost);
	stage_down(&stage);
	if (!error) {
		tell(name, size, &cost, verdict_on(backend, size, &cost));
		return true;
	}
	conclude_special("registration", name, VERDICT_SKIPPED,
			 "%zu MiB: %s", size / MIB, strerror(-error));
	return false;
}

void registration(void)
{
	const size_t most = options.full ? 1024 * MIB : 256 * MIB;
	int backend;
	size_t size;

	for (backend = SAFERRING_BACKEND_MODULE;
	     backend <= SAFERRING_BACKEND_PLAIN; backend++)
		for (size = MIB; size <= most; size *= 4)
			if (!measure_size(backend, size))
				break;
}
