#include "model/broadcast.h"

#include "base/clock.h"
#include "model/json_scan.h"
#include "model/json_text.h"
#include "model/utf8.h"

const char *
broadcast_problem(const struct broadcast *a)
{
	struct json_value value;

	if (a->type_length == 0)
		return "type must not be empty";
	if (a->type_length > EVENT_TYPE_BYTES)
		return "type must not be longer than 128 bytes";
	for (size_t i = 0; i < a->type_length; i++)
		if ((unsigned char)a->type[i] < 0x20 || a->type[i] == 0x7f)
			return "type must not hold control characters";
	if (!utf8_valid((const uint8_t *)a->type, a->type_length))
		return "type must be UTF-8";
	if (!a->data)
		return NULL;
	if (a->data_length > BROADCAST_DATA_BYTES)
		return "data must not be longer than 32 KiB";
	if (json_scan(a->data, a->data_length, &value) < 0)
		return "data must be valid JSON, in which a text is in double quotes";
	return NULL;
}

/* Line ends, which would end the line of the stream or of the file, can only be white space
 * between tokens. */
static void
put_json(struct buf *to, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		buf_putc(to, text[i] == '\n' || text[i] == '\r' ? ' ' : text[i]);
}

void
broadcast_put(struct buf *to, const struct broadcast *a, int64_t wall_ms)
{
	char time[CLOCK_RFC3339_BYTES];

	clock_format_rfc3339(wall_ms, time);
	buf_puts(to, "event: event\ndata: {\"type\":");
	json_put_string(to, a->type, a->type_length);
	buf_printf(to, ",\"time\":\"%s\"", time);
	if (a->data) {
		buf_puts(to, ",\"data\":");
		put_json(to, a->data, a->data_length);
	}
	buf_puts(to, "}\n\n");
}

void
broadcast_put_object(struct buf *to, const struct broadcast *a)
{
	struct json_member member;
	struct json_walk walk;

	buf_puts(to, "{\"type\":");
	json_put_string(to, a->type, a->type_length);
	if (a->data && json_walk_object(a->data, a->data_length, &walk) == 0) {
		while (json_walk_member(&walk, &member) > 0) {
			buf_puts(to, ",\"");
			buf_append(to, member.name, member.name_length);
			buf_puts(to, "\":");
			put_json(to, member.value.text, member.value.length);
		}
	} else if (a->data) {
		buf_puts(to, ",\"data\":");
		put_json(to, a->data, a->data_length);
	}
	buf_putc(to, '}');
}
