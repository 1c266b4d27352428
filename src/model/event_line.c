#include "model/event_line.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "model/json_text.h"
#include "model/rfc3339.h"
#include "model/utf8.h"

/* --- from a line to an event --------------------------------------------------------------------- */

/* White space between tokens may be a CR, which would end a line of the stream (WHATWG HTML,
 * 9.2.6), and inside strings there is none: a blank means the same. */
static void
put_as_one_line(struct buf *to, const char *text, size_t length)
{
	size_t start = to->length_bytes;

	buf_append(to, text, length);
	if (buf_error(to) != 0 || (!memchr(text, '\r', length) && !memchr(text, '\n', length)))
		return;
	for (char *at = to->data + start; at < to->data + to->length_bytes; at++)
		if (*at == '\r' || *at == '\n')
			*at = ' ';
}

void
event_line_put_member(struct buf *to, const struct json_member *member)
{
	buf_append(to, ",\"", 2);
	buf_append(to, member->name, member->name_length);
	buf_append(to, "\":", 2);
	put_as_one_line(to, member->value.text, member->value.length);
}

bool
event_line_is_whole(const char *line, size_t length)
{
	struct json_value value;

	/* Most parts of one are told by how they end, without reading them. */
	while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\r'))
		length--;
	return length > 0 && length <= EVENT_LINE_BYTES && line[length - 1] == '}' &&
	       json_scan(line, length, &value) == 0 && value.type == JSON_SCAN_OBJECT;
}

/* Appends the object; to may be left with a part of it. */
static int
put_object(struct buf *to, const char *run_id, uint64_t seq, const char *line, size_t length)
{
	struct json_member member;
	struct json_walk walk;
	int r;

	if (length > EVENT_LINE_BYTES)
		return -EBADMSG;
	r = json_walk_object(line, length, &walk);
	if (r < 0)
		return r;
	buf_puts(to, "{\"run_id\":");
	json_put_string(to, run_id, strlen(run_id));
	buf_puts(to, ",\"seq\":");
	buf_put_u64(to, seq);
	while ((r = json_walk_member(&walk, &member)) > 0)
		if (!json_member_is(&member, "run_id") && !json_member_is(&member, "seq"))
			event_line_put_member(to, &member);
	buf_putc(to, '}');
	return r < 0 ? r : buf_error(to);
}

int
event_line_put_object(struct buf *to, const char *run_id, uint64_t seq, const char *line,
                      size_t length)
{
	size_t start = to->length_bytes;
	int r = put_object(to, run_id, seq, line, length);

	if (r < 0)
		to->length_bytes = start;
	return r;
}

int
event_line_put(struct buf *to, const struct event_id *id, const char *run_id, uint64_t seq,
               const char *line, size_t length)
{
	size_t start = to->length_bytes;
	int r;

	buf_puts(to, "id: ");
	if (id)
		buf_append(to, id->text, id->length);
	else
		buf_put_u64(to, seq);
	buf_puts(to, "\nevent: event\ndata: ");
	r = put_object(to, run_id, seq, line, length);
	buf_append(to, "\n\n", 2);
	if (r == 0)
		r = buf_error(to);
	if (r < 0)
		to->length_bytes = start;
	return r;
}

/* --- from an event to a line --------------------------------------------------------------------- */

