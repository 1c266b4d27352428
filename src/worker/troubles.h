/* What goes wrong in a worker again and again: said once, counted, and said when it is over. */
#ifndef WORKER_TROUBLES_H
#define WORKER_TROUBLES_H

struct troubles;
struct worker;

struct troubles *troubles_new(void); /* NULL without memory */
void troubles_free(struct troubles **troubles);

/* About once a second: logs what is news, and brings the counters up to date. */
void troubles_refresh(struct troubles *troubles, struct worker *worker);

#endif
