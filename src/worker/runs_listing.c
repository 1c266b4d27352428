#include "worker/runs_listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "model/run_id.h"
#include "worker/parameters.h"
#include "worker/run_answer.h"
#include "worker/worker_state.h"

enum {
	SLOTS_A_TURN = 4096,
	DEFAULT_LIMIT = 100,
	MOST_LIMIT = 1000,
};

struct runs_listing {
	struct pending_answer pending;
	struct connection *connection;
	char status[REGISTRY_STATUS_BYTES + 1];        /* "": any */
	char project_id[REGISTRY_NAME_BYTES + 1];
	char task_id[REGISTRY_NAME_BYTES + 1];
	uint64_t limit;
	uint32_t next_slot;
	struct json_object *runs; /* owned */
	struct loop_task task;
};

static void
drop(struct pending_answer *pending)
{
	struct runs_listing *l = (struct runs_listing *)pending;

	loop_defer_cancel(l->connection->worker->loop, &l->task);
	json_object_put(l->runs);
	free(l);
}

static bool
matches(const char *filter, const char *value)
{
	return !*filter || strcmp(filter, value) == 0;
}

static void
finish(struct runs_listing *l, bool has_more)
{
	struct connection *c = l->connection;
	struct json_object *body = json_object_new_object();
	size_t count = json_object_array_length(l->runs);

	if (has_more && count > 0) {
		struct json_object *last = json_object_array_get_idx(l->runs, count - 1);

		json_object_object_add(body, "next_after",
		                       json_object_get(json_object_object_get(last, "run_id")));
	}
	json_object_object_add(body, "runs", json_object_get(l->runs));
	connection_answer(c, answer_json(&c->style, body));
}

static void
go_on(void *arg)
{
	struct runs_listing *l = arg;
	struct worker *worker = l->connection->worker;
	uint32_t count = registry_count(worker->registry);

	for (int i = 0; i < SLOTS_A_TURN; i++) {
		struct registry_run run;

		if (l->next_slot >= count) {
			finish(l, false);
			return;
		}
		if (registry_at(worker->registry, l->next_slot, &run) == 0 && !run.is_deleted &&
		    matches(l->status, run.status) && matches(l->project_id, run.project_id) &&
		    matches(l->task_id, run.task_id)) {
			if (json_object_array_length(l->runs) == l->limit) {
				finish(l, true);
				return;
			}
			json_object_array_add(l->runs, run_answer_json(worker, &run));
		}
		l->next_slot++;
	}
	loop_defer(worker->loop, &l->task, go_on, l);
}

static bool
take_name(struct connection *c, const char *name, char *to, size_t room)
{
	if (!parameters_word(c, name, to, room))
		return false;
	if (*to == '\0' || run_id_valid(to, strlen(to)))
		return true;
	parameters_refuse(c, name, "is not a name");
	return false;
}

/* False: answered. */
static bool
take_parameters(struct connection *c, struct runs_listing *l)
{
	struct target_text after;
	struct registry_run run;
	int found;

	l->limit = DEFAULT_LIMIT;
	if (parameters_number(c, "limit", 1, MOST_LIMIT, &l->limit) < 0)
		return false;
	if (!parameters_word(c, "status", l->status, sizeof(l->status)) ||
	    !take_name(c, "project_id", l->project_id, sizeof(l->project_id)) ||
	    !take_name(c, "task_id", l->task_id, sizeof(l->task_id)))
		return false;
	found = parameters_text(c, "after", &after);
	if (found < 0)
		return false;
	if (found > 0) {
		if (registry_find(c->worker->registry, after.text, &run) < 0) {
			parameters_refuse(c, "after", "names no run");
			return false;
		}
		l->next_slot = run.slot + 1;
	}
	return true;
}

void
runs_listing_begin(struct connection *c)
{
	struct runs_listing *l = calloc(1, sizeof(*l));

	if (!l) {
		connection_free(c);
		return;
	}
	l->connection = c;
	l->runs = json_object_new_array();
	l->pending.drop = drop;
	c->pending = &l->pending;
	if (!take_parameters(c, l))
		return; /* the answer freed it */
	request_free(&c->request);
	loop_defer(c->worker->loop, &l->task, go_on, l);
}
