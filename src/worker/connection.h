/*
 * A connection from the web server: one FastCGI request (nginx does not multiplex), then its
 * answer, then its end. It knows how bytes come and go; what is answered is decided in
 * routes.c, and what a stream says comes from its subscription.
 *
 * States: reading the head → (reading the body) → (waiting for a run) → streaming or answering →
 * closed.
 */
#ifndef WORKER_CONNECTION_H
#define WORKER_CONNECTION_H

#include "base/loop.h"
#include "stream/subscription.h"
#include "worker/answer.h"
#include "worker/client_table.h"
#include "worker/send_queue.h"
#include "worker/request.h"

struct body;
struct worker;

/* An answer that is being made over several turns; embedded at the start of what makes it. */
struct pending_answer {
	/* The connection is over, or was answered: frees it. */
	void (*drop)(struct pending_answer *pending);
	bool outlasts_drain; /* it is brief, and what it does would be done in vain */
};

struct connection {
	struct worker *worker;
	struct loop_fd watch; /* its fd is owned */
	struct loop_timer timer;
	TAILQ_ENTRY(connection) entry; /* among all */
	TAILQ_ENTRY(connection) ready_entry;

	struct request *request;      /* while the head is read and routed */
	struct pending_answer *pending; /* while one is being made over several turns */
	struct subscription *subscription; /* of a stream */
	struct client_row row;        /* in the list of clients */
	struct send_queue queue;
	struct fastcgi_stdin input;   /* behind the head: a body */
	struct body *body;            /* of a route that wants it (owned); else it is passed over */

	struct answer_style style;
	char *style_headers; /* owned, for style */
	bool is_ready;     /* queued to be served */
	bool is_blocked;   /* the kernel's buffer is full: waits for EPOLLOUT */
	bool is_opened;    /* its headers are on their way */
	bool is_ending;    /* nothing follows what is queued */
	bool has_body;     /* it is to come whole before the end: see connection_serve() */
	int64_t sent_ms;   /* when bytes were last taken, or the stream began */
	int unread_bytes;  /* while blocked: what its peer had not taken at the last look */
	int64_t ends_ms;   /* when a drain ends it; 0: not draining */
};

/* Takes fd; NULL (and fd closed) without memory. It frees itself when it is over. */
struct connection *connection_new(struct worker *worker, int fd);

/* Closes and frees it at once. */
void connection_free(struct connection *c);

/* Queues it to be served (connection_serve) in one of the next turns. */
void connection_ready(struct connection *c);

/* Serves it: asks its subscription for more and sends, a bounded amount; may free it. */
void connection_serve(struct connection *c);

/* Collects the body of the request (takes body, which has begun), then calls body->then(): at once, or
 * in a later turn. The request is freed. May free the connection. */
void connection_collect(struct connection *c, struct body *body);

/* Sends one block (takes it; NULL: out of memory, the connection closes) and then the end. */
void connection_answer(struct connection *c, struct block *block);

/* Begins a stream: sends headers and first bytes (later for the id of an end, which may
 * be answered with 204). connection_subscribe() follows, at once or when the run was found.
 * False: without memory, and the connection is freed. */
bool connection_open_stream(struct connection *c, bool may_be_over);
/* Subscribes to a run, file or bus; to many. Ends the connection on failure. */
void connection_subscribe(struct connection *c, const struct channel_request *request,
                          const struct start *start);
void connection_subscribe_to_many(struct connection *c, const struct feed_request *request);

/* Ends its stream (or its waiting) cleanly, now: an EventSource comes back with its last id. May
 * free it. Not for one that is ending. */
void connection_end_stream(struct connection *c);

/*
 * Has it look when something is due. Sending does not touch the timer: when it fires, it looks whether
 * it is really time. Nor does being blocked, which may make it due sooner: so it looks several times in each
 * client_timeout_s. To be called for each when settings changed.
 */
void connection_set_timer(struct connection *c);

/* Ends its stream (or its waiting) cleanly, in delay_ms. */
void connection_drain(struct connection *c, int64_t delay_ms);

#endif
