// SPDX-License-Identifier: GPL-2.0
/*
 * Regions and buffers that two processes share, by a module that is played.
 */
#include "fake.h"

/* Two pools on one memory, as two processes have them. */
struct both {
	struct saferring_device *device;
	struct saferring_region *region, *imported;
	struct saferring_pool *mine, *theirs;
};

static void both_up(struct both *both)
{
	struct saferring_pool_options options;
	int fd;

	both->device = open_device();
	both->region = make_region(both->device, REGION_SIZE);
	assert_int_equal(saferring_region_export(both->region, &fd), 0);
	assert_int_equal(saferring_region_import(both->device, fd, "shared",
						 &both->imported),
			 0);
	close(fd);
	both->mine = make_pool(both->region, 8, 0, "mine");
	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = BUFFER_SIZE;
	options.count = 8;
	options.flags = SAFERRING_POOL_AWAY;
	options.name = "theirs";
	assert_int_equal(saferring_pool_create(&both->imported, 1, &options,
					       &both->theirs),
			 0);
}

static void both_down(struct both *both)
{
	assert_int_equal(saferring_pool_destroy(both->theirs), 0);
	assert_int_equal(saferring_pool_destroy(both->mine), 0);
	drop_region(both->imported);
	drop_region(both->region);
	assert_int_equal(saferring_device_close(both->device), 0);
}

static void a_buffer_goes_to_another_process_and_back(void **state)
{
	struct saferring_ticket ticket;
	saferring_buffer here, there;
	struct both both;
	int round;

	(void)state;
	both_up(&both);
	assert_int_equal(saferring_buffer_get(both.theirs, &there), -ENOBUFS);
	here = get(both.mine);
	for (round = 0; round < 5; round++) {
		memset(saferring_buffer_data(both.mine, here), round, 100);
		assert_int_equal(saferring_buffer_send(both.mine, here,
						       &ticket),
				 0);
		assert_int_equal(saferring_buffer_valid(both.mine, here), 0);
		assert_int_equal(saferring_buffer_owner(both.mine, here),
				 SAFERRING_OWNER_PROCESS);
		assert_int_equal(saferring_pool_destroy(both.mine), -EBUSY);
		assert_int_equal(saferring_buffer_receive(both.theirs, &ticket,
							  &there),
				 0);
		assert_int_equal(*(char *)saferring_buffer_data(both.theirs,
								there),
				 round);
		assert_int_equal(saferring_buffer_send(both.theirs, there,
						       &ticket),
				 0);
		assert_int_equal(saferring_buffer_receive(both.mine, &ticket,
							  &here),
				 0);
		assert_int_equal(saferring_buffer_valid(both.theirs, there),
				 0);
	}
	put(both.mine, here);
	both_down(&both);
}

static void what_was_sent_is_nobodys_here(void **state)
{
	const unsigned int before = reports;
	struct saferring_ticket ticket, again;
	struct both both;
	saferring_buffer here, there;

	(void)state;
	both_up(&both);
	here = get(both.mine);
	assert_int_equal(saferring_buffer_send(both.mine, here, &ticket), 0);
	assert_null(saferring_buffer_data(both.mine, here));
	assert_misuse(-ESTALE, SAFERRING_REASON_SENT, before);
	assert_misuse(saferring_buffer_put(both.mine, here),
		      SAFERRING_REASON_SENT, before + 1);
	assert_misuse(saferring_buffer_send(both.mine, here, &again),
		      SAFERRING_REASON_SENT, before + 2);
	assert_int_equal(saferring_buffer_receive(both.theirs, &ticket,
						  &there),
			 0);
	assert_int_equal(saferring_buffer_send(both.theirs, there, &ticket),
			 0);
	assert_int_equal(saferring_buffer_receive(both.mine, &ticket, &here),
			 0);
	put(both.mine, here);
	both_down(&both);
}

static void a_ticket_is_good_once_and_where_it_belongs(void **state)
{
	struct saferring_ticket ticket, other;
	struct both both;
	saferring_buffer here, there, twice;

	(void)state;
	both_up(&both);
	here = get(both.mine);
	assert_int_equal(saferring_buffer_send(both.mine, here, &ticket), 0);
	assert_int_equal(saferring_buffer_receive(both.theirs, &ticket,
						  &there),
			 0);
	assert_int_equal(saferring_buffer_receive(both.theirs, &ticket,
						  &twice),
			 -EALREADY);
	assert_true(saferring_buffer_is_none(twice));
	other = ticket;
	other.turn = 100;
	assert_int_equal(saferring_buffer_receive(both.theirs, &other, &twice),
			 -EBUSY);
	other.index = 8;
	assert_int_equal(saferring_buffer_receive(both.theirs, &other, &twice),
			 -EINVAL);
	other.index = UINT32_MAX;
	assert_int_equal(saferring_buffer_receive(both.theirs, &other, &twice),
			 -EINVAL);
	other = ticket;
	other.buffer_size = 512;
	assert_int_equal(saferring_buffer_receive(both.theirs, &other, &twice),
			 -EINVAL);
	assert_int_equal(saferring_buffer_valid(both.theirs, there), 1);
	other = ticket;
	assert_int_equal(saferring_buffer_send(both.theirs, there, &ticket),
			 0);
	assert_int_equal(saferring_buffer_receive(both.theirs, &other, &twice),
			 -EALREADY);
	assert_int_equal(saferring_buffer_receive(both.mine, &ticket, &here),
			 0);
	put(both.mine, here);
	both_down(&both);
}

static void what_cannot_be_shared_is_refused(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);
	struct saferring_region *other = NULL;
	int fd = -5;

	(void)state;
	module.share_error = EMFILE;
	assert_int_equal(saferring_region_export(region, &fd), -EMFILE);
	module.share_error = ENOTTY;
	assert_int_equal(saferring_region_export(region, &fd), -EOPNOTSUPP);
	assert_error(-EOPNOTSUPP, SAFERRING_REASON_UNSUPPORTED);
	assert_int_equal(fd, -5);
	module.share_error = ENOSPC;
	assert_int_equal(saferring_region_import(device, 0, NULL, &other),
			 -ENOSPC);
	module.share_error = 0;
	assert_int_equal(saferring_region_import(device, -1, NULL, &other),
			 -EBADF);
	module.share_error = 0;
	assert_null(other);
	assert_int_equal(saferring_region_revoke(region), 0);
	assert_int_equal(saferring_region_export(region, &fd), -ESTALE);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
	setenv("SAFERRING_BACKEND", "plain", 1);
	device = open_device();
	region = make_region(device, REGION_SIZE);
	assert_int_equal(saferring_region_export(region, &fd), -EOPNOTSUPP);
	assert_int_equal(saferring_region_import(device, 0, NULL, &other),
			 -EOPNOTSUPP);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, reset)
	const struct CMUnitTest tests[] = {
		T(a_buffer_goes_to_another_process_and_back),
		T(what_was_sent_is_nobodys_here),
		T(a_ticket_is_good_once_and_where_it_belongs),
		T(what_cannot_be_shared_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
