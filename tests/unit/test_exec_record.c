/* What a run-info says of a command: how it was called, and how it ended. */
#include "admin/exec_record.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char root[64];
static struct run_folder folder;
static struct settings settings;
static struct exec_record record;

static void
set_up(void)
{
	char *const command[] = { (char[]){ "make" }, (char[]){ "all" }, NULL };
	char error[RUN_FOLDER_ERROR_BYTES];

	snprintf(root, sizeof(root), "/tmp/test_exec_record.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(settings_init(&settings), 0);
	ck_assert_int_eq(run_folder_make(root, "p", "t", "r", &folder, error), 0);
	ck_assert_int_eq(exec_record_init(&record, &folder, &settings, "p", "t", false, command), 0);
}

static void
tear_down(void)
{
	char text[sizeof(root) + 16];

	exec_record_fini(&record);
	run_folder_fini(&folder);
	settings_fini(&settings);
	snprintf(text, sizeof(text), "rm -rf %s", root);
	ck_assert_int_eq(system(text), 0);
}

static void
ck_assert_commandline(char *const *command, const char *expected)
{
	char *line = exec_record_commandline(command);

	ck_assert_str_eq(line, expected);
	free(line);
}

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })
#define W(text) (char[]){ text }

START_TEST(a_command_line_could_be_pasted_into_a_shell)
{
	ck_assert_commandline(WORDS(W("ls"), W("-l"), W("/tmp/a_b+c=1,2:3.x@%")),
	                      "ls -l /tmp/a_b+c=1,2:3.x@%");
	ck_assert_commandline(WORDS(W("sh"), W("-c"), W("echo \"$x\"")), "sh -c 'echo \"$x\"'");
	ck_assert_commandline(WORDS(W("echo"), W("it's"), W("")), "echo 'it'\\''s' ''");
}
END_TEST

START_TEST(a_long_command_line_is_cut_between_characters)
{
	size_t length = 3 * (size_t)EXEC_RECORD_COMMANDLINE_BYTES;
	char *word = malloc(length + 1), *line;

	for (size_t i = 0; i < length; i += 3)
		memcpy(word + i, "\xe2\x82\xac", 3);
	word[length] = '\0';
	line = exec_record_commandline(WORDS(word));
	ck_assert_uint_le(strlen(line), EXEC_RECORD_COMMANDLINE_BYTES + 3);
	ck_assert_str_eq(line + strlen(line) - 6, "\xe2\x82\xac…");
	free(line);
	free(word);
}
END_TEST

static struct run_info
written(void)
{
	struct run_info info;

	ck_assert_int_eq(run_info_read(folder.fd, "run-info.yaml", &info), 0);
	return info;
}

START_TEST(a_run_that_starts_is_running)
{
	struct run_info info;

	ck_assert_int_eq(exec_record_write_start(&record, 4711), 0);
	info = written();
	ck_assert_str_eq(info.run_id, "r");
	ck_assert_str_eq(info.project_id, "p");
	ck_assert_str_eq(info.task_id, "t");
	ck_assert_str_eq(info.status, "running");
	ck_assert_int_eq(info.exit_code, -1);
	ck_assert_int_eq(info.pid, 4711);
	ck_assert_int_eq(info.pgid, 4711);
	ck_assert_int_gt(info.start_time_ms, 0);
	ck_assert_int_eq(info.end_time_ms, 0);
	ck_assert_str_eq(info.commandline, "make all");
	ck_assert_ptr_nonnull(info.cwd);
	ck_assert_ptr_nonnull(strstr(info.stdout_path, "/p/t/runs/r/agent-stdout.txt"));
	ck_assert_ptr_nonnull(strstr(info.stderr_path, "/p/t/runs/r/agent-stderr.txt"));
	run_info_fini(&info);
}
END_TEST

static void
ck_assert_ending(struct exec_ending ending, const char *status, int exit_code, const char *summary)
{
	struct run_info info;

	ending.command = "make";
	ck_assert_int_eq(exec_record_write_end(&record, &ending), 0);
	info = written();
	ck_assert_str_eq(info.status, status);
	ck_assert_int_eq(info.exit_code, exit_code);
	ck_assert_int_gt(info.end_time_ms, 0);
	if (summary)
		ck_assert_ptr_nonnull(strstr(info.error_summary, summary));
	else
		ck_assert_ptr_null(info.error_summary);
	run_info_fini(&info);
	/* Each case stands alone. */
	free(record.info.error_summary);
	record.info.error_summary = NULL;
}

/* A wait status: exit codes are in its second byte, signals in its first. */
#define EXITED(code) .wait_status = (code) << 8
#define KILLED(number) .wait_status = (number)

START_TEST(an_end_is_told_by_its_cause)
{
	ck_assert_int_eq(exec_record_write_start(&record, 1), 0);
	ck_assert_ending((struct exec_ending){ EXITED(0) }, "completed", 0, NULL);
	ck_assert_ending((struct exec_ending){ EXITED(0), .was_told_to_end = true }, "completed", 0, NULL);
	ck_assert_ending((struct exec_ending){ EXITED(3) }, "failed", 3, "exit status 3");
	ck_assert_ending((struct exec_ending){ EXITED(3), .was_told_to_end = true }, "stopped", 3,
	                 "exit status 3");
	ck_assert_ending((struct exec_ending){ KILLED(SIGTERM) }, "stopped", 143, "signal 15");
	ck_assert_ending((struct exec_ending){ KILLED(SIGSEGV) }, "crashed", 139, "signal 11");
	ck_assert_ending((struct exec_ending){ KILLED(SIGKILL), .was_told_to_end = true }, "stopped", 137,
	                 "signal 9");
	ck_assert_ending((struct exec_ending){ EXITED(127), .exec_error = -ENOENT }, "failed", 127,
	                 "cannot execute make: No such file");
	ck_assert_ending((struct exec_ending){ EXITED(126), .exec_error = -EACCES }, "failed", 126,
	                 "cannot execute make: Permission denied");
	ck_assert_ending((struct exec_ending){ EXITED(0), .lost_bytes = 17, .lost_error = -ENOSPC },
	                 "completed", 0, "17 bytes of output are missing");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("exec_record");
	TCase *tc = tcase_create("exec_record");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_command_line_could_be_pasted_into_a_shell);
	tcase_add_test(tc, a_long_command_line_is_cut_between_characters);
	tcase_add_test(tc, a_run_that_starts_is_running);
	tcase_add_test(tc, an_end_is_told_by_its_cause);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
