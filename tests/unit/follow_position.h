/*
 * Where a reader is in the truth of one log, as its events say, and whether it may be there:
 * every byte once, in order, and nothing left out without a gap, nor with one what could be read.
 */
#ifndef TESTS_FOLLOW_POSITION_H
#define TESTS_FOLLOW_POSITION_H

#include "follow_truth.h"

struct position {
	size_t epoch, offset;
	bool is_finished;   /* the line before offset was, without an end in the file */
	bool is_anywhere;   /* begins somewhere: at the end, some lines before it */
	bool is_start;      /* begins at the start of a file, this one or up to may_skip_to */
	size_t may_skip_to; /* epochs before this one were over when it came */
	size_t away_to;     /* epochs before this one were over when it came back */
	size_t came_at;     /* the epoch that was the last when it came */
	bool has_gap;       /* was told last: what follows is the start of something */
	bool is_lost;       /* came back to what is not there any more */
	bool is_doubtful;   /* came back to a copy */
	bool is_touched;    /* something of the epoch was delivered */
	bool is_read;       /* of that, something while its file still held it */
	bool is_back;       /* came back with an id, and nothing was delivered since */
	bool is_led;        /* came back, and has not been in the last file since: it is led on by what lies
	                     * on the disk, not by what its process keeps open for others */
	unsigned incarnations[TRUTH_HUBS]; /* who it has followed with since it came; 0: not there */
};

enum { POSITION_NEXT = TRUTH_EPOCHS + 1 };

/* Where a reader at p may be behind that event: the same bytes may be in several epochs. NULL; or, where
 * it can be nowhere, what is wrong. */
const char *position_take_line(const struct position *p, const struct truth *t, const char *text,
                               bool is_partial, int64_t n, bool was_terminal,
                               struct position next[POSITION_NEXT], size_t *count);
/* NULL, or what is wrong. */
const char *position_take_gap(struct position *p, const struct truth *t);
/* Whether all that can be delivered was; is_end: parts of lines, too. */
bool position_has_all(const struct position *p, const struct truth *t, bool is_end);
/* The end of what there is, as it is now: of the last one, or of one before so many that are empty, which may be
 * written to late. False: there are not so many. */
bool position_set_end(struct position *p, const struct truth *t, size_t empty_count);
/* Of one that came back and was given nothing: whether what it names can still be found. */
void position_look_back(struct position *p, const struct truth *t);

#endif
