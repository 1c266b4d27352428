/* What the events of a run say of it. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/run_state.h"

static struct run_state *state;
static struct buf to = BUF_INIT;

static void
set_up(void)
{
	state = run_state_new();
	ck_assert_ptr_nonnull(state);
	buf_clear(&to);
}

static void
tear_down(void)
{
	run_state_free(&state);
	buf_fini(&to);
}

static void
add(const char *line)
{
	ck_assert_int_eq(run_state_add(state, line, strlen(line)), 0);
}

static void
add_unit(const char *what, const char *unit)
{
	char line[200];

	if (unit)
		snprintf(line, sizeof(line), "{\"type\":\"unit.%s\",\"unit\":\"%s\"}", what, unit);
	else
		snprintf(line, sizeof(line), "{\"type\":\"unit.%s\"}", what);
	add(line);
}

static const char *
text(void)
{
	buf_clear(&to);
	run_state_put(&to, state, "r", NULL);
	return buf_string(&to);
}

static void
expect_counts(int completed, int failed, int blocked, int running)
{
	char expected[200];

	snprintf(expected, sizeof(expected),
	         ",\"completed_units\":%d,\"failed_units\":%d,\"blocked_units\":%d,\"running_units\":%d", completed,
	         failed, blocked, running);
	ck_assert_msg(strstr(text(), expected) != NULL, "%s is not in %s", expected, text());
}

START_TEST(nothing_is_known_at_first)
{
	ck_assert_ptr_null(run_state_status(state));
	ck_assert_str_eq(text(), "{\"id\":\"r\",\"status\":\"unknown\",\"seq\":0,\"completed_units\":0,\"failed_units\":0,"
	                         "\"blocked_units\":0,\"running_units\":0}");
}
END_TEST

START_TEST(a_run_from_its_start_to_its_end)
{
	add("{\"type\":\"run.started\",\"time\":\"2026-02-04T18:30:42Z\",\"total_units\":12,\"parallelism\":3,"
	    "\"repo_path\":\"/srv/repo\",\"tasks_dir\":\"/srv/tasks\",\"cwd\":\"/srv\",\"commandline\":\"make\"}");
	ck_assert_str_eq(run_state_status(state), "running");
	add_unit("started", "a");
	add_unit("started", "b");
	expect_counts(0, 0, 0, 2);
	add_unit("completed", "a");
	expect_counts(1, 0, 0, 1);
	add("{\"type\":\"run.completed\",\"time\":\"2026-02-04T18:31:42Z\",\"status\":\"failed\",\"exit_code\":3,"
	    "\"error\":\"two \\\"bad\\\" units\"}");
	ck_assert_str_eq(text(),
	                 "{\"id\":\"r\",\"status\":\"failed\",\"seq\":5,\"total_units\":12,\"completed_units\":1,"
	                 "\"failed_units\":0,\"blocked_units\":0,\"running_units\":0,\"parallelism\":3,\"exit_code\":3,"
	                 "\"error\":\"two \\\"bad\\\" units\",\"started\":\"2026-02-04T18:30:42Z\","
	                 "\"ended\":\"2026-02-04T18:31:42Z\",\"updated\":\"2026-02-04T18:31:42Z\"}");
	add("{\"type\":\"run.resumed\",\"time\":\"2026-02-04T18:32:00Z\"}");
	ck_assert_str_eq(text(),
	                 "{\"id\":\"r\",\"status\":\"running\",\"seq\":6,\"total_units\":12,\"completed_units\":1,"
	                 "\"failed_units\":0,\"blocked_units\":0,\"running_units\":1,\"parallelism\":3,"
	                 "\"started\":\"2026-02-04T18:30:42Z\",\"updated\":\"2026-02-04T18:32:00Z\"}");
}
END_TEST

START_TEST(a_unit_is_in_one_state_at_a_time)
{
	add_unit("started", "a");
	add_unit("failed", "a");
	expect_counts(0, 1, 0, 0);
	add_unit("retried", "a");
	expect_counts(0, 0, 0, 1);
	add_unit("blocked", "a");
	expect_counts(0, 0, 1, 0);
	add_unit("unblocked", "a");
	expect_counts(0, 0, 0, 0);
	add_unit("completed", "a");
	add_unit("completed", "a");
	add_unit("completed", "\\u0061");
	expect_counts(1, 0, 0, 0);
	add_unit("skipped", "b");
	ck_assert_ptr_nonnull(strstr(text(), ",\"skipped_units\":1"));
	add_unit("noted", "a");
	expect_counts(1, 0, 0, 0);
}
END_TEST

START_TEST(units_without_a_name_are_counted)
{
	add_unit("started", "a");
	add_unit("completed", NULL); /* which cannot have been a */
	expect_counts(1, 0, 0, 1);
	add_unit("started", NULL);
	add_unit("started", NULL);
	add_unit("failed", NULL);
	add_unit("completed", "a");
	expect_counts(2, 1, 0, 1);
	add("{\"type\":\"unit.blocked\",\"unit\":7}");
	expect_counts(2, 1, 1, 0);
}
END_TEST

