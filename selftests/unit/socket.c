// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on sockets, over the loopback device and socket pairs.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "common.h"

#define DEPTH 16U

static int up(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING);
	return 0;
}

static int up_unfixed(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING | STAGE_UNFIXED);
	return 0;
}

static int down(void **state)
{
	struct stage *stage = *state;

	assert_all_back(stage->pool);
	stage_down(stage);
	return 0;
}

static struct saferring_range range_of(struct stage *stage, size_t start,
				       size_t length)
{
	return (struct saferring_range){ get(stage->pool), start, length };
}

static struct saferring_range text_in(struct stage *stage, const char *text)
{
	struct saferring_range range = range_of(stage, 32, strlen(text));

	memcpy(bytes_of(stage->pool, range.buffer) + 32, text, strlen(text));
	return range;
}

/* A socket that listens on the loopback device, and its address. */
static int listener(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(address, 0, sizeof(*address));
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)address, length), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &length),
			 0);
	return fd;
}

/* Both ends of a connection over TCP. */
static void connection(int ends[2])
{
	struct sockaddr_in address;
	const int fd = listener(&address);

	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ends[0], (struct sockaddr *)&address,
				 sizeof(address)),
			 0);
	ends[1] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(ends[1] >= 0);
	close(fd);
}

static void a_pair(int ends[2], int type)
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
}

static void a_connection_is_made_and_taken(void **state)
{
	struct stage *stage = *state;
	struct saferring_range where = range_of(stage, 8, 128);
	struct saferring_completion c;
	struct sockaddr_in address, peer, own;
	socklen_t length = sizeof(own);
	const int fd = listener(&address);
	int made = -1, taken = -1, number;

	assert_int_equal(saferring_ring_accept(stage->ring, fd, SOCK_CLOEXEC,
					       SAFERRING_SLOT_NONE, &where, 1),
			 0);
	QUEUE(saferring_ring_socket(stage->ring, AF_INET, SOCK_STREAM, 0,
				    SAFERRING_SLOT_NONE, 2));
	c = next_of(stage->ring);
	assert_int_equal(c.user_data, 2);
	made = c.result;
	assert_true(made >= 0);
	assert_int_equal(saferring_ring_connect(stage->ring, made,
						(struct sockaddr *)&address,
						sizeof(address), 3),
			 0);
	memset(&address, 0xff, sizeof(address));
	for (number = 0; number < 2; number++) {
		c = next_of(stage->ring);
		if (c.user_data == 3) {
			assert_int_equal(c.result, 0);
			continue;
		}
		taken = c.result;
		assert_true(taken >= 0);
		assert_int_equal(c.extra, sizeof(peer));
		assert_int_equal(c.flags, 0);
		memcpy(&peer, bytes_of(c.pool, c.buffer) + 8, sizeof(peer));
		put(c.pool, c.buffer);
	}
	assert_int_equal(getsockname(made, (struct sockaddr *)&own, &length),
			 0);
	assert_memory_equal(&peer, &own, sizeof(own));
	QUEUE(saferring_ring_shutdown(stage->ring, made, SHUT_RDWR, 4));
	expect(stage->ring, 4, 0);
	assert_int_equal(recv(taken, &peer, 1, 0), 0);
	close(made);
	close(taken);
	close(fd);
}

