#include "base/nearest.h"

#include <check.h>
#include <string.h>

static const char *const words[] = { "status", "runs", "exec", "tail", "reload", "check-config",
	                             "poll_interval_ms", "discovery_interval_ms" };

static const char *
nearest(const char *word)
{
	return nearest_word(word, words, sizeof(words) / sizeof(words[0]));
}

START_TEST(finds_one_typing_error_of_each_kind)
{
	ck_assert_str_eq(nearest("statu"), "status");   /* left out */
	ck_assert_str_eq(nearest("statuss"), "status"); /* one too many */
	ck_assert_str_eq(nearest("stbtus"), "status");  /* another letter */
	ck_assert_str_eq(nearest("sttaus"), "status");  /* swapped */
	ck_assert_str_eq(nearest("realod"), "reload");
	ck_assert_str_eq(nearest("chek-confg"), "check-config");
	ck_assert_str_eq(nearest("status"), "status");
}
END_TEST

START_TEST(prefers_the_nearer_word)
{
	ck_assert_str_eq(nearest("pol_interval_ms"), "poll_interval_ms");
	ck_assert_str_eq(nearest("discovery_intervall_ms"), "discovery_interval_ms");
}
END_TEST

START_TEST(names_nothing_for_what_is_far_from_all)
{
	ck_assert_ptr_null(nearest("frobnicate"));
	ck_assert_ptr_null(nearest(""));
	ck_assert_ptr_null(nearest("xyzt")); /* "exec" and "tail" have four letters, too */
	ck_assert_ptr_null(nearest_word("word", NULL, 0));
}
END_TEST

START_TEST(takes_words_of_any_length)
{
	char longest[5000];

	memset(longest, 's', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_ptr_null(nearest(longest));
	ck_assert_ptr_null(nearest_word("s", (const char *const[]){ longest }, 1));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("nearest");
	TCase *tc = tcase_create("nearest");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, finds_one_typing_error_of_each_kind);
	tcase_add_test(tc, prefers_the_nearer_word);
	tcase_add_test(tc, names_nothing_for_what_is_far_from_all);
	tcase_add_test(tc, takes_words_of_any_length);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
