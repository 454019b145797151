// SPDX-License-Identifier: GPL-2.0
/*
 * Faults: to be preloaded into a program that uses the library, to let it meet
 * what healthy disks and kernels hardly ever do. FAULT in the environment says
 * which:
 *
 *	short		reads and writes move half of the blocks asked for
 *	again		every other operation ends with -EAGAIN
 *	eio		the third read ends with -EIO
 *	full		the third write ends with -ENOSPC
 *	damage		one bit of the third write is wrong
 *	refused		O_DIRECT is granted when a file is opened, and refused later
 *	no-direct	O_DIRECT is refused when a file is opened
 *	broken-ring	the ring fails at the third time of waiting
 *	unnoticed	data() of a stale handle succeeds
 *
 * At the end it says on standard error how often it interfered, for a test to
 * see that it did.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <saferring.h>

#define BLOCK	4096u
#define KEYS	4096u

static const char *fault = "";
static unsigned long interfered;
static unsigned long waits, reads, writes, operations;

/* Keys of operations that were started on a file with O_DIRECT. */
static uint64_t direct_key[KEYS];

__attribute__((constructor))
static void begin(void)
{
	if (getenv("FAULT"))
		fault = getenv("FAULT");
}

__attribute__((destructor))
static void end(void)
{
	fprintf(stderr, "fault %s: %lu times\n", fault, interfered);
}

static bool is(const char *name)
{
	return !strcmp(fault, name);
}

/* The function of that name which the program would have called. */
static void *next(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort();
	return function;
}

/* --- opening files */

int open(const char *path, int flags, ...)
{
	typeof(open) *next_open = next("open");
	va_list args;
	int mode;

	va_start(args, flags);
	mode = va_arg(args, int);
	va_end(args);
	if (is("no-direct") && (flags & O_DIRECT)) {
		interfered++;
		errno = EINVAL;
		return -1;
	}
	return next_open(path, flags, mode);
}

/* --- starting operations */

static void note_direct(int fd, uint64_t key)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (direct_key[i] && direct_key[i] != key)
			continue;
		direct_key[i] = fcntl(fd, F_GETFL) & O_DIRECT ? key : 0;
		if (direct_key[i])
			return;
	}
}

static bool was_direct(uint64_t key)
{
	for (size_t i = 0; i < KEYS; i++)
		if (direct_key[i] == key)
			return true;
	return false;
}

int saferring_ring_read(struct saferring_ring *ring, int fd,
			saferring_buffer buffer, size_t start, size_t length,
			uint64_t offset, uint64_t user_data)
{
	typeof(saferring_ring_read) *next_read = next("saferring_ring_read");

	note_direct(fd, user_data);
	return next_read(ring, fd, buffer, start, length, offset, user_data);
}

static struct saferring_pool *pool;

int saferring_ring_create(const struct saferring_ring_options *options,
			  struct saferring_ring **ring)
{
	typeof(saferring_ring_create) *next_create =
		next("saferring_ring_create");

	pool = options->pools[0];
	return next_create(options, ring);
}

int saferring_ring_write(struct saferring_ring *ring, int fd,
			 saferring_buffer buffer, size_t start, size_t length,
			 uint64_t offset, uint64_t user_data)
{
	typeof(saferring_ring_write) *next_write = next("saferring_ring_write");
	unsigned char *data = saferring_buffer_data(pool, buffer);

	note_direct(fd, user_data);
	if (is("damage") && ++writes == 3 && data) {
		data[start] ^= 1;
		interfered++;
	}
	return next_write(ring, fd, buffer, start, length, offset, user_data);
}

/* Inline code comes here with handles that do not pass its check. */
void *saferring_buffer_data_slow(struct saferring_pool *from,
				 saferring_buffer buffer)
{
	typeof(saferring_buffer_data_slow) *next_data =
		next("saferring_buffer_data_slow");
	static unsigned char page[BLOCK];

	if (!is("unnoticed"))
		return next_data(from, buffer);
	interfered++;
	return page;
}

/* --- ending them */

static int half(int result)
{
	int blocks = result / (int)BLOCK;

	return blocks > 1 ? blocks / 2 * (int)BLOCK : result;
}

/* What an operation that moved @done->result bytes is to end with instead. */
static int other_result(const struct saferring_completion *done)
{
	const bool is_read = done->operation == SAFERRING_OPERATION_READ;

	operations++;
	reads += is_read;
	writes += !is_read;
	if (is("short"))
		return half(done->result);
	if (is("again") && operations % 2)
		return -EAGAIN;
	if (is("eio") && is_read && reads == 3)
		return -EIO;
	if (is("full") && !is_read && writes == 3)
		return -ENOSPC;
	if (is("refused") && was_direct(done->user_data))
		return -EINVAL;
	return done->result;
}

int saferring_ring_wait(struct saferring_ring *ring,
			struct saferring_completion *done, unsigned int max,
			unsigned int min, uint64_t timeout_ns)
{
	typeof(saferring_ring_wait) *next_wait = next("saferring_ring_wait");
	int count, result;

	if (is("broken-ring") && ++waits == 3) {
		interfered++;
		return -EIO;
	}
	count = next_wait(ring, done, max, min, timeout_ns);
	for (int i = 0; i < count; i++) {
		result = other_result(&done[i]);
		interfered += result != done[i].result;
		done[i].result = result;
	}
	return count;
}
