#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/settings.h"

static const struct settings_key *
key_of(const char *path)
{
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (strcmp(settings_keys[i].path, path) == 0)
			return &settings_keys[i];
	ck_abort_msg("no key %s", path);
	return NULL;
}

static int
set(struct settings *settings, const char *path, const char *text)
{
	return settings_set(settings, key_of(path), text, strlen(text));
}

START_TEST(every_default_is_a_value_that_its_key_takes)
{
	struct settings settings;

	ck_assert_int_eq(settings_init(&settings), 0);
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		struct buf text = BUF_INIT;

		settings_append_text(&text, &settings, &settings_keys[i]);
		ck_assert_msg(settings_set(&settings, &settings_keys[i], buf_string(&text),
		                           text.length_bytes) == 0,
		              "%s: %s", settings_keys[i].path, buf_string(&text));
		buf_fini(&text);
	}
	settings_fini(&settings);
}
END_TEST

START_TEST(keys_are_unique_and_each_has_a_member_and_a_sentence)
{
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		const struct settings_key *key = &settings_keys[i];

		ck_assert_ptr_nonnull(strchr(key->path, '.'));
		ck_assert_ptr_nonnull(key->help);
		ck_assert_int_eq(key->help[strlen(key->help) - 1], '.');
		for (size_t j = 0; j < i; j++) {
			ck_assert_str_ne(key->path, settings_keys[j].path);
			ck_assert_uint_ne(key->offset, settings_keys[j].offset);
		}
	}
}
END_TEST

START_TEST(defaults_are_those_of_the_contract)
{
	struct settings settings;

	ck_assert_int_eq(settings_init(&settings), 0);
	ck_assert_int_eq(settings.api.sse.poll_interval_ms, 100);
	ck_assert_int_eq(settings.api.sse.discovery_interval_ms, 1000);
	ck_assert_int_eq(settings.api.sse.heartbeat_interval_s, 30);
	ck_assert_int_eq(settings.api.sse.max_clients_per_run, 10);
	ck_assert_str_eq(settings.storage.files.run_info, "run-info.yaml");
	ck_assert_str_eq(settings.storage.files.stdout_log, "agent-stdout.txt");
	ck_assert_str_eq(settings.storage.files.stderr_log, "agent-stderr.txt");
	ck_assert_str_eq(settings.storage.files.events, "events.jsonl");
	ck_assert(settings.following.inotify);
	settings_fini(&settings);
}
END_TEST

START_TEST(numbers_are_taken_within_their_range_only)
{
	struct settings settings;

	ck_assert_int_eq(settings_init(&settings), 0);
	ck_assert_int_eq(set(&settings, "api.sse.poll_interval_ms", "10"), 0);
	ck_assert_int_eq(settings.api.sse.poll_interval_ms, 10);
	ck_assert_int_eq(set(&settings, "api.sse.poll_interval_ms", "60000"), 0);
	ck_assert_int_eq(settings.api.sse.poll_interval_ms, 60000);
	ck_assert_int_eq(set(&settings, "api.sse.poll_interval_ms", "9"), -EINVAL);
	ck_assert_int_eq(set(&settings, "api.sse.poll_interval_ms", "60001"), -EINVAL);
	ck_assert_int_eq(set(&settings, "api.sse.poll_interval_ms", "-100"), -EINVAL);
	ck_assert_int_eq(set(&settings, "api.sse.poll_interval_ms", "18446744073709551716"), -EINVAL);
	ck_assert_int_eq(set(&settings, "api.sse.poll_interval_ms", "0x64"), -EINVAL);
	ck_assert_int_eq(set(&settings, "api.sse.poll_interval_ms", ""), -EINVAL);
	ck_assert_int_eq(settings.api.sse.poll_interval_ms, 60000);
	settings_fini(&settings);
}
END_TEST