static void an_address_has_1_to_128_bytes(void **state)
{
	struct stage *stage = *state;
	struct sockaddr_storage address = { .ss_family = AF_INET };
	const struct sockaddr *name = (struct sockaddr *)&address;

	assert_int_equal(saferring_ring_connect(stage->ring, -1, name, 0, 1),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(saferring_ring_connect(stage->ring, -1, name,
						sizeof(address) + 1, 1),
			 -EINVAL);
	assert_int_equal(saferring_ring_connect(stage->ring, -1, name,
						sizeof(address), 1),
			 0);
	expect(stage->ring, 1, -EBADF);
	assert_int_equal(saferring_ring_connect(stage->ring, -1, name, 1, 1),
			 0);
	expect(stage->ring, 1, -EBADF);
}

static void every_connection_is_a_completion(void **state)
{
	struct stage *stage = *state;
	struct sockaddr_in address;
	const int fd = listener(&address);
	struct saferring_completion c;
	int client[3], number, more = 1;
	uint64_t name;

	assert_int_equal(saferring_ring_accept_multishot(stage->ring, fd, 0, 0,
							 1),
			 -EINVAL);
	QUEUE(saferring_ring_accept_multishot(stage->ring, fd, SOCK_CLOEXEC,
					      SAFERRING_SLOT_NONE, 1));
	name = saferring_ring_last(stage->ring);
	for (number = 0; number < 3; number++) {
		client[number] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(client[number],
					 (struct sockaddr *)&address,
					 sizeof(address)),
				 0);
	}
	for (number = 0; number < 3; number++) {
		c = next_of(stage->ring);
		assert_int_equal(c.user_data, 1);
		assert_true(c.result >= 0);
		assert_int_equal(c.flags, SAFERRING_COMPLETION_MORE);
		close(c.result);
		close(client[number]);
	}
	assert_int_equal(saferring_ring_cancel(stage->ring, name, 2), 0);
	while (more) {
		c = next_of(stage->ring);
		if (c.user_data == 1) {
			assert_int_equal(c.result, -ECANCELED);
			assert_int_equal(c.flags, 0);
			more = 0;
		}
	}
	assert_int_equal(saferring_ring_find(stage->ring, 1), 0);
	close(fd);
}

static void what_is_sent_is_received(void **state)
{
	struct stage *stage = *state;
	struct saferring_range text = text_in(stage, "hello"),
			       where = range_of(stage, 5, 100);
	struct saferring_completion c;
	int ends[2];

	a_pair(ends, SOCK_STREAM);
	assert_int_equal(saferring_ring_send(stage->ring, ends[0], &text, 0, 1),
			 0);
	expect(stage->ring, 1, 5);
	assert_int_equal(saferring_ring_recv(stage->ring, ends[1], &where, 0,
					     2),
			 0);
	c = next_of(stage->ring);
	assert_int_equal(c.result, 5);
	assert_int_equal(c.flags, SAFERRING_COMPLETION_SHORT);
	assert_memory_equal(bytes_of(c.pool, c.buffer) + 5, "hello", 5);
	put(c.pool, c.buffer);
	close(ends[0]);
	close(ends[1]);
}

/*
 * The rule of two: with MORE the buffer comes with the notification and not
 * before, without it there is none.
 */
static void assert_sent_without_a_copy(struct stage *stage, int32_t result,
				       unsigned int buffers)
{
	struct saferring_completion c = next_of(stage->ring);
	unsigned int number;
	uint32_t wanted = 0;

	assert_int_equal(c.result, result);
	if (c.flags & SAFERRING_COMPLETION_MORE && !c.pool) {
		assert_int_equal(saferring_buffer_is_none(c.buffer), 1);
		assert_int_equal(saferring_ring_find(stage->ring, 1) != 0, 1);
		wanted = SAFERRING_COMPLETION_NOTIFICATION;
		c = next_of(stage->ring);
	}
	for (number = 1; number < buffers; number++) {
		assert_int_equal(c.flags & ~SAFERRING_COMPLETION_SHORT,
				 wanted | SAFERRING_COMPLETION_MORE);
		put(c.pool, c.buffer);
		c = next_of(stage->ring);
	}
	assert_int_equal(c.flags & ~SAFERRING_COMPLETION_SHORT, wanted);
	if (buffers == 1)
		assert_int_equal(c.result, result);
	put(c.pool, c.buffer);
	assert_int_equal(saferring_ring_find(stage->ring, 1), 0);
}

