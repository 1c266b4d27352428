#include "model/cursor.h"

#include <check.h>
#include <errno.h>
#include <string.h>

static int
parse(const char *text, struct cursor *cursor)
{
	return cursor_parse(text, strlen(text), cursor);
}

START_TEST(a_plain_number_means_lines_of_each_file)
{
	struct cursor c;

	ck_assert_int_eq(parse("120", &c), 0);
	ck_assert(c.is_number && !c.is_end);
	ck_assert_uint_eq(c.files[CURSOR_STDOUT].lines, 120);
	ck_assert_uint_eq(c.files[CURSOR_STDERR].lines, 120);
	ck_assert_int_eq(parse(" 0 ", &c), 0);
	ck_assert_uint_eq(c.files[CURSOR_STDOUT].lines, 0);
}
END_TEST

START_TEST(names_separators_and_equals_signs_have_their_variants)
{
	static const char *const same[] = {
		"s=120;e=3", "e=3;s=120", "stdout=120;stderr=3", "out=120,err=3", "s:120|e:3",
		" s = 120 ; e = 3 ", "s=120;e=3;", "s=120;e=3;future=x.y-z",
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct cursor c;

		ck_assert_msg(parse(same[i], &c) == 0, "%s", same[i]);
		ck_assert_msg(c.files[CURSOR_STDOUT].lines == 120 && c.files[CURSOR_STDERR].lines == 3, "%s",
		              same[i]);
		ck_assert(!c.is_number);
	}
}
END_TEST

START_TEST(a_missing_part_means_none)
{
	struct cursor c;

	ck_assert_int_eq(parse("e=7", &c), 0);
	ck_assert_uint_eq(c.files[CURSOR_STDOUT].lines, 0);
	ck_assert_uint_eq(c.files[CURSOR_STDERR].lines, 7);
	ck_assert(!c.files[CURSOR_STDERR].has_mark);
}
END_TEST

START_TEST(what_cannot_be_parsed_is_refused)
{
	static const char *const bad[] = {
		"", " ", "x", "s", "s=", "s=-1", "s=1.5", "s=1;s=2", "s=1;out=2", "=1", "s=1;;e=2", ";",
		"unknown=1", "end=1", "s=1;end=2", "s=1;o=short", "s=1;o=AAAAAAAAAAAAAAAAAAAAA!",
		"s=1;o=AAAAAAAAAAAAAAAAAAAAAAA", "1 2", "MSG-20260101-000000-000000000-PID00001-0001",
	};
	char longest[CURSOR_INPUT_BYTES + 2];
	struct cursor c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(bad[i], &c) == -EINVAL, "%s", bad[i]);
	memset(longest, '1', sizeof(longest));
	ck_assert_int_eq(cursor_parse(longest, sizeof(longest), &c), -EINVAL);
	ck_assert_int_eq(cursor_parse("1\0002", 3, &c), -EINVAL);
}
END_TEST

START_TEST(numbers_too_large_are_beyond_any_end)
{
	struct cursor c;

	ck_assert_int_eq(parse("99999999999999999999999999", &c), 0);
	ck_assert_uint_ge(c.files[CURSOR_STDOUT].lines, UINT64_C(1) << 60);
	ck_assert_int_eq(parse("s=18446744073709551615", &c), 0);
	ck_assert_uint_le(c.files[CURSOR_STDOUT].lines, UINT64_C(1) << 62);
}
END_TEST

START_TEST(what_is_sent_is_read_back)
{
	struct cursor c = { .is_end = true }, back;
	char text[CURSOR_TEXT_BYTES];
	size_t length;

	c.files[CURSOR_STDOUT].lines = 9999999999999999999U;
	c.files[CURSOR_STDERR].lines = 9999999999999999999U;
	for (int i = 0; i < CURSOR_FILES; i++) {
		c.files[i].has_mark = true;
		c.files[i].mark = (struct cursor_mark){ .offset = CURSOR_OFFSET_LIMIT - 1,
			                                .is_finished = i == 1,
			                                .identity = UINT32_MAX - (uint32_t)i,
			                                .fingerprint = (UINT64_C(1) << 48) - 1 };
	}
	length = cursor_format(&c, text);
	ck_assert_uint_eq(length, 99); /* the longest there is */
	ck_assert_uint_le(length, CURSOR_TEXT_BYTES);
	ck_assert_int_eq(cursor_parse(text, length, &back), 0);
	ck_assert(back.is_end);
	for (int i = 0; i < CURSOR_FILES; i++) {
		ck_assert(back.files[i].has_mark);
		ck_assert_uint_eq(back.files[i].mark.offset, c.files[i].mark.offset);
		ck_assert(back.files[i].mark.is_finished == c.files[i].mark.is_finished);
		ck_assert_uint_eq(back.files[i].mark.identity, c.files[i].mark.identity);
		ck_assert_uint_eq(back.files[i].mark.fingerprint, c.files[i].mark.fingerprint);
	}
}
END_TEST

