/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Short loops run at another speed when they lie elsewhere in a line of the
 * instruction cache, by up to a factor of two, and any change to a program
 * moves them. So each is there eight times, eight bytes further each time, and
 * a slice goes through all of them: what is measured is their mean.
 */
#ifndef BENCH_PLACE_H
#define BENCH_PLACE_H

#include <stdint.h>

#define PLACES 8U

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define PLACE(name, number)                                                    \
static __attribute__((noinline, aligned(64))) void                             \
name##_at_##number(void *state, uint64_t calls)                                \
{                                                                              \
	__asm__ volatile(".skip %c0, 0x90" : : "i"(8 * (number) + 8));         \
	name##_loop(state, calls);                                             \
}

/* Defines @name, which runs the copies of @name_loop in turn. */
#define PLACED(name)                                                           \
PLACE(name, 0) PLACE(name, 1) PLACE(name, 2) PLACE(name, 3)                    \
PLACE(name, 4) PLACE(name, 5) PLACE(name, 6) PLACE(name, 7)                    \
static void name(void *state, uint64_t calls)                                  \
{                                                                              \
	static void (*const at[PLACES])(void *state, uint64_t calls) = {       \
		name##_at_0, name##_at_1, name##_at_2, name##_at_3,            \
		name##_at_4, name##_at_5, name##_at_6, name##_at_7,            \
	};                                                                     \
	unsigned int i;                                                        \
\
	for (i = 0; i < PLACES; i++)                                           \
		at[i](state, (calls + i) / PLACES);                            \
}

#endif /* BENCH_PLACE_H */
