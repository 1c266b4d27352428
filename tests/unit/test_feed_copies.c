/* Streams of many runs whose logs are copied and emptied: what the copy holds is given, to whoever is
 * behind. */
#include "stream/feed.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "stream_fixture.h"

static struct fixture f;
static const struct feed_request of_all = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };

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

/* A log of two lines, and one that is read to its end. */
static struct reader *
reader_of_two_lines(void)
{
	struct reader *r = reader_new_of_many(&f, &of_all);

	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "a1\na2\n");
	reader_wait_lines(r, "stdout", "a1\na2\n");
	return r;
}

/* Goes with the id of the first line; then the process is another one. */
static struct feed_id
leave_after_first_line(struct reader **r)
{
	const char *text = reader_event(*r, "log", 0)->id;
	struct feed_id id;

	ck_assert_int_eq(feed_id_parse(text, strlen(text), &id), 0);
	reader_free(r);
	fixture_restart(&f, false);
	return id;
}

/* The file goes on, and is copied and emptied once more, with somebody who reads along. */
static void
go_on_in_another_copy(struct reader *along)
{
	fixture_append(&f, "a/agent-stdout.txt", "b2\n");
	reader_wait_lines(along, "stdout", "b2\n");
	fixture_copy(&f, "a/agent-stdout.txt", "a/agent-stdout.txt-2");
	fixture_truncate(&f, "a/agent-stdout.txt");
	fixture_settle(&f);
	fixture_append(&f, "a/agent-stdout.txt", "c1\n");
	reader_wait_lines(along, "stdout", "b2\nc1\n");
}

static void
copy_and_empty(void)
{
	fixture_copy(&f, "a/agent-stdout.txt", "a/agent-stdout.txt.1");
	fixture_truncate(&f, "a/agent-stdout.txt");
	fixture_settle(&f);
}

START_TEST(what_was_noted_before_a_file_was_emptied_is_given_from_its_copy)
{
	struct reader *fast = reader_of_two_lines(), *slow = reader_new_of_many(&f, &of_all);

	reader_wait(slow, "status", 1);
	slow->is_stuck = true;
	fixture_append(&f, "a/agent-stdout.txt", "a3\na4\n");
	reader_wait_lines(fast, "stdout", "a1\na2\na3\na4\n");
	copy_and_empty();
	fixture_append(&f, "a/agent-stdout.txt", "b1\n");
	reader_wait_lines(fast, "stdout", "a1\na2\na3\na4\nb1\n");
	slow->is_stuck = false;
	reader_wait_lines(slow, "stdout", "a3\na4\nb1\n");
}
END_TEST

START_TEST(what_a_copy_lacks_of_what_was_noted_is_told_behind_what_it_has)
{
	struct reader *fast = reader_of_two_lines(), *slow = reader_new_of_many(&f, &of_all);
	const struct read_event *gap;

	reader_wait(slow, "status", 1);
	slow->is_stuck = true;
	fixture_append(&f, "a/agent-stdout.txt", "a3\n");
	fixture_copy(&f, "a/agent-stdout.txt", "a/agent-stdout.txt.1");
	fixture_append(&f, "a/agent-stdout.txt", "a4\n");
	reader_wait_lines(fast, "stdout", "a1\na2\na3\na4\n");
	fixture_truncate(&f, "a/agent-stdout.txt");
	fixture_settle(&f);
	fixture_append(&f, "a/agent-stdout.txt", "b1\n");
	reader_wait_lines(fast, "stdout", "a1\na2\na3\na4\nb1\n");
	slow->is_stuck = false;
	reader_wait_lines(slow, "stdout", "a3\nb1\n");
	gap = reader_event(slow, "gap", 0);
	ck_assert_int_eq(event_number(gap, "from"), 9);
	ck_assert_int_eq(event_number(gap, "to"), 12);
}
END_TEST

START_TEST(a_history_is_read_in_the_copy_of_a_file_that_was_emptied_while_it_was_read)
{
	struct feed_request from_start = of_all;
	struct reader *fast, *late;

	/* A run that it comes to first, and where it stays. */
	fixture_put_run(&f, "0", "running", -1);
	fast = reader_of_two_lines();
	from_start.from = FEED_FROM_START;
	late = reader_new_of_many(&f, &from_start);
	late->blocks_left = 1;
	reader_wait(late, "status", 1);
	fixture_append(&f, "a/agent-stdout.txt", "a3\n");
	reader_wait_lines(fast, "stdout", "a1\na2\na3\n");
	copy_and_empty();
	fixture_append(&f, "a/agent-stdout.txt", "b1\n");
	reader_wait_lines(fast, "stdout", "a1\na2\na3\nb1\n");
	late->is_stuck = false;
	reader_wait_lines(late, "stdout", "a1\na2\na3\nb1\n");
}
END_TEST

