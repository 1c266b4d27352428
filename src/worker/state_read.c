#include "worker/state_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "follow/state_fold.h"
#include "store/recording.h"
#include "store/run_dir.h"
#include "store/run_info.h"
#include "worker/connection.h"
#include "worker/recorder.h"
#include "worker/worker_state.h"

struct state_read {
	struct pending_answer pending;
	struct offload_job job;
	struct worker *worker;
	struct connection *connection; /* NULL: it is gone, and the job is not back */
	struct registry_run run;
	struct recording recording;
	char path[RECORDER_PATH_BYTES];
	char status[REGISTRY_STATUS_BYTES + 1]; /* "": there is no run-info */
	bool is_working;
	struct follower *follower;
	struct source_listener listener;
	uint64_t asked; /* looks that had begun */
	struct loop_task task;
};

static void
state_read_free(struct state_read *s)
{
	loop_defer_cancel(s->worker->loop, &s->task);
	if (s->follower) {
		source_unlisten(follower_source(s->follower), &s->listener);
		follower_release(&s->follower);
	}
	free(s);
}

static void
drop(struct pending_answer *pending)
{
	struct state_read *s = (struct state_read *)pending;

	s->connection = NULL;
	if (!s->is_working)
		state_read_free(s);
}

/* --- its events ------------------------------------------------------------------------------------ */

static void
answer(struct state_read *s, const struct run_state *state)
{
	struct connection *c = s->connection;
	struct buf text = BUF_INIT;

	run_state_put(&text, state, s->run.run_id, *s->status ? s->status : NULL);
	connection_answer(c, answer_json_text(&c->style, &text));
}

/* What was acknowledged before the question is in the answer: so somebody must have looked since. */
static void
go_on(void *arg)
{
	struct state_read *s = arg;
	struct source *source = follower_source(s->follower);
	int error;

	if (!source_is_ready(source) || !source_is_fresh(source, s->asked))
		return;
	error = state_fold_reach(s->worker->offload, source->current, source->current->size_bytes);
	if (error == -EAGAIN)
		return;
	if (error)
		connection_answer(s->connection,
		                  answer_error(&s->connection->style, ANSWER_UNAVAILABLE,
		                               "there is no memory for it now", NULL, NULL, 1));
	else
		answer(s, state_fold_state(source->current));
}

/* The source is not to be given up while it tells its listeners. */
static void
go_on_soon(void *arg)
{
	struct state_read *s = arg;

	loop_defer(s->worker->loop, &s->task, go_on, s);
}

static void
follow(struct state_read *s)
{
	struct source *source;

	if (followers_get(s->worker->hub->followers, s->path, s->recording.events, &s->follower) < 0) {
		connection_free(s->connection);
		return;
	}
	source = follower_source(s->follower);
	source_listen(source, &s->listener, go_on_soon, s);
	s->asked = source->looks_begun;
	go_on(s);
}

/* --- its status ------------------------------------------------------------------------------------ */

/* From run-info itself: the registry may not know yet what was said to be so a moment ago. */
static void
work(struct offload_job *job)
{
	struct state_read *s = (struct state_read *)((char *)job - offsetof(struct state_read, job));
	struct run_info info;
	int fd;

	if (run_dir_open(s->recording.runs_dir_fd, s->path, &fd) < 0)
		return;
	if (run_info_read(fd, s->recording.run_info, &info) == 0) {
		snprintf(s->status, sizeof(s->status), "%s", run_info_status(&info));
		run_info_fini(&info);
	}
	fd_close(&fd);
}

static void
done(struct offload_job *job)
{
	struct state_read *s = (struct state_read *)((char *)job - offsetof(struct state_read, job));

	s->is_working = false;
	if (s->connection)
		follow(s);
	else
		state_read_free(s);
}

void
state_read_begin(struct connection *c, const struct registry_run *run)
{
	struct state_read *s = calloc(1, sizeof(*s));

	if (!s) {
		connection_free(c);
		return;
	}
	s->worker = c->worker;
	s->connection = c;
	s->run = *run;
	recorder_files(c->worker->recorder, &s->recording);
	registry_run_path(run, s->path, sizeof(s->path));
	s->pending.drop = drop;
	c->pending = &s->pending;
	s->is_working = true;
	offload_submit(c->worker->offload, &s->job, work, done);
}
