/* Clients that are slow, or early, and runs whose last line has no end. */
#include "stream/feed.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream/subscription.h"
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

static struct reader *
events_of_all(void)
{
	struct feed_request request = { .kind = &stream_kind_events_of_many, .files = CHANNEL_FIRST };

	return reader_new_of_many(&f, &request);
}

/* How often something happened though nothing does. */
static unsigned
turns_at_rest(int64_t for_ms)
{
	int64_t until_ms = clock_now_ms() + for_ms;
	unsigned turns = 0;

	while (clock_now_ms() < until_ms) {
		fixture_turn(&f, 20);
		turns++;
	}
	return turns;
}

START_TEST(a_slow_client_passes_a_last_line_that_was_finished_later)
{
	struct reader *fast = events_of_all(), *slow = events_of_all();

	fixture_put_run(&f, "r", "running", -1);
	fixture_append(&f, "r/events.jsonl", "{\"type\":\"a\"}\n");
	reader_wait(fast, "event", 1);
	reader_wait(slow, "event", 1);
	slow->is_stuck = true;
	fixture_append(&f, "r/events.jsonl", "{\"type\":\"b\"}");
	fixture_put_run(&f, "r", "completed", 0);
	reader_wait(fast, "complete", 1);
	ck_assert_uint_eq(reader_count(fast, "event"), 2);
	fixture_append(&f, "r/events.jsonl", "\n{\"type\":\"c\"}\n");
	fixture_put_run(&f, "r", "running", -1);
	reader_wait(fast, "event", 3);
	slow->is_stuck = false;
	reader_wait(slow, "event", 3);
	ck_assert_uint_eq(reader_count(slow, "event"), 3);
	ck_assert_str_eq(event_text(reader_event(slow, "event", 2), "type"), "c");
	ck_assert_uint_lt(turns_at_rest(300), 100);
}
END_TEST

static void
count_wake(void *arg)
{
	++*(unsigned *)arg;
}

START_TEST(a_broadcast_reaches_a_client_of_all_events_while_there_is_no_run)
{
	struct feed_request request = { .kind = &stream_kind_events_of_many, .files = CHANNEL_FIRST };
	struct subscription *s;
	struct block *block;
	unsigned wakes = 0;

	ck_assert_int_eq(subscription_new_of_many(f.hub, &request, count_wake, &wakes, &s), 0);
	while (subscription_next(s, &block) == STREAM_BLOCK)
		block_unref(&block);
	subscription_broadcast(f.hub, SUBSCRIPTION_MANY, block_new("x", 1));
	ck_assert_uint_ge(wakes, 1);
	ck_assert_int_eq(subscription_next(s, &block), STREAM_BLOCK);
	ck_assert_uint_eq(block->length_bytes, 1);
	block_unref(&block);
	subscription_free(&s);
}
END_TEST

static struct reader *
events_of(const char *id)
{
	struct registry_run run = fixture_run(&f, id);
	struct channel_request request = { .kind = &stream_kind_events, .run = &run,
		                           .files = CHANNEL_FIRST };
	struct start start = { .kind = START_BEGINNING };

	return reader_new_of_kind(&f, &request, &start);
}

START_TEST(a_deleted_run_says_so_behind_a_torn_event)
{
	struct reader *r, *many = events_of_all();

	fixture_put_run(&f, "r", "running", -1);
	fixture_append(&f, "r/events.jsonl", "{\"type\":\"a\"}\n{\"type\":");
	r = events_of("r");
	reader_wait(r, "event", 1);
	reader_wait(many, "event", 1);
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, "r/events.jsonl", 0), 0);
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, "r", AT_REMOVEDIR), 0);
	ck_assert_int_eq(registry_writer_mark_deleted(f.writer, fixture_run(&f, "r").slot), 0);
	hub_registry_changed(f.hub);
	reader_wait(r, "gone", 1);
	reader_wait(many, "gone", 1);
}
END_TEST

START_TEST(a_status_is_told_though_the_last_event_is_torn)
{
	struct registry_run run;
	struct reader *r;

	fixture_put_run(&f, "r", "running", -1);
	fixture_append(&f, "r/events.jsonl", "{\"type\":\"a\"}\n{\"type\":");
	r = events_of("r");
	reader_wait(r, "event", 1);
	reader_wait(r, "state", 1);
	fixture_append(&f, "r/events.jsonl", "\"b\"");
	fixture_settle(&f);
	run = fixture_run(&f, "r");
	snprintf(run.status, sizeof(run.status), "blocked");
	ck_assert_int_eq(registry_writer_put(f.writer, &run, NULL, NULL), 0);
	hub_registry_changed(f.hub);
	reader_wait(r, "state", 2);
}
END_TEST

