/*
 * What a stream reads from: bytes that grow at their end, in one or several generations. A
 * followed file (follower.h) is one kind; a stream of another machine's engine would be another.
 *
 * A generation is the content for as long as it is the same content. It ends when the file was
 * rotated away and read to its end, and is lost when the file was truncated or rewritten; `next`
 * then names what follows. A reader holds a reference to the generation it is in, and so keeps
 * its descriptor and the way onwards, however far behind it is.
 *
 * Everything here runs in the loop's thread.
 */
#ifndef FOLLOW_SOURCE_H
#define FOLLOW_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "model/cursor.h"

struct source;
struct generation;
struct lore;

enum generation_state {
	GENERATION_LIVE,  /* may grow */
	GENERATION_ENDED, /* complete and readable: `next` follows its end */
	GENERATION_LOST,  /* no longer readable: `next` follows, after a gap */
};

/* What can be learned of a generation by going through it (lore.h). */
enum lore_subject {
	LORE_LINES,    /* where lines begin: indexer.h */
	LORE_MESSAGES, /* where messages begin: message_index.h */
	LORE_SEARCHES, /* where certain ones are: message_search.h */
	LORE_STATE,    /* what events say of their run: state_fold.h */
	LORE_SUBJECTS,
};

struct lore_kind {
	struct lore *(*make)(void); /* returns owned, or NULL without memory */
	/* In a helper thread: goes on towards offset upto, a slice at most. True: it came further. */
	bool (*learn)(struct lore *lore, struct generation *generation, uint64_t upto);
	void (*free)(struct lore *lore);
};

/* Embedded at the start of what is learned. */
struct lore {
	const struct lore_kind *kind;
	uint64_t reached_bytes; /* all before is taken in */
	uint64_t looks_begun;   /* of the source, when that was */
	bool is_busy;           /* a helper thread has it */
};

struct generation {
	struct source *source;
	struct generation *next; /* owned reference; not NULL once ended or lost */
	unsigned references;
	uint32_t serial;   /* unique in this process */
	uint32_t identity; /* of the file, as in ids; 0: there was no file yet */
	uint32_t copy_of;  /* of a copy: the identity of the file that it was made of; else 0 */
	enum generation_state state;
	const char *lost_reason; /* of a lost one, the gap's: "truncated", "replaced"; of one that ended:
	                          * why something between it and what follows is lost; NULL: nothing is */
	int64_t begun_ms;        /* since the epoch: when it was first seen; of a copy, just before it was
	                          * made. Marks at its start bear it: what was copied later is not known to
	                          * who is there */
	int64_t copies_since_ms; /* the same, by which copies of it are told from those of what its file held
	                          * before. Marks near its start bear it */
	/* Where the one before it ended, once a reader was led on from there with nothing missing: that is
	 * what ids at its start name, since nothing would tell that what began there was emptied since.
	 * Identity 0: not known. */
	struct cursor_mark before;
	uint64_t before_lines;
	/* Why what lay before its start cannot be read by anybody, as was found by who looked for the oldest
	 * part; and when it was written to last, since the epoch. NULL: nothing lay there. */
	const char *older_lost;
	int64_t older_lost_ms;
	uint64_t lost_to_bytes;  /* of a copy: what the file that it was made of is known to have held */
	uint64_t size_bytes;     /* known to be there */
	bool is_suspect;         /* written to without growing: the next reader at its end verifies it */
	bool is_rewritten;       /* a reader found other bytes than were there: not to be read any more, and LOST
	                          * with the next look, which finds what comes behind it */

	/* When: what was there at opening bears the file's time, what came since its own. */
	uint64_t opened_size_bytes;
	int64_t opened_wall_ms; /* modification time at opening */
	int64_t grown_wall_ms;  /* when growth was last seen */
	int64_t changed_ms;     /* the same, on the monotonic clock */
	/* Of the last growth: when it was written (since the epoch, in microseconds), as the file's
	 * modification time has it, but not before the look that did not see it; and from where on. */
	int64_t appended_us;
	uint64_t appended_from;

	/* What readers learned and share. Between the two there is no line end. */
	uint64_t unfinished_from, scanned_to;
	uint64_t known_to, known_fingerprint; /* somebody read so far, and what was there */
	uint64_t malformed_to; /* malformed entries that end before it were counted */
	uint64_t head; /* fingerprint_head(), once has_head */
	bool has_head;
	struct lore *lore[LORE_SUBJECTS]; /* owned; NULL: nobody asked yet */
};

