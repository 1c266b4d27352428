#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/bell.h"
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

START_TEST(lines_come_from_the_start_then_live)
{
	struct reader *r;

	fixture_append(&f, OUT, "one\ntwo\n");
	fixture_append(&f, ERR, "bad\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait_lines(r, "stdout", "one\ntwo\n");
	reader_wait_lines(r, "stderr", "bad\n");
	fixture_append(&f, OUT, "three\n");
	reader_wait_lines(r, "stdout", "one\ntwo\nthree\n");
	ck_assert_str_eq(r->events[0].name, "status");
	ck_assert_str_eq(event_text(&r->events[0], "status"), "running");
	ck_assert_int_eq(event_number(reader_event(r, "log", 3), "n"), 3);
	ck_assert_str_eq(event_text(reader_event(r, "log", 0), "project_id"), "p");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(a_file_that_appears_late_is_read_from_its_start)
{
	struct reader *r = reader_resume(&f, "r1", NULL);

	reader_wait(r, "status", 1);
	fixture_settle(&f);
	fixture_append(&f, OUT, "late\n");
	reader_wait_lines(r, "stdout", "late\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

/* The lines of a stream from one of its events on. */
static const char *
lines_behind(struct reader *r, const char *stream, size_t index)
{
	static char text[8192];
	size_t length = 0;

	*text = '\0';
	for (size_t i = index + 1; i < reader_count(r, "log"); i++) {
		const struct read_event *e = reader_event(r, "log", i);

		if (strcmp(event_text(e, "stream"), stream) == 0)
			length += (size_t)snprintf(text + length, sizeof(text) - length, "%s\n",
			                           event_text(e, "line"));
	}
	return text;
}

START_TEST(every_id_resumes_exactly_behind_it)
{
	struct reader *r, *again;

	for (int i = 0; i < 40; i++) {
		char line[64];

		snprintf(line, sizeof(line), "line %d of some length\n", i);
		fixture_append(&f, i % 3 ? OUT : ERR, line);
	}
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 40);
	for (size_t i = 0; i < 40; i++) {
		again = reader_resume(&f, "r1", reader_event(r, "log", i)->id);
		reader_wait_lines(again, "stdout", lines_behind(r, "stdout", i));
		reader_wait_lines(again, "stderr", lines_behind(r, "stderr", i));
		ck_assert_uint_eq(reader_count(again, "gap"), 0);
		reader_free(&again);
	}
}
END_TEST

START_TEST(numbers_of_lines_resume)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n2\n3\n");
	fixture_append(&f, ERR, "a\n");
	r = reader_resume(&f, "r1", "s=2;e=1");
	reader_wait_lines(r, "stdout", "3\n");
	ck_assert_int_eq(event_number(reader_event(r, "log", 0), "n"), 3);
	ck_assert_str_eq(reader_lines(r, "stderr"), "");
	reader_free(&r);
	r = reader_resume(&f, "r1", "2");
	reader_wait_lines(r, "stdout", "3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0); /* beyond the end of stderr is its end */
	fixture_append(&f, ERR, "b\n");
	reader_wait_lines(r, "stderr", "b\n");
	reader_free(&r);
	r = reader_resume(&f, "r1", "s=9");
	reader_wait_lines(r, "stdout", "1\n2\n3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "cursor_invalid");
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "stream"), "stdout");
}
END_TEST

START_TEST(a_number_that_counts_the_unfinished_last_line_is_behind_it)
{
	static const char *const ids[] = { "s=2", "2", "9" };

	fixture_append(&f, OUT, "1\nlast");
	fixture_put_run(&f, "r1", "completed", 0);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct reader *r = reader_resume(&f, "r1", ids[i]);

		reader_wait_over(r);
		ck_assert_uint_eq(reader_count(r, "gap"), 0);
		ck_assert_uint_eq(reader_count(r, "log"), 0);
		ck_assert_uint_eq(reader_count(r, "complete"), 1);
		ck_assert_ptr_nonnull(strstr(r->last_id, "s=2;"));
		reader_free(&r);
	}
}
END_TEST

START_TEST(what_is_no_id_gives_one_gap_and_the_start)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = reader_resume(&f, "r1", "nonsense");
	reader_wait_lines(r, "stdout", "1\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "cursor_invalid");
}
END_TEST

START_TEST(tail_begins_some_lines_before_the_end)
{
	struct start start = { .kind = START_TAIL, .tail_lines = 2 };
	struct reader *r;

	fixture_append(&f, OUT, "1\n2\n3\n");
	r = reader_new(&f, "r1", CHANNEL_BOTH, &start);
	reader_wait_lines(r, "stdout", "2\n3\n");
	ck_assert_int_eq(event_number(reader_event(r, "log", 0), "n"), 2);
	fixture_append(&f, OUT, "4\nunfi");
	reader_wait_lines(r, "stdout", "2\n3\n4\nunfi|");
	reader_free(&r);
	r = reader_new(&f, "r1", CHANNEL_BOTH, &start); /* the unfinished line is one of them */
	reader_wait_lines(r, "stdout", "4\nunfi|");
	reader_free(&r);
	start.tail_lines = 100;
	r = reader_new(&f, "r1", CHANNEL_BOTH, &start);
	reader_wait_lines(r, "stdout", "1\n2\n3\n4\nunfi|");
}
END_TEST

START_TEST(from_the_end_shows_what_comes_and_its_numbers)
{
	struct start start = { .kind = START_END };
	struct reader *r;

	fixture_append(&f, OUT, "1\n2\n");
	r = reader_new(&f, "r1", CHANNEL_STDOUT, &start);
	reader_wait(r, "status", 1);
	fixture_append(&f, OUT, "3\n");
	reader_wait_lines(r, "stdout", "3\n");
	ck_assert_int_eq(event_number(reader_event(r, "log", 0), "n"), 3);
}
END_TEST

START_TEST(only_chosen_files_are_streamed)
{
	struct start start = { .kind = START_BEGINNING };
	struct reader *r;

	fixture_append(&f, OUT, "o\n");
	fixture_append(&f, ERR, "e\n");
	r = reader_new(&f, "r1", CHANNEL_STDERR, &start);
	reader_wait_lines(r, "stderr", "e\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "");
}
END_TEST

START_TEST(an_unfinished_line_is_held_then_sent_in_part_then_continued)
{
	struct reader *r;

	fixture_append(&f, OUT, "done\nprogress 1");
	r = reader_resume(&f, "r1", NULL);
	reader_wait_lines(r, "stdout", "done\nprogress 1|");
	fixture_append(&f, OUT, " 2\nnext\n");
	reader_wait_lines(r, "stdout", "done\nprogress 1| 2\nnext\n");
	ck_assert_int_eq(event_number(reader_event(r, "log", 1), "n"), 2);
	ck_assert_int_eq(event_number(reader_event(r, "log", 2), "n"), 2);
	ck_assert_int_eq(event_number(reader_event(r, "log", 3), "n"), 3);
	/* The id of a part says that its line was not seen whole. */
	ck_assert_int_eq(strncmp(reader_event(r, "log", 1)->id, "s=1;", 4), 0);
	ck_assert_int_eq(strncmp(reader_event(r, "log", 2)->id, "s=2;", 4), 0);
}
END_TEST

START_TEST(no_part_ends_between_cr_and_lf_or_inside_utf8)
{
	struct reader *r;

	fixture_append(&f, OUT, "abc\xc3");
	r = reader_resume(&f, "r1", NULL);
	reader_wait_lines(r, "stdout", "abc|");
	fixture_append(&f, OUT, "\xa9 d\r");
	reader_wait_lines(r, "stdout", "abc|\xc3\xa9 d|");
	fixture_append(&f, OUT, "\nx\r\n");
	reader_wait_lines(r, "stdout", "abc|\xc3\xa9 d|\nx\n");
	ck_assert(!event_flag(reader_event(r, "log", 1), "lossy"));
}
END_TEST

START_TEST(bytes_that_are_not_text_are_shown_and_said)
{
	struct reader *r;

	fixture_write(&f, OUT, "a\0b\n\xff\n\x1b[1m\n", 11);
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 3);
	ck_assert_int_eq(json_object_get_string_len(json_object_object_get(
				 reader_event(r, "log", 0)->data, "line")), 3);
	ck_assert_str_eq(event_text(reader_event(r, "log", 1), "line"), "\xef\xbf\xbd");
	ck_assert(event_flag(reader_event(r, "log", 1), "lossy"));
	ck_assert_str_eq(event_text(reader_event(r, "log", 2), "line"), "\x1b[1m");
}
END_TEST

START_TEST(a_line_beyond_the_limit_comes_in_parts_that_join)
{
	size_t length = 300 * 1000;
	char *line = malloc(length + 1);
	struct reader *r;
	size_t joined = 0;

	for (size_t i = 0; i < length; i++)
		line[i] = (char)('a' + i % 26);
	line[length] = '\n';
	fixture_write(&f, OUT, line, length + 1);
	fixture_append(&f, OUT, "next\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 6);
	for (size_t i = 0; i < 5; i++) {
		const struct read_event *e = reader_event(r, "log", i);
		const char *part = event_text(e, "line");

		ck_assert_int_eq(memcmp(part, line + joined, strlen(part)), 0);
		joined += strlen(part);
		ck_assert(event_flag(e, "partial") == (i < 4));
		ck_assert_int_eq(event_number(e, "n"), 1);
	}
	ck_assert_uint_eq(joined, length);
	ck_assert_str_eq(event_text(reader_event(r, "log", 5), "line"), "next");
	free(line);
}
END_TEST

START_TEST(the_end_of_a_run_finishes_its_last_line_then_completes)
{
	struct reader *r, *again;

	fixture_append(&f, OUT, "a\nlast");
	r = reader_resume(&f, "r1", NULL);
	reader_wait_lines(r, "stdout", "a\nlast|");
	fixture_put_run(&f, "r1", "completed", 0);
	reader_wait_over(r);
	ck_assert_str_eq(reader_lines(r, "stdout"), "a\nlast|\n");
	ck_assert_str_eq(event_text(reader_event(r, "status", 1), "status"), "completed");
	ck_assert_str_eq(r->events[r->count - 1].name, "complete");
	ck_assert_str_eq(event_text(&r->events[r->count - 1], "status"), "completed");
	ck_assert_ptr_nonnull(strstr(r->last_id, ";end=1"));
	/* Who comes back with the id of the end is told to stop. */
	again = reader_resume(&f, "r1", r->last_id);
	reader_wait_over(again);
	ck_assert(again->is_nothing_more);
	ck_assert_uint_eq(again->count, 0);
	reader_free(&again);
	/* Unless there is more. */
	fixture_append(&f, OUT, " words\nb\n");
	again = reader_resume(&f, "r1", r->last_id);
	reader_wait_over(again);
	ck_assert(!again->is_nothing_more);
	ck_assert_str_eq(reader_lines(again, "stdout"), " words\nb\n");
	ck_assert_int_eq(event_number(reader_event(again, "log", 0), "n"), 2);
	ck_assert_uint_eq(reader_count(again, "gap"), 0);
	ck_assert_uint_eq(reader_count(again, "complete"), 1);
}
END_TEST

START_TEST(the_last_line_of_a_run_that_has_ended_comes_in_one_piece)
{
	struct timespec long_ago[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct reader *r;

	fixture_append(&f, OUT, "a\nlast");
	ck_assert_int_eq(utimensat(f.runs_dir_fd, OUT, long_ago, 0), 0);
	fixture_put_run(&f, "r1", "completed", 0);
	r = reader_resume(&f, "r1", NULL);
	reader_wait_over(r);
	ck_assert_str_eq(reader_lines(r, "stdout"), "a\nlast\n");
}
END_TEST

static void
wait_bell(int bell_fd)
{
	uint32_t slots[16];
	int64_t until_ms = clock_now_ms() + 10000;

	while (bell_read(bell_fd, slots, 16) == 0) {
		ck_assert_int_lt(clock_now_ms(), until_ms);
		fixture_turn(&f, 20);
	}
}

static void
look(bool leaves_out)
{
	uint32_t slot = fixture_run(&f, "r1").slot;

	registry_writer_leave_out(f.writer, slot, leaves_out);
	registry_writer_look_begin(f.writer);
	registry_writer_look_finish(f.writer);
}

START_TEST(a_run_is_not_over_by_a_look_that_left_it_out)
{
	struct reader *r;
	int bell_fd, ring_fd;

	ck_assert_int_eq(bell_create(&bell_fd, &ring_fd), 0);
	f.hub->discovery_bell_fd = ring_fd;
	fixture_append(&f, "r1/agent-stdout.txt", "1\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait_lines(r, "stdout", "1\n");
	fixture_put_run(&f, "r1", "completed", 0);
	fixture_append(&f, "r1/agent-stdout.txt", "2\n"); /* it may go on */
	wait_bell(bell_fd);
	look(true);
	wait_bell(bell_fd); /* asked again */
	ck_assert_uint_eq(reader_count(r, "complete"), 0);
	look(false);
	reader_wait(r, "complete", 1);
	f.hub->discovery_bell_fd = -1;
	close(bell_fd);
	close(ring_fd);
}
END_TEST

START_TEST(a_run_without_files_completes)
{
	struct reader *r;

	fixture_put_run(&f, "r1", "failed", 3);
	r = reader_resume(&f, "r1", NULL);
	reader_wait_over(r);
	ck_assert_uint_eq(reader_count(r, "complete"), 1);
	ck_assert_int_eq(event_number(reader_event(r, "complete", 0), "exit_code"), 3);
}
END_TEST

START_TEST(a_rotated_file_is_finished_before_the_new_one_begins)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n2\ncut");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 2);
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT ".1", " short\n3\nunfinished");
	fixture_append(&f, OUT, "new 1\n");
	reader_wait(r, "log", 5);
	fixture_settle(&f);
	ck_assert_ptr_nonnull(strstr(reader_lines(r, "stdout"), "3\nunfinished"));
	ck_assert_ptr_nonnull(strstr(reader_lines(r, "stdout"), "new 1\n"));
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
	ck_assert_int_eq(event_number(reader_event(r, "log", reader_count(r, "log") - 1), "n"), 1);
}
END_TEST

START_TEST(a_truncated_file_gives_a_gap_and_what_is_there_now)
{
	struct reader *r;

	fixture_append(&f, OUT, "one\ntwo\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 2);
	fixture_truncate(&f, OUT);
	reader_wait(r, "gap", 1);
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "truncated");
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "stream"), "stdout");
	ck_assert_int_eq(event_number(reader_event(r, "gap", 0), "from"), 8);
	fixture_append(&f, OUT, "three\n");
	reader_wait_lines(r, "stdout", "one\ntwo\nthree\n");
	ck_assert_int_eq(event_number(reader_event(r, "log", 2), "n"), 1);
}
END_TEST