START_TEST(a_history_goes_past_a_run_that_nobody_follows_and_whose_last_event_is_torn)
{
	struct feed_request request = { .kind = &stream_kind_events_of_many, .files = CHANNEL_FIRST,
		                        .from = FEED_FROM_START };
	struct reader *r;

	f.hub->most_members = 0;
	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/events.jsonl", "{\"type\":\"a\"}\n{\"type\":");
	fixture_put_run(&f, "b", "running", -1);
	fixture_append(&f, "b/events.jsonl", "{\"type\":\"b\"}\n");
	r = reader_new_of_many(&f, &request);
	reader_wait(r, "event", 2);
}
END_TEST

START_TEST(the_last_lines_of_a_file_that_was_truncated_meanwhile_hold_up_nothing)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct reader *fast = reader_new_of_many(&f, &request), *slow;

	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "a1\n");
	fixture_put_run(&f, "b", "running", -1);
	fixture_append(&f, "b/agent-stdout.txt", "b1\n");
	reader_wait(fast, "log", 2);
	request.from = FEED_FROM_TAIL;
	request.tail_entries = 1;
	slow = reader_new_of_many(&f, &request);
	slow->blocks_left = 1; /* it is not at the second run yet */
	reader_wait(slow, "status", 1);
	fixture_append(&f, "b/agent-stdout.txt", "b2\n");
	reader_wait(fast, "log", 3);
	fixture_truncate(&f, "b/agent-stdout.txt");
	reader_wait(fast, "gap", 1);
	fixture_append(&f, "b/agent-stdout.txt", "b3\n");
	reader_wait(fast, "log", 4);
	slow->is_stuck = false;
	reader_wait(slow, "log", 2);
	ck_assert_str_eq(reader_lines(slow, "stdout"), "a1\nb3\n");
	ck_assert_uint_ge(reader_count(slow, "gap"), 1);
}
END_TEST

START_TEST(a_run_for_which_there_was_no_room_is_followed_when_there_is)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct reader *r;

	f.hub->most_members = 1;
	fixture_put_run(&f, "a", "running", -1);
	r = reader_new_of_many(&f, &request);
	reader_wait(r, "status", 1);
	fixture_put_run(&f, "b", "running", -1);
	fixture_append(&f, "b/agent-stdout.txt", "b1\n");
	reader_wait(r, "gap", 1);
	ck_assert_str_eq(event_text(reader_event(r, "gap", 0), "reason"), "too_many_runs");
	fixture_put_run(&f, "a", "completed", 0);
	reader_wait(r, "complete", 1);
	reader_wait_lines(r, "stdout", "b1\n");
}
END_TEST

START_TEST(what_is_read_in_a_copy_is_given_once_to_who_comes_behind)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct reader *fast = reader_new_of_many(&f, &request), *slow = reader_new_of_many(&f, &request);

	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "a1\na2\n");
	reader_wait_lines(fast, "stdout", "a1\na2\n");
	reader_wait_lines(slow, "stdout", "a1\na2\n");
	fast->is_stuck = true;
	slow->is_stuck = true;
	fixture_append(&f, "a/agent-stdout.txt", "a3\n");
	fixture_settle(&f);
	fixture_append(&f, "a/agent-stdout.txt.1", "a1\na2\na3\n");
	fixture_truncate(&f, "a/agent-stdout.txt");
	fixture_settle(&f);
	fixture_append(&f, "a/agent-stdout.txt", "b1\n");
	fast->is_stuck = false;
	reader_wait_lines(fast, "stdout", "a1\na2\na3\nb1\n");
	slow->is_stuck = false;
	reader_wait_lines(slow, "stdout", "a1\na2\na3\nb1\n");
}
END_TEST

/* While somebody is still on the way through the history, the feed keeps what it knows of a run that has
 * ended, and whoever comes then is not to take that for a run that goes on. */
