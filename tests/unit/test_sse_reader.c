#include "model/sse_reader.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 1024 };

static struct sse_reader reader;
static struct buf seen;
static int answer;

/* One line an event: <name>|<data>|<id>, with "!" before a name that was given. */
static int
note(void *arg, const struct sse_event *event)
{
	(void)arg;
	buf_printf(&seen, "%s%s|", event->is_named ? "!" : "", event->name);
	buf_append(&seen, event->data, event->data_length);
	buf_printf(&seen, "|%s;", event->id);
	ck_assert_uint_eq(strlen(event->id), event->id_length);
	ck_assert_uint_eq(strlen(event->name), event->name_length);
	ck_assert_int_eq(event->data[event->data_length], '\0');
	return answer;
}

static void
set_up(void)
{
	answer = 0;
	buf_clear(&seen);
	sse_reader_init(&reader, MOST_BYTES, note, NULL);
}

static void
tear_down(void)
{
	sse_reader_fini(&reader);
	buf_fini(&seen);
}

static const char *
read_pieces(const char *text, size_t length, size_t piece)
{
	buf_clear(&seen);
	sse_reader_restart(&reader);
	for (size_t at = 0; at < length; at += piece) {
		size_t n = length - at < piece ? length - at : piece;

		ck_assert_int_eq(sse_reader_read(&reader, text + at, n), 0);
	}
	return buf_string(&seen);
}

static void
check(const char *text, const char *expected)
{
	for (size_t piece = 1; piece <= strlen(text) + 1; piece++)
		ck_assert_str_eq(read_pieces(text, strlen(text), piece), expected);
}

START_TEST(fields_make_events)
{
	check("event: log\ndata: x\nid: 7\n\n", "!log|x|7;");
	check("data: x\n\ndata:y\n\ndata:  z\n\n", "message|x|;message|y|;message| z|;");
	check("data\n\n", "message||;");
	check("data:\ndata:\n\n", "message|\n|;");
	check("data: YHOO\ndata: +2\ndata: 10\n\n", "message|YHOO\n+2\n10|;");
	check("event: a\nevent: b\ndata\n\n", "!b||;");
	check("event: a\nevent:\ndata\n\n", "message||;");
	check("data: a:b: c\n\n", "message|a:b: c|;");
}
END_TEST

START_TEST(comments_and_what_is_unknown_are_passed_over)
{
	check(": a comment\n:\ndata: x\nfoo: bar\nDATA: y\n data: z\ndata2: q\n\n", "message|x|;");
}
END_TEST

START_TEST(lines_end_with_lf_cr_or_both)
{
	check("data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\rdata: e\n\n", "message|a\nb\nc|;message|d|;message|e|;");
	check("data: a\r\n\r\ndata: b\r\n\r\n", "message|a|;message|b|;");
	check("\r\n\r\r\n\ndata: a\r\r", "message|a|;");
}
END_TEST

START_TEST(a_byte_order_mark_is_passed_over_once_and_at_the_start_alone)
{
	check("\xef\xbb\xbf" "data: x\n\n", "message|x|;");
	check("\xef\xbb\xbf\xef\xbb\xbf" "data: x\n\ndata: y\n\n", "message|y|;");
	check("\xef\xbb" "data: x\n\ndata: y\n\n", "message|y|;");
	check("data: \xef\xbb\xbfx\n\n", "message|\xef\xbb\xbfx|;");
}
END_TEST

START_TEST(an_event_without_data_is_none_but_its_id_counts)
{
	check("event: x\nid: 5\n\n", "");
	ck_assert_str_eq(sse_reader_last_id(&reader), "5");
	/* Nor does its name go to the next. */
	check("event: x\n\ndata: y\n\n", "message|y|;");
}
END_TEST

