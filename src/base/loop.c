#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"

enum { SIGNALS = 65 };

struct loop {
	int epoll_fd;
	bool stopping;
	int64_t now_ms;
	loop_turn_fn *measure; /* or NULL */
	void *measure_arg;

	/* The batch being dispatched, so that a removed watch is struck out of it. */
	struct epoll_event batch[LOOP_BATCH];
	int batch_length, batch_at;

	struct loop_timer *soonest; /* a binary heap by due_ms, of what its members point to */
	size_t timer_count;
	bool running_timers;

	TAILQ_HEAD(loop_task_list, loop_task) tasks;
	struct loop_task turn_end; /* a mark in tasks while they run */

	int signal_fd;
	struct loop_fd signal_watch;
	sigset_t signals;
	struct {
		loop_signal_fn *fn;
		void *arg;
	} signal_handlers[SIGNALS];
};

int
loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->signal_fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int error = -errno;

		free(loop);
		return error;
	}
	TAILQ_INIT(&loop->tasks);
	sigemptyset(&loop->signals);
	loop->now_ms = clock_now_ms();
	*ret_loop = loop;
	return 0;
}

void
loop_free(struct loop **loop)
{
	if (!*loop)
		return;
	fd_close(&(*loop)->signal_fd);
	fd_close(&(*loop)->epoll_fd);
	free(*loop);
	*loop = NULL;
}

int64_t
loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

void
loop_measure(struct loop *loop, loop_turn_fn *fn, void *arg)
{
	loop->measure = fn;
	loop->measure_arg = arg;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

/* --- descriptors ------------------------------------------------------------------------------ */

int
loop_fd_add(struct loop *loop, struct loop_fd *watch, int fd, uint32_t events, loop_fd_fn *fn,
            void *arg)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	*watch = (struct loop_fd){ .fn = fn, .arg = arg, .fd = fd, .events = events };
	return 0;
}

int
loop_fd_change(struct loop *loop, struct loop_fd *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (watch->events == events)
		return 0;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
		return -errno;
	watch->events = events;
	return 0;
}

void
loop_fd_remove(struct loop *loop, struct loop_fd *watch)
{
	if (!watch->fn)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	for (int i = loop->batch_at; i < loop->batch_length; i++)
		if (loop->batch[i].data.ptr == watch)
			loop->batch[i].data.ptr = NULL;
	*watch = (struct loop_fd){ .fd = -1 };
}

/* --- timers ----------------------------------------------------------------------------------- */

/* Where the heap's nth member is hung up, from 1; its parent, too. The bits of n below the highest
 * say at each step down whether it is to the left or the right. */
static struct loop_timer **
place_of(struct loop *loop, size_t n, struct loop_timer **ret_parent)
{
	struct loop_timer **place = &loop->soonest, *parent = NULL;
	size_t bit = 1;

	while (bit <= n / 2)
		bit *= 2;
	for (bit /= 2; bit > 0; bit /= 2) {
		parent = *place;
		place = n & bit ? &parent->right : &parent->left;
	}
	*ret_parent = parent;
	return place;
}

/* Hangs timer up where old was, with what hung on that. */
static void
take_place(struct loop *loop, const struct loop_timer *old, struct loop_timer *timer)
{
	timer->parent = old->parent;
	timer->left = old->left;
	timer->right = old->right;
	if (!timer->parent)
		loop->soonest = timer;
	else if (timer->parent->left == old)
		timer->parent->left = timer;
	else
		timer->parent->right = timer;
	if (timer->left)
		timer->left->parent = timer;
	if (timer->right)
		timer->right->parent = timer;
}

/* Changes places with its parent. */
static void
rise(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer *parent = timer->parent, *above = parent->parent, below = *timer;
	bool is_left = parent->left == timer;

	take_place(loop, parent, timer);
	timer->parent = above; /* not itself, which hung on its parent */
	if (is_left)
		timer->left = parent;
	else
		timer->right = parent;
	parent->parent = timer;
	parent->left = below.left;
	parent->right = below.right;
	if (parent->left)
		parent->left->parent = parent;
	if (parent->right)
		parent->right->parent = parent;
}

static void
sift_up(struct loop *loop, struct loop_timer *timer)
{
	while (timer->parent && timer->parent->due_ms > timer->due_ms)
		rise(loop, timer);
}

static void
sift_down(struct loop *loop, struct loop_timer *timer)
{
	for (;;) {
		struct loop_timer *child = timer->left;

		if (child && timer->right && timer->right->due_ms < child->due_ms)
			child = timer->right;
		if (!child || child->due_ms >= timer->due_ms)
			break;
		rise(loop, child);
	}
}

void
loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms, loop_timer_fn *fn,
               void *arg)
{
	/* From within a timer at least 1 ms: what sets itself anew must not fire twice a turn. */
	int64_t shortest_ms = loop->running_timers ? 1 : 0;

	timer->fn = fn;
	timer->arg = arg;
	timer->due_ms = loop->now_ms + (delay_ms > shortest_ms ? delay_ms : shortest_ms);
	if (!timer->is_set) {
		*place_of(loop, ++loop->timer_count, &timer->parent) = timer;
		timer->left = timer->right = NULL;
		timer->is_set = true;
	}
	sift_up(loop, timer);
	sift_down(loop, timer);
}

