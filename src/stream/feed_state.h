/* What feed.c (its members), feed_client.c (those who read it) and feed_walk.c (what a client gets
 * before it is where the feed is) share; nobody else includes it. */
#ifndef STREAM_FEED_STATE_H
#define STREAM_FEED_STATE_H

#include "follow/hash_table.h"
#include "stream/feed.h"
#include "stream/journal.h"
#include "stream/subscriber.h"

enum { FEED_PREFIX_BYTES = 40 };

/* A run (or bus) in the feed. It lives for as long as the journal names it; so its files do. */
struct feed_member {
	struct journal_owner owner;
	struct feed *feed;
	uint32_t slot;
	bool is_in;          /* among the members; not when it is over */
	bool is_kept;        /* over, but walks may have to know where the journal has it */
	bool is_ready;       /* may have something to give */
	uint64_t told_at;    /* number of its first status in the journal; 0: not yet */
	struct subscriber subscriber;
	UT_hash_handle hh;   /* by slot */
	bool is_hashed;
	TAILQ_ENTRY(feed_member) entry;
	TAILQ_ENTRY(feed_member) ready_entry;
};

/* Where a member was when its run ended, should it go on. */
struct feed_past {
	uint32_t slot;
	char run_id[REGISTRY_NAME_BYTES + 1];
	uint32_t version; /* of the slot then: another one, and it may have gone on and ended again */
	struct cursor cursor;
	UT_hash_handle hh;
	TAILQ_ENTRY(feed_past) entry;
};

struct feed {
	struct hub *hub;
	const struct stream_kind *kind;
	unsigned files;
	char *project_id, *task_id; /* NULL: any */
	uint32_t number;
	uint32_t nonce;             /* so that ids are not those of an earlier feed */
	int64_t made_wall_ms;
	uint32_t slots_when_made;
	uint64_t changes_when_made; /* of the registry */
	TAILQ_ENTRY(feed) entry;

	struct feed_member *by_slot;
	TAILQ_HEAD(, feed_member) members;
	uint64_t not_followed; /* times that there was no room for a run */
	bool has_left_out;     /* one, since the last scan */
	struct loop_timer rescan_timer;
	TAILQ_HEAD(, feed_member) ready;
	TAILQ_HEAD(, feed_member) kept;
	unsigned walks;              /* of content, that are under way */
	struct feed_past *past;
	TAILQ_HEAD(, feed_past) past_order;
	size_t past_count;
	uint32_t scan_next;          /* slot: what lies below was taken in */
	struct loop_task scan_task;

	struct journal journal;
	struct block_table blocks;   /* rendered extents */
	char prefix[FEED_PREFIX_BYTES];

	uint64_t unread_bytes;      /* of ready members, as of unread_ms */
	int64_t unread_ms;

	struct audience audience;
	TAILQ_HEAD(, feed_client) clients;
	unsigned client_count;
};

/* What a client gets before it is where it joined. */
struct feed_walk {
	bool is_on;
	bool is_of_statuses;        /* of the members alone; otherwise of the content of all */
	struct start start;         /* of each */
	struct feed_member *member; /* next, of statuses; NULL: none is left */
	uint32_t slot;              /* next, of content */
	uint32_t slots;             /* there were so many when it began */
	struct stream *stream;      /* of the slot at hand; owned, or NULL */
	bool is_stream_over;        /* but whether the slot is, has to be seen */
	struct place until[CURSOR_FILES]; /* where the journal takes over */
	bool has_until;
	char prefix[FEED_PREFIX_BYTES];
};

struct feed_client {
	struct stream stream;
	struct feed *feed;
	TAILQ_ENTRY(feed_client) entry;
	struct journal_reader reader;
	uint64_t joined_at;  /* journal number */
	struct place inside; /* of the extent at its place; generation NULL: not begun */
	/* The source that it waits for, to read from; NULL: none. */
	struct source *waits_for;
	struct source_listener listener;
	uint64_t not_followed; /* as far as it was told */
	const char *gap_reason;
	struct feed_walk walk;
};

/* --- feed.c --- */

/* Gives one block, if any member has one, and notes it. As stream_next(), without an end. */
enum stream_answer feed_advance(struct feed *feed, struct block **ret_block);
bool feed_wants(const struct feed *feed, const struct registry_run *run);
const struct registry *feed_registry(const struct feed *feed);
struct channel_request feed_channel_request(const struct feed *feed, const struct registry_run *run,
                                            uint32_t feed_number);
int feed_get(struct hub *hub, const struct feed_request *request, struct feed **ret_feed);
/* Frees it if it has no clients. */
void feed_release(struct feed *feed);
/* Of a rendered piece of an extent, in the cache. */
struct block_key feed_block_key(uint64_t number, const struct place *from);
/* What ids begin with. */
void feed_format_prefix(const struct feed *feed, uint64_t number, char ret_text[static FEED_PREFIX_BYTES]);
/* A walk of content is over: what was kept for it may go. */
void feed_walk_over(struct feed *feed);
/* A run that ended was read to its end: should it go on, it does there. */
void feed_remember_past(struct feed *feed, uint32_t slot, const struct subscriber *s);
struct feed_member *feed_member_at(const struct feed *feed, uint32_t slot); /* or NULL */

/* --- feed_client.c --- */

/* A member is over: who was to come to it next goes on behind it. */
void feed_client_forget_member(struct feed *feed, const struct feed_member *member);
/* Waits until the feed has more. */
void feed_client_wait(struct feed_client *client);

/* --- feed_walk.c --- */

void feed_walk_begin(struct feed_client *client, const struct feed_request *request);
/* STREAM_END: it is over. */
enum stream_answer feed_walk_next(struct feed_client *client, struct block **ret_block);
void feed_walk_end(struct feed_client *client);

#endif
