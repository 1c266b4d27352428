/*
 * tail: a run's stream in the terminal. What a worker would send to a client is made here by the
 * same code, in this process, from the same files; the instance is asked for its registry alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "admin/command.h"
#include "admin/view.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/num.h"
#include "base/offload.h"
#include "shm/control.h"
#include "stream/subscriber.h"

enum { HELPER_THREADS = 4, NAME_BYTES = 32 };

const struct command_option tail_options[] = {
	{ "lines", "N", "the last N lines of each file, then what comes" },
	{ "from", "start|end", "where to begin; default: start" },
	{ "streams", "NAMES", "stdout, stderr, or both with a comma; default: both" },
	{ "last-event-id", "ID", "go on behind the event with this id" },
	{ NULL, NULL, NULL },
};

struct tail {
	bool is_json;
	struct loop *loop;
	struct offload *offload;
	struct hub *hub;
	struct subscriber subscriber;
	struct loop_timer registry_timer;
	struct loop_task read_task;
	int error; /* of writing; or the end without `complete` */
	bool is_complete;
};

/* --- printing --------------------------------------------------------------------------------------- */

struct event_text {
	char name[NAME_BYTES];
	const char *id, *data; /* borrowed from the block */
	size_t id_length, data_length;
};

static const char *
text_of(struct json_object *data, const char *key, int *ret_length)
{
	struct json_object *value;

	if (!json_object_object_get_ex(data, key, &value)) {
		*ret_length = 0;
		return "";
	}
	*ret_length = json_object_get_string_len(value);
	return json_object_get_string(value);
}

/* A line goes where the command wrote it. */
static void
print_log(struct json_object *data)
{
	int length, stream_length;
	const char *line = text_of(data, "line", &length);
	const char *stream = text_of(data, "stream", &stream_length);
	FILE *to = strcmp(stream, "stderr") == 0 ? stderr : stdout;

	fwrite(line, 1, (size_t)length, to);
	if (!json_object_object_get_ex(data, "partial", NULL))
		putc('\n', to);
}

static void
print_event(struct tail *t, const struct event_text *e)
{
	struct json_tokener *tokener;
	struct json_object *data;
	int length;

	if (t->is_json) {
		/* One line an event: data is JSON on one line already. */
		printf("{\"event\":\"%s\",\"id\":\"%.*s\",\"data\":%.*s}\n", e->name, (int)e->id_length,
		       e->id ? e->id : "", (int)e->data_length, e->data);
		return;
	}
	tokener = json_tokener_new();
	data = tokener ? json_tokener_parse_ex(tokener, e->data, (int)e->data_length) : NULL;
	if (data && strcmp(e->name, "log") == 0)
		print_log(data);
	else if (data && strcmp(e->name, "gap") == 0)
		command_warn("gap in %s: %s", text_of(data, "stream", &length),
		             text_of(data, "reason", &length));
	else if (data && strcmp(e->name, "gone") == 0)
		command_warn("the run was deleted");
	json_object_put(data);
	if (tokener)
		json_tokener_free(tokener);
}

static bool
take_field(const char *line, size_t length, const char *name, const char **ret_value,
           size_t *ret_length)
{
	size_t name_length = strlen(name);

	if (length < name_length || memcmp(line, name, name_length) != 0)
		return false;
	*ret_value = line + name_length;
	*ret_length = length - name_length;
	return true;
}

/* A block holds whole events, made by us: one line each of id (if any), event and data. */
static void
print_block(struct tail *t, const struct block *block)
{
	const char *at = block->text, *end = block->text + block->length_bytes;
	struct event_text e = { .name = "" };

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at)), *name;
		size_t length = line_end ? (size_t)(line_end - at) : (size_t)(end - at), name_length;

		if (length == 0 && e.data) {
			print_event(t, &e);
			if (strcmp(e.name, "complete") == 0)
				t->is_complete = true;
			e = (struct event_text){ .name = "" };
		}
		take_field(at, length, "id: ", &e.id, &e.id_length);
		take_field(at, length, "data: ", &e.data, &e.data_length);
		if (take_field(at, length, "event: ", &name, &name_length) && name_length < NAME_BYTES) {
			memcpy(e.name, name, name_length);
			e.name[name_length] = '\0';
		}
		at += length + 1;
	}
}

/* --- reading ---------------------------------------------------------------------------------------- */

static void wake(void *arg);

/* One block a turn: the loop stays awake for files and signals however long the log is. */
static void
read_on(void *arg)
{
	struct tail *t = arg;
	struct block *block;

	switch (subscriber_next(&t->subscriber, &block)) {
	case STREAM_BLOCK:
		print_block(t, block);
		block_unref(&block);
		if (ferror(stdout)) {
			t->error = -EIO;
			loop_stop(t->loop);
			return;
		}
		wake(t);
		return;
	case STREAM_WAIT:
		if (fflush(stdout) != 0) {
			t->error = -errno;
			loop_stop(t->loop);
		}
		return;
	case STREAM_NOTHING_MORE:
		t->is_complete = true;
		loop_stop(t->loop);
		return;
	case STREAM_END:
		loop_stop(t->loop);
		return;
	}
}

