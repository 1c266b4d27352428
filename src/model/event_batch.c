#include "model/event_batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/json_scan.h"

void
event_batch_fini(struct event_batch *batch)
{
	buf_fini(&batch->lines);
	free(batch->entries);
	*batch = (struct event_batch){ .lines = BUF_INIT };
}

/* Enters the line that was appended last, from offset on. 0 or -ENOMEM (the line is taken back). */
static int
enter(struct event_batch *batch, size_t offset, const char *key)
{
	struct event_batch_line *entry;

	if (batch->count == batch->capacity) {
		size_t capacity = batch->capacity ? batch->capacity * 2 : 8;
		struct event_batch_line *grown = reallocarray(batch->entries, capacity, sizeof(*grown));

		if (!grown) {
			batch->lines.length_bytes = offset;
			return -ENOMEM;
		}
		batch->entries = grown;
		batch->capacity = capacity;
	}
	entry = &batch->entries[batch->count++];
	*entry = (struct event_batch_line){ .offset = offset,
		                            .length = batch->lines.length_bytes - offset };
	if (key && *key) {
		entry->has_key = true;
		entry->key = digest_of(key, strlen(key));
	}
	return 0;
}

int
event_batch_add(struct event_batch *batch, const char *line, size_t length, const char *key)
{
	size_t offset = batch->lines.length_bytes;

	buf_append(&batch->lines, line, length);
	return buf_error(&batch->lines) ? -ENOMEM : enter(batch, offset, key);
}

/* What the body is: its list of events, if it has one, and the key of the request. */
struct body {
	bool has_events, has_key;
	struct json_value events;
	char key[EVENT_KEY_BYTES + 1];
};

static int
read_body(const char *text, size_t length, struct body *body, struct fault *fault)
{
	struct json_value key = { 0 };
	struct json_member member;
	struct json_walk walk;
	size_t key_length;
	int r;

	if (json_walk_object(text, length, &walk) < 0)
		return fault_set(fault, "", "must be a JSON object");
	while ((r = json_walk_member(&walk, &member)) > 0) {
		if (json_member_is(&member, "events")) {
			if (body->has_events)
				return fault_set(fault, "events", "is there twice");
			body->has_events = true;
			body->events = member.value;
		} else if (json_member_is(&member, "key")) {
			body->has_key = true;
			key = member.value;
		}
	}
	if (r < 0)
		return fault_set(fault, "", "is not valid JSON");
	if (!body->has_events) {
		body->has_key = false; /* it is the event's own */
		return 0;
	}
	if (body->events.type != JSON_SCAN_ARRAY)
		return fault_set(fault, "events", "must be an array");
	if (body->has_key) {
		if (json_value_text(&key, body->key, EVENT_KEY_BYTES, &key_length) < 0 ||
		    !event_key_valid(body->key, key_length))
			return fault_set(fault, "key", "must be a string of 1 to 128 bytes "
			                                     "without control characters");
		body->key[key_length] = '\0';
	}
	return 0;
}

/* key: the request's, or NULL. */
static int
take_event(struct event_batch *batch, const char *event, size_t length, const char *key,
           const char *now, struct fault *fault)
{
	char event_key[EVENT_STORED_KEY_BYTES + 1], stored_key[EVENT_STORED_KEY_BYTES + 1];
	size_t offset = batch->lines.length_bytes;
	int r;

	if (key)
		snprintf(event_key, sizeof(event_key), "%s/%zu", key, batch->count);
	r = event_line_make(&batch->lines, event, length, now, key ? event_key : NULL, stored_key, fault);
	return r < 0 ? r : enter(batch, offset, stored_key);
}

static void
name_element(struct fault *fault, size_t index)
{
	char field[FAULT_FIELD_BYTES];

	memcpy(field, fault->field, sizeof(field));
	snprintf(fault->field, sizeof(fault->field), "events[%zu]%s%.32s", index, *field ? "." : "", field);
}

static int
take_events(struct event_batch *batch, const struct json_value *events, const char *key,
            const char *now, size_t most, struct fault *fault)
{
	struct json_walk walk;
	struct json_value event;
	int r = json_walk_array(events->text, events->length, &walk);

	while (r >= 0 && (r = json_walk_element(&walk, &event)) > 0) {
		if (batch->count == most) {
			fault_set(fault, "events", "has too many elements");
			return -E2BIG;
		}
		r = take_event(batch, event.text, event.length, key, now, fault);
		if (r == -EINVAL)
			name_element(fault, batch->count);
		if (r < 0)
			return r;
	}
	return r;
}

int
event_batch_parse(const char *body, size_t length, const char *key, int64_t now_ms, size_t most,
                  struct event_batch *ret_batch, struct fault *ret_fault)
{
	struct event_batch batch = { .lines = BUF_INIT };
	struct body parsed = { 0 };
	char now[CLOCK_RFC3339_BYTES];
	int r;

	if (key && !event_key_valid(key, strlen(key)))
		return fault_set(ret_fault, "key", "must have 1 to 128 bytes without control "
		                                         "characters");
	r = read_body(body, length, &parsed, ret_fault);
	if (r < 0)
		return r;
	if (!key && parsed.has_key)
		key = parsed.key;
	clock_format_rfc3339(now_ms, now);
	if (parsed.has_events)
		r = take_events(&batch, &parsed.events, key, now, most, ret_fault);
	else
		r = take_event(&batch, body, length, key, now, ret_fault);
	if (r < 0) {
		event_batch_fini(&batch);
		return r;
	}
	*ret_batch = batch;
	return 0;
}
