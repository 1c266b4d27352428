/*
 * A subscriber: one reader of a channel, at its own place. It is asked for the next piece when
 * there is room to send it, and says when it has none; it keeps nothing else.
 */
#ifndef STREAM_SUBSCRIBER_H
#define STREAM_SUBSCRIBER_H

#include "stream/channel.h"
#include "stream/start.h"

/* Called in the loop's thread when subscriber_next() may have something: once each time. */
typedef void subscriber_wake_fn(void *arg);

enum subscriber_answer {
	SUBSCRIBER_BLOCK, /* a block to send */
	SUBSCRIBER_WAIT,  /* nothing now: wake will be called */
	SUBSCRIBER_END,   /* the stream is over */
	SUBSCRIBER_NOTHING_MORE, /* the first answer, to the id of an end that still holds: 204 */
};

struct subscriber_start; /* while the place is being found */

/* Embedded in its owner. */
struct subscriber {
	struct channel *channel; /* owned reference; NULL: not subscribed */
	struct place places[CURSOR_FILES];
	struct subscriber_start *start; /* owned; NULL once begun */
	subscriber_wake_fn *wake;
	void *arg;
	TAILQ_ENTRY(subscriber) entry; /* among the parked */
	uint32_t status_seen;
	bool is_parked;
	bool is_over;
};

/* Subscribes to a run's log. 0 or -errno. */
int subscriber_init(struct subscriber *s, struct hub *hub, const struct registry_run *run,
                    unsigned files, const struct start *start, subscriber_wake_fn *wake, void *arg);
/* Unsubscribes; takes one that is not subscribed. */
void subscriber_fini(struct subscriber *s);

/* *ret_block (returns owned) is set with SUBSCRIBER_BLOCK alone. */
enum subscriber_answer subscriber_next(struct subscriber *s, struct block **ret_block);

#endif
