// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Socket: operations on sockets.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "internal.h"
#include "short.h"

/* ---- sockets and connections ---- */

int saferring_ring_socket(struct saferring_ring *ring, int domain, int type,
			  int protocol, int slot, uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_SOCKET;
	struct sr_draft draft;
	int error = sr_files_check(ring, kind, slot);

	if (!error)
		error = sr_draft(ring, kind, NULL, 0, &draft);
	if (error)
		return error;
	draft.sqe->fd = domain;
	draft.sqe->off = (uint64_t)(unsigned int)type;
	draft.sqe->len = (uint32_t)protocol;
	sr_draft_slot(&draft, slot);
	return sr_queue(&draft, user_data);
}

/* The kernel writes the address, and its length to the payload. */
static void take_address(struct sr_draft *draft)
{
	draft->payload->address_length = (socklen_t)draft->length;
	draft->sqe->addr = (uintptr_t)draft->address;
	draft->sqe->addr2 = (uintptr_t)&draft->payload->address_length;
}

int saferring_ring_accept(struct saferring_ring *ring, int fd, int flags,
			  int slot, const struct saferring_range *address,
			  uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_ACCEPT;
	struct sr_draft draft;
	int error = sr_files_check(ring, kind, slot);

	if (!error)
		error = sr_draft(ring, kind, address, address ? 1 : 0, &draft);
	if (error)
		return error;
	sr_draft_file(&draft, fd);
	if (address)
		take_address(&draft);
	draft.sqe->accept_flags = (uint32_t)flags;
	sr_draft_slot(&draft, slot);
	return sr_queue(&draft, user_data);
}

int saferring_ring_accept_multishot(struct saferring_ring *ring, int fd,
				    int flags, int slot, uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_ACCEPT_MULTISHOT;
	struct sr_draft draft;
	int error;

	if (slot != SAFERRING_SLOT_NONE && slot != SAFERRING_SLOT_ANY)
		return sr_refuse(ring, kind,
				 "slot %d: many connections do not fit in it",
				 slot);
	error = sr_files_check(ring, kind, slot);
	if (!error)
		error = sr_draft(ring, kind, NULL, 0, &draft);
	if (error)
		return error;
	sr_draft_file(&draft, fd);
	draft.sqe->accept_flags = (uint32_t)flags;
	draft.sqe->ioprio = IORING_ACCEPT_MULTISHOT;
	sr_draft_slot(&draft, slot);
	return sr_queue(&draft, user_data);
}

static int check_address(struct saferring_ring *ring, unsigned int kind,
			 const void *address, size_t length)
{
	if (address ? length && length <= sizeof(struct sockaddr_storage) :
		      !length)
		return 0;
	return sr_refuse(ring, kind,
			 "an address of %zu bytes, allowed are 1 to %zu",
			 address ? length : 0,
			 sizeof(struct sockaddr_storage));
}

int saferring_ring_connect(struct saferring_ring *ring, int fd,
			   const struct sockaddr *address, size_t length,
			   uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_CONNECT;
	struct sr_draft draft;
	int error = check_address(ring, kind, address, length);

	if (!error && !address)
		error = sr_refuse(ring, kind, "no address");
	if (!error)
		error = sr_draft(ring, kind, NULL, 0, &draft);
	if (error)
		return error;
	sr_draft_file(&draft, fd);
	memcpy(&draft.payload->address, address, length);
	draft.sqe->addr = (uintptr_t)&draft.payload->address;
	draft.sqe->off = length;
	return sr_queue(&draft, user_data);
}

int saferring_ring_shutdown(struct saferring_ring *ring, int fd, int how,
			    uint64_t user_data)
{
	struct sr_draft draft;
	int error = sr_draft(ring, SAFERRING_OPERATION_SHUTDOWN, NULL, 0,
			     &draft);

	if (error)
		return error;
	sr_draft_file(&draft, fd);
	draft.sqe->len = (uint32_t)how;
	return sr_queue(&draft, user_data);
}

/* ---- one range ---- */

