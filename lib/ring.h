/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the files of the ring know of each other: the second half of internal.h,
 * which includes it.
 */
#ifndef SAFERRING_RING_PRIVATE_H
#define SAFERRING_RING_PRIVATE_H

#include <sys/socket.h>

/*
 * The key of an operation is the user_data of its SQE: the index of its record
 * in bits 0-14, above it the generation of the record, which tells a completion
 * of this use of the record from those of the uses before, and bit 63, which no
 * address of user space has. So a program that queues SQEs of its own on the
 * same ring has the other half of the numbers to itself.
 */
#define SR_KEY_INDEX_MASK 0x7fffUL
#define SR_KEY_STEP	  (1UL << 16)
#define SR_KEY_MARK	  (1UL << 63)
/* What no operation waits for: an index that no record has. */
#define SR_KEY_CANCEL	  (SR_KEY_MARK | 0xffffUL)

/* No further record. */
#define SR_RECORD_NONE UINT32_MAX

/* Bits of sr_operation.special: what its completion takes more than the rest. */
#define SR_SPECIAL_RESULT (1U << 0) /* sr_state.result is its result */
#define SR_SPECIAL_SLOW	  (1U << 1) /* its kind is neither READ nor WRITE */
#define SR_SPECIAL_DROP	  (1U << 2) /* nobody wants to hear of it */
#define SR_SPECIAL_PART	  (1U << 3) /* not the first record of its operation */

/*
 * struct sr_operation - an operation that is queued or in flight
 * @fresh: the handle under which its buffer comes back, or 0 if it has none
 * @pool: pool of the buffer, or NULL
 * @user_data: the program's
 * @length: bytes asked for
 * @kind: enum saferring_operation
 * @special: SR_SPECIAL bits
 * @lot: those that were queued for one submission have the same
 * @shape: these four at once: what has the same shape ends in the same way
 * @tag: of the buffer, or some word if it has none; see sr_records_settle()
 * @key: user_data of the SQE
 *
 * In the order of struct saferring_completion, and in a cache line of its own.
 *
 * An operation on several buffers has a record for each, linked by
 * sr_state.next; the first has the key of the SQE.
 */
struct sr_operation {
	uint64_t fresh;
	struct saferring_pool *pool;
	uint64_t user_data;
	union {
		struct {
			uint32_t length;
			uint8_t kind;
			uint8_t special;
			uint16_t lot;
		};
		uint64_t shape;
	};
	uint64_t *tag;
	uint64_t key;
	uint64_t reserved[2];
};

_Static_assert(sizeof(struct sr_operation) == SR_CACHE_LINE,
	       "a record is a cache line");
_Static_assert(SAFERRING_OPERATIONS <= UINT8_MAX, "a kind is a byte");

/*
 * struct sr_state - what only few operations need, by record
 * @result: what stands for the kernel's result, or was it so far
 * @flags: of the completion, of a record that is pending
 * @next: record of the next buffer of the same operation
 * @group: provided buffers that it takes, or NULL
 * @batch: the batch that it is a step of, or NULL
 * @step: which one
 */
struct sr_state {
	int32_t result;
	uint32_t flags;
	uint32_t next;
	uint64_t extra;
	struct saferring_group *group;
	struct saferring_batch *batch;
	uint32_t step;
};

/*
 * struct sr_payload - what the kernel reads or writes besides the buffers, by
 * record. The pages of those that are never used are never touched.
 * @part: by range: which of the operation's buffers it lies in, from 0
 * @ranges: their number
 * @first: the first of them that holds data: before it lies a header
 * @total: bytes of the message that came
 */
struct sr_payload {
	struct iovec iovec[SAFERRING_RANGES_MAX + 1];
	uint8_t part[SAFERRING_RANGES_MAX + 1];
	uint32_t ranges;
	uint32_t first;
	int32_t total;
	socklen_t address_length;
	struct __kernel_timespec time;
	struct msghdr message;
	struct open_how how;
	struct sockaddr_storage address;
	unsigned char control[SAFERRING_CONTROL_MAX];
	char path[PATH_MAX];
};

