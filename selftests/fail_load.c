// SPDX-License-Identifier: GPL-2.0
/*
 * Loading the module fails at each of its allocations once, and leaves nothing
 * behind. The module is unloaded for that, so it is done only where its file is
 * named by SAFER_RING_MODULE.
 */
#include <sys/syscall.h>

#include "safer_ring_test.h"
#include "fault_injection.h"

#define NTH_MAX		3000
#define SWEEPS		3
#define PARAMETERS	"/sys/module/safer_ring/parameters/"

/* What is there while the module is loaded, and must not be otherwise. */
static const char *const traces[] = {
	"/sys/module/safer_ring", "/sys/class/misc/safer_ring",
	"/sys/kernel/debug/safer_ring", SAFER_RING_DEVICE,
	"/sys/bus/workqueue/devices/safer_ring",
};

static const char *const parameters[] = {
	"slots", "region_max", "quota_user", "quota_total", "cache_max",
	"generation_start",
};

FIXTURE(fail_load)
{
	struct fault_injection fault;
	const char *path;
	char parameters[1024];
};

static int load(const char *path, const char *arguments)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = syscall(__NR_finit_module, fd, arguments, 0) ? -errno : 0;
	close(fd);
	return ret;
}

/* What others have just closed is let go of a moment later. */
static int unload(void)
{
	int ms, ret = 0;

	for (ms = 5000; ms > 0; ms -= 10) {
		ret = syscall(__NR_delete_module, "safer_ring", O_NONBLOCK) ?
		      -errno : 0;
		if (ret != -EAGAIN && ret != -EBUSY)
			break;
		usleep(10000);
	}
	return ret;
}

/* All parameters as they are, to load the module by once more. */
static void save_parameters(char *text, size_t size)
{
	char path[128], value[64];
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		snprintf(path, sizeof(path), PARAMETERS "%s", parameters[i]);
		if (fault_read(path, value, sizeof(value)))
			continue;
		value[strcspn(value, "\n")] = '\0';
		snprintf(text + strlen(text), size - strlen(text), "%s=%s ",
			 parameters[i], value);
	}
}

FIXTURE_SETUP(fail_load)
{
	self->fault.fd = -1;
	self->path = NULL;
	SR_REQUIRE_DEVICE();
	if (!getenv("SAFER_RING_MODULE"))
		SKIP(return, "SAFER_RING_MODULE does not name the module's file");
	if (!fault_available())
		SKIP(return, FI_REASON);
	save_parameters(self->parameters, sizeof(self->parameters));
	ASSERT_EQ(0, fault_start(&self->fault));
	/* The loader's own allocations, thousands, are none of the module's. */
	ASSERT_EQ(0, fault_only_below("do_one_initcall"));
	self->path = getenv("SAFER_RING_MODULE");
	ASSERT_EQ(0, unload());
}

FIXTURE_TEARDOWN(fail_load)
{
	fault_stop(&self->fault);
	if (self->path && access(SAFER_RING_DEVICE, F_OK))
		EXPECT_EQ(0, load(self->path, self->parameters));
}

/* The first trace of the module that is there, or NULL. */
static const char *trace_left(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(traces) / sizeof(traces[0]); i++)
		if (!access(traces[i], F_OK))
			return traces[i];
	return NULL;
}

/* Return: whether the @nth allocation was made to fail, if there was one. */
static bool try_nth(struct __test_metadata *_metadata,
		    FIXTURE_DATA(fail_load) *self, unsigned int nth,
		    unsigned int *survived)
{
	const char *left;
	bool hit;
	int ret;

	fault_arm(&self->fault, nth);
	ret = load(self->path, self->parameters);
	hit = fault_disarm(&self->fault);
	fault_note_sites(&self->fault);
	if (!ret) {
		/* What is for people only may be missing. */
		*survived += hit;
		ASSERT_EQ(0, unload());
	} else {
		EXPECT_TRUE(hit);
		EXPECT_EQ(-ENOMEM, ret);
	}
	left = trace_left();
	ASSERT_EQ(NULL, left)
		printf("# left: %s\n", left);
	return hit;
}

/* Several times, for the allocators take memory for themselves now and then. */
TEST_F_TIMEOUT(fail_load, each_allocation_can_fail_and_leaves_nothing, 900)
{
	unsigned int nth, i, total = 0, survived = 0;

	for (i = 0; i < SWEEPS; i++) {
		for (nth = 1; nth < NTH_MAX; nth++)
			if (!try_nth(_metadata, self, nth, &survived))
				break;
		ASSERT_LT(1U, nth);
		ASSERT_LT(nth, (unsigned int)NTH_MAX);
		total += nth - 1;
	}
	fault_list(&self->fault, "load", total, survived);
}

TEST_HARNESS_MAIN
