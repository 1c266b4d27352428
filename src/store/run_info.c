#include "store/run_info.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "base/num.h"
#include "model/utf8.h"
#include "store/rfc3339.h"
#include "store/run_dir.h"

#define ZERO_TIME "0001-01-01T00:00:00Z"
#define ZERO_TIME_MS INT64_C(-62135596800000)

enum value_type { VALUE_TEXT, VALUE_NUMBER, VALUE_EXIT_CODE, VALUE_TIME };

/* In the order in which they are written. */
static const struct key {
	const char *name;
	enum value_type type;
	size_t offset;
} keys[] = {
#define KEY(name, type) { #name, type, offsetof(struct run_info, name) }
	KEY(run_id, VALUE_TEXT),
	KEY(project_id, VALUE_TEXT),
	KEY(task_id, VALUE_TEXT),
	KEY(parent_run_id, VALUE_TEXT),
	KEY(previous_run_id, VALUE_TEXT),
	KEY(agent, VALUE_TEXT),
	KEY(agent_version, VALUE_TEXT),
	KEY(process_ownership, VALUE_TEXT),
	KEY(pid, VALUE_NUMBER),
	KEY(pgid, VALUE_NUMBER),
	{ "start_time", VALUE_TIME, offsetof(struct run_info, start_time_ms) },
	{ "end_time", VALUE_TIME, offsetof(struct run_info, end_time_ms) },
	KEY(exit_code, VALUE_EXIT_CODE),
	KEY(status, VALUE_TEXT),
	KEY(cwd, VALUE_TEXT),
	KEY(prompt_path, VALUE_TEXT),
	KEY(output_path, VALUE_TEXT),
	KEY(stdout_path, VALUE_TEXT),
	KEY(stderr_path, VALUE_TEXT),
	KEY(commandline, VALUE_TEXT),
	KEY(error_summary, VALUE_TEXT),
#undef KEY
};

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static char **
text_of(struct run_info *info, const struct key *key)
{
	return (char **)(void *)((char *)info + key->offset);
}

static int64_t *
number_of(struct run_info *info, const struct key *key)
{
	return (int64_t *)(void *)((char *)info + key->offset);
}

void
run_info_init(struct run_info *info)
{
	*info = (struct run_info){ .exit_code = -1 };
}

void
run_info_fini(struct run_info *info)
{
	for (size_t i = 0; i < KEYS; i++)
		if (keys[i].type == VALUE_TEXT)
			free(*text_of(info, &keys[i]));
	run_info_init(info);
}

/* --- reading ------------------------------------------------------------------------------------ */

struct scalar {
	const char *text;
	size_t length;
	bool is_plain;
};

/* YAML 1.1 and 1.2's words for no value, where they are not quoted. */
static bool
is_null(const struct scalar *value)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	for (size_t i = 0; value->is_plain && i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == value->length &&
		    memcmp(words[i], value->text, value->length) == 0)
			return true;
	return false;
}

static int
parse_number(const struct scalar *value, int64_t *ret_number)
{
	bool negative = value->length > 0 && value->text[0] == '-';
	uint64_t number;
	int error = num_parse_u64(value->text + negative, value->length - negative, &number);

	if (error)
		return error;
	if (number > INT64_MAX)
		return -ERANGE;
	*ret_number = negative ? -(int64_t)number : (int64_t)number;
	return 0;
}

static int
set_text(char **text, const struct scalar *value)
{
	char *copy = NULL;

	if (!is_null(value) && value->length > 0 && !memchr(value->text, '\0', value->length)) {
		copy = strndup(value->text, value->length);
		if (!copy)
			return -ENOMEM;
	}
	free(*text);
	*text = copy;
	return 0;
}

static int
set(struct run_info *info, const struct key *key, const struct scalar *value)
{
	int64_t number;

	switch (key->type) {
	case VALUE_TEXT:
		return set_text(text_of(info, key), value);
	case VALUE_NUMBER:
		if (parse_number(value, &number) != 0)
			number = 0;
		*number_of(info, key) = number;
		return 0;
	case VALUE_EXIT_CODE:
		if (parse_number(value, &number) != 0 || number < INT32_MIN || number > INT32_MAX)
			number = -1;
		info->exit_code = (int32_t)number;
		return 0;
	case VALUE_TIME:
		if (rfc3339_parse(value->text, value->length, &number) != 0 ||
		    number == ZERO_TIME_MS)
			number = 0;
		*number_of(info, key) = number;
		return 0;
	}
	must(false);
	return -EINVAL;
}