/*
 * struct sr_kind - what the library knows of a kind of operation
 * @name: for people
 * @function: public function that queues it, without its prefix
 * @opcode: what the kernel calls it
 * @needs: another opcode, as old as what this kind needs beyond @opcode
 * @since: the kernel that has it
 * @flags: SR_KIND bits
 */
struct sr_kind {
	const char *name;
	const char *function;
	uint8_t opcode;
	uint8_t needs;
	const char *since;
	unsigned int flags;
};

#define SR_KIND_BYTES	  (1U << 0) /* its result is a number of bytes */
#define SR_KIND_MULTISHOT (1U << 1) /* F_MORE: there will be more results */
#define SR_KIND_ZEROCOPY  (1U << 2) /* F_MORE: there will be a notification */
#define SR_KIND_VECTOR	  (1U << 4) /* it takes an iovec for one range, too */
#define SR_KIND_EXPIRES	  (1U << 3) /* -ETIME is what it is for */
#define SR_KIND_READS	  (1U << 5) /* the kernel reads the buffer */

extern const struct sr_kind sr_kinds[SAFERRING_OPERATIONS]; /* kinds.c */

/*
 * struct sr_attachment - a pool as a ring sees it
 * @regions: number of its regions when the ring was made
 * @one_piece: all its buffers lie in the fixed buffer @first[0], or none does
 * @first: by region: index of its first fixed buffer
 */
struct sr_attachment {
	struct saferring_pool *pool;
	size_t regions;
	bool one_piece;
	uint32_t first[SAFERRING_POOL_REGIONS_MAX];
};

/* A device whose regions a ring uses, and what was last seen of it. */
struct sr_watch {
	const uint64_t *revocations;
	uint64_t seen;
};

/*
 * struct saferring_ring - operations on buffers
 * @uring: the ring of liburing
 * @engine: what does the work where there is no io_uring, or NULL
 * @engine_reason: why
 * @depth: number of records
 * @free: free records, a stack
 * @free_count: their number
 * @queued: SQEs that the kernel has not yet taken
 * @requests: those among them that are no operation's
 * @pending: indices of records whose result is known and to be handed out
 * @pending_mask: for indices of @pending
 * @pending_first: the oldest
 * @pending_count: their number
 * @doomed: keys of operations that are to be cancelled
 * @doomed_count: their number
 * @held: records of steps of batches that are not queued
 * @parked: those among them whose batch is not submitted
 * @ready_steps: steps that can be queued
 * @batches: the batches
 * @multishots: multishot operations in use
 * @one_by_one: the kernel does not cancel all at once
 * @cancel_again: and it is to be done that way now
 * @fixed: the regions are registered
 * @any_gone: a region of some pool is gone
 * @polled: completions come only to those who ask the kernel
 * @flushes: what is submitted is the kernel's, though it has not looked yet
 * @beside: the program's ring, which it keeps, or NULL
 * @last_sqe: the SQE of it that was taken last
 * @wide: entries and completions are of twice the size
 * @foreign: completions that are no operation's are the program's
 * @short_nop: a NOP needs nothing but to be queued
 * @opcode: of READ and WRITE: what the kernel calls them
 * @words: what it has done, by kind of operation
 * @counted: @words are in the statistics
 * @latency: how long its operations take, or NULL
 * @stamp: by lot: when it was submitted, or NULL
 * @reaped_at: when what is reaped now was, or 0 if nobody has looked yet
 * @operation: the records, and more, to a power of two
 * @record_mask: their number less one
 * @sq_mask: number of entries of the submission queue less one
 * @nowhere: the tag of operations without a buffer
 * @lot: of what is queued now
 * @lots: how many can be told apart
 * @lot_used: by lot: an operation has it, as of the last look
 * @free_lot: lots that no operation has, a stack
 * @free_lots: their number
 * @state: by record
 * @payload: by record
 * @attachment: the pools
 * @adapt: what follows the load, or NULL
 * @watch: the devices
 * @stats: those counters that are not made of the others, in @words, where others
 *	look at them
 * @files: slots of the table of registered files
 * @group: by id, or NULL
 * @supported: by kind of operation: the kernel has it
 * @opcodes: by opcode: the same
 * @next: in the registry's list, or in the quarantine
 * @memory: region for its own memory, or NULL
 * @placed: what its queues have of it, or NULL
 * @let_start: the kernel is to start what it is about to, before it is told of
 *	cancellations
 * @must_place: what it cannot have there makes creating fail
 * @memory_reason: why its queues are not there, or ""
 * @attached: by id of pool: its attachment, or NULL
 * @by_pool: the same, for READ and WRITE by their short way: of pools in one
 *	fixed buffer, without a depth; all NULL if the ring's entries are of
 *	another size
 * @by_pool_many: the same of other pools
 */
