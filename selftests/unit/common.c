// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include "common.h"

/*
 * A program under a name that ends so does its tests once more, on the engine
 * that stands in for io_uring.
 */
static __attribute__((constructor)) void choose_engine(void)
{
	const char *end = strrchr(program_invocation_short_name, '-');

	if (end && !strcmp(end, "-threads"))
		setenv("SAFERRING_ENGINE", "threads", 1);
}

bool on_threads(void)
{
	const char *engine = getenv("SAFERRING_ENGINE");

	return engine && !strcmp(engine, "threads");
}

unsigned int reports;
struct saferring_error last_report;

static void note(const struct saferring_error *error,
		 void *context __attribute__((unused)))
{
	reports++;
	last_report = *error;
}

void catch_reports(void)
{
	saferring_report_set(note, NULL);
}

void ignore_reports(void)
{
	saferring_report_set(NULL, NULL);
}

static void must(int result, const char *what)
{
	char text[1024];

	if (!result)
		return;
	saferring_error_text(saferring_error_last(), text, sizeof(text));
	fail_msg("%s: %d: %s", what, result, text);
}

struct saferring_device *open_device(void)
{
	struct saferring_device *device;

	must(saferring_device_open(NULL, &device), "device_open");
	return device;
}

struct saferring_region *make_region(struct saferring_device *device,
				     size_t length)
{
	struct saferring_region_options options;
	struct saferring_region *region;

	SAFERRING_OPTIONS_INIT(&options);
	options.length = length;
	must(saferring_region_create(device, &options, &region),
	     "region_create");
	return region;
}

struct saferring_pool *make_pool(struct saferring_region *region, size_t count,
				 int cache, const char *name)
{
	struct saferring_pool_options options;
	struct saferring_pool *pool;

	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = BUFFER_SIZE;
	options.count = count;
	options.cache = cache;
	options.name = name;
	must(saferring_pool_create(&region, 1, &options, &pool), "pool_create");
	return pool;
}

static struct saferring_ring *ring_of(struct saferring_pool *pool,
				      unsigned int depth, unsigned int flags,
				      struct saferring_region *memory)
{
	struct saferring_ring_options options;
	struct saferring_ring *ring;

	SAFERRING_OPTIONS_INIT(&options);
	options.depth = depth;
	options.pools = &pool;
	options.pool_count = 1;
	options.flags = flags;
	options.name = "main";
	options.memory = memory;
	must(saferring_ring_create(&options, &ring), "ring_create");
	return ring;
}

struct saferring_ring *make_ring(struct saferring_pool *pool,
				 unsigned int depth, unsigned int flags)
{
	return ring_of(pool, depth, flags, NULL);
}

int depth_of(const struct saferring_pool *pool)
{
	struct saferring_pool_info info = { .size = sizeof(info) };

	must(saferring_pool_info(pool, &info), "pool_info");
	return info.depth;
}

void drop_region(struct saferring_region *region)
{
	must(saferring_region_destroy(region, 0, DESTROY_MS), "region_destroy");
}

struct stage *stage_up(size_t count, unsigned int depth, unsigned int flags)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	const unsigned int ring_flags =
		flags & STAGE_UNFIXED ? SAFERRING_RING_AVOID_FIXED : 0;

	assert_non_null(stage);
	catch_reports();
	stage->device = open_device();
	stage->region = make_region(stage->device, REGION_SIZE);
	stage->pool = make_pool(stage->region, count,
				flags & STAGE_UNCACHED ? -1 : 0, "input");
	if (flags & STAGE_PLACED)
		stage->memory = make_region(stage->device, REGION_SIZE);
	if (flags & STAGE_RING)
		stage->ring = ring_of(stage->pool, depth, ring_flags,
				      stage->memory);
	return stage;
}

void stage_down(struct stage *stage)
{
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	must(saferring_pool_destroy(stage->pool), "pool_destroy");
	drop_region(stage->region);
	drop_region(stage->memory);
	must(saferring_device_close(stage->device), "device_close");
	free(stage);
}

