/*
 * The state of a recorded run (model/run_state.h) from a generation of its events.jsonl: folded
 * in order, in bounded slices, by helper threads, as far as somebody asks; shared by all who ask,
 * and extended, never begun anew.
 */
#ifndef FOLLOW_STATE_FOLD_H
#define FOLLOW_STATE_FOLD_H

#include "base/offload.h"
#include "follow/lore.h"
#include "model/run_state.h"

/*
 * Has the state of a generation take in all lines that end at or before offset upto, and what
 * follows the last of them if that is an event but for its newline. 0: it does;
 * -EAGAIN: a slice is being folded (the source's listeners are called then; ask again), for
 * whoever asked first; -ENOMEM.
 */
int state_fold_reach(struct offload *offload, struct generation *generation, uint64_t upto);

/*
 * The state, once state_fold_reach() said 0, and until it is called again: it may be ahead of
 * what was asked for. run_state_seq() says where. Borrowed.
 */
const struct run_state *state_fold_state(const struct generation *generation);

/* The offset behind the last line end that is in the state; as state_fold_state(). */
uint64_t state_fold_offset(const struct generation *generation);

#endif