START_TEST(who_comes_when_a_run_has_ended_gets_its_last_line_whole_and_its_end)
{
	struct feed_request from_end = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct feed_request from_start = from_end;
	struct reader *fast, *on_the_way, *late;

	from_start.from = FEED_FROM_START;
	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "a1\n");
	fixture_put_run(&f, "b", "running", -1);
	fixture_append(&f, "b/agent-stdout.txt", "b1\n");
	fast = reader_new_of_many(&f, &from_end);
	reader_wait(fast, "status", 2);
	on_the_way = reader_new_of_many(&f, &from_start);
	on_the_way->blocks_left = 1;
	reader_wait(on_the_way, "status", 1);
	fixture_append(&f, "b/agent-stdout.txt", "half");
	fixture_put_run(&f, "b", "completed", 0);
	reader_wait(fast, "complete", 1);
	late = reader_new_of_many(&f, &from_start);
	reader_wait(late, "complete", 1);
	ck_assert_str_eq(reader_lines(late, "stdout"), "a1\nb1\nhalf\n");
	on_the_way->is_stuck = false;
	on_the_way->blocks_left = 0;
	reader_wait(on_the_way, "complete", 1);
	ck_assert_str_eq(reader_lines(on_the_way, "stdout"), "a1\nb1\nhalf\n");
}
END_TEST

START_TEST(who_left_in_one_file_of_a_run_that_went_on_gets_the_other_one_from_where_the_run_had_ended)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	const char *const paths[CURSOR_FILES] = { "a/agent-stdout.txt", "a/agent-stderr.txt" };
	struct reader *r;
	struct feed_id after;

	fixture_put_run(&f, "x", "running", -1);
	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "o1\n");
	fixture_append(&f, "a/agent-stderr.txt", "e1\n");
	for (int i = 0; i < CURSOR_FILES; i++) /* long ago */
		ck_assert_int_eq(utimensat(f.runs_dir_fd, paths[i], old, 0), 0);
	fixture_put_run(&f, "a", "completed", 0);
	for (int64_t now_ms = clock_wall_ms(); clock_wall_ms() <= now_ms;)
		fixture_turn(&f, 1); /* the run is from before the feed */
	r = reader_new_of_many(&f, &request);
	reader_wait(r, "status", 1);
	fixture_append(&f, "x/agent-stdout.txt", "x1\n");
	reader_wait_lines(r, "stdout", "x1\n");
	ck_assert_int_eq(feed_id_parse(r->last_id, strlen(r->last_id), &after), 0);
	reader_free(&r);
	fixture_restart(&f, false);
	fixture_append(&f, "a/agent-stdout.txt", "o2\n");
	fixture_append(&f, "a/agent-stderr.txt", "e2\n");
	fixture_put_run(&f, "a", "running", -1);
	request.after = &after;
	r = reader_new_of_many(&f, &request);
	for (r->blocks_left = 1; reader_count(r, "log") == 0; r->blocks_left = 1, r->is_stuck = false)
		fixture_turn(&f, 20);
	r->is_stuck = true;
	ck_assert_str_eq(reader_lines(r, "stdout"), "o2\n");
	ck_assert_str_eq(reader_lines(r, "stderr"), "");
	ck_assert_int_eq(feed_id_parse(r->last_id, strlen(r->last_id), &after), 0);
	reader_free(&r);
	fixture_rename(&f, "a/agent-stderr.txt", "a/agent-stderr.txt.1");
	fixture_append(&f, "a/agent-stderr.txt", "e3\n");
	fixture_restart(&f, false);
	r = reader_new_of_many(&f, &request);
	reader_wait_lines(r, "stderr", "e2\ne3\n");
	ck_assert_str_eq(reader_lines(r, "stdout"), "");
}
END_TEST

START_TEST(a_run_that_a_history_comes_to_before_anybody_is_told_of_it_is_given_to_all)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct reader *live = reader_new_of_many(&f, &request), *history;

	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "a1\n");
	reader_wait_lines(live, "stdout", "a1\n");
	fixture_put_run_untold(&f, "b", "running", -1);
	fixture_append(&f, "b/agent-stdout.txt", "b1\n");
	request.from = FEED_FROM_START;
	history = reader_new_of_many(&f, &request);
	reader_wait_lines(history, "stdout", "a1\nb1\n");
	fixture_put_run(&f, "c", "running", -1);
	fixture_append(&f, "b/agent-stdout.txt", "b2\n");
	reader_wait_lines(live, "stdout", "a1\nb1\nb2\n");
	reader_wait_lines(history, "stdout", "a1\nb1\nb2\n");
}
END_TEST