struct saferring_ring {
	struct io_uring uring;
	struct sr_engine *engine;
	uint64_t epoch;
	unsigned int depth;
	unsigned int free_count;
	unsigned int queued;
	unsigned int requests;
	unsigned int pending_first;
	unsigned int pending_count;
	unsigned int pending_mask;
	unsigned int multishots;
	unsigned int held;
	unsigned int parked;
	unsigned int ready_steps;
	unsigned int doomed_count;
	bool one_by_one;
	bool cancel_again;
	bool fixed;
	bool any_gone;
	bool polled;
	bool foreign;
	bool short_nop;
	bool flushes;
	struct io_uring *beside;
	struct io_uring_sqe *last_sqe;
	bool wide;
	uint8_t opcode[3];
	struct sr_operation **free;
	struct sr_operation *operation;
	uint64_t record_mask;
	unsigned int sq_mask;
	struct sr_ring_words *words;
	uint64_t nowhere;
	struct saferring_histogram *latency;
	uint64_t *stamp;
	uint64_t reaped_at;
	uint8_t *lot_used;
	uint16_t *free_lot;
	unsigned int lots;
	unsigned int free_lots;
	uint16_t lot;
	bool counted;
	uint32_t *pending;
	uint64_t *doomed;
	struct sr_state *state;
	struct sr_payload *payload;
	struct sr_attachment *attachment;
	size_t attachment_count;
	struct sr_adapt *adapt;
	struct sr_watch *watch;
	size_t watch_count;
	struct saferring_ring_stats *stats;
	unsigned int setup_flags;
	unsigned int fixed_buffers;
	unsigned int files;
	struct saferring_group *group[SAFERRING_GROUPS_MAX];
	struct saferring_batch *batches;
	uint64_t fixed_bytes;
	bool supported[SAFERRING_OPERATIONS];
	bool opcodes[256];
	struct saferring_ring *next;
	struct sr_attachment *attached[SR_IDS];
	struct sr_attachment *by_pool[SR_IDS];
	struct sr_attachment *by_pool_many[SR_IDS];
	char name[SR_NAME_MAX];
	char reason[2 * SR_REASON_MAX];
	char setup[2 * SR_REASON_MAX];
	char engine_reason[SR_REASON_MAX];
	struct saferring_region *memory;
	struct sr_extent *placed;
	bool must_place;
	bool let_start;
	char memory_reason[SR_REASON_MAX];
};

static inline unsigned int sr_ring_busy(const struct saferring_ring *ring)
{
	return ring->depth - ring->free_count;
}

/* Parts of operations in flight count as operations. */
static inline unsigned int sr_ring_in_flight(const struct saferring_ring *ring)
{
	return sr_ring_busy(ring) - (ring->queued - ring->requests) -
	       ring->pending_count - ring->held;
}

extern struct saferring_ring *sr_rings; /* under the registry lock */
void sr_ring_free(struct saferring_ring *ring);

