// SPDX-License-Identifier: GPL-2.0
/*
 * SHA-256 of files that are read past the page cache into fixed buffers.
 *
 * An example of the library at work, from the set-up to the errors, that does
 * something which can be checked: its digests are those of sha256sum. This file
 * has the command line and the order of events; nvme_checksum/ has the rest.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nvme_checksum/nvme_checksum.h"

enum {
	EXIT_GOOD = 0,
	EXIT_SOME_FAILED = 1,
	EXIT_WRONG_USE = 2,
	EXIT_NOT_BEGUN = 3,
	EXIT_STOPPED = 130,
};

atomic_int stop_requested;

static const char usage_text[] =
"usage: nvme_checksum [options] PATH...\n"
"\n"
"Reads every regular file below the PATHs with O_DIRECT into fixed buffers on\n"
"the NUMA node of their disk, many reads in flight; prints SHA-256 digests;\n"
"writes copies the same way, reads those back and compares. Then it misuses the\n"
"library in three ways, to show what that answers.\n"
"\n"
"  -d, --depth N       reads in flight, 1 to 256 (32)\n"
"  -c, --chunk KIB     size of a buffer, a power of two, 4 to 16384 (128)\n"
"  -n, --node NODE     memory on this NUMA node (that of the first file's disk)\n"
"      --strict        no memory rather than memory on another node\n"
"  -b, --backend NAME  auto, module, hugetlb, thp or plain (auto: the best that\n"
"                      works); SAFERRING_BACKEND in the environment wins\n"
"      --copy DIR      copies go to a new directory below DIR (beside the first\n"
"                      file)\n"
"      --no-copy       only read and hash\n"
"      --keep          leave the copies there: 000001 is that of the first file\n"
"      --no-misuse     without the three misuses\n"
"  -s, --sums FILE     write the digests to FILE, for sha256sum -c\n"
"  -a, --all           list all digests, not the first ten\n"
"  -j, --json          the results as JSON\n"
"      --progress WHEN bar on standard error: always, never (a line now and\n"
"                      then) or auto (always on a terminal)\n"
"  -h, --help          this text\n"
"\n"
"Links are followed on the command line only, and the file system of each PATH\n"
"is not left. The memory takes twice N times KIB.\n"
"\n"
"Exit status: 0 if all went well; 1 if a file could not be read, copied or\n"
"verified, changed meanwhile, or a misuse went unnoticed: the reason is on\n"
"standard error; 2 for wrong use; 3 if it could not begin: no io_uring, no\n"
"memory, no place for the copies; 130 if it was interrupted.\n";

static void request_stop(int number)
{
	(void)number;
	stop_requested = 1;
}

/* The first signal ends it in order, copies removed; a second one at once. */
static void catch_signals(void)
{
	const struct sigaction action = {
		.sa_handler = request_stop,
		.sa_flags = SA_RESETHAND,
	};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* --- the command line */

__attribute__((noreturn, format(printf, 1, 2)))
static void wrong_use(const char *format, ...)
{
	va_list args;

	fputs("nvme_checksum: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(" (see --help)\n", stderr);
	exit(EXIT_WRONG_USE);
}

static unsigned long parse_number(const char *option, const char *text,
				  unsigned long min, unsigned long max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min ||
	    value > max)
		wrong_use("%s: '%s' is not a number from %lu to %lu", option,
			  text, min, max);
	return value;
}

static size_t parse_chunk(const char *text)
{
	size_t kib = parse_number("--chunk", text, BLOCK >> 10, CHUNK_MAX >> 10);

	if (kib & (kib - 1))
		wrong_use("--chunk: %zu is not a power of two", kib);
	return kib << 10;
}

static int parse_backend(const char *name)
{
	for (int i = SAFERRING_BACKEND_AUTO; i <= SAFERRING_BACKEND_PLAIN; i++)
		if (!strcmp(name, saferring_backend_name(i)))
			return i;
	wrong_use("--backend: there is no '%s'", name);
}

static int parse_progress(const char *when)
{
	if (!strcmp(when, "always"))
		return 1;
	if (!strcmp(when, "never"))
		return 0;
	if (!strcmp(when, "auto"))
		return -1;
	wrong_use("--progress: '%s' is not always, never or auto", when);
}

enum {
	OPTION_STRICT = 256,
	OPTION_COPY,
	OPTION_NO_COPY,
	OPTION_KEEP,
	OPTION_NO_MISUSE,
	OPTION_PROGRESS,
};

static const struct option long_options[] = {
	{ "depth", required_argument, NULL, 'd' },
	{ "chunk", required_argument, NULL, 'c' },
	{ "node", required_argument, NULL, 'n' },
	{ "strict", no_argument, NULL, OPTION_STRICT },
	{ "backend", required_argument, NULL, 'b' },
	{ "copy", required_argument, NULL, OPTION_COPY },
	{ "no-copy", no_argument, NULL, OPTION_NO_COPY },
	{ "keep", no_argument, NULL, OPTION_KEEP },
	{ "no-misuse", no_argument, NULL, OPTION_NO_MISUSE },
	{ "sums", required_argument, NULL, 's' },
	{ "all", no_argument, NULL, 'a' },
	{ "json", no_argument, NULL, 'j' },
	{ "progress", required_argument, NULL, OPTION_PROGRESS },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void take_option(struct options *options, int option)
{
	switch (option) {
	case 'd':
		options->depth = parse_number("--depth", optarg, 1, DEPTH_MAX);
		break;
	case 'c':
		options->chunk = parse_chunk(optarg);
		break;
	case 'n':
		options->node = parse_number("--node", optarg, 0, 1023);
		break;
	case OPTION_STRICT:
		options->strict = true;
		break;
	case 'b':
		options->backend = parse_backend(optarg);
		break;
	case OPTION_COPY:
		options->directory = optarg;
		break;
	case OPTION_NO_COPY:
		options->copy = false;
		break;
	case OPTION_KEEP:
		options->keep = true;
		break;
	case OPTION_NO_MISUSE:
		options->misuse = false;
		break;
	case 's':
		options->sums = optarg;
		break;
	case 'a':
		options->list_all = true;
		break;
	case 'j':
		options->json = true;
		break;
	case OPTION_PROGRESS:
		options->progress = parse_progress(optarg);
		break;
	case 'h':
		fputs(usage_text, stdout);
		exit(EXIT_GOOD);
	default:
		exit(EXIT_WRONG_USE);
	}
}

static void parse(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options){
		.depth = 32,
		.chunk = 128 << 10,
		.node = -1,
		.copy = true,
		.misuse = true,
		.progress = -1,
	};
	while ((option = getopt_long(argc, argv, "d:c:n:b:s:ajh", long_options,
				     NULL)) != -1)
		take_option(options, option);
	if (optind == argc)
		wrong_use("no PATH");
	if (!options->copy && (options->directory || options->keep))
		wrong_use("--no-copy, but --copy or --keep");
	if (options->progress < 0)
		options->progress = isatty(STDERR_FILENO);
}

/* --- the order of events */

static int run_pass(struct results *results, struct file_list *list,
		    struct memory *memory, int index, enum pass_kind kind)
{
	static const char *const name[] = {
		[PASS_READ] = "reading",
		[PASS_COPY] = "copying",
		[PASS_VERIFY] = "verifying",
	};
	struct progress progress = { .bar = results->options->progress };
	struct pass *pass = &results->pass[index];
	int error;

	pass->kind = kind;
	progress_begin(&progress, name[kind], list->bytes);
	error = pipeline_run(pass, list, memory, results->options, &progress);
	progress_end(&progress);
	return error;
}

static int run_passes(struct results *results, struct file_list *list,
		      struct memory *memory)
{
	int error;

	if (!results->options->copy)
		return run_pass(results, list, memory, 0, PASS_READ);
	error = run_pass(results, list, memory, 0, PASS_COPY);
	if (!error)
		error = run_pass(results, list, memory, 1, PASS_VERIFY);
	return error;
}

/* All that is to be reported, before the misuses make it look otherwise. */
static int look(struct results *results, const struct memory *memory)
{
	int error;

	results->region.size = sizeof(results->region);
	results->ring.size = sizeof(results->ring);
	results->ring_stats.size = sizeof(results->ring_stats);
	results->pool_stats.size = sizeof(results->pool_stats);
	error = saferring_region_info(memory->region, &results->region);
	if (!error)
		error = saferring_ring_info(memory->ring, &results->ring);
	if (!error)
		error = saferring_ring_stats(memory->ring,
					     &results->ring_stats);
	if (!error)
		error = saferring_pool_stats(memory->pool,
					     &results->pool_stats);
	return error;
}

static int report(const struct results *results)
{
	report_errors(results->list);
	if (results->options->json)
		return json_print(results, stdout);
	report_files(results);
	report_passes(results);
	report_counters(results);
	report_misuses(results);
	report_verdict(results);
	return fflush(stdout) ? -errno : 0;
}

static int write_sums(const struct results *results)
{
	const char *path = results->options->sums;
	int error;

	if (!path)
		return 0;
	error = report_sums(results->list, path);
	if (error)
		fprintf(stderr, "nvme_checksum: %s: %s\n", path,
			strerror(-error));
	return error;
}

static bool all_caught(const struct results *results)
{
	bool caught = true;

	for (int i = 0; results->misuse_tried && i < MISUSES; i++)
		caught = caught && results->misuse[i].caught;
	return caught;
}

static int run_all(struct results *results, struct file_list *list,
		   struct memory *memory)
{
	int error, looked;

	error = look(results, memory);
	if (error)
		return error;
	if (!results->options->json)
		report_memory(results);
	fflush(stdout);
	error = run_passes(results, list, memory);
	looked = look(results, memory);
	if (!error)
		error = looked;
	if (!error && results->options->misuse) {
		results->misuse_tried = true;
		error = misuse_try(memory, results->misuse);
	}
	return error;
}

static int work(struct results *results, struct file_list *list,
		struct memory *memory)
{
	int error = run_all(results, list, memory);

	if (error == -EINTR)
		fputs("nvme_checksum: interrupted\n", stderr);
	else if (error)
		complain("cannot go on", error);
	if (report(results)) {
		fputs("nvme_checksum: the results could not be printed\n",
		      stderr);
		error = -EIO;
	}
	if (write_sums(results))
		error = -EIO;
	return error;
}

static int conclude(const struct results *results, int error)
{
	if (error == -EINTR)
		return EXIT_STOPPED;
	if (error || files_failed(results->list) || !all_caught(results))
		return EXIT_SOME_FAILED;
	return EXIT_GOOD;
}

static int run(const struct options *options, struct file_list *list, int fd)
{
	struct memory memory = { 0 };
	struct results results = {
		.options = options,
		.list = list,
		.memory = &memory,
	};
	int error;

	if (memory_set_up(&memory, options, fd))
		return EXIT_NOT_BEGUN;
	if (options->copy && files_make_copies(list, options->directory)) {
		memory_tear_down(&memory);
		return EXIT_NOT_BEGUN;
	}
	error = work(&results, list, &memory);
	if (!options->keep)
		files_remove_copies(list);
	else
		fprintf(stderr, "nvme_checksum: the copies are in %s\n",
			list->copies);
	if (memory_tear_down(&memory) && !error)
		error = -EIO;
	return conclude(&results, error);
}

static int no_files(const struct file_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		fprintf(stderr, "nvme_checksum: %s: %s\n", list->file[i].path,
			list->file[i].error ? list->file[i].error :
			"cannot be opened");
	fputs("nvme_checksum: there is no file that can be read\n", stderr);
	return EXIT_SOME_FAILED;
}

int main(int argc, char **argv)
{
	struct file_list list = { 0 };
	struct options options;
	int status, fd;

	parse(&options, argc, argv);
	for (int i = optind; i < argc; i++)
		files_add(&list, argv[i]);
	fd = files_probe(&list);
	if (fd < 0) {
		status = no_files(&list);
	} else {
		catch_signals();
		status = run(&options, &list, fd);
		close(fd);
	}
	files_free(&list);
	return status;
}
