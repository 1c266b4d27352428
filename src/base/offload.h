/*
 * A few helper threads for what may block: opening, cold reads, directory scans, anything on a
 * mount that may hang. A job does its work in a thread and is then handed back to the loop.
 *
 * A stuck job must delay nobody else, so threads are added (up to the limit) while all are
 * busy and jobs wait, and all idle ones but one end after some seconds. One that has been at its
 * job for OFFLOAD_STUCK_MS does not count: another takes its place, as long as there are not
 * OFFLOAD_STUCK_FACTOR times as many as the limit says.
 */
#ifndef BASE_OFFLOAD_H
#define BASE_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/loop.h"

enum { OFFLOAD_STUCK_MS = 1000, OFFLOAD_STUCK_FACTOR = 4 };

struct offload;
struct offload_job;

/* Runs in a helper thread; touches only what the job owns. */
typedef void offload_work_fn(struct offload_job *job);
/* Runs in the loop's thread afterwards; may free the job or submit it again. */
typedef void offload_done_fn(struct offload_job *job);

/* Embedded as the first member, or found by container; zero-initialised. */
struct offload_job {
	offload_work_fn *work;
	offload_done_fn *done;
	bool is_dropped; /* set for done(): the helpers end, work() was never called */
	int64_t began_ms;
	TAILQ_ENTRY(offload_job) entry;
};

/*
 * Starts one thread, so that jobs are done also where no more can be started; others start as
 * jobs come, at most most_threads that are not stuck. Returns 0 or -errno; returns owned.
 */
int offload_new(struct loop *loop, size_t most_threads, struct offload **ret_offload);

/*
 * Ends the threads and calls done() for all jobs that are not running any more, dropped ones
 * included; nothing may be submitted from there. Running ones are waited for at most a second.
 * Returns how many are left behind with their threads (a hung mount cannot be interrupted):
 * the process had better end then, without taking anything down that they use.
 */
size_t offload_free(struct offload **offload);

/* How many threads have been at their job for OFFLOAD_STUCK_MS. */
size_t offload_stuck(struct offload *offload);

/* Borrows the job until done() is called. Never blocks. */
void offload_submit(struct offload *offload, struct offload_job *job, offload_work_fn *work,
                    offload_done_fn *done);

#endif
