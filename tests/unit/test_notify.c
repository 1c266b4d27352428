#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "supervisor/notify.h"

static char path[64];
static int manager; /* the service manager's end */
static struct notify notify;
static struct buf sentence;

/* A name with @ is an abstract one. */
static void
listen_at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(manager, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&address,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void
set_up(void)
{
	snprintf(path, sizeof(path), "/tmp/test_notify.%d", (int)getpid());
	manager = -1;
	buf_init(&sentence);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static void
tear_down(void)
{
	notify_close(&notify);
	fd_close(&manager);
	unlink(path);
	buf_fini(&sentence);
}

static const char *
next_message(void)
{
	static char text[512];
	ssize_t n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);

	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	return text;
}

START_TEST(without_a_manager_nothing_is_said)
{
	setenv("WATCHDOG_USEC", "1000000", 1);
	ck_assert_int_eq(notify_open(&notify, &sentence), 0);
	ck_assert_int_eq(notify.fd, -1);
	ck_assert_int_eq(notify.watchdog_ms, 0);
	notify_send(&notify, "READY=1");
	notify_reloading(&notify);
}
END_TEST

START_TEST(messages_reach_the_manager_whole)
{
	listen_at(path);
	ck_assert_int_eq(notify_open(&notify, &sentence), 0);
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	notify_send(&notify, "READY=1\nSTATUS=%s %d", "workers:", 3);
	ck_assert_str_eq(next_message(), "READY=1\nSTATUS=workers: 3");
}
END_TEST

START_TEST(an_abstract_name_is_taken)
{
	char name[64];

	snprintf(name, sizeof(name), "@test_notify.%d", (int)getpid());
	listen_at(name);
	ck_assert_int_eq(notify_open(&notify, &sentence), 0);
	notify_send(&notify, "STOPPING=1");
	ck_assert_str_eq(next_message(), "STOPPING=1");
}
END_TEST

START_TEST(a_reload_says_when_it_began)
{
	int64_t before_us = clock_now_ns() / 1000;
	long long said_us;

	listen_at(path);
	ck_assert_int_eq(notify_open(&notify, &sentence), 0);
	notify_reloading(&notify);
	ck_assert_int_eq(sscanf(next_message(), "RELOADING=1\nMONOTONIC_USEC=%lld", &said_us), 1);
	ck_assert_int_ge(said_us, before_us);
	ck_assert_int_le(said_us, clock_now_ns() / 1000);
}
END_TEST

START_TEST(the_watchdog_of_this_process_is_known_and_no_other)
{
	char pid[32];

	listen_at(path);
	setenv("WATCHDOG_USEC", "30000000", 1);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	ck_assert_int_eq(notify_open(&notify, &sentence), 0);
	ck_assert_int_eq(notify.watchdog_ms, 30000);
	ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
	ck_assert_ptr_null(getenv("WATCHDOG_PID"));
	notify_close(&notify);

	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	ck_assert_int_eq(notify_open(&notify, &sentence), 0);
	ck_assert_int_eq(notify.watchdog_ms, 0);
	notify_close(&notify);

	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "soon", 1);
	ck_assert_int_eq(notify_open(&notify, &sentence), 0);
	ck_assert_int_eq(notify.watchdog_ms, 0);
}
END_TEST

START_TEST(a_socket_that_is_not_there_is_named)
{
	char expected[128], longest[200] = "/";

	setenv("NOTIFY_SOCKET", path, 1);
	ck_assert_int_eq(notify_open(&notify, &sentence), -ENOENT);
	snprintf(expected, sizeof(expected), "NOTIFY_SOCKET: %s: No such file or directory", path);
	ck_assert_str_eq(buf_string(&sentence), expected);
	ck_assert_int_eq(notify.fd, -1);
	setenv("NOTIFY_SOCKET", "relative", 1);
	ck_assert_int_eq(notify_open(&notify, &sentence), -EAFNOSUPPORT);
	memset(longest, '/', sizeof(longest) - 1);
	setenv("NOTIFY_SOCKET", longest, 1);
	ck_assert_int_eq(notify_open(&notify, &sentence), -EINVAL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("notify");
	TCase *tests = tcase_create("notify");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, without_a_manager_nothing_is_said);
	tcase_add_test(tests, messages_reach_the_manager_whole);
	tcase_add_test(tests, an_abstract_name_is_taken);
	tcase_add_test(tests, a_reload_says_when_it_began);
	tcase_add_test(tests, the_watchdog_of_this_process_is_known_and_no_other);
	tcase_add_test(tests, a_socket_that_is_not_there_is_named);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
