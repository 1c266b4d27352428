#include "model/message_cut.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "message_slices.h"

static size_t
random_step(void *arg)
{
	unsigned *seed = arg;

	return 1 + (size_t)rand_r(seed) % (1u << rand_r(seed) % 10);
}

/* Each entry as "head|body\n--\n"; an old one as ">body\n--\n"; then what is to be read again if
 * the file grows. Also cuts from slices. */
static const char *
show(const char *text, size_t length)
{
	static char shown[64 * 1024];
	size_t used = 0;
	struct slices whole;

	slices_cut_whole((const uint8_t *)text, length, &whole);
	for (unsigned seed = 1; seed < 200; seed++) {
		struct slices sliced;
		unsigned state = seed;

		slices_cut((const uint8_t *)text, length, random_step, &state, &sliced);
		slices_must_be_equal(&whole, &sliced);
		slices_fini(&sliced);
	}
	shown[0] = '\0';
	for (size_t i = 0; i < whole.count; i++) {
		const struct message_cut *cut = &whole.entries[i].cut;
		const char *entry = text + whole.entries[i].at;

		used += (size_t)snprintf(shown + used, sizeof(shown) - used, "%.*s%s%.*s--\n",
		                         (int)cut->head_bytes, entry + cut->head_at,
		                         cut->is_legacy ? ">" : "|", (int)cut->body_bytes,
		                         entry + cut->body_at);
		ck_assert_uint_lt(used, sizeof(shown));
	}
	if (whole.unfinished_at != SIZE_MAX)
		snprintf(shown + used, sizeof(shown) - used, "rest: %s", text + whole.unfinished_at);
	slices_fini(&whole);
	return shown;
}

#define check_cut(text, expected) ck_assert_str_eq(show(text, sizeof(text) - 1), expected)

START_TEST(entries_with_front_matter_end_where_the_next_begins)
{
	check_cut("---\nmsg_id: a\nts: 1\n---\none\n\ntwo\n---\nmsg_id: b\n---\nthree",
	          "msg_id: a\nts: 1\n|one\n\ntwo\n--\nmsg_id: b\n|three--\nrest: three");
	check_cut("---\nts: 1\nmsg_id: a\n---\n", "ts: 1\nmsg_id: a\n|--\n");
	check_cut("---\nmsg_id: a\n---", "msg_id: a\n|--\n");
	check_cut("--- \r\nmsg_id: a\r\n---\t \r\nx\r\n", "msg_id: a\r\n|x\r\n--\n");
	check_cut("---\n\"msg_id\": a\n---\nx\n---\n'msg_id' : b\n---\n",
	          "\"msg_id\": a\n|x\n--\n'msg_id' : b\n|--\n");
	check_cut("---\n\n {ts: 1, msg_id: a}\n---\nx\n", "\n {ts: 1, msg_id: a}\n|x\n--\n");
}
END_TEST

START_TEST(old_entries_begin_with_a_stamp_and_end_the_body_before_them)
{
	check_cut("[2026-02-05 12:51:53] FACT: a\n[2026-02-05 12:51:54]\tb\nmore\n\n",
	          ">[2026-02-05 12:51:53] FACT: a\n--\n>[2026-02-05 12:51:54]\tb\nmore\n\n--\n");
	check_cut("---\nmsg_id: a\n---\nx\n[2026-02-05 12:51:53] y\n---\nmsg_id: b\n---\nz",
	          "msg_id: a\n|x\n--\n>[2026-02-05 12:51:53] y\n--\nmsg_id: b\n|z--\nrest: z");
	/* One that stands first behind a front matter, and one without an end. */
	check_cut("---\nmsg_id: a\n---\n[2026-02-05 12:51:53] y",
	          "msg_id: a\n|--\n>[2026-02-05 12:51:53] y--\n");
}
END_TEST

START_TEST(what_looks_like_a_stamp_is_text)
{
	check_cut("[2026-02-05 12:51:53] a\n [2026-02-05 12:51:53] b\n[2026-02-05] c\n"
	          "[2026-02-05T12:51:53] d\n[2026-13-05 12:51:53] e\n[2026-02-05 24:51:53] f\n"
	          "[2026-02-05 12:51:53]g\n[2026-02-05 12:51:53]\n[2026",
	          ">[2026-02-05 12:51:53] a\n [2026-02-05 12:51:53] b\n[2026-02-05] c\n"
	          "[2026-02-05T12:51:53] d\n[2026-13-05 12:51:53] e\n[2026-02-05 24:51:53] f\n"
	          "[2026-02-05 12:51:53]g\n[2026-02-05 12:51:53]\n[2026--\nrest: [2026");
}
END_TEST

