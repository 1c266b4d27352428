#include <json-c/json.h>

#include "admin/client.h"
#include "admin/command.h"
#include "shm/clients.h"
#include "shm/control.h"

/* No word when all is well, as kill(1) has none. */
int
kick_run(struct call *call)
{
	struct json_object *members;
	struct client_answer answer;
	struct settings settings;
	uint64_t number;
	uint32_t worker;
	int status;

	if (call->argument_count == 0)
		return command_misused("kick: which client? \"runstreamctl clients\" lists them");
	if (clients_name_parse(call->arguments[0], &worker, &number) < 0)
		return command_misused("kick: \"%s\" is no client: their names are like 2-17, see "
		                       "\"runstreamctl clients\"", call->arguments[0]);
	if (call_settings(call, &settings) < 0)
		return COMMAND_FAILED;
	members = json_object_new_object();
	json_object_object_add(members, CONTROL_CLIENT, json_object_new_string(call->arguments[0]));
	status = client_ask(settings.server.runtime_dir, CONTROL_COMMAND_KICK, members, NULL, &answer);
	if (status == 0)
		client_answer_fini(&answer);
	settings_fini(&settings);
	return status;
}
