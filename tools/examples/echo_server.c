// SPDX-License-Identifier: GPL-2.0
/*
 * A server that sends back whatever it receives, to show who has a buffer when:
 * the kernel, from recv to its completion; the server, until it has said send;
 * the kernel again; and so on, under a fresh handle each time. A connection that
 * waits for data has a buffer in flight and nothing else.
 *
 *	echo_server [PORT]	on 127.0.0.1; 0 or none for any port
 *
 * It prints the port, and ends with SIGINT or SIGTERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <saferring.h>

#define CONNECTIONS 512
#define BUFFER_SIZE 4096

/*
 * What a completion is about: the user_data of its operation, with the socket in
 * bits 0-31 and how much of the buffer was sent before in bits 32-47.
 */
enum about { ACCEPTED = 1, RECEIVED, SENT, SIGNALLED };

static struct saferring_device *device;
static struct saferring_region *region;
static struct saferring_pool *pool;
static struct saferring_ring *ring;

static void check(int result)
{
	if (result >= 0)
		return;
	saferring_report_stderr(saferring_error_last(), NULL);
	exit(1);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t tag(enum about about, int fd, size_t before)
{
	return (uint64_t)about << 48 | (uint64_t)before << 32 | (uint32_t)fd;
}

/* ---- what the server works with ---- */

static void set_up(void)
{
	struct saferring_region_options memory = {
		.size = sizeof(memory), .length = CONNECTIONS * BUFFER_SIZE };
	struct saferring_pool_options cut = {
		.size = sizeof(cut), .buffer_size = BUFFER_SIZE };
	struct saferring_ring_options use = {
		.size = sizeof(use), .pools = &pool, .pool_count = 1,
		.depth = 2 * CONNECTIONS, .name = "echo" };

	check(saferring_device_open(NULL, &device));
	check(saferring_region_create(device, &memory, &region));
	check(saferring_pool_create(&region, 1, &cut, &pool));
	check(saferring_ring_create(&use, &ring));
}

/* Connections that are open lose what is in flight, and no buffer is lost. */
static void take_down(void)
{
	check(saferring_ring_destroy(ring, 1000));
	check(saferring_pool_destroy(pool));
	check(saferring_region_destroy(region, 0, 1000));
	check(saferring_device_close(device));
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	const int yes = 1;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&address, length) ||
	    listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&address, &length))
		die("listening");
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static int watch_signals(void)
{
	sigset_t ending;
	int fd;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	fd = signalfd(-1, &ending, SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd");
	return fd;
}

/* ---- connections ---- */

static void receive(int fd, saferring_buffer buffer)
{
	const struct saferring_range whole = { buffer, 0, BUFFER_SIZE };

	check(saferring_ring_recv(ring, fd, &whole, 0, tag(RECEIVED, fd, 0)));
}

static void hang_up(int fd, saferring_buffer buffer)
{
	check(saferring_buffer_put(pool, buffer));
	close(fd);
}

static void accept_next(int listener)
{
	check(saferring_ring_accept(ring, listener, SOCK_CLOEXEC,
				    SAFERRING_SLOT_NONE, NULL,
				    tag(ACCEPTED, listener, 0)));
}

/* With more connections than buffers, one more is turned away. */
static void accepted(int fd)
{
	saferring_buffer buffer;

	if (fd < 0) {
		fprintf(stderr, "accept: %s\n", strerror(-fd));
		return;
	}
	if (saferring_buffer_get(pool, &buffer)) {
		saferring_report_stderr(saferring_error_last(), NULL);
		close(fd);
		return;
	}
	receive(fd, buffer);
}

static void send_from(int fd, saferring_buffer buffer, size_t start,
		      size_t length)
{
	const struct saferring_range data = { buffer, start, length };

	check(saferring_ring_send(ring, fd, &data, MSG_NOSIGNAL,
				  tag(SENT, fd, start)));
}

static void received(int fd, const struct saferring_completion *done)
{
	if (done->result <= 0)
		hang_up(fd, done->buffer);
	else
		send_from(fd, done->buffer, 0, (size_t)done->result);
}

static void sent(int fd, size_t before, const struct saferring_completion *done)
{
	const size_t now = (size_t)done->result;

	if (done->result <= 0)
		hang_up(fd, done->buffer);
	else if (now < done->length)
		send_from(fd, done->buffer, before + now, done->length - now);
	else
		receive(fd, done->buffer);
}

/* Returns whether to go on. */
static int handle(const struct saferring_completion *done, int listener)
{
	const int fd = (int)(uint32_t)done->user_data;

	switch (done->user_data >> 48) {
	case ACCEPTED:
		accepted(done->result);
		accept_next(listener);
		return 1;
	case RECEIVED:
		received(fd, done);
		return 1;
	case SENT:
		sent(fd, done->user_data >> 32 & 0xffff, done);
		return 1;
	default:
		return 0;
	}
}

static void serve(int listener, int signals)
{
	struct saferring_completion done[64];
	int going_on = 1, count, number;

	check(saferring_ring_poll(ring, signals, POLLIN,
				  tag(SIGNALLED, 0, 0)));
	accept_next(listener);
	while (going_on) {
		count = saferring_ring_wait(ring, done, 64, 1,
					    SAFERRING_FOREVER);
		if (count == -EINTR)
			continue;
		check(count);
		for (number = 0; number < count; number++)
			going_on &= handle(&done[number], listener);
	}
}

int main(int argc, char **argv)
{
	int listener, signals;

	set_up();
	signals = watch_signals();
	listener = listen_on((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	serve(listener, signals);
	close(listener);
	take_down();
	return 0;
}
