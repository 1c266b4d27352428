/* A request as it came: read from its connection, then taken apart for the routes. */
#ifndef WORKER_REQUEST_H
#define WORKER_REQUEST_H

#include "base/buf.h"
#include "model/fastcgi.h"
#include "model/target.h"

struct request {
	struct buf head;               /* bytes of the connection up to the end of the head */
	struct fastcgi_request fastcgi;
	struct fastcgi_params params;  /* in head, once complete */
	struct target target;
	int target_error;              /* of target_parse(): 0, -EINVAL, -E2BIG, -ENOENT */
};

/* Returns owned, or NULL. */
struct request *request_new(void);
void request_free(struct request **request);

/* Reads what is there from a non-blocking descriptor. 0: the head is complete and taken apart;
 * -EAGAIN: not yet; -ECONNRESET: the peer is gone; otherwise as fastcgi_parse(). */
int request_read(struct request *request, int fd, const char *prefix);

/* Borrows a CGI variable (RFC 3875): REQUEST_METHOD, HTTP_ACCEPT, …; "" if it is missing. */
const char *request_variable(const struct request *request, const char *name);

/* Whether it asks for an event stream (Accept: text/event-stream), as an EventSource does. */
bool request_accepts_events(const struct request *request);

#endif
