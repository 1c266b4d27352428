#include <errno.h>
#include <string.h>
#include <time.h>

#include "admin/client.h"
#include "admin/command.h"
#include "base/num.h"
#include "shm/control.h"
#include "shm/instance.h"

enum { LOOK_MS = 100 };

/* The workers (0 is worker 1) as they were when they were told, and now. */
struct workers {
	size_t count;
	int64_t pids[INSTANCE_WORKERS_MAX]; /* 0: not running */
};

static void
read_workers(struct json_object *body, struct workers *ret_workers)
{
	struct json_object *list, *pid, *state;

	*ret_workers = (struct workers){ .count = 0 };
	if (!json_object_object_get_ex(body, CONTROL_WORKERS, &list) ||
	    !json_object_is_type(list, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(list) && i < INSTANCE_WORKERS_MAX; i++) {
		struct json_object *worker = json_object_array_get_idx(list, i);

		if (json_object_object_get_ex(worker, CONTROL_PID, &pid) &&
		    json_object_object_get_ex(worker, CONTROL_STATE, &state) &&
		    strcmp(json_object_get_string(state), "running") == 0)
			ret_workers->pids[i] = json_object_get_int64(pid);
		ret_workers->count++;
	}
}

static int
look(struct client *client, struct workers *ret_workers)
{
	char sentence[CLIENT_ERROR_BYTES];
	struct client_answer answer;
	int r = client_request(client, CONTROL_COMMAND_STATUS, NULL, &answer, sentence);

	if (r < 0)
		return r;
	read_workers(answer.body, ret_workers);
	client_answer_fini(&answer);
	return 0;
}

/* Whether each worker (or the one, from 1) is another process than it was; one that is no longer
 * there need not come back. */
static bool
are_replaced(const struct workers *before, const struct workers *now, uint64_t one)
{
	for (size_t i = 0; i < before->count && i < now->count; i++)
		if ((one == 0 || i + 1 == one) &&
		    (now->pids[i] == 0 || now->pids[i] == before->pids[i]))
			return false;
	return true;
}

/* As long as server.drain_ms lets the streams end, and no longer than the user waits. */
static int
wait_replaced(struct client *client, const struct workers *before, uint64_t one)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct workers now;
	int r;

	while ((r = look(client, &now)) == 0 && !are_replaced(before, &now, one))
		nanosleep(&pause, NULL);
	return r < 0 ? command_failed("lost sight of the instance as it drained: %s", strerror(-r))
	             : COMMAND_DONE;
}

static int
drain(const char *runtime_dir, uint64_t one)
{
	struct json_object *members = json_object_new_object();
	struct client_answer answer;
	struct client *client = NULL;
	struct workers before;
	int status = client_ask(runtime_dir, CONTROL_COMMAND_STATUS, NULL, NULL, &answer);

	if (status != 0) {
		json_object_put(members);
		return status;
	}
	read_workers(answer.body, &before);
	client_answer_fini(&answer);
	if (one > 0)
		json_object_object_add(members, CONTROL_WORKER, json_object_new_int64((int64_t)one));
	status = client_ask(runtime_dir, CONTROL_COMMAND_DRAIN, members, &client, &answer);
	if (status != 0)
		return status;
	client_answer_fini(&answer);
	status = wait_replaced(client, &before, one);
	client_close(&client);
	return status;
}

int
drain_run(struct call *call)
{
	const char *name = call->argument_count > 0 ? call->arguments[0] : NULL;
	struct settings settings;
	uint64_t one = 0;
	int status;

	if (name && (num_parse_u64(name, strlen(name), &one) < 0 || one == 0 ||
	             one > INSTANCE_WORKERS_MAX))
		return command_misused("drain: WORKER is a number from 1 to %d, not \"%s\"",
		                       INSTANCE_WORKERS_MAX, name);
	if (call_settings(call, &settings) < 0)
		return COMMAND_FAILED;
	status = drain(settings.server.runtime_dir, one);
	settings_fini(&settings);
	return status;
}
