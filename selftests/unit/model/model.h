/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reference that random operations are held against, see ../model.c: of each
 * buffer it knows whether it is in the pool, the program's or an operation's, of
 * each block of the file what it holds, of each batch which step waits for which,
 * and of each group what was sent to it.
 */
#ifndef UNIT_MODEL_H
#define UNIT_MODEL_H

#include "../common.h"

#define BUFFERS 48U
#define RINGS	3U
#define DEPTH	16U
#define BLOCKS	64U
#define BLOCK	BUFFER_SIZE
#define PARTS	3U
#define BATCHES 2U
#define STEPS	6U

/* What a completion of a cancellation brings: no operation has that. */
#define NOBODY UINT64_MAX

enum owner { POOL, PROGRAM, OPERATION, DROPPED };

struct buffer {
	enum owner owner;
	saferring_buffer handle;
	uint64_t mark;
};

/*
 * struct step - a step of a batch
 * @after: the steps whose success it waits for, by bit
 * @behind: those whose end it waits for
 * @result: what it came to so far
 * @known: that is all that it will come to
 */
struct step {
	uint64_t id;
	uint32_t after;
	uint32_t behind;
	int32_t result;
	bool known;
	bool ended;
};

/*
 * struct batch - a batch, as the reference knows it
 * @batch: the library's, or NULL
 * @disturbed: steps may have been cancelled from outside
 */
struct batch {
	struct saferring_batch *batch;
	struct step step[STEPS];
	unsigned int steps;
	bool fail_fast;
	bool submitted;
	bool disturbed;
};

/*
 * struct op - an operation under way
 * @id: user_data; 0 if there is none
 * @name: what the library calls it
 * @batch: the batch that it is a step of, or NULL
 */
struct op {
	uint64_t id;
	uint64_t name;
	unsigned int kind;
	unsigned int parts, back;
	unsigned int buffer[PARTS];
	unsigned int block;
	size_t length;
	struct batch *batch;
	unsigned int step;
};

/*
 * struct world - everything
 * @queued: the operation that was queued last, or NULL if none was
 * @silent: a pipe into which nobody ever writes
 * @loose: by ring: a receiver was dropped or withdrawn, and so nobody knows
 *	whether its group is in use
 */
struct world {
	struct stage *stage;
	struct saferring_ring *ring[RINGS];
	struct saferring_region *memory[RINGS];
	struct saferring_group *group[RINGS];
	struct op op[RINGS][DEPTH];
	struct batch batch[RINGS][BATCHES];
	struct buffer buffer[BUFFERS];
	unsigned char shadow[BLOCKS][BLOCK];
	int readers[BLOCKS];
	bool written[BLOCKS];
	int file, pipe[2], silent[2], stream[2], packets[RINGS][2];
	uint64_t said[RINGS], heard[RINGS];
	bool loose[RINGS];
	struct op *queued;
	uint64_t random, ids;
	uint64_t done[SAFERRING_OPERATIONS], cancelled, refused, destroyed;
	uint64_t batches, links, circles, cut, groups, partial, placed;
};

extern struct world world; /* model.c */
uint32_t dice(uint32_t sides);

static inline bool is_read(const struct op *op)
{
	return op->kind == SAFERRING_OPERATION_READ ||
	       op->kind == SAFERRING_OPERATION_READV;
}

static inline bool is_write(const struct op *op)
{
	return op->kind == SAFERRING_OPERATION_WRITE ||
	       op->kind == SAFERRING_OPERATION_WRITEV;
}

/* buffers.c */
unsigned char *memory(unsigned int number);
void set_mark(unsigned int number);
void check_mark(unsigned int number);
/* It comes to the program under a handle that no earlier one may equal. */
unsigned int receive(saferring_buffer handle);
void drop_buffer(unsigned int number);
/* A buffer of the program's, or -1. */
int own_buffer(void);
void drop_any_buffer(void);

/* operations.c */
struct op *new_op(unsigned int ring, unsigned int kind);
/* One is queued that the library calls @name: its buffers are the kernel's. */
void note_queued(struct op *op, uint64_t name);
/* The library's answer to an attempt to queue one. */
void queued(unsigned int ring, struct op *op, int result);
/* Different buffers of the program's, as many as there are. */
unsigned int choose_buffers(struct op *op, unsigned int wanted);
void transfer_one(unsigned int ring, bool write);
void transfer_many(unsigned int ring, bool write);
/* Read a block that another step, which ends before, writes. */
void read_after(unsigned int ring, unsigned int block);
/* A read that waits for somebody to write, or to be cancelled, or that fails. */
void hang(unsigned int ring, int fd);
void send_zero_copy(unsigned int ring);
void without_buffer(unsigned int ring);
void cancel(unsigned int ring);
void drop(unsigned int ring);
void withdraw(unsigned int ring);
void misuse(unsigned int ring);

/* series.c */
void transfer_series(unsigned int ring, bool write);

/* completions.c */
void reap(unsigned int ring, bool wait);

/* groups.c */
void make_group(unsigned int ring);
void end_group(unsigned int ring);
void receive_many(unsigned int ring);
void talk(unsigned int ring);
void provide_one(unsigned int ring);
void check_packet(unsigned int ring, struct op *op,
		  const struct saferring_completion *c);

/* batches.c */
void build_batch(unsigned int ring);
/* Submit, cancel or empty one of the ring's. */
void move_batch(unsigned int ring);
/* One whose first failure has to end what would never end. */
void fail_fast(unsigned int ring);
/* A completion of a step, and the last one of it. */
void note_step(struct op *op, const struct saferring_completion *c);
void end_step(struct op *op);
/* To the library; the completion may still be to come. */
bool is_over(const struct batch *batch, unsigned int step);
void disturb(unsigned int ring);
void end_batches(unsigned int ring);

/* rings.c */
void open_ring(unsigned int ring);
void close_ring(unsigned int ring);

#endif /* UNIT_MODEL_H */
