/*
 * Events other than log lines, as text of the wire format (WHATWG HTML, section 9.2.6
 * "Interpreting an event stream"): appended to a buffer, ready to be sent. Strings may hold
 * anything; they are escaped. id may be NULL: an event without one.
 */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct event_id {
	const char *text;
	size_t length;
};

/* Whose events they are: a run's, or, with run_id "", a message bus's. What is "" is left out. Borrowed. */
struct event_run {
	const char *run_id, *project_id, *task_id;
};

/* Appends "id: …", unless there is none, "event: <name>" and "data: ", for the data to follow; and
 * what ends an event behind it. The data is one line. */
void event_begin(struct buf *to, const struct event_id *id, const char *name);
void event_end(struct buf *to);

/* Appends {"run_id":…,"project_id":…,"task_id":… without the closing brace; what is "" is
 * left out. */
void event_put_run(struct buf *to, const struct event_run *run);

/* A comment, and retry: (9.2.6: the reconnection time in milliseconds). */
void event_put_opening(struct buf *to, int64_t retry_ms);

void event_put_heartbeat(struct buf *to);

void event_put_status(struct buf *to, const struct event_id *id, const struct event_run *run,
                      const char *status, int32_t exit_code);

void event_put_complete(struct buf *to, const struct event_id *id, const struct event_run *run,
                        const char *status, int32_t exit_code);

/* What is not known is left out. */
struct event_gap {
	const char *stream; /* "stdout", "stderr"; NULL: of no one file */
	const char *reason; /* "truncated", "hole", …: all are in runstream-http(7) */
	bool has_from, has_to;
	uint64_t from, to;  /* bytes: what is missing is [from, to) */
};

void event_put_gap(struct buf *to, const struct event_id *id, const struct event_run *run,
                   const struct event_gap *gap);

/* The end of a single file. */
void event_put_done(struct buf *to, const struct event_id *id, const struct event_run *run);

/* A failure to read a single file. error: -errno. */
void event_put_error(struct buf *to, int error);

void event_put_gone(struct buf *to, const struct event_run *run);

/* A long retry: goes before it, since the client would be back at once otherwise. */
void event_put_refused(struct buf *to, const char *code, const char *message, int64_t retry_after_s);

#endif
