/*
 * Finding a message by its id in a generation of a message bus: gone through in slices by helper
 * threads, at the speed of memory, since only entries that may bear the id are parsed. Who asks for
 * an id that is being looked for waits for the same search; what one found, or how far it came in
 * vain, is kept for a while, and what has grown since is looked through alone.
 */
#ifndef FOLLOW_MESSAGE_SEARCH_H
#define FOLLOW_MESSAGE_SEARCH_H

#include "base/offload.h"
#include "follow/message_scan.h"

enum {
	MESSAGE_SEARCHES_RUNNING = 4, /* in a generation, at the same time */
	MESSAGE_SEARCHES_KEPT = 64,
};

/*
 * Looks for the first entry that begins below offset upto and has this id. 0: where to go on behind
 * it; -ENOENT: there is none; -EAGAIN: the source's listeners are called when there is more to say,
 * ask again; -EINVAL: no message can have such an id; -ENOMEM.
 *
 * Ids of old entries name a line: an entry is not found if the file is not what it was when the id
 * was given, or another one is.
 */
int message_search(struct offload *offload, struct generation *generation, const char *id,
                   size_t id_bytes, uint64_t upto, struct message_position *ret_behind);

#endif
