/* What is rotated where nobody looks: between two looks, behind who is slow, while a client is away. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream_fixture.h"

#define OUT "r1/agent-stdout.txt"
#define ERR "r1/agent-stderr.txt"

static struct fixture f;

static void
set_up_inotify(void)
{
	fixture_set_up(&f, true);
	fixture_put_run(&f, "r1", "running", -1);
}

static void
set_up_polling(void)
{
	fixture_set_up(&f, false);
	fixture_put_run(&f, "r1", "running", -1);
}

static void
tear_down(void)
{
	fixture_tear_down(&f);
}

static void
copy_to(const char *name, const char *text)
{
	fixture_write(&f, name, text, strlen(text));
}

/* A reader that has these lines, and waits. */
static struct reader *
reader_of(const char *lines)
{
	struct reader *r = reader_resume(&f, "r1", NULL);

	reader_wait(r, "status", 1);
	reader_wait_lines(r, "stdout", lines);
	fixture_settle(&f);
	return r;
}

/* Away, with its last id. */
static void
leave(struct reader **r, char id[static STREAM_ID_BYTES + 1])
{
	memcpy(id, (*r)->last_id, STREAM_ID_BYTES + 1);
	reader_free(r);
}

/* What is made now is of a later time than what was made before, as the kernel counts it. */
static void
pass_a_tick(void)
{
	int64_t until_ms = clock_now_ms() + 20;

	while (clock_now_ms() < until_ms)
		fixture_turn(&f, 5);
}

