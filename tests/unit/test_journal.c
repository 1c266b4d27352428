/* The journal of a feed: readers at their own places, and what is kept for them. */
#include "stream/journal.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct journal journal;
static struct source source;
static struct generation generations[2];

struct owner {
	struct journal_owner base;
	bool is_freed;
};

static struct owner owners[2];

static void
note_freed(struct journal_owner *owner)
{
	((struct owner *)owner)->is_freed = true;
}

static void
keep(struct generation *g)
{
	(void)g;
}

static const struct source_ops ops = { .free_generation = keep };

static void
set_up(void)
{
	source = (struct source){ .ops = &ops };
	for (int i = 0; i < 2; i++) {
		generations[i] = (struct generation){ .source = &source, .references = 1, .serial = (uint32_t)i };
		owners[i] = (struct owner){ .base = { .references = 1, .free = note_freed } };
	}
	journal_init(&journal);
}

static void
tear_down(void)
{
	journal_fini(&journal);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(generations[i].references, 1);
		ck_assert_uint_eq(owners[i].base.references, 1);
	}
}

static void
note(int who, uint64_t from, uint64_t to)
{
	struct journal_entry entry = { .kind = JOURNAL_EXTENT, .owner = &owners[who].base, .to = to };

	entry.from = (struct place){ .generation = generation_ref(&generations[who]), .offset = from };
	journal_append(&journal, &entry);
}

static void
note_text(enum journal_kind kind, const char *text)
{
	struct journal_entry entry = { .kind = kind, .owner = &owners[0].base,
		                       .block = block_new(text, strlen(text)) };

	journal_append(&journal, &entry);
}

static size_t
segments(void)
{
	struct journal_segment *segment;
	size_t count = 0;

	TAILQ_FOREACH (segment, &journal.segments, link)
		count++;
	return count;
}

static size_t
entries(void)
{
	struct journal_segment *segment;
	size_t count = 0;

	TAILQ_FOREACH (segment, &journal.segments, link)
		count += segment->count;
	return count;
}

START_TEST(test_a_reader_gets_what_is_noted_from_then_on_in_order)
{
	struct journal_reader reader;

	note(0, 0, 10);
	journal_join(&journal, &reader);
	ck_assert_ptr_null(journal_at(&journal, &reader));
	note(0, 10, 20);
	note(1, 0, 5);
	ck_assert_uint_eq(journal_at(&journal, &reader)->from.offset, 10);
	ck_assert_uint_eq(journal_at(&journal, &reader)->number, 2);
	ck_assert_uint_eq(journal_at(&journal, &reader)->bytes_before, 10);
	journal_pass(&reader);
	ck_assert_uint_eq(journal_at(&journal, &reader)->to, 5);
	journal_pass(&reader);
	ck_assert_ptr_null(journal_at(&journal, &reader));
	journal_leave(&journal, &reader);
}
END_TEST

START_TEST(test_what_all_have_passed_is_dropped)
{
	struct journal_reader reader;

	journal_join(&journal, &reader);
	for (uint64_t i = 0; i < 4 * JOURNAL_SEGMENT_ENTRIES; i++) {
		note(0, i, i + 1);
		ck_assert_uint_eq(journal_at(&journal, &reader)->from.offset, i);
		journal_pass(&reader);
		ck_assert_uint_le(segments(), 2);
	}
	journal_leave(&journal, &reader);
}
END_TEST

START_TEST(test_a_reader_far_behind_costs_an_extent_for_each_file)
{
	struct journal_reader behind, ahead;
	uint64_t read[2] = { 0, 0 };
	const struct journal_entry *entry;

	journal_join(&journal, &behind);
	journal_join(&journal, &ahead);
	for (uint64_t i = 0; i < 50 * JOURNAL_SEGMENT_ENTRIES; i++) {
		note((int)(i % 2), i / 2, i / 2 + 1);
		while (journal_at(&journal, &ahead))
			journal_pass(&ahead);
	}
	ck_assert_uint_le(entries(), 3 * JOURNAL_SEGMENT_ENTRIES);
	while ((entry = journal_at(&journal, &behind)) != NULL) {
		int who = entry->owner == &owners[1].base;

		ck_assert_uint_eq(entry->from.offset, read[who]);
		read[who] = entry->to;
		journal_pass(&behind);
	}
	ck_assert_uint_eq(read[0], 25 * JOURNAL_SEGMENT_ENTRIES);
	ck_assert_uint_eq(read[1], 25 * JOURNAL_SEGMENT_ENTRIES);
	journal_leave(&journal, &behind);
	journal_leave(&journal, &ahead);
}
END_TEST

START_TEST(test_of_statuses_a_reader_far_behind_gets_the_last_and_all_else_of_text)
{
	struct journal_reader behind, ahead;
	const struct journal_entry *entry;
	size_t texts = 0, statuses = 0;

	journal_join(&journal, &behind);
	for (int i = 0; i < JOURNAL_SEGMENT_ENTRIES; i++)
		note(0, 0, 0);
	for (int i = 0; i < 10 * JOURNAL_SEGMENT_ENTRIES; i++) {
		journal_join(&journal, &ahead);
		note_text(JOURNAL_STATUS, i == 9 * JOURNAL_SEGMENT_ENTRIES - 1 ? "last" : "old");
		if (i % 100 == 0)
			note_text(JOURNAL_TEXT, "text");
		journal_leave(&journal, &ahead);
	}
	while ((entry = journal_at(&journal, &behind)) != NULL) {
		texts += entry->kind == JOURNAL_TEXT;
		statuses += entry->kind == JOURNAL_STATUS;
		journal_pass(&behind);
	}
	ck_assert_uint_eq(texts, 10 * JOURNAL_SEGMENT_ENTRIES / 100 + 1);
	ck_assert_uint_lt(statuses, 3 * JOURNAL_SEGMENT_ENTRIES);
	journal_leave(&journal, &behind);
}
END_TEST

