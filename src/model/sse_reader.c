#include "model/sse_reader.h"

#include <errno.h>
#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";
enum { BOM_BYTES = 3 };

/* More is no time that anybody would wait. */
enum { RETRY_MOST_MS = 24 * 60 * 60 * 1000 };

void
sse_reader_init(struct sse_reader *r, size_t most_bytes, sse_event_fn *fn, void *arg)
{
	*r = (struct sse_reader){ .fn = fn, .arg = arg, .most_bytes = most_bytes, .retry_ms = -1 };
}

void
sse_reader_fini(struct sse_reader *r)
{
	buf_fini(&r->line);
	buf_fini(&r->name);
	buf_fini(&r->data);
	buf_fini(&r->id);
	buf_fini(&r->last_id);
}

static void
forget_event(struct sse_reader *r)
{
	buf_clear(&r->name);
	buf_clear(&r->data);
	buf_clear(&r->id);
	r->has_name = r->has_id = false;
}

void
sse_reader_restart(struct sse_reader *r)
{
	buf_clear(&r->line);
	forget_event(r);
	r->bom_bytes = 0;
	r->is_after_cr = false;
}

const char *
sse_reader_last_id(struct sse_reader *r)
{
	return buf_string(&r->last_id);
}

int
sse_reader_set_last_id(struct sse_reader *r, const char *id)
{
	buf_clear(&r->last_id);
	buf_puts(&r->last_id, id);
	return buf_error(&r->last_id);
}

/* The blank line. An id counts also where there is no data, and so no event. */
static int
dispatch(struct sse_reader *r)
{
	struct sse_event event = { 0 };
	int result = 0;

	if (r->has_id) {
		buf_clear(&r->last_id);
		buf_append(&r->last_id, r->id.data, r->id.length_bytes);
	}
	if (r->data.length_bytes > 0) {
		r->data.length_bytes--; /* the newline behind its last line */
		event.is_named = r->has_name && r->name.length_bytes > 0;
		event.name = event.is_named ? buf_string(&r->name) : "message";
		event.name_length = event.is_named ? r->name.length_bytes : strlen("message");
		event.data = buf_string(&r->data);
		event.data_length = r->data.length_bytes;
		event.id = buf_string(&r->id);
		event.id_length = r->id.length_bytes;
	}
	if (buf_error(&r->name) || buf_error(&r->data) || buf_error(&r->id) || buf_error(&r->last_id))
		return -ENOMEM;
	if (event.data)
		result = r->fn(r->arg, &event);
	forget_event(r);
	return result;
}

static void
take_retry(struct sse_reader *r, const char *value, size_t length)
{
	int64_t ms = 0;

	for (size_t i = 0; i < length; i++) {
		if (value[i] < '0' || value[i] > '9')
			return;
		if (ms < RETRY_MOST_MS)
			ms = ms * 10 + (value[i] - '0');
	}
	if (length > 0)
		r->retry_ms = ms < RETRY_MOST_MS ? ms : RETRY_MOST_MS;
}

static bool
is_field(const char *line, size_t length, const char *name)
{
	return length == strlen(name) && memcmp(line, name, length) == 0;
}

static int
take_line(struct sse_reader *r)
{
	const char *line = r->line.data, *colon, *value;
	size_t length = r->line.length_bytes, name_length, value_length;

	if (length == 0)
		return dispatch(r);
	colon = memchr(line, ':', length);
	name_length = colon ? (size_t)(colon - line) : length;
	value = colon ? colon + 1 : line + length;
	if (value < line + length && *value == ' ')
		value++;
	value_length = (size_t)(line + length - value);

	if (is_field(line, name_length, "data")) {
		buf_append(&r->data, value, value_length);
		buf_putc(&r->data, '\n');
	} else if (is_field(line, name_length, "event")) {
		buf_clear(&r->name);
		buf_append(&r->name, value, value_length);
		r->has_name = true;
	} else if (is_field(line, name_length, "id") && !memchr(value, '\0', value_length)) {
		buf_clear(&r->id);
		buf_append(&r->id, value, value_length);
		r->has_id = true;
	} else if (is_field(line, name_length, "retry")) {
		take_retry(r, value, value_length);
	}
	return 0;
}

/* Returns how many of the bytes are of the mark; what only began like one is of the first line. */
static size_t
pass_mark(struct sse_reader *r, const char *bytes, size_t length)
{
	size_t at = 0;

	while (r->bom_bytes < BOM_BYTES && at < length && bytes[at] == byte_order_mark[r->bom_bytes]) {
		r->bom_bytes++;
		at++;
	}
	if (r->bom_bytes < BOM_BYTES && at < length) {
		buf_append(&r->line, byte_order_mark, r->bom_bytes);
		r->bom_bytes = BOM_BYTES;
	}
	return at;
}

/* Up to the next end of a line, which may be CR, LF or both. */
static size_t
line_length(const char *bytes, size_t length)
{
	const char *lf = memchr(bytes, '\n', length), *cr;

	if (lf)
		length = (size_t)(lf - bytes);
	cr = memchr(bytes, '\r', length);
	return cr ? (size_t)(cr - bytes) : length;
}

int
sse_reader_read(struct sse_reader *r, const char *bytes, size_t length)
{
	size_t at = pass_mark(r, bytes, length);

	while (at < length) {
		size_t n;
		int result;

		if (r->is_after_cr && bytes[at] == '\n') {
			r->is_after_cr = false;
			at++;
			continue;
		}
		r->is_after_cr = false;
		n = line_length(bytes + at, length - at);
		if (r->line.length_bytes + r->data.length_bytes + n > r->most_bytes)
			return -EMSGSIZE;
		buf_append(&r->line, bytes + at, n);
		at += n;
		if (at == length)
			break;
		r->is_after_cr = bytes[at++] == '\r';
		if (buf_error(&r->line))
			return buf_error(&r->line);
		result = take_line(r);
		buf_clear(&r->line);
		if (result != 0)
			return result;
	}
	return buf_error(&r->line);
}
