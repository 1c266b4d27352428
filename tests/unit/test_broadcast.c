/* Announcements: what is refused, and what they look like in a stream and in a file. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/broadcast.h"
#include "model/json_scan.h"

static struct broadcast
made(const char *type, const char *data)
{
	return (struct broadcast){ .type = type, .type_length = strlen(type), .data = data,
		                      .data_length = data ? strlen(data) : 0 };
}

START_TEST(what_cannot_be_sent_is_named)
{
	static const struct {
		const char *type, *data, *problem;
	} cases[] = {
		{ "", NULL, "type must not be empty" },
		{ "a\nb", NULL, "type must not hold control" },
		{ "a\x7f", NULL, "type must not hold control" },
		{ "\xff", NULL, "type must be UTF-8" },
		{ "t", "", "data must be valid JSON, in which a text is in double quotes" },
		{ "t", "{", "data must be valid JSON, in which a text is in double quotes" },
		{ "t", "{} {}", "data must be valid JSON, in which a text is in double quotes" },
		{ "t", "\"a\nb\"", "data must be valid JSON, in which a text is in double quotes" },
		{ "t", "\"\xff\"", "data must be valid JSON, in which a text is in double quotes" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct broadcast a = made(cases[i].type, cases[i].data);
		const char *problem = broadcast_problem(&a);

		ck_assert_ptr_nonnull(problem);
		ck_assert_msg(strncmp(problem, cases[i].problem, strlen(cases[i].problem)) == 0,
		              "%zu: %s", i, problem);
	}
}
END_TEST

START_TEST(the_longest_may_be_sent_and_one_byte_more_may_not)
{
	static char type[EVENT_TYPE_BYTES + 2], data[BROADCAST_DATA_BYTES + 2];
	struct broadcast a;

	memset(type, 't', EVENT_TYPE_BYTES);
	memset(data, ' ', BROADCAST_DATA_BYTES);
	data[0] = '1';
	a = made(type, data);
	ck_assert_ptr_null(broadcast_problem(&a));
	a.data_length++;
	data[BROADCAST_DATA_BYTES] = ' ';
	ck_assert_ptr_nonnull(broadcast_problem(&a));
	type[EVENT_TYPE_BYTES] = 't';
	a = made(type, NULL);
	ck_assert_ptr_nonnull(broadcast_problem(&a));
}
END_TEST

static void
check_event(const char *type, const char *data, const char *expected)
{
	struct broadcast a = made(type, data);
	struct buf text = BUF_INIT;

	ck_assert_ptr_null(broadcast_problem(&a));
	broadcast_put(&text, &a, 1770229842569);
	ck_assert_str_eq(buf_string(&text), expected);
	buf_fini(&text);
}

START_TEST(it_becomes_an_event_of_one_line_without_an_id)
{
	check_event("deploy", NULL,
	            "event: event\ndata: {\"type\":\"deploy\",\"time\":\"2026-02-04T18:30:42.569Z\"}\n\n");
	check_event("a\"b", "{\n\r\"x\": [1,\n 2]}\n",
	            "event: event\ndata: {\"type\":\"a\\\"b\",\"time\":\"2026-02-04T18:30:42.569Z\","
	            "\"data\":{  \"x\": [1,  2]} }\n\n");
	check_event("n", "12345678901234567890.50",
	            "event: event\ndata: {\"type\":\"n\",\"time\":\"2026-02-04T18:30:42.569Z\","
	            "\"data\":12345678901234567890.50}\n\n");
}
END_TEST

static void
check_object(const char *type, const char *data, const char *expected)
{
	struct broadcast a = made(type, data);
	struct json_value value;
	struct buf text = BUF_INIT;

	ck_assert_ptr_null(broadcast_problem(&a));
	broadcast_put_object(&text, &a);
	ck_assert_str_eq(buf_string(&text), expected);
	ck_assert_int_eq(json_scan(text.data, text.length_bytes, &value), 0);
	buf_fini(&text);
}

START_TEST(it_becomes_an_object_that_can_be_recorded)
{
	check_object("deploy", NULL, "{\"type\":\"deploy\"}");
	check_object("deploy", "{\"unit\":\"auth\",\n\"n\" : [1,\n2]}",
	             "{\"type\":\"deploy\",\"unit\":\"auth\",\"n\":[1, 2]}");
	check_object("deploy", "{ }", "{\"type\":\"deploy\"}");
	check_object("deploy", "[1]", "{\"type\":\"deploy\",\"data\":[1]}");
	check_object("deploy", "\n\"x\"", "{\"type\":\"deploy\",\"data\": \"x\"}");
	check_object("deploy", "null", "{\"type\":\"deploy\",\"data\":null}");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("broadcast");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, what_cannot_be_sent_is_named);
	tcase_add_test(tests, the_longest_may_be_sent_and_one_byte_more_may_not);
	tcase_add_test(tests, it_becomes_an_event_of_one_line_without_an_id);
	tcase_add_test(tests, it_becomes_an_object_that_can_be_recorded);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