void
loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer **place, *last, *parent;

	if (!timer->is_set)
		return;
	must(loop->timer_count > 0);
	place = place_of(loop, loop->timer_count--, &parent);
	last = *place;
	*place = NULL;
	timer->is_set = false;
	if (last != timer) {
		take_place(loop, timer, last);
		sift_up(loop, last);
		sift_down(loop, last);
	}
}

bool
loop_timer_is_set(const struct loop_timer *timer)
{
	return timer->is_set;
}

static void
run_timers(struct loop *loop)
{
	loop->running_timers = true;
	while (loop->soonest && loop->soonest->due_ms <= loop->now_ms) {
		struct loop_timer *timer = loop->soonest;

		loop_timer_stop(loop, timer);
		timer->fn(timer->arg);
	}
	loop->running_timers = false;
}

/* --- deferred work ---------------------------------------------------------------------------- */

void
loop_defer(struct loop *loop, struct loop_task *task, loop_task_fn *fn, void *arg)
{
	if (task->queued)
		return;
	task->fn = fn;
	task->arg = arg;
	task->queued = true;
	TAILQ_INSERT_TAIL(&loop->tasks, task, entry);
}

void
loop_defer_cancel(struct loop *loop, struct loop_task *task)
{
	if (!task->queued)
		return;
	TAILQ_REMOVE(&loop->tasks, task, entry);
	task->queued = false;
}

static void
run_tasks(struct loop *loop)
{
	struct loop_task *task;

	/* The mark bounds the turn: what is deferred from here on runs in the next one. */
	TAILQ_INSERT_TAIL(&loop->tasks, &loop->turn_end, entry);
	while ((task = TAILQ_FIRST(&loop->tasks)) != &loop->turn_end) {
		loop_defer_cancel(loop, task);
		task->fn(task->arg);
	}
	TAILQ_REMOVE(&loop->tasks, &loop->turn_end, entry);
}

/* --- signals ------------------------------------------------------------------------------------ */

static void
read_signals(void *arg, uint32_t events)
{
	struct loop *loop = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo < SIGNALS && loop->signal_handlers[info.ssi_signo].fn)
			loop->signal_handlers[info.ssi_signo].fn(
				loop->signal_handlers[info.ssi_signo].arg, (int)info.ssi_signo);
}

int
loop_signal_add(struct loop *loop, int signal_number, loop_signal_fn *fn, void *arg)
{
	int fd;

	must(signal_number > 0 && signal_number < SIGNALS);
	sigaddset(&loop->signals, signal_number);
	if (sigprocmask(SIG_BLOCK, &loop->signals, NULL) < 0)
		return -errno;
	fd = signalfd(loop->signal_fd, &loop->signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	loop->signal_handlers[signal_number].fn = fn;
	loop->signal_handlers[signal_number].arg = arg;
	if (loop->signal_fd < 0) {
		loop->signal_fd = fd;
		return loop_fd_add(loop, &loop->signal_watch, fd, EPOLLIN, read_signals, loop);
	}
	return 0;
}

/* --- turns -------------------------------------------------------------------------------------- */

static int
wait_ms(const struct loop *loop, int at_most_ms)
{
	int64_t wait;

	if (!TAILQ_EMPTY(&loop->tasks))
		return 0;
	if (!loop->soonest)
		return at_most_ms;
	wait = loop->soonest->due_ms - clock_now_ms();
	if (wait < 0)
		wait = 0;
	if (at_most_ms >= 0 && wait > at_most_ms)
		wait = at_most_ms;
	return wait > 60000 ? 60000 : (int)wait;
}

int
loop_turn(struct loop *loop, int timeout_ms)
{
	int n = epoll_wait(loop->epoll_fd, loop->batch, LOOP_BATCH, wait_ms(loop, timeout_ms));

	int64_t began_ns;

	if (n < 0 && errno != EINTR)
		return -errno;
	began_ns = clock_now_ns();
	loop->now_ms = began_ns / 1000000;
	loop->batch_length = n > 0 ? n : 0;
	for (loop->batch_at = 0; loop->batch_at < loop->batch_length;) {
		struct epoll_event *event = &loop->batch[loop->batch_at++];
		struct loop_fd *watch = event->data.ptr;

		if (watch)
			watch->fn(watch->arg, event->events);
	}
	loop->batch_length = loop->batch_at = 0;
	run_timers(loop);
	run_tasks(loop);
	if (loop->measure)
		loop->measure(loop->measure_arg, clock_now_ns() - began_ns);
	return 0;
}

int
loop_run(struct loop *loop)
{
	while (!loop->stopping) {
		int error = loop_turn(loop, -1);

		if (error)
			return error;
	}
	loop->stopping = false;
	return 0;
}