START_TEST(rules_in_a_text_do_not_end_it)
{
	check_cut("---\nmsg_id: a\n---\none\n---\ntwo: 2\n---\n\n---\n---\nthree\n---\nmsg_id: b\n---\nx\n",
	          "msg_id: a\n|one\n---\ntwo: 2\n---\n\n---\n---\nthree\n--\nmsg_id: b\n|x\n--\n");
	/* At the end; longer and shorter ones; indented; followed by something. */
	check_cut("---\nmsg_id: a\n---\n----\n--\n ---\n--- x\n---\n",
	          "msg_id: a\n|----\n--\n ---\n--- x\n---\n--\nrest: ---\n");
	/* An id that is not at the start of a line, and names that only begin like it. */
	check_cut("---\nmsg_id: a\n---\nx\n---\n msg_id: b\nmsg_ids: c\n---\ny\n",
	          "msg_id: a\n|x\n---\n msg_id: b\nmsg_ids: c\n---\ny\n--\nrest: ---\ny\n");
	/* A flow mapping without one. */
	check_cut("---\nmsg_id: a\n---\nx\n---\n{id: b}\n---\ny\n",
	          "msg_id: a\n|x\n---\n{id: b}\n---\ny\n--\nrest: ---\ny\n");
}
END_TEST

START_TEST(a_stamp_before_the_closing_rule_makes_the_opening_one_text)
{
	check_cut("---\nmsg_id: a\n[2026-02-05 12:51:53] b\n---\nc\n",
	          ">[2026-02-05 12:51:53] b\n---\nc\n--\nrest: ---\nc\n");
}
END_TEST

START_TEST(text_before_the_first_entry_belongs_to_none)
{
	check_cut("# Title\n\n---\n\n[2026-02-05 12:51:53] a\n", ">[2026-02-05 12:51:53] a\n--\n");
	check_cut("# Title\n---\nno: id\n---\n", "rest: ---\n");
	check_cut("x\n", "");
	check_cut("x", "rest: x");
	check_cut("---", "rest: ---");
}
END_TEST

START_TEST(an_entry_that_was_never_finished_costs_no_other)
{
	check_cut("---\nmsg_id: a\nts: 1\n---\nmsg_id: b\nts: 2\nparents:\n- x\n  - y\n---\nbody\n",
	          "msg_id: b\nts: 2\nparents:\n- x\n  - y\n|body\n--\n");
	/* A body that begins like a front matter is none. */
	check_cut("---\nmsg_id: a\n---\nmsg_id: b is done\n\n---\nmsg_id: c\n---\nbody\n",
	          "msg_id: a\n|msg_id: b is done\n\n--\nmsg_id: c\n|body\n--\n");
	check_cut("---\nmsg_id: a\n---\nmsg_id: b\nwas seen\n---\nmsg_id: c\n---\nbody\n",
	          "msg_id: a\n|msg_id: b\nwas seen\n--\nmsg_id: c\n|body\n--\n");
	check_cut("---\nmsg_id: a\n---\nmsg_id: b\n", "msg_id: a\n|msg_id: b\n--\n");
}
END_TEST

START_TEST(a_front_matter_without_an_end_is_waited_for)
{
	check_cut("---\nmsg_id: a\n---\nx\n---\nmsg_id: b\nts",
	          "msg_id: a\n|x\n--\nrest: ---\nmsg_id: b\nts");
	check_cut("---\nmsg_id: a\n---\nx\n---\nmsg_i",
	          "msg_id: a\n|x\n---\nmsg_i--\nrest: ---\nmsg_i");
	check_cut("---\n{msg_id: a", "rest: ---\n{msg_id: a");
}
END_TEST

/* Whoever writes in several pieces without a lock, and rests between them, gets every entry through
 * all the same: however the file is read as it grows. */
START_TEST(entries_that_are_written_piecemeal_are_found_whenever_one_looks)
{
	static const char text[] = "# bus\n---\nmsg_id: a\n---\nx\n---\ny\n[2026-02-05 12:51:53] old\n"
				   "---\nts: 1\nmsg_id: b\n---\nz\n\n---\n{msg_id: c}\n---\n";
	const uint8_t *bytes = (const uint8_t *)text;

	for (size_t pause = 1; pause < sizeof(text) - 1; pause++) {
		size_t at = 0, entries = 0;

		for (int rest = 0; rest <= 1; rest++) {
			size_t length = rest ? sizeof(text) - 1 : pause;

			while (at < length) {
				struct message_cut_limits limits = {
					.is_final = true,
					.is_in_line = at > 0 && text[at - 1] != '\n',
				};
				struct message_cut cut = message_cut_next(bytes + at, length - at, &limits);

				if (cut.kind == MESSAGE_CUT_UNFINISHED)
					break;
				entries += cut.kind == MESSAGE_CUT_ENTRY;
				at += cut.consumed_bytes;
			}
		}
		ck_assert_msg(entries == 4, "%zu entries with a pause at %zu", entries, pause);
	}
}
END_TEST

/* Lines of 100 bytes. */
static char *
fill(char *to, size_t length)
{
	for (size_t i = 0; i < length; i++)
		to[i] = i % 100 == 99 ? '\n' : 'x';
	return to + length;
}

static size_t
big_step(void *arg)
{
	return 1 + (size_t)rand_r(arg) % 300000;
}

