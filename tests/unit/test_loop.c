#include "base/loop.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

static struct loop *loop;
static int calls, order[64];

static void
set_up(void)
{
	ck_assert_int_eq(loop_new(&loop), 0);
	calls = 0;
}

static void
tear_down(void)
{
	loop_free(&loop);
	ck_assert_ptr_null(loop);
	loop_free(&loop);
}

static void
note(void *arg)
{
	order[calls++] = *(int *)arg;
}

static void
note_fd(void *arg, uint32_t events)
{
	ck_assert_uint_ne(events & EPOLLIN, 0);
	note(arg);
}

START_TEST(a_readable_descriptor_is_reported_until_it_is_forgotten)
{
	struct loop_fd watch = { 0 };
	int ends[2], seven = 7;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(loop_fd_add(loop, &watch, ends[0], EPOLLIN, note_fd, &seven), 0);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_int_eq(calls, 0);
	ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
	loop_turn(loop, 1000);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(order[0], 7);
	ck_assert_int_eq(loop_fd_change(loop, &watch, EPOLLOUT), 0);
	loop_turn(loop, 0);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(loop_fd_change(loop, &watch, EPOLLIN), 0);
	loop_fd_remove(loop, &watch);
	loop_fd_remove(loop, &watch);
	loop_turn(loop, 0);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(loop_fd_add(loop, &watch, -1, EPOLLIN, note_fd, &seven), -EBADF);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static struct loop_fd both[2];

static void
remove_both(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	calls++;
	loop_fd_remove(loop, &both[0]);
	loop_fd_remove(loop, &both[1]);
}

START_TEST(a_watch_removed_in_the_same_turn_is_not_called)
{
	int ends[2][2];

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pipe2(ends[i], O_CLOEXEC), 0);
		ck_assert_int_eq((int)write(ends[i][1], "x", 1), 1);
		loop_fd_add(loop, &both[i], ends[i][0], EPOLLIN, remove_both, NULL);
	}
	loop_turn(loop, 1000);
	ck_assert_int_eq(calls, 1);
	for (int i = 0; i < 2; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}
END_TEST

START_TEST(timers_fire_in_the_order_of_their_times)
{
	enum { TIMERS = 50 };
	struct loop_timer timers[TIMERS] = { 0 };
	int delays[TIMERS];

	for (int i = 0; i < TIMERS; i++) {
		delays[i] = (i * 37) % TIMERS;
		loop_timer_set(loop, &timers[i], delays[i], note, &delays[i]);
	}
	loop_timer_stop(loop, &timers[3]);
	loop_timer_stop(loop, &timers[3]);
	ck_assert(!loop_timer_is_set(&timers[3]));
	ck_assert(loop_timer_is_set(&timers[4]));
	while (calls < TIMERS - 1)
		ck_assert_int_eq(loop_turn(loop, 1000), 0);
	for (int i = 1; i < calls; i++)
		ck_assert_int_le(order[i - 1], order[i]);
	ck_assert(!loop_timer_is_set(&timers[4]));
}
END_TEST

enum { MANY = 300 };
static struct loop_timer many[MANY];
static int64_t last_due_ms;
static int fired;

static void
fire_in_order(void *arg)
{
	const struct loop_timer *timer = arg;

	ck_assert(!timer->is_set);
	ck_assert_int_ge(timer->due_ms, last_due_ms);
	last_due_ms = timer->due_ms;
	fired++;
}

START_TEST(timers_that_are_set_moved_and_stopped_at_random_fire_in_order)
{
	bool is_set[MANY] = { false };
	int expected = 0;

	for (int i = 0; i < 20000; i++) {
		int n = (int)(random() % MANY);

		if (random() % 3 == 0)
			loop_timer_stop(loop, &many[n]);
		else
			loop_timer_set(loop, &many[n], random() % 30, fire_in_order, &many[n]);
		is_set[n] = loop_timer_is_set(&many[n]);
	}
	for (int n = 0; n < MANY; n++) {
		ck_assert(is_set[n] == loop_timer_is_set(&many[n]));
		expected += is_set[n];
	}
	while (fired < expected)
		ck_assert_int_eq(loop_turn(loop, 1000), 0);
	ck_assert_int_eq(loop_turn(loop, 50), 0);
	ck_assert_int_eq(fired, expected);
}
END_TEST

START_TEST(a_timer_fires_not_before_its_time_and_once)
{
	struct loop_timer timer = { 0 };
	int one = 1;
	int64_t set_ms = loop_now_ms(loop);

	loop_timer_set(loop, &timer, 10000, note, &one);
	loop_timer_set(loop, &timer, 20, note, &one); /* sooner than first said */
	while (calls == 0)
		loop_turn(loop, 1000);
	ck_assert_int_ge(loop_now_ms(loop) - set_ms, 20);
	ck_assert_int_lt(loop_now_ms(loop) - set_ms, 5000);
	loop_turn(loop, 0);
	ck_assert_int_eq(calls, 1);
}
END_TEST

static struct loop_timer eager;

static void
set_eager_again(void *arg)
{
	calls++;
	loop_timer_set(loop, &eager, 0, set_eager_again, arg);
}