struct source_ops {
	/* As source_read(). */
	int64_t (*read)(struct generation *generation, uint64_t offset, void *to, size_t length);
	/* The same in a helper thread, where it may wait; never -EAGAIN. */
	int64_t (*read_waiting)(struct generation *generation, uint64_t offset, void *to,
	                        size_t length);
	/* Where data begins at or behind offset, which lies below the limit (the size, or less): beyond
	 * offset if a hole of a sparse file is there. In any thread. */
	uint64_t (*hole_end)(struct generation *generation, uint64_t offset, uint64_t limit);
	/* Whether another process holds a lock on it (flock(2)), as writers of message buses do, or has
	 * held one and written more than is known yet; NULL: that is not known. Does not wait. */
	bool (*is_being_written)(const struct generation *generation);
	/* The generation, no longer current, in which a mark lies. As rotated_find(). */
	int (*find)(struct source *source, const struct cursor_mark *mark,
	            struct generation **ret_generation);
	/* Whether the current file may have held something else since a time (milliseconds since the epoch;
	 * 0: since it was made): a copy of that may lie beside it. NULL: never. */
	bool (*may_have_copies)(struct source *source, int64_t since_ms);
	/* Whether a file was seen to be emptied since a time (milliseconds since the epoch), with something
	 * in it. NULL: never. */
	bool (*was_emptied)(struct source *source, uint32_t identity, int64_t since_ms);
	/* What is there now, though the current one may not have ended yet; borrowed. NULL: the current
	 * one is. */
	struct generation *(*latest)(struct source *source);
	/* Looks soon; the listeners are called when it is done, even if nothing changed. */
	void (*refresh)(struct source *source);
	/* A reader found other bytes than were there: the generation is to become LOST, now or with the next
	 * look, after which the listeners are called. */
	void (*rewritten)(struct generation *generation);
	void (*free_generation)(struct generation *generation);
	/* The source must outlive work in another thread: one more, one less who needs it. */
	void (*hold)(struct source *source);
	void (*release)(struct source *source);
};

/* Called when something may have changed: size, generations, or a read that can go on. */
typedef void source_listener_fn(void *arg);

struct source_listener {
	source_listener_fn *fn;
	void *arg;
	TAILQ_ENTRY(source_listener) entry;
};

struct source {
	const struct source_ops *ops;
	struct generation *current; /* where new readers begin; owned reference */
	bool is_ready;              /* false until the first look: current says nothing yet */
	bool is_rotating;           /* another generation waits for the current one, or one before it, to
	                             * end */
	int64_t changed_ms;         /* when growth was last seen of one that may grow, on the monotonic
	                             * clock; 0: never */
	bool tell;                  /* call the listeners at the end of the next look in any case:
	                             * set by readers that failed, to try again in due time */
	uint64_t looks_begun;
	uint64_t looked;            /* number of the last look that ended */
	int64_t looked_ms;          /* when it began, on the monotonic clock */
	TAILQ_HEAD(, source_listener) listeners;
};

struct generation *generation_ref(struct generation *generation);
/* Drops a reference; sets the pointer to NULL; takes NULL. */
void generation_unref(struct generation **generation);

/*
 * Reads up to length bytes at offset, without waiting. Returns the number of bytes (less than
 * length where the rest is not at hand, 0 at the end), -EAGAIN when they are being fetched (the
 * listeners will be called), or another -errno, after which the listeners are called when
 * trying again makes sense.
 */
int64_t source_read(struct generation *generation, uint64_t offset, void *to, size_t length);

/* Whether the current generation is what is there, as far as the last look saw; if not, the listeners will be
 * called. */
bool source_is_ready(const struct source *source);

void source_refresh(struct source *source);

bool source_may_have_copies(struct source *source, int64_t since_ms);
bool source_was_emptied(struct source *source, uint32_t identity, int64_t since_ms);

/* Where those begin whose place is nowhere any more; borrowed. */
struct generation *source_latest(struct source *source);

/*
 * Whether a look that began after the question has ended; if not, asks for one, and the
 * listeners will be called. To ask: keep source->looks_begun. What a reader brings along may be
 * newer than what this process saw last: before it is contradicted, somebody must have looked.
 */
bool source_is_fresh(struct source *source, uint64_t asked);

/* Tells the source that the bytes of a generation are not what they were. Until it is LOST, nothing is to be
 * read of it (-ESTALE), and nothing to be said of what follows it. */
void source_rewritten(struct generation *generation);

void source_listen(struct source *source, struct source_listener *listener, source_listener_fn *fn,
                   void *arg);
void source_unlisten(struct source *source, struct source_listener *listener);
void source_notify(struct source *source);

#endif
