/*
 * What a child tells the supervisor, over the socket that it inherits: that its loop turns. The
 * first pulse means more: that it has set up all that it needs, and serves.
 */
#ifndef SHM_PULSE_H
#define SHM_PULSE_H

#include "base/loop.h"

enum { PULSE_INTERVAL_MS = 1000 };

/* Embedded in a child's state, zero-initialised. */
struct pulse {
	struct loop *loop;
	struct loop_timer timer;
	int fd;
};

/* Sends the first one, and others from the loop for as long as it turns. Borrows supervisor_fd,
 * which is non-blocking: what the supervisor does not take is lost. */
void pulse_begin(struct pulse *pulse, struct loop *loop, int supervisor_fd);
void pulse_end(struct pulse *pulse);

/* For the supervisor: takes what came from a child's socket. 1: a pulse was among it; 0: the child
 * has gone; -EAGAIN: nothing; other -errno. What is longer than a pulse counts as one. */
int pulse_receive(int fd);

#endif