/* Nobody saw it running: it was over before and is over now. */
START_TEST(what_a_run_wrote_that_went_on_and_ended_again_unseen_is_given_to_all)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };
	struct reader *r, *came_later;
	struct feed_id after;

	fixture_put_run(&f, "x", "running", -1);
	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "a1\n");
	r = reader_new_of_many(&f, &request);
	reader_wait(r, "status", 2);
	fixture_put_run(&f, "a", "completed", 0);
	reader_wait(r, "complete", 1);
	fixture_append(&f, "x/agent-stderr.txt", "x1\n");
	reader_wait_lines(r, "stderr", "x1\n");
	ck_assert_int_eq(feed_id_parse(r->last_id, strlen(r->last_id), &after), 0);
	reader_free(&r);
	fixture_restart(&f, false);
	for (int64_t now_ms = clock_wall_ms(); clock_wall_ms() <= now_ms;)
		fixture_turn(&f, 1); /* the run is from before the feed */
	came_later = reader_new_of_many(&f, &request);
	reader_wait(came_later, "status", 1);
	fixture_append(&f, "a/agent-stdout.txt", "a2\n");
	fixture_put_run(&f, "a", "failed", 1);
	reader_wait_lines(came_later, "stdout", "a2\n");
	reader_wait(came_later, "complete", 1);
	reader_free(&came_later);
	fixture_restart(&f, false);
	request.after = &after;
	r = reader_new_of_many(&f, &request);
	while (!strstr(reader_lines(r, "stdout"), "a2\n")) /* what was before may come again */
		fixture_turn(&f, 20);
}
END_TEST

START_TEST(a_history_does_not_give_the_head_of_a_line_that_its_feed_begins_with)
{
	struct feed_request now = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH }, history = now;
	struct reader *r;

	f.settings.api.sse.partial_flush_ms = 10;
	f.settings.api.sse.terminal_linger_ms = 60000;
	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "a1\nhead");
	fixture_put_run(&f, "a", "completed", 0);
	fixture_pass(&f, 20);
	(void)reader_new_of_many(&f, &now); /* whose feed does not have the run: it was over before */
	fixture_settle(&f);
	history.from = FEED_FROM_START;
	r = reader_new_of_many(&f, &history);
	while (!strstr(reader_lines(r, "stdout"), "a1\n"))
		fixture_turn(&f, 5);
	fixture_pass(&f, 50);
	ck_assert_str_eq(reader_lines(r, "stdout"), "a1\n");
	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", " and tail\n");
	do
		fixture_turn(&f, 5);
	while (!strstr(reader_lines(r, "stdout"), "tail\n"));
	ck_assert_ptr_nonnull(strstr(reader_lines(r, "stdout"), "a1\nhead and tail\n"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("feed_edges");
	TCase *tcase = tcase_create("feed_edges");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_history_does_not_give_the_head_of_a_line_that_its_feed_begins_with);
	tcase_add_test(tcase, a_slow_client_passes_a_last_line_that_was_finished_later);
	tcase_add_test(tcase, a_broadcast_reaches_a_client_of_all_events_while_there_is_no_run);
	tcase_add_test(tcase, a_deleted_run_says_so_behind_a_torn_event);
	tcase_add_test(tcase, a_status_is_told_though_the_last_event_is_torn);
	tcase_add_test(tcase, a_history_goes_past_a_run_that_nobody_follows_and_whose_last_event_is_torn);
	tcase_add_test(tcase, the_last_lines_of_a_file_that_was_truncated_meanwhile_hold_up_nothing);
	tcase_add_test(tcase, a_run_for_which_there_was_no_room_is_followed_when_there_is);
	tcase_add_test(tcase, what_is_read_in_a_copy_is_given_once_to_who_comes_behind);
	tcase_add_test(tcase, who_comes_when_a_run_has_ended_gets_its_last_line_whole_and_its_end);
	tcase_add_test(tcase,
	               who_left_in_one_file_of_a_run_that_went_on_gets_the_other_one_from_where_the_run_had_ended);
	tcase_add_test(tcase, a_run_that_a_history_comes_to_before_anybody_is_told_of_it_is_given_to_all);
	tcase_add_test(tcase, what_a_run_wrote_that_went_on_and_ended_again_unseen_is_given_to_all);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
