/*
 * Which of the files that lie beside a followed one holds a mark: the mark's own, by its identity, or a copy, by its
 * content. Logs begin alike: of less than CURSOR_SHORT_BYTES, it is told by when copies were made.
 */
#ifndef FOLLOW_ROTATED_HOLDER_H
#define FOLLOW_ROTATED_HOLDER_H

#include <stddef.h>

#include "follow/neighbours.h"
#include "follow/rotated_search.h"

/* In a helper thread. 0: it is the only part of the search now, and the one at that index; -ENOENT: none; -EALREADY:
 * one of the ends, as far as so few bytes tell; other -errno: that could not be told. */
int rotated_holder_find(struct rotated_search *s, const struct neighbours *n, size_t *ret_index);

#endif
