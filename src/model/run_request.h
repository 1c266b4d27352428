/* What a client says of a run that it wants recorded (POST /api/runs). */
#ifndef MODEL_RUN_REQUEST_H
#define MODEL_RUN_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/event_line.h"
#include "model/fault.h"
#include "model/run_id.h"

/* Zero-initialised: nothing is asked for. */
struct run_request {
	char run_id[RUN_ID_BYTES + 1];     /* "": to be made up */
	char project_id[RUN_ID_BYTES + 1]; /* both, or both "" */
	char task_id[RUN_ID_BYTES + 1];
	char key[EVENT_KEY_BYTES + 1];     /* "": none */
	/* The event run.started, without its newline: the request's other members. */
	struct buf started;
};

void run_request_fini(struct run_request *request);

/*
 * Reads and checks a body: an object. run_id, project_id and task_id are names (model/run_id.h)
 * that do not begin with a dot, the latter two both there or neither; repo_path and tasks_dir
 * strings; parallelism and total_units whole numbers from 0; key as event_key_valid(). Members
 * with these names are not given twice; all others pass, but type and time, which are the event's
 * own. key: from the request's header (NULL: none); it wins. now_ms: wall clock.
 *
 * 0 (run_request_fini() is the caller's); -EINVAL and ret_fault; -ENOMEM.
 */
int run_request_parse(const char *body, size_t length, const char *key, int64_t now_ms,
                      struct run_request *ret_request, struct fault *ret_fault);

#endif
