#include <string.h>

#include "admin/client.h"
#include "admin/command.h"
#include "shm/control.h"

int
stop_run(struct call *call)
{
	struct client_answer answer;
	struct client *client = NULL;
	struct settings settings;
	int status, r;

	if (call_settings(call, &settings) < 0)
		return COMMAND_FAILED;
	status = client_ask(settings.server.runtime_dir, CONTROL_COMMAND_STOP, NULL, &client, &answer);
	if (status == 0) {
		client_answer_fini(&answer);
		/* As long as server.drain_ms lets the streams end, and no longer than the user waits. */
		r = client_wait_end(client);
		if (r < 0)
			status = command_failed("lost sight of the instance as it stopped: %s", strerror(-r));
	}
	client_close(&client);
	settings_fini(&settings);
	return status;
}
