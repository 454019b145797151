// SPDX-License-Identifier: GPL-2.0
/*
 * Report: the results for people. Digests are printed as sha256sum prints them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "nvme_checksum.h"

/* Digests that are listed unless all are wanted. */
#define LISTED 10

const char *size_text(uint64_t bytes, char *text, size_t length)
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = bytes / 1024.0;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(text, length, "%" PRIu64 " B", bytes);
		return text;
	}
	while (value >= 1024 && i + 1 < ARRAY_SIZE(unit)) {
		value /= 1024;
		i++;
	}
	/* No ".0" behind a whole number: sizes of memory are mostly that. */
	snprintf(text, length, value == (uint64_t)value ? "%.0f %s" : "%.1f %s",
		 value, unit[i]);
	return text;
}

void digest_text(const struct file *file, char text[DIGEST_TEXT])
{
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		sprintf(text + 2 * i, "%02x", file->digest[i]);
}

const char *owner_name(int owner)
{
	static const char *const name[] = {
		[SAFERRING_OWNER_UNKNOWN] = "unknown",
		[SAFERRING_OWNER_USER] = "the program",
		[SAFERRING_OWNER_FREE] = "the pool",
		[SAFERRING_OWNER_KERNEL] = "the kernel",
		[SAFERRING_OWNER_QUARANTINE] = "quarantine",
		[SAFERRING_OWNER_NOBODY] = "nobody",
	};

	if (owner < 0 || (size_t)owner >= ARRAY_SIZE(name))
		return name[SAFERRING_OWNER_UNKNOWN];
	return name[owner];
}

static void heading(const char *text)
{
	if (isatty(STDOUT_FILENO))
		printf("\n\033[1m%s\033[0m\n", text);
	else
		printf("\n%s\n", text);
}

