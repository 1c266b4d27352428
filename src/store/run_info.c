#include "store/run_info.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/must.h"
#include "base/num.h"
#include "model/rfc3339.h"
#include "model/yaml_walk.h"
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

static int
parse_number(const struct yaml_walk_item *value, int64_t *ret_number)
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
set(struct run_info *info, const struct run_info_key *key, const struct yaml_walk_item *value)
{
	int64_t number;

	switch (key->type) {
	case RUN_INFO_TEXT:
		return yaml_walk_set_text(text_of(info, key), value);
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
check_version(const struct yaml_walk_item *value)
{
	int64_t version;
	int error = parse_number(value, &version);

	if (error == -ERANGE || (!error && version > RUN_INFO_VERSION))
		return -EPROTONOSUPPORT;
	return error || version < 1 ? -EBADMSG : 0;
}

/* A walk through the document. */
struct reading {
	struct run_info info;
	char name[32]; /* of the key before; "" for one that is none of ours */
};

static int
take_pair(struct reading *reading, const struct yaml_walk_item *value)
{
	if (strcmp(reading->name, "version") == 0)
		return check_version(value);
	for (size_t i = 0; i < RUN_INFO_KEYS; i++)
		if (strcmp(run_info_keys[i].name, reading->name) == 0)
			return set(&reading->info, &run_info_keys[i], value);
	return 0;
}

static int
take_item(void *arg, const struct yaml_walk_item *item)
{
	struct reading *reading = arg;

	if (item->depth > 1)
		return 0;
	if (item->kind == YAML_WALK_SCALAR)
		return take_pair(reading, item);
	if (item->kind == YAML_WALK_KEY) {
		reading->name[0] = '\0';
		if (item->length < sizeof(reading->name)) {
			memcpy(reading->name, item->text, item->length);
			reading->name[item->length] = '\0';
		}
	}
	return 0;
}

int
run_info_parse(const char *text, size_t length, struct run_info *ret_info)
{
	struct reading reading = { 0 };
	int error;

	if (length > RUN_INFO_BYTES)
		return -EFBIG;
	run_info_init(&reading.info);
	error = yaml_walk(text, length, RUN_INFO_DEPTH, take_item, &reading);
	if (error) {
		run_info_fini(&reading.info);
		return error;
	}
	*ret_info = reading.info;
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
