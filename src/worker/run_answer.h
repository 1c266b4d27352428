/* What is done with a run that was found: its stream, or the registry's view of it. */
#ifndef WORKER_RUN_ANSWER_H
#define WORKER_RUN_ANSWER_H

#include "worker/connection.h"
#include "worker/run_wait.h"

/* Answers the query; frees the connection's request. */
void run_answer(struct connection *c, const struct run_query *query, const struct registry_run *run);

/* Begins a stream of the run, unless it has as many clients as it may have; HEAD gets its headers. */
void run_answer_stream(struct connection *c, const struct channel_request *request,
                       const struct start *start);

/* Says no: with a status; with a `refused` event in a stream that is open already, or where an
 * EventSource would be lost (429 and 503). */
void run_answer_error(struct connection *c, enum answer_error error, const char *message);

/* A run as JSON, with the number of its clients. Returns owned. */
struct json_object *run_answer_json(struct worker *worker, const struct registry_run *run);

#endif