static void
wake(void *arg)
{
	struct tail *t = arg;

	loop_defer(t->loop, &t->read_task, read_on, t);
}

/* No bell rings for us. */
static void
look_at_registry(void *arg)
{
	struct tail *t = arg;

	hub_registry_changed(t->hub);
	loop_timer_set(t->loop, &t->registry_timer, t->hub->settings->api.sse.poll_interval_ms,
	               look_at_registry, t);
}

static int
follow(struct tail *t, const struct settings *settings, const struct view *view, int runs_dir_fd,
       const struct registry_run *run, unsigned files, const struct start *start)
{
	struct channel_request request = { .kind = &stream_kind_log, .run = run, .files = files };
	int error = loop_new(&t->loop);

	if (!error)
		error = offload_new(t->loop, HELPER_THREADS, &t->offload);
	if (!error)
		error = hub_new(t->loop, t->offload, settings, view->registry, view->buses, runs_dir_fd,
		                &t->hub);
	if (!error)
		error = subscriber_init(&t->subscriber, t->hub, &request, start, wake, t);
	if (!error) {
		look_at_registry(t);
		wake(t);
		error = loop_run(t->loop);
		subscriber_fini(&t->subscriber);
		loop_timer_stop(t->loop, &t->registry_timer);
		loop_defer_cancel(t->loop, &t->read_task);
	}
	if (offload_free(&t->offload) == 0) {
		hub_free(&t->hub);
		loop_free(&t->loop);
	}
	return error ? error : t->error;
}

/* --- the command -------------------------------------------------------------------------------------- */

/* COMMAND_MISUSED after a message. */
static int
take_files(const char *names, unsigned *ret_files)
{
	if (cursor_parse_files(names, ret_files) < 0)
		return command_misused("--streams takes stdout, stderr, or both with a comma");
	return 0;
}

static int
take_options(const struct call *call, struct start *ret_start, unsigned *ret_files)
{
	const char *lines = call_option(call, "lines"), *from = call_option(call, "from");
	const char *streams = call_option(call, "streams"), *id = call_option(call, "last-event-id");

	*ret_start = (struct start){ .kind = START_BEGINNING };
	*ret_files = CHANNEL_BOTH;
	if (call->argument_count != 1)
		return command_misused("tail takes the id of a run");
	if (from && strcmp(from, "end") == 0)
		ret_start->kind = START_END;
	else if (from && strcmp(from, "start") != 0)
		return command_misused("--from takes start or end");
	if (lines) {
		ret_start->kind = START_TAIL;
		if (num_parse_u64(lines, strlen(lines), &ret_start->tail_lines) < 0)
			return command_misused("--lines takes a whole number");
	}
	if (id) {
		ret_start->kind = START_CURSOR;
		if (cursor_parse(id, strlen(id), &ret_start->cursor) < 0)
			return command_misused("--last-event-id takes the id of an event of this stream");
	}
	return streams ? take_files(streams, ret_files) : 0;
}

static int
tail_run_of(const struct call *call, const struct settings *settings, const struct view *view,
            const struct start *start, unsigned files)
{
	struct tail tail = { .is_json = call->is_json };
	const char *run_id = call->arguments[0], *runs_dir = settings->storage.runs_dir;
	struct json_object *name;
	struct registry_run run;
	int runs_dir_fd, error;

	if (registry_find(view->registry, run_id, &run) < 0)
		return command_failed("there is no run %s in the registry", run_id);
	if (run.is_deleted)
		return command_failed("the run %s was deleted", run_id);
	if (json_object_object_get_ex(view->answer.body, CONTROL_RUNS_DIR, &name))
		runs_dir = json_object_get_string(name);
	runs_dir_fd = open(runs_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (runs_dir_fd < 0)
		return command_failed("%s: %s", runs_dir, strerror(errno));
	error = follow(&tail, settings, view, runs_dir_fd, &run, files, start);
	fd_close(&runs_dir_fd);
	if (error)
		return command_failed("the stream ended: %s", strerror(-error));
	if (fflush(stdout) != 0)
		return command_failed("standard output: %s", strerror(errno));
	return tail.is_complete ? COMMAND_DONE : COMMAND_FAILED;
}

int
tail_run(struct call *call)
{
	struct settings settings;
	struct start start;
	struct view *view;
	unsigned files;
	int status = take_options(call, &start, &files);

	if (status)
		return status;
	if (call_settings(call, &settings) < 0)
		return COMMAND_FAILED;
	status = view_new(settings.server.runtime_dir, &view);
	if (!status) {
		status = tail_run_of(call, &settings, view, &start, files);
		view_free(&view);
	}
	settings_fini(&settings);
	return status;
}
