/* What subscriber.c (what is given), subscriber_begin.c (where it begins) and subscriber_advance.c (from which
 * generation) share; nobody else includes it. */
#ifndef STREAM_SUBSCRIBER_STATE_H
#define STREAM_SUBSCRIBER_STATE_H

#include "stream/subscriber.h"

/* How it begins: gone once both places are found and the gaps, if any, were told. */
struct subscriber_start {
	struct start start;
	struct start_progress progress[CURSOR_FILES];
	struct event_gap gaps[CURSOR_FILES]; /* reason NULL: none to be told */
};

/* --- subscriber_begin.c, until it has begun --- */

/* Whether the id of a `complete` that it came with still names the end. */
bool subscriber_is_still_the_end(struct subscriber *s);
/* Whether its files were looked at since it came. */
bool subscriber_is_fresh(struct subscriber *s);
/* All gaps of the beginning. The id comes with the last: it names places behind all of them, so whoever has it
 * was told. False: there are none. */
bool subscriber_put_first_gaps(struct subscriber *s, const struct event_id *id, struct buf *text);

/* --- subscriber_advance.c --- */

/* Of a file that was emptied and that it is to read until a place, a copy is read as far. 0; -EAGAIN: it is
 * being looked for. */
int subscriber_find_until(struct subscriber *s, int file);
/* All of it was read. */
bool subscriber_is_read_until(const struct subscriber *s);
/* As channel_next_block() takes them; NULL: it reads on and on. */
const uint64_t *subscriber_limits(const struct subscriber *s, uint64_t limits[static CURSOR_FILES]);
/* Leaves generations that are over behind. 1: there is a gap to tell; 0: there is none; -EAGAIN: it is not known
 * yet what follows. */
int subscriber_advance(struct subscriber *s, struct event_gap *ret_gap);

#endif
