/* The state of a run, folded from its file by helper threads. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "follow/state_fold.h"
#include "model/event_line.h"

enum { DEADLINE_MS = 20000 };

/* A source of bytes in memory. */
static struct source source;
static struct generation generation;
static char *content;
static size_t content_bytes;
static size_t most_read; /* a read gives no more than that */
static int held, notified;
static struct loop *loop;
static struct offload *offload;

static uint64_t hole_at, hole_bytes; /* of a sparse file: nobody is to read it */

static uint64_t
hole_end(struct generation *g, uint64_t offset, uint64_t limit)
{
	(void)g;
	if (offset < hole_at || offset >= hole_at + hole_bytes)
		return offset;
	return hole_at + hole_bytes < limit ? hole_at + hole_bytes : limit;
}

static int64_t
read_waiting(struct generation *g, uint64_t offset, void *to, size_t length)
{
	(void)g;
	if (hole_bytes > 0 && offset >= hole_at) {
		ck_assert_uint_ge(offset, hole_at + hole_bytes);
		offset -= hole_bytes;
	} else if (hole_bytes > 0 && length > hole_at - offset) {
		length = (size_t)(hole_at - offset);
	}
	if (offset >= content_bytes)
		return 0;
	if (length > content_bytes - offset)
		length = content_bytes - (size_t)offset;
	if (length > most_read)
		length = most_read;
	memcpy(to, content + offset, length);
	return (int64_t)length;
}

static void
hold(struct source *s)
{
	(void)s;
	held++;
}

static void
release(struct source *s)
{
	(void)s;
	held--;
}

static void
free_generation(struct generation *g)
{
	(void)g;
}

static void
notify(void *arg)
{
	(void)arg;
	notified++;
}

static struct source_listener listener;

static void
set_up(void)
{
	static const struct source_ops ops = { .read_waiting = read_waiting, .hole_end = hole_end, .hold = hold,
		                               .release = release, .free_generation = free_generation };

	memset(&source, 0, sizeof(source));
	memset(&generation, 0, sizeof(generation));
	source.ops = &ops;
	TAILQ_INIT(&source.listeners);
	source_listen(&source, &listener, notify, NULL);
	generation.source = &source;
	generation.references = 1;
	content = NULL;
	content_bytes = 0;
	most_read = SIZE_MAX;
	hole_at = hole_bytes = 0;
	notified = 0;
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(offload_new(loop, 2, &offload), 0);
}

static void
tear_down(void)
{
	struct generation *g = &generation;

	ck_assert_uint_eq(offload_free(&offload), 0);
	loop_free(&loop);
	generation_unref(&g);
	ck_assert_int_eq(held, 0);
	free(content);
}

static void
append(const char *bytes, size_t length)
{
	content = realloc(content, content_bytes + length);
	memcpy(content + content_bytes, bytes, length);
	content_bytes += length;
}

static void
append_text(const char *text)
{
	append(text, strlen(text));
}

static void
reach(uint64_t upto)
{
	int64_t until_ms = clock_now_ms() + DEADLINE_MS;
	int r;

	while ((r = state_fold_reach(offload, &generation, upto)) == -EAGAIN) {
		ck_assert_int_eq(held, 1);
		ck_assert_int_lt(clock_now_ms(), until_ms);
		ck_assert_int_eq(loop_turn(loop, 20), 0);
	}
	ck_assert_int_eq(r, 0);
}

static void
expect(const char *part)
{
	struct buf to = BUF_INIT;

	run_state_put(&to, state_fold_state(&generation), "r", NULL);
	ck_assert_msg(strstr(buf_string(&to), part) != NULL, "%s is not in %s", part, buf_string(&to));
	buf_fini(&to);
}

START_TEST(the_state_is_extended_as_the_file_grows)
{
	append_text("{\"type\":\"run.started\",\"total_units\":2}\n{\"type\":\"unit.completed\",\"unit\":\"a\"}\n");
	reach(content_bytes);
	expect("\"seq\":2,\"total_units\":2,\"completed_units\":1");
	ck_assert_uint_eq(state_fold_offset(&generation), content_bytes);
	ck_assert_int_eq(notified, 1);
	append_text("no event\n{\"type\":\"unit.failed\",\"unit\":\"b\"}\n");
	reach(content_bytes);
	expect("\"seq\":4,\"total_units\":2,\"completed_units\":1,\"failed_units\":1");
	reach(10);
	ck_assert_int_eq(notified, 2);
}
END_TEST

START_TEST(an_unfinished_line_is_not_folded)
{
	size_t end;

	append_text("{\"type\":\"unit.completed\"}\n{\"type\":\"unit.comp");
	reach(content_bytes);
	expect("\"seq\":1,");
	ck_assert_uint_lt(state_fold_offset(&generation), content_bytes);
	/* What was torn is blanked, and the line begins behind it. */
	end = content_bytes;
	memset(content + state_fold_offset(&generation), ' ', end - state_fold_offset(&generation));
	append_text("{\"type\":\"unit.failed\"}\n");
	reach(content_bytes);
	expect("\"seq\":2,\"completed_units\":1,\"failed_units\":1");
}
END_TEST

