#include "worker/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/event.h"

#define STREAM_HEADERS \
	"Status: 200 OK\r\n" \
	"Content-Type: text/event-stream\r\n" \
	"Cache-Control: no-cache\r\n" \
	"X-Accel-Buffering: no\r\n" \
	"\r\n"

static const struct {
	const char *status, *code;
} errors[] = {
	[ANSWER_BAD_REQUEST] = { "400 Bad Request", "BAD_REQUEST" },
	[ANSWER_NOT_FOUND] = { "404 Not Found", "NOT_FOUND" },
	[ANSWER_METHOD_NOT_ALLOWED] = { "405 Method Not Allowed", "METHOD_NOT_ALLOWED" },
	[ANSWER_GONE] = { "410 Gone", "GONE" },
	[ANSWER_TOO_MANY_CLIENTS] = { "429 Too Many Requests", "TOO_MANY_CLIENTS" },
	[ANSWER_INTERNAL] = { "500 Internal Server Error", "INTERNAL" },
	[ANSWER_UNAVAILABLE] = { "503 Service Unavailable", "UNAVAILABLE" },
};

const char *
answer_error_code(enum answer_error error)
{
	return errors[error].code;
}

static struct block *
json_answer(const struct answer_style *style, const char *status, const char *headers,
            struct json_object *body)
{
	struct buf text = BUF_INIT;
	size_t length;
	const char *json = json_object_to_json_string_length(
		body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);

	buf_printf(&text,
	           "Status: %s\r\n"
	           "Content-Type: application/json\r\n"
	           "Cache-Control: no-store\r\n"
	           "Content-Length: %zu\r\n"
	           "%s\r\n",
	           status, length + 1, headers);
	if (!style->is_head) {
		buf_append(&text, json, length);
		buf_putc(&text, '\n');
	}
	json_object_put(body);
	return block_take(&text);
}

struct block *
answer_json(const struct answer_style *style, struct json_object *body)
{
	return json_answer(style, "200 OK", "", body);
}

struct block *
answer_error(const struct answer_style *style, enum answer_error error, const char *message,
             const char *name, const char *value, int64_t retry_after_s)
{
	struct json_object *body = json_object_new_object(), *inner = json_object_new_object();
	struct json_object *details = json_object_new_object();
	char headers[64] = "";

	json_object_object_add(inner, "code", json_object_new_string(errors[error].code));
	json_object_object_add(inner, "message", json_object_new_string(message));
	if (name)
		json_object_object_add(details, name, json_object_new_string(value));
	json_object_object_add(inner, "details", details);
	json_object_object_add(body, "error", inner);
	if (error == ANSWER_METHOD_NOT_ALLOWED)
		snprintf(headers, sizeof(headers), "Allow: GET, HEAD\r\n");
	else if (retry_after_s > 0)
		snprintf(headers, sizeof(headers), "Retry-After: %lld\r\n", (long long)retry_after_s);
	return json_answer(style, errors[error].status, headers, body);
}

struct block *
answer_refused(const struct answer_style *style, enum answer_error error, const char *message,
               int64_t retry_after_s)
{
	struct buf text = BUF_INIT;

	buf_puts(&text, STREAM_HEADERS);
	if (!style->is_head)
		event_put_refused(&text, errors[error].code, message, retry_after_s);
	return block_take(&text);
}

struct block *
answer_nothing_more(void)
{
	struct buf text = BUF_INIT;

	buf_puts(&text, "Status: 204 No Content\r\nCache-Control: no-cache\r\n\r\n");
	return block_take(&text);
}

struct block *
answer_stream(const struct answer_style *style, int64_t retry_ms)
{
	struct buf text = BUF_INIT;

	buf_puts(&text, STREAM_HEADERS);
	if (!style->is_head)
		event_put_opening(&text, retry_ms);
	return block_take(&text);
}
