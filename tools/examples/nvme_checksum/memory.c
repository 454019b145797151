// SPDX-License-Identifier: GPL-2.0
/*
 * Memory: the four objects of the library, made from the bottom up and destroyed
 * from the top down.
 */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "nvme_checksum.h"

/* For the kernel to let go of the memory of a ring that was just destroyed. */
#define PATIENCE_MS 2000

void complain(const char *what, int error)
{
	const struct saferring_error *last = saferring_error_last();
	char text[1024];

	if (last->code == error)
		saferring_error_text(last, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s", strerror(-error));
	fprintf(stderr, "nvme_checksum: %s: %s\n", what, text);
}

/*
 * On the node of the device that the data comes from: then neither the device
 * nor, if it runs there too, the program reaches across. That is worth having
 * but not worth failing for, so it is a preference unless --strict.
 */
static int get_region(struct memory *memory, const struct options *options)
{
	struct saferring_region_options want;
	int node = options->node;

	if (node < 0)
		node = memory->file_node;
	if (node < 0 && options->strict) {
		fputs("nvme_checksum: --strict, but the files' device is on no "
		      "node: name one with --node\n", stderr);
		return node;
	}
	SAFERRING_OPTIONS_INIT(&want);
	want.length = 2 * options->depth * options->chunk;
	want.name = "files";
	if (node >= 0) {
		want.node = node;
		want.placement = options->strict ? SAFERRING_PLACE_STRICT :
						   SAFERRING_PLACE_PREFERRED;
	}
	return saferring_region_create(memory->device, &want, &memory->region);
}

/*
 * Twice as many buffers as reads in flight: the other half are being written, or
 * wait for an earlier part of their file.
 */
static int get_pool(struct memory *memory, const struct options *options)
{
	struct saferring_pool_options want;

	SAFERRING_OPTIONS_INIT(&want);
	want.buffer_size = options->chunk;
	want.count = 2 * options->depth;
	want.name = "chunks";
	return saferring_pool_create(&memory->region, 1, &want, &memory->pool);
}

/* A buffer is in one operation at most: this many are always enough. */
static int get_ring(struct memory *memory, const struct options *options)
{
	struct saferring_ring_options want;

	SAFERRING_OPTIONS_INIT(&want);
	want.depth = 2 * options->depth;
	want.pools = &memory->pool;
	want.pool_count = 1;
	want.name = "disk";
	return saferring_ring_create(&want, &memory->ring);
}

/* Asks the kernel where each page is, instead of believing what was promised. */
static long count_elsewhere(const struct memory *memory)
{
	struct saferring_region_info info = { .size = sizeof(info) };
	const unsigned char *base = saferring_region_address(memory->region);
	long elsewhere = 0;
	int node;

	if (saferring_region_info(memory->region, &info) || info.node < 0)
		return -1;
	for (size_t at = 0; at < info.length; at += info.page_size) {
		node = saferring_node_of_address(base + at);
		if (node < 0)
			return -1;
		elsewhere += node != info.node;
	}
	return elsewhere;
}

int memory_set_up(struct memory *memory, const struct options *options, int fd)
{
	struct saferring_device_options want;
	int error;

	memory->file_node = saferring_node_of_file(fd);
	SAFERRING_OPTIONS_INIT(&want);
	want.backend = options->backend;
	error = saferring_device_open(&want, &memory->device);
	if (!error)
		error = get_region(memory, options);
	if (!error)
		error = get_pool(memory, options);
	if (!error)
		error = get_ring(memory, options);
	if (error) {
		complain("cannot begin", error);
		memory_tear_down(memory);
		return error;
	}
	memory->elsewhere = count_elsewhere(memory);
	return 0;
}

/*
 * Each object refuses to go before those that use it, so what is returned is
 * the first thing that went wrong, and nothing above it was leaked silently.
 */
int memory_tear_down(struct memory *memory)
{
	int lost, error;

	lost = saferring_ring_destroy(memory->ring, PATIENCE_MS);
	error = saferring_pool_destroy(memory->pool);
	if (!error)
		error = saferring_region_destroy(memory->region, 0,
						 PATIENCE_MS);
	if (!error)
		error = saferring_device_close(memory->device);
	if (error)
		complain("the memory could not be given back", error);
	*memory = (struct memory){ 0 };
	return error ? error : lost;
}

/*
 * One for each page from Linux 6.12 on, where io_uring joins what is contiguous
 * in a folio. Before, one for each page of the base size.
 */
size_t memory_bvecs(const struct saferring_region_info *info)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (!uname(&name))
		sscanf(name.release, "%u.%u", &major, &minor);
	if (major > 6 || (major == 6 && minor >= 12))
		return info->pages;
	return info->length / sysconf(_SC_PAGESIZE);
}
