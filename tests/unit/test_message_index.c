#include "follow/message_index.h"

#include <check.h>
#include <stdio.h>

#include "memory_source.h"
#include "message_slices.h"

enum { ROOM = 24 * 1024 * 1024, STEP = 4096 };

static char *text;
static size_t length;
static uint64_t newlines[ROOM / STEP + 1]; /* before each STEP of the text */
static size_t steps;                       /* so many are counted */

static void
set_up(void)
{
	memory_set_up();
	text = malloc(ROOM);
	length = 0;
	steps = 0;
}

static void
tear_down(void)
{
	memory_tear_down();
	free(text);
}

static void
put_lines(size_t bytes)
{
	for (; bytes > 0; bytes--)
		text[length++] = bytes % 80 == 1 ? '\n' : 'x';
}

/* Both kinds of entries, some long, a few too long, with text between. */
static void
put_bus(unsigned seed, unsigned entries)
{
	length += (size_t)sprintf(text + length, "# A bus\n---\n\n");
	for (unsigned i = 0; i < entries; i++) {
		unsigned kind = (unsigned)rand_r(&seed) % 400;

		if (kind % 2)
			length += (size_t)sprintf(text + length, "[2026-02-05 12:51:53] FACT: %u\n", i);
		else
			length += (size_t)sprintf(text + length, "---\nmsg_id: m%u\n---\n", i);
		put_lines((size_t)rand_r(&seed) % 120);
		if (kind % 20 == 0)
			length += (size_t)sprintf(text + length, "\n---\nts: 1\n---\n");
		if (kind % 50 == 7)
			put_lines(20000 + (size_t)rand_r(&seed) % 100000);
		if (kind == 8)
			put_lines(MESSAGE_BYTES + 100000);
		text[length++] = '\n';
	}
}

/* Of what is there for good, each byte is looked at once: all of it each time takes long where
 * instrumented. */
static uint64_t
newlines_before(size_t offset)
{
	uint64_t count;

	for (; (steps + 1) * STEP <= offset; steps++) {
		newlines[steps + 1] = newlines[steps];
		for (size_t i = steps * STEP; i < (steps + 1) * STEP; i++)
			newlines[steps + 1] += text[i] == '\n';
	}
	count = newlines[offset / STEP];
	for (size_t i = offset / STEP * STEP; i < offset; i++)
		count += text[i] == '\n';
	return count;
}

static void
reach(uint64_t upto)
{
	int error;

	while ((error = message_index_reach(memory.offload, memory.generation, upto)) == -EAGAIN)
		memory_wait();
	ck_assert_int_eq(error, 0);
}

/* Compares with what one pass over all that there is says. */
static void
check_tail(const struct slices *all, uint64_t below, uint64_t wanted)
{
	struct message_position position;
	uint64_t count = 0, offset;

	while (count < all->count && all->entries[count].at < below)
		count++;
	count = count > wanted ? count - wanted : 0;
	if (count < all->count)
		offset = all->entries[count].at;
	else
		offset = all->unfinished_at < SIZE_MAX ? all->unfinished_at : memory.generation->size_bytes;
	ck_assert_int_eq(message_index_tail(memory.generation, below, wanted, &position), 0);
	ck_assert_uint_eq(position.offset, offset);
	ck_assert_uint_eq(position.lines, newlines_before(offset));
	ck_assert(position.is_in_line == (offset > 0 && text[offset - 1] != '\n'));
}

