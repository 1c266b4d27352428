/*
 * The generations of a followed file in the order in which they follow one another:
 *
 *   those that trail    rotated away before the current one was, and found for who came back to them,
 *                       while they may still be written to;
 *   the current one     the oldest that has not ended: source->current;
 *   those that come     found since, at the path or beside it; the last is what was at the path last. None:
 *                       the path names the current one, or nothing.
 *
 * What comes first becomes current once the one before it has rested. Here is how they are moved on, ended
 * and lost; follower.c says when. Everything runs in the loop's thread.
 */
#ifndef FOLLOW_SUCCESSION_H
#define FOLLOW_SUCCESSION_H

#include "follow/beside_parts.h"
#include "follow/file_generation.h"
#include "follow/passed.h"
#include "follow/source.h"

enum { SUCCESSION_MOST_COMING = 64, SUCCESSION_MOST_TRAILING = 32 };

/* Embedded, zero-initialised but for the source, which is borrowed and has a current generation. */
struct succession {
	struct source *source;
	struct file_generation *coming[SUCCESSION_MOST_COMING]; /* owned references */
	size_t coming_count;
	int64_t coming_since_ms; /* when what comes first had content; 0: it has none */
	struct file_generation *trailing[SUCCESSION_MOST_TRAILING]; /* owned references */
	size_t trailing_count;
	bool is_elsewhere;    /* the current file is no longer at the path */
	int64_t seen_ms;      /* since the epoch: when what is taken in was there */
	struct passed passed; /* those that were current */
};

/* The current one stays. */
void succession_fini(struct succession *s);

/* --- one more --- */

/* Takes the first there is: there was no file yet. */
void succession_begin(struct succession *s, struct file_generation *first);
/* Takes one that comes last. */
void succession_append(struct succession *s, struct file_generation *g);
/* What is at the path now, as far as is known: the last that comes, or the current one. Borrowed. */
struct file_generation *succession_last(const struct succession *s);

/* --- what is not there any more: false without memory or descriptors, to be tried again --- */

/* The current file was emptied, or is another one for all that is known of it: the next generation is what it
 * holds now. */
bool succession_lose_current(struct succession *s, const struct stat *stat);
/* The same of a file that comes: who comes to it is told that something was there. */
bool succession_lose_coming(struct succession *s, struct generation *g, const struct stat *stat);
/* The same of any of them, as it is now. */
bool succession_lose(struct succession *s, struct generation *g);
/* The current file was emptied, and emptied again, without having been seen smaller: what it held in between is
 * in the copies, whose descriptors are taken as far as there is memory. */
bool succession_pass_copies(struct succession *s, const struct stat *stat, struct beside_parts *copies);
/* Nobody will read the current one to its end: what comes first, and there is one, takes its place. */
void succession_give_up_current(struct succession *s);
/* The current file is back at its path: it went as it had come. */
void succession_drop_coming(struct succession *s);

/* --- what is past --- */

/* Those that were found beside the file, from the first on, may still be written to, by who has them open. */
void succession_trail(struct succession *s, struct generation *first, int64_t rested_ms);
/* Ends those that are followed by something, and were not written to for so long; says whether others wait
 * for that (source->is_rotating). */
void succession_end_rested(struct succession *s, int64_t rested_ms);

/* --- asking --- */

bool succession_has_coming(const struct succession *s, uint32_t identity);
bool succession_has_coming_file(const struct succession *s, const struct stat *stat);
/* The one that comes, and holds the mark; borrowed. -ENOENT: none does; other -errno: as place_holds(). */
int succession_find_coming(const struct succession *s, const struct cursor_mark *mark,
                           struct generation **ret_generation);

#endif
