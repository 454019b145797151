/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the cost program know of each other.
 *
 * A cost is one figure: an operation's instructions, counted several times. The
 * files that measure make costs, goals.c judges them, report.c shows them.
 */
#ifndef SAFER_RING_COST_H
#define SAFER_RING_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB		(1UL << 10)
#define MIB		(1UL << 20)
#define PAGE		(4 * KIB)
#define HUGE_PAGE	(2 * MIB)

#define COST_REPEAT_MAX	101

/* What the program ends with, besides 0. */
enum {
	EXIT_MISSED = 1,	/* a goal */
	EXIT_UNABLE = 2,	/* to measure */
};

/* Says what went wrong and ends with EXIT_UNABLE. */
__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *format, ...);

/*
 * counter.c: the instructions that the machine has executed
 */

void counter_init(void);
uint64_t counter_overhead(void);

/*
 * Under instruction counting the time stamp counter counts instructions, those
 * of both processors, whatever they do.
 */
static inline uint64_t counter_now(void)
{
	return __builtin_ia32_rdtsc();
}

/*
 * cost.c: the figures
 */

enum cost_table {
	COST_MEMORY,		/* the life of memory that I/O is done on */
	COST_FREE,		/* the ways to give a region back */
	COST_REUSE,		/* the same size again and again */
	COST_FAULT,		/* the first touch of what is mapped */
	COST_COMMAND,		/* what does not depend on the length */
	COST_IO,		/* whole operations */
	COST_TABLES,
};

/**
 * struct cost - a figure of a table
 * @next: in the order of making
 * @table: where it stands
 * @length: bytes of memory that the operation is about
 * @row: usually a kind of memory
 * @column: usually an operation
 * @per: how many operations one count covers
 * @nr: number of @counts
 * @counts: instructions, in the order of measuring
 * @absent: why there are no counts, or NULL
 */
struct cost {
	struct cost *next;
	enum cost_table table;
	size_t length;
	const char *row;
	const char *column;
	unsigned int per;
	unsigned int nr;
	uint64_t counts[COST_REPEAT_MAX];
	char *absent;
};

struct cost *cost_new(enum cost_table table, size_t length, const char *row,
		      const char *column);
uint64_t cost_begin(struct cost *cost);
void cost_end(struct cost *cost, uint64_t begin);
void cost_add(struct cost *cost, uint64_t count);
uint64_t cost_last(const struct cost *cost);
__attribute__((format(printf, 2, 3)))
void cost_absent(struct cost *cost, const char *format, ...);
const struct cost *cost_first(void);
const struct cost *cost_find(enum cost_table table, size_t length,
			     const char *row, const char *column);
double cost_value(const struct cost *cost);
double cost_drift(const struct cost *cost);
const char *cost_table_name(enum cost_table table);

/*
 * machine.c: a processor and its node, on which everything happens
 */

/**
 * struct machine - where it is measured
 * @cpu: the processor that this runs on
 * @node: its node, where all memory comes from
 * @release: of the kernel
 * @zeroed_by: the instruction by which the kernel clears pages
 */
struct machine {
	unsigned int cpu;
	unsigned int node;
	char release[65];
	const char *zeroed_by;
};

void machine_init(struct machine *machine);
size_t machine_free_memory(const struct machine *machine);
size_t machine_reserve_huge(const struct machine *machine, size_t length);
void machine_settle(void);
void machine_zero(const struct machine *machine, char *memory, size_t length);
unsigned long read_value(const char *path);
void write_value(const char *path, unsigned long value);

/*
 * memory.c: the kinds of memory that are compared
 */

enum memory_source {
	MEMORY_REGION,		/* ALLOC, and the offset that it answers */
	MEMORY_FRESH,		/* offset 0 of the device */
	MEMORY_HUGETLB,
	MEMORY_ANONYMOUS,
};

/**
 * struct memory_kind - a kind of memory
 * @name: for people, and what a row is called
 * @source: where it comes from
 * @order: of its pages, 9 or smaller
 */
struct memory_kind {
	const char *name;
	enum memory_source source;
	unsigned int order;
};

