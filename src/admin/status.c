#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "admin/status_counters.h"
#include "admin/view.h"
#include "shm/control.h"

enum { MOST_STATUSES = 64 };

static const char *
text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : NULL;
}

static int64_t
number_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_int64(value) : 0;
}

/* --- processes -------------------------------------------------------------------------------- */

static void
put_process(struct output *output, struct json_object *process)
{
	output_number(output, "pid", number_of(process, CONTROL_PID));
	output_number(output, "restarts", number_of(process, CONTROL_RESTARTS));
	output_number(output, "replacements", number_of(process, CONTROL_REPLACEMENTS));
	output_state(output, "state", text_of(process, CONTROL_STATE));
}

static void
put_process_row(struct output *output, const char *name, struct json_object *process)
{
	output_row_begin(output);
	output_string(output, "process", name);
	put_process(output, process);
	output_row_end(output);
}

static void
put_processes(struct output *output, const struct view *view)
{
	struct json_object *body = view->answer.body, *discovery = NULL, *workers = NULL;
	size_t count = 0;

	json_object_object_get_ex(body, CONTROL_DISCOVERY, &discovery);
	if (json_object_object_get_ex(body, CONTROL_WORKERS, &workers) &&
	    json_object_is_type(workers, json_type_array))
		count = json_object_array_length(workers);
	if (output_is_json(output)) {
		output_object_begin(output, "discovery");
		put_process(output, discovery);
		output_object_end(output);
		output_rows_begin(output, "workers");
		for (uint32_t i = 0; i < count; i++) {
			output_row_begin(output);
			put_process(output, json_object_array_get_idx(workers, i));
			status_counters_put_worker(output, view, i);
			output_row_end(output);
		}
		output_rows_end(output);
		status_counters_put_all(output, view);
		return;
	}
	output_rows_begin(output, "processes");
	put_process_row(output, "discovery", discovery);
	for (size_t i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "worker-%zu", i + 1);
		put_process_row(output, name, json_object_array_get_idx(workers, i));
	}
	output_rows_end(output);
}

/* --- runs and buses ------------------------------------------------------------------------- */

/* Runs by status, in the order in which a status is first met. */
static void
put_runs(struct output *output, const struct registry *registry)
{
	struct {
		char status[REGISTRY_STATUS_BYTES + 1];
		uint64_t count;
	} statuses[MOST_STATUSES] = { 0 };
	uint32_t slots = registry_count(registry);
	uint64_t total = 0, others = 0;
	size_t known = 0;

	for (uint32_t slot = 0; slot < slots; slot++) {
		struct registry_run run;
		size_t i = 0;

		if (registry_at(registry, slot, &run) < 0 || run.is_deleted)
			continue;
		total++;
		while (i < known && strcmp(statuses[i].status, run.status) != 0)
			i++;
		/* Statuses are words that others chose: there is no end to them. */
		if (i == MOST_STATUSES) {
			others++;
			continue;
		}
		if (i == known)
			memcpy(statuses[known++].status, run.status, sizeof(run.status));
		statuses[i].count++;
	}
	output_object_begin(output, "runs");
	output_count(output, "total", total);
	output_count(output, "capacity", registry_capacity(registry));
	output_rows_begin(output, "by_status");
	for (size_t i = 0; i < known; i++) {
		output_row_begin(output);
		output_state(output, "status", statuses[i].status);
		output_count(output, "count", statuses[i].count);
		output_row_end(output);
	}
	if (others > 0) {
		output_row_begin(output);
		output_string(output, "status", NULL);
		output_count(output, "count", others);
		output_row_end(output);
	}
	output_rows_end(output);
	output_object_end(output);
}

static void
put_buses(struct output *output, const struct registry *buses)
{
	uint32_t slots = registry_count(buses);
	uint64_t total = 0;

	for (uint32_t slot = 0; slot < slots; slot++) {
		struct registry_run bus;

		total += registry_at(buses, slot, &bus) == 0 && !bus.is_deleted;
	}
	output_object_begin(output, "buses");
	output_count(output, "total", total);
	output_count(output, "capacity", registry_capacity(buses));
	output_object_end(output);
}

int
status_run(struct call *call)
{
	struct output *output;
	struct view *view;
	int status = view_of_call(call, NULL, &view);

	if (status != 0)
		return status;
	output = call_output(call);
	if (output) {
		struct json_object *body = view->answer.body;

		output_string(output, "version", text_of(body, CONTROL_VERSION));
		output_number(output, "pid", number_of(body, CONTROL_PID));
		output_duration(output, "uptime_ms", number_of(body, CONTROL_UPTIME_MS));
		output_string(output, "runtime_dir", text_of(body, CONTROL_RUNTIME_DIR));
		output_string(output, "runs_dir", text_of(body, CONTROL_RUNS_DIR));
		put_processes(output, view);
		put_runs(output, view->registry);
		put_buses(output, view->buses);
		if (!output_is_json(output))
			status_counters_put_tables(output, view);
		status = call_output_end(&output);
	} else {
		status = COMMAND_FAILED;
	}
	view_free(&view);
	return status;
}