START_TEST(a_file_truncated_and_grown_past_its_old_size_is_noticed)
{
	struct reader *r;
	char text[9000];

	memset(text, 'x', sizeof(text));
	for (size_t i = 99; i < sizeof(text); i += 100)
		text[i] = '\n';
	fixture_write(&f, OUT, text, 6000);
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 60);
	/* In one go, as far as any look can tell. */
	memset(text, 'y', 1000);
	for (size_t i = 99; i < 1000; i += 100)
		text[i] = '\n';
	memset(text + 5000, 'z', 2000);
	for (size_t i = 5099; i < 7000; i += 100)
		text[i] = '\n';
	fixture_write(&f, OUT, text, 9000);
	reader_wait(r, "gap", 1);
	reader_wait(r, "log", 150);
	ck_assert_int_eq(event_number(reader_event(r, "log", 60), "n"), 1);
	ck_assert_int_eq(event_text(reader_event(r, "log", 60), "line")[0], 'y');
}
END_TEST

START_TEST(a_file_written_anew_to_the_same_size_is_noticed)
{
	struct reader *r;

	fixture_append(&f, OUT, "one\ntwo\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 2);
	fixture_write(&f, OUT, "owt\neno\n", 8); /* between two looks, as far as can be told */
	reader_wait(r, "gap", 1);
	reader_wait_lines(r, "stdout", "one\ntwo\nowt\neno\n");
}
END_TEST

START_TEST(a_file_larger_than_ids_can_say_does_no_harm)
{
	struct reader *r;
	char path[128];

	fixture_append(&f, OUT, "one\n");
	snprintf(path, sizeof(path), "%s/%s", f.directory, OUT);
	if (truncate(path, (off_t)1 << 50) < 0)
		return; /* not on this file system */
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "gap", 1);
	ck_assert_str_eq(event_text(reader_event(r, "log", 0), "line"), "one");
}
END_TEST

