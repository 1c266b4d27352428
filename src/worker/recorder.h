/*
 * Recording, as a worker does it. What store/recording.h does blocks, so it is done by helper
 * threads: the recorder's own, for who opens files for streams must not wait behind syncs, nor they
 * behind a mount that hangs.
 *
 * A run has one job at a time. What arrives for it meanwhile is gathered into the next one, which
 * writes and syncs once for all: so the more producers there are, the less each of them costs. A run
 * that hangs holds one thread, and those who wait for it, who are bounded in number.
 *
 * What was taken is done, whether its client is still there or not.
 */
#ifndef WORKER_RECORDER_H
#define WORKER_RECORDER_H

#include "model/event_line.h"
#include "model/fault.h"
#include "shm/registry.h"
#include "store/recording.h"
#include "worker/body.h"
#include "worker/connection.h"

struct instance;
struct recorder;

enum { RECORDER_PATH_BYTES = 3 * (REGISTRY_NAME_BYTES + 1) + 8 }; /* for registry_run_path() */

enum recorder_action {
	RECORDER_CREATE,
	RECORDER_APPEND,
	RECORDER_RESUME,
	RECORDER_COMPLETE,
};

/* What a client posted; on the heap, zero-initialised. */
struct recorder_post {
	struct body body;
	enum recorder_action action;
	char run_id[RUN_ID_BYTES + 1];  /* of the path; not of RECORDER_CREATE */
	char key[EVENT_KEY_BYTES + 1];  /* of the header; "": none */
};

/* What came of it. */
struct recorder_result {
	int error;                        /* 0, or as store/recording.h says; -EINVAL and -E2BIG: see fault */
	struct fault fault;
	size_t accepted, recorded;        /* events of RECORDER_APPEND: that there were; that are new */
	struct recording_created created; /* of RECORDER_CREATE */
};

/* Answers a post. Frees nothing. */
typedef void recorder_answer_fn(struct connection *c, enum recorder_action action,
                                const struct recorder_result *result);

/* Borrows the worker and the descriptor of the runs directory. 0 or -errno; returns owned. */
int recorder_new(struct worker *worker, int runs_dir_fd, recorder_answer_fn *answer,
                 struct recorder **ret_recorder);
/* The connections must be gone. Returns how many threads are left behind, as offload_free(). */
size_t recorder_free(struct recorder **recorder);

/* Where the files of runs are, for others who read them: borrowed, good until all helper threads
 * have ended. */
void recorder_files(const struct recorder *recorder, struct recording *ret_recording);

/*
 * Takes c->body, a struct recorder_post, and has it done; then c is answered, unless it is gone
 * by then. run: where, but for RECORDER_CREATE. False: too many wait already; c keeps its body,
 * and is to be answered. -ENOMEM is an answer of its own, like every other failure.
 */
bool recorder_submit(struct recorder *recorder, struct connection *c, const struct registry_run *run);

#endif
