#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "supervisor/sockets.h"

static char directory[64];
static int control_fd;
static struct buf sentence;

static void
set_up(void)
{
	strcpy(directory, "/tmp/test_sockets.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
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

static int
connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, name);
	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fd_close(&fd);
	return fd;
}

START_TEST(each_worker_gets_a_socket_with_the_right_mode)
{
	struct sockets sockets = { .count = 0 };
	mode_t mask = umask(0);

	ck_assert_int_eq(sockets_make(directory, 3, 0640, (gid_t)-1, &sockets, &sentence), 0);
	ck_assert_uint_eq(umask(mask), 0);
	ck_assert_uint_eq(sockets.count, 3);
	for (unsigned i = 0; i < 3; i++) {
		char name[32], path[128];
		struct stat status;
		int fd, accepted;

		snprintf(name, sizeof(name), "worker-%u.sock", i + 1);
		snprintf(path, sizeof(path), "%s/%s", directory, name);
		ck_assert_int_eq(stat(path, &status), 0);
		ck_assert(S_ISSOCK(status.st_mode));
		ck_assert_uint_eq(status.st_mode & 07777, 0640);
		ck_assert(fcntl(sockets.fds[i], F_GETFD) & FD_CLOEXEC);
		ck_assert_int_eq(accept(sockets.fds[i], NULL, NULL), -1);
		ck_assert_int_eq(errno, EAGAIN);
		fd = connect_to(name);
		ck_assert_int_ge(fd, 0);
		accepted = accept(sockets.fds[i], NULL, NULL);
		ck_assert_int_ge(accepted, 0);
		fd_close(&accepted);
		fd_close(&fd);
	}
	sockets_close(&sockets);
	ck_assert_int_eq(connect_to("worker-1.sock"), -1);
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
	struct sockets sockets = { .count = 0 };
	int fd;

	ck_assert_int_eq(sockets_make(directory, 1, 0600, (gid_t)-1, &sockets, &sentence), 0);
	sockets_close(&sockets);
	ck_assert_int_eq(sockets_make(directory, 1, 0600, (gid_t)-1, &sockets, &sentence), 0);
	fd = connect_to("worker-1.sock");
	ck_assert_int_ge(fd, 0);
	fd_close(&fd);
	sockets_close(&sockets);
}
END_TEST

START_TEST(a_socket_that_cannot_be_made_is_named)
{
	struct sockets sockets = { .count = 7 };
	char expected[160], in_the_way[128], longest[120];

	snprintf(in_the_way, sizeof(in_the_way), "%s/worker-2.sock", directory);
	ck_assert_int_eq(mkdir(in_the_way, 0700), 0);
	ck_assert_int_lt(sockets_make(directory, 2, 0600, (gid_t)-1, &sockets, &sentence), 0);
	snprintf(expected, sizeof(expected), "%s: Is a directory", in_the_way);
	ck_assert_str_eq(buf_string(&sentence), expected);
	ck_assert_uint_eq(sockets.count, 7);

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	buf_clear(&sentence);
	ck_assert_int_eq(sockets_listen(longest, SOCK_STREAM, 0600, (gid_t)-1, &sentence),
	                 -ENAMETOOLONG);
}
END_TEST

/* Puts what a service manager would in the variables, for this process. */
static void
hand_over(const char *count, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", (int)pid);
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", count, 1);
	setenv("LISTEN_FDNAMES", "a:b", 1);
}

START_TEST(sockets_that_were_handed_over_are_taken)
{
	struct sockets made = { .count = 0 }, sockets = { .count = 0 };

	ck_assert_int_eq(sockets_make(directory, 2, 0600, (gid_t)-1, &made, &sentence), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_ge(fcntl(made.fds[i], F_DUPFD, 20), 0);
		/* Blocking and inherited, as they would come. */
		ck_assert_int_eq(fcntl(20 + i, F_SETFL, 0), 0);
	}
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(dup2(20 + i, 3 + i), 3 + i);
	hand_over("2", getpid());
	ck_assert_int_eq(sockets_take(&sockets, &control_fd, &sentence), 0);
	ck_assert_uint_eq(sockets.count, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sockets.fds[i], 3 + i);
		ck_assert(fcntl(3 + i, F_GETFD) & FD_CLOEXEC);
		ck_assert(fcntl(3 + i, F_GETFL) & O_NONBLOCK);
	}
	ck_assert_ptr_null(getenv("LISTEN_PID"));
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_ptr_null(getenv("LISTEN_FDNAMES"));
}
END_TEST

