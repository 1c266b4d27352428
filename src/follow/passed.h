/*
 * What one process has seen at a followed file's path, and left behind since: whoever comes back to
 * something older is led on by what lies beside the file, which may lack some of it by now. Then it
 * is known that something is missing, and where.
 */
#ifndef FOLLOW_PASSED_H
#define FOLLOW_PASSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "follow/source.h"
#include "model/cursor.h"

enum { PASSED_MOST = 32 };

struct passed_one {
	uint32_t identity;
	struct timespec born;     /* the file; zero where that is not known */
	int64_t left_ms;          /* when it was left, since the epoch */
	bool is_empty;            /* nothing of it can be missing */
	bool is_lost;             /* the file was emptied, and went on */
	struct cursor_mark known; /* what was read of it; offset 0: nothing */
};

/* Embedded, zero-initialised: nothing is kept for a file that was never left. The oldest are forgotten. */
struct passed {
	size_t count;
	struct passed_one *list; /* owned, or NULL: the oldest first, with room for PASSED_MOST */
};

void passed_fini(struct passed *passed);

/* For another thread. 0 or -ENOMEM. */
int passed_copy(const struct passed *from, struct passed *ret_to);

/* A generation was left for the next one, as was seen then. (Without memory that is not remembered.) */
void passed_note(struct passed *passed, struct generation *left, int64_t left_ms);

/* The file as it was left first, which is before any copy of it; NULL: that is not known. */
const struct passed_one *passed_find(const struct passed *passed, uint32_t identity);

/* Whether a file was emptied since a time, with something in it. */
bool passed_was_emptied(const struct passed *passed, uint32_t identity, int64_t since_ms);

/* One of those that lead onwards from a place. */
struct passed_part {
	int fd; /* borrowed */
	uint32_t identity;
	const char **lost; /* why something behind it is lost; *lost NULL: nothing is, so far */
};

/*
 * Says of what is missing between the parts, in order, and behind the last, where the file with the
 * identity `end` is. The first one holds the place, which was in the file with the identity `start`.
 * May block.
 */
void passed_mark(const struct passed *passed, uint32_t start, const struct passed_part *parts, size_t count,
                 uint32_t end);

#endif
