// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Kinds: what there is to know of each kind of operation, in one table.
 *
 * The kernel tells which opcodes it has, but not which flags of them. So some
 * kinds need another opcode besides, one that came with the same kernel.
 */
#include "internal.h"

#define KIND(name_, function_, opcode_, needs_, since_, flags_)                \
	[SAFERRING_OPERATION_##name_] = {                                      \
		.name = #name_,                                                \
		.function = "ring_" function_,                                 \
		.opcode = IORING_OP_##opcode_,                                 \
		.needs = IORING_OP_##needs_,                                   \
		.since = since_,                                               \
		.flags = flags_,                                               \
	}

#define BYTES	  SR_KIND_BYTES
#define MULTISHOT SR_KIND_MULTISHOT
#define ZEROCOPY  SR_KIND_ZEROCOPY
#define VECTOR	  SR_KIND_VECTOR
#define READS	  SR_KIND_READS

const struct sr_kind sr_kinds[SAFERRING_OPERATIONS] = {
	KIND(READ, "read", READ, NOP, "5.6", BYTES),
	KIND(WRITE, "write", WRITE, NOP, "5.6", READS | BYTES),
	KIND(READV, "readv", READV, NOP, "5.1", BYTES | VECTOR),
	KIND(WRITEV, "writev", WRITEV, NOP, "5.1", READS | BYTES | VECTOR),
	KIND(FSYNC, "fsync", FSYNC, NOP, "5.1", 0),
	KIND(FALLOCATE, "fallocate", FALLOCATE, NOP, "5.6", 0),
	KIND(OPEN, "open", OPENAT2, NOP, "5.6", 0),
	KIND(CLOSE, "close", CLOSE, NOP, "5.6", 0),
	KIND(STATX, "statx", STATX, NOP, "5.6", 0),
	KIND(SPLICE, "splice", SPLICE, NOP, "5.7", BYTES),
	KIND(ACCEPT, "accept", ACCEPT, NOP, "5.5", 0),
	KIND(CONNECT, "connect", CONNECT, NOP, "5.5", 0),
	KIND(SEND, "send", SEND, NOP, "5.6", READS | BYTES),
	KIND(RECV, "recv", RECV, NOP, "5.6", BYTES),
	KIND(SENDMSG, "sendmsg", SENDMSG, NOP, "5.3", READS | BYTES | VECTOR),
	KIND(RECVMSG, "recvmsg", RECVMSG, NOP, "5.3", BYTES | VECTOR),
	KIND(SEND_ZC, "send_zc", SEND_ZC, NOP, "6.0", READS | BYTES | ZEROCOPY),
	KIND(SENDMSG_ZC, "sendmsg_zc", SENDMSG_ZC, NOP, "6.1",
	     READS | BYTES | ZEROCOPY | VECTOR),
	KIND(SHUTDOWN, "shutdown", SHUTDOWN, NOP, "5.11", 0),
	KIND(ACCEPT_MULTISHOT, "accept_multishot", ACCEPT, SOCKET, "5.19",
	     MULTISHOT),
	KIND(RECV_MULTISHOT, "recv_multishot", RECV, SEND_ZC, "6.0",
	     BYTES | MULTISHOT),
	KIND(SOCKET, "socket", SOCKET, NOP, "5.19", 0),
	KIND(POLL, "poll", POLL_ADD, NOP, "5.1", 0),
	KIND(POLL_MULTISHOT, "poll_multishot", POLL_ADD, MKDIRAT, "5.13",
	     MULTISHOT),
	KIND(TIMEOUT, "timeout", TIMEOUT, NOP, "5.4", SR_KIND_EXPIRES),
	KIND(LINK_TIMEOUT, "link_timeout", LINK_TIMEOUT, NOP, "5.5",
	     SR_KIND_EXPIRES),
	KIND(CANCEL, "cancel", ASYNC_CANCEL, NOP, "5.5", 0),
	KIND(NOP, "nop", NOP, NOP, "5.1", 0),
	KIND(MESSAGE, "message", MSG_RING, NOP, "5.18", 0),
	KIND(COMMAND, "command", URING_CMD, NOP, "5.19", 0),
	KIND(RAW, "raw", NOP, NOP, "5.1", 0),
	[SAFERRING_OPERATION_FOREIGN] = { .name = "FOREIGN" },
};

const char *saferring_operation_name(unsigned int operation)
{
	if (operation >= SAFERRING_OPERATIONS || !sr_kinds[operation].name)
		return "?";
	return sr_kinds[operation].name;
}
