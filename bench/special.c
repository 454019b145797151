// SPDX-License-Identifier: GPL-2.0
/*
 * The questions that are no pair of functions, and how they are written down.
 */
#include <stdarg.h>
#include "special.h"

const struct special special_rows[] = {
	{ "scale.buffers", "a check by number of buffers", scale_buffers },
	{ "scale.regions", "a check by number of regions", scale_regions },
	{ "scale.threads", "get and put by number of threads", scale_threads },
	{ "scale.handover", "got in one thread, put in another",
	  scale_handover },
	{ "memory.steady", "faults and memory of a steady state",
	  memory_steady },
	{ "memory.calls", "system calls of a steady state", memory_calls },
	{ "registration", "registering, by kind of page and size",
	  registration },
	{ "numa.placement", "whether memory lies on the node asked for",
	  numa_placement },
	{ "numa.speed", "near memory beside far memory", numa_speed },
	{ "whole", "instructions of whole operations, kernel included",
	  whole_operations },
	{ "latency", "percentiles of single operations", latency },
	{ "adaptation.batch", "system calls of a load that trickles in",
	  adaptation_batch },
	{ "adaptation.busy", "there and back, one at a time",
	  adaptation_busy },
	{ "adaptation.cache", "many buffers at a time from small caches",
	  adaptation_cache },
	{ 0 },
};

void record_point(const char *group, const char *series, double x,
		  const char *unit, struct estimate subject,
		  struct estimate twin, enum verdict verdict)
{
	record_begin("point", series);
	record_text("group", group);
	record_number("x", x);
	record_text("unit", unit);
	record_estimate("subject", subject);
	if (twin.value != 0)
		record_estimate("twin", twin);
	if (verdict != VERDICT_NONE)
		record_text("verdict", verdict_name(verdict));
	record_end();
}

void conclude_special(const char *group, const char *name, enum verdict verdict,
		      const char *format, ...)
{
	char reason[BENCH_TEXT];
	va_list list;

	va_start(list, format);
	vsnprintf(reason, sizeof(reason), format, list);
	va_end(list);
	record_begin("fact", name);
	record_text("group", group);
	record_text("verdict", verdict_name(verdict));
	record_text("reason", reason);
	record_end();
	tally(verdict);
	say("%-18s %s: %s", name, verdict_name(verdict), reason);
}