START_TEST(files_between_two_looks_come_in_order)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
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
	struct reader *r = reader_of("");

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

	copy_to(OUT ".1", "of before\n");
	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	fixture_rename(&f, OUT ".1", OUT ".2");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "1\n2\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\n2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(a_new_file_that_was_truncated_before_the_old_one_rested_is_told)
{
	struct reader *r;
	int64_t looks;
	struct source *source;

	f.settings.api.sse.poll_interval_ms = 60;
	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
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
	copy_to(OUT ".5", "of before\n");
	fixture_append(&f, OUT, "");
	r = reader_of("");
	other = reader_of("");
	source = reader_channel(other)->sources[0];
	leave(&r, id);
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

START_TEST(a_copy_is_read_by_who_was_behind_when_the_file_was_truncated)
{
	struct reader *slow, *fast;

	fixture_append(&f, OUT, "1\n");
	slow = reader_of("1\n");
	fast = reader_of("1\n");
	slow->is_stuck = true;
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(fast, "stdout", "1\n2\n");
	copy_to(OUT ".1", "1\n2\n");
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
	r = reader_of("1\n");
	leave(&r, id);
	fixture_append(&f, OUT, "2\n");
	copy_to(OUT ".2", "1\n2\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "3\n");
	copy_to(OUT ".1", "3\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "4\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n3\n4\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 2);
}
END_TEST

START_TEST(who_comes_back_waits_for_what_is_still_written_to_the_renamed_file)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	f.settings.api.sse.poll_interval_ms = 1000; /* it is waited for as long as looks take */
	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	leave(&r, id);
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
	r = reader_of("1\n");
	leave(&r, id);
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

START_TEST(compressed_files_are_no_lines_and_what_was_in_them_is_missing)
{
	static const char *const endings[] = { ".gz", ".xz", ".zst", ".bz2" };
	char id[STREAM_ID_BYTES + 1], path[64];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	leave(&r, id);
	fixture_rename(&f, OUT, OUT ".9");
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s.%d%s", OUT, 8 - i, endings[i]);
		copy_to(path, "not\nlines\n");
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
	r = reader_of("1\n");
	fixture_rename(&f, OUT, OUT ".1");
	copy_to(OUT ".1.gz", "half of it");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "1\n2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
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
	leave(&r, id);
	fixture_rename(&f, OUT, OUT ".1");
	fixture_write(&f, OUT ".bak", text, sizeof(text));
	fixture_append(&f, OUT, "2\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
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

START_TEST(a_log_emptied_and_regrown_past_its_size_while_away_is_told)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	leave(&r, id);
	fixture_write(&f, OUT, "a\nb\nc\n", 6);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "a\nb\nc\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
	ck_assert_int_eq(event_number(reader_event(r, "gap", 0), "from"), 2);
}
END_TEST

/* The place of a file that was compressed, which keeps its time. */
static void
compress_to(const char *from, const char *to)
{
	struct stat stat;

	ck_assert_int_eq(fstatat(f.runs_dir_fd, from, &stat, 0), 0);
	copy_to(to, "\x1f\x8b packed");
	ck_assert_int_eq(utimensat(f.runs_dir_fd, to, (struct timespec[]){ stat.st_mtim, stat.st_mtim }, 0), 0);
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, from, 0), 0);
}

START_TEST(what_lay_beside_before_is_not_missing_when_it_is_compressed)
{
	struct reader *r;

	fixture_append(&f, OUT ".1", "1\n");
	r = reader_of("");
	compress_to(OUT ".1", OUT ".1.gz");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(behind_a_copy_of_what_was_replaced_nothing_more_is_missing)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	leave(&r, id);
	copy_to(OUT ".bak", "1\n");
	/* Long before the other one: files that are made in one tick have no order. */
	ck_assert_int_eq(utimensat(f.runs_dir_fd, OUT ".bak", (struct timespec[]){ { 1, 0 }, { 1, 0 } }, 0), 0);
	copy_to("r1/new", "2\n");
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
	r = reader_of("1\n");
	leave(&r, id);
	fixture_rename(&f, OUT, OUT ".2");
	fixture_append(&f, OUT, "2\n");
	other = reader_of("2\n");
	copy_to(OUT ".1", "2\n");
	fixture_append(&f, OUT, "3\n");
	reader_wait_lines(other, "stdout", "2\n3\n");
	fixture_truncate(&f, OUT);
	reader_wait(other, "gap", 1);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	reader_wait(r, "gap", 1);
}
END_TEST

START_TEST(what_others_read_and_was_deleted_since_is_told_to_who_comes_back)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r, *other;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	leave(&r, id);
	other = reader_of("1\n");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(other, "stdout", "1\n2\n");
	copy_to("r1/new", "3\n");
	fixture_rename(&f, "r1/new", OUT);
	reader_wait_lines(other, "stdout", "1\n2\n3\n");
	fixture_settle(&f);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(what_is_rendered_for_one_is_not_sent_to_who_read_other_bytes_before_it)
{
	struct start behind_a_line = { .kind = START_CURSOR, .cursor.files[CURSOR_STDOUT].lines = 1 };
	struct reader *r, *other;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
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

START_TEST(who_left_in_a_copy_is_told_what_it_lacks_by_another_process)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	leave(&r, id);
	fixture_append(&f, OUT, "2\n");
	copy_to(OUT ".1", "1\n2\n");
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
	r = reader_of("1\n");
	leave(&r, id);
	other = reader_of("1\n");
	other->is_stuck = true;
	/* It grows for all that who follows can see. */
	copy_to(OUT ".2", "1\n");
	fixture_truncate(&f, OUT);
	copy_to(OUT ".1", "two\n");
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
	leave(&r, id);
	fixture_rename(&f, ERR ".1", ERR ".2");
	copy_to(ERR ".1", "2\n");
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
	r = reader_of("");
	leave(&r, id);
	fixture_append(&f, OUT, "1\n");
	copy_to(OUT ".bak", "1\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "1\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
	reader_free(&r);
	fixture_append(&f, OUT, "2\n");
	copy_to(OUT ".1", "1\n2\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "3\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "1\n2\n3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(what_is_missing_before_an_empty_file_is_told_to_who_comes_back)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	leave(&r, id);
	fixture_rename(&f, OUT, OUT ".2");
	copy_to(OUT ".1.gz", "packed");
	fixture_append(&f, OUT, "");
	r = reader_resume(&f, "r1", id);
	reader_wait(r, "gap", 1);
}
END_TEST

START_TEST(a_copy_of_what_was_emptied_before_anybody_looked_does_not_come_behind_its_file)
{
	struct reader *r;
	size_t length;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	fixture_rename(&f, OUT, OUT ".2");
	fixture_append(&f, OUT, "");
	fixture_settle(&f);
	copy_to(OUT ".bak", "");
	fixture_settle(&f);
	fixture_append(&f, OUT, "2\n");
	copy_to(OUT ".1", "2\n");
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

/* What happens to a file while nobody looks: written, copied, emptied, and written again. */
static void
pass_an_epoch(const char *lines, const char *copy, const char *new_lines)
{
	fixture_append(&f, OUT, lines);
	copy_to(copy, lines);
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, new_lines);
}

START_TEST(what_an_empty_file_held_between_two_looks_is_read_from_the_copy)
{
	struct reader *r;

	fixture_append(&f, OUT, "");
	r = reader_of("");
	pass_an_epoch("1\n2\n", OUT ".1", "3\n");
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
	r = reader_of("");
	pass_an_epoch("1\n", OUT "-20260101", "");
	pass_an_epoch("two\n", OUT "-20260102", "three\n");
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
	r = reader_of("1\n");
	copy_to(OUT "-20260101", "1\n");
	fixture_truncate(&f, OUT);
	pass_an_epoch("two\n", OUT "-20260102", "3\n3\n3\n");
	reader_wait_lines(r, "stdout", "1\ntwo\n3\n3\n3\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\ntwo\n3\n3\n3\n");
}
END_TEST

START_TEST(without_a_copy_of_what_was_read_that_of_what_nobody_saw_comes_behind_a_gap)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	fixture_truncate(&f, OUT);
	pass_an_epoch("two\n", OUT ".1", "3\n3\n3\n");
	reader_wait_lines(r, "stdout", "1\ntwo\n3\n3\n3\n");
	ck_assert_uint_ge(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(a_copy_of_what_the_file_holds_still_is_not_read)
{
	struct reader *r;

	fixture_append(&f, OUT, "");
	r = reader_of("");
	fixture_append(&f, OUT, "1\n");
	copy_to(OUT ".bak", "1\n");
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "1\n2\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\n2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(who_came_back_to_what_an_epoch_that_nobody_saw_followed_gets_it_once)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r, *other;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	leave(&r, id);
	other = reader_of("1\n");
	copy_to(OUT "-20260101", "1\n");
	fixture_truncate(&f, OUT);
	fixture_settle(&f);
	reader_wait(other, "gap", 1);
	pass_an_epoch("2\n", OUT "-20260102", "3\n");
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
	copy_to(OUT "-20260102", "1\n");
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
	r = reader_of("1\n");
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
	r = reader_of("0\n");
	leave(&r, id);
	fixture_rename(&f, OUT, OUT "-20260101");
	fixture_append(&f, OUT, "1\n");
	other = reader_of("1\n");
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
	r = reader_of("0\n");
	leave(&r, id);
	fixture_rename(&f, OUT, OUT "-20260101");
	fixture_append(&f, OUT, "1\n");
	other = reader_of("1\n");
	other->is_stuck = true;
	copy_to(OUT "-20260102", "1\n");
	fixture_truncate(&f, OUT);
	pass_an_epoch("two\n", OUT "-20260103", "three\n");
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
	r = reader_of("1\n");
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

START_TEST(what_was_rotated_away_empty_and_written_to_late_is_not_missing_when_it_is_compressed)
{
	struct reader *r;

	fixture_append(&f, OUT, "");
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "");
	r = reader_of("");
	fixture_append(&f, OUT ".1", "late\n");
	fixture_append(&f, OUT, "1\n");
	fixture_rename(&f, OUT ".1", OUT ".1.gz");
	copy_to("r1/packed", "packed\n");
	fixture_rename(&f, "r1/packed", OUT ".1.gz");
	reader_wait_lines(r, "stdout", "1\n");
	fixture_settle(&f);
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(what_was_compressed_at_once_of_a_file_that_was_emptied_between_two_looks_is_told)
{
	struct reader *r;

	fixture_append(&f, OUT, "");
	copy_to(OUT ".2.gz", "packed\n");
	r = reader_of("");
	fixture_append(&f, OUT, "1\n");
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, OUT ".2.gz", 0), 0);
	copy_to(OUT ".1.gz", "packed\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "2\n");
	reader_wait(r, "gap", 1);
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "compressed");
}
END_TEST

START_TEST(what_was_compressed_at_once_of_a_file_of_which_nothing_was_read_is_told_to_who_comes_back)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "");
	r = reader_of("");
	leave(&r, id);
	fixture_restart(&f, false);
	pass_a_tick();
	fixture_append(&f, OUT, "1\n");
	copy_to(OUT ".1.gz", "packed\n");
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
	pass_a_tick();
	fixture_append(&f, OUT, "");
	r = reader_of("");
	leave(&r, id);
	fixture_restart(&f, false);
	pass_a_tick();
	compress_to(OUT ".1", OUT ".1.gz");
	fixture_append(&f, OUT, "2\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	fixture_settle(&f);
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(who_comes_through_earlier_files_to_a_copy_is_told_what_it_lacks_before_anything_follows)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = reader_of("1\n");
	leave(&r, id);
	fixture_rename(&f, OUT, OUT "-20260101");
	fixture_append(&f, OUT, "2\n");
	fixture_restart(&f, false);
	pass_a_tick();
	copy_to(OUT "-20260102", "2\n");
	fixture_truncate(&f, OUT);
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n");
	reader_wait(r, "gap", 1);
}
END_TEST

START_TEST(the_last_lines_of_a_log_that_was_emptied_just_now_are_those_that_are_there)
{
	struct start last_line = { .kind = START_TAIL, .tail_lines = 1 };
	struct reader *r, *other;

	fixture_append(&f, OUT, "1\n2\n");
	other = reader_of("1\n2\n");
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

static void
add_tests(TCase *tc)
{
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, files_between_two_looks_come_in_order);
	tcase_add_test(tc, a_file_that_came_and_was_rotated_before_anybody_looked_is_read);
	tcase_add_test(tc, what_lay_beside_before_is_no_part);
	tcase_add_test(tc, a_new_file_that_was_truncated_before_the_old_one_rested_is_told);
	tcase_add_test(tc, who_comes_back_to_the_start_of_a_file_that_is_left_just_now_is_told_what_was_lost_behind_it);
	tcase_add_test(tc, a_copy_is_read_by_who_was_behind_when_the_file_was_truncated);
	tcase_add_test(tc, several_copies_are_read_in_order_by_who_was_away);
	tcase_add_test(tc, who_comes_back_waits_for_what_is_still_written_to_the_renamed_file);
	tcase_add_test(tc, a_renamed_file_is_followed_for_who_came_back_while_the_new_one_is_empty);
	tcase_add_test(tc, compressed_files_are_no_lines_and_what_was_in_them_is_missing);
	tcase_add_test(tc, the_file_that_is_being_compressed_is_not_missing);
	tcase_add_test(tc, a_copy_beside_is_not_read_as_another_part);
	tcase_add_test(tc, a_line_end_cut_in_two_by_rotation_loses_nothing);
	tcase_add_test(tc, a_log_emptied_and_regrown_past_its_size_while_away_is_told);
	tcase_add_test(tc, what_lay_beside_before_is_not_missing_when_it_is_compressed);
	tcase_add_test(tc, behind_a_copy_of_what_was_replaced_nothing_more_is_missing);
	tcase_add_test(tc, what_a_copy_lacks_of_its_file_is_told_to_who_comes_back_later_as_well);
	tcase_add_test(tc, what_others_read_and_was_deleted_since_is_told_to_who_comes_back);
	tcase_add_test(tc, who_left_in_a_copy_is_told_what_it_lacks_by_another_process);
	tcase_add_test(tc, a_copy_that_was_read_is_not_read_again_at_the_start_of_its_file);
	tcase_add_test(tc, who_was_led_to_a_file_and_got_nothing_of_it_gets_the_copy_of_it);
	tcase_add_test(tc, who_was_at_the_start_of_an_empty_file_gets_the_copy_of_what_was_written_since);
	tcase_add_test(tc, what_is_missing_before_an_empty_file_is_told_to_who_comes_back);
	tcase_add_test(tc, a_copy_of_what_was_emptied_before_anybody_looked_does_not_come_behind_its_file);
	tcase_add_test(tc, what_an_empty_file_held_between_two_looks_is_read_from_the_copy);
	tcase_add_test(tc, what_a_file_held_twice_between_two_looks_is_read_from_both_copies);
	tcase_add_test(tc, behind_what_was_emptied_the_copy_of_what_nobody_saw_comes_once);
	tcase_add_test(tc, without_a_copy_of_what_was_read_that_of_what_nobody_saw_comes_behind_a_gap);
	tcase_add_test(tc, a_copy_of_what_the_file_holds_still_is_not_read);
	tcase_add_test(tc, who_came_back_to_what_an_epoch_that_nobody_saw_followed_gets_it_once);
	tcase_add_test(tc, what_was_emptied_and_grew_to_its_size_before_it_was_rotated_comes_behind_a_gap);
	tcase_add_test(tc, that_a_file_was_emptied_and_grew_to_its_size_is_told_to_who_comes_from_before_it);
	tcase_add_test(tc, copies_of_what_a_file_held_since_nobody_looks_come_behind_what_it_held_before);
	tcase_add_test(tc, what_came_behind_a_file_that_was_emptied_and_deleted_later_is_read);
	tcase_add_test(tc, what_was_rotated_away_empty_and_written_to_late_is_not_missing_when_it_is_compressed);
	tcase_add_test(tc, what_was_compressed_at_once_of_a_file_that_was_emptied_between_two_looks_is_told);
	tcase_add_test(tc, what_was_compressed_at_once_of_a_file_of_which_nothing_was_read_is_told_to_who_comes_back);
	tcase_add_test(tc,
	               what_was_compressed_of_what_lay_beside_a_file_before_it_was_begun_is_not_missing_to_who_comes_back);
	tcase_add_test(tc, who_comes_through_earlier_files_to_a_copy_is_told_what_it_lacks_before_anything_follows);
	tcase_add_test(tc, the_last_lines_of_a_log_that_was_emptied_just_now_are_those_that_are_there);
	tcase_add_test(tc, what_is_rendered_for_one_is_not_sent_to_who_read_other_bytes_before_it);
}

int
main(void)
{
	Suite *suite = suite_create("rotation");
	TCase *inotify = tcase_create("inotify"), *polling = tcase_create("polling");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(inotify, set_up_inotify, tear_down);
	add_tests(inotify);
	tcase_add_checked_fixture(polling, set_up_polling, tear_down);
	add_tests(polling);
	suite_add_tcase(suite, inotify);
	suite_add_tcase(suite, polling);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
