/* The pool with roles of its own: children that wait, and do as they are told. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shm/counters.h"
#include "shm/occupancy.h"
#include "shm/orders.h"
#include "supervisor/pool.h"

enum { DEADLINE_MS = 20000, PLACES = 3 };

/* What a child tells, one message each, on the descriptor that stands in for its listener. */
struct report {
	pid_t pid;
	uint32_t index;
	int64_t poll_interval_ms;
	int descriptors;
	uint64_t clients; /* that its counters began with */
	uint64_t listen_set;
};

static struct loop *loop;
static struct settings settings;
static struct segments segments;
static struct sockets sockets;
static struct privileges privileges;
static struct pool pool;
static struct buf sentence;
static int reports; /* our end */
static bool is_down;

static int
count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	long limit = sysconf(_SC_OPEN_MAX); /* beyond are valgrind's own */
	struct dirent *entry;
	int count = 0;

	while (folder && (entry = readdir(folder)))
		count += atol(entry->d_name) < limit;
	if (folder)
		closedir(folder);
	return count - 3; /* ".", "..", the folder itself */
}

static void
tell(const struct instance *instance, int64_t poll_interval_ms, uint64_t listen_set)
{
	struct report report = { .listen_set = listen_set, .pid = getpid(), .index = instance->worker_index,
		                 .poll_interval_ms = poll_interval_ms,
		                 .descriptors = count_descriptors() };
	struct counters *counters;

	if (counters_open(instance->counters_fds[instance->worker_index], true, &counters) == 0) {
		report.clients = counters_own(counters)->clients[COUNTERS_STREAM_LOG];
		counters_own(counters)->clients[COUNTERS_STREAM_LOG] = 5;
		counters_close(&counters);
	}
	fd_send(instance->listen_fds[0], &report, sizeof(report), NULL, 0);
}

static int
live(struct instance *instance, bool tells)
{
	sigset_t signals;
	int signal_fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (tells)
		tell(instance, instance->settings.api.sse.poll_interval_ms, instance->listen_set);
	for (;;) {
		struct pollfd watched[] = { { signal_fd, POLLIN, 0 },
			                    { instance->supervisor_fd, POLLIN, 0 } };
		struct order order;
		int n;

		poll(watched, 2, -1);
		if (watched[0].revents)
			return 0;
		n = orders_receive(instance->supervisor_fd, &order);
		if (n != 1)
			return n == 0 ? 0 : 1;
		if (tells)
			tell(instance, order.kind == ORDER_SETTINGS
			                       ? order.settings.api.sse.poll_interval_ms
			                       : 0,
			     order.listen_set);
		order_fini(&order);
	}
}

static int
quiet_main(struct instance *instance)
{
	return live(instance, false);
}

static int
telling_main(struct instance *instance)
{
	return live(instance, true);
}

/* Takes no notice of SIGTERM, nor of the end of the supervisor. */
static int
deaf_main(struct instance *instance)
{
	signal(SIGTERM, SIG_IGN);
	tell(instance, 0, 0);
	for (;;)
		pause();
	return 0;
}

static void
note_down(void *arg)
{
	(void)arg;
	is_down = true;
	loop_stop(loop);
}

/* Turns the loop until a report comes. */
static struct report
next_report(void)
{
	int64_t until_ms = clock_now_ms() + DEADLINE_MS;
	struct report report;

	while (recv(reports, &report, sizeof(report), MSG_DONTWAIT) != (ssize_t)sizeof(report)) {
		ck_assert_int_lt(clock_now_ms(), until_ms);
		ck_assert_int_eq(loop_turn(loop, 20), 0);
	}
	return report;
}