START_TEST(texts_are_checked_for_what_they_stand_for)
{
	static const struct {
		const char *path, *text;
		int error;
	} cases[] = {
		{ "storage.runs_dir", "/", 0 },
		{ "storage.runs_dir", "runs", -EINVAL },
		{ "storage.runs_dir", "", -EINVAL },
		{ "storage.runs_dir", "/a\nb", -EINVAL },
		{ "storage.runs_dir", "/\x7f", -EINVAL },
		{ "storage.files.stdout", "out.log", 0 },
		{ "storage.files.stdout", "a/b", -EINVAL },
		{ "storage.files.stdout", ".", -EINVAL },
		{ "storage.files.stdout", "..", -EINVAL },
		{ "storage.files.stdout", "...", 0 },
		{ "storage.files.stdout", "", -EINVAL },
		{ "api.prefix", "/api", 0 },
		{ "api.prefix", "/streams/api-2", 0 },
		{ "api.prefix", "/.well-known", 0 },
		{ "api.prefix", "", -EINVAL },
		{ "api.prefix", "/", -EINVAL },
		{ "api.prefix", "api", -EINVAL },
		{ "api.prefix", "/api/", -EINVAL },
		{ "api.prefix", "/a//b", -EINVAL },
		{ "api.prefix", "/a/..", -EINVAL },
		{ "api.prefix", "/./a", -EINVAL },
		{ "api.prefix", "/a b", -EINVAL },
		{ "server.socket_mode", "0600", 0 },
		{ "server.socket_mode", "666", 0 },
		{ "server.socket_mode", "0060", -EINVAL },
		{ "server.socket_mode", "1777", -EINVAL },
		{ "server.socket_mode", "0668", -EINVAL },
		{ "server.socket_mode", "", -EINVAL },
		{ "server.user", "", 0 },
		{ "server.user", "www-data", 0 },
		{ "server.user", "a b", -EINVAL },
		{ "log.level", "debug", 0 },
		{ "log.level", "verbose", -EINVAL },
		{ "recording.allow_from", "", 0 },
		{ "recording.allow_from", "127.0.0.1, ::1 10.0.0.0/8", 0 },
		{ "recording.allow_from", "127.0.0.1, all", -EINVAL },
		{ "api.cors_origins", "*", 0 },
		{ "api.cors_origins", "https://a.example, http://localhost:3000", 0 },
		{ "api.cors_origins", "* https://a.example", -EINVAL },
		{ "api.cors_origins", "**", -EINVAL },
		{ "recording.durability", "written", 0 },
		{ "recording.durability", "", -EINVAL },
		{ "following.inotify", "false", 0 },
		{ "following.inotify", "no", -EINVAL },
	};
	struct settings settings;

	ck_assert_int_eq(settings_init(&settings), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(set(&settings, cases[i].path, cases[i].text) == cases[i].error,
		              "%s: \"%s\"", cases[i].path, cases[i].text);
	settings_fini(&settings);
}
END_TEST

START_TEST(a_text_may_be_long_but_not_longer)
{
	char text[SETTINGS_TEXT_BYTES + 2];
	struct settings settings;

	ck_assert_int_eq(settings_init(&settings), 0);
	memset(text, '/', sizeof(text));
	ck_assert_int_eq(settings_set(&settings, key_of("storage.runs_dir"), text,
	                              SETTINGS_TEXT_BYTES), 0);
	ck_assert_int_eq(settings_set(&settings, key_of("storage.runs_dir"), text,
	                              SETTINGS_TEXT_BYTES + 1), -EINVAL);
	settings_fini(&settings);
}
END_TEST

START_TEST(lists_that_say_the_same_are_the_same)
{
	struct settings a, b;

	ck_assert_int_eq(settings_init(&a), 0);
	ck_assert_int_eq(settings_init(&b), 0);
	ck_assert_int_eq(set(&a, "recording.allow_from", " ::1,,  127.0.0.1, "), 0);
	ck_assert_int_eq(set(&b, "recording.allow_from", "::1 127.0.0.1"), 0);
	ck_assert_str_eq(a.recording.allow_from, "::1 127.0.0.1");
	ck_assert(settings_equal(&a, &b, key_of("recording.allow_from")));
	settings_fini(&a);
	settings_fini(&b);
}
END_TEST

START_TEST(a_copy_is_equal_and_independent)
{
	struct settings settings, copy;

	ck_assert_int_eq(settings_init(&settings), 0);
	ck_assert_int_eq(set(&settings, "storage.runs_dir", "/one"), 0);
	ck_assert_int_eq(settings_copy(&settings, &copy), 0);
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		ck_assert(settings_equal(&settings, &copy, &settings_keys[i]));
	ck_assert_int_eq(set(&settings, "storage.runs_dir", "/two"), 0);
	ck_assert_str_eq(copy.storage.runs_dir, "/one");
	ck_assert(!settings_equal(&settings, &copy, key_of("storage.runs_dir")));
	settings_fini(&settings);
	settings_fini(&copy);
}
END_TEST

START_TEST(pinning_keeps_what_needs_a_restart_and_names_it)
{
	const struct settings_key *pinned[SETTINGS_COUNT];
	struct settings running, next;

	ck_assert_int_eq(settings_init(&running), 0);
	ck_assert_int_eq(settings_init(&next), 0);
	ck_assert_int_eq(set(&next, "storage.runs_dir", "/elsewhere"), 0);
	ck_assert_int_eq(set(&next, "server.sockets", "64"), 0);
	ck_assert_int_eq(set(&next, "server.workers", "63"), 0);
	ck_assert_int_eq(set(&next, "following.inotify", "false"), 0);
	ck_assert_int_eq(set(&next, "api.sse.poll_interval_ms", "77"), 0);
	ck_assert_int_eq(settings_pin(&next, &running, pinned), 3);
	ck_assert_str_eq(pinned[0]->path, "storage.runs_dir");
	ck_assert_str_eq(pinned[1]->path, "following.inotify");
	ck_assert_str_eq(pinned[2]->path, "server.sockets");
	ck_assert_str_eq(next.storage.runs_dir, running.storage.runs_dir);
	ck_assert(next.following.inotify);
	ck_assert_int_eq(next.server.sockets, running.server.sockets);
	ck_assert_int_eq(next.server.workers, 63);
	ck_assert_int_eq(next.api.sse.poll_interval_ms, 77);
	settings_fini(&running);
	settings_fini(&next);
}
END_TEST

START_TEST(there_is_a_socket_for_each_worker_and_room_for_more)
{
	static const struct {
		int64_t workers, sockets;
		uint32_t expected;
	} cases[] = { { 1, 0, 2 }, { 8, 0, 16 }, { 33, 0, 64 }, { 64, 0, 64 },
		      { 4, 4, 4 }, { 4, 3, 4 },  { 4, 9, 9 } };
	struct settings settings;

	ck_assert_int_eq(settings_init(&settings), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		settings.server.workers = cases[i].workers;
		settings.server.sockets = cases[i].sockets;
		ck_assert_uint_eq(settings_sockets(&settings), cases[i].expected);
	}
	settings_fini(&settings);
}
END_TEST

START_TEST(the_runtime_directory_follows_the_session)
{
	struct settings settings;

	/* Root has its own; the rest is seen by those who are not. */
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", "/run/user/7", 1), 0);
	ck_assert_int_eq(settings_init(&settings), 0);
	ck_assert_str_eq(settings.server.runtime_dir,
	                 geteuid() == 0 ? "/run/runstream" : "/run/user/7/runstream");
	settings_fini(&settings);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("settings");
	TCase *tests = tcase_create("settings");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, there_is_a_socket_for_each_worker_and_room_for_more);
	tcase_add_test(tests, every_default_is_a_value_that_its_key_takes);
	tcase_add_test(tests, keys_are_unique_and_each_has_a_member_and_a_sentence);
	tcase_add_test(tests, defaults_are_those_of_the_contract);
	tcase_add_test(tests, numbers_are_taken_within_their_range_only);
	tcase_add_test(tests, texts_are_checked_for_what_they_stand_for);
	tcase_add_test(tests, a_text_may_be_long_but_not_longer);
	tcase_add_test(tests, lists_that_say_the_same_are_the_same);
	tcase_add_test(tests, a_copy_is_equal_and_independent);
	tcase_add_test(tests, pinning_keeps_what_needs_a_restart_and_names_it);
	tcase_add_test(tests, the_runtime_directory_follows_the_session);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
