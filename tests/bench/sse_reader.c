#include "sse_reader.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
sse_reader_init(struct sse_reader *r, sse_event_fn *fn, void *arg)
{
	*r = (struct sse_reader){ .fn = fn, .arg = arg, .phase = SSE_HEAD };
}

void
sse_reader_fini(struct sse_reader *r)
{
	buf_fini(&r->carry);
}

static int
broken(struct sse_reader *r)
{
	r->phase = SSE_BROKEN;
	return -EPROTO;
}

static int
carry(struct sse_reader *r, const char *bytes, size_t length)
{
	if (r->carry.length_bytes + length > SSE_READER_CARRY_BYTES_MAX)
		return broken(r);
	buf_append(&r->carry, bytes, length);
	return buf_error(&r->carry) ? broken(r) : 0;
}

/* --- events ----------------------------------------------------------------------------------- */

/* The value of a field: after the name, a colon, and one blank if there is one. */
static bool
is_field(const char *line, size_t length, const char *name, size_t name_length,
         const char **ret_value, size_t *ret_length)
{
	if (length <= name_length || line[name_length] != ':' || memcmp(line, name, name_length) != 0)
		return false;
	size_t skip = name_length + 1;
	skip += skip < length && line[skip] == ' ';
	*ret_value = line + skip;
	*ret_length = length - skip;
	return true;
}

static void
read_field(struct sse_reader *r, struct sse_event *event, const char *line, size_t length)
{
	const char *value;
	size_t value_length;
	switch (line[0]) {
	case 'd':
		if (is_field(line, length, "data", 4, &value, &value_length) && !event->data) {
			event->data = value;
			event->data_length = value_length;
		}
		break;
	case 'i':
		if (is_field(line, length, "id", 2, &value, &value_length)) {
			event->id = value;
			event->id_length = value_length;
		}
		break;
	case 'e':
		if (is_field(line, length, "event", 5, &value, &value_length)) {
			event->type = value;
			event->type_length = value_length;
		}
		break;
	case ':':
		r->comments++;
		break;
	default:
		break;
	}
}

/* Reads all events that end before end; returns where the first unfinished one begins. */
static const char *
read_events(struct sse_reader *r, const char *at, const char *end)
{
	const char *event_start = at;
	struct sse_event event = { 0 };
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			break;
		size_t length = (size_t)(newline - at);
		if (length > 0 && newline[-1] == '\r')
			length--;
		if (length > 0) {
			read_field(r, &event, at, length);
		} else {
			if (event.data)
				r->fn(r->arg, &event);
			event = (struct sse_event){ 0 };
			event_start = newline + 1;
		}
		at = newline + 1;
	}
	return event_start;
}

static bool
ends_with_empty_line(const struct buf *b)
{
	const char *data = b->data;
	size_t n = b->length_bytes;
	if (n == 0 || data[n - 1] != '\n')
		return false;
	n--;
	if (n > 0 && data[n - 1] == '\r')
		n--;
	return n == 0 || data[n - 1] == '\n';
}

static int
read_body(struct sse_reader *r, const char *piece, size_t length)
{
	const char *at = piece;
	const char *end = piece + length;
	r->body_bytes += length;
	while (r->carry.length_bytes > 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline + 1 : end;
		if (carry(r, at, (size_t)(stop - at)))
			return -EPROTO;
		at = stop;
		if (newline && ends_with_empty_line(&r->carry)) {
			read_events(r, r->carry.data, r->carry.data + r->carry.length_bytes);
			buf_clear(&r->carry);
		}
	}
	at = read_events(r, at, end);
	return at < end ? carry(r, at, (size_t)(end - at)) : 0;
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static bool
has_header(const char *head, const char *wanted)
{
	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, wanted, strlen(wanted)) == 0)
			return true;
	return false;
}

static int
read_head(struct sse_reader *r, const char **at, const char *end)
{
	size_t before = r->carry.length_bytes;
	if (carry(r, *at, (size_t)(end - *at)))
		return -EPROTO;
	const char *stop = memmem(r->carry.data, r->carry.length_bytes, "\r\n\r\n", 4);
	if (!stop) {
		*at = end;
		return r->carry.length_bytes > 65536 ? broken(r) : 0;
	}
	size_t head_length = (size_t)(stop - r->carry.data) + 4;
	*at += head_length - before;
	r->carry.length_bytes = head_length;
	const char *head = buf_string(&r->carry);
	if (strncmp(head, "HTTP/1.", 7) != 0 || strlen(head) < 12 || head[8] != ' ')
		return broken(r);
	r->status = atoi(head + 9);
	r->phase = has_header(head, "Transfer-Encoding: chunked") ? SSE_CHUNK_SIZE : SSE_BODY;
	buf_clear(&r->carry);
	return 0;
}

static int
read_chunk_size(struct sse_reader *r, char c)
{
	if (isxdigit((unsigned char)c)) {
		unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
		if (r->chunk_left >> 56)
			return broken(r);
		r->chunk_left = r->chunk_left << 4 | digit;
	} else if (c == '\r' || c == ';') {
		r->phase = SSE_CHUNK_SKIP;
	} else {
		return broken(r);
	}
	return 0;
}

int
sse_reader_feed(struct sse_reader *r, const char *piece, size_t length)
{
	const char *at = piece;
	const char *end = piece + length;
	int error = 0;
	while (at < end && !error) {
		size_t step;
		switch (r->phase) {
		case SSE_HEAD:
			error = read_head(r, &at, end);
			break;
		case SSE_BODY:
			error = read_body(r, at, (size_t)(end - at));
			at = end;
			break;
		case SSE_CHUNK_SIZE:
			error = read_chunk_size(r, *at++);
			break;
		case SSE_CHUNK_SKIP:
			if (*at++ == '\n')
				r->phase = r->chunk_left ? SSE_CHUNK_DATA : SSE_TRAILER;
			break;
		case SSE_CHUNK_DATA:
			step = (size_t)(end - at) < r->chunk_left ? (size_t)(end - at) : (size_t)r->chunk_left;
			error = read_body(r, at, step);
			at += step;
			r->chunk_left -= step;
			if (!error && r->chunk_left == 0)
				r->phase = SSE_CHUNK_END;
			break;
		case SSE_CHUNK_END:
			if (*at++ == '\n')
				r->phase = SSE_CHUNK_SIZE;
			break;
		case SSE_TRAILER:
			at = end;
			break;
		case SSE_BROKEN:
			error = -EPROTO;
			break;
		}
	}
	return error;
}
