/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the bench know of each other.
 *
 * A row is one question: what does the subject, which is the library, cost
 * beside its twin, which does the same without it. Rows do not measure: they
 * bring two functions that do an operation so many times, and the harness calls
 * them (measure.c), or has callgrind count their instructions (count.c).
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_TEXT 256

/* ---- statistics.c ---- */

/* xorshift64*: small, fast, and the same numbers from the same seed. */
struct random {
	uint64_t state;
};

void random_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
/* Below @limit, which is not 0. */
uint32_t random_below(struct random *random, uint32_t limit);

/**
 * struct estimate - a median and how well it is known
 * @value: median of the sample
 * @low: lower end of the 95 % interval
 * @high: upper end
 */
struct estimate {
	double value;
	double low;
	double high;
};

/* Quantile @q of @count values, which are put in another order. */
double quantile(double *values, size_t count, double q);
/* Median, and the percentile bootstrap's interval. @count is 1 or more. */
struct estimate estimate_median(const double *values, size_t count,
				struct random *random);

/*
 * The same of values that come in rounds, of which each ends before ends[i] and
 * has a value at least. Rounds are drawn, and then values of each: where rounds
 * differ, there are as many independent figures as rounds, and not as values.
 */
struct estimate estimate_rounds(const double *values, const unsigned int *ends,
				size_t rounds, struct random *random);

enum verdict {
	VERDICT_NONE,	      /* no goal */
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_INCONCLUSIVE, /* the machine was too restless to tell */
	VERDICT_SKIPPED,
};

const char *verdict_name(enum verdict verdict);
/*
 * Whether what was estimated is at most @ceiling. @slack is a relative error to
 * be reckoned with beside that of the sample.
 */
enum verdict judge(struct estimate estimate, double ceiling, double slack);
/* The worse of two: fail, then inconclusive, then pass. */
enum verdict worse(enum verdict one, enum verdict other);
/* How far an estimate of what should be 1 may be off. */
double control_error(struct estimate control);

/* ---- clock.c ---- */

/* Nanoseconds that this thread, or process, has spent on a processor. */
uint64_t thread_ns(void);
uint64_t process_ns(void);
/* Nanoseconds since some moment. */
uint64_t wall_ns(void);
/* What reading thread_ns() adds to what is between two readings. */
double clock_cost_ns(void);
/* Nanoseconds that one dependent addition takes: a cycle. */
double cycle_ns(void);

/* ---- file.c ---- */

/*
 * A file without a name, of at least so many bytes that are no holes, open for
 * reading with @flags. Returns -1 after row_skip().
 */
int file_make(size_t length, int flags);

/* ---- rows ---- */

enum goal_kind {
	GOAL_NONE,
	GOAL_RATIO,   /* subject over twin, time */
	GOAL_NS,      /* subject, nanoseconds */
	GOAL_NS_OVER, /* subject less twin, nanoseconds */
	GOAL_IR,      /* subject, instructions */
	GOAL_IR_OVER, /* subject less twin, instructions */
	GOAL_IR_RATIO,/* subject over twin, instructions */
};

#define GOALS_MAX 4

struct goal {
	enum goal_kind kind;
	double ceiling;
};

/**
 * struct row - a question to be measured
 * @name: group.name, as people ask for it
 * @group: micro, rivals, macro, ...
 * @subject: what is measured
 * @twin: what it is compared with
 * @about: one sentence
 * @setup: make the state, NULL on failure, which row_skip() or row_fail() tells
 * @teardown: unmake it
 * @run_subject: do @calls times the operation
 * @run_twin: likewise
 * @per: operations that one call makes
 * @size: bytes of an operation, or whatever @setup makes of it
 * @depth: operations in flight, or whatever @setup makes of it
 * @flags: of the library's ring
 * @regions: that the buffers lie in, 0 for 1
 * @backend: enum saferring_backend of the memory, 0 for the best
 * @slice_ns: length of a slice, 0 for the usual
 * @goal: what is to hold
 * @instructions: callgrind counts it, and the gate knows it
 * @full: only in the full run
 */
struct row {
	const char *name;
	const char *group;
	const char *subject;
	const char *twin;
	const char *about;
	void *(*setup)(const struct row *row);
	void (*teardown)(void *state);
	void (*run_subject)(void *state, uint64_t calls);
	void (*run_twin)(void *state, uint64_t calls);
	unsigned int per;
	size_t size;
	unsigned int depth;
	unsigned int flags;
	unsigned int regions;
	int backend;
	unsigned int slice_ns;
	struct goal goal[GOALS_MAX];
	bool instructions;
	bool full;
};

