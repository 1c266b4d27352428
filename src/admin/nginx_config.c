#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/client.h"
#include "admin/command.h"
#include "admin/nginx_templates.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/nearest.h"
#include "base/num.h"
#include "shm/control.h"
#include "shm/instance.h"

const struct command_option nginx_config_options[] = {
	{ "mode", "streams|all", "the paths of streams alone, or all (default)", 0 },
	{ "sockets", "N", "how many sockets (default: as the instance has)", 0 },
	{ 0 },
};

/*
 * Sockets of the instance that runs now, if one does: it may have been started with a number
 * of its own. 0 if there is none.
 */
static uint32_t
present_sockets(const char *runtime_dir)
{
	char sentence[CLIENT_ERROR_BYTES];
	struct client_answer answer;
	struct client *client = NULL;
	struct json_object *sockets;
	int64_t count = 0;

	if (client_open(runtime_dir, &client) < 0)
		return 0;
	if (client_request(client, CONTROL_COMMAND_STATUS, NULL, &answer, sentence) == 0) {
		if (json_object_object_get_ex(answer.body, CONTROL_SOCKETS, &sockets))
			count = json_object_get_int64(sockets);
		client_answer_fini(&answer);
	}
	client_close(&client);
	if (count < 0)
		return 0;
	return count < INSTANCE_WORKERS_MAX ? (uint32_t)count : INSTANCE_WORKERS_MAX;
}

static int
print(const struct nginx_values *values, const char *part)
{
	struct buf text = BUF_INIT;
	int r;

	if (!part)
		buf_puts(&text, "# Two files: this first one to be included in http{} …\n");
	if (!part || strcmp(part, "upstream") == 0)
		nginx_put_upstream(&text, values);
	if (!part)
		buf_puts(&text, "\n# … and this second one in server{}.\n");
	if (!part || strcmp(part, "locations") == 0)
		nginx_put_locations(&text, values);
	r = buf_error(&text);
	if (r == 0 && fwrite(text.data, 1, text.length_bytes, stdout) < text.length_bytes)
		r = -errno;
	if (r == 0 && fflush(stdout) == EOF)
		r = -errno;
	buf_fini(&text);
	return r < 0 ? command_failed("cannot write the answer: %s", strerror(-r)) : COMMAND_DONE;
}

int
nginx_config_run(struct call *call)
{
	static const char *const parts[] = { "upstream", "locations" }, *const modes[] = { "streams", "all" };
	const char *part = call->argument_count > 0 ? call->arguments[0] : NULL;
	const char *mode = call_option(call, "mode"), *sockets = call_option(call, "sockets"), *near;
	struct nginx_values values = { .mode = NGINX_ALL };
	struct settings settings;
	uint64_t count = 0;
	int status;

	if (part && strcmp(part, parts[0]) != 0 && strcmp(part, parts[1]) != 0) {
		near = nearest_word(part, parts, 2);
		return command_misused("nginx-config: there is no part \"%s\"%s%s%s", part,
		                       near ? "; did you mean \"" : ": upstream or locations",
		                       near ? near : "", near ? "\"?" : "");
	}
	if (mode && strcmp(mode, modes[0]) != 0 && strcmp(mode, modes[1]) != 0)
		return command_misused("nginx-config: --mode is streams or all, not \"%s\"", mode);
	if (sockets && (num_parse_u64(sockets, strlen(sockets), &count) < 0 || count == 0 ||
	                count > INSTANCE_WORKERS_MAX))
		return command_misused("nginx-config: --sockets is a number from 1 to %d",
		                       INSTANCE_WORKERS_MAX);
	if (call_settings(call, &settings) < 0)
		return COMMAND_FAILED;
	if (mode && strcmp(mode, "streams") == 0)
		values.mode = NGINX_STREAMS;
	values.runtime_dir = settings.server.runtime_dir;
	values.prefix = settings.api.prefix;
	values.refused_retry_s = settings.api.sse.refused_retry_s;
	values.max_body_bytes = settings.recording.max_body_bytes;
	values.cors_origins = settings.api.cors_origins;
	values.socket_count = (uint32_t)count;
	if (values.socket_count == 0)
		values.socket_count = present_sockets(values.runtime_dir);
	if (values.socket_count == 0)
		values.socket_count = settings_sockets(&settings);
	if (nginx_check(&values) < 0)
		status = command_failed("a quote, a backslash or a dollar in server.runtime_dir (%s) or "
		                        "api.prefix (%s) cannot be written for nginx", values.runtime_dir,
		                        values.prefix);
	else
		status = print(&values, part);
	settings_fini(&settings);
	return status;
}
