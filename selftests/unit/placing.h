/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of rings and groups share whose own memory lies in a region.
 */
#ifndef UNIT_PLACING_H
#define UNIT_PLACING_H

#include "common.h"

#define DEPTH 32U

struct saferring_ring_options options_of(struct stage *stage,
					 struct saferring_region *memory);
struct saferring_ring_info info_of(const struct saferring_ring *ring);
struct saferring_group_info group_info(const struct saferring_group *group);
void end_ring(struct saferring_ring *ring);

#endif /* UNIT_PLACING_H */
