/* What is renamed, compressed and deleted where nobody looks: between two looks, behind who is slow, while a
 * client is away. (test_copies.c: copies; test_emptied.c: what was emptied.) */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rotation.h"

static struct fixture f;

START_TEST(files_between_two_looks_come_in_order)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "2\n");
	fixture_rename(&f, OUT ".1", OUT ".2");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "3\n");
	fixture_rename(&f, OUT ".2", OUT ".3");
	fixture_rename(&f, OUT ".1", OUT ".2");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "4\n");
	reader_wait_lines(r, "stdout", "1\n2\n3\n4\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(a_file_that_came_and_was_rotated_before_anybody_looked_is_read)
{
	struct reader *r = rotation_reader(&f, "");

	fixture_append(&f, OUT, "1\n");
	fixture_rename(&f, OUT, OUT "-20260101");
	reader_wait_lines(r, "stdout", "1\n");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "1\n2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(what_lay_beside_before_is_no_part)
{
	struct reader *r;

	rotation_put(&f, OUT ".1", "of before\n");
	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	fixture_rename(&f, OUT ".1", OUT ".2");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "1\n2\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\n2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(who_comes_back_waits_for_what_is_still_written_to_the_renamed_file)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	f.settings.api.sse.poll_interval_ms = 1000; /* it is waited for as long as looks take */
	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT ".1", "2\n");
	fixture_append(&f, OUT, "new\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	fixture_append(&f, OUT ".1", "3\n"); /* its writer has not noticed yet */
	reader_wait_lines(r, "stdout", "2\n3\nnew\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(a_renamed_file_is_followed_for_who_came_back_while_the_new_one_is_empty)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "");
	r = reader_resume(&f, "r1", id);
	reader_wait(r, "status", 1);
	fixture_settle(&f);
	fixture_append(&f, OUT ".1", "2\n");
	reader_wait_lines(r, "stdout", "2\n");
	fixture_append(&f, OUT, "3\n");
	reader_wait_lines(r, "stdout", "2\n3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

static uint64_t
looks(const struct reader *r)
{
	return reader_channel(r)->sources[CURSOR_STDOUT]->looked;
}

/* One follows the first file, which was renamed; the second was renamed as well, and the third is empty. */
START_TEST(a_renamed_file_is_followed_for_who_came_back_while_others_are_in_one_before_it)
{
	char start_id[STREAM_ID_BYTES + 1], id[STREAM_ID_BYTES + 1];
	struct reader *r, *first, *along;

	f.settings.api.sse.poll_interval_ms = 300; /* so long are they to rest */
	rotation_put(&f, OUT "-20260100", "0\n"); /* something to look for copies among */
	fixture_append(&f, OUT, "1\n2\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 2);
	memcpy(start_id, reader_event(r, "status", 0)->id, sizeof(start_id));
	memcpy(id, reader_event(r, "log", 0)->id, sizeof(id));
	along = rotation_reader(&f, "1\n2\n");
	fixture_rename(&f, OUT, OUT "-20260101");
	fixture_append(&f, OUT, "3\n");
	fixture_rename(&f, OUT, OUT "-20260102");
	fixture_append(&f, OUT, "");
	usleep(400000); /* no look is to come before they have rested */
	for (uint64_t looked = looks(along); looks(along) == looked;)
		fixture_turn(&f, 1);
	first = reader_resume(&f, "r1", start_id);
	reader_wait_lines(first, "stdout", "1\n2\n3\n");
	reader_free(&r);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n3\n");
	fixture_append(&f, OUT "-20260102", "4\n");
	reader_wait_lines(along, "stdout", "1\n2\n3\n4\n");
	reader_wait_lines(first, "stdout", "1\n2\n3\n4\n");
	reader_wait_lines(r, "stdout", "2\n3\n4\n");
}
END_TEST

START_TEST(compressed_files_are_no_lines_and_what_was_in_them_is_missing)
{
	static const char *const endings[] = { ".gz", ".xz", ".zst", ".bz2" };
	char id[STREAM_ID_BYTES + 1], path[64];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	fixture_rename(&f, OUT, OUT ".9");
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s.%d%s", OUT, 8 - i, endings[i]);
		rotation_put(&f, path, "not\nlines\n");
	}
	fixture_append(&f, OUT, "2\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "compressed");
}
END_TEST

START_TEST(the_file_that_is_being_compressed_is_not_missing)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	fixture_rename(&f, OUT, OUT ".1");
	rotation_put(&f, OUT ".1.gz", "half of it");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "1\n2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(a_line_end_cut_in_two_by_rotation_loses_nothing)
{
	struct reader *r;

	fixture_append(&f, OUT, "one\r");
	r = reader_resume(&f, "r1", NULL);
	reader_wait_lines(r, "stdout", "one|");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "\ntwo\n");
	reader_wait_lines(r, "stdout", "one|\r\n\ntwo\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

/* The place of a file that was compressed, which keeps its time. */
static void
compress_to(const char *from, const char *to)
{
	struct stat stat;

	ck_assert_int_eq(fstatat(f.runs_dir_fd, from, &stat, 0), 0);
	rotation_put(&f, to, "\x1f\x8b packed");
	ck_assert_int_eq(utimensat(f.runs_dir_fd, to, (struct timespec[]){ stat.st_mtim, stat.st_mtim }, 0), 0);
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, from, 0), 0);
}

START_TEST(what_was_compressed_at_once_of_a_file_of_which_nothing_was_read_is_told_to_who_comes_back)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "");
	r = rotation_reader(&f, "");
	rotation_leave(&r, id);
	fixture_restart(&f, false);
	rotation_pass_a_tick(&f);
	fixture_append(&f, OUT, "1\n");
	rotation_put(&f, OUT ".1.gz", "packed\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "2\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "compressed");
}
END_TEST

START_TEST(what_was_compressed_of_what_lay_beside_a_file_before_it_was_begun_is_not_missing_to_who_comes_back)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT ".1", "0\n");
	rotation_pass_a_tick(&f);
	fixture_append(&f, OUT, "");
	r = rotation_reader(&f, "");
	rotation_leave(&r, id);
	fixture_restart(&f, false);
	rotation_pass_a_tick(&f);
	compress_to(OUT ".1", OUT ".1.gz");
	fixture_append(&f, OUT, "2\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	fixture_settle(&f);
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(what_lay_beside_before_is_not_missing_when_it_is_compressed)
{
	struct reader *r;

	fixture_append(&f, OUT ".1", "1\n");
	r = rotation_reader(&f, "");
	compress_to(OUT ".1", OUT ".1.gz");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(what_others_read_and_was_deleted_since_is_told_to_who_comes_back)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r, *other;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	other = rotation_reader(&f, "1\n");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(other, "stdout", "1\n2\n");
	rotation_put(&f, "r1/new", "3\n");
	fixture_rename(&f, "r1/new", OUT);
	reader_wait_lines(other, "stdout", "1\n2\n3\n");
	fixture_settle(&f);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(what_is_missing_before_an_empty_file_is_told_to_who_comes_back)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	fixture_rename(&f, OUT, OUT ".2");
	rotation_put(&f, OUT ".1.gz", "packed");
	fixture_append(&f, OUT, "");
	r = reader_resume(&f, "r1", id);
	reader_wait(r, "gap", 1);
}
END_TEST

START_TEST(what_was_rotated_away_empty_and_written_to_late_is_not_missing_when_it_is_compressed)
{
	struct reader *r;

	fixture_append(&f, OUT, "");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "");
	r = rotation_reader(&f, "");
	fixture_append(&f, OUT ".1", "late\n");
	fixture_append(&f, OUT, "1\n");
	fixture_rename(&f, OUT ".1", OUT ".1.gz");
	rotation_put(&f, "r1/packed", "packed\n");
	fixture_rename(&f, "r1/packed", OUT ".1.gz");
	reader_wait_lines(r, "stdout", "1\n");
	fixture_settle(&f);
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

static struct statx_timestamp
birth_of(const char *path)
{
	struct statx what = { 0 };

	ck_assert_int_eq(statx(f.runs_dir_fd, path, 0, STATX_BTIME, &what), 0);
	return what.stx_btime;
}

/* Within one tick of the clock by which files get their times. */
static void
put_at_once(const char *first, const char *first_text, const char *second, const char *second_text)
{
	struct statx_timestamp a, b;

	do {
		unlinkat(f.runs_dir_fd, first, 0);
		unlinkat(f.runs_dir_fd, second, 0);
		rotation_put(&f, first, first_text);
		rotation_put(&f, second, second_text);
		a = birth_of(first);
		b = birth_of(second);
	} while (a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec);
}

START_TEST(of_files_that_were_made_at_once_the_second_is_missed_if_it_was_left_before_its_reader_came)
{
	struct start at_end = { .kind = START_END };
	char id[STREAM_ID_BYTES + 1];
	struct reader *r, *other;

	put_at_once(OUT ".first", "1\n", OUT ".second", "lost\n");
	fixture_rename(&f, OUT ".first", OUT);
	r = rotation_reader(&f, "1\n");
	rotation_leave(&r, id);
	fixture_restart(&f, false);
	fixture_rename(&f, OUT, OUT ".1");
	fixture_rename(&f, OUT ".second", OUT);
	other = reader_new(&f, "r1", CHANNEL_BOTH, &at_end);
	reader_wait(other, "status", 1);
	unlinkat(f.runs_dir_fd, OUT, 0);
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(other, "stdout", "2\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, files_between_two_looks_come_in_order);
	tcase_add_test(tc, a_file_that_came_and_was_rotated_before_anybody_looked_is_read);
	tcase_add_test(tc, what_lay_beside_before_is_no_part);
	tcase_add_test(tc, who_comes_back_waits_for_what_is_still_written_to_the_renamed_file);
	tcase_add_test(tc, a_renamed_file_is_followed_for_who_came_back_while_the_new_one_is_empty);
	tcase_add_test(tc, a_renamed_file_is_followed_for_who_came_back_while_others_are_in_one_before_it);
	tcase_add_test(tc, compressed_files_are_no_lines_and_what_was_in_them_is_missing);
	tcase_add_test(tc, the_file_that_is_being_compressed_is_not_missing);
	tcase_add_test(tc, a_line_end_cut_in_two_by_rotation_loses_nothing);
	tcase_add_test(tc, what_was_compressed_at_once_of_a_file_of_which_nothing_was_read_is_told_to_who_comes_back);
	tcase_add_test(tc,
	               what_was_compressed_of_what_lay_beside_a_file_before_it_was_begun_is_not_missing_to_who_comes_back);
	tcase_add_test(tc, what_lay_beside_before_is_not_missing_when_it_is_compressed);
	tcase_add_test(tc, what_others_read_and_was_deleted_since_is_told_to_who_comes_back);
	tcase_add_test(tc, what_is_missing_before_an_empty_file_is_told_to_who_comes_back);
	tcase_add_test(tc, what_was_rotated_away_empty_and_written_to_late_is_not_missing_when_it_is_compressed);
	tcase_add_test(tc, of_files_that_were_made_at_once_the_second_is_missed_if_it_was_left_before_its_reader_came);
}

int
main(void)
{
	return rotation_run("rotation", &f, add_tests);
}
