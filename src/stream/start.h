/* Where a reader begins: from what a client asked for to a place in a source. */
#ifndef STREAM_START_H
#define STREAM_START_H

#include "base/offload.h"
#include "follow/place.h"
#include "model/cursor.h"
#include "model/event.h"

enum { START_MSG_ID_BYTES = 128 };

enum start_kind {
	START_BEGINNING, /* of the current file */
	START_OLDEST,    /* the beginning of the oldest part of the log that lies beside it; behind a gap if
	                  * older ones cannot be read */
	START_END,       /* what comes from now on; an unfinished last line is shown whole */
	START_TAIL,      /* the last `tail_lines` lines (of a message bus: entries) */
	START_CURSOR,
	START_OFFSET,    /* at byte offset cursor.files[0].mark.offset, which nothing vouches for */
	START_ENDING,    /* what came since the marks were noted, which may lack fingerprints: from the
	                  * start of the line there, and all of a file that was not there */
};

struct start {
	enum start_kind kind;
	uint64_t tail_lines; /* with START_CURSOR: so many before it, of what is there */
	unsigned exact_files; /* 1 << enum cursor_file: those that begin at their marks all the same */
	struct cursor cursor;
	bool has_no_older;      /* with START_CURSOR: a file without a mark was not there then, so that
	                         * all parts of it are later: as START_OLDEST */
	int64_t since_ms;       /* of those: what was written before that time is of no interest. Of
	                         * START_ENDING: when the last file was written to, to the second */
	unsigned noted_files;   /* of START_CURSOR, bits: whose marks are as those of START_ENDING */
	bool is_cursor_invalid; /* an id came that cannot be parsed: a gap, then the beginning */
	/* Of START_CURSOR in a message bus: the entry seen last; with the mark, if any, behind it. */
	char msg_id[START_MSG_ID_BYTES + 1];
};

/* What is known of one file's start between two tries; zero-initialised but for `asked`. */
struct start_progress {
	uint64_t asked;      /* source->looks_begun when the client came */
	struct generation *in; /* to begin in this one (borrowed), whatever the source says; or NULL */
	bool has_goal;
	uint32_t generation; /* serial */
	uint64_t goal_bytes; /* the size when the client came: "the end" is there */
};

/*
 * Finds the place for one file. Returns
 *   0        *ret_place is set (an owned reference in it), and *ret_gap is what the client must
 *            be told first; ret_gap->reason is NULL if nothing;
 *   -EAGAIN  something is being read or counted: come again when the source's listeners are
 *            called, with the same progress;
 *   other    -errno of reading.
 */
typedef int start_resolve_fn(const struct start *start, enum cursor_file file, struct source *source,
                             struct offload *offload, struct start_progress *progress,
                             struct place *ret_place, struct event_gap *ret_gap);

/* For files of lines. */
start_resolve_fn start_resolve;

/* At a place of a generation, by reading what lies before it. As start_resolve_fn. */
int start_at(struct generation *generation, uint64_t offset, uint64_t lines, struct place *ret_place);

/* At the mark of START_CURSOR, or with a gap at the start of what is there. lines_seen: lines of
 * which the last fragment lies before it. As start_resolve_fn. */
int start_at_mark(const struct cursor_mark *mark, uint64_t lines_seen, struct source *source,
                  const struct start_progress *progress, struct place *ret_place,
                  struct event_gap *ret_gap);

/* At the beginning of the oldest part that lies beside the file, or of the file; with a gap if what is
 * older than that, and cannot be read, was written to since that time. As start_resolve_fn. */
int start_at_oldest(struct source *source, int64_t since_ms, const struct start_progress *progress,
                    struct place *ret_place, struct event_gap *ret_gap);

#endif
