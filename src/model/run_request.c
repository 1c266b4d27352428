#include "model/run_request.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "model/json_scan.h"
#include "model/json_text.h"

enum known { RUN_ID, PROJECT_ID, TASK_ID, KEY, REPO_PATH, TASKS_DIR, PARALLELISM, TOTAL_UNITS, TYPE,
	     TIME, SEQ, KNOWN };

static const char *const known_names[KNOWN] = {
	[RUN_ID] = "run_id", [PROJECT_ID] = "project_id", [TASK_ID] = "task_id", [KEY] = "key",
	[REPO_PATH] = "repo_path", [TASKS_DIR] = "tasks_dir", [PARALLELISM] = "parallelism",
	[TOTAL_UNITS] = "total_units", [TYPE] = "type", [TIME] = "time", [SEQ] = "seq",
};

void
run_request_fini(struct run_request *request)
{
	buf_fini(&request->started);
}

static enum known
which(const struct json_member *member)
{
	unsigned known = 0;

	while (known < KNOWN && !json_member_is(member, known_names[known]))
		known++;
	return (enum known)known;
}

/* A name for a folder that discovery will look at: it passes over those that begin with a dot. */
static int
take_name(const char *field, const struct json_value *value, char to[static RUN_ID_BYTES + 1],
          struct fault *fault)
{
	size_t length;

	if (json_value_text(value, to, RUN_ID_BYTES, &length) < 0 || !run_id_valid(to, length) ||
	    to[0] == '.')
		return fault_set(fault, field,
		                 "must be a name of 1 to 128 bytes, without slashes and control "
		                 "characters, that does not begin with a dot");
	to[length] = '\0';
	return 0;
}

static int
take_key(struct run_request *request, const struct json_value *value, struct fault *fault)
{
	size_t length;

	if (json_value_text(value, request->key, EVENT_KEY_BYTES, &length) < 0 ||
	    !event_key_valid(request->key, length))
		return fault_set(fault, "key", "must be a string of 1 to 128 bytes without control "
		                               "characters");
	request->key[length] = '\0';
	return 0;
}

/* Takes what is for us, and passes on to the event what is for others. */
static int
take_member(struct run_request *request, enum known known, const struct json_member *member,
            struct fault *fault)
{
	const struct json_value *value = &member->value;
	bool is_null = value->type == JSON_SCAN_NULL;
	uint64_t number;

	switch (known) {
	case RUN_ID:
		return is_null ? 0 : take_name("run_id", value, request->run_id, fault);
	case PROJECT_ID:
		return is_null ? 0 : take_name("project_id", value, request->project_id, fault);
	case TASK_ID:
		return is_null ? 0 : take_name("task_id", value, request->task_id, fault);
	case KEY:
		return is_null ? 0 : take_key(request, value, fault);
	case REPO_PATH:
	case TASKS_DIR:
		if (!is_null && value->type != JSON_SCAN_STRING)
			return fault_set(fault, known_names[known], "must be a string");
		break;
	case PARALLELISM:
	case TOTAL_UNITS:
		if (!is_null && json_value_u64(value, &number) < 0)
			return fault_set(fault, known_names[known], "must be a whole number from 0");
		break;
	case TYPE:
	case TIME:
	case SEQ:
		return 0; /* of the event, not of the run */
	case KNOWN:
		break;
	}
	event_line_put_member(&request->started, member);
	return 0;
}

static int
read_body(struct run_request *request, const char *body, size_t length, struct fault *fault)
{
	bool has[KNOWN] = { false };
	struct json_member member;
	struct json_walk walk;
	int r;

	if (json_walk_object(body, length, &walk) < 0)
		return fault_set(fault, "", "must be a JSON object");
	while ((r = json_walk_member(&walk, &member)) > 0) {
		enum known known = which(&member);

		if (known != KNOWN && has[known])
			return fault_set(fault, known_names[known], "is there twice");
		if (known != KNOWN)
			has[known] = true;
		r = take_member(request, known, &member, fault);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return fault_set(fault, "", "is not valid JSON");
	if (!*request->project_id != !*request->task_id)
		return fault_set(fault, *request->project_id ? "task_id" : "project_id",
		                 "is missing: a project and a task go together");
	return 0;
}

int
run_request_parse(const char *body, size_t length, const char *key, int64_t now_ms,
                  struct run_request *ret_request, struct fault *ret_fault)
{
	struct run_request request = { .started = BUF_INIT };
	char now[CLOCK_RFC3339_BYTES];
	int r;

	if (key && !event_key_valid(key, strlen(key)))
		return fault_set(ret_fault, "key", "must have 1 to 128 bytes without control characters");
	clock_format_rfc3339(now_ms, now);
	buf_printf(&request.started, "{\"type\":\"run.started\",\"time\":\"%s\"", now);
	r = read_body(&request, body, length, ret_fault);
	if (key)
		memcpy(request.key, key, strlen(key) + 1);
	if (r == 0 && *request.key) {
		buf_puts(&request.started, ",\"key\":");
		json_put_string(&request.started, request.key, strlen(request.key));
	}
	buf_putc(&request.started, '}');
	if (r == 0)
		r = buf_error(&request.started);
	if (r == 0 && request.started.length_bytes > EVENT_SENT_BYTES)
		r = fault_set(ret_fault, "", "is longer than 512 KiB");
	if (r < 0) {
		run_request_fini(&request);
		return r;
	}
	*ret_request = request;
	return 0;
}