START_TEST(who_is_in_a_copy_comes_to_the_next_though_its_file_is_emptied_again_meanwhile)
{
	struct reader *r = reader_of_two_lines(), *fast, *late;
	struct feed_request again = of_all;
	struct feed_id after;

	after = leave_after_first_line(&r);
	fixture_copy(&f, "a/agent-stdout.txt", "a/agent-stdout.txt-1");
	fixture_truncate(&f, "a/agent-stdout.txt");
	fixture_append(&f, "a/agent-stdout.txt", "b1\n");
	fast = reader_new_of_many(&f, &of_all);
	reader_wait(fast, "status", 1);
	again.after = &after;
	late = reader_new_of_many(&f, &again);
	late->blocks_left = 2; /* the status, and a block of the copy */
	reader_wait(late, "log", 1);
	go_on_in_another_copy(fast);
	late->is_stuck = false;
	reader_wait(late, "log", 4);
	ck_assert_ptr_nonnull(strstr(reader_lines(late, "stdout"), "a2\nb1\nb2\nc1\n"));
}
END_TEST

/* A copy that is taken for one that was read is not read at all. */
START_TEST(what_was_left_is_known_exactly)
{
	struct copy_left *left = NULL;

	ck_assert(!copy_left_has(left, &(struct generation){ .identity = 1 }));
	for (uint32_t i = 1; i <= COPY_LEFT_MOST + 1; i++)
		copy_left_note(&left, &(struct generation){ .identity = i });
	ck_assert(!copy_left_has(left, &(struct generation){ .identity = 1 }));
	for (uint32_t i = 2; i < 1000; i++)
		ck_assert_int_eq(copy_left_has(left, &(struct generation){ .identity = i }),
		                 i <= COPY_LEFT_MOST + 1);
	free(left);
}
END_TEST

START_TEST(a_line_has_the_same_pos_in_the_copy_of_its_file)
{
	struct reader *r = reader_of_two_lines();
	struct feed_request again = of_all;
	struct feed_id after;
	char pos[64];

	snprintf(pos, sizeof(pos), "%s", event_text(reader_event(r, "log", 1), "pos"));
	after = leave_after_first_line(&r);
	copy_and_empty();
	again.after = &after;
	r = reader_new_of_many(&f, &again);
	reader_wait(r, "log", 1);
	for (size_t i = 0; i < reader_count(r, "log"); i++)
		if (strcmp(event_text(reader_event(r, "log", i), "line"), "a2") == 0) {
			ck_assert_str_eq(event_text(reader_event(r, "log", i), "pos"), pos);
			return;
		}
	ck_abort_msg("the line did not come again");
}
END_TEST

/* What leads from a copy to the file is remembered for those who come with the same id, and the file may
 * be emptied before the next of them. */
START_TEST(a_history_is_read_to_where_it_ends_though_that_was_emptied_since_the_way_there_was_found)
{
	struct reader *r, *fast, *first, *late;
	struct feed_request again = of_all;
	struct feed_id after;

	/* A run that is come to first, and where the late one stays. */
	fixture_put_run(&f, "0", "running", -1);
	r = reader_of_two_lines();
	after = leave_after_first_line(&r);
	fixture_append(&f, "0/agent-stdout.txt", "01\n02\n");
	fixture_copy(&f, "a/agent-stdout.txt", "a/agent-stdout.txt-1");
	fixture_truncate(&f, "a/agent-stdout.txt");
	fixture_append(&f, "a/agent-stdout.txt", "b1\n");
	fast = reader_new_of_many(&f, &of_all);
	reader_wait(fast, "status", 2);
	again.after = &after;
	late = reader_new_of_many(&f, &again);
	late->blocks_left = 1;
	first = reader_new_of_many(&f, &again);
	while (!strstr(reader_lines(first, "stdout"), "a2\nb1\n"))
		fixture_turn(&f, 20);
	ck_assert_uint_eq(late->blocks_left, 0);
	ck_assert_ptr_null(strstr(reader_lines(late, "stdout"), "a"));
	go_on_in_another_copy(fast);
	late->is_stuck = false;
	while (!strstr(reader_lines(late, "stdout"), "c1\n"))
		fixture_turn(&f, 20);
	ck_assert_ptr_nonnull(strstr(reader_lines(late, "stdout"), "a2\nb1\nb2\nc1\n"));
}
END_TEST

/* A run that was over before the feed was made writes a line more, which is copied, and then others to the
 * emptied file: all of that is new. */
static void
expect_what_went_on(const char *others, const char *all)
{
	struct reader *r;

	fixture_put_run(&f, "x", "running", -1);
	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "a1\na2\n");
	fixture_put_run(&f, "a", "completed", 0);
	for (int64_t now_ms = clock_wall_ms(); clock_wall_ms() <= now_ms;)
		fixture_turn(&f, 1); /* the run is from before the feed */
	r = reader_new_of_many(&f, &of_all);
	reader_wait(r, "status", 1);
	fixture_append(&f, "a/agent-stdout.txt", "a3\n");
	fixture_copy(&f, "a/agent-stdout.txt", "a/agent-stdout.txt-1");
	fixture_truncate(&f, "a/agent-stdout.txt");
	fixture_append(&f, "a/agent-stdout.txt", others);
	fixture_put_run(&f, "a", "running", -1);
	reader_wait_lines(r, "stdout", all);
}

