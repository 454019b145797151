/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Socket: operations on sockets.
 *
 * Every function returns what saferring_ring_read() returns, and what it says
 * itself. -EOPNOTSUPP says that the kernel does not have the operation, which
 * saferring_ring_supports() tells beforehand. What is passed by pointer is
 * copied, unless said otherwise. File descriptors can be SAFERRING_FILE(slot),
 * and slots are those of saferring/file.h.
 */
#ifndef SAFERRING_SOCKET_H
#define SAFERRING_SOCKET_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

struct sockaddr;

/**
 * saferring_ring_socket() - queue the making of a socket
 * @ring: the ring
 * @domain: as of socket(2)
 * @type: as of socket(2)
 * @protocol: as of socket(2)
 * @slot: SAFERRING_SLOT_NONE, _ANY or a slot: see saferring_ring_open()
 * @user_data: comes back with the completion
 *
 * Return: as saferring_ring_open().
 */
SAFERRING_API int saferring_ring_socket(struct saferring_ring *ring, int domain,
					int type, int protocol, int slot,
					uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_accept() - queue the taking of a connection
 * @ring: the ring
 * @fd: socket that listens
 * @flags: as of accept4(2)
 * @slot: SAFERRING_SLOT_NONE, _ANY or a slot: see saferring_ring_open()
 * @address: where the peer's address goes; NULL if nobody wants it
 * @user_data: comes back with the completion
 *
 * The result is the file descriptor or the slot. With @address, extra is the
 * length of the peer's address, which is cut to the range's.
 *
 * Return: as saferring_ring_open(), and as saferring_ring_read() for @address.
 */
SAFERRING_API int saferring_ring_accept(struct saferring_ring *ring, int fd,
					int flags, int slot,
					const struct saferring_range *address,
					uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_accept_multishot() - queue the taking of all connections
 * @ring: the ring
 * @fd: socket that listens
 * @flags: as of accept4(2)
 * @slot: SAFERRING_SLOT_NONE or SAFERRING_SLOT_ANY
 * @user_data: comes back with every completion
 *
 * Each connection is a completion with MORE. One without it ends the operation.
 *
 * Return: as saferring_ring_accept(), or -EINVAL for another @slot.
 */
SAFERRING_API int saferring_ring_accept_multishot(struct saferring_ring *ring,
						  int fd, int flags, int slot,
						  uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_connect() - queue the making of a connection
 * @ring: the ring
 * @fd: socket
 * @address: of the peer
 * @length: bytes of @address, at most sizeof(struct sockaddr_storage)
 * @user_data: comes back with the completion
 *
 * Return: as saferring_ring_nop(), -EINVAL for a bad @address, or -EOPNOTSUPP.
 */
SAFERRING_API int saferring_ring_connect(struct saferring_ring *ring, int fd,
					 const struct sockaddr *address,
					 size_t length, uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_shutdown() - queue the end of a connection
 * @ring: the ring
 * @fd: socket
 * @how: SHUT_RD, SHUT_WR or SHUT_RDWR
 * @user_data: comes back with the completion
 *
 * Return: as saferring_ring_nop(), or -EOPNOTSUPP.
 */
SAFERRING_API int saferring_ring_shutdown(struct saferring_ring *ring, int fd,
					  int how, uint64_t user_data)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_send() - queue the sending of a range
 * @ring: the ring
 * @fd: socket
 * @range: what to send
 * @flags: MSG bits, see send(2)
 * @user_data: comes back with the completion
 *
 * Return: as saferring_ring_read(), or -EOPNOTSUPP.
 */
SAFERRING_API int saferring_ring_send(struct saferring_ring *ring, int fd,
				      const struct saferring_range *range,
				      int flags, uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_send_zc() - queue the sending of a range without a copy
 * @ring: the ring
 * @fd: socket
 * @range: what to send; from a fixed buffer if the ring has them
 * @flags: MSG bits, see send(2)
 * @user_data: comes back with every completion
 *
 * If the kernel keeps the memory, the first completion has MORE, the result and
 * no buffer, and a second one with NOTIFICATION has the same result and the
 * buffer, which may be long after the peer has acknowledged. If it does not, as
 * after an error, the first completion is the only one and has the buffer.
 *
 * Return: as saferring_ring_send().
 */
SAFERRING_API int saferring_ring_send_zc(struct saferring_ring *ring, int fd,
					 const struct saferring_range *range,
					 int flags, uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_recv() - queue the receiving into a range
 * @ring: the ring
 * @fd: socket
 * @range: where it goes
 * @flags: MSG bits, see recv(2)
 * @user_data: comes back with the completion
 *
 * Return: as saferring_ring_read(), or -EOPNOTSUPP.
 */
SAFERRING_API int saferring_ring_recv(struct saferring_ring *ring, int fd,
				      const struct saferring_range *range,
				      int flags, uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

/**
 * struct saferring_message - a message to be sent
 * @ranges: what it consists of, in order
 * @count: number of @ranges, 1 to SAFERRING_RANGES_MAX
 * @flags: MSG bits, see sendmsg(2)
 * @address: of the receiver, or NULL
 * @address_length: bytes of it, at most sizeof(struct sockaddr_storage)
 * @control: control data, see cmsg(3), or NULL
 * @control_length: bytes of it, at most SAFERRING_CONTROL_MAX
 */
struct saferring_message {
	const struct saferring_range *ranges;
	unsigned int count;
	int flags;
	const struct sockaddr *address;
	size_t address_length;
	const void *control;
	size_t control_length;
};

/**
 * saferring_ring_sendmsg() - queue the sending of a message
 * @ring: the ring
 * @fd: socket
 * @message: the message
 * @user_data: comes back with every completion
 *
 * It makes a completion for each buffer, as saferring_ring_writev().
 *
 * Return: as saferring_ring_writev(), -EINVAL for an address or control data that
 * are too long, or -EOPNOTSUPP.
 */
SAFERRING_API int
saferring_ring_sendmsg(struct saferring_ring *ring, int fd,
		       const struct saferring_message *message,
		       uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_ring_sendmsg_zc() - queue the sending of a message without a copy
 * @ring: the ring
 * @fd: socket
 * @message: the message
 * @user_data: comes back with every completion
 *
 * As saferring_ring_send_zc(): first there may be a completion with MORE and
 * without a buffer, whose result is that of the whole message; those of the
 * buffers follow.
 *
 * Return: as saferring_ring_sendmsg().
 */
SAFERRING_API int
saferring_ring_sendmsg_zc(struct saferring_ring *ring, int fd,
			  const struct saferring_message *message,
			  uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

/**
 * struct saferring_message_header - what a received message was
 * @address_length: bytes of the sender's address
 * @control_length: bytes of control data
 * @payload_length: bytes of the message itself
 * @flags: MSG bits as of recvmsg(2)
 *
 * The address lies behind it, and the control data at the first multiple of 8
 * behind the room for the address.
 */
struct saferring_message_header {
	uint32_t address_length;
	uint32_t control_length;
	uint32_t payload_length;
	uint32_t flags;
};

/**
 * struct saferring_reception - where a message is to go
 * @ranges: where its bytes go, in order
 * @count: number of @ranges, 1 to SAFERRING_RANGES_MAX
 * @flags: MSG bits, see recvmsg(2)
 * @header: where the struct saferring_message_header goes, with the address and
 *	control data behind it; its start is a multiple of 8. NULL if nobody
 *	wants them. It may lie in a buffer of @ranges
 * @address_room: bytes for the address in @header
 * @control_room: bytes for the control data in @header
 */
struct saferring_reception {
	const struct saferring_range *ranges;
	unsigned int count;
	int flags;
	const struct saferring_range *header;
	size_t address_room;
	size_t control_room;
};

/**
 * saferring_ring_recvmsg() - queue the receiving of a message
 * @ring: the ring
 * @fd: socket
 * @reception: where it is to go
 * @user_data: comes back with every completion
 *
 * It makes a completion for each buffer, as saferring_ring_readv(), that of the
 * header first. A buffer with nothing but the header has the result 0.
 *
 * Return: as saferring_ring_readv(), -EINVAL for a header that is too short for
 * what it is to hold or not aligned, or -EOPNOTSUPP.
 */
SAFERRING_API int
saferring_ring_recvmsg(struct saferring_ring *ring, int fd,
		       const struct saferring_reception *reception,
		       uint64_t user_data)
	SAFERRING_NONNULL(1, 3) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_SOCKET_H */