START_TEST(the_last_id_is_that_of_the_last_event_that_ended)
{
	check("data: x\nid: 5\n\ndata: y\n\ndata: z\nid: 6\n", "message|x|5;message|y|;");
	ck_assert_str_eq(sse_reader_last_id(&reader), "5");
	sse_reader_restart(&reader);
	ck_assert_str_eq(sse_reader_last_id(&reader), "5");
	check("data: y\n\n", "message|y|;"); /* what was left unfinished is gone */
	check("data: x\nid\n\n", "message|x|;");
	ck_assert_str_eq(sse_reader_last_id(&reader), "");
	ck_assert_int_eq(sse_reader_set_last_id(&reader, "given"), 0);
	ck_assert_str_eq(sse_reader_last_id(&reader), "given");
}
END_TEST

START_TEST(an_id_with_a_nul_is_none)
{
	static const char text[] = "id: 1\n\nid: 2\0" "3\ndata: x\n\n";

	ck_assert_str_eq(read_pieces(text, sizeof(text) - 1, 3), "message|x|;");
	ck_assert_str_eq(sse_reader_last_id(&reader), "1");
}
END_TEST

START_TEST(retry_takes_digits_alone)
{
	ck_assert_int_eq(reader.retry_ms, -1);
	check("retry: x1\n\n", "");
	ck_assert_int_eq(reader.retry_ms, -1);
	check("retry: 1500\n", "");
	ck_assert_int_eq(reader.retry_ms, 1500);
	check("retry: -5\nretry: 1.5\nretry:\nretry\n", "");
	ck_assert_int_eq(reader.retry_ms, 1500);
	check("retry: 99999999999999999999999999\n", "");
	ck_assert_int_eq(reader.retry_ms, 24 * 60 * 60 * 1000);
}
END_TEST

START_TEST(data_may_hold_anything)
{
	static const char text[] = "data: a\0b\xff\n\n";

	read_pieces(text, sizeof(text) - 1, sizeof(text));
	ck_assert_uint_eq(seen.length_bytes, sizeof("message|a0b\xff|;") - 1);
}
END_TEST

START_TEST(an_event_larger_than_allowed_is_an_error)
{
	char line[MOST_BYTES / 4 + 1];

	memset(line, 'x', sizeof(line));
	memcpy(line, "data: ", 6);
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(sse_reader_read(&reader, line, sizeof(line)), 0);
	ck_assert_int_eq(sse_reader_read(&reader, line, sizeof(line)), 0);
	ck_assert_int_eq(sse_reader_read(&reader, line, sizeof(line)), -EMSGSIZE);
	sse_reader_restart(&reader);
	memset(line, ':', sizeof(line));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(sse_reader_read(&reader, line, sizeof(line)), 0);
	ck_assert_int_eq(sse_reader_read(&reader, line, sizeof(line)), -EMSGSIZE);
}
END_TEST

START_TEST(who_takes_the_events_may_end_it)
{
	answer = 17;
	ck_assert_int_eq(sse_reader_read(&reader, "id: 4\ndata: x\n\ndata: y\n\n", 24), 17);
	ck_assert_str_eq(buf_string(&seen), "message|x|4;");
	ck_assert_str_eq(sse_reader_last_id(&reader), "4");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sse_reader");
	TCase *tc = tcase_create("sse_reader");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, fields_make_events);
	tcase_add_test(tc, comments_and_what_is_unknown_are_passed_over);
	tcase_add_test(tc, lines_end_with_lf_cr_or_both);
	tcase_add_test(tc, a_byte_order_mark_is_passed_over_once_and_at_the_start_alone);
	tcase_add_test(tc, an_event_without_data_is_none_but_its_id_counts);
	tcase_add_test(tc, the_last_id_is_that_of_the_last_event_that_ended);
	tcase_add_test(tc, an_id_with_a_nul_is_none);
	tcase_add_test(tc, retry_takes_digits_alone);
	tcase_add_test(tc, data_may_hold_anything);
	tcase_add_test(tc, an_event_larger_than_allowed_is_an_error);
	tcase_add_test(tc, who_takes_the_events_may_end_it);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
