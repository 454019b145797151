// SPDX-License-Identifier: GPL-2.0
/*
 * Whole operations, kernel included, in instructions: on a virtual machine that
 * counts them as its time, and a block device that completes at once. The
 * library on the memory that it takes first, which is the module's, beside
 * liburing on hugetlb's; and beside a plain READ into memory of malloc's.
 */
#include <math.h>
#include <string.h>
#include <saferring.h>
#include "special.h"

#define TIMES  1001U
#define ROUNDS 100000U

/* How far the first half of the counts may be from the second. */
#define DRIFT_MAX 0.002

/* One operation of the library at most so much over liburing's. */
#define RAW_MAX	  1.005
#define PLAIN_MAX (1.0 / 6)

#if defined(__x86_64__)
static uint64_t counted(void)
{
	return __builtin_ia32_rdtsc();
}

/* A loop of known length takes as many ticks as it has instructions. */
static bool counts_instructions(void)
{
	uint64_t least = UINT64_MAX, begin, took;
	unsigned int i;

	for (i = 0; i < 9; i++) {
		uint64_t rounds = ROUNDS;

		begin = counted();
		__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(rounds) : : "cc");
		took = counted() - begin;
		least = took < least ? took : least;
	}
	return least >= 2 * ROUNDS && least < 2 * ROUNDS + 100;
}
#else
static uint64_t counted(void)
{
	return 0;
}

static bool counts_instructions(void)
{
	return false;
}
#endif

/**
 * struct side - one side of a comparison
 * @of: instructions of an operation, lower quartile
 * @drift: how far that of the first half of them is from that of the second
 */
struct side {
	void (*run)(void *state, uint64_t calls);
	void *state;
	unsigned int per;
	double counts[TIMES];
	double of;
	double drift;
};

static double quartile_of(const struct side *side, size_t first, size_t end)
{
	double some[TIMES];

	memcpy(some, &side->counts[first], (end - first) * sizeof(*some));
	return quantile(some, end - first, 0.25);
}

static void conclude_side(struct side *side)
{
	const double before = quartile_of(side, 0, TIMES / 2);
	const double after = quartile_of(side, TIMES / 2, TIMES);

	side->of = quartile_of(side, 0, TIMES);
	side->drift = fabs(before - after) / side->of;
}

static void count_side(struct side *side, unsigned int at)
{
	const uint64_t begin = counted();

	side->run(side->state, 1);
	side->counts[at] = (double)(counted() - begin) / side->per;
}

static void count_both(struct side *subject, struct side *twin)
{
	unsigned int i;

	/* What happens the first time only is not counted. */
	subject->run(subject->state, 2);
	twin->run(twin->state, 2);
	for (i = 0; i < TIMES; i++) {
		count_side(subject, i);
		count_side(twin, i);
	}
	conclude_side(subject);
	conclude_side(twin);
}

/**
 * struct question - a comparison
 * @plain: the twin reads into memory of malloc's
 * @each: the library's side queues each operation by a call of its own
 */
struct question {
	const char *name;
	size_t size;
	unsigned int depth;
	bool plain;
	bool each;
	double ceiling;
};

static const struct question questions[] = {
	{ "whole_4k.qd1", 4096, 1, false, true, RAW_MAX },
	{ "whole_4k.qd128", 4096, 128, false, false, RAW_MAX },
	{ "whole_64k.qd1", 65536, 1, false, true, RAW_MAX },
	{ "whole_64k.qd32", 65536, 32, false, false, RAW_MAX },
	{ "whole_1m.qd1", 1048576, 1, false, true, RAW_MAX },
	{ "whole_1m.qd8", 1048576, 8, false, false, RAW_MAX },
	{ "whole_1m.plain", 1048576, 1, true, true, PLAIN_MAX },
};

static void judge_sides(const struct question *question,
			const struct side *subject, const struct side *twin)
{
	const double ratio = subject->of / twin->of;
	const bool steady = subject->drift <= DRIFT_MAX &&
			    twin->drift <= DRIFT_MAX;
	const enum verdict verdict =
		!steady ? VERDICT_INCONCLUSIVE :
			  ratio <= question->ceiling ? VERDICT_PASS :
						       VERDICT_FAIL;

	record_point("whole", question->name, (double)question->size,
		     "instructions",
		     (struct estimate){ subject->of, subject->of, subject->of },
		     (struct estimate){ twin->of, twin->of, twin->of },
		     verdict);
	conclude_special("whole", question->name, verdict,
			 "%.0f instructions, twin %.0f: %.4f, at most %.4f; drift %.2f %%",
			 subject->of, twin->of, ratio, question->ceiling,
			 100 * (subject->drift > twin->drift ? subject->drift :
							       twin->drift));
}

static void skip_question(const struct question *question)
{
	char reason[BENCH_TEXT];
	const enum verdict said = row_outcome(reason, sizeof(reason));

	conclude_special("whole", question->name, said, "%s", reason);
}

static void ask(const struct question *question)
{
	const struct row row = macro_disk_row(question->size, question->depth,
					      SAFERRING_BACKEND_MODULE,
					      question->each);
	const struct row other = macro_disk_row(
		question->size, question->depth,
		question->plain ? SAFERRING_BACKEND_PLAIN :
				  SAFERRING_BACKEND_HUGETLB,
		question->each);
	struct side subject = { .run = row.run_subject, .per = row.depth };
	struct side twin = {
		.run = question->plain ? macro_plain_twin : row.run_twin,
		.per = row.depth,
	};
	char reason[BENCH_TEXT];

	subject.state = row.setup(&row);
	twin.state = subject.state ? other.setup(&other) : NULL;
	if (twin.state) {
		count_both(&subject, &twin);
		judge_sides(question, &subject, &twin);
		other.teardown(twin.state);
	} else {
		skip_question(question);
	}
	if (subject.state)
		row.teardown(subject.state);
	if (row_outcome(reason, sizeof(reason)) == VERDICT_FAIL)
		conclude_special("whole", question->name, VERDICT_FAIL, "%s",
				 reason);
}

void whole_operations(void)
{
	size_t i;

	if (!counts_instructions()) {
		conclude_special("whole", "whole", VERDICT_SKIPPED,
				 "this machine does not count instructions: make bench-whole boots one that does");
		return;
	}
	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		ask(&questions[i]);
}
