#include "rotation.h"

#include <string.h>


static struct fixture *fixture;

static void
set_up(bool inotify)
{
	fixture_set_up(fixture, inotify);
	fixture_put_run(fixture, "r1", "running", -1);
}

static void
set_up_inotify(void)
{
	set_up(true);
}

static void
set_up_polling(void)
{
	set_up(false);
}

static void
tear_down(void)
{
	fixture_tear_down(fixture);
}

static void
add_cases(Suite *suite, const char *name, void (*set_up_fn)(void), void (*add_tests)(TCase *tc))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, set_up_fn, tear_down);
	tcase_set_timeout(tc, 60);
	add_tests(tc);
	suite_add_tcase(suite, tc);
}

int
rotation_run(const char *name, struct fixture *f, void (*add_tests)(TCase *tc))
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	fixture = f;
	add_cases(suite, "inotify", set_up_inotify, add_tests);
	add_cases(suite, "polling", set_up_polling, add_tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

void
rotation_put(struct fixture *f, const char *path, const char *text)
{
	fixture_write(f, path, text, strlen(text));
}

void
rotation_pass_an_epoch(struct fixture *f, const char *lines, const char *copy, const char *new_lines)
{
	fixture_append(f, OUT, lines);
	rotation_put(f, copy, lines);
	fixture_truncate(f, OUT);
	fixture_append(f, OUT, new_lines);
}

void
rotation_pass_a_tick(struct fixture *f)
{
	fixture_pass(f, 20);
}

struct reader *
rotation_reader(struct fixture *f, const char *lines)
{
	struct reader *r = reader_resume(f, "r1", NULL);

	reader_wait(r, "status", 1);
	reader_wait_lines(r, "stdout", lines);
	fixture_settle(f);
	return r;
}

void
rotation_leave(struct reader **r, char ret_id[static STREAM_ID_BYTES + 1])
{
	memcpy(ret_id, (*r)->last_id, STREAM_ID_BYTES + 1);
	reader_free(r);
}
