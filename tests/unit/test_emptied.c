/* What is emptied where nobody looks: what it held in between is read from its copies, if there are any, and
 * what is lost is told. */
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rotation.h"

static struct fixture f;

START_TEST(a_new_file_that_was_truncated_before_the_old_one_rested_is_told)
{
	struct reader *r;
	int64_t looks;
	struct source *source;

	f.settings.api.sse.poll_interval_ms = 60;
	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	source = reader_channel(r)->sources[0];
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "lost\n");
	looks = (int64_t)source->looks_begun;
	while ((int64_t)source->looked <= looks)
		fixture_turn(&f, 5);
	fixture_truncate(&f, OUT);
	fixture_turn(&f, 0);
	looks = (int64_t)source->looks_begun;
	while ((int64_t)source->looked <= looks)
		fixture_turn(&f, 5);
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "1\n2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "truncated");
	ck_assert_int_eq(event_number(reader_event(r, "gap", 0), "to"), 5);
}
END_TEST

START_TEST(who_comes_back_to_the_start_of_a_file_that_is_left_just_now_is_told_what_was_lost_behind_it)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r, *other;
	struct source *source;
	int64_t looks;

	f.settings.api.sse.poll_interval_ms = 150;
	rotation_put(&f, OUT ".5", "of before\n");
	fixture_append(&f, OUT, "");
	r = rotation_reader(&f, "");
	other = rotation_reader(&f, "");
	source = reader_channel(other)->sources[0];
	rotation_leave(&r, id);
	fixture_append(&f, OUT, "1\n");
	reader_wait_lines(other, "stdout", "1\n");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "lost\n");
	looks = (int64_t)source->looks_begun;
	while ((int64_t)source->looked <= looks)
		fixture_turn(&f, 5);
	fixture_truncate(&f, OUT);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "1\n");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "1\n2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(a_log_emptied_and_regrown_past_its_size_while_away_is_told)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	fixture_write(&f, OUT, "a\nb\nc\n", 6);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "a\nb\nc\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
	ck_assert_int_eq(event_number(reader_event(r, "gap", 0), "from"), 2);
}
END_TEST

START_TEST(a_copy_of_what_was_emptied_before_anybody_looked_does_not_come_behind_its_file)
{
	struct reader *r;
	size_t length;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	fixture_rename(&f, OUT, OUT ".2");
	fixture_append(&f, OUT, "");
	fixture_settle(&f);
	rotation_put(&f, OUT ".bak", "");
	fixture_settle(&f);
	fixture_append(&f, OUT, "2\n");
	rotation_put(&f, OUT ".1", "2\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "3\n");
	do
		fixture_turn(&f, 5);
	while (!strstr(reader_lines(r, "stdout"), "3\n"));
	fixture_settle(&f);
	length = strlen(reader_lines(r, "stdout"));
	ck_assert_str_eq(reader_lines(r, "stdout") + length - 2, "3\n");
}
END_TEST

START_TEST(a_copy_comes_before_its_file_where_only_a_reader_finds_that_it_was_emptied)
{
	struct start from_start = { .kind = START_BEGINNING };
	struct reader *r;
	struct stat was;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	fixture_settle(&f);
	ck_assert_int_eq(fstatat(f.runs_dir_fd, OUT, &was, 0), 0);
	fixture_truncate(&f, OUT);
	rotation_pass_an_epoch(&f, "2\n", OUT ".1", "3\n");
	/* All of it within one tick of the clock by which files get their times: no look sees it. */
	ck_assert_int_eq(utimensat(f.runs_dir_fd, OUT, (struct timespec[]){ was.st_atim, was.st_mtim }, 0), 0);
	(void)reader_new(&f, "r1", CHANNEL_BOTH, &from_start);
	reader_wait_lines(r, "stdout", "1\n2\n3\n");
	fixture_append(&f, OUT, "4\n");
	reader_wait_lines(r, "stdout", "1\n2\n3\n4\n");
}
END_TEST

START_TEST(a_log_of_which_nobody_has_read_goes_on_where_one_at_its_end_finds_it_rewritten)
{
	struct start at_end = { .kind = START_END };
	struct reader *r, *stuck;

	fixture_append(&f, OUT, "");
	stuck = rotation_reader(&f, "");
	stuck->is_stuck = true;
	fixture_append(&f, OUT, "old\n");
	fixture_settle(&f);
	r = reader_new(&f, "r1", CHANNEL_BOTH, &at_end);
	reader_wait(r, "status", 1);
	fixture_settle(&f);
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "new\n");
	reader_wait_lines(r, "stdout", "new\n");
	stuck->is_stuck = false;
	fixture_append(&f, OUT, "more\n");
	reader_wait_lines(r, "stdout", "new\nmore\n");
	reader_wait_lines(stuck, "stdout", "new\nmore\n");
}
END_TEST

