#include "model/message.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"

static struct message message;

static void
tear_down(void)
{
	message_fini(&message);
}

/* The first entry of a text. */
static int
parse(const char *text, uint64_t lines_before)
{
	struct message_cut_limits limits = { .is_final = true };
	struct message_cut cut = message_cut_next((const uint8_t *)text, strlen(text), &limits);

	ck_assert_int_eq(cut.kind, MESSAGE_CUT_ENTRY);
	message_fini(&message);
	return message_parse((const uint8_t *)text, &cut, lines_before, &message);
}

static const char *
content(void)
{
	static char text[1024];

	ck_assert_uint_lt(message.content_bytes, sizeof(text));
	memcpy(text, message.content, message.content_bytes);
	text[message.content_bytes] = '\0';
	return text;
}

START_TEST(all_keys_of_a_front_matter_are_read)
{
	ck_assert_int_eq(parse("---\n"
	                       "msg_id: MSG-20260204-183042-569000000-PID04711-0001\n"
	                       "ts: 2026-02-04T18:30:42.569Z\n"
	                       "type: FACT\n"
	                       "project_id: conductor\n"
	                       "task_id: \"task: 5\"\n"
	                       "run_id: 20260204\n"
	                       "issue_id: ISSUE-1\n"
	                       "colour: {of: [no, interest]}\n"
	                       "parents: [MSG-1, {msg_id: MSG-2, kind: reply, meta: {msg_id: x}}, 3, ~]\n"
	                       "links:\n"
	                       "  - url: https://example.org/a\n"
	                       "    label: A\n"
	                       "    kind: doc\n"
	                       "  - {label: B}\n"
	                       "meta:\n"
	                       "  n: 12\n"
	                       "  yes: true\n"
	                       "  none:\n"
	                       "  n: 13\n"
	                       "---\n"
	                       "done\n", 0), 0);
	ck_assert_str_eq(message.msg_id, "MSG-20260204-183042-569000000-PID04711-0001");
	ck_assert_str_eq(message.timestamp, "2026-02-04T18:30:42.569Z");
	ck_assert_str_eq(message.type, "FACT");
	ck_assert_str_eq(message.project_id, "conductor");
	ck_assert_str_eq(message.task_id, "task: 5");
	ck_assert_str_eq(message.run_id, "20260204");
	ck_assert_str_eq(message.issue_id, "ISSUE-1");
	ck_assert_uint_eq(message.parents_count, 3);
	ck_assert_str_eq(message.parents[0], "MSG-1");
	ck_assert_str_eq(message.parents[1], "MSG-2");
	ck_assert_str_eq(message.parents[2], "3");
	ck_assert_uint_eq(message.links_count, 2);
	ck_assert_str_eq(message.links[0].url, "https://example.org/a");
	ck_assert_str_eq(message.links[0].label, "A");
	ck_assert_str_eq(message.links[0].kind, "doc");
	ck_assert_ptr_null(message.links[1].url);
	ck_assert_str_eq(message.links[1].label, "B");
	ck_assert_uint_eq(message.meta_count, 3);
	ck_assert_str_eq(message.meta[0].key, "n");
	ck_assert_str_eq(message.meta[0].value, "13");
	ck_assert_str_eq(message.meta[1].value, "true");
	ck_assert_ptr_null(message.meta[2].value);
	ck_assert_str_eq(content(), "done");
}
END_TEST

START_TEST(values_of_the_wrong_kind_are_passed_over)
{
	ck_assert_int_eq(parse("---\nmsg_id: a\ntype: [x]\nparents: b\nlinks: {url: c}\nmeta: [d]\n"
	                       "project_id: null\ntask_id: ''\n---\n", 0), 0);
	ck_assert_str_eq(message.msg_id, "a");
	ck_assert_ptr_null(message.type);
	ck_assert_ptr_null(message.project_id);
	ck_assert_ptr_null(message.task_id);
	ck_assert_uint_eq(message.parents_count + message.links_count + message.meta_count, 0);
	ck_assert_uint_eq(message.content_bytes, 0);
	/* What stands too deep does not count. */
	ck_assert_int_eq(parse("---\nmsg_id: a\nparents: [[b]]\nlinks: [[{url: c}]]\nmeta: {d: {e: f}}\n"
	                       "x: {msg_id: g}\n---\n", 0), 0);
	ck_assert_str_eq(message.msg_id, "a");
	ck_assert_uint_eq(message.parents_count + message.links_count, 0);
	ck_assert_uint_eq(message.meta_count, 1);
	ck_assert_ptr_null(message.meta[0].value);
}
END_TEST

