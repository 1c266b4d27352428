/* The bodies with which runs are made and ended. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/run_completion.h"
#include "model/run_request.h"

#define NOW "2026-02-04T18:30:42.569Z"
#define NOW_MS INT64_C(1770229842569)

static struct run_request request;
static struct run_completion completion;
static struct fault fault;

static int
ask(const char *body, const char *key)
{
	memset(&fault, 0, sizeof(fault));
	return run_request_parse(body, strlen(body), key, NOW_MS, &request, &fault);
}

static int
end(const char *body, const char *key)
{
	memset(&fault, 0, sizeof(fault));
	return run_completion_parse(body, strlen(body), key, &completion, &fault);
}

START_TEST(a_request_becomes_the_first_event)
{
	ck_assert_int_eq(ask("{\"repo_path\":\"/srv/repo\",\"tasks_dir\":\"tasks\",\"parallelism\":4,\"total_units\":12,"
	                     "\"labels\":{\"a\":[1,\r\n2]}}", NULL), 0);
	ck_assert_str_eq(buf_string(&request.started),
	                 "{\"type\":\"run.started\",\"time\":\"" NOW "\",\"repo_path\":\"/srv/repo\",\"tasks_dir\":\"tasks\","
	                 "\"parallelism\":4,\"total_units\":12,\"labels\":{\"a\":[1,  2]}}");
	ck_assert_str_eq(request.run_id, "");
	ck_assert_str_eq(request.project_id, "");
	ck_assert_str_eq(request.key, "");
	run_request_fini(&request);
	ck_assert_int_eq(ask("{}", NULL), 0);
	ck_assert_str_eq(buf_string(&request.started), "{\"type\":\"run.started\",\"time\":\"" NOW "\"}");
	run_request_fini(&request);
}
END_TEST

START_TEST(names_and_keys_are_taken_out)
{
	ck_assert_int_eq(ask("{\"run_id\":\"r 1\",\"project_id\":\"p\",\"task_id\":\"t\\u00e4\",\"key\":\"body\",\"seq\":3,"
	                     "\"type\":\"x\",\"time\":1}", "header"), 0);
	ck_assert_str_eq(request.run_id, "r 1");
	ck_assert_str_eq(request.project_id, "p");
	ck_assert_str_eq(request.task_id, "tä");
	ck_assert_str_eq(request.key, "header");
	ck_assert_str_eq(buf_string(&request.started),
	                 "{\"type\":\"run.started\",\"time\":\"" NOW "\",\"key\":\"header\"}");
	run_request_fini(&request);
	ck_assert_int_eq(ask("{\"run_id\":null,\"project_id\":null,\"task_id\":null,\"key\":null,\"total_units\":null}", NULL), 0);
	ck_assert_str_eq(request.run_id, "");
	ck_assert_str_eq(request.key, "");
	run_request_fini(&request);
}
END_TEST

START_TEST(wrong_requests_are_refused_with_the_field_named)
{
	static const struct {
		const char *body, *field;
	} bodies[] = {
		{ "", "" }, { "[]", "" }, { "{\"a\":1", "" }, { "{\"a\":1}}", "" },
		{ "{\"run_id\":\"\"}", "run_id" }, { "{\"run_id\":\"a/b\"}", "run_id" }, { "{\"run_id\":\"..\"}", "run_id" },
		{ "{\"run_id\":\".hidden\"}", "run_id" }, { "{\"run_id\":\"a\\u0000b\"}", "run_id" },
		{ "{\"run_id\":7}", "run_id" }, { "{\"run_id\":\"a\",\"run_id\":\"b\"}", "run_id" },
		{ "{\"project_id\":\"p\"}", "task_id" }, { "{\"task_id\":\"t\"}", "project_id" },
		{ "{\"project_id\":\"p\",\"task_id\":\"a\\\\b\"}", "task_id" },
		{ "{\"project_id\":{},\"task_id\":\"t\"}", "project_id" },
		{ "{\"repo_path\":1}", "repo_path" }, { "{\"tasks_dir\":[]}", "tasks_dir" },
		{ "{\"parallelism\":-1}", "parallelism" }, { "{\"parallelism\":\"4\"}", "parallelism" },
		{ "{\"total_units\":1.5}", "total_units" }, { "{\"total_units\":1,\"total_units\":1}", "total_units" },
		{ "{\"key\":\"\"}", "key" }, { "{\"key\":\"a\\nb\"}", "key" },
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		ck_assert_msg(ask(bodies[i].body, NULL) == -EINVAL, "%s", bodies[i].body);
		ck_assert_str_eq(fault.field, bodies[i].field);
		ck_assert_ptr_nonnull(fault.problem);
	}
	ck_assert_int_eq(ask("{}", "a\nb"), -EINVAL);
}
END_TEST

START_TEST(a_completion_is_read)
{
	ck_assert_int_eq(end("{\"status\":\"failed\",\"completed_units\":5,\"failed_units\":0,\"error\":\"no \\u20ac\","
	                     "\"exit_code\":-9,\"other\":[]}", NULL), 0);
	ck_assert_str_eq(completion.status, "failed");
	ck_assert(completion.has_count[RUN_COMPLETED_UNITS] && completion.counts[RUN_COMPLETED_UNITS] == 5);
	ck_assert(completion.has_count[RUN_FAILED_UNITS] && completion.counts[RUN_FAILED_UNITS] == 0);
	ck_assert(!completion.has_count[RUN_BLOCKED_UNITS]);
	ck_assert_str_eq(completion.error, "no €");
	ck_assert_int_eq(run_completion_exit_code(&completion), -9);
}
END_TEST

START_TEST(what_a_completion_leaves_out)
{
	ck_assert_int_eq(end("", NULL), 0);
	ck_assert_str_eq(completion.status, "completed");
	ck_assert_int_eq(run_completion_exit_code(&completion), 0);
	ck_assert_int_eq(end("{\"status\":null,\"error\":null,\"exit_code\":null,\"completed_units\":null}", NULL), 0);
	ck_assert_str_eq(completion.status, "completed");
	ck_assert(!completion.has_count[RUN_COMPLETED_UNITS] && !completion.has_exit_code);
	ck_assert_int_eq(end("{\"status\":\"stopped\"}", NULL), 0);
	ck_assert_int_eq(run_completion_exit_code(&completion), -1);
}
END_TEST

START_TEST(wrong_completions_are_refused_with_the_field_named)
{
	static const struct {
		const char *body, *field;
	} bodies[] = {
		{ " ", "" }, { "null", "" }, { "{", "" }, { "{\"status\":\"running\"}", "status" },
		{ "{\"status\":\"completed \"}", "status" }, { "{\"status\":1}", "status" },
		{ "{\"status\":\"a status that is far too long for us\"}", "status" },
		{ "{\"completed_units\":-1}", "completed_units" }, { "{\"failed_units\":\"1\"}", "failed_units" },
		{ "{\"blocked_units\":1e2}", "blocked_units" }, { "{\"error\":{}}", "error" },
		{ "{\"error\":\"a\\u0000\"}", "error" }, { "{\"exit_code\":2147483648}", "exit_code" },
		{ "{\"exit_code\":true}", "exit_code" }, { "{\"key\":5}", "key" }, { "{\"key\":\"\"}", "key" },
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		ck_assert_msg(end(bodies[i].body, NULL) == -EINVAL, "%s", bodies[i].body);
		ck_assert_str_eq(fault.field, bodies[i].field);
		ck_assert_ptr_nonnull(fault.problem);
	}
	ck_assert_int_eq(end("{}", ""), -EINVAL);
}
END_TEST

START_TEST(a_recorded_completion_reads_as_the_one_that_was_sent)
{
	struct run_completion sent;
	struct buf line = BUF_INIT;

	ck_assert_int_eq(end("{\"status\":\"crashed\",\"completed_units\":18446744073709551615,\"blocked_units\":2,"
	                     "\"error\":\"a\\n\\\"b\\\"\",\"exit_code\":139}", "K"), 0);
	sent = completion;
	run_completion_put_line(&line, &sent, NOW);
	ck_assert_str_eq(buf_string(&line),
	                 "{\"type\":\"run.completed\",\"time\":\"" NOW "\",\"status\":\"crashed\","
	                 "\"completed_units\":18446744073709551615,\"blocked_units\":2,\"exit_code\":139,"
	                 "\"error\":\"a\\n\\\"b\\\"\",\"key\":\"K\"}\n");
	ck_assert_int_eq(end(buf_string(&line), NULL), 0);
	ck_assert(run_completion_equal(&sent, &completion));
	ck_assert_str_eq(completion.key, "K");
	completion.counts[RUN_BLOCKED_UNITS]++;
	ck_assert(!run_completion_equal(&sent, &completion));
	completion = sent;
	completion.has_exit_code = false;
	ck_assert(!run_completion_equal(&sent, &completion));
	completion = sent;
	completion.error[0] = 'b';
	ck_assert(!run_completion_equal(&sent, &completion));
	buf_fini(&line);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("run_request");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, a_request_becomes_the_first_event);
	tcase_add_test(tests, names_and_keys_are_taken_out);
	tcase_add_test(tests, wrong_requests_are_refused_with_the_field_named);
	tcase_add_test(tests, a_completion_is_read);
	tcase_add_test(tests, what_a_completion_leaves_out);
	tcase_add_test(tests, wrong_completions_are_refused_with_the_field_named);
	tcase_add_test(tests, a_recorded_completion_reads_as_the_one_that_was_sent);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