static bool
is_printable(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

bool
event_key_valid(const char *key, size_t length)
{
	return length >= 1 && length <= EVENT_KEY_BYTES && is_printable(key, length) &&
	       utf8_valid((const uint8_t *)key, length);
}

/* The members that mean something to us. */
enum known { TYPE, TIME, UNIT, TASK, KEY, SEQ, RUN_ID, KNOWN };

static const char *const known_names[KNOWN] = {
	[TYPE] = "type", [TIME] = "time", [UNIT] = "unit", [TASK] = "task", [KEY] = "key",
	[SEQ] = "seq", [RUN_ID] = "run_id",
};

static enum known
which(const struct json_member *member)
{
	unsigned known = 0;

	while (known < KNOWN && !json_member_is(member, known_names[known]))
		known++;
	return (enum known)known;
}

/* key: room for EVENT_KEY_BYTES and a NUL. */
static int
check_member(enum known known, const struct json_value *value, char *key, struct fault *fault)
{
	char text[EVENT_TYPE_BYTES];
	int64_t time_ms;
	size_t length;

	switch (known) {
	case TYPE:
		if (value->type != JSON_SCAN_STRING)
			return fault_set(fault, "type", "must be a string");
		if (json_value_text(value, text, sizeof(text), &length) < 0 || length == 0)
			return fault_set(fault, "type", "must have 1 to 128 bytes");
		if (!is_printable(text, length))
			return fault_set(fault, "type", "must not have control characters");
		return 0;
	case TIME:
		if (json_value_text(value, text, sizeof(text), &length) < 0 ||
		    rfc3339_parse(text, length, &time_ms) < 0)
			return fault_set(fault, "time", "must be a time as RFC 3339 writes it");
		return 0;
	case UNIT:
	case TASK:
		if (value->type != JSON_SCAN_STRING)
			return fault_set(fault, known_names[known], "must be a string");
		return 0;
	case KEY:
		if (json_value_text(value, key, EVENT_KEY_BYTES, &length) < 0 ||
		    !event_key_valid(key, length))
			return fault_set(fault, "key", "must be a string of 1 to 128 bytes without "
			                            "control characters");
		key[length] = '\0';
		return 0;
	case SEQ:
	case RUN_ID:
	case KNOWN:
		return 0;
	}
	return 0;
}

/* Appends the members that are kept, each with a comma before it. */
static int
put_members(struct buf *to, struct json_walk *walk, bool has[static KNOWN], char *key,
            struct fault *fault)
{
	struct json_member member;
	int r;

	while ((r = json_walk_member(walk, &member)) > 0) {
		enum known known = which(&member);

		if (known == KNOWN) {
			event_line_put_member(to, &member);
			continue;
		}
		if (has[known])
			return fault_set(fault, known_names[known], "is there twice");
		has[known] = true;
		r = check_member(known, &member.value, key, fault);
		if (r < 0)
			return r;
		if (known == TYPE || known == TIME || known == UNIT || known == TASK)
			event_line_put_member(to, &member);
	}
	if (r < 0)
		return fault_set(fault, "", "is not valid JSON");
	if (!has[TYPE])
		return fault_set(fault, "type", "is missing");
	return 0;
}

int
event_line_make(struct buf *to, const char *event, size_t length, const char *now, const char *key,
                char ret_key[static EVENT_STORED_KEY_BYTES + 1], struct fault *ret_fault)
{
	char own_key[EVENT_KEY_BYTES + 1];
	size_t start = to->length_bytes;
	bool has[KNOWN] = { false };
	struct json_walk walk;
	int r;

	if (json_walk_object(event, length, &walk) < 0)
		return fault_set(ret_fault, "", "must be an object");
	r = put_members(to, &walk, has, own_key, ret_fault);
	if (r == 0 && buf_error(to) == 0) {
		to->data[start] = '{'; /* in the place of the first comma: there is a type at least */
		if (!has[TIME]) {
			buf_puts(to, ",\"time\":");
			json_put_string(to, now, strlen(now));
		}
		if (has[KEY])
			key = own_key;
		if (key) {
			buf_puts(to, ",\"key\":");
			json_put_string(to, key, strlen(key));
		}
		buf_puts(to, "}\n");
		if (to->length_bytes - start > EVENT_SENT_BYTES)
			r = fault_set(ret_fault, "", "is longer than 512 KiB");
	}
	if (r == 0)
		r = buf_error(to);
	if (r < 0)
		to->length_bytes = start;
	else
		snprintf(ret_key, EVENT_STORED_KEY_BYTES + 1, "%s", key ? key : "");
	return r;
}
