/* Recording over HTTP: what is posted, and the answers to it (DESIGN: HTTP). */
#ifndef WORKER_RECORDING_ROUTES_H
#define WORKER_RECORDING_ROUTES_H

#include "worker/recorder.h"

/* POST …/runs, and …/runs/{id}/events, …/resume, …/complete. Answer c->request, or begin to. */
void recording_routes_create(struct connection *c);
void recording_routes_append(struct connection *c);
void recording_routes_resume(struct connection *c);
void recording_routes_complete(struct connection *c);

/* A recorder_answer_fn. */
void recording_routes_answer(struct connection *c, enum recorder_action action,
                             const struct recorder_result *result);

#endif
