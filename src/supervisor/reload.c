#include "supervisor/reload.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "conf/conf.h"
#include "shm/counters.h"
#include "supervisor/pool.h"

void
reload_log_level(const struct settings *settings)
{
	enum log_level level;

	if (log_parse_level(settings->log.level, &level) == 0)
		log_set_level(level);
}

/* What a worker may do is settled when it is started. */
static bool
needs_other_workers(const struct settings *before, const struct settings *next)
{
	return next->server.sandbox && *before->recording.allow_from == '\0' &&
	       *next->recording.allow_from != '\0';
}

/* A worker needs a place, and the places are there from the start. */
static bool
clip_workers(struct settings *next, uint32_t places)
{
	if (next->server.workers <= places)
		return false;
	next->server.workers = places;
	return true;
}

static void
tell_waiting(struct json_object *waiting, const char *path)
{
	log_warning("reload_needs_restart", "key=%s", path);
	if (waiting)
		json_object_array_add(waiting, json_object_new_string(path));
}

int
reload_settings(const struct reload *reload, struct json_object *waiting, struct buf *sentence)
{
	const struct settings_key *pinned[SETTINGS_COUNT];
	char error_text[CONF_ERROR_BYTES];
	struct settings next;
	int count = 0, error = conf_load(reload->sources, &next, error_text);
	bool is_clipped, replaces_workers;

	if (error) {
		buf_puts(sentence, error_text);
	} else {
		count = settings_pin(&next, reload->settings, pinned);
		if (count < 0) {
			settings_fini(&next);
			error = count;
			buf_puts(sentence, strerror(-error));
		}
	}
	reload->counters->reloads[error ? COUNTERS_RESULT_FAILED : COUNTERS_RESULT_OK]++;
	reload->counters->last_reload_ok = !error;
	if (error) {
		log_error("reload_failed", "reason=%s", buf_string(sentence));
		return error;
	}
	is_clipped = clip_workers(&next, reload->places);
	replaces_workers = needs_other_workers(reload->settings, &next);
	settings_fini(reload->settings);
	*reload->settings = next;
	reload_log_level(reload->settings);
	pool_send_settings(reload->pool);
	pool_resize(reload->pool);
	if (replaces_workers && pool_drain(reload->pool, POOL_ALL_WORKERS) == 0)
		log_info("workers_replaced", "reason=\"recording was switched on\"");
	log_info("reloaded", "config=\"%s\"",
	         conf_file(reload->sources) ? conf_file(reload->sources) : "");
	for (int i = 0; i < count; i++)
		tell_waiting(waiting, pinned[i]->path);
	if (is_clipped)
		tell_waiting(waiting, "server.workers");
	return 0;
}
