#include "supervisor/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "shm/counters.h"
#include "shm/orders.h"
#include "supervisor/health.h"
#include "supervisor/pool_parts.h"

/* --- starting --------------------------------------------------------------------------------- */

/* The directory may come later than we; who starts anew then gets it. */
static int
find_runs_dir(struct pool *pool)
{
	if (pool->runs_dir_fd < 0)
		pool->runs_dir_fd = open(pool->parts.settings->storage.runs_dir,
		                         O_PATH | O_DIRECTORY | O_CLOEXEC);
	return pool->runs_dir_fd;
}

static int
start(struct pool *pool, struct child *child)
{
	struct instance instance = { .supervisor_fd = -1, .clients_fd = -1 };
	struct child_plan plan = { .instance = &instance, .privileges = pool->parts.privileges,
		                   .lock_fd = pool->parts.lock_fd };
	struct sandbox sandbox;
	int error = settings_copy(pool->parts.settings, &instance.settings);

	if (error)
		return error;
	segments_give(pool->parts.segments, child->process, &instance);
	for (uint32_t i = 0; i < INSTANCE_WORKERS_MAX; i++)
		instance.listen_fds[i] = -1;
	instance.runs_dir_fd = find_runs_dir(pool);
	instance.state_dir_fd = pool->parts.state_dir_fd;
	plan.main = pool->parts.discovery_main;
	if (child->process > 0) {
		plan.main = pool->parts.worker_main;
		instance.worker_index = child->process - 1;
		memcpy(instance.listen_fds, pool->parts.sockets->fds,
		       pool->parts.sockets->count * sizeof(instance.listen_fds[0]));
		pool_set_accepts(pool, child, true);
		instance.listen_set = child->told_set = child->listen_set;
		/* Before the board says that there is a worker to count the clients of. */
		error = segments_forget(pool->parts.segments, instance.worker_index);
	}
	sandbox = (struct sandbox){
		.role = child->process == BOARD_DISCOVERY ? SANDBOX_DISCOVERY : SANDBOX_WORKER,
		.records = *instance.settings.recording.allow_from != '\0',
		.runs_dir = instance.settings.storage.runs_dir,
		.runs_dir_fd = instance.runs_dir_fd,
		.state_dir_fd = instance.state_dir_fd,
	};
	if (instance.settings.server.sandbox)
		plan.sandbox = &sandbox;
	child->may_write = !plan.sandbox || sandbox.records;
	if (!error)
		error = child_start(child, &plan);
	settings_fini(&instance.settings);
	if (error)
		return error;
	child->was_aborted = false;
	error = health_watch(pool, child);
	if (error)
		log_warning("child_unheard", "process=%s error=\"%s\"", child->name, strerror(-error));
	board_set(pool->parts.segments->board_map, child->process, child->pid);
	if (child->has_failed)
		board_count_restart(pool->parts.segments->board_map, child->process);
	else if (child->was_started)
		board_count_replacement(pool->parts.segments->board_map, child->process);
	child->was_started = true;
	child->has_failed = false;
	log_info("child_started", "process=%s child_pid=%d", child->name, (int)child->pid);
	return 0;
}

/* delay_ms as the back-off has it; a child that cannot even be forked is tried again like one
 * that ended. */
static void
start_later(struct pool *pool, struct child *child, int64_t delay_ms)
{
	loop_timer_set(pool->parts.loop, &child->timer, delay_ms, pool_start_or_wait, child);
}

void
pool_start_or_wait(void *arg)
{
	struct child *child = arg;
	struct pool *pool = child->owner;
	int error = start(pool, child);
	int64_t delay_ms;

	if (!error) {
		pool_drain_next(pool);
		return;
	}
	pool_set_accepts(pool, child, false);
	delay_ms = back_off_delay_ms(&child->back_off, 0);
	counters_own(pool->parts.segments->own_counters)->faults[COUNTERS_FAULT_START]++;
	log_error("restart_failed", "process=%s error=\"%s\" restart_in_ms=%jd", child->name,
	          strerror(-error), (intmax_t)delay_ms);
	start_later(pool, child, delay_ms);
}

/* --- ending ----------------------------------------------------------------------------------- */

static bool
is_down(const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->count; i++)
		if (pool->children[i].pid != 0)
			return false;
	return true;
}

