/*
 * Finding a run by id. One that the registry does not know yet may have been made a moment ago:
 * discovery is asked for a look (worker and discovery gather such questions), and with ?wait_s=
 * the client waits for longer, its stream already open.
 */
#ifndef WORKER_RUN_WAIT_H
#define WORKER_RUN_WAIT_H

#include "model/event_line.h"
#include "model/run_id.h"
#include "stream/start.h"

struct connection;
struct registry_run;
struct worker;

/* Files of a run that can be streamed for themselves. */
enum run_file { RUN_FILE_STDOUT, RUN_FILE_STDERR, RUN_FILE_PROMPT, RUN_FILE_OUTPUT, RUN_FILES };

/* Which recorded events are asked for. */
enum { EVENT_FILTER_UNIT_BYTES = 256 };

struct event_filter {
	uint64_t after, limit;
	char type[EVENT_TYPE_BYTES + 1], unit[EVENT_FILTER_UNIT_BYTES + 1]; /* "": any */
};

/* What is wanted of a run. */
struct run_query {
	char run_id[RUN_ID_BYTES + 1];
	char project_id[RUN_ID_BYTES + 1], task_id[RUN_ID_BYTES + 1]; /* which it must be of; "": any */
	const struct stream_kind *kind; /* of the stream that is wanted; NULL: the registry's view */
	unsigned files;     /* enum channel_files */
	enum run_file file; /* of a stream of one */
	struct start start;
	int64_t wait_ms;    /* how long to wait for the run to appear */
	struct event_filter filter;
	/* What is done with the run instead, if it is not NULL. */
	void (*answer)(struct connection *c, const struct run_query *query,
	               const struct registry_run *run);
};

/* Answers the query, at once or when the run is found or given up. Copies the query. */
void run_wait_begin(struct connection *c, const struct run_query *query);

/* The registry changed or discovery finished a look: goes through all waits. */
void run_wait_check_all(struct worker *worker);

#endif
