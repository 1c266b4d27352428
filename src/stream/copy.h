/*
 * Where a reader goes on whose file was emptied, or written anew: what it was in lies beside the file
 * as a copy, perhaps; or it is there again.
 */
#ifndef STREAM_COPY_H
#define STREAM_COPY_H

#include "follow/place.h"

/* Whether a generation leads to another one, or (by identity) to one of the same file. */
bool copy_leads_to(const struct generation *from, const struct generation *to, bool by_identity);

enum { COPY_LEFT_MOST = 32 };

/* Which files were left since something was read of one that is no copy. */
struct copy_left {
	size_t count;
	uint32_t identities[COPY_LEFT_MOST]; /* the oldest first; what does not fit is forgotten */
};

/* Notes that a generation's file was left; *left: owned, or NULL, made if need be. Without memory that is not
 * remembered, and a copy may be read twice. */
void copy_left_note(struct copy_left **left, const struct generation *generation);
/* left: or NULL. */
bool copy_left_has(const struct copy_left *left, const struct generation *generation);

/*
 * The place is in a generation that was lost: moves it to a copy that was kept before the file was
 * emptied. left: what was left before that one, or NULL. 0: it is in the copy now, and *ret_behind (owned
 * reference; what was there is dropped; NULL: not wanted) is what follows that, or NULL: what it leads to;
 * -ENOENT: there is no copy, and nothing changed; -EAGAIN: it is being looked for, the source's listeners will
 * be called.
 */
int copy_move(struct place *place, const struct copy_left *left, struct generation **ret_behind);

/*
 * The same, to what is in the file now, if that is what it was as far as the place: the reader was served
 * by another process, which was quicker to see that the file was written anew.
 */
int copy_move_to_next(struct place *place);

#endif
