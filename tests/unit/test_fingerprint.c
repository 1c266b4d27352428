#include "model/fingerprint.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 40000 };

static uint8_t bytes[SIZE];

static void
set_up(void)
{
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 2654435761U >> 13);
}

static uint64_t
alone(uint64_t offset)
{
	struct fingerprint_pass pass;
	uint64_t start = fingerprint_window_start(offset);

	fingerprint_begin(&pass, bytes + start, start, fingerprint_head(bytes));
	return fingerprint_at(&pass, offset);
}

START_TEST(a_pass_agrees_with_each_place_alone)
{
	struct fingerprint_pass pass;
	uint64_t offset = 0;

	fingerprint_begin(&pass, bytes, 0, fingerprint_head(bytes));
	while (offset < SIZE) {
		ck_assert_uint_eq(fingerprint_at(&pass, offset), alone(offset));
		offset += offset % 7 == 3 ? 6001 : 1 + offset % 131;
	}
}
END_TEST

START_TEST(the_last_4_kib_and_the_first_kib_are_in_it)
{
	static const uint64_t places[] = { 1, 511, 512, 1000, 4095, 4096, 4097, 4608, 5000, 8192, 30000 };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t place = places[i], before = alone(place);

		ck_assert_uint_lt(before, UINT64_C(1) << 48);
		for (uint64_t at = 0; at < place; at++) {
			if (at >= FINGERPRINT_HEAD_BYTES && at + 4096 < place)
				continue; /* what lies between is not looked at */
			bytes[at] ^= 1;
			ck_assert_msg(alone(place) != before, "byte %llu of %llu", (unsigned long long)at,
			              (unsigned long long)place);
			bytes[at] ^= 1;
		}
	}
}
END_TEST

START_TEST(what_follows_is_not_in_it)
{
	uint64_t before = alone(5000);

	bytes[5000] ^= 1;
	ck_assert_uint_eq(alone(5000), before);
}
END_TEST

START_TEST(the_window_is_aligned_and_bounded)
{
	for (uint64_t offset = 0; offset < 20000; offset++) {
		uint64_t start = fingerprint_window_start(offset);

		ck_assert_uint_eq(start % FINGERPRINT_BLOCK_BYTES, 0);
		ck_assert_uint_le(offset - start, FINGERPRINT_WINDOW_BYTES);
		ck_assert(start == 0 || offset - start >= 4096);
	}
}
END_TEST

/* Ids hold fingerprints: these values must not change. */
START_TEST(values_do_not_change)
{
	ck_assert_uint_eq(alone(0), UINT64_C(0x9cd1ba60ecd5));
	ck_assert_uint_eq(alone(100), UINT64_C(0xc5f110eb1088));
	ck_assert_uint_eq(alone(5000), UINT64_C(0xc639721ce921));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fingerprint");
	TCase *tc = tcase_create("fingerprint");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, a_pass_agrees_with_each_place_alone);
	tcase_add_test(tc, the_last_4_kib_and_the_first_kib_are_in_it);
	tcase_add_test(tc, what_follows_is_not_in_it);
	tcase_add_test(tc, the_window_is_aligned_and_bounded);
	tcase_add_test(tc, values_do_not_change);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
