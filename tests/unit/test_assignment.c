/* Which worker accepts on which socket: each socket is one worker's, and loads are even. */
#include <check.h>
#include <stdlib.h>

#include "supervisor/assignment.h"

static uint64_t sets[INSTANCE_WORKERS_MAX];

START_TEST(each_socket_is_of_one_able_worker_and_loads_differ_by_one_at_most)
{
	for (uint32_t count = 1; count <= 9; count++)
		for (uint64_t able = 1; able < (uint64_t)1 << count; able++) {
			uint64_t all = 0;
			int fewest = INSTANCE_WORKERS_MAX, most = 0;

			assignment_make(count, able, sets);
			for (uint32_t i = 0; i < INSTANCE_WORKERS_MAX; i++) {
				int load = __builtin_popcountll(sets[i]);

				ck_assert_uint_eq(all & sets[i], 0);
				all |= sets[i];
				if (i >= count || !(able >> i & 1)) {
					ck_assert_int_eq(load, 0);
					continue;
				}
				ck_assert(sets[i] >> i & 1);
				fewest = load < fewest ? load : fewest;
				most = load > most ? load : most;
			}
			ck_assert_uint_eq(all, ((uint64_t)1 << count) - 1);
			ck_assert_int_le(most - fewest, 1);
		}
}
END_TEST

START_TEST(with_nobody_able_no_socket_is_anybodys)
{
	assignment_make(3, 0, sets);
	for (uint32_t i = 0; i < INSTANCE_WORKERS_MAX; i++)
		ck_assert_uint_eq(sets[i], 0);
}
END_TEST

START_TEST(as_many_as_there_can_be)
{
	assignment_make(INSTANCE_WORKERS_MAX, UINT64_MAX, sets);
	for (uint32_t i = 0; i < INSTANCE_WORKERS_MAX; i++)
		ck_assert_uint_eq(sets[i], (uint64_t)1 << i);
	assignment_make(INSTANCE_WORKERS_MAX, 1, sets);
	ck_assert_uint_eq(sets[0], UINT64_MAX);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("assignment");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, each_socket_is_of_one_able_worker_and_loads_differ_by_one_at_most);
	tcase_add_test(tests, with_nobody_able_no_socket_is_anybodys);
	tcase_add_test(tests, as_many_as_there_can_be);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
