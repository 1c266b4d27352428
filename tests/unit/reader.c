#include "reader.h"

#include <check.h>
#include <string.h>

#include "base/buf.h"
#include "stream/block.h"

void
reader_wake(void *arg)
{
	((struct reader *)arg)->is_awake = true;
}

bool
reader_is_busy(const struct reader *r)
{
	return r->is_awake && !r->is_over && !r->is_stuck;
}

static void
take_field(const char *line, size_t length, const char *name, char *to, size_t room)
{
	size_t name_length = strlen(name);

	if (length > name_length && memcmp(line, name, name_length) == 0) {
		ck_assert_uint_lt(length - name_length, room);
		memcpy(to, line + name_length, length - name_length);
		to[length - name_length] = '\0';
	}
}

static void
take_events(struct reader *r, const struct block *block)
{
	const char *at = block->text, *end = block->text + block->length_bytes;
	uint32_t entries = 0;

	while (at < end) {
		const char *stop = memmem(at, (size_t)(end - at), "\n\n", 2);
		struct read_event *e = &r->events[r->count++];

		ck_assert_ptr_nonnull(stop);
		ck_assert_uint_lt(r->count, READER_EVENTS);
		memset(e, 0, sizeof(*e));
		while (at < stop) {
			const char *line_end = memchr(at, '\n', (size_t)(stop + 1 - at));
			size_t length = (size_t)(line_end - at);

			take_field(at, length, "id: ", e->id, sizeof(e->id));
			take_field(at, length, "event: ", e->name, sizeof(e->name));
			if (length > 6 && memcmp(at, "data: ", 6) == 0) {
				struct json_tokener *tokener = json_tokener_new();

				e->data = json_tokener_parse_ex(tokener, at + 6, (int)length - 6);
				ck_assert_ptr_nonnull(e->data);
				json_tokener_free(tokener);
			}
			at = line_end + 1;
		}
		if (*e->id)
			memcpy(r->last_id, e->id, sizeof(e->id));
		entries += strcmp(e->name, "log") == 0 || strcmp(e->name, "event") == 0 ||
		           strcmp(e->name, "message") == 0;
		at = stop + 2;
	}
	ck_assert_uint_eq(entries, block->events);
}

void
reader_take(struct reader *r)
{
	while (reader_is_busy(r)) {
		struct block *block;

		switch (stream_next(r->stream, &block)) {
		case STREAM_BLOCK:
			take_events(r, block);
			block_unref(&block);
			if (r->blocks_left > 0 && --r->blocks_left == 0)
				r->is_stuck = true;
			break;
		case STREAM_WAIT:
			r->is_awake = false;
			break;
		case STREAM_NOTHING_MORE:
			r->is_nothing_more = true;
			r->is_over = true;
			break;
		case STREAM_END:
			r->is_over = true;
			break;
		}
	}
}

/* --- what it got ---------------------------------------------------------------------------------------- */

const char *
event_text(const struct read_event *e, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(e->data, key, &value) ? json_object_get_string(value) : "";
}

int64_t
event_number(const struct read_event *e, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(e->data, key, &value) ? json_object_get_int64(value) : -999;
}

bool
event_flag(const struct read_event *e, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(e->data, key, &value) && json_object_get_boolean(value);
}

size_t
reader_count(const struct reader *r, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++)
		count += strcmp(r->events[i].name, name) == 0;
	return count;
}

const struct read_event *
reader_event(const struct reader *r, const char *name, size_t index)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->events[i].name, name) == 0 && index-- == 0)
			return &r->events[i];
	ck_abort_msg("no such event: %s", name);
	return NULL;
}

const char *
reader_lines(struct reader *r, const char *stream)
{
	static struct buf text;

	buf_clear(&text);
	for (size_t i = 0; i < r->count; i++) {
		const struct read_event *e = &r->events[i];

		if (strcmp(e->name, "log") != 0 || strcmp(event_text(e, "stream"), stream) != 0)
			continue;
		buf_puts(&text, event_text(e, "line"));
		buf_putc(&text, event_flag(e, "partial") ? '|' : '\n');
	}
	return buf_string(&text);
}
