/* Clients per run, as one worker counts them and others read. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/counters.h"
#include "shm/occupancy.h"
#include "shm/registry_layout.h"

static int fd;
static struct occupancy *owner, *reader;

static void
open_both(uint32_t capacity)
{
	fd = occupancy_create(capacity);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(occupancy_open(fd, true, &owner), 0);
	ck_assert_int_eq(occupancy_open(fd, false, &reader), 0);
}

static void
close_both(void)
{
	occupancy_close(&owner);
	occupancy_close(&reader);
	close(fd);
}

START_TEST(clients_are_counted_by_run_and_in_all)
{
	open_both(5000);
	occupancy_change(owner, 0, 1);
	occupancy_change(owner, 4999, 1);
	occupancy_change(owner, 4999, 1);
	occupancy_change(owner, UINT32_MAX, 1);
	ck_assert_uint_eq(occupancy_of_run(reader, 0), 1);
	ck_assert_uint_eq(occupancy_of_run(reader, 4999), 2);
	ck_assert_uint_eq(occupancy_of_run(reader, 2000), 0);
	ck_assert_uint_eq(occupancy_total(reader), 4);
	occupancy_change(owner, 4999, -1);
	ck_assert_uint_eq(occupancy_of_run(reader, 4999), 1);
	ck_assert_uint_eq(occupancy_total(reader), 3);
	close_both();
}
END_TEST

START_TEST(slots_out_of_range_are_ignored)
{
	open_both(10);
	occupancy_change(owner, 10, 1);
	ck_assert_uint_eq(occupancy_of_run(reader, 10), 0);
	ck_assert_uint_eq(occupancy_of_run(reader, UINT32_MAX), 0);
	ck_assert_uint_eq(occupancy_total(reader), 1);
	close_both();
}
END_TEST

START_TEST(no_count_falls_below_zero)
{
	open_both(10);
	occupancy_change(owner, 3, -1);
	ck_assert_uint_eq(occupancy_of_run(reader, 3), 0);
	ck_assert_uint_eq(occupancy_total(reader), 0);
	close_both();
}
END_TEST

START_TEST(a_new_owner_forgets_what_a_dead_one_left)
{
	open_both(5000);
	occupancy_change(owner, 1, 1);
	occupancy_change(owner, 4000, 1);
	occupancy_close(&owner);
	ck_assert_int_eq(occupancy_open(fd, true, &owner), 0);
	occupancy_reset(owner);
	ck_assert_uint_eq(occupancy_of_run(reader, 1), 0);
	ck_assert_uint_eq(occupancy_of_run(reader, 4000), 0);
	ck_assert_uint_eq(occupancy_total(reader), 0);
	close_both();
}
END_TEST

START_TEST(only_what_is_used_takes_memory_and_reading_takes_none)
{
	struct stat before, after;

	open_both(REGISTRY_CAPACITY_MAX);
	ck_assert_int_eq(fstat(fd, &before), 0);
	for (uint32_t slot = 0; slot < REGISTRY_CAPACITY_MAX; slot += 999)
		if (occupancy_of_run(reader, slot) != 0)
			ck_abort();
	occupancy_reset(owner);
	ck_assert_int_eq(fstat(fd, &after), 0);
	ck_assert_int_eq(after.st_blocks, before.st_blocks);
	occupancy_change(owner, REGISTRY_CAPACITY_MAX - 1, 1);
	ck_assert_int_eq(fstat(fd, &after), 0);
	ck_assert_int_le(after.st_blocks, before.st_blocks + 8);
	close_both();
}
END_TEST

START_TEST(another_kind_of_segment_is_refused)
{
	struct occupancy *occupancy = NULL;
	int other = counters_create();

	ck_assert_int_eq(occupancy_open(other, false, &occupancy), -EPROTO);
	ck_assert_ptr_null(occupancy);
	close(other);
	ck_assert_int_eq(occupancy_create(0), -EINVAL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("occupancy");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, clients_are_counted_by_run_and_in_all);
	tcase_add_test(tests, slots_out_of_range_are_ignored);
	tcase_add_test(tests, no_count_falls_below_zero);
	tcase_add_test(tests, a_new_owner_forgets_what_a_dead_one_left);
	tcase_add_test(tests, only_what_is_used_takes_memory_and_reading_takes_none);
	tcase_add_test(tests, another_kind_of_segment_is_refused);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
