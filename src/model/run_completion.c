#include "model/run_completion.h"

#include <errno.h>
#include <string.h>

#include "model/json_scan.h"
#include "model/json_text.h"

static const char *const count_names[RUN_COUNTS] = {
	[RUN_COMPLETED_UNITS] = "completed_units",
	[RUN_FAILED_UNITS] = "failed_units",
	[RUN_BLOCKED_UNITS] = "blocked_units",
};

static bool
is_status(const char *text)
{
	static const char *const words[] = { "completed", "failed", "cancelled", "crashed", "stopped" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

/* A string of at most `most` bytes without NULs, NUL-terminated. */
static int
take_text(const struct json_value *value, char *to, size_t most)
{
	size_t length;
	int r = json_value_text(value, to, most, &length);

	if (r < 0)
		return r;
	if (memchr(to, '\0', length))
		return -EINVAL;
	to[length] = '\0';
	return 0;
}

static int
take_member(struct run_completion *completion, const struct json_member *member, struct fault *fault)
{
	const struct json_value *value = &member->value;
	int64_t number;

	if (json_member_is(member, "status")) {
		if (take_text(value, completion->status, RUN_COMPLETION_STATUS_BYTES) < 0 ||
		    !is_status(completion->status))
			return fault_set(fault, "status", "must be completed, failed, cancelled, crashed "
			                                  "or stopped");
		return 0;
	}
	if (json_member_is(member, "error")) {
		if (take_text(value, completion->error, RUN_COMPLETION_ERROR_BYTES) < 0)
			return fault_set(fault, "error", "must be a string of at most 4096 bytes");
		return 0;
	}
	if (json_member_is(member, "key")) {
		if (take_text(value, completion->key, EVENT_KEY_BYTES) < 0 ||
		    !event_key_valid(completion->key, strlen(completion->key)))
			return fault_set(fault, "key", "must be a string of 1 to 128 bytes without "
			                               "control characters");
		return 0;
	}
	if (json_member_is(member, "exit_code")) {
		if (json_value_i64(value, &number) < 0 || number < INT32_MIN || number > INT32_MAX)
			return fault_set(fault, "exit_code", "must be a whole number of 32 bits");
		completion->has_exit_code = true;
		completion->exit_code = (int32_t)number;
		return 0;
	}
	for (unsigned i = 0; i < RUN_COUNTS; i++)
		if (json_member_is(member, count_names[i])) {
			if (json_value_u64(value, &completion->counts[i]) < 0)
				return fault_set(fault, count_names[i], "must be a whole number from 0");
			completion->has_count[i] = true;
			return 0;
		}
	return 0;
}

static int
read_body(struct run_completion *completion, const char *body, size_t length, struct fault *fault)
{
	struct json_member member;
	struct json_walk walk;
	int r;

	if (json_walk_object(body, length, &walk) < 0)
		return fault_set(fault, "", "must be a JSON object");
	while ((r = json_walk_member(&walk, &member)) > 0) {
		if (member.value.type != JSON_SCAN_NULL)
			r = take_member(completion, &member, fault);
		if (r < 0)
			return r;
	}
	return r < 0 ? fault_set(fault, "", "is not valid JSON") : 0;
}

int
run_completion_parse(const char *body, size_t length, const char *key,
                     struct run_completion *ret_completion, struct fault *ret_fault)
{
	struct run_completion completion = { .status = "completed" };
	int r = 0;

	if (key && !event_key_valid(key, strlen(key)))
		return fault_set(ret_fault, "key", "must have 1 to 128 bytes without control characters");
	if (length > 0)
		r = read_body(&completion, body, length, ret_fault);
	if (r < 0)
		return r;
	if (key)
		memcpy(completion.key, key, strlen(key) + 1);
	*ret_completion = completion;
	return 0;
}

bool
run_completion_equal(const struct run_completion *a, const struct run_completion *b)
{
	if (strcmp(a->status, b->status) != 0 || strcmp(a->error, b->error) != 0 ||
	    a->has_exit_code != b->has_exit_code ||
	    (a->has_exit_code && a->exit_code != b->exit_code))
		return false;
	for (unsigned i = 0; i < RUN_COUNTS; i++)
		if (a->has_count[i] != b->has_count[i] ||
		    (a->has_count[i] && a->counts[i] != b->counts[i]))
			return false;
	return true;
}

int32_t
run_completion_exit_code(const struct run_completion *completion)
{
	if (completion->has_exit_code)
		return completion->exit_code;
	return strcmp(completion->status, "completed") == 0 ? 0 : -1;
}

void
run_completion_put_line(struct buf *to, const struct run_completion *completion, const char *now)
{
	buf_printf(to, "{\"type\":\"run.completed\",\"time\":\"%s\",\"status\":\"%s\"", now,
	           completion->status);
	for (unsigned i = 0; i < RUN_COUNTS; i++)
		if (completion->has_count[i]) {
			buf_printf(to, ",\"%s\":", count_names[i]);
			buf_put_u64(to, completion->counts[i]);
		}
	if (completion->has_exit_code)
		buf_printf(to, ",\"exit_code\":%d", completion->exit_code);
	if (*completion->error) {
		buf_puts(to, ",\"error\":");
		json_put_string(to, completion->error, strlen(completion->error));
	}
	if (*completion->key) {
		buf_puts(to, ",\"key\":");
		json_put_string(to, completion->key, strlen(completion->key));
	}
	buf_puts(to, "}\n");
}