START_TEST(a_cursor_into_another_content_gives_a_gap)
{
	struct reader *r;
	char id[CURSOR_TEXT_BYTES + 1];

	fixture_append(&f, OUT, "one\ntwo\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 2);
	memcpy(id, reader_event(r, "log", 0)->id, sizeof(id));
	reader_free(&r);
	fixture_write(&f, OUT, "eno\ntwo\nthree\n", 14); /* the same inode and larger */
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "eno\ntwo\nthree\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "truncated");
	ck_assert_int_eq(event_number(reader_event(r, "gap", 0), "from"), 4);
	reader_free(&r);
	fixture_rename(&f, OUT, "r1/moved");
	unlinkat(f.runs_dir_fd, "r1/moved", 0);
	fixture_append(&f, OUT, "one\ntwo\n"); /* the same content in another file */
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "one\ntwo\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
}
END_TEST

START_TEST(a_returning_reader_finds_the_rotated_file_and_those_between)
{
	struct reader *r;
	char id[CURSOR_TEXT_BYTES + 1];

	fixture_append(&f, OUT, "1\n2\n3\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 3);
	memcpy(id, reader_event(r, "log", 0)->id, sizeof(id));
	reader_free(&r);
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT ".1", "4\n");
	r = reader_resume(&f, "r1", id); /* no new file yet */
	reader_wait_lines(r, "stdout", "2\n3\n4\n");
	reader_free(&r);
	fixture_rename(&f, OUT ".1", OUT ".2");
	fixture_settle(&f);
	fixture_append(&f, OUT ".1", "between\n");
	fixture_settle(&f);
	fixture_append(&f, OUT, "now\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "2\n3\n4\nbetween\nnow\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
	ck_assert_int_eq(event_number(reader_event(r, "log", 0), "n"), 2);
	ck_assert_int_eq(event_number(reader_event(r, "log", 4), "n"), 1);
}
END_TEST

START_TEST(a_returning_reader_finds_a_copy_that_was_made_before_truncation)
{
	struct reader *r;
	char id[CURSOR_TEXT_BYTES + 1];

	fixture_append(&f, OUT, "1\n2\n3\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 3);
	memcpy(id, reader_event(r, "log", 1)->id, sizeof(id));
	reader_free(&r);
	fixture_append(&f, OUT ".1", "1\n2\n3\n");
	fixture_truncate(&f, OUT);
	fixture_append(&f, OUT, "new\n");
	r = reader_resume(&f, "r1", id);
	reader_wait_lines(r, "stdout", "3\nnew\n");
	/* What was written between the copy and the truncation, if anything, is in neither. */
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
	ck_assert_int_eq(event_number(reader_event(r, "gap", 0), "from"), 6);
}
END_TEST

START_TEST(holes_are_skipped_and_said)
{
	struct reader *r, *again;
	char path[128];

	fixture_append(&f, OUT, "before\n");
	snprintf(path, sizeof(path), "%s/%s", f.directory, OUT);
	ck_assert_int_eq(truncate(path, (off_t)1 << 40), 0);
	fixture_append(&f, OUT, "after\nmore\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "gap", 1);
	reader_wait(r, "log", 4);
	/* What is left of the page before it is zeros, and the start of the next line. */
	ck_assert_int_eq(json_object_get_string_len(json_object_object_get(
				 reader_event(r, "log", 1)->data, "line")), 4096 - 7);
	ck_assert(event_flag(reader_event(r, "log", 1), "partial"));
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "hole");
	ck_assert_int_eq(event_number(reader_event(r, "gap", 0), "from"), 4096);
	ck_assert_int_eq(event_number(reader_event(r, "gap", 0), "to"), (int64_t)1 << 40);
	ck_assert_str_eq(event_text(reader_event(r, "log", 2), "line"), "after");
	ck_assert_int_eq(event_number(reader_event(r, "log", 2), "n"), 2);
	ck_assert_str_eq(event_text(reader_event(r, "log", 3), "line"), "more");
	again = reader_resume(&f, "r1", reader_event(r, "gap", 0)->id);
	reader_wait(again, "log", 2);
	ck_assert_uint_eq(reader_count(again, "gap"), 0);
}
END_TEST

START_TEST(readers_of_one_run_share_followers_and_blocks)
{
	struct reader *r[10];

	for (int i = 0; i < 1000; i++)
		fixture_append(&f, OUT, "a line of the log that all of them are going to read\n");
	for (int i = 0; i < 10; i++)
		r[i] = reader_resume(&f, "r1", NULL);
	for (int i = 0; i < 10; i++)
		reader_wait(r[i], "log", 1000);
	ck_assert_uint_eq(followers_figures(f.hub->followers).followers, 2);
	ck_assert_uint_eq(f.hub->channel_count, 1);
	/* 52 KB are few blocks, whoever reads them. */
	ck_assert_uint_le(f.hub->blocks_rendered, 10);
	fixture_settle(&f);
	ck_assert_uint_eq(f.hub->cache.bytes, 0); /* all have it: nothing is kept */
}
END_TEST

START_TEST(a_reader_that_is_stuck_gets_every_line_in_the_end)
{
	struct reader *slow, *fast;
	char line[128];

	f.hub->cache.most_bytes = 1000; /* so that it falls out of what is kept */
	slow = reader_resume(&f, "r1", NULL);
	fast = reader_resume(&f, "r1", NULL);
	reader_wait(slow, "status", 1);
	slow->is_stuck = true;
	for (int i = 0; i < 2000; i++) {
		snprintf(line, sizeof(line), "line number %d\n", i);
		fixture_append(&f, OUT, line);
		if (i % 500 == 499)
			reader_wait(fast, "log", (size_t)i + 1);
	}
	ck_assert_uint_eq(reader_count(slow, "log"), 0);
	slow->is_stuck = false;
	reader_wait(slow, "log", 2000);
	for (size_t i = 0; i < 2000; i++) {
		snprintf(line, sizeof(line), "line number %zu", i);
		ck_assert_str_eq(event_text(reader_event(slow, "log", i), "line"), line);
		ck_assert_str_eq(reader_event(slow, "log", i)->id, reader_event(fast, "log", i)->id);
		i += 17;
	}
}
END_TEST

START_TEST(what_is_no_regular_file_is_not_read)
{
	struct reader *r;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", f.directory, OUT);
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	snprintf(path, sizeof(path), "%s/%s", f.directory, ERR);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "status", 1);
	fixture_settle(&f);
	ck_assert_uint_eq(reader_count(r, "log"), 0);
	ck_assert_int_eq(unlink(path), 0);
	fixture_append(&f, ERR, "mended\n");
	reader_wait_lines(r, "stderr", "mended\n");
}
END_TEST

START_TEST(a_deleted_run_says_so_behind_its_last_line)
{
	struct reader *r;

	fixture_append(&f, OUT, "one\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 1);
	ck_assert_int_eq(registry_writer_mark_deleted(f.writer, fixture_run(&f, "r1").slot), 0);
	hub_registry_changed(f.hub);
	reader_wait_over(r);
	ck_assert_str_eq(r->events[r->count - 1].name, "gone");
}
END_TEST

START_TEST(a_status_that_changes_is_told_to_each)
{
	struct reader *a = reader_resume(&f, "r1", NULL), *b = reader_resume(&f, "r1", NULL);

	reader_wait(a, "status", 1);
	reader_wait(b, "status", 1);
	fixture_put_run(&f, "r1", "running", 5);
	reader_wait(a, "status", 2);
	reader_wait(b, "status", 2);
	ck_assert_int_eq(event_number(reader_event(b, "status", 1), "exit_code"), 5);
	ck_assert(*reader_event(b, "status", 1)->id);
}
END_TEST

START_TEST(project_and_task_that_become_known_are_in_the_next_lines)
{
	struct registry_run run = fixture_run(&f, "r1");
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	*run.project_id = *run.task_id = '\0';
	ck_assert_int_eq(registry_writer_put(f.writer, &run, NULL, NULL), 0);
	hub_registry_changed(f.hub);
	r = reader_resume(&f, "r1", NULL);
	reader_wait_lines(r, "stdout", "1\n");
	ck_assert_str_eq(event_text(reader_event(r, "log", 0), "project_id"), "");
	fixture_put_run(&f, "r1", "running", -1);
	fixture_append(&f, OUT, "2\n");
	reader_wait_lines(r, "stdout", "1\n2\n");
	ck_assert_str_eq(event_text(reader_event(r, "log", 1), "project_id"), "p");
	ck_assert_str_eq(event_text(reader_event(r, "log", 1), "task_id"), "t");
}
END_TEST

START_TEST(a_slot_given_to_another_run_does_not_mix_the_two)
{
	struct reader *old, *new;
	char id[16];

	fixture_append(&f, OUT, "of the deleted run\n");
	old = reader_resume(&f, "r1", NULL);
	reader_wait(old, "status", 1);
	old->is_stuck = true;
	for (int i = 2; i <= 100; i++) {
		snprintf(id, sizeof(id), "r%d", i);
		fixture_put_run(&f, id, "running", -1);
	}
	ck_assert_int_eq(registry_writer_mark_deleted(f.writer, fixture_run(&f, "r1").slot), 0);
	fixture_put_run(&f, "another", "running", -1);
	ck_assert_uint_eq(fixture_run(&f, "another").slot, reader_channel(old)->key.slot);
	fixture_append(&f, "another/agent-stdout.txt", "of the other\n");
	new = reader_resume(&f, "another", NULL);
	reader_wait_lines(new, "stdout", "of the other\n");
	ck_assert_str_eq(event_text(reader_event(new, "status", 0), "run_id"), "another");
	old->is_stuck = false;
	reader_wait_over(old);
	ck_assert_str_eq(reader_lines(old, "stdout"), "of the deleted run\n");
	ck_assert_str_eq(old->events[old->count - 1].name, "gone");
}
END_TEST

START_TEST(a_reader_in_a_rotated_file_that_was_emptied_is_told_and_goes_on)
{
	struct reader *slow, *fast;
	char line[128];

	f.hub->cache.most_bytes = 1000;
	slow = reader_resume(&f, "r1", NULL);
	fast = reader_resume(&f, "r1", NULL);
	reader_wait(slow, "status", 1);
	slow->is_stuck = true;
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "line number %d of a file that is rotated away\n", i);
		fixture_append(&f, OUT, line);
	}
	reader_wait(fast, "log", 1000);
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "new\n");
	reader_wait(fast, "log", 1001);
	fixture_truncate(&f, OUT ".1");
	slow->is_stuck = false;
	reader_wait(slow, "gap", 1);
	reader_wait_lines(slow, "stdout", "new\n");
	ck_assert_str_eq(event_text(reader_event(slow, "gap", 0), "reason"), "truncated");
}
END_TEST

