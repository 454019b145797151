// SPDX-License-Identifier: GPL-2.0
/*
 * Users, capabilities, namespaces and control groups: who may have how much, and
 * to whom it is charged.
 */
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "safer_ring_test.h"
#include "cgroup.h"
#include "files.h"
#include "uring.h"

#define LENGTH		(8UL << 20)
#define USER		65534
#define QUOTA		(4 * PAGE)
#define DEBUGFS		"/sys/kernel/debug/safer_ring/regions"
#define PLACE		"/tmp/safer_ring_container"
/* An exit status that says why a child could not try. */
#define CANNOT		100

FIXTURE(container)
{
	struct sr_usage before;
	struct safer_ring_info info;
	int dev;
};

FIXTURE_SETUP(container)
{
	SR_REQUIRE_DEVICE();
	if (geteuid())
		SKIP(return, "only root can be somebody else");
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_info(self->dev, &self->info));
}

FIXTURE_TEARDOWN(container)
{
	if (geteuid())
		return;
	EXPECT_EQ(0, sr_write_parameter("quota_user", self->info.quota_user));
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static int alloc(int dev, __u64 length)
{
	struct safer_ring_alloc a;

	return sr_alloc(dev, length, &a);
}

/* Run @fn in a child. Return: its exit status, or -1 if it has none. */
static int in_child(int (*fn)(FIXTURE_DATA(container) *self),
		    FIXTURE_DATA(container) *self)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(fn(self));
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* --- users */

static int become_user(void)
{
	return setgid(USER) || setuid(USER) || prctl(PR_SET_DUMPABLE, 1) ?
		-errno : 0;
}

/* Root there, and the user outside. Return: 0 or -errno. */
static int enter_user_namespace(int others)
{
	if (unshare(CLONE_NEWUSER | others))
		return -errno;
	sr_file_write("/proc/self/setgroups", "deny");
	return sr_file_write("/proc/self/uid_map", "0 %d 1", USER) ?:
	       sr_file_write("/proc/self/gid_map", "0 %d 1", USER);
}

static int set_capabilities(__u32 bits)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = bits, .permitted = bits } };

	return syscall(__NR_capset, &header, data) ? -errno : 0;
}

static int exceed_quota_with_and_without_capability(FIXTURE_DATA(container)
						    *self)
{
	if (prctl(PR_SET_KEEPCAPS, 1) || become_user())
		return CANNOT;
	if (set_capabilities(1 << CAP_IPC_LOCK))
		return CANNOT;
	if (alloc(self->dev, QUOTA + PAGE))
		return 1;
	if (set_capabilities(0))
		return CANNOT;
	/* What was had beyond the quota counts. */
	return alloc(self->dev, PAGE) == -EDQUOT ? 0 : 2;
}

TEST_F(container, cap_ipc_lock_alone_lifts_a_users_quota)
{
	ASSERT_EQ(0, sr_write_parameter("quota_user", QUOTA));
	EXPECT_EQ(0, in_child(exceed_quota_with_and_without_capability, self));
}

static int exceed_quota_in_namespace(FIXTURE_DATA(container) *self)
{
	if (become_user() || enter_user_namespace(0))
		return CANNOT;
	if (alloc(self->dev, QUOTA + PAGE) != -EDQUOT)
		return 1;
	if (alloc(self->dev, QUOTA))
		return 2;
	return alloc(self->dev, 1) == -EDQUOT ? 0 : 3;
}

TEST_F(container, root_of_a_user_namespace_has_the_quota_of_its_user_outside)
{
	int ret;

	ASSERT_EQ(0, sr_write_parameter("quota_user", QUOTA));
	ret = in_child(exceed_quota_in_namespace, self);
	if (ret == CANNOT)
		SKIP(return, "no user namespaces");
	EXPECT_EQ(0, ret);
}

static int alloc_in_namespace(FIXTURE_DATA(container) *self)
{
	if (enter_user_namespace(0))
		return CANNOT;
	return alloc(self->dev, 3 * PAGE) ? 1 : 0;
}

