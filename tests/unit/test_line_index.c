#include "follow/line_index.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 5 * LINE_INDEX_CHUNK_BYTES + 777 };

static uint8_t *bytes;

static void
set_up(void)
{
	unsigned seed = 11;

	bytes = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = rand_r(&seed) % 50 ? 'x' : '\n';
	/* A chunk without a line end, and one of nothing else. */
	memset(bytes + LINE_INDEX_CHUNK_BYTES, 'y', LINE_INDEX_CHUNK_BYTES);
	memset(bytes + 3 * LINE_INDEX_CHUNK_BYTES, '\n', LINE_INDEX_CHUNK_BYTES);
}

static void
tear_down(void)
{
	free(bytes);
}

START_TEST(every_line_is_found_however_the_bytes_came)
{
	for (size_t step = 1000; step < 200000; step = step * 7 + 13) {
		struct line_index *index = line_index_new();
		uint64_t line = 0;

		for (size_t at = 0; at < SIZE; at += step)
			ck_assert_int_eq(line_index_add(index, bytes + at, SIZE - at < step ? SIZE - at : step),
			                 0);
		ck_assert_uint_eq(index->scanned_bytes, SIZE);
		for (size_t at = 0; at < SIZE; at++) {
			uint64_t offset, nth;
			size_t length;

			if (bytes[at] != '\n')
				continue;
			if (++line % 61 != 1)
				continue;
			line_index_find(index, line, &offset, &nth);
			length = SIZE - offset < LINE_INDEX_CHUNK_BYTES ? (size_t)(SIZE - offset)
			                                                : LINE_INDEX_CHUNK_BYTES;
			ck_assert_uint_eq(offset + line_index_nth_end(bytes + offset, length, nth), at + 1);
		}
		ck_assert_uint_eq(index->lines, line);
		line_index_free(&index);
	}
}
END_TEST

START_TEST(lines_around_holes_are_found)
{
	enum { BEFORE = 2 * LINE_INDEX_CHUNK_BYTES + 4242 };
	const uint64_t hole = (UINT64_C(8) << 30) + 4096;
	struct line_index *index = line_index_new();
	uint64_t line = 0;

	ck_assert_int_eq(line_index_skip(index, hole), 0);
	ck_assert_int_eq(line_index_add(index, bytes, BEFORE), 0);
	ck_assert_int_eq(line_index_skip(index, hole + BEFORE + hole), 0);
	ck_assert_int_eq(line_index_add(index, bytes + BEFORE, SIZE - BEFORE), 0);
	ck_assert_uint_eq(index->scanned_bytes, 2 * hole + SIZE);
	ck_assert_uint_lt(index->count, 12);
	for (size_t at = 0; at < SIZE; at++) {
		const uint64_t shift = at < BEFORE ? hole : 2 * hole;
		struct line_index_mark mark;
		uint64_t offset, nth;
		size_t length;

		if (bytes[at] != '\n' || ++line % 61 != 1)
			continue;
		line_index_find(index, line, &offset, &nth);
		ck_assert_uint_ge(offset, shift);
		offset -= shift;
		length = SIZE - offset < LINE_INDEX_CHUNK_BYTES ? (size_t)(SIZE - offset) : LINE_INDEX_CHUNK_BYTES;
		ck_assert_uint_eq(offset + line_index_nth_end(bytes + offset, length, nth), at + 1);
		mark = line_index_before(index, at + shift);
		ck_assert_uint_eq(mark.lines + line_index_count_ends(bytes + (mark.offset - shift),
		                                                     (size_t)(at + shift - mark.offset)), line - 1);
	}
	line_index_free(&index);
}
END_TEST

START_TEST(an_nth_end_that_is_not_there_is_0)
{
	ck_assert_uint_eq(line_index_nth_end((const uint8_t *)"a\nb\n", 4, 2), 4);
	ck_assert_uint_eq(line_index_nth_end((const uint8_t *)"a\nb\n", 4, 3), 0);
	ck_assert_uint_eq(line_index_nth_end((const uint8_t *)"a\nb", 3, 2), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("line_index");
	TCase *tc = tcase_create("line_index");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, every_line_is_found_however_the_bytes_came);
	tcase_add_test(tc, lines_around_holes_are_found);
	tcase_add_test(tc, an_nth_end_that_is_not_there_is_0);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
