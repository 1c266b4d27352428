/* The commands "kick" and "broadcast": what is refused, and what the workers are told. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "shm/clients.h"
#include "shm/control.h"
#include "shm/orders.h"
#include "supervisor/client_orders.h"

enum { WORKERS = 3 };

static struct segments segments;
static struct pool pool;
static int worker_fds[1 + WORKERS]; /* their ends */
static struct control_answer answer;
static char name[CLIENTS_NAME_BYTES]; /* of the one client, which is worker 2's */
static uint64_t number;

/* Workers 1 and 2 live, 3 waits to be started again. */
static void
set_up(void)
{
	struct clients_client client = { .kind = "log" };
	struct clients *clients;
	uint32_t slot;

	pool = (struct pool){ .count = 1 + WORKERS };
	pool.parts.segments = &segments;
	for (uint32_t i = 1; i <= WORKERS; i++) {
		int pair[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
		pool.children[i].fd = pair[0];
		pool.children[i].pid = i < WORKERS ? 1 : 0;
		worker_fds[i] = pair[1];
		segments.clients[i - 1].readable = clients_create(10);
	}
	for (int i = 1; i <= 2; i++) {
		ck_assert_int_eq(clients_open(segments.clients[i].readable, true, &clients), 0);
		ck_assert_int_eq(clients_add(clients, &client, &slot, &number), 0);
		clients_close(&clients);
	}
	clients_name_format(2, number, name);
}

static void
tear_down(void)
{
	for (uint32_t i = 1; i <= WORKERS; i++) {
		fd_close(&pool.children[i].fd);
		fd_close(&worker_fds[i]);
		fd_close(&segments.clients[i - 1].readable);
	}
}

static void
end_answer(void)
{
	json_object_put(answer.object);
	buf_fini(&answer.sentence);
	answer = (struct control_answer){ 0 };
}

typedef int command_fn(struct pool *pool, struct control_answer *answer);

/* The command with the members as they stand in text; ends the last answer. */
static int
asked(command_fn *command, const char *text)
{
	struct json_object *request = json_tokener_parse(text);
	int error;

	ck_assert_ptr_nonnull(request);
	end_answer();
	answer.object = json_object_new_object();
	answer.request = request;
	error = command(&pool, &answer);
	json_object_put(request);
	return error;
}

static void
check_quiet(uint32_t worker)
{
	struct order order;

	ck_assert_int_eq(orders_receive(worker_fds[worker], &order), -EAGAIN);
}

START_TEST(a_kick_reaches_the_worker_of_the_client_alone)
{
	char request[64];
	struct order order;

	snprintf(request, sizeof(request), "{\"client\":\"%s\"}", name);
	ck_assert_int_eq(asked(client_orders_kick, request), 0);
	ck_assert_int_eq(orders_receive(worker_fds[2], &order), 1);
	ck_assert_int_eq(order.kind, ORDER_KICK);
	ck_assert_uint_eq(order.client, number);
	order_fini(&order);
	check_quiet(1);
	end_answer();
}
END_TEST

START_TEST(a_client_that_is_not_there_cannot_be_kicked)
{
	/* Of a dead worker, of the other one, of none; what is no name at all. */
	static const char *const bad[] = { "{\"client\":\"3-1\"}", "{\"client\":\"1-1\"}",
		                           "{\"client\":\"4-1\"}", "{\"client\":\"64-1\"}",
		                           "{\"client\":\"2-2\"}", "{\"client\":\"2\"}",
		                           "{\"client\":\"\"}", "{\"client\":\"2-1x\"}" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(asked(client_orders_kick, bad[i]), -ENOENT);
		ck_assert_ptr_nonnull(strstr(buf_string(&answer.sentence), "there is no such client"));
	}
	ck_assert_int_eq(asked(client_orders_kick, "{}"), -EINVAL);
	ck_assert_int_eq(asked(client_orders_kick, "{\"client\":7}"), -EINVAL);
	ck_assert_int_eq(asked(client_orders_kick, "{\"client\":\"2-1\\u0000\"}"), -EINVAL);
	for (uint32_t i = 1; i <= WORKERS; i++)
		check_quiet(i);
	end_answer();
}
END_TEST

/* What a worker that hangs has not taken fills its socket. */
static void
fill(uint32_t worker)
{
	static const char bytes[1024];

	while (fd_send(pool.children[worker].fd, bytes, sizeof(bytes), NULL, 0) == 0)
		;
}

START_TEST(a_worker_that_does_not_listen_is_not_waited_for)
{
	char request[64];

	snprintf(request, sizeof(request), "{\"client\":\"%s\"}", name);
	fill(2);
	ck_assert_int_eq(asked(client_orders_kick, request), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(buf_string(&answer.sentence), "worker 2 does not listen"));
	ck_assert_int_eq(asked(client_orders_broadcast, "{\"type\":\"t\"}"), 0);
	ck_assert_str_eq(json_object_to_json_string_ext(answer.object, JSON_C_TO_STRING_PLAIN),
	                 "{\"workers\":1,\"silent\":1}");
	fill(1);
	ck_assert_int_eq(asked(client_orders_broadcast, "{\"type\":\"t\"}"), -EAGAIN);
	ck_assert_str_eq(buf_string(&answer.sentence), "no worker listens");
	end_answer();
}
END_TEST

START_TEST(a_broadcast_reaches_every_worker_that_lives)
{
	ck_assert_int_eq(asked(client_orders_broadcast,
	                       "{\"type\":\"deploy\",\"data\":\"{\\\"n\\\": 1.50}\"}"), 0);
	for (uint32_t i = 1; i < WORKERS; i++) {
		struct order order;

		ck_assert_int_eq(orders_receive(worker_fds[i], &order), 1);
		ck_assert_int_eq(order.kind, ORDER_BROADCAST);
		ck_assert_mem_eq(order.broadcast.type, "deploy", order.broadcast.type_length);
		ck_assert_uint_eq(order.broadcast.data_length, 11);
		ck_assert_mem_eq(order.broadcast.data, "{\"n\": 1.50}", 11);
		order_fini(&order);
	}
	check_quiet(WORKERS);
	end_answer();
}
END_TEST

START_TEST(what_cannot_be_broadcast_is_refused)
{
	static const char *const bad[] = { "{}", "{\"type\":1}", "{\"type\":\"\"}",
		                           "{\"type\":\"a\\nb\"}", "{\"type\":\"a\\u0000\"}",
		                           "{\"type\":\"t\",\"data\":{}}", "{\"type\":\"t\",\"data\":null}",
		                           "{\"type\":\"t\",\"data\":\"\"}",
		                           "{\"type\":\"t\",\"data\":\"{\"}",
		                           "{\"type\":\"t\",\"data\":\"1\\u0000\"}" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(asked(client_orders_broadcast, bad[i]), -EINVAL);
		ck_assert_uint_gt(answer.sentence.length_bytes, 0);
	}
	for (uint32_t i = 1; i <= WORKERS; i++)
		check_quiet(i);
	end_answer();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("client_orders");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_kick_reaches_the_worker_of_the_client_alone);
	tcase_add_test(tests, a_client_that_is_not_there_cannot_be_kicked);
	tcase_add_test(tests, a_worker_that_does_not_listen_is_not_waited_for);
	tcase_add_test(tests, a_broadcast_reaches_every_worker_that_lives);
	tcase_add_test(tests, what_cannot_be_broadcast_is_refused);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
