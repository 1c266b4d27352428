#include "base/log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log_flood.h"

static int stderr_before = -1, captured = -1;

static void
capture(void)
{
	unsetenv("JOURNAL_STREAM");
	captured = memfd_create("stderr", MFD_CLOEXEC);
	stderr_before = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(captured, STDERR_FILENO), 0);
}

/* What was logged since capture(); the caller frees it. */
static char *
logged(void)
{
	char *text = NULL;

	dup2(stderr_before, STDERR_FILENO);
	fd_close(&stderr_before);
	lseek(captured, 0, SEEK_SET);
	ck_assert_int_eq(fd_read_all(captured, 1 << 20, &text, NULL), 0);
	fd_close(&captured);
	return text;
}

START_TEST(a_line_names_time_level_process_and_event)
{
	char *text;

	capture();
	log_set_process("worker-2");
	log_warning("run_skipped", "run_id=%s bytes=%d", "r1", 5);
	text = logged();
	ck_assert_uint_gt(strlen(text), 30);
	ck_assert_int_eq(strncmp(text, "time=20", 7), 0);
	ck_assert_int_eq(text[15], 'T');
	ck_assert_str_eq(text + 29, " level=warning role=worker-2 event=run_skipped run_id=r1 bytes=5\n");
	free(text);
}
END_TEST

START_TEST(under_the_journal_a_line_has_its_priority_and_no_time)
{
	char *text;

	char stream[64];
	struct stat st;

	capture();
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_set_process("supervisor");
	log_error("a", "x=1");
	log_info("b", "y=2");
	text = logged();
	ck_assert_str_eq(text, "<3>role=supervisor event=a x=1\n<6>role=supervisor event=b y=2\n");
	free(text);
}
END_TEST

START_TEST(the_journal_of_another_stderr_changes_nothing)
{
	char *text;

	capture();
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_set_process("p");
	log_info("a", "x");
	text = logged();
	ck_assert_str_eq(text + 29, " level=info role=p event=a x\n");
	free(text);
}
END_TEST

START_TEST(lines_above_the_level_are_left_out)
{
	char *text;

	capture();
	log_debug("unseen", "%d", 1);
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("unseen", "%d", 1);
	log_error("seen", "%d", 1);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("seen", "%d", 2);
	text = logged();
	ck_assert_ptr_null(strstr(text, "unseen"));
	ck_assert_ptr_nonnull(strstr(text, " level=error "));
	ck_assert_ptr_nonnull(strstr(text, " level=debug "));
	free(text);
}
END_TEST

START_TEST(input_cannot_forge_a_line_or_send_escapes_to_a_terminal)
{
	char *text;

	capture();
	log_info("bad_id", "id=\"%s\"", "a\nforged\x1b[2J\x7f\xc3\xa9");
	text = logged();
	ck_assert_ptr_nonnull(strstr(text, "id=\"a\\x0aforged\\x1b[2J\\x7f\\xc3\\xa9\"\n"));
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
}
END_TEST