static void a_zero_copy_buffer_comes_with_its_notification(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_stats stats = { .size = sizeof(stats) };
	struct saferring_range text = text_in(stage, "zero copy");
	char back[16];
	int ends[2];

	connection(ends);
	QUEUE(saferring_ring_send_zc(stage->ring, ends[0], &text, 0, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(recv(ends[1], back, sizeof(back), 0), 9);
	assert_memory_equal(back, "zero copy", 9);
	assert_sent_without_a_copy(stage, 9, 1);
	assert_int_equal(saferring_ring_stats(stage->ring, &stats), 0);
	assert_int_equal(stats.errors, 0);
	close(ends[0]);
	close(ends[1]);
}

static void a_failed_send_without_a_copy_gives_its_buffer_back(void **state)
{
	struct stage *stage = *state;
	struct saferring_range text = text_in(stage, "zero copy");
	int ends[2];

	a_pair(ends, SOCK_STREAM);
	/* Sockets of this kind cannot. */
	QUEUE(saferring_ring_send_zc(stage->ring, ends[0], &text, 0, 1));
	assert_sent_without_a_copy(stage, -EOPNOTSUPP, 1);
	text = text_in(stage, "x");
	QUEUE(saferring_ring_send_zc(stage->ring, -1, &text, 0, 1));
	assert_sent_without_a_copy(stage, -EBADF, 1);
	close(ends[0]);
	close(ends[1]);
}

static void a_message_sent_without_a_copy_gives_all_buffers_back(void **state)
{
	struct stage *stage = *state;
	struct saferring_range ranges[2];
	const struct saferring_message message = {
		.ranges = ranges,
		.count = 2,
	};
	char back[16];
	int ends[2];

	connection(ends);
	ranges[0] = text_in(stage, "zero");
	ranges[1] = text_in(stage, "copy");
	QUEUE(saferring_ring_sendmsg_zc(stage->ring, ends[0], &message, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(recv(ends[1], back, 8, MSG_WAITALL), 8);
	assert_memory_equal(back, "zerocopy", 8);
	assert_sent_without_a_copy(stage, 8, 2);
	close(ends[0]);
	close(ends[1]);
}

static void a_dropped_zero_copy_send_keeps_its_buffer(void **state)
{
	struct stage *stage = *state;
	struct saferring_range text = text_in(stage, "zero copy");
	struct saferring_completion c;
	char back[16];
	int ends[2];

	connection(ends);
	QUEUE(saferring_ring_send_zc(stage->ring, ends[0], &text, 0, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_ring_drop(stage->ring,
					     saferring_ring_find(stage->ring,
								 1)),
			 0);
	assert_int_equal(recv(ends[1], back, sizeof(back), 0), 9);
	assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1,
					     SAFERRING_FOREVER),
			 0);
	close(ends[0]);
	close(ends[1]);
}

/* ---- messages ---- */

static void send_descriptor(struct stage *stage, int to, int fd)
{
	struct saferring_range ranges[2];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	const struct saferring_message message = {
		.ranges = ranges,
		.count = 2,
		.control = &control,
		.control_length = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	ranges[0] = text_in(stage, "one");
	ranges[1] = text_in(stage, "two!");
	assert_int_equal(saferring_ring_sendmsg(stage->ring, to, &message, 1),
			 0);
	memset(&control, 0, sizeof(control));
	expect(stage->ring, 1, 3);
	expect(stage->ring, 1, 4);
}

static void a_message_comes_with_its_control_data(void **state)
{
	struct stage *stage = *state;
	struct saferring_message_header header;
	struct saferring_range where = range_of(stage, 0, 100),
			       head = range_of(stage, 64, 16 + 64);
	const struct saferring_reception reception = {
		.ranges = &where,
		.count = 1,
		.header = &head,
		.control_room = 64,
	};
	const int fd = pattern_file(10);
	struct saferring_completion c;
	struct cmsghdr control;
	unsigned char byte[10];
	int ends[2], got;

	a_pair(ends, SOCK_SEQPACKET);
	send_descriptor(stage, ends[0], fd);
	assert_int_equal(saferring_ring_recvmsg(stage->ring, ends[1],
						&reception, 2),
			 0);
	c = next_of(stage->ring);
	assert_int_equal(c.result, 0);
	assert_int_equal(c.flags, SAFERRING_COMPLETION_MORE);
	memcpy(&header, bytes_of(c.pool, c.buffer) + 64, sizeof(header));
	assert_int_equal(header.address_length, 0);
	assert_true(header.control_length >= CMSG_LEN(sizeof(int)));
	assert_int_equal(header.payload_length, 7);
	memcpy(&control, bytes_of(c.pool, c.buffer) + 80, sizeof(control));
	assert_int_equal(control.cmsg_type, SCM_RIGHTS);
	memcpy(&got, bytes_of(c.pool, c.buffer) + 80 + sizeof(control),
	       sizeof(got));
	put(c.pool, c.buffer);
	assert_int_equal(pread(got, byte, 10, 0), 10);
	assert_pattern(byte, 0, 10);
	c = next_of(stage->ring);
	assert_int_equal(c.result, 7);
	assert_memory_equal(bytes_of(c.pool, c.buffer), "onetwo!", 7);
	put(c.pool, c.buffer);
	close(got);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

static void a_datagram_comes_with_its_sender(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer buffer = get(stage->pool);
	struct saferring_range where = { buffer, 512, 64 },
			       head = { buffer, 0, 16 + 128 }, text;
	const struct saferring_reception reception = {
		.ranges = &where,
		.count = 1,
		.header = &head,
		.address_room = 128,
	};
	struct saferring_message message = { .count = 1 };
	struct saferring_message_header header;
	struct sockaddr_in to, from;
	socklen_t length = sizeof(to);
	struct saferring_completion c;
	int one = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
	    two = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memset(&to, 0, sizeof(to));
	to.sin_family = AF_INET;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(one, (struct sockaddr *)&to, length), 0);
	assert_int_equal(bind(two, (struct sockaddr *)&to, length), 0);
	assert_int_equal(getsockname(two, (struct sockaddr *)&to, &length), 0);
	text = text_in(stage, "datagram");
	message.ranges = &text;
	message.address = (struct sockaddr *)&to;
	message.address_length = sizeof(to);
	assert_int_equal(saferring_ring_sendmsg(stage->ring, one, &message, 1),
			 0);
	expect(stage->ring, 1, 8);
	assert_int_equal(saferring_ring_recvmsg(stage->ring, two, &reception,
						2),
			 0);
	c = next_of(stage->ring);
	assert_int_equal(c.result, 8);
	memcpy(&header, bytes_of(c.pool, c.buffer), sizeof(header));
	assert_int_equal(header.address_length, sizeof(from));
	assert_int_equal(header.payload_length, 8);
	memcpy(&from, bytes_of(c.pool, c.buffer) + sizeof(header),
	       sizeof(from));
	assert_int_equal(getsockname(one, (struct sockaddr *)&to, &length), 0);
	assert_memory_equal(&from, &to, sizeof(to));
	assert_memory_equal(bytes_of(c.pool, c.buffer) + 512, "datagram", 8);
	put(c.pool, c.buffer);
	close(one);
	close(two);
}

static void a_header_must_hold_what_it_is_to(void **state)
{
	struct stage *stage = *state;
	struct saferring_range where = range_of(stage, 0, 100),
			       head = range_of(stage, 8, 16 + 8 + 31);
	struct saferring_reception reception = {
		.ranges = &where,
		.count = 1,
		.header = &head,
		.address_room = 5,
		.control_room = 32,
	};

	assert_int_equal(saferring_ring_recvmsg(stage->ring, -1, &reception, 1),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	head.length++;
	head.start = 4;
	assert_int_equal(saferring_ring_recvmsg(stage->ring, -1, &reception, 1),
			 -EINVAL);
	head.start = 8;
	assert_int_equal(saferring_ring_recvmsg(stage->ring, -1, &reception, 1),
			 0);
	expect(stage->ring, 1, -EBADF);
	expect(stage->ring, 1, -EBADF);
}

static void control_data_has_at_most_256_bytes(void **state)
{
	struct stage *stage = *state;
	char control[SAFERRING_CONTROL_MAX + 1] = { 0 };
	struct saferring_range text = text_in(stage, "x");
	struct saferring_message message = {
		.ranges = &text,
		.count = 1,
		.control = control,
		.control_length = sizeof(control),
	};

	assert_int_equal(saferring_ring_sendmsg(stage->ring, -1, &message, 1),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	message.control_length--;
	assert_int_equal(saferring_ring_sendmsg(stage->ring, -1, &message, 1),
			 0);
	expect(stage->ring, 1, -EBADF);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
#define U(name) cmocka_unit_test_setup_teardown(name, up_unfixed, down)
	const struct CMUnitTest tests[] = {
		T(a_connection_is_made_and_taken),
		T(an_address_has_1_to_128_bytes),
		T(every_connection_is_a_completion),
		T(what_is_sent_is_received),
		T(a_zero_copy_buffer_comes_with_its_notification),
		U(a_zero_copy_buffer_comes_with_its_notification),
		T(a_failed_send_without_a_copy_gives_its_buffer_back),
		T(a_message_sent_without_a_copy_gives_all_buffers_back),
		T(a_dropped_zero_copy_send_keeps_its_buffer),
		T(a_message_comes_with_its_control_data),
		T(a_datagram_comes_with_its_sender),
		T(a_header_must_hold_what_it_is_to),
		T(control_data_has_at_most_256_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
