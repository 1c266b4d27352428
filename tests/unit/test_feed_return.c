/* Who comes back to a feed, and what there is of runs that began meanwhile, or were found late. */
#include "stream/feed.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "stream_fixture.h"

static struct fixture f;

static void
set_up(void)
{
	fixture_set_up(&f, true);
	f.hub->cache.most_bytes = 0; /* what is behind is rendered again */
}

static void
tear_down(void)
{
	fixture_tear_down(&f);
}

/* A client goes; then the process is another one. Its last id. */
static struct feed_id
leave(struct reader **r)
{
	struct feed_id last;

	ck_assert_int_eq(feed_id_parse((*r)->last_id, strlen((*r)->last_id), &last), 0);
	reader_free(r);
	fixture_restart(&f, false);
	return last;
}

/* Who leaves has read these lines of run a. */
static struct feed_id
leave_run_a(const char *text, const char *lines)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct reader *r = reader_new_of_many(&f, &request);

	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", text);
	reader_wait_lines(r, "stdout", lines);
	return leave(&r);
}

START_TEST(who_comes_back_gets_the_rest_of_a_file_that_was_rotated_away_for_an_empty_one)
{
	struct feed_id after = leave_run_a("a1\n", "a1\n");
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH,
		                        .after = &after };
	struct reader *r;

	fixture_append(&f, "a/agent-stdout.txt", "a2\n");
	fixture_rename(&f, "a/agent-stdout.txt", "a/agent-stdout.txt.1");
	fixture_append(&f, "a/agent-stdout.txt", "");
	r = reader_new_of_many(&f, &request);
	reader_wait_lines(r, "stdout", "a2\n");
}
END_TEST

START_TEST(who_comes_back_gets_what_a_run_wrote_that_went_on_before_the_registry_knows)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct reader *r = reader_new_of_many(&f, &request), *live;
	struct feed_id after;

	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "a1\n");
	reader_wait_lines(r, "stdout", "a1\n");
	fixture_put_run(&f, "a", "completed", 0);
	reader_wait(r, "complete", 1);
	fixture_settle(&f);
	fixture_put_run(&f, "b", "running", -1);
	fixture_append(&f, "b/agent-stdout.txt", "b1\n");
	reader_wait_lines(r, "stdout", "a1\nb1\n");
	after = leave(&r);
	/* Another process follows it until it is over for good. */
	f.settings.api.sse.terminal_linger_ms = 60000;
	live = reader_new_of_many(&f, &request);
	fixture_settle(&f);
	fixture_put_run(&f, "a", "running", -1);
	fixture_settle(&f);
	fixture_put_run(&f, "a", "completed", 0);
	fixture_append(&f, "a/agent-stdout.txt", "a2\n");
	reader_wait_lines(live, "stdout", "a2\n");
	request.after = &after;
	r = reader_new_of_many(&f, &request);
	reader_wait_lines(r, "stdout", "a2\n");
}
END_TEST

START_TEST(who_comes_back_gets_what_began_meanwhile_from_its_oldest_part_on)
{
	struct feed_id after = leave_run_a("a1\n", "a1\n");
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH,
		                        .after = &after };
	struct reader *r;

	/* A file of a run that was there, and both of one that was not. */
	fixture_append(&f, "a/agent-stderr.txt", "a2\n");
	fixture_rename(&f, "a/agent-stderr.txt", "a/agent-stderr.txt.1");
	fixture_append(&f, "a/agent-stderr.txt", "a3\n");
	fixture_put_run(&f, "b", "running", -1);
	fixture_append(&f, "b/agent-stdout.txt", "b1\n");
	fixture_rename(&f, "b/agent-stdout.txt", "b/agent-stdout.txt.2");
	fixture_append(&f, "b/agent-stdout.txt", "b2\n");
	fixture_rename(&f, "b/agent-stdout.txt", "b/agent-stdout.txt.1");
	fixture_append(&f, "b/agent-stdout.txt", "b3\n");
	r = reader_new_of_many(&f, &request);
	reader_wait_lines(r, "stderr", "a2\na3\n");
	reader_wait_lines(r, "stdout", "b1\nb2\nb3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

/* A part of a log that was compressed: last written to so long ago. */
static void
put_compressed(const char *path, int64_t written_ago_s)
{
	struct timespec written = { .tv_sec = clock_wall_ms() / 1000 - written_ago_s };

	fixture_append(&f, path, "\x1f\x8b packed");
	ck_assert_int_eq(utimensat(f.runs_dir_fd, path, (struct timespec[]){ written, written }, 0), 0);
}

/* Where in what came there is an event of a run that bears this text; fails where there is none. */
static size_t
place_of(const struct reader *r, const char *name, const char *run_id, const char *key, const char *text)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct read_event *e = &r->events[i];

		if (strcmp(e->name, name) == 0 && strcmp(event_text(e, "run_id"), run_id) == 0 &&
		    strcmp(event_text(e, key), text) == 0)
			return i;
	}
	ck_abort_msg("no %s of %s with %s %s", name, run_id, key, text);
}

