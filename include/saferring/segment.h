/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Segment: the statistics of a process in memory that other processes may look
 * at while it runs, and after it.
 *
 * Every process that uses the library has one. It is a memfd of the process,
 * which whoever may look into /proc/PID/fd can open, or, if the environment
 * variable SAFERRING_STATS is a path when the library is first used, a file of
 * mode 0600; "%p" in the path stands for the number of the process. With
 * SAFERRING_STATS=off the memory is private.
 *
 * Threads count into it directly, so looking at it costs the process nothing.
 */
#ifndef SAFERRING_SEGMENT_H
#define SAFERRING_SEGMENT_H

#include <saferring/api.h>

SAFERRING_BEGIN_DECLS

/*
 * The layout, version 1. All figures are in the byte order of the machine.
 *
 *	header		this structure, at offset 0
 *	families	what is counted: name, help, unit, type
 *	series		where a family's figures lie in a block, with labels
 *	blocks		where figures lie in the segment, with labels
 *	values		8-byte words, which threads change at any time
 *
 * A series belongs to a group, and so does a block. Each block of a group has
 * each series of the group at the same place: the figure of series s in block b
 * is the word at b.offset + 8 * s.first, and its labels are those of s followed
 * by those of b. Figures with the same family and labels are added up: each
 * thread has a block of its own. Counters and gauges are one word. A histogram
 * is a struct saferring_histogram, see saferring/histogram.h.
 *
 * Entries of tables are written once, and before the count that includes them.
 * Blocks are the exception: their state says whether they count, and while
 * figures move between them, @changes is odd. A reader that finds it odd or
 * changed starts again; if the process is dead it stays odd for ever, and what
 * was on the move is seen twice or not at all.
 *
 * Readers step through tables by @entry_bytes, which grows when later libraries
 * append to entries. The version grows when something else changes.
 */
#define SAFERRING_SEGMENT_MAGIC	  0x3154415453525353ULL /* "SSRSTAT1" */
#define SAFERRING_SEGMENT_VERSION 1U

/**
 * struct saferring_segment_table - where a table lies
 * @offset: of its first entry in the segment, in bytes
 * @entry_bytes: distance of its entries
 * @room: entries that there is room for
 * @count: entries that there are
 * @reserved: zero
 */
struct saferring_segment_table {
	uint64_t offset;
	uint32_t entry_bytes;
	uint32_t room;
	uint32_t count;
	uint32_t reserved;
};

/**
 * struct saferring_segment_header - the begin of the segment
 * @magic: SAFERRING_SEGMENT_MAGIC, written last
 * @version: SAFERRING_SEGMENT_VERSION
 * @header_bytes: sizeof(struct saferring_segment_header)
 * @length: bytes of the segment
 * @changes: odd while figures move
 * @used: bytes of the segment that are given out
 * @started_ns: CLOCK_REALTIME when the segment was made, in nanoseconds
 * @process_start: when the process began, as field 22 of /proc/PID/stat
 * @pid: number of the process, in its own namespace
 * @library: saferring_version()
 * @families: table of struct saferring_segment_family
 * @series: table of struct saferring_segment_series
 * @blocks: table of struct saferring_segment_block
 * @program: name of the process, always terminated
 */
struct saferring_segment_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_bytes;
	uint64_t length;
	uint64_t changes;
	uint64_t used;
	uint64_t started_ns;
	uint64_t process_start;
	uint32_t pid;
	uint32_t library;
	struct saferring_segment_table families;
	struct saferring_segment_table series;
	struct saferring_segment_table blocks;
	char program[64];
};

/**
 * struct saferring_segment_family - what is counted
 * @type: enum saferring_metric_type
 * @exponent: the unit is that of the words times 10 to this power
 * @name: name, without the suffix of counters; always terminated, as all text
 * @unit: unit, or ""
 * @help: one line for people
 */
struct saferring_segment_family {
	uint32_t type;
	int32_t exponent;
	char name[72];
	char unit[24];
	char help[152];
};

#define SAFERRING_SEGMENT_SPARSE (1U << 0) /* of no interest while zero */

/**
 * struct saferring_segment_series - where figures lie in a block
 * @family: index of its family
 * @group: the blocks that have it
 * @first: its first word in a block
 * @words: number of its words
 * @flags: SAFERRING_SEGMENT bits
 * @reserved: zero
 * @labels: such as operation="read",kind="fixed"; with quotation marks,
 *	backslashes and newlines escaped by a backslash
 */
struct saferring_segment_series {
	uint32_t family;
	uint32_t group;
	uint32_t first;
	uint32_t words;
	uint32_t flags;
	uint32_t reserved;
	char labels[232];
};

