// SPDX-License-Identifier: GPL-2.0
/*
 * What the wrong programs do right.
 */
#include "misuse.h"

volatile unsigned char sink;

saferring_buffer take(struct scene *scene)
{
	saferring_buffer buffer;

	MUST(saferring_buffer_get(scene->pool, &buffer));
	return buffer;
}

unsigned char *data_of(struct scene *scene, saferring_buffer buffer)
{
	unsigned char *data = saferring_buffer_data(scene->pool, buffer);

	MUST(data ? 0 : -1);
	return data;
}

void give(struct scene *scene, saferring_buffer buffer)
{
	MUST(saferring_buffer_put(scene->pool, buffer));
}

void send_off(struct scene *scene)
{
	MUST(saferring_ring_submit(scene->ring));
}

saferring_buffer wait_for(struct scene *scene)
{
	struct saferring_completion done;

	MUST(saferring_ring_wait(scene->ring, &done, 1, 1,
				 SAFERRING_FOREVER) - 1);
	return done.buffer;
}

void stuck_read(struct scene *scene, saferring_buffer buffer)
{
	MUST(saferring_ring_read(scene->ring, scene->pipe[0], buffer, 0, 16,
				 (uint64_t)-1, 0));
	send_off(scene);
}

void stuck_write(struct scene *scene, saferring_buffer buffer)
{
	static char fill[4096];

	MUST(fcntl(scene->pipe[1], F_SETFL, O_NONBLOCK));
	while (write(scene->pipe[1], fill, sizeof(fill)) > 0)
		;
	MUST(fcntl(scene->pipe[1], F_SETFL, 0));
	MUST(saferring_ring_write(scene->ring, scene->pipe[1], buffer, 0, 64,
				  (uint64_t)-1, 0));
	send_off(scene);
}

void unstick_read(struct scene *scene)
{
	MUST(write(scene->pipe[1], "0123456789abcdef", 16));
}

void unstick_write(struct scene *scene)
{
	static char drain[1 << 20];

	MUST(read(scene->pipe[0], drain, sizeof(drain)));
}

saferring_buffer read_through(struct scene *scene, saferring_buffer buffer)
{
	MUST(saferring_ring_read(scene->ring, scene->zero, buffer, 0, 64, 0,
				 0));
	return wait_for(scene);
}

void in_thread(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	MUST(-pthread_create(&thread, NULL, function, argument));
	MUST(-pthread_join(thread, NULL));
}

struct saferring_pool *make_other(struct scene *scene)
{
	struct saferring_region_options memory;
	struct saferring_pool_options cut;

	SAFERRING_OPTIONS_INIT(&memory);
	memory.length = REGION;
	MUST(saferring_region_create(scene->device, &memory,
				     &scene->other_region));
	SAFERRING_OPTIONS_INIT(&cut);
	cut.buffer_size = SIZE;
	cut.name = "other";
	MUST(saferring_pool_create(&scene->other_region, 1, &cut,
				   &scene->other_pool));
	return scene->other_pool;
}

void skip_unless(bool possible)
{
	if (possible)
		return;
	fprintf(stderr, "%s\n", saferring_error_last()->what);
	_exit(4);
}