START_TEST(what_an_empty_file_held_between_two_looks_is_read_from_the_copy)
{
	struct reader *r;

	fixture_append(&f, OUT, "");
	r = rotation_reader(&f, "");
	rotation_pass_an_epoch(&f, "1\n2\n", OUT ".1", "3\n");
	reader_wait_lines(r, "stdout", "1\n2\n3\n");
	/* Nobody knows what was written between the copy and its being emptied. */
	reader_wait(r, "gap", 1);
	fixture_append(&f, OUT, "4\n");
	reader_wait_lines(r, "stdout", "1\n2\n3\n4\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(what_a_file_held_twice_between_two_looks_is_read_from_both_copies)
{
	struct reader *r;

	fixture_append(&f, OUT, "");
	r = rotation_reader(&f, "");
	rotation_pass_an_epoch(&f, "1\n", OUT "-20260101", "");
	rotation_pass_an_epoch(&f, "two\n", OUT "-20260102", "three\n");
	reader_wait_lines(r, "stdout", "1\ntwo\nthree\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\ntwo\nthree\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 2);
}
END_TEST

START_TEST(behind_what_was_emptied_the_copy_of_what_nobody_saw_comes_once)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_put(&f, OUT "-20260101", "1\n");
	fixture_truncate(&f, OUT);
	rotation_pass_an_epoch(&f, "two\n", OUT "-20260102", "3\n3\n3\n");
	reader_wait_lines(r, "stdout", "1\ntwo\n3\n3\n3\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\ntwo\n3\n3\n3\n");
}
END_TEST

START_TEST(without_a_copy_of_what_was_read_that_of_what_nobody_saw_comes_behind_a_gap)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	fixture_truncate(&f, OUT);
	rotation_pass_an_epoch(&f, "two\n", OUT ".1", "3\n3\n3\n");
	reader_wait_lines(r, "stdout", "1\ntwo\n3\n3\n3\n");
	ck_assert_uint_ge(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(who_came_back_to_what_an_epoch_that_nobody_saw_followed_gets_it_once)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r, *other;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	other = rotation_reader(&f, "1\n");
	rotation_put(&f, OUT "-20260101", "1\n");
	fixture_truncate(&f, OUT);
	fixture_settle(&f);
	reader_wait(other, "gap", 1);
	rotation_pass_an_epoch(&f, "2\n", OUT "-20260102", "3\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n3\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "2\n3\n");
	reader_wait_lines(other, "stdout", "1\n2\n3\n");
	ck_assert_str_eq(reader_lines(other, "stdout"), "1\n2\n3\n");
}
END_TEST

/* The file of one that is stuck: emptied, written to anew up to its old size, and rotated. */
static void
rewrite_and_rotate(struct reader *stuck)
{
	stuck->is_stuck = true;
	rotation_put(&f, OUT "-20260102", "1\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "2\n");
	fixture_rename(&f, OUT, OUT "-20260103");
	fixture_append(&f, OUT, "3\n");
	fixture_settle(&f);
}

START_TEST(what_was_emptied_and_grew_to_its_size_before_it_was_rotated_comes_behind_a_gap)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rewrite_and_rotate(r);
	r->is_stuck = false;
	reader_wait_lines(r, "stdout", "1\n2\n3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(that_a_file_was_emptied_and_grew_to_its_size_is_told_to_who_comes_from_before_it)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r, *other;

	fixture_append(&f, OUT, "0\n");
	r = rotation_reader(&f, "0\n");
	rotation_leave(&r, id);
	fixture_rename(&f, OUT, OUT "-20260101");
	fixture_append(&f, OUT, "1\n");
	other = rotation_reader(&f, "1\n");
	rewrite_and_rotate(other);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "1\n2\n3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(copies_of_what_a_file_held_since_nobody_looks_come_behind_what_it_held_before)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r, *other;

	fixture_append(&f, OUT, "0\n");
	r = rotation_reader(&f, "0\n");
	rotation_leave(&r, id);
	fixture_rename(&f, OUT, OUT "-20260101");
	fixture_append(&f, OUT, "1\n");
	other = rotation_reader(&f, "1\n");
	other->is_stuck = true;
	rotation_put(&f, OUT "-20260102", "1\n");
	fixture_truncate(&f, OUT);
	rotation_pass_an_epoch(&f, "two\n", OUT "-20260103", "three\n");
	fixture_rename(&f, OUT, OUT "-20260104");
	fixture_append(&f, OUT, "");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "1\ntwo\nthree\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\ntwo\nthree\n");
	other->is_stuck = false;
	reader_wait_lines(other, "stdout", "1\ntwo\nthree\n");
}
END_TEST

START_TEST(what_came_behind_a_file_that_was_emptied_and_deleted_later_is_read)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	fixture_rename(&f, OUT, OUT "-20260101");
	f.settings.api.sse.poll_interval_ms = 2000; /* so long, what comes waits */
	fixture_append(&f, OUT, "2\n");
	for (int i = 0; i < 5; i++)
		fixture_turn(&f, 20);
	fixture_rename(&f, OUT, OUT "-20260102");
	fixture_append(&f, OUT, "3\n");
	fixture_rename(&f, OUT, OUT "-20260103");
	fixture_append(&f, OUT, "4\n");
	fixture_truncate(&f, OUT "-20260102");
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, OUT "-20260102", 0), 0);
	reader_wait_lines(r, "stdout", "1\n3\n4\n");
	/* And maybe another one behind "3", which might have been a copy of what was emptied. */
	ck_assert_uint_ge(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(what_was_compressed_at_once_of_a_file_that_was_emptied_between_two_looks_is_told)
{
	struct reader *r;

	fixture_append(&f, OUT, "");
	rotation_put(&f, OUT ".2.gz", "packed\n");
	r = rotation_reader(&f, "");
	fixture_append(&f, OUT, "1\n");
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, OUT ".2.gz", 0), 0);
	rotation_put(&f, OUT ".1.gz", "packed\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "2\n");
	reader_wait(r, "gap", 1);
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "compressed");
}
END_TEST