/* Index of the fixed buffer that holds a buffer. */
static inline uint32_t sr_fixed_index(const struct sr_attachment *attachment,
				      uint64_t word)
{
	const struct saferring_pool *pool = attachment->pool;
	size_t region, inside;

	if (SAFERRING_LIKELY(attachment->one_piece))
		return attachment->first[0];
	inside = sr_word_index(pool, word);
	region = inside >> pool->region_bits;
	inside -= region << pool->region_bits;
	return attachment->first[region] +
	       (uint32_t)((inside << pool->buffer_shift) / SR_FIXED_MAX);
}

/*
 * struct saferring_group - buffers of which the kernel takes one when it needs it
 * @buffers: what the kernel reads
 * @entries: their number, a power of two
 * @count: buffers that it can have
 * @word: by bid: tag of that buffer, or 0
 * @offset: by bid: bytes that have come into it already
 * @free: bids that are not in use, a stack
 * @free_count: their number
 * @users: operations that use it
 * @id: what the kernel knows it by
 * @placed: what @buffers have of the ring's region, or NULL
 * @memory_reason: why they are not there, or ""
 */
struct saferring_group {
	struct saferring_ring *ring;
	struct saferring_pool *pool;
	struct io_uring_buf_ring *buffers;
	unsigned int entries;
	unsigned int count;
	unsigned int flags;
	uint64_t *word;
	uint32_t *offset;
	uint16_t *free;
	unsigned int free_count;
	unsigned int users;
	uint16_t id;
	struct sr_extent *placed;
	char memory_reason[SR_REASON_MAX];
};

/*
 * The first number of a group for the kernel. Those below 64 have a place of their
 * own in some kernels, 6.1 among them, which go on in a new group where the last
 * one of that number ended, and so take buffers that nobody provided.
 */
#define SR_GROUP_FIRST 64

/* group.c */
uint64_t sr_group_take(struct saferring_group *group,
		       const struct io_uring_cqe *cqe, uint64_t *address);
void sr_groups_end(struct saferring_ring *ring);
void sr_groups_quarantine(struct saferring_ring *ring);

static inline unsigned int sr_power_of_two(unsigned int number)
{
	unsigned int power = 1;

	while (power < number)
		power *= 2;
	return power;
}

/* ---- records: inline, because READ and WRITE go through them ---- */

static inline uint32_t sr_record_number(const struct sr_operation *operation)
{
	return operation->key & SR_KEY_INDEX_MASK;
}

static inline struct sr_operation *sr_record_take(struct saferring_ring *ring)
{
	return ring->free[--ring->free_count];
}

/* In one piece at once, which a compiler does not see by itself. */
static inline uint64_t sr_shape(const struct saferring_ring *ring,
				unsigned int kind, unsigned int special,
				size_t length)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (uint32_t)length |
	       (uint64_t)(kind | special << 8 | (unsigned int)ring->lot << 16)
		       << 32;
#else
	const struct sr_operation value = {
		.length = (uint32_t)length,
		.kind = (uint8_t)kind,
		.special = (uint8_t)special,
		.lot = ring->lot,
	};

	return value.shape;
#endif
}

/* Two words that are stored at once, which compilers do not see by themselves. */
typedef uint64_t sr_pair
	__attribute__((vector_size(16), aligned(8), may_alias));

static inline unsigned int sr_shape_kind(uint64_t shape)
{
	return ((const struct sr_operation){ .shape = shape }).kind;
}

static inline unsigned int sr_shape_special(uint64_t shape)
{
	return ((const struct sr_operation){ .shape = shape }).special;
}

static inline unsigned int sr_shape_lot(uint64_t shape)
{
	return ((const struct sr_operation){ .shape = shape }).lot;
}

static inline uint32_t sr_shape_length(uint64_t shape)
{
	return ((const struct sr_operation){ .shape = shape }).length;
}

/* Others may look at a record meanwhile. */
static inline void sr_record_set_shape(struct sr_operation *operation,
				       uint64_t shape)
{
	__atomic_store_n(&operation->shape, shape, __ATOMIC_RELAXED);
}

