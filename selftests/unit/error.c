// SPDX-License-Identifier: GPL-2.0
/*
 * Error details, reports, names, the probe.
 */
#include <pthread.h>
#include "common.h"

static void a_success_leaves_the_detail_alone(void **state)
{
	struct saferring_device *device;
	struct saferring_region_options options;
	struct saferring_region *region;

	(void)state;
	device = open_device();
	SAFERRING_OPTIONS_INIT(&options);
	assert_int_equal(saferring_region_create(device, &options, &region),
			 -EINVAL);
	assert_int_equal(saferring_device_close(device), 0);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_string_equal(saferring_error_last()->operation,
			    "region_create");
}

static void errno_is_left_alone(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);

	(void)state;
	errno = 4711;
	assert_int_equal(saferring_buffer_put(stage->pool,
					      SAFERRING_BUFFER_NONE),
			 -ESTALE);
	assert_int_equal(errno, 4711);
	stage_down(stage);
}

static void *fail_in_thread(void *argument)
{
	/* Not by its name, or the compiler would refuse the null pointer. */
	int (*submit)(struct saferring_ring *ring) = saferring_ring_submit;
	int *code = argument;

	*code = saferring_error_last()->code;
	if (submit(NULL) != -EINVAL)
		*code = 1;
	return NULL;
}

