/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Probes: places that perf, bpftrace and SystemTap can attach to while a program
 * runs. Until they do, a probe is one instruction that does nothing. They are
 * there if the library was built with sys/sdt.h at hand.
 *
 *	submit		name of the ring, SQEs that the kernel has taken
 *	complete	name of the ring, completions handed out
 *	misuse		enum saferring_reason, the object at fault, handle
 *	exhausted	name of the pool, number of its buffers
 *	quarantine	name of the ring, number of buffers
 *	adapt		name of ring or pool, "batch", "busy" or "cache", new figure
 *
 * These are stable: arguments are added at the end only.
 */
#ifndef SAFERRING_PROBES_H
#define SAFERRING_PROBES_H

#if !defined(SAFERRING_NO_SDT) && defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define SR_PROBE2(name, one, two) DTRACE_PROBE2(saferring, name, one, two)
#define SR_PROBE3(name, one, two, three)                                       \
	DTRACE_PROBE3(saferring, name, one, two, three)
#endif
#endif

#ifndef SR_PROBE2
#define SR_PROBE2(name, one, two)                                              \
	do {                                                                   \
		(void)(one);                                                   \
		(void)(two);                                                   \
	} while (0)
#define SR_PROBE3(name, one, two, three)                                       \
	do {                                                                   \
		(void)(one);                                                   \
		(void)(two);                                                   \
		(void)(three);                                                 \
	} while (0)
#endif

#endif /* SAFERRING_PROBES_H */
