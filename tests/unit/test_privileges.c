#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/privileges.h"

static struct settings settings;
static struct buf sentence;

static void
set_up(void)
{
	ck_assert_int_eq(settings_init(&settings), 0);
	buf_init(&sentence);
}

static void
tear_down(void)
{
	settings_fini(&settings);
	buf_fini(&sentence);
}

static void
name(char **member, const char *text)
{
	free(*member);
	*member = strdup(text);
	ck_assert_ptr_nonnull(*member);
}

START_TEST(without_names_all_stays)
{
	struct privileges privileges;

	ck_assert_int_eq(privileges_find(&settings, &privileges, &sentence), 0);
	ck_assert(!privileges.changes_user);
	ck_assert_uint_eq(privileges.socket_group, (gid_t)-1);
}
END_TEST

START_TEST(names_that_do_not_exist_are_named)
{
	struct privileges privileges;

	name(&settings.server.user, "no-such-user");
	ck_assert_int_lt(privileges_find(&settings, &privileges, &sentence), 0);
	ck_assert_str_eq(buf_string(&sentence), "server.user: there is no user \"no-such-user\"");
	buf_clear(&sentence);
	name(&settings.server.user, "");
	name(&settings.server.socket_group, "no-such-group");
	ck_assert_int_lt(privileges_find(&settings, &privileges, &sentence), 0);
	ck_assert_str_eq(buf_string(&sentence),
	                 "server.socket_group: there is no group \"no-such-group\"");
}
END_TEST

/* In a child, as there is no way back. */
static int
drop_and_look(const struct privileges *privileges)
{
	uid_t real, effective, saved;

	if (privileges_drop(privileges) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 1;
	if (!privileges->changes_user)
		return 0;
	if (getresuid(&real, &effective, &saved) < 0 || real != privileges->user ||
	    effective != real || saved != real || getegid() != privileges->group)
		return 2;
	return getgroups(0, NULL) == privileges->group_count && setuid(0) < 0 ? 0 : 3;
}

START_TEST(root_is_given_up_for_good)
{
	struct privileges privileges;
	int status;
	pid_t child;

	name(&settings.server.user, "nobody");
	ck_assert_int_eq(privileges_find(&settings, &privileges, &sentence), 0);
	ck_assert(privileges.changes_user == (geteuid() == 0));
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(drop_and_look(&privileges));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("privileges");
	TCase *tests = tcase_create("privileges");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, without_names_all_stays);
	tcase_add_test(tests, names_that_do_not_exist_are_named);
	tcase_add_test(tests, root_is_given_up_for_good);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
