#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "supervisor/runtime_dir.h"
#include "supervisor/sockets.h"

static char directory[64], path[80];
static struct buf sentence;

static void
set_up(void)
{
	strcpy(directory, "/tmp/test_runtime_dir.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/run", directory);
	buf_init(&sentence);
}

static void
tear_down(void)
{
	char command[128];

	buf_fini(&sentence);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static bool
exists(const char *name)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/%s", path, name);
	return access(file, F_OK) == 0;
}

static void
touch(const char *name)
{
	char file[128];
	FILE *stream;

	snprintf(file, sizeof(file), "%s/%s", path, name);
	stream = fopen(file, "w");
	ck_assert_ptr_nonnull(stream);
	fclose(stream);
}

START_TEST(it_is_made_with_its_mode_whatever_the_umask)
{
	struct stat status;
	mode_t mask = umask(0077);

	ck_assert_int_eq(runtime_dir_make(path, &sentence), 0);
	umask(mask);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0755);
	ck_assert_int_eq(runtime_dir_make(path, &sentence), 0);
}
END_TEST

START_TEST(what_others_may_have_put_there_is_refused)
{
	char expected[256];

	ck_assert_int_eq(symlink(directory, path), 0);
	ck_assert_int_lt(runtime_dir_make(path, &sentence), 0);
	snprintf(expected, sizeof(expected),
	         "%s: must be a directory, and not a symbolic link to one", path);
	ck_assert_str_eq(buf_string(&sentence), expected);
	ck_assert_int_eq(unlink(path), 0);

	buf_clear(&sentence);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(chmod(path, 0757), 0);
	ck_assert_int_eq(runtime_dir_make(path, &sentence), -EPERM);
	snprintf(expected, sizeof(expected), "%s: others may write to it (mode 0757)", path);
	ck_assert_str_eq(buf_string(&sentence), expected);

	if (geteuid() == 0) {
		buf_clear(&sentence);
		ck_assert_int_eq(chown(path, 65534, (gid_t)-1), 0);
		ck_assert_int_eq(runtime_dir_make(path, &sentence), -EPERM);
		snprintf(expected, sizeof(expected), "%s: belongs to user 65534, not to us (0)", path);
		ck_assert_str_eq(buf_string(&sentence), expected);
	}

	buf_clear(&sentence);
	ck_assert_int_eq(runtime_dir_make("/nowhere/at/all", &sentence), -ENOENT);
	ck_assert_str_eq(buf_string(&sentence),
	                 "/nowhere/at/all: cannot be made: No such file or directory");
}
END_TEST

START_TEST(the_lock_is_held_by_whoever_inherited_it)
{
	int fd = -1, again = -1, gate[2], status;
	pid_t child;

	ck_assert_int_eq(runtime_dir_make(path, &sentence), 0);
	ck_assert_int_eq(runtime_dir_lock(path, 0, &fd, &sentence), 0);
	ck_assert_int_eq(pipe(gate), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		char byte;

		close(gate[1]);
		_exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
	}
	fd_close(&fd);
	ck_assert_int_eq(runtime_dir_lock(path, 0, &again, &sentence), -ETIMEDOUT);
	ck_assert_int_eq(again, -1);
	ck_assert_ptr_nonnull(strstr(buf_string(&sentence), "earlier instance do not end"));
	close(gate[1]);
	ck_assert_int_eq(runtime_dir_lock(path, 10000, &again, &sentence), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	runtime_dir_unlock(path, &again);
	ck_assert_int_eq(again, -1);
	ck_assert(!exists(RUNTIME_DIR_LOCK));
	close(gate[0]);
}
END_TEST

START_TEST(a_supervisor_that_is_alive_is_named)
{
	char control[128], expected[64];
	int fd = -1, again = -1, listener;

	ck_assert_int_eq(runtime_dir_make(path, &sentence), 0);
	ck_assert_int_eq(runtime_dir_lock(path, 0, &fd, &sentence), 0);
	snprintf(control, sizeof(control), "%s/control.sock", path);
	listener = sockets_listen(control, SOCK_SEQPACKET, 0600, (gid_t)-1, &sentence);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(runtime_dir_lock(path, 60000, &again, &sentence), -EALREADY);
	snprintf(expected, sizeof(expected), "already running (pid %d)", (int)getpid());
	ck_assert_str_eq(buf_string(&sentence), expected);
	fd_close(&listener);
	runtime_dir_unlock(path, &fd);
}
END_TEST

START_TEST(the_pid_file_is_replaced_and_cleared_with_the_rest)
{
	char file[128], text[32];
	FILE *stream;

	ck_assert_int_eq(runtime_dir_make(path, &sentence), 0);
	touch(RUNTIME_DIR_PID_FILE);
	touch("control.sock");
	touch("worker-1.sock");
	touch("worker-64.sock");
	touch("worker-65.sock");
	ck_assert_int_eq(runtime_dir_write_pid(path, &sentence), 0);
	snprintf(file, sizeof(file), "%s/" RUNTIME_DIR_PID_FILE, path);
	stream = fopen(file, "r");
	ck_assert_ptr_nonnull(stream);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), stream));
	fclose(stream);
	ck_assert_int_eq(atoi(text), getpid());

	runtime_dir_clear(path, false, false);
	ck_assert(!exists(RUNTIME_DIR_PID_FILE));
	ck_assert(exists("control.sock"));
	ck_assert(exists("worker-1.sock"));
	runtime_dir_clear(path, true, false);
	ck_assert(!exists("control.sock"));
	ck_assert(exists("worker-1.sock"));
	runtime_dir_clear(path, true, true);
	ck_assert(!exists("worker-1.sock") && !exists("worker-64.sock"));
	ck_assert(exists("worker-65.sock"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("runtime_dir");
	TCase *tests = tcase_create("runtime_dir");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, it_is_made_with_its_mode_whatever_the_umask);
	tcase_add_test(tests, what_others_may_have_put_there_is_refused);
	tcase_add_test(tests, the_lock_is_held_by_whoever_inherited_it);
	tcase_add_test(tests, a_supervisor_that_is_alive_is_named);
	tcase_add_test(tests, the_pid_file_is_replaced_and_cleared_with_the_rest);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
