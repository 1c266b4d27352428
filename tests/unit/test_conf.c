#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"

static char directory[] = "/tmp/test_conf.XXXXXX";

static void
make_directory(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
}

static void
remove_directory(void)
{
	unlink("config.yaml");
	ck_assert_int_eq(rmdir(directory), 0);
}

static void
write_file(const char *text)
{
	FILE *file = fopen("config.yaml", "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

/* What the text of a file is told; "" if nothing. */
static const char *
complaint(const char *text, size_t length)
{
	static char error[CONF_ERROR_BYTES];
	struct settings settings;

	error[0] = '\0';
	ck_assert_int_eq(settings_init(&settings), 0);
	if (conf_apply_text(&settings, "c.yaml", text, length, error) == 0)
		ck_assert_str_eq(error, "");
	else
		ck_assert_str_ne(error, "");
	settings_fini(&settings);
	return error;
}

static const struct {
	const char *text, *complaint;
} bad_files[] = {
	/* unknown keys, and the nearest right ones */
	{ "api:\n  sse:\n    pol_interval_ms: 5\n",
	  "c.yaml:3:5: unknown key \"pol_interval_ms\" in api.sse; did you mean \"poll_interval_ms\"?" },
	{ "apis: {}\n", "c.yaml:1:1: unknown key \"apis\"; did you mean \"api\"?" },
	{ "poll_interval_ms: 100\n",
	  "c.yaml:1:1: unknown key \"poll_interval_ms\"; did you mean api.sse.poll_interval_ms?" },
	{ "api.sse.poll_interval_ms: 100\n",
	  "c.yaml:1:1: unknown key \"api.sse.poll_interval_ms\"; sections are nested, one a line" },
	{ "elephant: 1\n", "c.yaml:1:1: unknown key \"elephant\"" },
	{ "log:\n  \"\\e[31mlevel\": info\n", "c.yaml:2:3: unknown key \"?[31mlevel\" in log" },
	{ "\"\": 1\n", "c.yaml:1:1: unknown key \"\"" },
	{ "<<: 1\n", "c.yaml:1:1: unknown key \"<<\"" },
	{ "\"api\\0b\": 1\n", "c.yaml:1:1: unknown key \"api?b\"" },
	{ "[a]: 1\n", "c.yaml:1:1: a key must be a word" },
	/* duplicates */
	{ "log:\n  level: info\n  level: debug\n",
	  "c.yaml:3:3: log.level is given twice, first in line 2" },
	{ "log: {level: info}\napi:\nlog:\n", "c.yaml:3:1: log is given twice, first in line 1" },
	/* types and ranges */
	{ "api: {sse: {poll_interval_ms: 5}}",
	  "c.yaml:1:31: api.sse.poll_interval_ms must be a whole number of milliseconds from 10 to "
	  "60000, not \"5\"" },
	{ "api: {sse: {poll_interval_ms: 100ms}}",
	  "c.yaml:1:31: api.sse.poll_interval_ms must be a whole number of milliseconds from 10 to "
	  "60000, not \"100ms\"" },
	{ "api: {sse: {poll_interval_ms: '100'}}",
	  "c.yaml:1:31: api.sse.poll_interval_ms must be a whole number of milliseconds from 10 to "
	  "60000, not the quoted text \"100\"" },
	{ "api:\n  sse:\n    heartbeat_interval_s: [30]\n",
	  "c.yaml:3:27: api.sse.heartbeat_interval_s must be a whole number of seconds from 1 to 3600, "
	  "not a list" },
	{ "api:\n  sse:\n    heartbeat_interval_s: {a: b}\n",
	  "c.yaml:3:27: api.sse.heartbeat_interval_s must be a whole number of seconds from 1 to 3600, "
	  "not a section" },
	{ "api:\n  sse:\n    max_clients_per_run: ~\n",
	  "c.yaml:3:26: api.sse.max_clients_per_run must be a whole number from 1 to 1000000, not "
	  "nothing" },
	{ "api:\n  sse:\n    max_clients_per_run:\n\nlog:\n",
	  "c.yaml:3:25: api.sse.max_clients_per_run must be a whole number from 1 to 1000000, not "
	  "nothing" },
	{ "following: {inotify: yes}\n",
	  "c.yaml:1:22: following.inotify must be true or false, not \"yes\"" },
	{ "following: {inotify: \"true\"}\n",
	  "c.yaml:1:22: following.inotify must be true or false, not the quoted text \"true\"" },
	{ "log: {level: loud}\n",
	  "c.yaml:1:14: log.level must be one of error, warning, info and debug, not \"loud\"" },
	{ "storage: {runs_dir: runs}\n",
	  "c.yaml:1:21: storage.runs_dir must be an absolute path of at most 1023 bytes, not \"runs\"" },
	{ "storage: {runs_dir: \"/a\\0b\"}\n",
	  "c.yaml:1:21: storage.runs_dir must be an absolute path of at most 1023 bytes, not the "
	  "quoted text \"/a?b\"" },
	{ "storage: {files: {stdout: a/b}}\n",
	  "c.yaml:1:27: storage.files.stdout must be a file name of at most 128 bytes, without slashes, "
	  "not \"a/b\"" },
	{ "server: {socket_mode: 0111}\n",
	  "c.yaml:1:23: server.socket_mode must be octal digits from 0600 to 0777 that let the owner "
	  "read and write, not \"0111\"" },
	{ "server: {user: a b}\n",
	  "c.yaml:1:16: server.user must be a name without blanks, colons and slashes, or empty, not "
	  "\"a b\"" },
	{ "api: {prefix: api/}\n",
	  "c.yaml:1:15: api.prefix must be segments of letters, digits and -._~, each after a slash, "
	  "not \"api/\"" },
	{ "recording: {durability: maybe}\n",
	  "c.yaml:1:25: recording.durability must be written or synced, not \"maybe\"" },
	/* lists: each word has its own place */
	{ "recording:\n  allow_from:\n    - 127.0.0.1\n    - 10.1.0.0/8\n",
	  "c.yaml:4:7: recording.allow_from must be a list of networks (127.0.0.1, ::1, 10.0.0.0/8: no "
	  "bits behind the 8), or empty, not \"10.1.0.0/8\"" },
	{ "recording: {allow_from: [127.0.0.1, [a]]}\n",
	  "c.yaml:1:37: recording.allow_from must be a list of networks (127.0.0.1, ::1, 10.0.0.0/8: no "
	  "bits behind the 8), or empty, not a list" },
	{ "recording: {allow_from: [127.0.0.1 127.0.0.2]}\n",
	  "c.yaml:1:26: recording.allow_from must be a list of networks (127.0.0.1, ::1, 10.0.0.0/8: no "
	  "bits behind the 8), or empty, not \"127.0.0.1 127.0.0.2\"" },
	{ "recording: {allow_from: 127.0.0.1 nowhere}\n",
	  "c.yaml:1:25: recording.allow_from must be a list of networks (127.0.0.1, ::1, 10.0.0.0/8: no "
	  "bits behind the 8), or empty, not \"127.0.0.1 nowhere\"" },
	{ "recording: {allow_from: }\n",
	  "c.yaml:1:25: recording.allow_from must be a list of networks (127.0.0.1, ::1, 10.0.0.0/8: no "
	  "bits behind the 8), or empty, not nothing" },
	{ "api: {cors_origins: ['https://a.example/']}\n",
	  "c.yaml:1:22: api.cors_origins must be a list of origins (https://runs.example.org), * alone, "
	  "or empty, not the quoted text \"https://a.example/\"" },
	{ "api: {cors_origins: ['https://a.example', '*']}\n",
	  "c.yaml:1:21: api.cors_origins must be a list of origins (https://runs.example.org), * alone, "
	  "or empty, not a list" },
	{ "api: 5\n", "c.yaml:1:6: api must be a section with keys of its own, not \"5\"" },
	{ "api:\n- 1\n", "c.yaml:2:1: api must be a section with keys of its own, not a list" },
	{ "- 1\n", "c.yaml:1:1: the file must consist of keys and values, not a list" },
	{ "hello\n", "c.yaml:1:1: the file must consist of keys and values, not \"hello\"" },
	/* what YAML can do and a configuration need not */
	{ "log: &a {}\n", "c.yaml:1:6: anchors and aliases (& and *) have no place here" },
	{ "log: {level: &a info}\n", "c.yaml:1:14: anchors and aliases (& and *) have no place here" },
	{ "log: *a\n", "c.yaml:1:6: anchors and aliases (& and *) have no place here" },
	{ "log: {level: !!str info}\n", "c.yaml:1:14: tags (!) have no place here" },
	{ "log: !x {}\n", "c.yaml:1:6: tags (!) have no place here" },
	{ "log: {}\n---\napi: {}\n", "c.yaml:2:1: a second document begins; one is all there may be" },
	/* what is not YAML */
	{ "log:\n\tlevel: info\n", "c.yaml:2:1: a tab; indent with blanks" },
	{ "api:\n  sse:\n  \tretry_ms: 500\n", "c.yaml:3:3: a tab; indent with blanks" },
	{ "log: {level: info\n", "c.yaml:2:1: did not find expected ',' or '}'" },
	{ "log: \"info\n", "c.yaml:2:1: found unexpected end of stream" },
	{ "log:\n  level: info\n foo: 1\n", "c.yaml:3:2: did not find expected key" },
	{ "log:\n  # caf\xe9\n", "c.yaml:2:8: not UTF-8 text, or a character that YAML forbids" },
	{ "log:\n  # \x01\n", "c.yaml:2:5: not UTF-8 text, or a character that YAML forbids" },
	/* relations */
	{ "server:\n  runtime_dir: /tmp/"
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567\n",
	  "c.yaml:2:16: server.runtime_dir has 93 bytes; the sockets in it leave room for 92" },
	{ "storage:\n  files:\n    events: agent-stdout.txt\n",
	  "c.yaml:3:13: storage.files.stdout and storage.files.events name the same file" },
};

START_TEST(each_mistake_is_named_with_its_place)
{
	ck_assert_str_eq(complaint(bad_files[_i].text, strlen(bad_files[_i].text)),
	                 bad_files[_i].complaint);
}
END_TEST

START_TEST(good_files_are_taken)
{
	static const char *const texts[] = {
		"", "# nothing\n", "---\n", "---\n...\n", "{}\n", "~\n", "%YAML 1.1\n---\nlog: {}\n",
		"api:\n  sse:\n    # all of them are commented out\nlog:\n",
		"\xef\xbb\xbflog: {level: debug}\n", "log:\r\n  level: debug\r\n",
		"server: {user: \"\", socket_mode: \"0600\"}\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_str_eq(complaint(texts[i], strlen(texts[i])), "");
}
END_TEST

START_TEST(a_file_may_have_64_kib_and_no_more)
{
	size_t most = CONF_FILE_BYTES;
	char *text = malloc(most + 1);

	ck_assert_ptr_nonnull(text);
	memset(text, '#', most + 1);
	ck_assert_str_eq(complaint(text, most), "");
	ck_assert_str_eq(complaint(text, most + 1), "c.yaml: larger than 64 KiB");
	free(text);
}
END_TEST

START_TEST(deep_nesting_is_refused_at_once)
{
	char *text = malloc(CONF_FILE_BYTES);

	ck_assert_ptr_nonnull(text);
	memset(text, '[', CONF_FILE_BYTES);
	ck_assert_str_eq(complaint(text, CONF_FILE_BYTES),
	                 "c.yaml:1:1: the file must consist of keys and values, not a list");
	free(text);
}
END_TEST

/* --- layers ----------------------------------------------------------------------------------- */

static const char *
load(const struct conf_sources *sources, struct settings *ret_settings)
{
	static char error[CONF_ERROR_BYTES];

	error[0] = '\0';
	if (conf_load(sources, ret_settings, error) == 0)
		return NULL;
	ck_assert_str_ne(error, "");
	return error;
}

START_TEST(flags_win_over_variables_over_the_file_over_defaults)
{
	char poll[] = "RUNSTREAM_API_SSE_POLL_INTERVAL_MS=300", other[] = "PATH=/bin";
	char linger[] = "RUNSTREAM_SERVER_WORKERS=3", named[] = "RUNSTREAM_CONFIG=/nowhere";
	char *environment[] = { poll, other, linger, named, NULL };
	struct conf_flag flags[] = { { "--workers", "server.workers", "4" },
		                     { "--runs-dir", "storage.runs_dir", NULL } };
	struct conf_sources sources = { .file = "config.yaml", .environment = environment,
		                        .flags = flags, .flag_count = 2 };
	struct settings settings;

	write_file("api:\n  sse:\n    poll_interval_ms: 200\n    heartbeat_interval_s: 20\n"
	           "server:\n  workers: 2\n");
	ck_assert_ptr_null(load(&sources, &settings));
	ck_assert_int_eq(settings.server.workers, 4);
	ck_assert_int_eq(settings.api.sse.poll_interval_ms, 300);
	ck_assert_int_eq(settings.api.sse.heartbeat_interval_s, 20);
	ck_assert_int_eq(settings.api.sse.discovery_interval_ms, 1000);
	ck_assert_str_eq(settings.storage.runs_dir, "/var/lib/runstream/runs");
	settings_fini(&settings);
}
END_TEST

START_TEST(relative_directories_outside_the_file_are_made_absolute)
{
	char runtime[] = "RUNSTREAM_SERVER_RUNTIME_DIR=run";
	char *environment[] = { runtime, NULL };
	struct conf_flag flags[] = { { "--runs-dir", "storage.runs_dir", "./runs" } };
	struct conf_sources sources = { .file = "config.yaml", .environment = environment,
		                        .flags = flags, .flag_count = 1 };
	struct settings settings;
	char expected[256];

	write_file("");
	ck_assert_ptr_null(load(&sources, &settings));
	snprintf(expected, sizeof(expected), "%s/./runs", directory);
	ck_assert_str_eq(settings.storage.runs_dir, expected);
	snprintf(expected, sizeof(expected), "%s/run", directory);
	ck_assert_str_eq(settings.server.runtime_dir, expected);
	settings_fini(&settings);
}
END_TEST

START_TEST(relative_paths_may_begin_elsewhere)
{
	struct conf_flag flags[] = { { "--runs-dir", "storage.runs_dir", "runs" } };
	struct conf_sources sources = { .file = "config.yaml", .flags = flags, .flag_count = 1,
		                        .directory = directory };
	struct settings settings;
	char expected[256];

	write_file("log: {level: debug}\n");
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_ptr_null(load(&sources, &settings));
	ck_assert_int_eq(chdir(directory), 0);
	snprintf(expected, sizeof(expected), "%s/runs", directory);
	ck_assert_str_eq(settings.storage.runs_dir, expected);
	ck_assert_str_eq(settings.log.level, "debug");
	settings_fini(&settings);
}
END_TEST

START_TEST(wrong_variables_and_flags_are_named)
{
	char *environment[] = { NULL, NULL };
	struct conf_flag flag = { "--workers", "server.workers", NULL };
	struct conf_sources sources = { .file = "config.yaml", .environment = environment,
		                        .flags = &flag, .flag_count = 1 };
	struct settings settings;

	write_file("");
	environment[0] = strdup("RUNSTREAM_API_SSE_POL_INTERVAL_MS=1");
	ck_assert_str_eq(load(&sources, &settings),
	                 "\"RUNSTREAM_API_SSE_POL_INTERVAL_MS\": no setting has such a variable; did "
	                 "you mean RUNSTREAM_API_SSE_POLL_INTERVAL_MS?");
	free(environment[0]);
	environment[0] = strdup("RUNSTREAM_=1");
	ck_assert_str_eq(load(&sources, &settings),
	                 "\"RUNSTREAM_\": no setting has such a variable");
	free(environment[0]);
	environment[0] = strdup("RUNSTREAM_API_SSE_POLL_INTERVAL_MS=");
	ck_assert_str_eq(load(&sources, &settings),
	                 "RUNSTREAM_API_SSE_POLL_INTERVAL_MS must be a whole number of milliseconds "
	                 "from 10 to 60000, not \"\"");
	free(environment[0]);
	environment[0] = NULL;
	flag.value = "many";
	ck_assert_str_eq(load(&sources, &settings),
	                 "--workers must be a whole number from 1 to 64, not \"many\"");
}
END_TEST

START_TEST(files_that_cannot_be_read_are_named)
{
	struct conf_sources sources = { .file = "config.yaml" };
	struct settings settings;

	unlink("config.yaml");
	ck_assert_str_eq(load(&sources, &settings), "config.yaml: No such file or directory");
	ck_assert_int_eq(mkfifo("config.yaml", 0600), 0);
	ck_assert_str_eq(load(&sources, &settings), "config.yaml: not a regular file");
	sources.file = ".";
	ck_assert_str_eq(load(&sources, &settings), ".: not a regular file");
}
END_TEST

START_TEST(mistakes_in_the_file_carry_the_name_it_was_given_by)
{
	char variable[] = "RUNSTREAM_CONFIG=./config.yaml";
	char *environment[] = { variable, NULL };
	struct conf_sources sources = { .environment = environment };
	struct settings settings;

	write_file("\nserver: 1\n");
	ck_assert_str_eq(conf_file(&sources), "./config.yaml");
	ck_assert_str_eq(load(&sources, &settings),
	                 "./config.yaml:2:9: server must be a section with keys of its own, not \"1\"");
}
END_TEST

START_TEST(relations_are_checked_over_all_layers)
{
	struct conf_flag flag = { "--runtime-dir", "server.runtime_dir", NULL };
	struct conf_sources sources = { .file = "config.yaml", .flags = &flag, .flag_count = 1 };
	struct settings settings;
	char path[94] = "/";

	write_file("");
	memset(path + 1, 'x', 91);
	flag.value = path;
	ck_assert_ptr_null(load(&sources, &settings));
	settings_fini(&settings);
	path[92] = 'x';
	ck_assert_str_eq(load(&sources, &settings),
	                 "server.runtime_dir has 93 bytes; the sockets in it leave room for 92");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conf");
	TCase *texts = tcase_create("texts"), *layers = tcase_create("layers");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(texts, each_mistake_is_named_with_its_place, 0,
	                    (int)(sizeof(bad_files) / sizeof(bad_files[0])));
	tcase_add_test(texts, good_files_are_taken);
	tcase_add_test(texts, a_file_may_have_64_kib_and_no_more);
	tcase_add_test(texts, deep_nesting_is_refused_at_once);
	suite_add_tcase(suite, texts);
	tcase_add_checked_fixture(layers, make_directory, remove_directory);
	tcase_add_test(layers, flags_win_over_variables_over_the_file_over_defaults);
	tcase_add_test(layers, relative_directories_outside_the_file_are_made_absolute);
	tcase_add_test(layers, relative_paths_may_begin_elsewhere);
	tcase_add_test(layers, wrong_variables_and_flags_are_named);
	tcase_add_test(layers, files_that_cannot_be_read_are_named);
	tcase_add_test(layers, mistakes_in_the_file_carry_the_name_it_was_given_by);
	tcase_add_test(layers, relations_are_checked_over_all_layers);
	suite_add_tcase(suite, layers);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
