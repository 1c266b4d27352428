/* GET …/v1/runs: the registry, filtered, gone through in slices of a turn each. */
#ifndef WORKER_RUNS_LISTING_H
#define WORKER_RUNS_LISTING_H

struct connection;

/* Reads the parameters of c->request and answers it, now or some turns later. */
void runs_listing_begin(struct connection *c);

#endif
