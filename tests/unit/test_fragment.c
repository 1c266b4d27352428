#include "stream/fragment.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct fragment
next(const char *text, size_t most, bool is_all, bool may_flush, bool is_final)
{
	struct fragment_limits limits = { .max_line_bytes = most, .is_all = is_all,
		                          .may_flush = may_flush, .is_final = is_final };

	return fragment_next((const uint8_t *)text, strlen(text), &limits);
}

#define EXPECT(f, a_kind, a_text, a_consumed) \
	do { \
		struct fragment got = f; \
		ck_assert_int_eq(got.kind, a_kind); \
		ck_assert_uint_eq(got.text_bytes, a_text); \
		ck_assert_uint_eq(got.consumed_bytes, a_consumed); \
	} while (0)

START_TEST(lines_end_with_lf_or_crlf)
{
	EXPECT(next("ab\ncd", 10, true, false, false), FRAGMENT_LINE, 2, 3);
	EXPECT(next("ab\r\n", 10, true, false, false), FRAGMENT_LINE, 2, 4);
	EXPECT(next("\n", 10, true, false, false), FRAGMENT_LINE, 0, 1);
	EXPECT(next("\r\n", 10, true, false, false), FRAGMENT_LINE, 0, 2);
	EXPECT(next("a\rb\r\r\n", 10, true, false, false), FRAGMENT_LINE, 4, 6);
}
END_TEST

START_TEST(an_unfinished_line_waits_rests_or_ends)
{
	EXPECT(next("ab", 10, true, false, false), FRAGMENT_NONE, 0, 0);
	EXPECT(next("ab", 10, false, false, false), FRAGMENT_MORE, 0, 0);
	EXPECT(next("ab", 10, true, true, false), FRAGMENT_PARTIAL, 2, 2);
	EXPECT(next("ab", 10, true, false, true), FRAGMENT_UNFINISHED, 2, 2);
	EXPECT(next("ab\r", 10, true, true, false), FRAGMENT_PARTIAL, 2, 2);
	EXPECT(next("\r", 10, true, true, false), FRAGMENT_NONE, 0, 0);
	EXPECT(next("ab\r", 10, true, false, true), FRAGMENT_UNFINISHED, 3, 3);
	EXPECT(next("ab\xe2\x82", 10, true, true, false), FRAGMENT_PARTIAL, 2, 2);
	EXPECT(next("ab\xe2\x82", 10, true, false, true), FRAGMENT_UNFINISHED, 4, 4);
}
END_TEST

START_TEST(long_lines_are_cut_at_the_bound)
{
	EXPECT(next("0123456789\n", 10, true, false, false), FRAGMENT_LINE, 10, 11);
	EXPECT(next("0123456789\r\n", 10, true, false, false), FRAGMENT_LINE, 10, 12);
	EXPECT(next("0123456789a\n", 10, true, false, false), FRAGMENT_PARTIAL, 10, 10);
	EXPECT(next("0123456789ab", 10, true, false, false), FRAGMENT_PARTIAL, 10, 10);
	EXPECT(next("0123456789a", 10, false, false, false), FRAGMENT_MORE, 0, 0);
	EXPECT(next("0123456789a", 10, true, true, false), FRAGMENT_PARTIAL, 10, 10);
	EXPECT(next("0123456789a", 10, true, false, true), FRAGMENT_PARTIAL, 10, 10);
	/* Never inside a sequence, nor between CR and what may be its LF. */
	EXPECT(next("01234567\xe2\x82\xac" "abc", 10, true, false, false), FRAGMENT_PARTIAL, 8, 8);
	EXPECT(next("012345678\r\r\rab", 10, true, false, false), FRAGMENT_PARTIAL, 9, 9);
	/* Only where nothing would remain. */
	EXPECT(next("\r\r\r\r\r", 1, true, false, false), FRAGMENT_PARTIAL, 1, 1);
}
END_TEST

/* Whatever is cut joins to what was there. */
START_TEST(any_bytes_come_through_whole)
{
	static const uint8_t alphabet[] = { 'a', '\r', '\n', 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xff, 0 };
	unsigned seed = 7;

	for (int round = 0; round < 1000; round++) {
		uint8_t bytes[64];
		size_t length = 1 + (size_t)(rand_r(&seed) % 64), at = 0;
		struct fragment_limits limits = { .max_line_bytes = 1 + (size_t)(rand_r(&seed) % 12),
			                          .is_all = true, .may_flush = round % 2,
			                          .is_final = true };

		for (size_t i = 0; i < length; i++)
			bytes[i] = alphabet[(size_t)rand_r(&seed) % sizeof(alphabet)];
		while (at < length) {
			struct fragment f = fragment_next(bytes + at, length - at, &limits);
			size_t end = f.consumed_bytes - f.text_bytes;

			ck_assert_uint_gt(f.consumed_bytes, 0);
			ck_assert_uint_le(f.consumed_bytes, length - at);
			ck_assert_uint_le(f.text_bytes, limits.max_line_bytes);
			ck_assert_ptr_null(memchr(bytes + at, '\n', f.text_bytes));
			if (f.kind == FRAGMENT_LINE) {
				ck_assert_int_eq(bytes[at + f.consumed_bytes - 1], '\n');
				ck_assert(end == 1 || bytes[at + f.text_bytes] == '\r');
			} else {
				ck_assert_uint_eq(end, 0);
				ck_assert(f.kind == FRAGMENT_PARTIAL || at + f.consumed_bytes == length);
			}
			at += f.consumed_bytes;
		}
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fragment");
	TCase *tc = tcase_create("fragment");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, lines_end_with_lf_or_crlf);
	tcase_add_test(tc, an_unfinished_line_waits_rests_or_ends);
	tcase_add_test(tc, long_lines_are_cut_at_the_bound);
	tcase_add_test(tc, any_bytes_come_through_whole);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
