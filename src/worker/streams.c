#include "worker/streams.h"

#include <string.h>

#include "model/run_id.h"
#include "stream/message_start.h"
#include "worker/bus_answer.h"
#include "worker/run_file.h"
#include "worker/stream_parameters.h"
#include "worker/worker_state.h"

/* Where in the paths. */
enum {
	V1_RUN_SEGMENT = 2,  /* v1/runs/{id} */
	RUN_SEGMENT = 1,     /* runs/{id} */
	PROJECT_SEGMENT = 1, /* projects/{p}/tasks/{t}/runs/{id} */
	TASK_SEGMENT = 3,
	TASK_RUN_SEGMENT = 5,
};

/* A segment that is a name: run, project or task. False: answered. */
static bool
take_name(struct connection *c, size_t index, char to[static RUN_ID_BYTES + 1])
{
	return parameters_segment(c, index, "the id of a run, project or task", to);
}

static void
list_client(struct connection *c, const struct client_subject *subject)
{
	if (!c->style.is_head)
		client_table_add(c, subject);
}

/* --- of one run ----------------------------------------------------------------------------------------- */

void
streams_log_of_run(struct connection *c)
{
	struct run_query query = { .kind = &stream_kind_log };

	if (!take_name(c, V1_RUN_SEGMENT, query.run_id) || !stream_parameters_files(c, &query.files) ||
	    !stream_parameters_wait(c, &query.wait_ms) ||
	    !stream_parameters_start(c, query.kind, &query.start))
		return;
	list_client(c, &(struct client_subject){ .kind = COUNTERS_STREAM_LOG, .run_id = query.run_id });
	run_wait_begin(c, &query);
}

void
streams_events_of_run(struct connection *c)
{
	struct run_query query = { .kind = &stream_kind_events, .files = CHANNEL_FIRST };

	if (!take_name(c, RUN_SEGMENT, query.run_id) || !stream_parameters_wait(c, &query.wait_ms) ||
	    !stream_parameters_start(c, query.kind, &query.start))
		return;
	list_client(c, &(struct client_subject){ .kind = COUNTERS_STREAM_EVENTS, .run_id = query.run_id });
	run_wait_begin(c, &query);
}

static bool
take_file(struct connection *c, enum run_file *ret_file)
{
	struct target_text text;
	int found = parameters_text(c, "name", &text);

	*ret_file = RUN_FILE_STDOUT;
	if (found <= 0)
		return found == 0;
	if (run_file_parse(text.text, ret_file) < 0) {
		parameters_refuse(c, "name", "must be stdout, stderr, prompt or output.md");
		return false;
	}
	return true;
}

void
streams_file_of_run(struct connection *c)
{
	struct run_query query = { .kind = &stream_kind_file };

	if (!take_name(c, PROJECT_SEGMENT, query.project_id) || !take_name(c, TASK_SEGMENT, query.task_id) ||
	    !take_name(c, TASK_RUN_SEGMENT, query.run_id) || !take_file(c, &query.file) ||
	    !stream_parameters_wait(c, &query.wait_ms) ||
	    !stream_parameters_start(c, query.kind, &query.start))
		return;
	list_client(c, &(struct client_subject){ .kind = COUNTERS_STREAM_FILE, .run_id = query.run_id,
	                                         .project_id = query.project_id,
	                                         .task_id = query.task_id });
	run_wait_begin(c, &query);
}

/* --- of many ---------------------------------------------------------------------------------------------- */

static void
begin_of_many(struct connection *c, struct feed_request *request, enum counters_stream_kinds kind)
{
	struct feed_id after;

	if (!stream_parameters_of_many(c, request, &after))
		return;
	if (c->style.is_head) {
		connection_answer(c, answer_stream(&c->style, 0));
		return;
	}
	list_client(c, &(struct client_subject){ .kind = kind, .project_id = request->project_id,
	                                         .task_id = request->task_id });
	if (connection_open_stream(c, false))
		connection_subscribe_to_many(c, request);
}

void
streams_logs_of_all(struct connection *c)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many };

	if (stream_parameters_files(c, &request.files))
		begin_of_many(c, &request, COUNTERS_STREAM_ALL);
}

void
streams_logs_of_task(struct connection *c)
{
	char project[RUN_ID_BYTES + 1], task[RUN_ID_BYTES + 1];
	struct feed_request request = { .kind = &stream_kind_log_of_many, .project_id = project,
		                        .task_id = task };

	if (take_name(c, PROJECT_SEGMENT, project) && take_name(c, TASK_SEGMENT, task) &&
	    stream_parameters_files(c, &request.files))
		begin_of_many(c, &request, COUNTERS_STREAM_TASK);
}

void
streams_events_of_all(struct connection *c)
{
	struct feed_request request = { .kind = &stream_kind_events_of_many, .files = CHANNEL_FIRST };

	begin_of_many(c, &request, COUNTERS_STREAM_EVENTS);
}

/* --- of message buses --------------------------------------------------------------------------------------- */

static void
begin_bus(struct connection *c, const char *project, const char *task)
{
	struct start start = { .kind = START_TAIL, .tail_lines = MESSAGE_START_TAIL };

	if (!stream_parameters_start(c, &stream_kind_messages, &start))
		return;
	list_client(c, &(struct client_subject){ .kind = COUNTERS_STREAM_MESSAGES, .project_id = project,
	                                         .task_id = task });
	bus_answer(c, project, task, &start);
}

/* A parameter that is a name. 1: there; 0: not; -1: answered. */
static int
take_name_parameter(struct connection *c, const char *parameter, char to[static RUN_ID_BYTES + 1])
{
	struct target_text text;
	int found = parameters_text(c, parameter, &text);

	*to = '\0';
	if (found <= 0)
		return found;
	if (!run_id_valid(text.text, text.length)) {
		parameters_refuse(c, parameter, "is not a name");
		return -1;
	}
	memcpy(to, text.text, text.length + 1);
	return 1;
}

void
streams_messages(struct connection *c)
{
	struct feed_request request = { .kind = &stream_kind_messages_of_many, .files = CHANNEL_FIRST,
		                        .from = FEED_FROM_TAIL, .tail_entries = MESSAGE_START_TAIL };
	char project[RUN_ID_BYTES + 1], task[RUN_ID_BYTES + 1];
	int has_project = take_name_parameter(c, "project_id", project), has_task;

	if (has_project < 0)
		return;
	has_task = take_name_parameter(c, "task_id", task);
	if (has_task < 0)
		return;
	if (has_task && !has_project)
		parameters_refuse(c, "task_id", "needs project_id beside it");
	else if (has_project)
		begin_bus(c, project, task);
	else
		begin_of_many(c, &request, COUNTERS_STREAM_MESSAGES);
}

void
streams_messages_of_project(struct connection *c)
{
	char project[RUN_ID_BYTES + 1];

	if (take_name(c, PROJECT_SEGMENT, project))
		begin_bus(c, project, "");
}

void
streams_messages_of_task(struct connection *c)
{
	char project[RUN_ID_BYTES + 1], task[RUN_ID_BYTES + 1];

	if (take_name(c, PROJECT_SEGMENT, project) && take_name(c, TASK_SEGMENT, task))
		begin_bus(c, project, task);
}