START_TEST(without_a_good_id_it_is_malformed)
{
	char text[256], *at = text;

	ck_assert_int_eq(parse("---\nmsg_id:\n---\nx\n", 0), -EBADMSG);
	ck_assert_int_eq(parse("---\nmsg_id: []\n---\nx\n", 0), -EBADMSG);
	ck_assert_int_eq(parse("---\nmsg_id:x\n---\nx\n", 0), -EBADMSG);
	ck_assert_int_eq(parse("---\nmsg_id: [a\n---\nx\n", 0), -EBADMSG);
	ck_assert_int_eq(parse("---\nmsg_id: a\nno yaml\n---\nx\n", 0), -EBADMSG);
	ck_assert_int_eq(parse("---\nmsg_id: \"a\\nb\"\n---\n", 0), -EBADMSG);
	ck_assert_int_eq(parse("---\nmsg_id: \"a\\0b\"\n---\n", 0), -EBADMSG);
	ck_assert_int_eq(parse("---\nmsg_id: \"a\\u0085b\"\n---\n", 0), -EBADMSG);
	ck_assert_int_eq(parse("---\nmsg_id: a\xff\n---\n", 0), -EBADMSG);
	ck_assert_int_eq(parse("---\nmsg_id: &x a\ntype: *x\n---\n", 0), -EBADMSG);
	for (int over = 0; over <= 1; over++) {
		at = text + sprintf(text, "---\nmsg_id: ");
		memset(at, 'i', MESSAGE_ID_BYTES + over);
		strcpy(at + MESSAGE_ID_BYTES + over, "\n---\n");
		ck_assert_int_eq(parse(text, 0), over ? -EBADMSG : 0);
	}
}
END_TEST

START_TEST(behind_a_writer_that_was_cut_off_within_a_line_the_next_entry_is_itself)
{
	ck_assert_int_eq(parse("---\nmsg_id: a\nissue_id: 1\nparents: [p]\nmeta: {k: v}\nts: 2026---\n"
	                       "msg_id: b\nts: 2027\n---\nx\n", 0), 0);
	ck_assert_str_eq(message.msg_id, "b");
	ck_assert_str_eq(message.timestamp, "2027");
	ck_assert_ptr_null(message.issue_id);
	ck_assert_uint_eq(message.parents_count + message.meta_count, 0);
}
END_TEST

START_TEST(lists_are_bounded)
{
	char text[MESSAGE_HEAD_BYTES], *at = text;

	at += sprintf(at, "---\nmsg_id: a\nparents:\n");
	for (int i = 0; i < MESSAGE_ITEMS + 9; i++)
		at += sprintf(at, "- p%d\n", i);
	at += sprintf(at, "links:\n");
	for (int i = 0; i < MESSAGE_ITEMS + 9; i++)
		at += sprintf(at, "- url: u%d\n", i);
	at += sprintf(at, "meta:\n");
	for (int i = 0; i < MESSAGE_ITEMS + 9; i++)
		at += sprintf(at, "  k%d: v%d\n", i, i);
	sprintf(at, "---\n");
	ck_assert_int_eq(parse(text, 0), 0);
	ck_assert_uint_eq(message.parents_count, MESSAGE_ITEMS);
	ck_assert_str_eq(message.parents[MESSAGE_ITEMS - 1], "p255");
	ck_assert_uint_eq(message.links_count, MESSAGE_ITEMS);
	ck_assert_str_eq(message.links[MESSAGE_ITEMS - 1].url, "u255");
	ck_assert_uint_eq(message.meta_count, MESSAGE_ITEMS);
	ck_assert_str_eq(message.meta[MESSAGE_ITEMS - 1].value, "v255");
}
END_TEST

static void
check_legacy(const char *text, const char *type, const char *body)
{
	ck_assert_int_eq(parse(text, 6), 0);
	ck_assert_str_eq(message.msg_id, "LEGACY-LINE-000000007");
	ck_assert_str_eq(message.timestamp, "2026-02-05T12:51:53Z");
	ck_assert_str_eq(message.type, type);
	ck_assert_str_eq(content(), body);
}

START_TEST(old_entries_have_a_type_or_are_for_information)
{
	check_legacy("[2026-02-05 12:51:53] FACT: it is: so\n", "FACT", "it is: so");
	check_legacy("[2026-02-05 12:51:53]  a-B_c/9:\tx", "a-B_c/9", "x");
	check_legacy("[2026-02-05 12:51:53] SESSION SUMMARY: x\n", "INFO", "SESSION SUMMARY: x");
	check_legacy("[2026-02-05 12:51:53] ======\n", "INFO", "======");
	check_legacy("[2026-02-05 12:51:53] https://example.org\n", "INFO", "https://example.org");
	check_legacy("[2026-02-05 12:51:53] : x\n", "INFO", ": x");
	check_legacy("[2026-02-05 12:51:53] FACT:\r\n", "FACT", "");
	check_legacy("[2026-02-05 12:51:53] FACT: one\r\ntwo\r\n\r\n", "FACT", "one\r\ntwo");
	check_legacy("[2026-02-05 12:51:53] \n", "INFO", "");
}
END_TEST

