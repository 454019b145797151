// SPDX-License-Identifier: GPL-2.0
/*
 * Rivals: a buffer of 4 KiB got from the pool and put back, beside the same from
 * whatever else people use. Those that are libraries are opened when their row
 * is run, so that none of them is needed to build this.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#if __has_include(<ck_stack.h>)
#include <ck_stack.h>
#define HAVE_CK 1
#else
#define HAVE_CK 0
#endif
#include "rival.h"
#include "special.h"
#include "stage.h"

#define BUFFERS 1024U
#define SIZE	4096U

#if HAVE_CK
struct ck_buffer {
	ck_stack_entry_t entry;
	unsigned char *address;
};
#endif

/**
 * struct rival - state of a row
 * @library: what was opened, or NULL
 * @get: of a library: a buffer of SIZE, aligned to it
 * @put: of a library
 * @size: bytes of a buffer
 * @plugin: a program part that brings its own loop, or NULL
 */
struct rival {
	struct stage stage;
	void *library;
	void *(*get)(size_t alignment, size_t size);
	void (*put)(void *address);
	void *(*get_flags)(size_t size, int flags);
	void (*put_flags)(void *address, int flags);
	const struct rival_plugin *plugin;
	size_t size;
	pthread_mutex_t lock;
	uint64_t lifo[BUFFERS];
	uint64_t free;
#if HAVE_CK
	ck_stack_t stack;
	struct ck_buffer buffer[BUFFERS];
#endif
};

static void rival_subject(void *state, uint64_t calls)
{
	micro_pool_pairs(((struct rival *)state)->stage.pool, calls);
}

static void rival_down(void *state)
{
	struct rival *rival = state;

	stage_down(&rival->stage);
	/* None of these libraries is made to be unloaded. */
	free(rival);
}

static void *rival_up(const struct row *row)
{
	const struct stage_plan plan = {
		.buffers = BUFFERS,
		.buffer_size = row->size ? row->size : SIZE,
		.depth = row->depth,
	};
	struct rival *rival = calloc(1, sizeof(*rival));

	if (!rival || !stage_up(&rival->stage, &plan)) {
		free(rival);
		return NULL;
	}
	rival->size = plan.buffer_size;
	pthread_mutex_init(&rival->lock, NULL);
	for (; rival->free < BUFFERS; rival->free++)
		rival->lifo[rival->free] = rival->free;
	return rival;
}

/* ---- a stack under a mutex ---- */

static void mutex_twin(void *state, uint64_t calls)
{
	struct rival *rival = state;
	uint64_t number;

	while (calls--) {
		pthread_mutex_lock(&rival->lock);
		number = rival->lifo[--rival->free];
		pthread_mutex_unlock(&rival->lock);
		KEEP(number);
		pthread_mutex_lock(&rival->lock);
		rival->lifo[rival->free++] = number;
		pthread_mutex_unlock(&rival->lock);
	}
}

/* ---- a lock-free stack ---- */

#if HAVE_CK
static void *ck_up(const struct row *row)
{
	struct rival *rival = rival_up(row);
	size_t i;

	if (!rival)
		return NULL;
	ck_stack_init(&rival->stack);
	for (i = 0; i < BUFFERS; i++)
		ck_stack_push_upmc(&rival->stack, &rival->buffer[i].entry);
	return rival;
}

static void ck_twin(void *state, uint64_t calls)
{
	struct rival *rival = state;

	while (calls--) {
		ck_stack_entry_t *entry = ck_stack_pop_upmc(&rival->stack);

		KEEP(entry);
		ck_stack_push_upmc(&rival->stack, entry);
	}
}
#else
static void *ck_up(const struct row *row)
{
	(void)row;
	return row_skip("built without ck_stack.h (Debian: libck-dev)");
}

static void ck_twin(void *state, uint64_t calls)
{
	(void)state;
	(void)calls;
}
#endif

/* ---- allocators ---- */