START_TEST(the_one_that_is_named_control_is_the_control_socket)
{
	struct sockets made = { .count = 0 }, sockets = { .count = 0 };
	char path[128];
	int fds[3];

	snprintf(path, sizeof(path), "%s/control.sock", directory);
	ck_assert_int_eq(sockets_make(directory, 2, 0600, (gid_t)-1, &made, &sentence), 0);
	fds[0] = made.fds[0];
	fds[1] = sockets_listen(path, SOCK_SEQPACKET, 0600, (gid_t)-1, &sentence);
	fds[2] = made.fds[1];
	for (int i = 0; i < 3; i++)
		ck_assert_int_ge(dup2(fds[i], 20 + i), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(dup2(20 + i, 3 + i), 3 + i);
	hand_over("3", getpid());
	setenv("LISTEN_FDNAMES", "runstreamd.socket:control", 1);
	ck_assert_int_eq(sockets_take(&sockets, &control_fd, &sentence), 0);
	ck_assert_int_eq(control_fd, 4);
	ck_assert_uint_eq(sockets.count, 2);
	ck_assert_int_eq(sockets.fds[0], 3);
	ck_assert_int_eq(sockets.fds[1], 5);

	hand_over("3", getpid());
	setenv("LISTEN_FDNAMES", "a:b:control", 1);
	ck_assert_int_eq(sockets_take(&sockets, &control_fd, &sentence), -EINVAL);
	ck_assert_str_eq(buf_string(&sentence),
	                 "descriptor 4 (LISTEN_FDS): not a listening stream socket");
	buf_clear(&sentence);
	hand_over("3", getpid());
	setenv("LISTEN_FDNAMES", "a:control:control", 1);
	ck_assert_int_eq(sockets_take(&sockets, &control_fd, &sentence), -EINVAL);
	ck_assert_str_eq(buf_string(&sentence), "LISTEN_FDNAMES: more than one \"control\"");
}
END_TEST

START_TEST(sockets_of_somebody_else_are_left_alone)
{
	struct sockets sockets = { .count = 7 };

	hand_over("2", getpid() + 1);
	ck_assert_int_eq(sockets_take(&sockets, &control_fd, &sentence), 0);
	ck_assert_uint_eq(sockets.count, 0);
	ck_assert_int_eq(control_fd, -1);
	hand_over("two", getpid());
	ck_assert_int_eq(sockets_take(&sockets, &control_fd, &sentence), 0);
	ck_assert_uint_eq(sockets.count, 0);
}
END_TEST

START_TEST(what_is_not_a_listening_socket_is_refused)
{
	struct sockets sockets;
	int null = open("/dev/null", O_RDONLY);

	ck_assert_int_ge(null, 0);
	ck_assert_int_eq(dup2(null, 3), 3);
	hand_over("1", getpid());
	ck_assert_int_eq(sockets_take(&sockets, &control_fd, &sentence), -EINVAL);
	ck_assert_str_eq(buf_string(&sentence),
	                 "descriptor 3 (LISTEN_FDS): not a listening stream socket");
	buf_clear(&sentence);
	hand_over("66", getpid());
	ck_assert_int_eq(sockets_take(&sockets, &control_fd, &sentence), -EINVAL);
	ck_assert_str_eq(buf_string(&sentence), "LISTEN_FDS: more than 64 sockets");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sockets");
	TCase *tests = tcase_create("sockets");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, each_worker_gets_a_socket_with_the_right_mode);
	tcase_add_test(tests, a_stale_socket_is_replaced);
	tcase_add_test(tests, a_socket_that_cannot_be_made_is_named);
	tcase_add_test(tests, sockets_that_were_handed_over_are_taken);
	tcase_add_test(tests, the_one_that_is_named_control_is_the_control_socket);
	tcase_add_test(tests, sockets_of_somebody_else_are_left_alone);
	tcase_add_test(tests, what_is_not_a_listening_socket_is_refused);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
