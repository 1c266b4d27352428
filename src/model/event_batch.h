/* The events of a request, checked and made into lines that can be appended to events.jsonl. */
#ifndef MODEL_EVENT_BATCH_H
#define MODEL_EVENT_BATCH_H

#include "base/buf.h"
#include "model/digest.h"
#include "model/event_line.h"

struct event_batch_line {
	size_t offset, length; /* in lines; with the newline */
	bool has_key;
	struct digest key;     /* of the text of its key */
};

/* Zero-initialised is empty. */
struct event_batch {
	struct buf lines;
	struct event_batch_line *entries;
	size_t count, capacity;
};

void event_batch_fini(struct event_batch *batch);

/*
 * Makes a batch from a body: {"events":[…]}, which may have a "key" beside, or one event. now_ms:
 * wall clock, for events without a time. A request's key K (from the body, unless given here;
 * NULL: none) becomes K/0, K/1, … for its events, so that a retry of a request that was recorded
 * in part records the rest. 0 (event_batch_fini() is the caller's); -EINVAL and ret_fault;
 * -E2BIG: more than `most` events (and ret_fault); -ENOMEM.
 */
int event_batch_parse(const char *body, size_t length, const char *key, int64_t now_ms, size_t most,
                      struct event_batch *ret_batch, struct fault *ret_fault);

/* Appends one line, with its newline (copied), as event_line_make() made it. key: "" or NULL:
 * none. 0 or -ENOMEM (unchanged). */
int event_batch_add(struct event_batch *batch, const char *line, size_t length, const char *key);

#endif
