// SPDX-License-Identifier: GPL-2.0
/*
 * The questions that are no pair of functions.
 */
#include "bench.h"

const struct special special_rows[] = {
	{ 0 },
};