START_TEST(the_last_entries_below_any_offset_are_found)
{
	struct slices all;
	unsigned seed = 5;

	put_bus(1, 4000);
	memory_put(text, length);
	reach(length);
	slices_cut_whole((const uint8_t *)text, length, &all);
	ck_assert_uint_gt(all.too_long, 0);
	ck_assert_uint_gt(all.count, 3900);
	check_tail(&all, length, 0);
	check_tail(&all, length, 1);
	check_tail(&all, length, 20);
	check_tail(&all, length, UINT64_MAX);
	check_tail(&all, all.entries[all.count - 1].at, 3);
	check_tail(&all, all.entries[all.count - 1].at + 1, 3);
	check_tail(&all, 0, 3);
	check_tail(&all, 0, 0);
	for (int i = 0; i < 300; i++) {
		size_t entry = (size_t)rand_r(&seed) % all.count;
		uint64_t near = all.entries[entry].at;

		check_tail(&all, near, (uint64_t)rand_r(&seed) % 40);
		check_tail(&all, near + 1, (uint64_t)rand_r(&seed) % 40);
		check_tail(&all, (uint64_t)rand_r(&seed) % length, (uint64_t)rand_r(&seed) % 5000);
	}
	slices_fini(&all);
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

START_TEST(a_hole_is_passed_over_and_what_is_behind_it_counted_where_it_is)
{
	static struct source_ops sparse;
	struct slices all;

	sparse = *memory.source.ops;
	sparse.hole_end = hole_end;
	put_bus(1, 100);
	hole_at = (length + 4095) / 4096 * 4096;
	hole_bytes = 16 * 1024 * 1024;
	memset(text + length, 0, hole_at + hole_bytes - length);
	length = hole_at + hole_bytes;
	put_bus(2, 100); /* its first line goes on behind the hole */
	memory.source.ops = &sparse;
	memory_put(text, length);
	reach(length);
	ck_assert_uint_lt(memory.bytes_waited_for, hole_bytes / 2 + (length - hole_bytes));
	slices_cut_whole((const uint8_t *)text, length, &all);
	ck_assert_uint_gt(all.count, 190);
	for (uint64_t wanted = 0; wanted < all.count + 2; wanted++)
		check_tail(&all, length, wanted);
	for (size_t i = 0; i < all.count; i++)
		check_tail(&all, all.entries[i].at, 3);
	slices_fini(&all);
}
END_TEST

START_TEST(the_index_grows_with_the_file_wherever_a_look_fell)
{
	unsigned seed = 9;
	size_t size = 0, bytes;

	put_bus(2, 300);
	bytes = length;
	memory_put(text, 0);
	while (size < bytes) {
		struct slices all;

		size += 1 + (size_t)rand_r(&seed) % (rand_r(&seed) % 8 ? 200 : 30000);
		if (size > bytes)
			size = bytes;
		memory.generation->size_bytes = size;
		reach(size);
		slices_cut_whole((const uint8_t *)text, size, &all);
		check_tail(&all, size, 0);
		check_tail(&all, size, 1);
		check_tail(&all, size - size / 3, 7);
		slices_fini(&all);
	}
	/* Nothing was read over and over: but for the last entry, each time. */
	ck_assert_uint_lt(memory.bytes_waited_for, 40 * (uint64_t)bytes);
}
END_TEST

START_TEST(what_is_not_at_hand_is_asked_for_again)
{
	struct message_position position;

	put_bus(3, 100);
	memory_put(text, length);
	reach(length);
	memory.is_cold = true;
	ck_assert_int_eq(message_index_tail(memory.generation, length, 50, &position), -EAGAIN);
}
END_TEST

START_TEST(nothing_is_looked_at_twice_by_those_who_ask_for_the_same)
{
	put_bus(4, 2000);
	memory_put(text, length);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(message_index_reach(memory.offload, memory.generation, length), -EAGAIN);
	reach(length);
	reach(length);
	/* Windows overlap by an entry at most. */
	ck_assert_uint_lt(memory.bytes_waited_for, 2 * (uint64_t)length);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_not_asked_for_at_once_again)
{
	put_bus(5, 10);
	memory_put(text, length);
	memory.is_broken = true;
	ck_assert_int_eq(message_index_reach(memory.offload, memory.generation, length), -EAGAIN);
	memory_wait();
	ck_assert_uint_eq(memory.told, 0);
	ck_assert(memory.source.tell);
	memory.is_broken = false;
	reach(length);
}
END_TEST

START_TEST(a_file_that_was_written_over_is_noticed)
{
	struct message_position position;

	put_bus(6, 200);
	memory_put(text, length);
	reach(length);
	memset(text, 'x', length);
	ck_assert_int_eq(message_index_tail(memory.generation, length, 50, &position), -ESTALE);
	ck_assert_uint_eq(memory.rewritten, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("message_index");
	TCase *tests = tcase_create("message_index");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 300); /* of much work, where instrumented */
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, the_last_entries_below_any_offset_are_found);
	tcase_add_test(tests, a_hole_is_passed_over_and_what_is_behind_it_counted_where_it_is);
	tcase_add_test(tests, the_index_grows_with_the_file_wherever_a_look_fell);
	tcase_add_test(tests, what_is_not_at_hand_is_asked_for_again);
	tcase_add_test(tests, nothing_is_looked_at_twice_by_those_who_ask_for_the_same);
	tcase_add_test(tests, a_file_that_cannot_be_read_is_not_asked_for_at_once_again);
	tcase_add_test(tests, a_file_that_was_written_over_is_noticed);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