static struct slices
cut_big(const char *text, size_t length)
{
	struct slices whole, sliced;
	unsigned seed = 3;

	slices_cut_whole((const uint8_t *)text, length, &whole);
	slices_cut((const uint8_t *)text, length, big_step, &seed, &sliced);
	slices_must_be_equal(&whole, &sliced);
	slices_fini(&sliced);
	return whole;
}

START_TEST(the_bounds_are_exact)
{
	static const char opening[] = "---\nmsg_id: a\n", rule[] = "---\n";
	static const char next[] = "[2026-02-05 12:51:53] b\n";
	char *text = malloc(2 * MESSAGE_BYTES), *at;

	for (int over = 0; over <= 1; over++) {
		struct slices s;

		/* The front matter. */
		memcpy(text, opening, sizeof(opening) - 1);
		at = fill(text + sizeof(opening) - 1, MESSAGE_HEAD_BYTES - 10 - 1 + (size_t)over);
		*at++ = '\n';
		memcpy(at, rule, sizeof(rule) - 1);
		at += sizeof(rule) - 1;
		s = cut_big(text, (size_t)(at - text));
		ck_assert_uint_eq(s.count, !over);
		slices_fini(&s);

		/* The entry. */
		memcpy(text, opening, sizeof(opening) - 1);
		memcpy(text + sizeof(opening) - 1, rule, sizeof(rule) - 1);
		at = text + MESSAGE_BYTES + over;
		fill(text + 18, (size_t)(at - text) - 18);
		at[-1] = '\n';
		memcpy(at, next, sizeof(next) - 1);
		s = cut_big(text, (size_t)(at - text) + sizeof(next) - 1);
		ck_assert_uint_eq(s.too_long, over);
		ck_assert_uint_eq(s.count, 2 - over);
		ck_assert_uint_eq(s.entries[s.count - 1].at, (size_t)(at - text));
		slices_fini(&s);
	}
	free(text);
}
END_TEST

START_TEST(an_entry_too_long_is_passed_over_also_when_it_is_one_line)
{
	static const char stamp[] = "[2026-02-05 12:51:53] ", last[] = "\n[2026-02-05 12:51:54] b\n";
	size_t length = 3 * MESSAGE_BYTES;
	char *text = malloc(length);
	struct slices s;

	memset(text, 'x', length);
	memcpy(text, stamp, sizeof(stamp) - 1);
	/* Where it is cut stands what looks like an entry, but no line begins there. */
	memcpy(text + MESSAGE_BYTES, stamp, sizeof(stamp) - 1);
	memcpy(text + length - sizeof(last) + 1, last, sizeof(last) - 1);
	s = cut_big(text, length);
	ck_assert_uint_eq(s.too_long, 1);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_uint_eq(s.entries[0].at, length - sizeof(last) + 2);
	slices_fini(&s);
	free(text);
}
END_TEST

START_TEST(any_mixture_is_cut_alike_however_it_is_sliced)
{
	static const char *const lines[] = {
		"---\n", "---\n", "---\n", "msg_id: a\n", "msg_id: b\n", "ts: 1\n", "x\n", "\n",
		"[2026-02-05 12:51:53] y\n", "- z\n", "  k: v\n", "{msg_id: c}\n", "--- \r\n", "--",
		"msg_id", "[2026", "'msg_id': d\n",
	};
	unsigned seed = 17;

	for (int round = 0; round < 20000; round++) {
		char text[1024];
		size_t length = 0;
		struct slices whole, sliced;
		unsigned count = 1 + (unsigned)rand_r(&seed) % 24;

		for (unsigned i = 0; i < count; i++) {
			const char *line = lines[(size_t)rand_r(&seed) % (sizeof(lines) / sizeof(lines[0]))];

			memcpy(text + length, line, strlen(line));
			length += strlen(line);
		}
		slices_cut_whole((const uint8_t *)text, length, &whole);
		slices_cut((const uint8_t *)text, length, random_step, &seed, &sliced);
		slices_must_be_equal(&whole, &sliced);
		slices_fini(&whole);
		slices_fini(&sliced);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("message_cut");
	TCase *tests = tcase_create("message_cut");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, entries_with_front_matter_end_where_the_next_begins);
	tcase_add_test(tests, old_entries_begin_with_a_stamp_and_end_the_body_before_them);
	tcase_add_test(tests, what_looks_like_a_stamp_is_text);
	tcase_add_test(tests, rules_in_a_text_do_not_end_it);
	tcase_add_test(tests, a_stamp_before_the_closing_rule_makes_the_opening_one_text);
	tcase_add_test(tests, text_before_the_first_entry_belongs_to_none);
	tcase_add_test(tests, an_entry_that_was_never_finished_costs_no_other);
	tcase_add_test(tests, a_front_matter_without_an_end_is_waited_for);
	tcase_add_test(tests, entries_that_are_written_piecemeal_are_found_whenever_one_looks);
	tcase_add_test(tests, the_bounds_are_exact);
	tcase_add_test(tests, an_entry_too_long_is_passed_over_also_when_it_is_one_line);
	tcase_add_test(tests, any_mixture_is_cut_alike_however_it_is_sliced);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
