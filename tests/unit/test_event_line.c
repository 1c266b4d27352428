/* Lines of events.jsonl, on their way out and on their way in. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/event_batch.h"
#include "model/event_line.h"

#define NOW "2026-02-04T18:30:42.569Z"
#define NOW_MS INT64_C(1770229842569)

static struct buf to = BUF_INIT;
static struct fault fault;
static char key[EVENT_STORED_KEY_BYTES + 1];

static void
clear(void)
{
	buf_clear(&to);
	memset(&fault, 0, sizeof(fault));
}

static void
tear_down(void)
{
	buf_fini(&to);
}

/* --- out ----------------------------------------------------------------------------------------- */

static const char *
put(const char *line)
{
	clear();
	ck_assert_int_eq(event_line_put(&to, NULL, "r \"1\"", 7, line, strlen(line)), 0);
	return buf_string(&to);
}

START_TEST(a_line_becomes_an_event_with_its_members_byte_for_byte)
{
	ck_assert_str_eq(put("{\"time\":\"2026-02-04T18:30:42Z\",\"type\":\"unit.started\",\"n\":1.50,\"x\":{\"b\":[1e3, 2]}}"),
	                 "id: 7\nevent: event\ndata: {\"run_id\":\"r \\\"1\\\"\",\"seq\":7,"
	                 "\"time\":\"2026-02-04T18:30:42Z\",\"type\":\"unit.started\",\"n\":1.50,\"x\":{\"b\":[1e3, 2]}}\n\n");
	ck_assert_str_eq(put(" {} "), "id: 7\nevent: event\ndata: {\"run_id\":\"r \\\"1\\\"\",\"seq\":7}\n\n");
}
END_TEST

START_TEST(the_lines_own_seq_and_run_id_give_way)
{
	ck_assert_str_eq(put("{\"seq\":99,\"a\":1,\"run\\u005fid\":\"other\",\"seq\":{}}"),
	                 "id: 7\nevent: event\ndata: {\"run_id\":\"r \\\"1\\\"\",\"seq\":7,\"a\":1}\n\n");
}
END_TEST

START_TEST(white_space_that_would_end_a_line_becomes_a_blank)
{
	ck_assert_str_eq(put("{\"a\":\r[1,\r\n2] ,\"b\":\"\\r\"\r}\r"),
	                 "id: 7\nevent: event\ndata: {\"run_id\":\"r \\\"1\\\"\",\"seq\":7,\"a\":[1,  2],\"b\":\"\\r\"}\n\n");
}
END_TEST

START_TEST(another_id_may_be_given)
{
	struct event_id id = { .text = "abc;x=1", .length = 7 };

	clear();
	ck_assert_int_eq(event_line_put(&to, &id, "r", 7, "{}", 2), 0);
	ck_assert_str_eq(buf_string(&to), "id: abc;x=1\nevent: event\ndata: {\"run_id\":\"r\",\"seq\":7}\n\n");
}
END_TEST

START_TEST(what_is_no_object_leaves_nothing_behind)
{
	static const char *const lines[] = { "", "null", "[1]", "{\"a\":1", "{\"a\":1}}", "{\"a\":\"\xff\"}",
		                             "{\"a\":1} {\"b\":2}", "text" };

	clear();
	buf_puts(&to, "before");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_int_eq(event_line_put(&to, NULL, "r", 7, lines[i], strlen(lines[i])), -EBADMSG);
		ck_assert_str_eq(buf_string(&to), "before");
	}
	ck_assert_int_eq(event_line_put_object(&to, "r", 7, "{\"a\":1,", 7), -EBADMSG);
	ck_assert_str_eq(buf_string(&to), "before");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_no_event)
{
	char *line = malloc(EVENT_LINE_BYTES + 1);

	memset(line, ' ', EVENT_LINE_BYTES + 1);
	memcpy(line, "{}", 2);
	clear();
	ck_assert_int_eq(event_line_put(&to, NULL, "r", 7, line, EVENT_LINE_BYTES), 0);
	ck_assert_int_eq(event_line_put(&to, NULL, "r", 7, line, EVENT_LINE_BYTES + 1), -EBADMSG);
	free(line);
}
END_TEST

/* --- in ------------------------------------------------------------------------------------------ */

static const char *
make(const char *event, const char *given_key)
{
	clear();
	ck_assert_int_eq(event_line_make(&to, event, strlen(event), NOW, given_key, key, &fault), 0);
	return buf_string(&to);
}

START_TEST(an_event_is_stored_as_given_less_what_is_ours)
{
	ck_assert_str_eq(make("{\"type\":\"unit.started\",\"unit\":\"a\"}", NULL),
	                 "{\"type\":\"unit.started\",\"unit\":\"a\",\"time\":\"" NOW "\"}\n");
	ck_assert_str_eq(key, "");
	ck_assert_str_eq(make("{\"seq\":5, \"x\":1.10 ,\"run_id\":3,\n\"type\":\"a\",\"time\":\"2026-02-04T18:30:42+01:00\","
	                      "\"y\":[\n1,\r2]}", "K/3"),
	                 "{\"x\":1.10,\"type\":\"a\",\"time\":\"2026-02-04T18:30:42+01:00\",\"y\":[ 1, 2],\"key\":\"K/3\"}\n");
	ck_assert_str_eq(key, "K/3");
}
END_TEST

