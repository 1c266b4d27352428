/*
 * A feed's journal: what was given of which run, in order, as extents of files. Readers walk it,
 * each at its own place; what all have passed is dropped. Where nobody is, what is between readers
 * is joined, so that one who is far behind costs a bounded amount: an extent for each file that
 * grew, however often.
 */
#ifndef STREAM_JOURNAL_H
#define STREAM_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "follow/place.h"
#include "stream/block.h"

enum { JOURNAL_SEGMENT_ENTRIES = 256 };

/* Who the entries are of; embedded in its owner, which is freed with the last of them. The rest is
 * the journal's, zero at first. */
struct journal_owner {
	unsigned references;
	void (*free)(struct journal_owner *owner);
	struct {
		uint64_t last;        /* number of its last extent */
		/* For who is between the two, the first one is the second. */
		uint64_t from, first;
	} extents[CURSOR_FILES];
};

enum journal_kind {
	JOURNAL_EXTENT, /* of a file */
	JOURNAL_STATUS, /* text, of which a later one says all */
	JOURNAL_TEXT,
};

struct journal_entry {
	enum journal_kind kind;
	struct journal_owner *owner; /* owned reference */
	uint64_t number;             /* of the first entry that it was made of; they grow */
	uint64_t tick;               /* of the trail, when it was noted: what its ids say */
	uint64_t bytes_before;       /* bytes of extents ever noted before it */
	struct block *block;         /* of a text: owned reference */
	/* Of an extent: */
	enum cursor_file file;
	struct place from;           /* owned reference to its generation */
	uint64_t to;
	bool ends_open;              /* the last line was sent though it has no end yet */
	bool ends_finished;          /* it has none, and was finished */
};

struct journal_segment {
	TAILQ_ENTRY(journal_segment) link;
	unsigned readers;
	size_t count, capacity;
	struct journal_entry entries[];
};

/* Embedded in its owner. */
struct journal {
	TAILQ_HEAD(journal_segments, journal_segment) segments; /* at least one */
	uint64_t next_number;
	uint64_t bytes; /* of extents, ever noted */
};

/* A reader's place. */
struct journal_reader {
	struct journal_segment *segment;
	size_t index;
};

/* Like uthash, it ends the process where it finds no memory: readers resume by id. */
void journal_init(struct journal *journal);
void journal_fini(struct journal *journal);

/* The number that the next entry gets. */
static inline uint64_t
journal_next_number(const struct journal *journal)
{
	return journal->next_number;
}

/* Notes an entry: *entry with its references taken, but for owner, of which one more is held;
 * number and bytes_before are set. */
void journal_append(struct journal *journal, const struct journal_entry *entry);

/* Begins at the end: what is noted from now on. */
void journal_join(struct journal *journal, struct journal_reader *reader);
void journal_leave(struct journal *journal, struct journal_reader *reader);

/* What is at the reader's place, or NULL at the end; borrowed until it is passed. */
const struct journal_entry *journal_at(struct journal *journal, struct journal_reader *reader);
/* Goes on behind it. */
void journal_pass(struct journal_reader *reader);

/* The first extent of a file of an owner, from the reader's place on, or NULL. Many who come at once
 * ask this of each owner: what was found for one is found at once for the others. */
const struct journal_entry *journal_first_extent(const struct journal_reader *reader,
                                                 struct journal_owner *owner, enum cursor_file file);

/* All readers are at the end: nothing is kept. */
void journal_forget(struct journal *journal);

static inline struct journal_owner *
journal_owner_ref(struct journal_owner *owner)
{
	owner->references++;
	return owner;
}

void journal_owner_unref(struct journal_owner *owner);

#endif
