// SPDX-License-Identifier: GPL-2.0
/*
 * Measuring a row on a machine that is not quiet.
 *
 * Slices of about a tenth of a millisecond, two of the subject and two of the
 * twin, lie side by side in an order drawn by lot, so that whatever the machine
 * does hits all alike. Each four gives one ratio of subject to twin, and one of
 * twin to twin, the control. Their medians are what is reported. As long as a
 * verdict is not clear the number of fours is doubled.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

#define SLICE_NS   110000.0
/* Part of a slice that is run before it, where it has several calls. */
#define WARM_SHARE 8U
/* Times that everything is set up anew, unless that is a lot of memory. */
#define ROUNDS	    8U
#define ROUNDS_MAX  64U
#define ROUND_BYTES (8UL << 20)
#define PAIRS_MIN  400U
#define PAIRS_MAX  3200U
/* Too few for an interval that means anything. */
#define PAIRS_FEW  11U

/* ---- what setup has to say ---- */

static enum verdict outcome;
static char outcome_reason[BENCH_TEXT];
static uint64_t errors;
static int first_error;

void *row_skip(const char *reason, ...)
{
	va_list list;

	va_start(list, reason);
	vsnprintf(outcome_reason, sizeof(outcome_reason), reason, list);
	va_end(list);
	outcome = VERDICT_SKIPPED;
	return NULL;
}

void *row_fail(const char *reason, ...)
{
	va_list list;

	va_start(list, reason);
	vsnprintf(outcome_reason, sizeof(outcome_reason), reason, list);
	va_end(list);
	outcome = VERDICT_FAIL;
	return NULL;
}

void row_error(int code)
{
	if (!errors++)
		first_error = code;
}

enum verdict row_outcome(char *reason, size_t length)
{
	enum verdict verdict = outcome;

	if (errors) {
		verdict = VERDICT_FAIL;
		snprintf(reason, length, "%llu operations failed, first: %s",
			 (unsigned long long)errors, strerror(abs(first_error)));
	} else {
		snprintf(reason, length, "%s", outcome_reason);
	}
	outcome = VERDICT_NONE;
	outcome_reason[0] = '\0';
	errors = 0;
	return verdict;
}

/* ---- slices ---- */

double slice_ns(void (*run)(void *, uint64_t), void *state, uint64_t calls)
{
	const uint64_t start = thread_ns();

	run(state, calls);
	return (double)(thread_ns() - start) - clock_cost_ns();
}

uint64_t slice_calls(void (*run)(void *, uint64_t), void *state, double length)
{
	uint64_t calls = 1;
	double taken = slice_ns(run, state, calls);

	if (!length)
		length = SLICE_NS;
	while (taken < length / 4) {
		calls *= 2;
		taken = slice_ns(run, state, calls);
	}
	/* Once more, now that everything is warm. */
	taken = slice_ns(run, state, calls);
	calls = (uint64_t)((double)calls * length / (taken > 1 ? taken : 1));
	return calls ? calls : 1;
}

/**
 * struct pairs - what was taken
 * @count: number of pairs
 * @ends: by round: number of pairs at its end
 * @rounds: number of rounds that have any
 */
struct pairs {
	unsigned int count;
	unsigned int ends[ROUNDS_MAX];
	unsigned int rounds;
	double subject[PAIRS_MAX];
	double twin[PAIRS_MAX];
	double ratio[PAIRS_MAX];
	double over[PAIRS_MAX];
	double control[PAIRS_MAX];
};

struct sides {
	const struct row *row;
	void *state;
	uint64_t subject_calls;
	uint64_t twin_calls;
	struct random random;
	uint64_t process;
	uint64_t thread;
};

#define SLICES 4U

/* An order of the slices, drawn by lot. */
static void shuffle(struct random *random, unsigned int order[SLICES])
{
	unsigned int i, other, held;

	for (i = SLICES - 1; i > 0; i--) {
		other = random_below(random, i + 1);
		held = order[i];
		order[i] = order[other];
		order[other] = held;
	}
}

/* Nanoseconds of an operation, in a slice of one of both sides. */
static double take_slice(const struct sides *sides, bool subject)
{
	const struct row *row = sides->row;
	void (*run)(void *, uint64_t) = subject ? row->run_subject :
						  row->run_twin;
	const uint64_t calls = subject ? sides->subject_calls :
					 sides->twin_calls;

	/* What predicts branches and loads knows the other side. */
	if (calls >= WARM_SHARE)
		run(sides->state, calls / WARM_SHARE);
	return slice_ns(run, sides->state, calls) / (double)calls / row->per;
}