static int
check_version(const struct scalar *value)
{
	int64_t version;
	int error = parse_number(value, &version);

	if (error == -ERANGE || (!error && version > RUN_INFO_VERSION))
		return -EPROTONOSUPPORT;
	return error || version < 1 ? -EBADMSG : 0;
}

static int
take_pair(struct run_info *info, const char *name, const struct scalar *value)
{
	if (strcmp(name, "version") == 0)
		return check_version(value);
	for (size_t i = 0; i < KEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			return set(info, &keys[i], value);
	return 0;
}

/* Where the reader stands in the document. */
struct place {
	int depth;      /* of open mappings and sequences */
	bool has_key;   /* in the outermost mapping: name is set, and its value is next */
	char name[32];  /* "" for a key that is none of ours */
};

static void
take_key(struct place *place, const struct scalar *scalar)
{
	place->name[0] = '\0';
	if (scalar->length < sizeof(place->name)) {
		memcpy(place->name, scalar->text, scalar->length);
		place->name[scalar->length] = '\0';
	}
	place->has_key = true;
}

/* Returns 0, 1 at the end of the document, or -errno. */
static int
take_event(struct run_info *info, struct place *place, const yaml_event_t *event)
{
	struct scalar scalar;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		if (place->depth == 0)
			return -EBADMSG;
		if (place->depth > 1)
			return 0;
		scalar = (struct scalar){
			.text = (const char *)event->data.scalar.value,
			.length = event->data.scalar.length,
			.is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
		};
		if (!place->has_key) {
			take_key(place, &scalar);
			return 0;
		}
		place->has_key = false;
		return take_pair(info, place->name, &scalar);
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		if (place->depth == 0 && event->type != YAML_MAPPING_START_EVENT)
			return -EBADMSG;
		if (place->depth == 1 && !place->has_key)
			return -EBADMSG; /* a collection as a key */
		return ++place->depth > RUN_INFO_DEPTH ? -EBADMSG : 0;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		if (--place->depth == 1)
			place->has_key = false;
		return place->depth == 0 ? 1 : 0;
	case YAML_ALIAS_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_STREAM_END_EVENT:
		return -EBADMSG;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT:
		return 0;
	}
	return -EBADMSG;
}

int
run_info_parse(const char *text, size_t length, struct run_info *ret_info)
{
	struct place place = { 0 };
	struct run_info info;
	yaml_parser_t parser;
	int error = 0;

	if (length > RUN_INFO_BYTES)
		return -EFBIG;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	run_info_init(&info);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	while (error == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			error = parser.error == YAML_MEMORY_ERROR ? -ENOMEM : -EBADMSG;
			break;
		}
		error = take_event(&info, &place, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (error < 0) {
		run_info_fini(&info);
		return error;
	}
	*ret_info = info;
	return 0;
}

int
run_info_read(int dir_fd, const char *name, struct run_info *ret_info)
{
	char *text = NULL;
	size_t length;
	int fd, error;

	error = run_dir_open_file(dir_fd, name, NULL, &fd);
	if (error)
		return error;
	error = fd_read_all(fd, RUN_INFO_BYTES, &text, &length);
	fd_close(&fd);
	if (!error)
		error = run_info_parse(text, length, ret_info);
	free(text);
	return error;
}

/* --- writing ------------------------------------------------------------------------------------ */

/* Words that YAML 1.1 takes for something else than text. */
static bool
is_reserved(const char *text)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off",
		                             "y", "n" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

static bool
may_be_plain(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char inner[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	return text[0] != '\0' && strchr(letters, text[0]) && text[strspn(text, inner)] == '\0' &&
	       !is_reserved(text);
}

/* A double-quoted scalar (YAML 1.2, 7.3.1). */
static void
put_quoted(struct buf *to, const char *text)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);

	buf_putc(to, '"');
	while (at < end) {
		int length = utf8_next(at, (size_t)(end - at));

		if (length < 0) {
			buf_putc(to, '?');
			length = -length;
		} else if (*at == '"' || *at == '\\') {
			buf_printf(to, "\\%c", *at);
		} else if (*at < 0x20 || *at == 0x7f) {
			buf_printf(to, "\\x%02x", *at);
		} else if (*at == 0xc2 && at[1] < 0xa0) {
			buf_printf(to, "\\x%02x", at[1]); /* U+0080 to U+009F */
		} else if (*at == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9)) {
			buf_puts(to, at[2] == 0xa8 ? "\\L" : "\\P"); /* would be line breaks */
		} else if (*at == 0xef && ((at[1] == 0xbb && at[2] == 0xbf) ||
		                           (at[1] == 0xbf && at[2] >= 0xbe))) {
			buf_putc(to, '?'); /* U+FEFF, U+FFFE, U+FFFF */
		} else {
			buf_append(to, at, (size_t)length);
		}
		at += length;
	}
	buf_putc(to, '"');
}

