/* What a generation of a followed file tells of its writers. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "follow/file_generation.h"

static struct source source;
static char path[64];
static int writer; /* what another process would write by */
static struct file_generation *g;

static void
append(const char *text)
{
	ck_assert_int_eq(write(writer, text, strlen(text)), (ssize_t)strlen(text));
}

/* As a look at the file leaves it. */
static void
setup(void)
{
	struct stat stat;
	int fd;

	strcpy(path, "/tmp/runstream-generation.XXXXXX");
	writer = mkstemp(path);
	ck_assert_int_ge(writer, 0);
	append("half of ");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &stat), 0);
	ck_assert_int_eq(file_generation_new(&source, NULL, fd, &stat, FILE_SYSTEM_LOCAL, clock_now_ms(),
	                                     &g),
	                 0);
}

static void
teardown(void)
{
	file_generation_free(&g->generation);
	close(writer);
	unlink(path);
}

START_TEST(one_that_nobody_locks_and_that_is_as_it_was_seen_is_not_being_written)
{
	ck_assert(!file_generation_is_being_written(&g->generation));
}
END_TEST

START_TEST(one_that_somebody_locks_is_being_written)
{
	ck_assert_int_eq(flock(writer, LOCK_EX), 0);
	ck_assert(file_generation_is_being_written(&g->generation));
	ck_assert_int_eq(flock(writer, LOCK_UN), 0);
	ck_assert(!file_generation_is_being_written(&g->generation));
}
END_TEST

START_TEST(one_whose_writer_went_on_and_let_go_since_it_was_seen_is_being_written)
{
	ck_assert_int_eq(flock(writer, LOCK_EX), 0);
	append("an entry");
	ck_assert_int_eq(flock(writer, LOCK_UN), 0);
	ck_assert(file_generation_is_being_written(&g->generation));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("file_generation");
	TCase *tc = tcase_create("writers");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_that_nobody_locks_and_that_is_as_it_was_seen_is_not_being_written);
	tcase_add_test(tc, one_that_somebody_locks_is_being_written);
	tcase_add_test(tc, one_whose_writer_went_on_and_let_go_since_it_was_seen_is_being_written);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
