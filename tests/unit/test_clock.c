#include "base/clock.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

static const char *
format(int64_t wall_ms)
{
	static char text[CLOCK_RFC3339_BYTES];

	ck_assert_uint_eq(clock_format_rfc3339(wall_ms, text), 24);
	ck_assert_uint_eq(strlen(text), 24);
	return text;
}

START_TEST(formats_utc_with_milliseconds)
{
	ck_assert_str_eq(format(0), "1970-01-01T00:00:00.000Z");
	ck_assert_str_eq(format(1770229842569), "2026-02-04T18:30:42.569Z");
	ck_assert_str_eq(format(951827696789), "2000-02-29T12:34:56.789Z");
}
END_TEST

START_TEST(formats_times_before_the_epoch)
{
	ck_assert_str_eq(format(-1), "1969-12-31T23:59:59.999Z");
	ck_assert_str_eq(format(-1000), "1969-12-31T23:59:59.000Z");
	ck_assert_str_eq(format(-62135596800000), "0001-01-01T00:00:00.000Z");
}
END_TEST

START_TEST(clamps_years_that_have_no_four_digits)
{
	ck_assert_str_eq(format(INT64_MAX), "9999-12-31T23:59:59.999Z");
	ck_assert_str_eq(format(INT64_MIN), "0000-01-01T00:00:00.000Z");
}
END_TEST

START_TEST(monotonic_time_never_goes_back_and_units_agree)
{
	int64_t before_ns = clock_now_ns(), ms = clock_now_ms(), after_ns = clock_now_ns();

	ck_assert_int_le(before_ns, after_ns);
	ck_assert_int_le(before_ns / 1000000, ms);
	ck_assert_int_le(ms, after_ns / 1000000);
	/* Wall-clock time is no time since boot. */
	ck_assert_int_gt(clock_wall_ms(), 1500000000000);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tc = tcase_create("clock");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, formats_utc_with_milliseconds);
	tcase_add_test(tc, formats_times_before_the_epoch);
	tcase_add_test(tc, clamps_years_that_have_no_four_digits);
	tcase_add_test(tc, monotonic_time_never_goes_back_and_units_agree);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
