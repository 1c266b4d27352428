/*
 * Reads an event stream as WHATWG HTML, section 9.2.5 "Parsing an event stream" and 9.2.6
 * "Interpreting an event stream", has it done: from bytes, cut anywhere, to events. What a
 * connection left unfinished is dropped with it, the last event id is not.
 */
#ifndef MODEL_SSE_READER_H
#define MODEL_SSE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Everything is borrowed for the call. Texts may hold anything, and end with a NUL besides. */
struct sse_event {
	const char *name; /* "message" if it has none: */
	size_t name_length;
	bool is_named;
	const char *data;
	size_t data_length;
	const char *id;   /* its own: "" if it brought none, or an empty one */
	size_t id_length;
};

/* 0 to go on; anything else ends sse_reader_read(), which returns it. */
typedef int sse_event_fn(void *arg, const struct sse_event *event);

struct sse_reader {
	sse_event_fn *fn;
	void *arg;
	size_t most_bytes; /* of an event */
	struct buf line, name, data, id, last_id;
	int64_t retry_ms; /* the reconnection time; -1: the server has not said any */
	unsigned bom_bytes; /* of the byte order mark at the start that were seen; 3: past it */
	bool is_after_cr, has_name, has_id;
};

/* An event of more than most_bytes is an error: memory is bounded by it. */
void sse_reader_init(struct sse_reader *reader, size_t most_bytes, sse_event_fn *fn, void *arg);
void sse_reader_fini(struct sse_reader *reader);

/* Takes what came. 0; -EMSGSIZE, -ENOMEM; or what fn returned. */
int sse_reader_read(struct sse_reader *reader, const char *bytes, size_t length);

/* For a new connection. */
void sse_reader_restart(struct sse_reader *reader);

/*
 * What a client that comes back sends in Last-Event-ID; "" for nothing. Of an event that has not
 * ended it is not the id yet. Borrowed until the next call.
 */
const char *sse_reader_last_id(struct sse_reader *reader);
/* As if an event with that id had come. 0 or -ENOMEM. */
int sse_reader_set_last_id(struct sse_reader *reader, const char *id);

#endif
