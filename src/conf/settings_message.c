#include "conf/settings_message.h"

#include <errno.h>
#include <string.h>

static const char first_line[] = "settings\n";

void
settings_message_append(struct buf *to, const struct settings *settings)
{
	buf_puts(to, first_line);
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		buf_printf(to, "%s ", settings_keys[i].path);
		settings_append_text(to, settings, &settings_keys[i]);
		buf_putc(to, '\n');
	}
}

static int
read_line(struct settings *settings, const struct settings_key *key, const char *line,
          size_t length)
{
	size_t path = strlen(key->path);

	if (length <= path || memcmp(line, key->path, path) != 0 || line[path] != ' ')
		return -EBADMSG;
	return settings_set(settings, key, line + path + 1, length - path - 1);
}

/* Both sides are of one build, so every key is there and in the table's order. */
int
settings_message_parse(const char *text, size_t length, struct settings *ret_settings)
{
	const char *at = text + sizeof(first_line) - 1, *end = text + length;
	struct settings settings;
	int error;

	if (length < sizeof(first_line) - 1 || memcmp(text, first_line, sizeof(first_line) - 1) != 0)
		return -EBADMSG;
	error = settings_init(&settings);
	if (error)
		return error;
	for (size_t i = 0; !error && i < SETTINGS_COUNT; i++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		error = newline ? read_line(&settings, &settings_keys[i], at, (size_t)(newline - at))
		                : -EBADMSG;
		at = newline ? newline + 1 : end;
	}
	if (!error && at != end)
		error = -EBADMSG;
	if (error) {
		settings_fini(&settings);
		return error == -EINVAL ? -EBADMSG : error;
	}
	*ret_settings = settings;
	return 0;
}
