/* Opening beneath the runs directory: what is refused, and that nothing waits. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/run_dir.h"

static char root[] = "/tmp/test_run_dir.XXXXXX";
static int root_fd;

static void
set_up(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root_fd, 0);
	ck_assert_int_eq(mkdirat(root_fd, "run", 0700), 0);
	ck_assert_int_eq(mkdirat(root_fd, "run/sub", 0700), 0);
	close(openat(root_fd, "run/log.txt", O_CREAT | O_WRONLY, 0600));
	close(openat(root_fd, "outside", O_CREAT | O_WRONLY, 0600));
}

static void
tear_down(void)
{
	char command[sizeof(root) + 16];

	close(root_fd);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(folders_and_regular_files_are_opened)
{
	int dir = -1, fd = -1;
	struct stat st;

	ck_assert_int_eq(run_dir_open(root_fd, "run", &dir), 0);
	ck_assert_int_eq(run_dir_open_file(dir, "log.txt", &st, &fd), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
	ck_assert_int_eq(run_dir_open_file(dir, "log.txt", NULL, &fd), 0);
	close(fd);
	close(dir);
	ck_assert_int_eq(run_dir_open_list(root_fd, "run/sub", &dir), 0);
	close(dir);
}
END_TEST

START_TEST(symbolic_links_are_refused_wherever_they_stand)
{
	int dir = -1, fd = -1;

	ck_assert_int_eq(symlinkat("run", root_fd, "link"), 0);
	ck_assert_int_eq(symlinkat("log.txt", root_fd, "run/link"), 0);
	ck_assert_int_eq(symlinkat("/etc", root_fd, "run/etc"), 0);
	ck_assert_int_eq(run_dir_open(root_fd, "link", &dir), -ELOOP);
	ck_assert_int_eq(run_dir_open(root_fd, "link/sub", &dir), -ELOOP);
	ck_assert_int_eq(run_dir_open(root_fd, "run", &dir), 0);
	ck_assert_int_eq(run_dir_open_file(dir, "link", NULL, &fd), -ELOOP);
	ck_assert_int_eq(run_dir_open_file(dir, "etc/passwd", NULL, &fd), -ELOOP);
	ck_assert_int_eq(fd, -1);
	close(dir);
}
END_TEST

START_TEST(paths_that_lead_out_are_refused)
{
	int dir = -1, fd = -1;

	ck_assert_int_eq(run_dir_open(root_fd, "..", &dir), -EXDEV);
	ck_assert_int_eq(run_dir_open(root_fd, "/tmp", &dir), -EXDEV);
	ck_assert_int_eq(run_dir_open(root_fd, "run", &dir), 0);
	ck_assert_int_eq(run_dir_open_file(dir, "../outside", NULL, &fd), -EXDEV);
	ck_assert_int_eq(run_dir_open_file(dir, "sub/../../outside", NULL, &fd), -EXDEV);
	ck_assert_int_eq(run_dir_open_file(dir, "/etc/passwd", NULL, &fd), -EXDEV);
	close(dir);
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused_at_once)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int dir = -1, fd = -1, listener = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(run_dir_open(root_fd, "run", &dir), 0);
	ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/socket", root);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(run_dir_open_file(dir, "fifo", NULL, &fd), -ENXIO);
	ck_assert_int_eq(run_dir_open_file(dir, "socket", NULL, &fd), -ENXIO);
	ck_assert_int_eq(run_dir_open_file(dir, "sub", NULL, &fd), -EISDIR);
	ck_assert_int_eq(run_dir_open_file(dir, "none", NULL, &fd), -ENOENT);
	ck_assert_int_eq(run_dir_open(root_fd, "outside", &dir), -ENOTDIR);
	ck_assert_int_eq(run_dir_open(root_fd, "none", &dir), -ENOENT);
	close(listener);
	close(dir);
}
END_TEST

START_TEST(files_are_made_to_be_appended_to)
{
	int dir = -1, fd = -1;
	char text[8] = "";

	ck_assert_int_eq(run_dir_open(root_fd, "run", &dir), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(run_dir_open_append(dir, "appended", &fd), 0);
		ck_assert_int_eq(write(fd, "ab", 2), 2);
		ck_assert_int_eq(pread(fd, text, sizeof(text), 0), 2 * (i + 1));
		close(fd);
	}
	ck_assert_str_eq(text, "abab");
	fd = -1;
	ck_assert_int_eq(symlinkat("elsewhere", dir, "dangling"), 0);
	ck_assert_int_eq(run_dir_open_append(dir, "dangling", &fd), -ELOOP);
	ck_assert_int_eq(faccessat(dir, "elsewhere", F_OK, 0), -1);
	ck_assert_int_eq(run_dir_open_append(dir, "../made", &fd), -EXDEV);
	ck_assert_int_eq(run_dir_open_append(dir, "sub", &fd), -EISDIR);
	ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
	ck_assert_int_eq(run_dir_open_append(dir, "fifo", &fd), -ENXIO);
	ck_assert_int_eq(fd, -1);
	close(dir);
}
END_TEST

START_TEST(folders_are_made_where_there_are_none)
{
	bool is_new = false;
	int fd = -1;

	ck_assert_int_eq(run_dir_make(root_fd, "made", &is_new, &fd), 0);
	ck_assert(is_new);
	ck_assert_int_eq(run_dir_sync(fd), 0);
	close(fd);
	ck_assert_int_eq(run_dir_make(root_fd, "made", &is_new, &fd), 0);
	ck_assert(!is_new);
	close(fd);
	fd = -1;
	ck_assert_int_eq(symlinkat("/tmp", root_fd, "away"), 0);
	ck_assert_int_eq(run_dir_make(root_fd, "away", &is_new, &fd), -ELOOP);
	ck_assert_int_eq(run_dir_make(root_fd, "outside", NULL, &fd), -ENOTDIR);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(run_dir_sync(root_fd), 0);
}
END_TEST

/* As the filter of a container does that does not know the call. */
static void
take_openat2_away(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

	set_up();
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	ck_assert_int_eq(syscall(SYS_openat2, root_fd, "run", NULL, 0), -1);
	ck_assert_int_eq(errno, ENOSYS);
}

static void
add_tests(Suite *suite, const char *name, SFun begin)
{
	TCase *tests = tcase_create(name);

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, begin, tear_down);
	tcase_add_test(tests, folders_and_regular_files_are_opened);
	tcase_add_test(tests, symbolic_links_are_refused_wherever_they_stand);
	tcase_add_test(tests, paths_that_lead_out_are_refused);
	tcase_add_test(tests, what_is_no_regular_file_is_refused_at_once);
	tcase_add_test(tests, files_are_made_to_be_appended_to);
	tcase_add_test(tests, folders_are_made_where_there_are_none);
}

int
main(void)
{
	Suite *suite = suite_create("run_dir");
	SRunner *runner;
	int failed;

	add_tests(suite, "by openat2", set_up);
	add_tests(suite, "where there is no openat2", take_openat2_away);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