/* The record of a buffer that the kernel has, and had by @handle before. */
static inline void sr_record_set_buffer(struct sr_operation *operation,
					struct saferring_pool *pool,
					uint64_t *tag, uint64_t handle)
{
	__atomic_store_n(&operation->fresh, handle + pool->fast.step,
			 __ATOMIC_RELAXED);
	operation->pool = pool;
	operation->tag = tag;
}

static inline void sr_record_set_no_buffer(struct saferring_ring *ring,
					   struct sr_operation *operation)
{
	__atomic_store_n(&operation->fresh, 0, __ATOMIC_RELAXED);
	operation->pool = NULL;
	operation->tag = &ring->nowhere;
}

/* Once the records are settled, until an operation is queued or ends. */
static inline bool sr_record_in_use(const struct sr_operation *operation)
{
	return operation->tag;
}

/* Who wants to know which records are in use clears those that are not. */
static inline void sr_records_settle(struct saferring_ring *ring)
{
	unsigned int number;

	for (number = 0; number < ring->free_count; number++)
		ring->free[number]->tag = NULL;
}

/* The handle by which its buffer was given away. */
static inline uint64_t sr_record_handle(const struct sr_operation *operation)
{
	return operation->fresh - operation->pool->fast.step;
}

/*
 * The next use of the record has another key. The mark is what is left of a sum
 * that grows beyond it.
 */
static inline void sr_record_release(struct saferring_ring *ring,
				     struct sr_operation *operation)
{
	operation->key = (operation->key + SR_KEY_STEP) | SR_KEY_MARK;
	ring->free[ring->free_count++] = operation;
}

/*
 * The record of an operation under way: a free one has a key that no entry has
 * had yet. There is a record for every index, see number_records().
 */
static inline struct sr_operation *
sr_record_of_key(struct saferring_ring *ring, uint64_t key)
{
	struct sr_operation *operation =
		&ring->operation[key & ring->record_mask];

	return SAFERRING_LIKELY(operation->key == key) ? operation : NULL;
}

static inline struct sr_state *sr_state_of(struct saferring_ring *ring,
					   const struct sr_operation *operation)
{
	return &ring->state[sr_record_number(operation)];
}

static inline struct sr_payload *
sr_payload_of(struct saferring_ring *ring, const struct sr_operation *operation)
{
	return &ring->payload[sr_record_number(operation)];
}

/* The record of the operation's next buffer, or NULL. */
static inline struct sr_operation *
sr_record_next(struct saferring_ring *ring, const struct sr_operation *operation)
{
	const uint32_t next = sr_state_of(ring, operation)->next;

	return next == SR_RECORD_NONE ? NULL : &ring->operation[next];
}

/* ---- quarantine.c ---- */

/* With the registry locked: take over a ring that is not idle. */
void sr_quarantine_add(struct saferring_ring *ring);
/* In a child: the rings are the parent's. */
void sr_quarantine_forget(void);
/*
 * How a buffer that was given away by @handle is in flight, for people. Returns
 * false if no ring has it.
 */
bool sr_ring_find_buffer(const struct saferring_pool *pool, uint64_t handle,
			 char *text, size_t length);

/* batch.c: queue the steps that wait for nothing any more. */
void sr_batches_release(struct saferring_ring *ring);

/* ---- operation.c: the short way of READ and WRITE, and submitting ---- */

int sr_fail_enter(const struct saferring_ring *ring, int error,
		  const char *operation) __attribute__((cold));
/* What is done then only if something has happened. */
unsigned int sr_ring_prepare_odd(struct saferring_ring *ring)
	__attribute__((cold));
/* Whether there is anything to be shown to it. */
static inline bool sr_ring_has_work(const struct saferring_ring *ring)
{
	return ring->queued || ring->doomed_count || ring->ready_steps;
}

/* Have an SQE fail, and with it those that are linked to it. */
void sr_disarm(struct saferring_ring *ring, struct io_uring_sqe *sqe,
	       struct sr_operation *operation, int result);
