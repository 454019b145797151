// SPDX-License-Identifier: GPL-2.0
/*
 * The order of events in the virtual machine.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "guest.h"

static struct config config;
static struct verdict verdict;

/* The drivers of the way to the host, where the kernel has them as modules. */
static void load_first(void)
{
	for (unsigned int i = 0; i < config.preloads; i++) {
		int ret = module_load(config.preload[i], "");

		if (ret)
			die("%s: %s", config.preload[i], strerror(-ret));
	}
}

static void unload(void)
{
	if (!config.module[0] || verdict.load)
		return;
	verdict.unload = module_unload(config.module, config.unload_timeout);
}

int main(void)
{
	int output;

	if (getpid() != 1) {
		fputs("this is the init of a virtual machine\n", stderr);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	setup_mounts();
	config_read(&config, "/vm/config");
	setup_kernel(&config);
	load_first();
	output = port_open("output");
	kernel_log_open(port_open("kernel"));
	setup_network();
	setup_disk(&config);

	if (config.module[0])
		verdict.load = module_load(config.module, config.params);
	if (!verdict.load)
		command_run(&config, &verdict, output);
	command_kill_rest(&verdict);
	unload();
	kernel_leak_scan();
	sync();
	umount("/data");
	/* Give what runs after a grace period the time to complain. */
	msleep(300);
	kernel_log_read(&verdict);
	verdict.taint = kernel_taint();
	verdict_send(&verdict, port_open("verdict"));
	reboot(RB_POWER_OFF);
	die("reboot: %m");
}
