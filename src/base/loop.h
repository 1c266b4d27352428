/*
 * The event loop of a process, and the only user of epoll(7) and signalfd(2): descriptors,
 * timers, signals, and work put off to the next turn. One thread; no call here is thread-safe.
 *
 * A turn: wait (not at all while deferred work is queued), dispatch at most LOOP_BATCH
 * descriptor events, run due timers, then run what was deferred so far. What deferred work
 * defers waits for the next turn.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

struct loop;

enum { LOOP_BATCH = 256 };

/* Returns 0 or -errno; returns owned. */
int loop_new(struct loop **ret_loop);
void loop_free(struct loop **loop);

/* Runs until loop_stop(). Returns 0, or -errno if epoll fails. */
int loop_run(struct loop *loop);
/* Makes loop_run() return at the end of this turn; at once, if it has yet to be called. */
void loop_stop(struct loop *loop);
/* One turn; waits at most timeout_ms for it (-1: without end). For tests and small tools. */
int loop_turn(struct loop *loop, int timeout_ms);

/* Has fn called at the end of each turn, with the time that it took, but for what it waited. */
typedef void loop_turn_fn(void *arg, int64_t took_ns);
void loop_measure(struct loop *loop, loop_turn_fn *fn, void *arg);

/* CLOCK_MONOTONIC as of the start of this turn. */
int64_t loop_now_ms(const struct loop *loop);

/* --- descriptors: embedded in their owner, which keeps the descriptor and closes it --------- */

/* events: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR as epoll_wait(2) reports them. */
typedef void loop_fd_fn(void *arg, uint32_t events);

struct loop_fd {
	loop_fd_fn *fn;
	void *arg;
	int fd;
	uint32_t events;
};

/* Watches fd for events (EPOLLET may be among them). 0 or -errno. */
int loop_fd_add(struct loop *loop, struct loop_fd *watch, int fd, uint32_t events, loop_fd_fn *fn,
                void *arg);
/* Changes the events; does nothing when they are the same. 0 or -errno. */
int loop_fd_change(struct loop *loop, struct loop_fd *watch, uint32_t events);
/* Forgets it: fn is not called again, not even for what this turn already received. */
void loop_fd_remove(struct loop *loop, struct loop_fd *watch);

/* --- timers: embedded, zero-initialised; one shot each ---------------------------------------- */

typedef void loop_timer_fn(void *arg);

struct loop_timer {
	loop_timer_fn *fn;
	void *arg;
	int64_t due_ms;
	bool is_set;
	struct loop_timer *parent, *left, *right; /* in the loop's heap */
};

/* Sets (or sets anew) the timer to fire delay_ms after loop_now_ms(). It needs no memory, and so
 * cannot fail: what depends on a timer goes on whatever else does not. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms, loop_timer_fn *fn,
                    void *arg);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);

/* --- deferred work: embedded, zero-initialised ------------------------------------------------ */

typedef void loop_task_fn(void *arg);

struct loop_task {
	loop_task_fn *fn;
	void *arg;
	bool queued;
	TAILQ_ENTRY(loop_task) entry;
};

/* Runs fn(arg) once, at the end of this turn, or of the next one if that has begun; does nothing if
 * it is queued already. */
void loop_defer(struct loop *loop, struct loop_task *task, loop_task_fn *fn, void *arg);
void loop_defer_cancel(struct loop *loop, struct loop_task *task);

/* --- signals ------------------------------------------------------------------------------------ */

typedef void loop_signal_fn(void *arg, int signal_number);

/* Blocks the signal and has fn called for it from the loop. 0 or -errno. */
int loop_signal_add(struct loop *loop, int signal_number, loop_signal_fn *fn, void *arg);

#endif