static void
set_up(void)
{
	int pair[2];

	/* Check's handler, in a child that is not yet far enough to have its own, would pass the
	 * signal on to the whole group, and so to the test. */
	signal(SIGTERM, SIG_DFL);
	ck_assert_int_eq(settings_init(&settings), 0);
	settings.server.drain_ms = 0;
	settings.server.sandbox = false; /* roles of our own call what they like */
	settings.server.workers = 1;
	settings.storage.max_runs = settings.storage.max_buses = 10;
	settings.server.max_clients_per_worker = 10;
	buf_init(&sentence);
	ck_assert_int_eq(segments_make(&settings, PLACES, &segments, &sentence), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	reports = pair[0];
	/* All are the same: who accepts on which is told, not tried. */
	sockets = (struct sockets){ .fds = { pair[1], dup(pair[1]), dup(pair[1]) }, .count = PLACES };
	privileges = (struct privileges){ .changes_user = false };
	ck_assert_int_eq(loop_new(&loop), 0);
	is_down = false;
}

static void
start(child_main_fn *worker_main)
{
	struct pool_parts parts = { .loop = loop, .settings = &settings, .segments = &segments,
		                    .sockets = &sockets, .privileges = &privileges, .lock_fd = -1,
		                    .discovery_main = quiet_main, .worker_main = worker_main,
		                    .down = note_down };

	ck_assert_int_eq(pool_init(&pool, &parts), 0);
}

static void
stop(void)
{
	pool_stop(&pool);
	while (!is_down)
		ck_assert_int_eq(loop_turn(loop, 1000), 0);
}

static void
tear_down(void)
{
	pool_fini(&pool);
	loop_free(&loop);
	segments_close(&segments);
	sockets_close(&sockets);
	fd_close(&reports);
	buf_fini(&sentence);
	settings_fini(&settings);
}

START_TEST(children_have_their_own_descriptors_and_no_others)
{
	struct report report;

	start(telling_main);
	report = next_report();
	ck_assert_int_eq(report.pid, pool.children[1].pid);
	ck_assert_int_eq(board_pid(segments.board_map, 1), report.pid);
	ck_assert_str_eq(pool_state(&pool, 1), "running");
	/* 0-2, registry, buses, board, its bell and discovery's, clients, supervisor, two counters, and
	 * a signalfd of its own; and of each place the listener, occupancy, counters; the runs directory is
	 * missing. */
	if (pool.runs_dir_fd < 0)
		ck_assert_int_eq(report.descriptors, 13 + 3 * PLACES);
	stop();
	ck_assert_int_eq(board_pid(segments.board_map, 1), 0);
	ck_assert_str_eq(pool_state(&pool, 1), "stopped");
}
END_TEST

START_TEST(a_killed_worker_is_replaced_and_its_clients_are_forgotten)
{
	struct report first, second, third;

	start(telling_main);
	first = next_report();
	ck_assert_uint_eq(first.clients, 0);
	ck_assert_int_eq(kill(first.pid, SIGKILL), 0);
	second = next_report();
	ck_assert_int_ne(second.pid, first.pid);
	ck_assert_uint_eq(second.index, first.index);
	ck_assert_uint_eq(second.clients, 0);
	ck_assert_uint_eq(board_restarts(segments.board_map, 1), 1);
	ck_assert_uint_eq(board_replacements(segments.board_map, 1), 0);
	ck_assert_int_eq(kill(second.pid, SIGKILL), 0);
	while (pool.children[1].pid != 0)
		ck_assert_int_eq(loop_turn(loop, 1000), 0);
	/* The second time it waits. */
	ck_assert_str_eq(pool_state(&pool, 1), "waiting");
	ck_assert_int_eq(board_pid(segments.board_map, 1), 0);
	third = next_report();
	ck_assert_int_ne(third.pid, second.pid);
	stop();
}
END_TEST

START_TEST(new_settings_reach_the_children_and_those_who_come_later)
{
	struct report report;

	start(telling_main);
	ck_assert_int_eq(next_report().poll_interval_ms, 100);
	settings.api.sse.poll_interval_ms = 250;
	pool_send_settings(&pool);
	report = next_report();
	ck_assert_int_eq(report.poll_interval_ms, 250);
	ck_assert_int_eq(kill(report.pid, SIGKILL), 0);
	ck_assert_int_eq(next_report().poll_interval_ms, 250);
	stop();
}
END_TEST

START_TEST(a_child_that_does_not_stop_is_killed_by_a_second_request)
{
	start(deaf_main);
	next_report();
	pool_stop(&pool);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert(!is_down);
	ck_assert_str_eq(pool_state(&pool, 1), "stopping");
	stop();
}
END_TEST

START_TEST(a_child_that_does_not_stop_is_killed_at_the_deadline)
{
	int64_t began_ms;

	start(deaf_main);
	next_report();
	began_ms = clock_now_ms();
	stop();
	/* Counted from the start of the turn in which it was set. */
	ck_assert_int_ge(clock_now_ms() - began_ms, POOL_KILL_AFTER_MS - 1000);
}
END_TEST

START_TEST(stopping_ends_the_wait_for_a_restart)
{
	start(telling_main);
	kill(next_report().pid, SIGKILL);
	kill(next_report().pid, SIGKILL);
	while (pool.children[1].pid != 0)
		ck_assert_int_eq(loop_turn(loop, 1000), 0);
	stop();
	ck_assert(!loop_timer_is_set(&pool.children[1].timer));
	ck_assert_int_eq(recv(reports, &(struct report){ 0 }, sizeof(struct report), MSG_DONTWAIT),
	                 -1);
}
END_TEST

/* Turns the loop until that many workers run and none is on its way out. */
static void
wait_workers(uint32_t count)
{
	int64_t until_ms = clock_now_ms() + DEADLINE_MS;

	for (;;) {
		uint32_t running = 0, others = 0;

		for (uint32_t i = 1; i < pool.count; i++) {
			const char *state = pool_state(&pool, i);

			running += strcmp(state, "running") == 0;
			others += strcmp(state, "draining") == 0 || strcmp(state, "waiting") == 0;
		}
		if (running == count && others == 0)
			break;
		ck_assert_int_lt(clock_now_ms(), until_ms);
		ck_assert_int_eq(loop_turn(loop, 20), 0);
	}
	ck_assert_uint_eq(board_workers(segments.board_map), count);
}

static void
resize(int64_t workers)
{
	settings.server.workers = workers;
	pool_resize(&pool);
	wait_workers((uint32_t)workers);
}

static void
assert_sets(uint64_t first, uint64_t second, uint64_t third)
{
	const uint64_t expected[] = { first, second, third };

	for (uint32_t i = 0; i < PLACES; i++) {
		const struct child *child = &pool.children[1 + i];

		ck_assert_uint_eq(child->listen_set, expected[i]);
		if (child->pid != 0)
			ck_assert_uint_eq(child->told_set, expected[i]);
	}
}

START_TEST(more_and_fewer_workers_share_the_same_sockets)
{
	pid_t first;

	start(telling_main);
	ck_assert_uint_eq(next_report().listen_set, 7);
	first = pool.children[1].pid;
	assert_sets(7, 0, 0);
	resize(3);
	assert_sets(1, 2, 4);
	resize(2);
	assert_sets(1 | 4, 2, 0);
	ck_assert_str_eq(pool_state(&pool, 3), "stopped");
	resize(3);
	assert_sets(1, 2, 4);
	resize(1);
	assert_sets(7, 0, 0);
	ck_assert_int_eq(pool.children[1].pid, first);
	stop();
}
END_TEST

START_TEST(a_drained_worker_is_replaced_and_others_accept_meanwhile)
{
	pid_t first, second;

	settings.server.workers = 2;
	start(telling_main);
	wait_workers(2);
	first = pool.children[1].pid;
	second = pool.children[2].pid;
	ck_assert_int_eq(pool_drain(&pool, 2), 0);
	ck_assert_str_eq(pool_state(&pool, 2), "draining");
	assert_sets(7, 0, 0);
	wait_workers(2);
	assert_sets(1 | 4, 2, 0);
	ck_assert_int_eq(pool.children[1].pid, first);
	ck_assert_int_ne(pool.children[2].pid, second);
	ck_assert_uint_eq(board_restarts(segments.board_map, 2), 0);
	ck_assert_uint_eq(board_replacements(segments.board_map, 2), 1);
	ck_assert_uint_eq(board_replacements(segments.board_map, 1), 0);
	ck_assert_int_eq(pool_drain(&pool, 3), -ENOENT);
	ck_assert_int_eq(pool_drain(&pool, INSTANCE_WORKERS_MAX + 1), -ENOENT);
	stop();
	ck_assert_int_eq(pool_drain(&pool, 1), -ESHUTDOWN);
}
END_TEST

START_TEST(all_are_drained_one_after_another)
{
	pid_t pids[1 + PLACES];
	bool are_new = false;

	settings.server.workers = PLACES;
	start(telling_main);
	wait_workers(PLACES);
	for (uint32_t i = 1; i <= PLACES; i++)
		pids[i] = pool.children[i].pid;
	ck_assert_int_eq(pool_drain(&pool, POOL_ALL_WORKERS), 0);
	while (!are_new) {
		int away = 0;

		ck_assert_int_eq(loop_turn(loop, 1000), 0);
		are_new = true;
		for (uint32_t i = 1; i <= PLACES; i++) {
			const struct child *child = &pool.children[i];

			away += child->pid == 0 || child->is_draining;
			are_new = are_new && child->pid != 0 && child->pid != pids[i];
		}
		ck_assert_int_le(away, 1);
	}
	wait_workers(PLACES);
	assert_sets(1, 2, 4);
	stop();
}
END_TEST

START_TEST(a_worker_that_waits_for_its_restart_leaves_its_sockets_to_others)
{
	settings.server.workers = 2;
	start(telling_main);
	wait_workers(2);
	for (int i = 0; i < 2; i++) {
		pid_t pid = pool.children[2].pid;

		/* At once the first time: its sockets stay its own. */
		assert_sets(1 | 4, 2, 0);
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		while (pool.children[2].pid == pid)
			ck_assert_int_eq(loop_turn(loop, 1000), 0);
		if (i == 0)
			wait_workers(2);
	}
	ck_assert_str_eq(pool_state(&pool, 2), "waiting");
	assert_sets(7, 0, 0);
	wait_workers(2);
	assert_sets(1 | 4, 2, 0);
	stop();
}
END_TEST

START_TEST(sockets_that_outlive_us_are_left_to_the_next_instance)
{
	sockets.outlive_us = true;
	start(deaf_main);
	next_report();
	pool_stop(&pool);
	assert_sets(0, 0, 0);
	stop();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pool");
	TCase *tests = tcase_create("pool");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, children_have_their_own_descriptors_and_no_others);
	tcase_add_test(tests, a_killed_worker_is_replaced_and_its_clients_are_forgotten);
	tcase_add_test(tests, new_settings_reach_the_children_and_those_who_come_later);
	tcase_add_test(tests, a_child_that_does_not_stop_is_killed_by_a_second_request);
	tcase_add_test(tests, a_child_that_does_not_stop_is_killed_at_the_deadline);
	tcase_add_test(tests, stopping_ends_the_wait_for_a_restart);
	tcase_add_test(tests, more_and_fewer_workers_share_the_same_sockets);
	tcase_add_test(tests, a_drained_worker_is_replaced_and_others_accept_meanwhile);
	tcase_add_test(tests, all_are_drained_one_after_another);
	tcase_add_test(tests, a_worker_that_waits_for_its_restart_leaves_its_sockets_to_others);
	tcase_add_test(tests, sockets_that_outlive_us_are_left_to_the_next_instance);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
