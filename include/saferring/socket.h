/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Socket: operations on sockets.
 */
#ifndef SAFERRING_SOCKET_H
#define SAFERRING_SOCKET_H

#include <saferring/api.h>
#include <saferring/ring.h>

SAFERRING_BEGIN_DECLS

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

SAFERRING_END_DECLS

#endif /* SAFERRING_SOCKET_H */
