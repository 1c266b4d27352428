/*
 * check_keys PAGE EXAMPLE: compares the key table with runstream.yaml(5) and with the example
 * configuration. Each key must have its entry in the page, beginning with the lines that the
 * table gives; the page must have no other keys; the example must say the defaults, and name
 * every key. Prints what is missing; that may be copied.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "conf/conf.h"

static int failures;

static char *
read_text(const char *name)
{
	char *text;
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd_read_all(fd, 1 << 20, &text, NULL) != 0) {
		fprintf(stderr, "%s: cannot be read\n", name);
		exit(EXIT_FAILURE);
	}
	fd_close(&fd);
	return text;
}

/* The first lines of the key's entry in the page. */
static void
append_entry(struct buf *to, const struct settings *defaults, const struct settings_key *key)
{
	size_t demand;

	buf_printf(to, ".It Ic %s\n%s\n", key->path, key->help);
	demand = to->length_bytes;
	settings_key_append_demand(to, key);
	to->data[demand] = (char)toupper((unsigned char)to->data[demand]);
	buf_puts(to, "; default: ");
	if (key->default_words)
		buf_puts(to, key->default_words);
	else if (key->default_text && *key->default_text == '\0')
		buf_puts(to, "empty");
	else
		settings_append_text(to, defaults, key);
	buf_puts(to, ".\n");
	if (key->needs_restart)
		buf_puts(to, "A change takes effect at a restart.\n");
}

static void
check_page(const char *name, const struct settings *defaults)
{
	char *page = read_text(name);

	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		struct buf entry = BUF_INIT;

		append_entry(&entry, defaults, &settings_keys[i]);
		if (!strstr(page, buf_string(&entry))) {
			fprintf(stderr, "%s: missing:\n%s", name, buf_string(&entry));
			failures++;
		}
		buf_fini(&entry);
	}
	for (const char *at = page; (at = strstr(at, "\n.It Ic ")); at++) {
		const char *path = at + strlen("\n.It Ic ");
		size_t length = strcspn(path, "\n");
		bool is_key = false;

		for (size_t i = 0; i < SETTINGS_COUNT; i++)
			is_key = is_key || (strlen(settings_keys[i].path) == length &&
			                    strncmp(settings_keys[i].path, path, length) == 0);
		if (!is_key) {
			fprintf(stderr, "%s: there is no key %.*s\n", name, (int)length, path);
			failures++;
		}
	}
	free(page);
}

static void
check_example(const char *name, const struct settings *defaults)
{
	char *text = read_text(name), error[CONF_ERROR_BYTES];
	struct settings settings;

	if (settings_init(&settings) || conf_apply_text(&settings, name, text, strlen(text), error)) {
		fprintf(stderr, "%s\n", error);
		exit(EXIT_FAILURE);
	}
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		const struct settings_key *key = &settings_keys[i];
		struct buf line = BUF_INIT;

		buf_printf(&line, " %s:", strrchr(key->path, '.') + 1);
		if (!strstr(text, buf_string(&line)) || !settings_equal(&settings, defaults, key)) {
			fprintf(stderr, "%s: does not say the default of %s\n", name, key->path);
			failures++;
		}
		buf_fini(&line);
	}
	settings_fini(&settings);
	free(text);
}

int
main(int argc, char **argv)
{
	struct settings defaults;

	if (argc != 3 || settings_init(&defaults)) {
		fputs("usage: check_keys PAGE EXAMPLE\n", stderr);
		return 2;
	}
	check_page(argv[1], &defaults);
	check_example(argv[2], &defaults);
	settings_fini(&defaults);
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
