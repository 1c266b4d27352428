#include "base/offload.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

static struct loop *loop;
static struct offload *offload;
static int done_count, again_left;

struct work {
	struct offload_job job;
	pthread_t in;
	int wait_fd; /* the job reads a byte from it first; -1: it does not wait */
	bool has_run, is_done;
};

static void
set_up(void)
{
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(offload_new(loop, 4, &offload), 0);
	done_count = 0;
}

static void
tear_down(void)
{
	offload_free(&offload);
	ck_assert_ptr_null(offload);
	offload_free(&offload);
	loop_free(&loop);
}

static void
run(struct offload_job *job)
{
	struct work *w = (struct work *)job;
	char byte;

	if (w->wait_fd >= 0 && read(w->wait_fd, &byte, 1) < 0)
		return;
	w->in = pthread_self();
	w->has_run = true;
}

static void
done(struct offload_job *job)
{
	struct work *w = (struct work *)job;

	ck_assert(w->has_run);
	w->is_done = true;
	done_count++;
}

static void
turn_until(const int *count, int wanted)
{
	int64_t until_ms = clock_now_ms() + 10000;

	while (*count < wanted) {
		ck_assert_int_lt(clock_now_ms(), until_ms);
		loop_turn(loop, 100);
	}
}

START_TEST(work_is_done_in_a_thread_and_handed_back_to_the_loop)
{
	struct work w = { .wait_fd = -1 };

	offload_submit(offload, &w.job, run, done);
	ck_assert(!w.is_done);
	turn_until(&done_count, 1);
	ck_assert(w.is_done);
	ck_assert(!pthread_equal(w.in, pthread_self()));
}
END_TEST

static int
count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int count = -2; /* "." and ".." */

	ck_assert_ptr_nonnull(tasks);
	while (readdir(tasks))
		count++;
	closedir(tasks);
	return count;
}

START_TEST(a_thread_waits_before_the_first_job_comes)
{
	ck_assert_int_ge(count_threads(), 2);
}
END_TEST

START_TEST(many_jobs_over_few_threads_are_all_done)
{
	enum { JOBS = 2000 };
	struct work *jobs = calloc(JOBS, sizeof(*jobs));

	for (int i = 0; i < JOBS; i++) {
		jobs[i].wait_fd = -1;
		offload_submit(offload, &jobs[i].job, run, done);
	}
	turn_until(&done_count, JOBS);
	for (int i = 0; i < JOBS; i++)
		ck_assert(jobs[i].is_done);
	free(jobs);
}
END_TEST