saferring_buffer get(struct saferring_pool *pool)
{
	saferring_buffer buffer;

	must(saferring_buffer_get(pool, &buffer), "buffer_get");
	assert_false(saferring_buffer_is_none(buffer));
	return buffer;
}

void put(struct saferring_pool *pool, saferring_buffer buffer)
{
	must(saferring_buffer_put(pool, buffer), "buffer_put");
}

struct saferring_completion next_of(struct saferring_ring *ring)
{
	struct saferring_completion completion;
	const int count = saferring_ring_wait(ring, &completion, 1, 1,
					      SAFERRING_FOREVER);

	if (count < 0)
		must(count, "ring_wait");
	assert_int_equal(count, 1);
	return completion;
}

void expect(struct saferring_ring *ring, uint64_t user_data, int32_t result)
{
	const struct saferring_completion completion = next_of(ring);

	assert_int_equal(completion.user_data, user_data);
	assert_int_equal(completion.result, result);
	if (completion.pool)
		put(completion.pool, completion.buffer);
}

void assert_all_back(struct saferring_pool *pool)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(pool, &stats), 0);
	assert_int_equal(stats.available, stats.buffers);
}

unsigned char *bytes_of(struct saferring_pool *pool, saferring_buffer buffer)
{
	unsigned char *bytes = saferring_buffer_data(pool, buffer);

	assert_non_null(bytes);
	return bytes;
}

void assert_error(int code, int reason)
{
	const struct saferring_error *error = saferring_error_last();
	char text[1024];

	saferring_error_text(error, text, sizeof(text));
	if (error->code != code || error->reason != reason)
		fail_msg("expected %d, %s; got %d: %s", code,
			 saferring_reason_name(reason), error->code, text);
	assert_string_not_equal(error->operation, "");
	assert_string_not_equal(text, "");
}

void assert_misuse(int result, int reason, unsigned int before)
{
	assert_int_equal(result, -ESTALE);
	assert_error(-ESTALE, reason);
	assert_int_equal(reports, before + 1);
	assert_int_equal(last_report.reason, reason);
}

unsigned char pattern(size_t offset)
{
	return (unsigned char)(offset * 131 + (offset >> 8) * 17 +
			       (offset >> 16));
}

int pattern_file(size_t length)
{
	unsigned char block[4096];
	char path[] = "/tmp/saferring-unit-XXXXXX";
	const int fd = mkostemp(path, O_CLOEXEC);
	size_t done, chunk, place;

	assert_true(fd >= 0);
	unlink(path);
	for (done = 0; done < length; done += chunk) {
		chunk = length - done < sizeof(block) ? length - done :
							sizeof(block);
		for (place = 0; place < chunk; place++)
			block[place] = pattern(done + place);
		assert_int_equal(write(fd, block, chunk), chunk);
	}
	return fd;
}

void assert_pattern(const void *data, size_t offset, size_t length)
{
	const unsigned char *bytes = data;
	size_t place;

	assert_non_null(data);
	for (place = 0; place < length; place++)
		if (bytes[place] != pattern(offset + place))
			fail_msg("byte %zu differs", offset + place);
}

/*
 * By itself a failed assert, or a fault, would have the child go on with the
 * next test of the parent.
 */
static void end_on_failure(void)
{
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	alarm(60);
}

int exit_status(void (*function)(void *), void *argument)
{
	pid_t child;
	int status;

	fflush(stdout);
	fflush(stderr);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		end_on_failure();
		function(argument);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

void in_child(void (*function)(void *), void *argument)
{
	assert_int_equal(exit_status(function, argument), 0);
}

uint64_t figure_of(const char *name, const char *object, const char *label)
{
	struct saferring_snapshot *snapshot;
	const struct saferring_sample *sample;
	uint64_t sum = 0;
	size_t number;

	assert_int_equal(saferring_snapshot_take(&snapshot), 0);
	for (number = 0; number < saferring_snapshot_count(snapshot);
	     number++) {
		sample = saferring_snapshot_sample(snapshot, number);
		if (!strcmp(sample->name, name) &&
		    strstr(sample->labels, object) &&
		    (!label || strstr(sample->labels, label)))
			sum += sample->value;
	}
	saferring_snapshot_free(snapshot);
	return sum;
}
