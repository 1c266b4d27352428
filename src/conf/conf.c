#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/must.h"
#include "base/nearest.h"
#include "conf/document.h"

#define VARIABLE_PREFIX "RUNSTREAM_"
#define LONGEST_SOCKET_NAME "/worker-64.sock"

enum { VARIABLE_BYTES = 64 };

/* Variables with our prefix that are not settings; runstream.yaml(5) says what they are. */
static const char *const other_variables[] = { "RUNSTREAM_CONFIG" };

/* Hands out what was said, or why nothing could be. */
static int
finish(int error, struct buf *sentence, char ret_error[static CONF_ERROR_BYTES])
{
	if (error)
		snprintf(ret_error, CONF_ERROR_BYTES, "%s",
		         sentence->length_bytes > 0 && !buf_error(sentence) ? buf_string(sentence)
		                                                             : strerror(-error));
	buf_fini(sentence);
	return error;
}

/* --- the file --------------------------------------------------------------------------------- */

/* path as seen from directory (NULL: the current one); returns owned, or NULL without memory. */
static char *
resolve(const char *directory, const char *path)
{
	char *here = NULL, *absolute = NULL;

	if (*path == '/')
		return strdup(path);
	if (!directory)
		directory = here = getcwd(NULL, 0);
	if (directory && asprintf(&absolute, "%s/%s", directory, path) < 0)
		absolute = NULL;
	free(here);
	return absolute;
}

static int
open_file(const char *name, const char *directory)
{
	/* Non-blocking: a FIFO without a writer would stop the service from coming up. */
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	char *path = directory ? resolve(directory, name) : strdup(name);
	int fd = path ? open(path, flags) : -1;

	fd = fd < 0 ? -errno : fd;
	free(path);
	return fd;
}

static int
read_file(const char *name, const char *directory, char **ret_text, size_t *ret_length,
          struct buf *sentence)
{
	struct stat status;
	int error = 0, fd = open_file(name, directory);

	if (fd < 0 || fstat(fd, &status) < 0) {
		error = fd < 0 ? fd : -errno;
		buf_printf(sentence, "%s: %s", name, strerror(-error));
	} else if (!S_ISREG(status.st_mode)) {
		error = -EINVAL;
		buf_printf(sentence, "%s: not a regular file", name);
	} else {
		error = fd_read_all(fd, CONF_FILE_BYTES, ret_text, ret_length);
		if (error == -EFBIG)
			buf_printf(sentence, "%s: larger than %d KiB", name, CONF_FILE_BYTES / 1024);
		else if (error)
			buf_printf(sentence, "%s: %s", name, strerror(-error));
	}
	fd_close(&fd);
	return error;
}

static int
apply_file(struct settings *settings, const char *name, const char *directory,
           struct document_place *places, struct buf *sentence)
{
	char *text;
	size_t length;
	int error = read_file(name, directory, &text, &length, sentence);

	if (error)
		return error;
	error = document_apply(settings, name, text, length, places, sentence);
	free(text);
	return error;
}

/* --- variables and flags ---------------------------------------------------------------------- */

/* RUNSTREAM_API_SSE_POLL_INTERVAL_MS from api.sse.poll_interval_ms. */
static void
name_variable(const struct settings_key *key, char ret_name[static VARIABLE_BYTES])
{
	size_t at = (size_t)snprintf(ret_name, VARIABLE_BYTES, "%s%s", VARIABLE_PREFIX, key->path);

	for (size_t i = 0; i < at && i < VARIABLE_BYTES; i++)
		ret_name[i] = ret_name[i] == '.' ? '_' : (char)toupper((unsigned char)ret_name[i]);
}

static int
set_from_outside(struct settings *settings, const struct settings_key *key, const char *source,
                 const char *value, const char *directory, struct buf *sentence)
{
	char *absolute = NULL;
	int error;

	if (key->type == SETTINGS_PATH && *value != '\0') {
		absolute = resolve(directory, value);
		if (!absolute)
			return -ENOMEM;
	}
	error = settings_set(settings, key, absolute ? absolute : value,
	                     strlen(absolute ? absolute : value));
	free(absolute);
	if (error != -EINVAL)
		return error;
	buf_printf(sentence, "%s must be ", source);
	settings_key_append_demand(sentence, key);
	buf_puts(sentence, ", not ");
	document_append_quoted(sentence, value, strlen(value));
	return -EINVAL;
}

static int
complain_of_variable(const char *variable, size_t length, struct buf *sentence)
{
	char names[SETTINGS_COUNT][VARIABLE_BYTES];
	const char *candidates[SETTINGS_COUNT], *found = NULL;
	char word[VARIABLE_BYTES];

	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		name_variable(&settings_keys[i], names[i]);
		candidates[i] = names[i];
	}
	document_append_quoted(sentence, variable, length);
	buf_puts(sentence, ": no setting has such a variable");
	if (length < sizeof(word)) {
		memcpy(word, variable, length);
		word[length] = '\0';
		found = nearest_word(word, candidates, SETTINGS_COUNT);
	}
	if (found)
		buf_printf(sentence, "; did you mean %s?", found);
	return -EINVAL;
}

static int
apply_variable(struct settings *settings, const char *variable, const char *directory,
               struct buf *sentence)
{
	size_t length = strcspn(variable, "=");

