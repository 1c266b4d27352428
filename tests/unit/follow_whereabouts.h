/*
 * All the places in the truth of one log at which a reader may be, as far as its events tell: what came
 * last may have been the head of a line of several epochs. Places that the next event does not fit are
 * left; where none remains, something is wrong.
 */
#ifndef TESTS_FOLLOW_WHEREABOUTS_H
#define TESTS_FOLLOW_WHEREABOUTS_H

#include "follow_position.h"

enum { WHEREABOUTS_MOST = 2 * TRUTH_EPOCHS };

struct whereabouts {
	size_t count; /* never 0 */
	struct position at[WHEREABOUTS_MOST];
};

/* At that one place. */
void whereabouts_set(struct whereabouts *w, struct position at);
void whereabouts_copy(struct whereabouts *to, const struct whereabouts *from);
/* Both return NULL, or what is wrong, and change nothing then. */
const char *whereabouts_take_line(struct whereabouts *w, const struct truth *t, const char *text,
                                  bool is_partial, int64_t n, bool was_terminal);
const char *whereabouts_take_gap(struct whereabouts *w, const struct truth *t);
/* Whether all that can be delivered may have been; is_end: parts of lines, too. */
bool whereabouts_has_all(const struct whereabouts *w, const struct truth *t, bool is_end);
/* Those that are anywhere are at the end of what there is now. */
void whereabouts_set_end(struct whereabouts *w, const struct truth *t);
void whereabouts_look_back(struct whereabouts *w, const struct truth *t);

#endif
