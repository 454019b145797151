// SPDX-License-Identifier: GPL-2.0
/*
 * Makes a machine of a kernel: file systems, sysctls, loopback, the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

/* Says why on the console and switches the machine off, without a verdict. */
void die(const char *format, ...)
{
	va_list args;

	fputs("vm: cannot go on: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	/* Let a serial console get rid of what it holds. */
	sleep(1);
	reboot(RB_POWER_OFF);
	_exit(1);
}

void msleep(unsigned int ms)
{
	poll(NULL, 0, ms);
}

/* A file that this kernel does not have is no error: features differ. */
void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0) {
		if (errno != ENOENT)
			die("%s: %m", path);
		return;
	}
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "vm: %s: cannot write '%s': %m\n", path, text);
	close(fd);
}

static void mount_one(const char *type, const char *where, const char *options,
		      bool needed)
{
	mkdir(where, 0755);
	if (!mount(type, where, type, MS_NOSUID | MS_NODEV, options))
		return;
	if (needed)
		die("cannot mount %s on %s: %m", type, where);
	fprintf(stderr, "vm: no %s: %m\n", type);
}

void setup_mounts(void)
{
	umask(0);
	mkdir("/dev", 0755);
	/* The kernel may have mounted it already. */
	if (mount("dev", "/dev", "devtmpfs", MS_NOSUID, NULL) && errno != EBUSY)
		die("cannot mount devtmpfs: %m");
	mount_one("proc", "/proc", NULL, true);
	mount_one("sysfs", "/sys", NULL, true);
	mount_one("devpts", "/dev/pts", "mode=620,ptmxmode=666", true);
	mount_one("tmpfs", "/dev/shm", "mode=1777", true);
	mount_one("tmpfs", "/tmp", "mode=1777", true);
	mount_one("tmpfs", "/run", "mode=755", true);
	mount_one("cgroup2", "/sys/fs/cgroup", NULL, true);
	mount_one("debugfs", "/sys/kernel/debug", NULL, false);
	mount_one("tracefs", "/sys/kernel/tracing", NULL, false);
	mount_one("hugetlbfs", "/dev/hugepages", NULL, false);
	umask(022);

	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	write_file("/sys/fs/cgroup/cgroup.subtree_control",
		   "+memory +cpuset +pids");
	/*
	 * The kernel patches itself for the first cpuset and behind the last, of
	 * which an emulated CPU can die (see emulator_failed in ../run): let this
	 * be neither, for any test.
	 */
	mkdir("/sys/fs/cgroup/always", 0755);
}

void setup_kernel(const struct config *config)
{
	write_file("/proc/sys/kernel/panic_on_oops", "1");
	write_file("/proc/sys/kernel/panic_on_warn",
		   config->panic_on_warn ? "1" : "0");
	/* An emulated CPU on a busy host is slow, not stuck. */
	write_file("/proc/sys/kernel/watchdog_thresh", "30");
	write_file("/proc/sys/kernel/hung_task_timeout_secs", "40");
	write_file("/proc/sys/kernel/hung_task_check_interval_secs", "10");
	write_file("/proc/sys/kernel/hung_task_warnings", "-1");
	write_file("/proc/sys/kernel/kptr_restrict", "0");
	if (sethostname("safer-ring-vm", strlen("safer-ring-vm")))
		die("sethostname: %m");
}

void setup_network(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %m");
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		die("loopback: %m");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		die("loopback: %m");
	close(fd);
}

/* Controllers are probed while init runs already, so the disk may be late. */
void setup_disk(const struct config *config)
{
	enum { STEP_MS = 20, WAIT_MS = 60000 };
	unsigned int waited = 0;

	if (!config->disk[0])
		return;
	while (access(config->disk, F_OK)) {
		if (waited >= WAIT_MS)
			die("no disk %s after %d s", config->disk,
			    WAIT_MS / 1000);
		msleep(STEP_MS);
		waited += STEP_MS;
	}
	mkdir("/data", 0755);
	if (mount(config->disk, "/data", "ext4", MS_NOSUID | MS_NODEV, NULL))
		die("cannot mount %s on /data: %m", config->disk);
}