static void take_four(struct sides *sides, struct pairs *pairs)
{
	unsigned int order[SLICES] = { 0, 1, 2, 3 };
	const unsigned int at = pairs->count;
	double taken[SLICES];
	size_t i;

	shuffle(&sides->random, order);
	for (i = 0; i < SLICES; i++) {
		taken[order[i]] = take_slice(sides, order[i] < 2);
		/* A clock that stood still says nothing. */
		if (taken[order[i]] <= 0)
			return;
	}
	pairs->subject[at] = (taken[0] + taken[1]) / 2;
	pairs->twin[at] = (taken[2] + taken[3]) / 2;
	pairs->ratio[at] = pairs->subject[at] / pairs->twin[at];
	pairs->over[at] = pairs->subject[at] - pairs->twin[at];
	pairs->control[at] = taken[3] / taken[2];
	pairs->count++;
}

static enum verdict judge_goal(const struct goal *goal,
			       const struct result *result)
{
	const double slack = control_error(result->control);

	switch (goal->kind) {
	case GOAL_RATIO:
		return judge(result->ratio, goal->ceiling, slack);
	case GOAL_NS:
		return judge(result->subject_ns, goal->ceiling, slack);
	case GOAL_NS_OVER:
		/* The error is one of the twin's time, not of the difference */
		return judge(result->over, goal->ceiling,
			     result->over.value ?
			     slack * result->twin_ns.value /
			     (result->over.value < 0 ? -result->over.value :
			      result->over.value) : 0);
	default:
		return VERDICT_NONE;
	}
}

static void conclude(const struct row *row, struct pairs *pairs,
		     struct random *random, struct result *result)
{
	const unsigned int count = pairs->count;
	size_t i;

	result->pairs = count;
	result->subject_ns = estimate_rounds(pairs->subject, pairs->ends,
					     pairs->rounds, random);
	result->twin_ns = estimate_rounds(pairs->twin, pairs->ends,
					  pairs->rounds, random);
	result->ratio = estimate_rounds(pairs->ratio, pairs->ends,
					pairs->rounds, random);
	result->over = estimate_rounds(pairs->over, pairs->ends,
				       pairs->rounds, random);
	result->control = estimate_rounds(pairs->control, pairs->ends,
					  pairs->rounds, random);
	result->verdict = VERDICT_NONE;
	for (i = 0; i < GOALS_MAX; i++) {
		result->judged[i] = judge_goal(&row->goal[i], result);
		result->verdict = worse(result->verdict, result->judged[i]);
	}
	if (result->verdict == VERDICT_INCONCLUSIVE)
		snprintf(result->reason, sizeof(result->reason),
			 "the interval spans the ceiling after %u pairs; twin against itself %.4f to %.4f",
			 count, result->control.low, result->control.high);
	else
		result->reason[0] = '\0';
}

static bool settled(const struct result *result)
{
	if (result->verdict == VERDICT_INCONCLUSIVE)
		return false;
	return result->verdict != VERDICT_NONE ||
	       !control_error(result->control);
}

/*
 * A thread of the kernel that does part of the work is not seen by the thread's
 * clock.
 */
static bool punted(uint64_t process, uint64_t thread)
{
	return process > thread + thread / 20;
}

/* Where memory happens to lie matters, too: each round has it elsewhere. */
static unsigned int rounds_of(const struct row *row)
{
	return row->size * row->depth > ROUND_BYTES ? 1 : ROUNDS;
}

static void note_round(struct pairs *pairs)
{
	const unsigned int before =
		pairs->rounds ? pairs->ends[pairs->rounds - 1] : 0;

	if (pairs->count > before && pairs->rounds < ROUNDS_MAX)
		pairs->ends[pairs->rounds++] = pairs->count;
}

/* Returns false if there is no more to be had. */
static bool take_round(struct sides *sides, struct pairs *pairs,
		       unsigned int until, uint64_t end)
{
	const struct row *row = sides->row;
	uint64_t process, thread;
	unsigned int tries = 0;

	sides->state = row->setup(row);
	if (!sides->state)
		return false;
	sides->subject_calls = slice_calls(row->run_subject, sides->state,
					   row->slice_ns);
	sides->twin_calls = slice_calls(row->run_twin, sides->state,
					row->slice_ns);
	process = process_ns();
	thread = thread_ns();
	while (pairs->count < until && tries++ < 2 * PAIRS_MAX &&
	       (pairs->count < PAIRS_FEW || wall_ns() < end))
		take_four(sides, pairs);
	sides->process += process_ns() - process;
	sides->thread += thread_ns() - thread;
	row->teardown(sides->state);
	note_round(pairs);
	return pairs->count >= until;
}

/* ---- rounds in processes of their own ---- */

