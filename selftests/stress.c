// SPDX-License-Identifier: GPL-2.0
/*
 * Many processes allocate, map, pin, share, free and die at random. Whatever
 * they do, a touch of a region either raises SIGBUS or finds what the region's
 * owner wrote there, and in the end nothing is left.
 *
 * It takes a few rounds and SAFER_RING_STRESS_SECONDS at least, with
 * SAFER_RING_STRESS_PROCESSES at any time; the defaults suit an emulated machine
 * that has others beside it. "make stress" runs it for minutes.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "safer_ring_test.h"
#include "uring.h"

#define SECONDS		5
#define PROCESSES	200
#define ROUNDS		4
#define HELD_MAX	8
#define LENGTH_MAX	(4UL << 20)

/**
 * struct held - a region that a process has in a slot
 * @generation: 0 if there is none
 * @slot: where
 * @length: bytes
 * @token: what the owner wrote at the start of every page
 * @map: where it is mapped, or NULL
 * @ring: an io_uring that has it registered, or -1
 * @owner: allocated here, not imported
 */
struct held {
	__u64 generation;
	__u32 slot;
	__u64 length;
	__u64 token;
	char *map;
	int ring;
	bool owner;
};

/* What goes with a descriptor from one process to another. */
struct parcel {
	__u64 token;
	__u64 length;
};

struct worker {
	int dev;
	int post;
	unsigned int seed;
	struct held held[HELD_MAX];
};

static sigjmp_buf on_sigbus;

static void sigbus(int sig)
{
	siglongjmp(on_sigbus, sig);
}

static unsigned int pick(struct worker *w, unsigned int n)
{
	return (unsigned int)rand_r(&w->seed) % n;
}

/* A worker has no harness to report to: it dies of what must not happen. */
static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "# stress: pid %d: %s\n", getpid(), what);
	_exit(1);
}

/* Touch every page; false if the region went in the middle of it. */
static bool write_tokens(struct held *h)
{
	__u64 at;

	if (sigsetjmp(on_sigbus, 1))
		return false;
	for (at = 0; at < h->length; at += PAGE)
		*(volatile __u64 *)(h->map + at) = h->token;
	return true;
}

static void check_token(struct worker *w, struct held *h)
{
	__u64 at = pick(w, h->length / PAGE) * PAGE;
	__u64 found;

	if (sigsetjmp(on_sigbus, 1)) {
		must(!h->owner, "SIGBUS in a region that its owner holds");
		return;
	}
	found = *(volatile __u64 *)(h->map + at);
	must(found == h->token, "somebody else's data in a region");
}

static void forget(struct held *h)
{
	if (h->map)
		munmap(h->map, h->length);
	if (h->ring >= 0)
		close(h->ring);
	*h = (struct held){ .ring = -1 };
}

static void do_alloc(struct worker *w, struct held *h)
{
	struct safer_ring_alloc a = {
		.size = sizeof(a),
		.length = 1 + pick(w, LENGTH_MAX),
		.node = SAFER_RING_NODE_LOCAL,
		.order_max = pick(w, 2) ? SAFER_RING_ORDER_BEST : 0,
	};

	if (sr_ioctl(w->dev, SAFER_RING_ALLOC, &a))
		return;
	*h = (struct held){ .generation = a.generation, .slot = a.slot,
			    .length = a.length, .ring = -1, .owner = true };
	h->token = a.generation ^ ((__u64)getpid() << 40);
	h->map = sr_map(w->dev, a.length, a.mmap_offset);
	must(h->map != MAP_FAILED, "a fresh region cannot be mapped");
	must(write_tokens(h), "SIGBUS in a fresh region");
}

static void do_free(struct worker *w, struct held *h)
{
	static const __u32 flags[] = { 0, SAFER_RING_FREE_FORCE,
				       SAFER_RING_FREE_WAIT };
	struct safer_ring_free f = { .size = sizeof(f), .slot = h->slot,
				     .generation = h->generation,
				     .flags = flags[pick(w, 3)] };
	int ret;

	if (f.flags == SAFER_RING_FREE_WAIT)
		f.timeout_ms = 5;
	ret = sr_ioctl(w->dev, SAFER_RING_FREE, &f);
	must(!h->owner || !ret || ret == -EBUSY || ret == -ETIMEDOUT,
	     "the owner's FREE has failed");
	if (!ret || ret == -ESTALE)
		forget(h);
}

static void do_renew(struct worker *w, struct held *h)
{
	struct safer_ring_renew r = { .size = sizeof(r), .slot = h->slot,
				      .generation = h->generation };
	int ret = sr_ioctl(w->dev, SAFER_RING_RENEW, &r);

	must(!h->owner || !ret, "the owner's RENEW has failed");
	if (ret)
		forget(h);
	else
		h->generation = r.generation;
}

static void do_register(struct held *h)
{
	if (h->ring >= 0) {
		close(h->ring);
		h->ring = -1;
		return;
	}
	h->ring = uring_open(2);
	if (h->ring >= 0)
		uring_register_buffer(h->ring, h->map, h->length);
}

static void do_send(struct worker *w, struct held *h)
{
	struct safer_ring_export e = { .size = sizeof(e), .slot = h->slot,
				       .generation = h->generation };
	struct parcel parcel = { .token = h->token, .length = h->length };

	if (sr_ioctl(w->dev, SAFER_RING_EXPORT, &e))
		return;
	sr_send_fd(w->post, e.fd, &parcel, sizeof(parcel));
	close(e.fd);
}

