#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/view.h"
#include "base/fd.h"
#include "shm/control.h"
#include "store/run_dir.h"
#include "store/run_info.h"

const struct command_option runs_options[] = {
	{ "status", "WORD", "those of this status alone: running, failed, …", 0 },
	{ "project", "P", "those of this project alone", 0 },
	{ "task", "T", "those of this task alone", 0 },
	{ "full", NULL, "columns as wide as they are, on a terminal as well", 'l' },
	{ "quiet", NULL, "their ids alone, one a line", 'q' },
	{ 0 },
};

static bool
matches(const char *wanted, const char *value)
{
	return !wanted || strcmp(wanted, value) == 0;
}

/* The next one that is wanted, in the order in which discovery found them, from *slot on, which
 * is then behind it. */
static bool
next_run(const struct call *call, const struct view *view, uint32_t *slot,
         struct registry_run *ret_run)
{
	const char *status = call_option(call, "status"), *project = call_option(call, "project");
	const char *task = call_option(call, "task");

	while (*slot < registry_count(view->registry))
		if (registry_at(view->registry, (*slot)++, ret_run) == 0 && !ret_run->is_deleted &&
		    matches(status, ret_run->status) && matches(project, ret_run->project_id) &&
		    matches(task, ret_run->task_id))
			return true;
	return false;
}

static int
print_ids(const struct call *call, const struct view *view)
{
	struct registry_run run;
	uint32_t slot = 0;

	while (next_run(call, view, &slot, &run) && printf("%s\n", run.run_id) >= 0)
		;
	return COMMAND_DONE;
}

static int
put_all(const struct call *call, const struct view *view)
{
	struct output *output = call_output(call);
	struct registry_run run;
	uint32_t slot = 0;

	if (!output)
		return COMMAND_FAILED;
	output_rows_begin(output, "runs");
	while (next_run(call, view, &slot, &run)) {
		output_row_begin(output);
		output_string(output, "run_id", run.run_id);
		output_state(output, "status", run.status);
		output_number(output, "exit_code", run.exit_code);
		output_string(output, "project_id", run.project_id);
		output_string(output, "task_id", run.task_id);
		output_time(output, "start_time", run.start_time_ms);
		output_time(output, "end_time", run.end_time_ms);
		output_count(output, "clients", view_clients(view, run.slot));
		output_row_end(output);
	}
	output_rows_end(output);
	return call_output_end(&output);
}

/*
 * What the registry does not hold, and clients are never shown: read from the run's folder by
 * the administrator, with the administrator's rights. Without it the rest is still worth showing.
 */
static void
put_run_info(struct output *output, const char *runs_dir, const char *path, const char *file_name)
{
	int root = open(runs_dir, O_PATH | O_DIRECTORY | O_CLOEXEC), folder = -1, r;
	struct run_info info;

	r = root < 0 ? -errno : run_dir_open(root, path, &folder);
	if (r == 0)
		r = run_info_read(folder, file_name, &info);
	fd_close(&folder);
	fd_close(&root);
	if (r < 0) {
		output_string(output, "run_info_error", strerror(-r));
		return;
	}
	output_string(output, "parent_run_id", info.parent_run_id);
	output_string(output, "previous_run_id", info.previous_run_id);
	output_string(output, "agent", info.agent);
	output_string(output, "agent_version", info.agent_version);
	output_string(output, "process_ownership", info.process_ownership);
	output_number(output, "pid", info.pid);
	output_number(output, "pgid", info.pgid);
	output_string(output, "cwd", info.cwd);
	output_string(output, "commandline", info.commandline);
	output_string(output, "prompt_path", info.prompt_path);
	output_string(output, "output_path", info.output_path);
	output_string(output, "stdout_path", info.stdout_path);
	output_string(output, "stderr_path", info.stderr_path);
	output_string(output, "error_summary", info.error_summary);
	run_info_fini(&info);
}

static int
put_one(const struct call *call, const struct view *view, const char *file_name, const char *run_id)
{
	char path[REGISTRY_NAME_BYTES * 3 + 16];
	struct json_object *runs_dir;
	struct registry_run run;
	struct output *output;
	int r = registry_find(view->registry, run_id, &run);

	if (r == -EAGAIN)
		return command_failed("run %s changes too fast to be read: try again", run_id);
	if (r < 0)
		return command_failed("there is no run %s in the registry", run_id);
	output = call_output(call);
	if (!output)
		return COMMAND_FAILED;
	registry_run_path(&run, path, sizeof(path));
	output_string(output, "run_id", run.run_id);
	output_state(output, "status", run.status);
	output_boolean(output, "is_terminal", run.is_terminal);
	output_boolean(output, "is_deleted", run.is_deleted);
	output_number(output, "exit_code", run.exit_code);
	output_string(output, "project_id", run.project_id);
	output_string(output, "task_id", run.task_id);
	output_time(output, "start_time", run.start_time_ms);
	output_time(output, "end_time", run.end_time_ms);
	output_time(output, "first_seen", run.first_seen_ms);
	output_count(output, "clients", view_clients(view, run.slot));
	output_string(output, "path", path);
	if (json_object_object_get_ex(view->answer.body, CONTROL_RUNS_DIR, &runs_dir) && !run.is_deleted)
		put_run_info(output, json_object_get_string(runs_dir), path, file_name);
	return call_output_end(&output);
}

int
runs_run(struct call *call)
{
	bool is_one = call->argument_count > 0, is_quiet = call_option(call, "quiet");
	struct settings settings;
	struct view *view;
	int status;

	for (const struct command_option *o = runs_options; is_one && o->name; o++)
		if (call_option(call, o->name))
			return command_misused("runs: --%s is for all runs, not for one", o->name);
	status = view_of_call(call, &settings, &view);
	if (status != 0)
		return status;
	if (is_one)
		status = put_one(call, view, settings.storage.files.run_info, call->arguments[0]);
	else
		status = is_quiet ? print_ids(call, view) : put_all(call, view);
	view_free(&view);
	settings_fini(&settings);
	return status;
}