/**
 * struct apart - a round that another process takes
 * @pairs: what was taken so far; must come first
 * @until: number of pairs to come to
 * @end: when to stop all the same
 * @process: nanoseconds that the process has spent
 * @thread: those of its thread
 * @more: there is more to be had
 * @said: what became of it
 * @reason: why
 */
struct apart {
	struct pairs pairs;
	unsigned int until;
	uint64_t end;
	uint64_t process;
	uint64_t thread;
	bool more;
	enum verdict said;
	char reason[BENCH_TEXT];
};

static struct apart *map_apart(int fd)
{
	void *apart = mmap(NULL, sizeof(struct apart), PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);

	return apart == MAP_FAILED ? NULL : apart;
}

/* In that process. */
int measure_apart(const struct row *row, int fd)
{
	struct apart *apart = map_apart(fd);
	struct sides sides = { .row = row };

	if (!apart)
		return 2;
	random_seed(&sides.random, wall_ns());
	apart->more = take_round(&sides, &apart->pairs, apart->until,
				 apart->end);
	apart->process += sides.process;
	apart->thread += sides.thread;
	apart->said = row_outcome(apart->reason, sizeof(apart->reason));
	return 0;
}

/* Returns its exit status, or -1. */
static int run_apart(const struct row *row, int fd)
{
	char share[32], directory[BENCH_TEXT];
	int status;
	pid_t child;

	snprintf(share, sizeof(share), "--apart=%d", fd);
	snprintf(directory, sizeof(directory), "--directory=%s",
		 options.directory);
	child = fork();
	if (!child) {
		execl("/proc/self/exe", "saferring-bench", share, directory,
		      row->name, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool take_round_apart(struct sides *sides, struct apart *apart, int fd)
{
	const int status = run_apart(sides->row, fd);

	sides->process = apart->process;
	sides->thread = apart->thread;
	if (status)
		row_fail("the process of a round ended with %d", status);
	else if (apart->said == VERDICT_SKIPPED)
		row_skip("%s", apart->reason);
	else if (apart->said == VERDICT_FAIL)
		row_fail("%s", apart->reason);
	return !status && apart->more && apart->said == VERDICT_NONE;
}

/*
 * A row of a list is measured in a process for each round: where the kernel puts
 * code, stacks and pages decides between two speeds, too, and differs between
 * processes only.
 */
static void take_rounds(struct sides *sides, uint64_t budget_ns,
			struct apart *apart, int fd, struct result *result)
{
	const unsigned int rounds = rounds_of(sides->row);
	const bool listed = rounds > 1 && row_is_listed(sides->row);
	unsigned int wanted = PAIRS_MIN, before = 0, round;
	struct pairs *pairs = &apart->pairs;
	bool more = true;

	apart->end = wall_ns() + budget_ns;
	do {
		for (round = 1; round <= rounds && more; round++) {
			apart->until = before +
				       (wanted - before) * round / rounds;
			more = listed ? take_round_apart(sides, apart, fd) :
					take_round(sides, pairs, apart->until,
						   apart->end);
		}
		if (!pairs->count)
			return;
		conclude(sides->row, pairs, &sides->random, result);
		before = wanted;
		wanted *= 2;
	} while (more && wanted <= PAIRS_MAX && !settled(result));
}

void measure(const struct row *row, uint64_t budget_ns, struct result *result)
{
	/* Inherited by the processes of rounds. */
	const int fd = memfd_create("saferring-bench", 0);
	struct sides sides = { .row = row };
	char reason[BENCH_TEXT];
	struct apart *apart;
	enum verdict said;

	if (fd < 0 || ftruncate(fd, sizeof(*apart)))
		abort();
	apart = map_apart(fd);
	if (!apart)
		abort();
	memset(result, 0, sizeof(*result));
	random_seed(&sides.random, wall_ns());
	take_rounds(&sides, budget_ns, apart, fd, result);
	munmap(apart, sizeof(*apart));
	close(fd);
	if (punted(sides.process, sides.thread)) {
		result->verdict = VERDICT_INCONCLUSIVE;
		snprintf(result->reason, sizeof(result->reason),
			 "other threads did part of the work");
	}
	if (result->verdict != VERDICT_NONE && machine_is_emulated()) {
		result->verdict = VERDICT_INCONCLUSIVE;
		snprintf(result->reason, sizeof(result->reason),
			 "the processor is emulated");
	}
	said = row_outcome(reason, sizeof(reason));
	if (said == VERDICT_NONE && result->pairs)
		return;
	result->verdict = said == VERDICT_NONE ? VERDICT_INCONCLUSIVE : said;
	snprintf(result->reason, sizeof(result->reason), "%s", reason[0] ?
		 reason : "the clock of the thread stands still");
}