/* Sending and receiving are as short as reading and writing. */
static __always_inline bool transfer_short(struct saferring_ring *ring,
					   unsigned int kind,
					   unsigned int opcode, int fd,
					   const struct saferring_range *range,
					   int flags, uint64_t user_data)
{
	const struct sr_attachment *attachment;
	struct saferring_pool *pool;

	if (SAFERRING_UNLIKELY(!ring || !range))
		return false;
	attachment = ring->by_pool[range->buffer.word >> SR_ID_SHIFT];
	if (SAFERRING_UNLIKELY(!attachment || fd & SAFERRING_FILE_BIT ||
			       !ring->supported[kind]))
		return false;
	pool = attachment->pool;
	if (SAFERRING_UNLIKELY(!sr_in_buffer(pool, range->start,
					     range->length)))
		return false;
	return sr_queue_one(ring,
			    &(struct sr_common){
				    .pool = pool,
				    .kind = kind,
				    .opcode = opcode,
				    .fd = fd,
				    .flags = (uint32_t)flags,
				    .first = range->start,
				    .length = (uint32_t)range->length,
				    .shape = sr_shape(ring, kind, 0,
						      range->length),
			    },
			    range->buffer.word, 0, user_data);
}

static __attribute__((noinline)) int
transfer(struct saferring_ring *ring, unsigned int kind, int fd,
	 const struct saferring_range *range, int flags, uint64_t user_data)
{
	struct sr_draft draft;
	int error = sr_check_ranges(ring, kind, range, 1);

	if (!error)
		error = sr_draft(ring, kind, range, 1, &draft);
	if (error)
		return error;
	sr_draft_address(&draft);
	sr_draft_file(&draft, fd);
	draft.sqe->msg_flags = (uint32_t)flags;
	if (kind == SAFERRING_OPERATION_SEND_ZC && draft.fixed_index >= 0) {
		draft.sqe->ioprio = IORING_RECVSEND_FIXED_BUF;
		draft.sqe->buf_index = (uint16_t)draft.fixed_index;
	}
	return sr_queue(&draft, user_data);
}

int saferring_ring_send(struct saferring_ring *ring, int fd,
			const struct saferring_range *range, int flags,
			uint64_t user_data)
{
	if (SAFERRING_LIKELY(transfer_short(ring, SAFERRING_OPERATION_SEND,
					    IORING_OP_SEND, fd, range, flags,
					    user_data)))
		return 0;
	return transfer(ring, SAFERRING_OPERATION_SEND, fd, range, flags,
			user_data);
}

int saferring_ring_send_zc(struct saferring_ring *ring, int fd,
			   const struct saferring_range *range, int flags,
			   uint64_t user_data)
{
	return transfer(ring, SAFERRING_OPERATION_SEND_ZC, fd, range, flags,
			user_data);
}

int saferring_ring_recv(struct saferring_ring *ring, int fd,
			const struct saferring_range *range, int flags,
			uint64_t user_data)
{
	if (SAFERRING_LIKELY(transfer_short(ring, SAFERRING_OPERATION_RECV,
					    IORING_OP_RECV, fd, range, flags,
					    user_data)))
		return 0;
	return transfer(ring, SAFERRING_OPERATION_RECV, fd, range, flags,
			user_data);
}

/* ---- messages ---- */

static int check_message(struct saferring_ring *ring, unsigned int kind,
			 const struct saferring_message *message)
{
	int error;

	if (!message)
		return sr_refuse(ring, kind, "no message");
	error = sr_check_ranges(ring, kind, message->ranges, message->count);
	if (!error)
		error = check_address(ring, kind, message->address,
				      message->address_length);
	if (error)
		return error;
	if (message->control_length > SAFERRING_CONTROL_MAX ||
	    !message->control != !message->control_length)
		return sr_refuse(ring, kind,
				 "control data of %zu bytes, at most %d",
				 message->control_length,
				 SAFERRING_CONTROL_MAX);
	return 0;
}

static void fill_message(struct sr_payload *payload,
			 const struct saferring_message *message)
{
	payload->message = (struct msghdr){
		.msg_iov = payload->iovec,
		.msg_iovlen = message->count,
	};
	if (message->address) {
		memcpy(&payload->address, message->address,
		       message->address_length);
		payload->message.msg_name = &payload->address;
		payload->message.msg_namelen =
			(socklen_t)message->address_length;
	}
	if (message->control) {
		memcpy(payload->control, message->control,
		       message->control_length);
		payload->message.msg_control = payload->control;
		payload->message.msg_controllen = message->control_length;
	}
}

