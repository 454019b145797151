// SPDX-License-Identifier: GPL-2.0
/*
 * Steady state: once everything is set up, the library allocates nothing, takes
 * no page fault, calls the kernel for io_uring_enter() alone, and executes no
 * locked instruction in a single thread. Each test shows besides that it would
 * notice.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include "common.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED 1
#else
#define INSTRUMENTED 0
#endif

#define BATCH 8

/* ---- what is done, and what could be done wrong with it ---- */

enum plant {
	NOTHING,
	ALLOCATION,
	FAULT,
	SYSTEM_CALL,
	LOCK,
};

static struct stage *stage;
static unsigned int placed;
static int zero;
static char *fresh;
static unsigned int word;

static void misbehave(enum plant plant)
{
	switch (plant) {
	case NOTHING:
		break;
	case ALLOCATION: {
		void *volatile block = malloc(32);

		free(block);
		break;
	}
	case FAULT:
		*fresh = 1;
		fresh += sysconf(_SC_PAGESIZE);
		break;
	case SYSTEM_CALL:
		syscall(SYS_getppid);
		break;
	case LOCK:
		__atomic_add_fetch(&word, 1, __ATOMIC_SEQ_CST);
		break;
	}
}

/* Get, use, submit, wait, use, put: what a program does all day. */
static void work(enum plant plant)
{
	struct saferring_completion done[BATCH];
	saferring_buffer buffers[BATCH];
	int number, got, have = 0;

	for (number = 0; number < BATCH / 2; number++)
		if (saferring_buffer_get(stage->pool, &buffers[number]))
			_exit(11);
	if (saferring_buffer_get_many(stage->pool, buffers + BATCH / 2,
				      BATCH / 2) != BATCH / 2)
		_exit(12);
	for (number = 0; number < BATCH; number++) {
		char *data = saferring_buffer_data(stage->pool,
						   buffers[number]);

		*data = 1;
		if (saferring_ring_read(stage->ring, zero, buffers[number], 0,
					BUFFER_SIZE, 0, 0))
			_exit(13);
	}
	misbehave(plant);
	while (have < BATCH) {
		got = saferring_ring_wait(stage->ring, done + have,
					  (unsigned int)(BATCH - have), 1,
					  SAFERRING_FOREVER);
		if (got < 0)
			_exit(14);
		have += got;
	}
	for (number = 0; number < BATCH; number++) {
		const char *data = saferring_buffer_data(stage->pool,
							 done[number].buffer);

		if (*data || done[number].result != BUFFER_SIZE)
			_exit(15);
		buffers[number] = done[number].buffer;
	}
	for (number = 0; number < BATCH / 2; number++)
		if (saferring_buffer_put(stage->pool, buffers[number]))
			_exit(16);
	if (saferring_buffer_put_many(stage->pool, buffers + BATCH / 2,
				      BATCH / 2) != BATCH / 2)
		_exit(17);
}

static void warm_up(void)
{
	int round;

	for (round = 0; round < 200; round++)
		work(NOTHING);
}

static int up(void **state)
{
	(void)state;
	if (INSTRUMENTED)
		return 0;
	stage = stage_up(0, 2 * BATCH, STAGE_RING | placed);
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	fresh = mmap(NULL, 64 << 12, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(zero >= 0);
	assert_true(fresh != MAP_FAILED);
	warm_up();
	return 0;
}

/* It is the same for a ring whose queues lie in a region. */
static int up_placed(void **state)
{
	placed = STAGE_PLACED;
	return up(state);
}

static int down(void **state)
{
	(void)state;
	placed = 0;
	if (INSTRUMENTED)
		return 0;
	close(zero);
	stage_down(stage);
	return 0;
}

/* Depths allocate nothing either, but they fault, lock and protect. */
static void only_uninstrumented(void)
{
	if (INSTRUMENTED)
		SKIP("a sanitizer does all of it itself");
	if (getenv("UNIT_WRAPPER"))
		SKIP("what runs the program does all of it itself");
	if (depth_of(stage->pool) != SAFERRING_DEPTH_FAST)
		SKIP("a depth does it on purpose");
}

/* ---- allocations ---- */

static unsigned long allocations;

#if !INSTRUMENTED
/* All of the process come by here, also those of shared libraries. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	allocations++;
	return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	allocations++;
	return __libc_realloc(block, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
	allocations++;
	*block = __libc_memalign(alignment, size);
	return *block ? 0 : ENOMEM;
}
#endif

static unsigned long count_allocations(enum plant plant)
{
	const unsigned long before = allocations;
	int round;

	for (round = 0; round < 1000; round++)
		work(plant);
	return allocations - before;
}

static void nothing_is_allocated(void **state)
{
	(void)state;
	only_uninstrumented();
	assert_int_equal(count_allocations(NOTHING), 0);
	assert_int_equal(count_allocations(ALLOCATION), 1000);
}

/* ---- page faults ---- */

static long count_faults(enum plant plant, int rounds)
{
	struct rusage before, after;

	getrusage(RUSAGE_THREAD, &before);
	while (rounds--)
		work(plant);
	getrusage(RUSAGE_THREAD, &after);
	return after.ru_minflt + after.ru_majflt - before.ru_minflt -
	       before.ru_majflt;
}

static void no_page_fault_is_taken(void **state)
{
	(void)state;
	only_uninstrumented();
	assert_int_equal(count_faults(NOTHING, 1000), 0);
	assert_true(count_faults(FAULT, 20) >= 20);
}

/* ---- a process that is watched ---- */

#define MARK SYS_getpgid

/* The work lies between two system calls that nobody makes else. */
static void watched(enum plant plant)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(10);
	raise(SIGSTOP);
	syscall(MARK, 0);
	work(plant);
	work(plant);
	syscall(MARK, 0);
	_exit(0);
}

