/*
 * A feed: one stream of many runs (or message buses), whichever they are and will be. Its members
 * are subscribers like any other, one for each run; what they are given, in turns of a block each,
 * is noted in a journal (journal.h) that all clients of the feed walk at their own pace.
 *
 * It is the fastest client that makes it advance: with nobody at its end nothing is read, and what
 * a slow client has yet to get is kept as places in files, not as text.
 */
#ifndef STREAM_FEED_H
#define STREAM_FEED_H

#include "model/feed_id.h"
#include "stream/channel.h"
#include "stream/stream.h"

enum feed_from {
	FEED_FROM_NOW,   /* what comes from now on; new runs from their beginning */
	FEED_FROM_TAIL,  /* first the last entries of each file that is there */
	FEED_FROM_START, /* first all that is there */
};

/* What is wanted; borrowed, copied. */
struct feed_request {
	const struct stream_kind *kind;       /* one of many */
	unsigned files;                       /* of a log: enum channel_files */
	const char *project_id, *task_id;     /* NULL: any */
	enum feed_from from;
	uint64_t tail_entries;
	/* What the client had, and wins over `from`; NULL: nothing. */
	const struct feed_id *after;
	bool is_after_invalid; /* an id came that is none of ours: first a gap */
};

/* A client of the feed that does this, made if need be. 0 or -errno; returns owned. */
int feed_subscribe(struct hub *hub, const struct feed_request *request, stream_wake_fn *wake, void *arg,
                   struct stream **ret_stream);

/* For the hub. A slot of the registry of runs, or of buses, changed; or any may have. */
void feeds_update(struct hub *hub, uint32_t slot, bool is_of_bus);
void feeds_update_all(struct hub *hub, bool is_of_bus);
/* The runs directory may have been looked at for the first time: until then nobody knows which runs
 * are old. */
void feeds_open(struct hub *hub);

#endif
