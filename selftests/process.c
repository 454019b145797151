// SPDX-License-Identifier: GPL-2.0
/*
 * Processes and their ways into each other: what becomes of a region when they
 * multiply, turn into other programs, look into each other's memory, dump core.
 */
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "safer_ring_test.h"
#include "files.h"
#include "touch.h"

#define LENGTH		(4UL << 20)
#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define CORE		"/tmp/safer_ring_core"
#define BLOCK		64

FIXTURE(process)
{
	struct sr_usage before;
	struct safer_ring_alloc region;
	char *map;
	int dev;
};

FIXTURE_SETUP(process)
{
	SR_REQUIRE_DEVICE();
	sr_catch_faults();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &self->region));
	self->map = sr_map(self->dev, LENGTH, self->region.mmap_offset);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(process)
{
	munmap(self->map, LENGTH);
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static int free_region(FIXTURE_DATA(process) *self)
{
	return sr_free(self->dev, self->region.slot, self->region.generation,
		       0, 0, NULL);
}

/*
 * A child that has the region mapped at the same place as the parent, by its own
 * mmap(), and waits to be killed.
 */
static pid_t start_child_with_mapping(FIXTURE_DATA(process) *self)
{
	int ready[2];
	char byte;
	pid_t child;

	if (pipe(ready))
		return -1;
	child = fork();
	if (!child) {
		char *map = mmap(self->map, LENGTH, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, self->dev,
				 self->region.mmap_offset);

		if (map != self->map || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		child = -1;
	close(ready[0]);
	return child;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* In a function of its own, for the sake of the caller's variables. */
static int write_in_vfork_child(char *at)
{
	int status;
	pid_t child = vfork();

	if (!child) {
		*(volatile char *)at = 77;
		_exit(0);
	}
	return waitpid(child, &status, 0) == child ? status : -1;
}

TEST_F(process, a_vfork_child_is_in_its_parents_memory_and_ends_none_of_it)
{
	EXPECT_EQ(0, write_in_vfork_child(self->map + LENGTH - 1));
	EXPECT_EQ(77, self->map[LENGTH - 1]);
	EXPECT_EQ(0, free_region(self));
}

/* The child becomes a shell that holds on to @dev until its input ends. */
static pid_t exec_shell_with(int dev, int *input, int *output)
{
	char command[128];
	int in[2], out[2];
	pid_t child;

	if (pipe(in) || pipe(out))
		return -1;
	child = fork();
	if (!child) {
		fcntl(dev, F_SETFD, 0);
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		snprintf(command, sizeof(command),
			 "grep slots_used /proc/self/fdinfo/%d; read x", dev);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*input = in[1];
	*output = out[0];
	return child;
}

TEST_F(process, a_descriptor_that_is_kept_over_exec_keeps_its_regions)
{
	char text[64] = "";
	int in, out;
	pid_t child = exec_shell_with(self->dev, &in, &out);

	ASSERT_LE(0, child);
	ASSERT_LT(0, read(out, text, sizeof(text) - 1));
	EXPECT_STREQ("slots_used:\t1\n", text);
	munmap(self->map, LENGTH);
	close(self->dev);
	EXPECT_EQ(self->before.regions + 1, sr_stat("regions"));
	close(in);
	close(out);
	waitpid(child, NULL, 0);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 2000));
	self->dev = sr_open();
	self->map = NULL;
}

TEST_F(process, a_debugger_reads_and_writes_a_region_until_it_is_freed)
{
	long *at = (void *)(self->map + 5 * PAGE);
	pid_t child = start_child_with_mapping(self);
	int status;

	ASSERT_LT(0, child);
	*at = 0x1234567;
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, child, NULL, NULL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	errno = 0;
	EXPECT_EQ(0x1234567, ptrace(PTRACE_PEEKDATA, child, at, NULL));
	EXPECT_EQ(0, errno);
	EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, child, at, 0x7654321L));
	EXPECT_EQ(0x7654321, *at);

	ASSERT_EQ(0, free_region(self));
	errno = 0;
	EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, child, at, NULL));
	EXPECT_NE(0, errno);
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, child, at, 1L));
	/* It is the debugger that is refused, not the child that dies. */
	EXPECT_EQ(0, waitpid(child, &status, WNOHANG));
	end(child);
}

