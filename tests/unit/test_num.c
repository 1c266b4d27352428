#include "base/num.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

static int
parse(const char *text, uint64_t *ret_value)
{
	return num_parse_u64(text, strlen(text), ret_value);
}

START_TEST(reads_the_whole_range)
{
	uint64_t value = 1;

	ck_assert_int_eq(parse("0", &value), 0);
	ck_assert_uint_eq(value, 0);
	ck_assert_int_eq(parse("0000000000000000000000012", &value), 0);
	ck_assert_uint_eq(value, 12);
	ck_assert_int_eq(parse("18446744073709551615", &value), 0);
	ck_assert(value == UINT64_MAX);
}
END_TEST

START_TEST(refuses_what_is_no_number_and_leaves_the_output_alone)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x10", "1e3", "12a", "\xd9\xa1",
		                           "18446744073709551616x", "99999999999999999999999 " };
	uint64_t value = 42;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(bad[i], &value) == -EINVAL, "\"%s\" was read", bad[i]);
	ck_assert_int_eq(num_parse_u64("1\0002", 3, &value), -EINVAL);
	ck_assert_uint_eq(value, 42);
}
END_TEST

START_TEST(says_when_a_number_is_too_large)
{
	uint64_t value = 42;

	ck_assert_int_eq(parse("18446744073709551616", &value), -ERANGE);
	ck_assert_int_eq(parse("18446744073709551620", &value), -ERANGE);
	ck_assert_int_eq(parse("99999999999999999999999999", &value), -ERANGE);
	ck_assert_uint_eq(value, 42);
}
END_TEST

START_TEST(reads_no_further_than_it_is_told)
{
	uint64_t value;

	ck_assert_int_eq(num_parse_u64("123456", 3, &value), 0);
	ck_assert_uint_eq(value, 123);
}
END_TEST

START_TEST(formats_what_it_reads)
{
	static const uint64_t values[] = { 0, 9, 10, 99, 100, 1234567890, UINT64_MAX - 1, UINT64_MAX };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char text[NUM_U64_BYTES];
		size_t length = num_format_u64(values[i], text);
		uint64_t back = values[i] + 1;

		ck_assert_uint_ge(length, 1);
		ck_assert(length == 1 || text[0] != '0');
		ck_assert_int_eq(num_parse_u64(text, length, &back), 0);
		ck_assert(back == values[i]);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("num");
	TCase *tc = tcase_create("num");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, reads_the_whole_range);
	tcase_add_test(tc, refuses_what_is_no_number_and_leaves_the_output_alone);
	tcase_add_test(tc, says_when_a_number_is_too_large);
	tcase_add_test(tc, reads_no_further_than_it_is_told);
	tcase_add_test(tc, formats_what_it_reads);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