	if (strncmp(variable, VARIABLE_PREFIX, strlen(VARIABLE_PREFIX)) != 0 ||
	    variable[length] == '\0')
		return 0;
	for (size_t i = 0; i < sizeof(other_variables) / sizeof(other_variables[0]); i++)
		if (strncmp(variable, other_variables[i], length) == 0 &&
		    other_variables[i][length] == '\0')
			return 0;
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		char name[VARIABLE_BYTES];

		name_variable(&settings_keys[i], name);
		if (strncmp(variable, name, length) == 0 && name[length] == '\0')
			return set_from_outside(settings, &settings_keys[i], name,
			                        variable + length + 1, directory, sentence);
	}
	return complain_of_variable(variable, length, sentence);
}

static int
apply_flag(struct settings *settings, const struct conf_flag *flag, const char *directory,
           struct buf *sentence)
{
	if (!flag->value)
		return 0;
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (strcmp(settings_keys[i].path, flag->path) == 0) {
			int error = set_from_outside(settings, &settings_keys[i], flag->name, flag->value,
			                             directory, sentence);

			return error == -EINVAL ? -EDOM : error;
		}
	must(!"a flag for a key that there is not");
	return -EINVAL;
}

/* --- relations -------------------------------------------------------------------------------- */

static void
append_place(struct buf *sentence, const char *file, const struct document_place *places,
             const char *path)
{
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (file && places[i].line > 0 && strcmp(settings_keys[i].path, path) == 0)
			buf_printf(sentence, "%s:%zu:%zu: ", file, places[i].line, places[i].column);
}

/* file and places say where each key was given, as far as it was in the file. */
static int
check_relations(const struct settings *settings, const char *file,
                const struct document_place *places, struct buf *sentence)
{
	const struct {
		const char *path, *name;
	} files[] = {
		{ "storage.files.run_info", settings->storage.files.run_info },
		{ "storage.files.stdout", settings->storage.files.stdout_log },
		{ "storage.files.stderr", settings->storage.files.stderr_log },
		{ "storage.files.events", settings->storage.files.events },
	};
	/* sun_path of unix(7), with its NUL. */
	size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof(LONGEST_SOCKET_NAME);

	if (strlen(settings->server.runtime_dir) > most) {
		append_place(sentence, file, places, "server.runtime_dir");
		buf_printf(sentence,
		           "server.runtime_dir has %zu bytes; the sockets in it leave room for %zu",
		           strlen(settings->server.runtime_dir), most);
		return -EINVAL;
	}
	for (size_t i = 1; i < sizeof(files) / sizeof(files[0]); i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(files[i].name, files[j].name) == 0) {
				append_place(sentence, file, places, files[i].path);
				buf_printf(sentence, "%s and %s name the same file", files[j].path,
				           files[i].path);
				return -EINVAL;
			}
	return 0;
}

/* --- all together ----------------------------------------------------------------------------- */

static const char *
named_file(const struct conf_sources *sources)
{
	static const char variable[] = "RUNSTREAM_CONFIG=";

	if (sources->file)
		return sources->file;
	for (char *const *at = sources->environment; at && *at; at++)
		if (strncmp(*at, variable, sizeof(variable) - 1) == 0 &&
		    (*at)[sizeof(variable) - 1] != '\0')
			return *at + sizeof(variable) - 1;
	return NULL;
}

const char *
conf_file(const struct conf_sources *sources)
{
	const char *named = named_file(sources);

	if (named)
		return named;
	/* Anything but "it is not there" is for the reading to complain of. */
	return access(CONF_DEFAULT_FILE, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)
	               ? CONF_DEFAULT_FILE
	               : NULL;
}

int
conf_load(const struct conf_sources *sources, struct settings *ret_settings,
          char ret_error[static CONF_ERROR_BYTES])
{
	struct document_place places[SETTINGS_COUNT] = { 0 };
	const char *file = conf_file(sources);
	struct buf sentence = BUF_INIT;
	struct settings settings;
	int error = settings_init(&settings);

	if (error)
		return finish(error, &sentence, ret_error);
	if (file)
		error = apply_file(&settings, file, sources->directory, places, &sentence);
	for (char *const *at = sources->environment; !error && at && *at; at++)
		error = apply_variable(&settings, *at, sources->directory, &sentence);
	for (size_t i = 0; !error && i < sources->flag_count; i++)
		error = apply_flag(&settings, &sources->flags[i], sources->directory, &sentence);
	if (!error)
		error = check_relations(&settings, file, places, &sentence);
	if (error)
		settings_fini(&settings);
	else
		*ret_settings = settings;
	return finish(error, &sentence, ret_error);
}

int
conf_apply_text(struct settings *settings, const char *name, const char *text, size_t length,
                char ret_error[static CONF_ERROR_BYTES])
{
	struct document_place places[SETTINGS_COUNT] = { 0 };
	struct buf sentence = BUF_INIT;
	int error;

	if (length > CONF_FILE_BYTES) {
		error = -EFBIG;
		buf_printf(&sentence, "%s: larger than %d KiB", name, CONF_FILE_BYTES / 1024);
	} else {
		error = document_apply(settings, name, text, length, places, &sentence);
	}
	if (!error)
		error = check_relations(settings, name, places, &sentence);
	return finish(error, &sentence, ret_error);
}