START_TEST(a_file_that_was_seen_empty_and_went_is_read_all_the_same)
{
	struct reader *r;
	int fd;

	fixture_append(&f, OUT, "old\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 1);
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "");
	fixture_settle(&f);
	fd = openat(f.runs_dir_fd, OUT, O_WRONLY | O_APPEND);
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, OUT, 0), 0);
	ck_assert_int_eq(write(fd, "new\n", 4), 4);
	close(fd);
	reader_wait_lines(r, "stdout", "old\nnew\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(a_rotation_that_is_undone_repeats_nothing)
{
	struct reader *r;

	fixture_append(&f, OUT, "1\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 1);
	fixture_rename(&f, OUT, OUT ".1");
	fixture_append(&f, OUT, "");
	fixture_settle(&f);
	fixture_rename(&f, OUT ".1", OUT);
	fixture_append(&f, OUT, "2\n");
	fixture_settle(&f);
	ck_assert_str_eq(reader_lines(r, "stdout"), "1\n2\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(no_id_leads_behind_a_gap_that_was_not_told)
{
	struct reader *r;
	char id[CURSOR_TEXT_BYTES + 1];

	fixture_append(&f, OUT, "out\n");
	fixture_append(&f, ERR, "err\n");
	r = reader_resume(&f, "r1", NULL);
	reader_wait(r, "log", 2);
	memcpy(id, r->last_id, sizeof(id));
	reader_free(&r);
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, OUT, 0), 0);
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, ERR, 0), 0);
	fixture_append(&f, OUT, "other\n");
	fixture_append(&f, ERR, "other\n");
	r = reader_resume(&f, "r1", id);
	reader_wait(r, "log", 2);
	ck_assert_str_eq(r->events[0].name, "gap");
	ck_assert_str_eq(r->events[0].id, "");
	ck_assert_str_eq(r->events[1].name, "gap");
	ck_assert_str_ne(r->events[1].id, "");
	ck_assert_str_eq(r->events[2].name, "status");
}
END_TEST

