#include <check.h>
#include <string.h>

#include "base/option_mistake.h"

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "run-id", required_argument, NULL, 'r' },
	{ NULL, 0, NULL, 0 },
};

static const char *
mistake(const char *argument)
{
	static char sentence[OPTION_MISTAKE_BYTES];
	char program[] = "p", copy[5000];
	char *argv[] = { program, copy, NULL };
	int option;

	strcpy(copy, argument);
	opterr = 0;
	optind = 0;
	option = getopt_long(2, argv, ":jr:", options, NULL);
	ck_assert(option == ':' || option == '?');
	option_mistake(option, argv, options, sentence);
	return sentence;
}

START_TEST(names_the_option_and_the_nearest_right_one)
{
	ck_assert_str_eq(mistake("--jsno"), "there is no option \"--jsno\"; did you mean \"--json\"?");
	ck_assert_str_eq(mistake("--runid=7"),
	                 "there is no option \"--runid\"; did you mean \"--run-id\"?");
	ck_assert_str_eq(mistake("--elephant"), "there is no option \"--elephant\"");
	ck_assert_str_eq(mistake("-x"), "there is no option \"-x\"");
}
END_TEST

START_TEST(says_what_is_missing_or_too_much)
{
	ck_assert_str_eq(mistake("--run-id"), "option \"--run-id\" needs an argument");
	ck_assert_str_eq(mistake("-r"), "option \"-r\" needs an argument");
	ck_assert_str_eq(mistake("--json=1"), "option \"--json\" takes no argument");
}
END_TEST

START_TEST(takes_words_of_any_length)
{
	char longest[4000] = "--";

	memset(longest + 2, 'x', sizeof(longest) - 3);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_uint_lt(strlen(mistake(longest)), 100);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("option_mistake");
	TCase *tc = tcase_create("option_mistake");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, names_the_option_and_the_nearest_right_one);
	tcase_add_test(tc, says_what_is_missing_or_too_much);
	tcase_add_test(tc, takes_words_of_any_length);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
