/* The board on which the supervisor says which processes are alive. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/instance.h"

START_TEST(the_board_tells_pids_restarts_and_the_number_of_workers)
{
	struct board *writer, *reader;
	int fd = board_create();

	ck_assert_int_eq(board_open(fd, true, &writer), 0);
	ck_assert_int_eq(board_open(fd, false, &reader), 0);
	ck_assert_int_eq(board_pid(reader, BOARD_DISCOVERY), 0);
	ck_assert_uint_eq(board_restarts(reader, BOARD_DISCOVERY), 0);
	board_set(writer, BOARD_DISCOVERY, 100);
	board_set(writer, INSTANCE_WORKERS_MAX, 200);
	ck_assert_int_eq(board_pid(reader, BOARD_DISCOVERY), 100);
	ck_assert_uint_eq(board_restarts(reader, BOARD_DISCOVERY), 0);
	board_set(writer, BOARD_DISCOVERY, 0);
	ck_assert_int_eq(board_pid(reader, BOARD_DISCOVERY), 0);
	board_set(writer, BOARD_DISCOVERY, 101);
	ck_assert_int_eq(board_pid(reader, BOARD_DISCOVERY), 101);
	ck_assert_uint_eq(board_restarts(reader, BOARD_DISCOVERY), 0);
	board_count_restart(writer, BOARD_DISCOVERY);
	board_count_replacement(writer, INSTANCE_WORKERS_MAX);
	board_count_replacement(writer, INSTANCE_WORKERS_MAX);
	ck_assert_uint_eq(board_replacements(reader, BOARD_DISCOVERY), 0);
	ck_assert_uint_eq(board_restarts(reader, INSTANCE_WORKERS_MAX), 0);
	ck_assert_uint_eq(board_replacements(reader, INSTANCE_WORKERS_MAX), 2);
	ck_assert_uint_eq(board_restarts(reader, BOARD_DISCOVERY), 1);
	ck_assert_int_eq(board_pid(reader, INSTANCE_WORKERS_MAX), 200);
	ck_assert_uint_eq(board_workers(reader), 0);
	board_set_workers(writer, 7);
	ck_assert_uint_eq(board_workers(reader), 7);
	board_set_workers(writer, UINT32_MAX); /* it is input to who reads it */
	ck_assert_uint_eq(board_workers(reader), INSTANCE_WORKERS_MAX);
	board_close(&writer);
	board_close(&reader);
	close(fd);
}
END_TEST

START_TEST(processes_out_of_range_are_ignored)
{
	struct board *board = NULL;
	int fd = board_create();

	ck_assert_int_eq(board_open(fd, true, &board), 0);
	board_set(board, BOARD_PROCESSES, 1);
	ck_assert_int_eq(board_pid(board, BOARD_PROCESSES), 0);
	ck_assert_int_eq(board_pid(board, UINT32_MAX), 0);
	board_count_restart(board, BOARD_PROCESSES);
	ck_assert_uint_eq(board_restarts(board, UINT32_MAX), 0);
	board_count_replacement(board, BOARD_PROCESSES);
	ck_assert_uint_eq(board_replacements(board, UINT32_MAX), 0);
	board_close(&board);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("instance");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, the_board_tells_pids_restarts_and_the_number_of_workers);
	tcase_add_test(tests, processes_out_of_range_are_ignored);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
