/* Orders to the children: they arrive as they were sent, and nothing else does. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "shm/orders.h"

static int pair[2];
static struct buf message;
static struct order order;

static void
set_up(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	buf_init(&message);
}

static void
tear_down(void)
{
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	buf_fini(&message);
}

static int
passed_on(const void *bytes, size_t length)
{
	ck_assert_int_eq(fd_send(pair[0], bytes, length, NULL, 0), 0);
	return orders_receive(pair[1], &order);
}

START_TEST(settings_arrive)
{
	struct settings settings;

	ck_assert_int_eq(settings_init(&settings), 0);
	settings.api.sse.retry_ms = 777;
	orders_put_settings(&message, &settings);
	ck_assert_int_eq(passed_on(message.data, message.length_bytes), 1);
	ck_assert_int_eq(order.kind, ORDER_SETTINGS);
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		ck_assert(settings_equal(&settings, &order.settings, &settings_keys[i]));
	order_fini(&order);
	settings_fini(&settings);
}
END_TEST

START_TEST(a_set_of_sockets_arrives)
{
	orders_put_listen(&message, UINT64_MAX - 1);
	ck_assert_int_eq(passed_on(message.data, message.length_bytes), 1);
	ck_assert_int_eq(order.kind, ORDER_LISTEN);
	ck_assert_uint_eq(order.listen_set, UINT64_MAX - 1);
}
END_TEST

START_TEST(a_kick_arrives)
{
	orders_put_kick(&message, UINT64_MAX);
	ck_assert_int_eq(passed_on(message.data, message.length_bytes), 1);
	ck_assert_int_eq(order.kind, ORDER_KICK);
	ck_assert_uint_eq(order.client, UINT64_MAX);
	order_fini(&order);
}
END_TEST

START_TEST(a_broadcast_arrives_with_and_without_data)
{
	static char type[EVENT_TYPE_BYTES], data[BROADCAST_DATA_BYTES];
	struct broadcast b = { .type = "deploy", .type_length = 6 };

	orders_put_broadcast(&message, &b);
	ck_assert_int_eq(passed_on(message.data, message.length_bytes), 1);
	ck_assert_int_eq(order.kind, ORDER_BROADCAST);
	ck_assert_uint_eq(order.broadcast.type_length, 6);
	ck_assert_mem_eq(order.broadcast.type, "deploy", 6);
	ck_assert_ptr_null(order.broadcast.data);
	order_fini(&order);

	/* The largest there may be. */
	memset(type, 't', sizeof(type));
	memset(data, '\n', sizeof(data));
	data[sizeof(data) - 1] = '7';
	b = (struct broadcast){ type, sizeof(type), data, sizeof(data) };
	buf_clear(&message);
	orders_put_broadcast(&message, &b);
	ck_assert_uint_le(message.length_bytes, ORDER_BYTES);
	ck_assert_int_eq(passed_on(message.data, message.length_bytes), 1);
	ck_assert_uint_eq(order.broadcast.type_length, sizeof(type));
	ck_assert_uint_eq(order.broadcast.data_length, sizeof(data));
	ck_assert_mem_eq(order.broadcast.data, data, sizeof(data));
	order_fini(&order);
}
END_TEST

START_TEST(an_empty_socket_and_a_closed_one_are_told_apart)
{
	ck_assert_int_eq(orders_receive(pair[1], &order), -EAGAIN);
	fd_close(&pair[0]);
	ck_assert_int_eq(orders_receive(pair[1], &order), 0);
}
END_TEST

START_TEST(what_is_no_order_is_refused)
{
#define MESSAGE(text) { text, sizeof(text) - 1 }
	static const struct {
		const char *text;
		size_t length;
	} bad[] = {
		MESSAGE("\n"), MESSAGE("kick"), MESSAGE("kick\n"), MESSAGE("kick\n7"), MESSAGE("kick\n\n"),
		MESSAGE("kick\n-7\n"), MESSAGE("kick\n7\n\n"), MESSAGE("kick\n18446744073709551616\n"),
		MESSAGE("kick\n7\0\n"), MESSAGE("broadcast\n"), MESSAGE("broadcast\n\n"),
		MESSAGE("broadcast\nt"), MESSAGE("broadcast\nt\nx"), MESSAGE("broadcast\nt\n{}x"),
		MESSAGE("broadcast\nt\t\n{}"), MESSAGE("broadcast\n\xff\n"), MESSAGE("broadcast\nt\n1\0"),
		MESSAGE("settings\n"), MESSAGE("Settings\n"), MESSAGE("orders\n"), MESSAGE("\0"),
	};
	char *long_one = malloc(ORDER_BYTES + 1);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(passed_on(bad[i].text, bad[i].length) == -EBADMSG, "%zu: %s", i,
		              bad[i].text);
	ck_assert_ptr_nonnull(long_one);
	memset(long_one, ' ', ORDER_BYTES + 1);
	memcpy(long_one, "broadcast\nt\n1", 13);
	ck_assert_int_eq(passed_on(long_one, ORDER_BYTES + 1), -EBADMSG);
	free(long_one);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("orders");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, settings_arrive);
	tcase_add_test(tests, a_set_of_sockets_arrives);
	tcase_add_test(tests, a_kick_arrives);
	tcase_add_test(tests, a_broadcast_arrives_with_and_without_data);
	tcase_add_test(tests, an_empty_socket_and_a_closed_one_are_told_apart);
	tcase_add_test(tests, what_is_no_order_is_refused);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
