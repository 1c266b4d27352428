#include "model/event.h"

#include <check.h>
#include <string.h>

static struct buf text;
static const struct event_run run = { .run_id = "r\"1", .project_id = "p", .task_id = "" };
static const struct event_id id = { .text = "s=1;e=2", .length = 7 };

static void
tear_down(void)
{
	buf_fini(&text);
}

START_TEST(status_names_the_run_and_its_exit_code)
{
	event_put_status(&text, &id, &run, "running", -1);
	ck_assert_str_eq(buf_string(&text), "id: s=1;e=2\nevent: status\n"
	                                    "data: {\"run_id\":\"r\\\"1\",\"project_id\":\"p\","
	                                    "\"status\":\"running\",\"exit_code\":-1}\n\n");
}
END_TEST

START_TEST(complete_bears_the_id_twice)
{
	event_put_complete(&text, &id, &run, "failed", 3);
	ck_assert_str_eq(buf_string(&text), "id: s=1;e=2\nevent: complete\n"
	                                    "data: {\"id\":\"r\\\"1\",\"run_id\":\"r\\\"1\","
	                                    "\"status\":\"failed\",\"exit_code\":3}\n\n");
}
END_TEST

START_TEST(a_gap_leaves_out_what_is_not_known)
{
	struct event_gap gap = { .reason = "cursor_invalid" };

	event_put_gap(&text, NULL, &run, &gap);
	gap = (struct event_gap){ .stream = "stdout", .reason = "truncated", .has_from = true, .from = 5,
		                  .has_to = true, .to = 9 };
	event_put_gap(&text, NULL, &run, &gap);
	ck_assert_str_eq(buf_string(&text),
	                 "event: gap\ndata: {\"run_id\":\"r\\\"1\",\"reason\":\"cursor_invalid\"}\n\n"
	                 "event: gap\ndata: {\"run_id\":\"r\\\"1\",\"stream\":\"stdout\","
	                 "\"reason\":\"truncated\",\"from\":5,\"to\":9}\n\n");
}
END_TEST

START_TEST(the_opening_a_heartbeat_gone_and_refused)
{
	event_put_opening(&text, 1500);
	event_put_heartbeat(&text);
	event_put_gone(&text, &run);
	event_put_refused(&text, "TOO_MANY_CLIENTS", "too many", 30);
	ck_assert_str_eq(buf_string(&text),
	                 ": runstream\nretry: 1500\n\n"
	                 "event: heartbeat\ndata: {}\n\n"
	                 "event: gone\ndata: {\"run_id\":\"r\\\"1\"}\n\n"
	                 "retry: 30000\nevent: refused\ndata: {\"code\":\"TOO_MANY_CLIENTS\","
	                 "\"message\":\"too many\",\"retry_after_s\":30}\n\n");
}
END_TEST

START_TEST(gone_names_the_bus_where_there_is_no_run)
{
	const struct event_run bus = { .run_id = "", .project_id = "p", .task_id = "t" };

	event_put_gone(&text, &bus);
	ck_assert_str_eq(buf_string(&text),
	                 "event: gone\ndata: {\"project_id\":\"p\",\"task_id\":\"t\"}\n\n");
}
END_TEST

START_TEST(what_names_hold_cannot_break_an_event)
{
	struct event_run hostile = { .run_id = "a\nb\r\xff", .project_id = "", .task_id = "\x01" };

	event_put_status(&text, NULL, &hostile, "x\ny", 0);
	ck_assert_str_eq(buf_string(&text), "event: status\ndata: {\"run_id\":\"a\\nb\\r\xef\xbf\xbd\","
	                                    "\"task_id\":\"\\u0001\",\"status\":\"x\\ny\","
	                                    "\"exit_code\":0}\n\n");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("event");
	TCase *tc = tcase_create("event");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, NULL, tear_down);
	tcase_add_test(tc, status_names_the_run_and_its_exit_code);
	tcase_add_test(tc, complete_bears_the_id_twice);
	tcase_add_test(tc, a_gap_leaves_out_what_is_not_known);
	tcase_add_test(tc, the_opening_a_heartbeat_gone_and_refused);
	tcase_add_test(tc, gone_names_the_bus_where_there_is_no_run);
	tcase_add_test(tc, what_names_hold_cannot_break_an_event);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
