#include "base/buf.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

START_TEST(appends_text_numbers_and_formats)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "a=");
	buf_put_u64(&b, UINT64_MAX);
	buf_putc(&b, ';');
	buf_printf(&b, "%s%03d", "x", 7);
	buf_append(&b, "", 0);
	ck_assert_str_eq(buf_string(&b), "a=18446744073709551615;x007");
	ck_assert_uint_eq(b.length_bytes, strlen("a=18446744073709551615;x007"));
	ck_assert_int_eq(buf_error(&b), 0);
	buf_fini(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(an_empty_buffer_is_an_empty_string)
{
	struct buf b;

	buf_init(&b);
	ck_assert_str_eq(buf_string(&b), "");
	ck_assert_uint_eq(b.length_bytes, 0);
	buf_fini(&b);
	buf_fini(&b);
}
END_TEST

START_TEST(grows_over_its_capacity_and_keeps_what_it_had)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < 100000; i++)
		buf_putc(&b, (char)('a' + i % 26));
	ck_assert_uint_eq(b.length_bytes, 100000);
	for (size_t i = 0; i < 100000; i++)
		ck_assert_int_eq(b.data[i], (char)('a' + i % 26));
	buf_fini(&b);
}
END_TEST

START_TEST(consuming_drops_the_front)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "headbody");
	buf_consume(&b, 4);
	ck_assert_str_eq(buf_string(&b), "body");
	buf_consume(&b, 4);
	ck_assert_str_eq(buf_string(&b), "");
	buf_fini(&b);
}
END_TEST

START_TEST(keeps_the_first_error_and_ignores_the_rest)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "kept");
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX - 2));
	ck_assert_int_eq(buf_error(&b), -ENOMEM);
	buf_puts(&b, "ignored");
	buf_printf(&b, "%d", 1);
	ck_assert_uint_eq(b.length_bytes, 4);
	ck_assert_str_eq(buf_string(&b), "");
	buf_clear(&b);
	buf_puts(&b, "again");
	ck_assert_str_eq(buf_string(&b), "again");
	buf_fini(&b);
}
END_TEST

START_TEST(reserved_room_is_the_callers_to_fill)
{
	struct buf b = BUF_INIT;
	char *room = buf_reserve(&b, 3);

	ck_assert_ptr_nonnull(room);
	memcpy(room, "xyz", 3);
	ck_assert_uint_eq(b.length_bytes, 0);
	b.length_bytes += 3;
	ck_assert_str_eq(buf_string(&b), "xyz");
	buf_fini(&b);
}
END_TEST

START_TEST(consuming_more_than_there_is_breaks_an_invariant)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "ab");
	buf_consume(&b, 3);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("buf");
	TCase *tc = tcase_create("buf");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, appends_text_numbers_and_formats);
	tcase_add_test(tc, an_empty_buffer_is_an_empty_string);
	tcase_add_test(tc, grows_over_its_capacity_and_keeps_what_it_had);
	tcase_add_test(tc, consuming_drops_the_front);
	tcase_add_test(tc, keeps_the_first_error_and_ignores_the_rest);
	tcase_add_test(tc, reserved_room_is_the_callers_to_fill);
	tcase_add_test_raise_signal(tc, consuming_more_than_there_is_breaks_an_invariant, 6);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
