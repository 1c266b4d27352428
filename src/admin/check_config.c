#include <stddef.h>
#include <unistd.h>

#include "admin/command.h"
#include "conf/conf.h"

int
check_config_run(struct call *call)
{
	const struct conf_sources sources = { .file = call->config_path, .environment = environ };
	struct settings settings;
	struct output *output;
	const char *file = conf_file(&sources);

	if (call_settings(call, &settings) < 0)
		return COMMAND_FAILED;
	output = call_output(call);
	if (!output) {
		settings_fini(&settings);
		return COMMAND_FAILED;
	}
	output_boolean(output, "valid", true);
	output_string(output, "file", file);
	output_string(output, "runtime_dir", settings.server.runtime_dir);
	output_string(output, "runs_dir", settings.storage.runs_dir);
	settings_fini(&settings);
	return call_output_end(&output);
}
