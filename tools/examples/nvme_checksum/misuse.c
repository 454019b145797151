// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse: three mistakes that corrupt memory in programs of the usual kind, each
 * made on purpose, and what the library answers. Compare: with bare io_uring
 * the first reads a buffer that the device is writing, the second hands one
 * buffer out twice, and the third touches memory that is somebody else's.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "nvme_checksum.h"

/* The library calls this at once, in the thread that made the mistake. */
static void take_report(const struct saferring_error *error, void *context)
{
	struct misuse *misuse = context;

	misuse->error = *error;
	misuse->reported = true;
}

static void conclude(struct misuse *misuse, int result)
{
	misuse->result = result;
	misuse->caught = result == -ESTALE && misuse->reported &&
			 misuse->error.reason == misuse->expected;
	saferring_report_set(saferring_report_stderr, NULL);
}

static void begin(struct misuse *misuse, const char *name, const char *deed,
		  int expected)
{
	*misuse = (struct misuse){
		.name = name,
		.deed = deed,
		.expected = expected,
	};
	saferring_report_set(take_report, misuse);
}

/* data() has no error but NULL; the error is in the detail. */
static int try_data(struct saferring_pool *pool, saferring_buffer buffer)
{
	if (saferring_buffer_data(pool, buffer))
		return 0;
	return saferring_error_last()->code;
}

/*
 * The read owns the buffer until its completion is taken, which brings the fresh
 * handle that is returned by @buffer.
 */
static int use_after_submit(struct memory *memory, struct misuse *misuse,
			    saferring_buffer *buffer, int fd)
{
	const saferring_buffer old = *buffer;
	struct saferring_completion done;
	int error;

	error = saferring_ring_read(memory->ring, fd, old, 0, BLOCK, 0, 0);
	if (!error)
		error = saferring_ring_submit(memory->ring);
	if (error < 0)
		return error;
	begin(misuse, "use after submit",
	      "data() on the handle of a buffer that a read in flight owns",
	      SAFERRING_REASON_USE_AFTER_SUBMIT);
	conclude(misuse, try_data(memory->pool, old));
	error = saferring_ring_wait(memory->ring, &done, 1, 1,
				    SAFERRING_FOREVER);
	if (error < 0)
		return error;
	*buffer = done.buffer;
	return 0;
}

static int double_put(struct memory *memory, struct misuse *misuse,
		      saferring_buffer buffer)
{
	int error = saferring_buffer_put(memory->pool, buffer);

	if (error)
		return error;
	begin(misuse, "double put", "a second put() of the same handle",
	      SAFERRING_REASON_DOUBLE_PUT);
	conclude(misuse, saferring_buffer_put(memory->pool, buffer));
	return 0;
}

static int use_after_free(struct memory *memory, struct misuse *misuse)
{
	saferring_buffer buffer;
	int error;

	error = saferring_buffer_get(memory->pool, &buffer);
	if (!error)
		error = saferring_region_revoke(memory->region);
	if (error)
		return error;
	begin(misuse, "use after free",
	      "data() on a handle whose region was revoked",
	      SAFERRING_REASON_REGION_GONE);
	conclude(misuse, try_data(memory->pool, buffer));
	return 0;
}

int misuse_try(struct memory *memory, struct misuse misuse[MISUSES])
{
	saferring_buffer buffer;
	int error, fd;

	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = saferring_buffer_get(memory->pool, &buffer);
	if (!error)
		error = use_after_submit(memory, &misuse[0], &buffer, fd);
	if (!error)
		error = double_put(memory, &misuse[1], buffer);
	if (!error)
		error = use_after_free(memory, &misuse[2]);
	close(fd);
	return error;
}
