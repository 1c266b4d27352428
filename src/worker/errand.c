#include "worker/errand.h"

#include <stddef.h>
#include <stdlib.h>

#include "worker/worker_state.h"

static void
drop(struct pending_answer *pending)
{
	struct errand *e = (struct errand *)(void *)((char *)pending - offsetof(struct errand, pending));

	e->connection = NULL; /* it is freed when the thread is done with it */
}

static void
work(struct offload_job *job)
{
	struct errand *e = (struct errand *)job;

	e->work(e);
}

static void
done(struct offload_job *job)
{
	struct errand *e = (struct errand *)job;
	struct connection *c = e->connection;

	if (c && !job->is_dropped) {
		c->pending = NULL;
		e->done(e, c);
	}
	free(e);
}

void
errand_begin(struct errand *errand, struct connection *c, errand_work_fn *work_fn,
             errand_done_fn *done_fn)
{
	if (!errand) {
		connection_free(c);
		return;
	}
	errand->connection = c;
	errand->work = work_fn;
	errand->done = done_fn;
	errand->pending.drop = drop;
	c->pending = &errand->pending;
	request_free(&c->request);
	offload_submit(c->worker->offload, &errand->job, work, done);
}
