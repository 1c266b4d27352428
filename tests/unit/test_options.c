#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/options.h"

enum { ARGUMENTS_MAX = 8 };

static char complaint[512];

/* Parses words separated by blanks; keeps what is said on stderr. */
static int
parse(const char *line, struct options *ret_options)
{
	static char words[256];
	char *argv[ARGUMENTS_MAX + 2] = { NULL };
	int argc = 0, error, saved = dup(STDERR_FILENO);
	FILE *said = tmpfile();
	size_t length;

	ck_assert_ptr_nonnull(said);
	snprintf(words, sizeof(words), "runstreamd %s", line);
	for (char *at = strtok(words, " "); at; at = strtok(NULL, " ")) {
		ck_assert_int_lt(argc, ARGUMENTS_MAX + 1);
		argv[argc++] = at;
	}
	dup2(fileno(said), STDERR_FILENO);
	error = options_parse(argc, argv, ret_options);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(said);
	length = fread(complaint, 1, sizeof(complaint) - 1, said);
	complaint[length] = '\0';
	fclose(said);
	return error;
}

START_TEST(options_are_taken)
{
	struct options options;

	ck_assert_int_eq(parse("", &options), 0);
	ck_assert(!options.foreground && !options.test && !options.help && !options.version);
	ck_assert_ptr_null(options.file);
	ck_assert_int_eq(parse("-ft -c a.yaml --runs-dir r --runtime-dir=s --workers 3", &options), 0);
	ck_assert(options.foreground && options.test);
	ck_assert_str_eq(options.file, "a.yaml");
	ck_assert_str_eq(options.flags[0].path, "storage.runs_dir");
	ck_assert_str_eq(options.flags[0].value, "r");
	ck_assert_str_eq(options.flags[1].path, "server.runtime_dir");
	ck_assert_str_eq(options.flags[1].value, "s");
	ck_assert_str_eq(options.flags[2].path, "server.workers");
	ck_assert_str_eq(options.flags[2].value, "3");
	ck_assert_int_eq(parse("--foreground --test --config=b --help --version", &options), 0);
	ck_assert(options.foreground && options.test && options.help && options.version);
	ck_assert_str_eq(options.file, "b");
	ck_assert_str_eq(complaint, "");
}
END_TEST

START_TEST(misuse_is_named_with_the_nearest_right_option)
{
	static const struct {
		const char *line, *complaint;
	} cases[] = {
		{ "--foregruond",
		  "runstreamd: there is no option \"--foregruond\"; did you mean \"--foreground\"?\n" },
		{ "--run-dir=x",
		  "runstreamd: there is no option \"--run-dir\"; did you mean \"--runs-dir\"?\n" },
		{ "--elephant", "runstreamd: there is no option \"--elephant\"\n" },
		{ "-x", "runstreamd: there is no option \"-x\"\n" },
		{ "-fx", "runstreamd: there is no option \"-x\"\n" },
		{ "-c", "runstreamd: option \"-c\" needs an argument\n" },
		{ "--workers", "runstreamd: option \"--workers\" needs an argument\n" },
		{ "--test=1", "runstreamd: option \"--test\" takes no argument\n" },
		{ "start", "runstreamd: there is no use for \"start\"\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options options;
		char expected[256];

		ck_assert_int_eq(parse(cases[i].line, &options), -EINVAL);
		snprintf(expected, sizeof(expected),
		         "%sTry 'runstreamd --help' for more information.\n", cases[i].complaint);
		ck_assert_str_eq(complaint, expected);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("options");
	TCase *tests = tcase_create("options");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, options_are_taken);
	tcase_add_test(tests, misuse_is_named_with_the_nearest_right_option);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
