#include "worker/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/event.h"

static const char media_json[] = "application/json";

static const struct {
	const char *status, *code;
} errors[] = {
	[ANSWER_BAD_REQUEST] = { "400 Bad Request", "BAD_REQUEST" },
	[ANSWER_FORBIDDEN] = { "403 Forbidden", "FORBIDDEN" },
	[ANSWER_NOT_FOUND] = { "404 Not Found", "NOT_FOUND" },
	[ANSWER_METHOD_NOT_ALLOWED] = { "405 Method Not Allowed", "METHOD_NOT_ALLOWED" },
	[ANSWER_CONFLICT] = { "409 Conflict", "CONFLICT" },
	[ANSWER_GONE] = { "410 Gone", "GONE" },
	[ANSWER_TOO_LARGE] = { "413 Content Too Large", "TOO_LARGE" },
	[ANSWER_UNSUPPORTED_TYPE] = { "415 Unsupported Media Type", "UNSUPPORTED_TYPE" },
	[ANSWER_TOO_MANY_CLIENTS] = { "429 Too Many Requests", "TOO_MANY_CLIENTS" },
	[ANSWER_INTERNAL] = { "500 Internal Server Error", "INTERNAL" },
	[ANSWER_UNAVAILABLE] = { "503 Service Unavailable", "UNAVAILABLE" },
	[ANSWER_NO_SPACE] = { "507 Insufficient Storage", "NO_SPACE" },
};

const char *
answer_error_code(enum answer_error error)
{
	return errors[error].code;
}

/* headers: more of them, each with its CRLF. end: the last bytes of the body. */
static struct block *
text_answer(const struct answer_style *style, const char *status, const char *type,
            const char *headers, const char *body, size_t length, const char *end)
{
	struct buf text = BUF_INIT;

	buf_printf(&text,
	           "Status: %s\r\n"
	           "Content-Type: %s\r\n"
	           "Cache-Control: no-store\r\n"
	           "Content-Length: %zu\r\n"
	           "%s%s\r\n",
	           status, type, length + strlen(end), style->headers, headers);
	if (!style->is_head) {
		buf_append(&text, body, length);
		buf_puts(&text, end);
	}
	return block_take(&text);
}

static struct block *
json_answer(const struct answer_style *style, const char *status, const char *headers,
            struct json_object *body)
{
	size_t length;
	const char *json = json_object_to_json_string_length(
		body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	struct block *block = text_answer(style, status, media_json, headers, json, length, "\n");

	json_object_put(body);
	return block;
}

struct block *
answer_json(const struct answer_style *style, struct json_object *body)
{
	return json_answer(style, "200 OK", "", body);
}

struct block *
answer_json_text(const struct answer_style *style, struct buf *body)
{
	struct block *block = NULL;

	if (buf_error(body) == 0)
		block = text_answer(style, "200 OK", media_json, "", body->data, body->length_bytes, "\n");
	buf_fini(body);
	return block;
}

struct block *
answer_text(const struct answer_style *style, const char *type, struct buf *body)
{
	struct block *block = NULL;

	if (buf_error(body) == 0)
		block = text_answer(style, "200 OK", type, "", body->data, body->length_bytes, "");
	buf_fini(body);
	return block;
}

struct block *
answer_created(const struct answer_style *style, struct json_object *body, const char *location)
{
	struct buf header = BUF_INIT;
	struct block *block;

	buf_printf(&header, "Location: %s\r\n", location);
	block = json_answer(style, "201 Created", buf_string(&header), body);
	buf_fini(&header);
	return block;
}

struct block *
answer_accepted(const struct answer_style *style, struct json_object *body)
{
	return json_answer(style, "202 Accepted", "", body);
}

static struct block *
error_answer(const struct answer_style *style, enum answer_error error, const char *message,
             const char *name, const char *value, const char *headers)
{
	struct json_object *body = json_object_new_object(), *inner = json_object_new_object();
	struct json_object *details = json_object_new_object();

	json_object_object_add(inner, "code", json_object_new_string(errors[error].code));
	json_object_object_add(inner, "message", json_object_new_string(message));
	if (name)
		json_object_object_add(details, name, json_object_new_string(value));
	json_object_object_add(inner, "details", details);
	json_object_object_add(body, "error", inner);
	return json_answer(style, errors[error].status, headers, body);
}

struct block *
answer_error(const struct answer_style *style, enum answer_error error, const char *message,
             const char *name, const char *value, int64_t retry_after_s)
{
	char headers[64] = "";

	if (retry_after_s > 0)
		snprintf(headers, sizeof(headers), "Retry-After: %lld\r\n", (long long)retry_after_s);
	return error_answer(style, error, message, name, value, headers);
}

struct block *
answer_method_not_allowed(const struct answer_style *style, const char *methods)
{
	char headers[128], message[128];

	snprintf(headers, sizeof(headers), "Allow: %s\r\n", methods);
	snprintf(message, sizeof(message), "what is answered here is %s", methods);
	return error_answer(style, ANSWER_METHOD_NOT_ALLOWED, message, NULL, NULL, headers);
}

static void
put_stream_headers(struct buf *to, const struct answer_style *style)
{
	buf_printf(to,
	           "Status: 200 OK\r\n"
	           "Content-Type: text/event-stream\r\n"
	           "Cache-Control: no-cache\r\n"
	           "X-Accel-Buffering: no\r\n"
	           "%s\r\n",
	           style->headers);
}

struct block *
answer_refused(const struct answer_style *style, enum answer_error error, const char *message,
               int64_t retry_after_s)
{
	struct buf text = BUF_INIT;

	put_stream_headers(&text, style);
	if (!style->is_head)
		event_put_refused(&text, errors[error].code, message, retry_after_s);
	return block_take(&text);
}

struct block *
answer_nothing_more(const struct answer_style *style)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "Status: 204 No Content\r\nCache-Control: no-cache\r\n%s\r\n",
	           style->headers);
	return block_take(&text);
}

struct block *
answer_stream(const struct answer_style *style, int64_t retry_ms)
{
	struct buf text = BUF_INIT;

	put_stream_headers(&text, style);
	if (!style->is_head)
		event_put_opening(&text, retry_ms);
	return block_take(&text);
}