START_TEST(stuck_jobs_delay_no_other_while_a_thread_is_left)
{
	struct work stuck[3] = { 0 }, quick = { .wait_fd = -1 };
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	for (int i = 0; i < 3; i++) {
		stuck[i].wait_fd = ends[0];
		offload_submit(offload, &stuck[i].job, run, done);
	}
	offload_submit(offload, &quick.job, run, done);
	turn_until(&done_count, 1);
	ck_assert(quick.is_done);
	ck_assert_int_eq((int)write(ends[1], "xyz", 3), 3);
	turn_until(&done_count, 4);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(stuck_threads_are_made_up_for_as_far_as_a_bound)
{
	enum { STUCK = 4 * OFFLOAD_STUCK_FACTOR + 3 };
	static struct work stuck[STUCK];
	struct work quick = { .wait_fd = -1 };
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	for (int i = 0; i < 4; i++) {
		stuck[i].wait_fd = ends[0];
		offload_submit(offload, &stuck[i].job, run, done);
	}
	/* Nobody submits anything behind it. */
	offload_submit(offload, &quick.job, run, done);
	turn_until(&done_count, 1);
	ck_assert(quick.is_done);
	while (offload_stuck(offload) < 4)
		ck_assert_int_eq(loop_turn(loop, 20), 0);
	for (int i = 4; i < STUCK; i++) {
		stuck[i].wait_fd = ends[0];
		offload_submit(offload, &stuck[i].job, run, done);
	}
	while (offload_stuck(offload) < 4 * OFFLOAD_STUCK_FACTOR)
		ck_assert_int_eq(loop_turn(loop, 20), 0);
	for (int64_t until_ms = clock_now_ms() + 2 * OFFLOAD_STUCK_MS; clock_now_ms() < until_ms;)
		ck_assert_int_eq(loop_turn(loop, 20), 0);
	ck_assert_uint_eq(offload_stuck(offload), 4 * OFFLOAD_STUCK_FACTOR);
	for (int i = 0; i < STUCK; i++)
		ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
	turn_until(&done_count, STUCK + 1);
	ck_assert_uint_eq(offload_stuck(offload), 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static void
submit_again(struct offload_job *job)
{
	if (--again_left > 0)
		offload_submit(offload, job, run, submit_again);
	else
		done(job);
}

START_TEST(a_job_may_be_submitted_again_when_it_is_done)
{
	struct work w = { .wait_fd = -1 };

	again_left = 5;
	offload_submit(offload, &w.job, run, submit_again);
	turn_until(&done_count, 1);
	ck_assert_int_eq(again_left, 0);
}
END_TEST

static size_t dropped_count;

static void
count_dropped(struct offload_job *job)
{
	ck_assert(job->is_dropped);
	dropped_count++;
}

static int begun_fd; /* an eventfd that counts jobs */

static void
begin_and_run(struct offload_job *job)
{
	eventfd_write(begun_fd, 1);
	run(job);
}

START_TEST(ending_hands_back_what_waits_and_leaves_stuck_threads_behind)
{
	static struct work jobs[6]; /* static: a thread keeps four of them */
	int64_t began_ms;
	eventfd_t one;
	size_t left;
	int ends[2];

	dropped_count = 0;
	begun_fd = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	for (int i = 0; i < 6; i++) {
		jobs[i].wait_fd = ends[0];
		offload_submit(offload, &jobs[i].job, begin_and_run, count_dropped);
	}
	/* Four threads, four jobs: they block before it ends. */
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(eventfd_read(begun_fd, &one), 0);
	began_ms = clock_now_ms();
	left = offload_free(&offload);
	ck_assert_int_lt(clock_now_ms() - began_ms, 5000);
	ck_assert_uint_eq(left, 4);
	ck_assert_int_eq(dropped_count, 2);
	loop_turn(loop, 0);
}
END_TEST

static void
count_signal(void *arg, int signal_number)
{
	(void)signal_number;
	++*(int *)arg;
}

START_TEST(signals_stay_the_loops)
{
	struct work w = { .wait_fd = -1 };
	int signals = 0, ends[2];

	/* The thread is there before the loop blocks the signal. */
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	w.wait_fd = ends[0];
	offload_submit(offload, &w.job, run, done);
	ck_assert_int_eq(loop_signal_add(loop, SIGUSR1, count_signal, &signals), 0);
	kill(getpid(), SIGUSR1);
	turn_until(&signals, 1);
	ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
	turn_until(&done_count, 1);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("offload");
	TCase *tc = tcase_create("offload");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, work_is_done_in_a_thread_and_handed_back_to_the_loop);
	tcase_add_test(tc, a_thread_waits_before_the_first_job_comes);
	tcase_add_test(tc, many_jobs_over_few_threads_are_all_done);
	tcase_add_test(tc, stuck_jobs_delay_no_other_while_a_thread_is_left);
	tcase_add_test(tc, stuck_threads_are_made_up_for_as_far_as_a_bound);
	tcase_add_test(tc, a_job_may_be_submitted_again_when_it_is_done);
	tcase_add_test(tc, ending_hands_back_what_waits_and_leaves_stuck_threads_behind);
	tcase_add_test(tc, signals_stay_the_loops);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