/**
 * enum saferring_segment_state - what a block is
 * @SAFERRING_SEGMENT_FREE: nothing; its figures are zero
 * @SAFERRING_SEGMENT_LIVE: some thread counts into it
 * @SAFERRING_SEGMENT_IDLE: its thread has ended. The figures stay, and the next
 *	thread counts on from them
 */
enum saferring_segment_state {
	SAFERRING_SEGMENT_FREE = 0,
	SAFERRING_SEGMENT_LIVE = 1,
	SAFERRING_SEGMENT_IDLE = 2,
};

/**
 * struct saferring_segment_block - where figures lie
 * @state: enum saferring_segment_state
 * @group: the series that it has
 * @offset: of its first word in the segment, in bytes
 * @words: number of its words
 * @reserved: zero
 * @labels: as those of a series
 */
struct saferring_segment_block {
	uint32_t state;
	uint32_t group;
	uint64_t offset;
	uint32_t words;
	uint32_t reserved;
	char labels[232];
};

struct saferring_segment;
struct saferring_snapshot;

/**
 * saferring_segment_open() - look at the segment in a file
 * @path: file that SAFERRING_STATS named, or a descriptor in /proc
 * @segment: out: to be closed by saferring_segment_close()
 *
 * Any thread may call it.
 *
 * Return: 0, or
 * -EPROTO: the file is no segment, is damaged, or has a version or size that
 * this library does not know: the detail tells which;
 * -errno of open(2) or mmap(2).
 */
SAFERRING_API int saferring_segment_open(const char *path,
					 struct saferring_segment **segment)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_segment_open_process() - look at the segment of a process
 * @pid: number of the process
 * @segment: out: to be closed by saferring_segment_close()
 *
 * The caller must be allowed to trace the process, as its owner or root is.
 * The segment stays readable when the process ends.
 *
 * Return: 0, or
 * -ESRCH: there is no such process;
 * -EACCES: the caller may not look at it;
 * -ENOENT: it has no memfd of the library's: it does not use the library, or
 * SAFERRING_STATS was set;
 * -EPROTO: as saferring_segment_open();
 * -errno of open(2) or mmap(2).
 */
SAFERRING_API int
saferring_segment_open_process(int pid, struct saferring_segment **segment)
	SAFERRING_NONNULL(2) SAFERRING_MUST_CHECK;

/**
 * saferring_segment_close() - look no longer
 * @segment: the segment, or NULL
 */
SAFERRING_API void saferring_segment_close(struct saferring_segment *segment);

/**
 * struct saferring_segment_info - whose segment it is
 * @size: in: sizeof(struct saferring_segment_info)
 * @pid: number of the process, in its own namespace
 * @alive: 1 if that process still runs
 * @version: version of the layout
 * @library: saferring_version() of the library that writes
 * @length: bytes of the segment
 * @used: bytes that are given out
 * @started_ns: CLOCK_REALTIME when it was made, in nanoseconds
 * @program: name of the process; valid as long as the segment is open
 * @path: what was opened; for the calling process its file, "memfd" or
 *	"private memory"
 * @reason: for the calling process: why it is not what SAFERRING_STATS asked
 *	for, or not a memfd; or ""
 */
struct saferring_segment_info {
	size_t size;
	int pid;
	int alive;
	uint32_t version;
	uint32_t library;
	uint64_t length;
	uint64_t used;
	uint64_t started_ns;
	const char *program;
	const char *path;
	const char *reason;
};

/**
 * saferring_segment_info() - whose segment it is
 * @segment: the segment, or NULL for the calling process's own
 * @info: in: its size member; out: the rest
 *
 * Return: 0, -EINVAL for an unknown size, or -ENOMEM: the process can have no
 * segment.
 */
SAFERRING_API int
saferring_segment_info(const struct saferring_segment *segment,
		       struct saferring_segment_info *info)
	SAFERRING_NONNULL(2) SAFERRING_MUST_CHECK;

/**
 * saferring_segment_snapshot() - the figures of another process
 * @segment: the segment
 * @snapshot: out: to be freed by saferring_snapshot_free()
 *
 * They are those since the segment was made, whatever the process has reset.
 *
 * Return: 0, or
 * -EPROTO: the segment is damaged, or was cut off meanwhile;
 * -EBUSY: figures moved at every attempt;
 * -ENOMEM.
 */
SAFERRING_API int
saferring_segment_snapshot(struct saferring_segment *segment,
			   struct saferring_snapshot **snapshot)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_SEGMENT_H */
