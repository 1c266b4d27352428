#include "worker/recording_reads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/parameters.h"
#include "worker/recorder.h"
#include "worker/run_wait.h"
#include "worker/state_read.h"
#include "worker/worker_state.h"

enum {
	DEFAULT_LIMIT = 100,
	MOST_LIMIT = 1000,
	MOST_BYTES = 1024 * 1024, /* of events in an answer, but for a longer one alone */
};

/* --- events ---------------------------------------------------------------------------------------- */

struct events_read {
	struct pending_answer pending;
	struct offload_job job;
	struct worker *worker;
	struct connection *connection; /* NULL: it is gone */
	struct recording recording;
	char run_id[RUN_ID_BYTES + 1];
	char path[RECORDER_PATH_BYTES];
	struct event_filter filter;
	struct recording_query query;
	struct buf answer;
	int error;
};

static void
events_read_free(struct events_read *e)
{
	buf_fini(&e->answer);
	free(e);
}

static void
drop(struct pending_answer *pending)
{
	struct events_read *e = (struct events_read *)pending;

	e->connection = NULL; /* done() frees it */
}

static void
work(struct offload_job *job)
{
	struct events_read *e = (struct events_read *)((char *)job - offsetof(struct events_read, job));

	e->error = recording_read(&e->recording, e->path, &e->query, &e->answer);
}

static void
done(struct offload_job *job)
{
	struct events_read *e = (struct events_read *)((char *)job - offsetof(struct events_read, job));
	struct connection *c = e->connection;

	if (!c || job->is_dropped) {
		events_read_free(e);
		return;
	}
	if (e->error == -EAGAIN) {
		offload_submit(e->worker->offload, &e->job, work, done);
		return;
	}
	c->pending = NULL;
	if (e->error == -ENOENT)
		connection_answer(c, answer_error(&c->style, ANSWER_NOT_FOUND, "there is no such run",
		                                  NULL, NULL, 0));
	else if (e->error)
		connection_answer(c, answer_error(&c->style, ANSWER_INTERNAL,
		                                  "the events of the run cannot be read", NULL, NULL, 0));
	else
		connection_answer(c, answer_json_text(&c->style, &e->answer));
	events_read_free(e);
}

static void
read_events(struct connection *c, const struct run_query *query, const struct registry_run *run)
{
	struct events_read *e = calloc(1, sizeof(*e));

	if (!e) {
		connection_free(c);
		return;
	}
	e->worker = c->worker;
	e->connection = c;
	e->filter = query->filter;
	memcpy(e->run_id, run->run_id, sizeof(e->run_id));
	recorder_files(c->worker->recorder, &e->recording);
	registry_run_path(run, e->path, sizeof(e->path));
	e->query = (struct recording_query){
		.run_id = e->run_id,
		.after = e->filter.after,
		.limit = e->filter.limit,
		.most_bytes = MOST_BYTES,
		.type = *e->filter.type ? e->filter.type : NULL,
		.unit = *e->filter.unit ? e->filter.unit : NULL,
	};
	e->pending.drop = drop;
	c->pending = &e->pending;
	offload_submit(c->worker->offload, &e->job, work, done);
}

void
recording_reads_events(struct connection *c)
{
	struct run_query query = { .answer = read_events };
	struct event_filter *filter = &query.filter;

	filter->limit = DEFAULT_LIMIT;
	if (!parameters_segment(c, 1, "the id of a run", query.run_id) ||
	    parameters_number(c, "after", 0, UINT64_MAX, &filter->after) < 0 ||
	    parameters_number(c, "limit", 1, MOST_LIMIT, &filter->limit) < 0 ||
	    !parameters_word(c, "type", filter->type, sizeof(filter->type)) ||
	    !parameters_word(c, "unit", filter->unit, sizeof(filter->unit)))
		return;
	run_wait_begin(c, &query);
}

/* --- state ------------------------------------------------------------------------------------------ */

static void
read_state(struct connection *c, const struct run_query *query, const struct registry_run *run)
{
	(void)query;
	state_read_begin(c, run);
}

void
recording_reads_state(struct connection *c)
{
	struct run_query query = { .answer = read_state };

	if (parameters_segment(c, 1, "the id of a run", query.run_id))
		run_wait_begin(c, &query);
}
