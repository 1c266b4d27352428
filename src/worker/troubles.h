/* What a worker cannot have from the system again and again: counted, said once, and said when it is
 * over. */
#ifndef WORKER_TROUBLES_H
#define WORKER_TROUBLES_H

struct troubles;
struct worker;

struct troubles *troubles_new(void); /* NULL without memory */
void troubles_free(struct troubles **troubles);

/* A connection could not be accepted, with this errno. */
void troubles_accept_failed(struct worker *worker, int error);

/* About once a second: logs what is news, and brings the counters up to date. */
void troubles_refresh(struct worker *worker);

#endif