static int see_what_namespace_uses(FIXTURE_DATA(container) *self)
{
	struct safer_ring_info info;
	int ret;

	if (become_user())
		return CANNOT;
	ret = in_child(alloc_in_namespace, self);
	if (ret)
		return ret;
	if (sr_info(self->dev, &info))
		return 2;
	return info.quota_user_used == 3 * PAGE ? 0 : 3;
}

TEST_F(container, what_a_user_has_in_a_namespace_counts_as_the_users)
{
	int ret = in_child(see_what_namespace_uses, self);

	if (ret == CANNOT)
		SKIP(return, "no user namespaces");
	EXPECT_EQ(0, ret);
}

/* --- namespaces */

/* The whole way, with a descriptor that came from outside. */
static int use_in_container(FIXTURE_DATA(container) *self)
{
	struct safer_ring_alloc a;
	int ring;
	char *map;

	if (become_user() ||
	    enter_user_namespace(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
				 CLONE_NEWIPC | CLONE_NEWUTS))
		return CANNOT;
	if (open(SAFER_RING_DEVICE, O_RDWR) >= 0 || errno != EACCES)
		return 1;
	if (!mknod(PLACE, S_IFCHR | 0600, makedev(10, 250)))
		return 2;
	ring = uring_open(4);
	if (ring < 0)
		return CANNOT;
	if (sr_alloc(self->dev, PAGE, &a))
		return 3;
	map = sr_map(self->dev, PAGE, a.mmap_offset);
	if (map == MAP_FAILED || uring_register_buffer(ring, map, PAGE))
		return 4;
	close(ring);
	return sr_free(self->dev, a.slot, a.generation, SAFER_RING_FREE_WAIT,
		       5000, NULL) ? 5 : 0;
}

TEST_F(container, a_container_uses_the_descriptor_it_was_given_and_opens_none)
{
	int ret = in_child(use_in_container, self);

	if (ret == CANNOT)
		SKIP(return, "no namespaces, or no io_uring in them");
	EXPECT_EQ(0, ret);
}