static void
handle_end(struct pool *pool, struct child *child, int status)
{
	int64_t lived_ms = clock_now_ms() - child->started_ms, delay_ms = 0;
	bool is_expected = pool->is_stopping || child->is_draining;
	pid_t pid = child->pid;
	const char *how = WIFSIGNALED(status) ? "signal" : "exit_status";
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

	/* First of all: the clients that it counted are gone. */
	board_set(pool->parts.segments->board_map, child->process, 0);
	health_unwatch(pool, child);
	child_forget(child);
	loop_timer_stop(pool->parts.loop, &child->timer);
	child->is_draining = false;
	/* One that was asked before it could listen ends by the signal itself. */
	child->has_failed = !is_expected ||
	                    (status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
	if (is_expected && child->has_failed) {
		log_warning("child_ended", "process=%s child_pid=%d %s=%d core=%s", child->name,
		            (int)pid, how, number,
		            WIFSIGNALED(status) && WCOREDUMP(status) ? "yes" : "no");
	} else if (is_expected) {
		log_info("child_ended", "process=%s child_pid=%d %s=%d", child->name, (int)pid, how,
		         number);
	} else {
		delay_ms = back_off_delay_ms(&child->back_off, lived_ms);
		log_warning("child_ended",
		            "process=%s child_pid=%d %s=%d core=%s lived_ms=%jd restart_in_ms=%jd",
		            child->name, (int)pid, how, number,
		            WIFSIGNALED(status) && WCOREDUMP(status) ? "yes" : "no",
		            (intmax_t)lived_ms, (intmax_t)delay_ms);
	}
	if (pool->is_stopping)
		return;
	if (pool_wants(pool, child))
		start_later(pool, child, delay_ms);
	/* One that is back in no time keeps its sockets, and so who waits at them. */
	pool_set_accepts(pool, child, pool_wants(pool, child) && delay_ms == 0);
	pool_drain_next(pool);
}

static void
reap(void *arg, int signal_number)
{
	struct pool *pool = arg;
	bool was_down = is_down(pool);

	(void)signal_number;
	/* One signal may stand for several children. */
	for (uint32_t i = 0; i < pool->count; i++) {
		struct child *child = &pool->children[i];
		int status;

		if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
			handle_end(pool, child, status);
	}
	if (pool->is_stopping && !was_down && is_down(pool)) {
		loop_timer_stop(pool->parts.loop, &pool->deadline);
		pool->parts.down(pool->parts.arg);
	}
}

static void
signal_all(struct pool *pool, int signal_number)
{
	for (uint32_t i = 0; i < pool->count; i++)
		if (pool->children[i].pid != 0)
			kill(pool->children[i].pid, signal_number);
}

static void
kill_all(void *arg)
{
	struct pool *pool = arg;

	for (uint32_t i = 0; i < pool->count; i++)
		if (pool->children[i].pid != 0)
			log_warning("child_killed", "process=%s child_pid=%d", pool->children[i].name,
			            (int)pool->children[i].pid);
	signal_all(pool, SIGKILL);
}

void
pool_stop(struct pool *pool)
{
	if (pool->is_stopping) {
		kill_all(pool);
		return;
	}
	pool->is_stopping = true;
	pool->to_drain = 0;
	for (uint32_t i = 0; i < pool->count; i++) {
		loop_timer_stop(pool->parts.loop, &pool->children[i].timer);
		/* Nobody shall be refused who can wait for the next instance. */
		if (pool->parts.sockets->outlive_us)
			pool->children[i].accepts = false;
	}
	pool_assign_sockets(pool);
	if (is_down(pool)) {
		pool->parts.down(pool->parts.arg);
		return;
	}
	signal_all(pool, SIGTERM);
	loop_timer_set(pool->parts.loop, &pool->deadline,
	               pool->parts.settings->server.drain_ms + POOL_KILL_AFTER_MS, kill_all, pool);
}

/* --- the pool --------------------------------------------------------------------------------- */

int
pool_init(struct pool *pool, const struct pool_parts *parts)
{
	int error;

	*pool = (struct pool){ .parts = *parts, .runs_dir_fd = -1,
		               .count = 1 + parts->segments->worker_count };
	for (uint32_t i = 0; i < pool->count; i++) {
		struct child *child = &pool->children[i];

		child->process = i;
		child->fd = -1;
		child->owner = pool;
		if (i == 0)
			snprintf(child->name, sizeof(child->name), "discovery");
		else
			snprintf(child->name, sizeof(child->name), "worker-%u", i);
	}
	error = loop_signal_add(parts->loop, SIGCHLD, reap, pool);
	if (error)
		return error;
	if (find_runs_dir(pool) < 0)
		log_warning("runs_dir", "path=\"%s\" error=\"%s\"", parts->settings->storage.runs_dir,
		            strerror(errno));
	for (uint32_t i = 0; !error && i < pool->count && pool_wants(pool, &pool->children[i]); i++)
		error = start(pool, &pool->children[i]);
	return error;
}

void
pool_fini(struct pool *pool)
{
	/* Those who still live see the end of their supervisor_fd, and end as well. */
	for (uint32_t i = 0; i < pool->count; i++) {
		loop_timer_stop(pool->parts.loop, &pool->children[i].timer);
		health_unwatch(pool, &pool->children[i]);
		child_forget(&pool->children[i]);
	}
	loop_timer_stop(pool->parts.loop, &pool->deadline);
	loop_timer_stop(pool->parts.loop, &pool->tell_timer);
	fd_close(&pool->runs_dir_fd);
}

int
pool_order(struct pool *pool, uint32_t process, const struct buf *message)
{
	const struct child *child = &pool->children[process];

	if (child->pid == 0)
		return -EPIPE;
	if (buf_error(message))
		return buf_error(message);
	return fd_send(child->fd, message->data, message->length_bytes, NULL, 0);
}

/* Whoever may not write is not told that it may record: it would fail at it. */
static void
put_settings_without_recording(struct buf *to, const struct settings *settings)
{
	struct settings without = *settings;
	char nobody[] = "";

	without.recording.allow_from = nobody;
	orders_put_settings(to, &without);
}

void
pool_send_settings(struct pool *pool)
{
	struct buf message = BUF_INIT, without_recording = BUF_INIT;

	orders_put_settings(&message, pool->parts.settings);
	put_settings_without_recording(&without_recording, pool->parts.settings);
	for (uint32_t i = 0; i < pool->count; i++) {
		int error = pool_order(pool, i, pool->children[i].may_write ? &message
		                                                            : &without_recording);

		/* It keeps what it has; EPIPE means that it is about to be started anew. */
		if (error && error != -EPIPE)
			log_warning("reload", "process=%s error=\"%s\"", pool->children[i].name,
			            strerror(-error));
	}
	buf_fini(&without_recording);
	buf_fini(&message);
}

const char *
pool_state(const struct pool *pool, uint32_t process)
{
	const struct child *child = &pool->children[process];

	if (child->pid != 0 && !pool->is_stopping)
		return child->is_draining ? "draining" : "running";
	if (child->pid != 0)
		return "stopping";
	return pool->is_stopping || !pool_wants(pool, child) ? "stopped" : "waiting";
}
