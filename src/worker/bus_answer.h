/* The stream of one message bus. */
#ifndef WORKER_BUS_ANSWER_H
#define WORKER_BUS_ANSWER_H

#include "worker/connection.h"

/* Answers with the bus of a project, or (task not "") of a task; 404 where there is no such folder.
 * Its file need not be there yet. All is copied. */
void bus_answer(struct connection *c, const char *project, const char *task,
                const struct start *start);

#endif