START_TEST(a_last_event_without_its_newline_is_folded_once)
{
	append_text("{\"type\":\"unit.started\",\"unit\":\"a\"}\n  {\"type\":\"unit.completed\",\"unit\":\"a\"}");
	reach(content_bytes);
	expect("\"seq\":2,\"completed_units\":1");
	append_text("\n");
	reach(content_bytes);
	expect("\"seq\":2,\"completed_units\":1");
	append_text("{\"type\":\"unit.failed\"}");
	reach(content_bytes);
	append_text("\n{\"type\":\"unit.failed\"}\n");
	reach(content_bytes);
	expect("\"seq\":4,\"completed_units\":1,\"failed_units\":2");
	ck_assert_uint_eq(state_fold_offset(&generation), content_bytes);
	/* All of it, in pieces: whole is only the last of them. */
	most_read = 1;
	for (const char *at = "{\"type\":\"unit.failed\"}\n"; *at; at++) {
		append(at, 1);
		reach(content_bytes);
	}
	expect("\"seq\":5,\"completed_units\":1,\"failed_units\":3");
}
END_TEST

START_TEST(lines_are_whole_however_they_are_read)
{
	for (int i = 0; i < 3000; i++)
		append_text("{\"type\":\"unit.completed\",\"note\":\"some text that is not short\"}\n");
	most_read = 37;
	reach(content_bytes);
	expect("\"seq\":3000,\"completed_units\":3000,");
	ck_assert_uint_eq(run_state_malformed(state_fold_state(&generation)), 0);
}
END_TEST

START_TEST(a_file_is_folded_in_slices)
{
	char *line = malloc(100001);

	memset(line, ' ', 100000);
	memcpy(line, "{\"type\":\"unit.completed\"}", 25);
	line[99999] = '\n';
	for (int i = 0; i < 300; i++)
		append(line, 100000);
	reach(content_bytes);
	expect("\"seq\":300,\"completed_units\":300,");
	ck_assert_int_gt(notified, 2);
	free(line);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_passed_over)
{
	size_t length = 3 * EVENT_LINE_BYTES;
	char *line = malloc(length);

	memset(line, ' ', length);
	memcpy(line, "{\"type\":\"unit.completed\"}", 25);
	append(line, length);
	reach(content_bytes); /* without an end as yet */
	ck_assert_uint_eq(run_state_seq(state_fold_state(&generation)), 0);
	append(line + 100, length - 100);
	reach(content_bytes);
	append_text("\n{\"type\":\"unit.failed\"}\n");
	reach(content_bytes);
	expect("\"seq\":2,\"completed_units\":0,\"failed_units\":1");
	ck_assert_uint_eq(run_state_malformed(state_fold_state(&generation)), 1);
	ck_assert_uint_eq(state_fold_offset(&generation), content_bytes);
	/* As long as may be. */
	line[EVENT_LINE_BYTES] = '\n';
	append(line, EVENT_LINE_BYTES + 1);
	reach(content_bytes);
	expect("\"seq\":3,\"completed_units\":1,");
	free(line);
}
END_TEST

START_TEST(a_hole_is_not_read_through)
{
	append_text("{\"type\":\"run.started\"}\n{\"type\":");
	hole_at = content_bytes;
	hole_bytes = UINT64_C(8) << 30;
	append_text("\"of it\"}\n{\"type\":\"unit.started\",\"unit\":\"a\"}\n");
	reach(content_bytes + hole_bytes);
	expect("\"seq\":3");
}
END_TEST

START_TEST(a_file_that_is_shorter_than_was_said_is_not_asked_again_and_again)
{
	append_text("{}\n{\"unfinished\":");
	ck_assert_int_eq(state_fold_reach(offload, &generation, 1000), -EAGAIN);
	while (generation.lore[LORE_STATE]->is_busy)
		ck_assert_int_eq(loop_turn(loop, 20), 0);
	ck_assert_int_eq(notified, 1);
	ck_assert_int_eq(state_fold_reach(offload, &generation, 1000), -EAGAIN);
	while (generation.lore[LORE_STATE]->is_busy)
		ck_assert_int_eq(loop_turn(loop, 20), 0);
	ck_assert_int_eq(notified, 1);
	ck_assert(source.tell);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("state_fold");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, the_state_is_extended_as_the_file_grows);
	tcase_add_test(tests, an_unfinished_line_is_not_folded);
	tcase_add_test(tests, a_last_event_without_its_newline_is_folded_once);
	tcase_add_test(tests, lines_are_whole_however_they_are_read);
	tcase_add_test(tests, a_file_is_folded_in_slices);
	tcase_add_test(tests, a_line_that_is_too_long_is_passed_over);
	tcase_add_test(tests, a_hole_is_not_read_through);
	tcase_add_test(tests, a_file_that_is_shorter_than_was_said_is_not_asked_again_and_again);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