/* row->twin begins with the file to be opened. */
static struct rival *library_up(const struct row *row, const char *file,
				const char *package)
{
	struct rival *rival = rival_up(row);

	if (!rival)
		return NULL;
	rival->library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (rival->library)
		return rival;
	row_skip("%s (Debian: %s)", dlerror(), package);
	rival_down(rival);
	return NULL;
}

/* What dlsym() finds is a function, whatever it is called. */
static void symbol(struct rival *rival, void *to, const char *name)
{
	void *const found = dlsym(rival->library, name);

	memcpy(to, &found, sizeof(found));
}

static void *symbols_up(struct rival *rival, const char *get, const char *put)
{
	if (!rival)
		return NULL;
	symbol(rival, &rival->get, get);
	symbol(rival, &rival->put, put);
	if (rival->get && rival->put)
		return rival;
	row_skip("no %s and %s in that library", get, put);
	rival_down(rival);
	return NULL;
}

static void *tcmalloc_up(const struct row *row)
{
	return symbols_up(library_up(row, "libtcmalloc_minimal.so.4",
				     "libtcmalloc-minimal4"),
			  "tc_memalign", "tc_free");
}

static void *mimalloc_up(const struct row *row)
{
	return symbols_up(library_up(row, "libmimalloc.so.2", "libmimalloc2.0"),
			  "mi_memalign", "mi_free");
}

static void allocator_twin(void *state, uint64_t calls)
{
	struct rival *rival = state;

	while (calls--) {
		void *address = rival->get(SIZE, SIZE);

		KEEP(address);
		rival->put(address);
	}
}

static void *jemalloc_up(const struct row *row)
{
	struct rival *rival = library_up(row, "libjemalloc.so.2",
					 "libjemalloc2");

	if (!rival)
		return NULL;
	symbol(rival, &rival->get_flags, "mallocx");
	symbol(rival, &rival->put_flags, "dallocx");
	if (rival->get_flags && rival->put_flags)
		return rival;
	row_skip("no mallocx() in that library");
	rival_down(rival);
	return NULL;
}

/* Its flags are the logarithm of the alignment. */
#define LOG_SIZE 12

static void jemalloc_twin(void *state, uint64_t calls)
{
	struct rival *rival = state;

	while (calls--) {
		void *address = rival->get_flags(SIZE, LOG_SIZE);

		KEEP(address);
		rival->put_flags(address, LOG_SIZE);
	}
}

static void glibc_twin(void *state, uint64_t calls)
{
	(void)state;
	while (calls--) {
		void *address = aligned_alloc(SIZE, SIZE);

		KEEP(address);
		free(address);
	}
}

/* ---- memory got and registered for each use ---- */

#define MAPPED (64UL << 10)