static void
put_value(struct buf *to, const struct key *key, const struct run_info *info)
{
	const char *at = (const char *)info + key->offset;
	char now[CLOCK_RFC3339_BYTES];
	const char *text;
	int64_t number;

	switch (key->type) {
	case VALUE_TEXT:
		memcpy(&text, at, sizeof(text));
		if (may_be_plain(text))
			buf_puts(to, text);
		else
			put_quoted(to, text);
		return;
	case VALUE_NUMBER:
		memcpy(&number, at, sizeof(number));
		buf_printf(to, "%jd", (intmax_t)number);
		return;
	case VALUE_EXIT_CODE:
		buf_printf(to, "%d", info->exit_code);
		return;
	case VALUE_TIME:
		memcpy(&number, at, sizeof(number));
		if (number == 0) {
			buf_puts(to, ZERO_TIME);
		} else {
			clock_format_rfc3339(number, now);
			buf_puts(to, now);
		}
		return;
	}
	must(false);
}

/* What readers may count on is always there; the rest when it says something. */
static bool
is_written(const struct key *key, const struct run_info *info)
{
	const char *at = (const char *)info + key->offset;
	const char *text;
	int64_t number;

	if (key->type == VALUE_TEXT) {
		memcpy(&text, at, sizeof(text));
		return text && text[0] != '\0';
	}
	if (key->type == VALUE_NUMBER) {
		memcpy(&number, at, sizeof(number));
		return number != 0;
	}
	return true;
}

static int
write_file(int dir_fd, const char *name, const struct buf *text, bool sync)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int error;

	if (fd < 0 && errno == EEXIST) {
		/* Left by one that had our pid and was killed. */
		unlinkat(dir_fd, name, 0);
		fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		            0644);
	}
	if (fd < 0)
		return -errno;
	error = fd_write_all(fd, text->data, text->length_bytes);
	if (!error && sync && fsync(fd) < 0)
		error = -errno;
	if (close(fd) < 0 && !error) /* NFS tells here that the disk is full */
		error = -errno;
	return error;
}

static int
sync_dir(int dir_fd)
{
	/* dir_fd may be an O_PATH one, which cannot be synced. */
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		error = -errno;
	fd_close(&fd);
	return error;
}

int
run_info_write(int dir_fd, const char *name, const struct run_info *info, bool sync)
{
	char temporary[NAME_MAX + 1];
	struct buf text = BUF_INIT;
	int n, error;

	n = snprintf(temporary, sizeof(temporary), ".%s.%jd", name, (intmax_t)getpid());
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return -ENAMETOOLONG;
	buf_printf(&text, "version: %d\n", RUN_INFO_VERSION);
	for (size_t i = 0; i < KEYS; i++) {
		if (!is_written(&keys[i], info))
			continue;
		buf_printf(&text, "%s: ", keys[i].name);
		put_value(&text, &keys[i], info);
		buf_putc(&text, '\n');
	}
	error = buf_error(&text);
	if (!error && text.length_bytes > RUN_INFO_BYTES)
		error = -EFBIG;
	if (!error) {
		error = write_file(dir_fd, temporary, &text, sync);
		if (!error && renameat(dir_fd, temporary, dir_fd, name) < 0)
			error = -errno;
		if (error)
			unlinkat(dir_fd, temporary, 0);
		else if (sync)
			error = sync_dir(dir_fd);
	}
	buf_fini(&text);
	return error;
}

/* --- what it means ------------------------------------------------------------------------------ */

const char *
run_info_status(const struct run_info *info)
{
	if (info->status)
		return info->status;
	return info->exit_code >= 0 ? "completed" : "unknown";
}

bool
run_info_status_is_terminal(const char *status)
{
	static const char *const words[] = { "completed", "failed", "cancelled", "crashed",
		                             "stopped" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(status, words[i]) == 0)
			return true;
	return false;
}
