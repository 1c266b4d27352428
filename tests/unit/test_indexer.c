#include "follow/indexer.h"

#include "memory_source.h"

static const char counted[] = "one, of which nothing is left\ntwo, of which nothing is left\n";

static void
count_all(void)
{
	memory_put(counted, sizeof(counted) - 1);
	while (indexer_reach(memory.offload, memory.generation, sizeof(counted) - 1) == -EAGAIN)
		memory_wait();
}

/* More is there than is known yet, and counted. Then a look sees less: the file was emptied and written to again. */
START_TEST(what_was_counted_and_is_not_there_any_more_is_counted_anew)
{
	static const char others[] = "1\n2\n3\n";
	uint64_t offset;

	count_all();
	memory.bytes = (const uint8_t *)others;
	memory.generation->size_bytes = sizeof(others) - 1;
	ck_assert_int_eq(indexer_reach(memory.offload, memory.generation, sizeof(others) - 1), 0);
	ck_assert_int_eq(indexer_offset_of(memory.generation, 1, &offset), -ENODATA); /* a look is to come */
	memory.source.looked = ++memory.source.looks_begun;
	while (indexer_reach(memory.offload, memory.generation, sizeof(others) - 1) == -EAGAIN)
		memory_wait();
	ck_assert_int_eq(indexer_offset_of(memory.generation, 3, &offset), 0);
	ck_assert_uint_eq(offset, sizeof(others) - 1);
	ck_assert_uint_eq(memory.rewritten, 0);
}
END_TEST

/* Its size is that of when it was found, and no look changes that. */
START_TEST(what_was_written_late_to_a_file_that_has_ended_is_not_counted_again_and_again)
{
	count_all();
	memory.generation->size_bytes--;
	memory.generation->state = GENERATION_ENDED;
	memory.source.looked = ++memory.source.looks_begun;
	ck_assert_int_eq(indexer_reach(memory.offload, memory.generation, 1), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("indexer");
	TCase *tc = tcase_create("indexer");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, memory_set_up, memory_tear_down);
	tcase_add_test(tc, what_was_counted_and_is_not_there_any_more_is_counted_anew);
	tcase_add_test(tc, what_was_written_late_to_a_file_that_has_ended_is_not_counted_again_and_again);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
