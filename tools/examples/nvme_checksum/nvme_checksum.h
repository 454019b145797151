/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of nvme_checksum know of each other:
 *
 *	files.c		which files, and how they are opened
 *	memory.c	device, region, pool and ring: the library is set up here
 *	pipeline.c	the work: reads, digests, writes, many in flight
 *	stream.c	a file while it is in work, stream.h is between these two
 *	misuse.c	what the library answers to three mistakes
 *	progress.c	something to look at meanwhile
 *	report.c	the results for people
 *	json.c		the results for programs
 */
#ifndef NVME_CHECKSUM_H
#define NVME_CHECKSUM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <saferring.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/*
 * O_DIRECT moves whole blocks between addresses and offsets that are multiples
 * of the device's. This is a multiple of every size in use today.
 */
#define BLOCK		4096u
#define DIGEST_BYTES	32
#define DIGEST_TEXT	(2 * DIGEST_BYTES + 1)

#define DEPTH_MAX	256u
#define CHUNK_MAX	(16u << 20)

static inline uint64_t round_down(uint64_t value)
{
	return value & ~(uint64_t)(BLOCK - 1);
}

static inline uint64_t round_up(uint64_t value)
{
	return round_down(value + BLOCK - 1);
}

/* Set by the first SIGINT or SIGTERM: end in order, and soon. */
extern atomic_int stop_requested;

/**
 * struct options - what the command line says
 * @depth: reads in flight
 * @chunk: bytes of a buffer, a power of two
 * @node: NUMA node for the memory, or -1 for the node of the files' device
 * @backend: enum saferring_backend, AUTO for the best
 * @strict: no memory at all rather than memory on another node
 * @copy: write a copy and verify it
 * @keep: leave the copies there
 * @misuse: try the three misuses
 * @json: JSON on standard output instead of text
 * @list_all: list every digest
 * @progress: -1: if standard error is a terminal
 * @directory: where copies go, or NULL for beside the files
 * @sums: file that the digests are written to, or NULL
 */
struct options {
	unsigned int depth;
	size_t chunk;
	int node;
	int backend;
	bool strict;
	bool copy;
	bool keep;
	bool misuse;
	bool json;
	bool list_all;
	int progress;
	const char *directory;
	const char *sums;
};

/* ---- files.c ---- */

/**
 * struct file - one file, and what became of it
 * @path: its path
 * @size: bytes, when it was found, then when it was opened
 * @digest: SHA-256, if @hashed
 * @hashed: @digest is good
 * @verified: a copy was read back and has the same digest
 * @buffered: why it could not be read or written with O_DIRECT, or NULL
 * @error: what went wrong, one line, allocated; or NULL
 */
struct file {
	char *path;
	uint64_t size;
	unsigned char digest[DIGEST_BYTES];
	bool hashed;
	bool verified;
	const char *buffered;
	char *error;
};

/**
 * struct file_list - the files, in the order in which they were found
 * @file: the files
 * @count: number of them
 * @room: number that fit at @file
 * @others: directory entries that are no regular files, which are left out
 * @bytes: of all files together
 * @first: index of the first one that could be opened
 * @copies: directory of the copies, or NULL
 */
struct file_list {
	struct file *file;
	size_t count;
	size_t room;
	size_t others;
	uint64_t bytes;
	size_t first;
	char *copies;
};

/* Adds the regular files below @path. A path that fails becomes a file too. */
void files_add(struct file_list *list, const char *path);
size_t files_failed(const struct file_list *list);
/*
 * Opens the first file that can be, to learn which device they lie on. Returns
 * a descriptor or -1.
 */
int files_probe(struct file_list *list);
/* Makes the directory for copies, below @where or beside that file. */
int files_make_copies(struct file_list *list, const char *where);
/* Removes the copies, and their directory. */
void files_remove_copies(struct file_list *list);
void files_free(struct file_list *list);

