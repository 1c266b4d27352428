/*
 * Ids of streams of many runs: opaque to clients. Where every run was at that moment is not in them;
 * they name a tick of a trail (trail.h), in which that is, and the place of the one run whose
 * event it is.
 *
 *   id     = "f=" point *(";" part)
 *   point  = hex "." hex "." hex       trail, feed, tick
 *   part   = "m=" number               whose event it is: a member of the feed
 *          | ("o=" | "r=") mark        its place, in its first or its second file (cursor.h); of a part
 *                                      of a line, where the line begins
 *          | "p=" number               how many bytes of the line: tells its parts from one another
 *          | "l=" number               line ends before it
 *          | "w=" number "." hex       a walk through what was there before: at which slot of which
 *                                      registry; runs in slots before it are where point says
 *          | "b=" base                 of a walk: where runs in slots behind it are to begin
 *   base   = "s"                       at the beginning of their files
 *          | number "@" point          so many entries before where point says
 *
 * Parts that are unknown are passed over; one that comes twice is an error.
 */
#ifndef MODEL_FEED_ID_H
#define MODEL_FEED_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/cursor.h"

/* A tick of a feed in a trail. */
struct feed_point {
	uint64_t trail;
	uint32_t feed;
	uint64_t tick;
};

struct feed_id {
	struct feed_point point;
	bool has_member;
	uint32_t member;
	bool has_mark;
	enum cursor_file file; /* that the mark is of */
	struct cursor_mark mark;
	uint64_t lines; /* line ends before the mark; 0 where nobody counts */
	bool is_walk;
	uint32_t slot, registry;
	bool begins; /* base: at the beginning; else: */
	uint64_t tail_entries;
	struct feed_point base;
};

enum {
	FEED_ID_POINT_BYTES = 16 + 1 + 8 + 1 + 16,
	/* Longest that feed_id_format() writes. */
	FEED_ID_BYTES = 2 + 2 * FEED_ID_POINT_BYTES + 3 + 10 + 3 + 10 + 1 + 8 + 3 + 20 + 1,
};

/* Reads an id of length bytes. 0, or -EINVAL: it is none of ours. */
int feed_id_parse(const char *text, size_t length, struct feed_id *ret_id);

/* Writes all but the mark and the lines, which stand at the end and are for whoever knows them; no
 * NUL. Returns the length. */
size_t feed_id_format(const struct feed_id *id, char ret_text[static FEED_ID_BYTES]);

#endif
