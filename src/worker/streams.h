/* Answers of the paths that are streams: each reads its request and begins, or refuses, one. */
#ifndef WORKER_STREAMS_H
#define WORKER_STREAMS_H

struct connection;

void streams_log_of_run(struct connection *c);       /* v1/runs/{id}/stream */
void streams_logs_of_all(struct connection *c);      /* v1/runs/stream/all */
void streams_logs_of_task(struct connection *c);     /* projects/{p}/tasks/{t}/runs/stream */
void streams_file_of_run(struct connection *c);      /* projects/{p}/tasks/{t}/runs/{id}/stream */
void streams_events_of_run(struct connection *c);    /* runs/{id}/stream */
void streams_events_of_all(struct connection *c);    /* stream */
void streams_messages(struct connection *c);         /* v1/messages/stream */
void streams_messages_of_project(struct connection *c); /* projects/{p}/messages/stream */
void streams_messages_of_task(struct connection *c); /* projects/{p}/tasks/{t}/messages/stream */

#endif
