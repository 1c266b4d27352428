#include <check.h>
#include <stdlib.h>

#include "supervisor/back_off.h"

START_TEST(the_first_restart_is_at_once_and_then_they_slow_down)
{
	static const int64_t delays_ms[] = { 0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };
	struct back_off back_off = { 0 };

	for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++)
		ck_assert_int_eq(back_off_delay_ms(&back_off, BACK_OFF_HEALTHY_MS - 1), delays_ms[i]);
}
END_TEST

START_TEST(a_healthy_life_is_a_new_beginning)
{
	struct back_off back_off = { 0 };

	for (int i = 0; i < 5; i++)
		back_off_delay_ms(&back_off, 0);
	ck_assert_int_eq(back_off_delay_ms(&back_off, BACK_OFF_HEALTHY_MS), 0);
	ck_assert_int_eq(back_off_delay_ms(&back_off, 0), BACK_OFF_FIRST_MS);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("back_off");
	TCase *tests = tcase_create("back_off");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, the_first_restart_is_at_once_and_then_they_slow_down);
	tcase_add_test(tests, a_healthy_life_is_a_new_beginning);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
