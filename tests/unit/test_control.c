#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shm/control.h"
#include "supervisor/control.h"
#include "supervisor/sockets.h"

static char directory[64], path[80];
static struct loop *loop;
static struct control *control;
static int calls;

static int
command_ping(void *arg, struct control_answer *answer)
{
	(*(int *)arg)++;
	json_object_object_add(answer->object, "pong", json_object_new_int(7));
	answer->fds[answer->fd_count++] = STDIN_FILENO;
	return 0;
}

static int
command_fail(void *arg, struct control_answer *answer)
{
	(void)arg;
	json_object_object_add(answer->object, "pong", json_object_new_int(7));
	buf_puts(&answer->sentence, "it \"failed\"");
	return -EIO;
}

static const struct control_command commands[] = { { "ping", command_ping },
	                                           { "fail", command_fail } };

static void
set_up(void)
{
	struct buf sentence = BUF_INIT;
	int fd;

	strcpy(directory, "/tmp/test_control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/control.sock", directory);
	ck_assert_int_eq(loop_new(&loop), 0);
	fd = sockets_listen(path, SOCK_SEQPACKET, 0600, (gid_t)-1, &sentence);
	ck_assert_int_ge(fd, 0);
	calls = 0;
	ck_assert_int_eq(control_new(loop, fd, commands, 2, &calls, &control), 0);
}

static void
tear_down(void)
{
	control_free(&control);
	loop_free(&loop);
	unlink(path);
	rmdir(directory);
}

static int
connect_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(loop_turn(loop, 1000), 0);
	return fd;
}

static const char *
ask(int client, const char *request, size_t length, size_t *ret_fds)
{
	static char answer[CONTROL_MESSAGE_BYTES + 1];
	int fds[4] = { -1, -1, -1, -1 };
	ssize_t n;

	ck_assert_int_eq(send(client, request, length, 0), (ssize_t)length);
	ck_assert_int_eq(loop_turn(loop, 1000), 0);
	n = fd_receive(client, answer, CONTROL_MESSAGE_BYTES, fds, 4, ret_fds);
	for (size_t i = 0; i < 4; i++)
		fd_close(&fds[i]);
	if (n < 0)
		return strerror((int)-n);
	answer[n] = '\0';
	return answer;
}

START_TEST(a_command_is_answered_with_its_descriptors)
{
	static const char request[] = "{\"command\":\"ping\",\"more\":1}";
	int client = connect_client();
	size_t fds;

	for (int i = 1; i <= 3; i++) {
		ck_assert_str_eq(ask(client, request, strlen(request), &fds),
		                 "{\"ok\":true,\"pong\":7}");
		ck_assert_uint_eq(fds, 1);
		ck_assert_int_eq(calls, i);
	}
	fd_close(&client);
}
END_TEST

START_TEST(a_failure_is_answered_with_its_sentence_alone)
{
	static const char request[] = "{\"command\":\"fail\"}";
	int client = connect_client();
	size_t fds;

	ck_assert_str_eq(ask(client, request, strlen(request), &fds),
	                 "{\"ok\":false,\"error\":\"it \\\"failed\\\"\"}");
	ck_assert_uint_eq(fds, 0);
	fd_close(&client);
}
END_TEST

START_TEST(what_is_no_request_is_told_so_and_does_no_harm)
{
	static const struct {
		const char *text;
		size_t length;
	} requests[] = {
#define REQUEST(text) { text, sizeof(text) - 1 }
		REQUEST("x"), REQUEST("{}"), REQUEST("[]"), REQUEST("\"ping\""), REQUEST("null"),
		REQUEST("{\"command\":1}"), REQUEST("{\"command\":null}"), REQUEST("{\"command\""),
		REQUEST("{\"command\":\"ping\"} x"), REQUEST("{\"command\":\"ping\"}{}"),
		REQUEST("{\"command\":\"ping\\u0000\"}"), REQUEST("{\"command\":\"ping\"\0}"),
		REQUEST("{\"command\":\"\xff\"}"), REQUEST("[[[[[[[[[[[[[[[[[["), REQUEST("\0"),
	};
	int client = connect_client();
	size_t fds;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		ck_assert_ptr_nonnull(strstr(ask(client, requests[i].text, requests[i].length, &fds),
		                             "\"ok\":false,\"error\":\"not a request"));
	ck_assert_int_eq(calls, 0);
	fd_close(&client);
}
END_TEST

