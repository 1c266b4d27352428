/*
 * The body of a request, collected as it comes: as long as was announced, no longer than the
 * settings allow, and all bodies of a worker together within BODY_TOTAL_BYTES.
 */
#ifndef WORKER_BODY_H
#define WORKER_BODY_H

#include "base/buf.h"
#include "model/fastcgi.h"

struct connection;

enum { BODY_TOTAL_BYTES = 64 * 1024 * 1024 };

/* Embedded at the start of what is kept with it; on the heap, zero-initialised. */
struct body {
	struct buf bytes;
	size_t expected_bytes;
	size_t *total_bytes; /* of all bodies of the worker (borrowed); NULL: this is none yet */
	/* It is whole: c->body, the connection's, is to be taken or answered. May free c. */
	void (*then)(struct connection *c);
};

/* Makes room. 0; -EAGAIN: there is too much in bodies already; -ENOMEM. */
int body_begin(struct body *body, size_t expected_bytes, size_t *total_bytes);
void body_fini(struct body *body);

/*
 * Takes the next bytes behind the head. 0: it is whole; -EAGAIN: more is to come; -EMSGSIZE: it is
 * not as long as was announced; -EPROTO, -ECANCELED: as fastcgi_stdin_next().
 */
int body_add(struct body *body, struct fastcgi_stdin *input, uint16_t request_id,
             const uint8_t *bytes, size_t length);

#endif
