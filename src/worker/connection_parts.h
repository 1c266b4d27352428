/* What the files of a connection share: connection.c (its life, and what it is answered with),
 * connection_input.c (the request) and connection_time.c (heartbeats, and whom it waits for how long). */
#ifndef WORKER_CONNECTION_PARTS_H
#define WORKER_CONNECTION_PARTS_H

#include "worker/connection.h"

/* Reads more of the head, or of a body that is wanted; may free it. */
void connection_read_request(struct connection *c);
/* Behind the head only STDIN may come, of which nobody asks for more, and the end. False: it is over. */
bool connection_read_rest(struct connection *c);
/* Answered, but nginx is still sending a body: were the connection closed on it, nginx would take
 * that for a failure, and drop the answer. */
bool connection_awaits_body(const struct connection *c);

/* What the web server has not taken off the socket. The kernel tells of room only when most of it
 * was taken, which may be long after one that takes little began to. */
int connection_unread_bytes(const struct connection *c);

#endif