START_TEST(what_a_run_wrote_that_went_on_is_given_from_a_copy_that_was_made_before_anybody_looked)
{
	expect_what_went_on("b1\n", "a3\nb1\n");
}
END_TEST

START_TEST(where_a_run_ended_is_not_found_in_what_its_emptied_file_has_grown_to_since)
{
	expect_what_went_on("b1\nb2\nb3\nb4\n", "a3\nb1\nb2\nb3\nb4\n");
}
END_TEST

/* With others at the same place of what the file holds now. */
START_TEST(who_left_in_a_head_that_all_logs_have_is_given_the_rest_from_the_copy)
{
	static const char head[] = "=== agent ===\n";
	struct feed_request request = of_all;
	struct reader *r = reader_new_of_many(&f, &of_all), *along;
	struct feed_id id;
	const char *text;

	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", head);
	reader_wait_lines(r, "stdout", head);
	text = reader_event(r, "log", 0)->id;
	ck_assert_int_eq(feed_id_parse(text, strlen(text), &id), 0);
	along = reader_new_of_many(&f, &of_all);
	reader_wait(along, "status", 1);
	reader_free(&r);
	fixture_settle(&f);
	fixture_append(&f, "a/agent-stdout.txt", "a1\n");
	reader_wait_lines(along, "stdout", "a1\n");
	copy_and_empty();
	fixture_append(&f, "a/agent-stdout.txt", head);
	do
		fixture_turn(&f, 5);
	while (!strstr(reader_lines(along, "stdout"), head));
	fixture_settle(&f);
	request.after = &id;
	r = reader_new_of_many(&f, &request);
	do
		fixture_turn(&f, 5);
	while (!strstr(reader_lines(r, "stdout"), head));
	ck_assert_ptr_nonnull(strstr(reader_lines(r, "stdout"), "a1\n"));
}
END_TEST

/* One that came back, was led on to another file, which has fewer bytes than the one before had lines, and left. */
START_TEST(a_place_in_a_file_is_not_counted_by_the_lines_of_the_one_before_it)
{
	struct feed_request request = of_all;
	struct reader *r = reader_new_of_many(&f, &of_all);
	struct feed_id id;
	const char *text;

	fixture_put_run(&f, "a", "running", -1);
	fixture_append(&f, "a/agent-stdout.txt", "1\n2\n3\n4\n5\n6\n7\n8\n");
	reader_wait_lines(r, "stdout", "1\n2\n3\n4\n5\n6\n7\n8\n");
	fixture_pass(&f, 1500); /* the trail has a place behind them */
	fixture_append(&f, "a/agent-stdout.txt", "9\n");
	reader_wait(r, "log", 9);
	text = reader_event(r, "log", 8)->id;
	ck_assert_int_eq(feed_id_parse(text, strlen(text), &id), 0);
	reader_free(&r);
	fixture_restart(&f, false);
	fixture_rename(&f, "a/agent-stdout.txt", "a/agent-stdout.txt.1");
	fixture_append(&f, "a/agent-stdout.txt", "a\nb\nc\n");
	request.after = &id;
	r = reader_new_of_many(&f, &request);
	reader_wait(r, "log", 3);
	text = reader_event(r, "log", 1)->id;
	ck_assert_int_eq(feed_id_parse(text, strlen(text), &id), 0);
	reader_free(&r);
	fixture_restart(&f, false);
	r = reader_new_of_many(&f, &request);
	reader_wait_lines(r, "stdout", "c\n");
	ck_assert_uint_eq(reader_count(r, "gap"), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("feed_copies");
	TCase *tcase = tcase_create("feed_copies");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, who_left_in_a_head_that_all_logs_have_is_given_the_rest_from_the_copy);
	tcase_add_test(tcase, a_place_in_a_file_is_not_counted_by_the_lines_of_the_one_before_it);
	tcase_add_test(tcase, what_was_noted_before_a_file_was_emptied_is_given_from_its_copy);
	tcase_add_test(tcase, what_a_copy_lacks_of_what_was_noted_is_told_behind_what_it_has);
	tcase_add_test(tcase, a_history_is_read_in_the_copy_of_a_file_that_was_emptied_while_it_was_read);
	tcase_add_test(tcase, who_is_in_a_copy_comes_to_the_next_though_its_file_is_emptied_again_meanwhile);
	tcase_add_test(tcase, what_was_left_is_known_exactly);
	tcase_add_test(tcase, a_line_has_the_same_pos_in_the_copy_of_its_file);
	tcase_add_test(tcase,
	               a_history_is_read_to_where_it_ends_though_that_was_emptied_since_the_way_there_was_found);
	tcase_add_test(
		tcase,
		what_a_run_wrote_that_went_on_is_given_from_a_copy_that_was_made_before_anybody_looked);
	tcase_add_test(tcase, where_a_run_ended_is_not_found_in_what_its_emptied_file_has_grown_to_since);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
