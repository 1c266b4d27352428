#include "base/offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"

enum { IDLE_S = 5 };

TAILQ_HEAD(job_list, offload_job);

struct offload {
	struct loop *loop;
	struct loop_fd wake_watch;
	int wake_fd;
	size_t most_threads;

	pthread_mutex_t mutex; /* held for a few list operations only, never over work */
	pthread_cond_t work_waiting, thread_ended;
	struct job_list waiting, running, finished; /* running: who began first stands first */
	size_t waiting_count, threads, idle;
	bool ending;
	struct loop_timer grow_timer; /* jobs wait, and threads may have become stuck */
};

static void *
run_thread(void *arg)
{
	struct offload *o = arg;

	pthread_mutex_lock(&o->mutex);
	for (;;) {
		struct offload_job *job;

		while (TAILQ_EMPTY(&o->waiting) && !o->ending) {
			struct timespec until;
			int timed_out;

			clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_sec += IDLE_S;
			o->idle++;
			timed_out = pthread_cond_timedwait(&o->work_waiting, &o->mutex, &until);
			o->idle--;
			/* One always stays to wait: no more may be startable when a job comes. */
			if (timed_out == ETIMEDOUT && TAILQ_EMPTY(&o->waiting) && o->idle > 0)
				goto end;
		}
		if (o->ending)
			goto end;
		job = TAILQ_FIRST(&o->waiting);
		TAILQ_REMOVE(&o->waiting, job, entry);
		o->waiting_count--;
		job->began_ms = clock_now_ms();
		TAILQ_INSERT_TAIL(&o->running, job, entry);
		pthread_mutex_unlock(&o->mutex);
		job->work(job);
		pthread_mutex_lock(&o->mutex);
		TAILQ_REMOVE(&o->running, job, entry);
		TAILQ_INSERT_TAIL(&o->finished, job, entry);
		eventfd_write(o->wake_fd, 1);
	}
end:
	o->threads--;
	pthread_cond_signal(&o->thread_ended);
	pthread_mutex_unlock(&o->mutex);
	return NULL;
}

static void
hand_back(void *arg, uint32_t events)
{
	struct offload *o = arg;
	struct job_list finished = TAILQ_HEAD_INITIALIZER(finished);
	struct offload_job *job;
	eventfd_t count;

	(void)events;
	eventfd_read(o->wake_fd, &count);
	pthread_mutex_lock(&o->mutex);
	TAILQ_CONCAT(&finished, &o->finished, entry);
	pthread_mutex_unlock(&o->mutex);
	while ((job = TAILQ_FIRST(&finished)) != NULL) {
		TAILQ_REMOVE(&finished, job, entry);
		job->done(job);
	}
}

/* With the mutex held. Returns 0 or -errno. */
static int
start_thread(struct offload *o)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	/* Signals are the loop's: a helper must not take one. */
	sigfillset(&all);
	sigdelset(&all, SIGSYS); /* of the thread that makes the call: base/syscall_filter.h */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	error = pthread_create(&thread, &attributes, run_thread, o);
	if (error == 0)
		o->threads++;
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

