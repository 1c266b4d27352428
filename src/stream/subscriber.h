/*
 * A subscriber: the stream of one reader of a channel, at its own place. It is asked for the next
 * piece when there is room to send it, and keeps nothing else.
 */
#ifndef STREAM_SUBSCRIBER_H
#define STREAM_SUBSCRIBER_H

#include "stream/channel.h"
#include "stream/copy.h"
#include "stream/start.h"
#include "stream/stream.h"

/* What the last block was of. */
enum subscriber_given {
	SUBSCRIBER_GAVE_ENTRIES, /* of a file: its place moved */
	SUBSCRIBER_GAVE_STATUS,
	SUBSCRIBER_GAVE_OTHER,   /* a gap, the end */
};

struct subscriber_start; /* while the place is being found */

/* May be embedded in its owner. */
struct subscriber {
	struct stream stream;
	struct channel *channel; /* owned reference; NULL: not subscribed */
	struct place places[CURSOR_FILES];
	struct generation *behind_copy[CURSOR_FILES]; /* owned reference: what follows the copy that the
	                                               * place is in; NULL: what it leads to */
	struct copy_left *left[CURSOR_FILES]; /* owned; NULL: nothing was left */
	struct subscriber_start *start; /* owned; NULL once begun */
	struct place *until; /* of each file: it is over there; borrowed; NULL: no such end */
	unsigned has_no_copy; /* bits: files that it is to read until, which were emptied */
	unsigned has_read;    /* bits: of which files it was given something */
	struct status_goal status_goal;
	uint64_t status_seen; /* version of the last status that was given; 0: none */
	enum subscriber_given given;
	struct place given_from; /* of entries: where they begin; its generation is borrowed, as long as
	                          * the place is in it */
	bool has_failed;      /* and that was told */
	bool stops_at_end;    /* of what there is, instead of waiting for more; but `complete` comes */
	bool is_over;
	uint32_t end_version; /* of the run in the registry when it was told that it is over */
};

/* Subscribes. 0 or -errno. */
int subscriber_init(struct subscriber *s, struct hub *hub, const struct channel_request *request,
                    const struct start *start, stream_wake_fn *wake, void *arg);
/* Unsubscribes; takes one that is not subscribed. */
void subscriber_fini(struct subscriber *s);

/* The same on the heap: stream_free() ends it. Returns owned. */
int subscriber_new(struct hub *hub, const struct channel_request *request, const struct start *start,
                   stream_wake_fn *wake, void *arg, struct stream **ret_stream);

/* As stream_next(). */
enum stream_answer subscriber_next(struct subscriber *s, struct block **ret_block);

/* Its places were found, and what had to be told before. */
bool subscriber_has_begun(const struct subscriber *s);

/* Finds its places before it is asked, so that it can be told where its first block begins. False: that
 * is not known yet, and it waits. */
bool subscriber_find_places(struct subscriber *s);

/* Makes it one that reads what lies before these places (borrowed, and to outlive it; they are moved where
 * their file was emptied, to its copy), and is over then. If it has not begun yet, where it does is found
 * in their generations. */
void subscriber_read_until(struct subscriber *s, struct place until[static CURSOR_FILES]);

#endif
