/*
 * A recorded event as a line of events.jsonl: one JSON object. Its seq is the number of the line,
 * from 1, whoever wrote it and whatever is in it; so seq and the run's id are not in the line, but
 * are put before its members when it is sent. Members are passed on as they were written, byte
 * for byte (numbers keep their digits).
 */
#ifndef MODEL_EVENT_LINE_H
#define MODEL_EVENT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/event.h"
#include "model/fault.h"
#include "model/json_scan.h"

enum {
	EVENT_LINE_BYTES = 1024 * 1024, /* a longer line is no event; without its newline */
	EVENT_SENT_BYTES = 512 * 1024,  /* of a line that is made of an event sent to us: before it
	                                 * there is room for blanks (store/recording.h) */
	EVENT_TYPE_BYTES = 128,
	EVENT_KEY_BYTES = 128,          /* of a key that a client gives */
	EVENT_STORED_KEY_BYTES = EVENT_KEY_BYTES + 21, /* that, "/", and a number */
};

/*
 * Appends the event of a line (without its newline): event: event, and as data
 * {"run_id":…,"seq":…, and the line's own members but these two}. id: its seq, unless another one
 * is given. 0; -EBADMSG: the line is no JSON object, and is passed over (its seq is used up),
 * nothing was appended; -ENOMEM.
 */
int event_line_put(struct buf *to, const struct event_id *id, const char *run_id, uint64_t seq,
                   const char *line, size_t length);

/*
 * Whether a line is one whole object. No part of an object is one: so what stands at the end of a
 * file without its newline is an event already if it is whole, and torn if it is not.
 */
bool event_line_is_whole(const char *line, size_t length);

/* Appends the object alone. */
int event_line_put_object(struct buf *to, const char *run_id, uint64_t seq, const char *line,
                          size_t length);

/*
 * Appends the line (with its newline) that an event becomes which was sent to us: its members as
 * given less seq, run_id and key; time if it has none; key if one is given or it has its own,
 * which wins. Checks it: type is a string of 1 to EVENT_TYPE_BYTES bytes without control
 * characters; time a string as RFC 3339 has it; unit and task strings; key a string of 1 to
 * EVENT_KEY_BYTES without control characters; none of these twice. Everything else passes.
 *
 * now: RFC 3339. key: NUL-terminated, or NULL. ret_key gets the key that the line bears, or "".
 * 0; -EINVAL (and ret_fault: the field is relative to the event); -ENOMEM. On failure nothing was
 * appended.
 */
int event_line_make(struct buf *to, const char *event, size_t length, const char *now,
                    const char *key, char ret_key[static EVENT_STORED_KEY_BYTES + 1],
                    struct fault *ret_fault);

/* Appends a member with a comma before it, as written, but on one line. */
void event_line_put_member(struct buf *to, const struct json_member *member);

/* Whether a client may give this key: 1 to EVENT_KEY_BYTES of UTF-8, no control characters. */
bool event_key_valid(const char *key, size_t length);

#endif
