#include "admin/client.h"
#include "admin/command.h"
#include "shm/control.h"

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
	if (status == 0)
		client_answer_fini(&answer);
	settings_fini(&settings);
	return status;
}
