// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Trap: buffers that are not the program's are made inaccessible, so that a
 * wrong dereference ends at its line. Under the address sanitizer or valgrind
 * they do it, byte by byte, and report in their own way; else the protection of
 * whole pages does, and a handler of SIGSEGV reports.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "account.h"
#include "internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction former;

const char *sr_trap_name(enum sr_trap trap)
{
	static const char *const names[] = {
		[SR_TRAP_NONE] = "",
		[SR_TRAP_MPROTECT] = "mprotect",
		[SR_TRAP_ASAN] = "asan",
		[SR_TRAP_VALGRIND] = "valgrind",
	};

	return names[trap];
}

/* ---- whose memory was touched ---- */

static bool find_index(const struct saferring_pool *pool, uintptr_t address,
		       size_t *index)
{
	size_t number;

	for (number = 0; number < pool->region_count; number++) {
		const uintptr_t start =
			(uintptr_t)pool->region[number]->address;
		const size_t length = pool->region[number]->length;

		if (address < start || address - start >= length)
			continue;
		*index = ((address - start) >> pool->buffer_shift) +
			 (number << pool->region_bits);
		return *index << SR_INDEX_SHIFT <= pool->fast.mask &&
		       *sr_tag_at(pool, *index);
	}
	return false;
}

static void describe(struct saferring_pool *pool, size_t index,
		     uintptr_t address, const char *access,
		     struct saferring_error *error)
{
	const uint64_t handle =
		sr_tag_handle(sr_tag_load(sr_tag_at(pool, index)));

	error->handle = handle;
	snprintf(error->object, sizeof(error->object), "pool %s", pool->name);
	snprintf(error->what, sizeof(error->what),
		 "%s of byte %zu of a buffer that is not the program's", access,
		 (size_t)(address - (uintptr_t)sr_buffer_address(pool,
								 handle)));
	sr_describe_buffer(pool, handle, error);
	snprintf(error->cure, sizeof(error->cure),
		 "fetch the pointer anew with each handle, and use it while the handle is good");
}

/*
 * The pool that an address lies in, if the buffer there is not the program's.
 * The caller has the registry locked.
 */
static struct saferring_pool *find_pool(uintptr_t address, size_t *index)
{
	struct saferring_pool *pool;
	uint64_t tag;

	for (pool = sr_pools; pool; pool = pool->next) {
		if (!pool->depth || !find_index(pool, address, index))
			continue;
		tag = sr_tag_load(sr_tag_at(pool, *index));
		return (tag & SR_STATE_MASK) == SR_STATE_USER ? NULL : pool;
	}
	return NULL;
}

static void report_access(const void *address, const char *access)
{
	struct saferring_error *error;
	struct saferring_pool *pool;
	size_t index;

	if (!sr_registry_lock_timed())
		return;
	pool = find_pool((uintptr_t)address, &index);
	sr_registry_unlock();
	if (!pool)
		return;
	error = sr_error_begin(0, SAFERRING_REASON_STRAY_ACCESS, "memory");
	describe(pool, index, (uintptr_t)address, access, error);
	sr_account_pool_misuse(pool);
	sr_report(error);
}

/* ---- mprotect ---- */

static const char *access_of(const void *context)
{
#if defined(__x86_64__)
	const ucontext_t *state = context;

	/* Bit 1 of the page fault's error code. */
	return state->uc_mcontext.gregs[REG_ERR] & 2 ? "write" : "read";
#else
	(void)context;
	return "access";
#endif
}

/*
 * Returning repeats the access with the former handler, or the default action,
 * in place: a core dump shows the line.
 */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	sigaction(signal, &former, NULL);
	if (info->si_code == SEGV_ACCERR)
		report_access(info->si_addr, access_of(context));
}

static void install(void)
{
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
	};

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &former);
}

/* ---- the address sanitizer ---- */

static void on_asan_report(const char *text __attribute__((unused)))
{
	report_access(__asan_get_report_address(),
		      __asan_get_report_access_type() ? "write" : "read");
}

static void install_asan(void)
{
	if (__asan_set_error_report_callback && __asan_get_report_address &&
	    __asan_get_report_access_type)
		__asan_set_error_report_callback(on_asan_report);
}

/* ---- valgrind ---- */

#if __has_include("valgrind/memcheck.h")
#include "valgrind/memcheck.h"

static bool on_valgrind(void)
{
	return RUNNING_ON_VALGRIND;
}

