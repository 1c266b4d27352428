/*
 * What is learned of a generation from its bytes (lines counted, entries indexed, a state folded):
 * in order, in bounded slices, by helper threads, as far as somebody asks; shared by all who ask,
 * and extended, never begun anew.
 */
#ifndef FOLLOW_LORE_H
#define FOLLOW_LORE_H

#include "base/offload.h"
#include "follow/source.h"

/*
 * Has a subject be learned up to offset upto. 0: it is; -EAGAIN: a slice is being learned (the
 * source's listeners are called then; ask again), for whoever asked first; -ENOMEM.
 */
int lore_reach(struct offload *offload, struct generation *generation, enum lore_subject subject,
               const struct lore_kind *kind, uint64_t upto);

/* It is learned anew by who asks next; nobody may be learning. */
void lore_forget(struct generation *generation, enum lore_subject subject);

/* What is known, which nobody is busy with: once lore_reach() said 0, and until it is called again. */
struct lore *lore_of(const struct generation *generation, enum lore_subject subject);

#endif