START_TEST(who_comes_back_is_told_before_the_lines_of_what_began_meanwhile_that_older_ones_are_compressed)
{
	struct feed_id after = leave_run_a("a1\n", "a1\n");
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH,
		                        .after = &after };
	struct reader *r;

	/* A file of a run that was there; a run with a part that can be read, and one without. */
	put_compressed("a/agent-stderr.txt.1.gz", 0);
	fixture_append(&f, "a/agent-stderr.txt", "a2\n");
	fixture_put_run(&f, "b", "running", -1);
	put_compressed("b/agent-stdout.txt.2.gz", 0);
	fixture_append(&f, "b/agent-stdout.txt.1", "b2\n");
	fixture_append(&f, "b/agent-stdout.txt", "b3\n");
	fixture_put_run(&f, "c", "running", -1);
	put_compressed("c/agent-stdout.txt.2.xz", 0);
	put_compressed("c/agent-stdout.txt.1.gz", 0);
	fixture_append(&f, "c/agent-stdout.txt", "c3\n");
	r = reader_new_of_many(&f, &request);
	reader_wait(r, "log", 4);
	fixture_settle(&f);
	ck_assert_uint_eq(reader_count(r, "log"), 4);
	ck_assert_uint_lt(place_of(r, "gap", "a", "reason", "compressed"), place_of(r, "log", "a", "line", "a2"));
	ck_assert_str_eq(event_text(&r->events[place_of(r, "gap", "a", "reason", "compressed")], "stream"),
	                 "stderr");
	ck_assert_uint_lt(place_of(r, "gap", "b", "reason", "compressed"), place_of(r, "log", "b", "line", "b2"));
	ck_assert_uint_lt(place_of(r, "log", "b", "line", "b2"), place_of(r, "log", "b", "line", "b3"));
	ck_assert_uint_lt(place_of(r, "gap", "c", "reason", "compressed"), place_of(r, "log", "c", "line", "c3"));
}
END_TEST

START_TEST(what_was_compressed_but_written_before_the_id_was_sent_is_not_missing_to_who_comes_back)
{
	struct feed_id after = leave_run_a("a1\n", "a1\n");
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH,
		                        .after = &after };
	struct reader *r;

	fixture_put_run(&f, "b", "running", -1);
	put_compressed("b/agent-stdout.txt.1.gz", 3600);
	fixture_append(&f, "b/agent-stdout.txt", "b2\n");
	r = reader_new_of_many(&f, &request);
	reader_wait_lines(r, "stdout", "b2\n");
	fixture_settle(&f);
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(from_start_what_lay_rotated_before_is_not_missing_though_it_is_compressed)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH,
		                        .from = FEED_FROM_START };
	struct reader *r;

	fixture_put_run(&f, "b", "running", -1);
	put_compressed("b/agent-stdout.txt.1.gz", 0);
	fixture_append(&f, "b/agent-stdout.txt", "b2\n");
	/* It was there before the stream was. */
	while (clock_wall_ms() <= fixture_run(&f, "b").first_seen_ms)
		fixture_turn(&f, 1);
	r = reader_new_of_many(&f, &request);
	reader_wait_lines(r, "stdout", "b2\n");
	fixture_settle(&f);
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(what_a_new_run_wrote_and_rotated_before_it_was_found_comes_too)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct reader *r = reader_new_of_many(&f, &request);

	fixture_settle(&f);
	ck_assert_int_eq(mkdirat(f.runs_dir_fd, "b", 0755), 0);
	put_compressed("b/agent-stdout.txt.2.gz", 0);
	fixture_append(&f, "b/agent-stdout.txt.1", "b2\n");
	fixture_append(&f, "b/agent-stdout.txt", "b3\n");
	fixture_put_run(&f, "b", "running", -1);
	reader_wait_lines(r, "stdout", "b2\nb3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 1);
	ck_assert_uint_lt(place_of(r, "gap", "b", "reason", "compressed"), place_of(r, "log", "b", "line", "b2"));
}
END_TEST

