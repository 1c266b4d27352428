#include "model/broadcast.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "admin/command.h"
#include "admin/view.h"
#include "base/clock.h"
#include "base/fd.h"
#include "shm/control.h"
#include "store/recording.h"

const struct command_option broadcast_options[] = {
	{ "run", "ID", "record the event for this run, and so send it", 0 },
	{ "all", NULL, "send it, unrecorded, to all who watch events", 0 },
	{ "type", "T", "the event's type: deploy, unit.started, …", 0 },
	{ "data", "JSON", "its members, if it is an object, or its data", 0 },
	{ 0 },
};

/* --- to all ----------------------------------------------------------------------------------------- */

static int64_t
number_of(struct json_object *object, const char *name)
{
	struct json_object *member;

	return json_object_object_get_ex(object, name, &member) ? json_object_get_int64(member) : 0;
}

/* Each worker that was told tells its own. */
static int
send_to_all(const struct call *call, const struct settings *settings,
            const struct broadcast *broadcast)
{
	struct json_object *members = json_object_new_object();
	struct client_answer answer;
	struct output *output;
	int64_t told, silent;
	int status;

	json_object_object_add(members, CONTROL_TYPE, json_object_new_string(broadcast->type));
	if (broadcast->data)
		json_object_object_add(members, CONTROL_DATA, json_object_new_string(broadcast->data));
	status = client_ask(settings->server.runtime_dir, CONTROL_COMMAND_BROADCAST, members, NULL,
	                    &answer);
	if (status != 0)
		return status;
	told = number_of(answer.body, CONTROL_WORKERS);
	silent = number_of(answer.body, CONTROL_SILENT);
	client_answer_fini(&answer);
	if (call->is_json) {
		output = call_output(call);
		if (!output)
			return COMMAND_FAILED;
		output_number(output, "workers", told);
		output_number(output, "silent", silent);
		status = call_output_end(&output);
	}
	if (silent > 0)
		return command_failed("%jd of %jd workers do not listen: their clients were not told",
		                      (intmax_t)silent, (intmax_t)(told + silent));
	return status;
}

/* --- to a run --------------------------------------------------------------------------------------- */

/* Appends the event as whoever records does. 0 or -errno: as recording_append(), or as
 * event_line_make(), and then ret_fault says what is wrong. */
static int
append(const struct settings *settings, const char *runs_dir, const char *path,
       const struct broadcast *broadcast, struct fault *ret_fault)
{
	struct recording recording = {
		.runs_dir_fd = open(runs_dir, O_PATH | O_DIRECTORY | O_CLOEXEC),
		.run_info = settings->storage.files.run_info,
		.events = settings->storage.files.events,
		.durability = settings_recording_is_synced(settings) ? RECORDING_SYNCED
		                                                     : RECORDING_WRITTEN,
	};
	char key[EVENT_STORED_KEY_BYTES + 1], now[CLOCK_RFC3339_BYTES];
	struct buf event = BUF_INIT, line = BUF_INIT;
	struct event_batch batch = { 0 };
	struct recording_batch recorded = { .events = &batch };
	int error = recording.runs_dir_fd < 0 ? -errno : 0;

	clock_format_rfc3339(clock_wall_ms(), now);
	broadcast_put_object(&event, broadcast);
	if (!error)
		error = buf_error(&event);
	if (!error)
		error = event_line_make(&line, event.data, event.length_bytes, now, NULL, key, ret_fault);
	if (!error)
		error = event_batch_add(&batch, line.data, line.length_bytes, key);
	if (!error)
		error = recording_append(&recording, path, NULL, &recorded, 1);
	event_batch_fini(&batch);
	buf_fini(&line);
	buf_fini(&event);
	fd_close(&recording.runs_dir_fd);
	return error;
}

static int
explain(const char *run_id, int error, const struct fault *fault)
{
	if (fault->problem)
		return command_misused("broadcast: %s%s%s", fault->field, *fault->field ? " " : "",
		                       fault->problem);
	switch (-error) {
	case EPERM:
		return command_failed("run %s has ended: nothing is recorded in it any more", run_id);
	case ENOENT:
		return command_failed("run %s is not there any more", run_id);
	case EBUSY:
		return command_failed("others are recording in run %s and do not come to an end: try again",
		                      run_id);
	default:
		return command_failed("cannot record in run %s: %s", run_id, strerror(-error));
	}
}

static int
record(const struct settings *settings, const char *run_id, const struct broadcast *broadcast)
{
	char path[REGISTRY_NAME_BYTES * 3 + 16];
	struct fault fault = { .problem = NULL };
	struct json_object *runs_dir;
	struct registry_run run;
	struct view *view;
	int r, status = view_new(settings->server.runtime_dir, &view);

	if (status != 0)
		return status;
	r = registry_find(view->registry, run_id, &run);
	if (r == -EAGAIN)
		status = command_failed("run %s changes too fast to be read: try again", run_id);
	else if (r < 0 || run.is_deleted)
		status = command_failed("there is no run %s in the registry", run_id);
	else if (!json_object_object_get_ex(view->answer.body, CONTROL_RUNS_DIR, &runs_dir))
		status = command_failed("the instance does not say where its runs are");
	else {
		registry_run_path(&run, path, sizeof(path));
		r = append(settings, json_object_get_string(runs_dir), path, broadcast, &fault);
		status = r == 0 ? COMMAND_DONE : explain(run_id, r, &fault);
	}
	view_free(&view);
	return status;
}

int
broadcast_run(struct call *call)
{
	const char *run_id = call_option(call, "run"), *type = call_option(call, "type");
	const char *data = call_option(call, "data"), *problem;
	bool is_all = call_option(call, "all") != NULL;
	struct broadcast broadcast;
	struct settings settings;
	int status;

	if (is_all == (run_id != NULL))
		return command_misused("broadcast: to whom? Either --run ID or --all");
	if (!type)
		return command_misused("broadcast: --type is missing");
	broadcast = (struct broadcast){ .type = type, .type_length = strlen(type), .data = data,
		                        .data_length = data ? strlen(data) : 0 };
	problem = broadcast_problem(&broadcast);
	if (problem)
		return command_misused("broadcast: %s", problem);
	if (call_settings(call, &settings) < 0)
		return COMMAND_FAILED;
	status = run_id ? record(&settings, run_id, &broadcast)
	                : send_to_all(call, &settings, &broadcast);
	settings_fini(&settings);
	return status;
}
