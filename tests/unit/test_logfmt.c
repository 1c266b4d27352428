/* Values from anywhere in lines of key=value. */
#include "base/logfmt.h"

#include <check.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char text[4096];

static const char *__attribute__((format(printf, 2, 3)))
format_in(size_t capacity, const char *format, ...)
{
	va_list args;
	size_t length;

	memset(text, '#', sizeof(text));
	va_start(args, format);
	length = logfmt_vformat(text, capacity, format, args);
	va_end(args);
	ck_assert_uint_lt(length, capacity);
	ck_assert_uint_eq(length, strlen(text));
	ck_assert_int_eq(text[capacity], '#');
	return text;
}

#define FORMAT(...) format_in(sizeof(text) - 1, __VA_ARGS__)

START_TEST(plain_words_stand_as_they_are_and_others_in_quotes)
{
	const char *volatile none = NULL;

	ck_assert_str_eq(FORMAT("id=%s n=%d", "run-1_a.b:c/d,e+f@g%h", -5),
	                 "id=run-1_a.b:c/d,e+f@g%h n=-5");
	ck_assert_str_eq(FORMAT("a=%s b=%s c=%s", "two words", "", none),
	                 "a=\"two words\" b=\"\" c=\"\"");
	ck_assert_str_eq(FORMAT("a=%s", "k=v"), "a=\"k=v\"");
}
END_TEST

START_TEST(a_value_cannot_end_itself_or_begin_a_line)
{
	ck_assert_str_eq(FORMAT("a=%s b=1", "x\" level=error y=\"\\"),
	                 "a=\"x\\\" level=error y=\\\"\\\\\" b=1");
	ck_assert_str_eq(FORMAT("a=%s", "1\n2\r3\t4\x1b[2J\x7f"),
	                 "a=\"1\\x0a2\\x0d3\\x094\\x1b[2J\\x7f\"");
	ck_assert_str_eq(FORMAT("a=%s", "\xc3\xa9\xff\xc2\x9b"), "a=\"\\xc3\\xa9\\xff\\xc2\\x9b\"");
	/* Between quotes of the format there are no others. */
	ck_assert_str_eq(FORMAT("a=\"%s/%s\" b=%s", "x \"y\"", "z", "w"), "a=\"x \\\"y\\\"/z\" b=w");
}
END_TEST

START_TEST(integers_of_all_sizes_are_written)
{
	ck_assert_str_eq(FORMAT("%d %u %ld %lu %lld %llu", INT_MIN, UINT_MAX, LONG_MIN, ULONG_MAX,
	                        LLONG_MIN, ULLONG_MAX),
	                 "-2147483648 4294967295 -9223372036854775808 18446744073709551615 "
	                 "-9223372036854775808 18446744073709551615");
	ck_assert_str_eq(FORMAT("%zu %jd %ju %" PRIu32 " %" PRIu64 " %x %%", SIZE_MAX, INTMAX_MIN,
	                        UINTMAX_MAX, UINT32_MAX, UINT64_MAX, 255U),
	                 "18446744073709551615 -9223372036854775808 18446744073709551615 4294967295 "
	                 "18446744073709551615 ff %");
	ck_assert_str_eq(FORMAT("%c%c", 'a', '\n'), "a\"\\x0a\"");
}
END_TEST

START_TEST(what_is_no_string_is_read_no_further_than_its_length)
{
	char *bytes = malloc(3);

	memcpy(bytes, "abc", 3);
	ck_assert_str_eq(FORMAT("a=%.*s b=%.*s", 3, bytes, -1, bytes), "a=abc b=\"\"");
	ck_assert_uint_eq(logfmt_value(text, sizeof(text), bytes, 3), 3);
	ck_assert_str_eq(text, "abc");
	free(bytes);
}
END_TEST

START_TEST(a_long_value_is_cut_and_its_quote_is_closed)
{
	char *value = malloc(100001);
	size_t length;

	memset(value, '\n', 100000);
	value[100000] = '\0';
	FORMAT("a=%s b=2", value);
	length = strlen(text);
	ck_assert_uint_le(length, LOGFMT_VALUE_BYTES + strlen("a= b=2"));
	ck_assert_str_eq(text + length - strlen("\\x0a...\" b=2"), "\\x0a...\" b=2");
	free(value);
}
END_TEST

START_TEST(no_capacity_is_exceeded)
{
	for (size_t capacity = 1; capacity < 100; capacity++) {
		const char *got = format_in(capacity, "key=%s other=%d third=\"%s\"", "a \"value\"\n", 1234567,
		                            "\x01\x02\x03\x04\x05\x06\x07\x08 and more");

		for (const char *c = got; *c; c++)
			ck_assert(*c >= ' ');
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("logfmt");
	TCase *tc = tcase_create("logfmt");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, plain_words_stand_as_they_are_and_others_in_quotes);
	tcase_add_test(tc, a_value_cannot_end_itself_or_begin_a_line);
	tcase_add_test(tc, integers_of_all_sizes_are_written);
	tcase_add_test(tc, what_is_no_string_is_read_no_further_than_its_length);
	tcase_add_test(tc, a_long_value_is_cut_and_its_quote_is_closed);
	tcase_add_test(tc, no_capacity_is_exceeded);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
