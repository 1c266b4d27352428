/*
 * Where a reader goes on whose file was emptied, or written anew: what it was in lies beside the file
 * as a copy, perhaps; or it is there again.
 */
#ifndef STREAM_COPY_H
#define STREAM_COPY_H

#include "follow/place.h"

/* Whether a generation leads to another one, or (by identity) to one of the same file. */
bool copy_leads_to(const struct generation *from, const struct generation *to, bool by_identity);

/* The bit of a generation's file among those that were left. */
static inline uint64_t
copy_left_bit(const struct generation *generation)
{
	return UINT64_C(1) << generation->identity % 64;
}

/*
 * The place is in a generation that was lost: moves it to a copy that was kept before the file was
 * emptied. left: bits of what was read before that one. 0: it is in the
 * copy now, and *ret_behind (owned reference; what was there is dropped) is what follows that, or NULL:
 * what it leads to; -ENOENT: there is no copy, and nothing changed; -EAGAIN: it is being looked for, the
 * source's listeners will be called.
 */
int copy_move(struct place *place, uint64_t left, struct generation **ret_behind);

/*
 * The same, to what is in the file now, if that is what it was as far as the place: the reader was served
 * by another process, which was quicker to see that the file was written anew.
 */
int copy_move_to_next(struct place *place);

#endif
