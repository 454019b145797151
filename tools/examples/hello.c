// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest whole program: prints the first 4 KiB of a file, read through a
 * fixed buffer. Every step returns 0 or more, or -errno, and leaves the rest of
 * the story in saferring_error_last().
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <saferring.h>

static void check(int result)
{
	if (result >= 0)
		return;
	saferring_report_stderr(saferring_error_last(), NULL);
	exit(1);
}

int main(int argc, char **argv)
{
	struct saferring_region_options memory = {
		.size = sizeof(memory), .length = 1 << 20 };
	struct saferring_pool_options cut = {
		.size = sizeof(cut), .buffer_size = 4096 };
	struct saferring_ring_options use = {
		.size = sizeof(use), .pool_count = 1 };
	struct saferring_completion done;
	struct saferring_device *device;
	struct saferring_region *region;
	struct saferring_pool *pool;
	struct saferring_ring *ring;
	saferring_buffer buffer;
	int fd = open(argc > 1 ? argv[1] : "/etc/os-release", O_RDONLY);

	check(saferring_device_open(NULL, &device));
	check(saferring_region_create(device, &memory, &region));
	check(saferring_pool_create(&region, 1, &cut, &pool));
	use.pools = &pool;
	check(saferring_ring_create(&use, &ring));

	check(saferring_buffer_get(pool, &buffer));
	check(saferring_ring_read(ring, fd, buffer, 0, 4096, 0, 0));
	check(saferring_ring_wait(ring, &done, 1, 1, SAFERRING_FOREVER));
	/* The kernel had the buffer. Now it goes by the handle done.buffer. */
	if (done.result < 0)
		fprintf(stderr, "read: %s\n", strerror(-done.result));
	else
		fwrite(saferring_buffer_data(pool, done.buffer), 1,
		       done.result, stdout);
	check(saferring_buffer_put(pool, done.buffer));

	check(saferring_ring_destroy(ring, 1000));
	check(saferring_pool_destroy(pool));
	check(saferring_region_destroy(region, 0, 1000));
	check(saferring_device_close(device));
	return done.result < 0;
}