/* A list of rows, ended by one without a name. */
extern const struct row micro_rows[];	/* micro.c */
extern const struct row measuring_rows[]; /* measuring.c */
extern const struct row rival_rows[];	/* rivals.c */
extern const struct row macro_rows[];	/* macro.c */
extern const struct row socket_rows[];	/* sockets.c */

/**
 * struct special - a question that is no pair of functions
 * @name: name of the group, as people ask for it
 * @about: one sentence
 * @run: measure, and write records
 */
struct special {
	const char *name;
	const char *about;
	void (*run)(void);
};

extern const struct special special_rows[]; /* special.c */

/* Why there is no row: what is missing on this machine. Returns NULL. */
void *row_skip(const char *reason, ...) __attribute__((format(printf, 1, 2)));
/* What went wrong: never the machine's fault. Returns NULL. */
void *row_fail(const char *reason, ...) __attribute__((format(printf, 1, 2)));
/* An operation of a running row failed. Cheap; told when the row ends. */
void row_error(int code);

/* Loops must not be optimised away, nor hoisted. */
#define KEEP(value) __asm__ volatile("" : : "r"(value) : "memory")
#define FORGET()    __asm__ volatile("" : : : "memory")

/* ---- options of the run, main.c ---- */

struct options {
	bool full;
	bool list;
	bool count;
	bool serve;
	int apart;
	const char *filter;
	const char *json;
	const char *directory;
};

extern struct options options;

/* Threads inherit the one processor that rows are measured on: leave it. */
void roam(void);
/* Whether the row is one of those that another process finds by its name. */
bool row_is_listed(const struct row *row);
/* Whether the name was asked for. */
bool wanted(const char *name);

/* ---- measure.c ---- */

/**
 * struct result - what became of a row
 * @subject_ns: nanoseconds of an operation
 * @ratio: subject over twin, by pairs
 * @over: subject less twin in nanoseconds, by pairs
 * @control: twin over twin, by pairs
 * @pairs: number of them
 * @judged: by goal
 * @verdict: the worst of them
 * @reason: of a skip, a failure or a doubt
 */
struct result {
	struct estimate subject_ns;
	struct estimate twin_ns;
	struct estimate ratio;
	struct estimate over;
	struct estimate control;
	unsigned int pairs;
	enum verdict judged[GOALS_MAX];
	enum verdict verdict;
	char reason[BENCH_TEXT];
};

/* Measure a row, by a budget of nanoseconds of wall clock. */
void measure(const struct row *row, uint64_t budget_ns, struct result *result);
/* In a process that measure() starts: one round. Returns the exit status. */
int measure_apart(const struct row *row, int fd);

/* ---- count.c ---- */

/* Run both sides of a row with callgrind counting. 0, or -1 without it. */
int count_row(const struct row *row);
/* Measure slices at the request of a program that compares two builds. */
int serve(void);

/* Time that @calls calls take, in nanoseconds of this thread. */
double slice_ns(void (*run)(void *, uint64_t), void *state, uint64_t calls);
/* Calls that take about @length nanoseconds, 0 for the usual slice. */
uint64_t slice_calls(void (*run)(void *, uint64_t), void *state,
		     double length);
/* What row_skip() and row_fail() have said since the last call. */
enum verdict row_outcome(char *reason, size_t length);

/* ---- machine.c ---- */

/* What makes this machine unfit, one line each. */
struct machine {
	unsigned int complaints;
	char complaint[12][BENCH_TEXT];
};

void machine_look(struct machine *machine);
void machine_record(const struct machine *machine);
bool machine_is_virtual(void);
/* Time is what the emulator takes, not what a processor would. */
bool machine_is_emulated(void);

/* ---- record.c ---- */

/* JSON, one object a line, and lines for people on the terminal. */
int record_open(const char *path);
void record_close(void);
/* Write one record field by field. */
void record_begin(const char *kind, const char *name);
void record_text(const char *key, const char *value);
void record_number(const char *key, double value);
void record_estimate(const char *key, struct estimate estimate);
void record_list_begin(const char *key);
void record_list_text(const char *value);
void record_list_goal(const struct goal *goal, enum verdict verdict);
void record_list_end(void);
void record_end(void);
void record_row(const struct row *row, const struct result *result);

/* ---- progress.c ---- */

/* How far the run is, and how long it will take. */
void progress_begin(unsigned int steps);
void progress_step(const char *name);
void progress_end(void);
/* A line of result, above the progress line. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A row's verdict counts towards the exit status. */
void tally(enum verdict verdict);
unsigned int tallied(enum verdict verdict);

#endif /* BENCH_H */