/* Notes what went wrong with a file; what went wrong first stands. */
void file_fail(struct file *file, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The path of the copy of file number @index; the caller frees it. */
char *file_copy_path(const struct file_list *list, size_t index);
/* Opens with O_DIRECT if the file system has it. Returns it or -errno. */
int file_open(struct file *file, const char *path, int flags);
/* Takes O_DIRECT off an open file, and says so. Returns 0 or -errno. */
int file_make_buffered(struct file *file, int fd, const char *why);

/* ---- memory.c ---- */

/**
 * struct memory - the library's objects, in the order of their making
 * @device: where memory comes from
 * @region: the memory
 * @pool: the memory cut into buffers
 * @ring: for which it is registered
 * @file_node: node of the files' device, or -errno
 * @elsewhere: pages that lie on another node than the region says, -1: unknown
 */
struct memory {
	struct saferring_device *device;
	struct saferring_region *region;
	struct saferring_pool *pool;
	struct saferring_ring *ring;
	int file_node;
	long elsewhere;
};

/* Returns 0, or -errno after having said on standard error why. */
int memory_set_up(struct memory *memory, const struct options *options,
		  int fd);
int memory_tear_down(struct memory *memory);
/* Descriptors that a device needs for the region on this kernel. */
size_t memory_bvecs(const struct saferring_region_info *info);
/* Says what the library has to say about a failure of its own, or its errno. */
void complain(const char *what, int error);

/* ---- progress.c ---- */

/**
 * struct progress - how far it is
 * @what: what is being done
 * @total: bytes to do
 * @done: bytes done
 * @start: when it began, in seconds
 * @shown: when it was last shown
 * @bar: draw a bar, instead of a line now and then
 */
struct progress {
	const char *what;
	uint64_t total;
	uint64_t done;
	double start;
	double shown;
	bool bar;
};

double now(void);
void progress_begin(struct progress *progress, const char *what,
		    uint64_t total);
void progress_add(struct progress *progress, uint64_t bytes);
void progress_end(struct progress *progress);

/* ---- pipeline.c ---- */

enum pass_kind {
	PASS_READ,	/* read and hash the files */
	PASS_COPY,	/* the same, and write copies */
	PASS_VERIFY,	/* read and hash the copies, and compare */
};

/**
 * struct pass - one way through all files, and its figures
 * @kind: enum pass_kind
 * @ran: it was begun
 * @files: files that it took to their end
 * @bytes_read: bytes of those and of other files
 * @bytes_written: bytes written, padding of last blocks not included
 * @seconds: how long it took
 * @reads_peak: most reads that were in flight at one time
 * @files_peak: most files that were in work at one time
 */
struct pass {
	enum pass_kind kind;
	bool ran;
	size_t files;
	uint64_t bytes_read;
	uint64_t bytes_written;
	double seconds;
	unsigned int reads_peak;
	unsigned int files_peak;
};

/*
 * Takes all files through @pass. What goes wrong with a file is noted there.
 * Returns 0, or -errno if it could not go on: -EINTR if it was to stop.
 */
int pipeline_run(struct pass *pass, struct file_list *list,
		 struct memory *memory, const struct options *options,
		 struct progress *progress);

/* ---- misuse.c ---- */

/**
 * struct misuse - a mistake, and what the library said
 * @name: the mistake
 * @deed: how it was made
 * @expected: enum saferring_reason that is the right answer
 * @result: what the call returned
 * @error: the report that the library made, if @reported
 * @reported: the library called the report function
 * @caught: the call failed with the right reason
 */
struct misuse {
	const char *name;
	const char *deed;
	int expected;
	int result;
	struct saferring_error error;
	bool reported;
	bool caught;
};

#define MISUSES 3

/* Tries them; the last one is the end of @memory's region. 0 or -errno. */
int misuse_try(struct memory *memory, struct misuse misuse[MISUSES]);

/* ---- report.c, json.c ---- */

/**
 * struct results - all that there is to tell
 * @options: what was asked for
 * @list: the files
 * @memory: the library's objects
 * @region: what the region was like before the misuses
 * @ring: what the ring was like then
 * @ring_stats: what the ring had done by then
 * @pool_stats: where the buffers were then
 * @pass: the passes
 * @misuse: the misuses
 * @misuse_tried: they were tried
 */
struct results {
	const struct options *options;
	const struct file_list *list;
	const struct memory *memory;
	struct saferring_region_info region;
	struct saferring_ring_info ring;
	struct saferring_ring_stats ring_stats;
	struct saferring_pool_stats pool_stats;
	struct pass pass[2];
	struct misuse misuse[MISUSES];
	bool misuse_tried;
};

/* "61.2 MiB" */
const char *size_text(uint64_t bytes, char *text, size_t length);
#define SIZE_TEXT 24
void digest_text(const struct file *file, char text[DIGEST_TEXT]);
const char *owner_name(int owner);

void report_memory(const struct results *results);
void report_files(const struct results *results);
/* On standard error, whatever else is printed. */
void report_errors(const struct file_list *list);
void report_passes(const struct results *results);
void report_counters(const struct results *results);
void report_misuses(const struct results *results);
void report_verdict(const struct results *results);
/* Writes lines that sha256sum -c understands. Returns 0 or -errno. */
int report_sums(const struct file_list *list, const char *path);
/* Returns 0 or -errno. */
int json_print(const struct results *results, FILE *to);

#endif /* NVME_CHECKSUM_H */
