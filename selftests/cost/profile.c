// SPDX-License-Identifier: GPL-2.0
/*
 * Where in the kernel the instructions go: the kernel's own sampling of its
 * program counter by a timer, which here goes by instructions too.
 *
 * The timer is held up while interrupts are off, and then finds the place where
 * they come on again. A profiled cost is wrong by the interrupts themselves.
 */
#include <errno.h>
#include <fnmatch.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cost.h"

/* The shortest that the kernel takes, in nanoseconds, which are instructions. */
#define PERIOD		10000
#define DATA_PAGES	256UL
#define SHOWN		24

struct symbol {
	uint64_t address;
	char name[64];
	unsigned long samples;
};

static const char *wanted;
static int fd = -1;
static bool running;
static struct perf_event_mmap_page *buffer;
static struct symbol *symbols;
static size_t symbols_nr;
static unsigned long outside;

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static int by_samples(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->samples < y->samples) - (x->samples > y->samples);
}

static void read_symbols(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	struct symbol symbol = { 0 };
	char line[512], type;
	size_t room = 0;

	if (!file)
		die("/proc/kallsyms: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx %c %63s", &symbol.address, &type,
			   symbol.name) != 3 || !strchr("tTwW", type))
			continue;
		if (symbols_nr == room) {
			room = room ? 2 * room : 1 << 16;
			symbols = realloc(symbols, room * sizeof(*symbols));
			if (!symbols)
				die("out of memory");
		}
		symbols[symbols_nr++] = symbol;
	}
	fclose(file);
	qsort(symbols, symbols_nr, sizeof(*symbols), by_address);
}

/**
 * profile_init - sample the costs whose "table/row/column" match a pattern
 * @pattern: as of the shell, or NULL for none
 */
void profile_init(const char *pattern)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = PERIOD,
		.sample_type = PERF_SAMPLE_IP,
		.disabled = 1,
	};

	wanted = pattern;
	if (!pattern)
		return;
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		die("perf_event_open: %s", strerror(errno));
	buffer = mmap(NULL, (1 + DATA_PAGES) * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED, fd, 0);
	if (buffer == MAP_FAILED)
		die("the buffer of perf_event_open: %s", strerror(errno));
	read_symbols();
}

/**
 * profile_wants - whether a cost is to be sampled
 * @cost: the cost
 *
 * Return: whether.
 */
bool profile_wants(const struct cost *cost)
{
	char name[160];

	if (!wanted)
		return false;
	snprintf(name, sizeof(name), "%s/%s/%s", cost_table_name(cost->table),
		 cost->row, cost->column);
	return !fnmatch(wanted, name, 0);
}

/**
 * profile_start - sample from here
 */
void profile_start(void)
{
	running = true;
	ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
}

static void take_sample(uint64_t address)
{
	size_t low = 0, high = symbols_nr;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (symbols[middle].address <= address)
			low = middle;
		else
			high = middle;
	}
	/* What is below the first symbol is the program itself. */
	if (!symbols_nr || address < symbols[low].address)
		outside++;
	else
		symbols[low].samples++;
}

static void copy_out(void *to, uint64_t at, size_t n)
{
	const char *data = (const char *)buffer + PAGE;

	for (size_t i = 0; i < n; i++)
		((char *)to)[i] = data[(at + i) % (DATA_PAGES * PAGE)];
}

/**
 * profile_stop - sample to here, if it was begun
 */
void profile_stop(void)
{
	struct { struct perf_event_header header; uint64_t address; } record;
	uint64_t head, tail;

	if (!running)
		return;
	running = false;
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	head = __atomic_load_n(&buffer->data_head, __ATOMIC_ACQUIRE);
	tail = buffer->data_tail;
	while (tail < head) {
		copy_out(&record, tail, sizeof(record));
		if (record.header.type == PERF_RECORD_SAMPLE)
			take_sample(record.address);
		else if (record.header.type == PERF_RECORD_LOST)
			die("samples were lost: profile less at once");
		tail += record.header.size;
	}
	__atomic_store_n(&buffer->data_tail, tail, __ATOMIC_RELEASE);
}

/**
 * profile_report - show the functions that were found most often
 */
void profile_report(void)
{
	unsigned long all = outside;

	for (size_t i = 0; i < symbols_nr; i++)
		all += symbols[i].samples;
	printf("profile of %s: %lu samples, one in %d instructions\n", wanted,
	       all, PERIOD);
	if (!all)
		die("no sample: is there a cost of that name, and long enough?");
	qsort(symbols, symbols_nr, sizeof(*symbols), by_samples);
	for (size_t i = 0; i < SHOWN && symbols[i].samples; i++)
		printf("  %5.1f %%  %s\n", 100.0 * symbols[i].samples / all,
		       symbols[i].name);
	printf("  %5.1f %%  the program itself\n", 100.0 * outside / all);
}