START_TEST(a_line_of_any_length_is_bounded_and_ends)
{
	char long_name[100000], *text;

	memset(long_name, '\x01', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	capture();
	log_set_process(long_name);
	log_info("long", "%s", long_name);
	log_set_process("p");
	log_info("next", "-");
	text = logged();
	ck_assert_uint_lt(strlen(text), 8192);
	ck_assert_ptr_nonnull(strstr(text, "...\"\ntime=2"));
	ck_assert_ptr_nonnull(strstr(text, " level=info role=p event=next -\n"));
	free(text);
}
END_TEST

START_TEST(errno_is_kept_also_when_stderr_is_gone)
{
	capture();
	dup2(stderr_before, 99);
	close(STDERR_FILENO);
	errno = ERANGE;
	log_info("lost", "-");
	ck_assert_int_eq(errno, ERANGE);
	dup2(99, STDERR_FILENO);
	close(99);
	free(logged());
}
END_TEST

/* Fills what nobody reads, without waiting. */
static void
fill(int fd)
{
	static const char bytes[4096];
	int flags = fcntl(fd, F_GETFL);

	ck_assert_int_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
	for (size_t length = sizeof(bytes); length > 0; length /= 2)
		while (write(fd, bytes, length) > 0)
			;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
}

/* With Check's timeout as the deadline. */
START_TEST(a_stderr_that_nobody_reads_keeps_nobody_waiting)
{
	int fds[2], before = dup(STDERR_FILENO);

	if (_i == 0)
		ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	fill(fds[1]);
	ck_assert_int_ge(dup2(fds[1], STDERR_FILENO), 0);
	log_never_wait();
	errno = ENOENT;
	log_error("lost", "because=full");
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_uint_eq(log_figures().dropped, 1);
	dup2(before, STDERR_FILENO);
	/* Nor is it changed for those who share it. */
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	fd_close(&before);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}
END_TEST

START_TEST(a_flood_is_told_as_a_number_and_others_are_heard_meanwhile)
{
	char *text, *at;
	int lines = 0;

	capture();
	log_set_process("p");
	for (int i = 0; i < 1000; i++)
		log_warning("again", "number=%d", i);
	log_info("other", "x=1");
	for (int i = 0; i < 100; i++)
		log_access("client", "number=%d", i);
	ck_assert_uint_eq(log_figures().summarised, 1000 - LOG_BURST);
	text = logged();
	for (at = text; (at = strstr(at, "event=again ")) != NULL; at++)
		lines++;
	ck_assert_int_eq(lines, LOG_BURST);
	ck_assert_ptr_nonnull(strstr(text, "event=other x=1\n"));
	ck_assert_ptr_nonnull(strstr(text, "event=client number=99\n"));
	free(text);
}
END_TEST

START_TEST(the_end_of_a_flood_says_how_many_lines_it_had)
{
	struct log_flood flood;
	struct log_flood_event e;

	log_flood_init(&flood);
	for (int i = 0; i < LOG_BURST; i++) {
		ck_assert(log_flood_admits(&flood, LOG_LEVEL_INFO, "a", 1000));
		ck_assert(log_flood_admits(&flood, LOG_LEVEL_ERROR, "b", 2000));
	}
	ck_assert(!log_flood_admits(&flood, LOG_LEVEL_INFO, "a", 1000));
	ck_assert(!log_flood_admits(&flood, LOG_LEVEL_INFO, "a", 1000 + LOG_WINDOW_MS - 1));
	ck_assert(!log_flood_take(&flood, 1000 + LOG_WINDOW_MS - 1, &e));
	ck_assert(log_flood_take(&flood, 1000 + LOG_WINDOW_MS, &e));
	ck_assert_str_eq(e.event, "a");
	ck_assert_uint_eq(e.lines, 2);
	ck_assert(!log_flood_take(&flood, 1000 + LOG_WINDOW_MS, &e));
	ck_assert(log_flood_admits(&flood, LOG_LEVEL_INFO, "a", 1000 + LOG_WINDOW_MS));
	/* One that had no more than it may is forgotten in silence. */
	ck_assert(!log_flood_take(&flood, 2000 + LOG_WINDOW_MS, &e));
	ck_assert(log_flood_admits(&flood, LOG_LEVEL_INFO, "b", 2000 + LOG_WINDOW_MS));
}
END_TEST

START_TEST(more_events_than_can_be_told_apart_are_all_written)
{
	static char names[LOG_EVENTS_MAX + 1][16];
	struct log_flood flood;

	log_flood_init(&flood);
	for (int i = 0; i <= LOG_EVENTS_MAX; i++)
		snprintf(names[i], sizeof(names[i]), "event_%d", i);
	for (int n = 0; n < LOG_BURST; n++)
		for (int i = 0; i <= LOG_EVENTS_MAX; i++)
			ck_assert(log_flood_admits(&flood, LOG_LEVEL_INFO, names[i], n));
	ck_assert(!log_flood_admits(&flood, LOG_LEVEL_INFO, names[0], 99));
	ck_assert(log_flood_admits(&flood, LOG_LEVEL_INFO, names[LOG_EVENTS_MAX], 99));
}
END_TEST

START_TEST(levels_are_known_by_name)
{
	enum log_level level = LOG_LEVEL_INFO;

	ck_assert_int_eq(log_parse_level("error", &level), 0);
	ck_assert_int_eq(level, LOG_LEVEL_ERROR);
	ck_assert_int_eq(log_parse_level("debug", &level), 0);
	ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
	ck_assert_int_eq(log_parse_level("loud", &level), -EINVAL);
	ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_line_names_time_level_process_and_event);
	tcase_add_test(tc, under_the_journal_a_line_has_its_priority_and_no_time);
	tcase_add_test(tc, the_journal_of_another_stderr_changes_nothing);
	tcase_add_test(tc, lines_above_the_level_are_left_out);
	tcase_add_test(tc, input_cannot_forge_a_line_or_send_escapes_to_a_terminal);
	tcase_add_test(tc, a_line_of_any_length_is_bounded_and_ends);
	tcase_add_test(tc, errno_is_kept_also_when_stderr_is_gone);
	tcase_add_loop_test(tc, a_stderr_that_nobody_reads_keeps_nobody_waiting, 0, 2);
	tcase_add_test(tc, a_flood_is_told_as_a_number_and_others_are_heard_meanwhile);
	tcase_add_test(tc, the_end_of_a_flood_says_how_many_lines_it_had);
	tcase_add_test(tc, more_events_than_can_be_told_apart_are_all_written);
	tcase_add_test(tc, levels_are_known_by_name);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
