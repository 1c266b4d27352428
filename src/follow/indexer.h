/* Builds line indexes (line_index.h) of generations, in slices, by helper threads. */
#ifndef FOLLOW_INDEXER_H
#define FOLLOW_INDEXER_H

#include "base/offload.h"
#include "follow/source.h"

/*
 * Has the generation's index reach offset upto. 0: it does; -EAGAIN: a slice is being counted
 * (the source's listeners are called then; ask again), for whoever asked first; -ENOMEM.
 */
int indexer_reach(struct offload *offload, struct generation *generation, uint64_t upto);

/* How many lines follow the first `lines` of a generation, if that is known without asking. */
bool indexer_lines_behind(const struct generation *generation, uint64_t lines, uint64_t *ret_lines);

/* Line ends before offset, which the index has reached. 0 or as place_read(). */
int indexer_lines_before(struct generation *generation, uint64_t offset, uint64_t *ret_lines);

/* The offset behind line end number `lines` (0: 0); the index has reached that far. 0 or as
 * place_read(). */
int indexer_offset_of(struct generation *generation, uint64_t lines, uint64_t *ret_offset);

#endif
