/*
 * A subscription: a client's stream, of whatever kind, registered with the hub. This is the one
 * interface by which a worker subscribes clients to a run, a bus or many of them, counts them,
 * and broadcasts to those of one run or to all.
 */
#ifndef STREAM_SUBSCRIPTION_H
#define STREAM_SUBSCRIPTION_H

#include "stream/channel.h"
#include "stream/feed.h"
#include "stream/start.h"
#include "stream/stream.h"

struct subscription {
	struct hub *hub;
	struct stream *stream;      /* owned */
	const struct stream_kind *kind;
	uint32_t slot;              /* of the run; SUBSCRIPTION_MANY: of no single one */
	bool has_begun;             /* something was given, or it cannot turn out to be over at once */
	uint64_t announced;         /* announcements before this number were given, or are not for it */
	stream_wake_fn *wake;
	void *arg;
	TAILQ_ENTRY(subscription) entry;
};

#define SUBSCRIPTION_MANY UINT32_MAX

/* Subscribes to one run, file or bus. wake(arg) is called when subscription_next() may have more.
 * 0 or -errno; returns owned. */
int subscription_new(struct hub *hub, const struct channel_request *request, const struct start *start,
                     stream_wake_fn *wake, void *arg, struct subscription **ret_subscription);
/* Subscribes to many. */
int subscription_new_of_many(struct hub *hub, const struct feed_request *request, stream_wake_fn *wake,
                             void *arg, struct subscription **ret_subscription);
/* Unsubscribes. Takes NULL; sets the pointer to NULL. */
void subscription_free(struct subscription **subscription);

/* As stream_next(). */
enum stream_answer subscription_next(struct subscription *s, struct block **ret_block);
/* There is nothing for it: wake will be called. */
bool subscription_is_waiting(const struct subscription *s);

/*
 * Sends a block of events to the subscriptions of recorded events: of one run (and of many runs,
 * of which it may be one), or to all with SUBSCRIPTION_MANY. It is in no file: who
 * falls behind by more than HUB_ANNOUNCEMENTS of them misses the oldest. Takes the block.
 */
void subscription_broadcast(struct hub *hub, uint32_t slot, struct block *block);

#endif
