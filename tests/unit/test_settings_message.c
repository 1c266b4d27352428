#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/settings_message.h"

static struct buf
message_of(const struct settings *settings)
{
	struct buf message = BUF_INIT;

	settings_message_append(&message, settings);
	ck_assert_int_eq(buf_error(&message), 0);
	return message;
}

START_TEST(settings_arrive_as_they_were_sent)
{
	struct settings settings, received;
	struct buf message;

	ck_assert_int_eq(settings_init(&settings), 0);
	settings.api.sse.retry_ms = 777;
	settings.following.inotify = false;
	free(settings.storage.runs_dir);
	settings.storage.runs_dir = strdup("/with blanks \"and\" \xff bytes, \xe2\x80\xa8 \xc2\x85 lines ");
	message = message_of(&settings);
	ck_assert_int_eq(settings_message_parse(message.data, message.length_bytes, &received), 0);
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		ck_assert_msg(settings_equal(&settings, &received, &settings_keys[i]), "%s",
		              settings_keys[i].path);
	settings_fini(&settings);
	settings_fini(&received);
	buf_fini(&message);
}
END_TEST

START_TEST(the_longest_settings_fit_in_a_message)
{
	struct settings settings;
	struct buf message;
	char text[SETTINGS_TEXT_BYTES + 1] = "";

	memset(text, '/', SETTINGS_TEXT_BYTES);
	ck_assert_int_eq(settings_init(&settings), 0);
	free(settings.storage.runs_dir);
	settings.storage.runs_dir = strdup(text);
	message = message_of(&settings);
	/* Every text at its longest would still leave half of the room. */
	ck_assert_uint_lt(message.length_bytes + SETTINGS_COUNT * SETTINGS_TEXT_BYTES,
	                  SETTINGS_MESSAGE_BYTES);
	settings_fini(&settings);
	buf_fini(&message);
}
END_TEST

START_TEST(every_shortened_message_is_refused)
{
	struct settings settings, received;
	struct buf message;

	ck_assert_int_eq(settings_init(&settings), 0);
	message = message_of(&settings);
	for (size_t length = 0; length < message.length_bytes; length++) {
		ck_assert_int_eq(settings_message_parse(message.data, length, &received), -EBADMSG);
	}
	settings_fini(&settings);
	buf_fini(&message);
}
END_TEST

START_TEST(a_longer_or_wrong_message_is_refused)
{
	struct settings settings, received;
	struct buf message;
	char *range;

	ck_assert_int_eq(settings_init(&settings), 0);
	message = message_of(&settings);
	range = strstr(message.data, "poll_interval_ms 100\n");
	ck_assert_ptr_nonnull(range);
	buf_putc(&message, 'x');
	ck_assert_int_eq(settings_message_parse(message.data, message.length_bytes, &received),
	                 -EBADMSG);
	message.length_bytes--;
	memcpy(strstr(message.data, "poll_interval_ms 100\n"), "poll_interval_ms 001\n", 21);
	ck_assert_int_eq(settings_message_parse(message.data, message.length_bytes, &received),
	                 -EBADMSG);
	settings_fini(&settings);
	buf_fini(&message);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("settings_message");
	TCase *tests = tcase_create("settings_message");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, settings_arrive_as_they_were_sent);
	tcase_add_test(tests, the_longest_settings_fit_in_a_message);
	tcase_add_test(tests, every_shortened_message_is_refused);
	tcase_add_test(tests, a_longer_or_wrong_message_is_refused);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
