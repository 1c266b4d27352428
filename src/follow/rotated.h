/*
 * Finding what was rotated away: the file in which a returning client was, which bears another
 * name in the same directory by now, or is a copy there, and the files between it and the
 * current one. Looked for by helper threads (rotated_search.h); what was found, or not, is kept for
 * some seconds, since clients come back together.
 */
#ifndef FOLLOW_ROTATED_H
#define FOLLOW_ROTATED_H

#include "base/offload.h"
#include "follow/passed.h"
#include "follow/source.h"
#include "model/cursor.h"

struct rotated;

struct rotated_ops {
	/* Told of each chain that was found: the first generation of it, which leads to the current one. */
	void (*found)(struct source *source, struct generation *first);
	/* Whether a file beside the followed one is known to its looks, so that they will not come upon it
	 * as something new. False, if that is not known now. */
	bool (*is_noted)(struct source *source, uint32_t identity);
	/* Whether it waits behind the current one. */
	bool (*is_coming)(const struct source *source, uint32_t identity);
};

/* Borrows all; passed: what the source has left behind; path: of the followed file, beneath the runs
 * directory. Returns owned, or NULL. */
struct rotated *rotated_new(struct source *source, struct offload *offload, const struct rotated_ops *ops,
                            const struct passed *passed, int runs_dir_fd, const char *path);
/* No search may be under way (each holds its source). */
void rotated_free(struct rotated **rotated);

/*
 * The generation that holds the mark: by the file's identity, or by its content; of a mark that names
 * nothing (all zero): the oldest that can be read. 0 (borrowed;
 * its `next` leads to the current one; where something between two of them is lost, the first has a
 * lost_reason); -EAGAIN: being looked for, the source's listeners
 * will be called; -ENOENT: no such file; -EALREADY: the current one, or what comes last, as far as so
 * few bytes tell; other -errno: that could not be told, and is asked again after a look. Where the
 * oldest was looked for, what it is, or the current one if there is none, says in older_lost whether
 * there was more.
 */
int rotated_find(struct rotated *rotated, const struct cursor_mark *mark,
                 struct generation **ret_generation);

/* Forgets what was found too long ago. */
void rotated_relax(struct rotated *rotated, int64_t now_ms);

#endif