/*
 * A child cannot use its parent's ring, so it makes its own. Returns 0 if
 * nobody may be watched here.
 */
static pid_t start_watched(enum plant plant)
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		alarm(60);
		stage = stage_up(0, 2 * BATCH, STAGE_RING | placed);
		warm_up();
		watched(plant);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 10)
		return 0;
	assert_true(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, child, NULL,
	       (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	return child;
}

static void finish_watched(pid_t child)
{
	int status;

	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

#if defined(__x86_64__)
static struct user_regs_struct registers_of(pid_t child)
{
	struct user_regs_struct registers;

	assert_int_equal(ptrace(PTRACE_GETREGS, child, NULL, &registers), 0);
	return registers;
}

/* Go on to the next system call's beginning. Returns its number. */
static long next_call(pid_t child)
{
	long number;
	int status, half;

	for (half = 0; half < 2; half++) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSTOPPED(status))
			fail_msg("the child ended with status %#x", status);
		if (!half)
			number = (long)registers_of(child).orig_rax;
	}
	return number;
}

static void count_calls(enum plant plant, unsigned int *enters,
			unsigned int *others)
{
	const pid_t child = start_watched(plant);
	long number;

	*enters = 0;
	*others = 0;
	if (!child)
		SKIP("no process may be traced here");
	while (next_call(child) != MARK)
		;
	for (number = next_call(child); number != MARK;
	     number = next_call(child)) {
		if (number == SYS_io_uring_enter)
			++*enters;
		else
			++*others;
	}
	finish_watched(child);
}

static void no_system_call_but_io_uring_enter_is_made(void **state)
{
	unsigned int enters, others;

	(void)state;
	only_uninstrumented();
	count_calls(NOTHING, &enters, &others);
	assert_int_equal(others, 0);
	assert_in_range(enters, 2, 2 * BATCH);
	count_calls(SYSTEM_CALL, &enters, &others);
	assert_int_equal(others, 2);
}

/* ---- locked instructions ---- */

static bool is_prefix(unsigned char byte)
{
	return byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x26 ||
	       byte == 0x64 || byte == 0x65 || byte == 0x66 || byte == 0x67 ||
	       byte == 0xf2 || byte == 0xf3;
}

/* A lock prefix, or an exchange with memory, which is locked without one. */
static bool is_locked(pid_t child, unsigned long long at)
{
	unsigned char bytes[8];
	size_t place = 0;
	long text = ptrace(PTRACE_PEEKTEXT, child, (void *)at, NULL);

	memcpy(bytes, &text, sizeof(text));
	while (place < 4 && is_prefix(bytes[place]))
		place++;
	if (bytes[place] == 0xf0)
		return true;
	if ((bytes[place] & 0xf0) == 0x40)
		place++;
	return (bytes[place] == 0x86 || bytes[place] == 0x87) &&
	       bytes[place + 1] < 0xc0;
}

static bool is_mark(pid_t child, const struct user_regs_struct *registers)
{
	const long text = ptrace(PTRACE_PEEKTEXT, child,
				 (void *)registers->rip, NULL);

	return (text & 0xffff) == 0x050f && registers->rax == MARK;
}

/* Step from the one mark to the other. */
static void count_locks(enum plant plant, unsigned int *steps,
			unsigned int *locks)
{
	const pid_t child = start_watched(plant);
	struct user_regs_struct registers;
	int status;

	*steps = 0;
	*locks = 0;
	if (!child)
		SKIP("no process may be traced here");
	while (next_call(child) != MARK)
		;
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL),
				 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSTOPPED(status));
		registers = registers_of(child);
		if (is_mark(child, &registers))
			break;
		++*steps;
		*locks += is_locked(child, registers.rip);
	}
	finish_watched(child);
}

static void no_locked_instruction_is_executed(void **state)
{
	unsigned int steps, locks;

	(void)state;
	only_uninstrumented();
	count_locks(NOTHING, &steps, &locks);
	assert_int_equal(locks, 0);
	/* Two rounds of work cannot take fewer. */
	assert_in_range(steps, 500, 1000000);
	count_locks(LOCK, &steps, &locks);
	assert_int_equal(locks, 2);
}
#else
static void no_system_call_but_io_uring_enter_is_made(void **state)
{
	(void)state;
	SKIP("knows the registers of x86-64 only");
}

static void no_locked_instruction_is_executed(void **state)
{
	(void)state;
	SKIP("knows the instructions of x86-64 only");
}
#endif

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
#define P(name)                                                                \
	{ #name "_of_a_placed_ring", name, up_placed, down, NULL }
	const struct CMUnitTest tests[] = {
		T(nothing_is_allocated),
		T(no_page_fault_is_taken),
		T(no_system_call_but_io_uring_enter_is_made),
		T(no_locked_instruction_is_executed),
		P(nothing_is_allocated),
		P(no_page_fault_is_taken),
		P(no_system_call_but_io_uring_enter_is_made),
		P(no_locked_instruction_is_executed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
