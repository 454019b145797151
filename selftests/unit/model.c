// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations against a simple reference of who owns what, of the data, and
 * of what waits for what: see model/model.h.
 *
 * SAFERRING_MODEL_SEED repeats a run, SAFERRING_MODEL_STEPS makes it longer.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include "model/model.h"

struct world world;

uint32_t dice(uint32_t sides)
{
	world.random ^= world.random << 13;
	world.random ^= world.random >> 7;
	world.random ^= world.random << 17;
	return (uint32_t)(world.random >> 32) % sides;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void check_pool(void)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	unsigned int number, owned = 0;

	for (number = 0; number < BUFFERS; number++)
		owned += world.buffer[number].owner == PROGRAM;
	assert_int_equal(saferring_pool_stats(world.stage->pool, &stats), 0);
	assert_int_equal(stats.held, owned);
	assert_int_equal(stats.held + stats.in_flight + stats.available,
			 BUFFERS);
}

static void feed(void)
{
	char bytes[64] = "";

	assert_true(write(world.pipe[1], bytes, 1 + dice(64)) > 0 ||
		    errno == EAGAIN);
}

static void swallow(void)
{
	char bytes[BLOCK];

	while (recv(world.stream[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void connect_stream(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length),
			 0);
	world.stream[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(world.stream[0], (struct sockaddr *)&address,
				 length),
			 0);
	world.stream[1] = accept(fd, NULL, NULL);
	assert_true(world.stream[1] >= 0);
	close(fd);
}

/* Kinds of steps that are not of every ring. */
static void step_of_sockets(unsigned int ring)
{
	switch (dice(7)) {
	case 0:
		send_zero_copy(ring);
		break;
	case 1:
		receive_many(ring);
		break;
	case 2:
		provide_one(ring);
		break;
	case 3:
		swallow();
		break;
	case 4:
		if (!dice(4))
			end_group(ring);
		break;
	default:
		talk(ring);
		break;
	}
}

static void step_of_batches(unsigned int ring)
{
	if (!dice(400))
		fail_fast(ring);
	else if (dice(3))
		build_batch(ring);
	else
		move_batch(ring);
}

static void step(void)
{
	const unsigned int ring = dice(RINGS);
	const unsigned int what = dice(125);

	if (what < 15)
		transfer_one(ring, false);
	else if (what < 30)
		transfer_one(ring, true);
	else if (what < 36)
		transfer_many(ring, dice(2));
	else if (what < 42)
		transfer_series(ring, dice(2));
	else if (what < 46)
		hang(ring, world.pipe[0]);
	else if (what < 50)
		without_buffer(ring);
	else if (what < 62)
		assert_true(saferring_ring_submit(world.ring[ring]) >= 0);
	else if (what < 80)
		reap(ring, what < 68);
	else if (what < 84)
		cancel(ring);
	else if (what < 87)
		drop(ring);
	else if (what < 88)
		withdraw(ring);
	else if (what < 91)
		misuse(ring);
	else if (what < 93)
		feed();
	else if (what < 100)
		drop_any_buffer();
	else if (what < 115)
		step_of_sockets(ring);
	else
		step_of_batches(ring);
}

static void start(uint64_t seed)
{
	unsigned int ring;

	memset(&world, 0, sizeof(world));
	world.random = seed * 2654435769U + 88172645463325252U;
	world.stage = stage_up(BUFFERS, DEPTH, 0);
	world.file = memfd_create("model", MFD_CLOEXEC);
	assert_int_equal(ftruncate(world.file, BLOCKS * BLOCK), 0);
	assert_int_equal(pipe2(world.pipe, O_CLOEXEC | O_NONBLOCK), 0);
	/* Reads on it are to wait. */
	assert_int_equal(fcntl(world.pipe[0], F_SETFL, 0), 0);
	assert_int_equal(pipe2(world.silent, O_CLOEXEC), 0);
	connect_stream();
	for (ring = 0; ring < RINGS; ring++) {
		assert_int_equal(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
					    world.packets[ring]),
				 0);
		open_ring(ring);
	}
}

static void end(void)
{
	unsigned int number;

	for (number = 0; number < RINGS; number++) {
		close_ring(number);
		close(world.packets[number][0]);
		close(world.packets[number][1]);
	}
	close(world.stream[0]);
	close(world.stream[1]);
	for (number = 0; number < BUFFERS; number++)
		if (world.buffer[number].owner == PROGRAM)
			drop_buffer(number);
	assert_all_back(world.stage->pool);
	stage_down(world.stage);
	close(world.file);
	close(world.pipe[0]);
	close(world.pipe[1]);
	close(world.silent[0]);
	close(world.silent[1]);
}

#define COUNT(member) ((unsigned long long)world.member)

static uint64_t tell(void)
{
	uint64_t done = 0;
	unsigned int number;

	for (number = 0; number < SAFERRING_OPERATIONS; number++)
		done += world.done[number];
	print_message("# %llu completed, %llu of them sent without a copy\n",
		      (unsigned long long)done,
		      COUNT(done[SAFERRING_OPERATION_SEND_ZC]));
	print_message("# %llu packets, %llu in parts of buffers\n",
		      COUNT(done[SAFERRING_OPERATION_RECV_MULTISHOT]),
		      COUNT(partial));
	print_message("# %llu rings destroyed, %llu placed, %llu groups destroyed\n",
		      COUNT(destroyed), COUNT(placed), COUNT(groups));
	print_message("# %llu cancelled, %llu refused\n", COUNT(cancelled),
		      COUNT(refused));
	print_message("# %llu batches, %llu links, %llu circles, %llu cut short by a failure\n",
		      COUNT(batches), COUNT(links), COUNT(circles),
		      COUNT(cut));
	return done;
}

static void the_reference_agrees_after_every_step(void **state)
{
	const uint64_t steps = setting("SAFERRING_MODEL_STEPS", 100000);
	const uint64_t seed =
		setting("SAFERRING_MODEL_SEED", (uint64_t)time(NULL));
	uint64_t number, done;

	(void)state;
	print_message("# SAFERRING_MODEL_SEED=%llu SAFERRING_MODEL_STEPS=%llu\n",
		      (unsigned long long)seed, (unsigned long long)steps);
	start(seed);
	for (number = 0; number < steps; number++) {
		step();
		if (!dice(1000)) {
			const unsigned int ring = dice(RINGS);

			close_ring(ring);
			open_ring(ring);
		}
		if (!dice(200))
			check_pool();
	}
	done = tell();
	end();
	assert_true(done > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_agrees_after_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