START_TEST(names_beyond_the_bound_are_counted_without_them)
{
	char name[32];

	for (int i = 0; i < RUN_STATE_UNITS; i++) {
		snprintf(name, sizeof(name), "unit-%d", i);
		add_unit("completed", name);
	}
	add_unit("started", "one more");
	expect_counts(RUN_STATE_UNITS, 0, 0, 1);
	add_unit("completed", "one more");
	expect_counts(RUN_STATE_UNITS + 1, 0, 0, 0);
	add_unit("failed", "unit-5");
	expect_counts(RUN_STATE_UNITS, 1, 0, 0);
}
END_TEST

START_TEST(numbers_that_are_given_hold_and_are_counted_on_from)
{
	add_unit("completed", "a");
	add("{\"type\":\"run.completed\",\"completed_units\":10,\"failed_units\":2,\"blocked_units\":1}");
	expect_counts(10, 2, 1, 0);
	add("{\"type\":\"run.resumed\",\"total_units\":20}");
	add_unit("completed", "b");
	expect_counts(11, 2, 1, 0);
	/* What is no number of units changes nothing. */
	add("{\"type\":\"run.noted\",\"completed_units\":-1,\"failed_units\":\"5\",\"blocked_units\":9223372036854775807,"
	    "\"total_units\":1.5}");
	expect_counts(11, 2, 1, 0);
	ck_assert_ptr_nonnull(strstr(text(), "\"total_units\":20,"));
	/* Nor do numbers in events that are not the run's. */
	add("{\"type\":\"unit.noted\",\"completed_units\":0}");
	expect_counts(11, 2, 1, 0);
}
END_TEST

START_TEST(the_words_of_an_end)
{
	static const struct {
		const char *line, *status;
	} ends[] = {
		{ "{\"type\":\"run.completed\"}", "completed" },
		{ "{\"type\":\"run.completed\",\"status\":\"stopped\"}", "stopped" },
		{ "{\"type\":\"run.completed\",\"status\":\"splendid\"}", "completed" },
		{ "{\"type\":\"run.completed\",\"status\":7}", "completed" },
		{ "{\"type\":\"run.failed\",\"status\":\"completed\"}", "failed" },
		{ "{\"type\":\"run.cancelled\"}", "cancelled" },
		{ "{\"type\":\"run.canceled\"}", "cancelled" },
		{ "{\"type\":\"run.crashed\"}", "crashed" },
		{ "{\"type\":\"run.stopped\"}", "stopped" },
		{ "{\"type\":\"run.paused\"}", "running" },
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		add("{\"type\":\"run.resumed\"}");
		add(ends[i].line);
		ck_assert_str_eq(run_state_status(state), ends[i].status);
	}
}
END_TEST

START_TEST(malformed_lines_use_their_seq_up)
{
	ck_assert_int_eq(run_state_add(state, "", 0), -EBADMSG);
	ck_assert_int_eq(run_state_add(state, "{\"type\":\"unit.completed\"", 24), -EBADMSG);
	ck_assert_int_eq(run_state_add(state, "[]", 2), -EBADMSG);
	add("{}");
	add("{\"type\":\"a type that is longer than any of ours, by far\",\"time\":5}");
	ck_assert_uint_eq(run_state_seq(state), 5);
	ck_assert_uint_eq(run_state_malformed(state), 3);
	expect_counts(0, 0, 0, 0);
}
END_TEST

START_TEST(who_knows_the_status_better_says_so)
{
	struct event_id id = { .text = "5", .length = 1 };

	add("{\"type\":\"run.started\"}");
	run_state_put_event(&to, &id, state, "r", "crashed");
	ck_assert_str_eq(buf_string(&to), "id: 5\nevent: state\ndata: {\"id\":\"r\",\"status\":\"crashed\",\"seq\":1,"
	                                  "\"completed_units\":0,\"failed_units\":0,\"blocked_units\":0,"
	                                  "\"running_units\":0}\n\n");
	buf_clear(&to);
	run_state_put_event(&to, NULL, state, "r", NULL);
	ck_assert_ptr_nonnull(strstr(buf_string(&to), "event: state\ndata: {\"id\":\"r\",\"status\":\"running\""));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("run_state");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, nothing_is_known_at_first);
	tcase_add_test(tests, a_run_from_its_start_to_its_end);
	tcase_add_test(tests, a_unit_is_in_one_state_at_a_time);
	tcase_add_test(tests, units_without_a_name_are_counted);
	tcase_add_test(tests, names_beyond_the_bound_are_counted_without_them);
	tcase_add_test(tests, numbers_that_are_given_hold_and_are_counted_on_from);
	tcase_add_test(tests, the_words_of_an_end);
	tcase_add_test(tests, malformed_lines_use_their_seq_up);
	tcase_add_test(tests, who_knows_the_status_better_says_so);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