static ssize_t read_of(pid_t pid, char *from, char *to, size_t length)
{
	struct iovec here = { .iov_base = to, .iov_len = length };
	struct iovec there = { .iov_base = from, .iov_len = length };

	return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

static ssize_t write_to(pid_t pid, char *to, char *from, size_t length)
{
	struct iovec here = { .iov_base = from, .iov_len = length };
	struct iovec there = { .iov_base = to, .iov_len = length };

	return process_vm_writev(pid, &here, 1, &there, 1, 0);
}

TEST_F(process, another_process_reads_and_writes_it_until_it_is_freed)
{
	pid_t child = start_child_with_mapping(self);
	char page[PAGE];

	ASSERT_LT(0, child);
	memset(self->map, 3, LENGTH);
	ASSERT_EQ((ssize_t)PAGE, read_of(child, self->map + PAGE, page, PAGE));
	EXPECT_EQ(3, page[PAGE - 1]);
	memset(page, 4, PAGE);
	EXPECT_EQ((ssize_t)PAGE, write_to(child, self->map + PAGE, page, PAGE));
	EXPECT_EQ(4, self->map[PAGE]);
	EXPECT_EQ(3, self->map[2 * PAGE]);

	ASSERT_EQ(0, free_region(self));
	EXPECT_EQ(-1, read_of(child, self->map + PAGE, page, PAGE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, write_to(child, self->map + PAGE, page, PAGE));
	EXPECT_EQ(EFAULT, errno);
	end(child);
}

TEST_F(process, the_memory_file_of_a_process_shows_it_until_it_is_freed)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	off_t at = (uintptr_t)(self->map + PAGE);
	char byte = 9;

	ASSERT_LE(0, mem);
	self->map[PAGE] = 8;
	ASSERT_EQ(1, pread(mem, &byte, 1, at));
	EXPECT_EQ(8, byte);
	byte = 7;
	EXPECT_EQ(1, pwrite(mem, &byte, 1, at));
	EXPECT_EQ(7, self->map[PAGE]);
	ASSERT_EQ(0, free_region(self));
	EXPECT_EQ(-1, pread(mem, &byte, 1, at));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pwrite(mem, &byte, 1, at));
	close(mem);
}

/* It writes where the process itself could not, to private memory at least. */
TEST_F(process, the_memory_file_forges_no_generation_and_no_read_only_region)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct sr_control control = { 0 };
	__u64 forged = 1;
	char *map;

	ASSERT_LE(0, mem);
	ASSERT_EQ(0, sr_control_map(self->dev, &control));
	EXPECT_EQ(-1, pwrite(mem, &forged, sizeof(forged),
			     (uintptr_t)&control.words[self->region.slot]));
	EXPECT_EQ(self->region.generation,
		  sr_word(&control, self->region.slot));
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->dev,
		   self->region.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-1, pwrite(mem, &forged, sizeof(forged), (uintptr_t)map));
	EXPECT_EQ(0, self->map[0]);
	munmap(map, PAGE);
	sr_control_unmap(&control);
	close(mem);
}

/* Bytes that no other memory has, unless it was copied from there. */
static unsigned char pattern(unsigned char seed, unsigned int i)
{
	return seed + 7 * i * i;
}

static void fill(char *at, size_t length, unsigned char seed)
{
	size_t i;

	for (i = 0; i < length; i++)
		((volatile unsigned char *)at)[i] = pattern(seed, i % BLOCK);
}

/* Whether a file has a block of that pattern. */
static bool file_has(const char *path, unsigned char seed)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char needle[BLOCK];
	bool found = false;
	unsigned int i;
	off_t length;
	char *map;

	for (i = 0; i < BLOCK; i++)
		needle[i] = pattern(seed, i);
	length = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	if (length > 0) {
		map = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
		found = map != MAP_FAILED &&
			memmem(map, length, needle, BLOCK);
		munmap(map, length);
	}
	close(fd);
	return found;
}

static void dump_core(FIXTURE_DATA(process) *self)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	char *map, *heap = malloc(PAGE);
	struct sr_control control;

	setrlimit(RLIMIT_CORE, &all);
	/* Everything there is a bit for. */
	sr_file_write("/proc/self/coredump_filter", "0x1ff");
	map = sr_map(self->dev, LENGTH, self->region.mmap_offset);
	sr_control_map(self->dev, &control);
	if (map == MAP_FAILED || !heap)
		_exit(1);
	fill(map, LENGTH, 0x51);
	fill(heap, PAGE, 0x52);
	/* Nor can it be asked for. */
	if (!madvise(map, LENGTH, MADV_DODUMP) || errno != EINVAL)
		_exit(2);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	_exit(3);
}

TEST_F(process, a_core_dump_has_the_heap_and_no_region)
{
	char old[256];
	int status;
	pid_t child;

	if (sr_file_read(CORE_PATTERN, old, sizeof(old)) < 0 ||
	    sr_file_write(CORE_PATTERN, CORE "\n"))
		SKIP(return, "%s: %s", CORE_PATTERN, strerror(errno));
	child = fork();
	if (!child)
		dump_core(self);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	sr_file_write(CORE_PATTERN, "%s", old);
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_TRUE(WCOREDUMP(status));
	EXPECT_TRUE(file_has(CORE, 0x52));
	EXPECT_FALSE(file_has(CORE, 0x51));
	unlink(CORE);
}

/* In a child that has inherited the region. Return: its exit status. */
static int lose_region(char *map, int ready, int go)
{
	char byte;

	if (map[0] != 5)
		return 1;
	if (write(ready, "x", 1) != 1 || read(go, &byte, 1))
		return 2;
	return sr_touch(map) == SIGBUS ? 0 : 3;
}

TEST_F(process, a_child_that_was_given_a_region_loses_it_with_its_parent)
{
	int ready[2], go[2], status;
	pid_t child;
	char byte;

	self->map[0] = 5;
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	/* It is the program's own wish then, and no way around FREE. */
	if (madvise(self->map, LENGTH, MADV_DOFORK))
		SKIP(return, "this kernel refuses to: %s", strerror(errno));
	child = fork();
	if (!child) {
		close(go[1]);
		_exit(lose_region(self->map, ready[1], go[0]));
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, free_region(self));
	close(go[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(ready[0]);
	close(go[0]);
}

TEST_HARNESS_MAIN
