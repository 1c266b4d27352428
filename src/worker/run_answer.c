#include "worker/run_answer.h"

#include <string.h>

#include "base/clock.h"
#include "model/event.h"
#include "worker/run_file.h"
#include "worker/worker_state.h"

static void
add_text(struct json_object *to, const char *name, const char *text)
{
	if (*text)
		json_object_object_add(to, name, json_object_new_string(text));
}

static void
add_time(struct json_object *to, const char *name, int64_t wall_ms)
{
	char text[CLOCK_RFC3339_BYTES];

	if (wall_ms == 0)
		return;
	clock_format_rfc3339(wall_ms, text);
	json_object_object_add(to, name, json_object_new_string(text));
}

struct json_object *
run_answer_json(struct worker *worker, const struct registry_run *run)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "run_id", json_object_new_string(run->run_id));
	add_text(json, "project_id", run->project_id);
	add_text(json, "task_id", run->task_id);
	add_text(json, "status", run->status);
	json_object_object_add(json, "exit_code", json_object_new_int(run->exit_code));
	add_time(json, "start_time", run->start_time_ms);
	add_time(json, "end_time", run->end_time_ms);
	json_object_object_add(json, "clients",
	                       json_object_new_int64(peers_clients_of_run(worker->peers, run->slot)));
	return json;
}

/* In a stream that has begun only an event can say it. */
static void
refuse_in_stream(struct connection *c, enum answer_error error, const char *message)
{
	const struct settings *settings = &c->worker->settings;
	struct buf text = BUF_INIT;

	event_put_refused(&text, answer_error_code(error), message, settings->api.sse.refused_retry_s);
	connection_answer(c, block_take(&text));
}

void
run_answer_error(struct connection *c, enum answer_error error, const char *message)
{
	int64_t retry_s = c->worker->settings.api.sse.refused_retry_s;

	if (c->body) /* of a post */
		peers_counters(c->worker->peers)->posts_refused++;

	if (c->is_opened)
		refuse_in_stream(c, error, message);
	else if (error == ANSWER_TOO_MANY_CLIENTS && c->style.accepts_events)
		connection_answer(c, answer_refused(&c->style, error, message, retry_s));
	else
		connection_answer(c, answer_error(&c->style, error, message, NULL, NULL,
		                                  error == ANSWER_TOO_MANY_CLIENTS ? retry_s : 0));
}

void
run_answer_stream(struct connection *c, const struct channel_request *request,
                  const struct start *start)
{
	struct worker *worker = c->worker;

	if (c->style.is_head) {
		connection_answer(c, answer_stream(&c->style, 0));
		return;
	}
	if (peers_clients_of_run(worker->peers, request->run->slot) >=
	    (uint64_t)worker->settings.api.sse.max_clients_per_run) {
		peers_counters(worker->peers)->clients_refused[COUNTERS_REFUSED_RUN_FULL]++;
		run_answer_error(c, ANSWER_TOO_MANY_CLIENTS, "the run has as many clients as it may have");
		return;
	}
	if (!c->is_opened && !connection_open_stream(c, start->cursor.is_end))
		return;
	connection_subscribe(c, request, start);
}

void
run_answer(struct connection *c, const struct run_query *query, const struct registry_run *run)
{
	if (run->is_deleted)
		run_answer_error(c, ANSWER_GONE, "the run was deleted");
	else if (query->answer)
		query->answer(c, query, run);
	else if (query->kind == &stream_kind_file)
		run_file_answer(c, query, run);
	else if (query->kind)
		run_answer_stream(c, &(struct channel_request){ .kind = query->kind, .run = run,
		                                                .files = query->files },
		                  &query->start);
	else
		connection_answer(c, answer_json(&c->style, run_answer_json(c->worker, run)));
}
