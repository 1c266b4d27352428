/*
 * Reading trails (model/trail.h), of this worker or another, living or gone: where the runs of a feed
 * were at a tick. Read by a helper thread, kept for a while, and shared by all who come with ids of
 * the same time, as after a restart of the web server.
 */
#ifndef STREAM_TRAIL_READER_H
#define STREAM_TRAIL_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/offload.h"
#include "follow/hash_table.h"
#include "model/feed_id.h"
#include "model/trail.h"

struct trail_reader;

/* A run that was in the feed. */
struct trail_place {
	uint32_t number; /* in the feed; TRAIL_NO_NUMBER: it was over */
	bool is_over;
	struct cursor cursor;
	UT_hash_handle by_run, by_number;
	char run_id[];
};

/* Where all were. Read-only; shared by reference. */
struct trail_view {
	unsigned references;
	struct feed_point point; /* that was asked for */
	uint64_t tick;           /* that it is of: the same or an earlier one */
	uint64_t next_tick;      /* up to here it says all; no later one was there when it was read */
	int error;               /* it could not be read: there is nothing else in it */
	struct trail_reader *reader;
	size_t bytes;            /* of its places */
	struct trail_feed of;    /* its texts are owned */
	struct trail_place *by_run, *by_number;
	TAILQ_ENTRY(trail_view) entry;
};

/* Told when something was read: ask again. Embedded in its owner. */
struct trail_waiter {
	void (*fn)(void *arg);
	void *arg;
	bool is_waiting;
	TAILQ_ENTRY(trail_waiter) entry;
};

/* Borrows offload and dir_fd (-1: there are no trails). Returns owned, or NULL without memory. */
struct trail_reader *trail_reader_new(struct offload *offload, int dir_fd);
/* No view may be in use. */
void trail_reader_free(struct trail_reader **reader);

/*
 * 0 and a view (returns owned): of the tick, or of an earlier one, where that cannot be had, or too many
 * views are in use; -EAGAIN: it is being read, the waiter is told once; -ENOENT: it is not there (any
 * more); other -errno: it may be there, but cannot be read now.
 */
int trail_reader_find(struct trail_reader *reader, const struct feed_point *point,
                      struct trail_waiter *waiter, struct trail_view **ret_view);
/* Who waits no longer; takes one that does not. */
void trail_reader_leave(struct trail_reader *reader, struct trail_waiter *waiter);

/* Drops a reference; sets the pointer to NULL; takes NULL. */
void trail_view_unref(struct trail_view **view);
/* By name, or by its number in the feed; borrowed, or NULL. */
const struct trail_place *trail_view_find(const struct trail_view *view, const char *run_id);
const struct trail_place *trail_view_member(const struct trail_view *view, uint32_t number);

#endif
