/*
 * The bytes of a trail: how far the feeds of a worker (streams of many runs) were in the files of
 * their runs, at which tick. From it a client that comes back with an id of such a stream
 * (feed_id.h) is told where to go on in each run, by whichever worker, also when all processes
 * were started anew.
 *
 * A trail is a row of segments, a file each: a header, and batches of records, each of one tick. A
 * segment's first batch says all that is known of each feed then, so it needs no other segment; and
 * may be all that was kept of it. Later batches say what changed. Numbers are of the machine's own
 * byte order: a trail never leaves it.
 *
 * A batch that was not written whole, or whose checksum is wrong, ends the segment. What it would
 * have said is then not known, and the tick before it stands: who goes on from there gets some
 * lines a second time, but misses none.
 */
#ifndef MODEL_TRAIL_H
#define MODEL_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/cursor.h"

enum {
	TRAIL_VERSION = 3,
	TRAIL_HEADER_BYTES = 32,
	TRAIL_BATCH_HEADER_BYTES = 24,
	TRAIL_NAME_BYTES = 255, /* of a run, project or task */
};

enum trail_record_kind {
	TRAIL_FEED = 1, /* what a feed is of */
	TRAIL_MEMBER,   /* a run in it, by name, and where */
	TRAIL_PLACE,    /* where a member is by now */
};

enum trail_kind { TRAIL_OF_LOGS, TRAIL_OF_EVENTS, TRAIL_OF_MESSAGES };

/* What a feed is of. Texts are borrowed, and not NUL-terminated. */
struct trail_feed {
	enum trail_kind kind;
	uint8_t files;           /* of a log: 1 << enum cursor_file */
	bool has_left_out;       /* runs, for want of room */
	bool is_of_task;         /* of one task: project and task say which */
	uint32_t registry;       /* whose first_seen_ms is compared with horizon_ms */
	/* A run that is not in the feed, and of which nothing was written since, is of no interest: it
	 * was over when the feed was made, or delivered. */
	int64_t horizon_ms;
	/* A run with a slot in that registry from here on, too, is new, whatever clocks were set to. */
	uint32_t horizon_slots;
	const char *project_id, *task_id;
	uint8_t project_length, task_length;
};

struct trail_member {
	uint32_t number; /* TRAIL_NO_NUMBER: only by name */
	bool begins;     /* where it began in the feed: holds for ticks before this one as well */
	bool is_over;    /* it was read to the end of its run, and that was told */
	struct cursor cursor;
	const char *run_id; /* of TRAIL_MEMBER; borrowed, not NUL-terminated */
	uint8_t run_id_length;
};

#define TRAIL_NO_NUMBER UINT32_MAX

struct trail_record {
	enum trail_record_kind kind;
	uint32_t feed; /* whose it is */
	union {
		struct trail_feed of;
		struct trail_member member;
	};
};

/* --- writing: errors as those of the buffer ---------------------------------------------------------- */

void trail_put_header(struct buf *to, uint64_t trail, uint64_t first_tick);
/* Begins a batch at the end of a buffer; records follow; trail_end_batch() with what it returned. */
size_t trail_begin_batch(struct buf *to, uint64_t tick);
void trail_end_batch(struct buf *to, size_t batch);
void trail_put(struct buf *to, const struct trail_record *record);

/* --- reading ------------------------------------------------------------------------------------------ */

/* 0; -EBADMSG: none; -EPROTONOSUPPORT: another version. */
int trail_read_header(const void *bytes, size_t length, uint64_t *ret_trail, uint64_t *ret_first_tick);

/* The batch at offset *at, which is moved behind it. False: there is none, or none that is whole. */
struct trail_batch {
	uint64_t tick;
	const uint8_t *records; /* borrowed */
	size_t length;
};
bool trail_next_batch(const void *bytes, size_t length, size_t *at, struct trail_batch *ret_batch);

/* The next record of a batch, taken off it. False: there is none. */
bool trail_next_record(struct trail_batch *batch, struct trail_record *ret_record);

#endif
