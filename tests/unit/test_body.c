#include "worker/body.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct body body;
static struct fastcgi_stdin input;
static size_t total;
static uint8_t records[256 * 1024];
static size_t length;

static void
set_up(void)
{
	memset(&body, 0, sizeof(body));
	memset(&input, 0, sizeof(input));
	total = 0;
	length = 0;
}

static void
tear_down(void)
{
	body_fini(&body);
	ck_assert_uint_eq(total, 0);
}

static void
put_record(uint8_t type, const char *content, size_t content_length, uint8_t padding)
{
	fastcgi_put_header(records + length, type, 1, (uint16_t)content_length, padding);
	memcpy(records + length + FCGI_HEADER_LEN, content, content_length);
	memset(records + length + FCGI_HEADER_LEN + content_length, 'p', padding);
	length += FCGI_HEADER_LEN + content_length + padding;
}

static int
add(void)
{
	return body_add(&body, &input, 1, records, length);
}

START_TEST(a_body_in_records_with_padding_is_joined_however_it_comes)
{
	put_record(FCGI_STDIN, "first ", 6, 3);
	put_record(FCGI_STDIN, "second", 6, 0);
	put_record(FCGI_STDIN, "", 0, 5);
	for (size_t piece = 1; piece <= length; piece++) {
		set_up();
		put_record(FCGI_STDIN, "first ", 6, 3);
		put_record(FCGI_STDIN, "second", 6, 0);
		put_record(FCGI_STDIN, "", 0, 5);
		ck_assert_int_eq(body_begin(&body, 12, &total), 0);
		for (size_t at = 0; at < length; at += piece) {
			size_t n = length - at < piece ? length - at : piece;
			int r = body_add(&body, &input, 1, records + at, n);

			/* Whole with the header of the empty record; its padding may follow. */
			ck_assert_int_eq(r, at + n < length - 5 ? -EAGAIN : 0);
		}
		ck_assert_str_eq(buf_string(&body.bytes), "first second");
		body_fini(&body);
	}
}
END_TEST

START_TEST(nothing_is_a_body_too)
{
	ck_assert_int_eq(body_begin(&body, 0, &total), 0);
	ck_assert_int_eq(add(), -EAGAIN);
	put_record(FCGI_STDIN, "", 0, 0);
	ck_assert_int_eq(add(), 0);
	ck_assert_uint_eq(body.bytes.length_bytes, 0);
}
END_TEST

START_TEST(a_shorter_one_is_not_taken)
{
	ck_assert_int_eq(body_begin(&body, 5, &total), 0);
	put_record(FCGI_STDIN, "four", 4, 0);
	put_record(FCGI_STDIN, "", 0, 0);
	ck_assert_int_eq(add(), -EMSGSIZE);
}
END_TEST

START_TEST(a_longer_one_is_not_taken_nor_kept)
{
	static const char long_content[60000];
	size_t room;

	ck_assert_int_eq(body_begin(&body, 3, &total), 0);
	room = body.bytes.capacity_bytes;
	put_record(FCGI_STDIN, "four", 4, 0);
	put_record(FCGI_STDIN, long_content, sizeof(long_content), 0);
	ck_assert_int_eq(add(), -EMSGSIZE);
	ck_assert_uint_eq(body.bytes.capacity_bytes, room);
	ck_assert(!input.is_over);
	/* The rest is passed over, from the same place. */
	length = 0;
	put_record(FCGI_STDIN, "", 0, 0);
	ck_assert_int_eq(fastcgi_stdin_skip(&input, 1, records, length), 0);
	ck_assert(input.is_over);
}
END_TEST

START_TEST(what_is_no_body_ends_it)
{
	ck_assert_int_eq(body_begin(&body, 10, &total), 0);
	put_record(FCGI_PARAMS, "", 0, 0);
	ck_assert_int_eq(add(), -EPROTO);
	body_fini(&body);
	set_up();
	ck_assert_int_eq(body_begin(&body, 10, &total), 0);
	put_record(FCGI_ABORT_REQUEST, "", 0, 0);
	ck_assert_int_eq(add(), -ECANCELED);
	body_fini(&body);
	set_up();
	ck_assert_int_eq(body_begin(&body, 0, &total), 0);
	put_record(FCGI_STDIN, "", 0, 0);
	put_record(FCGI_STDIN, "more", 4, 0);
	ck_assert_int_eq(add(), -EPROTO);
}
END_TEST

START_TEST(all_bodies_together_have_a_limit)
{
	struct body other = { .expected_bytes = 0 };

	ck_assert_int_eq(body_begin(&body, BODY_TOTAL_BYTES - 10, &total), 0);
	ck_assert_int_eq(body_begin(&other, 11, &total), -EAGAIN);
	ck_assert_uint_eq(total, BODY_TOTAL_BYTES - 10);
	body_fini(&other);
	ck_assert_uint_eq(total, BODY_TOTAL_BYTES - 10);
	ck_assert_int_eq(body_begin(&other, 10, &total), 0);
	ck_assert_uint_eq(total, BODY_TOTAL_BYTES);
	body_fini(&other);
	ck_assert_uint_eq(total, BODY_TOTAL_BYTES - 10);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("body");
	TCase *tests = tcase_create("body");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_body_in_records_with_padding_is_joined_however_it_comes);
	tcase_add_test(tests, nothing_is_a_body_too);
	tcase_add_test(tests, a_shorter_one_is_not_taken);
	tcase_add_test(tests, a_longer_one_is_not_taken_nor_kept);
	tcase_add_test(tests, what_is_no_body_ends_it);
	tcase_add_test(tests, all_bodies_together_have_a_limit);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