START_TEST(the_last_lines_of_a_log_that_was_emptied_just_now_are_those_that_are_there)
{
	struct start last_line = { .kind = START_TAIL, .tail_lines = 1 };
	struct reader *r, *other;

	fixture_append(&f, OUT, "1\n2\n");
	other = rotation_reader(&f, "1\n2\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "3\n4\n5\n");
	r = reader_new(&f, "r1", CHANNEL_BOTH, &last_line);
	reader_wait_lines(r, "stdout", "5\n");
	reader_wait_lines(other, "stdout", "1\n2\n3\n4\n5\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "5\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(what_is_rendered_for_one_is_not_sent_to_who_read_other_bytes_before_it)
{
	struct start behind_a_line = { .kind = START_CURSOR, .cursor.files[CURSOR_STDOUT].lines = 1 };
	struct reader *r, *other;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	r->is_stuck = true;
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "a\nb\n");
	other = reader_new(&f, "r1", CHANNEL_BOTH, &behind_a_line);
	reader_wait_lines(other, "stdout", "b\n");
	r->is_stuck = false;
	reader_wait_lines(r, "stdout", "1\na\nb\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(what_lies_there_is_no_copy_of_the_few_bytes_that_the_log_begins_with)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	f.settings.api.sse.partial_flush_ms = 60000;
	fixture_append(&f, OUT, "a1\n");
	r = rotation_reader(&f, "a1\n");
	rotation_leave(&r, id);
	rotation_put(&f, OUT "-20260101", "a1\n");
	fixture_truncate(&f, OUT);
	rotation_pass_an_epoch(&f, "b1\nb2\n", OUT "-20260102", "b");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "b1\nb2\n");
	fixture_append(&f, OUT, "3\n");
	reader_wait_lines(r, "stdout", "b1\nb2\nb3\n");
}
END_TEST

START_TEST(a_copy_tells_that_a_log_was_emptied_which_begins_with_the_same_few_bytes)
{
	struct reader *r;

	fixture_append(&f, OUT, "b");
	r = rotation_reader(&f, "b|");
	fixture_append(&f, OUT, "1\nb2\n");
	rotation_put(&f, OUT "-20260101", "b1\nb2\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "b3\n");
	reader_wait_lines(r, "stdout", "b|1\nb2\nb3\n");
	reader_wait(r, "gap", 1);
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, a_new_file_that_was_truncated_before_the_old_one_rested_is_told);
	tcase_add_test(tc, who_comes_back_to_the_start_of_a_file_that_is_left_just_now_is_told_what_was_lost_behind_it);
	tcase_add_test(tc, a_log_emptied_and_regrown_past_its_size_while_away_is_told);
	tcase_add_test(tc, a_copy_of_what_was_emptied_before_anybody_looked_does_not_come_behind_its_file);
	tcase_add_test(tc, a_copy_comes_before_its_file_where_only_a_reader_finds_that_it_was_emptied);
	tcase_add_test(tc, a_log_of_which_nobody_has_read_goes_on_where_one_at_its_end_finds_it_rewritten);
	tcase_add_test(tc, what_an_empty_file_held_between_two_looks_is_read_from_the_copy);
	tcase_add_test(tc, what_a_file_held_twice_between_two_looks_is_read_from_both_copies);
	tcase_add_test(tc, behind_what_was_emptied_the_copy_of_what_nobody_saw_comes_once);
	tcase_add_test(tc, without_a_copy_of_what_was_read_that_of_what_nobody_saw_comes_behind_a_gap);
	tcase_add_test(tc, who_came_back_to_what_an_epoch_that_nobody_saw_followed_gets_it_once);
	tcase_add_test(tc, what_was_emptied_and_grew_to_its_size_before_it_was_rotated_comes_behind_a_gap);
	tcase_add_test(tc, that_a_file_was_emptied_and_grew_to_its_size_is_told_to_who_comes_from_before_it);
	tcase_add_test(tc, copies_of_what_a_file_held_since_nobody_looks_come_behind_what_it_held_before);
	tcase_add_test(tc, what_came_behind_a_file_that_was_emptied_and_deleted_later_is_read);
	tcase_add_test(tc, what_was_compressed_at_once_of_a_file_that_was_emptied_between_two_looks_is_told);
	tcase_add_test(tc, what_lies_there_is_no_copy_of_the_few_bytes_that_the_log_begins_with);
	tcase_add_test(tc, a_copy_tells_that_a_log_was_emptied_which_begins_with_the_same_few_bytes);
	tcase_add_test(tc, the_last_lines_of_a_log_that_was_emptied_just_now_are_those_that_are_there);
	tcase_add_test(tc, what_is_rendered_for_one_is_not_sent_to_who_read_other_bytes_before_it);
}

int
main(void)
{
	return rotation_run("emptied", &f, add_tests);
}