START_TEST(an_old_entry_is_named_by_its_line)
{
	char id[MESSAGE_LEGACY_ID_BYTES];

	ck_assert_uint_eq(message_legacy_id(1, id), 21);
	ck_assert_mem_eq(id, "LEGACY-LINE-000000001", 21);
	ck_assert_uint_eq(message_legacy_id(123456789, id), 21);
	ck_assert_mem_eq(id, "LEGACY-LINE-123456789", 21);
	ck_assert_uint_eq(message_legacy_id(1234567890, id), 22);
	ck_assert_mem_eq(id, "LEGACY-LINE-1234567890", 22);
	ck_assert_uint_eq(message_legacy_id(UINT64_MAX, id), 32);
	ck_assert_mem_eq(id, "LEGACY-LINE-18446744073709551615", 32);
}
END_TEST

START_TEST(only_the_blank_lines_around_a_text_are_taken_off)
{
	static const char *const texts[][2] = {
		{ "", "" }, { "\n \n\t\r\n", "" }, { "  ", "" }, { "a", "a" }, { "a\n", "a" },
		{ "\n\n  a  \n\n b \n\n", "  a  \n\n b " }, { "a\r\n\r\nb\r\n", "a\r\n\r\nb" },
		{ "\r\na\r", "a\r" }, { "a \n \n", "a " }, { "a\r\r\n", "a\r" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "---\nmsg_id: a\n---\n%s", texts[i][0]);
		ck_assert_int_eq(parse(text, 0), 0);
		ck_assert_str_eq(content(), texts[i][1]);
	}
}
END_TEST

START_TEST(events_are_as_they_always_were)
{
	static const char text[] =
		"# A bus\n\n---\n\n[2026-02-05 12:51:53] DECISION: \"begin\"\n\n"
		"---\nmsg_id: MSG-20260220-155454-390970000-PID30154-0001\nts: 2026-02-20T15:54:54.390976Z\n"
		"type: RUN_START\nproject_id: conductor\ntask_id: docker-fix\n"
		"run_id: 20260220-1554540000-30154\n---\nrun started\n\n"
		"---\nmsg_id: all\nts: 2026-02-20T15:54:54Z\ntype: FACT\nproject_id: p\ntask_id: t\n"
		"run_id: r\nissue_id: I-1\nparents: [a, {msg_id: b, kind: reply}]\n"
		"links: [{url: 'https://example.org/?a=b', label: L, kind: doc}, {}, {kind: k}]\n"
		"meta: {k: \"v\\\"\", n: 1}\n---\n\none\n---\ntwo\r\n\tthree\n\n"
		"---\nmsg_id: broken\nparents: [\n---\nskipped\n"
		"---\nmsg_id: bare\n---\n"
		"---\nmsg_id: lossy\n---\n\xc3\xa9\xff\x1b[0m\n"
		"[2026-02-05 12:51:54] no type\nand more";
	const uint8_t *bytes = (const uint8_t *)text;
	struct message_cut_limits limits = { .is_final = true };
	size_t length = sizeof(text) - 1, malformed = 0;
	struct buf shown = BUF_INIT;
	uint64_t lines = 0;

	for (size_t at = 0; at < length;) {
		struct message_cut cut = message_cut_next(bytes + at, length - at, &limits);

		if (cut.kind == MESSAGE_CUT_ENTRY) {
			int error = message_parse(bytes + at, &cut, lines, &message);

			if (!error) {
				struct event_id id = { message.msg_id, strlen(message.msg_id) };

				message_put_event(&shown, &id, &message);
			}
			malformed += error == -EBADMSG;
			message_fini(&message);
		}
		for (size_t i = 0; i < cut.consumed_bytes; i++)
			lines += bytes[at + i] == '\n';
		at += cut.consumed_bytes;
	}
	ck_assert_int_eq(buf_error(&shown), 0);
	ck_assert_uint_eq(malformed, 1);
	golden_check("message-events.txt", shown.data, shown.length_bytes);
	buf_fini(&shown);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("message");
	TCase *tests = tcase_create("message");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, NULL, tear_down);
	tcase_add_test(tests, all_keys_of_a_front_matter_are_read);
	tcase_add_test(tests, values_of_the_wrong_kind_are_passed_over);
	tcase_add_test(tests, without_a_good_id_it_is_malformed);
	tcase_add_test(tests, behind_a_writer_that_was_cut_off_within_a_line_the_next_entry_is_itself);
	tcase_add_test(tests, lists_are_bounded);
	tcase_add_test(tests, old_entries_have_a_type_or_are_for_information);
	tcase_add_test(tests, an_old_entry_is_named_by_its_line);
	tcase_add_test(tests, only_the_blank_lines_around_a_text_are_taken_off);
	tcase_add_test(tests, events_are_as_they_always_were);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
