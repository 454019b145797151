/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which physical pages are under an address: only root is told.
 */
#ifndef SAFER_RING_TEST_FRAMES_H
#define SAFER_RING_TEST_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "safer_ring_test.h"

/* The page frame at an address, by /proc/self/pagemap; 0 if it is not told. */
static inline __u64 sr_frame(int pagemap, const char *at)
{
	__u64 entry = 0;

	if (pread(pagemap, &entry, sizeof(entry),
		  (uintptr_t)at / PAGE * sizeof(entry)) != sizeof(entry))
		return 0;
	return entry & (1ULL << 63) ? entry & ((1ULL << 55) - 1) : 0;
}

/* All frames of a mapping that was touched; NULL if they are not told. */
static inline __u64 *sr_frames(const char *map, size_t length)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t n = length / PAGE, i;
	__u64 *frames = calloc(n, sizeof(*frames));

	for (i = 0; frames && i < n; i++) {
		frames[i] = sr_frame(pagemap, map + i * PAGE);
		if (!frames[i]) {
			free(frames);
			frames = NULL;
		}
	}
	close(pagemap);
	return frames;
}

/* Whether a mapping still has exactly these; it is touched first. */
static inline bool sr_frames_are(const __u64 *frames, const char *map,
				 size_t length)
{
	__u64 *now;
	size_t at;
	bool same;

	for (at = 0; at < length; at += PAGE)
		(void)*(const volatile char *)(map + at);
	now = sr_frames(map, length);
	same = now && !memcmp(now, frames, length / PAGE * sizeof(*now));
	free(now);
	return same;
}

#endif /* SAFER_RING_TEST_FRAMES_H */
