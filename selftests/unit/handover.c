// SPDX-License-Identifier: GPL-2.0
/*
 * Handover between two processes, on the module's memory: each buffer that is
 * sent comes back changed, and what the owner frees is gone for both.
 */
#include <sys/socket.h>
#include <sys/wait.h>
#include "common.h"

#define COUNT  16U
#define ROUNDS 200

static struct saferring_pool *make_away(struct saferring_region *region)
{
	struct saferring_pool_options options;
	struct saferring_pool *pool;

	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = BUFFER_SIZE;
	options.count = COUNT;
	options.flags = SAFERRING_POOL_AWAY;
	options.name = "theirs";
	if (saferring_pool_create(&region, 1, &options, &pool))
		_exit(21);
	return pool;
}

static void send_fd(int socket, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { { 0 } };
	char byte = 1;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(socket, &message, 0), 1);
}

static int receive_fd(int socket)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control;
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
		_exit(22);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* The other process: adds one to each byte, and sends the buffer back. */
static void other_process(int socket)
{
	struct saferring_device *device;
	struct saferring_region *region;
	struct saferring_ticket ticket;
	struct saferring_pool *pool;
	saferring_buffer buffer;
	unsigned char *data;
	size_t place;

	alarm(60);
	if (saferring_device_open(NULL, &device) ||
	    saferring_region_import(device, receive_fd(socket), NULL, &region))
		_exit(23);
	pool = make_away(region);
	while (read(socket, &ticket, sizeof(ticket)) == sizeof(ticket)) {
		if (saferring_buffer_receive(pool, &ticket, &buffer))
			_exit(24);
		data = saferring_buffer_data(pool, buffer);
		for (place = 0; place < BUFFER_SIZE; place++)
			data[place]++;
		if (saferring_buffer_send(pool, buffer, &ticket) ||
		    write(socket, &ticket, sizeof(ticket)) != sizeof(ticket))
			_exit(25);
	}
	if (saferring_pool_destroy(pool) ||
	    saferring_region_destroy(region, 0, DESTROY_MS) ||
	    saferring_device_close(device))
		_exit(26);
	_exit(0);
}

static bool is_module(const struct stage *stage)
{
	struct saferring_region_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_region_info(stage->region, &info), 0);
	return info.backend == SAFERRING_BACKEND_MODULE;
}

static void round_trip(struct stage *stage, int socket, int round)
{
	struct saferring_ticket ticket;
	saferring_buffer buffer = get(stage->pool);
	unsigned char *data = saferring_buffer_data(stage->pool, buffer);
	size_t place;

	for (place = 0; place < BUFFER_SIZE; place++)
		data[place] = (unsigned char)(place + (size_t)round);
	assert_int_equal(saferring_buffer_send(stage->pool, buffer, &ticket),
			 0);
	assert_int_equal(write(socket, &ticket, sizeof(ticket)),
			 sizeof(ticket));
	assert_int_equal(read(socket, &ticket, sizeof(ticket)),
			 sizeof(ticket));
	assert_int_equal(saferring_buffer_receive(stage->pool, &ticket,
						  &buffer),
			 0);
	data = saferring_buffer_data(stage->pool, buffer);
	for (place = 0; place < BUFFER_SIZE; place++)
		if (data[place] != (unsigned char)(place + (size_t)round + 1))
			fail_msg("byte %zu differs", place);
	put(stage->pool, buffer);
}

static void buffers_go_to_another_process_and_come_back_changed(void **state)
{
	struct stage *stage = stage_up(COUNT, 8, 0);
	int ends[2], fd, round, status;
	pid_t child;

	(void)state;
	if (!is_module(stage)) {
		assert_int_equal(saferring_region_export(stage->region, &fd),
				 -EOPNOTSUPP);
		stage_down(stage);
		SKIP("the module is not there");
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		close(ends[0]);
		other_process(ends[1]);
	}
	close(ends[1]);
	assert_int_equal(saferring_region_export(stage->region, &fd), 0);
	send_fd(ends[0], fd);
	close(fd);
	for (round = 0; round < ROUNDS; round++)
		round_trip(stage, ends[0], round);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	stage_down(stage);
}

static void what_the_owner_frees_is_gone_for_the_importer(void **state)
{
	struct stage *stage = stage_up(COUNT, 8, 0);
	struct saferring_region *imported;
	struct saferring_region_info info = { .size = sizeof(info) };
	int fd;

	(void)state;
	if (!is_module(stage)) {
		stage_down(stage);
		SKIP("the module is not there");
	}
	assert_int_equal(saferring_region_export(stage->region, &fd), 0);
	assert_int_equal(saferring_region_import(stage->device, fd, NULL,
						 &imported),
			 0);
	assert_int_equal(saferring_region_info(imported, &info), 0);
	assert_int_equal(info.live, 1);
	assert_int_equal(saferring_region_revoke(stage->region), 0);
	assert_int_equal(saferring_region_info(imported, &info), 0);
	assert_int_equal(info.live, 0);
	assert_null(saferring_region_address(imported));
	drop_region(imported);
	assert_int_not_equal(saferring_region_import(stage->device, fd, NULL,
						     &imported),
			     0);
	close(fd);
	stage_down(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_go_to_another_process_and_come_back_changed),
		cmocka_unit_test(what_the_owner_frees_is_gone_for_the_importer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
