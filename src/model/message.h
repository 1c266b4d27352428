/*
 * A message: what one entry of a message bus says, and its event. Others wrote it, so it is read
 * with bounds, and with patience: keys that we do not know, and values that are not what they
 * should be, are passed over. Without an id it is no message.
 */
#ifndef MODEL_MESSAGE_H
#define MODEL_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/event.h"
#include "model/message_cut.h"

enum {
	MESSAGE_ID_BYTES = 128,
	MESSAGE_DEPTH = 16,  /* of collections in a front matter */
	MESSAGE_ITEMS = 256, /* parents, links, and pairs of meta, of each at most; others are left out */
	MESSAGE_LEGACY_ID_BYTES = 12 + 20, /* "LEGACY-LINE-" and a number */
};

struct message_link {
	char *url, *label, *kind;
};

struct message_meta {
	char *key, *value;
};

/* Strings are owned by the struct, UTF-8 without NULs; NULL when absent. */
struct message {
	char *msg_id;    /* 1 to MESSAGE_ID_BYTES bytes without control characters */
	char *timestamp; /* as written; of an old entry, its stamp taken for UTC (RFC 3339) */
	char *type;
	char *project_id;
	char *task_id;
	char *run_id;
	char *issue_id;
	char **parents;
	struct message_link *links;
	struct message_meta *meta;
	size_t parents_count, links_count, meta_count;
	const uint8_t *content; /* borrows the entry's bytes; may be anything */
	size_t content_bytes;
};

/*
 * Parses an entry that was cut from bytes, of which message->content is borrowed. lines_before are
 * the line ends before the entry in its file: the id of an old entry is made of them. 0 (the
 * caller calls message_fini()); -EBADMSG: malformed, it is to be skipped; -ENOMEM.
 */
int message_parse(const uint8_t *bytes, const struct message_cut *cut, uint64_t lines_before,
                  struct message *ret_message);
void message_fini(struct message *message);

/* The id of an old entry: "LEGACY-LINE-" and the number of its line, of 9 digits at least. Writes
 * no NUL; returns the length. */
size_t message_legacy_id(uint64_t line, char ret_id[static MESSAGE_LEGACY_ID_BYTES]);

/* Appends its event. Keys without a value are left out; content and body are both the text. */
void message_put_event(struct buf *to, const struct event_id *id, const struct message *message);

#endif
