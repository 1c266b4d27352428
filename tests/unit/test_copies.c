/* Copies that were made of a log before it was emptied, or of one that was not: what is read of them by who was
 * behind or away, and what they lack. */
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "rotation.h"

static struct fixture f;

START_TEST(a_copy_is_read_by_who_was_behind_when_the_file_was_truncated)
{
	struct reader *slow, *fast;

	fixture_append(&f, OUT, "1\n");
	slow = rotation_reader(&f, "1\n");
	fast = rotation_reader(&f, "1\n");
	slow->is_stuck = true;
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(fast, "stdout", "1\n2\n");
	rotation_put(&f, OUT ".1", "1\n2\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "3\n");
	reader_wait_lines(fast, "stdout", "1\n2\n3\n");
	slow->is_stuck = false;
	reader_wait_lines(slow, "stdout", "1\n2\n3\n");
	ck_assert_uint_eq(reader_count(slow, "gap"), 1);
	ck_assert_int_eq(event_number(reader_event(slow, "gap", 0), "from"), 4);
}
END_TEST

START_TEST(several_copies_are_read_in_order_by_who_was_away)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	fixture_append(&f, OUT, "2\n");
	rotation_put(&f, OUT ".2", "1\n2\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "3\n");
	rotation_put(&f, OUT ".1", "3\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "4\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n3\n4\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 2);
}
END_TEST

START_TEST(a_copy_beside_is_not_read_as_another_part)
{
	char id[STREAM_ID_BYTES + 1], text[8000];
	struct reader *r;

	memset(text, 'x', sizeof(text));
	for (size_t i = 99; i < sizeof(text); i += 100)
		text[i] = '\n';
	fixture_write(&f, OUT, text, sizeof(text));
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 80);
	rotation_leave(&r, id);
	fixture_rename(&f, OUT, OUT ".1");
	fixture_write(&f, OUT ".bak", text, sizeof(text));
	fixture_append(&f, OUT, "2\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(behind_a_copy_of_what_was_replaced_nothing_more_is_missing)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	rotation_put(&f, OUT ".bak", "1\n");
	/* Long before the other one: files that are made in one tick have no order. */
	ck_assert_int_eq(utimensat(f.runs_dir_fd, OUT ".bak", (struct timespec[]){ { 1, 0 }, { 1, 0 } }, 0), 0);
	rotation_put(&f, "r1/new", "2\n");
	fixture_rename(&f, "r1/new", OUT);
	fixture_rename(&f, OUT, OUT ".1");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	fixture_settle(&f);
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(what_a_copy_lacks_of_its_file_is_told_to_who_comes_back_later_as_well)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r, *other;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	fixture_rename(&f, OUT, OUT ".2");
	fixture_append(&f, OUT, "2\n");
	other = rotation_reader(&f, "2\n");
	rotation_put(&f, OUT ".1", "2\n");
	fixture_append(&f, OUT, "3\n");
	reader_wait_lines(other, "stdout", "2\n3\n");
	fixture_truncate(&f, OUT);
	reader_wait(other, "gap", 1);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	reader_wait(r, "gap", 1);
}
END_TEST

START_TEST(who_left_in_a_copy_is_told_what_it_lacks_by_another_process)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	fixture_append(&f, OUT, "2\n");
	rotation_put(&f, OUT ".1", "1\n2\n");
	fixture_append(&f, OUT, "3\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "4\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n4\n");
	/* It has the last line of the copy, and not the gap behind it. */
	memcpy(id, reader_event(r, "log", 0)->id, sizeof(id));
	reader_free(&r);
	fixture_restart(&f, false);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "4\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(a_copy_that_was_read_is_not_read_again_at_the_start_of_its_file)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r, *other;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	other = rotation_reader(&f, "1\n");
	other->is_stuck = true;
	/* It grows for all that who follows can see. */
	rotation_put(&f, OUT ".2", "1\n");
	fixture_truncate(&f, OUT);
	rotation_put(&f, OUT ".1", "two\n");
	fixture_append(&f, OUT, "3\n3\n3\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "two\n3\n3\n3\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "two\n3\n3\n3\n");
}
END_TEST

START_TEST(who_was_led_to_a_file_and_got_nothing_of_it_gets_the_copy_of_it)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;
	uint32_t identity;

	fixture_append(&f, ERR, "1\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait_lines(r, "stderr", "1\n");
	fixture_settle(&f);
	r->is_stuck = true;
	identity = reader_channel(r)->sources[1]->current->identity;
	fixture_rename(&f, ERR, ERR ".1");
	fixture_append(&f, ERR, "2\n");
	fixture_append(&f, OUT, "out\n");
	while (reader_channel(r)->sources[1]->current->identity == identity ||
	       reader_channel(r)->sources[0]->current->size_bytes == 0)
		fixture_turn(&f, 5);
	r->is_stuck = false;
	r->blocks_left = 1;
	reader_wait_lines(r, "stdout", "out\n");
	ck_assert_str_eq(reader_lines(r, "stderr"), "1\n");
	rotation_leave(&r, id);
	fixture_rename(&f, ERR ".1", ERR ".2");
	rotation_put(&f, ERR ".1", "2\n");
	fixture_truncate(&f, ERR);
	fixture_append(&f, ERR, "3\n");
	fixture_restart(&f, false);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stderr", "2\n3\n");
}
END_TEST

START_TEST(who_was_at_the_start_of_an_empty_file_gets_the_copy_of_what_was_written_since)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "");
	r = rotation_reader(&f, "");
	rotation_leave(&r, id);
	fixture_append(&f, OUT, "1\n");
	rotation_put(&f, OUT ".bak", "1\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "1\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
	reader_free(&r);
	fixture_append(&f, OUT, "2\n");
	rotation_put(&f, OUT ".1", "1\n2\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "3\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "1\n2\n3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(a_copy_of_what_the_file_holds_still_is_not_read)
{
	struct reader *r;

	fixture_append(&f, OUT, "");
	r = rotation_reader(&f, "");
	fixture_append(&f, OUT, "1\n");
	rotation_put(&f, OUT ".bak", "1\n");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "1\n2\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\n2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(who_comes_through_earlier_files_to_a_copy_is_told_what_it_lacks_before_anything_follows)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	fixture_rename(&f, OUT, OUT "-20260101");
	fixture_append(&f, OUT, "2\n");
	fixture_restart(&f, false);
	rotation_pass_a_tick(&f);
	rotation_put(&f, OUT "-20260102", "2\n");
	fixture_truncate(&f, OUT);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	reader_wait(r, "gap", 1);
}
END_TEST

START_TEST(who_has_but_the_head_of_a_line_gets_the_rest_of_it_from_the_copy_of_it_and_not_of_one_like_it)
{
	struct reader *r;

	f.settings.api.sse.partial_flush_ms = 10;
	fixture_append(&f, OUT, "line 1\n");
	r = rotation_reader(&f, "line 1\n");
	fixture_copy(&f, OUT, OUT "-0001");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "lin");
	reader_wait_lines(r, "stdout", "line 1\nlin|");
	fixture_settle(&f);
	fixture_append(&f, OUT, "e 2\n");
	fixture_copy(&f, OUT, OUT "-0002");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "other\n");
	do
		fixture_turn(&f, 5);
	while (!strstr(reader_lines(r, "stdout"), "other\n"));
	ck_assert_str_eq(reader_lines(r, "stdout"), "line 1\nlin|e 2\nother\n");
}
END_TEST

