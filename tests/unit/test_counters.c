/* Counters: what the owner changes in place is what others read. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/counters.h"

START_TEST(what_the_owner_counts_is_read_by_others)
{
	struct counters *owner, *reader;
	struct counters_values values;
	int fd = counters_create();

	ck_assert_int_eq(counters_open(fd, true, &owner), 0);
	ck_assert_int_eq(counters_open(fd, false, &reader), 0);
	counters_read(reader, &values);
#define IS_ZERO(name, kind, help) ck_assert_uint_eq(values.name, 0);
	COUNTERS(IS_ZERO)
	counters_own(owner)->lines_sent += 5;
	counters_own(owner)->cache_bytes = UINT64_MAX;
	counters_read(reader, &values);
	ck_assert_uint_eq(values.lines_sent, 5);
	ck_assert_uint_eq(values.cache_bytes, UINT64_MAX);
	ck_assert_uint_eq(values.requests, 0);
	counters_close(&owner);
	counters_close(&reader);
	close(fd);
}
END_TEST

START_TEST(another_layout_is_refused)
{
	struct counters *counters = NULL;
	int fd = counters_create();

	ck_assert_int_eq(pwrite(fd, &(uint32_t){ 2 }, 4, 8), 4); /* version */
	ck_assert_int_eq(counters_open(fd, false, &counters), -EPROTONOSUPPORT);
	close(fd);
	fd = counters_create();
	ck_assert_int_eq(pwrite(fd, &(uint64_t){ 8 }, 8, 16), 8); /* a shorter list of counters */
	ck_assert_int_eq(counters_open(fd, false, &counters), -EPROTONOSUPPORT);
	close(fd);
	fd = counters_create();
	ck_assert_int_eq(pwrite(fd, "X", 1, 0), 1);
	ck_assert_int_eq(counters_open(fd, false, &counters), -EPROTO);
	close(fd);
	ck_assert_ptr_null(counters);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("counters");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, what_the_owner_counts_is_read_by_others);
	tcase_add_test(tests, another_layout_is_refused);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
