#include "store/run_info.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/fd.h"
#include "base/must.h"
#include "base/num.h"
#include "model/rfc3339.h"
#include "store/run_dir.h"
#include "store/run_info_keys.h"

#define ZERO_TIME_MS INT64_C(-62135596800000)

/* In the order in which they are written. */
const struct run_info_key run_info_keys[RUN_INFO_KEYS] = {
#define KEY(name, type) { #name, type, offsetof(struct run_info, name) }
	KEY(run_id, RUN_INFO_TEXT),
	KEY(project_id, RUN_INFO_TEXT),
	KEY(task_id, RUN_INFO_TEXT),
	KEY(parent_run_id, RUN_INFO_TEXT),
	KEY(previous_run_id, RUN_INFO_TEXT),
	KEY(agent, RUN_INFO_TEXT),
	KEY(agent_version, RUN_INFO_TEXT),
	KEY(process_ownership, RUN_INFO_TEXT),
	KEY(pid, RUN_INFO_NUMBER),
	KEY(pgid, RUN_INFO_NUMBER),
	{ "start_time", RUN_INFO_TIME, offsetof(struct run_info, start_time_ms) },
	{ "end_time", RUN_INFO_TIME, offsetof(struct run_info, end_time_ms) },
	KEY(exit_code, RUN_INFO_EXIT_CODE),
	KEY(status, RUN_INFO_TEXT),
	KEY(cwd, RUN_INFO_TEXT),
	KEY(prompt_path, RUN_INFO_TEXT),
	KEY(output_path, RUN_INFO_TEXT),
	KEY(stdout_path, RUN_INFO_TEXT),
	KEY(stderr_path, RUN_INFO_TEXT),
	KEY(commandline, RUN_INFO_TEXT),
	KEY(error_summary, RUN_INFO_TEXT),
#undef KEY
};

static char **
text_of(struct run_info *info, const struct run_info_key *key)
{
	return (char **)(void *)((char *)info + key->offset);
}

static int64_t *
number_of(struct run_info *info, const struct run_info_key *key)
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
	for (size_t i = 0; i < RUN_INFO_KEYS; i++)
		if (run_info_keys[i].type == RUN_INFO_TEXT)
			free(*text_of(info, &run_info_keys[i]));
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
set(struct run_info *info, const struct run_info_key *key, const struct scalar *value)
{
	int64_t number;

	switch (key->type) {
	case RUN_INFO_TEXT:
		return set_text(text_of(info, key), value);
	case RUN_INFO_NUMBER:
		if (parse_number(value, &number) != 0)
			number = 0;
		*number_of(info, key) = number;
		return 0;
	case RUN_INFO_EXIT_CODE:
		if (parse_number(value, &number) != 0 || number < INT32_MIN || number > INT32_MAX)
			number = -1;
		info->exit_code = (int32_t)number;
		return 0;
	case RUN_INFO_TIME:
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
	for (size_t i = 0; i < RUN_INFO_KEYS; i++)
		if (strcmp(run_info_keys[i].name, name) == 0)
			return set(info, &run_info_keys[i], value);
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
