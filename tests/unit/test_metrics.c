/* /metrics: what an instance of three workers, one of them dead, says of itself. */
#include "worker/metrics.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "shm/registry_writer.h"

enum { WORKERS = 3, OWN = 1, DEAD = 2 };

static struct instance instance;
static struct board *board;
static struct counters *others[WORKERS], *discovery, *supervisor;
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
	board_count_restart(board, 1);
	board_count_replacement(board, 2);
	board_set(board, 1 + DEAD, 13);
	board_set(board, 1 + DEAD, 0);
	for (int i = 0; i < WORKERS; i++) {
		instance.occupancy_fds[i] = occupancy_create(100);
		instance.counters_fds[i] = counters_create();
		ck_assert_int_eq(counters_open(instance.counters_fds[i], true, &others[i]), 0);
		counters_own(others[i])->lines_sent = 100 + (uint64_t)i;
		counters_own(others[i])->clients[COUNTERS_STREAM_ALL] = UINT64_MAX - (uint64_t)i;
	}
	instance.discovery_counters_fd = counters_create();
	ck_assert_int_eq(counters_open(instance.discovery_counters_fd, true, &discovery), 0);
	instance.supervisor_counters_fd = counters_create();
	ck_assert_int_eq(counters_open(instance.supervisor_counters_fd, true, &supervisor), 0);
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
	counters_close(&discovery);
	close(instance.discovery_counters_fd);
	counters_close(&supervisor);
	close(instance.supervisor_counters_fd);
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

	ck_assert_int_eq(metrics_put(&text, peers, runs, buses), 0);
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
	                 "runstream_clients{worker=\"1\",kind=\"log\"} 0\n"
	                 "runstream_clients{worker=\"1\",kind=\"all\"} 18446744073709551615\n"
	                 "runstream_clients{worker=\"1\",kind=\"task\"} 0\n");
	for (size_t i = 0; i < COUNTERS_COUNT; i++) {
		char name[COUNTERS_NAME_BYTES], head[sizeof(name) + 16];

		counters_format_name(counters_list[i].name, counters_list[i].kind, name);
		snprintf(head, sizeof(head), "# HELP %s ", name);
		assert_has(text, head);
	}
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
	                 "runstream_up{process=\"worker\",worker=\"1\"} 1\n"
	                 "runstream_up{process=\"worker\",worker=\"2\"} 1\n"
	                 "runstream_up{process=\"worker\",worker=\"3\"} 0\n# HELP ");
	assert_has(text, "# TYPE runstream_restarts_total counter\n"
	                 "runstream_restarts_total{process=\"discovery\"} 0\n"
	                 "runstream_restarts_total{process=\"worker\",worker=\"1\"} 1\n"
	                 "runstream_restarts_total{process=\"worker\",worker=\"2\"} 0\n"
	                 "runstream_restarts_total{process=\"worker\",worker=\"3\"} 0\n# HELP ");
	assert_has(text, "# TYPE runstream_replacements_total counter\n"
	                 "runstream_replacements_total{process=\"discovery\"} 0\n"
	                 "runstream_replacements_total{process=\"worker\",worker=\"1\"} 0\n"
	                 "runstream_replacements_total{process=\"worker\",worker=\"2\"} 1\n"
	                 "runstream_replacements_total{process=\"worker\",worker=\"3\"} 0\n# HELP ");
	assert_has(text, "\nrunstream_runs_capacity 100\n");
	assert_has(text, "\nrunstream_buses_capacity 7\n");
	assert_has(text, "\nrunstream_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	free(text);
	peers_free(&peers);
}
END_TEST

START_TEST(what_discovery_and_the_supervisor_count_is_theirs_alone)
{
	struct peers *peers;
	char *text;

	ck_assert_int_eq(peers_new(&instance, &peers), 0);
	counters_own(discovery)->runs[COUNTERS_STATUS_FAILED] = 4;
	counters_own(discovery)->last_look_timestamp_ms = 1234567890012;
	counters_own(supervisor)->reloads[COUNTERS_RESULT_FAILED] = 2;
	peers_counters(peers)->reloads[COUNTERS_RESULT_FAILED] = 77;
	text = metrics(peers);
	assert_has(text, "\nrunstream_runs{status=\"failed\"} 4\n");
	assert_has(text, "\nrunstream_last_look_timestamp_seconds 1234567890.012\n");
	assert_has(text, "\nrunstream_reloads_total{result=\"ok\"} 0\n"
	                 "runstream_reloads_total{result=\"failed\"} 2\n# HELP ");
	ck_assert_ptr_null(strstr(text, "77"));
	free(text);
	peers_free(&peers);
}
END_TEST

START_TEST(the_buckets_of_a_histogram_add_up)
{
	struct peers *peers;
	char *text;

	ck_assert_int_eq(peers_new(&instance, &peers), 0);
	counters_observe(&counters_own(discovery)->loop_turn_us, 90);
	counters_observe(&counters_own(discovery)->loop_turn_us, 9000000);
	counters_observe(&counters_own(discovery)->loop_turn_us, 90000000);
	text = metrics(peers);
	assert_has(text, "# TYPE runstream_loop_turn_seconds histogram\n"
	                 "runstream_loop_turn_seconds_bucket{process=\"worker\",worker=\"1\",le=\"0.0001\"} 0\n");
	assert_has(text, "\nrunstream_loop_turn_seconds_bucket{process=\"discovery\",le=\"0.0001\"} 1\n");
	assert_has(text, "\nrunstream_loop_turn_seconds_bucket{process=\"discovery\",le=\"5\"} 1\n"
	                 "runstream_loop_turn_seconds_bucket{process=\"discovery\",le=\"10\"} 2\n"
	                 "runstream_loop_turn_seconds_bucket{process=\"discovery\",le=\"+Inf\"} 3\n"
	                 "runstream_loop_turn_seconds_sum{process=\"discovery\"} 99.000090\n"
	                 "runstream_loop_turn_seconds_count{process=\"discovery\"} 3\n");
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
	tcase_add_test(tests, what_discovery_and_the_supervisor_count_is_theirs_alone);
	tcase_add_test(tests, the_buckets_of_a_histogram_add_up);
	tcase_add_test(tests, a_segment_that_is_none_is_refused);
	tcase_add_test(tests, text_is_escaped_as_the_format_wants);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
