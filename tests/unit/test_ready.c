/* When a worker says that it is ready, and why it is not. */
#include "worker/ready.h"

#include <check.h>
#include <stdlib.h>

static const struct ready_facts well = { .looks_finished = 1, .discovery_lives = true,
	                                     .last_look_age_ms = 1000, .discovery_interval_ms = 1000 };

static void
expect(const struct ready_facts *facts, const char *word)
{
	const struct ready_reason *reason = ready_find_reason(facts);

	ck_assert_str_eq(reason ? reason->word : "ready", word);
}

START_TEST(each_reason_is_said)
{
	struct ready_facts facts = well;

	expect(&facts, "ready");
	facts.last_look_age_ms = READY_STALE_MS + 1;
	expect(&facts, "discovery_stale");
	facts.runs_dir_is_missing = true;
	expect(&facts, "runs_dir_missing");
	facts.looks_finished = 0;
	expect(&facts, "first_look");
	facts.is_draining = true;
	expect(&facts, "draining");
}
END_TEST

START_TEST(what_is_known_is_served_while_discovery_is_started_again)
{
	struct ready_facts facts = well;

	facts.last_look_age_ms = 10 * READY_STALE_MS;
	facts.discovery_lives = false;
	expect(&facts, "ready");
}
END_TEST

START_TEST(long_intervals_and_clocks_that_are_set_back_are_no_reason)
{
	struct ready_facts facts = well;

	facts.discovery_interval_ms = READY_STALE_MS;
	facts.last_look_age_ms = READY_STALE_INTERVALS * READY_STALE_MS;
	expect(&facts, "ready");
	facts.last_look_age_ms++;
	expect(&facts, "discovery_stale");
	facts.last_look_age_ms = -1000000;
	expect(&facts, "ready");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ready");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, each_reason_is_said);
	tcase_add_test(tests, what_is_known_is_served_while_discovery_is_started_again);
	tcase_add_test(tests, long_intervals_and_clocks_that_are_set_back_are_no_reason);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