START_TEST(a_place_near_the_start_bears_when_it_was_read)
{
	const int64_t begun_ms = 1700000000123;
	struct cursor_mark mark = { .offset = CURSOR_SHORT_BYTES - 1, .identity = 5, .fingerprint = 6,
		                    .begun_ms = begun_ms }, back;
	char text[CURSOR_MARK_TEXT_BYTES], other[CURSOR_MARK_TEXT_BYTES];

	ck_assert_uint_eq(cursor_format_mark(&mark, text), CURSOR_MARK_TEXT_BYTES);
	ck_assert_int_eq(cursor_parse_mark(text, CURSOR_MARK_TEXT_BYTES, &back), 0);
	ck_assert(back.offset == mark.offset && back.fingerprint == 6 && back.begun_ms == begun_ms);
	/* The position is the same whoever read it, and is read without the time as well. */
	mark.begun_ms++;
	cursor_format_mark(&mark, other);
	ck_assert_int_eq(memcmp(text, other, CURSOR_POSITION_TEXT_BYTES), 0);
	ck_assert_int_eq(cursor_parse_mark(text, CURSOR_POSITION_TEXT_BYTES, &back), 0);
	ck_assert(back.offset == mark.offset && back.begun_ms == 0);
	ck_assert_int_eq(cursor_parse_mark(text, CURSOR_MARK_TEXT_BYTES - 1, &back), -EINVAL);
	/* Further on it bears none, and none is read. */
	mark.offset = CURSOR_SHORT_BYTES;
	ck_assert_uint_eq(cursor_format_mark(&mark, text), CURSOR_POSITION_TEXT_BYTES);
	memcpy(text + CURSOR_POSITION_TEXT_BYTES, other + CURSOR_POSITION_TEXT_BYTES,
	       CURSOR_MARK_TEXT_BYTES - CURSOR_POSITION_TEXT_BYTES);
	ck_assert_int_eq(cursor_parse_mark(text, CURSOR_MARK_TEXT_BYTES, &back), -EINVAL);
	/* At the very start it is all there is. */
	mark.offset = 0;
	ck_assert_uint_eq(cursor_format_mark(&mark, text), CURSOR_POSITION_TEXT_BYTES);
	ck_assert_int_eq(cursor_parse_mark(text, CURSOR_POSITION_TEXT_BYTES, &back), 0);
	ck_assert(back.begun_ms == mark.begun_ms && back.fingerprint == 0);
}
END_TEST

START_TEST(an_id_of_places_near_the_starts_is_not_too_long)
{
	struct cursor c = { .is_end = true };
	char text[CURSOR_TEXT_BYTES];

	for (int i = 0; i < CURSOR_FILES; i++) {
		c.files[i].lines = CURSOR_SHORT_BYTES - 1; /* there cannot be more */
		c.files[i].has_mark = true;
		c.files[i].mark = (struct cursor_mark){ .offset = CURSOR_SHORT_BYTES - 1, .begun_ms = 1 };
	}
	ck_assert_uint_le(cursor_format(&c, text), 100);
	/* What a client says of lines fits all the same. */
	c.files[CURSOR_STDOUT].lines = c.files[CURSOR_STDERR].lines = 9999999999999999999U;
	ck_assert_uint_le(cursor_format(&c, text), CURSOR_TEXT_BYTES);
}
END_TEST

/* Ids were given to clients: this text must be read for ever. */
START_TEST(the_format_of_ids_does_not_change)
{
	struct cursor c = { 0 }, back;
	char text[CURSOR_TEXT_BYTES];
	const char *golden = "s=120;e=3;o=AAAAASNLASNFZ4mrze8BIw;r=AAAAAAAB_____wAAAAAAAA";
	size_t length;

	c.files[CURSOR_STDOUT].lines = 120;
	c.files[CURSOR_STDERR].lines = 3;
	c.files[CURSOR_STDOUT].has_mark = c.files[CURSOR_STDERR].has_mark = true;
	c.files[CURSOR_STDOUT].mark = (struct cursor_mark){ .offset = 0x91a5,
		                                            .is_finished = true,
		                                            .identity = 0x01234567,
		                                            .fingerprint = 0x89abcdef0123 };
	c.files[CURSOR_STDERR].mark =
		(struct cursor_mark){ .is_finished = true, .identity = 0xffffffff };
	length = cursor_format(&c, text);
	ck_assert_msg(length == strlen(golden) && memcmp(text, golden, length) == 0, "%.*s", (int)length,
	              text);
	ck_assert_int_eq(parse(golden, &back), 0);
	ck_assert_uint_eq(back.files[CURSOR_STDOUT].mark.offset, 0x91a5);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cursor");
	TCase *tc = tcase_create("cursor");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_plain_number_means_lines_of_each_file);
	tcase_add_test(tc, names_separators_and_equals_signs_have_their_variants);
	tcase_add_test(tc, a_missing_part_means_none);
	tcase_add_test(tc, what_cannot_be_parsed_is_refused);
	tcase_add_test(tc, numbers_too_large_are_beyond_any_end);
	tcase_add_test(tc, what_is_sent_is_read_back);
	tcase_add_test(tc, a_place_near_the_start_bears_when_it_was_read);
	tcase_add_test(tc, an_id_of_places_near_the_starts_is_not_too_long);
	tcase_add_test(tc, the_format_of_ids_does_not_change);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
