/* From a request to what answers it: the table of paths (DESIGN: HTTP). */
#ifndef WORKER_ROUTES_H
#define WORKER_ROUTES_H

struct connection;

/* Answers c->request, or begins to; the request is freed. May free the connection. */
void routes_dispatch(struct connection *c);

#endif
