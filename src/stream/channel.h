/*
 * A channel: the log of one run, in the choice of files that its subscribers share. It renders
 * each piece once for all who come by it, and knows when the run has ended.
 *
 * A subscriber that has been given everything is parked in its channel; one that is behind
 * walks through blocks at its own pace, from the cache where others were before it, from the
 * file otherwise. Live, behind, resuming, tail and catching up are one mechanism.
 */
#ifndef STREAM_CHANNEL_H
#define STREAM_CHANNEL_H

#include "stream/hub.h"
#include "stream/place.h"

struct subscriber;

/* Which files: bits. */
enum channel_files {
	CHANNEL_STDOUT = 1 << CURSOR_STDOUT,
	CHANNEL_STDERR = 1 << CURSOR_STDERR,
	CHANNEL_BOTH = CHANNEL_STDOUT | CHANNEL_STDERR,
};

struct channel_key {
	uint32_t slot;  /* of the run in the registry */
	uint32_t files;
};

struct channel {
	struct hub *hub;
	struct channel_key key;
	unsigned references; /* subscribers */
	bool is_replaced;    /* its slot is another run's by now, and so is its place in the hub */
	UT_hash_handle hh;

	struct registry_run *run; /* owned; as the registry last said */
	uint32_t status_serial;   /* grows with each change of status or exit code */

	struct follower *followers[CURSOR_FILES]; /* owned reference, or NULL: not chosen */
	struct source *sources[CURSOR_FILES];     /* of the follower, or the hub's nothing */
	struct source_listener listeners[CURSOR_FILES];
	/* source->looks_begun when the run was seen to be over: only later looks saw all. */
	uint64_t looks_before_end[CURSOR_FILES];
	struct renderer_template template;
	struct block_table blocks;

	TAILQ_HEAD(, subscriber) parked;
	unsigned parked_count;
	int64_t woken_ns;             /* when the parked ones were last woken */
	struct loop_task wake_task;
	struct loop_timer wake_timer; /* to gather what comes in quick succession */
	struct loop_timer due_timer;  /* when time alone changes something: a flush, the end */
	int64_t due_ms;
};

/* One more reference to the channel, made if need be. run is copied. 0 or -errno. */
int channel_get(struct hub *hub, const struct registry_run *run, unsigned files,
                struct channel **ret_channel);
void channel_release(struct channel **channel);

/* The identifiers for events; borrowed. */
struct event_run channel_event_run(const struct channel *channel);

/*
 * Whether the run has ended, and its files have not changed for terminal_linger_ms, as seen by a
 * look after that time. Asks for such a look itself; parked subscribers are woken in time.
 */
bool channel_is_finished(struct channel *channel);

/* Whether the run's folder was deleted, and all that was written before was seen, by a look after
 * it. Asks for such a look itself, as above. */
bool channel_is_gone(struct channel *channel);

/*
 * The next block of log events for someone at these places. Returns 0 and a block (returns
 * owned); -ENODATA: nothing at present; -EAGAIN: being read; -ESTALE: look at the places'
 * generations; other -errno: reading failed, and will be tried again.
 */
int channel_next_block(struct channel *channel, const struct place places[static CURSOR_FILES],
                       struct block **ret_block);

/* Parks a subscriber until something may have changed. */
void channel_park(struct channel *channel, struct subscriber *subscriber);
void channel_unpark(struct channel *channel, struct subscriber *subscriber);

/* The registry's slot changed, or may have. */
void channel_update_run(struct channel *channel);

#endif
