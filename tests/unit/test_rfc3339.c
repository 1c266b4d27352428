/* Times of run-info and of messages. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/rfc3339.h"

static int64_t
parse(const char *text)
{
	int64_t ms = INT64_MIN;

	if (rfc3339_parse(text, strlen(text), &ms) != 0)
		return INT64_MIN;
	return ms;
}

START_TEST(times_are_read_with_their_offsets_and_fractions)
{
	ck_assert_int_eq(parse("1970-01-01T00:00:00Z"), 0);
	ck_assert_int_eq(parse("2026-02-04T18:30:42.569Z"), 1770229842569);
	ck_assert_int_eq(parse("2026-02-04t19:30:42.569+01:00"), 1770229842569);
	ck_assert_int_eq(parse("2026-02-04 13:00:42.569999999-05:30"), 1770229842569);
	ck_assert_int_eq(parse("2026-02-04T18:30:42.5z"), 1770229842500);
	ck_assert_int_eq(parse("1969-12-31T23:59:59.999Z"), -1);
	ck_assert_int_eq(parse("0001-01-01T00:00:00Z"), -62135596800000);
	ck_assert_int_eq(parse("0000-01-01T00:00:00Z"), -62167219200000);
	ck_assert_int_eq(parse("9999-12-31T23:59:59.999Z"), 253402300799999);
	ck_assert_int_eq(parse("2016-12-31T23:59:60Z"), 1483228800000);
	ck_assert_int_eq(parse("2024-02-29T00:00:00Z"), 1709164800000);
}
END_TEST

START_TEST(every_day_of_eight_centuries_agrees_with_the_c_library)
{
	for (time_t day = -719528; day < 719528; day += 13) {
		time_t seconds = day * 86400;
		char text[32];
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(text, sizeof(text), "0000-%m-%dT00:00:00Z", &tm);
		for (int i = 3, year = tm.tm_year + 1900; i >= 0; i--, year /= 10)
			text[i] = (char)('0' + year % 10);
		if (parse(text) != (int64_t)seconds * 1000)
			ck_abort_msg("%s", text);
	}
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
	static const char *const bad[] = {
		"", "2026", "2026-02-04", "2026-02-04T18:30:42", "2026-02-04T18:30Z",
		"2026-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Zx",
		"-026-01-01T00:00:00Z", "2026-01-01T00:00:00+0100", " 2026-01-01T00:00:00Z",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ms = 42;

		ck_assert_msg(rfc3339_parse(bad[i], strlen(bad[i]), &ms) == -EINVAL, "%s", bad[i]);
		ck_assert_int_eq(ms, 42);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rfc3339");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, times_are_read_with_their_offsets_and_fractions);
	tcase_add_test(tests, every_day_of_eight_centuries_agrees_with_the_c_library);
	tcase_add_test(tests, what_is_no_time_is_refused);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
