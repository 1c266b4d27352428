/* The files of a state directory as they were at a moment, to be put back. */
#ifndef TESTS_KEPT_STATE_H
#define TESTS_KEPT_STATE_H

struct kept_state;

/* Returns owned. */
struct kept_state *kept_state_new(const char *directory);
/* In place of what is there now; NULL: leaves it. */
void kept_state_restore(struct kept_state **kept, const char *directory);

#endif
