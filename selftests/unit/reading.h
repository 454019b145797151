/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of rings share: to read, and to look at what has come.
 */
#ifndef UNIT_READING_H
#define UNIT_READING_H

#include "common.h"

#define DEPTH 32U

struct saferring_ring_stats stats_of(const struct stage *stage);
struct saferring_ring_info info_of(const struct stage *stage);
/* At least @min completions. */
unsigned int wait_for(struct stage *stage,
		      struct saferring_completion *completions,
		      unsigned int max, unsigned int min);
/* Queue the read of a block of BUFFER_SIZE, whose number is its user_data. */
void read_at(struct stage *stage, int fd, size_t block);
/* Read a file of @blocks, always DEPTH in flight, and compare all of it. */
void read_all(struct stage *stage, int fd, size_t blocks);

#endif /* UNIT_READING_H */
