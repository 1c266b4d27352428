/*
 * tail of a run of this machine's instance. What a worker would send to a client is made here by
 * the same code, in this process, from the same files; the instance is asked for its registry
 * alone. If it is restarted meanwhile, the stream goes on with the new one, by its last id.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/tail.h"
#include "admin/view.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/offload.h"
#include "shm/control.h"
#include "stream/subscriber.h"

enum {
	HELPER_THREADS = 4,
	FIND_POLL_MS = 50,
	FIND_GRACE_MS = 500,      /* beside discovery_interval_ms: that a look takes */
	INSTANCE_LOOK_MS = 500,
	INSTANCE_FIND_MS = 30000, /* in the registry of a new instance */
};

struct tail_local {
	const struct tail_options *options;
	struct tail_printer *printer;
	struct sse_reader reader;
	const struct settings *settings;
	struct loop *loop;
	struct offload *offload;
	struct hub *hub;
	struct subscriber subscriber;
	struct loop_timer registry_timer, instance_timer;
	struct loop_task read_task;
	struct loop_fd stdout_watch;
	pid_t instance;      /* 0: it cannot be seen from here whether it lives */
	bool instance_ended;
	bool has_nothing;    /* the id was that of the end */
	int error;           /* of writing */
};

/* --- reading -------------------------------------------------------------------------------------- */

static void wake(void *arg);

/* A block holds whole events. */
static int
print_block(struct tail_local *t, const struct block *block)
{
	return sse_reader_read(&t->reader, block->text, block->length_bytes);
}

/* One block a turn: the loop stays awake for files and signals however long the log is. */
static void
read_on(void *arg)
{
	struct tail_local *t = arg;
	struct block *block;

	switch (subscriber_next(&t->subscriber, &block)) {
	case STREAM_BLOCK:
		t->error = print_block(t, block);
		block_unref(&block);
		if (!t->error) {
			wake(t);
			return;
		}
		break;
	case STREAM_WAIT:
		t->error = tail_printer_flush(t->printer);
		if (!t->error)
			return;
		break;
	case STREAM_NOTHING_MORE:
		t->has_nothing = true;
		break;
	case STREAM_END:
		break;
	}
	loop_stop(t->loop);
}

static void
wake(void *arg)
{
	struct tail_local *t = arg;

	loop_defer(t->loop, &t->read_task, read_on, t);
}

/* No bell rings for us. */
static void
look_at_registry(void *arg)
{
	struct tail_local *t = arg;

	hub_registry_changed(t->hub);
	loop_timer_set(t->loop, &t->registry_timer, t->settings->api.sse.poll_interval_ms,
	               look_at_registry, t);
}

/* What it said of the run last would be believed for ever. */
static void
look_at_instance(void *arg)
{
	struct tail_local *t = arg;

	if (t->instance != 0 && kill(t->instance, 0) < 0 && errno == ESRCH) {
		t->instance_ended = true;
		loop_stop(t->loop);
		return;
	}
	loop_timer_set(t->loop, &t->instance_timer, INSTANCE_LOOK_MS, look_at_instance, t);
}

static int
follow(struct tail_local *t, const struct view *view, int runs_dir_fd,
       const struct registry_run *run, const struct start *start)
{
	struct channel_request request = {
		.kind = &stream_kind_log, .run = run, .files = t->options->files,
	};
	int error = loop_new(&t->loop);

	if (!error)
		error = offload_new(t->loop, HELPER_THREADS, &t->offload);
	if (!error)
		error = hub_new(t->loop, t->offload, t->settings, view->registry, view->buses, runs_dir_fd,
		                &t->hub);
	if (!error)
		error = subscriber_init(&t->subscriber, t->hub, &request, start, wake, t);
	if (!error) {
		t->subscriber.stops_at_end = !t->options->follows;
		tail_watch_stdout(t->loop, &t->stdout_watch);
		look_at_registry(t);
		look_at_instance(t);
		wake(t);
		error = loop_run(t->loop);
		subscriber_fini(&t->subscriber);
		loop_timer_stop(t->loop, &t->registry_timer);
		loop_timer_stop(t->loop, &t->instance_timer);
		loop_defer_cancel(t->loop, &t->read_task);
	}
	if (offload_free(&t->offload) == 0) {
		hub_free(&t->hub);
		loop_free(&t->loop);
	}
	return error;
}

/* --- finding --------------------------------------------------------------------------------------- */

