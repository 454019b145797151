// SPDX-License-Identifier: GPL-2.0
/*
 * Tests echo_server: many connections at once, each of which sends bytes of its
 * own and compares what comes back. Some hang up in the middle.
 *
 *	echo_client PORT CONNECTIONS BYTES
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct talk {
	pthread_t listener;
	int fd;
	unsigned int number;
	size_t bytes;
	size_t wrong;
};

static unsigned char byte_of(const struct talk *talk, size_t at)
{
	return (unsigned char)(at * 7 + at / 256 + talk->number * 31);
}

static void *compare(void *argument)
{
	struct talk *talk = argument;
	unsigned char data[3000];
	size_t at = 0, number;
	ssize_t count;

	while (at < talk->bytes) {
		count = read(talk->fd, data, sizeof(data));
		if (count <= 0)
			break;
		for (number = 0; number < (size_t)count; number++)
			talk->wrong += data[number] != byte_of(talk, at++);
	}
	talk->wrong += talk->bytes - at;
	return NULL;
}

static int send_all(const struct talk *talk)
{
	unsigned char data[5000];
	size_t at = 0, length, number;

	while (at < talk->bytes) {
		length = talk->bytes - at < sizeof(data) ? talk->bytes - at :
							   sizeof(data);
		for (number = 0; number < length; number++)
			data[number] = byte_of(talk, at + number);
		if (send(talk->fd, data, length, MSG_NOSIGNAL) !=
		    (ssize_t)length)
			return -1;
		at += length;
	}
	return 0;
}

static int connect_to(uint16_t port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address,
			      sizeof(address))) {
		perror("connect");
		exit(1);
	}
	return fd;
}

/* One that does not want to hear the answer. */
static void hang_up_early(uint16_t port)
{
	const int fd = connect_to(port);

	(void)!send(fd, "never mind", 10, MSG_NOSIGNAL);
	close(fd);
}

int main(int argc, char **argv)
{
	const unsigned int count = argc == 4 ? (unsigned int)atoi(argv[2]) : 0;
	struct talk *talk = calloc(count + 1, sizeof(*talk));
	unsigned int number;
	size_t wrong = 0;

	if (!count || !talk)
		return 2;
	for (number = 0; number < count; number++) {
		hang_up_early((uint16_t)atoi(argv[1]));
		talk[number].fd = connect_to((uint16_t)atoi(argv[1]));
		talk[number].number = number;
		talk[number].bytes = (size_t)atol(argv[3]);
		if (pthread_create(&talk[number].listener, NULL, compare,
				   &talk[number]))
			return 1;
	}
	for (number = 0; number < count; number++)
		wrong += send_all(&talk[number]) != 0;
	for (number = 0; number < count; number++) {
		pthread_join(talk[number].listener, NULL);
		wrong += talk[number].wrong;
		close(talk[number].fd);
	}
	free(talk);
	printf("%zu wrong\n", wrong);
	return wrong != 0;
}