START_TEST(a_timer_that_sets_itself_without_delay_fires_once_a_turn)
{
	struct loop_timer far[20] = { 0 };
	int one = 1;

	for (int i = 0; i < 20; i++)
		loop_timer_set(loop, &far[i], 1000000, note, &one);
	loop_timer_set(loop, &eager, 0, set_eager_again, NULL);
	loop_turn(loop, 1000);
	ck_assert_int_eq(calls, 1);
	loop_turn(loop, 1000);
	ck_assert_int_eq(calls, 2);
}
END_TEST

static struct loop_task again;

static void
defer_again(void *arg)
{
	calls++;
	loop_defer(loop, &again, defer_again, arg);
}

START_TEST(deferred_work_runs_once_in_the_next_turn_and_may_be_cancelled)
{
	struct loop_task first = { 0 }, second = { 0 }, cancelled = { 0 };
	int one = 1, two = 2, three = 3;

	loop_defer(loop, &first, note, &one);
	loop_defer(loop, &first, note, &two); /* queued already */
	loop_defer(loop, &cancelled, note, &three);
	loop_defer(loop, &second, note, &two);
	loop_defer_cancel(loop, &cancelled);
	loop_defer_cancel(loop, &cancelled);
	loop_turn(loop, 1000);
	ck_assert_int_eq(calls, 2);
	ck_assert_int_eq(order[0], 1);
	ck_assert_int_eq(order[1], 2);
	loop_turn(loop, 0);
	ck_assert_int_eq(calls, 2);
}
END_TEST

START_TEST(work_that_defers_itself_leaves_room_for_descriptors)
{
	struct loop_fd watch = { 0 };
	int ends[2], seven = 7;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	loop_fd_add(loop, &watch, ends[0], EPOLLIN | EPOLLET, note_fd, &seven);
	loop_defer(loop, &again, defer_again, NULL);
	loop_turn(loop, 1000);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
	loop_turn(loop, 1000);
	ck_assert_int_eq(calls, 3);
	loop_fd_remove(loop, &watch);
	loop_defer_cancel(loop, &again);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static void
stop_at_signal(void *arg, int signal_number)
{
	order[calls++] = signal_number;
	if (calls == 2)
		loop_stop(arg);
}

static struct deferring {
	struct loop_task *task;
	int *arg;
} deferring;

static void
defer_from_timer(void *arg)
{
	(void)arg;
	loop_defer(loop, deferring.task, note, deferring.arg);
}

START_TEST(signals_come_through_the_loop)
{
	ck_assert_int_eq(loop_signal_add(loop, SIGTERM, stop_at_signal, loop), 0);
	ck_assert_int_eq(loop_signal_add(loop, SIGHUP, stop_at_signal, loop), 0);
	ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
	ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
	ck_assert_int_eq(calls, 0);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(calls, 2);
	ck_assert_int_eq(order[0] + order[1], SIGTERM + SIGHUP);
}
END_TEST

START_TEST(a_loop_that_was_stopped_before_it_ran_does_not_run)
{
	struct loop_timer timer = { 0 };
	int one = 1;

	loop_timer_set(loop, &timer, 0, note, &one);
	loop_stop(loop);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(calls, 0);
	/* That was for once. */
	loop_turn(loop, 1000);
	ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(work_deferred_by_a_timer_runs_in_the_same_turn)
{
	struct loop_task task = { 0 };
	struct loop_timer timer = { 0 };
	int one = 1;

	deferring = (struct deferring){ .task = &task, .arg = &one };
	loop_timer_set(loop, &timer, 0, defer_from_timer, NULL);
	loop_turn(loop, 1000);
	ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(a_turn_waits_no_longer_than_it_is_told)
{
	struct loop_timer timer = { 0 };
	int one = 1;
	int64_t began_ms = clock_now_ms();

	loop_timer_set(loop, &timer, 1000000, note, &one);
	loop_turn(loop, 5);
	ck_assert_int_lt(clock_now_ms() - began_ms, 5000);
	ck_assert_int_eq(calls, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tc = tcase_create("loop");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_readable_descriptor_is_reported_until_it_is_forgotten);
	tcase_add_test(tc, a_watch_removed_in_the_same_turn_is_not_called);
	tcase_add_test(tc, timers_fire_in_the_order_of_their_times);
	tcase_add_test(tc, timers_that_are_set_moved_and_stopped_at_random_fire_in_order);
	tcase_add_test(tc, a_timer_fires_not_before_its_time_and_once);
	tcase_add_test(tc, a_timer_that_sets_itself_without_delay_fires_once_a_turn);
	tcase_add_test(tc, deferred_work_runs_once_in_the_next_turn_and_may_be_cancelled);
	tcase_add_test(tc, work_that_defers_itself_leaves_room_for_descriptors);
	tcase_add_test(tc, signals_come_through_the_loop);
	tcase_add_test(tc, a_loop_that_was_stopped_before_it_ran_does_not_run);
	tcase_add_test(tc, work_deferred_by_a_timer_runs_in_the_same_turn);
	tcase_add_test(tc, a_turn_waits_no_longer_than_it_is_told);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
