#include "conf/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

enum { WORKERS_BY_DEFAULT = 8 };

static char **
text_of(struct settings *settings, const struct settings_key *key)
{
	return (char **)(void *)((char *)settings + key->offset);
}

static const char *
text_in(const struct settings *settings, const struct settings_key *key)
{
	return *(char *const *)(const void *)((const char *)settings + key->offset);
}

static int64_t *
number_of(struct settings *settings, const struct settings_key *key)
{
	return (int64_t *)(void *)((char *)settings + key->offset);
}

static int64_t
number_in(const struct settings *settings, const struct settings_key *key)
{
	return *(const int64_t *)(const void *)((const char *)settings + key->offset);
}

static bool *
boolean_of(struct settings *settings, const struct settings_key *key)
{
	return (bool *)(void *)((char *)settings + key->offset);
}

static bool
boolean_in(const struct settings *settings, const struct settings_key *key)
{
	return *(const bool *)(const void *)((const char *)settings + key->offset);
}

/* --- defaults, copies ------------------------------------------------------------------------- */

static char *
default_runtime_dir(void)
{
	const char *session = getenv("XDG_RUNTIME_DIR");
	char *path = NULL;
	int n;

	if (geteuid() == 0)
		return strdup("/run/runstream");
	if (session && session[0] == '/' && strlen(session) < SETTINGS_TEXT_BYTES / 2)
		n = asprintf(&path, "%s/runstream", session);
	else
		n = asprintf(&path, "/tmp/runstream-%ju", (uintmax_t)geteuid());
	return n < 0 ? NULL : path;
}

static int64_t
default_workers(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (processors < 1)
		return 1;
	return processors < WORKERS_BY_DEFAULT ? processors : WORKERS_BY_DEFAULT;
}

int
settings_init(struct settings *ret_settings)
{
	struct settings settings;

	memset(&settings, 0, sizeof(settings));
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		const struct settings_key *key = &settings_keys[i];

		if (key->type == SETTINGS_NUMBER) {
			*number_of(&settings, key) = key->default_number;
		} else if (key->type == SETTINGS_BOOLEAN) {
			*boolean_of(&settings, key) = key->default_number != 0;
		} else {
			char *text = key->default_text ? strdup(key->default_text)
			                               : default_runtime_dir();

			if (!text) {
				settings_fini(&settings);
				return -ENOMEM;
			}
			*text_of(&settings, key) = text;
		}
	}
	settings.server.workers = default_workers();
	*ret_settings = settings;
	return 0;
}

void
settings_fini(struct settings *settings)
{
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (settings_key_is_text(&settings_keys[i])) {
			free(*text_of(settings, &settings_keys[i]));
			*text_of(settings, &settings_keys[i]) = NULL;
		}
}

uint32_t
settings_sockets(const struct settings *settings)
{
	int64_t workers = settings->server.workers, sockets = settings->server.sockets;

	if (sockets == 0)
		sockets = workers * 2 < SETTINGS_WORKERS_MOST ? workers * 2 : SETTINGS_WORKERS_MOST;
	return (uint32_t)(sockets < workers ? workers : sockets);
}

int
settings_copy(const struct settings *settings, struct settings *ret_copy)
{
	struct settings copy = *settings;
	bool failed = false;

	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (settings_key_is_text(&settings_keys[i])) {
			char *text = strdup(text_in(settings, &settings_keys[i]));

			*text_of(&copy, &settings_keys[i]) = text;
			failed = failed || !text;
		}
	if (failed) {
		settings_fini(&copy);
		return -ENOMEM;
	}
	*ret_copy = copy;
	return 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static int
set_text(struct settings *settings, const struct settings_key *key, const char *text, size_t length)
{
	char *copy;
	int error = settings_key_read_text(key, text, length, &copy);

	if (error)
		return error;
	free(*text_of(settings, key));
	*text_of(settings, key) = copy;
	return 0;
}

int
settings_set(struct settings *settings, const struct settings_key *key, const char *text,
             size_t length)
{
	int64_t number;

	if (settings_key_is_text(key))
		return set_text(settings, key, text, length);
	if (key->type == SETTINGS_NUMBER) {
		if (!settings_key_read_number(key, text, length, &number))
			return -EINVAL;
		*number_of(settings, key) = number;
		return 0;
	}
	if (length == 4 && memcmp(text, "true", 4) == 0)
		*boolean_of(settings, key) = true;
	else if (length == 5 && memcmp(text, "false", 5) == 0)
		*boolean_of(settings, key) = false;
	else
		return -EINVAL;
	return 0;
}

bool
settings_recording_is_synced(const struct settings *settings)
{
	return strcmp(settings->recording.durability, "synced") == 0;
}

void
settings_append_text(struct buf *to, const struct settings *settings,
                     const struct settings_key *key)
{
	if (key->type == SETTINGS_NUMBER)
		buf_printf(to, "%" PRId64, number_in(settings, key));
	else if (key->type == SETTINGS_BOOLEAN)
		buf_puts(to, boolean_in(settings, key) ? "true" : "false");
	else
		buf_puts(to, text_in(settings, key));
}

bool
settings_equal(const struct settings *a, const struct settings *b, const struct settings_key *key)
{
	if (key->type == SETTINGS_NUMBER)
		return number_in(a, key) == number_in(b, key);
	if (key->type == SETTINGS_BOOLEAN)
		return boolean_in(a, key) == boolean_in(b, key);
	return strcmp(text_in(a, key), text_in(b, key)) == 0;
}

int
settings_pin(struct settings *next, const struct settings *running,
             const struct settings_key *ret_keys[static SETTINGS_COUNT])
{
	int count = 0;

	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		const struct settings_key *key = &settings_keys[i];

		if (!key->needs_restart || settings_equal(next, running, key))
			continue;
		if (key->type == SETTINGS_NUMBER) {
			*number_of(next, key) = number_in(running, key);
		} else if (key->type == SETTINGS_BOOLEAN) {
			*boolean_of(next, key) = boolean_in(running, key);
		} else {
			char *text = strdup(text_in(running, key));

			if (!text)
				return -ENOMEM;
			free(*text_of(next, key));
			*text_of(next, key) = text;
		}
		ret_keys[count++] = key;
	}
	return count;
}
