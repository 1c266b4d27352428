/*
 * Where the entries of a message bus begin in a generation: the place of every 16th, or more where
 * they are long. Built in order, in bounded slices, by helper threads, as far as somebody asks;
 * shared by all readers that ask, and extended, never begun anew.
 *
 * Entries are counted as they are cut: those that turn out to be malformed count as well.
 */
#ifndef FOLLOW_MESSAGE_INDEX_H
#define FOLLOW_MESSAGE_INDEX_H

#include "base/offload.h"
#include "follow/lore.h"
#include "follow/message_scan.h"

enum {
	MESSAGE_INDEX_ENTRIES = 16,        /* from one mark to the next, at most */
	MESSAGE_INDEX_BYTES = 64 * 1024,   /* the first entry so far behind a mark has one */
	MESSAGE_INDEX_LAST = 2,
	/* So many bytes from a mark on show all entries up to the next one. */
	MESSAGE_INDEX_WINDOW_BYTES = MESSAGE_INDEX_BYTES + 2 * MESSAGE_HEAD_BYTES + 4096,
};

struct message_mark {
	struct message_position position;
	uint64_t number; /* of the entry that begins there, from 0 */
};

struct message_index {
	struct lore lore;
	struct message_position next; /* cut up to here: whatever follows will not change that */
	uint64_t count;               /* entries that begin before it */
	struct message_mark *marks;
	size_t marks_count, marks_capacity;

	/* Behind `next`, as it looks until more is there: entries that begin there, and where to go
	 * on behind the last one. There are two, where one is ended by a rule that seems to open
	 * another. */
	uint64_t seen_bytes;
	struct message_position last[MESSAGE_INDEX_LAST];
	size_t last_count;
	struct message_position end;
};

/* Returns owned, or NULL without memory. */
struct message_index *message_index_new(void);
void message_index_free(struct message_index **index);

/* Takes in bytes, which are those at index->next. 0 or -ENOMEM. */
int message_index_add(struct message_index *index, const uint8_t *bytes, size_t length);
/* Says that the file ends, so far, behind length bytes at index->next, of which message_index_add()
 * could cut nothing more. */
void message_index_rest(struct message_index *index, const uint8_t *bytes, size_t length);

/*
 * Has the generation's index reach offset upto. 0: it does; -EAGAIN: a slice is being gone through
 * (the source's listeners are called then; ask again), for whoever asked first; -ENOMEM.
 */
int message_index_reach(struct offload *offload, struct generation *generation, uint64_t upto);

/*
 * Where to begin, so that the last `wanted` of the entries that begin below an offset come, or all
 * if there are fewer; for 0, behind all that begin there. The index has reached the offset. Reads
 * a bounded window. 0 or as place_read(); -ESTALE: the file is not what was indexed, and the source
 * was told so.
 */
int message_index_tail(struct generation *generation, uint64_t below, uint64_t wanted,
                       struct message_position *ret_position);

#endif
