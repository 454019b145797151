// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the command and looks after it: its output, its end, its time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define USUAL_PATH	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

static void set_environment(const struct config *config)
{
	char path[1024];

	clearenv();
	snprintf(path, sizeof(path), "%s%s" USUAL_PATH, config->path,
		 config->path[0] ? ":" : "");
	setenv("PATH", path, 1);
	setenv("TERM", config->term[0] ? config->term : "dumb", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("SHELL", "/bin/sh", 1);
	setenv("TMPDIR", "/tmp", 1);
	setenv("LANG", "C.UTF-8", 1);
	if (config->libraries[0])
		setenv("LD_LIBRARY_PATH", config->libraries, 1);
}

/* A terminal of its own, so that the shell has job control. */
static void take_terminal(const struct config *config)
{
	struct winsize size = {
		.ws_row = config->rows,
		.ws_col = config->columns,
	};
	int fd = open("/dev/hvc0", O_RDWR);

	if (fd < 0 || ioctl(fd, TIOCSCTTY, 1))
		die("/dev/hvc0: %m");
	if (size.ws_row && size.ws_col)
		ioctl(fd, TIOCSWINSZ, &size);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void take_pipe(int pipe_fd)
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0)
		die("/dev/null: %m");
	dup2(null, STDIN_FILENO);
	dup2(pipe_fd, STDOUT_FILENO);
	dup2(pipe_fd, STDERR_FILENO);
	close(null);
	close(pipe_fd);
}

__attribute__((noreturn))
static void child(const struct config *config, int pipe_fd)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	set_environment(config);
	if (config->directory[0] && chdir(config->directory))
		die("%s: %m", config->directory);
	if (config->shell) {
		take_terminal(config);
		execl("/bin/bash", "-bash", NULL);
		execl("/bin/sh", "-sh", NULL);
	} else {
		take_pipe(pipe_fd);
		execl("/bin/sh", "sh", "/vm/command", NULL);
	}
	die("cannot run a shell: %m");
}

static int watch_children(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die("signalfd: %m");
	return fd;
}

/* Reaps whatever has died; true once the command itself is among it. */
static bool reap(pid_t command, struct verdict *verdict)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != command)
			continue;
		ended = true;
		verdict->status = WIFSIGNALED(status) ?
				  128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	return ended;
}

/* Passes on what there is to read, and does not wait for more. */
static void pass_output(int pipe_fd, int output_fd)
{
	char data[65536];
	ssize_t n;

	while ((n = read(pipe_fd, data, sizeof(data))) > 0)
		write_all(output_fd, data, n);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Tells the kernel's view of who is stuck where, then ends the command. */
static void out_of_time(pid_t command, struct verdict *verdict)
{
	verdict->timed_out = true;
	kernel_log_read(verdict);
	kernel_log_ignore();
	write_file("/proc/sysrq-trigger", "w");
	kill(-command, SIGKILL);
	kill(command, SIGKILL);
}

static void wait_for(pid_t command, const struct config *config,
		     struct verdict *verdict, int pipe_fd, int output_fd)
{
	long long end = now_ms() + config->timeout * 1000LL;
	int children = watch_children();
	struct pollfd fds[] = {
		{ .fd = children, .events = POLLIN },
		{ .fd = kernel_log_fd(), .events = POLLIN },
		{ .fd = pipe_fd, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	while (!reap(command, verdict)) {
		if (config->timeout && !verdict->timed_out && now_ms() >= end)
			out_of_time(command, verdict);
		/* A second is how late the end of the time may be noticed. */
		if (poll(fds, ARRAY_SIZE(fds), 1000) < 0 && errno != EINTR)
			die("poll: %m");
		while (read(children, &info, sizeof(info)) > 0)
			;
		kernel_log_read(verdict);
		pass_output(pipe_fd, output_fd);
		/* All writers are gone: poll would return at once for ever. */
		if (fds[2].revents & POLLHUP && !(fds[2].revents & POLLIN))
			fds[2].fd = -1;
	}
	pass_output(pipe_fd, output_fd);
	close(children);
}

void command_run(const struct config *config, struct verdict *verdict,
		 int output_fd)
{
	int pipe_fds[2];
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC))
		die("pipe: %m");
	/* Only the reading end: the command must not see EAGAIN. */
	if (fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK))
		die("pipe: %m");
	pid = fork();
	if (pid < 0)
		die("fork: %m");
	if (!pid)
		child(config, pipe_fds[1]);
	close(pipe_fds[1]);
	verdict->ran = true;
	wait_for(pid, config, verdict, pipe_fds[0], output_fd);
	close(pipe_fds[0]);
}

/* What the command left running would keep the module and the disk busy. */
void command_kill_rest(struct verdict *verdict)
{
	enum { STEP_MS = 10, WAIT_MS = 10000 };

	kill(-1, SIGKILL);
	for (unsigned int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0)
			return;
		if (!pid)
			msleep(STEP_MS);
	}
	kernel_report(verdict, "a process of the command cannot be killed");
}
