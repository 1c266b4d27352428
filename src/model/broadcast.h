/*
 * An announcement: what an administrator says to those who watch (`runstreamctl broadcast`), a
 * type and maybe a JSON value. It becomes an event of its own, or is recorded as one of a run.
 */
#ifndef MODEL_BROADCAST_H
#define MODEL_BROADCAST_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/event_line.h"

enum { BROADCAST_DATA_BYTES = 32 * 1024 };

/* Borrowed. */
struct broadcast {
	const char *type; /* 1 to EVENT_TYPE_BYTES bytes of UTF-8, no control characters */
	size_t type_length;
	const char *data; /* a JSON text of at most BROADCAST_DATA_BYTES; NULL: none */
	size_t data_length;
};

/* NULL if it may be sent, else what is wrong: a phrase that begins with the member's name. */
const char *broadcast_problem(const struct broadcast *b);

/*
 * Appends it as an event without an id: event: event, and as data {"type":…,"time":…,"data":…}.
 * One without a problem. Errors are kept in the buffer.
 */
void broadcast_put(struct buf *to, const struct broadcast *b, int64_t wall_ms);

/*
 * Appends it as an object that can be recorded: {"type":…, and the members of data, or
 * "data":… if it is no object}. One without a problem. Errors are kept in the buffer.
 */
void broadcast_put_object(struct buf *to, const struct broadcast *b);

#endif
