/* Going through the entries of a message bus (model/message_cut.h), and knowing where one is. */
#ifndef FOLLOW_MESSAGE_SCAN_H
#define FOLLOW_MESSAGE_SCAN_H

#include "follow/source.h"
#include "model/message_cut.h"

struct message_position {
	uint64_t offset;
	uint64_t lines;  /* line ends before it */
	bool is_in_line; /* the byte before it is none */
};

enum {
	/* Of a window, from which something can always be cut. */
	MESSAGE_SCAN_BYTES = 2 * 1024 * 1024,
	/* Gone through by a helper thread before others have their turn. */
	MESSAGE_SCAN_SLICE_BYTES = 16 * 1024 * 1024,
};

/* Cuts what comes first in bytes, which are those at the position, and moves the position behind
 * it; not for MORE and UNFINISHED. */
struct message_cut message_scan_next(struct message_position *position, const uint8_t *bytes,
                                     size_t length, bool is_final);

/* In a helper thread: moves a position that lies in a hole of a sparse file, if that is a large one, to (almost)
 * its end: there is nothing but text, without a line end. So it does not matter who reads it and who passes
 * over it. */
void message_scan_pass_hole(struct generation *generation, uint64_t upto, struct message_position *position);

/*
 * In a helper thread: reads [offset, upto), or as much of it as MESSAGE_SCAN_BYTES, which is the
 * room at `to`. Returns the number of bytes, 0 if they are not all there, or -errno.
 */
int64_t message_scan_read(struct generation *generation, uint64_t offset, uint64_t upto, uint8_t *to);

#endif
