// SPDX-License-Identifier: GPL-2.0
#include "reading.h"

struct saferring_ring_stats stats_of(const struct stage *stage)
{
	struct saferring_ring_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_ring_stats(stage->ring, &stats), 0);
	return stats;
}

struct saferring_ring_info info_of(const struct stage *stage)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_ring_info(stage->ring, &info), 0);
	return info;
}

unsigned int wait_for(struct stage *stage,
		      struct saferring_completion *completions,
		      unsigned int max, unsigned int min)
{
	const int count = saferring_ring_wait(stage->ring, completions, max,
					      min, SAFERRING_FOREVER);

	assert_true(count >= (int)min);
	return (unsigned int)count;
}

void read_at(struct stage *stage, int fd, size_t block)
{
	assert_int_equal(saferring_ring_read(stage->ring, fd, get(stage->pool),
					     0, BUFFER_SIZE,
					     block * BUFFER_SIZE, block),
			 0);
}

void read_all(struct stage *stage, int fd, size_t blocks)
{
	struct saferring_completion completions[DEPTH];
	bool *seen = calloc(blocks, sizeof(*seen));
	size_t next = 0, done = 0;
	unsigned int count, number;

	assert_non_null(seen);
	while (done < blocks) {
		while (next < blocks && next - done < DEPTH)
			read_at(stage, fd, next++);
		count = wait_for(stage, completions, DEPTH, 1);
		for (number = 0; number < count; number++) {
			const struct saferring_completion *c =
				&completions[number];

			assert_int_equal(c->result, BUFFER_SIZE);
			assert_false(seen[c->user_data]);
			seen[c->user_data] = true;
			assert_pattern(saferring_buffer_data(c->pool,
							     c->buffer),
				       c->user_data * BUFFER_SIZE, BUFFER_SIZE);
			put(c->pool, c->buffer);
		}
		done += count;
	}
	free(seen);
}