static void row(const char *label, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void row(const char *label, const char *format, ...)
{
	va_list args;

	printf("  %-12s", label);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* --- where the memory lies */

/* Prints "module: why; thp: why" as one line each. */
static void print_reasons(const char *reasons)
{
	const char *label = "not taken";
	size_t length;

	while (*reasons) {
		length = strcspn(reasons, ";");
		row(label, "%.*s", (int)length, reasons);
		reasons += length;
		reasons += strspn(reasons, "; ");
		label = "";
	}
}

static void print_file_node(int node)
{
	if (node >= 0)
		row("", "the files' device is on node %d", node);
	else if (node == -ENODEV)
		row("", "there is no device behind the files");
	else if (node == -ENODATA)
		row("", "the files' device is on no node in particular");
	else
		row("", "the node of the files' device is not known: %s",
		    strerror(-node));
}

static void print_node(const struct memory *memory,
		       const struct saferring_region_info *info)
{
	if (info->node < 0)
		row("node", "not bound to one");
	else if (memory->elsewhere < 0)
		row("node", "%d", info->node);
	else if (memory->elsewhere)
		row("node", "%d was promised, but %ld pages lie elsewhere",
		    info->node, memory->elsewhere);
	else
		row("node", "%d: the kernel says so of every page",
		    info->node);
	print_file_node(memory->file_node);
}

static int page_order(const struct saferring_region_info *info)
{
	return __builtin_ctzl(info->page_size / sysconf(_SC_PAGESIZE));
}

static void print_region(const struct saferring_region_info *info)
{
	char length[SIZE_TEXT], page[SIZE_TEXT];
	size_t bvecs = memory_bvecs(info);

	size_text(info->length, length, sizeof(length));
	size_text(info->page_size, page, sizeof(page));
	row("region", "%s: %zu page%s of %s (order %d), %zu bvec%s", length,
	    info->pages, plural(info->pages), page, page_order(info), bvecs,
	    plural(bvecs));
}

static void print_ring(const struct results *results)
{
	const struct saferring_ring_info *ring = &results->ring;
	char fixed[SIZE_TEXT];

	size_text(ring->fixed_bytes, fixed, sizeof(fixed));
	row("ring", "%u read%s in flight, and as many writes",
	    results->options->depth, plural(results->options->depth));
	if (ring->fixed)
		row("", "%s registered, as %u fixed buffer%s", fixed,
		    ring->fixed_buffers, plural(ring->fixed_buffers));
	else
		row("", "not registered: %s", ring->reason);
}

void report_memory(const struct results *results)
{
	const struct saferring_region_info *info = &results->region;

	heading("Memory");
	row("backend", "%s", saferring_backend_name(info->backend));
	print_reasons(info->reason);
	print_node(results->memory, info);
	print_region(info);
	row("pool", "%" PRIu64 " buffers of %zu KiB",
	    results->pool_stats.buffers, results->options->chunk >> 10);
	print_ring(results);
}

/* --- files and digests */

/*
 * sha256sum marks a line with a backslash if the name in it is written with
 * backslashes, for the characters that would break the line.
 */
static void print_sum(const struct file *file, FILE *to)
{
	char digest[DIGEST_TEXT];

	digest_text(file, digest);
	fprintf(to, "%s%s  ", strpbrk(file->path, "\\\n\r") ? "\\" : "",
		digest);
	for (const char *c = file->path; *c; c++) {
		if (*c == '\\')
			fputs("\\\\", to);
		else if (*c == '\n')
			fputs("\\n", to);
		else if (*c == '\r')
			fputs("\\r", to);
		else
			putc(*c, to);
	}
	putc('\n', to);
}

int report_sums(const struct file_list *list, const char *path)
{
	FILE *to = fopen(path, "we");
	int error = 0;

	if (!to)
		return -errno;
	for (size_t i = 0; i < list->count; i++)
		if (list->file[i].hashed)
			print_sum(&list->file[i], to);
	if (ferror(to))
		error = -EIO;
	if (fclose(to) && !error)
		error = -errno;
	return error;
}

static void report_buffered(const struct file_list *list)
{
	const struct file *first = NULL;
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (!list->file[i].buffered)
			continue;
		if (!first)
			first = &list->file[i];
		count++;
	}
	if (first)
		printf("  %zu went through the page cache: %s: %s\n", count,
		       first->path, first->buffered);
}

void report_files(const struct results *results)
{
	const struct file_list *list = results->list;
	size_t hashed = 0;
	char total[SIZE_TEXT];

	heading("Files");
	printf("  %zu files, %s", list->count,
	       size_text(list->bytes, total, sizeof(total)));
	if (list->others)
		printf("; %zu links and special files left out", list->others);
	putchar('\n');
	report_buffered(list);
	for (size_t i = 0; i < list->count; i++) {
		if (!list->file[i].hashed)
			continue;
		if (++hashed <= LISTED || results->options->list_all)
			print_sum(&list->file[i], stdout);
	}
	if (hashed > LISTED && !results->options->list_all)
		printf("  ... and %zu more: --all lists them, --sums FILE "
		       "writes them\n", hashed - LISTED);
}

void report_errors(const struct file_list *list)
{
	fflush(stdout);
	for (size_t i = 0; i < list->count; i++)
		if (list->file[i].error)
			fprintf(stderr, "nvme_checksum: %s: %s\n",
				list->file[i].path, list->file[i].error);
}

/* --- figures */

static void report_pass(const struct pass *pass)
{
	static const char *const name[] = {
		[PASS_READ] = "read",
		[PASS_COPY] = "copy",
		[PASS_VERIFY] = "verify",
	};
	char bytes[SIZE_TEXT], rate[SIZE_TEXT];
	uint64_t moved = pass->bytes_read + pass->bytes_written;

	if (!pass->ran)
		return;
	size_text(moved, bytes, sizeof(bytes));
	size_text(pass->seconds > 0 ? moved / pass->seconds : 0, rate,
		  sizeof(rate));
	row(name[pass->kind], "%s in %.2f s, %s/s; up to %u read%s in flight, "
	    "%u file%s in work", bytes, pass->seconds, rate,
	    pass->reads_peak, plural(pass->reads_peak), pass->files_peak,
	    plural(pass->files_peak));
}

void report_passes(const struct results *results)
{
	heading("Throughput (hashing included)");
	for (size_t i = 0; i < ARRAY_SIZE(results->pass); i++)
		report_pass(&results->pass[i]);
}

struct counter {
	const char *name;
	uint64_t value;
};

static void print_counters(const struct counter *left,
			   const struct counter *right, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("  %-15s %12" PRIu64 "    %-16s %10" PRIu64 "\n",
		       left[i].name, left[i].value, right[i].name,
		       right[i].value);
}

/* Reads of a file's last block are short unless its size is whole blocks. */
void report_counters(const struct results *results)
{
	const struct saferring_ring_stats *ring = &results->ring_stats;
	const struct saferring_pool_stats *pool = &results->pool_stats;
	const struct counter left[] = {
		{ "system calls", ring->enters },
		{ "reads", ring->reads },
		{ "writes", ring->writes },
		{ "bytes read", ring->bytes_read },
		{ "bytes written", ring->bytes_written },
		{ "short results", ring->short_results },
		{ "errors", ring->errors },
		{ "misuses", ring->misuses },
	};
	const struct counter right[] = {
		{ "buffers", pool->buffers },
		{ "bytes of each", pool->buffer_size },
		{ "available", pool->available },
		{ "held", pool->held },
		{ "in flight", pool->in_flight },
		{ "changes of hands", pool->transfers },
		{ "exhausted", pool->exhausted },
		{ "misuses", pool->misuses },
	};

	heading("Counters");
	printf("  %-28s    %s\n", "ring", "pool");
	print_counters(left, right, ARRAY_SIZE(left));
}

/* --- misuses */

static void report_misuse(const struct misuse *misuse, int number)
{
	const struct saferring_error *error = &misuse->error;

	printf("  %d. %s\n", number, misuse->deed);
	if (!misuse->reported) {
		printf("     NOT NOTICED, result %d\n", misuse->result);
		return;
	}
	printf("     answer  %s: %s%s\n", strerrorname_np(-misuse->result),
	       saferring_reason_name(error->reason),
	       misuse->caught ? "" : " (NOT THE RIGHT ANSWER)");
	printf("     what    %s, buffer %u%s%s\n", error->object, error->index,
	       *error->what ? ": " : "", error->what);
	if (*error->cure)
		printf("     cure    %s\n", error->cure);
	printf("     owner   %s%s%s\n", owner_name(error->owner),
	       *error->owner_detail ? ", " : "", error->owner_detail);
}

void report_misuses(const struct results *results)
{
	if (!results->misuse_tried)
		return;
	heading("Three misuses, on purpose");
	for (int i = 0; i < MISUSES; i++)
		report_misuse(&results->misuse[i], i + 1);
}

/* --- the end */

static size_t count_caught(const struct results *results)
{
	size_t caught = 0;

	for (int i = 0; i < MISUSES; i++)
		caught += results->misuse[i].caught;
	return caught;
}

void report_verdict(const struct results *results)
{
	const struct file_list *list = results->list;
	size_t hashed = 0, verified = 0, failed = files_failed(list);

	for (size_t i = 0; i < list->count; i++) {
		hashed += list->file[i].hashed;
		verified += list->file[i].verified;
	}
	printf("\n%zu of %zu files hashed", hashed, list->count);
	if (results->options->copy)
		printf(", %zu copies verified", verified);
	if (failed)
		printf(", %zu FAILED", failed);
	if (results->misuse_tried)
		printf(", %zu of %d misuses caught", count_caught(results),
		       MISUSES);
	putchar('\n');
}
