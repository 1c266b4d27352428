/*
 * Those who wait for the same thing to go on. Waking them all costs the web server a delivery
 * each, so what comes in quick succession is gathered into fewer wakeups.
 */
#ifndef STREAM_AUDIENCE_H
#define STREAM_AUDIENCE_H

#include <stdint.h>

#include "base/loop.h"
#include "stream/stream.h"

/* Embedded in its owner. */
struct audience {
	struct loop *loop; /* borrowed */
	TAILQ_HEAD(, stream) streams;
	unsigned count;
	int64_t woken_ns;        /* when they were last woken */
	struct loop_task task;
	struct loop_timer timer; /* to gather what comes in quick succession */
};

void audience_init(struct audience *audience, struct loop *loop);
/* Nobody may be waiting any more. */
void audience_fini(struct audience *audience);

/* Has a stream wait, which does not wait yet. */
void audience_join(struct audience *audience, struct stream *stream);
/* It waits no more, and is not woken. Takes one that does not wait. */
void audience_leave(struct stream *stream);

/* Wakes all, at the end of this turn, or some milliseconds later if they were woken just now. */
void audience_wake(struct audience *audience);

#endif