START_TEST(what_a_run_that_went_on_wrote_and_rotated_in_a_file_that_was_not_there_before_comes_too)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct reader *r = reader_new_of_many(&f, &request);

	fixture_put_run(&f, "b", "running", -1);
	fixture_append(&f, "b/agent-stdout.txt", "b1\n");
	reader_wait_lines(r, "stdout", "b1\n");
	fixture_put_run(&f, "b", "completed", 0);
	reader_wait(r, "complete", 1);
	fixture_settle(&f);
	fixture_append(&f, "b/agent-stderr.txt.1", "b2\n");
	fixture_append(&f, "b/agent-stderr.txt", "b3\n");
	fixture_put_run(&f, "b", "running", -1);
	reader_wait_lines(r, "stderr", "b2\nb3\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

START_TEST(who_comes_back_within_a_line_is_given_it_from_where_it_begins)
{
	struct feed_id after = leave_run_a("a1\nbegun", "a1\nbegun|");
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH,
		                        .after = &after };
	struct reader *r;

	fixture_append(&f, "a/agent-stdout.txt", " and ended\n");
	r = reader_new_of_many(&f, &request);
	reader_wait(r, "log", 1);
	ck_assert_ptr_nonnull(strstr(reader_lines(r, "stdout"), "begun and ended\n"));
}
END_TEST

START_TEST(who_comes_back_gets_a_short_run_though_the_clock_was_set_back_meanwhile)
{
	struct feed_id after = leave_run_a("a1\n", "a1\n");
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH,
		                        .after = &after };
	struct registry_run run;
	struct reader *r;

	fixture_put_run(&f, "b", "completed", 0);
	fixture_append(&f, "b/agent-stdout.txt", "b1\n");
	run = fixture_run(&f, "b");
	run.first_seen_ms -= 3600 * 1000;
	run.end_time_ms = run.first_seen_ms;
	ck_assert_int_eq(registry_writer_put(f.writer, &run, NULL, NULL), 0);
	hub_registry_changed(f.hub);
	r = reader_new_of_many(&f, &request);
	reader_wait_lines(r, "stdout", "b1\n");
}
END_TEST
/* Where others are in the middle of a line. */
START_TEST(who_comes_back_is_given_what_lies_before_a_line_that_others_have_begun)
{
	struct feed_id after = leave_run_a("a1\n", "a1\n");
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct reader *fast, *late;

	fixture_append(&f, "a/agent-stdout.txt", "a2\n");
	fast = reader_new_of_many(&f, &request);
	reader_wait(fast, "status", 1);
	fixture_append(&f, "a/agent-stdout.txt", "a3\na4 begun");
	reader_wait_lines(fast, "stdout", "a3\na4 begun|");
	request.after = &after;
	late = reader_new_of_many(&f, &request);
	reader_wait(late, "log", 1);
	fixture_append(&f, "a/agent-stdout.txt", " and ended\na5\n");
	reader_wait_lines(fast, "stdout", "a3\na4 begun| and ended\na5\n");
	reader_wait_lines(late, "stdout", "a2\na3\na4 begun| and ended\na5\n");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("feed_return");
	TCase *tcase = tcase_create("feed_return");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, who_comes_back_gets_the_rest_of_a_file_that_was_rotated_away_for_an_empty_one);
	tcase_add_test(tcase, who_comes_back_gets_what_a_run_wrote_that_went_on_before_the_registry_knows);
	tcase_add_test(tcase, who_comes_back_gets_what_began_meanwhile_from_its_oldest_part_on);
	tcase_add_test(tcase,
	               who_comes_back_is_told_before_the_lines_of_what_began_meanwhile_that_older_ones_are_compressed);
	tcase_add_test(tcase,
	               what_was_compressed_but_written_before_the_id_was_sent_is_not_missing_to_who_comes_back);
	tcase_add_test(tcase, from_start_what_lay_rotated_before_is_not_missing_though_it_is_compressed);
	tcase_add_test(tcase, what_a_new_run_wrote_and_rotated_before_it_was_found_comes_too);
	tcase_add_test(tcase,
	               what_a_run_that_went_on_wrote_and_rotated_in_a_file_that_was_not_there_before_comes_too);
	tcase_add_test(tcase, who_comes_back_within_a_line_is_given_it_from_where_it_begins);
	tcase_add_test(tcase, who_comes_back_gets_a_short_run_though_the_clock_was_set_back_meanwhile);
	tcase_add_test(tcase, who_comes_back_is_given_what_lies_before_a_line_that_others_have_begun);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
