/*
 * Kinds of streams: how the bytes of a source become events, what ids are made of, and what is
 * said of the run beside them. Everything else (places, generations, gaps, blocks, the end) is
 * the same for all.
 */
#ifndef STREAM_KIND_H
#define STREAM_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/num.h"
#include "model/event.h"
#include "model/feed_id.h"
#include "stream/start.h"

struct channel;
struct pass;
struct subscriber;

/* How far a status is to know of what was recorded: up to where it was when somebody asked. */
struct status_goal {
	bool is_set;
	uint32_t generation; /* serial */
	uint64_t bytes;
};

/* Longest id that a kind makes. */
enum { STREAM_ID_BYTES = FEED_ID_BYTES + 3 + CURSOR_MARK_TEXT_BYTES + 3 + NUM_U64_BYTES };

/* What an id of a kind is made of. */
struct stream_id {
	const struct place *places; /* of all CURSOR_FILES */
	enum cursor_file file;      /* whose event it is */
	bool is_of_entry;           /* it names an entry of the file; otherwise the reader's position */
	bool is_end;
	const char *prefix;         /* of streams of many runs */
};

struct stream_kind {
	bool is_many;          /* for streams of many runs: ids are opaque, and unique among them */
	bool flushes;          /* an unfinished line is sent when it has rested */
	bool has_entries;      /* which are whole or not there: a limit says where none begins any more */
	bool ends;             /* with its run */
	bool names_files;      /* gaps say in which file */
	bool is_of_bus;        /* not of a run */
	bool is_of_events;     /* reads the file of recorded events, not the logs */

	/*
	 * Cuts events off the bytes at pass->offset and puts them (pass.h), until the border is
	 * reached, the block is full, or more bytes are needed than there are. 0 or as
	 * place_read().
	 */
	int (*put_events)(struct pass *pass, uint64_t border);

	/* Writes an id; returns its length, 0 for none. */
	size_t (*format_id)(const struct stream_id *id, char ret_text[static STREAM_ID_BYTES]);

	/* Finds where a subscriber begins in one file; as start_resolve(). */
	start_resolve_fn *resolve;

	/* Whether the last entry of a generation may be taken for whole though it may grow; NULL: it
	 * may not. Has the channel's subscribers woken in time if only time is missing. */
	bool (*is_whole)(struct channel *channel, const struct generation *generation);

	/*
	 * A number that changes with what put_status() would say; 0: nothing to be said. -EAGAIN: not
	 * known yet, the sources' listeners will be called; goal is kept until then, zeroed at first.
	 * NULL: this kind has no such event.
	 */
	int (*status_version)(struct channel *channel, struct status_goal *goal, uint64_t *ret_version);
	bool status_waits; /* while there are entries to be sent, changes are not told */
	/* What is said of the run, when somebody connects and when it changes: once there was a
	 * version. */
	void (*put_status)(struct buf *to, const struct event_id *id, struct channel *channel);
	/* The last event. */
	void (*put_complete)(struct buf *to, const struct event_id *id, struct channel *channel);
	/* A failure to read, told once; NULL: it is not told, but tried again. */
	void (*put_failure)(struct buf *to, int error);
};

/* A run's log; in a stream of many runs. */
extern const struct stream_kind stream_kind_log, stream_kind_log_of_many;
/* One file of a run, raw. */
extern const struct stream_kind stream_kind_file;
/* A run's recorded events; in a stream of many runs. */
extern const struct stream_kind stream_kind_events, stream_kind_events_of_many;
/* A message bus; in a stream of many. */
extern const struct stream_kind stream_kind_messages, stream_kind_messages_of_many;

/* The opaque id of streams of many runs (model/feed_id.h): the prefix, and the place of the entry if it
 * is of one. */
size_t stream_kind_format_id_of_many(const struct stream_id *id, char ret_text[static STREAM_ID_BYTES]);

#endif