static void each_thread_has_a_detail_of_its_own(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	pthread_t thread;
	int code = 1;

	(void)state;
	assert_int_equal(saferring_buffer_put(stage->pool,
					      SAFERRING_BUFFER_NONE),
			 -ESTALE);
	assert_int_equal(pthread_create(&thread, NULL, fail_in_thread, &code),
			 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(code, 0);
	assert_error(-ESTALE, SAFERRING_REASON_GARBAGE);
	stage_down(stage);
}

static void reports_can_be_switched_off(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	const unsigned int before = reports;

	(void)state;
	saferring_report_set(NULL, NULL);
	assert_int_equal(saferring_buffer_put(stage->pool,
					      SAFERRING_BUFFER_NONE),
			 -ESTALE);
	assert_int_equal(reports, before);
	assert_error(-ESTALE, SAFERRING_REASON_GARBAGE);
	stage_down(stage);
}

static void misuse_again(const struct saferring_error *error, void *context)
{
	struct stage *stage = context;

	(void)error;
	reports++;
	assert_int_equal(saferring_buffer_put(stage->pool,
					      SAFERRING_BUFFER_NONE),
			 -ESTALE);
}

static void a_misuse_inside_a_report_is_not_reported(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	const unsigned int before = reports;
	const saferring_buffer buffer = get(stage->pool);

	(void)state;
	put(stage->pool, buffer);
	saferring_report_set(misuse_again, stage);
	assert_int_equal(saferring_buffer_put(stage->pool, buffer), -ESTALE);
	assert_int_equal(reports, before + 1);
	/* The detail is of the misuse, not of what the report did. */
	assert_error(-ESTALE, SAFERRING_REASON_DOUBLE_PUT);
	catch_reports();
	stage_down(stage);
}

/* Traces are more lines. */
static int without_depth(void **state)
{
	(void)state;
	return unsetenv("SAFERRING_CHECK");
}

static void the_default_report_is_one_line_on_stderr(void **state)
{
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	const saferring_buffer buffer = get(stage->pool);
	char line[2048];
	FILE *file = tmpfile();
	const int saved = dup(STDERR_FILENO);

	(void)state;
	assert_non_null(file);
	put(stage->pool, buffer);
	saferring_report_set(saferring_report_stderr, NULL);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	assert_int_equal(saferring_buffer_put(stage->pool, buffer), -ESTALE);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	assert_non_null(fgets(line, sizeof(line), file));
	assert_non_null(strstr(line, "saferring: buffer_put: double put: "
				     "pool input: handle 0x"));
	assert_null(fgets(line, sizeof(line), file));
	fclose(file);
	catch_reports();
	stage_down(stage);
}

static void text_is_cut_and_terminated(void **state)
{
	struct saferring_error error = {
		.code = -EINVAL,
		.reason = SAFERRING_REASON_ARGUMENT,
		.operation = "pool_create",
		.what = "what",
		.cure = "cure",
	};
	char text[8] = "xxxxxxx";

	(void)state;
	assert_int_equal(saferring_error_text(&error, text, sizeof(text)),
			 strlen("pool_create: bad argument: what (cure)"));
	assert_string_equal(text, "pool_cr");
	assert_int_equal(saferring_error_text(&error, NULL, 0),
			 strlen("pool_create: bad argument: what (cure)"));
}

static void every_reason_has_a_name(void **state)
{
	int reason;

	(void)state;
	for (reason = SAFERRING_REASON_NONE; reason <= SAFERRING_REASON_GARBAGE;
	     reason++)
		assert_string_not_equal(saferring_reason_name(reason),
					"unknown");
	for (reason = SAFERRING_REASON_FORKED;
	     reason <= SAFERRING_REASON_SYSTEM; reason++)
		assert_string_not_equal(saferring_reason_name(reason),
					"unknown");
	for (reason = SAFERRING_REASON_LOST_IO;
	     reason <= SAFERRING_REASON_GONE_COMPLETION; reason++)
		assert_string_not_equal(saferring_reason_name(reason),
					"unknown");
	assert_string_equal(saferring_reason_name(-1), "unknown");
	assert_string_equal(saferring_reason_name(20), "unknown");
	assert_string_equal(saferring_reason_name(1000), "unknown");
	assert_string_equal(saferring_backend_name(-1), "unknown");
	assert_string_equal(saferring_backend_name(5), "unknown");
}

static void the_probe_finds_what_a_ring_gets(void **state)
{
	struct saferring_probe probe = { .size = sizeof(probe) };
	struct stage *stage = stage_up(0, 8, STAGE_RING);
	struct saferring_ring_info info = { .size = sizeof(info) };

	(void)state;
	assert_int_equal(saferring_probe(&probe), 0);
	assert_int_equal(probe.io_uring, 0);
	assert_int_equal(saferring_ring_info(stage->ring, &info), 0);
	assert_int_equal(probe.io_uring_features, info.features);
	assert_int_equal(probe.io_uring_setup_flags, info.setup_flags);
	assert_int_equal(probe.backend,
			 saferring_device_backend(stage->device));
	assert_int_equal(probe.nodes, saferring_node_count());
	stage_down(stage);
}

static void the_probe_has_a_line_for_every_backend(void **state)
{
	struct saferring_probe probe = { .size = sizeof(probe) };
	char text[4096], cut[32];
	int kind, length;

	(void)state;
	assert_int_equal(saferring_probe(&probe), 0);
	length = saferring_probe_text(&probe, text, sizeof(text));
	assert_int_equal(length, strlen(text));
	for (kind = SAFERRING_BACKEND_MODULE; kind <= SAFERRING_BACKEND_PLAIN;
	     kind++)
		assert_non_null(strstr(text, saferring_backend_name(kind)));
	assert_int_equal(saferring_probe_text(&probe, cut, sizeof(cut)),
			 length);
	assert_int_equal(strlen(cut), sizeof(cut) - 1);
}

static void an_older_program_gets_the_part_it_knows(void **state)
{
	struct {
		struct saferring_probe probe;
		unsigned char behind[16];
	} p;
	int untouched;

	(void)state;
	memset(&p, 0xaa, sizeof(p));
	p.probe.size = offsetof(struct saferring_probe, memlock_exempt);
	assert_int_equal(saferring_probe(&p.probe), 0);
	assert_int_equal(p.probe.io_uring, 0);
	memset(&untouched, 0xaa, sizeof(untouched));
	assert_int_equal(p.probe.memlock_exempt, untouched);
	/* And a newer one gets zeros. */
	p.probe.size = sizeof(p);
	assert_int_equal(saferring_probe(&p.probe), 0);
	assert_int_equal(p.behind[0], 0);
	assert_int_equal(p.behind[15], 0);
	p.probe.size = 0;
	assert_int_equal(saferring_probe(&p.probe), -EINVAL);
}

static void the_version_is_that_of_the_headers(void **state)
{
	(void)state;
	assert_int_equal(saferring_version(), SAFERRING_VERSION_MAJOR << 16 |
						      SAFERRING_VERSION_MINOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_success_leaves_the_detail_alone),
		cmocka_unit_test(errno_is_left_alone),
		cmocka_unit_test(each_thread_has_a_detail_of_its_own),
		cmocka_unit_test(reports_can_be_switched_off),
		cmocka_unit_test(a_misuse_inside_a_report_is_not_reported),
		cmocka_unit_test_setup(the_default_report_is_one_line_on_stderr,
				       without_depth),
		cmocka_unit_test(text_is_cut_and_terminated),
		cmocka_unit_test(every_reason_has_a_name),
		cmocka_unit_test(the_probe_finds_what_a_ring_gets),
		cmocka_unit_test(the_probe_has_a_line_for_every_backend),
		cmocka_unit_test(an_older_program_gets_the_part_it_knows),
		cmocka_unit_test(the_version_is_that_of_the_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
