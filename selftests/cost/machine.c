// SPDX-License-Identifier: GPL-2.0
/*
 * The machine: one processor, its node, and the state of what is shared.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cost.h"

/* Longer than the module keeps folios for the next region. */
#define SETTLE_US	2500000

/**
 * write_value - write a number to a file of the kernel
 * @path: the file
 * @value: the number
 */
void write_value(const char *path, unsigned long value)
{
	FILE *file = fopen(path, "we");

	if (!file || fprintf(file, "%lu\n", value) < 0 || fclose(file))
		die("%s: cannot write %lu: %s", path, value, strerror(errno));
}

/**
 * read_value - read a number from a file of the kernel
 * @path: the file
 *
 * Return: the number.
 */
unsigned long read_value(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long value;

	if (!file || fscanf(file, "%lu", &value) != 1)
		die("%s: %s", path, file ? "not a number" : strerror(errno));
	fclose(file);
	return value;
}

/* What clear_page() of the kernel uses, by what it goes by. */
static const char *zeroing_instruction(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	const char *found = NULL;
	char line[8192];

	if (!file)
		die("/proc/cpuinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "flags", 5))
			continue;
		if (strstr(line, " erms "))
			found = "rep stosb";
		else if (strstr(line, " rep_good "))
			found = "rep stosq";
		break;
	}
	fclose(file);
	if (!found)
		die("the kernel clears pages by single stores here, which is\n"
		    "not imitated: the zeroing cannot be told apart");
	return found;
}

/**
 * machine_init - stay on one processor, and take memory from its node only
 * @machine: to be filled
 *
 * The last processor, for the first one has the machine's chores.
 */
void machine_init(struct machine *machine)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long nodes;
	struct utsname name;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpus - 1, &set);
	if (sched_setaffinity(0, sizeof(set), &set) ||
	    syscall(SYS_getcpu, &machine->cpu, &machine->node, NULL))
		die("processor %ld: %s", cpus - 1, strerror(errno));
	nodes = 1UL << machine->node;
	if (syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 8 * sizeof(nodes)))
		die("node %u: %s", machine->node, strerror(errno));
	if (uname(&name))
		die("uname: %s", strerror(errno));
	snprintf(machine->release, sizeof(machine->release), "%s",
		 name.release);
	machine->zeroed_by = zeroing_instruction();
}

/**
 * machine_free_memory - what the node has left
 * @machine: the machine
 *
 * Return: bytes.
 */
size_t machine_free_memory(const struct machine *machine)
{
	unsigned long kib = 0;
	char path[80], line[128];
	FILE *file;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%u/meminfo", machine->node);
	file = fopen(path, "re");
	if (!file)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Node %*u MemFree: %lu kB", &kib) == 1)
			break;
	fclose(file);
	return kib * KIB;
}

/**
 * machine_reserve_huge - have huge pages for hugetlb on the node
 * @machine: the machine
 * @length: bytes; 0 to give them back
 *
 * Return: bytes that there are, which may be less.
 */
size_t machine_reserve_huge(const struct machine *machine, size_t length)
{
	char path[96];

	/*
	 * A ring that was closed a moment ago signals this task to let go of
	 * it, and at a signal the kernel stops to reserve.
	 */
	machine_settle();
	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%u/hugepages/hugepages-2048kB/nr_hugepages",
		 machine->node);
	write_value(path, length / HUGE_PAGE);
	return read_value(path) * HUGE_PAGE;
}

/**
 * machine_settle - wait until the module and the kernel have nothing left to do
 *
 * Time is cheap: an idle machine that counts instructions jumps to its next
 * timer.
 */
void machine_settle(void)
{
	usleep(SETTLE_US);
}

/**
 * machine_zero - clear memory as the kernel does
 * @machine: the machine
 * @memory: page-aligned, populated
 * @length: bytes, whole pages
 */
void machine_zero(const struct machine *machine, char *memory, size_t length)
{
	bool bytes = !strcmp(machine->zeroed_by, "rep stosb");

	for (size_t at = 0; at < length; at += PAGE) {
		void *to = memory + at;
		size_t n = bytes ? PAGE : PAGE / 8;

		if (bytes)
			asm volatile("rep stosb"
				     : "+D"(to), "+c"(n) : "a"(0) : "memory");
		else
			asm volatile("rep stosq"
				     : "+D"(to), "+c"(n) : "a"(0) : "memory");
	}
}
