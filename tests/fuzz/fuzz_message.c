/* Message buses: cut alike however they are sliced; each message becomes an event of valid JSON. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/message_slices.h"
#include "base/must.h"
#include "fuzz.h"
#include "model/message.h"
#include "model/utf8.h"

static size_t
next_step(void *arg)
{
	uint32_t *state = arg;

	*state = *state * 1664525 + 1013904223;
	return 1 + (*state >> 16) % (1u << (*state >> 28));
}

static void
check_member(struct json_object *data, const char *key, const char *expected)
{
	struct json_object *value = NULL;

	must(json_object_object_get_ex(data, key, &value) == (expected != NULL));
	if (expected)
		must(strcmp(json_object_get_string(value), expected) == 0);
}

static void
check_json(const struct message *message, const char *text, size_t length)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *data, *content, *body, *lossy = NULL;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	data = json_tokener_parse_ex(tokener, text, (int)length);
	must(data && json_object_is_type(data, json_type_object));
	must(json_tokener_get_parse_end(tokener) == length);
	check_member(data, "msg_id", message->msg_id);
	check_member(data, "timestamp", message->timestamp);
	check_member(data, "type", message->type);
	check_member(data, "project_id", message->project_id);
	check_member(data, "task_id", message->task_id);
	check_member(data, "run_id", message->run_id);
	check_member(data, "issue_id", message->issue_id);
	must(json_object_object_get_ex(data, "content", &content));
	must(json_object_object_get_ex(data, "body", &body));
	must(json_object_equal(content, body));
	json_object_object_get_ex(data, "lossy", &lossy);
	must(json_object_get_boolean(lossy) ==
	     !utf8_valid(message->content, message->content_bytes));
	if (!lossy) {
		must((size_t)json_object_get_string_len(content) == message->content_bytes);
		must(memcmp(json_object_get_string(content), message->content,
		            message->content_bytes) == 0);
	}
	json_object_put(data);
	json_tokener_free(tokener);
}

static void
check_event(const uint8_t *entry, const struct message_cut *cut)
{
	static const char opening[] = "id: x\nevent: message\ndata: ";
	const struct event_id id = { "x", 1 };
	struct buf event = BUF_INIT;
	struct message message;
	size_t length;

	if (message_parse(entry, cut, 0, &message) != 0)
		return;
	must(message.msg_id && *message.msg_id && strlen(message.msg_id) <= MESSAGE_ID_BYTES);
	must(utf8_valid((const uint8_t *)message.msg_id, strlen(message.msg_id)));
	must(message.content >= entry + cut->body_at);
	must(message.content + message.content_bytes <= entry + cut->body_at + cut->body_bytes);
	message_put_event(&event, &id, &message);
	must(buf_error(&event) == 0);
	length = event.length_bytes;
	must(length > sizeof(opening) + 1 && memcmp(event.data, opening, sizeof(opening) - 1) == 0);
	must(memcmp(event.data + length - 2, "\n\n", 2) == 0);
	length -= sizeof(opening) - 1 + 2;
	must(!memchr(event.data + sizeof(opening) - 1, '\n', length));
	check_json(&message, event.data + sizeof(opening) - 1, length);
	message_fini(&message);
	buf_fini(&event);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t state = (uint32_t)size;
	struct slices whole, sliced;

	if (size == 0)
		return 0;
	slices_cut_whole(data, size, &whole);
	for (int round = 0; round < 3; round++) {
		slices_cut(data, size, next_step, &state, &sliced);
		slices_must_be_equal(&whole, &sliced);
		slices_fini(&sliced);
	}
	for (size_t i = 0; i < whole.count; i++)
		check_event(data + whole.entries[i].at, &whole.entries[i].cut);
	slices_fini(&whole);
	return 0;
}
