/*
 * What tail shows of the events of a stream, of whatever kind: their text, or with --json each
 * event as a line. What concerns the stream rather than its content (gaps, the run's deletion) is
 * said on stderr; what ends it is kept for who reads it.
 */
#ifndef ADMIN_TAIL_PRINTER_H
#define ADMIN_TAIL_PRINTER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/run_id.h"
#include "model/sse_reader.h"

enum tail_last {
	TAIL_LAST_OTHER,
	TAIL_LAST_END,     /* complete, done: all was read */
	TAIL_LAST_GONE,
	TAIL_LAST_REFUSED,
	TAIL_LAST_FAILURE, /* of reading a file */
};

struct tail_printer {
	bool is_json, has_timestamps, has_prefix;
	enum tail_last last;   /* what the last event was, heartbeats aside */
	bool has_exit_code;    /* of the last end: */
	int32_t exit_code;
	bool is_completed;
	int64_t retry_after_s; /* of the last refusal */
	/* The rest is its own. */
	struct json_tokener *tokener;
	struct buf line;
	bool is_open[2];       /* on stdout, on stderr: a fragment was printed last, of: */
	char open_run[2][RUN_ID_BYTES + 1];
	bool is_of_many[2];    /* and in a stream of many runs */
	uint64_t *seen;        /* owned; NULL: nothing comes twice */
};

/* 0 or -ENOMEM. */
int tail_printer_init(struct tail_printer *printer);
void tail_printer_fini(struct tail_printer *printer);

/* What is printed is of many runs (or buses): what comes again after coming back is not printed again, as
 * far as is remembered. 0 or -ENOMEM. */
int tail_printer_expect_repeats(struct tail_printer *printer);

/* The stream was left and is asked for again: a line of many of which a part was printed comes again from
 * its beginning. */
void tail_printer_come_back(struct tail_printer *printer);

/* Prints one event; 0 or -errno of writing. As sse_event_fn. */
int tail_printer_event(void *printer, const struct sse_event *event);

/* 0 or -errno. */
int tail_printer_flush(struct tail_printer *printer);

#endif