static int send_message(struct saferring_ring *ring, unsigned int kind, int fd,
			const struct saferring_message *message,
			uint64_t user_data)
{
	struct sr_draft draft;
	int error = check_message(ring, kind, message);

	if (!error)
		error = sr_draft(ring, kind, message->ranges, message->count,
				 &draft);
	if (error)
		return error;
	sr_draft_file(&draft, fd);
	fill_message(draft.payload, message);
	draft.sqe->addr = (uintptr_t)&draft.payload->message;
	draft.sqe->len = 1;
	draft.sqe->msg_flags = (uint32_t)message->flags;
	return sr_queue(&draft, user_data);
}

int saferring_ring_sendmsg(struct saferring_ring *ring, int fd,
			   const struct saferring_message *message,
			   uint64_t user_data)
{
	return send_message(ring, SAFERRING_OPERATION_SENDMSG, fd, message,
			    user_data);
}

int saferring_ring_sendmsg_zc(struct saferring_ring *ring, int fd,
			      const struct saferring_message *message,
			      uint64_t user_data)
{
	return send_message(ring, SAFERRING_OPERATION_SENDMSG_ZC, fd, message,
			    user_data);
}

static size_t control_at(const struct saferring_reception *reception)
{
	return sizeof(struct saferring_message_header) +
	       SR_ROUND_UP(reception->address_room, 8);
}

static int check_reception(struct saferring_ring *ring,
			   const struct saferring_reception *reception)
{
	const unsigned int kind = SAFERRING_OPERATION_RECVMSG;
	const size_t most = SAFERRING_BUFFER_SIZE_MAX;
	int error;

	if (!reception)
		return sr_refuse(ring, kind, "no reception");
	error = sr_check_ranges(ring, kind, reception->ranges,
				reception->count);
	if (error)
		return error;
	if (!reception->header)
		return reception->address_room || reception->control_room ?
			       sr_refuse(ring, kind, "room in no header") :
			       0;
	if (reception->header->start % 8 || reception->address_room > most ||
	    reception->control_room > most ||
	    reception->header->length <
		    control_at(reception) + reception->control_room)
		return sr_refuse(ring, kind,
				 "the header of %zu bytes at %zu does not hold what it is to, or does not begin at a multiple of 8",
				 reception->header->length,
				 reception->header->start);
	return 0;
}

static void fill_reception(struct sr_draft *draft,
			   const struct saferring_reception *reception)
{
	struct sr_payload *payload = draft->payload;
	unsigned char *header = draft->address;

	payload->message = (struct msghdr){
		.msg_iov = payload->iovec,
		.msg_iovlen = reception->count,
	};
	payload->total = 0;
	if (!reception->header)
		return;
	payload->first = 1;
	payload->message.msg_iov++;
	draft->operation->length -= (uint32_t)reception->header->length;
	if (reception->address_room) {
		payload->message.msg_name =
			header + sizeof(struct saferring_message_header);
		payload->message.msg_namelen =
			(socklen_t)reception->address_room;
	}
	if (reception->control_room) {
		payload->message.msg_control = header + control_at(reception);
		payload->message.msg_controllen = reception->control_room;
	}
}

int saferring_ring_recvmsg(struct saferring_ring *ring, int fd,
			   const struct saferring_reception *reception,
			   uint64_t user_data)
{
	const unsigned int kind = SAFERRING_OPERATION_RECVMSG;
	struct saferring_range ranges[SAFERRING_RANGES_MAX + 1];
	struct sr_draft draft;
	unsigned int first = 0;
	int error = check_reception(ring, reception);

	if (error)
		return error;
	if (reception->header)
		ranges[first++] = *reception->header;
	memcpy(&ranges[first], reception->ranges,
	       reception->count * sizeof(*ranges));
	error = sr_draft(ring, kind, ranges, first + reception->count, &draft);
	if (error)
		return error;
	sr_draft_file(&draft, fd);
	fill_reception(&draft, reception);
	draft.sqe->addr = (uintptr_t)&draft.payload->message;
	draft.sqe->len = 1;
	draft.sqe->msg_flags = (uint32_t)reception->flags;
	return sr_queue(&draft, user_data);
}
