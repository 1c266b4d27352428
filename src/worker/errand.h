/*
 * Something that a helper thread finds out before a connection can be answered: a file is read, a
 * folder is looked for. The connection may be over by then.
 */
#ifndef WORKER_ERRAND_H
#define WORKER_ERRAND_H

#include "base/offload.h"
#include "worker/connection.h"

struct errand;

/* In a helper thread; touches only what the errand owns. */
typedef void errand_work_fn(struct errand *errand);
/* In the loop's thread; the connection waits for its answer. The errand is freed afterwards. */
typedef void errand_done_fn(struct errand *errand, struct connection *c);

/* Embedded at the start of what is freed as a whole with free(). */
struct errand {
	struct offload_job job;
	struct pending_answer pending;
	struct connection *connection; /* NULL: it is over */
	errand_work_fn *work;
	errand_done_fn *done;
};

/* Takes errand (from calloc; NULL: without memory, the connection is freed). */
void errand_begin(struct errand *errand, struct connection *c, errand_work_fn *work,
                  errand_done_fn *done);

#endif
