/* run-info.yaml, as its many writers write it, and as hostile ones may. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/run_info.h"

static struct run_info info;

static int
parse(const char *text)
{
	return run_info_parse(text, strlen(text), &info);
}

static void
set_up(void)
{
	run_info_init(&info);
}

static void
tear_down(void)
{
	run_info_fini(&info);
}

START_TEST(a_running_run_is_read)
{
	ck_assert_int_eq(parse("version: 1\n"
	                       "run_id: 20260204-1830-7\n"
	                       "project_id: conductor\n"
	                       "task_id: \"task: 5\"\n"
	                       "parent_run_id: \"\"\n"
	                       "previous_run_id: null\n"
	                       "agent: claude\n"
	                       "pid: 4711\n"
	                       "pgid: 4700\n"
	                       "start_time: 2026-02-04T18:30:42.569123Z\n"
	                       "end_time: 0001-01-01T00:00:00Z\n"
	                       "exit_code: -1\n"
	                       "status: running\n"
	                       "cwd: /srv/repo\n"
	                       "commandline: make -j2 all\n"), 0);
	ck_assert_str_eq(info.run_id, "20260204-1830-7");
	ck_assert_str_eq(info.project_id, "conductor");
	ck_assert_str_eq(info.task_id, "task: 5");
	ck_assert_ptr_null(info.parent_run_id);
	ck_assert_ptr_null(info.previous_run_id);
	ck_assert_int_eq(info.pid, 4711);
	ck_assert_int_eq(info.pgid, 4700);
	ck_assert_int_eq(info.start_time_ms, 1770229842569);
	ck_assert_int_eq(info.end_time_ms, 0);
	ck_assert_int_eq(info.exit_code, -1);
	ck_assert_str_eq(run_info_status(&info), "running");
	ck_assert_str_eq(info.commandline, "make -j2 all");
}
END_TEST

START_TEST(an_empty_status_with_an_exit_code_means_completed)
{
	ck_assert_int_eq(parse("{run_id: a, exit_code: 3}"), 0);
	ck_assert_str_eq(run_info_status(&info), "completed");
	run_info_fini(&info);
	ck_assert_int_eq(parse("status: \"\"\nexit_code: 0\n"), 0);
	ck_assert_str_eq(run_info_status(&info), "completed");
	run_info_fini(&info);
	ck_assert_int_eq(parse("run_id: a\n"), 0);
	ck_assert_str_eq(run_info_status(&info), "unknown");
}
END_TEST

START_TEST(the_terminal_statuses_are_five)
{
	ck_assert(run_info_status_is_terminal("completed"));
	ck_assert(run_info_status_is_terminal("failed"));
	ck_assert(run_info_status_is_terminal("cancelled"));
	ck_assert(run_info_status_is_terminal("crashed"));
	ck_assert(run_info_status_is_terminal("stopped"));
	ck_assert(!run_info_status_is_terminal("running"));
	ck_assert(!run_info_status_is_terminal("queued"));
	ck_assert(!run_info_status_is_terminal("unknown"));
	ck_assert(!run_info_status_is_terminal(""));
}
END_TEST

START_TEST(unknown_keys_and_unfit_values_are_passed_over)
{
	ck_assert_int_eq(parse("labels: {a: [1, 2, {status: inner}], pid: 9}\n"
	                       "future: [x, y]\n"
	                       "status: running\n"
	                       "pid: many\n"
	                       "pgid: 99999999999999999999\n"
	                       "exit_code: 4294967296\n"
	                       "start_time: yesterday\n"
	                       "agent: [a, list]\n"
	                       "cwd: \"nul\\0inside\"\n"
	                       "a-key-that-is-longer-than-any-of-ours-could-be: 1\n"), 0);
	ck_assert_str_eq(info.status, "running");
	ck_assert_int_eq(info.pid, 0);
	ck_assert_int_eq(info.pgid, 0);
	ck_assert_int_eq(info.exit_code, -1);
	ck_assert_int_eq(info.start_time_ms, 0);
	ck_assert_ptr_null(info.agent);
	ck_assert_ptr_null(info.cwd);
}
END_TEST

START_TEST(a_higher_version_is_refused_as_such)
{
	ck_assert_int_eq(parse("version: 2\nrun_id: a\n"), -EPROTONOSUPPORT);
	ck_assert_int_eq(parse("version: 99999999999999999999\n"), -EPROTONOSUPPORT);
	ck_assert_int_eq(parse("version: 0\n"), -EBADMSG);
	ck_assert_int_eq(parse("version: one\n"), -EBADMSG);
	ck_assert_int_eq(parse("version: \"1\"\nrun_id: a\n"), 0);
}
END_TEST

START_TEST(what_is_no_mapping_is_refused)
{
	ck_assert_int_eq(parse(""), -EBADMSG);
	ck_assert_int_eq(parse("just text\n"), -EBADMSG);
	ck_assert_int_eq(parse("- a\n- b\n"), -EBADMSG);
	ck_assert_int_eq(parse("run_id: \"unfinished\n"), -EBADMSG);
	ck_assert_int_eq(parse("a: b: c\n"), -EBADMSG);
	ck_assert_int_eq(parse("? [a]\n: b\n"), -EBADMSG);
	ck_assert_int_eq(parse("run_id: \xff\xfe\n"), -EBADMSG);
}
END_TEST

START_TEST(aliases_depth_and_size_are_bounded)
{
	static char text[RUN_INFO_BYTES + 2];

	ck_assert_int_eq(parse("a: &x [1]\nb: [*x, *x, *x]\n"), -EBADMSG);
	memset(text, '[', 1000);
	memcpy(text, "a: ", 3);
	ck_assert_int_eq(parse(text), -EBADMSG);
	memset(text, '#', RUN_INFO_BYTES + 1);
	ck_assert_int_eq(run_info_parse(text, RUN_INFO_BYTES + 1, &info), -EFBIG);
	memcpy(text, "a: b\n", 5);
	ck_assert_int_eq(run_info_parse(text, RUN_INFO_BYTES, &info), 0);
}
END_TEST

START_TEST(what_is_written_is_read_back_whatever_it_holds)
{
	char dir[] = "/tmp/test_run_info.XXXXXX", run_id[] = "run-1", yes[] = "yes",
	     status[] = "running", number[] = "123", awkward[] = "a \"b\" \\ '#: \t\n\x01\x7f — \xc2\x85\u2028",
	     broken[] = "x\xff\xc3", command[80];
	struct run_info written = { .run_id = run_id, .project_id = yes, .task_id = number,
		                    .status = status, .cwd = awkward, .agent = broken,
		                    .pid = 12, .exit_code = -1, .start_time_ms = 1770229842569 };
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	fd = open(dir, O_PATH | O_DIRECTORY);
	ck_assert_int_eq(run_info_write(fd, "run-info.yaml", &written, true), 0);
	ck_assert_int_eq(run_info_read(fd, "run-info.yaml", &info), 0);
	ck_assert_str_eq(info.run_id, run_id);
	ck_assert_str_eq(info.project_id, yes);
	ck_assert_str_eq(info.task_id, number);
	ck_assert_str_eq(info.status, status);
	ck_assert_str_eq(info.cwd, awkward);
	ck_assert_str_eq(info.agent, "x??");
	ck_assert_int_eq(info.pid, 12);
	ck_assert_int_eq(info.start_time_ms, 1770229842569);
	ck_assert_int_eq(info.end_time_ms, 0);
	ck_assert_int_eq(info.exit_code, -1);
	run_info_fini(&info);

	/* Replaced, over a temporary file that a killed writer left. */
	snprintf(command, sizeof(command), ".run-info.yaml.%d", (int)getpid());
	close(openat(fd, command, O_CREAT | O_WRONLY, 0400));
	written.exit_code = 0;
	ck_assert_int_eq(run_info_write(fd, "run-info.yaml", &written, false), 0);
	ck_assert_int_eq(run_info_read(fd, "run-info.yaml", &info), 0);
	ck_assert_int_eq(info.exit_code, 0);
	ck_assert_int_eq(faccessat(fd, command, F_OK, 0), -1);
	ck_assert_int_eq(run_info_read(fd, "none", &info), -ENOENT);
	close(fd);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(a_file_that_would_be_too_large_is_not_written)
{
	struct run_info written = { .commandline = calloc(1, RUN_INFO_BYTES + 1) };

	memset(written.commandline, 'x', RUN_INFO_BYTES);
	ck_assert_int_eq(run_info_write(AT_FDCWD, "never", &written, false), -EFBIG);
	free(written.commandline);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("run_info");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_running_run_is_read);
	tcase_add_test(tests, an_empty_status_with_an_exit_code_means_completed);
	tcase_add_test(tests, the_terminal_statuses_are_five);
	tcase_add_test(tests, unknown_keys_and_unfit_values_are_passed_over);
	tcase_add_test(tests, a_higher_version_is_refused_as_such);
	tcase_add_test(tests, what_is_no_mapping_is_refused);
	tcase_add_test(tests, aliases_depth_and_size_are_bounded);
	tcase_add_test(tests, what_is_written_is_read_back_whatever_it_holds);
	tcase_add_test(tests, a_file_that_would_be_too_large_is_not_written);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
