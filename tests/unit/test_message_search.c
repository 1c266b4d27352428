#include "follow/message_search.h"

#include <check.h>
#include <stdio.h>

#include "memory_source.h"
#include "message_slices.h"

enum { ROOM = 40 * 1024 * 1024 };

static char *text;
static size_t length;

static void
set_up(void)
{
	memory_set_up();
	text = malloc(ROOM);
	length = 0;
}

static void
tear_down(void)
{
	memory_tear_down();
	free(text);
}

static void
put(const char *more)
{
	memcpy(text + length, more, strlen(more));
	length += strlen(more);
}

static void
put_entries(unsigned from, unsigned to, size_t body)
{
	for (unsigned i = from; i < to; i++) {
		if (i % 2)
			length += (size_t)sprintf(text + length, "[2026-02-05 12:51:53] FACT: m%u\n", i);
		else
			length += (size_t)sprintf(text + length, "---\nts: m%u\nmsg_id: m%u\n---\nm%u\n", i + 2,
			                          i, i);
		memset(text + length, 'b', body);
		length += body;
		put("\n");
	}
}

static int
ask(const char *id, uint64_t upto, struct message_position *ret_behind)
{
	return message_search(memory.offload, memory.generation, id, strlen(id), upto, ret_behind);
}

static int
search(const char *id, uint64_t upto, struct message_position *ret_behind)
{
	int error;

	while ((error = ask(id, upto, ret_behind)) == -EAGAIN)
		memory_wait();
	return error;
}

/* Fails unless the entry is found, and what is behind it begins like this. */
static void
check_found(const char *id, const char *behind)
{
	struct message_position position;
	uint64_t lines = 0;

	ck_assert_int_eq(search(id, length, &position), 0);
	ck_assert_uint_le(position.offset + strlen(behind), length);
	ck_assert_mem_eq(text + position.offset, behind, strlen(behind));
	for (size_t i = 0; i < position.offset; i++)
		lines += text[i] == '\n';
	ck_assert_uint_eq(position.lines, lines);
}

START_TEST(entries_of_both_kinds_are_found_by_their_id)
{
	struct message_position position;

	put("# bus\n");
	put_entries(0, 2000, 100);
	memory_put(text, length);
	check_found("m0", "[2026-02-05 12:51:53] FACT: m1\n");
	check_found("m1000", "[2026-02-05 12:51:53] FACT: m1001\n");
	check_found("LEGACY-LINE-000000008", "---\nts: m4\nmsg_id: m2\n");
	ck_assert_int_eq(search("m1001", length, &position), -ENOENT); /* an old entry's text */
	ck_assert_int_eq(search("m2000", length, &position), -ENOENT); /* another key's value */
	ck_assert_int_eq(search("LEGACY-LINE-000000009", length, &position), -ENOENT);
	ck_assert_int_eq(search("LEGACY-LINE-8", length, &position), -ENOENT);
	ck_assert_int_eq(search("m100", 1000, &position), -ENOENT);
	/* The last one. */
	ck_assert_int_eq(search("m1998", length, &position), 0);
	ck_assert_int_eq(search("LEGACY-LINE-000013995", length, &position), -ENOENT);
}
END_TEST

START_TEST(ids_are_compared_as_yaml_has_them)
{
	struct message_position position;

	put("---\nmsg_id: \"\\x61b\"\n---\n1\n---\nmsg_id: 'it''s'\n---\n2\n---\nmsg_id: two\n  words\n"
	    "---\n3\n---\nmsg_id: [broken\nid: x\n---\n4\n---\nmsg_id: x\n---\n5\n---\n{msg_id: y}\n---\n6\n"
	    "---\nmsg_id: x\n---\n7\n");
	memory_put(text, length);
	check_found("ab", "---\nmsg_id: 'it");
	check_found("it's", "---\nmsg_id: two");
	check_found("two words", "---\nmsg_id: [");
	check_found("x", "---\n{msg_id: y}");
	check_found("y", "---\nmsg_id: x\n---\n7");
	ck_assert_int_eq(search("a", length, &position), -ENOENT);
	ck_assert_int_eq(search("", length, &position), -EINVAL);
}
END_TEST

START_TEST(behind_the_last_entry_nothing_that_may_begin_another_is_passed_over)
{
	struct message_position position;

	put("---\nmsg_id: a\n---\nx\n---\nmsg_");
	memory_put(text, length);
	ck_assert_int_eq(search("a", length, &position), 0);
	ck_assert_uint_eq(position.offset, 20);
	ck_assert_uint_eq(position.lines, 4);
	memory_put(text, 20);
	ck_assert_int_eq(search("a", 20, &position), 0);
	ck_assert_uint_eq(position.offset, 20);
	/* A line without an end. */
	length = 0;
	put("[2026-02-05 12:51:53] x");
	memory_put(text, length);
	ck_assert_int_eq(search("LEGACY-LINE-000000001", length, &position), 0);
	ck_assert_uint_eq(position.offset, length);
	ck_assert(position.is_in_line);
}
END_TEST

static uint64_t hole_at, hole_bytes;

static uint64_t
hole_end(struct generation *g, uint64_t offset, uint64_t limit)
{
	(void)g;
	if (offset < hole_at || offset >= hole_at + hole_bytes)
		return offset;
	return hole_at + hole_bytes < limit ? hole_at + hole_bytes : limit;
}