int
offload_new(struct loop *loop, size_t most_threads, struct offload **ret_offload)
{
	struct offload *o = calloc(1, sizeof(*o));
	pthread_condattr_t monotonic;
	int error;

	must(most_threads > 0);
	if (!o)
		return -ENOMEM;
	o->loop = loop;
	o->most_threads = most_threads;
	TAILQ_INIT(&o->waiting);
	TAILQ_INIT(&o->running);
	TAILQ_INIT(&o->finished);
	o->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (o->wake_fd < 0) {
		error = -errno;
		free(o);
		return error;
	}
	error = loop_fd_add(loop, &o->wake_watch, o->wake_fd, EPOLLIN, hand_back, o);
	if (error) {
		fd_close(&o->wake_fd);
		free(o);
		return error;
	}
	pthread_mutex_init(&o->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&o->work_waiting, &monotonic);
	pthread_cond_init(&o->thread_ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_lock(&o->mutex);
	error = start_thread(o);
	pthread_mutex_unlock(&o->mutex);
	if (error) {
		offload_free(&o);
		return error;
	}
	*ret_offload = o;
	return 0;
}

size_t
offload_free(struct offload **offload)
{
	struct job_list over = TAILQ_HEAD_INITIALIZER(over);
	struct offload *o = *offload;
	struct offload_job *job;
	struct timespec until;
	size_t left;

	if (!o)
		return 0;
	*offload = NULL;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 1;
	pthread_mutex_lock(&o->mutex);
	o->ending = true;
	pthread_cond_broadcast(&o->work_waiting);
	while (o->threads > 0)
		if (pthread_cond_timedwait(&o->thread_ended, &o->mutex, &until) == ETIMEDOUT)
			break;
	left = o->threads;
	TAILQ_FOREACH (job, &o->waiting, entry)
		job->is_dropped = true;
	TAILQ_CONCAT(&over, &o->finished, entry);
	TAILQ_CONCAT(&over, &o->waiting, entry);
	pthread_mutex_unlock(&o->mutex);
	loop_fd_remove(o->loop, &o->wake_watch);
	loop_timer_stop(o->loop, &o->grow_timer);
	while ((job = TAILQ_FIRST(&over)) != NULL) {
		TAILQ_REMOVE(&over, job, entry);
		job->done(job);
	}
	if (left > 0)
		return left; /* their threads still use it */
	fd_close(&o->wake_fd);
	pthread_cond_destroy(&o->work_waiting);
	pthread_cond_destroy(&o->thread_ended);
	pthread_mutex_destroy(&o->mutex);
	free(o);
	return 0;
}

/* With the mutex held. */
static size_t
count_stuck(const struct offload *o)
{
	int64_t before_ms = clock_now_ms() - OFFLOAD_STUCK_MS;
	const struct offload_job *job;
	size_t count = 0;

	TAILQ_FOREACH (job, &o->running, entry) {
		if (job->began_ms > before_ms)
			break;
		count++;
	}
	return count;
}

size_t
offload_stuck(struct offload *offload)
{
	size_t count;

	pthread_mutex_lock(&offload->mutex);
	count = count_stuck(offload);
	pthread_mutex_unlock(&offload->mutex);
	return count;
}

static void grow_later(void *arg);

/* With the mutex held: so many threads more, as far as there are jobs for them and they may be. If
 * none can be started now, one that runs takes the job when it is free. */
static void
grow(struct offload *o, size_t wanted)
{
	size_t most = o->most_threads;

	if (o->waiting_count <= o->idle)
		return;
	if (wanted > o->waiting_count - o->idle)
		wanted = o->waiting_count - o->idle;
	if (o->threads >= most)
		most += count_stuck(o);
	if (most > o->most_threads * OFFLOAD_STUCK_FACTOR)
		most = o->most_threads * OFFLOAD_STUCK_FACTOR;
	for (; wanted > 0 && o->threads < most; wanted--)
		if (start_thread(o) != 0)
			break;
	if (!loop_timer_is_set(&o->grow_timer))
		loop_timer_set(o->loop, &o->grow_timer, OFFLOAD_STUCK_MS, grow_later, o);
}

static void
grow_later(void *arg)
{
	struct offload *o = arg;

	pthread_mutex_lock(&o->mutex);
	grow(o, SIZE_MAX);
	pthread_mutex_unlock(&o->mutex);
}

void
offload_submit(struct offload *offload, struct offload_job *job, offload_work_fn *work,
               offload_done_fn *done)
{
	job->work = work;
	job->done = done;
	job->is_dropped = false;
	must(!offload->ending);
	pthread_mutex_lock(&offload->mutex);
	TAILQ_INSERT_TAIL(&offload->waiting, job, entry);
	offload->waiting_count++;
	grow(offload, 1);
	pthread_cond_signal(&offload->work_waiting);
	pthread_mutex_unlock(&offload->mutex);
}