/* The region of a record's buffer is known to be gone. */
bool sr_record_gone(const struct sr_operation *operation);
/* A region of some device was revoked: find out which. */
void sr_regions_changed(struct saferring_ring *ring) __attribute__((cold));

/* One load a device: the word stands still as long as no region goes. */
static inline void sr_look_at_regions(struct saferring_ring *ring)
{
	const struct sr_watch *watch = ring->watch;
	const struct sr_watch *const end = watch + ring->watch_count;
	uint64_t changed = 0;

	for (; watch != end; watch++)
		changed |= watch->seen ^ __atomic_load_n(watch->revocations,
							 __ATOMIC_ACQUIRE);
	if (SAFERRING_UNLIKELY(changed))
		sr_regions_changed(ring);
}

/*
 * Before anything is shown to the kernel. Returns how many operations it already
 * was shown to make room.
 */
static inline unsigned int sr_ring_prepare(struct saferring_ring *ring)
{
	if (SAFERRING_UNLIKELY(ring->ready_steps != 0))
		sr_batches_release(ring);
	sr_look_at_regions(ring);
	if (SAFERRING_UNLIKELY(ring->any_gone || ring->doomed_count))
		return sr_ring_prepare_odd(ring);
	return 0;
}

int sr_ring_withdraw_all(struct saferring_ring *ring);

/* ---- queue.c: the way of all other operations ---- */

/*
 * An operation that is being queued: what its function fills.
 *
 * @address: of the first range
 * @length: of the first range
 * @fixed_index: of the fixed buffer that all ranges lie in, or -1
 * @deep: a pool of one of them has a depth
 */
struct sr_draft {
	struct saferring_ring *ring;
	struct sr_operation *operation;
	struct sr_operation *last;
	struct sr_payload *payload;
	struct io_uring_sqe *sqe;
	unsigned int kind;
	void *address;
	size_t length;
	int fixed_index;
	bool deep;
};

/*
 * Take what an operation needs, and give its buffers to the kernel. Everything
 * that can be refused is refused here: after it the caller only fills the SQE
 * and calls sr_queue(). The SQE comes with opcode and all else 0.
 */
int sr_draft(struct saferring_ring *ring, unsigned int kind,
	     const struct saferring_range *ranges, unsigned int count,
	     struct sr_draft *draft);
/* Queue it. Returns 0, or what a pool's depth finds, with nothing changed. */
int sr_queue(struct sr_draft *draft, uint64_t user_data);
/* Address and length of a draft's ranges to the SQE, for one range only. */
void sr_draft_address(struct sr_draft *draft);
/* A file descriptor, or what SAFERRING_FILE() made of a slot. */
void sr_draft_file(struct sr_draft *draft, int fd);
/* The slot that the file that it makes, or closes, has in the ring's table. */
void sr_draft_slot(struct sr_draft *draft, int slot);
/* The SQE of what was queued last, or NULL if it is not there any more. */
struct io_uring_sqe *sr_last_queued(struct saferring_ring *ring);
/* Refuse an argument of the function of a kind. */
int sr_refuse(struct saferring_ring *ring, unsigned int kind, const char *what,
	      ...) __attribute__((format(printf, 3, 4), cold));
int sr_fail_range(struct saferring_ring *ring, const struct saferring_pool *pool,
		  size_t start, size_t length, unsigned int kind)
	__attribute__((cold));
int sr_fail_depth(struct saferring_ring *ring, unsigned int kind)
	__attribute__((cold));
int sr_fail_last(struct saferring_ring *ring, const struct saferring_pool *pool,
		 uint64_t word, unsigned int kind) __attribute__((cold));
int sr_fail_handle(struct saferring_ring *ring, struct saferring_pool *pool,
		   uint64_t word, unsigned int kind) __attribute__((cold));

/* file.c */
int sr_check_ranges(struct saferring_ring *ring, unsigned int kind,
		    const struct saferring_range *ranges, unsigned int count);

/* files.c: whether an operation may change a slot, or what SLOT_ANY stands for. */
int sr_files_check(struct saferring_ring *ring, unsigned int kind, int slot);

