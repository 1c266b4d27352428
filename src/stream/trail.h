/*
 * The trail of a worker's feeds (model/trail.h), as it is written: at each tick, what changed since the
 * last one is taken down and handed to a helper thread. A tick comes some time after something
 * changed, and later the more there was to be written. While nothing changes there is one in a quarter
 * of the retention: what is sent after a long rest is not to bear a tick that is too old.
 *
 * The events of a feed carry the number of the last tick. What that says is at most what its client
 * was sent by then; so who resumes there misses nothing.
 */
#ifndef STREAM_TRAIL_H
#define STREAM_TRAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/offload.h"
#include "model/feed_id.h"

struct trail;
struct trail_subject;

/* Appends records (trail_put()): all that is known of the subject, or what changed since it was asked
 * last. */
typedef void trail_put_fn(struct trail_subject *subject, struct buf *to, bool all);
/* Something was written, or could not be: trail_is_settled() may say more. */
typedef void trail_told_fn(struct trail_subject *subject);

/* Who leaves a trail: a feed. Embedded in it. */
struct trail_subject {
	trail_put_fn *put;
	trail_told_fn *told;
	uint32_t feed;
	bool is_new;       /* never put as yet */
	bool has_changed;
	bool is_on_record; /* its ids can be resumed from; or cannot be: then it is not waited for */
	uint64_t first_tick;
	struct loop_timer patience;
	TAILQ_ENTRY(trail_subject) entry;
};

/* Borrows all; dir_fd: the state directory, or -1: nothing is kept, and no id can be resumed from;
 * retention_s: for how long segments are kept (it may change). Returns owned, or NULL without memory. */
struct trail *trail_new(struct loop *loop, struct offload *offload, int dir_fd,
                        const int64_t *retention_s);
/* All subjects must have left. What is being written is waited for by the helper threads' end, which
 * must have come before. */
void trail_free(struct trail **trail);

/* The subject's fn, and feed, are set. It is put at once. */
void trail_add(struct trail *trail, struct trail_subject *subject);
/* last: records that are to be put all the same; borrowed. */
void trail_remove(struct trail *trail, struct trail_subject *subject, const struct buf *last);
/* Something of it has changed. at_once: with a tick of its own. Returns the number of the tick that will say
 * so. */
uint64_t trail_note(struct trail *trail, struct trail_subject *subject, bool at_once);
/* Whether that was written; or could not be. */
bool trail_is_settled(const struct trail *trail, uint64_t tick);

/* The last tick, for a subject's ids. */
struct feed_point trail_point(const struct trail *trail, const struct trail_subject *subject);

struct trail_figures {
	uint64_t written_bytes;
	uint64_t failures; /* but where a segment that was removed is begun anew, which is as usual */
	int error;         /* of the last failure, -errno; 0: there was none */
};
struct trail_figures trail_figures(const struct trail *trail);

int trail_dir_fd(const struct trail *trail);

#endif
