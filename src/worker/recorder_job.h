/* The blocking part of recording: from posts to results, in a helper thread. */
#ifndef WORKER_RECORDER_JOB_H
#define WORKER_RECORDER_JOB_H

#include "worker/recorder.h"

enum {
	RECORDER_JOB_POSTS = 128,
	RECORDER_POST_EVENTS = 10000, /* most events of one post */
};

/* All borrowed, and nobody else's while the job is under way. */
struct recorder_job {
	const struct recording *recording;
	const struct registry *registry; /* where the ids of other runs are known */
	const char *path;                /* of the run's folder, but for RECORDER_CREATE */
	struct recording_cache *cache;
	/* Of one action; only of RECORDER_APPEND more than one. */
	size_t count;
	const struct recorder_post *posts[RECORDER_JOB_POSTS];
	struct recorder_result *results[RECORDER_JOB_POSTS];
};

void recorder_job_do(struct recorder_job *job);

#endif