/* ---- completion.c: reaping, waiting ---- */

/* Note a result that did not come from the kernel, to be handed out. */
void sr_pend(struct saferring_ring *ring, struct sr_operation *operation,
	     int32_t result, uint32_t flags);
/* Complete what one CQE is about. Returns the number of completions. */
unsigned int sr_take_one(struct saferring_ring *ring,
			 const struct io_uring_cqe *cqe,
			 struct saferring_completion *completions,
			 unsigned int max);
/*
 * Submit, and wait for @min completions, or until @deadline of sr_now_ns(); 0 is
 * past. Returns 0 or -errno.
 */
int sr_submit_and_wait(struct saferring_ring *ring, unsigned int min,
		       uint64_t deadline);
/* adapt_ring.c: the same, for a ring of which something follows the load. */
int sr_adapt_wait(struct saferring_ring *ring, unsigned int max,
		  unsigned int min, uint64_t deadline);
/* Complete all that can be without waiting, buffers going to their pools. */
void sr_ring_return_completed(struct saferring_ring *ring);

/* ---- special.c: completions that are not of READ and WRITE alone ---- */

/*
 * Hand out the result of a record that is pending. Returns how many completions
 * that made: 1, or 0 if nobody is to hear of it.
 */
unsigned int sr_complete_pending(struct saferring_ring *ring,
				 struct sr_operation *operation,
				 struct saferring_completion *completion);
/* A CQE that is not the last makes a completion, the last one pending ones. */
unsigned int sr_complete_special(struct saferring_ring *ring,
				 struct sr_operation *operation,
				 const struct io_uring_cqe *cqe,
				 struct saferring_completion *completion);
/* The records of all buffers of an operation become pending. */
void sr_pend_all(struct saferring_ring *ring, struct sr_operation *operation,
		 int32_t result, uint32_t flags);
/* A record, and a CQE, without anybody to hear of it: buffers to their pools. */
void sr_return_record(struct saferring_ring *ring,
		      struct sr_operation *operation);
void sr_return_special(struct saferring_ring *ring,
		       struct sr_operation *operation,
		       const struct io_uring_cqe *cqe);
/* The buffer that came back under @word has no memory. Returns the flag. */
uint32_t sr_note_gone(struct saferring_ring *ring,
		      const struct sr_operation *operation, uint64_t word);

/* fixed.c: register the regions of the pools if @flags let it. */
int sr_set_fixed(struct saferring_ring *ring, unsigned int flags);

/* ring.c */
unsigned int sr_ring_depth(const struct saferring_ring_options *options);
/* Create a ring, or make it of what the program set up. */
int sr_ring_create(const struct saferring_ring_options *options,
		   struct io_uring *uring, struct saferring_ring **out);

/* batch.c */
/* A step has ended, whatever its buffers are doing. */
void sr_batch_step_ended(struct saferring_batch *batch, uint32_t number,
			 int32_t result);
void sr_batches_end(struct saferring_ring *ring);
/* The kernel did not find what was to be cancelled. */
void sr_batches_chase(struct saferring_ring *ring);

/* adopt.c */
void sr_adopt(struct saferring_ring *ring, struct io_uring *uring, bool beside);
int sr_fail_beside(const struct saferring_ring *ring, const char *function)
	__attribute__((cold));
int sr_cancel_beside(struct saferring_ring *ring, uint64_t key);

/* setup.c */
/* What came of something that was tried, for saferring_ring_info(). */
void sr_setup_note(struct saferring_ring *ring, const char *name,
		   const char *what);
int sr_setup(struct saferring_ring *ring,
	     const struct saferring_ring_options *options);
/* Entries of the submission queue, with a thread of the kernel's or without. */
unsigned int sr_setup_entries(const struct saferring_ring_options *options,
			      bool polled);

/* placed.c */
/* Bytes of the queues, @completions being 0 for twice the entries. */
size_t sr_placed_length(unsigned int entries, unsigned int completions,
			bool wide);
