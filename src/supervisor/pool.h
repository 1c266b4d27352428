/*
 * Discovery and the workers: starts them, starts again what ends, hands new settings down, and
 * stops them all.
 */
#ifndef SUPERVISOR_POOL_H
#define SUPERVISOR_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "conf/settings.h"
#include "supervisor/child.h"
#include "supervisor/privileges.h"
#include "supervisor/segments.h"
#include "supervisor/sockets.h"

enum { POOL_KILL_AFTER_MS = 5000 }; /* more than drain_ms, for a child to end */

typedef void pool_down_fn(void *arg);
typedef void pool_child_up_fn(void *arg);

/* All borrowed, for as long as the pool lives. */
struct pool_parts {
	struct loop *loop;
	const struct settings *settings; /* as of now: a reload changes them in place */
	const struct segments *segments;
	const struct sockets *sockets;
	const struct privileges *privileges;
	int lock_fd, state_dir_fd;
	child_main_fn *discovery_main, *worker_main;
	pool_down_fn *down; /* called once when all have ended after pool_stop() */
	pool_child_up_fn *child_up; /* a child was heard of for the first time; or NULL */
	void *arg;
};

struct pool {
	struct pool_parts parts;
	struct child children[1 + INSTANCE_WORKERS_MAX]; /* by board number */
	uint32_t count; /* places: discovery's, and one for each socket */
	int runs_dir_fd;
	bool is_stopping;
	uint64_t to_drain; /* bit n - 1: worker n is to be drained and replaced */
	struct loop_timer deadline, tell_timer;
};

/* Starts discovery, and as many workers as server.workers says; from here on the loop handles SIGCHLD. 0 or -errno (pool_fini() then, too). */
int pool_init(struct pool *pool, const struct pool_parts *parts);
void pool_fini(struct pool *pool);

/* Sends the present settings to every child. */
void pool_send_settings(struct pool *pool);

/*
 * Starts workers, or drains and ends those with the highest numbers, so that there are as many as
 * the present settings say. Those who stay keep their streams, and every socket somebody who
 * accepts on it. There must be a socket for each.
 */
void pool_resize(struct pool *pool);

enum { POOL_ALL_WORKERS = 0 };

/*
 * Has a worker (from 1) replaced: it accepts no more, ends its streams over server.drain_ms, and is
 * started anew when it has ended. All: one after another, each when those before are back. 0,
 * -ENOENT: there is no such worker; -ESHUTDOWN: all are about to end.
 */
int pool_drain(struct pool *pool, uint32_t worker);

/* Sends a message (shm/orders.h) to a child, which is not waited for. 0 or -errno: -EAGAIN when it
 * has not taken what was sent before, -EPIPE when it is not there. */
int pool_order(struct pool *pool, uint32_t process, const struct buf *message);

/*
 * Asks all to drain and end, and calls down() when they have; those who take POOL_KILL_AFTER_MS
 * longer than server.drain_ms are killed. A second call kills them at once.
 */
void pool_stop(struct pool *pool);

/* "running", "draining", "waiting" (to be started again), "stopping" or "stopped". */
const char *pool_state(const struct pool *pool, uint32_t process);

#endif
