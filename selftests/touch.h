/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Touches of memory that may raise a signal. Not for several threads at once.
 */
#ifndef SAFER_RING_TEST_TOUCH_H
#define SAFER_RING_TEST_TOUCH_H

#include <setjmp.h>
#include <signal.h>

static sigjmp_buf sr_on_fault;

static inline void sr_fault(int sig)
{
	siglongjmp(sr_on_fault, sig);
}

/* To be called before the first touch. */
static inline void sr_catch_faults(void)
{
	signal(SIGBUS, sr_fault);
	signal(SIGSEGV, sr_fault);
}

/* The signal that a read at @at raises, or 0. */
static inline int sr_touch(const char *at)
{
	int sig = sigsetjmp(sr_on_fault, 1);

	if (sig)
		return sig;
	(void)*(const volatile char *)at;
	return 0;
}

/* The same for a write. */
static inline int sr_touch_to_write(char *at)
{
	int sig = sigsetjmp(sr_on_fault, 1);

	if (sig)
		return sig;
	*(volatile char *)at = 1;
	return 0;
}

#endif /* SAFER_RING_TEST_TOUCH_H */
