/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A rival in a shared object of its own, that is opened if it is there.
 */
#ifndef BENCH_RIVAL_H
#define BENCH_RIVAL_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct rival_plugin - exported as rival_plugin
 * @up: make a pool of so many buffers, once; 0 if it can be used
 * @run: get and put a buffer so many times
 */
struct rival_plugin {
	int (*up)(size_t count, size_t size);
	void (*run)(uint64_t calls);
};

#endif /* BENCH_RIVAL_H */