START_TEST(an_events_own_key_wins_and_comes_last)
{
	ck_assert_str_eq(make("{\"key\":\"m\\u0069ne\",\"type\":\"a\",\"time\":\"2026-02-04T18:30:42Z\"}", "K/0"),
	                 "{\"type\":\"a\",\"time\":\"2026-02-04T18:30:42Z\",\"key\":\"mine\"}\n");
	ck_assert_str_eq(key, "mine");
}
END_TEST

static void
refused(const char *event, const char *field)
{
	clear();
	buf_puts(&to, "before");
	ck_assert_msg(event_line_make(&to, event, strlen(event), NOW, NULL, key, &fault) == -EINVAL, "%s", event);
	ck_assert_str_eq(fault.field, field);
	ck_assert_ptr_nonnull(fault.problem);
	ck_assert_str_eq(buf_string(&to), "before");
}

START_TEST(wrong_events_are_refused_with_the_field_named)
{
	char event[400], type[EVENT_TYPE_BYTES + 2];

	refused("[]", "");
	refused("\"type\"", "");
	refused("{\"type\":\"a\"", "");
	refused("{}", "type");
	refused("{\"type\":1}", "type");
	refused("{\"type\":\"\"}", "type");
	refused("{\"type\":null}", "type");
	refused("{\"type\":\"a\\nb\"}", "type");
	refused("{\"type\":\"a\\u007f\"}", "type");
	refused("{\"type\":\"a\",\"type\":\"b\"}", "type");
	refused("{\"type\":\"a\",\"time\":\"yesterday\"}", "time");
	refused("{\"type\":\"a\",\"time\":1770229842}", "time");
	refused("{\"type\":\"a\",\"time\":null}", "time");
	refused("{\"type\":\"a\",\"unit\":1}", "unit");
	refused("{\"type\":\"a\",\"task\":[]}", "task");
	refused("{\"type\":\"a\",\"key\":7}", "key");
	refused("{\"type\":\"a\",\"key\":\"\"}", "key");
	refused("{\"type\":\"a\",\"key\":\"a\\tb\"}", "key");
	memset(type, 'x', sizeof(type));
	snprintf(event, sizeof(event), "{\"type\":\"%.*s\"}", EVENT_TYPE_BYTES + 1, type);
	refused(event, "type");
	snprintf(event, sizeof(event), "{\"type\":\"%.*s\"}", EVENT_TYPE_BYTES, type);
	make(event, NULL);
}
END_TEST

START_TEST(what_was_stored_comes_out_as_the_same_members)
{
	const char *line = make("{\"type\":\"a\",\"time\":\"2026-02-04T18:30:42Z\",\"deep\":{\"x\":[1,2.0]},\"\\u0073eq\":1}", NULL);
	struct buf out = BUF_INIT;

	ck_assert_int_eq(event_line_put_object(&out, "r", 1, line, strlen(line) - 1), 0);
	ck_assert_str_eq(buf_string(&out), "{\"run_id\":\"r\",\"seq\":1,\"type\":\"a\",\"time\":\"2026-02-04T18:30:42Z\","
	                                   "\"deep\":{\"x\":[1,2.0]}}");
	buf_fini(&out);
}
END_TEST

/* --- requests ------------------------------------------------------------------------------------ */

static int
parse(const char *body, const char *given_key, struct event_batch *batch)
{
	memset(&fault, 0, sizeof(fault));
	return event_batch_parse(body, strlen(body), given_key, NOW_MS, 3, batch, &fault);
}

START_TEST(a_request_has_many_events_or_one)
{
	struct event_batch batch;

	ck_assert_int_eq(parse("{\"events\":[{\"type\":\"a\"},{\"type\":\"b\"}]}", NULL, &batch), 0);
	ck_assert_uint_eq(batch.count, 2);
	ck_assert_str_eq(buf_string(&batch.lines),
	                 "{\"type\":\"a\",\"time\":\"" NOW "\"}\n{\"type\":\"b\",\"time\":\"" NOW "\"}\n");
	ck_assert_uint_eq(batch.entries[1].offset, batch.entries[0].length);
	ck_assert(!batch.entries[0].has_key);
	event_batch_fini(&batch);
	ck_assert_int_eq(parse("{\"type\":\"a\"}", NULL, &batch), 0);
	ck_assert_uint_eq(batch.count, 1);
	event_batch_fini(&batch);
	ck_assert_int_eq(parse("{\"events\":[]}", "K", &batch), 0);
	ck_assert_uint_eq(batch.count, 0);
	event_batch_fini(&batch);
}
END_TEST