static void
sleep_ms(long ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* One that was made a moment ago is found, and one that is waited for. */
static int
find(const struct view *view, const char *run_id, int64_t within_ms, struct registry_run *ret_run)
{
	int64_t until_ms = clock_now_ms() + within_ms;
	int r;

	while ((r = registry_find(view->registry, run_id, ret_run)) < 0 && clock_now_ms() < until_ms)
		sleep_ms(FIND_POLL_MS);
	if (r == -EAGAIN)
		return command_failed("run %s changes too fast to be read: try again", run_id);
	if (r < 0)
		return command_failed("there is no run %s in the registry", run_id);
	return ret_run->is_deleted ? command_failed("the run %s was deleted", run_id) : 0;
}

/* Until an instance answers again. */
static void
await_instance(const char *runtime_dir)
{
	struct client *client = NULL;

	command_warn("the instance at %s has ended: going on when there is one again", runtime_dir);
	while (client_open(runtime_dir, &client) < 0)
		sleep_ms(INSTANCE_LOOK_MS);
	client_close(&client);
}

/* --- the command -------------------------------------------------------------------------------------- */

static int
begin_at(struct tail_local *t, const char *id, struct start *ret_start)
{
	const struct tail_options *o = t->options;

	*ret_start = (struct start){ .kind = o->from_end ? START_END : START_BEGINNING };
	if (o->lines) {
		ret_start->kind = START_TAIL;
		ret_start->tail_lines = o->tail_lines;
	}
	if (*id) {
		ret_start->kind = START_CURSOR;
		if (cursor_parse(id, strlen(id), &ret_start->cursor) < 0)
			return command_misused("tail: --last-event-id takes the id of an event of this stream");
	}
	return 0;
}

static int
end_status(const struct tail_local *t, const struct registry_run *run)
{
	switch (t->printer->last) {
	case TAIL_LAST_END:
		return tail_end_status(t->options, t->printer);
	case TAIL_LAST_GONE:
		return COMMAND_FAILED;
	case TAIL_LAST_OTHER:
	case TAIL_LAST_REFUSED:
	case TAIL_LAST_FAILURE:
		break;
	}
	if (t->has_nothing) {
		t->printer->is_completed = strcmp(run->status, "completed") == 0;
		t->printer->has_exit_code = true;
		t->printer->exit_code = run->exit_code;
		return tail_end_status(t->options, t->printer);
	}
	return t->options->follows ? COMMAND_FAILED : COMMAND_DONE;
}

/* With one instance; -1 when it has ended before the run. */
static int
tail_with(struct tail_local *t, const struct view *view, int64_t find_ms)
{
	const char *runs_dir = t->settings->storage.runs_dir;
	struct json_object *value;
	struct registry_run run;
	struct start start;
	int runs_dir_fd, error, status = begin_at(t, sse_reader_last_id(&t->reader), &start);

	if (!status)
		status = find(view, t->options->subject, find_ms, &run);
	if (status)
		return status;
	if (json_object_object_get_ex(view->answer.body, CONTROL_RUNS_DIR, &value))
		runs_dir = json_object_get_string(value);
	if (json_object_object_get_ex(view->answer.body, CONTROL_PID, &value))
		t->instance = json_object_get_int(value);
	/* One in another name space of processes cannot be watched. */
	if (t->instance <= 0 || (kill(t->instance, 0) < 0 && errno == ESRCH))
		t->instance = 0;
	runs_dir_fd = open(runs_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (runs_dir_fd < 0)
		return command_failed("%s: %s", runs_dir, strerror(errno));
	error = follow(t, view, runs_dir_fd, &run, &start);
	fd_close(&runs_dir_fd);
	if (error)
		return command_failed("the stream ended: %s", strerror(-error));
	if (!t->error)
		t->error = tail_printer_flush(t->printer);
	if (t->error)
		return command_failed("standard output: %s", strerror(-t->error));
	return t->instance_ended ? -1 : end_status(t, &run);
}

int
tail_local(const struct call *call, const struct tail_options *options, struct tail_printer *printer)
{
	struct tail_local t = { .options = options, .printer = printer };
	struct settings settings;
	int64_t find_ms;
	int status;

	if (call_settings(call, &settings) < 0)
		return COMMAND_FAILED;
	t.settings = &settings;
	find_ms = settings.api.sse.discovery_interval_ms + FIND_GRACE_MS;
	if (find_ms < (int64_t)options->wait_s * 1000)
		find_ms = (int64_t)options->wait_s * 1000;
	sse_reader_init(&t.reader, TAIL_EVENT_MOST_BYTES, tail_printer_event, printer);
	status = options->last_event_id && sse_reader_set_last_id(&t.reader, options->last_event_id) < 0
	                 ? command_failed("out of memory")
	                 : -1;
	while (status < 0) {
		struct view *view;

		status = view_new(settings.server.runtime_dir, &view);
		if (status)
			break;
		status = tail_with(&t, view, find_ms);
		view_free(&view);
		if (status < 0) {
			await_instance(settings.server.runtime_dir);
			t.instance_ended = false;
			find_ms = INSTANCE_FIND_MS;
		}
	}
	sse_reader_fini(&t.reader);
	settings_fini(&settings);
	return status;
}