TEST_F(container, the_list_of_regions_names_processes_as_the_first_namespace_does)
{
	struct safer_ring_alloc a;
	char *text = malloc(1 << 20), line[512], word[32];
	int ready[2];
	char byte;
	pid_t child;

	ASSERT_NE(NULL, text);
	if (access(DEBUGFS, R_OK))
		SKIP(return, "%s: %s", DEBUGFS, strerror(errno));
	ASSERT_EQ(0, pipe(ready));
	if (unshare(CLONE_NEWPID))
		SKIP(return, "no pid namespaces: %s", strerror(errno));
	child = fork();
	if (!child) {
		int dev = sr_open();

		if (getpid() != 1 || sr_alloc(dev, PAGE, &a) ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	close(ready[0]);
	ASSERT_LT(0, sr_file_read(DEBUGFS, text, 1 << 20));
	snprintf(word, sizeof(word), "pid=%d", child);
	EXPECT_TRUE(sr_find_line(text, word, line, sizeof(line)));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	free(text);
}

/* A node of the device's own on another file system, as a container has it. */
static int use_node_on(const char *source, const char *type)
{
	const char *path = PLACE "/device";
	struct safer_ring_alloc a;
	struct stat st;
	int dev, ring, ret;
	char *map;

	mkdir(PLACE, 0700);
	if (stat(SAFER_RING_DEVICE, &st) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(source, PLACE, type, 0, NULL))
		return CANNOT;
	if (mknod(path, S_IFCHR | 0600, st.st_rdev) && errno != EEXIST)
		return CANNOT;
	dev = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	ring = uring_open(4);
	if (dev < 0 || sr_alloc(dev, LENGTH, &a))
		return 1;
	map = sr_map(dev, LENGTH, a.mmap_offset);
	if (map == MAP_FAILED || sr_map(dev, PAGE, 0) == MAP_FAILED)
		return 2;
	memset(map, 1, LENGTH);
	ret = uring_register_buffer(ring, map, LENGTH);
	umount2(PLACE, MNT_DETACH);
	return ret ? 3 : 0;
}

static int use_node_on_tmpfs(FIXTURE_DATA(container) *self)
{
	return use_node_on("none", "tmpfs");
}

/* The disk of the virtual machine, mounted once more. */
static int use_node_on_ext4(FIXTURE_DATA(container) *self)
{
	char source[128] = "", type[32] = "", line[512];
	FILE *mounts = fopen("/proc/mounts", "r");

	while (mounts && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%127s /data %31s", source, type) == 2)
			break;
	if (!type[0])
		return CANNOT;
	return use_node_on(source, type);
}

TEST_F(container, a_device_node_on_tmpfs_gives_memory_that_can_be_registered)
{
	int ret = in_child(use_node_on_tmpfs, self);

	rmdir(PLACE);
	if (ret == CANNOT)
		SKIP(return, "no mount namespace");
	EXPECT_EQ(0, ret);
}

/* The kernel refuses to pin what belongs to a file system that writes back. */
TEST_F(container, a_device_node_on_a_disk_gives_memory_that_can_be_registered)
{
	int ret = in_child(use_node_on_ext4, self);

	rmdir(PLACE);
	if (ret == CANNOT)
		SKIP(return, "no disk on /data that can be mounted twice");
	EXPECT_EQ(0, ret);
}

/* --- control groups */

/**
 * struct member - a process in the group, with a region that a ring has
 * @pid: the process
 * @steps: where to write a byte for its next step
 * @done: where it writes one
 */
struct member {
	pid_t pid;
	int steps;
	int done;
};

static void say_and_wait(int done, int steps)
{
	char byte = 0;

	if (write(done, &byte, 1) != 1 || read(steps, &byte, 1) != 1)
		_exit(0);
}

static void be_member(int dev, int done, int steps)
{
	struct safer_ring_alloc a;
	int ring = uring_open(4);
	char *map;

	if (sr_group_join() || sr_alloc(dev, LENGTH, &a))
		_exit(1);
	map = sr_map(dev, LENGTH, a.mmap_offset);
	if (map == MAP_FAILED || uring_register_buffer(ring, map, LENGTH))
		_exit(2);
	say_and_wait(done, steps);
	if (sr_free(dev, a.slot, a.generation, SAFER_RING_FREE_FORCE, 0, NULL))
		_exit(3);
	say_and_wait(done, steps);
	close(ring);
	say_and_wait(done, steps);
}

static bool member_next(struct member *m)
{
	char byte = 0;

	return write(m->steps, &byte, 1) == 1 && read(m->done, &byte, 1) == 1;
}

static bool member_start(struct member *m, int dev)
{
	int steps[2], done[2];
	char byte;

	if (pipe(steps) || pipe(done))
		return false;
	m->pid = fork();
	if (!m->pid) {
		close(steps[1]);
		be_member(dev, done[1], steps[0]);
		_exit(0);
	}
	close(steps[0]);
	close(done[1]);
	m->steps = steps[1];
	m->done = done[0];
	return read(m->done, &byte, 1) == 1;
}

static void member_end(struct member *m)
{
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
	close(m->steps);
	close(m->done);
}

/* Whether the group has come to hold less than @bytes within @ms. */
static bool group_falls_below(long long bytes, int ms)
{
	for (; ms > 0; ms -= 10) {
		if (sr_group_value(SR_GROUP "memory.current") < bytes)
			return true;
		usleep(10000);
	}
	return false;
}

TEST_F(container, memory_is_charged_to_its_group_until_it_is_really_free)
{
	const long long length = LENGTH;
	struct member m;
	int ret = sr_group_create();

	if (ret || sr_group_value(SR_GROUP "memory.current") < 0)
		SKIP(return, "no memory controller: %s", strerror(-ret));
	ASSERT_TRUE(member_start(&m, self->dev));
	EXPECT_LE(length, sr_group_value(SR_GROUP "memory.current"));
	/* Freed, and in quarantine. */
	ASSERT_TRUE(member_next(&m));
	usleep(300000);
	EXPECT_EQ(length, sr_stat("quarantine_bytes"));
	EXPECT_LE(length, sr_group_value(SR_GROUP "memory.current"));
	/* The ring has let go. */
	ASSERT_TRUE(member_next(&m));
	EXPECT_TRUE(group_falls_below(length / 2, 10000));
	member_end(&m);
	EXPECT_EQ(0, sr_group_remove());
}

static int exceed_limit(FIXTURE_DATA(container) *self)
{
	if (sr_group_join())
		return CANNOT;
	if (alloc(self->dev, LENGTH))
		return 1;
	if (alloc(self->dev, 8 * LENGTH) != -ENOMEM)
		return 2;
	if (sr_map(self->dev, 8 * LENGTH, 0) != MAP_FAILED || errno != ENOMEM)
		return 3;
	/* And it can go on. */
	return alloc(self->dev, PAGE) ? 4 : 0;
}

TEST_F(container, a_group_at_its_limit_gets_enomem_and_none_of_it_is_killed)
{
	int ret = sr_group_create();
	pid_t sibling;

	if (ret || sr_file_write(SR_GROUP "memory.max", "%lu", 3 * LENGTH))
		SKIP(return, "no memory controller: %s", strerror(-ret));
	sr_file_write(SR_GROUP "memory.swap.max", "0");
	sibling = fork();
	if (!sibling) {
		sr_group_join();
		for (;;)
			pause();
	}
	EXPECT_EQ(0, in_child(exceed_limit, self));
	EXPECT_EQ(0, sr_group_field(SR_GROUP "memory.events", "oom_kill "));
	/* It did come to the limit. */
	EXPECT_LT(0, sr_group_field(SR_GROUP "memory.events", "max "));
	EXPECT_EQ(0, waitpid(sibling, NULL, WNOHANG));
	kill(sibling, SIGKILL);
	waitpid(sibling, NULL, 0);
	/* The regions are in our table. */
	close(self->dev);
	self->dev = sr_open();
	EXPECT_EQ(0, sr_group_remove());
}

static int alloc_and_export(FIXTURE_DATA(container) *self, int post)
{
	struct safer_ring_export e = { .size = sizeof(e) };
	struct safer_ring_alloc a;
	int dev = sr_open();
	char byte = 0;

	if (sr_group_join() || sr_alloc(dev, LENGTH, &a))
		return 1;
	e.slot = a.slot;
	e.generation = a.generation;
	if (sr_ioctl(dev, SAFER_RING_EXPORT, &e))
		return 2;
	if (sr_send_fd(post, e.fd, &byte, 1))
		return 3;
	/* Until the other end has it registered. */
	return read(post, &byte, 1) == 1 ? 0 : 4;
}

TEST_F(container, a_group_can_go_while_its_memory_is_in_quarantine)
{
	int post[2], fd, ring = uring_open(4), status;
	char byte, *map;
	pid_t child;

	if (sr_group_create())
		SKIP(return, "no control groups");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, post));
	child = fork();
	if (!child)
		_exit(alloc_and_export(self, post[1]));
	fd = sr_receive_fd(post[0], &byte, 1);
	ASSERT_LE(0, fd);
	map = sr_map(fd, LENGTH, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, uring_register_buffer(ring, map, LENGTH));
	ASSERT_EQ(1, write(post[0], "x", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ((long long)LENGTH, sr_stat("quarantine_bytes"));
	EXPECT_EQ(0, sr_group_remove());
	EXPECT_EQ((long long)LENGTH, sr_stat("quarantine_bytes"));
	munmap(map, LENGTH);
	close(fd);
	close(ring);
	close(post[0]);
	close(post[1]);
}

TEST_HARNESS_MAIN
