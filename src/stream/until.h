/*
 * The end of a reader that reads one file so far and no further: up to where another one, of the same
 * process, goes on.
 */
#ifndef STREAM_UNTIL_H
#define STREAM_UNTIL_H

#include "follow/place.h"

/* Whether a place is there; or cannot come there any more, which was told. */
bool until_is_past(const struct place *until, const struct place *place);

/* How far a place may read, as channel_next_block() takes it. */
uint64_t until_limit(const struct place *until, const struct place *place);

/*
 * Where it lies in a generation that was lost, moves it to a copy of that. 0: it is in one that can be
 * read; -ENOENT: it cannot, there is none; -EAGAIN: it is being looked for, the source's listeners will be
 * called.
 */
int until_move_to_copy(struct place *until);

#endif