START_TEST(a_run_that_ended_between_being_found_and_being_subscribed_to_ends)
{
	const struct start start = { .kind = START_BEGINNING };
	struct registry_run run;
	struct channel_request request = { .kind = &stream_kind_log, .run = &run,
		                           .files = CHANNEL_BOTH };
	struct reader *r;

	fixture_put_run(&f, "run", "running", -1);
	run = fixture_run(&f, "run");
	fixture_append(&f, "run/agent-stdout.txt", "a\n");
	fixture_put_run(&f, "run", "completed", 0);
	r = reader_new_of_kind(&f, &request, &start);
	reader_wait(r, "complete", 1);
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, lines_come_from_the_start_then_live);
	tcase_add_test(tc, a_file_that_appears_late_is_read_from_its_start);
	tcase_add_test(tc, every_id_resumes_exactly_behind_it);
	tcase_add_test(tc, numbers_of_lines_resume);
	tcase_add_test(tc, a_number_that_counts_the_unfinished_last_line_is_behind_it);
	tcase_add_test(tc, what_is_no_id_gives_one_gap_and_the_start);
	tcase_add_test(tc, tail_begins_some_lines_before_the_end);
	tcase_add_test(tc, from_the_end_shows_what_comes_and_its_numbers);
	tcase_add_test(tc, only_chosen_files_are_streamed);
	tcase_add_test(tc, an_unfinished_line_is_held_then_sent_in_part_then_continued);
	tcase_add_test(tc, no_part_ends_between_cr_and_lf_or_inside_utf8);
	tcase_add_test(tc, bytes_that_are_not_text_are_shown_and_said);
	tcase_add_test(tc, a_line_beyond_the_limit_comes_in_parts_that_join);
	tcase_add_test(tc, the_end_of_a_run_finishes_its_last_line_then_completes);
	tcase_add_test(tc, the_last_line_of_a_run_that_has_ended_comes_in_one_piece);
	tcase_add_test(tc, a_run_is_not_over_by_a_look_that_left_it_out);
	tcase_add_test(tc, a_run_without_files_completes);
	tcase_add_test(tc, a_run_that_ended_between_being_found_and_being_subscribed_to_ends);
	tcase_add_test(tc, a_rotated_file_is_finished_before_the_new_one_begins);
	tcase_add_test(tc, a_truncated_file_gives_a_gap_and_what_is_there_now);
	tcase_add_test(tc, a_file_truncated_and_grown_past_its_old_size_is_noticed);
	tcase_add_test(tc, a_file_written_anew_to_the_same_size_is_noticed);
	tcase_add_test(tc, a_file_larger_than_ids_can_say_does_no_harm);
	tcase_add_test(tc, a_cursor_into_another_content_gives_a_gap);
	tcase_add_test(tc, a_returning_reader_finds_the_rotated_file_and_those_between);
	tcase_add_test(tc, a_returning_reader_finds_a_copy_that_was_made_before_truncation);
	tcase_add_test(tc, holes_are_skipped_and_said);
	tcase_add_test(tc, readers_of_one_run_share_followers_and_blocks);
	tcase_add_test(tc, a_reader_that_is_stuck_gets_every_line_in_the_end);
	tcase_add_test(tc, what_is_no_regular_file_is_not_read);
	tcase_add_test(tc, a_deleted_run_says_so_behind_its_last_line);
	tcase_add_test(tc, a_status_that_changes_is_told_to_each);
	tcase_add_test(tc, a_slot_given_to_another_run_does_not_mix_the_two);
	tcase_add_test(tc, a_reader_in_a_rotated_file_that_was_emptied_is_told_and_goes_on);
	tcase_add_test(tc, a_file_that_was_seen_empty_and_went_is_read_all_the_same);
	tcase_add_test(tc, a_rotation_that_is_undone_repeats_nothing);
	tcase_add_test(tc, no_id_leads_behind_a_gap_that_was_not_told);
	tcase_add_test(tc, project_and_task_that_become_known_are_in_the_next_lines);
}

int
main(void)
{
	Suite *suite = suite_create("log_stream");
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