/**
 * struct memory - memory of a kind
 * @kind: the kind
 * @length: bytes
 * @device: where regions come from
 * @slot: of a region
 * @generation: of a region
 * @offset: to map a region
 * @address: where it is mapped
 */
struct memory {
	const struct memory_kind *kind;
	size_t length;
	int device;
	uint32_t slot;
	uint64_t generation;
	uint64_t offset;
	char *address;
};

extern const struct memory_kind memory_kinds[];
extern const unsigned int memory_kinds_nr;
extern const struct memory_kind *const memory_region;
extern const struct memory_kind *const memory_hugetlb;
extern const struct memory_kind *const memory_small_pages;

int device_open(void);
const char *memory_missing(const struct machine *machine,
			   const struct memory_kind *kind, size_t length);
void memory_release_pool(const struct machine *machine);
void memory_init(struct memory *memory, const struct memory_kind *kind,
		 size_t length, int device);
void memory_alloc(struct memory *memory);
void memory_map(struct memory *memory);
void memory_populate(struct memory *memory);
void memory_unmap(struct memory *memory);
void memory_free(struct memory *memory);
void memory_verify(const struct memory *memory);

/*
 * lifetime.c, reuse.c, fault.c, command.c, io.c: the tables
 */

/**
 * struct options - what is to be measured
 * @sizes: bytes, each a set of rows
 * @sizes_nr: number of @sizes
 * @repeat: how many times, or 0 for what suits the size
 * @tables: bit for each table
 * @profile: pattern of costs to be profiled, or NULL
 * @json: for programs
 */
struct options {
	size_t sizes[8];
	unsigned int sizes_nr;
	unsigned int repeat;
	unsigned int tables;
	const char *profile;
	bool json;
};

unsigned int options_repeat(const struct options *options, size_t length);
void measure_lifetime(const struct machine *machine,
		      const struct options *options, size_t length);
void measure_free(const struct machine *machine,
		  const struct options *options, size_t length);
void measure_reuse(const struct machine *machine,
		   const struct options *options, size_t length);
void measure_faults(const struct machine *machine,
		    const struct options *options, size_t length);
void measure_commands(const struct machine *machine,
		      const struct options *options, size_t length);
void measure_io(const struct machine *machine, const struct options *options,
		size_t length);

/* Names that the goals look for. */
#define COLUMN_ALLOC		"ALLOC"
#define COLUMN_POPULATE		"map, populate"
#define COLUMN_GET		"both"
#define COLUMN_REGISTER		"register"
#define COLUMN_UNREGISTER	"unregister"
#define COLUMN_UNMAP		"unmap"
#define COLUMN_FREE		"FREE"
#define COLUMN_FREE_MAPPED	"FREE, mapped"
#define COLUMN_FREE_UNCACHED	"FREE, no cache"
#define COLUMN_PAIR		"pair"
#define ROW_ZEROING		"zeroing alone"
#define ROW_CACHED		"ALLOC, FREE, cache"
#define ROW_UNCACHED		"ALLOC, FREE, no cache"

/*
 * goals.c: what the figures must be
 */

/**
 * struct goal - a bound on a figure
 * @what: the figure, in words
 * @value: the figure
 * @limit: what it must not exceed
 * @unit: of both
 * @drift: how far the figures behind it differ between the two halves of the
 *	measuring, as a part of them
 * @known: whether they were measured
 * @met: the verdict
 */
struct goal {
	const char *what;
	double value;
	double limit;
	const char *unit;
	double drift;
	bool known;
	bool met;
};

#define GOAL_DRIFT_MAX	0.002
#define GOAL_LENGTH	(64 * MIB)

unsigned int goals_judge(struct goal *goals, unsigned int max);

/*
 * report.c: for people and for programs
 */

void report_machine(const struct machine *machine);
void report_table(enum cost_table table, size_t length);
void report_goals(const struct goal *goals, unsigned int nr);
void report_json(const struct machine *machine, const struct goal *goals,
		 unsigned int nr);

/*
 * profile.c: where in the kernel the instructions go
 */

void profile_init(const char *pattern);
bool profile_wants(const struct cost *cost);
void profile_start(void);
void profile_stop(void);
void profile_report(void);

#endif /* SAFER_RING_COST_H */