START_TEST(a_hole_is_passed_over_and_what_is_behind_it_found_where_it_is)
{
	enum { HOLE = 30 * 1024 * 1024 };
	static struct source_ops sparse;
	struct message_position with, without;
	int error;

	sparse = *memory.source.ops;
	sparse.hole_end = hole_end;
	put_entries(0, 100, 100);
	put("---\nmsg_id: cut\n---\nby a hole");
	hole_at = (length + 4095) / 4096 * 4096;
	hole_bytes = HOLE;
	memset(text + length, 0, hole_at + hole_bytes - length);
	length = hole_at + hole_bytes;
	/* What is behind it on its line begins nothing. */
	put("---\nmsg_id: no\n---\n");
	put_entries(100, 200, 100);
	for (int i = 0; i < 6; i++) {
		static const char *const ids[] = { "m98", "cut", "no", "m100", "LEGACY-LINE-000000361", "x" };

		memory.source.ops = &sparse;
		memory_put(text, length);
		error = search(ids[i], length, &with);
		ck_assert_uint_lt(memory.bytes_waited_for, HOLE / 4);
		sparse.hole_end = NULL;
		memory_put(text, length);
		ck_assert_int_eq(search(ids[i], length, &without), error);
		sparse.hole_end = hole_end;
		if (error)
			continue;
		ck_assert_uint_eq(with.offset, without.offset);
		ck_assert_uint_eq(with.lines, without.lines);
	}
	/* One that ends with it. */
	memory_put(text, hole_at + hole_bytes);
	ck_assert_int_eq(search("x", hole_at + hole_bytes, &with), -ENOENT);
	ck_assert_uint_lt(memory.bytes_waited_for, HOLE / 4);
}
END_TEST

START_TEST(a_search_in_vain_goes_on_with_what_has_grown)
{
	struct message_position position;
	uint64_t waited;

	put_entries(0, 20000, 1000);
	memory_put(text, length);
	ck_assert_uint_gt(length, MESSAGE_SCAN_SLICE_BYTES);
	ck_assert_int_eq(search("m20002", length, &position), -ENOENT);
	waited = memory.bytes_waited_for;
	ck_assert_uint_lt(waited, length + length / 8);
	put_entries(20000, 20004, 10);
	memory.generation->size_bytes = length;
	check_found("m20002", "[2026-02-05 12:51:53] FACT: m20003\n");
	ck_assert_uint_lt(memory.bytes_waited_for - waited, 10000);
}
END_TEST

START_TEST(who_asks_for_the_same_shares_a_search_and_what_it_found)
{
	struct message_position position;
	uint64_t waited;

	put_entries(0, 10000, 100);
	memory_put(text, length);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(ask("m9000", length, &position), -EAGAIN);
	ck_assert_uint_eq(memory.held, 1);
	check_found("m9000", "[2026-02-05 12:51:53] FACT: m9001\n");
	waited = memory.bytes_waited_for;
	ck_assert_uint_lt(waited, length + length / 8);
	for (int i = 0; i < 100; i++)
		check_found("m9000", "[2026-02-05 12:51:53] FACT: m9001\n");
	ck_assert_uint_eq(memory.bytes_waited_for, waited);
}
END_TEST

START_TEST(many_searches_take_turns_and_all_end)
{
	enum { IDS = 3 * MESSAGE_SEARCHES_KEPT };
	bool is_over[IDS] = { false };
	unsigned left = IDS;

	put_entries(0, 2 * IDS, 20);
	memory_put(text, length);
	while (left > 0) {
		for (unsigned i = 0; i < IDS; i++) {
			struct message_position position;
			char id[16];
			int error;

			if (is_over[i])
				continue;
			snprintf(id, sizeof(id), "m%u", 2 * i);
			error = ask(id, length, &position);
			ck_assert(error == 0 || error == -EAGAIN);
			is_over[i] = error == 0;
			left -= is_over[i];
		}
		ck_assert_uint_le(memory.held, MESSAGE_SEARCHES_RUNNING);
		if (left > 0)
			memory_wait();
	}
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_not_asked_for_at_once_again)
{
	struct message_position position;

	put_entries(0, 10, 10);
	memory_put(text, length);
	memory.is_broken = true;
	ck_assert_int_eq(ask("m4", length, &position), -EAGAIN);
	memory_wait();
	ck_assert_uint_eq(memory.told, 0);
	ck_assert(memory.source.tell);
	memory.is_broken = false;
	check_found("m4", "[2026-02-05 12:51:53] FACT: m5\n");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("message_search");
	TCase *tests = tcase_create("message_search");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, entries_of_both_kinds_are_found_by_their_id);
	tcase_add_test(tests, ids_are_compared_as_yaml_has_them);
	tcase_add_test(tests, behind_the_last_entry_nothing_that_may_begin_another_is_passed_over);
	tcase_add_test(tests, a_hole_is_passed_over_and_what_is_behind_it_found_where_it_is);
	tcase_add_test(tests, a_search_in_vain_goes_on_with_what_has_grown);
	tcase_add_test(tests, who_asks_for_the_same_shares_a_search_and_what_it_found);
	tcase_add_test(tests, many_searches_take_turns_and_all_end);
	tcase_add_test(tests, a_file_that_cannot_be_read_is_not_asked_for_at_once_again);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