static void do_receive(struct worker *w, struct held *h)
{
	struct safer_ring_import i = { .size = sizeof(i) };
	struct parcel parcel;

	i.fd = sr_receive_fd(w->post, &parcel, sizeof(parcel));
	if (i.fd < 0)
		return;
	if (!sr_ioctl(w->dev, SAFER_RING_IMPORT, &i)) {
		*h = (struct held){ .generation = i.generation, .slot = i.slot,
				    .length = i.length, .token = parcel.token,
				    .ring = -1 };
		must(i.length == parcel.length, "an import of another length");
		h->map = sr_map(w->dev, i.length, i.mmap_offset);
		if (h->map == MAP_FAILED)
			*h = (struct held){ .ring = -1 };
	}
	close(i.fd);
}

static void do_fresh_map(struct worker *w)
{
	size_t length = (1 + pick(w, 64)) * PAGE;
	char *map = sr_map(w->dev, length, 0);

	if (map == MAP_FAILED)
		return;
	must(!map[pick(w, length)], "a fresh map that is not zero");
	map[0] = 1;
	munmap(map, length);
}

static void do_something(struct worker *w)
{
	struct held *h = &w->held[pick(w, HELD_MAX)];

	if (!h->generation) {
		switch (pick(w, 4)) {
		case 0:
			return do_fresh_map(w);
		case 1:
			return do_receive(w, h);
		default:
			return do_alloc(w, h);
		}
	}
	switch (pick(w, 8)) {
	case 0:
		return do_free(w, h);
	case 1:
		return do_send(w, h);
	case 2:
		return do_renew(w, h);
	case 3:
		return do_register(h);
	default:
		return check_token(w, h);
	}
}

static void work(int post, unsigned int seed)
{
	struct worker w = { .post = post, .seed = seed };
	unsigned int i, steps;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, 10);
	signal(SIGBUS, sigbus);
	for (i = 0; i < HELD_MAX; i++)
		w.held[i].ring = -1;
	w.dev = open(SAFER_RING_DEVICE, O_RDWR | O_CLOEXEC);
	must(w.dev >= 0, "the device cannot be opened");
	steps = 20 + pick(&w, 300);
	for (i = 0; i < steps; i++)
		do_something(&w);
	/* Half of them clean nothing up. */
	if (pick(&w, 2))
		for (i = 0; i < HELD_MAX; i++)
			forget(&w.held[i]);
	_exit(0);
}

static long setting(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text && atol(text) > 0 ? atol(text) : otherwise;
}

FIXTURE(stress)
{
	int post[2];
	struct sr_usage before;
	unsigned int started;
	unsigned int finished;
	unsigned int killed;
	unsigned int failed;
};

FIXTURE_SETUP(stress)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0,
				self->post));
	ASSERT_EQ(0, sr_usage(&self->before));
}

FIXTURE_TEARDOWN(stress)
{
	close(self->post[0]);
	close(self->post[1]);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 10000));
}

/* Every other one on the other end of the post. */
static pid_t start(FIXTURE_DATA(stress) *self)
{
	unsigned int seed = ++self->started;
	pid_t pid = fork();

	if (!pid)
		work(self->post[seed & 1], seed);
	return pid;
}

/* Count how @pid ended, wait for that if need be. Return: whether it has. */
static bool reap(FIXTURE_DATA(stress) *self, pid_t pid, int options)
{
	int status;

	if (waitpid(pid, &status, options) != pid)
		return false;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		self->killed++;
	else if (WIFEXITED(status) && !WEXITSTATUS(status))
		self->finished++;
	else
		self->failed++;
	return true;
}

/*
 * Some are killed at once, wherever they are: whoever is killed on a busy CPU has
 * to wait for it to die. Then others take the place of all who are gone.
 */
static void one_round(FIXTURE_DATA(stress) *self, pid_t *pids, long n,
		      unsigned int *chance)
{
	long first = rand_r(chance) % n, i;
	long victims = n / 4 + 1;

	for (i = 0; i < victims; i++)
		kill(pids[(first + i) % n], SIGKILL);
	for (i = 0; i < n; i++) {
		long at = (first + i) % n;

		if (reap(self, pids[at], i < victims ? 0 : WNOHANG))
			pids[at] = start(self);
	}
	usleep(rand_r(chance) % 500000);
}

TEST_F_TIMEOUT(stress, processes_that_die_at_random_leave_nothing_behind, 7200)
{
	long processes = setting("SAFER_RING_STRESS_PROCESSES", PROCESSES);
	time_t end = time(NULL) + setting("SAFER_RING_STRESS_SECONDS", SECONDS);
	pid_t *pids = calloc(processes, sizeof(*pids));
	unsigned int chance = 1, rounds = 0;
	long i;

	ASSERT_NE(NULL, pids);
	/* Who kills must not have to queue for a CPU behind the others. */
	setpriority(PRIO_PROCESS, 0, -20);
	for (i = 0; i < processes; i++)
		pids[i] = start(self);
	for (; rounds < ROUNDS || time(NULL) < end || !self->finished; rounds++)
		one_round(self, pids, processes, &chance);
	for (i = 0; i < processes; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < processes; i++)
		reap(self, pids[i], 0);
	free(pids);
	TH_LOG("%u processes in %u rounds: %u finished, %u were killed",
	       self->started, rounds, self->finished, self->killed);
	EXPECT_EQ(self->started, self->finished + self->killed);
	EXPECT_EQ(0U, self->failed);
	EXPECT_LT(0U, self->finished);
	EXPECT_LT((unsigned int)processes / 2, self->killed);
}

TEST_HARNESS_MAIN