/* What valgrind says of the memory if it is touched. */
static void set_valgrind(struct saferring_pool *pool, uint64_t handle,
			 const char *what)
{
	const size_t index = sr_word_index(pool, handle);
	struct sr_history *history = &pool->depth->history[index];
	void *address = sr_buffer_address(pool, handle);
	const bool is_free = !strcmp(what, "free");
	char text[128];

	snprintf(text, sizeof(text), "buffer %zu of pool %s (%s%s)", index,
		 pool->name, is_free ? "" : "in flight as ", what);
	VALGRIND_MAKE_MEM_NOACCESS(address, pool->buffer_size);
	/* Valgrind counts from 0, and 0 is for none here. */
	history->block = 1 + (unsigned int)VALGRIND_CREATE_BLOCK(
				     address, pool->buffer_size, text);
}

static void clear_valgrind(struct saferring_pool *pool, uint64_t handle)
{
	struct sr_history *history =
		&pool->depth->history[sr_word_index(pool, handle)];

	if (history->block)
		VALGRIND_DISCARD(history->block - 1);
	history->block = 0;
	VALGRIND_MAKE_MEM_DEFINED(sr_buffer_address(pool, handle),
				  pool->buffer_size);
}

#else
static bool on_valgrind(void)
{
	return false;
}

static void set_valgrind(struct saferring_pool *pool __attribute__((unused)),
			 uint64_t handle __attribute__((unused)),
			 const char *what __attribute__((unused)))
{
}

static void clear_valgrind(struct saferring_pool *pool __attribute__((unused)),
			   uint64_t handle __attribute__((unused)))
{
}
#endif

/* ---- choosing ---- */

/* The smallest piece of the region that can be protected. */
static size_t granule(const struct saferring_region *region)
{
	return region->backend->kind == SAFERRING_BACKEND_HUGETLB ?
		       region->page_size :
		       sr_page_size();
}

static void choose_mprotect(struct saferring_pool *pool)
{
	struct sr_depth *depth = pool->depth;
	const size_t page = granule(pool->region[0]);
	const size_t used = strlen(depth->reason);

	if (pool->buffer_size % page) {
		snprintf(depth->reason + used, sizeof(depth->reason) - used,
			 "%sbuffers of %zu bytes are no whole pages of %zu, so they stay accessible",
			 used ? "; " : "", pool->buffer_size, page);
		return;
	}
	depth->trap = SR_TRAP_MPROTECT;
	pthread_once(&once, install);
}

void sr_trap_choose(struct saferring_pool *pool)
{
	if (on_valgrind()) {
		pool->depth->trap = SR_TRAP_VALGRIND;
	} else if (__asan_poison_memory_region &&
		   __asan_unpoison_memory_region) {
		pool->depth->trap = SR_TRAP_ASAN;
		pthread_once(&once, install_asan);
	} else {
		choose_mprotect(pool);
	}
}

/* ---- setting and clearing ---- */

/*
 * Each buffer that is protected for itself may be a mapping more, and there is
 * a limit to these. Then it stays accessible, and the reason says so.
 */
static void protect(struct saferring_pool *pool, uint64_t handle,
		    int protection)
{
	if (mprotect(sr_buffer_address(pool, handle), pool->buffer_size,
		     protection))
		snprintf(pool->depth->reason, sizeof(pool->depth->reason),
			 "mprotect failed, some buffers stay accessible: %s",
			 strerror(errno));
}

void sr_trap_set(struct saferring_pool *pool, uint64_t handle,
		 const char *what)
{
	const int saved = errno;

	switch (pool->depth->trap) {
	case SR_TRAP_NONE:
		break;
	case SR_TRAP_MPROTECT:
		protect(pool, handle, PROT_NONE);
		break;
	case SR_TRAP_ASAN:
		__asan_poison_memory_region(sr_buffer_address(pool, handle),
					    pool->buffer_size);
		break;
	case SR_TRAP_VALGRIND:
		set_valgrind(pool, handle, what);
		break;
	}
	errno = saved;
}

void sr_trap_clear(struct saferring_pool *pool, uint64_t handle)
{
	const int saved = errno;

	switch (pool->depth->trap) {
	case SR_TRAP_NONE:
		break;
	case SR_TRAP_MPROTECT:
		protect(pool, handle, PROT_READ | PROT_WRITE);
		break;
	case SR_TRAP_ASAN:
		__asan_unpoison_memory_region(sr_buffer_address(pool, handle),
					      pool->buffer_size);
		break;
	case SR_TRAP_VALGRIND:
		clear_valgrind(pool, handle);
		break;
	}
	errno = saved;
}

/* The address sanitizer would hold it against whatever is mapped there next. */
void sr_trap_forget(const struct saferring_pool *pool)
{
	size_t number;

	if (pool->depth->trap != SR_TRAP_ASAN)
		return;
	for (number = 0; number < pool->region_count; number++)
		__asan_unpoison_memory_region(pool->region[number]->address,
					      pool->region[number]->length);
}
