/*
 * The sockets on which a worker accepts connections from the web server: those, of all that the
 * instance has, that the supervisor gives it at the time.
 */
#ifndef WORKER_LISTENERS_H
#define WORKER_LISTENERS_H

#include <stdint.h>

#include "shm/instance.h"

struct listeners;
struct worker;

/* Begins to accept on instance->listen_set. Borrows the descriptors. 0 or -errno; returns owned. */
int listeners_new(struct worker *worker, const struct instance *instance,
                  struct listeners **ret_listeners);
void listeners_free(struct listeners **listeners);

/* Accepts on these from now on (bit i: socket i), and on no others: who connects to one of those
 * waits in its queue, for whom it is given to. */
void listeners_choose(struct listeners *listeners, uint64_t set);

#endif
