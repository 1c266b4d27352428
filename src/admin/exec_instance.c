#include "admin/exec_instance.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "admin/client.h"
#include "admin/command.h"
#include "shm/control.h"
#include "shm/registry.h"

static void
take_runs_dir(const struct client_answer *answer, struct settings *settings)
{
	struct json_object *runs_dir;
	char *copy;

	if (!json_object_object_get_ex(answer->body, CONTROL_RUNS_DIR, &runs_dir))
		return;
	copy = strdup(json_object_get_string(runs_dir));
	if (!copy)
		return;
	free(settings->storage.runs_dir);
	settings->storage.runs_dir = copy;
}

static bool
has_run(const struct client_answer *answer, const char *run_id)
{
	struct registry *registry = NULL;
	struct registry_run run;
	bool is_there = answer->fd_count > CONTROL_FD_REGISTRY &&
	                registry_open(answer->fds[CONTROL_FD_REGISTRY], &registry) == 0 &&
	                registry_find(registry, run_id, &run) == 0 && !run.is_deleted;

	registry_close(&registry);
	return is_there;
}

int
exec_instance_ask(struct settings *settings, const char *run_id)
{
	char sentence[CLIENT_ERROR_BYTES];
	struct client_answer answer;
	struct client *client = NULL;
	int status = 0;

	if (client_open(settings->server.runtime_dir, &client) < 0)
		return 0;
	if (client_request(client, CONTROL_COMMAND_STATUS, NULL, &answer, sentence) == 0) {
		take_runs_dir(&answer, settings);
		if (run_id && has_run(&answer, run_id))
			status = command_failed("there is a run %s already", run_id);
		client_answer_fini(&answer);
	}
	client_close(&client);
	return status;
}
