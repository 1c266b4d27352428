#include "worker/run_wait.h"

#include <stdlib.h>
#include <string.h>

#include "shm/bell.h"
#include "worker/connection.h"
#include "worker/run_answer.h"
#include "worker/worker_state.h"

/* A look takes as long as a scan; one that has not ended by then says that discovery is down, or
 * that what there is to look at does not answer. */
enum { LOOK_TIMEOUT_MS = 5000 };

struct run_wait {
	struct pending_answer pending;
	struct connection *connection;
	struct run_query query;
	uint64_t look;    /* the first look that began after the question, and left nothing out, ends
	                   * the wait for it */
	int64_t until_ms; /* ?wait_s= ends; 0: it does not wait */
	int64_t look_until_ms; /* discovery is waited for */
	bool is_overdue;  /* no look came in time */
	struct loop_timer timer;
	TAILQ_ENTRY(run_wait) entry;
};

static void
drop(struct pending_answer *pending)
{
	struct run_wait *w = (struct run_wait *)pending;

	loop_timer_stop(w->connection->worker->loop, &w->timer);
	TAILQ_REMOVE(&w->connection->worker->run_waits, w, entry);
	w->connection->worker->run_wait_count--;
	free(w);
}

static bool
find(struct connection *c, const struct run_query *query, struct registry_run *ret_run)
{
	return registry_find(c->worker->registry, query->run_id, ret_run) == 0 &&
	       (!*query->project_id || strcmp(query->project_id, ret_run->project_id) == 0) &&
	       (!*query->task_id || strcmp(query->task_id, ret_run->task_id) == 0);
}

static void
give_up(struct run_wait *w)
{
	struct connection *c = w->connection;

	if (w->is_overdue)
		run_answer_error(c, ANSWER_UNAVAILABLE,
		                 "the run is not known, and discovery cannot look for it now");
	else if (registry_is_full(c->worker->registry))
		run_answer_error(c, ANSWER_UNAVAILABLE,
		                 "the run is not known, and there are runs for which there is no room "
		                 "(storage.max_runs)");
	else
		run_answer_error(c, ANSWER_NOT_FOUND, "there is no such run");
}

/* Decides what can be decided; may free the wait and its connection. */
static void
check(struct run_wait *w)
{
	struct connection *c = w->connection;
	struct worker *worker = c->worker;
	struct registry_run run;
	bool is_known = find(c, &w->query, &run);

	if (!is_known || run.is_deleted) {
		/* Of a deleted run there may be a new one by now. */
		if (loop_now_ms(worker->loop) < w->until_ms)
			return;
		if (registry_looks_whole(worker->registry) <= w->look && !w->is_overdue)
			return;
	}
	if (is_known) {
		struct run_query query = w->query;

		drop(&w->pending);
		c->pending = NULL;
		run_answer(c, &query, &run);
	} else {
		give_up(w);
	}
}

static void on_time(void *arg);

/* Whichever comes next: the end of ?wait_s=, or of the patience with discovery. */
static void
set_timer(struct run_wait *w)
{
	struct loop *loop = w->connection->worker->loop;
	int64_t now_ms = loop_now_ms(loop);

	loop_timer_set(loop, &w->timer,
	               (now_ms < w->until_ms ? w->until_ms : w->look_until_ms) - now_ms, on_time, w);
}

static void
on_time(void *arg)
{
	struct run_wait *w = arg;
	struct worker *worker = w->connection->worker;

	w->is_overdue = loop_now_ms(worker->loop) >= w->look_until_ms &&
	                registry_looks_whole(worker->registry) <= w->look;
	set_timer(w);
	check(w);
}

void
run_wait_begin(struct connection *c, const struct run_query *query)
{
	struct worker *worker = c->worker;
	struct registry_run run;
	struct run_wait *w;

	if (find(c, query, &run) && !run.is_deleted) {
		/* One that is over is looked at when somebody asks for it: it may have gone on. */
		if (run.is_terminal)
			bell_ring(worker->discovery_bell_fd, run.slot);
		run_answer(c, query, &run);
		return;
	}
	if (c->style.is_head && query->wait_ms > 0) {
		/* What GET would begin with. */
		connection_answer(c, answer_stream(&c->style, 0));
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		connection_free(c);
		return;
	}
	w->connection = c;
	w->query = *query;
	w->look = registry_looks_begun(worker->registry);
	w->until_ms = query->wait_ms > 0 ? loop_now_ms(worker->loop) + query->wait_ms : 0;
	w->pending.drop = drop;
	c->pending = &w->pending;
	TAILQ_INSERT_TAIL(&worker->run_waits, w, entry);
	worker->run_wait_count++;
	w->look_until_ms = loop_now_ms(worker->loop) + LOOK_TIMEOUT_MS;
	set_timer(w);
	bell_ring(worker->discovery_bell_fd, BELL_NEW);
	/* A client that is prepared to wait sees at once that it was heard. */
	if (query->wait_ms > 0)
		connection_open_stream(c, false);
	else
		request_free(&c->request);
}

void
run_wait_check_all(struct worker *worker)
{
	struct run_wait *w, *next;

	/* An answer takes its own wait off the list, no other. */
	for (w = TAILQ_FIRST(&worker->run_waits); w; w = next) {
		next = TAILQ_NEXT(w, entry);
		check(w);
	}
}
