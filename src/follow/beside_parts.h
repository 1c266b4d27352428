/*
 * What is found beside a followed file and is part of its log: open files, each once, the oldest first, and
 * why something between two of them is lost. For helper threads.
 */
#ifndef FOLLOW_BESIDE_PARTS_H
#define FOLLOW_BESIDE_PARTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "follow/file_system.h"
#include "follow/neighbours.h"
#include "follow/passed.h"
#include "model/cursor.h"

struct beside_part {
	int fd; /* owned */
	struct stat stat;
	const char *lost; /* why something between it and what came before is lost; NULL: nothing is */
	uint64_t fingerprint; /* of copies: of all that is in them */
};

/* Zero-initialised: there are none. */
struct beside_parts {
	size_t count;
	struct beside_part *list; /* owned: the oldest first */
	const char *lost;         /* the same, behind the last */
	enum file_system file_system;
};

/* What was read, of which there may be copies. */
struct beside_known {
	struct cursor_mark mark;          /* of the current file; offset 0: nothing */
	const struct cursor_mark *coming; /* of those that come */
	size_t coming_count;
	const struct passed *passed;      /* of what was there before */
};

/* One that may be a part. */
struct beside_candidate {
	struct beside_part part;
	enum neighbour_likeness alike; /* to what is open already, or to one of the parts */
	bool is_longer;                /* than that one, which went */
	int known;                     /* it holds what was read: 1 or 0; -errno: that could not be told */
	const char *lost;              /* why it is, if it cannot be taken */
	const char *lost_behind;       /* why something behind it is; or NULL */
};

/* Makes room. 0 or -ENOMEM. */
int beside_parts_init(struct beside_parts *parts, enum file_system file_system);
void beside_parts_fini(struct beside_parts *parts);

/* Opens one of those that lie there, to be compared. 1; 0: nobody can read it (why it is lost is noted); -errno. */
int beside_parts_open(struct beside_parts *parts, const struct neighbours *n, size_t index, const char *lost,
                      struct beside_candidate *ret_candidate);
/* Compares one that is not like what is open with the parts: one that is but the beginning of it goes. */
void beside_parts_compare(struct beside_parts *parts, struct beside_candidate *candidate);
/* Takes it as the last of them, unless it is but a copy, or was read. 0; -EIO: its content could not be told from
 * that of the others. */
int beside_parts_take(struct beside_parts *parts, struct beside_candidate *candidate);

/* Whether a file holds what was read already: 1 or 0; -errno: it cannot be read. */
int beside_known_holds(const struct beside_known *known, int fd);

#endif
