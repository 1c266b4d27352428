/* Answers that are there at once: a status, headers, a body, mostly JSON; and the errors. */
#ifndef WORKER_ANSWER_H
#define WORKER_ANSWER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "stream/block.h"

/* How the request wants its answer. */
struct answer_style {
	bool is_head;        /* HEAD: the headers alone */
	bool accepts_events; /* an EventSource: another status than 200 kills it for good */
	const char *headers; /* more of them, each with its CRLF (cors.h); borrowed */
};

/* The errors that the API knows: HTTP status and code. */
enum answer_error {
	ANSWER_BAD_REQUEST,        /* 400 */
	ANSWER_FORBIDDEN,          /* 403 */
	ANSWER_NOT_FOUND,          /* 404 */
	ANSWER_METHOD_NOT_ALLOWED, /* 405 */
	ANSWER_CONFLICT,           /* 409 */
	ANSWER_GONE,               /* 410 */
	ANSWER_TOO_LARGE,          /* 413 */
	ANSWER_UNSUPPORTED_TYPE,   /* 415 */
	ANSWER_TOO_MANY_CLIENTS,   /* 429 */
	ANSWER_INTERNAL,           /* 500 */
	ANSWER_UNAVAILABLE,        /* 503 */
	ANSWER_NO_SPACE,           /* 507 */
};

/* "NOT_FOUND", … */
const char *answer_error_code(enum answer_error error);

/* All return a block (returns owned), or NULL without memory. */

/* Takes body. */
struct block *answer_json(const struct answer_style *style, struct json_object *body);
/* The same from text, which it takes. */
struct block *answer_json_text(const struct answer_style *style, struct buf *body);
/* 200 with text of another media type. Takes body. */
struct block *answer_text(const struct answer_style *style, const char *type, struct buf *body);
/* 201 with the path of what was made. Takes body. */
struct block *answer_created(const struct answer_style *style, struct json_object *body,
                             const char *location);
/* 202. Takes body. */
struct block *answer_accepted(const struct answer_style *style, struct json_object *body);

/*
 * {"error":{"code","message","details"}}. message: a sentence. name and value may be NULL: a
 * detail (the parameter that was wrong). retry_after_s 0: no such header.
 */
struct block *answer_error(const struct answer_style *style, enum answer_error error,
                           const char *message, const char *name, const char *value,
                           int64_t retry_after_s);

/* 405. methods: those that are answered at this path, "GET, HEAD". */
struct block *answer_method_not_allowed(const struct answer_style *style, const char *methods);

/* 200 with one `refused` event, for those whom another status would kill. */
struct block *answer_refused(const struct answer_style *style, enum answer_error error,
                             const char *message, int64_t retry_after_s);

/* 204: tells an EventSource to stop (WHATWG HTML, section 9.2.3). */
struct block *answer_nothing_more(const struct answer_style *style);

/* Headers and first bytes of a stream; of HEAD, the headers alone. */
struct block *answer_stream(const struct answer_style *style, int64_t retry_ms);

#endif
