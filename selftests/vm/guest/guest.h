/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first process of the virtual machine: it sets the machine up, runs one
 * command, and tells the host how that went.
 *
 * The host writes /vm/config (see config.c) and /vm/command, a shell script.
 * Three virtio-serial ports lead back to it, none of them the console:
 *
 *   output	what the command prints, as it prints it
 *   kernel	the kernel's log
 *   verdict	one record, when all is over (see verdict.c)
 *
 * Whatever makes the machine unusable ends it without a verdict, and the host
 * takes that for a failure.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MAX_PRELOADS	32
#define MAX_REPORTS	64

/* What the host wants; strings are "" where it said nothing. */
struct config {
	char module[256];	/* path of the module under test */
	char params[512];	/* its parameters */
	char disk[64];		/* block device to mount on /data */
	char directory[256];	/* where the command runs */
	char path[512];		/* directories to put before the usual PATH */
	char libraries[512];	/* LD_LIBRARY_PATH */
	char term[64];
	char preload[MAX_PRELOADS][256]; /* kernel modules, in their order */
	unsigned int preloads;
	unsigned int timeout;	/* seconds for the command, 0: none */
	unsigned int unload_timeout; /* seconds for the module to go */
	unsigned int rows, columns;
	bool shell;		/* interactive, on hvc0 */
	bool panic_on_warn;
};

/* How it went. Errors are negative errno values. */
struct verdict {
	int status;		/* the command's, 128 + signal if it was killed */
	bool ran;
	bool timed_out;
	int load;		/* of the module */
	int unload;
	unsigned long taint;	/* bits that are not excused */
	unsigned long lost;	/* kernel records overwritten before reading */
	unsigned int reports;	/* all of them; the first ones are kept */
	char report[MAX_REPORTS][256];
};

/* config.c */
void config_read(struct config *config, const char *path);

/* setup.c */
void setup_mounts(void);
void setup_kernel(const struct config *config);
void setup_network(void);
void setup_disk(const struct config *config);
void write_file(const char *path, const char *text);
__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *format, ...);
void msleep(unsigned int ms);

/* port.c */
int port_open(const char *name);
void write_all(int fd, const void *data, size_t length);

/* module.c */
int module_load(const char *path, const char *params);
int module_unload(const char *path, unsigned int seconds);

/* kernel_log.c */
void kernel_log_open(int copy_fd);
int kernel_log_fd(void);
void kernel_log_read(struct verdict *verdict);
void kernel_log_ignore(void);
void kernel_report(struct verdict *verdict, const char *text);
unsigned long kernel_taint(void);
void kernel_leak_scan(void);

/* command.c */
void command_run(const struct config *config, struct verdict *verdict,
		 int output_fd);
void command_kill_rest(struct verdict *verdict);

/* verdict.c */
void verdict_send(const struct verdict *verdict, int fd);

#endif /* GUEST_H */