START_TEST(the_file_before_it_is_no_copy_of_one_that_was_emptied_and_began_like_it)
{
	struct reader *r;

	f.settings.api.sse.partial_flush_ms = 10;
	fixture_append(&f, OUT, "line 1\n");
	r = rotation_reader(&f, "line 1\n");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "lin");
	reader_wait_lines(r, "stdout", "line 1\nlin|");
	fixture_truncate(&f, OUT);
	fixture_settle(&f);
	fixture_append(&f, OUT, "2\n");
	do
		fixture_turn(&f, 5);
	while (!strstr(reader_lines(r, "stdout"), "2\n"));
	ck_assert_str_eq(reader_lines(r, "stdout"), "line 1\nlin|2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(a_copy_over_an_older_file_is_one_of_a_log_of_which_little_was_read)
{
	struct reader *r;

	rotation_put(&f, OUT ".1", "of before\n");
	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	r->is_stuck = true;
	fixture_append(&f, OUT, "2\n");
	fixture_settle(&f);
	rotation_put(&f, OUT ".1", "1\n2\n");
	fixture_truncate(&f, OUT);
	fixture_settle(&f);
	fixture_append(&f, OUT, "3\n");
	r->is_stuck = false;
	reader_wait_lines(r, "stdout", "1\n2\n3\n");
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, a_copy_is_read_by_who_was_behind_when_the_file_was_truncated);
	tcase_add_test(tc, several_copies_are_read_in_order_by_who_was_away);
	tcase_add_test(tc, a_copy_beside_is_not_read_as_another_part);
	tcase_add_test(tc, behind_a_copy_of_what_was_replaced_nothing_more_is_missing);
	tcase_add_test(tc, what_a_copy_lacks_of_its_file_is_told_to_who_comes_back_later_as_well);
	tcase_add_test(tc, who_left_in_a_copy_is_told_what_it_lacks_by_another_process);
	tcase_add_test(tc, a_copy_that_was_read_is_not_read_again_at_the_start_of_its_file);
	tcase_add_test(tc, who_was_led_to_a_file_and_got_nothing_of_it_gets_the_copy_of_it);
	tcase_add_test(tc, who_was_at_the_start_of_an_empty_file_gets_the_copy_of_what_was_written_since);
	tcase_add_test(tc, a_copy_of_what_the_file_holds_still_is_not_read);
	tcase_add_test(tc, who_comes_through_earlier_files_to_a_copy_is_told_what_it_lacks_before_anything_follows);
	tcase_add_test(tc, who_has_but_the_head_of_a_line_gets_the_rest_of_it_from_the_copy_of_it_and_not_of_one_like_it);
	tcase_add_test(tc, the_file_before_it_is_no_copy_of_one_that_was_emptied_and_began_like_it);
	tcase_add_test(tc, a_copy_over_an_older_file_is_one_of_a_log_of_which_little_was_read);
}

int
main(void)
{
	return rotation_run("copies", &f, add_tests);
}
