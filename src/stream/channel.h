/*
 * A channel: one run (or message bus) in the kind, and choice of files, that its subscribers
 * share. It renders each piece once for all who come by it, and knows when the run has ended.
 *
 * A subscriber that has been given everything waits in its channel's audience; one that is behind
 * walks through blocks at its own pace, from the cache where others were before it, from the
 * file otherwise. Live, behind, resuming, tail and catching up are one mechanism.
 */
#ifndef STREAM_CHANNEL_H
#define STREAM_CHANNEL_H

#include "follow/place.h"
#include "stream/audience.h"
#include "stream/hub.h"
#include "stream/kind.h"
#include "stream/run_end.h"

/* Which files: bits. Kinds of one file have CHANNEL_FIRST. */
enum channel_files {
	CHANNEL_STDOUT = 1 << CURSOR_STDOUT,
	CHANNEL_STDERR = 1 << CURSOR_STDERR,
	CHANNEL_BOTH = CHANNEL_STDOUT | CHANNEL_STDERR,
	CHANNEL_FIRST = 1 << 0,
};

/* What is wanted; borrowed, copied. */
struct channel_request {
	const struct stream_kind *kind;
	const struct registry_run *run; /* a run; or a bus, of the registry of buses, or with the slot
	                                 * CHANNEL_NO_SLOT while that does not know it */
	unsigned files;                 /* of a log: bits */
	const char *directory, *file;   /* of stream_kind_file: beneath the runs directory */
	uint64_t feed;                  /* whose ids its events have: that of a feed's members, or of a
	                                 * walk; 0: its own */
};

#define CHANNEL_NO_SLOT UINT32_MAX

enum { CHANNEL_DIRECTORY_BYTES = 3 * (REGISTRY_NAME_BYTES + 1) + 8 };

struct channel_key {
	const struct stream_kind *kind;
	uint32_t slot;  /* in the registry of runs, or of buses */
	uint32_t files;
	uint64_t path;  /* a hash of the first file's */
	uint64_t feed;
};

/* The state of a recorded run, rendered for all who ask. */
struct channel_state {
	bool is_known;
	struct buf text;
	uint64_t version;        /* grows with each change that matters */
	uint64_t reached_bytes;  /* of the file: it knows of all before */
	uint32_t generation;     /* serial */
	uint32_t status_serial;
	uint64_t changes;
};

/* A growth of a file that somebody waits for, to measure how long it takes until it is sent. */
struct channel_growth {
	int64_t appended_us; /* 0: none is awaited */
	uint64_t from;       /* offset */
	int64_t told_us;     /* appended_us of the last one that was heard of */
};

struct channel {
	struct hub *hub;
	struct channel_key key;
	unsigned references; /* subscribers */
	bool is_in_hub;      /* not when its slot is another run's by now */
	UT_hash_handle hh;
	struct channel_slot *of_slot;
	LIST_ENTRY(channel) of_slot_entry;

	struct registry_run *run; /* owned; as the registry last said */
	uint32_t status_serial;   /* grows with each change of status or exit code */
	const char *id_prefix;    /* what ids begin with, in a stream of many; borrowed, set by its feed */
	bool holds_unfinished;    /* a last line without its end is not sent, however long it rests: set by
	                           * who leaves it to another channel to go on */

	struct follower *followers[CURSOR_FILES]; /* owned reference, or NULL: not chosen */
	struct source *sources[CURSOR_FILES];     /* of the follower, or the hub's nothing */
	struct source_listener listeners[CURSOR_FILES];
	/* source->looks_begun when the run was seen to be over: only later looks saw all. */
	uint64_t looks_before_end[CURSOR_FILES];
	struct run_end end;
	struct channel_growth growths[CURSOR_FILES];
	struct renderer_template template;
	struct block_table blocks;
	struct channel_state state;

	struct audience audience;
	struct loop_timer due_timer;  /* when time alone changes something: a flush, the end */
	int64_t due_ms;
};

/* One more reference to the channel, made if need be. 0 or -errno. */
int channel_get(struct hub *hub, const struct channel_request *request,
                struct channel **ret_channel);
void channel_release(struct channel **channel);

/* The identifiers for events; borrowed. */
struct event_run channel_event_run(const struct channel *channel);

/* What gaps call one of its files; NULL: there is but one. */
const char *channel_file_name(const struct channel *channel, enum cursor_file file);

/* Has those who wait woken at a time on the monotonic clock, at the latest. */
void channel_wake_at(struct channel *channel, int64_t due_ms);
/* The settings were changed in place: who waits for a time asks again when it is. */
void channel_settings_changed(struct channel *channel);

/*
 * Whether the run has ended, surely, and its files have not changed for terminal_linger_ms, as seen by
 * a look after that time. Asks for such a look itself; those who wait are woken in time.
 */
bool channel_is_finished(struct channel *channel);

/* Whether the run's folder was deleted, and all that was written before was seen, by a look after
 * it. Asks for such a look itself, as above. */
bool channel_is_gone(struct channel *channel);

#define CHANNEL_NO_LIMIT UINT64_MAX
/* Or-ed to an offset: a line that is unfinished there ends there. */
#define CHANNEL_LIMIT_FINISHES (UINT64_C(1) << 62)

/*
 * The next block of events for someone at these places. limits: for each file an offset, beyond
 * which nothing is wanted (0: nothing of it; CHANNEL_NO_LIMIT: all); NULL: none. Returns 0 and a block (returns owned; it
 * may be empty: something was passed over); -ENODATA: nothing at present; -EAGAIN: being read;
 * -ESTALE: look at the places' generations; other -errno: reading failed, and will be tried again.
 */
int channel_next_block(struct channel *channel, const struct place places[static CURSOR_FILES],
                       const uint64_t *limits, struct block **ret_block);

/* Has a subscriber wait until something may have changed. */
void channel_park(struct channel *channel, struct stream *stream);

/* The registry's slot changed, or may have. */
void channel_update_run(struct channel *channel);

#endif
