/* Ids of message buses: what they are made of, and that they stay what they were. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/bus_id.h"
#include "model/run_id.h"

START_TEST(ids_are_what_every_version_makes_them)
{
	char id[BUS_ID_BYTES + 1];

	bus_id_make("project", "", id);
	ck_assert_str_eq(id, "ac6714b071ace92ac211644131a4e12d");
	bus_id_make("project", "task", id);
	ck_assert_str_eq(id, "71ffca07b80ae5ba957e42a423dc8caa");
}
END_TEST

START_TEST(names_of_any_length_have_an_id_that_may_be_one)
{
	char name[RUN_ID_BYTES + 1], id[BUS_ID_BYTES + 1];

	memset(name, 'x', RUN_ID_BYTES);
	name[RUN_ID_BYTES] = '\0';
	bus_id_make(name, name, id);
	ck_assert_uint_eq(strlen(id), BUS_ID_BYTES);
	ck_assert(run_id_valid(id, strlen(id)));
}
END_TEST

START_TEST(each_pair_of_names_has_an_id_of_its_own)
{
	static const char *const names[][2] = { { "a", "" }, { "a", "b" }, { "b", "a" }, { "ab", "" },
		                                { "a", "b " }, { "", "ab" }, { "", "" } };
	char ids[sizeof(names) / sizeof(names[0])][BUS_ID_BYTES + 1];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bus_id_make(names[i][0], names[i][1], ids[i]);
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(ids[i], ids[j]);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("bus_id");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, ids_are_what_every_version_makes_them);
	tcase_add_test(tests, names_of_any_length_have_an_id_that_may_be_one);
	tcase_add_test(tests, each_pair_of_names_has_an_id_of_its_own);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
