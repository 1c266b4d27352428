/* What a client says of where its stream is to begin: its id, ?from=, ?tail=, ?wait_s=. */
#ifndef WORKER_STREAM_PARAMETERS_H
#define WORKER_STREAM_PARAMETERS_H

#include "worker/parameters.h"
#include "worker/run_wait.h"

/* All return false when the request was answered (with 400). */

/* ?streams= */
bool stream_parameters_files(struct connection *c, unsigned *ret_files);

/* For one file or run, of a kind. *start is what a client gets that says nothing. */
bool stream_parameters_start(struct connection *c, const struct stream_kind *kind, struct start *start);

/* ?wait_s=, at most what the settings allow. */
bool stream_parameters_wait(struct connection *c, int64_t *ret_wait_ms);

/* For many. *request is what a client gets that says nothing; an id that it came with is put into
 * *ret_id, which *request borrows then. */
bool stream_parameters_of_many(struct connection *c, struct feed_request *request,
                               struct feed_id *ret_id);

#endif
