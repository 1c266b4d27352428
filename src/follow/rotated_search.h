/*
 * One search, in a helper thread, for the file that holds a mark, among those that lie beside a followed
 * one: by identity, or by content if it is a copy; and for what lies between it and the current one, in
 * order of time, without what is but a copy of another part.
 */
#ifndef FOLLOW_ROTATED_SEARCH_H
#define FOLLOW_ROTATED_SEARCH_H

#include <stdbool.h>
#include <sys/stat.h>

#include "follow/file_system.h"
#include "follow/passed.h"
#include "follow/source.h"
#include "model/cursor.h"

enum { ROTATED_MOST_PARTS = 32 };

/* One of a chain. */
struct rotated_part {
	int fd; /* owned */
	struct stat stat;
	uint32_t identity;
	struct timespec born; /* zero where the file system does not tell */
	uint32_t copy_of;     /* identity of the file that it was made of; 0: it is no copy, as far as is known */
	const char *lost;     /* why something behind it is lost; NULL: nothing is */
};

struct rotated_search {
	int runs_dir_fd;
	const char *directory, *name; /* borrowed */
	struct cursor_mark mark;
	/* Where it is to lead to: the current one, or, for what lies behind that, the latest. Owned
	 * references. */
	struct generation *ends[2];
	struct cursor_mark ends_known[2]; /* what is known of their content; offset 0: nothing */
	struct passed passed;             /* when it began; owned */

	/* What it found. */
	int error;                  /* -ENOENT: there is no such file; -EALREADY: it is one of the ends, as far as
	                             * so few bytes tell; other: that could not be told */
	struct generation *current; /* the end that was tried last, to which the parts lead; NULL: none was */
	struct cursor_mark known;   /* of it */
	struct stat current_stat;   /* of its file, if it has one */
	bool is_rewritten;          /* which does not hold what is known of it any more */
	const char *older_lost;     /* as of a generation, of the first part; of the current one without any */
	int64_t older_lost_ms;
	size_t count;
	struct rotated_part parts[ROTATED_MOST_PARTS]; /* the one with the mark first, then in order of time */
	enum file_system file_system;
};

/* In the loop. A mark that names nothing (all zero): the oldest file that can be read is looked for; passed: what the
 * source has left behind. 0 or -ENOMEM. */
int rotated_search_init(struct rotated_search *s, struct source *source, const struct passed *passed,
                        const struct cursor_mark *mark, int runs_dir_fd, const char *directory,
                        const char *name);
/* In the loop again: with what it found and nobody took (descriptors of the first count parts). */
void rotated_search_fini(struct rotated_search *s);

/* Whether the mark names nothing. */
bool rotated_search_is_for_oldest(const struct rotated_search *s);

/* What was found is not taken. */
void rotated_search_forget_parts(struct rotated_search *s);
/* Whether a file is the end that is tried. */
bool rotated_search_is_current(const struct rotated_search *s, const struct stat *stat);

/* Searches. May block. */
void rotated_search_run(struct rotated_search *s);

#endif
