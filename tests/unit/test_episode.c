#include "base/episode.h"

#include <check.h>
#include <stdlib.h>

static struct episode episode;
static uint64_t times;

static enum episode_news
look(uint64_t count, int64_t now_ms)
{
	times = UINT64_MAX;
	return episode_look(&episode, count, now_ms, &times);
}

START_TEST(what_never_happened_is_not_told)
{
	ck_assert_int_eq(look(0, 1000), EPISODE_NOTHING);
	ck_assert_int_eq(look(0, 1000 + 2 * EPISODE_REPEAT_MS), EPISODE_NOTHING);
}
END_TEST

START_TEST(its_beginning_and_its_end_are_told_and_not_what_is_between)
{
	int64_t now_ms = 5000;
	uint64_t count = 0;

	ck_assert_int_eq(look(count += 3, now_ms), EPISODE_BEGAN);
	ck_assert_uint_eq(times, 3);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(look(count += 7, now_ms += 1000), EPISODE_NOTHING);
	ck_assert_int_eq(look(count, now_ms + EPISODE_CALM_MS - 1), EPISODE_NOTHING);
	ck_assert_int_eq(look(count, now_ms + EPISODE_CALM_MS), EPISODE_IS_OVER);
	ck_assert_uint_eq(times, 700);
	ck_assert_int_eq(look(count, now_ms + 3 * EPISODE_CALM_MS), EPISODE_NOTHING);
	ck_assert_int_eq(look(count + 1, now_ms + 3 * EPISODE_CALM_MS), EPISODE_BEGAN);
	ck_assert_uint_eq(times, 1);
}
END_TEST

START_TEST(what_goes_on_for_long_is_told_again_with_the_number_since)
{
	uint64_t count = 0, told = 0, beginnings = 0;

	for (int64_t now_ms = 0; now_ms <= 3 * EPISODE_REPEAT_MS; now_ms += 1000) {
		enum episode_news news = look(++count, now_ms);

		beginnings += news == EPISODE_BEGAN;
		if (news == EPISODE_GOES_ON) {
			ck_assert_uint_eq(times, EPISODE_REPEAT_MS / 1000);
			told++;
		}
	}
	ck_assert_uint_eq(beginnings, 1);
	ck_assert_uint_eq(told, 3);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("episode");
	TCase *tc = tcase_create("episode");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, what_never_happened_is_not_told);
	tcase_add_test(tc, its_beginning_and_its_end_are_told_and_not_what_is_between);
	tcase_add_test(tc, what_goes_on_for_long_is_told_again_with_the_number_since);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
