/* What feed.c, feed_members.c (which runs are in it), feed_client.c (those who read it) and feed_walk.c (what
 * a client gets before it is where the feed is) share; nobody else includes it. */
#ifndef STREAM_FEED_STATE_H
#define STREAM_FEED_STATE_H

#include "follow/hash_table.h"
#include "stream/feed.h"
#include "stream/journal.h"
#include "stream/subscriber.h"
#include "stream/trail.h"
#include "stream/trail_reader.h"

enum {
	FEED_PREFIX_BYTES = FEED_ID_BYTES + 1,
	FEED_WRITTEN_MS = 5000, /* times of files may be off by so much */
};

/* A run (or bus) in the feed. It lives for as long as the journal names it; so its files do. */
struct feed_member {
	struct journal_owner owner;
	struct feed *feed;
	uint32_t slot;
	uint32_t number;     /* in the feed: never given twice */
	bool is_on_trail;    /* where it began was noted */
	bool is_held;        /* and what it has is given once that is on record */
	uint64_t begin_tick; /* which says so */
	bool has_moved;      /* since the last tick */
	bool is_in;          /* among the members; not when it is over */
	bool is_kept;        /* over, but walks may have to know where the journal has it */
	bool is_ready;       /* may have something to give */
	uint64_t told_at;    /* number of its first status in the journal; 0: not yet */
	uint64_t over_at;    /* when it is kept: what the journal has of it lies before this number */
	struct subscriber subscriber;
	UT_hash_handle hh;   /* by slot */
	bool is_hashed;
	TAILQ_ENTRY(feed_member) entry;
	TAILQ_ENTRY(feed_member) ready_entry;
	TAILQ_ENTRY(feed_member) moved_entry, held_entry;
};

/* Where a member was when its run ended, should it go on. */
struct feed_past {
	uint32_t slot;
	char run_id[REGISTRY_NAME_BYTES + 1];
	uint32_t version; /* of the slot then: another one, and it may have gone on and ended again */
	int64_t over_ms;  /* when that was, since the epoch */
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
	bool is_open;               /* the runs that are there are known, so that others are new */
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

	struct trail_subject on_trail;
	uint32_t member_number;      /* of the last one */
	int64_t horizon_ms;          /* as in trail_feed */
	uint32_t horizon_slots;
	TAILQ_HEAD(, feed_member) moved, held;
	struct loop_timer held_timer;
	struct buf noted;            /* records for the next tick */

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
	char prefix[FEED_PREFIX_BYTES];
};

/* Where a client that comes back goes on: what is known of its id. */
struct feed_resume {
	struct feed_id id;
	bool is_known;              /* the trail was read */
	bool has_left;              /* slots before id.slot are where `left` says */
	struct trail_view *left;    /* owned; or NULL. Where all begin at the start of their files: also
	                             * which those were */
	struct trail_view *base;    /* owned; NULL: the others from the beginning */
	struct trail_waiter waiter;
	struct buf statuses;        /* of runs of which there is nothing else to say */
	const struct trail_place *gone; /* next to be looked for, when all slots were walked; borrowed */
};

struct feed_client {
	struct stream stream;
	struct feed *feed;
	TAILQ_ENTRY(feed_client) entry;
	struct journal_reader reader;
	uint64_t joined_at;  /* journal number */
	bool has_begun;      /* the feed was open, and on its trail */
	struct feed_point joined; /* tick: what it says is at most where the journal took over */
	enum feed_from from;
	uint64_t tail_entries;
	struct feed_resume *resume; /* owned, or NULL */
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
                                            uint64_t ids);
int feed_get(struct hub *hub, const struct feed_request *request, struct feed **ret_feed);
/* Frees it if it has no clients. */
void feed_release(struct feed *feed);
/* Of a rendered piece of an extent, in the cache. */
struct block_key feed_block_key(uint64_t number, const struct place *from);
/* What ids begin with, NUL-terminated. member: whose event it is, or NULL. */
void feed_format_prefix(const struct feed *feed, uint64_t tick, const struct feed_member *member,
                        char ret_text[static FEED_PREFIX_BYTES]);