/*
 * Set a ring up once more, as @params say, in its region. Returns 0, or -errno
 * with the reason noted and the ring as it was.
 */
int sr_placed_move(struct saferring_ring *ring, unsigned int entries,
		   struct io_uring_params *params);
void sr_placed_close(struct saferring_ring *ring);

/*
 * uring.c: the only place besides operation.c that talks to liburing. Functions
 * return 0 or more, or -errno, and record no detail unless said.
 */
int sr_uring_open(struct saferring_ring *ring, unsigned int flags,
		  const struct saferring_ring_options *options);
/* The same with its queues in its region, see sr_placed_move(). */
int sr_uring_place(struct saferring_ring *ring,
		   const struct saferring_ring_options *options);
/* Have the ring's own descriptor registered for this thread. */
int sr_uring_register_self(struct saferring_ring *ring);
void sr_uring_close(struct saferring_ring *ring);
int sr_uring_register(struct saferring_ring *ring, const struct iovec *iovec,
		      unsigned int count);
/* A table of registered files, all empty; and one of them changed. */
int sr_uring_register_files(struct saferring_ring *ring, unsigned int slots);
int sr_uring_update_file(struct saferring_ring *ring, unsigned int slot,
			 int fd);
int sr_uring_register_group(struct saferring_ring *ring,
			    const struct saferring_group *group);
void sr_uring_unregister_group(struct saferring_ring *ring,
			       const struct saferring_group *group);
/* Find out which kinds of operations the kernel has. */
void sr_uring_probe(struct saferring_ring *ring);
/* Start what is queued, wait for @min completions. Returns SQEs taken. */
int sr_uring_enter(struct saferring_ring *ring, unsigned int min,
		   uint64_t timeout_ns);
/* Completions in the ring; lets the kernel bring up those that it still has. */
unsigned int sr_uring_ready_inside(struct saferring_ring *ring);

static inline unsigned int sr_uring_ready(struct saferring_ring *ring)
{
	const unsigned int ready = io_uring_cq_ready(&ring->uring);

	return SAFERRING_LIKELY(ready) ? ready : sr_uring_ready_inside(ring);
}

/* Have every operation in flight cancelled. */
int sr_uring_cancel_all(struct saferring_ring *ring);
/* Have the kernel do what it has put off. */
void sr_uring_let_start(struct saferring_ring *ring);
/* Queue the cancellation of what is doomed, as far as there is room. */
void sr_uring_add_requests(struct saferring_ring *ring);
/* What is queued next is linked to nothing. */
void sr_uring_end_chain(struct saferring_ring *ring);
/* Take back the SQE that was queued last. */
void sr_uring_unqueue_last(struct saferring_ring *ring);
/* Take back all SQEs that the kernel has not taken. */
void sr_uring_withdraw(struct saferring_ring *ring);
/*
 * An SQE that the caller fills. There always is one, because an operation has a
 * record, and the queue has at least as many entries as there are records.
 */
static inline struct io_uring_sqe *sr_uring_next(struct saferring_ring *ring)
{
	struct io_uring_sq *sq = &ring->uring.sq;

	return &sq->sqes[sq->sqe_tail++ & ring->sq_mask];
}

/* The same for entries of any size. */
static inline struct io_uring_sqe *
sr_uring_next_any(struct saferring_ring *ring)
{
	struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned int position = sq->sqe_tail++ & *sq->kring_mask;

	return &sq->sqes[position << ring->wide];
}

/* The number-th SQE that is queued, oldest first. */
static inline struct io_uring_sqe *
sr_uring_queued(const struct saferring_ring *ring, unsigned int number)
{
	const struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned int position = sq->sqe_tail - ring->queued + number;

	return &sq->sqes[(position & *sq->kring_mask) << ring->wide];
}

/* Record the detail of a failure to set a ring up. */
int sr_uring_fail(int code, const char *operation, const char *name);

#endif /* SAFERRING_RING_PRIVATE_H */
