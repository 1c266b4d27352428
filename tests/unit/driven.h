/*
 * base/clock.h and base/offload.h under a test's control: time stands still until it is made to
 * pass, and what helper threads would do is done when the test says so, a step at a time. Linked
 * in place of the real ones, so that a run depends on nothing but what the test does. Nor on when
 * files were born: statx(2) tells of those that the test has noted that they were born then.
 */
#ifndef TESTS_DRIVEN_H
#define TESTS_DRIVEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void driven_pass(int64_t ms);

/* The file that was just made, and has the descriptor. */
void driven_birth(int fd);

/* Jobs that were submitted and not handed back yet. */
size_t driven_jobs(void);
/* One step of one of them, if there is any: its work, or handing it back. */
bool driven_step(unsigned which);

#endif
