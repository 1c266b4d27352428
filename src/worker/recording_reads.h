/* What was recorded of a run, as JSON: its events, and the state that they add up to. */
#ifndef WORKER_RECORDING_READS_H
#define WORKER_RECORDING_READS_H

struct connection;

/* GET …/runs/{id} and …/runs/{id}/events. Answer c->request, or begin to. */
void recording_reads_state(struct connection *c);
void recording_reads_events(struct connection *c);

#endif