/* Open, and on its trail: clients may be given something. */
bool feed_is_ready(const struct feed *feed);
/* Until it is, members find their places all the same: "now" is when the client came. */
void feed_prepare(struct feed *feed);
struct feed_member *feed_member_at(const struct feed *feed, uint32_t slot); /* or NULL */

/* --- feed_members.c: which runs are in it --- */

/* What the registry calls one of a member's files. */
enum registry_file feed_registry_file(const struct feed *feed, enum cursor_file file);
/* Where a run begins of which nothing before that time is wanted, if that can be told. */
struct start feed_start_when_new(const struct feed *feed, const struct registry_run *run, int64_t since_ms);
/* Goes through all there are, in turns. */
void feed_scan(struct feed *feed);
/* The run of a slot becomes a member, if it is to be one and is none. */
void feed_consider(struct feed *feed, uint32_t slot);
/* It may have something to give; the second has those woken who wait for it. */
void feed_member_make_ready(struct feed_member *m);
void feed_member_is_ready(struct feed_member *m);
/* It is over. */
void feed_member_remove(struct feed_member *m);
/* A run that ended was read to its end: should it go on, it does there. */
void feed_remember_past(struct feed *feed, uint32_t slot, const struct subscriber *s);
/* A walk of content is over: what was kept for it may go. */
void feed_walk_over(struct feed *feed);
/* With no member left. */
void feed_members_fini(struct feed *feed);

/* --- feed_trail.c: what the trail is told of a feed --- */

void feed_trail_begin(struct feed *feed);
void feed_trail_end(struct feed *feed);
/* It was found where it begins. */
void feed_trail_note_begin(struct feed_member *m);
/* It was given something. */
void feed_trail_note_move(struct feed_member *m);
/* It leaves the feed. */
void feed_trail_forget_member(struct feed_member *m);
/* A run was read to its end. */
void feed_trail_note_over(struct feed *feed, const struct feed_past *past);
/* What the feed is of has changed. */
void feed_trail_note_feed(struct feed *feed);
enum trail_kind feed_trail_kind(const struct feed *feed);

/* --- feed_resume.c: where a client that comes back goes on --- */

/* Copies the id. NULL without memory. */
struct feed_resume *feed_resume_new(const struct feed_id *id, struct feed_client *client);
/* Takes NULL; sets the pointer to NULL. */
void feed_resume_free(struct feed_resume **resume, struct hub *hub);
/* Reads the trail. 0; -EAGAIN: the client is woken; -ENOENT: too old; -EINVAL: of another stream; other
 * -errno. */
int feed_resume_find(struct feed_client *client);
/* Where a run begins for it. False: there is nothing of it to be given, as far as the registry knows; with
 * START_CURSOR, what else there may be begins there. */
bool feed_resume_start(const struct feed_client *client, const struct registry_run *run,
                       struct start *ret_start);
/* The walk's own id, for its slot. */
void feed_resume_describe(const struct feed_client *client, struct feed_id *id);
/* What became of runs that were there then and are no more. STREAM_BLOCK, or STREAM_END: that is all. */
enum stream_answer feed_resume_next_gone(struct feed_client *client, struct block **ret_block);

/* --- feed_client.c --- */

/* The feed is ready: those who wait begin. */
void feed_client_begin_all(struct feed *feed);

/* A member is over: who was to come to it next goes on behind it. */
void feed_client_forget_member(struct feed *feed, const struct feed_member *member);
/* It waits no longer, whatever for: arg is the client. */
void feed_client_wake(void *arg);
/* Waits until the feed has more. */
void feed_client_wait(struct feed_client *client);

/* --- feed_walk.c --- */

void feed_walk_begin(struct feed_client *client);
/* STREAM_END: it is over. */
enum stream_answer feed_walk_next(struct feed_client *client, struct block **ret_block);
void feed_walk_end(struct feed_client *client);

#endif
