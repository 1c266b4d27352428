#include "worker/routes.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "config.h"
#include "worker/cors.h"
#include "worker/metrics.h"
#include "worker/parameters.h"
#include "worker/ready.h"
#include "worker/recording_reads.h"
#include "worker/recording_routes.h"
#include "worker/run_answer.h"
#include "worker/runs_listing.h"
#include "worker/streams.h"
#include "worker/worker_state.h"

static const char *
segment(const struct connection *c, size_t index)
{
	return c->request->target.segments[index].text;
}

/* --- a run ------------------------------------------------------------------------------------------- */

static void
answer_run(struct connection *c)
{
	struct run_query query = { .kind = NULL };

	if (parameters_segment(c, 2, "the id of a run", query.run_id))
		run_wait_begin(c, &query);
}

/* --- the service itself ---------------------------------------------------------------------------------- */

static void
answer_word(struct connection *c, const char *name, const char *word)
{
	struct json_object *body = json_object_new_object();

	json_object_object_add(body, name, json_object_new_string(word));
	connection_answer(c, answer_json(&c->style, body));
}

static void
answer_health(struct connection *c)
{
	answer_word(c, "status", "ok");
}

static void
answer_ready(struct connection *c)
{
	struct worker *worker = c->worker;
	struct counters_values discovery;
	struct ready_facts facts = {
		.is_draining = worker->is_draining,
		.looks_finished = registry_looks_finished(worker->registry),
		.discovery_lives = board_pid(peers_board(worker->peers), BOARD_DISCOVERY) > 0,
		.discovery_interval_ms = worker->settings.api.sse.discovery_interval_ms,
	};
	const struct ready_reason *reason;

	peers_read_discovery(worker->peers, &discovery);
	/* One that was started again has not looked yet. */
	if (discovery.last_look_timestamp_ms > 0)
		facts.last_look_age_ms = clock_wall_ms() - (int64_t)discovery.last_look_timestamp_ms;
	facts.runs_dir_is_missing = discovery.runs_dir_missing > 0;
	reason = ready_find_reason(&facts);
	if (reason)
		connection_answer(c, answer_error(&c->style, ANSWER_UNAVAILABLE, reason->sentence,
		                                  "reason", reason->word, 1));
	else
		answer_word(c, "status", "ready");
}

static void
answer_version(struct connection *c)
{
	answer_word(c, "version", PACKAGE_VERSION);
}

static void
answer_metrics(struct connection *c)
{
	struct buf text = BUF_INIT;

	if (metrics_put(&text, c->worker->peers, c->worker->registry, c->worker->buses) < 0) {
		buf_fini(&text);
		connection_free(c);
		return;
	}
	connection_answer(c, answer_text(&c->style, METRICS_TYPE, &text));
}

/* --- the table ------------------------------------------------------------------------------------------------ */

enum { MOST_SEGMENTS = 7 };

static const struct route {
	/* Those after the prefix; "*": any one. Or, with a slash, the whole path beneath no prefix. */
	const char *segments[MOST_SEGMENTS];
	bool is_stream;                      /* takes a place: refused while full or draining */
	void (*answer)(struct connection *c); /* GET and HEAD, or NULL */
	void (*post)(struct connection *c);   /* or NULL */
} routes[] = {
	{ { "v1", "runs", "*", "stream" }, true, streams_log_of_run, NULL },
	{ { "v1", "runs", "stream", "all" }, true, streams_logs_of_all, NULL },
	{ { "v1", "messages", "stream" }, true, streams_messages, NULL },
	{ { "runs", "*", "stream" }, true, streams_events_of_run, NULL },
	{ { "stream" }, true, streams_events_of_all, NULL },
	{ { "projects", "*", "tasks", "*", "runs", "stream" }, true, streams_logs_of_task, NULL },
	{ { "projects", "*", "tasks", "*", "runs", "*", "stream" }, true, streams_file_of_run, NULL },
	{ { "projects", "*", "messages", "stream" }, true, streams_messages_of_project, NULL },
	{ { "projects", "*", "tasks", "*", "messages", "stream" }, true, streams_messages_of_task, NULL },
	{ { "v1", "runs" }, false, runs_listing_begin, NULL },
	{ { "v1", "runs", "*" }, false, answer_run, NULL },
	{ { "runs" }, false, NULL, recording_routes_create },
	{ { "runs", "*" }, false, recording_reads_state, NULL },
	{ { "runs", "*", "events" }, false, recording_reads_events, recording_routes_append },
	{ { "runs", "*", "resume" }, false, NULL, recording_routes_resume },
	{ { "runs", "*", "complete" }, false, NULL, recording_routes_complete },
	{ { "v1", "health" }, false, answer_health, NULL },
	{ { "v1", "ready" }, false, answer_ready, NULL },
	{ { "v1", "version" }, false, answer_version, NULL },
	{ { "/metrics" }, false, answer_metrics, NULL },
};