static void map_twin(void *state, uint64_t calls)
{
	(void)state;
	while (calls--) {
		unsigned char *address =
			mmap(NULL, MAPPED, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		size_t i;

		if (address == MAP_FAILED) {
			row_error(errno);
			return;
		}
		for (i = 0; i < MAPPED; i += SIZE)
			address[i] = 1;
		munmap(address, MAPPED);
	}
}

/* The ring has other buffers, so they go first, and the state ends with it. */
static void *register_up(const struct row *row)
{
	struct rival *rival = rival_up(row);

	if (rival && rival->stage.fixed)
		io_uring_unregister_buffers(&rival->stage.raw);
	return rival;
}

static void register_twin(void *state, uint64_t calls)
{
	struct rival *rival = state;
	struct io_uring *ring = &rival->stage.raw;
	struct iovec iovec = { .iov_len = rival->size };
	int error;

	while (calls--) {
		iovec.iov_base = aligned_alloc(SIZE, rival->size);
		error = io_uring_register_buffers(ring, &iovec, 1);
		if (!error)
			error = io_uring_unregister_buffers(ring);
		if (error)
			row_error(error);
		free(iovec.iov_base);
	}
}

/* ---- DPDK, which brings its own loop, because its calls are inline ---- */

static void *mempool_up(const struct row *row)
{
	struct rival *rival = rival_up(row);
	char path[4096], *name;
	ssize_t length;

	if (!rival)
		return NULL;
	length = readlink("/proc/self/exe", path, sizeof(path) - 32);
	if (length > 0) {
		path[length] = '\0';
		name = strrchr(path, '/') + 1;
		snprintf(name, 32, "rival-mempool.so");
		rival->library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	}
	if (rival->library)
		rival->plugin = dlsym(rival->library, "rival_plugin");
	if (!rival->plugin)
		row_skip("built without DPDK (Debian: libdpdk-dev)");
	else if (rival->plugin->up(BUFFERS, SIZE))
		row_skip("DPDK's EAL does not come up here");
	else
		return rival;
	rival_down(rival);
	return NULL;
}

static void mempool_twin(void *state, uint64_t calls)
{
	((struct rival *)state)->plugin->run(calls);
}

#define RIVAL(up, with)                                                        \
	.group = "rivals", .subject = "get, put", .setup = up,                 \
	.teardown = rival_down, .run_subject = rival_subject,                  \
	.run_twin = with, .per = 1

const struct row rival_rows[] = {
	{
		RIVAL(mempool_up, mempool_twin),
		.name = "rival.mempool",
		.twin = "rte_mempool of DPDK with its cache",
		.about = "a buffer got and put, beside DPDK's pool",
		.goal = { { GOAL_RATIO, 0.25 } },
	},
	{
		RIVAL(ck_up, ck_twin),
		.name = "rival.ck_stack",
		.twin = "lock-free stack of Concurrency Kit",
		.about = "a buffer got and put, beside a Treiber stack",
	},
	{
		RIVAL(rival_up, mutex_twin),
		.name = "rival.mutex",
		.twin = "stack of indices under a mutex",
		.about = "a buffer got and put, beside a stack under a mutex",
	},
	{
		RIVAL(tcmalloc_up, allocator_twin),
		.name = "rival.tcmalloc",
		.twin = "tc_memalign, tc_free of tcmalloc",
		.about = "a buffer got and put, beside tcmalloc",
		.goal = { { GOAL_RATIO, 1.0 } },
	},
	{
		RIVAL(mimalloc_up, allocator_twin),
		.name = "rival.mimalloc",
		.twin = "mi_memalign, mi_free of mimalloc",
		.about = "a buffer got and put, beside mimalloc",
	},
	{
		RIVAL(jemalloc_up, jemalloc_twin),
		.name = "rival.jemalloc",
		.twin = "mallocx, dallocx of jemalloc",
		.about = "a buffer got and put, beside jemalloc",
	},
	{
		RIVAL(rival_up, glibc_twin),
		.name = "rival.glibc",
		.twin = "aligned_alloc, free of the C library",
		.about = "a buffer got and put, beside the C library's allocator",
		.goal = { { GOAL_RATIO, 0.05 } },
	},
	{
		RIVAL(rival_up, map_twin),
		.name = "rival.mmap",
		.twin = "mmap, touch, munmap of 64 KiB",
		.about = "a buffer got and put, beside fresh memory each time",
	},
	{
		RIVAL(register_up, register_twin),
		.depth = 8,
		.name = "rival.register_4k",
		.twin = "aligned_alloc, register, unregister, free of 4 KiB",
		.about = "a buffer of 4 KiB got and put, beside registering each time",
		.goal = { { GOAL_RATIO, 0.001 } },
	},
	{
		RIVAL(register_up, register_twin),
		.depth = 8,
		.size = 64 << 10,
		.name = "rival.register_64k",
		.twin = "aligned_alloc, register, unregister, free of 64 KiB",
		.about = "a buffer of 64 KiB got and put, beside registering each time",
		.goal = { { GOAL_RATIO, 0.001 } },
	},
	{ 0 },
};
