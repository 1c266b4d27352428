/* The state of a run, once: as the streams of its events send it, and from the same fold. */
#ifndef WORKER_STATE_READ_H
#define WORKER_STATE_READ_H

struct connection;
struct registry_run;

/* Answers c with the state of the run, now or some turns later. */
void state_read_begin(struct connection *c, const struct registry_run *run);

#endif