static bool
is_route(const struct connection *c, const struct route *route)
{
	size_t count = 0;

	if (route->segments[0][0] == '/') {
		const char *uri = request_variable(c->request, "REQUEST_URI");

		return target_has_path(uri, strlen(uri), route->segments[0]);
	}
	if (c->request->target_error)
		return false;
	while (count < MOST_SEGMENTS && route->segments[count])
		count++;
	if (count != c->request->target.segment_count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(route->segments[i], "*") != 0 && strcmp(route->segments[i], segment(c, i)) != 0)
			return false;
	return true;
}

static const struct route *
find_route(const struct connection *c)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (is_route(c, &routes[i]))
			return &routes[i];
	return NULL;
}

/* Whether too few would be left for the files of those who are in: a client without its file would
 * wait without end. A run has up to two that it follows. */
static bool
has_few_descriptors(const struct worker *worker)
{
	uint64_t taken = worker->connection_count + hub_descriptors(worker->hub) +
	                 2 * (worker->run_wait_count + 1);
	uint64_t left = (uint64_t)(worker->fd_limit - worker->fd_base);

	return taken + left / 8 >= left;
}

/* Why a stream is refused, or COUNTERS_REFUSALS if it is not. */
static enum counters_refusals
find_refusal(const struct connection *c)
{
	const struct worker *worker = c->worker;

	if (worker->is_draining)
		return COUNTERS_REFUSED_DRAINING;
	if (has_few_descriptors(worker))
		return COUNTERS_REFUSED_DESCRIPTORS;
	/* Those who wait for a run (?wait_s=) hold as much as those who have one. */
	if (peers_own_clients(worker->peers) + (uint64_t)worker->run_wait_count >=
	    (uint64_t)worker->settings.server.max_clients_per_worker)
		return COUNTERS_REFUSED_WORKER_FULL;
	return COUNTERS_REFUSALS;
}

static const char *
methods_of(const struct route *route)
{
	if (!route->post)
		return "GET, HEAD, OPTIONS";
	return route->answer ? "GET, HEAD, POST, OPTIONS" : "POST, OPTIONS";
}

/* False: without memory, and the connection is freed. */
static bool
take_style(struct connection *c, const char *method)
{
	c->style_headers = cors_headers(c->worker->settings.api.cors_origins,
	                                request_variable(c->request, "HTTP_ORIGIN"));
	if (!c->style_headers) {
		connection_free(c);
		return false;
	}
	c->style.headers = c->style_headers;
	c->style.is_head = strcmp(method, "HEAD") == 0;
	c->style.accepts_events = request_accepts_events(c->request);
	return true;
}

static void
refuse(struct connection *c)
{
	connection_answer(c, answer_error(&c->style, ANSWER_UNAVAILABLE,
	                                  c->worker->is_draining ? "the worker is ending"
	                                                         : "the worker is full",
	                                  NULL, NULL, 1));
}

void
routes_dispatch(struct connection *c)
{
	const char *method = request_variable(c->request, "REQUEST_METHOD");
	const struct route *route;
	enum counters_refusals refusal;

	if (!take_style(c, method))
		return;
	if (c->request->target_error == -EINVAL || c->request->target_error == -E2BIG) {
		connection_answer(c, answer_error(&c->style, ANSWER_BAD_REQUEST,
		                                  "the request target is not well formed", NULL, NULL, 0));
		return;
	}
	route = find_route(c);
	if (!route) {
		connection_answer(c, answer_error(&c->style, ANSWER_NOT_FOUND, "there is nothing at this path",
		                                  NULL, NULL, 0));
		return;
	}
	if (strcmp(method, "OPTIONS") == 0) {
		connection_answer(c, cors_answer_options(&c->style, methods_of(route)));
	} else if (strcmp(method, "POST") == 0 && route->post) {
		/* The web server asks no other worker for a post, lest it be done twice. */
		if (c->worker->is_draining && loop_now_ms(c->worker->loop) >= c->worker->posts_until_ms)
			refuse(c);
		else
			route->post(c);
	} else if ((strcmp(method, "GET") != 0 && !c->style.is_head) || !route->answer) {
		connection_answer(c, answer_method_not_allowed(&c->style, methods_of(route)));
	} else if (route->is_stream && (refusal = find_refusal(c)) != COUNTERS_REFUSALS) {
		/* Always 503, whoever asks: the web server goes on to the next worker with it. */
		peers_counters(c->worker->peers)->clients_refused[refusal]++;
		refuse(c);
	} else {
		route->answer(c);
	}
}