START_TEST(an_unknown_command_gets_the_nearest_one_named)
{
	static const char near[] = "{\"command\":\"pnig\"}", far[] = "{\"command\":\"elephant\"}";
	int client = connect_client();
	size_t fds;

	ck_assert_str_eq(ask(client, near, strlen(near), &fds),
	                 "{\"ok\":false,\"error\":\"unknown command \\\"pnig\\\"; did you mean "
	                 "\\\"ping\\\"?\"}");
	ck_assert_str_eq(ask(client, far, strlen(far), &fds),
	                 "{\"ok\":false,\"error\":\"unknown command \\\"elephant\\\"\"}");
	fd_close(&client);
}
END_TEST

START_TEST(a_message_that_is_too_long_is_refused)
{
	int client = connect_client();
	char *text = malloc(CONTROL_MESSAGE_BYTES + 1);
	size_t fds;

	ck_assert_ptr_nonnull(text);
	memset(text, ' ', CONTROL_MESSAGE_BYTES + 1);
	memcpy(text, "{\"command\":\"ping\"}", 18);
	ck_assert_ptr_nonnull(strstr(ask(client, text, CONTROL_MESSAGE_BYTES, &fds), "true"));
	ck_assert_ptr_nonnull(strstr(ask(client, text, CONTROL_MESSAGE_BYTES + 1, &fds), "false"));
	ck_assert_int_eq(calls, 1);
	free(text);
	fd_close(&client);
}
END_TEST

START_TEST(who_does_not_read_is_closed_and_others_are_served)
{
	static const char request[] = "{\"command\":\"ping\"}";
	int flooder = connect_client(), client = connect_client();
	size_t fds;

	for (int i = 0; i < 10000; i++) {
		if (send(flooder, request, strlen(request), MSG_NOSIGNAL) < 0 && errno == EPIPE)
			break;
		ck_assert_int_eq(loop_turn(loop, 0), 0);
		ck_assert_int_lt(i, 9999);
	}
	ck_assert_ptr_nonnull(strstr(ask(client, request, strlen(request), &fds), "true"));
	fd_close(&flooder);
	fd_close(&client);
}
END_TEST

START_TEST(one_client_too_many_ends_the_one_that_was_silent_for_longest)
{
	static const char request[] = "{\"command\":\"ping\"}";
	int clients[CONTROL_CLIENTS_MAX + 1], closed = 0;
	size_t fds;
	char byte;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 1; i++)
		clients[i] = connect_client();
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 1; i++)
		closed += recv(clients[i], &byte, 1, MSG_DONTWAIT) == 0;
	ck_assert_int_eq(closed, 1);
	ck_assert_ptr_nonnull(strstr(ask(clients[CONTROL_CLIENTS_MAX], request, strlen(request),
	                                 &fds), "true"));
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 1; i++)
		fd_close(&clients[i]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("control");
	TCase *tests = tcase_create("control");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_command_is_answered_with_its_descriptors);
	tcase_add_test(tests, a_failure_is_answered_with_its_sentence_alone);
	tcase_add_test(tests, what_is_no_request_is_told_so_and_does_no_harm);
	tcase_add_test(tests, an_unknown_command_gets_the_nearest_one_named);
	tcase_add_test(tests, a_message_that_is_too_long_is_refused);
	tcase_add_test(tests, who_does_not_read_is_closed_and_others_are_served);
	tcase_add_test(tests, one_client_too_many_ends_the_one_that_was_silent_for_longest);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