/* The id of an event says that all that was noted before was given: also where entries were joined. */
START_TEST(test_what_was_noted_later_does_not_come_earlier)
{
	struct journal_reader behind, ahead;
	const struct journal_entry *entry;
	uint64_t last = 0;

	journal_join(&journal, &behind);
	for (uint64_t i = 0; i < 4 * JOURNAL_SEGMENT_ENTRIES; i++) {
		char text[24];

		journal_join(&journal, &ahead);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)journal_next_number(&journal));
		note_text(JOURNAL_STATUS, text);
		note((int)(i % 2), i / 2, i / 2 + 1);
		journal_leave(&journal, &ahead);
	}
	while ((entry = journal_at(&journal, &behind)) != NULL) {
		ck_assert_uint_gt(entry->number, last);
		last = entry->number;
		/* A status says so in its text: where it stands it was noted. */
		if (entry->kind == JOURNAL_STATUS) {
			char text[24]; /* (that of a block has no NUL) */

			snprintf(text, sizeof(text), "%.*s", (int)entry->block->length_bytes, entry->block->text);
			ck_assert_uint_eq(strtoull(text, NULL, 10), entry->number);
		}
		journal_pass(&behind);
	}
	ck_assert_uint_le(entries(), 4 * JOURNAL_SEGMENT_ENTRIES);
	journal_leave(&journal, &behind);
}
END_TEST

START_TEST(test_an_owner_lives_as_long_as_its_entries)
{
	struct journal_reader reader;

	journal_join(&journal, &reader);
	note(0, 0, 10);
	journal_owner_unref(&owners[0].base);
	ck_assert(!owners[0].is_freed);
	ck_assert_ptr_nonnull(journal_first_extent(&reader, &owners[0].base, CURSOR_STDOUT));
	ck_assert_ptr_null(journal_first_extent(&reader, &owners[1].base, CURSOR_STDOUT));
	journal_pass(&reader);
	journal_forget(&journal);
	reader.index = 0;
	ck_assert(owners[0].is_freed);
	owners[0].base.references = 1; /* for the check at the end */
	journal_leave(&journal, &reader);
}
END_TEST

static const struct journal_entry *
first_by_looking(const struct journal_reader *reader, const struct journal_owner *owner)
{
	size_t i = reader->index;

	for (const struct journal_segment *s = reader->segment; s; s = TAILQ_NEXT(s, link), i = 0)
		for (; i < s->count; i++)
			if (s->entries[i].kind == JOURNAL_EXTENT && s->entries[i].owner == owner)
				return &s->entries[i];
	return NULL;
}

START_TEST(test_the_first_extent_is_the_same_for_whoever_asks_and_whenever)
{
	enum { READERS = 6 };
	struct journal_reader readers[READERS];
	bool is_there[READERS] = { false };
	uint64_t seed = 7, offset = 0;

	for (int i = 0; i < 60000; i++) {
		struct journal_reader *r;
		unsigned who, what;

		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		who = (unsigned)(seed >> 33) % READERS;
		what = (unsigned)(seed >> 40) % 100;
		r = &readers[who];
		if (what < 60) {
			note(what % 20 == 0, offset, offset + 1);
			offset += what % 3 > 0;
		} else if (what < 62) {
			note_text(what % 2 ? JOURNAL_STATUS : JOURNAL_TEXT, "text");
		} else if (!is_there[who]) {
			journal_join(&journal, r);
			is_there[who] = true;
		} else if (what < 64) {
			journal_leave(&journal, r);
			is_there[who] = false;
		} else if (what < 80) {
			for (int steps = (int)(seed >> 50) % 90; steps > 0 && journal_at(&journal, r); steps--)
				journal_pass(r);
		} else {
			struct journal_owner *owner = &owners[what % 2].base;

			ck_assert_ptr_eq(journal_first_extent(r, owner, CURSOR_STDOUT),
			                 first_by_looking(r, owner));
		}
	}
	for (int i = 0; i < READERS; i++)
		if (is_there[i])
			journal_leave(&journal, &readers[i]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tcase = tcase_create("journal");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_a_reader_gets_what_is_noted_from_then_on_in_order);
	tcase_add_test(tcase, test_what_all_have_passed_is_dropped);
	tcase_add_test(tcase, test_a_reader_far_behind_costs_an_extent_for_each_file);
	tcase_add_test(tcase, test_of_statuses_a_reader_far_behind_gets_the_last_and_all_else_of_text);
	tcase_add_test(tcase, test_what_was_noted_later_does_not_come_earlier);
	tcase_add_test(tcase, test_an_owner_lives_as_long_as_its_entries);
	tcase_add_test(tcase, test_the_first_extent_is_the_same_for_whoever_asks_and_whenever);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
