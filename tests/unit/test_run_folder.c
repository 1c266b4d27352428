/* Where exec puts a run, and what it calls it. */
#include "admin/run_folder.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static char root[64];
static struct run_folder folder;
static char error[RUN_FOLDER_ERROR_BYTES];

static void
set_up(void)
{
	snprintf(root, sizeof(root), "/tmp/test_run_folder.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	folder = (struct run_folder){ .fd = -1 };
}

static void
tear_down(void)
{
	char command[sizeof(root) + 16];

	run_folder_fini(&folder);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

static void
ck_assert_folder(const char *relative)
{
	char path[256];
	struct stat there, ours;

	snprintf(path, sizeof(path), "%s/%s", root, relative);
	ck_assert_str_eq(folder.path, path);
	ck_assert_int_eq(stat(path, &there), 0);
	ck_assert_int_eq(fstat(folder.fd, &ours), 0);
	ck_assert_uint_eq(there.st_ino, ours.st_ino);
}

START_TEST(a_generated_id_sorts_by_time_and_holds_the_pid)
{
	char id[RUN_ID_BYTES + 1];

	run_folder_generate_id(1770229842569, 4711, 1, id);
	ck_assert_str_eq(id, "20260204-183042-4711");
	run_folder_generate_id(1770229842569, 4711, 2, id);
	ck_assert_str_eq(id, "20260204-183042-4711-2");
	ck_assert(run_id_valid(id, strlen(id)));
}
END_TEST

START_TEST(the_flat_layout)
{
	ck_assert_int_eq(run_folder_make(root, NULL, NULL, "r-1", &folder, error), 0);
	ck_assert_str_eq(folder.run_id, "r-1");
	ck_assert_folder("r-1");
}
END_TEST

START_TEST(the_conductor_layout_is_made_and_used_again)
{
	ck_assert_int_eq(run_folder_make(root, "p x", "t", "r-1", &folder, error), 0);
	ck_assert_folder("p x/t/runs/r-1");
	run_folder_fini(&folder);
	ck_assert_int_eq(run_folder_make(root, "p x", "t", "r-2", &folder, error), 0);
	ck_assert_folder("p x/t/runs/r-2");
}
END_TEST

START_TEST(without_an_id_a_free_one_is_made)
{
	int64_t now = clock_wall_ms();

	/* Whatever the second in which it comes: all that it may try first are taken. */
	for (int s = -1; s < 20; s++) {
		char id[RUN_ID_BYTES + 1], path[512];

		run_folder_generate_id(now + s * 1000, getpid(), 1, id);
		snprintf(path, sizeof(path), "%s/%s", root, id);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
	ck_assert_int_eq(run_folder_make(root, NULL, NULL, NULL, &folder, error), 0);
	ck_assert_str_eq(strrchr(folder.run_id, '-'), "-2");
}
END_TEST

START_TEST(a_taken_id_is_an_error)
{
	ck_assert_int_eq(run_folder_make(root, NULL, NULL, "r-1", &folder, error), 0);
	run_folder_fini(&folder);
	ck_assert_int_eq(run_folder_make(root, NULL, NULL, "r-1", &folder, error), -EEXIST);
	ck_assert_ptr_nonnull(strstr(error, "r-1"));
}
END_TEST

START_TEST(names_that_lead_out_or_hide_are_refused)
{
	static const char *const bad[] = { "", "..", ".", "a/b", "a\\b", "a\nb", ".hidden", "\xff" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(run_folder_make(root, NULL, NULL, bad[i], &folder, error), -EINVAL);
		ck_assert_int_eq(run_folder_make(root, bad[i], "t", "r", &folder, error), -EINVAL);
		ck_assert_int_eq(run_folder_make(root, "p", bad[i], "r", &folder, error), -EINVAL);
	}
}
END_TEST

START_TEST(a_symbolic_link_above_the_run_is_not_followed)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/p", root);
	ck_assert_int_eq(symlink("/tmp", path), 0);
	ck_assert_int_eq(run_folder_make(root, "p", "t", "r", &folder, error), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(error, "/p/t/runs"));
}
END_TEST

START_TEST(a_runs_directory_that_is_missing_is_not_made)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/missing", root);
	ck_assert_int_eq(run_folder_make(path, NULL, NULL, "r", &folder, error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, path));
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("run_folder");
	TCase *tc = tcase_create("run_folder");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_generated_id_sorts_by_time_and_holds_the_pid);
	tcase_add_test(tc, the_flat_layout);
	tcase_add_test(tc, the_conductor_layout_is_made_and_used_again);
	tcase_add_test(tc, without_an_id_a_free_one_is_made);
	tcase_add_test(tc, a_taken_id_is_an_error);
	tcase_add_test(tc, names_that_lead_out_or_hide_are_refused);
	tcase_add_test(tc, a_symbolic_link_above_the_run_is_not_followed);
	tcase_add_test(tc, a_runs_directory_that_is_missing_is_not_made);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
