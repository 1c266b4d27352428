#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/run_id.h"

static bool
valid(const char *text)
{
	return run_id_valid(text, strlen(text));
}

START_TEST(takes_what_prints)
{
	ck_assert(valid("run_20260204-183042-12345"));
	ck_assert(valid("a"));
	ck_assert(valid("two words, 'quoted' \"twice\" & #1 %41 ?x=y"));
	ck_assert(valid("J\xc3\xbcrgen \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x9a\x80"));
	ck_assert(valid("\xc2\xa0")); /* the first character after the controls */
}
END_TEST

START_TEST(takes_dots_that_are_not_a_way_up)
{
	ck_assert(valid(".hidden"));
	ck_assert(valid("..."));
	ck_assert(valid("a..b"));
	ck_assert(!valid("."));
	ck_assert(!valid(".."));
	ck_assert(run_id_valid("..x", 3));
	ck_assert(!run_id_valid("..x", 2));
}
END_TEST

START_TEST(refuses_separators)
{
	ck_assert(!valid("/"));
	ck_assert(!valid("a/b"));
	ck_assert(!valid("../etc"));
	ck_assert(!valid("a\\b"));
}
END_TEST

START_TEST(refuses_every_control_character)
{
	for (unsigned c = 0; c < 0x100; c++) {
		char text[3] = { 'a', (char)c, 'b' };
		bool good = c >= 0x20 && c < 0x7f && c != '/' && c != '\\';

		ck_assert_msg(run_id_valid(text, 3) == good, "byte 0x%02x", c);
	}
	for (unsigned c = 0x80; c < 0xc0; c++) {
		char text[2] = { '\xc2', (char)c };

		ck_assert_msg(run_id_valid(text, 2) == (c >= 0xa0), "U+00%02X", c);
	}
}
END_TEST

START_TEST(refuses_what_is_not_utf8)
{
	ck_assert(!valid("\xff"));
	ck_assert(!valid("\xc3"));
	ck_assert(!valid("\xc0\xaf"));         /* an overlong '/' */
	ck_assert(!valid("\xe0\x80\xaf"));
	ck_assert(!valid("\xed\xa0\x80"));     /* a surrogate */
	ck_assert(!valid("\xf4\x90\x80\x80")); /* above U+10FFFF */
}
END_TEST

START_TEST(bounds_the_length)
{
	char text[RUN_ID_BYTES + 1];

	memset(text, 'x', sizeof(text));
	ck_assert(!run_id_valid(text, 0));
	ck_assert(run_id_valid(text, RUN_ID_BYTES));
	ck_assert(!run_id_valid(text, RUN_ID_BYTES + 1));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("run_id");
	TCase *tests = tcase_create("grammar");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, takes_what_prints);
	tcase_add_test(tests, takes_dots_that_are_not_a_way_up);
	tcase_add_test(tests, refuses_separators);
	tcase_add_test(tests, refuses_every_control_character);
	tcase_add_test(tests, refuses_what_is_not_utf8);
	tcase_add_test(tests, bounds_the_length);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
