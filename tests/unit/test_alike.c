/*
 * Logs that begin alike, with a head that all of them have, or with nothing but the head of a line read of
 * them: what so few bytes are of is told by when they were read.
 */
#include <check.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rotation.h"

#define HEAD "=== agent 1.2 ===\n"

static struct fixture f;

/* Comes back, and is there until it has a line. */
static struct reader *
come_back_until(const char *id, const char *line)
{
	struct reader *r = reader_resume(&f, "r1", id);

	do
		fixture_turn(&f, 5);
	while (!strstr(reader_lines(r, "stdout"), line));
	return r;
}

static void
copy_and_empty(const char *copy)
{
	fixture_copy(&f, OUT, copy);
	fixture_truncate(&f, OUT);
	rotation_pass_a_tick(&f);
}

START_TEST(what_the_writer_of_a_renamed_log_wrote_late_is_not_sent_again_to_who_comes_back_to_one_that_begins_alike)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, HEAD "old 1\n");
	r = rotation_reader(&f, HEAD "old 1\n");
	fixture_rename(&f, OUT, OUT ".1");
	rotation_put(&f, OUT, "");
	rotation_pass_a_tick(&f);
	fixture_settle(&f);
	fixture_append(&f, OUT ".1", "old 2\n");
	reader_wait_lines(r, "stdout", HEAD "old 1\nold 2\n");
	fixture_append(&f, OUT, HEAD);
	reader_wait_lines(r, "stdout", HEAD "old 1\nold 2\n" HEAD);
	rotation_leave(&r, id);
	fixture_append(&f, OUT, "new\n");
	r = come_back_until(id, "new\n");
	ck_assert_str_eq(reader_lines(r, "stdout"), "new\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

static void
leave_out_time(char id[static STREAM_ID_BYTES + 1])
{
	char *mark = strstr(id, ";o=");

	ck_assert_ptr_nonnull(mark);
	ck_assert_uint_eq(strlen(mark + 3), CURSOR_MARK_TEXT_BYTES);
	mark[3 + CURSOR_POSITION_TEXT_BYTES] = '\0';
}

START_TEST(an_id_that_bears_no_time_is_of_the_file_that_holds_it)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, HEAD "old\n");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, HEAD);
	r = rotation_reader(&f, HEAD);
	rotation_leave(&r, id);
	leave_out_time(id);
	fixture_append(&f, OUT, "new\n");
	r = come_back_until(id, "new\n");
	ck_assert_str_eq(reader_lines(r, "stdout"), "new\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(an_id_that_bears_no_time_is_not_of_the_log_before_its_own)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, HEAD "old\n");
	fixture_rename(&f, OUT, OUT ".1");
	rotation_pass_a_tick(&f);
	fixture_append(&f, OUT, HEAD);
	r = rotation_reader(&f, HEAD);
	rotation_leave(&r, id);
	leave_out_time(id);
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "new\n");
	r = come_back_until(id, "new\n");
	ck_assert_str_eq(reader_lines(r, "stdout"), "new\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(an_old_log_that_was_put_back_does_not_say_that_the_one_that_begins_alike_was_emptied)
{
	static const struct timespec then[2] = { { .tv_sec = 1500000000 }, { .tv_sec = 1500000000 } };
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, HEAD);
	r = rotation_reader(&f, HEAD);
	rotation_leave(&r, id);
	rotation_put(&f, OUT ".2", HEAD "old\n");
	ck_assert_int_eq(utimensat(f.runs_dir_fd, OUT ".2", then, 0), 0);
	rotation_pass_a_tick(&f);
	fixture_append(&f, OUT, "new\n");
	r = come_back_until(id, "new\n");
	ck_assert_str_eq(reader_lines(r, "stdout"), "new\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(who_comes_back_to_a_log_that_was_emptied_and_begins_alike_is_led_through_the_copies_made_since)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, HEAD "0\n");
	copy_and_empty(OUT "-20260100");
	fixture_append(&f, OUT, HEAD);
	r = rotation_reader(&f, HEAD);
	rotation_leave(&r, id);
	rotation_pass_a_tick(&f);
	fixture_append(&f, OUT, "1\n");
	copy_and_empty(OUT "-20260101");
	fixture_append(&f, OUT, HEAD "2\n");
	copy_and_empty(OUT "-20260102");
	fixture_append(&f, OUT, HEAD "3\n");
	r = come_back_until(id, "3\n");
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\n" HEAD "2\n" HEAD "3\n");
}
END_TEST

START_TEST(a_copy_made_before_a_line_was_begun_does_not_hold_the_rest_of_it)
{
	struct reader *r;

	f.settings.api.sse.partial_flush_ms = 10;
	fixture_append(&f, OUT, "line 1\n");
	r = rotation_reader(&f, "line 1\n");
	copy_and_empty(OUT "-20260101");
	fixture_settle(&f);
	fixture_append(&f, OUT, "lin");
	reader_wait_lines(r, "stdout", "line 1\nlin|");
	fixture_truncate(&f, OUT);
	fixture_settle(&f);
	fixture_append(&f, OUT, "other\n");
	do
		fixture_turn(&f, 5);
	while (!strstr(reader_lines(r, "stdout"), "other\n"));
	ck_assert_str_eq(reader_lines(r, "stdout"), "line 1\nlin|other\n");
}
END_TEST

START_TEST(what_is_shorter_than_a_log_was_when_it_was_made_is_no_copy_of_it)
{
	struct reader *r = reader_resume(&f, "r1", NULL);

	reader_wait(r, "status", 1);
	f.settings.api.sse.partial_flush_ms = 10;
	fixture_append(&f, OUT, "line 1\nline 2\n");
	fixture_rename(&f, OUT, OUT "-20260101");
	usleep(20000); /* no look is to come between: a tick of the file system's clock */
	fixture_append(&f, OUT, "line");
	fixture_rename(&f, OUT, OUT "-20260102");
	reader_wait_lines(r, "stdout", "line 1\nline 2\nline|");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(an_excerpt_that_somebody_made_of_a_log_does_not_say_that_it_was_emptied)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n2\n");
	r = rotation_reader(&f, "1\n2\n");
	rotation_leave(&r, id);
	fixture_append(&f, OUT, "3\n4\n");
	rotation_pass_a_tick(&f);
	rotation_put(&f, OUT ".old", "1\n2\n3\n");
	rotation_put(&f, OUT ".bak", "1\n2\n(3 was cut out)\n4\n");
	r = come_back_until(id, "4\n");
	ck_assert_str_eq(reader_lines(r, "stdout"), "3\n4\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(a_mark_with_more_lines_than_bytes_is_none)
{
	char id[STREAM_ID_BYTES + 1], *rest;
	struct reader *r;

	fixture_append(&f, OUT, "1\n2\n");
	r = rotation_reader(&f, "1\n2\n");
	rotation_leave(&r, id);
	rest = strchr(id, ';');
	memmove(id + strlen("s=999"), rest, strlen(rest) + 1);
	memcpy(id, "s=999", 5);
	r = come_back_until(id, "2\n");
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\n2\n");
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "cursor_invalid");
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, what_the_writer_of_a_renamed_log_wrote_late_is_not_sent_again_to_who_comes_back_to_one_that_begins_alike);
	tcase_add_test(tc, an_id_that_bears_no_time_is_of_the_file_that_holds_it);
	tcase_add_test(tc, an_id_that_bears_no_time_is_not_of_the_log_before_its_own);
	tcase_add_test(tc, an_old_log_that_was_put_back_does_not_say_that_the_one_that_begins_alike_was_emptied);
	tcase_add_test(tc, who_comes_back_to_a_log_that_was_emptied_and_begins_alike_is_led_through_the_copies_made_since);
	tcase_add_test(tc, a_copy_made_before_a_line_was_begun_does_not_hold_the_rest_of_it);
	tcase_add_test(tc, what_is_shorter_than_a_log_was_when_it_was_made_is_no_copy_of_it);
	tcase_add_test(tc, an_excerpt_that_somebody_made_of_a_log_does_not_say_that_it_was_emptied);
	tcase_add_test(tc, a_mark_with_more_lines_than_bytes_is_none);
}

int
main(void)
{
	return rotation_run("alike", &f, add_tests);
}
