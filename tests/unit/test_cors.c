#include "worker/cors.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "worker/answer.h"

static const char *const both = "https://a.example http://localhost:3000";

static void
check_headers(const char *origins, const char *origin, const char *expected)
{
	char *headers = cors_headers(origins, origin);

	ck_assert_str_eq(headers, expected);
	free(headers);
}

START_TEST(who_is_not_listed_is_told_nothing)
{
	check_headers("", "https://a.example", "");
	check_headers(both, "https://b.example", "");
	check_headers(both, "null", "");
	check_headers(both, "", "");
	check_headers("*", "", "");
}
END_TEST

START_TEST(who_is_listed_is_named_and_caches_are_told_so)
{
	check_headers(both, "https://a.example",
	              "Access-Control-Allow-Origin: https://a.example\r\n"
	              "Access-Control-Expose-Headers: Location, Retry-After\r\n"
	              "Vary: Origin\r\n");
}
END_TEST

START_TEST(all_are_answered_alike)
{
	check_headers("*", "https://a.example\r\nSet-Cookie: a=b",
	              "Access-Control-Allow-Origin: *\r\n"
	              "Access-Control-Expose-Headers: Location, Retry-After\r\n");
}
END_TEST

static void
check_text(struct block *block, const char *there, const char *not_there)
{
	char *text;

	ck_assert_ptr_nonnull(block);
	text = strndup(block->text, block->length_bytes);
	ck_assert_msg(strstr(text, there) != NULL, "%s", text);
	ck_assert_msg(!not_there || strstr(text, not_there) == NULL, "%s", text);
	free(text);
	block_unref(&block);
}

START_TEST(a_preflight_is_told_what_there_is)
{
	struct answer_style style = { .headers = "" };

	check_text(cors_answer_options(&style, "GET, HEAD, OPTIONS"), "Allow: GET, HEAD, OPTIONS\r\n",
	           "Access-Control");
	style.headers = "Access-Control-Allow-Origin: *\r\n";
	check_text(cors_answer_options(&style, "POST, OPTIONS"),
	           "Access-Control-Allow-Methods: POST, OPTIONS\r\n", NULL);
	check_text(cors_answer_options(&style, "POST, OPTIONS"),
	           "Access-Control-Allow-Origin: *\r\n", "Credentials");
}
END_TEST

START_TEST(every_answer_bears_the_headers)
{
	struct answer_style style = { .headers = "X-Of-This-Test: yes\r\n" };
	const char *there = "\r\nX-Of-This-Test: yes\r\n";
	struct buf text = BUF_INIT;

	check_text(answer_json(&style, json_object_new_object()), there, NULL);
	check_text(answer_created(&style, json_object_new_object(), "/x"), there, NULL);
	check_text(answer_accepted(&style, json_object_new_object()), there, NULL);
	check_text(answer_error(&style, ANSWER_NOT_FOUND, "no", NULL, NULL, 0), there, NULL);
	check_text(answer_method_not_allowed(&style, "GET"), there, NULL);
	check_text(answer_refused(&style, ANSWER_UNAVAILABLE, "no", 1), there, NULL);
	check_text(answer_nothing_more(&style), there, NULL);
	check_text(answer_stream(&style, 100), there, NULL);
	buf_puts(&text, "{}");
	check_text(answer_json_text(&style, &text), there, NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cors");
	TCase *tests = tcase_create("cors");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, who_is_not_listed_is_told_nothing);
	tcase_add_test(tests, who_is_listed_is_named_and_caches_are_told_so);
	tcase_add_test(tests, all_are_answered_alike);
	tcase_add_test(tests, a_preflight_is_told_what_there_is);
	tcase_add_test(tests, every_answer_bears_the_headers);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
