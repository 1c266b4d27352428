#include "admin/client.h"
#include "admin/command.h"
#include "shm/control.h"

/* What was changed in the file and does not hold yet. */
static void
warn_of_waiting(struct json_object *body)
{
	struct json_object *keys;

	if (!json_object_object_get_ex(body, CONTROL_NEED_RESTART, &keys) ||
	    !json_object_is_type(keys, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(keys); i++)
		command_warn("%s: the change takes effect at a restart",
		             json_object_get_string(json_object_array_get_idx(keys, i)));
}

/* No word when all is well, as kill(1) and systemctl(1) have none. */
int
reload_run(struct call *call)
{
	struct client_answer answer;
	struct settings settings;
	int status;

	if (call_settings(call, &settings) < 0)
		return COMMAND_FAILED;
	status = client_ask(settings.server.runtime_dir, CONTROL_COMMAND_RELOAD, NULL, NULL, &answer);
	if (status == 0) {
		warn_of_waiting(answer.body);
		client_answer_fini(&answer);
	}
	settings_fini(&settings);
	return status;
}
