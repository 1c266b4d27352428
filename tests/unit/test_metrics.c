/* /metrics: what an instance of three workers, one of them dead, says of itself. */
#include "worker/metrics.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "shm/registry_writer.h"

enum { WORKERS = 3, OWN = 1, DEAD = 2 };

static struct instance instance;
static struct board *board;
static struct counters *others[WORKERS];
static struct registry *runs, *buses;

static void
set_up(void)
{
	int runs_fd = registry_create(100), buses_fd = registry_create(7);

	instance = (struct instance){ .worker_count = WORKERS, .worker_index = OWN };
	instance.board_fd = board_create();
	ck_assert_int_eq(board_open(instance.board_fd, true, &board), 0);
	board_set_workers(board, WORKERS);
	board_set(board, BOARD_DISCOVERY, 10);
	board_set(board, 1, 11);
	board_set(board, 1, 0);
	board_set(board, 1, 12);
	board_set(board, 1 + DEAD, 13);
	board_set(board, 1 + DEAD, 0);
	for (int i = 0; i < WORKERS; i++) {
		instance.occupancy_fds[i] = occupancy_create(100);
		instance.counters_fds[i] = counters_create();
		ck_assert_int_eq(counters_open(instance.counters_fds[i], true, &others[i]), 0);
		counters_own(others[i])->lines_sent = 100 + (uint64_t)i;
		counters_own(others[i])->clients = UINT64_MAX - (uint64_t)i;
	}
	ck_assert_int_eq(registry_open(runs_fd, &runs), 0);
	ck_assert_int_eq(registry_open(buses_fd, &buses), 0);
	close(runs_fd);
	close(buses_fd);
}

static void
tear_down(void)
{
	for (int i = 0; i < WORKERS; i++) {
		counters_close(&others[i]);
		close(instance.occupancy_fds[i]);
		close(instance.counters_fds[i]);
	}
	registry_close(&runs);
	registry_close(&buses);
	board_close(&board);
	close(instance.board_fd);
}

/* Returns owned. */
static char *
metrics(const struct peers *peers)
{
	struct buf text = BUF_INIT;
	char *copy;

	metrics_put(&text, peers, runs, buses);
	ck_assert_int_eq(buf_error(&text), 0);
	copy = strdup(buf_string(&text));
	buf_fini(&text);
	return copy;
}

static void
assert_has(const char *text, const char *lines)
{
	ck_assert_msg(strstr(text, lines) != NULL, "not there: %s\n%s", lines, text);
}

START_TEST(each_living_worker_has_a_sample_of_each_counter)
{
	struct peers *peers;
	char *text;

	ck_assert_int_eq(peers_new(&instance, &peers), 0);
	text = metrics(peers);
	/* This one's own begin at zero; and it lives, although the board does not say so yet. */
	assert_has(text, "# HELP runstream_lines_sent_total log events handed to the kernel, one for "
	                 "each client\n"
	                 "# TYPE runstream_lines_sent_total counter\n"
	                 "runstream_lines_sent_total{worker=\"1\"} 100\n"
	                 "runstream_lines_sent_total{worker=\"2\"} 0\n# HELP ");
	assert_has(text, "\n# TYPE runstream_clients gauge\n"
	                 "runstream_clients{worker=\"1\"} 18446744073709551615\n"
	                 "runstream_clients{worker=\"2\"} 0\n# HELP ");
#define IS_THERE(name, kind, help) assert_has(text, "# HELP runstream_" #name);
	COUNTERS(IS_THERE)
	free(text);
	peers_free(&peers);
}
END_TEST

START_TEST(who_comes_back_is_counted_again)
{
	struct peers *peers;
	char *text;

	ck_assert_int_eq(peers_new(&instance, &peers), 0);
	board_set(board, 1 + DEAD, 14);
	board_set(board, 1, 0);
	counters_own(others[DEAD])->lines_sent = 3;
	peers_counters(peers)->lines_sent = 5;
	text = metrics(peers);
	assert_has(text, "# TYPE runstream_lines_sent_total counter\n"
	                 "runstream_lines_sent_total{worker=\"2\"} 5\n"
	                 "runstream_lines_sent_total{worker=\"3\"} 3\n# HELP ");
	free(text);
	peers_free(&peers);
}
END_TEST

START_TEST(processes_registries_and_version_are_told)
{
	struct peers *peers;
	char *text;

	ck_assert_int_eq(peers_new(&instance, &peers), 0);
	text = metrics(peers);
	assert_has(text, "# TYPE runstream_up gauge\n"
	                 "runstream_up{process=\"discovery\"} 1\n"
	                 "runstream_up{process=\"worker-1\"} 1\n"
	                 "runstream_up{process=\"worker-2\"} 1\n"
	                 "runstream_up{process=\"worker-3\"} 0\n# HELP ");
	assert_has(text, "# TYPE runstream_restarts_total counter\n"
	                 "runstream_restarts_total{process=\"discovery\"} 0\n"
	                 "runstream_restarts_total{process=\"worker-1\"} 1\n"
	                 "runstream_restarts_total{process=\"worker-2\"} 0\n"
	                 "runstream_restarts_total{process=\"worker-3\"} 0\n# HELP ");
	assert_has(text, "\nrunstream_runs 0\n");
	assert_has(text, "\nrunstream_runs_capacity 100\n");
	assert_has(text, "\nrunstream_buses 0\n");
	assert_has(text, "\nrunstream_buses_capacity 7\n");
	assert_has(text, "\nrunstream_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	free(text);
	peers_free(&peers);
}
END_TEST

START_TEST(a_segment_that_is_none_is_refused)
{
	struct peers *peers = NULL;

	ck_assert_int_eq(pwrite(instance.counters_fds[DEAD], "X", 1, 0), 1);
	ck_assert_int_eq(peers_new(&instance, &peers), -EPROTO);
	ck_assert_ptr_null(peers);
}
END_TEST

START_TEST(text_is_escaped_as_the_format_wants)
{
	const char *text = "a \"b\"\\\n\xc3\xbc";
	struct buf to = BUF_INIT;

	metrics_put_escaped(&to, text, false);
	ck_assert_str_eq(buf_string(&to), "a \"b\"\\\\\\n\xc3\xbc");
	buf_clear(&to);
	metrics_put_escaped(&to, text, true);
	ck_assert_str_eq(buf_string(&to), "a \\\"b\\\"\\\\\\n\xc3\xbc");
	buf_fini(&to);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, each_living_worker_has_a_sample_of_each_counter);
	tcase_add_test(tests, who_comes_back_is_counted_again);
	tcase_add_test(tests, processes_registries_and_version_are_told);
	tcase_add_test(tests, a_segment_that_is_none_is_refused);
	tcase_add_test(tests, text_is_escaped_as_the_format_wants);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
