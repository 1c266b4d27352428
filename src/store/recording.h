/*
 * Recording runs: making them, and appending to their events.jsonl. All of this blocks (on locks,
 * on disks), and is for helper threads. Everything lies beneath the runs directory, as run_dir.h
 * opens it.
 *
 * Many processes may record into one run at once, and each may be killed at any instruction:
 * - whoever appends holds an exclusive flock(2) on events.jsonl, and appends with one write(2);
 * - a tail without newline is what a killed one left (or somebody who writes without us, and is
 *   given time to finish). It was never acknowledged. If it is an event but for the newline, it
 *   counts as one wherever it is read, and gets its newline before the next append. Else it is
 *   taken away: blanks come in its place, and the next event behind them, on the same line. So the
 *   file only grows, and what was once the end of a line stays one: those who read it at the same
 *   time have nothing to take back;
 * - where the system takes only a part of a write, the whole lines in it stay;
 * - an event that bears a key is recorded once, however often it is sent: RECORDING_MEMORY_BYTES
 *   of the file are looked through for it. So a key says one thing in a run, and no other.
 *
 * run-info.yaml is the authority on the status of a run: when it says that the run has ended,
 * nothing is appended any more; a retry of what was recorded before is told so all the same.
 */
#ifndef STORE_RECORDING_H
#define STORE_RECORDING_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/event_batch.h"
#include "model/run_completion.h"
#include "model/run_request.h"

enum {
	RECORDING_MEMORY_BYTES = 4 * 1024 * 1024,
	RECORDING_LOCK_MS = 5000,  /* how long another's lock is waited for */
	RECORDING_TORN_MS = 150,   /* how long a tail without newline must have rested */
	/* <project>/<task>/runs/<run_id> */
	RECORDING_PATH_BYTES = 3 * (RUN_ID_BYTES + 1) + sizeof("runs/"),
};

enum recording_durability {
	RECORDING_WRITTEN, /* survives the end of any process */
	RECORDING_SYNCED,  /* survives a loss of power, too: fdatasync(2) before it is acknowledged */
};

/* Where runs are recorded, and how. All borrowed. */
struct recording {
	int runs_dir_fd;
	const char *run_info; /* names of the files in a run's folder */
	const char *events;
	enum recording_durability durability;
};

/*
 * What one process remembers of one run between calls: keys that were recorded, as far as the
 * file was read. It may be dropped at any time, and everywhere NULL may stand for it: then the
 * end of the file is read anew where that is needed. One call at a time uses it.
 */
struct recording_cache;

/* Returns owned, or NULL without memory. */
struct recording_cache *recording_cache_new(void);
void recording_cache_free(struct recording_cache **cache);

/*
 * All functions below return 0 or:
 *   -ENOENT   there is no such run (any more)
 *   -EPERM    the run has ended
 *   -EBUSY    the lock was not to be had, or somebody else is in the middle of a line: later
 *   -EBADMSG, -EPROTONOSUPPORT, -EFBIG   run-info.yaml cannot be understood
 *   -ENOSPC, -EDQUOT, -EROFS, -EACCES, -ELOOP, -ENOMEM, … as the system says
 */

struct recording_created {
	char run_id[RUN_ID_BYTES + 1];
	char path[RECORDING_PATH_BYTES]; /* beneath the runs directory */
	bool is_new;                     /* false: this was a retry */
};

/*
 * Makes a run: its folder, <run_id> or <project_id>/<task_id>/runs/<run_id>, run-info.yaml
 * (running), and events.jsonl with the event run.started. Without an id one is made up, which
 * sorts by time; with a key but no id, it follows from the key and the task: so a retry finds the
 * run that it made, finishes making it where that was cut short, and gets the same answer; without
 * one, what could not be finished is taken away again. -EEXIST: there is a folder of that name, and
 * it is not the result of a request with the same key; or the project's is a run.
 *
 * That the id is not in use elsewhere beneath the runs directory is for the caller to know.
 */
int recording_create(const struct recording *recording, const struct run_request *request,
                     struct recording_created *ret_created);

/* What one request wants appended, and what came of it. */
struct recording_batch {
	const struct event_batch *events; /* borrowed */
	int error;                        /* 0: all of them are recorded, some maybe before; else
	                                   * some of the first may be recorded all the same */
	size_t recorded;                  /* how many were appended now, unless there is an error */
};

/*
 * Appends batches (at least one) of several requests with one write, and syncs them together. Makes events.jsonl
 * if the run has none. path: of the run's folder beneath the runs directory. Each batch gets
 * its error; returns the first of them, or 0.
 */
int recording_append(const struct recording *recording, const char *path,
                     struct recording_cache *cache, struct recording_batch *batches, size_t count);

/*
 * Has the run go on: run-info.yaml says running, then run.resumed is appended. A run that is
 * running stays as it is. key: "" or NULL: none; one that was recorded before changes nothing.
 */
int recording_resume(const struct recording *recording, const char *path,
                     struct recording_cache *cache, const char *key, int64_t now_ms);

/*
 * Ends the run: run.completed is appended, then run-info.yaml says status, end, exit code and
 * error. Where that was cut short between the two, a retry does the rest. A run that has ended
 * is left alone: 0 if it is said to have ended just so, or if the key was recorded before,
 * else -EPERM.
 */
int recording_complete(const struct recording *recording, const char *path,
                       struct recording_cache *cache, const struct run_completion *completion,
                       int64_t now_ms);

/* --- reading ------------------------------------------------------------------------------------- */

enum { RECORDING_READ_SLICE_BYTES = 16 * 1024 * 1024 };

/* Which events, and how far the reading has come. */
struct recording_query {
	const char *run_id;
	uint64_t after;    /* events with a seq above this */
	size_t limit;      /* at most so many, at least 1 */
	size_t most_bytes; /* of answer: it ends with the event that reaches it */
	const char *type;  /* of this type, of this unit; or NULL */
	const char *unit;

	/* Where to read on: 0 and 0 at first, or a place that the caller knows: the offset behind
	 * line number seq, which is at most `after`. */
	uint64_t offset, seq;

	size_t count;        /* events found */
	bool is_begun;       /* internal; begin with false */
};

/*
 * Appends {"run_id":…,"events":[…],"next_after":…,"has_more":…} to the answer: next_after is the
 * seq of the last line that was looked at; has_more says that something follows it. Malformed lines
 * are passed over. Reads at most a slice: -EAGAIN when that was not all: call again with the same
 * query and buffer, after others had their turn. A run without the file has no events.
 */
int recording_read(const struct recording *recording, const char *path,
                   struct recording_query *query, struct buf *answer);

#endif
