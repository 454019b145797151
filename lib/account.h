/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Account: where the library's objects note what they do, for the statistics.
 */
#ifndef SAFERRING_ACCOUNT_H
#define SAFERRING_ACCOUNT_H

#include "internal.h"

/* Something failed, was misused, or happened: enum saferring_reason. */
void sr_account_reason(int reason) __attribute__((cold));

/*
 * A region has come, or goes. The mark is kept by the region, and is NULL if
 * there is no room to count it one by one.
 */
uint64_t *sr_account_region(const struct saferring_region *region);
void sr_account_region_gone(const struct saferring_region *region,
			    uint64_t *mark);

#endif /* SAFERRING_ACCOUNT_H */
