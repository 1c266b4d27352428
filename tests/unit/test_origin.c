#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/origin.h"

START_TEST(origins_are_scheme_host_and_port)
{
	static const char *const good[] = {
		"https://runs.example.org", "http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080",
		"http://[fd00::1]", "chrome-extension://abcdef", "https://a_b.example",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(origin_valid(good[i], strlen(good[i])), "\"%s\"", good[i]);
}
END_TEST

START_TEST(what_no_browser_says_is_refused)
{
	static const char *const bad[] = {
		"", "null", "*", "example.org", "https://", "https:/a", "://a", "https://a/", "https://a/b",
		"https://a:", "https://a:0", "https://a:65536", "https://a:b", "https://u@a", "https://*.a",
		"https://a b", "https://[::1", "https://[]", "1https://a", "https://a:80:80", "https://ü",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!origin_valid(bad[i], strlen(bad[i])), "\"%s\"", bad[i]);
	ck_assert(!origin_valid("https://a\0b", 11));
}
END_TEST

START_TEST(a_list_has_what_it_names)
{
	const char *list = "https://a.example http://localhost:3000";

	ck_assert(origin_list_has(list, "https://a.example"));
	ck_assert(origin_list_has(list, "http://localhost:3000"));
	ck_assert(origin_list_has(list, "HTTPS://A.example"));
	ck_assert(!origin_list_has(list, "http://a.example"));
	ck_assert(!origin_list_has(list, "https://a.example.org"));
	ck_assert(!origin_list_has(list, "https://a.exampl"));
	ck_assert(!origin_list_has(list, "http://localhost"));
	ck_assert(!origin_list_has(list, ""));
	ck_assert(!origin_list_has("", "https://a.example"));
	ck_assert(!origin_list_has("", ""));
}
END_TEST

START_TEST(an_asterisk_is_all_of_them)
{
	ck_assert(origin_list_is_any("*"));
	ck_assert(!origin_list_is_any(""));
	ck_assert(!origin_list_is_any("https://a.example"));
	ck_assert(origin_list_has("*", "https://a.example"));
	ck_assert(origin_list_has("*", "null"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("origin");
	TCase *tests = tcase_create("origin");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, origins_are_scheme_host_and_port);
	tcase_add_test(tests, what_no_browser_says_is_refused);
	tcase_add_test(tests, a_list_has_what_it_names);
	tcase_add_test(tests, an_asterisk_is_all_of_them);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
