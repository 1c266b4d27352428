/* Lines of events.jsonl, which anybody may have written. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "fuzz.h"
#include "model/event_line.h"
#include "model/run_state.h"
#include "model/utf8.h"

/* What we take for JSON, a strict parser of others takes for JSON, too. */
static void
check_json(const char *text, size_t length)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_SCAN_DEPTH + 1);
	char *copy = strndup(text, length); /* behind a number it wants to see a NUL */

	must(tokener && copy);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	json_object_put(json_tokener_parse_ex(tokener, copy, (int)length + 1));
	must(json_tokener_get_error(tokener) == json_tokener_success);
	json_tokener_free(tokener);
	free(copy);
}

/* Walked through or scanned at once, a text is valid or not. */
static bool
check_scan(const char *text, size_t length)
{
	struct json_member member;
	struct json_value value;
	struct json_walk walk;
	int scanned = json_scan(text, length, &value), walked;

	if (scanned == 0)
		check_json(value.text, value.length);
	walked = json_walk_object(text, length, &walk);
	while (walked >= 0 && (walked = json_walk_member(&walk, &member)) > 0) {
		char room[64];
		size_t room_length;
		int64_t number;

		if (json_value_text(&member.value, room, sizeof(room), &room_length) == 0) {
			must(room_length <= sizeof(room) && utf8_valid((uint8_t *)room, room_length));
			must(json_value_is(&member.value, room, room_length));
		}
		(void)json_value_i64(&member.value, &number);
	}
	must((walked == 0) == (scanned == 0 && value.type == JSON_SCAN_OBJECT));
	return walked == 0;
}

static void
check_event(const char *line, size_t length, bool is_object)
{
	static const char opening[] = "id: 7\nevent: event\ndata: {\"run_id\":\"r\",\"seq\":7";
	struct buf event = BUF_INIT;
	int r = event_line_put(&event, NULL, "r", 7, line, length);

	must(r == (is_object ? 0 : -EBADMSG));
	if (r == 0) {
		const char *data = event.data + strlen("id: 7\nevent: event\ndata: ");
		size_t data_length = event.length_bytes - (size_t)(data - event.data) - 2;

		must(memcmp(event.data, opening, strlen(opening)) == 0);
		must(memcmp(data + data_length, "\n\n", 2) == 0);
		must(!memchr(data, '\n', data_length) && !memchr(data, '\r', data_length));
		check_json(data, data_length);
	} else {
		must(event.length_bytes == 0);
	}
	buf_fini(&event);
}

static void
check_state(const char *lines, size_t length)
{
	struct run_state *state = run_state_new();
	struct buf text = BUF_INIT;
	uint64_t count = 0;
	const char *at = lines, *end = lines + length;

	must(state);
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		if (!newline)
			newline = end;
		(void)run_state_add(state, at, (size_t)(newline - at));
		count++;
		at = newline + 1;
	}
	must(run_state_seq(state) == count);
	run_state_put(&text, state, "r", NULL);
	check_json(text.data, text.length_bytes);
	buf_fini(&text);
	run_state_free(&state);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size > 0 ? (const char *)data : "";

	check_event(text, size, check_scan(text, size));
	check_state(text, size);
	return 0;
}