START_TEST(a_requests_key_becomes_one_for_each_event)
{
	struct event_batch batch;
	struct digest own = digest_of("own", 3), third = digest_of("K/2", 3);

	ck_assert_int_eq(parse("{\"events\":[{\"type\":\"a\"},{\"type\":\"b\",\"key\":\"own\"},{\"type\":\"c\"}],\"key\":\"no\"}",
	                       "K", &batch), 0);
	ck_assert_ptr_nonnull(strstr(buf_string(&batch.lines), "\"key\":\"K/0\"}\n"));
	ck_assert_ptr_nonnull(strstr(buf_string(&batch.lines), "\"key\":\"K/2\"}\n"));
	ck_assert_mem_eq(&batch.entries[1].key, &own, sizeof(own));
	ck_assert_mem_eq(&batch.entries[2].key, &third, sizeof(third));
	event_batch_fini(&batch);
	ck_assert_int_eq(parse("{\"key\":\"B\",\"events\":[{\"type\":\"a\"}]}", NULL, &batch), 0);
	ck_assert_ptr_nonnull(strstr(buf_string(&batch.lines), "\"key\":\"B/0\"}\n"));
	event_batch_fini(&batch);
	ck_assert_int_eq(parse("{\"type\":\"a\",\"key\":\"own\"}", NULL, &batch), 0);
	ck_assert_mem_eq(&batch.entries[0].key, &own, sizeof(own));
	event_batch_fini(&batch);
}
END_TEST

START_TEST(wrong_requests_are_refused_with_the_field_named)
{
	static const struct {
		const char *body, *field;
		int error;
	} bodies[] = {
		{ "", "", -EINVAL }, { "[]", "", -EINVAL }, { "{\"events\":[]", "", -EINVAL },
		{ "{\"events\":{}}", "events", -EINVAL }, { "{\"events\":null}", "events", -EINVAL },
		{ "{\"events\":[],\"events\":[]}", "events", -EINVAL },
		{ "{\"events\":[],\"key\":1}", "key", -EINVAL },
		{ "{\"events\":[{\"type\":\"a\"},{}]}", "events[1].type", -EINVAL },
		{ "{\"events\":[7]}", "events[0]", -EINVAL },
		{ "{\"type\":7}", "type", -EINVAL },
		{ "{\"events\":[{\"type\":\"a\"},{\"type\":\"a\"},{\"type\":\"a\"},{\"type\":\"a\"}]}", "events", -E2BIG },
	};
	struct event_batch batch;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		ck_assert_int_eq(parse(bodies[i].body, NULL, &batch), bodies[i].error);
		ck_assert_str_eq(fault.field, bodies[i].field);
		ck_assert_ptr_nonnull(fault.problem);
	}
	ck_assert_int_eq(parse("{\"type\":\"a\"}", "", &batch), -EINVAL);
	ck_assert_int_eq(parse("{\"type\":\"a\"}", "a\nb", &batch), -EINVAL);
	ck_assert_str_eq(fault.field, "key");
}
END_TEST

START_TEST(many_digests_are_known_up_to_the_bound)
{
	struct digest_table table = { 0 };

	for (size_t i = 0; i < 5000; i++) {
		struct digest d = digest_of(&i, sizeof(i));

		ck_assert_uint_eq(digest_table_get(&table, &d), 0);
		ck_assert_int_eq(digest_table_set(&table, &d, (uint8_t)(i % 255 + 1), 5000), 0);
	}
	for (size_t i = 0; i < 5000; i++) {
		struct digest d = digest_of(&i, sizeof(i));

		ck_assert_uint_eq(digest_table_get(&table, &d), i % 255 + 1);
		ck_assert_int_eq(digest_table_set(&table, &d, 9, 5000), 0);
		ck_assert_uint_eq(digest_table_get(&table, &d), 9);
	}
	ck_assert_int_eq(digest_table_set(&table, &(struct digest){ 1, 2 }, 1, 5000), -ENOSPC);
	digest_table_fini(&table);
	ck_assert_uint_eq(digest_table_get(&table, &(struct digest){ 1, 2 }), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("event_line");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, clear, tear_down);
	tcase_add_test(tests, a_line_becomes_an_event_with_its_members_byte_for_byte);
	tcase_add_test(tests, the_lines_own_seq_and_run_id_give_way);
	tcase_add_test(tests, white_space_that_would_end_a_line_becomes_a_blank);
	tcase_add_test(tests, another_id_may_be_given);
	tcase_add_test(tests, what_is_no_object_leaves_nothing_behind);
	tcase_add_test(tests, a_line_that_is_too_long_is_no_event);
	tcase_add_test(tests, an_event_is_stored_as_given_less_what_is_ours);
	tcase_add_test(tests, an_events_own_key_wins_and_comes_last);
	tcase_add_test(tests, wrong_events_are_refused_with_the_field_named);
	tcase_add_test(tests, what_was_stored_comes_out_as_the_same_members);
	tcase_add_test(tests, a_request_has_many_events_or_one);
	tcase_add_test(tests, a_requests_key_becomes_one_for_each_event);
	tcase_add_test(tests, wrong_requests_are_refused_with_the_field_named);
	tcase_add_test(tests, many_digests_are_known_up_to_the_bound);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
